#ifndef BENCH_CLUSTER_H
#define BENCH_CLUSTER_H

#include "server.h"
#include "usage.h"

#define CLUSTER_NODES 5

/* What is measured: one server or several, its nodes, and the Redis that they share. All
 * zero is none. */
struct cluster {
    enum server_kind kind;
    struct server_settings settings; /* with the port of the Redis */
    struct server redis;             /* pid 0: none */
    struct server nodes[CLUSTER_NODES];
    unsigned count; /* of nodes */
};

/* Starts the Redis that servers of KIND need, and COUNT nodes, at most CLUSTER_NODES.
 * SETTINGS are copied. Returns false, with a fault, on failure; call cluster_stop() in any
 * case. */
bool cluster_start(struct cluster *cluster, enum server_kind kind, unsigned count,
                   const struct server_settings *settings);

/* Starts one node more. */
bool cluster_add(struct cluster *cluster);

/* Stops the nodes and then the Redis. Returns false, with a fault, if one had exited
 * before, or had to be killed. */
bool cluster_stop(struct cluster *cluster);

/* Reads the usage of the nodes and the Redis together, as usage_read(). */
bool cluster_usage(const struct cluster *cluster, bool with_memory, struct usage *usage);

#endif
