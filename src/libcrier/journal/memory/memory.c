/*
 * The journal in memory: bounded, and as fast as a lock and a few pointers.
 *
 * One entry for each update held. It is on the ring of each of its topics and on
 * the ring of all. Each topic lets go its oldest entries by its own limits; an
 * entry that no topic holds any more leaves the ring of all, from its middle if
 * need be. Where the limits of all are passed, the oldest entry of all goes, which
 * is the oldest of each topic that still holds it, since all rings are in the
 * order of positions.
 *
 * What a topic has let go is remembered as one number, the highest position
 * (`evicted`): a reader that begins before it has missed something. A topic that
 * holds nothing keeps its record for the sake of that number, until its place is
 * needed; then the number goes into `forgotten`, which counts for every topic that
 * has no record. So a gap may be told where nothing was missed, never the other
 * way round.
 *
 * Limits of count and bytes are kept at each append, where an update displaces
 * at most what it weighs. What is too old is hidden from readers at once, and
 * taken away in small steps, for thousands may grow old in the same moment.
 *
 * The lock guards everything but what crier__journal_init() set. It is above the
 * hub's (yield is called under it), and no `done` runs under it.
 */
#include <config.h>

#include "memory.h"

#include "base/random.h"
#include "libcrier/wire/topic.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* How many old entries one call takes away, and how many are forgotten before
 * others get their turn. */
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

/* Gives the record of the topic up that has held nothing for longest. */
static bool recycle(struct crier__memory *memory)
{
    struct crier__memory_topic *topic;

    DL_FOREACH (memory->empty, topic)
        if (!topic->pinned)
            break;
    if (topic == NULL)
        return false;
    if (topic->evicted > memory->forgotten)
        memory->forgotten = topic->evicted;
    DL_DELETE(memory->empty, topic);
    if (topic->retention.age != 0)
        DL_DELETE2(memory->aging, topic, age_prev, age_next);
    HASH_DEL(memory->topics, topic);
    crier__ring_done(&topic->ring);
    free(topic);
    return true;
}

static int new_topic(struct crier__memory *memory, const char *name,
                     size_t length, struct crier__memory_topic **topic)
{
    struct crier__memory_topic *made;

    if (HASH_COUNT(memory->topics) >= memory->journal.max_topics &&
        !recycle(memory))
        return CRIER_ERR_TOPICS_FULL;
    made = calloc(1, sizeof *made + length + 1);
    if (made == NULL)
        return -ENOMEM;
    memcpy(made->name, name, length);
    made->length = length;
    made->evicted = memory->forgotten;
    made->retention = crier__journal_retention(&memory->journal, name, length);
    HASH_ADD_KEYPTR(hh, memory->topics, made->name, length, made);
    if (made->hh.tbl == NULL) {
        free(made);
        return -ENOMEM;
    }
    DL_APPEND(memory->empty, made);
    if (made->retention.age != 0)
        DL_APPEND2(memory->aging, made, age_prev, age_next);
    *topic = made;
    return 0;
}

/* Takes TOPIC, which is about to hold something, out of recycling's way. */
static void mark_used(struct crier__memory *memory,
                      struct crier__memory_topic *topic)
{
    if (topic->ring.length == 0)
        DL_DELETE(memory->empty, topic);
}

/* ---- letting go ------------------------------------------------------- */

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

/* TOPIC lets its oldest entry go. */
static void evict_from(struct crier__memory *memory,
                       struct crier__memory_topic *topic)
{
    struct crier__entry *entry = crier__ring_at(&topic->ring, 0)->entry;
    unsigned i = 0;

    topic->evicted = entry->update->position;
    topic->bytes -= crier__update_cost(entry->update);
    crier__ring_shift(&topic->ring);
    if (topic->ring.length == 0)
        DL_APPEND(memory->empty, topic);
    /* The record may be given up now, so the entry must not know it any more. */
    while (entry->topics[i] != topic)
        i++;
    entry->topics[i] = entry->topics[--entry->held];
    if (entry->held == 0)
        free_entry(memory, entry);
}

/* All topics that still hold the oldest entry of all let it go. */
static void evict_oldest(struct crier__memory *memory)
{
    struct crier__entry *entry = crier__ring_at(&memory->all, 0)->entry;
    unsigned held = entry->held;

    while (held-- > 0) /* the entry goes with the last one */
        evict_from(memory, entry->topics[held]);
}

