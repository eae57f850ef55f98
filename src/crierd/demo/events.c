/*
 * /events: everything posted here is broadcast to all subscribers. It is the topic
 * "events" under another path; its streams begin with a greeting.
 */
#include <config.h>

#include "crierd/api/publish.h"
#include "crierd/api/streams.h"
#include "crierd/config/conf.h"
#include "crierd/http/respond.h"
#include "crierd/metrics/kinds.h"
#include "demo_parts.h"

#include <errno.h>

#define TOPIC "events"

bool events_get(struct request *request)
{
    struct stream_start start = {
        .options = {.kind = STREAM_EVENTS,
                    .on_closed = respond_stream_closed,
                    .closure = (void *)"/events"},
        .begin = streams_subscribe,
        .subscription = {.topics = TOPIC},
    };
    bool result;
    int error;

    if (!streams_read_start(request, &start.subscription))
        return request->result;
    error = crier_frame_text(NULL, "connected", &start.subscription.hello);
    if (error != 0)
        return respond_error(request, error);
    result = streams_open(request, &start);
    crier_frame_unref(start.subscription.hello);
    return result;
}

static bool respond_posted(struct request *request,
                           const struct deferred *deferred)
{
    return deferred->error == 0
               ? respond_text(request, MHD_HTTP_OK, "msg sent")
               : respond_failure(request, deferred->error, deferred->reason);
}

static bool publish_text(struct request *request, const char *text,
                         size_t length)
{
    const struct crier_publish_options options = {0};
    struct crier_event *event = crier_event_new();
    bool result;

    if (event == NULL)
        return respond_error(request, -ENOMEM);
    crier_event_data(event, text, length);
    result = publish_event(request, TOPIC, event, &options, 0, respond_posted);
    crier_event_free(event);
    return result;
}

bool events_post(struct request *request)
{
    return publish_text(request, request->body, request->body_length);
}

bool events_post_by_get(struct request *request)
{
    if (!conf_current()->get_publish)
        return respond_problem(request, MHD_HTTP_FORBIDDEN,
                               "publishing by GET is disabled; POST the text to "
                               "/events");
    if (request->head)
        return respond_empty(request, MHD_HTTP_OK);
    return publish_text(request, request->argument->bytes,
                        request->argument->length);
}
