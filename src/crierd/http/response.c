/*
 * How an answer leaves: by libmicrohttpd, or as bytes into a lane. Every answer goes
 * through here, so every one has its security headers and its line in the log,
 * streams included: theirs is written when they begin, their end is a line at debug
 * level.
 */
#include <config.h>

#include "response.h"

#include "base/clock.h"
#include "pipeline.h"
#include "crierd/log/log.h"
#include "mhd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* What pages may load: what came with them. Nothing inline, nothing foreign. */
#define CONTENT_SECURITY_POLICY                                               \
    "default-src 'none'; script-src 'self'; style-src 'self'; "               \
    "img-src 'self'; connect-src 'self'; worker-src 'self'; "                 \
    "manifest-src 'self'; font-src 'self'; base-uri 'none'; "                 \
    "form-action 'self'; frame-ancestors 'none'"

#define COMMON(HEADER)                                                        \
    HEADER("X-Content-Type-Options", "nosniff")                               \
    HEADER("Cross-Origin-Resource-Policy", "same-origin")                     \
    HEADER("Content-Security-Policy", CONTENT_SECURITY_POLICY)                \
    HEADER("Cross-Origin-Opener-Policy", "same-origin")                       \
    HEADER("Referrer-Policy", "no-referrer")

#define AS_PAIR(name, value) {name, value},
#define AS_TEXT(name, value) name ": " value "\r\n"

static const struct {
    const char *name, *value;
} common_headers[] = {COMMON(AS_PAIR)};

#define COMMON_HEADERS (sizeof common_headers / sizeof common_headers[0])

/* The others mean nothing for a stream. */
#define STREAM_HEADERS 2

static void log_request(const struct request *request, unsigned status)
{
    log_line(LOG_INFO, "%s %.*s %u %.1f ms", request->method,
             (int)strcspn(request->target, "?"), request->target, status,
             (double)(crier__clock_us() - request->received) / 1000.0);
}

static void log_failure(const struct request *request)
{
    log_line(LOG_ERROR, "%s %.*s: out of memory, connection closed",
             request->method, (int)strcspn(request->target, "?"),
             request->target);
}

/* The length of the body of ANSWER, which is made to end with a newline, so that it
 * stands on lines of its own in a terminal or a file. The newline takes the place of
 * the NUL. */
static size_t end_body(const struct response *answer)
{
    size_t length = strlen(answer->body);

    if (length != 0 && answer->body[length - 1] != '\n')
        answer->body[length++] = '\n';
    return length;
}

/* ---- libmicrohttpd's --------------------------------------------------- */

/* Queues RESPONSE with the first HEADERS of the common headers. */
static bool queue(struct request *request, unsigned status,
                  struct MHD_Response *response, size_t headers)
{
    bool queued = response != NULL;
    size_t i;

    for (i = 0; i < headers && queued; i++)
        queued = MHD_add_response_header(response, common_headers[i].name,
                                         common_headers[i].value) == MHD_YES;
    if (queued && request->last)
        queued = MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION,
                                         "close") == MHD_YES;
    if (queued)
        queued = MHD_queue_response(request->connection, status, response) ==
                 MHD_YES;
    if (response != NULL)
        MHD_destroy_response(response);
    if (queued)
        log_request(request, status);
    else
        log_failure(request);
    return queued;
}

bool response_queue(struct request *request, unsigned status,
                    struct MHD_Response *response)
{
    return queue(request, status, response, COMMON_HEADERS);
}

bool response_stream(struct request *request, struct MHD_Response *response)
{
    request->last = false; /* libmicrohttpd says that of itself */
    return queue(request, MHD_HTTP_OK, response, STREAM_HEADERS);
}

static bool add_headers(struct MHD_Response *response,
                        const struct response *answer)
{
    if (answer->type != NULL &&
        (MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
                                 answer->type) != MHD_YES ||
         MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL,
                                 "no-store") != MHD_YES))
        return false;
    return answer->name == NULL ||
           MHD_add_response_header(response, answer->name, answer->value) ==
               MHD_YES;
}

/* A response with what ANSWER has, whose body is its own then. */
static struct MHD_Response *make(const struct response *answer)
{
    struct MHD_Response *response;

    if (answer->type == NULL)
        response = MHD_create_response_from_buffer(0, NULL,
                                                   MHD_RESPMEM_PERSISTENT);
    else
        response = MHD_create_response_from_buffer(
            end_body(answer), answer->body, MHD_RESPMEM_MUST_FREE);
    if (response == NULL) {
        free(answer->body);
        return NULL;
    }
    if (add_headers(response, answer))
        return response;
    MHD_destroy_response(response);
    return NULL;
}

/* ---- as text ----------------------------------------------------------- */

/* The headers that are the same for a second. */
static const char *common_text(void)
{
    static _Thread_local char text[sizeof COMMON(AS_TEXT) + 64];
    static _Thread_local time_t when;
    time_t now = time(NULL);
    struct tm utc;
    size_t length;

    if (now == when)
        return text;
    when = now;
    gmtime_r(&now, &utc);
    length = strftime(text, sizeof text,
                      "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &utc);
    memcpy(text + length, COMMON(AS_TEXT), sizeof COMMON(AS_TEXT));
    return text;
}

/* Room for the head of an answer as text. */
#define HEAD_TEXT 1024

/* Writes the head of ANSWER, whose body has LENGTH bytes, to TEXT. Returns its
 * length. */
static size_t write_head(char text[HEAD_TEXT], const struct response *answer,
                         size_t length)
{
    int at, more = 0;

    at = snprintf(text, HEAD_TEXT, "HTTP/1.1 %u %s\r\n%s", answer->status,
                  MHD_get_reason_phrase_for(answer->status), common_text());
    if (answer->name != NULL)
        at += snprintf(text + at, HEAD_TEXT - (size_t)at, "%s: %s\r\n",
                       answer->name, answer->value);
    if (answer->type != NULL)
        more = snprintf(text + at, HEAD_TEXT - (size_t)at,
                        "Content-Type: %s\r\nCache-Control: no-store\r\n"
                        "Content-Length: %zu\r\n",
                        answer->type, length);
    at += more;
    at += snprintf(text + at, HEAD_TEXT - (size_t)at, "\r\n");
    return (size_t)at;
}

static bool write_out(struct request *request, const struct response *answer)
{
    size_t length = answer->type != NULL ? end_body(answer) : 0;
    char head[HEAD_TEXT];

    return pipeline_put(request->turn, head, write_head(head, answer, length)) &&
           (length == 0 || pipeline_put(request->turn, answer->body, length));
}

void response_send_early(struct MHD_Connection *connection,
                 const struct response *answer)
{
    size_t body = answer->body != NULL ? end_body(answer) : 0, length = 0;
    char *bytes = body != 0 ? malloc(HEAD_TEXT + body) : NULL;

    if (bytes != NULL) {
        length = write_head(bytes, answer, body);
        memcpy(bytes + length, answer->body, body);
        length += body;
    }
    mhd_end_with(connection, bytes, length);
    free(bytes);
    free(answer->body);
}

bool response_send(struct request *request, const struct response *answer)
{
    bool well = answer->type == NULL || answer->body != NULL;

    if (request->turn == NULL)
        return response_queue(request, answer->status,
                              well ? make(answer) : NULL);
    well = well && write_out(request, answer);
    free(answer->body);
    if (well)
        log_request(request, answer->status);
    else
        log_failure(request);
    return well;
}
