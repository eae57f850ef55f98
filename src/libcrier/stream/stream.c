/*
 * A stream: its references, its life on its shard, and what any thread may do with it.
 * stream_new.c makes it and its response; transport.c moves its bytes.
 *
 * Life. Three parties hold a reference: the program, MHD (until it frees the response)
 * and the shard. The references of the program are counted apart (`held`) and together
 * are one, so that a program that gives one back twice takes none from the others.
 *
 *   crier_stream_new   in the access handler; the program sends, joins, queues
 *   attach             posted by the first call of the content reader, when the
 *                      headers have been sent and the handler has returned; or
 *                      together with done, when they never are
 *   over               on_closed has been called, and the stream has left its
 *                      broadcaster or hub
 *   done               posted when MHD has freed the response; the last time that
 *                      the shard uses the stream
 *
 * A stream is over before it is done when the shard cuts it, because its client is gone
 * or too slow; it is over with done when it ends by itself or by MHD. Nothing is freed
 * within a pass: done gives the last reference back at the end of its pass, because
 * later events of the same epoll_wait() may still name the stream. Those of the next
 * one cannot: MHD has closed the socket. A stream whose response the program has lost
 * is never done; drain does not wait for it (see `open` and `held` in shards.h).
 *
 * Looking. The shard does three things on request: it calls on_low and on_room when
 * little is pending, and on_wake when another thread asks for it. One task serves all
 * three: flags say what is requested, and the thread that sets a flag posts the task
 * unless it is posted already.
 *
 * Order. Everything that is sent goes through the inbox of the shard as a task; the
 * shard appends it to the pending frames of the stream, and flushes each stream once
 * per pass. So what one thread sends arrives in the order in which it was sent, to
 * whatever it was addressed, and a burst costs one system call. A broadcast frame is
 * written immediately if it is the last task of the pass and the stream has nothing
 * pending. Deferring it to the flush at the end of the pass would mean touching every
 * stream twice, which costs more than anything except the send().
 *
 * Bounds. `waiting` counts a frame from crier_stream_send() until the kernel or MHD has
 * it; a frame that is sent immediately is counted only if a rest of it is left.
 * Rejected: a limit on the pending frames alone, which would let frames pile up in the
 * inbox.
 *
 * Dead peers. A client whose host is gone acknowledges nothing. TCP_USER_TIMEOUT would
 * end such a connection at no cost, but it also ends one whose client is only slow and
 * keeps its window closed. So the shard asks TCP whether everything has been
 * acknowledged and, if not, whether the last segment was ours and how long the peer has
 * been silent (TCP_INFO).
 */
#include <config.h>

#include "stream.h"

#include "base/container_of.h"
#include "base/random.h"
#include "libcrier/wire/frame.h"
#include "libcrier/wire/frame_print.h"
#include "shards.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <utlist.h>

/* How long a closed stream may take to deliver what is pending, ms. */
#define LINGER 10000

/* No peer is taken for dead after a shorter silence than this: a delayed
 * acknowledgement may take 200 ms, a retransmission more. */
#define SHORTEST_SILENCE 1000

/* When to check a peer again whose last answer may still be on its way, ms. */
#define SOON 300

/* Pings and checks that are due within this part (1/TOGETHER) of the ping interval run
 * together, at its end: waking a thread costs more than a ping. */
#define TOGETHER 256

/* TCP_INFO counts in jiffies, which may be 10 ms each. */
#define ROUGHLY 20

#define COUNT_REASON(name, text) +1
_Static_assert(CRIER_REASONS(COUNT_REASON) == CRIER_REASON_COUNT,
               "the reasons are counted in crier.h");

/* Two timers each. */
#define TIMERS 2

#define STREAM_OF(pointer, member)                                                   \
    CRIER__CONTAINER_OF(pointer, struct crier_stream, member)

/* ---- references ------------------------------------------------------ */

struct crier_stream *crier__stream_ref(struct crier_stream *stream)
{
    atomic_fetch_add_explicit(&stream->references, 1, memory_order_relaxed);
    return stream;
}

