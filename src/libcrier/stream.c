/*
 * A stream: its life, its order, its keep-alive. How bytes reach the client is
 * transport.c's part, whom a frame goes to the broadcaster's.
 *
 * Life. Three parties hold a reference: the program (crier_stream_unref), MHD
 * (until it frees the response) and the shard.
 *
 *   crier_stream_new   in the access handler; the program sends, joins, queues
 *   attach             posted by the first call of the content reader, that is
 *                      when the headers are out and the handler has returned
 *   over               on_closed is called, the broadcaster's list is left
 *   done               posted when MHD has freed the response; the shard's last
 *                      look at the stream
 *
 * A stream is over before it is done when the shard finds its client gone, and
 * at done in every other case. Nothing is freed within a pass: done lets the
 * last reference go at the pass's end, so events of the same epoll_wait may
 * still name the stream, and later ones cannot, since MHD's release has taken
 * the socket off the epoll set.
 *
 * Order. Whatever is sent goes through the shard's inbox as a task; the shard
 * appends it to the stream's pending frames and flushes once per pass. So all
 * that one thread sends arrives in the order sent, whichever way it was
 * addressed, and a burst costs one system call.
 *
 * Bounds. `waiting` counts a frame from crier_stream_send() until the kernel or
 * MHD has it. The rejected alternative, a limit on the pending list alone, would
 * let frames pile up in the inbox without a bound of their own.
 *
 * A client that vanished acknowledges nothing. TCP_USER_TIMEOUT would end such a
 * connection for free, but it also ends one whose client is merely slow and
 * keeps its window closed; so the shard asks TCP itself (TCP_INFO) whether bytes
 * are out and how long the peer has been silent.
 */
#include <config.h>

#include "stream.h"

#include "frame.h"
#include "reply.h"
#include "shards.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <utlist.h>

/* MHD asks for the body in pieces of this size. Almost all bytes go past it (see
 * transport.c), so a plain stream needs no more than a foothold, and the block
 * is part of what an idle client costs. */
#define BLOCK_PLAIN 512
#define BLOCK_TLS 4096

#define DEFAULT_KEEP_ALIVE 15000
#define SHORTEST_KEEP_ALIVE 10
#define DEFAULT_PENDING ((size_t)256 * 1024)

/* How long a closed stream may take to deliver what is pending. */
#define LINGER 10000

/* No peer is given up for a silence shorter than this: a delayed
 * acknowledgement alone may take 200 ms, a retransmission more. */
#define SHORTEST_SILENCE 1000

/* TCP_INFO counts in jiffies, which may be 10 ms each. */
#define ROUGHLY 20

#define OF(pointer, member)                                                   \
    ((struct crier_stream *)((char *)(pointer) -                              \
                             offsetof(struct crier_stream, member)))

/* Two timers each. */
#define TIMERS 2

struct crier_stream *crier_stream_ref(struct crier_stream *stream)
{
    atomic_fetch_add_explicit(&stream->references, 1, memory_order_relaxed);
    return stream;
}

void crier_stream_unref(struct crier_stream *stream)
{
    if (stream == NULL ||
        atomic_fetch_sub_explicit(&stream->references, 1,
                                  memory_order_acq_rel) != 1)
        return;
    crier__transport_done(&stream->transport);
    crier_frame_unref(stream->keep_alive_frame);
    free(stream);
}

/* ---- the end ---------------------------------------------------------- */

static void over(struct crier_stream *stream, enum crier_reason reason)
{
    struct crier__timers *timers = &stream->shard->timers;

    if (stream->over)
        return;
    stream->over = true;
    atomic_store(&stream->closing, true);
    crier__timers_set(timers, &stream->alive, CRIER__NO_TIME);
    crier__timers_set(timers, &stream->wake, CRIER__NO_TIME);
    if (stream->leave != NULL)
        stream->leave(stream);
    if (stream->on_closed != NULL)
        stream->on_closed(stream->closure, stream, reason);
}

void crier__stream_cut(struct crier_stream *stream, enum crier_reason reason)
{
    /* What the kernel holds for a client that takes nothing is worth nothing. */
    bool reset = reason == CRIER_REASON_VANISHED ||
                 reason == CRIER_REASON_SLOW;

    crier__transport_cut(&stream->transport, reset);
    over(stream, reason);
}

static void let_go(struct crier__task *task)
{
    crier_stream_unref(OF(task, done));
}

