/*
 * The set of shards, which a program starts, counts, drains (drain.c) and frees. It
 * holds the two limits for all streams together: how many there are, and how many bytes
 * publishers may hand over before the shards have taken them up. A publisher that is
 * faster than the machine exceeds the second one (CRIER_ERR_MAX_BACKLOG); slow clients
 * never cause it.
 *
 * A stream gets its shard here, for its whole life. An update wakes every shard that
 * has one of its subscribers, so the subscribers of a topic are put on the same shard
 * as long as the shards stay about even. They are not moved when others leave: the
 * bound holds for new streams only.
 *
 * When a program frees things in the wrong order, other threads use freed memory. So
 * shards know their users (hubs) and whether a stream is open, and are freed only when
 * neither can reach them any more; otherwise the log of the program gets a message. A
 * program that stops MHD too early cannot be detected: MHD calls none of our functions
 * before it aborts.
 */
#include <config.h>

#include "shards.h"

#include "base/cond.h"
#include "base/thread.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define DEFAULT_BACKLOG ((size_t)64 * 1024 * 1024)

/* A shard may have this part (1/UNEVEN) more streams than another one, or UNEVEN_FEW
 * more, so that streams with the same affinity stay together. */
#define UNEVEN 8
#define UNEVEN_FEW 64

static int init_shard_locks(struct crier_shards *shards)
{
    int error = crier__cond_init(&shards->ended);

    if (error != 0)
        return error;
    error = pthread_mutex_init(&shards->lock, NULL);
    if (error != 0)
        pthread_cond_destroy(&shards->ended);
    return -error;
}

static void close_users(struct crier_shards *shards)
{
    struct crier__user *user;

    LL_FOREACH (shards->users, user)
        if (user->close(user))
            crier__shards_mistake(shards, "crier_shards_free() before "
                                          "crier_hub_close()");
}

static void release_users(struct crier_shards *shards)
{
    struct crier__user *user, *next;

    LL_FOREACH_SAFE (shards->users, user, next)
        user->gone(user);
}

/* The shards post to each other (a stream's on_closed may broadcast). So all of them
 * must have ended before the first one is freed, and the tasks that they posted to
 * shards that had ended before run here. */
void crier__shards_stop(struct crier_shards *shards)
{
    unsigned i;
    bool any;

    close_users(shards);
    for (i = 0; i < shards->count; i++)
        crier__shard_join(&shards->shards[i]);
    do
        for (any = false, i = 0; i < shards->count; i++)
            any |= crier__shard_finish(&shards->shards[i]);
    while (any);
    release_users(shards);
    for (i = 0; i < shards->count; i++)
        crier__shard_done(&shards->shards[i]);
    pthread_mutex_destroy(&shards->lock);
    pthread_cond_destroy(&shards->ended);
    free(shards);
}

int crier_shards_new(const struct crier_shards_options *options,
                     struct crier_shards **shards)
{
    static const struct crier_shards_options defaults;
    struct crier_shards *made;
    unsigned threads;
    int error;

    if (shards == NULL)
        return CRIER_ERR_NULL;
    if (options == NULL)
        options = &defaults;
    threads = options->threads != 0
                  ? options->threads
                  : crier__thread_count(CRIER_SHARDS_MAX);
    if (threads > CRIER_SHARDS_MAX)
        return CRIER_ERR_INVALID;
    made = calloc(1, sizeof *made + threads * sizeof made->shards[0]);
    if (made == NULL)
        return -ENOMEM;
    atomic_init(&made->uncut, threads);
    crier_shards_set_max_streams(made, options->max_streams);
    atomic_init(&made->keep_alive, CRIER__KEEP_ALIVE);
    atomic_init(&made->stall_timeout, CRIER__STALL_TIMEOUT);
    made->max_backlog =
        options->max_backlog != 0 ? options->max_backlog : DEFAULT_BACKLOG;
    made->resume = options->resume;
    made->log = options->log;
    made->log_closure = options->log_closure;
    error = crier__fork_watch(&made->born);
    if (error == 0)
        error = init_shard_locks(made);
    if (error != 0) {
        free(made);
        return error;
    }
    while (made->count < threads) {
        made->shards[made->count].set = made;
        made->shards[made->count].index = made->count;
        error = crier__shard_start(&made->shards[made->count]);
        if (error != 0) {
            crier__shards_stop(made);
            return error;
        }
        made->count++;
    }
    *shards = made;
    return 0;
}

void crier_shards_set_max_streams(struct crier_shards *shards, size_t max)
{
    if (shards != NULL)
        atomic_store(&shards->max_streams, max != 0 ? max : SIZE_MAX);
}

size_t crier_shards_count(const struct crier_shards *shards)
{
    if (shards == NULL || crier__forked(shards->born))
        return 0;
    return atomic_load(&shards->streams);
}

/* Adds what SHARD has counted to STATISTICS. */
static void add_tally(const struct crier__shard *shard,
                      struct crier_shards_counts *statistics)
{
    const struct crier__tally *tally = &shard->tally;
    uint64_t closed;
    unsigned i;

    for (i = 0; i < CRIER_STREAM_KINDS; i++) {
        closed = crier__counter_read(&tally->closed[i]); /* before `opened`, which is more */
        statistics->opened[i] += crier__counter_read(&tally->opened[i]);
        statistics->open[i] -= closed;
    }
    for (i = 0; i < CRIER_REASON_COUNT; i++)
        statistics->ended[i] += crier__counter_read(&tally->ended[i]);
    statistics->deliveries += crier__counter_read(&tally->deliveries);
    statistics->bytes += crier__counter_read(&tally->bytes) +
                         crier__counter_read(&tally->sent);
}

