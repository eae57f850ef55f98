/*
 * Whole responses: the code that every access handler would repeat to make a stream,
 * subscribe it, queue it and give everything back, and to report an error to a client.
 * Nothing here keeps any state.
 *
 * crierd, which sends its responses in other ways, uses the statuses and texts of
 * errors as well.
 */
#include <config.h>

#include "server_respond.h"

#include "base/number.h"
#include "libcrier/stream/broadcaster.h"
#include "libcrier/hub/hub.h"
#include "libcrier/stream/finite.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The size of the text of a response. */
#define TEXT_SIZE 1024

/* How long a client that gets 503 waits before it tries again, in seconds. */
#define RETRY_AFTER "5"

#define DAY (24 * 60 * 60 * 1000)

/* No journal holds older updates. */
#define LONGEST_AGE ((uint64_t)36500 * DAY)

/* ---- errors ----------------------------------------------------------- */

/* The HTTP status of each error, and a text when its own is not meant for a client. */
static const struct {
    int error;
    unsigned status;
    const char *text;
} statuses[] = {
    {CRIER_ERR_MAX_STREAMS, MHD_HTTP_SERVICE_UNAVAILABLE,
     "the server has as many clients as it takes; try again later"},
    {CRIER_ERR_CLOSED, MHD_HTTP_SERVICE_UNAVAILABLE,
     "the server is shutting down"},
    {CRIER_ERR_DRAINING, MHD_HTTP_SERVICE_UNAVAILABLE,
     "the server is shutting down"},
    {CRIER_ERR_HUB_CLOSED, MHD_HTTP_SERVICE_UNAVAILABLE,
     "the server is shutting down"},
    {CRIER_ERR_MAX_BACKLOG, MHD_HTTP_SERVICE_UNAVAILABLE,
     "the server has too much to deliver; try again"},
    {-ENOMEM, MHD_HTTP_SERVICE_UNAVAILABLE, "the server is short of memory"},
    {CRIER_ERR_UTF8, MHD_HTTP_BAD_REQUEST, "the text is not valid UTF-8"},
    {CRIER_ERR_NEWLINE, MHD_HTTP_BAD_REQUEST, NULL},
    {CRIER_ERR_TOPIC, MHD_HTTP_BAD_REQUEST, NULL},
    {CRIER_ERR_SELECTOR, MHD_HTTP_BAD_REQUEST, NULL},
    {CRIER_ERR_MANY_TOPICS, MHD_HTTP_BAD_REQUEST, NULL},
    {CRIER_ERR_ID, MHD_HTTP_BAD_REQUEST, NULL},
    {CRIER_ERR_NO_TOPIC, MHD_HTTP_NOT_FOUND, NULL},
    {CRIER_ERR_EXISTS, MHD_HTTP_CONFLICT, NULL},
    {CRIER_ERR_TOPIC_ENDED, MHD_HTTP_CONFLICT, "the topic has ended"},
    {CRIER_ERR_FRAME_SIZE, MHD_HTTP_CONTENT_TOO_LARGE, NULL},
    {CRIER_ERR_UPDATE_SIZE, MHD_HTTP_CONTENT_TOO_LARGE, NULL},
    {CRIER_ERR_MAX_TOPICS, MHD_HTTP_INSUFFICIENT_STORAGE, NULL},
    {CRIER_ERR_STORAGE_FULL, MHD_HTTP_INSUFFICIENT_STORAGE, NULL},
    {CRIER_ERR_STORAGE, MHD_HTTP_SERVICE_UNAVAILABLE, NULL},
};

unsigned crier_error_status(int error, const char *reason, char *detail,
                            size_t size)
{
    unsigned status = MHD_HTTP_INTERNAL_SERVER_ERROR;
    const char *own = crier_error_text(error), *text = own;
    bool more = reason != NULL && reason[0] != '\0' && strcmp(reason, own) != 0;
    size_t i;

    for (i = 0; i < sizeof statuses / sizeof statuses[0]; i++)
        if (statuses[i].error == error) {
            status = statuses[i].status;
            if (statuses[i].text != NULL)
                text = statuses[i].text;
            break;
        }
    snprintf(detail, detail != NULL ? size : 0, "%s%s%s", text, more ? ": " : "",
             more ? reason : "");
    return status;
}

/* ---- texts ------------------------------------------------------------ */

/* Queues RESPONSE (stolen; NULL when memory was short). */
static enum MHD_Result queue_response(struct MHD_Connection *connection,
                                      unsigned status,
                                      struct MHD_Response *response)
{
    enum MHD_Result result;

    if (response == NULL)
        return MHD_NO;
    result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

/* Returns a new response of the media type TYPE with BODY (copied); NULL when memory is
 * short. */
static struct MHD_Response *make_content(const char *type, char *body,
                                         size_t length)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(length, body, MHD_RESPMEM_MUST_COPY);

