/*
 * The store of the journal in memory: what it holds, and eviction.
 *
 * There is one entry for each update held. It is on the ring of each of its topics and on
 * the ring of all. Each topic evicts its oldest entries by its own limits; an entry that
 * no topic holds any more leaves the ring of all, from its middle if need be. Where the
 * limits of all topics are exceeded, the oldest entry of all is evicted, which is the
 * oldest of each topic that still holds it, since all rings are in the order of
 * positions.
 *
 * What a topic has evicted is remembered as one number, the highest position
 * (`evicted`): a reader that begins before it has missed something. A topic that holds
 * nothing keeps its record for the sake of that number, until a new topic needs the
 * place; then the number is merged into `forgotten`, which applies to each topic without
 * a record. So a gap may be reported where nothing was missed, but never the other way
 * round.
 *
 * A topic evicts its oldest entries first, so it holds a private update exactly if the
 * newest one that it has had is beyond `evicted`. Likewise no public update has been
 * evicted beyond the newest public one.
 *
 * Limits of count and bytes are enforced at each append, where an update displaces at
 * most its own weight. What is too old is hidden from readers at once, and evicted in
 * small steps, for thousands of updates may become too old in the same moment.
 */
#include <config.h>

#include "store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* How many old entries one call takes away. */
#define STEP 256

/* How many topics with an age of their own one call looks at. */
#define TURNS 8

/* ---- topics ----------------------------------------------------------- */

struct crier__memory_topic *crier__memory_find(struct crier__memory *memory,
                                               const char *name, size_t length)
{
    struct crier__memory_topic *topic;

    HASH_FIND(hh, memory->topics, name, length, topic);
    return topic;
}

static void free_topic(struct crier__memory *memory,
                       struct crier__memory_topic *topic)
{
    HASH_DEL(memory->topics, topic);
    crier__names_remove(&memory->names, &topic->by_name);
    crier__ring_done(&topic->ring);
    free(topic);
}

void crier__memory_raise_floor(struct crier__memory *memory, uint64_t floor)
{
    if (floor > memory->mirror.floor)
        memory->mirror.floor = floor;
}

/* Drops the record of the topic that has held nothing for longest. */
static bool recycle_topic(struct crier__memory *memory)
{
    struct crier__memory_topic *topic;

    DL_FOREACH (memory->empty, topic)
        if (!topic->pinned)
            break;
    if (topic == NULL)
        return false;
    if (topic->evicted > memory->forgotten)
        memory->forgotten = topic->evicted;
    /* The journal may know better what topics without a record have evicted. */
    if (memory->forgotten > memory->mirror.floor) {
        memory->mirror.complete = false;
        crier__memory_raise_floor(memory, memory->forgotten);
    }
    DL_DELETE(memory->empty, topic);
    if (topic->retention.age != 0)
        DL_DELETE2(memory->aging, topic, age_prev, age_next);
    free_topic(memory, topic);
    return true;
}

static int new_topic(struct crier__memory *memory, const char *name,
                     size_t length, struct crier__memory_topic **topic)
{
    struct crier__memory_topic *made;

    if (HASH_COUNT(memory->topics) >= memory->journal.policy.max_topics &&
        !recycle_topic(memory))
        return CRIER_ERR_MAX_TOPICS;
    made = calloc(1, sizeof *made + length + 1);
    if (made == NULL)
        return -ENOMEM;
    memcpy(made->name, name, length);
    made->length = length;
    made->evicted = made->newest_public = memory->forgotten;
    made->retention = crier__journal_retention(&memory->journal, name, length);
    HASH_ADD_KEYPTR(hh, memory->topics, made->name, length, made);
    if (made->hh.tbl == NULL) {
        free(made);
        return -ENOMEM;
    }
    made->by_name.text = made->name;
    crier__names_add(&memory->names, &made->by_name);
    DL_APPEND(memory->empty, made);
    if (made->retention.age != 0)
        DL_APPEND2(memory->aging, made, age_prev, age_next);
    *topic = made;
    return 0;
}

/* TOPIC is about to hold something, and must not be recycled. */
static void mark_used(struct crier__memory *memory,
                      struct crier__memory_topic *topic)
{
    if (topic->ring.length == 0)
        DL_DELETE(memory->empty, topic);
}

/* ---- eviction --------------------------------------------------------- */

static void free_entry(struct crier__memory *memory,
                       struct crier__entry *entry)
{
    struct crier__update *update = entry->update;