void crier__stream_unref(struct crier_stream *stream)
{
    if (stream == NULL ||
        atomic_fetch_sub_explicit(&stream->references, 1,
                                  memory_order_acq_rel) != 1)
        return;
    crier__transport_done(&stream->transport);
    crier_frame_unref(stream->keep_alive_frame);
    free(stream);
}

struct crier_stream *crier_stream_ref(struct crier_stream *stream)
{
    if (stream != NULL && atomic_fetch_add(&stream->held, 1) == 0)
        crier__stream_ref(stream);
    return stream;
}

void crier_stream_unref(struct crier_stream *stream)
{
    unsigned held;

    if (stream == NULL)
        return;
    held = atomic_load(&stream->held);
    do
        if (held == 0) {
            crier__shards_mistake(stream->shard->set,
                                  "crier_stream_unref() of a stream that the "
                                  "program does not hold");
            return;
        }
    while (!atomic_compare_exchange_weak(&stream->held, &held, held - 1));
    if (held == 1)
        crier__stream_unref(stream);
}

/* ---- the end ---------------------------------------------------------- */

/* Makes STREAM over. Returns false when it was over before; otherwise the caller counts
 * it out. */
static bool end_stream(struct crier_stream *stream, enum crier_reason reason)
{
    struct crier__timers *timers = &stream->shard->timers;

    if (stream->over)
        return false;
    stream->over = true;
    crier__counter_add(&stream->shard->tally.closed[stream->kind], 1);
    crier__counter_add(&stream->shard->tally.ended[reason], 1);
    atomic_store(&stream->closing, true);
    crier__timers_set(timers, &stream->alive, CRIER__NO_TIME);
    crier__timers_set(timers, &stream->wake, CRIER__NO_TIME);
    if (stream->leave != NULL)
        stream->leave(stream);
    if (stream->on_closed != NULL)
        stream->on_closed(stream->closure, stream, reason);
    return true;
}

void crier__stream_cut(struct crier_stream *stream, enum crier_reason reason)
{
    bool gone = reason == CRIER_REASON_LEFT || reason == CRIER_REASON_DEAD_PEER;
    /* A client that takes nothing will not take what the kernel holds for it. */
    bool reset = reason == CRIER_REASON_DEAD_PEER ||
                 reason == CRIER_REASON_SLOW;

    crier__transport_cut(&stream->transport, gone, reset);
    if (stream->begun) {
        if (end_stream(stream, reason))
            crier__shards_over(stream->shard->set);
        return;
    }
    /* Its handler still runs, and on_closed must wait until it has returned. */
    stream->ending = stream->cut = true;
    stream->reason = reason;
    atomic_store(&stream->closing, true);
}

static void run_unref(struct crier__task *task)
{
    crier__stream_unref(STREAM_OF(task, done));
}

/* Returns the reason why a stream ends when its transport has failed with ERROR. */
static enum crier_reason reason_for_error(int error)
{
    switch (error) {
    case -ETIMEDOUT:
        return CRIER_REASON_DEAD_PEER;
    case -ENOMEM:
        return CRIER_REASON_MEMORY;
    case -EPROTO:
        return CRIER_REASON_TRANSPORT;
    default:
        return CRIER_REASON_LEFT;
    }
}

static void run_done(struct crier__task *task)
{
    struct crier_stream *stream = STREAM_OF(task, done);
    struct crier__shard *shard = stream->shard;
    int broken = stream->transport.broken;
    bool now;

    if (broken != 0 && stream->reason == CRIER_REASON_TRANSPORT)
        stream->reason = reason_for_error(broken);
    now = end_stream(stream, stream->reason);

    if (stream->attached) {
        DL_DELETE(shard->streams, stream);
        crier__timers_release(&shard->timers, TIMERS);
    }
    atomic_fetch_sub(&shard->load, 1);
    crier__shards_leave(shard->set);
    if (now)
        crier__shards_over(shard->set);
    task->run = run_unref;
    crier__shard_later(shard, task);
}

/* ---- sending, on the shard's thread ----------------------------------- */

