/*
 * /ticks and /sse: counters, one per connection; and /updates, a finite response.
 *
 * A counter is a stream with an on_wake. The n-th tick is due at the start plus n times
 * the interval, however late earlier ticks were, so the schedule does not drift.
 */
#include <config.h>

#include "base/number.h"
#include "crier_server.h"
#include "crierd/api/streams.h"
#include "crierd/http/respond.h"
#include "crierd/http/response.h"
#include "crierd/metrics/kinds.h"
#include "demo_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct counter {
    const char *path;
    int (*make_frame)(uint64_t number, struct crier_frame **frame);
    uint64_t interval; /* ms */
    uint64_t offset;   /* the number before the first one */
    uint64_t started;  /* by crier_now(); 0: not yet */
    uint64_t sent;     /* numbers */
};

static int make_tick(uint64_t number, struct crier_frame **frame)
{
    char text[24];

    snprintf(text, sizeof text, "%llu", (unsigned long long)number);
    return crier_frame_text(NULL, text, frame);
}

static int make_counter(uint64_t number, struct crier_frame **frame)
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
static int send_number(struct counter *counter, struct crier_stream *stream)
{
    struct crier_frame *frame;
    int error = counter->make_frame(counter->offset + counter->sent + 1, &frame);

    if (error != 0)
        return error;
    error = crier_stream_send(stream, frame);
    crier_frame_unref(frame);
    if (error == 0)
        counter->sent++;
    return error;
}

static void count_on(void *closure, struct crier_stream *stream)
{
    struct counter *counter = closure;
    int error = 0;

    if (counter->started == 0)
        counter->started = crier_now();
    else
        error = send_number(counter, stream);
    if (demo_may_retry(error))
        crier_stream_wake(stream, crier_now() + DEMO_RETRY);
    else if (error != 0) /* no number may be missing */
        crier_stream_close(stream);
    else
        crier_stream_wake(stream,
                          counter->started +
                          (counter->sent + 1) * counter->interval);
}

static void end_counter(void *closure, struct crier_stream *stream,
                        enum crier_reason reason)
{
    struct counter *counter = closure;

    respond_stream_closed((void *)counter->path, stream, reason);
    free(counter);
}

/* Opens a stream with a copy of TEMPLATE. */
static bool open_counter(struct request *request,
                         const struct counter *template)
{
    struct counter *counter = malloc(sizeof *counter);
    struct stream_start start = {
        .options = {.kind = STREAM_TICKS,
                    .on_wake = count_on,
                    .on_closed = end_counter,
                    .closure = counter},
        .owns_closure = true,
    };

    if (counter == NULL)
        return respond_error(request, -ENOMEM);
    *counter = *template;
    return streams_open(request, &start);
}

bool ticks_get(struct request *request)
{
    const struct uri_text *interval =
        uri_parameter(&request->uri, "interval");
    struct counter counter = {
        .path = "/ticks", .make_frame = make_tick, .interval = 1000};

    if (interval != NULL &&
        !crier__number_read(interval->bytes, 10, 60000, &counter.interval))
        return respond_problem(request, MHD_HTTP_BAD_REQUEST,
                               "interval is not a number of milliseconds from "
                               "10 to 60000");
    return open_counter(request, &counter);
}

bool ticks_get_sse(struct request *request)
{
    struct counter counter = {.path = "/sse",
                              .make_frame = make_counter,
                              .interval = 1000,
                              .offset = request_last_id(request)};

    return open_counter(request, &counter);
}

/* ---- /updates --------------------------------------------------------- */

static void set_update(struct crier_event *event, int number)
{
    char id[16], count[32];
    int length = snprintf(id, sizeof id, "%d", number);

    snprintf(count, sizeof count, "{\"count\":%d}", number);
    crier_event_reset(event);
    crier_event_id(event, id, (size_t)length);
    crier_event_type(event, "update");
    crier_event_text(event, count);
}

static int add_events(struct crier_reply *reply, struct crier_event *event)
{
    int number, error;

    crier_event_type(event, "connected");
    crier_event_text(event, "ready");
    error = crier_reply_add(reply, event);
    for (number = 1; number <= 2 && error == 0; number++) {
        set_update(event, number);
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
        error = add_events(reply, event);
    if (error == 0)
        error = crier_reply_response(reply, &response);
    crier_event_free(event);
    crier_reply_free(reply);
    return error == 0 ? response_send_made(request, MHD_HTTP_OK, response, 0)
                      : respond_error(request, error);
}
