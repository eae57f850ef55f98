/*
 * /topics over HTTP. Checks what comes from outside, puts it in the hub's terms,
 * and the hub's answers in HTTP's.
 *
 * Names that begin with '$' are Crier's own: nobody publishes or forgets there,
 * and nobody follows them but presence.
 */
#include <config.h>

#include "api.h"

#include "base/number.h"
#include "crierd/http/response.h"
#include "bulk.h"
#include "health.h"
#include "crierd/config/conf.h"
#include "crier_server.h"
#include "publish.h"
#include "crierd/http/deferred.h"
#include "crierd/http/respond.h"
#include "crierd/http/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PRESENCE "$presence/"

#define LIST_DEFAULT 100
#define LIST_MAX 1000

/* ---- what a request says ---------------------------------------------- */

/* The value of the query parameter PARAMETER, or else of the header HEADER (which
 * may be NULL); NULL when there is neither. */
static const char *value_of(const struct request *request,
                            const char *parameter, const char *header)
{
    const struct uri_text *text = uri_parameter(&request->uri, parameter);

    if (text != NULL)
        return text->bytes;
    return header != NULL ? request_header(request, header) : NULL;
}

/* Whether one of the names in the list TOPICS is Crier's own; presence, too,
 * unless ALLOWED. */
static bool is_own(const char *topics, bool allowed)
{
    for (;;) {
        if (topics[0] == '$' &&
            !(allowed && strncmp(topics, PRESENCE, strlen(PRESENCE)) == 0))
            return true;
        topics = strchr(topics, ',');
        if (topics == NULL)
            return false;
        topics++;
    }
}

static bool own(struct request *request)
{
    return respond_problem(request, MHD_HTTP_FORBIDDEN,
                         "topics whose names begin with '$' are Crier's own");
}

static bool accepts(const struct request *request, const char *type)
{
    const char *accept = request_header(request, MHD_HTTP_HEADER_ACCEPT);

    return accept != NULL && strcasestr(accept, type) != NULL;
}

/* ---- POST /topics/a,b ------------------------------------------------- */

static bool answer_published(struct request *request,
                             const struct deferred *deferred)
{
    if (deferred->error != 0)
        return respond_failure(request, deferred->error, deferred->reason);
    return respond_json_text(request, MHD_HTTP_OK, deferred->text);
}

/* Takes the white space between the tokens of the valid JSON in TEXT out, and
 * nothing else: numbers stay as they were written. Returns the new length. */
static size_t compact(char *text, size_t length)
{
    bool quoted = false;
    size_t to = 0, i;

    for (i = 0; i < length; i++) {
        if (quoted && text[i] == '\\' && i + 1 < length)
            text[to++] = text[i++];
        else if (text[i] == '"')
            quoted = !quoted;
        else if (!quoted && strchr(" \t\r\n", text[i]) != NULL)
            continue;
        text[to++] = text[i];
    }
    return to;
}

/* Whether the body is of the media type TYPE, whatever its parameters. */
static bool is_type(const struct request *request, const char *type)
{
    const char *given = request_header(request, MHD_HTTP_HEADER_CONTENT_TYPE);
    size_t length = strlen(type);

    return given != NULL && strncasecmp(given, type, length) == 0 &&
           strchr(" \t;", given[length]) != NULL;
}

/* Sets the data of EVENT to a body of JSON. False when that is answered. */
static bool set_json(struct request *request, struct crier_event *event)
{
    json_t *value;
    char *text;

    /* jansson takes some NULs for white space */
    if (memchr(request->body, '\0', request->body_length) != NULL) {
        request->result = respond_problem(request, MHD_HTTP_BAD_REQUEST,
                                        "the body is not JSON: it holds a NUL");
        return false;
    }
    value = request_read_json(request, JSON_DECODE_ANY |
                                         JSON_DECODE_INT_AS_REAL |
                                         JSON_ALLOW_NUL);
    if (value == NULL)
        return false;
    json_decref(value);
    text = malloc(request->body_length + 1);
    if (text == NULL) {
        request->result = respond_error(request, -ENOMEM);
        return false;
    }
    memcpy(text, request->body, request->body_length);
    crier_event_data(event, text, compact(text, request->body_length));
    free(text);
    return true;
}