/* Frames are left after a flush: sets the timer so that a stall is noticed in time. */
static void watch_for_stall(struct crier_stream *stream)
{
    struct crier__shard *shard = stream->shard;
    uint64_t due = shard->now + stream->stall_timeout;

    if (stream->stall_timeout == CRIER_NEVER || stream->ending ||
        !stream->attached)
        return;
    if (stream->alive.place == 0 || stream->alive.when > due) {
        (void)crier__transport_stuck(&stream->transport);
        crier__timers_set(&shard->timers, &stream->alive, due);
    }
}

static void run_flush(struct crier__task *task)
{
    struct crier_stream *stream = STREAM_OF(task, flush);
    int error;

    stream->dirty = false;
    error = stream->failed != 0 ? stream->failed
                                : crier__transport_flush(&stream->transport);
    if (error != 0)
        crier__stream_cut(stream, reason_for_error(error));
    else if (!stream->over && atomic_load(&stream->transport.waiting) != 0)
        watch_for_stall(stream);
}

static void queue_flush(struct crier_stream *stream)
{
    if (stream->dirty)
        return;
    stream->dirty = true;
    crier__shard_later(stream->shard, &stream->flush);
}

/* Sends FRAME, which is not counted yet, immediately if no further frame of this pass
 * could be gathered with it. Returns the same as crier__transport_send(); only 0 means that
 * nothing is left to be done. */
static int send_at_once(struct crier_stream *stream, struct crier_frame *frame)
{
    struct crier__shard *shard = stream->shard;

    if (shard->more)
        return -EAGAIN;
    return crier__transport_send(&stream->transport, frame, shard->now);
}

/* FRAME was not sent at once as a whole: LEFT is what send_at_once() has returned. Returns
 * whether the caller must append it. A stream that fails is cut at the end of the pass,
 * because callers may be walking through their lists. */
static bool must_append(struct crier_stream *stream,
                        const struct crier_frame *frame, int left)
{
    stream->shard->tally.late_bytes += frame->length;
    if (left == -EAGAIN)
        return true;
    if (left < 0)
        stream->failed = left;
    queue_flush(stream);
    return false;
}

/* FRAME, which the caller counts, is not sent to STREAM, which has ended. */
static void note_missed(const struct crier_stream *stream,
                        const struct crier_frame *frame)
{
    stream->shard->tally.late_frames++;
    stream->shard->tally.late_bytes += frame->length;
}

void crier__stream_append(struct crier_stream *stream,
                          struct crier_frame *frame, size_t limit)
{
    int error;

    if (stream->over || stream->ending)
        return;
    error = crier__transport_push(&stream->transport, frame, limit);
    if (error == CRIER_ERR_MAX_PENDING)
        crier__stream_cut(stream, CRIER_REASON_SLOW);
    else if (error != 0)
        crier__stream_cut(stream, CRIER_REASON_MEMORY);
    else
        queue_flush(stream);
}

void crier__stream_offer(struct crier_stream *stream,
                         struct crier_frame *frame)
{
    int left;

    if (stream->over || stream->ending) {
        note_missed(stream, frame);
        return;
    }
    left = send_at_once(stream, frame);
    if (left == 0 || !must_append(stream, frame, left))
        return;
    atomic_fetch_add_explicit(&stream->transport.waiting,
                              crier__frame_cost(frame), memory_order_relaxed);
    crier__stream_append(stream, frame, stream->max_pending);
}

int crier__stream_try(struct crier_stream *stream, struct crier_frame *frame)
{
    size_t cost = crier__frame_cost(frame);
    int error, left;

    if (stream->over || stream->ending) {
        note_missed(stream, frame);
        return 0;
    }
    left = send_at_once(stream, frame);
    if (left == 0 || !must_append(stream, frame, left))
        return 0;
    atomic_fetch_add_explicit(&stream->transport.waiting, cost,
                              memory_order_relaxed);
    error = crier__transport_push(&stream->transport, frame,
                                  stream->max_pending);
    if (error == 0) {
        queue_flush(stream);
        return 0;
    }
    stream->shard->tally.late_bytes -= frame->length;
    atomic_fetch_sub_explicit(&stream->transport.waiting, cost,
                              memory_order_relaxed);
    return error;
}

