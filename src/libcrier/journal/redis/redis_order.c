/*
 * The order in which updates are yielded: this node's batches, and what others have appended.
 *
 * The node has yielded everything up to `last`. A batch that has its reply is yielded when all
 * in front of it has been; until then it waits in the list of batches. Updates of others are
 * yielded as they are fetched. The mirror gets each update with the yielding, under its lock,
 * so a read finds it from then on.
 */
#include <config.h>

#include "redis.h"

#include <stdio.h>
#include <utlist.h>

/* ---- yielding --------------------------------------------------------- */

/* Notes that UPDATE ends its topics. */
static void add_ends(struct crier__redis *redis, const struct crier__update *update)
{
    struct crier__ended ended = {.position = update->position};
    const char *name;

    snprintf(ended.id, sizeof ended.id, "%s", update->id);
    CRIER__TOPICS_EACH (update->topics, name) {
        crier__ended_remove(&redis->ended, name, strlen(name));
        (void)crier__ended_add(&redis->ended, name, strlen(name), &ended, update->time);
    }
    atomic_store(&redis->mirror.journal.ends, true);
    crier__ended_commit(&redis->ended);
}

/* Redis has taken UPDATE, so its topics had not ended any more. There is no note of that where an
 * end was evicted in the batch that has the update. */
static void undo_ends(struct crier__redis *redis, const struct crier__update *update)
{
    const char *name;

    CRIER__TOPICS_EACH (update->topics, name)
        crier__ended_forget(&redis->ended, name, strlen(name), update->position);
}

size_t crier__redis_yield(struct crier__redis *redis, struct crier__update *update)
{
    struct crier__memory *mirror = &redis->mirror;
    struct crier__redis_yielded *yielded =
        &redis->yielded[update->position % CRIER__REDIS_YIELDED];

    if (update->last)
        add_ends(redis, update);
    else if (atomic_load(&mirror->journal.ends))
        undo_ends(redis, update);
    pthread_mutex_lock(&mirror->lock);
    crier__memory_mirror(mirror, update);
    yielded->position = redis->last = update->position;
    redis->note = 0;
    yielded->subscribers = mirror->journal.yield(mirror->journal.closure, update);
    pthread_mutex_unlock(&mirror->lock);
    return yielded->subscribers;
}

void crier__redis_skip(struct crier__redis *redis, uint64_t position)
{
    pthread_mutex_lock(&redis->mirror.lock);
    crier__memory_restart(&redis->mirror, position);
    pthread_mutex_unlock(&redis->mirror.lock);
    redis->last = position;
    redis->note = 0;
    redis->mirror.journal.missed(redis->mirror.journal.closure, position);
}

/* ---- batches ---------------------------------------------------------- */

static size_t find_yielded(const struct crier__redis *redis, uint64_t position)
{
    const struct crier__redis_yielded *yielded =
        &redis->yielded[position % CRIER__REDIS_YIELDED];

    return yielded->position == position ? yielded->subscribers : 0;
}

void crier__redis_yield_batch(struct crier__redis_batch *batch)
{
    struct crier__redis *redis = batch->redis;
    struct crier__append *append;
    unsigned i;

    for (i = 0; i < batch->count; i++) {
        append = batch->appends[i];
        if (append->error != 0)
            continue;
        append->subscribers =
            append->update->position > redis->last
                ? crier__redis_yield(redis, append->update)
                : find_yielded(redis, append->update->position);
    }
    batch->yielded = true;
}

struct crier__redis_batch *crier__redis_next(struct crier__redis *redis)
{
    struct crier__redis_batch *batch;

    DL_FOREACH (redis->batches, batch)
        if (!batch->yielded)
            return batch->replied ? batch : NULL;
    return NULL;
}

bool crier__redis_yield_own(struct crier__redis *redis, uint64_t position)
{
    struct crier__redis_batch *batch = crier__redis_next(redis);

    if (batch == NULL || batch->last == 0 || batch->prev_last >= position)
        return false;
    crier__redis_yield_batch(batch);
    return true;
}