static void done(struct crier__task *task)
{
    struct crier_stream *stream = OF(task, done);
    struct crier__shard *shard = stream->shard;

    over(stream, stream->reason);
    if (stream->attached) {
        DL_DELETE(shard->streams, stream);
        crier__timers_release(&shard->timers, TIMERS);
    }
    crier__shards_leave(shard->set);
    task->run = let_go;
    crier__shard_later(shard, task);
}

/* ---- sending, on the shard's thread ----------------------------------- */

static void flush(struct crier__task *task)
{
    struct crier_stream *stream = OF(task, flush);

    int error;

    stream->dirty = false;
    error = crier__transport_flush(&stream->transport);
    if (error == -ETIMEDOUT)
        crier__stream_cut(stream, CRIER_REASON_VANISHED);
    else if (error != 0)
        crier__stream_cut(stream, CRIER_REASON_LEFT);
}

static void make_dirty(struct crier_stream *stream)
{
    if (stream->dirty)
        return;
    stream->dirty = true;
    crier__shard_later(stream->shard, &stream->flush);
}

/* Appends FRAME, whose cost is counted already. */
static void append(struct crier_stream *stream, struct crier_frame *frame)
{
    if (stream->over || stream->ending)
        return;
    if (crier__transport_push(&stream->transport, frame) != 0)
        crier__stream_cut(stream, CRIER_REASON_MEMORY);
    else
        make_dirty(stream);
}

void crier__stream_offer(struct crier_stream *stream,
                         struct crier_frame *frame)
{
    atomic_size_t *waiting = &stream->transport.waiting;

    if (stream->over || stream->ending)
        return;
    if (atomic_load_explicit(waiting, memory_order_relaxed) >=
        stream->max_pending) {
        crier__stream_cut(stream, CRIER_REASON_SLOW);
        return;
    }
    atomic_fetch_add_explicit(waiting, crier__frame_cost(frame),
                              memory_order_relaxed);
    append(stream, frame);
}

/* Takes no more frames in, ends after those that are in. */
static void end(struct crier_stream *stream, enum crier_reason reason)
{
    if (stream->over || stream->ending)
        return;
    stream->ending = true;
    stream->reason = reason;
    atomic_store(&stream->closing, true);
    crier__transport_end(&stream->transport);
    crier__timers_set(&stream->shard->timers, &stream->wake, CRIER__NO_TIME);
    if (stream->attached)
        crier__timers_set(&stream->shard->timers, &stream->alive,
                          stream->shard->now + LINGER);
    make_dirty(stream);
}

static void close_task(struct crier__task *task)
{
    struct crier_stream *stream = OF(task, close);

    end(stream, CRIER_REASON_APP);
    crier_stream_unref(stream);
}

void crier__stream_goodbye(struct crier_stream *stream)
{
    struct crier__shard *shard = stream->shard;
    struct crier_event *event = crier_event_new();
    struct crier_frame *frame;
    uint32_t random = 0;

    (void)getrandom(&random, sizeof random, GRND_NONBLOCK);
    if (event != NULL) {
        crier_event_retry(event, shard->retry_min +
                                     random % (shard->retry_max -
                                               shard->retry_min + 1));
        if (crier_event_encode(event, &frame) == 0) {
            atomic_fetch_add(&stream->transport.waiting,
                             crier__frame_cost(frame));
            append(stream, frame);
            crier_frame_unref(frame);
        }
        crier_event_free(event);
    }
    end(stream, CRIER_REASON_GOODBYE);
}

/* ---- keep-alive ------------------------------------------------------- */

static uint32_t silence_allowed(const struct crier_stream *stream)
{
    uint32_t allowed = stream->keep_alive / 4 * 3;

    return allowed > SHORTEST_SILENCE ? allowed : SHORTEST_SILENCE;
}

/* Whether the peer has acknowledged nothing since the last check, though there
 * was something to acknowledge. */
static bool vanished(struct crier_stream *stream, uint64_t now)
{
    uint32_t silence;
    uint64_t since = stream->unacked_since;

    stream->unacked_since = 0;
    if (!crier__transport_unacked(&stream->transport, &silence))
        return false;
    stream->unacked_since = now;
    return since != 0 && now - since >= silence_allowed(stream) &&
           silence + ROUGHLY >= now - since;
}

/* Sets the timer to what comes first: the ping or the check. */
static void set_alive(struct crier_stream *stream, uint64_t last_sent)
{
    uint64_t due = CRIER__NO_TIME;

    if (stream->keep_alive != CRIER_NEVER) {
        due = last_sent + stream->keep_alive;
        if (due > stream->check_due)
            due = stream->check_due;
    }
    crier__timers_set(&stream->shard->timers, &stream->alive, due);
}

