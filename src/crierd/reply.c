/*
 * Answers. Every answer leaves by queue(), so every one has its security headers
 * and its line in the log, streams included: theirs is written when they begin,
 * their end is a line at debug level.
 */
#include <config.h>

#include "reply.h"

#include "log.h"
#include "text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What pages may load: what came with them. Nothing inline, nothing foreign. */
#define CONTENT_SECURITY_POLICY                                               \
    "default-src 'none'; script-src 'self'; style-src 'self'; "               \
    "img-src 'self'; connect-src 'self'; worker-src 'self'; "                 \
    "manifest-src 'self'; font-src 'self'; base-uri 'none'; "                 \
    "form-action 'self'; frame-ancestors 'none'"

static const struct {
    const char *name, *value;
} common_headers[] = {
    {"X-Content-Type-Options", "nosniff"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Content-Security-Policy", CONTENT_SECURITY_POLICY},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Referrer-Policy", "no-referrer"},
};

#define COMMON_HEADERS (sizeof common_headers / sizeof common_headers[0])

/* MHD's name for 413 is another one before 0.9.74. */
#define CONTENT_TOO_LARGE 413

/* A stream's headers stay in memory as long as its client does, and the others
 * mean nothing for a stream. */
#define STREAM_HEADERS 2

static void log_request(const struct request *request, unsigned status)
{
    log_line(LOG_INFO, "%s %.*s %u %.1f ms", request->method,
             (int)strcspn(request->target, "?"), request->target, status,
             (double)(request_clock() - request->received) / 1000.0);
}

/* Queues RESPONSE (stolen, may be NULL) with the first HEADERS of the common
 * headers, and logs the request. */
static enum MHD_Result queue(struct request *request, unsigned status,
                             struct MHD_Response *response, size_t headers)
{
    enum MHD_Result result = response != NULL ? MHD_YES : MHD_NO;
    size_t i;

    for (i = 0; i < headers && result == MHD_YES; i++)
        result = MHD_add_response_header(response, common_headers[i].name,
                                         common_headers[i].value);
    if (result == MHD_YES)
        result = MHD_queue_response(request->connection, status, response);
    if (response != NULL)
        MHD_destroy_response(response);
    if (result == MHD_YES)
        log_request(request, status);
    else /* MHD closes the connection */
        log_line(LOG_ERROR, "%s %.*s: out of memory, connection closed",
                 request->method, (int)strcspn(request->target, "?"),
                 request->target);
    return result;
}

enum MHD_Result reply_send(struct request *request, unsigned status,
                           struct MHD_Response *response)
{
    return queue(request, status, response, COMMON_HEADERS);
}

enum MHD_Result reply_stream(struct request *request,
                             struct MHD_Response *response)
{
    return queue(request, MHD_HTTP_OK, response, STREAM_HEADERS);
}

/* A response with BODY (stolen, from malloc). */
static struct MHD_Response *make(char *body, const char *type)
{
    struct MHD_Response *response;

    if (body == NULL)
        return NULL;
    response = MHD_create_response_from_buffer(strlen(body), body,
                                               MHD_RESPMEM_MUST_FREE);
    if (response == NULL) {
        free(body);
        return NULL;
    }
    if (MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
                                type) == MHD_YES &&
        MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL,
                                "no-store") == MHD_YES)
        return response;
    MHD_destroy_response(response);
    return NULL;
}

enum MHD_Result reply_text(struct request *request, unsigned status,
                           const char *text)
{
    return reply_send(request, status,
                      make(strdup(text), "text/plain; charset=utf-8"));
}

static struct MHD_Response *make_json(json_t *value, const char *type)
{
    char *body = NULL;

    if (value != NULL)
        body = json_dumps(value, JSON_COMPACT | JSON_REAL_PRECISION(15));
    json_decref(value);
    return make(body, type);
}

enum MHD_Result reply_json(struct request *request, unsigned status,
                           json_t *value)
{
    return reply_send(request, status, make_json(value, "application/json"));
}

