/*
 * A stream: how it is made, and what any thread may do with it. What its shard
 * does is in stream_life.c, how bytes reach the client in transport.c.
 *
 * Life. Three parties hold a reference: the program, MHD (until it frees the
 * response) and the shard. The program's references are counted apart (`held`) and
 * together are one: so one that it gives back twice is not taken from the others.
 *
 *   crier_stream_new   in the access handler; the program sends, joins, queues
 *   attach             posted by the first call of the content reader, that is
 *                      when the headers are out and the handler has returned;
 *                      or with done, when they never are
 *   over               on_closed is called, the broadcaster's list is left
 *   done               posted when MHD has freed the response; the shard's last
 *                      look at the stream
 *
 * A stream is over before it is done when the shard cuts it (its client is gone
 * or too slow), and at done when it ends in peace or by MHD. Nothing is freed within a pass: done lets the
 * last reference go at the pass's end, so events of the same epoll_wait may
 * still name the stream, and later ones cannot, since MHD's release has taken
 * the socket off the epoll set. A program that forgets its response is never done with
 * the stream; drain does not wait for that (see `open` and `held` in shards.h).
 *
 * Looking. Three things happen on the shard once somebody has asked for them: the
 * subscriber's refill and on_room, when little is pending, and on_wake, when another
 * thread wants it. One task serves all: flags say what it is to look for, and whoever
 * sets a flag posts it unless it is posted already.
 *
 * Order. Whatever is sent goes through the shard's inbox as a task; the shard
 * appends it to the stream's pending frames and flushes once per pass. So all
 * that one thread sends arrives in the order sent, whichever way it was
 * addressed, and a burst costs one system call. What goes to many, and is the last
 * that the pass is to bring, is sent at once where nothing is pending: to come by ten
 * thousand streams a second time for that costs more than all else but the send.
 *
 * Bounds. `waiting` counts a frame from crier_stream_send() until the kernel or
 * MHD has it; one that is sent at once only where a rest is left. The rejected
 * alternative, a limit on the pending list alone, would let frames pile up in the
 * inbox without a bound of their own.
 */
#include <config.h>

#include "stream.h"

#include "daemon.h"
#include "libcrier/wire/frame.h"
#include "libcrier/wire/frame_print.h"
#include "finite.h"
#include "shards.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* MHD asks for the body in pieces of this size. All bytes of a plain stream go past
 * it (see transport.c), and the block is part of what an idle client costs. */
#define BLOCK_PLAIN 8
#define BLOCK_TLS 4096

/* The program's state is behind the stream. */
#define STATE_AT                                                              \
    ((sizeof(struct crier_stream) + _Alignof(max_align_t) - 1) /              \
     _Alignof(max_align_t) * _Alignof(max_align_t))
#define STATE_MAX ((size_t)64 * 1024)

#define DEFAULT_PENDING ((size_t)256 * 1024)

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

/* ---- the response's fields -------------------------------------------- */

struct field {
    char name[64], value[300];
};

/* Copies the first field that has room in the struct field CLOSURE. */
static enum MHD_Result copy_field(void *closure, enum MHD_ValueKind kind,
                                  const char *name, const char *value)
{
    struct field *field = closure;

    (void)kind;
    if (strlen(name) >= sizeof field->name ||
        strlen(value) >= sizeof field->value)
        return MHD_YES;
    memcpy(field->name, name, strlen(name) + 1);
    memcpy(field->value, value, strlen(value) + 1);
    return MHD_NO;
}

/* Frees the fields of RESPONSE, which have been sent: MHD looks at them no more, but
 * would keep them as long as the client stays. (They are copied since MHD compares with
 * what it was given after it has freed its own.) */
static void free_fields(struct MHD_Response *response)
{
    struct field field;

    do {
        field.name[0] = '\0';
        MHD_get_response_headers(response, copy_field, &field);
    } while (field.name[0] != '\0' &&
             MHD_del_response_header(response, field.name, field.value) ==
                 MHD_YES);
}

/* ---- MHD's callbacks -------------------------------------------------- */

static void announce(struct crier_stream *stream, bool headers_out)
{
    if (stream->announced)
        return;
    stream->announced = true;
    stream->headers_out = headers_out;
    stream->suspendable = headers_out;
    if (headers_out)
        crier__shards_hold(stream->shard->set);
    crier__shard_post_newcomer(stream->shard, &stream->attach);
}

/* MHD does not suspend the connection any more. */
static void let_go(struct crier_stream *stream)
{
    if (stream->suspendable)
        crier__shards_let_go(stream->shard->set);
    stream->suspendable = false;
}

static ssize_t reader(void *closure, uint64_t position, char *to, size_t max)
{
    struct crier_stream *stream = closure;
    ssize_t result;

    (void)position;
    if (!stream->announced)
        free_fields(stream->response);
    announce(stream, true);
    if (atomic_load(&stream->shard->set->cut)) /* see shards.c, post_cuts */
        crier__transport_cut(&stream->transport, false, false);
    result = crier__transport_read(&stream->transport, to, max);
    if (result < 0)
        let_go(stream);
    return result;
}

static void freed(void *closure)
{
    struct crier_stream *stream = closure;

    if (!stream->armed || crier__forked(stream->shard->set->born))
        return;
    crier__transport_release(&stream->transport);
    atomic_fetch_sub(&stream->shard->set->unfreed, 1);
    let_go(stream);
    announce(stream, false);
    crier__shard_post(stream->shard, &stream->done);
    crier__stream_unref(stream);
}

/* ---- making ----------------------------------------------------------- */

/* Writes a new frame of the comment TEXT to *FRAME: its lines, and no empty one,
 * which several client libraries take for an event (tests/README). */
