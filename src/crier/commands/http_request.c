/*
 * One request with a response, by libcurl's easy interface, configured as libcrier
 * configures it. For what neither the library's clients nor its publishers do.
 */
#include <config.h>

#include "http_request.h"

#include "base/curl.h"
#include "base/json_read.h"
#include "crier/cli/note.h"
#include "crier/cli/printable.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Enough for a page of 1000 topics with names and ids of 255 bytes. */
#define BODY_MAX ((size_t)4 * 1024 * 1024)

/* How many seconds nothing may come, or go, in a request without a timeout. */
#define SILENCE_MAX 120L

/* A request and the response so far. */
struct http_request {
    struct crier__http http;
    struct curl_slist *headers;
    CURL *handle;
    char trouble[CURL_ERROR_SIZE]; /* libcurl's message */
    struct text body;              /* of the response, unless it is taken */
    bool (*take)(void *closure, const char *bytes, size_t length);
    void *closure;
};

/* ---- the request -------------------------------------------------------- */

static long get_status(const struct http_request *request)
{
    long status = 0;

    curl_easy_getinfo(request->handle, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

static size_t append_body(char *bytes, size_t size, size_t count, void *closure)
{
    struct http_request *request = closure;

    if (request->take != NULL && get_status(request) == 200)
        return request->take(request->closure, bytes, size * count) ? size * count : 0;
    if (request->body.length + size * count > BODY_MAX)
        return 0;
    text_add(&request->body, bytes, size * count);
    return size * count;
}

/* Prepares a request for PATH, which accepts ACCEPT and has a body of TYPE (NULL: it has
 * none). Returns 0 or an error of libcrier. */
static int prepare_request(struct http_request *request, const struct options *options,
                           const char *path, const char *accept, const char *type)
{
    char accepts[64], has[64];
    const char *const own[] = {accepts, type != NULL ? has : NULL, NULL};
    struct crier_http_options http_options;
    struct text url = {0};
    int error;

    snprintf(accepts, sizeof accepts, "Accept: %s", accept);
    snprintf(has, sizeof has, "Content-Type: %s", type != NULL ? type : "");
    options_get_http(options, false, &http_options);
    error = crier__http_init(&request->http, &http_options);
    if (error == 0)
        error = crier__http_headers(&request->http, own, &request->headers);
    if (error != 0)
        return error;
    text_add_string(&url, options->server);
    text_add_string(&url, path);
    request->handle = crier__http_handle(&request->http, url.bytes, request->trouble);
    text_done(&url);
    if (request->handle == NULL)
        return -ENOMEM;
    curl_easy_setopt(request->handle, CURLOPT_HTTPHEADER, request->headers);
    curl_easy_setopt(request->handle, CURLOPT_WRITEFUNCTION, append_body);
    curl_easy_setopt(request->handle, CURLOPT_WRITEDATA, request);
    return 0;
}

static void free_request(struct http_request *request)
{
    curl_easy_cleanup(request->handle);
    curl_slist_free_all(request->headers);
    crier__http_done(&request->http);
    text_done(&request->body);
}

/* ---- the response ------------------------------------------------------- */

/* The object that the body of REQUEST is, or NULL. */
static json_t *parse_body(const struct http_request *request)
{
    json_t *object = NULL;

    if (request->body.length != 0)
        object = json_read(request->body.bytes, request->body.length, 0, NULL);
    if (json_is_object(object))
        return object;
    json_decref(object);
    return NULL;
}

/* Carries REQUEST out, and writes what it has come to to *RESULT. Returns whether libcurl
 * has run out of time. */
static bool perform_request(struct http_request *request, struct http_result *result)
{
    CURLcode code = curl_easy_perform(request->handle);
    long status = get_status(request);
    size_t length;
    int error = 0;

    result->body = parse_body(request);
    /* an error status counts even if the body is incomplete */
    if (code == CURLE_OK && status == 200) {
        result->outcome = HTTP_DONE;
    } else if (code == CURLE_OK || status >= 400) {
        crier__http_reason(result->reason, sizeof result->reason, status,
                           request->body.bytes, request->body.length);
        result->outcome = crier__http_temporary(status) ? HTTP_BUSY : HTTP_REFUSED;
    } else {
        error = crier__http_failure(request->handle, code, request->trouble,
                                    result->reason, sizeof result->reason);
        length = strlen(result->reason);
        if (code == CURLE_SSL_CONNECT_ERROR)
            snprintf(result->reason + length, sizeof result->reason - length,
                     " (does this server speak https?)");
        result->outcome = HTTP_BROKEN;
    }
    return error == -ETIMEDOUT;
}

/* Writes to *RESULT that REQUEST could not be made because of ERROR. */
static void fail_request(struct http_result *result, int error)
{
    result->outcome = HTTP_REFUSED;
    snprintf(result->reason, sizeof result->reason, "%s", crier_error_text(error));
}

bool http_get(const struct options *options, const char *path, uint32_t timeout,
              struct http_response *response)
{
    struct http_request request = {0};
    struct http_result result = {0};
    int error = prepare_request(&request, options, path, "application/json", NULL);
    curl_off_t time = 0;
    bool late;

    if (error != 0) {
        note_error("%s", crier_error_text(error));
    } else {
        curl_easy_setopt(request.handle, CURLOPT_TIMEOUT_MS, (long)timeout);
        late = perform_request(&request, &result);
        curl_easy_getinfo(request.handle, CURLINFO_TOTAL_TIME_T, &time);
        if (result.outcome != HTTP_DONE)
            note_error("%s: %s", options->server,
                       late ? "no response in time" : result.reason);
        else if (result.body == NULL)
            note_error("%s: this is not a response of crierd", options->server);
    }
    free_request(&request);
    if (error == 0 && result.outcome == HTTP_DONE && result.body != NULL) {
        *response = (struct http_response){result.body, (double)time / 1000.0};
        return true;
    }
    json_decref(result.body);
    return false;
}

/* Bounds the time in which nothing comes or goes. */
static void limit_silence(const struct http_request *request)
{
    curl_easy_setopt(request->handle, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(request->handle, CURLOPT_LOW_SPEED_TIME, SILENCE_MAX);
}

void http_post(const struct options *options, const char *path, const char *type,
               const char *bytes, size_t length, struct http_result *result)
{
    struct http_request request = {0};
    int error = prepare_request(&request, options, path, "application/json", type);

    *result = (struct http_result){0};
    if (error == 0) {
        curl_easy_setopt(request.handle, CURLOPT_POSTFIELDS, bytes);
        curl_easy_setopt(request.handle, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)length);
        limit_silence(&request);
        (void)perform_request(&request, result);
    } else {
        fail_request(result, error);
    }
    free_request(&request);
}

void http_stream(const struct options *options, const char *path,
                 bool (*take)(void *closure, const char *bytes, size_t length),
                 void *closure, struct http_result *result)
{
    struct http_request request = {.take = take, .closure = closure};
    int error =
        prepare_request(&request, options, path, "application/x-ndjson", NULL);

    *result = (struct http_result){0};
    if (error == 0) {
        limit_silence(&request);
        (void)perform_request(&request, result);
    } else {
        fail_request(result, error);
    }
    free_request(&request);
}

const char *http_get_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text != NULL ? text : "";
}
