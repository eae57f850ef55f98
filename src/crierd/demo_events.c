/*
 * /events: the broadcast. Whoever follows it hears what anybody posts.
 */
#include <config.h>

#include "demo.h"
#include "reply.h"

enum MHD_Result demo_events(struct request *request)
{
    struct crier_stream_options options = {.on_closed = reply_stream_closed,
                                           .closure = (void *)"/events"};
    struct MHD_Response *response;
    struct crier_stream *stream;
    struct crier_frame *hello;
    int error;

    if (!reply_open(request, &options, &stream, &response))
        return request->result;
    error = crier_frame_text(NULL, "connected", &hello);
    if (error == 0) {
        error = crier_broadcaster_join(request->server->events, stream, NULL,
                                       hello);
        crier_frame_unref(hello);
    }
    crier_stream_unref(stream);
    if (error == 0)
        return reply_stream(request, response);
    MHD_destroy_response(response);
    return reply_error(request, error);
}

static enum MHD_Result publish(struct request *request, const char *message,
                               size_t length)
{
    struct crier_event *event = crier_event_new();
    struct crier_frame *frame;
    long sent;
    int error;

    if (event == NULL)
        return reply_problem(request, MHD_HTTP_SERVICE_UNAVAILABLE,
                             "the server is short of memory");
    crier_event_data(event, message, length);
    error = crier_event_encode(event, &frame);
    crier_event_free(event);
    if (error != 0)
        return reply_error(request, error);
    sent = crier_broadcaster_send(request->server->events, frame);
    crier_frame_unref(frame);
    return sent >= 0 ? reply_text(request, MHD_HTTP_OK, "msg sent")
                     : reply_error(request, (int)sent);
}

enum MHD_Result demo_events_post(struct request *request)
{
    return publish(request, request->body, request->body_length);
}

enum MHD_Result demo_events_get(struct request *request)
{
    if (!request->server->conf->get_publish)
        return reply_problem(request, MHD_HTTP_FORBIDDEN,
                             "publishing by GET is switched off here; POST "
                             "the message to /events");
    if (request->head)
        return reply_empty(request, MHD_HTTP_OK);
    return publish(request, request->argument->bytes,
                   request->argument->length);
}
