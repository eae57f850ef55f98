/*
 * Streams as responses: opens one, subscribes it, and sends its response.
 *
 * A handler fills in a struct stream_start. The order here is the same for all: the
 * response exists before the stream is subscribed, since a subscription adds fields to
 * it, and is sent last, when nothing can fail any more.
 *
 * A stream has the rights of the token that it was opened with: it is sent the private
 * updates of that token's grants, and it ends when the token expires. (So an EventSource
 * reconnects with the old token, gets 401, and does not try again.) That the key of the
 * token was removed since, by a reload, does not end it.
 */
#include <config.h>

#include "streams.h"

#include "base/clock.h"
#include "crier_server.h"
#include "crierd/http/deferred.h"
#include "crierd/http/respond.h"
#include "crierd/http/response.h"
#include "parameter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int streams_subscribe(struct request *request, struct stream_start *start,
                      struct crier_stream *stream)
{
    return crier_hub_subscribe(request->server->hub, stream,
                               &start->subscription);
}

/* The journal has been read for the first time: on_read of a poll. */
static void note_read(void *closure, int error, bool gap)
{
    struct deferred *deferred = closure;

    (void)gap;
    deferred->error = error;
    deferred_done(deferred);
}

static bool respond_polled(struct request *request,
                           const struct deferred *deferred)
{
    struct MHD_Response *response = deferred->response;
    struct crier_status status;

    if (deferred->error == 0) {
        request->deferred->response = NULL;
        return response_stream(request, response);
    }
    if (deferred->error != CRIER_ERR_STORAGE)
        return respond_error(request, deferred->error);
    crier_hub_status(request->server->hub, &status);
    return respond_problem(request, MHD_HTTP_SERVICE_UNAVAILABLE,
                           "the journal cannot be read: %s", status.reason);
}

int streams_poll(struct request *request, struct stream_start *start,
                 struct crier_stream *stream)
{
    struct crier_subscribe_options *subscription = &start->subscription;
    struct deferred *deferred = deferred_new(request, respond_polled);
    int error;

    if (deferred == NULL)
        return -ENOMEM;
    subscription->on_read = note_read;
    subscription->closure = deferred;
    deferred->response = subscription->response;
    error = crier_hub_subscribe(request->server->hub, stream, subscription);
    if (error == 0)
        return 1;
    deferred->response = NULL; /* the caller's again */
    return error;
}

/* When a stream for REQUEST expires, by crier_now(); 0: never. */
static uint64_t find_expiry(const struct request *request)
{
    const struct identity *identity = request->identity;
    int64_t left;

    if (identity == NULL || identity->expires == 0 ||
        identity->expires > INT64_MAX / 1000)
        return 0;
    left = identity->expires * 1000 - crier__clock_real();
    /* Not before that: both clocks are rounded down. */
    return crier_now() + 1 + (left > 0 ? (uint64_t)left : 0);
}

/* Whether START is of a stream whose client reconnects when it ends. */
static bool is_lasting(const struct stream_start *start)
{
    return !start->subscription.once &&
           (start->options.format == CRIER_FORMAT_EVENTS ||
            start->options.format == CRIER_FORMAT_FULL);
}

/* Responds that there is no stream for REQUEST because of ERROR. When its topics have
 * ended and its client has had all of them, that is no mistake: to 204 an EventSource does
 * not reconnect. */
static bool refuse_subscription(struct request *request, int error)
{
    return error == CRIER_ERR_TOPIC_ENDED
               ? respond_empty(request, MHD_HTTP_NO_CONTENT)
               : respond_error(request, error);
}

bool streams_open(struct request *request, struct stream_start *start)
{
    struct MHD_Response *response;
    struct crier_stream *stream;
    int result = 0;

    start->options.expires = find_expiry(request);
    start->subscription.grants =
        start->grants != NULL ? start->grants : request_grants(request);
    if (request->head && (start->subscription.topics != NULL ||
                          start->subscription.selector_count != 0))
        result = crier_hub_can_subscribe(request->server->hub, &start->subscription);
    if (result != 0)
        request->result = refuse_subscription(request, result);
    if (result != 0 ||
        !respond_stream(request, &start->options, is_lasting(start), &stream,
                        &response)) {
        if (start->owns_closure)
            free(start->options.closure);
        return request->result;
    }
    start->subscription.response = response;
    if (start->begin != NULL)
        result = start->begin(request, start, stream);
    crier_stream_unref(stream);
    if (result == 0)
        return response_stream(request, response);
    if (result > 0)
        return deferred_wait(request);
    MHD_destroy_response(response);
    if ((result == CRIER_ERR_HUB_CLOSED || result == CRIER_ERR_CLOSED) &&
        is_lasting(start))
        return respond_goodbye(request);
    return refuse_subscription(request, result);
}

/* Whether REQUEST comes from a browser's own EventSource. */
static bool is_event_source(const struct request *request)
{
    return crier_is_event_source(
        request_header(request, MHD_HTTP_HEADER_ACCEPT),
        request_header(request, MHD_HTTP_HEADER_CACHE_CONTROL),
        request_header(request, MHD_HTTP_HEADER_USER_AGENT));
}

bool streams_read_start(struct request *request,
                        struct crier_subscribe_options *options)
{
    const struct uri_text *id =
        uri_parameter_of_two(&request->uri, "lastEventID", "lastEventId");
    const char *start = parameter_value(request, "start", NULL);

    crier_subscribe_start(options, request_header(request, "Last-Event-ID"),
                          id != NULL ? id->bytes : NULL,
                          parameter_value(request, "since", NULL));
    if (start == NULL)
        options->start = is_event_source(request) ? CRIER_START_EVENT : CRIER_START_COMMENT;
    else if (strcmp(start, "id") == 0)
        options->start = CRIER_START_ID;
    else if (strcmp(start, "comment") != 0) {
        request->result = respond_problem(request, MHD_HTTP_BAD_REQUEST,
                                          "start is not id or comment");
        return false;
    }
    return true;
}
