/*
 * Sends publications to a crierd.
 *
 * Every publication is a text/event-stream, whether it is one update or thousands, so
 * there is one form of requests and one of responses. Each update has an id. An update
 * that may have reached the journal is sent again with dedupe=1, so that it is
 * published once.
 *
 * The thread that sends waits in curl_multi_poll(), both for the response and until the
 * next attempt; another thread ends both by crier__sender_stop().
 */
#include <config.h>

#include "sender.h"

#include "base/json_read.h"
#include "base/random.h"
#include "libcrier/wire/event.h"
#include "libcrier/wire/topic.h"
#include "libcrier/wire/update.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_SERVER "http://127.0.0.1:8080"
#define DEFAULT_TIMEOUT 30000
#define RETRY 250
#define RETRY_MAX 10000

/* When less than this is left, another attempt is useless; ms. */
#define TOO_LATE 250

/* How much of a response is read, and how long its rest may take after its headers,
 * ms. */
#define ANSWER_MAX ((size_t)64 * 1024)
#define ANSWER_TIME 5000

/* ---- its life --------------------------------------------------------- */

/* Appends TOPICS to PATH, encoded except '/' and ','. Dots and empty segments would
 * change the path. */
static int add_path_topics(struct crier__buffer *path, const char *topics)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_~,";
    char code[4], before = '/';
    int error = 0;

    for (; *topics != '\0' && error == 0; before = *topics++) {
        if (strchr(plain, *topics) != NULL ||
            (*topics == '/' && before != '/')) {
            error = crier__buffer_add(path, topics, 1);
        } else {
            snprintf(code, sizeof code, "%%%02X", (unsigned char)*topics);
            error = crier__buffer_add(path, code, 3);
        }
    }
    return error;
}

/* What the longest query needs. */
#define QUERY_SIZE sizeof "?private=1&dedupe=1&last=1"

/* Makes the URL, and room for it with a query. */
static int make_urls(struct crier__sender *sender, const char *server,
                     const char *topics)
{
    size_t length = strlen(server);
    struct crier__buffer path = {0};
    int error = add_path_topics(&path, topics);

    while (length != 0 && server[length - 1] == '/')
        length--;
    if (error == 0 && asprintf(&sender->url, "%.*s/topics/%.*s",
                               (int)length, server, (int)path.length,
                               path.bytes) < 0) {
        sender->url = NULL; /* it may be anything then */
        error = -ENOMEM;
    }
    if (error == 0) {
        sender->target = malloc(strlen(sender->url) + QUERY_SIZE);
        error = sender->target != NULL ? 0 : -ENOMEM;
    }
    crier__buffer_done(&path);
    return error;
}

static size_t take_response_header(char *line, size_t one, size_t length, void *closure)
{
    struct crier__sender *sender = closure;

    (void)one;
    return crier__head_line(&sender->head, line, length) >= 0 ? length : 0;
}

static size_t take_response_bytes(char *bytes, size_t one, size_t length, void *closure)
{
    struct crier__sender *sender = closure;
    size_t room = ANSWER_MAX - sender->answer.length;

    (void)one;
    sender->cut = length > room;
    return !sender->cut &&
                   crier__buffer_add(&sender->answer, bytes, length) == 0
               ? length
               : 0;
}

