/*
 * The journal in an SQLite file: its threads, and the queues of what they are asked.
 *
 * The writing thread takes all that has been asked of it and puts it into one transaction;
 * what arrives while that is on its way to the disk goes into the next. So a thousand
 * publishers share the wait for one fsync, and a single one waits for no other. Only after
 * the commit are the updates of a transaction yielded, in order, and their publishers
 * notified. The reading thread has a connection of its own, which in WAL mode neither
 * waits for the writer nor makes it wait. No caller ever waits for the disk: a question is
 * put on a queue.
 *
 * An append needs no memory to be queued, so there is no way to fail between a publisher
 * and the journal. A forgetting gets a small record that says between which appends it
 * came.
 *
 * When a transaction fails, all that were in it get the error, and the journal reports it
 * as its status. Then the writer tries a small transaction of its own every second, which
 * ends that status as soon as it can, whether or not there are publishers.
 *
 * Between transactions the writer evicts (sqlite_evict.c): at once as long as there is
 * more to evict, else once a second, when it also checks whether the clock has been set
 * back.
 *
 * Rejected: a transaction by each publisher's thread, which makes all of them wait for the
 * disk in a row; a transaction by a timer, which makes each wait for no reason; and
 * synchronous=NORMAL, with which an update may be lost when the power fails.
 *
 * The lock guards the queues and the status; it is held for a few instructions, and
 * nothing is called under it.
 */
#include <config.h>

#include "sqlite_check.h"

#include "base/clock.h"
#include "base/cond.h"
#include "base/thread.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A transaction takes no more than this. */
#define GROUP_COUNT 1024
#define GROUP_BYTES ((size_t)8 * 1024 * 1024)

/* How often the writer looks for work when it is asked nothing, in ms. */
#define ROUND 1000

/* ---- questions -------------------------------------------------------- */

static void init_write_queue(struct crier__sqlite_queue *queue)
{
    queue->appends = NULL;
    queue->appends_end = &queue->appends;
    queue->forgets = NULL;
    queue->forgets_end = &queue->forgets;
}

static void queue_append(struct crier_journal *journal,
                         struct crier__append *append)
{
    struct crier__sqlite *sqlite = (struct crier__sqlite *)journal;

    append->next = NULL;
    pthread_mutex_lock(&sqlite->lock);
    *sqlite->queue.appends_end = append;
    sqlite->queue.appends_end = &append->next;
    sqlite->asked++;
    pthread_cond_signal(&sqlite->to_write);
    pthread_mutex_unlock(&sqlite->lock);
}

static void queue_forget(struct crier_journal *journal,
                         struct crier__forget *forget)
{
    struct crier__sqlite *sqlite = (struct crier__sqlite *)journal;
    struct crier__forgetting *forgetting = calloc(1, sizeof *forgetting);

    if (forgetting == NULL) {
        forget->error = -ENOMEM;
        forget->done(forget);
        return;
    }
    forgetting->forget = forget;
    pthread_mutex_lock(&sqlite->lock);
    forgetting->after = sqlite->asked;
    *sqlite->queue.forgets_end = forgetting;
    sqlite->queue.forgets_end = &forgetting->next;
    pthread_cond_signal(&sqlite->to_write);
    pthread_mutex_unlock(&sqlite->lock);
}

static void queue_read(struct crier_journal *journal,
                       struct crier__read *read)
{
    struct crier__sqlite *sqlite = (struct crier__sqlite *)journal;

    read->next = NULL;
    pthread_mutex_lock(&sqlite->lock);
    *sqlite->reads_end = read;
    sqlite->reads_end = &read->next;
    pthread_cond_signal(&sqlite->to_read);
    pthread_mutex_unlock(&sqlite->lock);
}

static void queue_list(struct crier_journal *journal,
                       struct crier__list *list)
{
    struct crier__sqlite *sqlite = (struct crier__sqlite *)journal;

    list->next = NULL;
    pthread_mutex_lock(&sqlite->lock);
    *sqlite->lists_end = list;
    sqlite->lists_end = &list->next;
    pthread_cond_signal(&sqlite->to_read);
    pthread_mutex_unlock(&sqlite->lock);
}

