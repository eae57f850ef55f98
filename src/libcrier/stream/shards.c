/*
 * The set of shards: what a program starts, counts, drains and frees. Here are
 * the two limits that hold for all streams together: how many there are, and how
 * much publishers may hand over before the shards have taken it up. The second
 * is what a publisher notices (CRIER_ERR_BUSY) when it is faster than the
 * machine; slow clients never cause it.
 *
 * And here a stream gets its shard, for life. An update wakes every shard that has one
 * of its subscribers, so those of one topic are put on the same shard as long as the
 * shards stay about even. They are not moved when others leave: the bound is one on
 * newcomers.
 *
 * When a program takes things apart in the wrong order, other threads use freed
 * memory. So shards know their users (hubs) and whether a stream is open, and are
 * freed only when neither can reach them any more; the program's log gets a message.
 * Whether MHD is stopped too early cannot be detected: it calls nothing of ours
 * before it ends the program.
 */
#include <config.h>

#include "shards.h"

#include "base/cond.h"
#include "base/container_of.h"
#include "base/thread.h"
#include "stream.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>

#define DEFAULT_BACKLOG ((size_t)64 * 1024 * 1024)

/* One shard may have this part more streams than another one, or this many, so that
 * those that are near each other stay together. */
#define UNEVEN 8
#define UNEVEN_FEW 64

/* How long MHD's threads get to end what drain has cut off, in ms. They need far
 * less; but to stop MHD before they have would abort the program. */
#define AFTER_CUT 8000

static int init_locks(struct crier_shards *shards)
{
    int error = crier__cond_init(&shards->ended);

    if (error != 0)
        return error;
    error = pthread_mutex_init(&shards->lock, NULL);
    if (error != 0)
        pthread_cond_destroy(&shards->ended);
    return -error;
}

static void let_users_go(struct crier_shards *shards)
{
    struct crier__user *user, *next;

    LL_FOREACH_SAFE (shards->users, user, next)
        user->gone(user);
}

/* The shards post to each other (a stream's on_closed may broadcast), so all of
 * them must have ended before the first one is freed, and what they posted to
 * those that had ended before them is run here. */