static int prepare_handle(struct crier__sender *sender)
{
    static const char *const own[] = {"Content-Type: text/event-stream",
                                      "Accept: application/json", "Expect:",
                                      NULL};
    int error = crier__http_headers(&sender->http, own, &sender->headers);

    if (error != 0)
        return error;
    sender->multi = curl_multi_init();
    sender->handle = crier__http_handle(&sender->http, sender->url,
                                        sender->trouble);
    if (sender->multi == NULL || sender->handle == NULL)
        return -ENOMEM;
    curl_easy_setopt(sender->handle, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(sender->handle, CURLOPT_HTTPHEADER, sender->headers);
    curl_easy_setopt(sender->handle, CURLOPT_HEADERFUNCTION, take_response_header);
    curl_easy_setopt(sender->handle, CURLOPT_HEADERDATA, sender);
    curl_easy_setopt(sender->handle, CURLOPT_WRITEFUNCTION, take_response_bytes);
    curl_easy_setopt(sender->handle, CURLOPT_WRITEDATA, sender);
    /* A redirect must not turn the publication into a GET. */
    curl_easy_setopt(sender->handle, CURLOPT_POSTREDIR,
                     (long)CURL_REDIR_POST_ALL);
    return 0;
}

/* Makes the prefix of the ids, which is unique even when a program runs twice at
 * once. */
static int name_run(struct crier__sender *sender)
{
    char name[2][CRIER__RANDOM_NAME_SIZE];
    int error = crier__random_name(name[0]);

    if (error == 0)
        error = crier__random_name(name[1]);
    snprintf(sender->run, sizeof sender->run, "%.8s%.8s", name[0], name[1]);
    return error;
}

int crier__sender_init(struct crier__sender *sender,
                       const struct crier_publisher_options *options)
{
    const char *server =
        options->server != NULL ? options->server : DEFAULT_SERVER;
    struct crier__topics *topics;
    char *text;
    int error;

    memset(sender, 0, sizeof *sender);
    sender->answer.max = ANSWER_MAX;
    sender->timeout =
        options->timeout != 0 ? options->timeout : DEFAULT_TIMEOUT;
    sender->is_private = options->is_private;
    sender->on_retry = options->on_retry;
    sender->closure = options->closure;
    error = strpbrk(server, "?#") == NULL ? crier__http_check_url(server)
                                          : CRIER_ERR_URL;
    if (error == 0)
        error = options->topics != NULL
                    ? crier__topics_parse(options->topics, &topics)
                    : CRIER_ERR_NULL;
    if (error != 0)
        return error;
    text = malloc(topics->size);
    if (text != NULL) {
        crier__topics_join(topics, ',', text);
        error = make_urls(sender, server, text);
    } else {
        error = -ENOMEM;
    }
    free(text);
    free(topics);
    if (error == 0)
        error = name_run(sender);
    if (error == 0)
        error = crier__http_init(&sender->http, &options->http);
    return error != 0 ? error : prepare_handle(sender);
}

void crier__sender_done(struct crier__sender *sender)
{
    curl_easy_cleanup(sender->handle);
    curl_multi_cleanup(sender->multi);
    curl_slist_free_all(sender->headers);
    crier__buffer_done(&sender->answer);
    crier__http_done(&sender->http);
    free(sender->url);
    free(sender->target);
}

/* ---- what is sent ----------------------------------------------------- */

int crier__sender_write(struct crier__sender *sender,
                        const struct crier_event *event,
                        struct crier__buffer *out)
{
    const char *id = crier__event_id(event);
    size_t before = out->length;
    char line[64];
    int error = 0, length;

    if (id != NULL && !crier_id_valid(id, strlen(id)))
        return CRIER_ERR_ID;
    if (id == NULL) {
        length = snprintf(line, sizeof line, "id: %s-%llu\n", sender->run,
                          (unsigned long long)++sender->made);
        error = crier__buffer_add(out, line, (size_t)length);
    }
    if (error == 0)
        error = crier__event_write(event, out);
    if (error == 0 && !crier__event_has_data(event))
        error = CRIER_ERR_EMPTY;
    if (error != 0)
        out->length = before;
    return error;
}

/* ---- one attempt ------------------------------------------------------ */

/* Whether the last headers are complete; those of a redirect do not count. */
static bool is_answered(const struct crier__sender *sender)
{
    long status = 0;

    curl_easy_getinfo(sender->handle, CURLINFO_RESPONSE_CODE, &status);
    return sender->head.whole && status >= 200 &&
           (status < 300 || status >= 400);
}

static CURLcode perform_transfer(struct crier__sender *sender, uint64_t until)
{
    CURLcode result = CURLE_ABORTED_BY_CALLBACK;
    uint64_t now, since = 0; /* since when only the rest is missing */
    CURLMsg *message;
    int running, left;

    if (curl_multi_add_handle(sender->multi, sender->handle) != CURLM_OK)
        return CURLE_OUT_OF_MEMORY;
    while (!atomic_load(&sender->stop)) {
        curl_multi_perform(sender->multi, &running);
        message = curl_multi_info_read(sender->multi, &left);
        if (message != NULL) {
            result = message->data.result;
            break;
        }
        now = crier_now();
        if (since == 0 || !is_answered(sender))
            since = now;
        if (now >= until || now - since >= ANSWER_TIME) {
            result = CURLE_OPERATION_TIMEDOUT;
            snprintf(sender->trouble, sizeof sender->trouble,
                     "there was no response in time");
            break;
        }
        curl_multi_poll(sender->multi, NULL, 0,
                        until - now < 1000 ? (int)(until - now) : 1000, NULL);
    }
    curl_multi_remove_handle(sender->multi, sender->handle);
    return result;
}

static uint64_t read_count(const json_t *answer, const char *name)
{
    json_int_t number = json_integer_value(json_object_get(answer, name));

    return number > 0 ? (uint64_t)number : 0;
}

/* Reads the response for COUNT events, whatever its status. */
static void read_answer(const struct crier__sender *sender, uint64_t count,
                        struct crier__outcome *outcome)
{
    struct crier_published *published = &outcome->published;
    json_t *answer = NULL;
    const char *id;

    errno = 0; /* jansson does not always distinguish short memory from bad JSON */
    if (sender->answer.length != 0)
        answer = json_read(sender->answer.bytes, sender->answer.length, 0,
                           NULL);
    if (answer == NULL && errno == ENOMEM) {
        outcome->error = -ENOMEM;
        snprintf(published->reason, sizeof published->reason, "%s",
                 crier_error_text(-ENOMEM));
        return;
    }
    id = json_string_value(json_object_get(answer, "id"));
    outcome->count = read_count(answer, "published");
    outcome->duplicates = read_count(answer, "duplicates");
    snprintf(published->id, sizeof published->id, "%s", id != NULL ? id : "");
    published->position = read_count(answer, "position");
    published->subscribers = (size_t)read_count(answer, "subscribers");
    published->duplicate = outcome->duplicates != 0;
    if (published->status != 200) /* not all of them */
        count--;
    if (outcome->count > count)
        outcome->count = count;
    if (outcome->duplicates > outcome->count)
        outcome->duplicates = outcome->count;
    if (published->status == 200 && (id == NULL || outcome->count != count)) {
        outcome->error = CRIER_ERR_STATUS;
        snprintf(published->reason, sizeof published->reason,
                 "the response is not crierd's");
    }
    json_decref(answer);
}

/* Writes the URL for PUBLICATION to `target`. */
static void make_target(struct crier__sender *sender,
                        const struct crier__publication *publication)
{
    char *query = sender->target + strlen(sender->url);

    snprintf(sender->target, strlen(sender->url) + QUERY_SIZE, "%s%s%s%s",
             sender->url, sender->is_private ? "&private=1" : "",
             publication->dedupe ? "&dedupe=1" : "",
             publication->last ? "&last=1" : "");
    if (*query != '\0')
        *query = '?';
}

/* What 409 means, for REASON: an ended topic is a conflict like an id that exists. */
static int choose_conflict(const char *reason)
{
    return strstr(reason, "the topic has ended") != NULL ? CRIER_ERR_TOPIC_ENDED
                                                         : CRIER_ERR_EXISTS;
}

/* Makes one attempt to send PUBLICATION. Returns whether another attempt may help. */
static bool attempt_once(struct crier__sender *sender,
                         const struct crier__publication *publication,
                         uint64_t until, struct crier__outcome *outcome)
{
    struct crier_published *published = &outcome->published;
    CURL *handle = sender->handle;
    CURLcode result;

    memset(outcome, 0, sizeof *outcome);
    crier__buffer_clear(&sender->answer);
    sender->head = (struct crier__head){0};
    sender->trouble[0] = '\0';
    make_target(sender, publication);
    curl_easy_setopt(handle, CURLOPT_URL, sender->target);
    curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE,
                     (curl_off_t)publication->length);
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, publication->body);
    sender->cut = false;
    result = perform_transfer(sender, until);
    if (sender->cut)
        result = CURLE_OK;
    if (sender->head.whole)
        curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &published->status);
    /* A refusal counts even if its body is incomplete. */
    if ((result != CURLE_OK && published->status < 400) ||
        !sender->head.whole) {
        outcome->error = crier__http_failure(
            handle, result, sender->trouble, published->reason,
            sizeof published->reason);
        return outcome->error == CRIER_ERR_NETWORK ||
               outcome->error == -ETIMEDOUT;
    }
    if (published->status != 200) {
        crier__http_reason(published->reason, sizeof published->reason,
                           published->status, sender->answer.bytes,
                           sender->answer.length);
        outcome->error = published->status == 409
                             ? choose_conflict(published->reason)
                             : CRIER_ERR_STATUS;
    }
    read_answer(sender, publication->count, outcome);
    return outcome->error == -ENOMEM ||
           crier__http_temporary(published->status);
}