static void keep_limits(struct crier__memory *memory,
                        struct crier__memory_topic *topic)
{
    const struct crier_retention *keep = &topic->retention;

    while (topic->ring.length != 0 &&
           ((keep->count != 0 && topic->ring.length > keep->count) ||
            (keep->bytes != 0 && topic->bytes > keep->bytes)))
        evict_from(memory, topic);
}

/* ---- age -------------------------------------------------------------- */

/* Sets the times beyond NOW to it. Since times rise with positions, these are the
 * last ones. */
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

/* The time before which what TOPIC holds is too old (NULL: by the limit of all
 * alone). */
int64_t crier__memory_too_old(const struct crier__memory *memory,
                              const struct crier__memory_topic *topic,
                              int64_t now)
{
    uint64_t age = memory->journal.retention.age;

    if (topic != NULL && topic->retention.age != 0 &&
        (age == 0 || topic->retention.age < age))
        age = topic->retention.age;
    return age != 0 && age < (uint64_t)now ? now - (int64_t)age : 0;
}

void crier__memory_evict_old(struct crier__memory *memory, int64_t now)
{
    int left = STEP, turns = TURNS;
    struct crier__memory_topic *topic;
    int64_t time;

    if (!memory->journal.ages)
        return;
    time = crier__memory_too_old(memory, NULL, now);
    while (left-- > 0 && memory->all.length != 0 &&
           crier__ring_at(&memory->all, 0)->entry->time < time)
        evict_oldest(memory);
    while (turns-- > 0 && left > 0 && (topic = memory->aging) != NULL) {
        time = crier__memory_too_old(memory, topic, now);
        while (left-- > 0 && topic->ring.length != 0 &&
               crier__ring_at(&topic->ring, 0)->entry->time < time)
            evict_from(memory, topic);
        DL_DELETE2(memory->aging, topic, age_prev, age_next);
        DL_APPEND2(memory->aging, topic, age_prev, age_next);
    }
}

/* ---- append ----------------------------------------------------------- */

/* Finds or makes the topics of ENTRY's update. */
static int find_topics(struct crier__memory *memory,
                       struct crier__entry *entry)
{
    struct crier__topics walk = {entry->update->topics};
    struct crier__memory_topic *topic;
    const char *name;
    size_t length;
    unsigned i = 0;
    int error = 0;

    while (error == 0 && (name = crier__topics_next(&walk, &length)) != NULL) {
        topic = crier__memory_find(memory, name, length);
        if (topic == NULL)
            error = new_topic(memory, name, length, &topic);
        if (error != 0)
            break;
        topic->pinned = true;
        entry->topics[i++] = topic;
        error = crier__ring_reserve(&topic->ring);
    }
    entry->topic_count = i;
    while (i-- > 0)
        entry->topics[i]->pinned = false;
    return error;
}

