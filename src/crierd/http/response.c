/*
 * How a response leaves. Every response goes through response_send(), so every one has
 * its security headers and its line in the log, streams included: theirs is logged when
 * they begin; stream_log.c logs their end. The carrier of the request does the rest.
 */
#include <config.h>

#include "response.h"

#include "base/clock.h"
#include "crierd/log/log.h"
#include "crierd/metrics/metrics.h"
#include "crierd/net/peer.h"

#include <stdarg.h>
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

/* Those after the first two mean nothing for a stream. */
#define COMMON(HEADER)                                                        \
    HEADER("X-Content-Type-Options", "nosniff")                               \
    HEADER("Cross-Origin-Resource-Policy", "same-origin")                     \
    HEADER("Content-Security-Policy", CONTENT_SECURITY_POLICY)                \
    HEADER("Cross-Origin-Opener-Policy", "same-origin")                       \
    HEADER("Referrer-Policy", "no-referrer")

#define AS_PAIR(name, value) {name, value},
#define AS_TEXT(name, value) name ": " value "\r\n"

const struct response_header response_headers[RESPONSE_HEADERS] = {
    COMMON(AS_PAIR)};

/* Logs RESPONSE to REQUEST; without the query, which may have a token in it. */
static void log_response(const struct request *request, const struct response *response)
{
    char peer[PEER_TEXT_SIZE];
    const struct log_access access = {
        .method = request->method,
        .path = request->target,
        .path_length = strcspn(request->target, "?"),
        .client = peer_text(request->peer, peer),
        .subject = request->identity != NULL ? request->identity->subject : NULL,
        .status = response->status,
        .bytes = request->head ? 0 : response->length,
        .time = crier__clock_us() - request->received,
    };

    log_access(LOG_INFO, &access);
}

static void log_no_memory(const struct request *request)
{
    char peer[PEER_TEXT_SIZE];

    log_line(LOG_ERROR, "%s %.*s: out of memory, connection to %s closed",
             request->method, (int)strcspn(request->target, "?"),
             request->target, peer_text(request->peer, peer));
}

/* Sets the length of RESPONSE's body. A newline at its end takes the place of the NUL, unless
 * the body is to be sent as it is. */
static void end_body(struct response *response)
{
    size_t length = strlen(response->body);

    if (!response->exact && length != 0 && response->body[length - 1] != '\n')
        response->body[length++] = '\n';
    response->length = length;
}

/* Counts a response with STATUS. */
static void count_response(unsigned status)
{
    if (status < 300)
        metrics_count(METRIC_RESPONSES_2XX);
    else if (status < 400)
        metrics_count(METRIC_RESPONSES_3XX);
    else if (status < 500)
        metrics_count(METRIC_RESPONSES_4XX);
    else
        metrics_count(METRIC_RESPONSES_5XX);
}

/* Sends RESPONSE, which is complete if WELL. */
static bool send_and_log(struct request *request, struct response *response,
                         bool well)
{
    struct cors cors;

    cors_fill(&cors, request, response->methods, response->stream);
    response->cors = cors.fields;
    response->cors_count = cors.count;
    well = well && request->carrier->respond(request, response);
    response->cors_count = 0;
    if (response->made != NULL)
        MHD_destroy_response(response->made);
    free(response->body);
    if (!well) {
        log_no_memory(request);
        return false;
    }
    count_response(response->status);
    log_response(request, response);
    return true;
}

bool response_send(struct request *request, struct response *response)
{
    if (response->body != NULL)
        end_body(response);
    return send_and_log(request, response,
                        response->type == NULL || response->body != NULL);
}

bool response_send_made(struct request *request, unsigned status,
                        struct MHD_Response *made, uint64_t length)
{
    struct response response = {.status = status, .made = made, .length = length};

    return send_and_log(request, &response, made != NULL);
}

bool response_stream(struct request *request, struct MHD_Response *made)
{
    struct response response = {
        .status = MHD_HTTP_OK, .made = made, .stream = true};

    return send_and_log(request, &response, made != NULL);
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

/* A head that is being written. What has no room is left out, a line at a time. */
struct head_text {
    char *bytes;
    size_t length;
};

__attribute__((format(printf, 2, 3))) static void
add_lines(struct head_text *head, const char *format, ...)
{
    size_t room = RESPONSE_HEAD_SIZE - head->length;
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(head->bytes + head->length, room, format, arguments);
    va_end(arguments);
    /* The empty line always has room. */
    if (length > 0 && (size_t)length + 2 < room)
        head->length += (size_t)length;
}

size_t response_write_head(char text[RESPONSE_HEAD_SIZE],
                           const struct response *response, bool last)
{
    struct head_text head = {.bytes = text};
    size_t i;

    add_lines(&head, "HTTP/1.1 %u %s\r\n%s%s", response->status,
              MHD_get_reason_phrase_for(response->status), common_text(),
              last ? "Connection: close\r\n" : "");
    if (response->name != NULL)
        add_lines(&head, "%s: %s\r\n", response->name, response->value);
    for (i = 0; i < response->cors_count; i++)
        add_lines(&head, "%s: %s\r\n", response->cors[i].name,
                  response->cors[i].value);
    if (response->type != NULL)
        add_lines(&head,
                  "Content-Type: %s\r\nCache-Control: no-store\r\n"
                  "Content-Length: %zu\r\n",
                  response->type, response->length);
    memcpy(text + head.length, "\r\n", 2);
    return head.length + 2;
}