static void stop(struct crier_shards *shards)
{
    unsigned i;
    bool any;

    for (i = 0; i < shards->count; i++)
        crier__shard_join(&shards->shards[i]);
    do
        for (any = false, i = 0; i < shards->count; i++)
            any |= crier__shard_finish(&shards->shards[i]);
    while (any);
    let_users_go(shards);
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
                  : crier__thread_count(CRIER__SHARDS_MAX);
    if (threads > CRIER__SHARDS_MAX)
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
        error = init_locks(made);
    if (error != 0) {
        free(made);
        return error;
    }
    while (made->count < threads) {
        made->shards[made->count].set = made;
        made->shards[made->count].index = made->count;
        error = crier__shard_start(&made->shards[made->count]);
        if (error != 0) {
            stop(made);
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

/* ---- limits ----------------------------------------------------------- */

int crier__shards_enter(struct crier_shards *shards)
{
    int error = 0;

    if (crier__forked(shards->born))
        return CRIER_ERR_FORKED;
    /* Counted first: either drain counts this one, or this one sees drain. */
    atomic_fetch_add(&shards->open, 1);
    if (atomic_fetch_add(&shards->streams, 1) >= atomic_load(&shards->max_streams))
        error = CRIER_ERR_LIMIT;
    if (atomic_load(&shards->draining))
        error = CRIER_ERR_DRAINING;
    if (error != 0) {
        crier__shards_leave(shards);
        crier__shards_over(shards);
    }
    return error;
}

/* Drain may have been waiting for this. */
static void signal_ended(struct crier_shards *shards)
{
    pthread_mutex_lock(&shards->lock);
    pthread_cond_broadcast(&shards->ended);
    pthread_mutex_unlock(&shards->lock);
}

static void lower_count(struct crier_shards *shards, atomic_size_t *count)
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
    lower_count(shards, &shards->open);
}

void crier__shards_hold(struct crier_shards *shards)
{
    atomic_fetch_add(&shards->held, 1);
}

void crier__shards_let_go(struct crier_shards *shards)
{
    lower_count(shards, &shards->held);
}

void crier__shards_owe(struct crier_shards *shards)
{
    atomic_fetch_add(&shards->owed, 1);
}

void crier__shards_settle(struct crier_shards *shards)
{
    lower_count(shards, &shards->owed);
}

/* FNV-1a */
static uint32_t hash(const char *text)
{
    uint32_t value = 2166136261u;

    for (; *text != '\0'; text++)
        value = (value ^ (unsigned char)*text) * 16777619u;
    return value;
}

/* The place of the text, unless that has far more than the emptiest has: then the
 * emptiest. So a thousand topics are each on one shard, and ten thousand streams of one
 * topic on all. */
static struct crier__shard *choose_near(struct crier_shards *shards,
                                        const char *near)
{
    struct crier__shard *own = &shards->shards[hash(near) % shards->count];
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
                                          const char *near)
{
    unsigned turn = atomic_fetch_add(&shards->next, near == NULL);
    struct crier__shard *shard = near != NULL
                                     ? choose_near(shards, near)
                                     : &shards->shards[turn % shards->count];

    atomic_fetch_add(&shard->load, 1);
    return shard;
}

int crier__shards_reserve(struct crier_shards *shards, size_t cost)
{
    /* As with a stream's own limit, what comes to an empty backlog is let in
     * whatever its size. */
    if (atomic_fetch_add(&shards->backlog, cost) >= shards->max_backlog) {
        crier__shards_release(shards, cost);
        return CRIER_ERR_BUSY;
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

/* ---- drain ------------------------------------------------------------ */

#define OF(task, member) CRIER__CONTAINER_OF(task, struct crier__shard, member)

static void say_goodbye(struct crier__task *task)
{
    struct crier__shard *shard = OF(task, say_goodbye);
    struct crier_stream *stream, *next;

    shard->draining = true;
    DL_FOREACH_SAFE (shard->streams, stream, next)
        crier__stream_goodbye(stream);
}

static void cut_off(struct crier__task *task)
{
    struct crier__shard *shard = OF(task, cut_off);
    struct crier_stream *stream, *next;

    DL_FOREACH_SAFE (shard->streams, stream, next)
        crier__stream_cut(stream, CRIER_REASON_GOODBYE);
    if (atomic_fetch_sub(&shard->set->uncut, 1) == 1)
        signal_ended(shard->set);
}

static void post_goodbyes(struct crier_shards *shards, uint32_t retry_min,
                          uint32_t retry_max)
{
    struct crier__shard *shard;
    unsigned i;

    for (i = 0; i < shards->count; i++) {
        shard = &shards->shards[i];
        shard->retry_min = retry_min;
        shard->retry_max = retry_max;
        shard->say_goodbye.run = say_goodbye;
        crier__shard_post(shard, &shard->say_goodbye);
    }
}

/* From when `cut` is set, no content reader parks its connection any more. One
 * that did not see it had announced its stream before, so the stream is on the
 * shard's list when the task that is posted here comes to run. */
static void post_cuts(struct crier_shards *shards)
{
    struct crier__shard *shard;
    unsigned i;

    for (i = 0; i < shards->count; i++) {
        shard = &shards->shards[i];
        shard->cut_off.run = cut_off;
        crier__shard_post(shard, &shard->cut_off);
    }
}

/* How many streams are not over, and responses owed. */
static size_t count_left(struct crier_shards *shards)
{
    return atomic_load(&shards->open) + atomic_load(&shards->owed);
}

static bool all_over(struct crier_shards *shards)
{
    return count_left(shards) == 0 && atomic_load(&shards->held) == 0;
}

/* Whether MHD may be stopped. A stream that is open then has no headers out: its
 * handler still runs, and MHD_stop_daemon() waits for that; or the program has
 * forgotten its response, which nobody can wait for. */
static bool all_cut(struct crier_shards *shards)
{
    return atomic_load(&shards->uncut) == 0 &&
           atomic_load(&shards->held) == 0 && atomic_load(&shards->owed) == 0;
}

/* Waits until DONE says so, at most MILLISECONDS. */
static void wait_for_end(struct crier_shards *shards,
                         bool (*done)(struct crier_shards *shards),
                         uint32_t milliseconds)
{
    uint64_t until = crier_now() + milliseconds;

    pthread_mutex_lock(&shards->lock);
    while (!done(shards) &&
           crier__cond_wait(&shards->ended, &shards->lock, until))
        ;
    pthread_mutex_unlock(&shards->lock);
}

static uint32_t limit_retry(uint32_t milliseconds)
{
    return milliseconds < CRIER_RETRY_MAX ? milliseconds : CRIER_RETRY_MAX;
}

size_t crier_shards_drain(struct crier_shards *shards, uint32_t retry_min,
                          uint32_t retry_max, uint32_t timeout)
{
    size_t left;

    if (shards == NULL || crier__forked(shards->born))
        return 0;
    if (crier__shards_run_here(shards)) {
        crier__shards_mistake(shards, "crier_shards_drain() in a callback of a "
                                      "stream would wait for itself");
        return crier_shards_count(shards);
    }
    if (retry_max < retry_min)
        retry_max = retry_min;
    if (!atomic_exchange(&shards->draining, true))
        post_goodbyes(shards, limit_retry(retry_min), limit_retry(retry_max));
    wait_for_end(shards, all_over, timeout);
    if (all_over(shards))
        return 0;
    left = count_left(shards);
    if (!atomic_exchange(&shards->cut, true))
        post_cuts(shards);
    wait_for_end(shards, all_cut, AFTER_CUT);
    return left;
}

/* ---- the end ---------------------------------------------------------- */

void crier__shards_use(struct crier_shards *shards, struct crier__user *user)
{
    pthread_mutex_lock(&shards->lock);
    LL_PREPEND(shards->users, user);
    pthread_mutex_unlock(&shards->lock);
}

/* Whether MHD or the program still has the response of a stream. If so, the stream is cut
 * off, since MHD would end the program when it is stopped; but the threads cannot be
 * freed, since MHD may be giving the stream back just now. A drain that has waited in
 * vain is not repeated. */
static bool refuse_free(struct crier_shards *shards)
{
    size_t left = atomic_load(&shards->unfreed) + atomic_load(&shards->owed);

    if (left == 0)
        return false;
    crier__shards_mistake(shards,
                          "crier_shards_free() with %zu streams open: they are "
                          "cut off, and nothing is freed",
                          left);
    if (!atomic_load(&shards->cut))
        crier_shards_drain(shards, 0, 0, 0);
    return true;
}

static void close_users(struct crier_shards *shards)
{
    struct crier__user *user;

    LL_FOREACH (shards->users, user)
        if (user->close(user))
            crier__shards_mistake(shards, "crier_shards_free() before "
                                          "crier_hub_close()");
}

void crier_shards_free(struct crier_shards *shards)
{
    if (shards == NULL || crier__forked(shards->born))
        return;
    if (crier__shards_run_here(shards)) {
        crier__shards_mistake(shards, "crier_shards_free() in a callback of a "
                                      "stream would free its own thread");
        return;
    }
    if (refuse_free(shards))
        return;
    close_users(shards);
    stop(shards);
}