    crier__ring_remove(&memory->all, update->position);
    memory->count--;
    memory->bytes -= crier__update_cost(update);
    if (!update->hidden && update->position > memory->evicted)
        memory->evicted = update->position;
    if (update->given)
        HASH_DEL(memory->ids, entry);
    crier__update_unref(update);
    free(entry);
}

void crier__memory_evict_from(struct crier__memory *memory,
                              struct crier__memory_topic *topic)
{
    struct crier__entry *entry = crier__ring_at(&topic->ring, 0)->entry;
    unsigned i = 0;

    topic->evicted = entry->update->position;
    topic->bytes -= crier__update_cost(entry->update);
    crier__ring_shift(&topic->ring);
    if (topic->ring.length == 0)
        DL_APPEND(memory->empty, topic);
    /* The record may be dropped from now on, so the entry must not refer to it. */
    while (entry->topics[i] != topic)
        i++;
    entry->topics[i] = entry->topics[--entry->held];
    if (entry->held == 0)
        free_entry(memory, entry);
}

void crier__memory_evict_oldest(struct crier__memory *memory)
{
    struct crier__entry *entry = crier__ring_at(&memory->all, 0)->entry;
    unsigned held = entry->held;

    crier__memory_raise_floor(memory, entry->update->position);
    while (held-- > 0) /* the entry goes with the last one */
        crier__memory_evict_from(memory, entry->topics[held]);
}

static void enforce_limits(struct crier__memory *memory,
                           struct crier__memory_topic *topic)
{
    const struct crier_retention *keep = &topic->retention;

    while (topic->ring.length != 0 &&
           ((keep->count != 0 && topic->ring.length > keep->count) ||
            (keep->bytes != 0 && topic->bytes > keep->bytes)))
        crier__memory_evict_from(memory, topic);
}

static void enforce_limits_of_all(struct crier__memory *memory)
{
    const struct crier_retention *keep = &memory->journal.policy.retention;

    while (memory->count > keep->count || memory->bytes > keep->bytes)
        crier__memory_evict_oldest(memory);
    while (memory->mirror.used && memory->count > 1 &&
           memory->bytes > memory->mirror.bytes) {
        memory->mirror.complete = false;
        crier__memory_evict_oldest(memory);
    }
}

int64_t crier__memory_oldest(const struct crier__memory *memory)
{
    return memory->count != 0 ? crier__ring_at(&memory->all, 0)->entry->time : 0;
}

/* ---- age -------------------------------------------------------------- */

/* Sets the times that are later than NOW to it: those of the last entries, since times
 * rise with positions. */
static void correct_times(struct crier__memory *memory, int64_t now)
{
    size_t i = memory->all.length;
    struct crier__entry *entry;

    while (i-- > 0) {
        entry = crier__ring_at(&memory->all, i)->entry;
        if (entry == NULL)
            continue;
        if (entry->time <= now)
            break;
        entry->time = now;
        atomic_fetch_add(&memory->journal.corrected, 1);
    }
    memory->time = now;
}

int64_t crier__memory_now(struct crier__memory *memory)
{
    int64_t now;

    if (crier__journal_ahead(&memory->journal, memory->time, &now))
        correct_times(memory, now);
    return now > memory->time ? now : memory->time;
}

int64_t crier__memory_too_old(const struct crier__memory *memory,
                              const struct crier__memory_topic *topic,
                              int64_t now)
{
    uint64_t age = memory->journal.policy.retention.age;

    if (topic != NULL && topic->retention.age != 0 &&
        (age == 0 || topic->retention.age < age))
        age = topic->retention.age;
    return age != 0 && age < (uint64_t)now ? now - (int64_t)age : 0;
}

const struct crier__entry *
crier__memory_end(const struct crier__memory *memory,
                  const struct crier__memory_topic *topic, int64_t now)
{
    const struct crier__ring *ring = &topic->ring;
    const struct crier__entry *newest;

    if (ring->length == 0)
        return NULL;
    newest = crier__ring_at(ring, ring->length - 1)->entry;
    return newest->update->last &&
                   newest->time >= crier__memory_too_old(memory, topic, now)
               ? newest
               : NULL;
}

/* Evicts what is too old by the limit of all, at most LEFT entries. Returns how many of
 * LEFT remain. */
