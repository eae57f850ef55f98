/*
 * The journal in memory: what a hub asks of it. store.c holds it.
 */
#include <config.h>

#include "memory_read.h"

#include "base/random.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* How many updates are forgotten before others get their turn. */
#define STEP 256

/* ---- append ----------------------------------------------------------- */

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
    error = crier__memory_enter(memory, entry);
    if (error != 0)
        return error;
    crier__update_ref(update);
    crier__memory_hold(memory, entry);
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
        crier__memory_evict_oldest(memory);
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