    if (response != NULL &&
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
                                type) != MHD_YES) {
        MHD_destroy_response(response);
        response = NULL;
    }
    return response;
}

/* Returns a new response with the problem details of STATUS and DETAIL; NULL when
 * memory is short. */
static struct MHD_Response *make_problem(unsigned status, const char *detail)
{
    char body[6 * TEXT_SIZE + 256]; /* a byte may become \uXXXX */
    struct MHD_Response *response;
    json_t *problem = json_pack("{s:s, s:s, s:i, s:s}", "type", "about:blank",
                                "title", MHD_get_reason_phrase_for(status),
                                "status", (int)status, "detail", detail);
    size_t length = 0;

    if (problem != NULL)
        length = json_dumpb(problem, body, sizeof body - 1, JSON_COMPACT);
    json_decref(problem);
    if (length == 0)
        return NULL;
    body[length++] = '\n';
    response = make_content("application/problem+json", body, length);
    if (response != NULL && status == MHD_HTTP_SERVICE_UNAVAILABLE)
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER,
                                      RETRY_AFTER);
    return response;
}

static enum MHD_Result send_text(struct MHD_Connection *connection,
                                 unsigned status, char text[TEXT_SIZE + 1])
{
    size_t length;

    if (connection == NULL)
        return MHD_NO;
    crier_utf8_repair(text);
    if (status >= MHD_HTTP_BAD_REQUEST)
        return queue_response(connection, status, make_problem(status, text));
    length = strlen(text);
    if (length != 0)
        text[length++] = '\n';
    return queue_response(
        connection, status,
        make_content("text/plain; charset=utf-8", text, length));
}

enum MHD_Result crier_status_respond(struct MHD_Connection *connection,
                                     unsigned status, const char *format, ...)
{
    char text[TEXT_SIZE + 1];
    va_list arguments;

    if (format == NULL)
        return crier_error_respond(connection, CRIER_ERR_NULL, NULL);
    va_start(arguments, format);
    vsnprintf(text, TEXT_SIZE, format, arguments);
    va_end(arguments);
    return send_text(connection, status, text);
}

enum MHD_Result crier_error_respond(struct MHD_Connection *connection,
                                    int error, const char *reason)
{
    char text[TEXT_SIZE + 1];
    unsigned status = crier_error_status(error, reason, text, TEXT_SIZE);

    return send_text(connection, status, text);
}

enum MHD_Result crier__respond_json(struct MHD_Connection *connection,
                                    const char *text)
{
    size_t length = text != NULL ? strlen(text) : 0;
    char *body = text != NULL ? malloc(length + 1) : NULL;
    enum MHD_Result result;

    if (body == NULL)
        return crier_error_respond(connection, -ENOMEM, NULL);
    memcpy(body, text, length);
    body[length] = '\n';
    result = queue_response(connection, MHD_HTTP_OK,
                            make_content("application/json", body, length + 1));
    free(body);
    return result;
}

enum MHD_Result crier_reply_respond(struct crier_reply *reply,
                                    struct MHD_Connection *connection)
{
    struct MHD_Response *response;
    int error =
        connection != NULL ? crier__reply_error(reply) : CRIER_ERR_NULL;

    if (error == 0)
        error = crier_reply_response(reply, &response);
    crier_reply_free(reply);
    return error == 0 ? queue_response(connection, MHD_HTTP_OK, response)
                      : crier_error_respond(connection, error, NULL);
}

/* ---- streams ---------------------------------------------------------- */

/* Gives STREAM back and answers with RESPONSE (stolen), or with ERROR, which ends the
 * stream. */
static enum MHD_Result open_stream(struct MHD_Connection *connection,
                                   struct crier_stream *stream,
                                   struct MHD_Response *response, int error)
{
    crier_stream_unref(stream);
    if (error == 0)
        return queue_response(connection, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    if (error == CRIER_ERR_TOPIC_ENDED) /* a refusal to publish would be a conflict */
        return queue_response(connection, MHD_HTTP_NO_CONTENT,
                              MHD_create_response_from_buffer(
                                  0, NULL, MHD_RESPMEM_PERSISTENT));
    return crier_error_respond(connection, error, NULL);
}

enum MHD_Result
crier_stream_respond(struct crier_shards *shards,
                     struct MHD_Connection *connection,
                     const struct crier_stream_options *options)
{
    struct MHD_Response *response;
    struct crier_stream *stream;
    int error =
        crier_stream_new(shards, connection, options, &stream, &response);

    return error == 0 ? open_stream(connection, stream, response, 0)
                      : crier_error_respond(connection, error, NULL);
}

enum MHD_Result
crier_broadcaster_respond(struct crier_broadcaster *broadcaster,
                          struct MHD_Connection *connection, const char *name,
                          struct crier_frame *hello)
{
    struct MHD_Response *response;
    struct crier_stream *stream;
    int error = CRIER_ERR_NULL;

