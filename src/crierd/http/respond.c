/*
 * The responses of handlers: text, JSON, problem details, or a stream.
 */
#include <config.h>

#include "respond.h"

#include "response.h"
#include "stream_log.h"
#include "throttle.h"
#include "crier_server.h"
#include "base/json_read.h"
#include "base/random.h"
#include "crierd/log/log.h"
#include "crierd/metrics/metrics.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROBLEM "application/problem+json" /* RFC 9457 */

bool respond_text(struct request *request, unsigned status, const char *text)
{
    struct response response = {.status = status,
                                .type = "text/plain; charset=utf-8",
                                .body = strdup(text)};

    return response_send(request, &response);
}

/* VALUE, which is freed, as text from malloc(); NULL when memory is short. */
static char *json_body(json_t *value)
{
    char *body = NULL;

    if (value != NULL)
        body = json_dumps(value, JSON_COMPACT | JSON_REAL_PRECISION(15));
    json_decref(value);
    return body;
}

bool respond_made(struct request *request, const char *type, char *body)
{
    struct response response = {
        .status = MHD_HTTP_OK, .type = type, .body = body};

    return response_send(request, &response);
}

bool respond_json(struct request *request, unsigned status, json_t *value)
{
    struct response response = {.status = status,
                                .type = "application/json",
                                .body = json_body(value)};

    return response_send(request, &response);
}

bool respond_json_text(struct request *request, unsigned status,
                       const char *text)
{
    struct response response = {
        .status = status, .type = "application/json", .body = strdup(text)};

    return response_send(request, &response);
}

bool respond_empty(struct request *request, unsigned status)
{
    struct response response = {.status = status};

    return response_send(request, &response);
}

/* New problem details, or NULL when memory is short. */
static json_t *make_problem(unsigned status, const char *detail)
{
    return json_pack("{s:s, s:s, s:i, s:s}", "type", "about:blank", "title",
                     MHD_get_reason_phrase_for(status), "status", (int)status,
                     "detail", detail);
}

/* Answers with problem details, with the members of MORE (or NULL), too, and the
 * header NAME (or NULL). DETAIL is made valid. */
static bool send_problem(struct request *request, unsigned status,
                         char *detail, json_t *more, const char *name,
                         const char *value)
{
    struct response response = {
        .status = status, .type = PROBLEM, .name = name, .value = value};
    json_t *problem;

    crier_utf8_repair(detail);
    problem = make_problem(status, detail);
    if (problem != NULL && more != NULL &&
        json_object_update_missing(problem, more) != 0) {
        json_decref(problem);
        problem = NULL;
    }
    if (name == NULL && status == MHD_HTTP_SERVICE_UNAVAILABLE) {
        response.name = MHD_HTTP_HEADER_RETRY_AFTER;
        /* The next crierd will be there soon. */
        response.value = atomic_load(&request->server->stopping) ? "1" : "5";
    }
    response.body = json_body(problem);
    return response_send(request, &response);
}

bool respond_problem(struct request *request, unsigned status,
                     const char *format, ...)
{
    char detail[512];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(detail, sizeof detail, format, arguments);
    va_end(arguments);
    return send_problem(request, status, detail, NULL, NULL, NULL);
}

bool respond_problem_with(struct request *request, unsigned status, json_t *more,
                          const char *format, ...)
{
    char detail[512];
    va_list arguments;
    bool result;

    va_start(arguments, format);
    vsnprintf(detail, sizeof detail, format, arguments);
    va_end(arguments);
    result = send_problem(request, status, detail, more, NULL, NULL);
    json_decref(more);
    return result;
}

#define CHALLENGE_SIZE 640

/* No longer --public-url stands in a challenge. */
#define METADATA_MAX 240

/* The constant text in error_description is quoted as it is. */
bool respond_challenge(struct request *request, unsigned status,
                       const char *error, const char *detail)
{
    const struct conf *conf = conf_current();
    char challenge[CHALLENGE_SIZE], text[160];
    size_t at;

    at = (size_t)snprintf(challenge, sizeof challenge, "Bearer realm=\"crier\"");
    if (error != NULL)
        at += (size_t)snprintf(challenge + at, sizeof challenge - at,
                               ", error=\"%s\", error_description=\"%.120s\"",
                               error, detail);
    if (conf_has_metadata(conf) && strlen(conf->public_url) < METADATA_MAX)
        snprintf(challenge + at, sizeof challenge - at,
                 ", resource_metadata=\"%s" CONF_METADATA_PATH "\"",
                 conf->public_url);
    snprintf(text, sizeof text, "%s", detail);
    return send_problem(request, status, text, NULL,
                        MHD_HTTP_HEADER_WWW_AUTHENTICATE, challenge);
}

bool respond_too_large(struct request *request, size_t max)
{
    return respond_problem(request, MHD_HTTP_CONTENT_TOO_LARGE,
                           "the body is larger than %zu bytes", max);
}

bool respond_limited(struct request *request, uint64_t seconds, const char *detail)
{
    char text[256], number[24];

    snprintf(text, sizeof text, "%s", detail);
    snprintf(number, sizeof number, "%" PRIu64, seconds);
    return send_problem(request, MHD_HTTP_TOO_MANY_REQUESTS, text, NULL,
                        MHD_HTTP_HEADER_RETRY_AFTER, number);
}

static const char *header_or_none(const struct request *request,
                                  const char *name)
{
    const char *value = request_header(request, name);

    return value != NULL ? value : "";
}

