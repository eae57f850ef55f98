/*
 * GET /.well-known/mercure: subscribes to topics by the Mercure protocol.
 *
 * The names of the parameters tell the versions apart: topic= is a selector of 0.x, match=
 * and match_urlpattern= are the selectors of 1.0. A request may have both. All other
 * names that begin with "match" are refused, as 1.0 demands, so that a typing error is no
 * stream without updates.
 *
 * A client that asks to begin after an id is sent a response field with the id of the
 * update before the first one that it gets, or "earliest" when there is none, as when the
 * id is not known. Only the journal knows that. So the response to such a request waits
 * until the journal has been read; all others are sent at once. The two versions have
 * different names for the field.
 */
#include <config.h>

#include "mercure_parts.h"

#include "crier_server.h"
#include "mercure_name.h"
#include "parameter.h"
#include "streams.h"
#include "crierd/http/deferred.h"
#include "crierd/http/policy.h"
#include "crierd/http/respond.h"
#include "crierd/http/response.h"
#include "crierd/metrics/kinds.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

/* The largest number of selectors, and the longest one. */
#define SELECTORS_MAX 100
#define SELECTOR_MAX 1024

#define EARLIEST "earliest"

/* What a request subscribes to. */
struct selection {
    struct mercure_matcher matchers[SELECTORS_MAX];
    struct crier_selector selectors[SELECTORS_MAX]; /* the same for the hub */
    size_t count;
    char base[CONF_HUB_URL_SIZE]; /* of URL patterns */
};

/* A stream that is to be opened, and who subscribes by it. */
struct mercure_start {
    struct stream_start start;             /* first */
    struct mercure_subscriber *subscriber; /* NULL: nobody is registered */
    bool begun;                            /* there is a stream */
};

/* ---- selectors -------------------------------------------------------- */

/* The type of selector that the parameter NAME holds; -1 for none. */
static int find_parameter_type(const char *name)
{
    if (strcmp(name, "topic") == 0)
        return MERCURE_TOPIC;
    if (strcmp(name, "match") == 0 || strcmp(name, "match_exact") == 0)
        return MERCURE_EXACT;
    return strcmp(name, "match_urlpattern") == 0 ? MERCURE_URL_PATTERN : -1;
}

/* How the hub reads the text of MATCHER. "*" is all, whatever the type. */
static enum crier_match choose_match(const struct mercure_matcher *matcher)
{
    if (matcher->type == MERCURE_TOPIC || strcmp(matcher->text, "*") == 0)
        return CRIER_MATCH_TEXT;
    return matcher->type == MERCURE_EXACT ? CRIER_MATCH_EXACT
                                          : CRIER_MATCH_URL_PATTERN;
}

static bool has_matcher(const struct selection *selection,
                        const struct mercure_matcher *matcher)
{
    size_t i;

    for (i = 0; i < selection->count; i++)
        if (selection->matchers[i].type == matcher->type &&
            strcmp(selection->matchers[i].text, matcher->text) == 0)
            return true;
    return false;
}

/* Whether VALUE, that of the parameter NAME of REQUEST, may be a selector. Otherwise
 * responds. */
static bool check_selector(struct request *request, const char *name,
                           const struct uri_text *value)
{
    if (value->length == 0 || value->length > SELECTOR_MAX)
        request->result = respond_problem(
            request, MHD_HTTP_BAD_REQUEST, "%s is not of 1 to %d bytes", name,
            SELECTOR_MAX);
    else if (!mercure_text_valid(value->bytes, value->length))
        request->result = respond_problem(
            request, MHD_HTTP_BAD_REQUEST,
            "%s is not UTF-8 without control and format characters", name);
    else if (parameter_is_name_reserved(value->bytes, true))
        request->result = parameter_refuse_reserved(request);
    else
        return true;
    return false;
}

/* Adds what PARAMETER of REQUEST selects, if anything, to SELECTION. False after it has
 * sent an error. */
