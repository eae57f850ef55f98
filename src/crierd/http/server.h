#ifndef CRIERD_SERVER_H
#define CRIERD_SERVER_H

#include "route_table.h"
#include "crierd/auth/auth.h"
#include "crierd/config/conf.h"
#include "crier.h"
#include "crierd/limits/limits.h"
#include "crierd/net/descriptors.h"
#include "crierd/net/listener.h"

#include <stdatomic.h>
#include <time.h>

/* How many tables a server may have, one without routes included. */
#define SERVER_TABLES 8

/* How long clients are to wait before they reconnect after crierd has stopped, in ms: drawn
 * at random from this range, so that they do not all reconnect at once. */
#define SERVER_RETRY_MIN 1000
#define SERVER_RETRY_MAX 5000

/* What every handler can reach; set up by main before the first request. */
struct server {
    const struct conf *conf;
    struct crier_shards *shards;
    struct descriptors descriptors;
    struct listeners listeners;
    uint64_t started;   /* crier_now() */
    time_t began;       /* the same by the real-time clock, in s since 1970 */
    _Atomic time_t configured; /* when the configuration was last read, likewise */
    atomic_bool reload_failed; /* the last reload */
    uint64_t signalled; /* the same, when the signal to stop came; 0 before */
    atomic_bool stopping; /* nothing is changed any more */
    int www;              /* the directory of the pages */
    struct crier_hub *hub;
    struct auth *auth;
    struct limits *limits;
    atomic_size_t bodies; /* bytes of request bodies that are held */
    struct route_table tables[SERVER_TABLES]; /* searched in this order */
};

#endif