void crier_shards_statistics(const struct crier_shards *shards,
                             struct crier_shards_counts *statistics)
{
    unsigned i;

    if (statistics == NULL)
        return;
    memset(statistics, 0, sizeof *statistics);
    if (shards == NULL || crier__forked(shards->born))
        return;
    for (i = 0; i < shards->count; i++)
        add_tally(&shards->shards[i], statistics);
    for (i = 0; i < CRIER_STREAM_KINDS; i++)
        statistics->open[i] += statistics->opened[i];
    statistics->backlog = atomic_load(&shards->backlog);
    statistics->max_backlog = shards->max_backlog;
}

/* ---- limits ----------------------------------------------------------- */

int crier__shards_enter(struct crier_shards *shards)
{
    int error = 0;

    if (crier__forked(shards->born))
        return CRIER_ERR_FORKED;
    /* Counted first: either drain counts this one, or this one sees drain. */
    atomic_fetch_add(&shards->open, 1);
    if (atomic_fetch_add(&shards->streams, 1) >= atomic_load(&shards->max_streams))
        error = CRIER_ERR_MAX_STREAMS;
    if (atomic_load(&shards->draining))
        error = CRIER_ERR_DRAINING;
    if (error != 0) {
        crier__shards_leave(shards);
        crier__shards_over(shards);
    }
    return error;
}

/* Drain may be waiting for this. */
static void signal_ended(struct crier_shards *shards)
{
    pthread_mutex_lock(&shards->lock);
    pthread_cond_broadcast(&shards->ended);
    pthread_mutex_unlock(&shards->lock);
}

void crier__shards_lower(struct crier_shards *shards, atomic_size_t *count)
{
    if (atomic_fetch_sub(count, 1) == 1)
        signal_ended(shards);
}

void crier__shards_leave(struct crier_shards *shards)
{
    atomic_fetch_sub(&shards->streams, 1);
}

void crier__shards_over(struct crier_shards *shards)
{
    crier__shards_lower(shards, &shards->open);
}

void crier__shards_hold(struct crier_shards *shards)
{
    atomic_fetch_add(&shards->held, 1);
}

void crier__shards_let_go(struct crier_shards *shards)
{
    crier__shards_lower(shards, &shards->held);
}

void crier__shards_owe(struct crier_shards *shards)
{
    atomic_fetch_add(&shards->owed, 1);
}

void crier__shards_settle(struct crier_shards *shards)
{
    crier__shards_lower(shards, &shards->owed);
}

/* FNV-1a */
static uint32_t hash_text(const char *text)
{
    uint32_t value = 2166136261u;

    for (; *text != '\0'; text++)
        value = (value ^ (unsigned char)*text) * 16777619u;
    return value;
}

/* Returns the shard that AFFINITY hashes to, unless it has far more streams than the
 * emptiest shard: then the emptiest. So each of a thousand topics is on one shard, and
 * the ten thousand streams of a single topic are on all of them. */
static struct crier__shard *choose_by_affinity(struct crier_shards *shards,
                                               const char *affinity)
{
    struct crier__shard *own = &shards->shards[hash_text(affinity) % shards->count];
    struct crier__shard *emptiest = own;
    size_t least = atomic_load(&own->load), load = least, slack;
    unsigned i;

    for (i = 0; i < shards->count; i++)
        if (atomic_load(&shards->shards[i].load) < least) {
            emptiest = &shards->shards[i];
            least = atomic_load(&emptiest->load);
        }
    slack = least / UNEVEN > UNEVEN_FEW ? least / UNEVEN : UNEVEN_FEW;
    return load > least + slack ? emptiest : own;
}

struct crier__shard *crier__shards_choose(struct crier_shards *shards,
                                          const char *affinity)
{
    unsigned turn = atomic_fetch_add(&shards->next, affinity == NULL);
    struct crier__shard *shard = affinity != NULL
                                     ? choose_by_affinity(shards, affinity)
                                     : &shards->shards[turn % shards->count];

    atomic_fetch_add(&shard->load, 1);
    return shard;
}

int crier__shards_reserve(struct crier_shards *shards, size_t cost)
{
    /* As with a stream's own limit, an empty backlog accepts a frame of any size. */
    if (atomic_fetch_add(&shards->backlog, cost) >= shards->max_backlog) {
        crier__shards_release(shards, cost);
        return CRIER_ERR_MAX_BACKLOG;
    }
    return 0;
}

void crier__shards_release(struct crier_shards *shards, size_t cost)
{
    atomic_fetch_sub(&shards->backlog, cost);
}

/* ---- mistakes --------------------------------------------------------- */

void crier__shards_mistake(const struct crier_shards *shards,
                           const char *format, ...)
{
    char text[256];
    va_list arguments;

    if (shards->log == NULL)
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    shards->log(shards->log_closure, text);
}

bool crier__shards_run_here(const struct crier_shards *shards)
{
    unsigned i;

    for (i = 0; i < shards->count; i++)
        if (pthread_equal(shards->shards[i].thread, pthread_self()))
            return true;
    return false;
}

/* ---- users ------------------------------------------------------------ */

void crier__shards_use(struct crier_shards *shards, struct crier__user *user)
{
    pthread_mutex_lock(&shards->lock);
    LL_PREPEND(shards->users, user);
    pthread_mutex_unlock(&shards->lock);
}