/* ---- until there is a response --------------------------------------- */

/* Waits until the time AT, or crier__sender_stop(). */
static void sleep_until(struct crier__sender *sender, uint64_t at)
{
    uint64_t now;

    while (!atomic_load(&sender->stop) && (now = crier_now()) < at)
        curl_multi_poll(sender->multi, NULL, 0, (int)(at - now), NULL);
}

/* Whether the last attempt may have reached the server. */
static bool was_sent(const struct crier__sender *sender)
{
    long size = 0;

    curl_easy_getinfo(sender->handle, CURLINFO_REQUEST_SIZE, &size);
    return size != 0;
}

/* How long the last response asks to wait before the next attempt; ms. That of 429 counts:
 * a server that refuses what comes too fast knows when it will not. Other refusals may be
 * over sooner than they say. */
static uint64_t asked_pause(const struct crier__sender *sender, long status)
{
    curl_off_t seconds = 0;

    if (status == 429)
        curl_easy_getinfo(sender->handle, CURLINFO_RETRY_AFTER, &seconds);
    return seconds > 0 ? (uint64_t)seconds * 1000 : 0;
}

void crier__sender_send(struct crier__sender *sender,
                        const struct crier__publication *publication,
                        struct crier__outcome *outcome)
{
    struct crier__publication attempt = *publication;
    uint64_t now = crier_now(), wait, pause;
    uint64_t until =
        sender->timeout < UINT64_MAX - now ? now + sender->timeout : UINT64_MAX;
    unsigned failures = 0;

    while (attempt_once(sender, &attempt, until, outcome)) {
        if (atomic_load(&sender->stop))
            break;
        attempt.dedupe = attempt.dedupe || was_sent(sender);
        wait = crier__backoff(RETRY, RETRY_MAX, failures++);
        now = crier_now();
        if (now >= until || until - now < TOO_LATE) {
            outcome->error = -ETIMEDOUT;
            return;
        }
        /* The last attempts come sooner: the server may be back by then. */
        if (wait > (until - now) / 2)
            wait = (until - now) / 2;
        pause = asked_pause(sender, outcome->published.status);
        if (pause >= until - now)
            return; /* the refusal is the outcome */
        if (wait < pause)
            wait = pause;
        atomic_fetch_add(&sender->retries, 1);
        if (sender->on_retry != NULL)
            sender->on_retry(sender->closure, outcome->published.reason, wait);
        sleep_until(sender, now + wait);
    }
    if (atomic_load(&sender->stop) && outcome->error != 0)
        outcome->error = -ECANCELED;
}

void crier__sender_stop(struct crier__sender *sender)
{
    atomic_store(&sender->stop, true);
    curl_multi_wakeup(sender->multi);
}
