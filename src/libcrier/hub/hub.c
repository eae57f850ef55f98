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
 * instead. Publishers are refused early (CRIER_ERR_BUSY), when the shards' backlog is
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

#include "hub.h"

#include "libcrier/wire/event.h"
#include "subscriber.h"
#include "libcrier/wire/topic.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* What a shard's list may hold, in bytes of updates. */
#define LIST_MAX ((size_t)8 * 1024 * 1024)

/* A list that has grown beyond this is given back when it is empty. */
#define BATCH_KEPT 1024

/* ---- the directory, under the lock ------------------------------------ */

static struct crier__subscription *find(struct crier_hub *hub, const char *name,
                                    size_t length)
{
    struct crier__subscription *followed;

    HASH_FIND(hh, hub->followed, name, length, followed);
    return followed;
}

static struct crier__subscription *get(struct crier_hub *hub, const char *name,
                                   size_t length)
{
    struct crier__subscription *followed = find(hub, name, length);
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
        followed = find(hub, name, length);
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
        find(hub, name, length)->per_shard[index]--;
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
        find(hub, name, length)->per_shard[index]++;
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
    followed = find(hub, topic, strlen(topic));
    count = followed != NULL ? followed->staying : 0;
    pthread_mutex_unlock(&hub->lock);
    return count;
}

/* ---- from the journal to the shards ----------------------------------- */

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