static int make_comment(const char *text, struct crier_frame **frame)
{
    struct crier_event *event = crier_event_new();
    int error;

    if (event == NULL)
        return -ENOMEM;
    crier_event_comment(event, text);
    error = crier_event_encode(event, frame);
    crier_event_free(event);
    if (error == 0)
        (*frame)->length--;
    return error;
}

/* Makes what is sent when nothing else is. */
static int make_keep_alive(struct crier_stream *stream, const char *text)
{
    bool events = crier__stream_is_events(stream);
    const char *bytes = events ? ":\n" : "\n";

    if (events && text != NULL)
        return make_comment(text, &stream->keep_alive_frame);
    stream->keep_alive_frame = crier__frame_of(bytes, strlen(bytes));
    return stream->keep_alive_frame != NULL ? 0 : -ENOMEM;
}

static int set_options(struct crier_stream *stream,
                       const struct crier_stream_options *options)
{
    const struct crier_shards *shards = stream->shard->set;

    stream->own_keep_alive = options->keep_alive != 0;
    stream->keep_alive = stream->own_keep_alive
                             ? options->keep_alive
                             : atomic_load(&shards->keep_alive);
    if (stream->keep_alive < CRIER__SHORTEST_TIME)
        return CRIER_ERR_INVALID;
    stream->max_pending = options->max_pending != 0 ? options->max_pending
                                                    : DEFAULT_PENDING;
    stream->own_stall = options->stall_timeout != 0;
    stream->stall_timeout = stream->own_stall
                                ? options->stall_timeout
                                : atomic_load(&shards->stall_timeout);
    stream->format = options->format;
    if (stream->stall_timeout < CRIER__SHORTEST_TIME ||
        (unsigned)options->format >= CRIER_FORMATS)
        return CRIER_ERR_INVALID;
    stream->on_wake = options->on_wake;
    stream->on_room = options->on_room;
    stream->on_closed = options->on_closed;
    stream->closure = options->closure;
    if (options->state != 0 && options->closure != NULL)
        return CRIER_ERR_INVALID;
    if (options->state != 0)
        stream->closure = (char *)stream + STATE_AT;
    return make_keep_alive(stream, options->keep_alive_text);
}

/* A new stream that is not known to MHD yet, with one reference. */
static int make(struct crier_shards *shards, struct MHD_Connection *connection,
                const struct crier_stream_options *options,
                struct crier_stream **stream)
{
    struct crier_stream *made;
    int error;

    if (options->state > STATE_MAX)
        return CRIER_ERR_INVALID;
    made = calloc(1, STATE_AT + options->state);
    if (made == NULL)
        return -ENOMEM;
    atomic_init(&made->references, 1);
    atomic_init(&made->held, 1);
    made->shard = crier__shards_choose(shards, options->near);
    crier__stream_begin_life(made);
    error = set_options(made, options);
    if (error == 0)
        error = crier__transport_init(&made->transport, connection,
                                      shards->resume);
    if (error != 0) {
        atomic_fetch_sub(&made->shard->load, 1);
        crier_frame_unref(made->keep_alive_frame);
        free(made);
        return error;
    }
    crier__transport_start(&made->transport, made->keep_alive_frame, false);
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
    if (crier__reply_headers(response, stream->format) != 0 ||
        MHD_set_response_options(response, MHD_RF_HTTP_VERSION_1_0_ONLY,
                                 MHD_RO_END) != MHD_YES) {
        MHD_destroy_response(response);
        return NULL;
    }
    /* From here on MHD and the shard have their references; freeing the
     * response gives both back. */
    crier__stream_ref(stream);
    crier__stream_ref(stream);
    atomic_fetch_add(&stream->shard->set->unfreed, 1);
    stream->armed = true;
    stream->response = response;
    return response;
}

/* Names the fault, which the error does not. */
static void log_daemon(const struct crier_shards *shards,
                       struct MHD_Connection *connection)
{
    const char *reason = NULL;

    if (crier__daemon_check_of(connection, shards->resume != NULL, &reason) == CRIER_ERR_DAEMON)
        crier__shards_mistake(shards, "crier_stream_new(): %s", reason);
}

int crier_stream_new(struct crier_shards *shards,
                     struct MHD_Connection *connection,
                     const struct crier_stream_options *options,
                     struct crier_stream **stream,
                     struct MHD_Response **response)
{
    static const struct crier_stream_options defaults;
    struct MHD_Response *answer;
    struct crier_stream *made;
    int error;

    if (shards == NULL || connection == NULL || stream == NULL ||
        response == NULL)
        return CRIER_ERR_NULL;
    error = crier__shards_enter(shards);
    if (error != 0)
        return error;
    error = make(shards, connection, options != NULL ? options : &defaults,
                 &made);
    if (error == CRIER_ERR_DAEMON)
        log_daemon(shards, connection);
    if (error != 0)
        goto leave;
    answer = make_response(made);
    if (answer != NULL) {
        *stream = made;
        *response = answer;
        return 0;
    }
    atomic_fetch_sub(&made->shard->load, 1);
    crier__stream_unref(made);
    error = -ENOMEM;
leave:
    crier__shards_leave(shards);
    crier__shards_over(shards);
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
    crier__stream_append(stream, delivery->frame, SIZE_MAX); /* let in by the send */
    crier_frame_unref(delivery->frame);
    crier__stream_unref(stream);
    free(delivery);
}

static int refuse_full(struct crier_stream *stream)
{
    if (stream->on_room != NULL && !atomic_exchange(&stream->no_room, true))
        crier__stream_look(stream);
    return CRIER_ERR_FULL;
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
        return refuse_full(stream);
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
    delivery->task.run = deliver;
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
    /* Never within this pass, so that a source that is always due leaves the
     * others their turn. */
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