static void alive(struct crier__timer *timer, uint64_t now)
{
    struct crier_stream *stream = OF(timer, alive);
    uint64_t last_sent;
    bool pending;

    if (stream->ending) {
        crier__stream_cut(stream, CRIER_REASON_SLOW);
        return;
    }
    if (now >= stream->check_due) {
        if (vanished(stream, now)) {
            crier__stream_cut(stream, CRIER_REASON_VANISHED);
            return;
        }
        stream->check_due = now + silence_allowed(stream);
    }
    last_sent = crier__transport_last_sent(&stream->transport, &pending);
    if (now >= last_sent + stream->keep_alive) {
        last_sent = now;
        stream->check_due = now + silence_allowed(stream);
        if (stream->unacked_since == 0)
            stream->unacked_since = now;
        if (!pending) /* else the client is slow, and bytes are on their way */
            crier__stream_offer(stream, stream->keep_alive_frame);
    }
    if (!stream->over)
        set_alive(stream, last_sent);
}

void crier__stream_keep_alive(struct crier_stream *stream, uint32_t interval)
{
    bool pending;

    stream->keep_alive = interval;
    stream->check_due = stream->shard->now + silence_allowed(stream);
    if (stream->attached && !stream->over && !stream->ending)
        set_alive(stream, crier__transport_last_sent(&stream->transport,
                                                     &pending));
}

/* ---- the beginning ---------------------------------------------------- */

static void woken(struct crier__timer *timer, uint64_t now)
{
    struct crier_stream *stream = OF(timer, wake);

    (void)now;
    if (stream->on_wake != NULL)
        stream->on_wake(stream->closure, stream);
}

static void ready(struct crier__watch *watch)
{
    crier__stream_cut(OF(watch, watch), CRIER_REASON_LEFT);
}

static void attach(struct crier__task *task)
{
    struct crier_stream *stream = OF(task, attach);
    struct crier__shard *shard = stream->shard;

    if (crier__timers_reserve(&shard->timers, TIMERS) != 0) {
        crier__stream_cut(stream, CRIER_REASON_MEMORY);
        return;
    }
    stream->attached = true;
    DL_APPEND(shard->streams, stream);
    if (crier__transport_watch(&stream->transport, shard->epoll_fd,
                               &stream->watch) != 0) {
        crier__stream_cut(stream, CRIER_REASON_TRANSPORT);
        return;
    }
    if (shard->draining) {
        crier__stream_goodbye(stream);
        return;
    }
    if (stream->over)
        return;
    if (stream->ending) { /* closed before the headers were out */
        crier__timers_set(&shard->timers, &stream->alive,
                          shard->now + LINGER);
        return;
    }
    crier__stream_keep_alive(stream, stream->keep_alive);
    if (stream->on_wake != NULL)
        stream->on_wake(stream->closure, stream);
}

static void announce(struct crier_stream *stream)
{
    if (stream->announced)
        return;
    stream->announced = true;
    crier__shard_post(stream->shard, &stream->attach);
}

static ssize_t reader(void *closure, uint64_t position, char *to, size_t max)
{
    struct crier_stream *stream = closure;

    (void)position;
    announce(stream);
    return crier__transport_read(&stream->transport, to, max);
}

static void freed(void *closure)
{
    struct crier_stream *stream = closure;

    crier__transport_release(&stream->transport);
    announce(stream);
    crier__shard_post(stream->shard, &stream->done);
    crier_stream_unref(stream);
}

static int set_options(struct crier_stream *stream,
                       const struct crier_stream_options *options)
{
    const char *text = options->keep_alive_text;
    struct crier_event *event;
    int error;

    stream->keep_alive = options->keep_alive != 0 ? options->keep_alive
                                                  : DEFAULT_KEEP_ALIVE;
    if (stream->keep_alive < SHORTEST_KEEP_ALIVE)
        return CRIER_ERR_INVALID;
    stream->max_pending = options->max_pending != 0 ? options->max_pending
                                                    : DEFAULT_PENDING;
    stream->on_wake = options->on_wake;
    stream->on_closed = options->on_closed;
    stream->closure = options->closure;
    event = crier_event_new();
    if (event == NULL)
        return -ENOMEM;
    crier_event_comment(event, text != NULL ? text : "");
    error = crier_event_encode(event, &stream->keep_alive_frame);
    crier_event_free(event);
    return error;
}

