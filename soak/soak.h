#ifndef SOAK_SOAK_H
#define SOAK_SOAK_H

#include "bench/histogram.h"
#include "bench/load.h"
#include "bench/server.h"
#include "rng.h"
#include "oracle.h"
#include "invariants.h"

/* s; after this crierd ends a stream whose client takes nothing. */
#define SOAK_STALL_TIMEOUT 2

/* The largest body that crierd shall take. */
#define SOAK_MAX_MESSAGE 102400

/* What the rooms share. */
struct soak {
    struct load load;
    struct server_settings settings;
    struct server server;
    bool up;            /* crierd runs, and nobody told it to end */
    bool told;          /* the last end was by SIGTERM */
    uint64_t disturbed; /* when it was last told to end, or killed; ns */
    struct oracle oracle;
    struct rng rng;
    struct invariants invariants;
    struct histogram latency; /* to clients that do nothing but read */
    size_t here;              /* streams that are open */
};

/* Whether crierd may fail somebody who has been with it since SINCE. */
static inline bool soak_excused(const struct soak *soak, uint64_t since)
{
    return !soak->up || soak->disturbed >= since;
}

#endif
