/*
 * POST /topics/a,b: publishes the body of a request as one update, or hands a
 * text/event-stream on to bulk.c.
 */
#include <config.h>

#include "publish.h"

#include "bulk.h"
#include "base/number.h"
#include "crier_server.h"
#include "crierd/config/conf.h"
#include "crierd/http/policy.h"
#include "crierd/http/respond.h"
#include "parameter.h"
#include "receipt.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- to the journal and back ------------------------------------------ */

/* The journal has answered: on_done of a publication. Any thread. */
static void note_receipt(void *closure, const struct crier_receipt *receipt)
{
    struct deferred *deferred = closure;

    receipt_note(receipt);
    deferred->error = receipt->error;
    if (receipt->error == 0) {
        deferred->text = crier_receipt_text(receipt);
        if (deferred->text == NULL)
            deferred->error = -ENOMEM;
    } else {
        snprintf(deferred->reason, sizeof deferred->reason, "%s",
                 receipt->reason);
    }
    deferred_done(deferred);
}

bool publish_event(struct request *request, const char *topics,
                   const struct crier_event *event,
                   const struct crier_publish_options *options, long number,
                   deferred_respond *respond)
{
    struct crier_publish_options publish = *options;
    struct deferred *deferred;
    int error;

    if (!policy_may_publish_now(request, 1, request->body_length))
        return request->result;
    deferred = deferred_new(request, respond);
    if (deferred == NULL)
        return respond_error(request, -ENOMEM);
    deferred->number = number;
    publish.on_done = note_receipt;
    publish.closure = deferred;
    error = crier_hub_publish(request->server->hub, topics, event, &publish);
    if (error == 0)
        return deferred_wait(request);
    receipt_count_error(error);
    return respond_error(request, error);
}

/* ---- the request ------------------------------------------------------ */

static bool respond_published(struct request *request,
                              const struct deferred *deferred)
{
    if (deferred->error != 0)
        return respond_failure(request, deferred->error, deferred->reason);
    return respond_json_text(request, MHD_HTTP_OK, deferred->text);
}

/* Removes the white space between the tokens of the valid JSON in TEXT and changes
 * nothing else: numbers stay as they were written. Returns the new length. */
static size_t compact_json(char *text, size_t length)
{
    bool quoted = false;
    size_t to = 0, i;

    for (i = 0; i < length; i++) {
        if (quoted && text[i] == '\\' && i + 1 < length)
            text[to++] = text[i++];
        else if (text[i] == '"')
            quoted = !quoted;
        else if (!quoted && strchr(" \t\r\n", text[i]) != NULL)
            continue;
        text[to++] = text[i];
    }
    return to;
}

/* Sets the data of EVENT to the body, which must be JSON. Returns false after it has sent
 * an error. */
static bool set_json_data(struct request *request, struct crier_event *event)
{
    json_t *value;
    char *text;

    /* jansson accepts a NUL where white space may be. */
    if (memchr(request->body, '\0', request->body_length) != NULL) {
        request->result = respond_problem(request, MHD_HTTP_BAD_REQUEST,
                                          "the body is not JSON: it holds a NUL");
        return false;
    }
    value = request_read_json(request, JSON_DECODE_ANY | JSON_ALLOW_NUL |
                                           JSON_DECODE_INT_AS_REAL);
    if (value == NULL)
        return false;
    json_decref(value);
    text = malloc(request->body_length + 1);
    if (text == NULL) {
        request->result = respond_error(request, -ENOMEM);
        return false;
    }
    memcpy(text, request->body, request->body_length);
    crier_event_data(event, text, compact_json(text, request->body_length));
    free(text);
    return true;
}

/* Sets the type, id and retry of EVENT from the parameters and headers of REQUEST.
 * Returns false after it has sent an error. */
static bool set_fields(struct request *request, struct crier_event *event)
{
    const char *type = parameter_value(request, "event", "Event-Type");
    const char *id = parameter_value(request, "id", "Event-ID");
    const char *retry = parameter_value(request, "retry", "Event-Retry");
    uint64_t milliseconds;
    int error = 0;

    if (type != NULL && parameter_is_type_reserved(type, strlen(type))) {
        request->result = respond_problem(request, MHD_HTTP_BAD_REQUEST, "%s",
                                          parameter_reserved_type);
        return false;
    }
    if (type != NULL)
        error = crier_event_type(event, type);
    if (id != NULL && error == 0)
        error = crier_event_id(event, id, strlen(id));
    if (error != 0) {
        request->result = respond_error(request, error);
        return false;
    }
    if (retry == NULL)
        return true;
    if (!crier__number_read(retry, 0, CRIER_RETRY_MAX, &milliseconds)) {
        request->result = respond_problem(
            request, MHD_HTTP_BAD_REQUEST,
            "retry is not a number of milliseconds from 0 to %u", CRIER_RETRY_MAX);
        return false;
    }
    crier_event_retry(event, (uint32_t)milliseconds);
    return true;
}

/* Returns a new event from REQUEST, or NULL after it has sent an error. */
static struct crier_event *read_event(struct request *request)
{
    struct crier_event *event = crier_event_new();

    if (event == NULL) {
        request->result = respond_error(request, -ENOMEM);
        return NULL;
    }
    if (!parameter_has_type(request, "application/json"))
        crier_event_data(event, request->body, request->body_length);
    else if (!set_json_data(request, event))
        goto refused;
    if (set_fields(request, event))
        return event;
refused:
    crier_event_free(event);
    return NULL;
}

/* Reads into OPTIONS what the parameters say of the whole request. A value of "private"
 * that is misunderstood would make public what is not to be, so only 0 and 1 are taken.
 * False after it has sent an error. */
static bool read_options(struct request *request,
                         struct crier_publish_options *options)
{
    const char *given = parameter_value(request, "private", NULL);

    options->dedupe = parameter_is_set(request, "dedupe");
    options->last = parameter_is_set(request, "last");
    options->is_private = parameter_is_set(request, "private");
    if (given != NULL && !options->is_private && strcmp(given, "0") != 0)
        request->result = respond_problem(request, MHD_HTTP_BAD_REQUEST,
                                          "private is neither 0 nor 1");
    else
        return !options->is_private || parameter_may_be_private(request);
    return false;
}

static bool publish_bulk(struct request *request, const char *topics,
                         const struct crier_publish_options *options)
{
    if (parameter_value(request, "event", "Event-Type") != NULL ||
        parameter_value(request, "id", "Event-ID") != NULL ||
        parameter_value(request, "retry", "Event-Retry") != NULL)
        return respond_problem(request, MHD_HTTP_BAD_REQUEST,
                               "event, id and retry of a text/event-stream stand "
                               "in its events, not in the query or headers");
    return bulk_publish(request, topics, options);
}

bool publish_handle(struct request *request)
{
    const char *topics = request->argument->bytes;
    struct crier_publish_options options = {0};
    struct crier_event *event;
    bool result;

    if (parameter_is_reserved(topics, false))
        return parameter_refuse_reserved(request);
    if (!read_options(request, &options))
        return request->result;
    if (parameter_has_type(request, "text/event-stream"))
        return publish_bulk(request, topics, &options);
    event = read_event(request);
    if (event == NULL)
        return request->result;
    result = publish_event(request, topics, event, &options, 0,
                           respond_published);
    crier_event_free(event);
    return result;
}