static size_t evict_old_of_all(struct crier__memory *memory, int64_t now,
                               size_t left)
{
    int64_t time = crier__memory_too_old(memory, NULL, now);

    for (; left > 0 && memory->all.length != 0 &&
           crier__ring_at(&memory->all, 0)->entry->time < time;
         left--)
        crier__memory_evict_oldest(memory);
    return left;
}

/* The same from TOPIC, by its own limit, too. */
static size_t evict_old_of(struct crier__memory *memory,
                           struct crier__memory_topic *topic, int64_t now,
                           size_t left)
{
    int64_t time = crier__memory_too_old(memory, topic, now);

    for (; left > 0 && topic->ring.length != 0 &&
           crier__ring_at(&topic->ring, 0)->entry->time < time;
         left--)
        crier__memory_evict_from(memory, topic);
    return left;
}

void crier__memory_evict_old(struct crier__memory *memory, int64_t now)
{
    struct crier__memory_topic *topic;
    size_t left = STEP;
    int turns = TURNS;

    if (!memory->journal.policy.ages)
        return;
    left = evict_old_of_all(memory, now, left);
    while (turns-- > 0 && left > 0 && (topic = memory->aging) != NULL) {
        left = evict_old_of(memory, topic, now, left);
        DL_DELETE2(memory->aging, topic, age_prev, age_next);
        DL_APPEND2(memory->aging, topic, age_prev, age_next);
    }
}

/* ---- append ----------------------------------------------------------- */

/* Finds or makes the topics of ENTRY's update, with a reserved place in each. */
static int find_topics(struct crier__memory *memory,
                       struct crier__entry *entry)
{
    struct crier__memory_topic *topic;
    const char *name;
    unsigned i = 0;
    int error = 0;

    CRIER__TOPICS_EACH (entry->update->topics, name) {
        topic = crier__memory_find(memory, name, strlen(name));
        if (topic == NULL)
            error = new_topic(memory, name, strlen(name), &topic);
        if (error != 0)
            break;
        topic->pinned = true;
        entry->topics[i++] = topic;
        error = crier__ring_reserve(&topic->ring);
        if (error != 0)
            break;
    }
    entry->topic_count = i;
    while (i-- > 0)
        entry->topics[i]->pinned = false;
    return error;
}

int crier__memory_place(struct crier__memory *memory,
                        struct crier__entry *entry)
{
    struct crier__update *update = entry->update;
    int64_t now = crier__memory_now(memory);
    int64_t time = crier__journal_time_of(update, memory->time, now);
    int error = find_topics(memory, entry);

    if (error == 0)
        error = crier__ring_reserve(&memory->all);
    if (error == 0)
        error = crier__update_place(update, memory->journal.epoch,
                                    memory->last + 1, time);
    if (error != 0)
        return error;
    if (update->given) {
        HASH_ADD_KEYPTR(hh, memory->ids, update->id, strlen(update->id),
                        entry);
        if (entry->hh.tbl == NULL)
            return -ENOMEM;
    }
    memory->last++;
    memory->time = entry->time = time;
    return 0;
}

/* Notes that TOPIC holds UPDATE. */
static void note_newest(struct crier__memory_topic *topic,
                        const struct crier__update *update)
{
    if (update->is_private)
        topic->newest_private = update->position;
    else
        topic->newest_public = update->position;
}

void crier__memory_hold(struct crier__memory *memory,
                        struct crier__entry *entry)
{
    struct crier__update *update = entry->update;
    size_t cost = crier__update_cost(update);
    struct crier__memory_topic *topics[CRIER__TOPICS_MAX];
    unsigned count = entry->topic_count, i;

    memcpy(topics, entry->topics, count * sizeof topics[0]);
    crier__ring_push(&memory->all, update->position, entry);
    memory->count++;
    memory->bytes += cost;
    if (update->is_private)
        memory->newest_private = update->position;
    for (i = 0; i < count; i++) {
        mark_used(memory, topics[i]);
        crier__ring_push(&topics[i]->ring, update->position, entry);
        note_newest(topics[i], update);
        topics[i]->bytes += cost;
        entry->held++;
    }
    for (i = 0; i < count; i++) /* this may take ENTRY away again */
        enforce_limits(memory, topics[i]);
    enforce_limits_of_all(memory);
}

/* ---- a mirror --------------------------------------------------------- */

void crier__memory_evict_upto(struct crier__memory *memory, const char *name,
                              size_t length, uint64_t position)
{
    struct crier__memory_topic *topic = crier__memory_find(memory, name, length);

    while (topic != NULL && topic->ring.length != 0 &&
           crier__ring_at(&topic->ring, 0)->position <= position)
        crier__memory_evict_from(memory, topic);
}