/* Sets what the request says beside its data. False when that is answered. */
static bool set_fields(struct request *request, struct crier_event *event)
{
    const char *type = value_of(request, "event", "Event-Type");
    const char *id = value_of(request, "id", "Event-ID");
    const char *retry = value_of(request, "retry", "Event-Retry");
    uint64_t milliseconds;
    int error = 0;

    if (type != NULL)
        error = crier_event_type(event, type);
    if (id != NULL && error == 0)
        error = crier_event_id(event, id, strlen(id));
    if (error != 0) {
        request->result = respond_error(request, error);
        return false;
    }
    if (retry == NULL)
        return true;
    if (!crier__number_read(retry, 0, CRIER_RETRY_MAX, &milliseconds)) {
        request->result = respond_problem(
            request, MHD_HTTP_BAD_REQUEST,
            "retry is not a number of ms from 0 to %u", CRIER_RETRY_MAX);
        return false;
    }
    crier_event_retry(event, (uint32_t)milliseconds);
    return true;
}

/* A new event of what the request says; NULL when that is answered. */
static struct crier_event *read_event(struct request *request)
{
    struct crier_event *event = crier_event_new();

    if (event == NULL) {
        request->result = respond_error(request, -ENOMEM);
        return NULL;
    }
    if (!is_type(request, "application/json"))
        crier_event_data(event, request->body, request->body_length);
    else if (!set_json(request, event))
        goto answered;
    if (set_fields(request, event))
        return event;
answered:
    crier_event_free(event);
    return NULL;
}

static bool publish_many(struct request *request, const char *topics,
                         bool dedupe)
{
    if (value_of(request, "event", "Event-Type") != NULL ||
        value_of(request, "id", "Event-ID") != NULL ||
        value_of(request, "retry", "Event-Retry") != NULL)
        return respond_problem(request, MHD_HTTP_BAD_REQUEST,
                             "each event of a text/event-stream says its "
                             "event, id and retry itself");
    return bulk_publish(request, topics, dedupe);
}

static bool handle_publish(struct request *request)
{
    const char *topics = request->argument->bytes;
    const char *text = value_of(request, "dedupe", NULL);
    bool dedupe = text != NULL && strcmp(text, "1") == 0;
    struct crier_event *event;
    bool result;

    if (is_own(topics, false))
        return own(request);
    if (is_type(request, "text/event-stream"))
        return publish_many(request, topics, dedupe);
    event = read_event(request);
    if (event == NULL)
        return request->result;
    result =
        publish_deferred(request, topics, event, dedupe, 0, answer_published);
    crier_event_free(event);
    return result;
}

/* ---- GET /topics/a,b -------------------------------------------------- */

/* Whether a browser's own EventSource asks. */
static bool is_event_source(const struct request *request)
{
    return crier_is_event_source(
        request_header(request, MHD_HTTP_HEADER_ACCEPT),
        request_header(request, MHD_HTTP_HEADER_CACHE_CONTROL),
        request_header(request, MHD_HTTP_HEADER_USER_AGENT));
}

bool api_start(struct request *request, struct crier_subscribe_options *options)
{
    const struct uri_text *id =
        uri_parameter_of_two(&request->uri, "lastEventID", "lastEventId");
    const char *start = value_of(request, "start", NULL);

    crier_subscribe_start(options, request_header(request, "Last-Event-ID"),
                       id != NULL ? id->bytes : NULL,
                       value_of(request, "since", NULL));
    if (start == NULL)
        options->start_id = is_event_source(request);
    else if (strcmp(start, "id") == 0)
        options->start_id = true;
    else if (strcmp(start, "comment") != 0) {
        request->result = respond_problem(request, MHD_HTTP_BAD_REQUEST,
                                        "start is not id or comment");
        return false;
    }
    return true;
}

