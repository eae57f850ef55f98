/*
 * The writer of answers. Each answer is a topic, $tokens/NAME: a thread publishes its text
 * word by word, and the event "done" as the last update, which ends the topic. So an answer
 * is written once, however many streams it has, and goes on when none is there.
 *
 * Word n has the id "NAME-n", and "done" that of the word behind the last. The name is the
 * client's, and the same prompt has the same text. So an answer may be asked for any number
 * of times: when it is being written, or is held with its end, nothing is done. Otherwise
 * the server has been restarted, or the answer has expired: it is written again, from the
 * word behind those that the client has. A word that the journal still holds is not
 * published twice, since its id exists, and the next one follows at once. (A second client
 * that has fewer words does not get those between.)
 *
 * Bounds: few answers are written at a time, and the journal drops their words after
 * DEMO_ANSWER_AGE.
 *
 * The lock guards the list of answers. Nothing is published under it, since the journal may
 * answer inside that call.
 */
#include <config.h>

#include "writer.h"

#include "base/cond.h"
#include "base/number.h"
#include "base/thread.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define TOPICS "$tokens/"
#define ANSWERS_MAX 32
#define INTERVAL 50 /* ms: twenty words a second */
#define RETRY 250   /* ms after a failure that may pass */
#define NUMBER_SIZE 24

/* An answer that is being written. */
struct answer {
    struct answer *prev, *next;
    struct writer *writer;
    char name[WRITER_NAME_SIZE];
    const char *rest; /* of the text */
    uint64_t written; /* words */
    uint64_t due;     /* of the next word, by crier_now() */
    bool asked;       /* the journal has been given a word and not answered */
    bool over;        /* to be freed */
};

struct writer {
    struct crier_hub *hub;
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    struct answer *answers; /* a DL list */
    unsigned count;
    bool stop;
};

/* ---- words and names -------------------------------------------------- */

/* The length of the word at TEXT and the spaces behind it. */
static size_t measure_word(const char *text)
{
    size_t length = strcspn(text, " ");

    return length + strspn(text + length, " ");
}

uint64_t writer_count_words(const char *text)
{
    uint64_t count;

    for (count = 0; *text != '\0'; count++)
        text += measure_word(text);
    return count;
}

bool writer_name_valid(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    size_t length = strspn(name, allowed);

    return length > 0 && length < WRITER_NAME_SIZE && name[length] == '\0';
}

void writer_topic(char topic[WRITER_TOPIC_SIZE], const char *name)
{
    snprintf(topic, WRITER_TOPIC_SIZE, TOPICS "%.*s", WRITER_NAME_SIZE - 1, name);
}

static void write_id(char id[WRITER_NAME_SIZE + NUMBER_SIZE], const char *name,
                     uint64_t number)
{
    snprintf(id, WRITER_NAME_SIZE + NUMBER_SIZE, "%s-%llu", name,
             (unsigned long long)number);
}

bool writer_read_id(const char *id, char name[WRITER_NAME_SIZE], uint64_t *number)
{
    const char *dash = strchr(id, '-');

    if (dash == NULL || dash - id >= WRITER_NAME_SIZE)
        return false;
    snprintf(name, WRITER_NAME_SIZE, "%.*s", (int)(dash - id), id);
    return writer_name_valid(name) &&
           crier__number_read(dash + 1, 1, UINT32_MAX, number);
}

/* ---- one word --------------------------------------------------------- */

/* The time of the next word, behind the one that was due before. */
static void pace_answer(struct answer *answer, bool at_once)
{
    answer->due = at_once ? crier_now() : answer->due + INTERVAL;
}

/* Takes the journal's answer to the word of ANSWER that was published last. With the
 * lock. */
static void settle_word(struct answer *answer, int error, bool duplicate)
{
    size_t length = measure_word(answer->rest);

    answer->asked = false;
    switch (error) {
    case 0:
        answer->over = length == 0;
        answer->rest += length;
        answer->written++;
        pace_answer(answer, duplicate);
        break;
    case CRIER_ERR_MAX_BACKLOG:
    case CRIER_ERR_STORAGE:
    case CRIER_ERR_STORAGE_FULL:
    case -ENOMEM:
        answer->due = crier_now() + RETRY;
        break;
    default: /* the topic has ended, or the hub is closed */
        answer->over = true;
    }
}

static void note_word(void *closure, const struct crier_receipt *receipt)
{
    struct answer *answer = closure;
    struct writer *writer = answer->writer;

    pthread_mutex_lock(&writer->lock);
    settle_word(answer, receipt->error, receipt->duplicate);
    pthread_cond_signal(&writer->changed);
    pthread_mutex_unlock(&writer->lock);
}

/* A new event of the next word of ANSWER, or of "done"; NULL when memory is short. */
static struct crier_event *make_word(const struct answer *answer)
{
    struct crier_event *event = crier_event_new();
    size_t length = measure_word(answer->rest);
    json_int_t index = (json_int_t)answer->written + 1;
    char id[WRITER_NAME_SIZE + NUMBER_SIZE];
    json_t *data;

    if (event == NULL)
        return NULL;
    write_id(id, answer->name, answer->written + 1);
    data = length != 0 ? json_pack("{s:I, s:s%}", "index", index, "text",
                                   answer->rest, length)
                       : json_pack("{s:I}", "tokens", index - 1);
    crier_event_type(event, length != 0 ? "token" : "done");
    crier_event_id(event, id, strlen(id));
    if (data != NULL && crier_event_json(event, data) == 0) {
        json_decref(data);
        return event;
    }
    json_decref(data);
    crier_event_free(event);
    return NULL;
}

