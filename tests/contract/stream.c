/*
 * A stream of the contract test service.
 *
 * Each has a thread that does nothing but crier_client_run(). The callbacks of
 * that run report what they are told before they return, so reports leave in the
 * order of the stream, one at a time, on one connection that is kept; and a slow
 * harness makes the stream slow instead of a queue long. A queue and a thread for
 * reports were rejected for that reason.
 *
 * The service's thread starts, commands and stops. What the two threads share:
 * the client, which allows it; `types`, under the lock; and `stopped`, which the
 * report that is on its way looks at.
 *
 * `persist` stays off: the contract asks for the standard's behaviour.
 */
#include <config.h>

#include "stream.h"

#include "crier_client.h"

#include <curl/curl.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct stream {
    unsigned long number;
    struct crier_client *client;
    pthread_t thread;
    atomic_bool stopped;

    pthread_mutex_t lock; /* guards types */
    json_t *types;        /* what is listened to besides "message" */

    /* The thread's own. */
    CURL *curl;
    struct curl_slist *headers;
    char *callback_url;
    uint64_t reports; /* how many were sent */
};

/* ---- reports ---------------------------------------------------------- */

static size_t ignore(char *bytes, size_t size, size_t count, void *closure)
{
    (void)bytes;
    (void)closure;
    return size * count;
}

/* libcurl asks at least once a second whether to go on. */
static int asked(void *closure, curl_off_t total_in, curl_off_t in,
                 curl_off_t total_out, curl_off_t out)
{
    struct stream *stream = closure;

    (void)total_in;
    (void)in;
    (void)total_out;
    (void)out;
    return atomic_load(&stream->stopped);
}

static bool prepare_reports(struct stream *stream)
{
    /* Without the second, large reports would wait for a "100 Continue". */
    static const char *const headers[] = {"Content-Type: application/json",
                                          "Expect:"};
    struct curl_slist *longer;
    CURL *curl = stream->curl = curl_easy_init();

    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        longer = curl_slist_append(stream->headers, headers[i]);
        if (longer == NULL)
            return false;
        stream->headers = longer;
    }
    return curl != NULL &&
           curl_easy_setopt(curl, CURLOPT_HTTPHEADER, stream->headers) ==
               CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") ==
               CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, ignore) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, asked) ==
               CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_XFERINFODATA, stream) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L) == CURLE_OK;
}

static CURLcode post(struct stream *stream, const char *body)
{
    CURLcode code = CURLE_OUT_OF_MEMORY;
    char *url;

    if (asprintf(&url, "%s/%" PRIu64, stream->callback_url, stream->reports) <
        0)
        return code;
    curl_easy_setopt(stream->curl, CURLOPT_POSTFIELDSIZE_LARGE,
                     (curl_off_t)strlen(body));
    curl_easy_setopt(stream->curl, CURLOPT_POSTFIELDS, body);
    if (curl_easy_setopt(stream->curl, CURLOPT_URL, url) == CURLE_OK)
        code = curl_easy_perform(stream->curl);
    free(url);
    return code;
}

/* POSTs MESSAGE, which is let go; nothing once the stream is stopped. The
 * harness waits for each number, so one that cannot be delivered makes its test
 * fail; here it is only said. */
static void report(struct stream *stream, json_t *message)
{
    CURLcode code = CURLE_OUT_OF_MEMORY;
    char *body;

    if (!atomic_load(&stream->stopped)) {
        stream->reports++;
        body = message != NULL ? json_dumps(message, JSON_COMPACT) : NULL;
        if (body != NULL)
            code = post(stream, body);
        if (code != CURLE_OK && !atomic_load(&stream->stopped))
            fprintf(stderr, "stream %lu: report %" PRIu64 ": %s\n",
                    stream->number, stream->reports, curl_easy_strerror(code));
        free(body);
    }
    json_decref(message);
}

/* ---- what the client tells -------------------------------------------- */

