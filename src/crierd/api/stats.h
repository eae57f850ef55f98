#ifndef CRIERD_STATS_H
#define CRIERD_STATS_H

#include "crierd/http/server.h"

/*
 * GET /topics/$stats: what crierd has counted, an event a second (stats.c). The main thread
 * samples; handlers of any thread open streams.
 */
struct stats;

extern const struct route stats_routes[];

/* New statistics of SERVER (borrowed), the context of stats_routes; NULL after an error in
 * the log. */
struct stats *stats_open(const struct server *server);

/* Frees STATS, which no handler can reach any more, after crier_shards_free(); NULL is
 * allowed. */
void stats_close(struct stats *stats);

/* When stats_sample() has something to do again, by crier_now(). */
uint64_t stats_due(const struct stats *stats);

/* Takes a sample if one is due at NOW (crier_now()), and sends it to the streams. Before
 * crier_hub_close(). */
void stats_sample(struct stats *stats, uint64_t now);

#endif