void crier__stream_force(struct crier_stream *stream,
                         struct crier_frame *frame)
{
    if (stream->over || stream->ending)
        return;
    atomic_fetch_add_explicit(&stream->transport.waiting,
                              crier__frame_cost(frame), memory_order_relaxed);
    crier__stream_append(stream, frame, SIZE_MAX);
}

/* The lock of the transport is held; that of a shard's inbox comes after it. */
static void request_look(struct crier__transport *transport)
{
    crier__stream_look(STREAM_OF(transport, transport));
}

bool crier__stream_is_low(struct crier_stream *stream)
{
    return crier__transport_is_low(&stream->transport,
                                   stream->max_pending / 4, request_look);
}

/* Calls on_low and on_room if the pending frames are low; if not, the transport posts
 * another look when they are. */
static void report_room(struct crier_stream *stream)
{
    if ((stream->on_low == NULL && !atomic_load(&stream->no_room)) ||
        !crier__stream_is_low(stream))
        return;
    if (stream->on_low != NULL)
        stream->on_low(stream);
    if (!stream->over && !stream->ending &&
        atomic_exchange(&stream->no_room, false))
        stream->on_room(stream->closure, stream);
}

static void run_look(struct crier__task *task)
{
    struct crier_stream *stream = STREAM_OF(task, look);

    atomic_store(&stream->looking, false);
    if (stream->attached && !stream->over)
        report_room(stream);
    /* Before its headers have been sent, on_wake will be called in any case. */
    if (stream->attached && stream->headers_out && !stream->over &&
        !stream->ending && atomic_exchange(&stream->notified, false))
        stream->on_wake(stream->closure, stream);
    crier__stream_unref(stream);
}

void crier__stream_look(struct crier_stream *stream)
{
    if (atomic_exchange(&stream->looking, true))
        return;
    crier__stream_ref(stream);
    crier__shard_post(stream->shard, &stream->look);
}

void crier__stream_finish(struct crier_stream *stream, enum crier_reason reason)
{
    if (stream->over || stream->ending)
        return;
    stream->ending = true;
    stream->reason = reason;
    atomic_store(&stream->closing, true);
    crier__transport_end(&stream->transport);
    crier__timers_set(&stream->shard->timers, &stream->wake, CRIER__NO_TIME);
    if (stream->attached) /* drain has a limit of its own */
        crier__timers_set(&stream->shard->timers, &stream->alive,
                          reason == CRIER_REASON_SHUTDOWN
                              ? CRIER__NO_TIME
                              : stream->shard->now + LINGER);
    queue_flush(stream);
}

static void run_close(struct crier__task *task)
{
    struct crier_stream *stream = STREAM_OF(task, close);

    crier__stream_finish(stream, CRIER_REASON_APP);
    crier__stream_unref(stream);
}

/* Returns a new frame with a retry at random within the shard's bounds. It is the line
 * of that field alone: HTML 9.2.6 applies it there, and several client libraries take
 * an empty line for an event (tests/README). */
static struct crier_frame *make_goodbye(const struct crier__shard *shard)
{
    uint64_t span = (uint64_t)shard->retry_max - shard->retry_min + 1;
    char text[32];
    int length;

    length = snprintf(text, sizeof text, "retry: %llu\n",
                      (unsigned long long)(shard->retry_min +
                                           crier__random_below(span)));
    return crier__frame_of(text, (size_t)length);
}

void crier__stream_shut_down(struct crier_stream *stream)
{
    struct crier_frame *frame = NULL;

    if (crier__stream_is_events(stream))
        frame = make_goodbye(stream->shard);
    if (frame != NULL) { /* the last one: accepted however much is pending */
        atomic_fetch_add(&stream->transport.waiting, crier__frame_cost(frame));
        crier__stream_append(stream, frame, SIZE_MAX);
    }
    crier_frame_unref(frame);
    crier__stream_finish(stream, CRIER_REASON_SHUTDOWN);
}

