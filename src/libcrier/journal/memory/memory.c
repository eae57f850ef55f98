/*
 * The journal in memory: bounded, and as fast as a lock and a few pointers. It answers
 * each question in the call that asks.
 *
 * Whether a topic has ended is not remembered: its newest entry says so.
 *
 * The lock guards everything but what crier__journal_init() set. It ranks above the hub's
 * (yield is called under it); no `done` runs under it.
 */
#include <config.h>

#include "memory_read.h"

#include "base/random.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How many updates are forgotten before the lock is free for others. */
#define STEP 256

/* ---- append ----------------------------------------------------------- */

/* Returns the name of a topic of UPDATE that has ended, or NULL. */
static const char *find_ended_topic(struct crier__memory *memory,
                                    const struct crier__update *update)
{
    struct crier__memory_topic *topic;
    const char *name;

    CRIER__TOPICS_EACH (update->topics, name) {
        topic = crier__memory_find(memory, name, strlen(name));
        if (topic != NULL &&
            crier__memory_end(memory, topic, crier__memory_now(memory)) != NULL)
            return name;
    }
    return NULL;
}

/* Appends the update of APPEND as ENTRY; after an error ENTRY is not used. */
static int append_entry(struct crier__memory *memory, struct crier__append *append,
                        struct crier__entry *entry)
{
    struct crier__update *update = append->update;
    struct crier__entry *older = NULL;
    const char *ended;
    int error;

    crier__memory_evict_old(memory, crier__memory_now(memory));
    if (update->given)
        HASH_FIND(hh, memory->ids, update->id, strlen(update->id), older);
    if (older != NULL) {
        append->position = older->update->position;
        append->same_topics =
            older->update->topics->size == update->topics->size &&
            memcmp(older->update->topics->names, update->topics->names,
                   update->topics->size) == 0;
        return CRIER_ERR_EXISTS;
    }
    ended = atomic_load_explicit(&memory->journal.ends, memory_order_relaxed)
                ? find_ended_topic(memory, update)
                : NULL;
    if (ended != NULL) {
        crier__append_refuse_ended(append, ended);
        return append->error;
    }
    entry->update = update;
    error = crier__memory_place(memory, entry);
    if (error != 0)
        return error;
    crier__update_ref(update);
    if (update->last)
        atomic_store(&memory->journal.ends, true);
    crier__memory_hold(memory, entry);
    append->subscribers =
        memory->journal.yield(memory->journal.closure, update);
    return 0;
}

static void append_update(struct crier_journal *journal,
                          struct crier__append *append)
{
    struct crier__memory *memory = (struct crier__memory *)journal;
    unsigned count = append->update->topics->count;
    struct crier__entry *entry;

    append->reason[0] = '\0';
    append->error = -ENOMEM;
    entry = calloc(1, sizeof *entry + count * sizeof entry->topics[0]);
    if (entry != NULL) {
        pthread_mutex_lock(&memory->lock);
        append->error = append_entry(memory, append, entry);
        pthread_mutex_unlock(&memory->lock);
        if (append->error != 0)
            free(entry);
    }
    append->done(append);
}

static void forget_topic(struct crier_journal *journal,
                         struct crier__forget *forget)
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
        topic == NULL || topic->ring.length == 0 ? CRIER_ERR_NO_TOPIC : 0;
    while (forget->error == 0 && more) {
        topic = crier__memory_find(memory, forget->topic, length);
        for (left = STEP; left > 0 && topic != NULL; left--) {
            if (topic->ring.length == 0 ||
                crier__ring_at(&topic->ring, 0)->position > last)
                break;
            crier__memory_evict_from(memory, topic);
        }
        more = left == 0;
        pthread_mutex_unlock(&memory->lock); /* for others */
        pthread_mutex_lock(&memory->lock);
    }
    pthread_mutex_unlock(&memory->lock);
    forget->done(forget);
}

static bool has_topic_ended(struct crier_journal *journal, const char *name,
                            struct crier__ended *ended)
{
    struct crier__memory *memory = (struct crier__memory *)journal;
    const struct crier__entry *end = NULL;
    struct crier__memory_topic *topic;

    pthread_mutex_lock(&memory->lock);
    topic = crier__memory_find(memory, name, strlen(name));
    if (topic != NULL)
        end = crier__memory_end(memory, topic, crier__memory_now(memory));
    if (end != NULL) {
        ended->position = end->update->position;
        snprintf(ended->id, sizeof ended->id, "%s", end->update->id);
    }
    pthread_mutex_unlock(&memory->lock);
    return end != NULL;
}

/* ---- start and end ---------------------------------------------------- */

static int report_status(struct crier_journal *journal, char reason[128])
{
    (void)journal;
    reason[0] = '\0';
    return 0;
}

static uint64_t last_position(struct crier_journal *journal)
{
    struct crier__memory *memory = (struct crier__memory *)journal;
    uint64_t position;

    pthread_mutex_lock(&memory->lock);
    position = memory->last;
    pthread_mutex_unlock(&memory->lock);
    return position;
}

static void count_held(struct crier_journal *journal,
                       struct crier_hub_counts *statistics)
{
    struct crier__memory *memory = (struct crier__memory *)journal;

    pthread_mutex_lock(&memory->lock);
    statistics->updates = memory->count;
    statistics->bytes = memory->bytes;
    statistics->topics = HASH_COUNT(memory->topics);
    statistics->oldest = crier__memory_oldest(memory);
    pthread_mutex_unlock(&memory->lock);
}

/* There is nothing left to answer. */
static void close_memory(struct crier_journal *journal)
{
    (void)journal;
}

static void free_memory(struct crier_journal *journal)
{
    struct crier__memory *memory = (struct crier__memory *)journal;

    crier__memory_clear(memory);
    pthread_mutex_destroy(&memory->lock);
    crier__journal_done(journal);
    free(memory);
}

static void memory_retain(struct crier_journal *journal,
                          struct crier__policy *policy)
{
    struct crier__memory *memory = (struct crier__memory *)journal;

    pthread_mutex_lock(&memory->lock);
    crier__journal_swap_policy(journal, policy);
    crier__memory_adapt(memory);
    pthread_mutex_unlock(&memory->lock);
}

static const struct crier__journal_ops memory_ops = {
    .name = "memory",
    .append = append_update,
    .read = crier__memory_read,
    .list = crier__memory_list,
    .forget = forget_topic,
    .ended = has_topic_ended,
    .status = report_status,
    .held = count_held,
    .last = last_position,
    .retain = memory_retain,
    .close = close_memory,
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
    error = crier__journal_init(&memory->journal, &memory_ops, options, &defaults);
    if (error != 0) {
        free(memory);
        return error;
    }
    error = crier__random_name(memory->journal.own_epoch);
    memcpy(&memory->names.random, memory->journal.own_epoch,
           sizeof memory->names.random);
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