static int sqlite_status(struct crier_journal *journal, char reason[128])
{
    struct crier__sqlite *sqlite = (struct crier__sqlite *)journal;
    int error;

    pthread_mutex_lock(&sqlite->lock);
    error = sqlite->error;
    memcpy(reason, sqlite->reason, sizeof sqlite->reason);
    if (error == 0 && sqlite->unreadable) {
        error = CRIER_ERR_STORAGE;
        memcpy(reason, sqlite->unread, sizeof sqlite->unread);
    }
    pthread_mutex_unlock(&sqlite->lock);
    return error;
}

static uint64_t sqlite_last(struct crier_journal *journal)
{
    struct crier__sqlite *sqlite = (struct crier__sqlite *)journal;
    uint64_t position;

    pthread_mutex_lock(&sqlite->lock);
    position = sqlite->held.last;
    pthread_mutex_unlock(&sqlite->lock);
    return position;
}

static void sqlite_held(struct crier_journal *journal,
                        struct crier_hub_counts *statistics)
{
    struct crier__sqlite *sqlite = (struct crier__sqlite *)journal;

    pthread_mutex_lock(&sqlite->lock);
    statistics->updates = sqlite->held.count;
    statistics->bytes = sqlite->held.bytes;
    statistics->topics = sqlite->held.topics;
    statistics->oldest = sqlite->held.oldest;
    pthread_mutex_unlock(&sqlite->lock);
}

static bool sqlite_ended(struct crier_journal *journal, const char *name,
                         struct crier__ended *ended)
{
    struct crier__sqlite *sqlite = (struct crier__sqlite *)journal;
    size_t length = strlen(name);
    int64_t age, time;

    if (!crier__ended_find(&sqlite->ended, name, length, ended, &time))
        return false;
    age = crier__sqlite_age(sqlite, name, length); /* eviction may be late */
    return age == 0 || time >= crier__journal_time(0) - age;
}

/* ---- the writing thread ----------------------------------------------- */

/* Moves as much as a transaction takes to GROUP; under the lock. */
static void take_group(struct crier__sqlite *sqlite,
                       struct crier__sqlite_queue *group)
{
    struct crier__sqlite_queue *queue = &sqlite->queue;
    struct crier__forgetting *forgetting;
    struct crier__append *taken;
    size_t count = 0, bytes = 0;

    init_write_queue(group);
    while ((taken = queue->appends) != NULL && count < GROUP_COUNT &&
           bytes < GROUP_BYTES) {
        queue->appends = taken->next;
        taken->next = NULL;
        *group->appends_end = taken;
        group->appends_end = &taken->next;
        count++;
        bytes += crier__update_cost(taken->update);
    }
    group->count = count;
    if (queue->appends == NULL)
        queue->appends_end = &queue->appends;
    while ((forgetting = queue->forgets) != NULL &&
           forgetting->after <= sqlite->taken + count) {
        queue->forgets = forgetting->next;
        forgetting->next = NULL;
        *group->forgets_end = forgetting;
        group->forgets_end = &forgetting->next;
    }
    if (queue->forgets == NULL)
        queue->forgets_end = &queue->forgets;
}

/* Waits until there is something to do, and takes a group of it. Returns false when
 * there is nothing, and never will be. */
static bool wait_for_group(struct crier__sqlite *sqlite,
                           struct crier__sqlite_queue *group)
{
    uint64_t until = crier_now() + ROUND;
    bool go_on = true;

    pthread_mutex_lock(&sqlite->lock);
    while (sqlite->queue.appends == NULL && sqlite->queue.forgets == NULL) {
        go_on = !sqlite->stop_writing;
        if (!go_on || (sqlite->retained && sqlite->error == 0) || (sqlite->more && sqlite->error == 0))
            break;
        if (!crier__cond_wait(&sqlite->to_write, &sqlite->lock, until))
            break;
    }
    take_group(sqlite, group);
    pthread_mutex_unlock(&sqlite->lock);
    return go_on;
}

