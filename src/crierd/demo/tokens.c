/*
 * /tokens: a canned text, streamed word by word like the output of a language model. The
 * same prompt always yields the same text.
 *
 * An answer is a topic that ends with its last word (writer.c). The client may name it, by
 * answer=NAME: then all that ask for this name, such as the tabs of a browser, or one tab
 * before and after a reload, get one answer, from its first word on. Otherwise it has a new
 * name, which is in the ids of its events; so a client that lost its connection gets the
 * rest. A client that has received "done" gets 204, after which an EventSource does not
 * reconnect.
 */
#include <config.h>

#include "base/random.h"
#include "crierd/api/parameter.h"
#include "crierd/api/streams.h"
#include "crierd/http/respond.h"
#include "crierd/http/text.h"
#include "crierd/log/log.h"
#include "crierd/metrics/kinds.h"
#include "demo_parts.h"
#include "writer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_NAME "answers.txt"
#define FILE_SIZE_MAX ((size_t)1024 * 1024)
#define ANSWERS_MAX 64
#define PROMPT_MAX 1000

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
    char why[80] = "out of memory";

    if (answers == NULL || text_from_file(data, FILE_NAME, FILE_SIZE_MAX, &answers->memory,
                                          why, sizeof why) != 0) {
        log_line(LOG_ERROR, "cannot read %s/" FILE_NAME ": %s", data, why);
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

/* ---- the stream ------------------------------------------------------- */

/* What a request asks for. */
struct question {
    const char *text; /* of the answer */
    char name[WRITER_NAME_SIZE];
    char topic[WRITER_TOPIC_SIZE];
    uint64_t seen; /* words that the client has */
};

/* Sets the name of the answer, and how much of it the client has: SINCE says where its
 * stream begins. Returns false after it has sent an error. */
static bool read_name(struct request *request, struct question *question,
                      const struct crier_subscribe_options *since)
{
    const char *given = parameter_value(request, "answer", NULL);
    char name[WRITER_NAME_SIZE], random[2][CRIER__RANDOM_NAME_SIZE];
    int error = 0;

    if (since->since != CRIER_SINCE_ID ||
        !writer_read_id(since->id, name, &question->seen) ||
        (given != NULL && strcmp(given, name) != 0)) {
        question->seen = 0;
        name[0] = '\0';
    }
    if (given != NULL && !writer_name_valid(given)) {
        request->result = respond_problem(
            request, MHD_HTTP_BAD_REQUEST,
            "answer is not a name of 1 to %d letters and digits",
            WRITER_NAME_SIZE - 1);
        return false;
    }
    if (given == NULL && name[0] == '\0') {
        error = crier__random_name(random[0]);
        if (error == 0)
            error = crier__random_name(random[1]);
        snprintf(name, sizeof name, "%s%s", random[0], random[1]);
        given = name;
    }
    if (error != 0) {
        request->result = respond_error(request, error);
        return false;
    }
    snprintf(question->name, sizeof question->name, "%s",
             given != NULL ? given : name);
    writer_topic(question->topic, question->name);
    return true;
}

/* Reads the prompt of REQUEST. Returns false after it has sent an error. */
static bool read_prompt(struct request *request, struct question *question)
{
    const struct uri_text *prompt = uri_parameter(&request->uri, "prompt");

    if (prompt == NULL)
        request->result = respond_problem(request, MHD_HTTP_BAD_REQUEST,
                                          "the parameter prompt is missing: "
                                          "/tokens?prompt=TEXT");
    else if (!text_valid(prompt->bytes, prompt->length, 1, PROMPT_MAX))
        request->result = respond_problem(request, MHD_HTTP_BAD_REQUEST,
                                          "prompt is not UTF-8 of 1 to %d characters "
                                          "without control characters",
                                          PROMPT_MAX);
    else
        question->text = choose_text(demo_of(request)->answers, prompt);
    return question->text != NULL;
}

bool tokens_get(struct request *request)
{
    struct question question = {.text = NULL};
    struct stream_start start = {
        .options = {.kind = STREAM_TOKENS,
                    .on_closed = respond_stream_closed,
                    .closure = (void *)"/tokens"},
        .begin = streams_subscribe,
        .subscription = {.topics = question.topic, .since = CRIER_SINCE_ALL},
    };
    struct crier_subscribe_options *subscription = &start.subscription;
    bool begun = false;
    int error = 0;

    if (!streams_read_start(request, subscription) ||
        !read_prompt(request, &question) ||
        !read_name(request, &question, subscription))
        return request->result;
    if (question.seen > writer_count_words(question.text)) /* "done", too */
        return respond_empty(request, MHD_HTTP_NO_CONTENT);
    if (!request->head)
        error = writer_ask(demo_of(request)->writer, question.name, question.text,
                           question.seen, &begun);
    if (error != 0)
        return respond_error(request, error);
    subscription->start = CRIER_START_COMMENT; /* each word has an id */
    if (begun || question.seen == 0) /* it has no word that the client has */
        subscription->since = CRIER_SINCE_ALL;
    return streams_open(request, &start);
}
