#ifndef CRIERD_STATS_EVENT_H
#define CRIERD_STATS_EVENT_H

#include "crierd/http/server.h"
#include "crierd/metrics/window.h"

/* What has been added to some of the counters in a second. */
struct stats_rates {
    uint64_t publishes, deliveries, bytes, gaps;
};

/* What a sample has found; the rest is asked for when the event is made. */
struct stats_finding {
    int64_t time; /* crier__clock_real() */
    struct crier_shards_counts streams;
    struct crier_hub_counts hub;
    struct stats_rates rates;
    const struct window *latency, *commit;
};

/* A new object with the data of an event `stats`: FINDING, and the present state of SERVER.
 * NULL when memory is short. On the main thread. */
json_t *stats_event(const struct server *server, const struct stats_finding *finding);

#endif
