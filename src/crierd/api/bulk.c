/*
 * Many updates in one request: POST /topics/a,b with a text/event-stream, each
 * event of which is published.
 *
 * The standard has those who read a stream drop what is not complete, an event
 * without data, an id that holds NUL, a retry that is no number. A publisher is to
 * be told instead, and before anything is published. So the body is checked by
 * lines first, and refused as a whole where the parser would drop something.
 *
 * Then one event after the other goes to the hub. Of what this makes, nothing but
 * an item for each event is kept; what the journal has not answered yet counts in
 * the hub's backlog. The hub answers on any thread, also inside
 * crier_hub_publish(). `open` is how many answers are owed, and one more as long as
 * the handler hands over; who takes the last of it has `bulk` for himself, sums up
 * and is done with it. The `later` cannot go before that: its connection is
 * suspended, or its handler runs.
 *
 * After an error nothing more is handed over, for the sake of the order; what has
 * been cannot be taken back. An id that is there already does not stop the others:
 * with a journal in a file most of them are handed over before that is known, and
 * one in memory is to do the same.
 *
 * Rejected: to hand over a part, and the next one when that is answered. It would
 * need the body all the time, and make a journal in a file wait for the disk once
 * for each part.
 */
#include <config.h>

#include "bulk.h"

#include "base/number.h"
#include "crier_client.h"
#include "crier_server.h"
#include "publish.h"
#include "crierd/http/deferred.h"
#include "crierd/http/respond.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the check -------------------------------------------------------- */

static const char *wrong_id(const char *value, size_t length)
{
    return crier_id_valid(value, length) ? NULL
                                         : crier_error_text(CRIER_ERR_ID);
}

static const char *wrong_retry(const char *value, size_t length)
{
    static const char wrong[] =
        "retry is not a number of ms from 0 to 2147483647";
    uint64_t number;
    size_t digits;

    return crier__number_scan(value, length, &digits, &number) &&
                   digits == length && number <= CRIER_RETRY_MAX
               ? NULL
               : wrong;
}

/* An empty line. */
static void check_end(struct bulk_check *check)
{
    if (check->field && !check->data) {
        check->wrong = "it has no data";
        return;
    }
    check->events += check->data;
    check->data = check->field = false;
}

static bool is_name(const char *line, size_t length, const char *name)
{
    return length == strlen(name) && memcmp(line, name, length) == 0;
}

/* A line without its end. */
static void check_line(struct bulk_check *check, const char *line,
                       size_t length)
{
    const char *colon = memchr(line, ':', length);
    size_t name = colon != NULL ? (size_t)(colon - line) : length;
    const char *value = line + name + (colon != NULL);

    if (length == 0) {
        check_end(check);
        return;
    }
    if (value < line + length && value[0] == ' ')
        value++;
    length -= (size_t)(value - line);
    if (is_name(line, name, "data"))
        check->data = true;
    else if (is_name(line, name, "id"))
        check->wrong = wrong_id(value, length);
    else if (is_name(line, name, "retry"))
        check->wrong = wrong_retry(value, length);
    else if (!is_name(line, name, "event"))
        return; /* a comment, or nothing of ours */
    else if (memchr(value, '\0', length) != NULL)
        check->wrong = "a type must not hold NUL";
    check->field = true;
}

void bulk_check(struct bulk_check *check, const char *body, size_t length)
{
    const char *end = body + length, *stop;
    bool whole = true;

    *check = (struct bulk_check){0};
    if (length >= 3 && memcmp(body, "\xef\xbb\xbf", 3) == 0)
        body += 3;
    for (; body < end && check->wrong == NULL && check->events <= BULK_MAX;
         body = stop + whole) {
        stop = body;
        while (stop < end && *stop != '\n' && *stop != '\r')
            stop++;
        whole = stop < end;
        check_line(check, body, (size_t)(stop - body));
        if (end - stop > 1 && stop[0] == '\r' && stop[1] == '\n')
            stop++;
    }
    if (check->wrong == NULL && (check->field || !whole))
        check->wrong = "it is not complete; an empty line ends an event";
}

/* How many events a request to TOPICS may have: a journal in a file writes each of
 * them for each topic, and nobody should wait for that for long. */
