/*
 * Changing the times of open streams: a stream without times of its own uses those of
 * the shards. A task of each shard passes new times to the streams on its list; a
 * stream that is added later takes them when it is attached, which is a task of the
 * same thread. So no stream is left out.
 */
#include <config.h>

#include "base/container_of.h"
#include "shards.h"
#include "stream.h"

#include <utlist.h>

static void retime_streams(struct crier__task *task)
{
    struct crier__shard *shard =
        CRIER__CONTAINER_OF(task, struct crier__shard, retime);
    struct crier_stream *stream, *next;

    atomic_store(&shard->retiming, false);
    DL_FOREACH_SAFE (shard->streams, stream, next)
        crier__stream_retime(stream);
}

int crier_shards_set_times(struct crier_shards *shards, uint32_t keep_alive,
                           uint32_t stall_timeout)
{
    struct crier__shard *shard;
    unsigned i;

    if (shards == NULL)
        return CRIER_ERR_NULL;
    if (crier__forked(shards->born))
        return CRIER_ERR_FORKED;
    if (keep_alive == 0)
        keep_alive = CRIER__KEEP_ALIVE;
    if (stall_timeout == 0)
        stall_timeout = CRIER__STALL_TIMEOUT;
    if (keep_alive < CRIER__SHORTEST_TIME ||
        stall_timeout < CRIER__SHORTEST_TIME)
        return CRIER_ERR_INVALID;
    atomic_store(&shards->keep_alive, keep_alive);
    atomic_store(&shards->stall_timeout, stall_timeout);
    for (i = 0; i < shards->count; i++) {
        shard = &shards->shards[i];
        if (atomic_exchange(&shard->retiming, true))
            continue;
        shard->retime.run = retime_streams;
        crier__shard_post(shard, &shard->retime);
    }
    return 0;
}
