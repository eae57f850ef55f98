#ifndef CRIER_REDIS_CENSUS_H
#define CRIER_REDIS_CENSUS_H

#include "redis.h"

/* Counts of streams over all nodes; see redis_census.c. */

/* A node that has not been heard of for so many ms is dead; it says that it lives four
 * times as often. Tests change it. */
extern unsigned crier__redis_census_age;

/* Makes the node's name, redis->node, and reserves timers. Before the link is started.
 * -ENOMEM, -errno. */
int crier__redis_census_start(struct crier__redis *redis);

/* Frees what it has. After the link was stopped, or when it was not started. */
void crier__redis_census_free(struct crier__redis *redis);

/* Any thread, which may have the hub's lock: the hub's counts have changed. It is what
 * ops->counts_changed does. */
void crier__redis_census_changed(struct crier__redis *redis);

/* Any thread: what ops->nodes does. */
size_t crier__redis_census_nodes(struct crier__redis *redis, struct crier_node *nodes,
                                 size_t max);

/* ---- on the link's thread ---- */

/* The link's on_wake: sends counts if there are new ones. */
void crier__redis_census_wake(struct crier__redis *redis);

/* The journal has attached to the server: reads all totals, and reports all counts. The hub
 * has called `start`. */
void crier__redis_census_up(struct crier__redis *redis);

/* The connections have been lost; its calls have been answered. */
void crier__redis_census_down(struct crier__redis *redis);

/* A message on the channel T census. */
void crier__redis_census_message(struct crier__redis *redis, const char *text,
                                 size_t length);

/* Counts this node out, and calls ON_CLOSED once: at once when that is not possible.
 * Nothing is sent after that. */
void crier__redis_census_close(struct crier__redis *redis,
                               void (*on_closed)(struct crier__redis *redis));

#endif
