#ifndef SOAK_PUBLISHER_H
#define SOAK_PUBLISHER_H

#include "bench/publish.h"
#include "soak.h"

#define PUBLISHER_FLIGHT 32

/* The updates of a request that has no response yet. */
struct flight {
    uint64_t first;
    uint64_t count;
};

/* The publisher of a series. */
struct publisher {
    struct publish publish; /* first member */
    struct soak *soak;
    enum series series;
    bool open;
    bool drop;      /* close it, after an unusable response */
    uint64_t since; /* when it was opened, ns */
    uint64_t used;  /* time of the last request or response */
    uint64_t due;   /* when it next makes updates */
    uint64_t sent;  /* updates up to here were sent on this connection */
    struct flight flights[PUBLISHER_FLIGHT];
    unsigned head, count; /* of `flights` */
};

/* Initializes the publisher of SERIES, unconnected. */
void publisher_init(struct publisher *publisher, struct soak *soak, enum series series);
void publisher_done(struct publisher *publisher);

/* Sends what is due; makes new updates only if PRODUCING. */
bool publisher_tick(struct publisher *publisher, bool producing, uint64_t now);

/* Returns whether every update has its response. */
bool publisher_idle(const struct publisher *publisher);

/* Disconnects. Updates without a response are sent again later, or marked as unsure. */
void publisher_close(struct publisher *publisher);

#endif
