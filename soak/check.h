#ifndef SOAK_CHECK_H
#define SOAK_CHECK_H

#include "soak.h"

/* Where a client begins. */
enum start {
    START_NOW,
    START_ALL,
    START_LAST, /* the last few */
    START_ID,   /* after what it had */
};

/* What one client must get. It outlives connections. */
struct check {
    uint32_t topics; /* that it follows */
    enum start start;
    bool open;
    bool lacks;                   /* a gap was told */
    uint64_t last[SERIES_COUNT];  /* the last number it had, or need not have */
    uint64_t maybe[SERIES_COUNT]; /* up to here something may be missing */
    uint64_t due[SERIES_COUNT];   /* acknowledged when it asked */
    uint64_t position;            /* of the last that it had, where known */
};

/* It asks for TOPICS, from START; for START_ID it must have asked before, for
 * the same topics. */
void check_ask(struct check *check, struct soak *soak, uint32_t topics,
               enum start start);

/* The stream is open. */
void check_open(struct check *check, struct soak *soak);

/* It got an event; false, with a invariant broken, when it should not have.
 * *UPDATE is which one, or NULL for a gap. */
bool check_event(struct check *check, struct soak *soak, const char *type,
                 const char *id, const char *data, size_t length,
                 struct update **update);

/* The first number that has not come and that it must have; 0 when it has all.
 * *LANE is whose. With POLLED it must have only what was acknowledged when it
 * asked. */
uint64_t check_missing(const struct check *check, const struct soak *soak, bool polled,
                       enum series *series);

/* Whether what it had last is so long ago that the oracle has forgotten it. */
bool check_is_old(const struct check *check, const struct soak *soak);

#endif