/* Makes the result of the last transaction the status. */
static void set_status(struct crier__sqlite *sqlite)
{
    pthread_mutex_lock(&sqlite->lock);
    sqlite->held = sqlite->saved;
    sqlite->error = sqlite->writer.error;
    memcpy(sqlite->reason, sqlite->writer.reason, sizeof sqlite->reason);
    pthread_mutex_unlock(&sqlite->lock);
}

/* Does what GROUP asks, in a transaction. */
static void run_group(struct crier__sqlite *sqlite,
                      const struct crier__sqlite_queue *group)
{
    struct crier__forgetting *forgetting = group->forgets;
    struct crier__append *one;
    uint64_t number = sqlite->taken;

    crier__sqlite_evict_due(sqlite);
    for (one = group->appends;; one = one->next) {
        for (; forgetting != NULL && forgetting->after <= number;
             forgetting = forgetting->next)
            crier__sqlite_forget(sqlite, forgetting->forget);
        if (one == NULL)
            break;
        crier__sqlite_append(sqlite, one);
        number++;
    }
    crier__sqlite_evict_due(sqlite);
}

/* Answers GROUP after its transaction; `next` of each is the caller's again after that. */
static void answer_group(struct crier__sqlite *sqlite, struct crier__sqlite_queue *group)
{
    const struct crier__sql *sql = &sqlite->writer;
    struct crier__forgetting *forgetting;
    struct crier__append *one, *next;

    for (one = group->appends; one != NULL; one = one->next) {
        sqlite->taken++;
        if (sql->error != 0) {
            one->error = sql->error;
            snprintf(one->reason, sizeof one->reason, "%s", sql->reason);
        } else if (one->error == 0) {
            one->subscribers = sqlite->journal.yield(sqlite->journal.closure,
                                                     one->update);
        }
    }
    for (one = group->appends; one != NULL; one = next) {
        next = one->next;
        one->done(one);
    }
    while ((forgetting = group->forgets) != NULL) {
        group->forgets = forgetting->next;
        if (sql->error != 0)
            forgetting->forget->error = sql->error;
        forgetting->forget->done(forgetting->forget);
        free(forgetting);
    }
}

/* Counts the transaction that began at BEGUN, by crier__clock_us(), and had COUNT appends. */
static void count_transaction(struct crier__sqlite *sqlite, uint64_t begun,
                              uint64_t count)
{
    struct crier_journal *journal = &sqlite->journal;

    if (sqlite->writer.error != 0) {
        crier__counter_add(&journal->failures, 1);
    } else if (count != 0) {
        crier__histogram_add(&journal->commit_time, &crier__histogram_times,
                             crier__clock_us() - begun);
        crier__histogram_add(&journal->commit_size, &crier__histogram_sizes, count);
    }
}

/* Evicts, in a transaction of its own. */
static void run_eviction(struct crier__sqlite *sqlite)
{
    if (sqlite->writer.error == 0 && !crier__sqlite_needs_eviction(sqlite) &&
        sqlite->writer.error == 0) {
        sqlite->more = false;
        return;
    }
    /* The log may have grown so much that it fills the disk. */
    if (sqlite->writer.error == CRIER_ERR_STORAGE_FULL)
        (void)sqlite3_wal_checkpoint_v2(sqlite->writer.db, NULL,
                                        SQLITE_CHECKPOINT_TRUNCATE, NULL,
                                        NULL);
    crier__sqlite_begin(sqlite);
    crier__sqlite_evict_due(sqlite);
    crier__sqlite_commit(sqlite);
    count_transaction(sqlite, 0, 0);
    set_status(sqlite);
}

/* Applies the journal's policy, if it is new, in a transaction of its own. When that
 * fails, it is tried again. */
static void apply_policy(struct crier__sqlite *sqlite)
{
    char reason[256];
    bool retained;

    pthread_mutex_lock(&sqlite->lock);
    retained = sqlite->retained;
    sqlite->retained = false;
    pthread_mutex_unlock(&sqlite->lock);
    if (!retained)
        return;
    retained = crier__sqlite_adapt(sqlite, reason) != 0;
    sqlite->more = true;
    set_status(sqlite);
    pthread_mutex_lock(&sqlite->lock);
    sqlite->retained |= retained;
    pthread_mutex_unlock(&sqlite->lock);
}