/* The format that the request asks for; -1 when there is none of that name. */
static int read_format(const struct request *request)
{
    const char *format = value_of(request, "format", NULL);

    if (format == NULL)
        return accepts(request, "application/x-ndjson") ? CRIER_FORMAT_JSON
                                                        : CRIER_FORMAT_EVENTS;
    if (strcmp(format, "json") == 0)
        return CRIER_FORMAT_JSON;
    if (strcmp(format, "raw") == 0)
        return CRIER_FORMAT_RAW;
    if (strcmp(format, "full") == 0)
        return CRIER_FORMAT_FULL;
    return strcmp(format, "sse") == 0 ? CRIER_FORMAT_EVENTS : -1;
}

/* ---- poll=1 ----------------------------------------------------------- */

/* A poll whose journal cannot be read is refused, so its response waits for the first
 * read. */
static void note_poll(void *closure, int error)
{
    struct deferred *deferred = closure;

    deferred->error = error;
    deferred_done(deferred);
}

static bool answer_polled(struct request *request,
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

/* Has STREAM, given back here, follow what FOLLOW says, and answers with its response
 * when something has been read. */
static bool poll_held(struct request *request, struct crier_stream *stream,
                      struct crier_subscribe_options *follow)
{
    struct deferred *deferred = deferred_new(request, answer_polled);
    int error = -ENOMEM;

    if (deferred != NULL) {
        deferred->response = follow->response;
        follow->on_read = note_poll;
        follow->closure = deferred;
        error = crier_hub_subscribe(request->server->hub, stream, follow);
    } else {
        MHD_destroy_response(follow->response);
    }
    crier_stream_unref(stream);
    return error != 0 ? respond_error(request, error) : deferred_wait(request);
}

/* ---- streams ---------------------------------------------------------- */

static bool follow(struct request *request,
                   struct crier_subscribe_options *follow,
                   enum crier_format format)
{
    struct crier_stream_options options = {
        .keep_alive = request->server->conf->ping,
        .format = format,
        .near = follow->topics,
        .on_closed = respond_stream_closed,
        .closure = (void *)"/topics",
    };
    struct MHD_Response *response;
    struct crier_stream *stream;
    int error;

    if (!respond_stream(request, &options, &stream, &response))
        return request->result;
    follow->response = response;
    if (follow->once)
        return poll_held(request, stream, follow);
    error = crier_hub_subscribe(request->server->hub, stream, follow);
    crier_stream_unref(stream);
    if (error == 0)
        return response_stream(request, response);
    MHD_destroy_response(response);
    return respond_error(request, error);
}

/* ---- what there is ---------------------------------------------------- */

static void listed(void *closure, int error, json_t *topics)
{
    struct deferred *deferred = closure;

    deferred->error = error;
    deferred->value = topics;
    deferred_done(deferred);
}

/* Asks for a list and has ANSWER give it. */
static bool ask_for_list(struct request *request, const char *prefix,
                         const char *after, unsigned limit,
                         deferred_respond *answer)
{
    struct deferred *deferred = deferred_new(request, answer);
    int error;

    if (deferred == NULL)
        return respond_error(request, -ENOMEM);
    deferred->number = (long)limit;
    error = crier_hub_list(request->server->hub, prefix, after, limit, listed,
                           deferred);
    return error != 0 ? respond_error(request, error) : deferred_wait(request);
}

static bool answer_list(struct request *request,
                        const struct deferred *deferred)
{
    size_t count = json_array_size(deferred->value);
    json_t *last;

    if (deferred->error != 0)
        return respond_error(request, deferred->error);
    last = count == (size_t)deferred->number
               ? json_object_get(json_array_get(deferred->value, count - 1),
                                 "topic")
               : NULL;
    return respond_json(request, MHD_HTTP_OK,
                      json_pack("{s:O, s:O?}", "topics", deferred->value, "next",
                                last));
}

static bool answer_one(struct request *request,
                       const struct deferred *deferred)
{
    if (deferred->error != 0)
        return respond_error(request, deferred->error);
    if (json_array_size(deferred->value) == 0)
        return respond_error(request, CRIER_ERR_UNKNOWN);
    return respond_json(request, MHD_HTTP_OK,
                      json_incref(json_array_get(deferred->value, 0)));
}

static bool handle_list(struct request *request)
{
    const char *prefix = value_of(request, "prefix", NULL);
    const char *after = value_of(request, "after", NULL);
    const char *limit = value_of(request, "limit", NULL);
    uint64_t number = LIST_DEFAULT;

    if (limit != NULL && !crier__number_read(limit, 1, LIST_MAX, &number))
        return respond_problem(request, MHD_HTTP_BAD_REQUEST,
                             "limit is not a number from 1 to %d", LIST_MAX);
    if (prefix != NULL && is_own(prefix, true))
        return own(request);
    return ask_for_list(request, prefix != NULL ? prefix : "",
                        after != NULL ? after : "", (unsigned)number,
                        answer_list);
}

static bool handle_subscribe(struct request *request)
{
    const char *topics = request->argument->bytes;
    const char *poll = value_of(request, "poll", NULL);
    struct crier_subscribe_options options = {.topics = topics};
    int format = read_format(request);

    if (is_own(topics, true))
        return own(request);
    /* Where others are told of it, following changes something. (A page of another
     * origin could not read the answer anyway.) */
    if (request->server->conf->presence != NULL && request_is_foreign(request))
        return respond_cross_site(request);
    if (format < 0)
        return respond_problem(request, MHD_HTTP_BAD_REQUEST,
                             "format is not sse, full, json or raw");
    if (value_of(request, "format", NULL) == NULL &&
        accepts(request, "application/json") &&
        !accepts(request, "text/event-stream"))
        return ask_for_list(request, NULL, topics, 1, answer_one);
    options.once = poll != NULL && strcmp(poll, "1") == 0;
    if (options.once)
        options.since = CRIER_SINCE_ALL;
    if (!api_start(request, &options))
        return request->result;
    if (format != CRIER_FORMAT_EVENTS && format != CRIER_FORMAT_FULL &&
        options.start_id && value_of(request, "start", NULL) != NULL)
        return respond_problem(request, MHD_HTTP_BAD_REQUEST,
                             "start=id is for event streams; here the field "
                             "Last-Event-ID of the response says the same");
    return follow(request, &options, (enum crier_format)format);
}

/* ---- DELETE /topics/a ------------------------------------------------- */

static void forgotten(void *closure, int error)
{
    struct deferred *deferred = closure;

    deferred->error = error;
    deferred_done(deferred);
}

static bool answer_forgotten(struct request *request,
                             const struct deferred *deferred)
{
    if (deferred->error != 0)
        return respond_error(request, deferred->error);
    return respond_empty(request, MHD_HTTP_NO_CONTENT);
}

static bool handle_forget(struct request *request)
{
    const char *topic = request->argument->bytes;
    struct deferred *deferred;
    int error;

    if (is_own(topic, false))
        return own(request);
    deferred = deferred_new(request, answer_forgotten);
    if (deferred == NULL)
        return respond_error(request, -ENOMEM);
    error = crier_hub_forget(request->server->hub, topic, forgotten, deferred);
    return error != 0 ? respond_error(request, error) : deferred_wait(request);
}

/* ---- the routes ------------------------------------------------------- */

const struct route api_routes[] = {
    {.method = "POST",
     .path = "/topics/**",
     .handle = handle_publish,
     .scope = SCOPE_PUBLISH,
     .max_body = ROUTE_BODY_UPDATE,
     .changes = true,
     .pipelined = true},
    {.method = "GET",
     .path = "/topics/**",
     .handle = handle_subscribe,
     .scope = SCOPE_SUBSCRIBE,
     .streams = true},
    {.method = "DELETE",
     .path = "/topics/**",
     .handle = handle_forget,
     .scope = SCOPE_ADMIN,
     .changes = true},
    {.method = "GET",
     .path = "/topics",
     .handle = handle_list,
     .scope = SCOPE_READ},
    {.method = "GET",
     .path = "/healthz",
     .handle = health,
     .scope = SCOPE_READ},
    {0},
};
