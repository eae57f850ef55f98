#ifndef SOAK_PRESS_H
#define SOAK_PRESS_H

#include "bench/publish.h"
#include "soak.h"

#define PRESS_FLIGHT 32

/* A request that has no answer yet: which updates are in it. */
struct flight {
    uint64_t first;
    uint64_t count;
};

/* The publisher of a lane. */
struct press {
    struct publish publish; /* first */
    struct soak *soak;
    enum lane lane;
    bool open;
    bool drop;       /* close it: an answer was of no use */
    uint64_t since;  /* when it was opened, ns */
    uint64_t used;   /* when something was last sent or answered */
    uint64_t due;    /* when it makes updates again */
    uint64_t asked;  /* up to here updates were sent on this connection */
    struct flight flights[PRESS_FLIGHT];
    unsigned head, count; /* of `flights` */
};

/* The publisher of LANE, which is not connected. */
void press_init(struct press *press, struct soak *soak, enum lane lane);
void press_done(struct press *press);

/* Does what is due; new updates are made only when PRODUCING. */
bool press_tick(struct press *press, bool producing, uint64_t now);

/* Whether all that was made has its answer. */
bool press_idle(const struct press *press);

/* Disconnects. What has no answer is sent again later, or is unsure. */
void press_close(struct press *press);

#endif
