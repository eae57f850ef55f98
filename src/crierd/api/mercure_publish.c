/*
 * POST /.well-known/mercure: publishes an update by the Mercure protocol.
 *
 * The body is a form with the topics (the first one is the canonical one), the data and
 * the fields of the event. What 1.0 forbids is refused whatever version the publisher
 * speaks, since nothing in the request tells them apart: control and format characters in
 * topics, ids and types, the hub's own topics, and its event type "mercure".
 *
 * The protocol lets publishers reuse an id, and lets the hub make its own in place of the
 * given one. Crier's ids name one update each. So an update whose id exists already is
 * published once more without it, and the response has the id that the journal made. All
 * that takes is kept until the journal has answered.
 */
#include <config.h>

#include "mercure_parts.h"

#include "mercure_form.h"
#include "mercure_name.h"
#include "parameter.h"
#include "receipt.h"
#include "base/number.h"
#include "crierd/http/deferred.h"
#include "crierd/http/policy.h"
#include "crierd/http/respond.h"
#include "crierd/http/response.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORM "application/x-www-form-urlencoded"
#define TOPICS_MAX 100

/* The longest topic and id, in bytes. */
#define NAME_MAX_BYTES 255

/* An update on its way to the journal. It owns the form, and its texts are the form's. */
struct publication {
    struct crier_hub *hub;
    struct deferred *deferred;
    struct mercure_form form;
    const char *topics[TOPICS_MAX];
    size_t count;
    struct mercure_field data; /* without a name: not given */
    const char *id, *type;     /* or NULL */
    bool is_private, has_retry;
    uint32_t retry;
};

static void free_publication(struct publication *publication)
{
    mercure_form_end(&publication->form);
    free(publication);
}

/* ---- the form --------------------------------------------------------- */

/* Responds that the field NAME may not be what it is, and says WHY. */
static bool refuse_field(struct request *request, unsigned status,
                         const char *name, const char *why)
{
    request->result = respond_problem(request, status, "%s %s", name, why);
    return false;
}

/* Whether FIELD, a text of at most MAX bytes, may be in an update. Otherwise responds. */
static bool check_text(struct request *request,
                       const struct mercure_field *field, size_t max)
{
    if (field->length > max)
        return refuse_field(request, MHD_HTTP_CONTENT_TOO_LARGE, field->name,
                            "is too long");
    if (!mercure_text_valid(field->value, field->length))
        return refuse_field(
            request, MHD_HTTP_BAD_REQUEST, field->name,
            "is not UTF-8 without control and format characters");
    return true;
}

/* Adds FIELD as one more topic. False after it has sent an error. */
static bool add_form_topic(struct request *request, struct publication *publication,
                           const struct mercure_field *field)
{
    if (publication->count == TOPICS_MAX)
        return refuse_field(request, MHD_HTTP_CONTENT_TOO_LARGE, field->name,
                            "is given more than 100 times");
    if (!check_text(request, field, NAME_MAX_BYTES))
        return false;
    if (mercure_topic_is_reserved(field->value, field->length, MERCURE_PATH))
        return refuse_field(request, MHD_HTTP_BAD_REQUEST, field->name,
                            "is empty, or reserved for the hub itself: it leads to "
                            MERCURE_PATH);
    if (parameter_is_name_reserved(field->value, false)) {
        request->result = parameter_refuse_reserved(request);
        return false;
    }
    publication->topics[publication->count++] = field->value;
    return true;
}

/* Takes FIELD as the id. False after it has sent an error. */
static bool set_form_id(struct request *request, struct publication *publication,
                        const struct mercure_field *field)
{
    if (field->length == 0 || publication->id != NULL)
        return true;
    if (!check_text(request, field, NAME_MAX_BYTES))
        return false;
    if (strcmp(field->value, "earliest") == 0)
        return refuse_field(request, MHD_HTTP_BAD_REQUEST, field->name,
                            "is 'earliest', which is reserved");
    if (!crier_id_valid(field->value, field->length)) {
        request->result = respond_error(request, CRIER_ERR_ID);
        return false;
    }
    publication->id = field->value;
    return true;
}

/* Takes FIELD as the type. False after it has sent an error. */
static bool set_form_type(struct request *request, struct publication *publication,
                          const struct mercure_field *field)
{
    if (field->length == 0 || publication->type != NULL)
        return true;
    if (!check_text(request, field, SIZE_MAX))
        return false;
    if (parameter_is_type_reserved(field->value, field->length)) {
        request->result = respond_problem(request, MHD_HTTP_BAD_REQUEST, "%s",
                                          parameter_reserved_type);
        return false;
    }
    publication->type = field->value;
    return true;
}

/* Reads the retry time into PUBLICATION. False after it has sent an error. */
static bool set_form_retry(struct request *request, struct publication *publication,
                           const struct mercure_field *field)
{
    uint64_t number;

    if (field->length == 0 || publication->has_retry)
        return true;
    if (!crier__number_read(field->value, 0, CRIER_RETRY_MAX, &number) ||
        strlen(field->value) != field->length) {
        request->result = respond_problem(
            request, MHD_HTTP_BAD_REQUEST,
            "retry is not a number of milliseconds from 0 to %u", CRIER_RETRY_MAX);
        return false;
    }
    publication->has_retry = true;
    publication->retry = (uint32_t)number;
    return true;
}

