/*
 * /ticks and /sse: counters, one per connection; and /updates, the finite reply.
 *
 * A counter is a stream with an on_wake. The n-th tick is due at start + n times
 * the interval, whatever the ticks before it cost, so the schedule does not
 * drift.
 */
#include <config.h>

#include "base/number.h"
#include "crierd/http/response.h"
#include "demo_parts.h"
#include "crierd/log/log.h"
#include "crierd/http/respond.h"
#include "crierd/http/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct counter {
    const char *path;
    int (*frame)(uint64_t number, struct crier_frame **frame);
    uint64_t interval;
    uint64_t offset;  /* the number before the first one */
    uint64_t started; /* 0: not yet */
    uint64_t sent;
};

static int tick_frame(uint64_t number, struct crier_frame **frame)
{
    char text[24];

    snprintf(text, sizeof text, "%llu", (unsigned long long)number);
    return crier_frame_text(NULL, text, frame);
}

static int sse_frame(uint64_t number, struct crier_frame **frame)
{
    struct crier_event *event = crier_event_new();
    char text[48];
    int length, error;

    if (event == NULL)
        return -ENOMEM;
    length = snprintf(text, sizeof text, "%llu", (unsigned long long)number);
    crier_event_id(event, text, (size_t)length);
    crier_event_type(event, "message");
    snprintf(text, sizeof text, "{\"counter\":%llu}",
             (unsigned long long)number);
    crier_event_text(event, text);
    error = crier_event_encode(event, frame);
    crier_event_free(event);
    return error;
}

/* Sends the next number. */
static int send_next(struct counter *counter, struct crier_stream *stream)
{
    struct crier_frame *frame;
    int error = counter->frame(counter->offset + counter->sent + 1, &frame);

    if (error != 0)
        return error;
    error = crier_stream_send(stream, frame);
    crier_frame_unref(frame);
    if (error == 0)
        counter->sent++;
    return error;
}

static void woken(void *closure, struct crier_stream *stream)
{
    struct counter *counter = closure;
    int error = 0;

    if (counter->started == 0)
        counter->started = crier_now();
    else
        error = send_next(counter, stream);
    if (demo_may_retry(error))
        crier_stream_wake(stream, crier_now() + DEMO_RETRY);
    else if (error != 0) /* a number must not be missing: end instead */
        crier_stream_close(stream);
    else
        crier_stream_wake(stream,
                          counter->started +
                              (counter->sent + 1) * counter->interval);
}

static void closed(void *closure, struct crier_stream *stream,
                   enum crier_reason reason)
{
    struct counter *counter = closure;

    respond_stream_closed((void *)counter->path, stream, reason);
    free(counter);
}

static bool count(struct request *request, const struct counter *template)
{
    struct counter *counter = malloc(sizeof *counter);
    struct crier_stream_options options = {
        .keep_alive = request->server->conf->keep_alive,
        .on_wake = woken,
        .on_closed = closed,
        .closure = counter,
    };
    struct MHD_Response *response;
    struct crier_stream *stream;

    if (counter == NULL)
        return respond_error(request, -ENOMEM);
    *counter = *template;
    if (!respond_stream(request, &options, &stream, &response)) {
        free(counter);
        return request->result;
    }
    crier_stream_unref(stream);
    return response_stream(request, response);
}

bool ticks_get(struct request *request)
{
    const struct uri_text *interval =
        uri_parameter(&request->uri, "interval");
    struct counter counter = {
        .path = "/ticks", .frame = tick_frame, .interval = 1000};

    if (interval != NULL &&
        !crier__number_read(interval->bytes, 10, 60000, &counter.interval))
        return respond_problem(request, MHD_HTTP_BAD_REQUEST,
                             "interval is not a number of milliseconds from "
                             "10 to 60000");
    return count(request, &counter);
}

bool ticks_get_sse(struct request *request)
{
    struct counter counter = {.path = "/sse",
                              .frame = sse_frame,
                              .interval = 1000,
                              .offset = request_last_id(request)};

    return count(request, &counter);
}

/* ---- /updates --------------------------------------------------------- */

static void fill_update(struct crier_event *event, int number)
{
    char id[16], count[32];
    int length = snprintf(id, sizeof id, "%d", number);

    snprintf(count, sizeof count, "{\"count\":%d}", number);
    crier_event_reset(event);
    crier_event_id(event, id, (size_t)length);
    crier_event_type(event, "update");
    crier_event_text(event, count);
}

static int fill(struct crier_reply *reply, struct crier_event *event)
{
    int number, error;

    crier_event_type(event, "connected");
    crier_event_text(event, "ready");
    error = crier_reply_add(reply, event);
    for (number = 1; number <= 2 && error == 0; number++) {
        fill_update(event, number);
        error = crier_reply_add(reply, event);
    }
    if (error != 0)
        return error;
    crier_event_reset(event);
    crier_event_comment(event, "keep-alive");
    return crier_reply_add(reply, event);
}

bool ticks_get_updates(struct request *request)
{
    struct crier_reply *reply = crier_reply_new();
    struct crier_event *event = crier_event_new();
    struct MHD_Response *response;
    int error = -ENOMEM;

    if (reply != NULL && event != NULL)
        error = fill(reply, event);
    if (error == 0)
        error = crier_reply_response(reply, &response);
    crier_event_free(event);
    crier_reply_free(reply);
    return error == 0 ? response_send_made(request, MHD_HTTP_OK, response)
                      : respond_error(request, error);
}
