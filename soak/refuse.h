#ifndef SOAK_REFUSE_H
#define SOAK_REFUSE_H

#include "bench/publish.h"
#include "soak.h"

/* Who makes bad requests, one after the other. */
struct refuse {
    struct publish publish; /* first */
    struct soak *soak;
    bool open, over;
    uint64_t since, due; /* ns */
    size_t which;
};

void refuse_init(struct refuse *refuse, struct soak *soak);

/* Makes a bad request when one is due and ACTIVE. */
bool refuse_tick(struct refuse *refuse, bool active, uint64_t now);

void refuse_close(struct refuse *refuse);

#endif
