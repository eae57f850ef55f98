/*
 * One question to the server, and its answer in JSON: libcurl's easy interface, set up
 * as libcrier sets it up. The library's clients follow streams and its publishers
 * publish; this is for what is neither.
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

/* A page of 1000 topics, with names and ids of 255 bytes, has no more. */
#define BODY_MAX ((size_t)4 * 1024 * 1024)

/* A question that is on its way. */
struct question {
    const char *server; /* whom it is for, in messages */
    struct crier__http http;
    struct curl_slist *headers;
    CURL *handle;
    char trouble[CURL_ERROR_SIZE]; /* libcurl's words */
    struct text body;              /* of the answer */
};

/* ---- the request ------------------------------------------------------ */

static size_t take_body(char *bytes, size_t size, size_t count, void *closure)
{
    struct question *question = closure;

    if (question->body.length + size * count > BODY_MAX)
        return 0;
    text_add(&question->body, bytes, size * count);
    return size * count;
}

/* Makes the question, for PATH of the server. 0 or an error of libcrier's. */
static int prepare_question(struct question *question,
                            const struct conf *conf, const char *path,
                            uint32_t timeout)
{
    static const char *const own[] = {"Accept: application/json", NULL};
    struct crier_http_options options;
    struct text url = {0};
    int error;

    conf_http(conf, false, &options);
    error = crier__http_init(&question->http, &options);
    if (error == 0)
        error = crier__http_headers(&question->http, own, &question->headers);
    if (error != 0)
        return error;
    text_puts(&url, conf->server);
    text_puts(&url, path);
    question->handle =
        crier__http_handle(&question->http, url.bytes, question->trouble);
    text_done(&url);
    if (question->handle == NULL)
        return -ENOMEM;
    curl_easy_setopt(question->handle, CURLOPT_HTTPHEADER, question->headers);
    curl_easy_setopt(question->handle, CURLOPT_TIMEOUT_MS, (long)timeout);
    curl_easy_setopt(question->handle, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(question->handle, CURLOPT_WRITEDATA, question);
    return 0;
}

static void end_question(struct question *question)
{
    curl_easy_cleanup(question->handle);
    curl_slist_free_all(question->headers);
    crier__http_done(&question->http);
    text_done(&question->body);
}

/* ---- the answer ------------------------------------------------------- */

/* Takes the answer with STATUS. False when it is not what was asked for, which is
 * noted. */
static bool take_answer(const struct question *question, long status,
                 struct answer *answer)
{
    const struct text *body = &question->body;
    json_t *object = NULL;
    curl_off_t time = 0;
    char reason[512];

    curl_easy_getinfo(question->handle, CURLINFO_TOTAL_TIME_T, &time);
    if (status != 200) {
        crier__http_reason(reason, sizeof reason, status, body->bytes,
                           body->length);
        note_error("%s: %s", question->server, reason);
        return false;
    }
    if (body->length != 0)
        object = json_read(body->bytes, body->length, 0, NULL);
    if (json_is_object(object)) {
        *answer = (struct answer){object, (double)time / 1000.0};
        return true;
    }
    note_error("%s: the answer is not a crierd's", question->server);
    json_decref(object);
    return false;
}

/* Notes why there was no answer. */
static void tell_trouble(const struct question *question, CURLcode result)
{
    const char *hint = result == CURLE_SSL_CONNECT_ERROR
                           ? " (does this server speak https?)"
                           : "";
    char reason[512];
    int error = crier__http_failure(question->handle, result,
                                    question->trouble, reason, sizeof reason);

    note_error("%s: %s%s", question->server,
               error == -ETIMEDOUT ? "no answer in time" : reason, hint);
}

bool ask(const struct conf *conf, const char *path, uint32_t timeout,
         struct answer *answer)
{
    struct question question = {.server = conf->server};
    int error = prepare_question(&question, conf, path, timeout);
    CURLcode result;
    bool well = false;
    long status = 0;

    if (error != 0) {
        note_error("%s", crier_error_text(error));
    } else {
        result = curl_easy_perform(question.handle);
        curl_easy_getinfo(question.handle, CURLINFO_RESPONSE_CODE, &status);
        /* A refusal is one even if its words are not all there. */
        if (result == CURLE_OK || status >= 400)
            well = take_answer(&question, status, answer);
        else
            tell_trouble(&question, result);
    }
    end_question(&question);
    return well;
}

const char *ask_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text != NULL ? text : "";
}