/* ---- keep-alive ------------------------------------------------------- */

static uint32_t allowed_silence(const struct crier_stream *stream)
{
    uint32_t allowed = stream->keep_alive / 4 * 3;

    return allowed > SHORTEST_SILENCE ? allowed : SHORTEST_SILENCE;
}

/* Checks the peer, and sets the time of the next check. Returns whether it has not
 * answered for as long as is allowed, although it should have. */
static bool is_peer_dead(struct crier_stream *stream, uint64_t now)
{
    uint64_t since = stream->unacked_since;
    uint32_t silence;

    stream->check_due = now + allowed_silence(stream);
    switch (crier__transport_answer(&stream->transport, &silence)) {
    case CRIER__ANSWERED:
        stream->unacked_since = 0;
        return false;
    case CRIER__PENDING:
        stream->check_due = now + SOON;
        return false;
    case CRIER__OVERDUE:
        break;
    }
    if (since == 0 || silence + ROUGHLY < now - since) {
        stream->unacked_since = now; /* from now on it should answer */
        return false;
    }
    return now - since >= allowed_silence(stream);
}

/* Returns how long the client has taken nothing while something is pending, ms. */
static uint64_t stalled_time(struct crier_stream *stream)
{
    if (atomic_load(&stream->transport.waiting) == 0)
        return 0;
    return crier__transport_stuck(&stream->transport);
}

/* Returns the end of the part of the interval that DUE is in. */
static uint64_t align_due(const struct crier_stream *stream, uint64_t due)
{
    uint64_t part = stream->keep_alive / TOGETHER;

    return part > 1 ? (due + part - 1) / part * part : due;
}

/* Sets the timer to the first of the next ping, the next check, a stall and the time at
 * which the stream expires. */
static void set_alive_timer(struct crier_stream *stream, uint64_t last_sent)
{
    uint64_t due = CRIER__NO_TIME, stalled = CRIER__NO_TIME;

    if (stream->keep_alive != CRIER_NEVER) {
        due = last_sent + stream->keep_alive;
        if (due > stream->check_due)
            due = stream->check_due;
        due = align_due(stream, due);
    }
    if (stream->stall_timeout != CRIER_NEVER &&
        atomic_load(&stream->transport.waiting) != 0)
        stalled =
            stream->shard->now + stream->stall_timeout - stalled_time(stream);
    if (due > stalled)
        due = stalled;
    if (due > stream->expires)
        due = stream->expires;
    crier__timers_set(&stream->shard->timers, &stream->alive, due);
}

static void send_keep_alive(struct crier_stream *stream)
{
    struct crier_frame *frame = stream->keep_alive_frame;

    crier__stream_offer(stream, frame);
    crier__tally_sent(&stream->shard->tally, 0, frame->length);
}

static void run_alive_timer(struct crier__timer *timer, uint64_t now)
{
    struct crier_stream *stream = STREAM_OF(timer, alive);
    uint64_t last_sent;

    if (stream->ending) {
        crier__stream_cut(stream, CRIER_REASON_SLOW);
        return;
    }
    if (now >= stream->expires) {
        crier__stream_finish(stream, CRIER_REASON_EXPIRED);
        return;
    }
    if (now >= stream->check_due) {
        if (is_peer_dead(stream, now)) {
            crier__stream_cut(stream, CRIER_REASON_DEAD_PEER);
            return;
        }
    }
    if (stream->stall_timeout != CRIER_NEVER &&
        stalled_time(stream) >= stream->stall_timeout) {
        crier__stream_cut(stream, CRIER_REASON_SLOW);
        return;
    }
    last_sent = crier__transport_last_sent(&stream->transport);
    if (now >= last_sent + stream->keep_alive) {
        last_sent = now;
        if (stream->unacked_since == 0) { /* does not postpone a check */
            stream->unacked_since = now;
            stream->check_due = now + allowed_silence(stream);
        }
        /* Pending frames do what a ping would. */
        if (atomic_load(&stream->transport.waiting) == 0)
            send_keep_alive(stream);
        else
            queue_flush(stream);
    }
    if (!stream->over)
        set_alive_timer(stream, last_sent);
}

