/*
 * How a stream is made: the stream, its response, and the callbacks by which MHD asks
 * for the body and frees the response. What happens in between is in stream.c.
 */
#include <config.h>

#include "stream.h"

#include "daemon.h"
#include "libcrier/wire/frame.h"
#include "finite.h"
#include "shards.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* The size of the pieces in which MHD asks for the body. All bytes bypass it (see
 * transport.c), and the block is part of the cost of an idle client. */
#define BLOCK 8

/* The program's state is behind the stream. */
#define STATE_AT                                                              \
    ((sizeof(struct crier_stream) + _Alignof(max_align_t) - 1) /              \
     _Alignof(max_align_t) * _Alignof(max_align_t))
#define STATE_MAX ((size_t)64 * 1024)

#define DEFAULT_PENDING ((size_t)256 * 1024)

/* ---- the response's fields -------------------------------------------- */

struct field {
    char name[64], value[300];
};

/* Copies the first field that fits into the struct field CLOSURE. */
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

/* Frees the fields of RESPONSE, which have been sent: MHD does not use them any more,
 * but would keep them as long as the client stays. (They are copied first, because MHD
 * compares with its argument after it has freed its own text.) */
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

static void announce_stream(struct crier_stream *stream, bool headers_out)
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

/* MHD will not suspend the connection any more. */
static void end_suspending(struct crier_stream *stream)
{
    if (stream->suspendable)
        crier__shards_let_go(stream->shard->set);
    stream->suspendable = false;
}

static ssize_t read_body_bytes(void *closure, uint64_t position, char *to, size_t max)
{
    struct crier_stream *stream = closure;
    ssize_t result;

    (void)position;
    (void)to;
    (void)max;
    if (!stream->announced)
        free_fields(stream->response);
    announce_stream(stream, true);
    if (atomic_load(&stream->shard->set->cut)) /* see shards.c, post_cuts */
        crier__transport_cut(&stream->transport, false, false);
    result = crier__transport_read(&stream->transport);
    if (result < 0)
        end_suspending(stream);
    return result;
}

static void free_response_stream(void *closure)
{
    struct crier_stream *stream = closure;

    if (!stream->armed || crier__forked(stream->shard->set->born))
        return;
    crier__transport_release(&stream->transport);
    atomic_fetch_sub(&stream->shard->set->unfreed, 1);
    end_suspending(stream);
    announce_stream(stream, false);
    crier__shard_post(stream->shard, &stream->done);
    crier__stream_unref(stream);
}

/* ---- making ----------------------------------------------------------- */

/* Writes a new frame with the comment TEXT to *FRAME: its lines without an empty one,
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

/* Makes the frame that is sent when nothing else is. */
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
    stream->expires = options->expires != 0 ? options->expires : CRIER__NO_TIME;
    stream->format = options->format;
    stream->kind = (uint8_t)options->kind;
    if (stream->stall_timeout < CRIER__SHORTEST_TIME ||
        (unsigned)options->format >= CRIER_FORMATS ||
        options->kind >= CRIER_STREAM_KINDS)
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

/* Writes a new stream, with one reference, to *STREAM. MHD does not know it yet. */
static int make_stream(struct crier_shards *shards, struct MHD_Connection *connection,
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
    made->shard = crier__shards_choose(shards, options->affinity);
    crier__stream_begin_life(made);
    error = set_options(made, options);
    if (error == 0)
        error = crier__transport_init(&made->transport, connection,
                                      shards->resume, &made->shard->tally.sent);
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

/* The response is HTTP/1.1, and its body ends with the connection instead of being in
 * chunks. */
static struct MHD_Response *make_stream_response(struct crier_stream *stream)
{
    struct MHD_Response *response;

    response = MHD_create_response_from_callback(
        MHD_SIZE_UNKNOWN, BLOCK, read_body_bytes, stream, free_response_stream);
    if (response == NULL)
        return NULL;
    if (crier__reply_headers(response, stream->format) != 0 ||
        MHD_set_response_options(response, MHD_RF_HTTP_VERSION_1_0_ONLY,
                                 MHD_RO_END) != MHD_YES) {
        MHD_destroy_response(response);
        return NULL;
    }
    /* From here on MHD and the shard have their references; freeing the response gives
     * both back. */
    crier__stream_ref(stream);
    crier__stream_ref(stream);
    atomic_fetch_add(&stream->shard->set->unfreed, 1);
    stream->armed = true;
    stream->response = response;
    return response;
}

/* Logs what is wrong with the daemon, which the error does not tell. */
static void log_daemon(const struct crier_shards *shards,
                       struct MHD_Connection *connection)
{
    const char *reason = NULL;
    int error = crier__daemon_check_of(connection, shards->resume != NULL, &reason);

    if (error == CRIER_ERR_DAEMON)
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
    error = make_stream(shards, connection, options != NULL ? options : &defaults,
                        &made);
    if (error == CRIER_ERR_DAEMON)
        log_daemon(shards, connection);
    if (error != 0)
        goto leave;
    answer = make_stream_response(made);
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
