/*
 * The nodes of a server, and the Redis that they share. Every round starts a new one, so
 * that neither has state of another round. Of a server without Redis there is one node.
 *
 * What Redis uses counts as what the server uses: a server that leaves work to Redis does
 * not seem cheaper.
 */
#include <config.h>

#include "cluster.h"

#include "fault.h"

#include <string.h>

bool cluster_add(struct cluster *cluster)
{
    if (cluster->count == CLUSTER_NODES)
        return fault("too many nodes");
    if (!server_start(cluster->kind, &cluster->settings, &cluster->nodes[cluster->count]))
        return false;
    cluster->count++;
    return true;
}

bool cluster_start(struct cluster *cluster, enum server_kind kind, unsigned count,
                   const struct server_settings *settings)
{
    memset(cluster, 0, sizeof *cluster);
    cluster->kind = kind;
    cluster->settings = *settings;
    if (server_needs_redis(kind)) {
        if (!server_start(SERVER_REDIS, settings, &cluster->redis))
            return false;
        cluster->settings.redis_port = cluster->redis.port;
    }
    while (cluster->count < count)
        if (!cluster_add(cluster))
            return false;
    return true;
}

bool cluster_stop(struct cluster *cluster)
{
    bool ok = true;

    while (cluster->count != 0)
        ok = server_stop(&cluster->nodes[--cluster->count]) && ok;
    if (cluster->redis.pid != 0)
        ok = server_stop(&cluster->redis) && ok;
    return ok;
}

static bool add_usage(const struct server *server, bool with_memory, struct usage *sum)
{
    struct usage one;

    if (!usage_read(server->pid, with_memory, &one))
        return false;
    sum->cpu += one.cpu;
    sum->memory += one.memory;
    sum->processes += one.processes;
    return true;
}

bool cluster_usage(const struct cluster *cluster, bool with_memory, struct usage *usage)
{
    memset(usage, 0, sizeof *usage);
    for (unsigned i = 0; i < cluster->count; i++)
        if (!add_usage(&cluster->nodes[i], with_memory, usage))
            return false;
    return cluster->redis.pid == 0 || add_usage(&cluster->redis, with_memory, usage);
}