void crier__stream_keep_alive(struct crier_stream *stream, uint32_t interval)
{
    stream->own_keep_alive = true;
    stream->keep_alive = interval;
    crier__stream_retime(stream);
}

void crier__stream_retime(struct crier_stream *stream)
{
    const struct crier_shards *shards = stream->shard->set;

    if (!stream->own_keep_alive)
        stream->keep_alive = atomic_load(&shards->keep_alive);
    if (!stream->own_stall)
        stream->stall_timeout = atomic_load(&shards->stall_timeout);
    stream->check_due = stream->shard->now + allowed_silence(stream);
    if (stream->attached && !stream->over && !stream->ending)
        set_alive_timer(stream, crier__transport_last_sent(&stream->transport));
}

/* ---- the beginning ---------------------------------------------------- */

static void run_wake_timer(struct crier__timer *timer, uint64_t now)
{
    struct crier_stream *stream = STREAM_OF(timer, wake);

    (void)now;
    if (stream->on_wake != NULL)
        stream->on_wake(stream->closure, stream);
}

static void handle_socket(struct crier__watch *watch, uint32_t events)
{
    struct crier_stream *stream = STREAM_OF(watch, watch);
    int error = 0;

    if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0)
        error = -EPIPE;
    else if ((events & EPOLLIN) != 0) /* only with TLS */
        error = crier__transport_hear(&stream->transport);
    if (error != 0)
        crier__stream_cut(stream, reason_for_error(error));
    else if (!stream->over) /* the socket accepts bytes again */
        queue_flush(stream);
}

/* Adds STREAM to the list of its shard. Returns false when that failed and STREAM was
 * cut. */
static bool add_to_shard(struct crier_stream *stream)
{
    struct crier__shard *shard = stream->shard;

    if (crier__timers_reserve(&shard->timers, TIMERS) != 0) {
        crier__stream_cut(stream, CRIER_REASON_MEMORY);
        return false;
    }
    stream->attached = true;
    DL_APPEND(shard->streams, stream);
    if (crier__transport_watch(&stream->transport, shard->epoll_fd,
                               &stream->watch) != 0) {
        crier__stream_cut(stream, CRIER_REASON_TRANSPORT);
        return false;
    }
    return true;
}

static void run_attach(struct crier__task *task)
{
    struct crier_stream *stream = STREAM_OF(task, attach);
    struct crier__shard *shard = stream->shard;

    stream->begun = true;
    crier__counter_add(&shard->tally.opened[stream->kind], 1);
    if (!stream->headers_out && !stream->cut && !stream->ending)
        stream->reason = CRIER_REASON_UNSENT;
    if (!add_to_shard(stream))
        return;
    if (stream->cut) { /* cut before it had begun */
        if (end_stream(stream, stream->reason))
            crier__shards_over(shard->set);
    } else if (shard->draining) {
        crier__stream_shut_down(stream);
    } else if (stream->ending) { /* closed before its headers were sent */
        crier__timers_set(&shard->timers, &stream->alive,
                          shard->now + LINGER);
    } else {
        crier__stream_retime(stream);
        atomic_store(&stream->notified, false);
        if (atomic_load(&stream->no_room)) /* an earlier look was ignored */
            crier__stream_look(stream);
        if (stream->on_wake != NULL && stream->headers_out)
            stream->on_wake(stream->closure, stream);
    }
}

void crier__stream_begin_life(struct crier_stream *stream)
{
    stream->watch.ready = handle_socket;
    stream->alive.fire = run_alive_timer;
    stream->wake.fire = run_wake_timer;
    stream->attach.run = run_attach;
    stream->close.run = run_close;
    stream->done.run = run_done;
    stream->flush.run = run_flush;
    stream->look.run = run_look;
    stream->reason = CRIER_REASON_TRANSPORT;
}

/* ---- from any thread -------------------------------------------------- */