enum MHD_Result reply_empty(struct request *request, unsigned status)
{
    return reply_send(request, status,
                      MHD_create_response_from_buffer(
                          0, NULL, MHD_RESPMEM_PERSISTENT));
}

/* Problem details, with the members of MORE (or NULL), too. */
static struct MHD_Response *make_problem(unsigned status, const char *detail,
                                         json_t *more)
{
    json_t *problem = json_pack("{s:s, s:s, s:i, s:s}", "type", "about:blank",
                                "title", MHD_get_reason_phrase_for(status),
                                "status", (int)status, "detail", detail);

    if (problem != NULL && more != NULL &&
        json_object_update_missing(problem, more) != 0) {
        json_decref(problem);
        problem = NULL;
    }
    return make_json(problem, "application/problem+json");
}

/* Answers with problem details; DETAIL is made valid. */
static enum MHD_Result send_problem(struct request *request, unsigned status,
                                    char *detail, json_t *more)
{
    struct MHD_Response *response;

    text_make_valid(detail);
    response = make_problem(status, detail, more);
    if (response != NULL && status == MHD_HTTP_SERVICE_UNAVAILABLE)
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER,
                                      "5");
    return reply_send(request, status, response);
}

enum MHD_Result reply_problem(struct request *request, unsigned status,
                              const char *format, ...)
{
    char detail[512];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(detail, sizeof detail, format, arguments);
    va_end(arguments);
    return send_problem(request, status, detail, NULL);
}

enum MHD_Result reply_allow(struct request *request, const char *allow)
{
    bool asked = strcmp(request->method, MHD_HTTP_METHOD_OPTIONS) == 0;
    unsigned status =
        asked ? MHD_HTTP_NO_CONTENT : MHD_HTTP_METHOD_NOT_ALLOWED;
    struct MHD_Response *response;
    char detail[160];

    snprintf(detail, sizeof detail,
             "this resource does not know the method %.20s; it knows %s",
             request->method, allow);
    text_make_valid(detail);
    response = asked ? MHD_create_response_from_buffer(
                           0, NULL, MHD_RESPMEM_PERSISTENT)
                     : make_problem(status, detail, NULL);
    if (response != NULL &&
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, allow) !=
            MHD_YES) {
        MHD_destroy_response(response);
        response = NULL;
    }
    return reply_send(request, status, response);
}

/* What an error of libcrier is in HTTP, and in words where its own text does not
 * speak to a client. */
static const struct {
    int error;
    unsigned status;
    const char *text;
} errors[] = {
    {CRIER_ERR_LIMIT, MHD_HTTP_SERVICE_UNAVAILABLE,
     "the server has as many clients as it takes; try again later"},
    {CRIER_ERR_CLOSED, MHD_HTTP_SERVICE_UNAVAILABLE,
     "the server is shutting down"},
    {CRIER_ERR_BUSY, MHD_HTTP_SERVICE_UNAVAILABLE,
     "the server has too much to deliver; try again"},
    {-ENOMEM, MHD_HTTP_SERVICE_UNAVAILABLE, "the server is short of memory"},
    {CRIER_ERR_UTF8, MHD_HTTP_BAD_REQUEST, "the text is not valid UTF-8"},
    {CRIER_ERR_NEWLINE, MHD_HTTP_BAD_REQUEST, NULL},
    {CRIER_ERR_TOPIC, MHD_HTTP_BAD_REQUEST, NULL},
    {CRIER_ERR_MANY_TOPICS, MHD_HTTP_BAD_REQUEST, NULL},
    {CRIER_ERR_ID, MHD_HTTP_BAD_REQUEST, NULL},
    {CRIER_ERR_UNKNOWN, MHD_HTTP_NOT_FOUND, NULL},
    {CRIER_ERR_EXISTS, MHD_HTTP_CONFLICT, NULL},
    {CRIER_ERR_TOO_LARGE, CONTENT_TOO_LARGE, NULL},
    {CRIER_ERR_TOO_MUCH, CONTENT_TOO_LARGE, NULL},
    {CRIER_ERR_TOPICS_FULL, MHD_HTTP_INSUFFICIENT_STORAGE, NULL},
    {CRIER_ERR_STORAGE_FULL, MHD_HTTP_INSUFFICIENT_STORAGE, NULL},
    {CRIER_ERR_STORAGE, MHD_HTTP_SERVICE_UNAVAILABLE, NULL},
};

