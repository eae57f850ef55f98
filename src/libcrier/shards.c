/*
 * The set of shards: what a program starts, counts, drains and frees. Here are
 * the two limits that hold for all streams together: how many there are, and how
 * much publishers may hand over before the shards have taken it up. The second
 * is what a publisher notices (CRIER_ERR_BUSY) when it is faster than the
 * machine; slow clients never cause it.
 */
#include <config.h>

#include "shards.h"

#include "stream.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <utlist.h>

#define DEFAULT_BACKLOG ((size_t)64 * 1024 * 1024)

/* How long MHD's threads get to end what drain has cut off. */
#define AFTER_CUT 1000

static unsigned default_threads(void)
{
    long online = sysconf(_SC_NPROCESSORS_ONLN);

    if (online < 1)
        return 1;
    return online < CRIER__SHARDS_MAX ? (unsigned)online : CRIER__SHARDS_MAX;
}

static int init_locks(struct crier_shards *shards)
{
    pthread_condattr_t attributes;
    int error = pthread_condattr_init(&attributes);

    if (error != 0)
        return -error;
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    error = pthread_cond_init(&shards->ended, &attributes);
    pthread_condattr_destroy(&attributes);
    if (error != 0)
        return -error;
    error = pthread_mutex_init(&shards->lock, NULL);
    if (error != 0)
        pthread_cond_destroy(&shards->ended);
    return -error;
}

static void stop(struct crier_shards *shards)
{
    while (shards->count > 0)
        crier__shard_stop(&shards->shards[--shards->count]);
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

    if (options == NULL)
        options = &defaults;
    threads = options->threads != 0 ? options->threads : default_threads();
    if (threads > CRIER__SHARDS_MAX)
        return CRIER_ERR_INVALID;
    made = calloc(1, sizeof *made + threads * sizeof made->shards[0]);
    if (made == NULL)
        return -ENOMEM;
    made->max_streams =
        options->max_streams != 0 ? options->max_streams : SIZE_MAX;
    made->max_backlog =
        options->max_backlog != 0 ? options->max_backlog : DEFAULT_BACKLOG;
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

void crier_shards_free(struct crier_shards *shards)
{
    if (shards != NULL)
        stop(shards);
}

size_t crier_shards_count(const struct crier_shards *shards)
{
    return atomic_load(&shards->streams);
}

/* ---- limits ----------------------------------------------------------- */

int crier__shards_enter(struct crier_shards *shards)
{
    if (atomic_load(&shards->draining))
        return CRIER_ERR_CLOSED;
    if (atomic_fetch_add(&shards->streams, 1) >= shards->max_streams) {
        crier__shards_leave(shards);
        return CRIER_ERR_LIMIT;
    }
    return 0;
}

void crier__shards_leave(struct crier_shards *shards)
{
    if (atomic_fetch_sub(&shards->streams, 1) != 1)
        return;
    pthread_mutex_lock(&shards->lock);
    pthread_cond_broadcast(&shards->ended);
    pthread_mutex_unlock(&shards->lock);
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

/* ---- drain ------------------------------------------------------------ */

struct farewell {
    struct crier__task task;
    struct crier__shard *shard;
    uint32_t retry_min, retry_max;
};

static void say_goodbye(struct crier__task *task)
{
    struct farewell *farewell = (struct farewell *)task;
    struct crier__shard *shard = farewell->shard;
    struct crier_stream *stream, *next;

    shard->draining = true;
    shard->retry_min = farewell->retry_min;
    shard->retry_max = farewell->retry_max;
    DL_FOREACH_SAFE (shard->streams, stream, next)
        crier__stream_goodbye(stream);
    free(farewell);
}

static void cut_off(struct crier__task *task)
{
    struct farewell *farewell = (struct farewell *)task;
    struct crier_stream *stream, *next;

    DL_FOREACH_SAFE (farewell->shard->streams, stream, next)
        crier__stream_cut(stream, CRIER_REASON_GOODBYE);
    free(farewell);
}

/* Has RUN called on every shard. Where memory is short a shard is left out; its
 * streams end when MHD's daemon is stopped. */
static void on_all(struct crier_shards *shards,
                   void (*run)(struct crier__task *), uint32_t retry_min,
                   uint32_t retry_max)
{
    struct farewell *farewell;
    unsigned i;

    for (i = 0; i < shards->count; i++) {
        farewell = malloc(sizeof *farewell);
        if (farewell == NULL)
            continue;
        farewell->task.run = run;
        farewell->shard = &shards->shards[i];
        farewell->retry_min = retry_min;
        farewell->retry_max = retry_max;
        crier__shard_post(farewell->shard, &farewell->task);
    }
}

/* Waits until no stream is left, at most MILLISECONDS. Returns how many are. */
static size_t wait_for_end(struct crier_shards *shards, uint32_t milliseconds)
{
    uint64_t until = crier_now() + milliseconds;
    struct timespec time = {.tv_sec = (time_t)(until / 1000),
                            .tv_nsec = (long)(until % 1000) * 1000000};
    size_t left;

    pthread_mutex_lock(&shards->lock);
    while ((left = atomic_load(&shards->streams)) != 0)
        if (pthread_cond_timedwait(&shards->ended, &shards->lock, &time) ==
            ETIMEDOUT)
            break;
    left = atomic_load(&shards->streams);
    pthread_mutex_unlock(&shards->lock);
    return left;
}

size_t crier_shards_drain(struct crier_shards *shards, uint32_t retry_min,
                          uint32_t retry_max, uint32_t timeout)
{
    size_t left;

    if (retry_max < retry_min)
        retry_max = retry_min;
    atomic_store(&shards->draining, true);
    on_all(shards, say_goodbye, retry_min, retry_max);
    left = wait_for_end(shards, timeout);
    if (left != 0) {
        on_all(shards, cut_off, 0, 0);
        wait_for_end(shards, AFTER_CUT);
    }
    return left;
}