static void *run_writer(void *argument)
{
    struct crier__sqlite *sqlite = argument;
    struct crier__sqlite_queue group;
    uint64_t begun;

    while (wait_for_group(sqlite, &group)) {
        apply_policy(sqlite);
        if (group.appends == NULL && group.forgets == NULL) {
            run_eviction(sqlite);
            continue;
        }
        begun = crier__clock_us();
        if (crier__sqlite_begin(sqlite) == 0)
            run_group(sqlite, &group);
        crier__sqlite_commit(sqlite);
        count_transaction(sqlite, begun, group.count);
        set_status(sqlite);
        answer_group(sqlite, &group);
    }
    return NULL;
}

/* ---- the reading thread ----------------------------------------------- */

/* Waits for questions and takes them all. False when there never will be any. */
static bool wait_for_questions(struct crier__sqlite *sqlite,
                               struct crier__read **reads,
                               struct crier__list **lists)
{
    pthread_mutex_lock(&sqlite->lock);
    while (sqlite->reads == NULL && sqlite->lists == NULL &&
           !sqlite->stop_reading)
        pthread_cond_wait(&sqlite->to_read, &sqlite->lock);
    *reads = sqlite->reads;
    sqlite->reads = NULL;
    sqlite->reads_end = &sqlite->reads;
    *lists = sqlite->lists;
    sqlite->lists = NULL;
    sqlite->lists_end = &sqlite->lists;
    pthread_mutex_unlock(&sqlite->lock);
    return *reads != NULL || *lists != NULL;
}

/* Makes the result of the last read the status. */
static void note_read(struct crier__sqlite *sqlite)
{
    const struct crier__sql *sql = &sqlite->reader;

    pthread_mutex_lock(&sqlite->lock);
    sqlite->unreadable = sql->error != 0;
    memcpy(sqlite->unread, sql->reason, sizeof sqlite->unread);
    pthread_mutex_unlock(&sqlite->lock);
}

static void *run_reader(void *argument)
{
    struct crier__sqlite *sqlite = argument;
    struct crier__read *reads, *read;
    struct crier__list *lists, *list;

    while (wait_for_questions(sqlite, &reads, &lists)) {
        while ((read = reads) != NULL) {
            reads = read->next;
            crier__sqlite_read(sqlite, read);
            note_read(sqlite);
            read->done(read);
        }
        while ((list = lists) != NULL) {
            lists = list->next;
            crier__sqlite_list(sqlite, list);
            list->done(list);
        }
    }
    return NULL;
}

/* ---- start and end ---------------------------------------------------- */

/* Sets *STOP, which makes THREAD end when it has no questions left, and waits for that. */
static void end_thread(struct crier__sqlite *sqlite, pthread_t thread, bool *stop,
                       pthread_cond_t *wake)
{
    pthread_mutex_lock(&sqlite->lock);
    *stop = true;
    pthread_cond_signal(wake);
    pthread_mutex_unlock(&sqlite->lock);
    pthread_join(thread, NULL);
}

static int start_threads(struct crier__sqlite *sqlite)
{
    int error = crier__check_start(sqlite);

    if (error != 0)
        return error;
    error = crier__thread_start(&sqlite->writing, run_writer, sqlite);
    if (error != 0)
        return error;
    error = crier__thread_start(&sqlite->reading, run_reader, sqlite);
    if (error != 0)
        end_thread(sqlite, sqlite->writing, &sqlite->stop_writing,
             &sqlite->to_write);
    return error;
}

static int init_sqlite_locks(struct crier__sqlite *sqlite)
{
    int error = -pthread_mutex_init(&sqlite->lock, NULL);

    if (error != 0)
        return error;
    error = crier__cond_init(&sqlite->to_write);
    if (error != 0)
        goto destroy_lock;
    error = crier__cond_init(&sqlite->to_check);
    if (error != 0)
        goto destroy_to_write;
    error = -pthread_cond_init(&sqlite->to_read, NULL);
    if (error != 0)
        goto destroy_to_check;
    error = crier__ended_init(&sqlite->ended);
    if (error == 0)
        return 0;
    pthread_cond_destroy(&sqlite->to_read);
destroy_to_check:
    pthread_cond_destroy(&sqlite->to_check);
destroy_to_write:
    pthread_cond_destroy(&sqlite->to_write);
destroy_lock:
    pthread_mutex_destroy(&sqlite->lock);
    return error;
}