static size_t yield(void *closure, struct crier__update *update)
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
            followed[count] = find(hub, name, length);
            count += followed[count] != NULL;
        }
        if (!update->hidden) {
            followed[count] = find(hub, "*", 1);
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

/* ---- publishing ------------------------------------------------------- */

struct publication {
    struct crier__append append;
    struct crier_hub *hub;
    size_t cost; /* in the backlog */
    bool dedupe;
    void (*on_done)(void *closure, const struct crier_receipt *receipt);
    void *closure;
};

static void published(struct crier__append *append)
{
    struct publication *publication = (struct publication *)append;
    struct crier_hub *hub = publication->hub;
    struct crier__update *update = append->update;
    struct crier_receipt receipt = {
        .error = append->error,
        .id = update->id,
        .position = update->position,
        .topics = update->topics,
        .subscribers = append->subscribers,
    };

    if (append->error == CRIER_ERR_EXISTS) {
        receipt.position = append->position;
        receipt.duplicate = publication->dedupe;
        if (publication->dedupe)
            receipt.error = 0;
    }
    receipt.reason = append->reason[0] != '\0'
                         ? append->reason
                         : crier_error_text(receipt.error);
    crier__shards_release(hub->shards, publication->cost);
    if (publication->on_done != NULL)
        publication->on_done(publication->closure, &receipt);
    crier__update_unref(update);
    free(publication);
    crier__hub_leave(hub);
}

/* A new update of EVENT, not placed. */
static int make_update(const char *topics, const struct crier_event *event,
                       struct crier__update **update)
{
    const char *id = crier__event_id(event);
    struct crier_frame *body;
    char *list;
    unsigned count;
    int error;

    if (id != NULL && !crier_id_valid(id, strlen(id)))
        return CRIER_ERR_ID;
    error = crier__topics_parse(topics, &list, &count);
    if (error != 0)
        return error;
    error = crier__event_body(event, &body);
    if (error == 0) {
        *update = crier__update_new(list, id, body);
        error = *update != NULL ? 0 : -ENOMEM;
        crier_frame_unref(body);
    }
    free(list);
    return error;
}

/* Asks for UPDATE (stolen) to be appended. */
static int submit(struct crier_hub *hub, struct crier__update *update,
                  const struct crier_publish_options *options)
{
    size_t cost = crier__update_cost(update);
    struct publication *publication = NULL;
    int error = 0;

    if (cost > hub->journal->retention.bytes)
        error = CRIER_ERR_TOO_MUCH;
    if (error == 0)
        error = crier__shards_reserve(hub->shards, cost);
    if (error != 0)
        goto unref;
    publication = calloc(1, sizeof *publication);
    error = publication != NULL ? crier__hub_enter(hub) : -ENOMEM;
    if (error != 0)
        goto release;
    publication->append.update = update;
    publication->append.done = published;
    publication->hub = hub;
    publication->cost = cost;
    if (options != NULL) {
        publication->dedupe = options->dedupe;
        publication->on_done = options->on_done;
        publication->closure = options->closure;
    }
    hub->journal->ops->append(hub->journal, &publication->append);
    return 0;
release:
    crier__shards_release(hub->shards, cost);
    free(publication);
unref:
    crier__update_unref(update);
    return error;
}

int crier_hub_publish(struct crier_hub *hub, const char *topics,
                      const struct crier_event *event,
                      const struct crier_publish_options *options)
{
    struct crier__update *update;
    int error;

    if (hub == NULL || topics == NULL || event == NULL)
        return CRIER_ERR_NULL;
    if (crier__forked(hub->born))
        return CRIER_ERR_FORKED;
    if (atomic_load(&hub->closed))
        return CRIER_ERR_HUB_CLOSED;
    error = make_update(topics, event, &update);
    return error != 0 ? error : submit(hub, update, options);
}

/* ---- start and end ---------------------------------------------------- */

static int set_presence(struct crier_hub *hub, const char *presence)
{
    unsigned count;

    if (presence == NULL || presence[0] == '\0')
        return 0;
    if (strcmp(presence, "*") != 0)
        return crier__topics_parse(presence, &hub->presence, &count);
    hub->presence = strdup(presence);
    return hub->presence != NULL ? 0 : -ENOMEM;
}

static int init_locks(struct crier_hub *hub)
{
    pthread_mutex_t *const locks[] = {&hub->presence_lock, &hub->close_lock,
                                      &hub->lock};
    int error = -pthread_cond_init(&hub->idle, NULL);
    size_t i;

    for (i = 0; i < 3 && error == 0; i++)
        error = -pthread_mutex_init(locks[i], NULL);
    return error;
}

/* Frees HUB, which is closed, when nothing can reach it any more. */
static void free_hub(struct crier_hub *hub)
{
    unsigned i;

    for (i = 0; i < hub->part_count; i++) {
        batch_done(&hub->parts[i].waiting);
        batch_done(&hub->parts[i].taken);
        crier__changes_free(hub->parts[i].changes);
        crier__changes_free(hub->parts[i].early);
    }
    hub->journal->ops->free(hub->journal);
    pthread_cond_destroy(&hub->idle);
    pthread_mutex_destroy(&hub->presence_lock);
    pthread_mutex_destroy(&hub->close_lock);
    pthread_mutex_destroy(&hub->lock);
    free(hub->presence);
    free(hub);
}

static bool close_for_shards(struct crier__user *user)
{
    struct crier_hub *hub = (struct crier_hub *)user;

    if (atomic_load(&hub->closed))
        return false;
    crier_hub_close(hub);
    return true;
}

static void outlive_shards(struct crier__user *user)
{
    struct crier_hub *hub = (struct crier_hub *)user;

    hub->shards = NULL;
    if (hub->given_up)
        free_hub(hub);
}

int crier_hub_new(struct crier_shards *shards, struct crier_journal *journal,
                  const struct crier_hub_options *options,
                  struct crier_hub **hub)
{
    struct crier_hub *made = NULL;
    unsigned i;
    int error = CRIER_ERR_NULL;

    if (shards == NULL || journal == NULL || hub == NULL)
        goto fail;
    error = CRIER_ERR_FORKED;
    if (crier__forked(shards->born) || crier__journal_forked(journal))
        goto fail;
    error = -ENOMEM;
    made = calloc(1, sizeof *made + shards->count * sizeof made->parts[0]);
    if (made == NULL)
        goto fail;
    error = options != NULL ? set_presence(made, options->presence) : 0;
    if (error == 0)
        error = init_locks(made);
    if (error != 0)
        goto fail;
    made->born = shards->born;
    made->shards = shards;
    made->part_count = shards->count;
    made->journal = journal;
    made->slow = options != NULL ? options->slow : CRIER_SLOW_GAP;
    journal->yield = yield;
    journal->closure = made;
    made->last = journal->ops->last(journal);
    for (i = 0; i < shards->count; i++) {
        made->parts[i].deliver.run = deliver;
        made->parts[i].hub = made;
        made->parts[i].shard = &shards->shards[i];
        made->parts[i].delivered = made->last;
    }
    made->user.close = close_for_shards;
    made->user.gone = outlive_shards;
    crier__shards_use(shards, &made->user);
    *hub = made;
    return 0;
fail:
    if (made != NULL)
        free(made->presence);
    free(made);
    crier_journal_free(journal);
    return error;
}

int crier__hub_enter(struct crier_hub *hub)
{
    /* Counted first: either close waits for this one, or this one sees it. */
    atomic_fetch_add(&hub->asked, 1);
    if (!atomic_load(&hub->closed))
        return 0;
    crier__hub_leave(hub);
    return CRIER_ERR_HUB_CLOSED;
}

void crier__hub_leave(struct crier_hub *hub)
{
    if (atomic_fetch_sub(&hub->asked, 1) != 1 || !atomic_load(&hub->closed))
        return;
    pthread_mutex_lock(&hub->close_lock);
    pthread_cond_broadcast(&hub->idle);
    pthread_mutex_unlock(&hub->close_lock);
}

void crier_hub_close(struct crier_hub *hub)
{
    if (hub == NULL || crier__forked(hub->born) ||
        atomic_exchange(&hub->closed, true))
        return;
    if (hub->journal->ops->hurry != NULL)
        hub->journal->ops->hurry(hub->journal);
    pthread_mutex_lock(&hub->close_lock);
    while (atomic_load(&hub->asked) != 0)
        pthread_cond_wait(&hub->idle, &hub->close_lock);
    pthread_mutex_unlock(&hub->close_lock);
    hub->journal->ops->stop(hub->journal);
}

void crier_hub_free(struct crier_hub *hub)
{
    if (hub == NULL || crier__forked(hub->born))
        return;
    crier_hub_close(hub);
    if (hub->shards == NULL) {
        free_hub(hub);
        return;
    }
    crier__shards_mistake(hub->shards,
                          "crier_hub_free() before crier_shards_free(), with "
                          "which the hub will be freed");
    hub->given_up = true;
}
