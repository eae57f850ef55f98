/*
 * The hub: what is published goes into the journal, and what the journal yields
 * goes to the shards that have somebody who follows one of its topics.
 *
 * Nothing else puts an update on a stream. So every stream is a part of the
 * journal in the journal's order, and the hub itself has no order to keep but
 * that in which the journal yields: yield() puts an update on the list of each
 * such shard, and the shard takes the whole list in one task. Updates that come
 * in while it works ride with the next.
 *
 * The hub's lock guards the directory (how many follow what, on which shard) and
 * these lists. A subscriber that has been counted in is certain to have every later
 * update on its shard's list; subscriber.c describes what happens there.
 *
 * An update that is in the journal cannot be refused any more. If a shard's list is
 * full, or memory for it is short, all its subscribers read on from the journal
 * instead. Publishers are refused early (CRIER_ERR_MAX_BACKLOG), when the shards' backlog is
 * full, in which an update counts from crier_hub_publish() until it is in the
 * journal, and on each shard's list.
 *
 * A stream that changes its topics has its place in these lists, too: a change is taken
 * up after the updates that were yielded before it and before those that come later.
 *
 * Lock order: presence, the journal's, the hub's, a shard's. Questions to the
 * journal are asked with none of ours held but presence, which is what makes the
 * counts that are told come in their order.
 */
#include <config.h>

#include "deliver.h"

#include "directory.h"
#include "subscriber.h"
#include "libcrier/wire/topic.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What a shard's list may hold, in bytes of updates. */
#define LIST_MAX ((size_t)8 * 1024 * 1024)

/* A list that has grown beyond this is given back when it is empty. */
#define BATCH_KEPT 1024

static int batch_add(struct crier__batch *batch, struct crier__update *update)
{
    size_t room = batch->room != 0 ? batch->room * 2 : 16;
    struct crier__update **grown;

    if (batch->count == batch->room) {
        grown = realloc(batch->updates, room * sizeof *grown);
        if (grown == NULL)
            return -ENOMEM;
        batch->updates = grown;
        batch->room = room;
    }
    batch->updates[batch->count++] = crier__update_ref(update);
    return 0;
}

static void batch_done(struct crier__batch *batch)
{
    free(batch->updates);
    memset(batch, 0, sizeof *batch);
}

/* Returns whether the part's task is to be posted. */
static bool put(struct crier__part *part, struct crier__update *update)
{
    size_t cost = crier__update_cost(update);

    if ((part->cost != 0 && part->cost + cost > LIST_MAX) ||
        batch_add(&part->waiting, update) != 0) {
        part->lost = update->position;
    } else {
        part->cost += cost;
        atomic_fetch_add(&part->hub->shards->backlog, cost);
    }
    if (part->posted)
        return false;
    part->posted = true;
    return true;
}

/* Puts UPDATE on the list of each shard where somebody is awake who follows one
 * of the COUNT topics, and writes to TO_POST which tasks are to be posted. Returns how
 * many follow them in all. */
static size_t yield_to(struct crier_hub *hub, struct crier__update *update,
                       struct crier__subscription *const *followed, unsigned count,
                       uint64_t *to_post)
{
    size_t subscribers = 0, awake;
    unsigned shard, i;

    *to_post = 0;
    for (shard = 0; shard < hub->shards->count; shard++) {
        for (awake = 0, i = 0; i < count; i++)
            awake += followed[i]->per_shard[shard];
        if (awake != 0 && put(&hub->parts[shard], update))
            *to_post |= (uint64_t)1 << shard;
    }
    for (i = 0; i < count; i++)
        subscribers += followed[i]->count;
    return subscribers;
}

size_t crier__deliver_yield(void *closure, struct crier__update *update)
{
    struct crier__subscription *followed[CRIER__TOPICS_MAX + 1];
    struct crier__topics walk = {update->topics};
    struct crier_hub *hub = closure;
    unsigned count = 0, shard;
    size_t length, subscribers;
    const char *name;
    uint64_t to_post; /* a bit for each of at most CRIER__SHARDS_MAX */

    pthread_mutex_lock(&hub->lock);
    if (hub->followed != NULL) {
        while ((name = crier__topics_next(&walk, &length)) != NULL) {
            followed[count] = crier__directory_find(hub, name, length);
            count += followed[count] != NULL;
        }
        if (!update->hidden) {
            followed[count] = crier__directory_find(hub, "*", 1);
            count += followed[count] != NULL;
        }
    }
    subscribers = yield_to(hub, update, followed, count, &to_post);
    hub->last = update->position;
    hub->published++;
    pthread_mutex_unlock(&hub->lock);
    /* The first thing that a shard does when it is woken is to take this lock. */
    for (shard = 0; to_post != 0; shard++, to_post >>= 1)
        if ((to_post & 1) != 0)
            crier__shard_post(hub->parts[shard].shard,
                              &hub->parts[shard].deliver);
    return subscribers;
}

static void deliver(struct crier__task *task)
{
    struct crier__part *part = (struct crier__part *)task;
    struct crier_hub *hub = part->hub;
    struct crier__change *changes;
    struct crier__batch taken;
    bool more = part->shard->more;
    uint64_t lost;
    size_t i;

    pthread_mutex_lock(&hub->lock);
    taken = part->waiting;
    part->waiting = part->taken; /* empty, with its room */
    memset(&part->taken, 0, sizeof part->taken);
    lost = part->lost;
    part->lost = 0;
    changes = part->changes;
    part->changes = NULL;
    part->cost = 0;
    part->posted = false;
    pthread_mutex_unlock(&hub->lock);
    if (lost != 0) /* first, or what came after it would be given before it */
        crier__subscribers_reread(part, lost);
    for (i = 0; i < taken.count; i++) {
        crier__shards_release(hub->shards,
                              crier__update_cost(taken.updates[i]));
        if (taken.updates[i]->position > part->delivered)
            part->delivered = taken.updates[i]->position;
        part->shard->more = more || i + 1 < taken.count;
        if (changes != NULL)
            changes = crier__subscribers_change(part, changes,
                                              taken.updates[i]->position);
        crier__subscribers_deliver(part, taken.updates[i]);
        crier__update_unref(taken.updates[i]);
    }
    (void)crier__subscribers_change(part, changes, UINT64_MAX);
    taken.count = 0;
    if (taken.room > BATCH_KEPT)
        batch_done(&taken);
    part->taken = taken;
}


void crier__deliver_init(struct crier_hub *hub)
{
    unsigned i;

    for (i = 0; i < hub->part_count; i++) {
        hub->parts[i].deliver.run = deliver;
        hub->parts[i].hub = hub;
        hub->parts[i].shard = &hub->shards->shards[i];
        hub->parts[i].delivered = hub->last;
    }
}

void crier__deliver_done(struct crier_hub *hub)
{
    unsigned i;

    for (i = 0; i < hub->part_count; i++) {
        batch_done(&hub->parts[i].waiting);
        batch_done(&hub->parts[i].taken);
        crier__changes_free(hub->parts[i].changes);
        crier__changes_free(hub->parts[i].early);
    }
}
