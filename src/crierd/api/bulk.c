/*
 * POST /topics/a,b with a text/event-stream: publishes each event of the body.
 *
 * A parser of streams drops incomplete events, events without data, ids that hold NUL,
 * and retry values that are no number, as the standard requires of readers. A publisher
 * needs an error instead, before anything is published. So the body is first checked
 * line by line, and refused as a whole where the parser would drop something.
 *
 * Then the events go to the hub one after the other. An item per event is all the memory
 * this takes; updates that the journal has not answered yet count in the hub's backlog.
 * The journal's answers come together in a batch (batch.h).
 *
 * After an error no more events are submitted, which keeps the order; those already
 * submitted cannot be withdrawn. An id that already exists does not stop the others: a
 * journal in a file reports it after most events have been submitted, and a journal in
 * memory must behave the same.
 *
 * Rejected: submitting a part, and the next part when that is answered. The body would
 * have to be kept all the time, and a journal in a file would wait for the disk once per
 * part.
 */
#include <config.h>

#include "bulk.h"

#include "batch.h"
#include "base/number.h"
#include "crier_client.h"
#include "crier_server.h"
#include "crierd/http/deferred.h"
#include "crierd/http/policy.h"
#include "crierd/http/respond.h"
#include "parameter.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the check -------------------------------------------------------- */

/* What is wrong with the id VALUE, or NULL. */
static const char *check_id(const char *value, size_t length)
{
    return crier_id_valid(value, length) ? NULL
                                         : crier_error_text(CRIER_ERR_ID);
}

/* What is wrong with the retry time VALUE, or NULL. */
static const char *check_retry(const char *value, size_t length)
{
    static const char wrong[] =
        "retry is not a number of milliseconds from 0 to 2147483647";
    uint64_t number;
    size_t digits;

    return crier__number_scan(value, length, &digits, &number) &&
                   digits == length && number <= CRIER_RETRY_MAX
               ? NULL
               : wrong;
}

/* Checks the event that an empty line ends. */
static void check_end(struct bulk_check *check)
{
    if (check->field && !check->data) {
        check->wrong = "it has no data";
        return;
    }
    check->events += check->data;
    check->data = check->field = false;
}

static bool names_field(const char *line, size_t length, const char *name)
{
    return length == strlen(name) && memcmp(line, name, length) == 0;
}

/* Checks a LINE of LENGTH bytes, its end not included. */
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
    if (names_field(line, name, "data"))
        check->data = true;
    else if (names_field(line, name, "id"))
        check->wrong = check_id(value, length);
    else if (names_field(line, name, "retry"))
        check->wrong = check_retry(value, length);
    else if (!names_field(line, name, "event"))
        return; /* a comment or an unknown field */
    else if (memchr(value, '\0', length) != NULL)
        check->wrong = "a type must not hold NUL";
    else if (parameter_is_type_reserved(value, length))
        check->wrong = parameter_reserved_type;
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

/* How many events a request to TOPICS may have. A journal in a file writes each event
 * once per topic, and other publishers wait meanwhile. */
static size_t max_events(const char *topics)
{
    size_t count = 1;

    while ((topics = strchr(topics, ',')) != NULL) {
        topics++;
        count++;
    }
    return BULK_PLACES / count < BULK_MAX ? BULK_PLACES / count : BULK_MAX;
}

/* Checks the body of REQUEST. Returns how many events it has, or 0 after it has sent an
 * error. */
static size_t check_body(struct request *request, const char *topics)
{
    struct bulk_check check;
    size_t most = max_events(topics);

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

/* ---- the response ----------------------------------------------------- */

/* What the response says of BATCH: how much was published, and, after success, the receipt
 * of the last event. NULL when memory is short. */
static json_t *describe_bulk(const struct batch *batch)
{
    json_t *value = json_pack("{s:I, s:I}", "published", (json_int_t)batch->published,
                              "duplicates", (json_int_t)batch->duplicates);

    if (batch->error == 0 &&
        (batch->last == NULL ||
         json_object_update_missing(value, batch->last) != 0)) {
        json_decref(value);
        return NULL;
    }
    return value;
}

static bool respond_bulk(struct request *request, const struct deferred *deferred)
{
    if (deferred->error == 0)
        return respond_json(request, MHD_HTTP_OK, json_incref(deferred->value));
    /* Wrong topics and short memory are not the fault of one event. */
    if (deferred->number == 0 || deferred->error == CRIER_ERR_TOPIC ||
        deferred->error == CRIER_ERR_MANY_TOPICS)
        return respond_error(request, deferred->error);
    return respond_failure_of(request, "event", (size_t)deferred->number,
                              deferred->error, deferred->reason, deferred->value);
}

/* ---- submitting ----------------------------------------------------- */

/* Reads the body. */
struct reader {
    struct crier_parser *parser;
    struct crier_event *event;
    const char *bytes; /* not read yet */
    size_t length;
};

/* Reads the next event into READER->event. Returns 0 or an error. */
static int read_next_event(struct reader *reader)
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
        if (strcmp(message.type, "message") != 0) /* the default */
            crier_event_type(event, message.type);
        if (message.has_id)
            crier_event_id(event, message.id, strlen(message.id));
        return 0;
    }
    return result < 0 ? result : -EPROTO; /* the check counted more events */
}

/* Submits all events, or those before the first error. */
static void submit_events(struct batch *batch, struct reader *reader,
                          struct crier_hub *hub, const char *topics,
                          const struct crier_publish_options *options)
{
    struct crier_publish_options publish = *options;
    size_t number = 0;
    int error = 0;

    publish.on_done = batch_note;
    while (number < batch->count && !batch_has_failed(batch)) {
        error = read_next_event(reader);
        publish.last = options->last && number + 1 == batch->count;
        publish.closure = &batch->items[number];
        if (error == 0)
            error = crier_hub_publish(hub, topics, reader->event, &publish);
        if (error != 0)
            break;
        number++;
    }
    batch_submitted(batch, number, error);
}

bool bulk_publish(struct request *request, const char *topics,
                  const struct crier_publish_options *options)
{
    struct reader reader = {.bytes = request->body,
                            .length = request->body_length};
    size_t count = check_body(request, topics);
    struct deferred *deferred;
    struct batch *batch;
    bool ready;

    if (count == 0 ||
        !policy_may_publish_now(request, count, request->body_length))
        return request->result;
    deferred = deferred_new(request, respond_bulk);
    batch = deferred != NULL ? batch_new(deferred, count, describe_bulk) : NULL;
    reader.event = crier_event_new();
    ready = batch != NULL && reader.event != NULL &&
            crier_parser_new(NULL, &reader.parser) == 0;
    if (ready)
        submit_events(batch, &reader, request->server->hub, topics, options);
    else
        batch_free(batch);
    crier_parser_free(reader.parser);
    crier_event_free(reader.event);
    return ready ? deferred_wait(request) : respond_error(request, -ENOMEM);
}