bool respond_cross_site(struct request *request)
{
    return respond_problem(request, MHD_HTTP_FORBIDDEN,
                         "a page of another origin may not do this: Origin is "
                         "'%.100s', Host is '%.100s', Sec-Fetch-Site is "
                         "'%.20s'",
                         header_or_none(request, MHD_HTTP_HEADER_ORIGIN),
                         request_host(request) != NULL ? request_host(request) : "",
                         header_or_none(request, "Sec-Fetch-Site"));
}

bool respond_allow(struct request *request, const char *allow)
{
    struct response none = {.status = MHD_HTTP_NO_CONTENT,
                            .name = MHD_HTTP_HEADER_ALLOW,
                            .value = allow,
                            .methods = allow};
    char detail[160];

    if (strcmp(request->method, MHD_HTTP_METHOD_OPTIONS) == 0)
        return response_send(request, &none);
    snprintf(detail, sizeof detail,
             "method %.20s not allowed; allowed: %s",
             request->method, allow);
    return send_problem(request, MHD_HTTP_METHOD_NOT_ALLOWED, detail, NULL,
                        MHD_HTTP_HEADER_ALLOW, allow);
}

/* Answers with what ERROR is, behind the words WHERE. */
static bool send_error(struct request *request, const char *where, int error,
                       const char *reason, json_t *more)
{
    char detail[512];
    size_t length = (size_t)snprintf(detail, sizeof detail, "%s", where);
    unsigned status = crier_error_status(error, reason, detail + length,
                                         sizeof detail - length);

    return send_problem(request, status, detail, more, NULL, NULL);
}

bool respond_failure(struct request *request, int error, const char *reason)
{
    return send_error(request, "", error, reason, NULL);
}

bool respond_failure_of(struct request *request, const char *what, size_t number,
                        int error, const char *reason, json_t *more)
{
    char where[40];

    snprintf(where, sizeof where, "%s %zu: ", what, number);
    return send_error(request, where, error, reason, more);
}

bool respond_error(struct request *request, int error)
{
    return respond_failure(request, error, "");
}

json_t *request_read_json(struct request *request, size_t flags)
{
    json_error_t wrong;
    json_t *value;

    errno = 0; /* jansson reports short memory as bad JSON sometimes */
    value = json_read(request->body, request->body_length, flags, &wrong);
    if (value == NULL && errno == ENOMEM)
        request->result = respond_error(request, -ENOMEM);
    else if (value == NULL &&
             json_error_code(&wrong) == json_error_stack_overflow)
        request->result = respond_problem(request, MHD_HTTP_BAD_REQUEST,
                                        "the body is refused: %s", wrong.text);
    else if (value == NULL)
        request->result = respond_problem(
            request, MHD_HTTP_BAD_REQUEST,
            "the body is not JSON: line %d, column %d: %s", wrong.line,
            wrong.column, wrong.text);
    return value;
}

/* ---- streams ---------------------------------------------------------- */

/* How many bytes of frames may wait in memory for one client. What a subscriber of
 * topics misses by that it reads from the journal. */
#define MAX_PENDING ((size_t)64 * 1024)

/* Seconds after which a client with too many streams may try again: nobody knows when one
 * ends. */
#define STREAM_RETRY 10

/* Responds to HEAD with the fields of GET. The stream ends with them, and no callback is
 * called. */
static bool respond_stream_head(struct request *request,
                                const struct crier_stream_options *options)
{
    const struct crier_stream_options silent = {.format = options->format,
                                                .kind = options->kind};
    struct MHD_Response *response;
    struct crier_stream *stream;
    int error = crier_stream_new(request->server->shards, request->connection,
                                 &silent, &stream, &response);

    if (error != 0)
        return respond_error(request, error);
    crier_stream_unref(stream);
    return response_stream(request, response);
}

bool respond_goodbye(struct request *request)
{
    struct response response = {.status = MHD_HTTP_OK, .type = "text/event-stream"};
    const unsigned span = SERVER_RETRY_MAX - SERVER_RETRY_MIN + 1;

    if (asprintf(&response.body, "retry: %u\n",
                 SERVER_RETRY_MIN + (unsigned)crier__random_below(span)) < 0)
        response.body = NULL;
    return response_send(request, &response);
}

bool respond_stream(struct request *request,
                    const struct crier_stream_options *options, bool reconnects,
                    struct crier_stream **stream, struct MHD_Response **response)
{
    struct crier_stream_options bounded = *options;
    struct throttled *throttled;
    int error;

    if (request->head) {
        request->result = respond_stream_head(request, options);
        return false;
    }
    bounded.max_pending = MAX_PENDING;
    error = throttle_stream(request, &bounded, &throttled);
    if (error == -EDQUOT) {
        request->result = respond_limited(
            request, STREAM_RETRY,
            "this address, or the subject of this token, has as many streams open as one "
            "client may have");
        return false;
    }
    if (error == 0) {
        error = crier_stream_new(request->server->shards, request->connection,
                                 &bounded, stream, response);
        if (error != 0)
            throttle_undo(throttled);
    }
    if (error == CRIER_ERR_MAX_STREAMS)
        metrics_count(METRIC_STREAMS_REFUSED);
    if (error == CRIER_ERR_DRAINING && reconnects)
        request->result = respond_goodbye(request);
    else if (error != 0)
        request->result = respond_error(request, error);
    else
        stream_log_begin(request, *stream);
    return error == 0;
}

void respond_stream_closed(void *closure, struct crier_stream *stream,
                           enum crier_reason reason)
{
    stream_log_end(stream, closure, crier_reason_text(reason));
}
