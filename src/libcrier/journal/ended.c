/*
 * The topics that have ended, each with its last update.
 *
 * A hub asks whether a topic has ended on the threads that subscribe and deliver, which
 * must not wait for a disk. So a journal in a file keeps the answer in memory: here. The
 * file has it, too, in the rows of its topics, and the set is filled from there when the
 * file is opened.
 *
 * The set follows the transactions of the file. What a transaction changes is noted in
 * `changes`, and becomes true when it is committed, before its updates are yielded. A
 * topic that ends in a transaction gets its record then, so that short memory refuses the
 * update and not the commit; only the table of the hash may still lack memory, and then
 * the topic is left out. Its streams stay open, which is what they did before the update.
 *
 * The set is as large as the number of topics that hold an update, at most.
 */
#include <config.h>

#include "ended.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* uthash reports a failed allocation by leaving the element's handle empty. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

struct crier__ended_topic {
    UT_hash_handle hh;
    struct crier__ended_topic *prev, *next; /* in `changes` */
    bool entered; /* in the hash */
    bool changed; /* in `changes` */
    bool removed; /* the commit drops it */
    struct crier__ended ended;
    int64_t time;
    char name[];
};

int crier__ended_init(struct crier__ended_set *set)
{
    set->topics = set->changes = NULL;
    return -pthread_mutex_init(&set->lock, NULL);
}

static void note_ended(struct crier__ended_set *set, struct crier__ended_topic *topic)
{
    if (topic->changed)
        return;
    topic->changed = true;
    DL_APPEND(set->changes, topic);
}

int crier__ended_add(struct crier__ended_set *set, const char *name,
                     size_t length, const struct crier__ended *ended,
                     int64_t time)
{
    struct crier__ended_topic *made = calloc(1, sizeof *made + length + 1);

    if (made == NULL)
        return -ENOMEM;
    memcpy(made->name, name, length);
    made->ended = *ended;
    made->time = time;
    note_ended(set, made);
    return 0;
}

void crier__ended_remove(struct crier__ended_set *set, const char *name,
                         size_t length)
{
    struct crier__ended_topic *topic;

    HASH_FIND(hh, set->topics, name, length, topic);
    if (topic != NULL)
        note_ended(set, topic);
    DL_FOREACH (set->changes, topic)
        if (strncmp(topic->name, name, length) == 0 &&
            topic->name[length] == '\0')
            topic->removed = true;
}

/* Puts TOPIC into the hash, or frees it when memory is short. */
static void enter_topic(struct crier__ended_set *set, struct crier__ended_topic *topic)
{
    HASH_ADD_KEYPTR(hh, set->topics, topic->name, strlen(topic->name), topic);
    topic->entered = topic->hh.tbl != NULL;
    if (!topic->entered)
        free(topic);
}

static void drop_topic(struct crier__ended_set *set, struct crier__ended_topic *topic)
{
    if (topic->entered)
        HASH_DEL(set->topics, topic);
    free(topic);
}

void crier__ended_commit(struct crier__ended_set *set)
{
    struct crier__ended_topic *topic, *next;

    if (set->changes == NULL)
        return;
    pthread_mutex_lock(&set->lock);
    DL_FOREACH_SAFE (set->changes, topic, next) {
        DL_DELETE(set->changes, topic);
        topic->changed = false;
        if (topic->removed)
            drop_topic(set, topic);
        else
            enter_topic(set, topic);
    }
    pthread_mutex_unlock(&set->lock);
}

void crier__ended_undo(struct crier__ended_set *set)
{
    struct crier__ended_topic *topic, *next;

    DL_FOREACH_SAFE (set->changes, topic, next) {
        DL_DELETE(set->changes, topic);
        topic->changed = topic->removed = false;
        if (!topic->entered)
            free(topic);
    }
}

void crier__ended_forget(struct crier__ended_set *set, const char *name, size_t length,
                         uint64_t upto)
{
    struct crier__ended ended;
    int64_t time;

    if (!crier__ended_find(set, name, length, &ended, &time) || ended.position > upto)
        return;
    crier__ended_remove(set, name, length);
    crier__ended_commit(set);
}

void crier__ended_exchange(struct crier__ended_set *set, struct crier__ended_set *with)
{
    struct crier__ended_topic *topics;

    pthread_mutex_lock(&set->lock);
    topics = set->topics;
    set->topics = with->topics;
    with->topics = topics;
    pthread_mutex_unlock(&set->lock);
}

void crier__ended_done(struct crier__ended_set *set)
{
    struct crier__ended_topic *topic, *next;

    crier__ended_undo(set);
    HASH_ITER (hh, set->topics, topic, next)
        drop_topic(set, topic);
    pthread_mutex_destroy(&set->lock);
}

bool crier__ended_find(struct crier__ended_set *set, const char *name,
                       size_t length, struct crier__ended *ended, int64_t *time)
{
    struct crier__ended_topic *topic;

    pthread_mutex_lock(&set->lock);
    HASH_FIND(hh, set->topics, name, length, topic);
    if (topic != NULL) {
        *ended = topic->ended;
        *time = topic->time;
    }
    pthread_mutex_unlock(&set->lock);
    return topic != NULL;
}
