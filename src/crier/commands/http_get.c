/*
 * One GET request with a JSON response, by libcurl's easy interface, configured as
 * libcrier configures it. For what neither the library's clients nor its publishers do.
 */
#include <config.h>

#include "http_get.h"

#include "base/curl.h"
#include "base/json_read.h"
#include "crier/cli/note.h"
#include "crier/cli/printable.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Enough for a page of 1000 topics with names and ids of 255 bytes. */
#define BODY_MAX ((size_t)4 * 1024 * 1024)

/* A request and the response so far. */
struct get_request {
    const char *server; /* for messages */
    struct crier__http http;
    struct curl_slist *headers;
    CURL *handle;
    char trouble[CURL_ERROR_SIZE]; /* libcurl's message */
    struct text body;              /* of the response */
};

/* ---- the request -------------------------------------------------------- */

static size_t append_body(char *bytes, size_t size, size_t count, void *closure)
{
    struct get_request *request = closure;

    if (request->body.length + size * count > BODY_MAX)
        return 0;
    text_add(&request->body, bytes, size * count);
    return size * count;
}

/* Prepares a request for PATH. Returns 0 or an error of libcrier. */
static int prepare_request(struct get_request *request, const struct options *options,
                           const char *path, uint32_t timeout)
{
    static const char *const own[] = {"Accept: application/json", NULL};
    struct crier_http_options http_options;
    struct text url = {0};
    int error;

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
    curl_easy_setopt(request->handle, CURLOPT_TIMEOUT_MS, (long)timeout);
    curl_easy_setopt(request->handle, CURLOPT_WRITEFUNCTION, append_body);
    curl_easy_setopt(request->handle, CURLOPT_WRITEDATA, request);
    return 0;
}

static void free_request(struct get_request *request)
{
    curl_easy_cleanup(request->handle);
    curl_slist_free_all(request->headers);
    crier__http_done(&request->http);
    text_done(&request->body);
}

/* ---- the response ------------------------------------------------------- */

/* Parses the response. Returns false, after reporting why, if it is not a 200 with a
 * JSON object. */
static bool read_response(const struct get_request *request, long status,
                          struct http_response *response)
{
    const struct text *body = &request->body;
    json_t *object = NULL;
    curl_off_t time = 0;
    char reason[512];

    curl_easy_getinfo(request->handle, CURLINFO_TOTAL_TIME_T, &time);
    if (status != 200) {
        crier__http_reason(reason, sizeof reason, status, body->bytes, body->length);
        note_error("%s: %s", request->server, reason);
        return false;
    }
    if (body->length != 0)
        object = json_read(body->bytes, body->length, 0, NULL);
    if (json_is_object(object)) {
        *response = (struct http_response){object, (double)time / 1000.0};
        return true;
    }
    note_error("%s: this is not a response of crierd", request->server);
    json_decref(object);
    return false;
}

/* Reports why there was no response. */
static void report_failure(const struct get_request *request, CURLcode result)
{
    const char *hint =
        result == CURLE_SSL_CONNECT_ERROR ? " (does this server speak https?)" : "";
    char reason[512];
    int error = crier__http_failure(request->handle, result, request->trouble, reason,
                                    sizeof reason);

    note_error("%s: %s%s", request->server,
               error == -ETIMEDOUT ? "no response in time" : reason, hint);
}

bool http_get(const struct options *options, const char *path, uint32_t timeout,
              struct http_response *response)
{
    struct get_request request = {.server = options->server};
    int error = prepare_request(&request, options, path, timeout);
    CURLcode result;
    bool ok = false;
    long status = 0;

    if (error != 0) {
        note_error("%s", crier_error_text(error));
    } else {
        result = curl_easy_perform(request.handle);
        curl_easy_getinfo(request.handle, CURLINFO_RESPONSE_CODE, &status);
        /* an error status counts even if the body is incomplete */
        if (result == CURLE_OK || status >= 400)
            ok = read_response(&request, status, response);
        else
            report_failure(&request, result);
    }
    free_request(&request);
    return ok;
}

const char *http_get_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text != NULL ? text : "";
}
