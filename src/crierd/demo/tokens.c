/*
 * /tokens: a canned text, streamed word by word like the output of a language model. The
 * same prompt always yields the same text, so a client that lost its connection resumes
 * after its Last-Event-ID. Token n has the id n, and "done" the id after that of the last
 * token. A client that has received "done" gets 204, after which an EventSource does not
 * reconnect.
 */
#include <config.h>

#include "crierd/api/streams.h"
#include "crierd/http/respond.h"
#include "crierd/http/text.h"
#include "crierd/log/log.h"
#include "demo_parts.h"

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

/* Splits the text of the file into paragraphs, in place. */
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
    log_line(LOG_ERROR, "%s/" FILE_NAME " has no text", data);
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

/* The text for PROMPT, chosen by its FNV-1a hash: any fixed choice would do. */
static const char *choose_text(const struct answers *answers,
                               const struct uri_text *prompt)
{
    uint32_t hash = 2166136261u;
    size_t i;

    for (i = 0; i < prompt->length; i++)
        hash = (hash ^ (unsigned char)prompt->bytes[i]) * 16777619u;
    return answers->texts[hash % answers->count];
}

/* ---- words ------------------------------------------------------------ */

/* The length of the word at TEXT and the spaces behind it. */
static size_t measure_word(const char *text)
{
    size_t length = strcspn(text, " ");

    return length + strspn(text + length, " ");
}

/* Skips COUNT words, or all if TEXT has fewer; *SKIPPED is how many. */
static const char *skip_words(const char *text, uint64_t count,
                              uint64_t *skipped)
{
    for (*skipped = 0; *skipped < count && *text != '\0'; ++*skipped)
        text += measure_word(text);
    return text;
}

/* ---- the stream ------------------------------------------------------- */

struct token_stream {
    const char *rest; /* of the text */
    uint64_t sent;    /* tokens */
    uint64_t due;     /* of the next token, by crier_now(); 0: not started */
};

/* The frame of an event with the data VALUE (stolen; NULL when memory was short). */
static int make_frame(const char *type, uint64_t id, json_t *value,
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

/* The frame of the next token, whose word has LENGTH bytes, or of "done" if LENGTH is
 * 0. */
static int make_next_frame(const struct token_stream *tokens, size_t length,
                           struct crier_frame **frame)
{
    json_int_t next = (json_int_t)tokens->sent + 1;

    if (length == 0)
        return make_frame("done", tokens->sent + 1,
                          json_pack("{s:I}", "tokens", next - 1), frame);
    return make_frame("token", tokens->sent + 1,
                      json_pack("{s:I, s:s%}", "index", next, "text",
                                tokens->rest, length),
                      frame);
}

static void send_token(void *closure, struct crier_stream *stream)
{
    struct token_stream *tokens = closure;
    size_t length = measure_word(tokens->rest);
    struct crier_frame *frame;
    int error;

    if (tokens->due == 0)
        tokens->due = crier_now();
    error = make_next_frame(tokens, length, &frame);
    if (error == 0) {
        error = crier_stream_send(stream, frame);
        crier_frame_unref(frame);
    }
    if (demo_may_retry(error)) {
        crier_stream_wake(stream, crier_now() + DEMO_RETRY);
    } else if (error != 0 || length == 0) {
        crier_stream_close(stream);
    } else {
        tokens->sent++;
        tokens->rest += length;
        tokens->due += INTERVAL;
        crier_stream_wake(stream, tokens->due);
    }
}

static void end_tokens(void *closure, struct crier_stream *stream,
                       enum crier_reason reason)
{
    respond_stream_closed((void *)"/tokens", stream, reason);
    free(closure);
}

bool tokens_get(struct request *request)
{
    const struct uri_text *prompt = uri_parameter(&request->uri, "prompt");
    struct stream_start start = {
        .options = {.on_wake = send_token,
                    .on_closed = end_tokens},
        .owns_closure = true,
    };
    uint64_t seen = request_last_id(request);
    struct token_stream *tokens;

    if (prompt == NULL)
        return respond_problem(request, MHD_HTTP_BAD_REQUEST,
                               "the parameter prompt is missing: "
                               "/tokens?prompt=TEXT");
    if (!text_valid(prompt->bytes, prompt->length, 1, PROMPT_MAX))
        return respond_problem(request, MHD_HTTP_BAD_REQUEST,
                               "prompt is not UTF-8 of 1 to %d characters "
                               "without control characters",
                               PROMPT_MAX);
    tokens = calloc(1, sizeof *tokens);
    if (tokens == NULL)
        return respond_error(request, -ENOMEM);
    tokens->rest = skip_words(choose_text(demo_of(request)->answers, prompt),
                              seen, &tokens->sent);
    if (seen > tokens->sent) { /* the client has received "done" */
        free(tokens);
        return respond_empty(request, MHD_HTTP_NO_CONTENT);
    }
    start.options.closure = tokens;
    return streams_open(request, &start);
}
