/*
 * One question to the server, and its answer in JSON: libcurl's easy
 * interface. The library's clients follow streams and its publishers publish;
 * this is for what is neither.
 */
#include <config.h>

#include "ask.h"

#include "note.h"
#include "text.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A page of 1000 topics, with names and ids of 255 bytes, has no more. */
#define BODY_MAX ((size_t)4 * 1024 * 1024)

/* ---- the request ------------------------------------------------------ */

static size_t take_body(char *bytes, size_t size, size_t count, void *closure)
{
    struct text *body = closure;

    if (body->length + size * count > BODY_MAX)
        return 0;
    text_add(body, bytes, size * count);
    return size * count;
}

static int take_wire(CURL *handle, curl_infotype type, char *bytes,
                     size_t length, void *closure)
{
    const struct crier_http_options *http = closure;

    (void)handle;
    if (type == CURLINFO_TEXT)
        http->on_wire(http->wire_closure, '*', bytes, length);
    else if (type == CURLINFO_HEADER_OUT)
        http->on_wire(http->wire_closure, '>', bytes, length);
    else if (type == CURLINFO_HEADER_IN)
        http->on_wire(http->wire_closure, '<', bytes, length);
    return 0;
}

/* Appends HEADER to *LIST. False when memory is short. */
static bool add_header(struct curl_slist **list, const char *header)
{
    struct curl_slist *more = curl_slist_append(*list, header);

    if (more != NULL)
        *list = more;
    return more != NULL;
}

/* Makes *LIST the headers of the request: those of the command line, and those
 * of crier's own that are not among them. False when memory is short. */
static bool make_headers(const struct conf *conf, struct curl_slist **list)
{
    struct text line = {0};
    bool well = true;
    size_t i;

    if (conf_header(conf, "Accept") == NULL)
        well = add_header(list, "Accept: application/json");
    if (conf->token != NULL && conf_header(conf, "Authorization") == NULL) {
        text_puts(&line, "Authorization: Bearer ");
        text_puts(&line, conf->token);
        well = well && add_header(list, line.bytes);
        text_done(&line);
    }
    for (i = 0; i < conf->header_count; i++)
        well = well && add_header(list, conf->headers[i]);
    return well;
}

static void set_tls(CURL *handle, const struct crier_http_options *http)
{
    if (http->ca_file != NULL)
        curl_easy_setopt(handle, CURLOPT_CAINFO, http->ca_file);
    if (http->cert_file != NULL)
        curl_easy_setopt(handle, CURLOPT_SSLCERT, http->cert_file);
    if (http->key_file != NULL)
        curl_easy_setopt(handle, CURLOPT_SSLKEY, http->key_file);
    if (http->insecure) {
        curl_easy_setopt(handle, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(handle, CURLOPT_SSL_VERIFYHOST, 0L);
    }
}

static void prepare(CURL *handle, const struct crier_http_options *http,
                    const char *url, uint32_t timeout)
{
    curl_easy_setopt(handle, CURLOPT_URL, url);
    curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(handle, CURLOPT_MAXREDIRS, 20L);
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    /* Giving up does not wait until a name is resolved. */
    curl_easy_setopt(handle, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, (long)timeout);
    curl_easy_setopt(handle, CURLOPT_USERAGENT, "crier/" PACKAGE_VERSION);
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, take_body);
    set_tls(handle, http);
    if (http->on_wire != NULL) {
        curl_easy_setopt(handle, CURLOPT_VERBOSE, 1L);
        curl_easy_setopt(handle, CURLOPT_DEBUGFUNCTION, take_wire);
        curl_easy_setopt(handle, CURLOPT_DEBUGDATA, http);
    }
}

/* ---- the answer ------------------------------------------------------- */

/* Takes the answer with STATUS. False when it is not what was asked for, which
 * is told. */
static bool take(const char *url, long status, const struct text *body,
                 struct answer *answer)
{
    json_t *object = body->length != 0
                         ? json_loadb(body->bytes, body->length, 0, NULL)
                         : NULL;
    const char *detail = ask_text(object, "detail");

    if (status == 200 && json_is_object(object)) {
        answer->body = object;
        return true;
    }
    if (status == 200)
        note_error("%s: the answer is not a crierd's", url);
    else if (detail[0] != '\0')
        note_error("%s: %ld: %s", url, status, detail);
    else
        note_error("%s: the server answered with status %ld", url, status);
    json_decref(object);
    return false;
}

/* Tells why there was no answer. */
static void tell_trouble(CURL *handle, const char *url, CURLcode result,
                         const char *trouble)
{
    const char *hint = result == CURLE_SSL_CONNECT_ERROR
                           ? " (does this server speak https?)"
                           : "";
    long error = 0;

    if (result == CURLE_COULDNT_CONNECT)
        curl_easy_getinfo(handle, CURLINFO_OS_ERRNO, &error);
    if (error != 0)
        note_error("%s: cannot connect: %s", url, strerror((int)error));
    else if (result == CURLE_OPERATION_TIMEDOUT)
        note_error("%s: no answer in time", url);
    else
        note_error("%s: %s%s", url,
                   trouble[0] != '\0' ? trouble : curl_easy_strerror(result),
                   hint);
}

static bool perform(CURL *handle, const char *url, struct answer *answer)
{
    char trouble[CURL_ERROR_SIZE] = "";
    struct text body = {0};
    curl_off_t time = 0;
    CURLcode result;
    long status = 0;
    bool well = false;

    curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, trouble);
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, &body);
    result = curl_easy_perform(handle);
    if (result != CURLE_OK) {
        tell_trouble(handle, url, result, trouble);
    } else {
        curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
        curl_easy_getinfo(handle, CURLINFO_TOTAL_TIME_T, &time);
        answer->time = (double)time / 1000.0;
        well = take(url, status, &body, answer);
    }
    text_done(&body);
    return well;
}

bool ask(const struct conf *conf, const char *path, uint32_t timeout,
         struct answer *answer)
{
    struct crier_http_options http;
    struct curl_slist *headers = NULL;
    struct text url = {0};
    CURL *handle = curl_easy_init();
    bool well = false;

    conf_http(conf, false, &http);
    text_puts(&url, conf->server);
    text_puts(&url, path);
    if (handle == NULL || !make_headers(conf, &headers)) {
        note_error("out of memory");
    } else {
        prepare(handle, &http, url.bytes, timeout);
        curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
        well = perform(handle, conf->server, answer);
    }
    curl_easy_cleanup(handle);
    curl_slist_free_all(headers);
    text_done(&url);
    return well;
}

const char *ask_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text != NULL ? text : "";
}
