/*
 * The directory: how many streams subscribe to what, and on which shard. The hub's lock
 * guards it.
 */
#include <config.h>

#include "directory.h"

#include "subscription.h"

#include "libcrier/wire/topic.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

struct crier__subscription *
crier__directory_find(struct crier_hub *hub, const char *name, size_t length)
{
    struct crier__subscription *followed;

    HASH_FIND(hh, hub->followed, name, length, followed);
    return followed;
}

static struct crier__subscription *get(struct crier_hub *hub, const char *name,
                                   size_t length)
{
    struct crier__subscription *followed = crier__directory_find(hub, name, length);
    size_t counts = hub->shards->count * sizeof followed->per_shard[0];

    if (followed != NULL)
        return followed;
    followed = calloc(1, sizeof *followed + counts + length + 1);
    if (followed == NULL)
        return NULL;
    followed->name = (char *)followed + sizeof *followed + counts;
    memcpy(followed->name, name, length);
    HASH_ADD_KEYPTR(hh, hub->followed, followed->name, length, followed);
    if (followed->hh.tbl == NULL) {
        free(followed);
        return NULL;
    }
    return followed;
}

/* What one counts for in each of its topics. */
struct weight {
    size_t count, staying, coming, told;
};

/* Takes WEIGHT from up to LIMIT topics of the list; those that nobody follows are
 * forgotten. */
static void take_out(struct crier_hub *hub, const char *topics, unsigned index,
                     unsigned limit, struct weight weight)
{
    struct crier__topics walk = {topics};
    struct crier__subscription *followed;
    const char *name;
    size_t length;

    while (limit-- > 0 &&
           (name = crier__topics_next(&walk, &length)) != NULL) {
        followed = crier__directory_find(hub, name, length);
        followed->count -= weight.count;
        followed->staying -= weight.staying;
        followed->coming -= weight.coming;
        followed->per_shard[index] -= weight.told;
        if (followed->count == 0 && followed->coming == 0) {
            HASH_DEL(hub->followed, followed);
            free(followed);
        }
    }
}

/* Adds WEIGHT to each topic of the list. -ENOMEM; nothing is added then. */
static int put_in(struct crier_hub *hub, const char *topics, unsigned index,
                  struct weight weight)
{
    struct crier__topics walk = {topics};
    struct crier__subscription *followed;
    const char *name;
    unsigned done = 0;
    size_t length;

    while ((name = crier__topics_next(&walk, &length)) != NULL) {
        followed = get(hub, name, length);
        if (followed == NULL) {
            take_out(hub, topics, index, done, weight);
            return -ENOMEM;
        }
        followed->count += weight.count;
        followed->staying += weight.staying;
        followed->coming += weight.coming;
        followed->per_shard[index] += weight.told;
        done++;
    }
    return 0;
}

static struct weight weight_of(bool once, bool awake)
{
    return (struct weight){.count = 1, .staying = !once, .told = awake};
}

int crier__hub_count_in(struct crier_hub *hub, const char *topics,
                        unsigned index, bool once, uint64_t *now)
{
    int error;

    pthread_mutex_lock(&hub->lock);
    error = put_in(hub, topics, index, weight_of(once, true));
    *now = hub->last;
    pthread_mutex_unlock(&hub->lock);
    return error;
}

void crier__hub_count_out(struct crier_hub *hub, const char *topics,
                          unsigned index, bool once, bool awake)
{
    pthread_mutex_lock(&hub->lock);
    take_out(hub, topics, index, UINT_MAX, weight_of(once, awake));
    pthread_mutex_unlock(&hub->lock);
}

/* One that is to change to a topic. */
static const struct weight coming = {.coming = 1, .told = 1};

int crier__hub_come(struct crier_hub *hub, const char *topics, unsigned index,
                    struct crier__change *change, uint64_t *after)
{
    struct crier__part *part = &hub->parts[index];
    bool post = false;
    int error;

    pthread_mutex_lock(&hub->lock);
    error = put_in(hub, topics, index, coming);
    if (error == 0) {
        *after = hub->last;
        DL_APPEND(part->changes, change);
        post = !part->posted;
        part->posted = true;
    }
    pthread_mutex_unlock(&hub->lock);
    if (post)
        crier__shard_post(part->shard, &part->deliver);
    return error;
}

void crier__hub_came(struct crier_hub *hub, const char *topics,
                     const char *old, unsigned index, bool once, bool awake)
{
    pthread_mutex_lock(&hub->lock);
    if (old != NULL) { /* the topics are all there: it cannot fail */
        (void)put_in(hub, topics, index, weight_of(once, awake));
        take_out(hub, old, index, UINT_MAX, weight_of(once, awake));
    }
    take_out(hub, topics, index, UINT_MAX, coming);
    pthread_mutex_unlock(&hub->lock);
}

void crier__hub_doze(struct crier_hub *hub, const char *topics, unsigned index)
{
    struct crier__topics walk = {topics};
    const char *name;
    size_t length;

    pthread_mutex_lock(&hub->lock);
    while ((name = crier__topics_next(&walk, &length)) != NULL)
        crier__directory_find(hub, name, length)->per_shard[index]--;
    pthread_mutex_unlock(&hub->lock);
}

void crier__hub_awake(struct crier_hub *hub, const char *topics,
                      unsigned index, uint64_t *now)
{
    struct crier__topics walk = {topics};
    const char *name;
    size_t length;

    pthread_mutex_lock(&hub->lock);
    while ((name = crier__topics_next(&walk, &length)) != NULL)
        crier__directory_find(hub, name, length)->per_shard[index]++;
    *now = hub->last;
    pthread_mutex_unlock(&hub->lock);
}

size_t crier_hub_count(struct crier_hub *hub, const char *topic)
{
    struct crier__subscription *followed;
    size_t count;

    if (hub == NULL || topic == NULL || crier__forked(hub->born))
        return 0;
    pthread_mutex_lock(&hub->lock);
    followed = crier__directory_find(hub, topic, strlen(topic));
    count = followed != NULL ? followed->staying : 0;
    pthread_mutex_unlock(&hub->lock);
    return count;
}
