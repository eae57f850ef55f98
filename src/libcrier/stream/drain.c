/*
 * How a set of shards ends: drain, which ends every stream, and free.
 *
 * Drain sends each stream a last retry and waits until all of them are over. At the end
 * of its time it cuts the rest off. Then the threads of MHD must have given each
 * connection back before the program stops MHD, which would abort on a connection that
 * is still suspended; so drain waits for that as well.
 */
#include <config.h>

#include "base/cond.h"
#include "base/container_of.h"
#include "shards.h"
#include "stream.h"

#include <utlist.h>

/* How long drain waits, after it has cut streams off, for MHD's threads to end their
 * connections, in ms. They need far less; but a program that stops MHD earlier
 * aborts. */
#define AFTER_CUT 8000

/* ---- drain ------------------------------------------------------------ */

static void run_shutdown(struct crier__task *task)
{
    struct crier__shard *shard =
        CRIER__CONTAINER_OF(task, struct crier__shard, shut_down);
    struct crier_stream *stream, *next;

    shard->draining = true;
    DL_FOREACH_SAFE (shard->streams, stream, next)
        crier__stream_shut_down(stream);
}

static void run_cuts(struct crier__task *task)
{
    struct crier__shard *shard =
        CRIER__CONTAINER_OF(task, struct crier__shard, cut_off);
    struct crier_stream *stream, *next;

    DL_FOREACH_SAFE (shard->streams, stream, next)
        crier__stream_cut(stream, CRIER_REASON_SHUTDOWN);
    crier__shards_lower(shard->set, &shard->set->uncut);
}

static void post_shutdowns(struct crier_shards *shards, uint32_t retry_min,
                           uint32_t retry_max)
{
    struct crier__shard *shard;
    unsigned i;

    for (i = 0; i < shards->count; i++) {
        shard = &shards->shards[i];
        shard->retry_min = retry_min;
        shard->retry_max = retry_max;
        shard->shut_down.run = run_shutdown;
        crier__shard_post(shard, &shard->shut_down);
    }
}

/* Once `cut` is set, no content reader parks its connection any more. A content reader
 * that did not see it had announced its stream before, so the stream is on the shard's
 * list when the task that is posted here runs. */
static void post_cuts(struct crier_shards *shards)
{
    struct crier__shard *shard;
    unsigned i;

    for (i = 0; i < shards->count; i++) {
        shard = &shards->shards[i];
        shard->cut_off.run = run_cuts;
        crier__shard_post(shard, &shard->cut_off);
    }
}

/* The number of streams that are not over and of responses that are owed. */
static size_t count_left(struct crier_shards *shards)
{
    return atomic_load(&shards->open) + atomic_load(&shards->owed);
}

static bool are_all_over(struct crier_shards *shards)
{
    return count_left(shards) == 0 && atomic_load(&shards->held) == 0;
}

/* Whether the program may stop MHD. The headers of a stream that is open then have not
 * been sent: either its handler still runs, and MHD_stop_daemon() waits for that; or
 * the program has lost its response, and waiting would not help. */
static bool are_all_cut(struct crier_shards *shards)
{
    return atomic_load(&shards->uncut) == 0 &&
           atomic_load(&shards->held) == 0 && atomic_load(&shards->owed) == 0;
}

/* Waits until DONE returns true, at most MILLISECONDS. */
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
        post_shutdowns(shards, limit_retry(retry_min), limit_retry(retry_max));
    wait_for_end(shards, are_all_over, timeout);
    if (are_all_over(shards))
        return 0;
    left = count_left(shards);
    if (!atomic_exchange(&shards->cut, true))
        post_cuts(shards);
    wait_for_end(shards, are_all_cut, AFTER_CUT);
    return left;
}

/* ---- free ------------------------------------------------------------- */

/* Returns whether MHD or the program still has the response of a stream. If so, this
 * cuts the streams off, because MHD would abort the program when it is stopped; but the
 * threads must stay, because MHD may be giving a stream back at this moment. A drain
 * that has waited in vain is not repeated. */
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
    crier__shards_stop(shards);
}
