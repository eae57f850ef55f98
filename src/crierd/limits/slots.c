/*
 * How much each key holds at present. An entry lives from the first one that is taken to
 * the last one that is given back; so there are never more entries than things held.
 *
 * The table is split into shards by the key, each with a lock that is held for one look.
 * What is held has a pointer to its entry, so that giving it back looks nothing up; the
 * entry stays as long as it is counted there.
 */
#include <config.h>

#include "slots.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(slot) ((slot)->count = 0)
#include <uthash.h>

#define SHARDS 64

struct slot {
    UT_hash_handle hh;
    struct limit_key key;
    size_t count; /* 0: the table had no memory for the entry */
};

struct shard {
    pthread_mutex_t lock; /* guards `held` and all of its entries */
    struct slot *held;    /* by their keys */
};

struct slots {
    struct shard shards[SHARDS];
};

struct slots *slots_new(void)
{
    struct slots *slots = calloc(1, sizeof *slots);
    size_t i;

    if (slots == NULL)
        return NULL;
    for (i = 0; i < SHARDS; i++)
        pthread_mutex_init(&slots->shards[i].lock, NULL);
    return slots;
}

void slots_free(struct slots *slots)
{
    size_t i;

    if (slots == NULL)
        return;
    for (i = 0; i < SHARDS; i++)
        pthread_mutex_destroy(&slots->shards[i].lock);
    free(slots);
}

static struct shard *shard_of(struct slots *slots, const struct limit_key *key)
{
    return &slots->shards[key->words[0] % SHARDS];
}

/* A new entry for KEY in SHARD, which holds nothing yet; NULL when memory is short. The
 * caller holds the lock. */
static struct slot *add_slot(struct shard *shard, const struct limit_key *key)
{
    struct slot *slot = calloc(1, sizeof *slot);

    if (slot == NULL)
        return NULL;
    slot->key = *key;
    slot->count = 1; /* while it is added */
    HASH_ADD(hh, shard->held, key, sizeof slot->key, slot);
    if (slot->count == 0) {
        free(slot);
        return NULL;
    }
    slot->count = 0;
    return slot;
}

int slots_take(struct slots *slots, const struct limit_key *key, size_t most,
               struct slot **slot)
{
    struct shard *shard = shard_of(slots, key);
    int error = 0;

    pthread_mutex_lock(&shard->lock);
    HASH_FIND(hh, shard->held, key, sizeof *key, *slot);
    if (*slot == NULL)
        *slot = add_slot(shard, key);
    if (*slot == NULL)
        error = -ENOMEM;
    else if ((*slot)->count >= most)
        error = -EDQUOT;
    else
        (*slot)->count++;
    pthread_mutex_unlock(&shard->lock);
    if (error != 0)
        *slot = NULL;
    return error;
}

void slots_release(struct slots *slots, struct slot *slot)
{
    struct shard *shard;

    if (slot == NULL)
        return;
    shard = shard_of(slots, &slot->key);
    pthread_mutex_lock(&shard->lock);
    if (--slot->count == 0)
        HASH_DEL(shard->held, slot);
    else
        slot = NULL;
    pthread_mutex_unlock(&shard->lock);
    free(slot);
}

size_t slots_count(struct slots *slots)
{
    size_t count = 0, i;

    for (i = 0; i < SHARDS; i++) {
        pthread_mutex_lock(&slots->shards[i].lock);
        count += HASH_COUNT(slots->shards[i].held);
        pthread_mutex_unlock(&slots->shards[i].lock);
    }
    return count;
}