struct delivery {
    struct crier__task task;
    struct crier_stream *stream;
    struct crier_frame *frame;
};

static void run_delivery(struct crier__task *task)
{
    struct delivery *delivery = (struct delivery *)task;
    struct crier_stream *stream = delivery->stream;

    crier__shards_release(stream->shard->set,
                          crier__frame_cost(delivery->frame));
    if (!stream->over && !stream->ending)
        crier__counter_add(&stream->shard->tally.deliveries, 1);
    crier__stream_append(stream, delivery->frame, SIZE_MAX); /* accepted by the send */
    crier_frame_unref(delivery->frame);
    crier__stream_unref(stream);
    free(delivery);
}

static int refuse_frame(struct crier_stream *stream)
{
    if (stream->on_room != NULL && !atomic_exchange(&stream->no_room, true))
        crier__stream_look(stream);
    return CRIER_ERR_MAX_PENDING;
}

int crier_stream_send(struct crier_stream *stream, struct crier_frame *frame)
{
    struct delivery *delivery;
    size_t cost;
    int error;

    if (stream == NULL || frame == NULL)
        return CRIER_ERR_NULL;
    if (crier__forked(stream->shard->set->born))
        return CRIER_ERR_FORKED;
    if (atomic_load(&stream->closing))
        return CRIER_ERR_CLOSED;
    if (atomic_load_explicit(&stream->transport.waiting,
                             memory_order_relaxed) >= stream->max_pending)
        return refuse_frame(stream);
    cost = crier__frame_cost(frame);
    error = crier__shards_reserve(stream->shard->set, cost);
    if (error != 0)
        return error;
    delivery = malloc(sizeof *delivery);
    if (delivery == NULL) {
        crier__shards_release(stream->shard->set, cost);
        return -ENOMEM;
    }
    atomic_fetch_add_explicit(&stream->transport.waiting, cost,
                              memory_order_relaxed);
    delivery->task.run = run_delivery;
    delivery->stream = crier__stream_ref(stream);
    delivery->frame = crier_frame_ref(frame);
    crier__shard_post(stream->shard, &delivery->task);
    return 0;
}

int crier_stream_printf(struct crier_stream *stream, const char *type,
                        const char *format, ...)
{
    struct crier_frame *frame;
    va_list arguments;
    int error;

    if (stream == NULL)
        return CRIER_ERR_NULL;
    va_start(arguments, format);
    error = crier__frame_vprintf(&frame, type, format, arguments);
    va_end(arguments);
    if (error != 0)
        return error;
    error = crier_stream_send(stream, frame);
    crier_frame_unref(frame);
    return error;
}

uint64_t crier_stream_sent(struct crier_stream *stream)
{
    return stream != NULL ? crier__transport_sent(&stream->transport) : 0;
}

void crier_stream_close(struct crier_stream *stream)
{
    if (stream == NULL || crier__forked(stream->shard->set->born) ||
        atomic_exchange(&stream->closing, true))
        return;
    crier__stream_ref(stream);
    crier__shard_post(stream->shard, &stream->close);
}

void crier_stream_wake(struct crier_stream *stream, uint64_t when)
{
    struct crier__shard *shard;

    if (stream == NULL || stream->over || stream->ending || !stream->attached)
        return;
    shard = stream->shard;
    /* Not within this pass, so that a source that is always due does not starve
     * the other streams. */
    if (when <= shard->now)
        when = shard->now + 1;
    crier__timers_set(&shard->timers, &stream->wake, when);
}

void crier_stream_notify(struct crier_stream *stream)
{
    if (stream == NULL || crier__forked(stream->shard->set->born) ||
        stream->on_wake == NULL || atomic_load(&stream->closing))
        return;
    if (!atomic_exchange(&stream->notified, true))
        crier__stream_look(stream);
}

int crier__stream_give(struct crier_stream *stream, void *owner)
{
    void *none = NULL;

    return atomic_compare_exchange_strong(&stream->joined, &none, owner)
               ? 0
               : CRIER_ERR_JOINED;
}