static size_t most_events(const char *topics)
{
    size_t count = 1;

    while ((topics = strchr(topics, ',')) != NULL) {
        topics++;
        count++;
    }
    return BULK_PLACES / count < BULK_MAX ? BULK_PLACES / count : BULK_MAX;
}

/* How many events the request has, all of which can be published; 0 when it is
 * answered. */
static size_t count_events(struct request *request, const char *topics)
{
    struct bulk_check check;
    size_t most = most_events(topics);

    if (!crier_utf8_valid(request->body, request->body_length)) {
        request->result = respond_error(request, CRIER_ERR_UTF8);
        return 0;
    }
    bulk_check(&check, request->body, request->body_length);
    if (check.events > most)
        request->result = respond_problem(
            request, MHD_HTTP_CONTENT_TOO_LARGE,
            "the body has more than %zu events%s", most,
            most < BULK_MAX ? " for so many topics" : "");
    else if (check.wrong != NULL)
        request->result =
            respond_problem(request, MHD_HTTP_BAD_REQUEST, "event %zu: %s",
                          check.events + 1, check.wrong);
    else if (check.events == 0)
        request->result = respond_problem(request, MHD_HTTP_BAD_REQUEST,
                                        "the body has no event");
    else
        return check.events;
    return 0;
}

/* ---- the answers ------------------------------------------------------ */

/* An event that is handed over. */
struct item {
    struct bulk *bulk;
};

struct bulk {
    struct deferred *deferred;
    size_t count;
    atomic_bool failed; /* with more than an id that is there already */

    pthread_mutex_t lock; /* guards what follows */
    size_t open;
    size_t published, duplicates;
    json_t *last;  /* what is told of the last event; NULL: it is not in */
    size_t number; /* of the first event that failed; 0: none has */
    int error;     /* what with */
    char reason[DEFERRED_REASON];
    struct item items[];
};

static struct bulk *bulk_new(struct deferred *deferred, size_t count)
{
    struct bulk *bulk =
        calloc(1, sizeof *bulk + count * sizeof bulk->items[0]);
    size_t i;

    if (bulk == NULL)
        return NULL;
    bulk->deferred = deferred;
    bulk->count = count;
    bulk->open = count + 1;
    pthread_mutex_init(&bulk->lock, NULL);
    for (i = 0; i < count; i++)
        bulk->items[i].bulk = bulk;
    return bulk;
}

static void bulk_free(struct bulk *bulk)
{
    json_decref(bulk->last);
    pthread_mutex_destroy(&bulk->lock);
    free(bulk);
}

/* All is answered. */
static void sum_up(struct bulk *bulk)
{
    struct deferred *deferred = bulk->deferred;

    deferred->error = bulk->error;
    deferred->number = (long)bulk->number;
    memcpy(deferred->reason, bulk->reason, sizeof deferred->reason);
    deferred->value =
        json_pack("{s:I, s:I}", "published", (json_int_t)bulk->published,
                  "duplicates", (json_int_t)bulk->duplicates);
    if (bulk->error == 0 &&
        (bulk->last == NULL ||
         json_object_update_missing(deferred->value, bulk->last) != 0))
        deferred->error = -ENOMEM;
    bulk_free(bulk);
    deferred_done(deferred);
}

/* COUNT answers less are owed. Under the lock, which is given up. */
static void settle(struct bulk *bulk, size_t count)
{
    bool last;

    bulk->open -= count;
    last = bulk->open == 0;
    pthread_mutex_unlock(&bulk->lock);
    if (last)
        sum_up(bulk);
}

/* The event NUMBER has failed. Under the lock. */
static void fail(struct bulk *bulk, size_t number, int error,
                 const char *reason)
{
    if (error != CRIER_ERR_EXISTS)
        atomic_store(&bulk->failed, true);
    if (bulk->number != 0 && bulk->number < number)
        return;
    bulk->number = number;
    bulk->error = error;
    snprintf(bulk->reason, sizeof bulk->reason, "%s", reason);
}

/* RECEIPT as a new object, but for whether it is of a duplicate; NULL when memory is
 * short. */
