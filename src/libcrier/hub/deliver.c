/*
 * Delivery: what the journal yields goes to the shards that have an active subscriber
 * which one of its topics matches.
 *
 * Nothing else puts an update on a stream. So each stream is a part of the journal in the
 * journal's order, and the hub has no order to keep but that in which the journal yields:
 * yield() puts an update on the list of each such shard, and the shard takes the whole
 * list in one task. Updates that come in while it works are taken by the next one.
 *
 * The hub's lock guards the directory (how many subscribe to what, on which shard) and
 * these lists. Each update after the position that a subscriber was given when the
 * directory counted it in is on its shard's list; subscriber.c describes what happens
 * there.
 *
 * An update that is in the journal cannot be refused any more. If a shard's list is full,
 * or memory for it is short, all subscribers of the shard read on from the journal
 * instead. Publishers are refused early (CRIER_ERR_MAX_BACKLOG), when the shards' backlog is
 * full, in which an update counts from crier_hub_publish() until it is in the journal,
 * and on each shard's list.
 *
 * A stream that changes its topics has a place in these lists, too: the shard makes the
 * change after the updates that were yielded before it, and before later ones.
 *
 * Lock order: presence, the journal's, the hub's, a shard's. The hub calls the journal
 * with none of its locks held but presence, which is what keeps the published counts in
 * order.
 */
#include <config.h>

#include "deliver.h"

#include "base/clock.h"
#include "base/container_of.h"
#include "base/counter.h"
#include "directory.h"
#include "subscriber.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What a shard's list may hold, in bytes of updates. */
#define LIST_MAX ((size_t)8 * 1024 * 1024)

/* The memory of a list that has grown beyond this is freed when the list is empty. */
#define BATCH_KEPT 1024

static int add_to_batch(struct crier__batch *batch,
                        struct crier__update *update)
{
    size_t capacity = batch->capacity != 0 ? batch->capacity * 2 : 16;
    struct crier__update **grown;

    if (batch->count == batch->capacity) {
        grown = realloc(batch->updates, capacity * sizeof *grown);
        if (grown == NULL)
            return -ENOMEM;
        batch->updates = grown;
        batch->capacity = capacity;
    }
    batch->updates[batch->count++] = crier__update_ref(update);
    return 0;
}

static void free_batch(struct crier__batch *batch)
{
    free(batch->updates);
    memset(batch, 0, sizeof *batch);
}

/* ---- from the journal ------------------------------------------------- */

/* Puts UPDATE on the list of SHARD. Returns whether the shard's task must be posted. */
static bool list_update(struct crier__hub_shard *shard,
                        struct crier__update *update)
{
    size_t cost = crier__update_cost(update);
    uint64_t waiting = crier__counter_read(&shard->cost);

    if ((waiting != 0 && waiting + cost > LIST_MAX) ||
        add_to_batch(&shard->waiting, update) != 0) {
        shard->lost = update->position;
    } else {
        crier__counter_add(&shard->cost, cost);
        atomic_fetch_add(&shard->hub->shards->backlog, cost);
    }
    if (shard->posted)
        return false;
    shard->posted = true;
    return true;
}

size_t crier__deliver_yield(void *closure, struct crier__update *update)
{
    struct crier_hub *hub = closure;
    struct crier__destination destination;
    uint64_t left, to_post = 0, bit; /* a bit for each of at most CRIER_SHARDS_MAX */
    unsigned shard;

    pthread_mutex_lock(&hub->lock);
    destination = crier__directory_match(hub, update);
    left = destination.shards;
    for (shard = 0, bit = 1; left != 0; shard++, bit <<= 1) {
        if ((left & bit) != 0 && list_update(&hub->per_shard[shard], update))
            to_post |= bit;
        left &= ~bit;
    }
    hub->last = update->position;
    hub->published++;
    crier__published_add(&hub->topics_published, update->topics,
                         update->is_private);
    pthread_mutex_unlock(&hub->lock);
    /* Without the lock: a shard that wakes up takes it first of all. */
    for (shard = 0; to_post != 0; shard++, to_post >>= 1)
        if ((to_post & 1) != 0)
            crier__shard_post(hub->per_shard[shard].shard,
                              &hub->per_shard[shard].deliver);
    return destination.subscribers;
}