static void interrupt_sqlite(struct crier_journal *journal)
{
    struct crier__sqlite *sqlite = (struct crier__sqlite *)journal;

    atomic_store(&sqlite->writer.interrupted, true);
    atomic_store(&sqlite->reader.interrupted, true);
}

static void close_sqlite(struct crier_journal *journal)
{
    struct crier__sqlite *sqlite = (struct crier__sqlite *)journal;

    crier__check_end(sqlite);
    end_thread(sqlite, sqlite->writing, &sqlite->stop_writing, &sqlite->to_write);
    end_thread(sqlite, sqlite->reading, &sqlite->stop_reading, &sqlite->to_read);
    crier__sqlite_close(sqlite);
}

static void free_sqlite(struct crier_journal *journal)
{
    struct crier__sqlite *sqlite = (struct crier__sqlite *)journal;

    crier__ended_done(&sqlite->ended);
    pthread_cond_destroy(&sqlite->to_read);
    pthread_cond_destroy(&sqlite->to_check);
    pthread_cond_destroy(&sqlite->to_write);
    pthread_mutex_destroy(&sqlite->lock);
    crier__journal_done(journal);
    free(sqlite);
}

static void sqlite_retain(struct crier_journal *journal,
                          struct crier__policy *policy)
{
    struct crier__sqlite *sqlite = (struct crier__sqlite *)journal;

    crier__journal_swap_policy(journal, policy);
    pthread_mutex_lock(&sqlite->lock);
    sqlite->retained = true;
    pthread_cond_signal(&sqlite->to_write);
    pthread_mutex_unlock(&sqlite->lock);
}

static const struct crier__journal_ops sqlite_ops = {
    .name = "sqlite",
    .bound = true,
    .append = queue_append,
    .read = queue_read,
    .list = queue_list,
    .forget = queue_forget,
    .ended = sqlite_ended,
    .status = sqlite_status,
    .held = sqlite_held,
    .last = sqlite_last,
    .retain = sqlite_retain,
    .interrupt = interrupt_sqlite,
    .close = close_sqlite,
    .free = free_sqlite,
};

static int start_sqlite(struct crier__sqlite *sqlite, const char *path,
                        char reason[256])
{
    int error;

    init_write_queue(&sqlite->queue);
    sqlite->reads_end = &sqlite->reads;
    sqlite->lists_end = &sqlite->lists;
    error = crier__sqlite_open(sqlite, path, reason);
    if (error == 0) {
        crier__sqlite_note_oldest(sqlite);
        sqlite->saved = sqlite->held = sqlite->totals;
        /* Something may be left to do from when the file was last open. */
        sqlite->more = true;
        error = start_threads(sqlite);
    }
    if (error != 0) {
        crier__check_end(sqlite);
        crier__sqlite_close(sqlite);
    }
    return error;
}

int crier_journal_sqlite(const char *path,
                         const struct crier_journal_options *options,
                         struct crier_journal **journal, char *reason,
                         size_t size)
{
    static const struct crier_retention defaults = {
        .count = 10000000, .bytes = (size_t)1024 * 1024 * 1024};
    struct crier__sqlite *sqlite;
    char why[256] = "";
    int error;

    if (path == NULL || journal == NULL)
        return CRIER_ERR_NULL;
    sqlite = calloc(1, sizeof *sqlite);
    if (sqlite == NULL)
        return -ENOMEM;
    error = crier__journal_init(&sqlite->journal, &sqlite_ops, options, &defaults);
    if (error != 0) {
        free(sqlite);
        return error;
    }
    error = init_sqlite_locks(sqlite);
    if (error != 0) {
        crier__journal_done(&sqlite->journal);
        free(sqlite);
        return error;
    }
    error = start_sqlite(sqlite, path, why);
    if (error != 0) {
        if (reason != NULL && size != 0)
            snprintf(reason, size, "%s", why);
        free_sqlite(&sqlite->journal);
        return error;
    }
    *journal = &sqlite->journal;
    return 0;
}