static json_t *make_object(const struct crier_receipt *receipt)
{
    struct crier_receipt first = *receipt;
    json_t *object;
    char *text;

    first.duplicate = false;
    text = crier_receipt_text(&first);
    object = text != NULL ? json_loads(text, 0, NULL) : NULL;
    free(text);
    return object;
}

static void published(void *closure, const struct crier_receipt *receipt)
{
    struct item *item = closure;
    struct bulk *bulk = item->bulk;
    size_t number = (size_t)(item - bulk->items) + 1;

    publish_log(receipt);
    pthread_mutex_lock(&bulk->lock);
    if (receipt->error == 0) {
        bulk->published++;
        bulk->duplicates += receipt->duplicate;
        if (number == bulk->count)
            bulk->last = make_object(receipt);
    } else {
        fail(bulk, number, receipt->error, receipt->reason);
    }
    settle(bulk, 1);
}

static bool answer(struct request *request, const struct deferred *deferred)
{
    if (deferred->error == 0)
        return respond_json(request, MHD_HTTP_OK, json_incref(deferred->value));
    /* The topics, and the memory for this answer, are not about one event. */
    if (deferred->number == 0 || deferred->error == CRIER_ERR_TOPIC ||
        deferred->error == CRIER_ERR_MANY_TOPICS)
        return respond_error(request, deferred->error);
    return respond_failure_of(request, (size_t)deferred->number, deferred->error,
                            deferred->reason, deferred->value);
}

/* ---- handing over ----------------------------------------------------- */

/* What the handler reads the body with. */
struct reader {
    struct crier_parser *parser;
    struct crier_event *event;
    const char *bytes; /* what is left */
    size_t length;
};

/* Reads the next event into READER's. 0, or an error. */
static int read_next(struct reader *reader)
{
    struct crier_event *event = reader->event;
    struct crier_message message;
    int result;

    crier_event_reset(event);
    while ((result = crier_parser_next(reader->parser, &reader->bytes,
                                       &reader->length, &message)) > 0) {
        if (message.kind == CRIER_RETRY)
            crier_event_retry(event, (uint32_t)message.retry);
        if (message.kind != CRIER_EVENT)
            continue;
        crier_event_data(event, message.data, message.length);
        if (strcmp(message.type, "message") != 0) /* it need not be said */
            crier_event_type(event, message.type);
        if (message.has_id)
            crier_event_id(event, message.id, strlen(message.id));
        return 0;
    }
    return result < 0 ? result : -EPROTO; /* the check has counted one more */
}

/* Hands all events over, up to an error. */
static void hand_over(struct bulk *bulk, struct reader *reader,
                      struct crier_hub *hub, const char *topics, bool dedupe)
{
    struct crier_publish_options options = {.dedupe = dedupe,
                                            .on_done = published};
    size_t number = 0;
    int error = 0;

    while (number < bulk->count && !atomic_load(&bulk->failed)) {
        error = read_next(reader);
        options.closure = &bulk->items[number];
        if (error == 0)
            error = crier_hub_publish(hub, topics, reader->event, &options);
        if (error != 0)
            break;
        number++;
    }
    pthread_mutex_lock(&bulk->lock);
    if (error != 0)
        fail(bulk, number + 1, error, "");
    settle(bulk, bulk->count - number + 1);
}

bool bulk_publish(struct request *request, const char *topics, bool dedupe)
{
    struct reader reader = {.bytes = request->body,
                            .length = request->body_length};
    size_t count = count_events(request, topics);
    struct deferred *deferred;
    struct bulk *bulk;
    bool ready;

    if (count == 0)
        return request->result;
    deferred = deferred_new(request, answer);
    bulk = deferred != NULL ? bulk_new(deferred, count) : NULL;
    reader.event = crier_event_new();
    ready = bulk != NULL && reader.event != NULL &&
            crier_parser_new(NULL, &reader.parser) == 0;
    if (ready)
        hand_over(bulk, &reader, request->server->hub, topics, dedupe);
    else if (bulk != NULL)
        bulk_free(bulk);
    crier_parser_free(reader.parser);
    crier_event_free(reader.event);
    return ready ? deferred_wait(request) : respond_error(request, -ENOMEM);
}