static int enter(struct crier__memory *memory, struct crier__entry *entry)
{
    struct crier__update *update = entry->update;
    int64_t time = crier__memory_now(memory);
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

static void hold(struct crier__memory *memory, struct crier__entry *entry)
{
    const struct crier_retention *keep = &memory->journal.retention;
    struct crier__update *update = entry->update;
    size_t cost = crier__update_cost(update);
    struct crier__memory_topic *topics[CRIER__TOPICS_MAX];
    unsigned count = entry->topic_count, i;

    memcpy(topics, entry->topics, count * sizeof topics[0]);
    crier__ring_push(&memory->all, update->position, entry);
    memory->count++;
    memory->bytes += cost;
    for (i = 0; i < count; i++) {
        mark_used(memory, topics[i]);
        crier__ring_push(&topics[i]->ring, update->position, entry);
        topics[i]->bytes += cost;
        entry->held++;
    }
    for (i = 0; i < count; i++) /* this may take ENTRY away again */
        keep_limits(memory, topics[i]);
    while (memory->count > keep->count || memory->bytes > keep->bytes)
        evict_oldest(memory);
}

/* Puts what APPEND brings in, as ENTRY if that succeeds. */
static int put_in(struct crier__memory *memory, struct crier__append *append,
                  struct crier__entry *entry)
{
    struct crier__update *update = append->update;
    struct crier__entry *older = NULL;
    int error;

    crier__memory_evict_old(memory, crier__memory_now(memory));
    if (update->given)
        HASH_FIND(hh, memory->ids, update->id, strlen(update->id), older);
    if (older != NULL) {
        append->position = older->update->position;
        return CRIER_ERR_EXISTS;
    }
    entry->update = update;
    error = enter(memory, entry);
    if (error != 0)
        return error;
    crier__update_ref(update);
    hold(memory, entry);
    append->subscribers =
        memory->journal.yield(memory->journal.closure, update);
    return 0;
}

static unsigned count_topics(const char *topics)
{
    unsigned count = 1;

    while ((topics = strchr(topics, ',')) != NULL) {
        topics++;
        count++;
    }
    return count;
}

static void append(struct crier_journal *journal, struct crier__append *append)
{
    struct crier__memory *memory = (struct crier__memory *)journal;
    unsigned count = count_topics(append->update->topics);
    struct crier__entry *entry;

    append->reason[0] = '\0';
    append->error = -ENOMEM;
    entry = calloc(1, sizeof *entry + count * sizeof entry->topics[0]);
    if (entry != NULL) {
        pthread_mutex_lock(&memory->lock);
        append->error = put_in(memory, append, entry);
        pthread_mutex_unlock(&memory->lock);
        if (append->error != 0)
            free(entry);
    }
    append->done(append);
}

static void forget(struct crier_journal *journal, struct crier__forget *forget)
{
    struct crier__memory *memory = (struct crier__memory *)journal;
    size_t length = strlen(forget->topic);
    uint64_t last;
    bool more = true;
    struct crier__memory_topic *topic;
    int left;

    pthread_mutex_lock(&memory->lock);
    last = memory->last;
    topic = crier__memory_find(memory, forget->topic, length);
    forget->error =
        topic == NULL || topic->ring.length == 0 ? CRIER_ERR_UNKNOWN : 0;
    while (forget->error == 0 && more) {
        topic = crier__memory_find(memory, forget->topic, length);
        for (left = STEP; left > 0 && topic != NULL; left--) {
            if (topic->ring.length == 0 ||
                crier__ring_at(&topic->ring, 0)->position > last)
                break;
            evict_from(memory, topic);
        }
        more = left == 0;
        pthread_mutex_unlock(&memory->lock); /* the others' turn */
        pthread_mutex_lock(&memory->lock);
    }
    pthread_mutex_unlock(&memory->lock);
    forget->done(forget);
}

/* ---- start and end ---------------------------------------------------- */

static int status(struct crier_journal *journal, char reason[128])
{
    (void)journal;
    reason[0] = '\0';
    return 0;
}

static uint64_t last(struct crier_journal *journal)
{
    struct crier__memory *memory = (struct crier__memory *)journal;
    uint64_t position;

    pthread_mutex_lock(&memory->lock);
    position = memory->last;
    pthread_mutex_unlock(&memory->lock);
    return position;
}

/* Everything is answered in the call that asks. */
static void stop(struct crier_journal *journal)
{
    (void)journal;
}

static void free_memory(struct crier_journal *journal)
{
    struct crier__memory *memory = (struct crier__memory *)journal;
    struct crier__memory_topic *topic, *next;

    while (memory->all.length != 0)
        evict_oldest(memory);
    HASH_ITER (hh, memory->topics, topic, next) {
        HASH_DEL(memory->topics, topic);
        crier__ring_done(&topic->ring);
        free(topic);
    }
    crier__ring_done(&memory->all);
    pthread_mutex_destroy(&memory->lock);
    crier__journal_done(journal);
    free(memory);
}

static const struct crier__journal_ops ops = {
    .name = "memory",
    .append = append,
    .read = crier__memory_read,
    .list = crier__memory_list,
    .forget = forget,
    .status = status,
    .last = last,
    .stop = stop,
    .free = free_memory,
};

int crier_journal_memory(const struct crier_journal_options *options,
                         struct crier_journal **journal)
{
    static const struct crier_retention defaults = {
        .count = 100000, .bytes = (size_t)16 * 1024 * 1024};
    struct crier__memory *memory;
    int error;

    if (journal == NULL)
        return CRIER_ERR_NULL;
    memory = calloc(1, sizeof *memory);
    if (memory == NULL)
        return -ENOMEM;
    error = crier__journal_init(&memory->journal, &ops, options, &defaults);
    if (error != 0) {
        free(memory);
        return error;
    }
    error = crier__random_name(memory->journal.epoch);
    if (error == 0)
        error = -pthread_mutex_init(&memory->lock, NULL);
    if (error != 0) {
        crier__journal_done(&memory->journal);
        free(memory);
        return error;
    }
    *journal = &memory->journal;
    return 0;
}
