/*
 * /events: what anybody posts, to everybody who follows it. It is the topic
 * "events" under another name, with a greeting.
 */
#include <config.h>

#include "crierd/http/response.h"
#include "crierd/api/api.h"
#include "demo_parts.h"
#include "crierd/api/publish.h"
#include "crierd/http/deferred.h"
#include "crierd/http/respond.h"

#include <errno.h>

#define TOPIC "events"

bool events_get(struct request *request)
{
    struct crier_stream_options options = {
        .keep_alive = request->server->conf->ping,
        .on_closed = respond_stream_closed,
        .closure = (void *)"/events",
    };
    struct crier_subscribe_options follow = {.topics = TOPIC};
    struct MHD_Response *response;
    struct crier_stream *stream;
    int error;

    if (!api_start(request, &follow) ||
        !respond_stream(request, &options, &stream, &response))
        return request->result;
    follow.response = response;
    error = crier_frame_text(NULL, "connected", &follow.hello);
    if (error == 0)
        error = crier_hub_subscribe(request->server->hub, stream, &follow);
    crier_frame_unref(follow.hello);
    crier_stream_unref(stream);
    if (error == 0)
        return response_stream(request, response);
    MHD_destroy_response(response);
    return respond_error(request, error);
}

static bool answer(struct request *request, const struct deferred *deferred)
{
    return deferred->error == 0
               ? respond_text(request, MHD_HTTP_OK, "msg sent")
               : respond_failure(request, deferred->error, deferred->reason);
}

static bool publish(struct request *request, const char *message,
                    size_t length)
{
    struct crier_event *event = crier_event_new();
    bool result;

    if (event == NULL)
        return respond_error(request, -ENOMEM);
    crier_event_data(event, message, length);
    result = publish_deferred(request, TOPIC, event, false, 0, answer);
    crier_event_free(event);
    return result;
}

bool events_post(struct request *request)
{
    return publish(request, request->body, request->body_length);
}

bool events_post_by_get(struct request *request)
{
    if (!request->server->conf->get_publish)
        return respond_problem(request, MHD_HTTP_FORBIDDEN,
                             "publishing by GET is switched off here; POST "
                             "the message to /events");
    if (request->head)
        return respond_empty(request, MHD_HTTP_OK);
    return publish(request, request->argument->bytes,
                   request->argument->length);
}