/* Publishes the next word of ANSWER, which nobody else changes until the journal has
 * answered. */
static void publish_word(struct writer *writer, struct answer *answer)
{
    const struct crier_publish_options options = {
        .dedupe = true,
        .last = *answer->rest == '\0',
        .on_done = note_word,
        .closure = answer,
    };
    struct crier_event *event = make_word(answer);
    char topic[WRITER_TOPIC_SIZE];
    int error = -ENOMEM;

    writer_topic(topic, answer->name);
    if (event != NULL)
        error = crier_hub_publish(writer->hub, topic, event, &options);
    crier_event_free(event);
    if (error == 0)
        return;
    pthread_mutex_lock(&writer->lock);
    settle_word(answer, error, false);
    pthread_mutex_unlock(&writer->lock);
}

/* ---- the thread ------------------------------------------------------- */

/* Frees the answers that are over, and returns the one whose word is due first; NULL when
 * none waits for its time. With the lock. */
static struct answer *find_next(struct writer *writer)
{
    struct answer *answer, *next, *first = NULL;

    DL_FOREACH_SAFE (writer->answers, answer, next) {
        if (answer->over) {
            DL_DELETE(writer->answers, answer);
            writer->count--;
            free(answer);
        } else if (!answer->asked && (first == NULL || answer->due < first->due)) {
            first = answer;
        }
    }
    return first;
}

static void *run_answers(void *closure)
{
    struct writer *writer = closure;
    struct answer *answer;

    pthread_mutex_lock(&writer->lock);
    for (;;) {
        answer = find_next(writer);
        if (writer->stop && writer->count == 0)
            break;
        if (answer == NULL || (!writer->stop && answer->due > crier_now())) {
            (void)crier__cond_wait(&writer->changed, &writer->lock,
                                   answer != NULL ? answer->due : UINT64_MAX);
            continue;
        }
        answer->asked = true;
        pthread_mutex_unlock(&writer->lock);
        publish_word(writer, answer); /* which fails for good when the hub is closed */
        pthread_mutex_lock(&writer->lock);
    }
    pthread_mutex_unlock(&writer->lock);
    return NULL;
}

struct writer *writer_new(struct crier_hub *hub)
{
    struct writer *writer = calloc(1, sizeof *writer);

    if (writer == NULL)
        return NULL;
    writer->hub = hub;
    pthread_mutex_init(&writer->lock, NULL);
    if (crier__cond_init(&writer->changed) == 0) {
        if (crier__thread_start(&writer->thread, run_answers, writer) == 0)
            return writer;
        pthread_cond_destroy(&writer->changed);
    }
    pthread_mutex_destroy(&writer->lock);
    free(writer);
    return NULL;
}

void writer_free(struct writer *writer)
{
    if (writer == NULL)
        return;
    pthread_mutex_lock(&writer->lock);
    writer->stop = true;
    pthread_cond_signal(&writer->changed);
    pthread_mutex_unlock(&writer->lock);
    pthread_join(writer->thread, NULL);
    pthread_cond_destroy(&writer->changed);
    pthread_mutex_destroy(&writer->lock);
    free(writer);
}

/* ---- asking ----------------------------------------------------------- */

/* Whether the journal holds the end of the answer NAME to TEXT. */
static bool is_written(struct writer *writer, const char *name, const char *text)
{
    char id[WRITER_NAME_SIZE + NUMBER_SIZE], topic[WRITER_TOPIC_SIZE];
    const struct crier_subscribe_options behind = {
        .topics = topic, .since = CRIER_SINCE_ID, .id = id};

    writer_topic(topic, name);
    write_id(id, name, writer_count_words(text) + 1);
    return crier_hub_can_subscribe(writer->hub, &behind) == CRIER_ERR_TOPIC_ENDED;
}

/* Begins the answer NAME unless it is being written. With the lock. */
static int begin_answer(struct writer *writer, const char *name, const char *text,
                        uint64_t seen, bool *begun)
{
    struct answer *answer;

    DL_FOREACH (writer->answers, answer)
        if (!answer->over && strcmp(answer->name, name) == 0)
            return 0;
    if (writer->count >= ANSWERS_MAX)
        return CRIER_ERR_MAX_STREAMS;
    answer = calloc(1, sizeof *answer);
    if (answer == NULL)
        return -ENOMEM;
    answer->writer = writer;
    snprintf(answer->name, sizeof answer->name, "%s", name);
    for (answer->rest = text; answer->written < seen && *answer->rest != '\0';
         answer->written++)
        answer->rest += measure_word(answer->rest);
    answer->due = crier_now();
    DL_APPEND(writer->answers, answer);
    writer->count++;
    *begun = true;
    pthread_cond_signal(&writer->changed);
    return 0;
}

int writer_ask(struct writer *writer, const char *name, const char *text,
               uint64_t seen, bool *begun)
{
    int error;

    *begun = false;
    if (is_written(writer, name, text))
        return 0;
    pthread_mutex_lock(&writer->lock);
    error = begin_answer(writer, name, text, seen, begun);
    pthread_mutex_unlock(&writer->lock);
    return error;
}