static bool add_parameter(struct request *request, struct selection *selection,
                          const struct uri_parameter *parameter)
{
    const char *name = parameter->name.bytes;
    int type = find_parameter_type(name);
    struct mercure_matcher matcher = {.text = parameter->value.bytes};
    enum crier_match match;

    if (type < 0 && strncasecmp(name, "match", 5) != 0)
        return true;
    if (type < 0) {
        request->result =
            respond_problem(request, MHD_HTTP_BAD_REQUEST,
                            "there is no parameter %.60s; selectors are topic, match, "
                            "match_exact and match_urlpattern",
                            name);
        return false;
    }
    if (!check_selector(request, name, &parameter->value))
        return false;
    matcher.type = (enum mercure_type)type;
    if (has_matcher(selection, &matcher))
        return true;
    if (selection->count == SELECTORS_MAX) {
        request->result = respond_error(request, CRIER_ERR_MANY_TOPICS);
        return false;
    }
    match = choose_match(&matcher);
    selection->selectors[selection->count] = (struct crier_selector){
        match, matcher.text,
        match == CRIER_MATCH_URL_PATTERN ? selection->base : NULL};
    selection->matchers[selection->count++] = matcher;
    return true;
}

/* Reads what REQUEST subscribes to, and whether it may. False after it has sent an error. */
static bool read_selection(struct request *request, struct selection *selection)
{
    const struct uri *uri = &request->uri;
    size_t i;

    selection->count = 0;
    conf_hub_url(conf_current(), selection->base);
    for (i = 0; i < uri->parameter_count; i++)
        if (!add_parameter(request, selection, &uri->parameters[i]))
            return false;
    if (selection->count == 0) {
        request->result = respond_problem(
            request, MHD_HTTP_BAD_REQUEST,
            "there is no topic=, match= or match_urlpattern=");
        return false;
    }
    return policy_may_subscribe(request, selection->selectors, selection->count);
}

/* ---- where the stream begins ------------------------------------------ */

/* Reads into OPTIONS after which update the stream begins. False after it has sent an
 * error. */
static bool read_begin(struct request *request,
                       struct crier_subscribe_options *options)
{
    const char *id = parameter_value(request, "last_event_id", NULL);

    if (!streams_read_start(request, options))
        return false;
    if (options->since != CRIER_SINCE_ID && id != NULL && id[0] != '\0') {
        options->since = CRIER_SINCE_ID;
        options->id = id;
    }
    if (options->since == CRIER_SINCE_ID && strcmp(options->id, EARLIEST) == 0)
        options->since = CRIER_SINCE_ALL;
    return true;
}

/* Whether REQUEST has a selector of 0.x, or with CURRENT, of 1.0. */
static bool speaks_version(const struct request *request, bool current)
{
    const struct uri *uri = &request->uri;
    size_t i;
    int type;

    for (i = 0; i < uri->parameter_count; i++) {
        type = find_parameter_type(uri->parameters[i].name.bytes);
        if (type >= 0 && (type != MERCURE_TOPIC) == current)
            return true;
    }
    return false;
}

/* Adds to RESPONSE the id after which the stream begins. -ENOMEM. */
static int add_begin_field(const struct request *request,
                           struct MHD_Response *response, const char *id)
{
    if ((speaks_version(request, false) &&
         MHD_add_response_header(response, "Last-Event-ID", id) != MHD_YES) ||
        (speaks_version(request, true) &&
         MHD_add_response_header(response, "Mercure-Last-Event-ID", id) !=
             MHD_YES))
        return -ENOMEM;
    return 0;
}

/* The journal has been read for the first time: on_read. */
static void note_begin(void *closure, int error, bool gap)
{
    struct deferred *deferred = closure;

    deferred->error = error;
    deferred->number = gap;
    deferred_done(deferred);
}

/* The response to a request that has asked to begin after an id. While the journal cannot
 * be read, the stream tries again, and nobody knows where it will begin. */