/* Answers with what ERROR is, behind the words WHERE. */
static enum MHD_Result send_error(struct request *request, const char *where,
                                  int error, const char *reason, json_t *more)
{
    unsigned status = MHD_HTTP_INTERNAL_SERVER_ERROR;
    const char *text = crier_error_text(error);
    char detail[512];
    size_t i;

    for (i = 0; i < sizeof errors / sizeof errors[0]; i++)
        if (errors[i].error == error) {
            status = errors[i].status;
            if (errors[i].text != NULL)
                text = errors[i].text;
            break;
        }
    if (reason[0] == '\0' || strcmp(reason, crier_error_text(error)) == 0)
        snprintf(detail, sizeof detail, "%s%s", where, text);
    else
        snprintf(detail, sizeof detail, "%s%s: %s", where, text, reason);
    return send_problem(request, status, detail, more);
}

enum MHD_Result reply_trouble(struct request *request, int error,
                              const char *reason)
{
    return send_error(request, "", error, reason, NULL);
}

enum MHD_Result reply_trouble_of(struct request *request, size_t number,
                                 int error, const char *reason, json_t *more)
{
    char where[40];

    snprintf(where, sizeof where, "event %zu: ", number);
    return send_error(request, where, error, reason, more);
}

enum MHD_Result reply_error(struct request *request, int error)
{
    return reply_trouble(request, error, "");
}

/* ---- streams ---------------------------------------------------------- */

static ssize_t no_body(void *closure, uint64_t position, char *to, size_t max)
{
    (void)closure;
    (void)position;
    (void)to;
    (void)max;
    return MHD_CONTENT_READER_END_OF_STREAM;
}

/* To HEAD: what GET would say, and no Content-Length, since a stream has none. */
static enum MHD_Result reply_head(struct request *request,
                                  enum crier_format format)
{
    static const char *const types[CRIER_FORMATS] = {
        [CRIER_FORMAT_EVENTS] = "text/event-stream",
        [CRIER_FORMAT_JSON] = "application/x-ndjson",
        [CRIER_FORMAT_RAW] = "text/plain; charset=utf-8",
        [CRIER_FORMAT_FULL] = "text/event-stream",
    };
    struct MHD_Response *response;

    response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 16,
                                                 no_body, NULL, NULL);
    if (response != NULL &&
        (MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
                                 types[format]) != MHD_YES ||
         MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL,
                                 "no-cache") != MHD_YES ||
         MHD_add_response_header(response, "X-Accel-Buffering", "no") !=
             MHD_YES ||
         MHD_set_response_options(response, MHD_RF_HTTP_VERSION_1_0_ONLY,
                                  MHD_RO_END) != MHD_YES)) {
        MHD_destroy_response(response);
        response = NULL;
    }
    return reply_stream(request, response);
}

bool reply_open(struct request *request,
                const struct crier_stream_options *options,
                struct crier_stream **stream, struct MHD_Response **response)
{
    const struct server *server = request->server;
    struct crier_stream_options bounded = *options;
    int error;

    if (request->head) {
        request->result =
            crier_shards_count(server->shards) < server->max_clients
                ? reply_head(request, options->format)
                : reply_error(request, CRIER_ERR_LIMIT);
        return false;
    }
    bounded.stall_timeout = server->conf->stall_timeout;
    error = crier_stream_new(server->shards, request->connection,
                             &bounded, stream, response);
    if (error != 0)
        request->result = reply_error(request, error);
    return error == 0;
}

void reply_stream_closed(void *closure, struct crier_stream *stream,
                         enum crier_reason reason)
{
    (void)stream;
    log_line(LOG_DEBUG, "stream %s ended: %s", (const char *)closure,
             crier_reason_text(reason));
}