static bool listens_to(struct stream *stream, const char *type, size_t length)
{
    bool found = length == 7 && memcmp(type, "message", 7) == 0;
    const json_t *heard;
    size_t i;

    pthread_mutex_lock(&stream->lock);
    json_array_foreach(stream->types, i, heard)
    {
        found = found || (json_string_length(heard) == length &&
                          memcmp(json_string_value(heard), type, length) == 0);
    }
    pthread_mutex_unlock(&stream->lock);
    return found;
}

static void on_event(void *closure, struct crier_client *client,
                     const struct crier_message *message)
{
    struct stream *stream = closure;

    (void)client;
    if (listens_to(stream, message->type, message->type_length))
        report(stream, json_pack("{s:s, s:{s:s%, s:s%, s:s}}", "kind", "event",
                                 "event", "type", message->type,
                                 message->type_length, "data", message->data,
                                 message->length, "id", message->id));
}

static void on_comment(void *closure, struct crier_client *client,
                       const struct crier_message *message)
{
    (void)client;
    report(closure, json_pack("{s:s, s:s%}", "kind", "comment", "comment",
                              message->data, message->length));
}

static void on_error(void *closure, struct crier_client *client,
                     const struct crier_message *message)
{
    (void)client;
    report(closure,
           json_pack("{s:s, s:s}", "kind", "error", "error", message->reason));
}

static void *run_stream(void *closure)
{
    struct stream *stream = closure;
    struct crier_client_callbacks callbacks = {.on_event = on_event,
                                               .on_comment = on_comment,
                                               .on_error = on_error,
                                               .on_closed = on_error,
                                               .closure = stream};

    crier_client_run(stream->client, &callbacks);
    return NULL;
}

/* ---- parameters ------------------------------------------------------- */

/* Parameters as they are taken out; once one is wrong, nothing is right. */
struct taking {
    const json_t *params;
    bool wrong;
};

/* The text of the name NAME, NULL when it is not there or null. */
static const char *take_text(struct taking *taking, const char *name,
                             size_t *length)
{
    const json_t *value = json_object_get(taking->params, name);

    if (value == NULL || json_is_null(value))
        return NULL;
    *length = json_string_length(value);
    if (!json_is_string(value))
        taking->wrong = true;
    return json_string_value(value);
}

/* The same for what must not hold NUL. */
static const char *take_line(struct taking *taking, const char *name)
{
    size_t length = 0;
    const char *text = take_text(taking, name, &length);

    if (text != NULL && strlen(text) != length)
        taking->wrong = true;
    return text;
}

/* Milliseconds, or INSTEAD. */
static uint32_t take_ms(struct taking *taking, const char *name,
                        uint32_t instead)
{
    const json_t *value = json_object_get(taking->params, name);
    json_int_t number = json_integer_value(value);

    if (value == NULL || json_is_null(value))
        return instead;
    if (!json_is_integer(value) || number < 0 || number > UINT32_MAX)
        taking->wrong = true;
    return (uint32_t)number;
}

static void free_headers(char **lines, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(lines[i]);
    free(lines);
}

/* The headers as an array of COUNT lines and NULL, or NULL when memory is short.
 * To be freed by free_headers(). */
static char **take_headers(struct taking *taking, size_t *count)
{
    json_t *headers = json_object_get(taking->params, "headers"), *value;
    char **lines = calloc(json_object_size(headers) + 1, sizeof *lines);
    const char *name;

    *count = 0;
    if (headers != NULL && !json_is_null(headers) && !json_is_object(headers))
        taking->wrong = true;
    json_object_foreach(headers, name, value)
    {
        if (lines == NULL)
            break;
        if (!json_is_string(value) ||
            strlen(json_string_value(value)) != json_string_length(value)) {
            taking->wrong = true;
        } else if (asprintf(&lines[*count], "%s: %s", name,
                            json_string_value(value)) >= 0) {
            ++*count;
        } else {
            free_headers(lines, *count);
            lines = NULL;
        }
    }
    return lines;
}

/* ---- life ------------------------------------------------------------- */