/* Evicts the entry with the id of UPDATE: the journal has done so, or it would not have
 * taken the id again. */
static void evict_namesake(struct crier__memory *memory,
                           const struct crier__update *update)
{
    struct crier__entry *older = NULL;
    uint64_t position;
    unsigned left;

    if (update->given)
        HASH_FIND(hh, memory->ids, update->id, strlen(update->id), older);
    if (older == NULL)
        return;
    position = older->update->position;
    for (left = older->held; left > 0; left--) /* the entry goes with the last one */
        crier__memory_evict_upto(memory, older->topics[left - 1]->name,
                                 older->topics[left - 1]->length, position);
}

/* Makes an entry of UPDATE, and reserves what crier__memory_hold() needs. NULL when memory
 * or a place for a topic is short. */
static struct crier__entry *mirror_entry(struct crier__memory *memory,
                                         struct crier__update *update)
{
    struct crier__entry *entry =
        calloc(1, sizeof *entry + update->topics->count * sizeof entry->topics[0]);

    if (entry == NULL)
        return NULL;
    entry->update = update;
    entry->time = update->time;
    if (find_topics(memory, entry) != 0 || crier__ring_reserve(&memory->all) != 0) {
        free(entry);
        return NULL;
    }
    if (update->given) {
        HASH_ADD_KEYPTR(hh, memory->ids, update->id, strlen(update->id), entry);
        if (entry->hh.tbl == NULL) {
            free(entry);
            return NULL;
        }
    }
    return entry;
}

void crier__memory_mirror(struct crier__memory *memory, struct crier__update *update)
{
    struct crier__entry *entry;

    crier__memory_evict_old(memory, crier__memory_now(memory));
    evict_namesake(memory, update);
    entry = mirror_entry(memory, update);
    if (entry == NULL) {
        crier__memory_restart(memory, update->position);
        return;
    }
    memory->last = update->position;
    if (update->time > memory->time)
        memory->time = update->time;
    crier__update_ref(update);
    crier__memory_hold(memory, entry);
}

void crier__memory_restart(struct crier__memory *memory, uint64_t floor)
{
    crier__memory_clear(memory);
    memory->aging = memory->empty = NULL;
    memory->mirror.floor = memory->evicted = memory->forgotten = floor;
    memory->mirror.complete = false;
    if (floor > memory->last)
        memory->last = floor;
}

void crier__memory_note_topic(struct crier__memory *memory, const char *name,
                              size_t length, uint64_t evicted,
                              uint64_t newest_private, uint64_t newest_public)
{
    struct crier__memory_topic *topic = crier__memory_find(memory, name, length);

    if (topic == NULL && new_topic(memory, name, length, &topic) != 0) {
        if (evicted > memory->forgotten)
            memory->forgotten = evicted;
        crier__memory_raise_floor(memory, memory->forgotten);
        return;
    }
    crier__memory_evict_upto(memory, name, length, evicted);
    if (evicted > topic->evicted)
        topic->evicted = evicted;
    if (newest_private > topic->newest_private)
        topic->newest_private = newest_private;
    topic->newest_public = newest_public;
}

void crier__memory_adapt(struct crier__memory *memory)
{
    struct crier__memory_topic *topic, *next;
    int64_t now = crier__memory_now(memory);

    HASH_ITER (hh, memory->topics, topic, next) {
        if (topic->retention.age != 0)
            DL_DELETE2(memory->aging, topic, age_prev, age_next);
        topic->retention = crier__journal_retention(
            &memory->journal, topic->name, topic->length);
        if (topic->retention.age != 0)
            DL_APPEND2(memory->aging, topic, age_prev, age_next);
        enforce_limits(memory, topic);
        evict_old_of(memory, topic, now, SIZE_MAX);
    }
    evict_old_of_all(memory, now, SIZE_MAX);
    enforce_limits_of_all(memory);
}

/* ---- the end ---------------------------------------------------------- */

void crier__memory_clear(struct crier__memory *memory)
{
    struct crier__memory_topic *topic, *next;

    while (memory->all.length != 0)
        crier__memory_evict_oldest(memory);
    HASH_ITER (hh, memory->topics, topic, next)
        free_topic(memory, topic);
    crier__ring_done(&memory->all);
}