static bool respond_begun(struct request *request,
                          const struct deferred *deferred)
{
    struct MHD_Response *response = deferred->response;
    struct crier_subscribe_options options = {0};
    int error = 0;

    if (deferred->error == CRIER_ERR_HUB_CLOSED)
        return respond_goodbye(request);
    if (deferred->error == 0) {
        if (!read_begin(request, &options))
            return request->result;
        error = add_begin_field(request, response,
                                deferred->number ? EARLIEST : options.id);
    }
    if (error != 0)
        return respond_error(request, error);
    request->deferred->response = NULL;
    return response_stream(request, response);
}

/* Subscribes STREAM as START says. Returns what a `begin` does. */
static int subscribe_stream(struct request *request, struct stream_start *start,
                            struct crier_stream *stream)
{
    struct crier_subscribe_options *options = &start->subscription;
    struct deferred *deferred;
    int error = 0;

    if (options->since == CRIER_SINCE_ALL)
        error = add_begin_field(request, options->response, EARLIEST);
    if (error != 0 || options->since != CRIER_SINCE_ID)
        return error != 0 ? error : streams_subscribe(request, start, stream);
    deferred = deferred_new(request, respond_begun);
    if (deferred == NULL)
        return -ENOMEM;
    deferred->response = options->response;
    options->response = NULL;
    options->on_read = note_begin;
    options->closure = deferred;
    error = streams_subscribe(request, start, stream);
    if (error == 0)
        return 1;
    deferred->response = NULL; /* the caller's again */
    return error;
}

/* ---- the stream ------------------------------------------------------- */

static int begin_stream(struct request *request, struct stream_start *start,
                        struct crier_stream *stream)
{
    struct mercure_start *opening = (struct mercure_start *)start;
    int result;

    opening->begun = true;
    result = subscribe_stream(request, start, stream);
    if (opening->subscriber != NULL)
        mercure_subscriber_enter(opening->subscriber, result >= 0);
    return result;
}

static void note_closed(void *closure, struct crier_stream *stream,
                        enum crier_reason reason)
{
    mercure_subscriber_leave(closure);
    respond_stream_closed((void *)MERCURE_PATH, stream, reason);
}

/* Registers who subscribes to SELECTION with OPENING. False after it has sent an error. */
static bool register_subscriber(struct request *request,
                                const struct selection *selection,
                                struct mercure_start *opening)
{
    const struct mercure *mercure = request->context;
    size_t i;
    int error;

    if (mercure->registry == NULL || request->head)
        return true;
    /* Others see who subscribes, so subscribing changes something. */
    if (!policy_may_be_seen(request))
        return false;
    for (i = 0; i < selection->count; i++)
        if (!mercure_registry_can_report(&selection->matchers[i])) {
            request->result = respond_problem(
                request, MHD_HTTP_BAD_REQUEST,
                "a selector is too long for the topic that reports its "
                "subscriptions: %.60s...",
                selection->matchers[i].text);
            return false;
        }
    error = mercure_subscriber_new(mercure->registry, selection->matchers,
                                   selection->count, request->identity,
                                   &opening->subscriber);
    if (error != 0) {
        request->result = respond_error(request, error);
        return false;
    }
    opening->start.options.on_closed = note_closed;
    opening->start.options.closure = opening->subscriber;
    return true;
}

bool mercure_subscribe(struct request *request)
{
    struct mercure_start opening = {
        .start = {.options = {.kind = STREAM_MERCURE,
                              .on_closed = respond_stream_closed,
                              .closure = (void *)MERCURE_PATH},
                  .begin = begin_stream}};
    struct crier_subscribe_options *options = &opening.start.subscription;
    struct selection selection;
    bool result;

    if (!read_selection(request, &selection) || !read_begin(request, options) ||
        !register_subscriber(request, &selection, &opening))
        return request->result;
    opening.start.options.affinity = selection.matchers[0].text;
    options->selectors = selection.selectors;
    options->selector_count = selection.count;
    result = streams_open(request, &opening.start);
    if (opening.subscriber != NULL && !opening.begun)
        mercure_subscriber_drop(opening.subscriber);
    return result;
}
