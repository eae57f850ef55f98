#ifndef SOAK_SOAK_H
#define SOAK_SOAK_H

#include "bench/histogram.h"
#include "bench/load.h"
#include "bench/server.h"
#include "rng.h"
#include "oracle.h"
#include "invariants.h"

/* --stall-timeout of crierd, s. */
#define SOAK_STALL_TIMEOUT 2

/* Maximum body size of crierd. */
#define SOAK_MAX_UPDATE 102400

/* State shared by all files. */
struct soak {
    struct load load;
    struct server_settings settings;
    struct server server;
    bool up;            /* crierd runs and was not signalled */
    bool terminated;    /* the last signal was SIGTERM */
    uint64_t disturbed; /* time of the last signal, ns */
    struct oracle oracle;
    struct rng rng;
    struct invariants invariants;
    struct histogram latency; /* of clients that only read */
    size_t open_streams;      /* number of open streams */
};

/* Returns whether crierd may fail a client that has been connected since SINCE. */
static inline bool soak_excused(const struct soak *soak, uint64_t since)
{
    return !soak->up || soak->disturbed >= since;
}

#endif