static void let_go(struct stream *stream)
{
    crier_client_free(stream->client);
    curl_easy_cleanup(stream->curl);
    curl_slist_free_all(stream->headers);
    free(stream->callback_url);
    json_decref(stream->types);
    pthread_mutex_destroy(&stream->lock);
    free(stream);
}

/* Everything but the headers. */
static void take_options(struct taking *taking,
                         struct crier_client_options *options)
{
    options->url = take_line(taking, "streamUrl");
    options->method = take_line(taking, "method");
    options->body = take_text(taking, "body", &options->body_length);
    options->last_event_id = take_line(taking, "lastEventId");
    options->retry = take_ms(taking, "initialDelayMs", 3000);
    options->read_timeout = take_ms(taking, "readTimeoutMs", 0);
    options->reconnect = CRIER_RECONNECT_ALWAYS; /* the contract has it with POST */
    /* To a client 0 means its default; here it means no delay. */
    if (options->retry == 0)
        options->retry = 1;
    if (options->url == NULL)
        taking->wrong = true;
}

/* Makes the client that PARAMS ask for. CRIER_ERR_INVALID when one is missing or
 * of the wrong kind, and the errors of crier_client_new(). */
static int make_client(struct stream *stream, const json_t *params)
{
    struct taking taking = {.params = params};
    struct crier_client_options options = {0};
    const char *url = take_line(&taking, "callbackUrl");
    int error = CRIER_ERR_INVALID;
    size_t count;
    char **headers = take_headers(&taking, &count);

    take_options(&taking, &options);
    options.http.headers = (const char *const *)headers;
    if (url == NULL ||
        (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0))
        taking.wrong = true;
    if (headers == NULL)
        error = -ENOMEM;
    else if (!taking.wrong)
        error = crier_client_new(&options, &stream->client);
    free_headers(headers, count);
    if (error == 0)
        stream->callback_url = strdup(url);
    return error == 0 && stream->callback_url == NULL ? -ENOMEM : error;
}

unsigned stream_start(const json_t *params, unsigned long number,
                      struct stream **result, const char **why)
{
    struct stream *stream = calloc(1, sizeof *stream);
    int error;

    *why = "out of memory";
    if (stream == NULL)
        return 500;
    stream->number = number;
    atomic_init(&stream->stopped, false);
    pthread_mutex_init(&stream->lock, NULL);
    stream->types = json_array();
    error = make_client(stream, params);
    if (error == 0 && (stream->types == NULL || !prepare_reports(stream)))
        error = -ENOMEM;
    if (error == 0)
        error = -pthread_create(&stream->thread, NULL, run_stream, stream);
    if (error != 0) {
        let_go(stream);
        *why = crier_error_text(error);
        /* Those of ours tell of the parameters, the others of the system. */
        return error <= CRIER_ERR_UTF8 ? 400 : 500;
    }
    *result = stream;
    return 201;
}

unsigned long stream_number(const struct stream *stream)
{
    return stream->number;
}

/* Listens to TYPE; what is listened to already is not noted again. */
static unsigned listen_to(struct stream *stream, json_t *type,
                          const char **why)
{
    int error;

    *why = "listen needs a type";
    if (!json_is_string(type))
        return 400;
    *why = "out of memory";
    if (listens_to(stream, json_string_value(type), json_string_length(type)))
        return 202;
    pthread_mutex_lock(&stream->lock);
    error = json_array_append(stream->types, type);
    pthread_mutex_unlock(&stream->lock);
    return error == 0 ? 202 : 500;
}

unsigned stream_command(struct stream *stream, const json_t *command,
                        const char **why)
{
    const char *name = json_string_value(json_object_get(command, "command"));

    if (name != NULL && strcmp(name, "listen") == 0)
        return listen_to(
            stream,
            json_object_get(json_object_get(command, "listen"), "type"), why);
    *why = "there is no such command";
    if (name == NULL || strcmp(name, "restart") != 0)
        return 400;
    crier_client_restart(stream->client);
    return 202;
}

void stream_stop(struct stream *stream)
{
    atomic_store(&stream->stopped, true);
    crier_client_close(stream->client);
    pthread_join(stream->thread, NULL);
    let_go(stream);
}
