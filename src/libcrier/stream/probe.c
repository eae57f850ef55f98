/*
 * Whether the shards' threads run: each is sent a task that does nothing but say so. The
 * task waits behind all that the shard had to do before, so a shard that is stuck in one of
 * its tasks does not answer, and neither does one whose inbox only grows.
 */
#include <config.h>

#include "base/container_of.h"
#include "shards.h"

static void answer_probe(struct crier__task *task)
{
    atomic_store(&CRIER__CONTAINER_OF(task, struct crier__shard, probe)->probed, false);
}

size_t crier_shards_silent(struct crier_shards *shards)
{
    struct crier__shard *shard;
    size_t silent = 0;
    unsigned i;

    if (shards == NULL || crier__forked(shards->born))
        return 0;
    for (i = 0; i < shards->count; i++) {
        shard = &shards->shards[i];
        if (atomic_exchange(&shard->probed, true)) {
            silent++;
            continue;
        }
        shard->probe.run = answer_probe;
        crier__shard_post(shard, &shard->probe);
    }
    return silent;
}
