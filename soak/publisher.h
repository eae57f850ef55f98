#ifndef SOAK_PUBLISHER_H
#define SOAK_PUBLISHER_H

#include "bench/publish.h"
#include "soak.h"

#define PUBLISHER_FLIGHT 32

/* A request that has no answer yet: which updates are in it. */
struct flight {
    uint64_t first;
    uint64_t count;
};

/* The publisher of a series. */
struct publisher {
    struct publish publish; /* first */
    struct soak *soak;
    enum series series;
    bool open;
    bool drop;      /* close it: an answer was of no use */
    uint64_t since; /* when it was opened, ns */
    uint64_t used;  /* when something was last sent or answered */
    uint64_t due;   /* when it makes updates again */
    uint64_t asked; /* up to here updates were sent on this connection */
    struct flight flights[PUBLISHER_FLIGHT];
    unsigned head, count; /* of `flights` */
};

/* The publisher of LANE, which is not connected. */
void publisher_init(struct publisher *publisher, struct soak *soak, enum series series);
void publisher_done(struct publisher *publisher);

/* Does what is due; new updates are made only when PRODUCING. */
bool publisher_tick(struct publisher *publisher, bool producing, uint64_t now);

/* Whether all that was made has its answer. */
bool publisher_idle(const struct publisher *publisher);

/* Disconnects. What has no answer is sent again later, or is unsure. */
void publisher_close(struct publisher *publisher);

#endif