/* A new stream that is not known to MHD yet, with one reference. */
static int make(struct crier_shards *shards, struct MHD_Connection *connection,
                const struct crier_stream_options *options,
                struct crier_stream **stream)
{
    struct crier_stream *made = calloc(1, sizeof *made);
    int error;

    if (made == NULL)
        return -ENOMEM;
    atomic_init(&made->references, 1);
    made->shard = &shards->shards[atomic_fetch_add(&shards->next, 1) %
                                  shards->count];
    made->watch.ready = ready;
    made->alive.fire = alive;
    made->wake.fire = woken;
    made->attach.run = attach;
    made->close.run = close_task;
    made->done.run = done;
    made->flush.run = flush;
    made->reason = CRIER_REASON_TRANSPORT;
    error = set_options(made, options);
    if (error == 0)
        error = crier__transport_init(&made->transport, connection);
    if (error != 0) {
        crier_frame_unref(made->keep_alive_frame);
        free(made);
        return error;
    }
    *stream = made;
    return 0;
}

/* HTTP/1.1 with a body that ends with the connection, not in chunks. */
static struct MHD_Response *make_response(struct crier_stream *stream)
{
    struct MHD_Response *response;

    response = MHD_create_response_from_callback(
        MHD_SIZE_UNKNOWN, stream->transport.tls ? BLOCK_TLS : BLOCK_PLAIN,
        reader, stream, freed);
    if (response == NULL)
        return NULL;
    /* From here on MHD and the shard have their references; destroying the
     * response gives both back. */
    crier_stream_ref(stream);
    crier_stream_ref(stream);
    if (crier__reply_headers(response) != 0 ||
        MHD_set_response_options(response, MHD_RF_HTTP_VERSION_1_0_ONLY,
                                 MHD_RO_END) != MHD_YES) {
        stream->on_closed = NULL;
        MHD_destroy_response(response);
        return NULL;
    }
    return response;
}

int crier_stream_new(struct crier_shards *shards,
                     struct MHD_Connection *connection,
                     const struct crier_stream_options *options,
                     struct crier_stream **stream,
                     struct MHD_Response **response)
{
    static const struct crier_stream_options defaults;
    struct crier_stream *made;
    int error = crier__shards_enter(shards);

    if (error != 0)
        return error;
    error = make(shards, connection, options != NULL ? options : &defaults,
                 &made);
    if (error != 0)
        goto leave;
    *response = make_response(made);
    if (*response == NULL) {
        error = -ENOMEM;
        goto unref;
    }
    *stream = made;
    return 0;
unref:
    crier_stream_unref(made);
leave:
    crier__shards_leave(shards);
    return error;
}

/* ---- from any thread -------------------------------------------------- */

struct delivery {
    struct crier__task task;
    struct crier_stream *stream;
    struct crier_frame *frame;
};

static void deliver(struct crier__task *task)
{
    struct delivery *delivery = (struct delivery *)task;
    struct crier_stream *stream = delivery->stream;

    crier__shards_release(stream->shard->set,
                          crier__frame_cost(delivery->frame));
    append(stream, delivery->frame);
    crier_frame_unref(delivery->frame);
    crier_stream_unref(stream);
    free(delivery);
}

int crier_stream_send(struct crier_stream *stream, struct crier_frame *frame)
{
    size_t cost = crier__frame_cost(frame);
    struct delivery *delivery;
    int error;

    if (atomic_load(&stream->closing))
        return CRIER_ERR_CLOSED;
    if (atomic_load_explicit(&stream->transport.waiting,
                             memory_order_relaxed) >= stream->max_pending)
        return CRIER_ERR_FULL;
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
    delivery->task.run = deliver;
    delivery->stream = crier_stream_ref(stream);
    delivery->frame = crier_frame_ref(frame);
    crier__shard_post(stream->shard, &delivery->task);
    return 0;
}

void crier_stream_close(struct crier_stream *stream)
{
    if (atomic_exchange(&stream->closing, true))
        return;
    crier_stream_ref(stream);
    crier__shard_post(stream->shard, &stream->close);
}

void crier_stream_wake(struct crier_stream *stream, uint64_t when)
{
    struct crier__shard *shard = stream->shard;

    if (stream->over || stream->ending || !stream->attached)
        return;
    /* Never within this pass, so that a source that is always due leaves the
     * others their turn. */
    if (when <= shard->now)
        when = shard->now + 1;
    crier__timers_set(&shard->timers, &stream->wake, when);
}