    if (broadcaster != NULL)
        error = crier_stream_new(crier__broadcaster_shards(broadcaster),
                                 connection, NULL, &stream, &response);
    if (error != 0)
        return crier_error_respond(connection, error, NULL);
    error = crier_broadcaster_join(broadcaster, stream, name, hello);
    return open_stream(connection, stream, response, error);
}

/* ---- subscriptions ---------------------------------------------------- */

static void set_since(struct crier_subscribe_options *options, const char *text)
{
    uint64_t number;

    options->id = NULL;
    options->number = 0;
    if (strcmp(text, "all") == 0) {
        options->since = CRIER_SINCE_ALL;
    } else if (crier__number_read(text, 0, UINT32_MAX, &number)) {
        options->since = CRIER_SINCE_LAST;
        options->number = number;
    } else if (crier__number_read_unit(text, crier__time_units,
                                       CRIER__TIME_UNITS - 1, LONGEST_AGE,
                                       &number)) {
        options->since = CRIER_SINCE_TIME;
        options->number = number;
    } else {
        options->since = CRIER_SINCE_ID;
        options->id = text;
    }
}

static bool is_given(const char *text)
{
    return text != NULL && text[0] != '\0';
}

void crier_subscribe_start(struct crier_subscribe_options *options,
                           const char *field, const char *parameter,
                           const char *since)
{
    /* A browser that reconnects sends the field with its first URL; so the field is
     * newer than the parameters. */
    const char *id = is_given(field) ? field : parameter;

    if (options == NULL)
        return;
    if (is_given(id)) {
        options->since = CRIER_SINCE_ID;
        options->id = id;
    } else if (is_given(since)) {
        set_since(options, since);
    }
}

bool crier_is_event_source(const char *accept, const char *cache_control,
                           const char *user_agent)
{
    return accept != NULL && strcasecmp(accept, "text/event-stream") == 0 &&
           cache_control != NULL &&
           strcasecmp(cache_control, "no-cache") == 0 && user_agent != NULL &&
           strncmp(user_agent, "Mozilla/", 8) == 0;
}

/* The parameters of the query that say where to begin. */
struct query {
    const char *id;
    const char *since;
    const char *start;
};

static enum MHD_Result read_parameter(void *closure, enum MHD_ValueKind kind,
                                      const char *name, const char *value)
{
    struct query *query = closure;

    (void)kind;
    if (strcmp(name, "lastEventID") == 0 || strcmp(name, "lastEventId") == 0)
        query->id = value;
    else if (strcmp(name, "since") == 0)
        query->since = value;
    else if (strcmp(name, "start") == 0)
        query->start = value;
    return MHD_YES;
}

static const char *find_field(struct MHD_Connection *connection,
                              const char *name)
{
    return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

/* Sets in OPTIONS where and how the stream begins, from the request. */
static void read_start(struct MHD_Connection *connection,
                       struct crier_subscribe_options *options)
{
    struct query query = {NULL, NULL, NULL};

    MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND,
                              read_parameter, &query);
    crier_subscribe_start(options, find_field(connection, "Last-Event-ID"),
                          query.id, query.since);
    if (query.start != NULL && strcmp(query.start, "id") == 0)
        options->start = CRIER_START_ID;
    else if (query.start != NULL && strcmp(query.start, "comment") == 0)
        options->start = CRIER_START_COMMENT;
    else if (crier_is_event_source(
                 find_field(connection, MHD_HTTP_HEADER_ACCEPT),
                 find_field(connection, MHD_HTTP_HEADER_CACHE_CONTROL),
                 find_field(connection, MHD_HTTP_HEADER_USER_AGENT)))
        options->start = CRIER_START_EVENT;
}

enum MHD_Result crier_hub_respond(struct crier_hub *hub,
                                  struct MHD_Connection *connection,
                                  const struct crier_subscribe_options *subscribe,
                                  const struct crier_stream_options *stream)
{
    struct crier_stream_options options = {0};
    struct crier_subscribe_options start;
    struct MHD_Response *response;
    struct crier_stream *made;
    int error;

    if (hub == NULL || subscribe == NULL)
        return crier_error_respond(connection, CRIER_ERR_NULL, NULL);
    start = *subscribe;
    if (stream != NULL)
        options = *stream;
    if (options.affinity == NULL)
        options.affinity = subscribe->topics;
    error = crier_stream_new(hub->shards, connection, &options, &made,
                             &response);
    if (error != 0)
        return crier_error_respond(connection, error, NULL);
    read_start(connection, &start);
    start.response = response;
    error = crier_hub_subscribe(hub, made, &start);
    return open_stream(connection, made, response, error);
}