/* Takes FIELD, if it is one that counts. Of most the first one of its name does. False
 * after it has sent an error. */
static bool take_form_field(struct request *request, struct publication *publication,
                       const struct mercure_field *field)
{
    if (mercure_field_is(field, "topic"))
        return add_form_topic(request, publication, field);
    if (mercure_field_is(field, "id"))
        return set_form_id(request, publication, field);
    if (mercure_field_is(field, "type"))
        return set_form_type(request, publication, field);
    if (mercure_field_is(field, "retry"))
        return set_form_retry(request, publication, field);
    if (mercure_field_is(field, "private"))
        publication->is_private = true;
    else if (mercure_field_is(field, "data") && publication->data.name == NULL)
        publication->data = *field;
    return true;
}

/* Reads the form in the body of REQUEST. False after it has sent an error. */
static bool read_form(struct request *request, struct publication *publication)
{
    struct mercure_field field;

    if (!mercure_form_begin(&publication->form, request->body,
                            request->body_length)) {
        request->result = respond_error(request, -ENOMEM);
        return false;
    }
    while (mercure_form_next(&publication->form, &field))
        if (!take_form_field(request, publication, &field))
            return false;
    if (publication->count != 0)
        return !publication->is_private || parameter_may_be_private(request);
    request->result = respond_problem(request, MHD_HTTP_BAD_REQUEST,
                                      "the form has no topic");
    return false;
}

/* ---- to the journal and back ------------------------------------------ */

/* A *new* event as PUBLICATION says; NULL when memory is short. What is wrong with it,
 * publishing it tells. */
static struct crier_event *make_form_event(const struct publication *publication)
{
    const struct mercure_field *data = &publication->data;
    struct crier_event *event = crier_event_new();

    if (event == NULL)
        return NULL;
    crier_event_data(event, data->value, data->length);
    if (publication->type != NULL)
        crier_event_type(event, publication->type);
    if (publication->has_retry)
        crier_event_retry(event, publication->retry);
    if (publication->id != NULL)
        crier_event_id(event, publication->id, strlen(publication->id));
    return event;
}

static void note_published(void *closure, const struct crier_receipt *receipt);

/* Hands PUBLICATION to the hub. When 0 is returned, it belongs to note_published(). */
static int submit_publication(struct publication *publication)
{
    const struct crier_publish_options options = {
        .is_private = publication->is_private,
        .on_done = note_published,
        .closure = publication,
    };
    struct crier_event *event = make_form_event(publication);
    int error = -ENOMEM;

    if (event != NULL)
        error = crier_hub_publish_to(publication->hub, publication->topics,
                                     publication->count, event, &options);
    crier_event_free(event);
    return error;
}

/* The journal has answered: on_done of PUBLICATION. Any thread. */
static void note_published(void *closure, const struct crier_receipt *receipt)
{
    struct publication *publication = closure;
    struct deferred *deferred = publication->deferred;
    const char *reason = receipt->reason;
    int error = receipt->error;

    if (error == CRIER_ERR_EXISTS && publication->id != NULL) {
        publication->id = NULL;
        error = submit_publication(publication);
        if (error == 0) /* another receipt follows, or has come: nothing here is ours */
            return;
        receipt_count_error(error);
        reason = "";
    } else {
        receipt_note(receipt);
    }
    if (error == 0) {
        deferred->text = strdup(receipt->id);
        if (deferred->text == NULL)
            error = -ENOMEM;
    }
    deferred->error = error;
    snprintf(deferred->reason, sizeof deferred->reason, "%s", reason);
    free_publication(publication);
    deferred_done(deferred);
}

static bool respond_id(struct request *request, const struct deferred *deferred)
{
    struct response response = {.status = MHD_HTTP_OK,
                                .type = "text/plain; charset=utf-8",
                                .exact = true};

    if (deferred->error != 0)
        return respond_failure(request, deferred->error, deferred->reason);
    response.body = strdup(deferred->text);
    return response_send(request, &response);
}

/* Publishes PUBLICATION, which is handed on or freed. */
static bool publish_form(struct request *request,
                         struct publication *publication)
{
    int error;

    publication->hub = request->server->hub;
    publication->deferred = deferred_new(request, respond_id);
    error = publication->deferred != NULL ? submit_publication(publication)
                                          : -ENOMEM;
    if (error == 0)
        return deferred_wait(request);
    receipt_count_error(error);
    free_publication(publication);
    return respond_error(request, error);
}

bool mercure_publish(struct request *request)
{
    struct publication *publication;

    if (!parameter_has_type(request, FORM))
        return respond_problem(request, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE,
                               "the Content-Type is not " FORM);
    publication = calloc(1, sizeof *publication);
    if (publication == NULL)
        return respond_error(request, -ENOMEM);
    publication->data.value = "";
    if (read_form(request, publication) &&
        policy_may_publish(request, publication->topics, publication->count) &&
        policy_may_publish_now(request, 1, request->body_length))
        return publish_form(request, publication);
    free_publication(publication);
    return request->result;
}