void crier__deliver_missed(void *closure, uint64_t position)
{
    struct crier_hub *hub = closure;
    struct crier__hub_shard *shard, *end = hub->per_shard + hub->shard_count;

    for (shard = hub->per_shard; shard < end; shard++) {
        bool post;

        pthread_mutex_lock(&hub->lock);
        if (position > hub->last)
            hub->last = position;
        shard->lost = position;
        post = !shard->posted;
        shard->posted = true;
        pthread_mutex_unlock(&hub->lock);
        if (post)
            crier__shard_post(shard->shard, &shard->deliver);
    }
}

/* ---- on the shard's thread -------------------------------------------- */

/* What the shard takes from its lists. */
struct delivery {
    struct crier__batch batch;
    struct crier__change *changes;
    uint64_t lost;
};

static struct delivery take_lists(struct crier__hub_shard *shard)
{
    struct delivery delivery;

    pthread_mutex_lock(&shard->hub->lock);
    delivery.batch = shard->waiting;
    shard->waiting = shard->taken; /* empty, with its capacity */
    memset(&shard->taken, 0, sizeof shard->taken);
    delivery.lost = shard->lost;
    shard->lost = 0;
    delivery.changes = shard->changes;
    shard->changes = NULL;
    atomic_store_explicit(&shard->cost, 0, memory_order_relaxed);
    shard->posted = false;
    pthread_mutex_unlock(&shard->hub->lock);
    return delivery;
}

/* Runs at the end of the pass, behind the flushes: all updates of the batch have been sent
 * as far as the clients had room. */
static void measure_batch(struct crier__task *task)
{
    struct crier__hub_shard *shard =
        CRIER__CONTAINER_OF(task, struct crier__hub_shard, measure);
    uint32_t now = (uint32_t)crier__clock_us();
    struct crier__batch *batch = &shard->taken;
    size_t i;

    for (i = 0; i < batch->count; i++) {
        crier__histogram_add(&shard->latency, &crier__histogram_times,
                             (uint32_t)(now - batch->updates[i]->submitted));
        crier__update_unref(batch->updates[i]);
    }
    batch->count = 0;
    if (batch->capacity > BATCH_KEPT)
        free_batch(batch);
}

static void run_lists(struct crier__task *task)
{
    struct crier__hub_shard *shard = (struct crier__hub_shard *)task;
    bool more = shard->shard->more;
    struct delivery delivery = take_lists(shard);
    struct crier__batch *batch = &delivery.batch;
    struct crier__update *update;
    size_t i;

    if (delivery.lost != 0) /* first, or what came after it would be sent before it */
        crier__subscribers_reread(shard, delivery.lost);
    for (i = 0; i < batch->count; i++) {
        update = batch->updates[i];
        crier__shards_release(shard->hub->shards, crier__update_cost(update));
        if (update->position > shard->delivered)
            shard->delivered = update->position;
        shard->shard->more = more || i + 1 < batch->count;
        if (delivery.changes != NULL)
            delivery.changes = crier__subscribers_change(
                shard, delivery.changes, update->position);
        crier__subscribers_deliver(shard, update);
    }
    (void)crier__subscribers_change(shard, delivery.changes, UINT64_MAX);
    shard->taken = *batch;
    crier__shard_later(shard->shard, &shard->measure);
}

/* ---- start and end ---------------------------------------------------- */

void crier__deliver_init(struct crier_hub *hub)
{
    struct crier__hub_shard *shard = hub->per_shard;
    unsigned i;

    for (i = 0; i < hub->shard_count; i++, shard++) {
        shard->deliver.run = run_lists;
        shard->measure.run = measure_batch;
        shard->hub = hub;
        shard->shard = &hub->shards->shards[i];
        shard->delivered = hub->last;
    }
}

void crier__deliver_done(struct crier_hub *hub)
{
    struct crier__hub_shard *shard = hub->per_shard;

    for (; shard < hub->per_shard + hub->shard_count; shard++) {
        free_batch(&shard->waiting);
        free_batch(&shard->taken);
        crier__changes_free(shard->changes);
        crier__changes_free(shard->early);
        crier__index_done(&shard->lists);
    }
}
