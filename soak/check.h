#ifndef SOAK_CHECK_H
#define SOAK_CHECK_H

#include "soak.h"

/* Where a stream starts. */
enum start {
    START_NOW,
    START_ALL,
    START_LAST, /* with the last few updates */
    START_ID,   /* after its last id */
};

/* What one client must receive, across connections. */
struct check {
    uint32_t topics; /* that it subscribes to */
    enum start start;
    bool open;
    bool lacks;                   /* a gap was reported */
    uint64_t last[SERIES_COUNT];  /* last number received, or not to be received */
    uint64_t maybe[SERIES_COUNT]; /* updates up to here may be missing */
    uint64_t due[SERIES_COUNT];   /* acknowledged at the time of the request */
    uint64_t position;            /* of the last update, where known */
};

/* Starts a request for TOPICS, from START. For START_ID there must have been an earlier
 * request for the same topics. */
void check_start(struct check *check, struct soak *soak, uint32_t topics,
                 enum start start);

/* The stream is open. */
void check_open(struct check *check, struct soak *soak);

/* Checks an event. Returns false, after breaking an invariant, if it should not have
 * arrived. Sets *UPDATE to its update, or to NULL for a gap. */
bool check_event(struct check *check, struct soak *soak, const char *type,
                 const char *id, const char *data, size_t length,
                 struct update **update);

/* Returns the number of the first update that must still arrive, and its *SERIES; 0 if
 * there is none. If POLLED, only updates acknowledged at the time of the request must
 * arrive. */
uint64_t check_missing(const struct check *check, const struct soak *soak, bool polled,
                       enum series *series);

/* Returns whether the oracle no longer remembers the last update of the client. */
bool check_is_old(const struct check *check, const struct soak *soak);

#endif
