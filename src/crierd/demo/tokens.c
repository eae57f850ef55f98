/*
 * /tokens: a canned text, streamed word by word the way a language model's
 * answer is. The same prompt always gets the same text, so that a client that
 * lost its connection resumes after Last-Event-ID where it was. Token n has id
 * n; "done" has the id after the last one, and to a client that has seen it the
 * answer is 204, which tells an EventSource not to come again.
 */
#include <config.h>

#include "crierd/http/response.h"
#include "demo_parts.h"
#include "crierd/log/log.h"
#include "crierd/http/respond.h"
#include "crierd/http/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_NAME "answers.txt"
#define FILE_SIZE_MAX ((size_t)1024 * 1024)
#define ANSWERS_MAX 64
#define PROMPT_MAX 1000
#define INTERVAL 50 /* ms: twenty words a second */

struct answers {
    char *memory;
    const char *texts[ANSWERS_MAX]; /* paragraphs, lines joined by spaces */
    size_t count;
};

/* Cuts the paragraphs out of the file's text, in place. */
static void cut_paragraphs(struct answers *answers)
{
    char *at = answers->memory, *end, *c;

    while (answers->count < ANSWERS_MAX) {
        at += strspn(at, "\r\n ");
        if (*at == '\0')
            break;
        end = strstr(at, "\n\n");
        if (end != NULL)
            *end = '\0';
        for (c = at; *c != '\0'; c++)
            if (*c == '\n' || *c == '\r')
                *c = ' ';
        answers->texts[answers->count++] = at;
        if (end == NULL)
            break;
        at = end + 1;
    }
}

struct answers *answers_new(const char *data)
{
    struct answers *answers = calloc(1, sizeof *answers);
    int error = -ENOMEM;

    if (answers != NULL)
        error = text_from_file(data, FILE_NAME, FILE_SIZE_MAX,
                               &answers->memory);
    if (error != 0) {
        log_line(LOG_ERROR, "cannot read %s/" FILE_NAME ": %s", data,
                 crier_error_text(error));
        free(answers);
        return NULL;
    }
    cut_paragraphs(answers);
    if (answers->count != 0)
        return answers;
    log_line(LOG_ERROR, "%s/" FILE_NAME " holds no text", data);
    answers_free(answers);
    return NULL;
}

void answers_free(struct answers *answers)
{
    if (answers == NULL)
        return;
    free(answers->memory);
    free(answers);
}

/* FNV-1a: any spread will do, as long as it is always the same. */
static const char *answer_to(const struct answers *answers,
                             const struct uri_text *prompt)
{
    uint32_t hash = 2166136261u;
    size_t i;

    for (i = 0; i < prompt->length; i++)
        hash = (hash ^ (unsigned char)prompt->bytes[i]) * 16777619u;
    return answers->texts[hash % answers->count];
}

/* ---- words ------------------------------------------------------------ */

/* The length of the word at TEXT with the spaces behind it. */
static size_t word_length(const char *text)
{
    size_t length = strcspn(text, " ");

    return length + strspn(text + length, " ");
}

/* Skips COUNT words; *SKIPPED says how many there were. */
static const char *skip_words(const char *text, uint64_t count,
                              uint64_t *skipped)
{
    for (*skipped = 0; *skipped < count && *text != '\0'; ++*skipped)
        text += word_length(text);
    return text;
}

/* ---- the stream ------------------------------------------------------- */

struct telling {
    const char *rest;
    uint64_t told;
    uint64_t due;
};

static int event_frame(const char *type, uint64_t id, json_t *value,
                       struct crier_frame **frame)
{
    struct crier_event *event = crier_event_new();
    char text[24];
    int error = -ENOMEM;
    int length =
        snprintf(text, sizeof text, "%llu", (unsigned long long)id);

    if (event != NULL && value != NULL) {
        crier_event_type(event, type);
        crier_event_id(event, text, (size_t)length);
        crier_event_json(event, value);
        error = crier_event_encode(event, frame);
    }
    crier_event_free(event);
    json_decref(value);
    return error;
}

/* The frame of the word at the head of what is left, LENGTH bytes, or of "done"
 * when nothing is. */
static int next_frame(const struct telling *telling, size_t length,
                      struct crier_frame **frame)
{
    json_int_t next = (json_int_t)telling->told + 1;

    if (length == 0)
        return event_frame("done", telling->told + 1,
                           json_pack("{s:I}", "tokens", next - 1), frame);
    return event_frame("token", telling->told + 1,
                       json_pack("{s:I, s:s%}", "index", next, "text",
                                 telling->rest, length),
                       frame);
}

static void woken(void *closure, struct crier_stream *stream)
{
    struct telling *telling = closure;
    size_t length = word_length(telling->rest);
    struct crier_frame *frame;
    int error;

    if (telling->due == 0)
        telling->due = crier_now();
    error = next_frame(telling, length, &frame);
    if (error == 0) {
        error = crier_stream_send(stream, frame);
        crier_frame_unref(frame);
    }
    if (demo_may_retry(error)) {
        crier_stream_wake(stream, crier_now() + DEMO_RETRY);
    } else if (error != 0 || length == 0) {
        crier_stream_close(stream);
    } else {
        telling->told++;
        telling->rest += length;
        telling->due += INTERVAL;
        crier_stream_wake(stream, telling->due);
    }
}

static void closed(void *closure, struct crier_stream *stream,
                   enum crier_reason reason)
{
    respond_stream_closed((void *)"/tokens", stream, reason);
    free(closure);
}

bool tokens_get(struct request *request)
{
    const struct uri_text *prompt = uri_parameter(&request->uri, "prompt");
    struct crier_stream_options options = {
        .on_wake = woken,
        .on_closed = closed,
    };
    uint64_t seen = request_last_id(request);
    struct MHD_Response *response;
    struct crier_stream *stream;
    struct telling *telling;

    if (prompt == NULL)
        return respond_problem(request, MHD_HTTP_BAD_REQUEST,
                             "the prompt is missing: /tokens?prompt=TEXT");
    if (!text_valid(prompt->bytes, prompt->length, 1, PROMPT_MAX))
        return respond_problem(request, MHD_HTTP_BAD_REQUEST,
                             "prompt is not UTF-8 of 1 to %d characters "
                             "without control characters",
                             PROMPT_MAX);
    telling = calloc(1, sizeof *telling);
    if (telling == NULL)
        return respond_error(request, -ENOMEM);
    options.closure = telling;
    telling->rest = skip_words(answer_to(demo_of(request)->answers, prompt),
                               seen, &telling->told);
    if (seen > telling->told) { /* it has seen "done" */
        free(telling);
        return respond_empty(request, MHD_HTTP_NO_CONTENT);
    }
    if (!respond_stream(request, &options, &stream, &response)) {
        free(telling);
        return request->result;
    }
    crier_stream_unref(stream);
    return response_stream(request, response);
}
