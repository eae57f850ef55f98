/*
 * GET and DELETE of /topics: checks requests, translates them into the hub's terms, and
 * the hub's results into responses. POST is in publish.c.
 */
#include <config.h>

#include "topics.h"

#include "base/number.h"
#include "crier_server.h"
#include "crierd/config/conf.h"
#include "crierd/http/deferred.h"
#include "crierd/http/policy.h"
#include "crierd/http/respond.h"
#include "crierd/http/response.h"
#include "crierd/metrics/kinds.h"
#include "mercure_name.h"
#include "parameter.h"
#include "streams.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* How many topics a list has: unless the request says otherwise, and at most. */
#define LIST_DEFAULT 100
#define LIST_MAX 1000

/* The largest limit of a poll. */
#define POLL_MAX 10000

/* ---- GET /topics/a,b: a stream ---------------------------------------- */

/* The format that REQUEST asks for; -1 when there is none of that name. */
static int read_format(const struct request *request)
{
    const char *format = parameter_value(request, "format", NULL);

    if (format == NULL)
        return parameter_accepts(request, "application/x-ndjson")
                   ? CRIER_FORMAT_JSON
                   : CRIER_FORMAT_EVENTS;
    if (strcmp(format, "json") == 0)
        return CRIER_FORMAT_JSON;
    if (strcmp(format, "raw") == 0)
        return CRIER_FORMAT_RAW;
    if (strcmp(format, "full") == 0)
        return CRIER_FORMAT_FULL;
    return strcmp(format, "sse") == 0 ? CRIER_FORMAT_EVENTS : -1;
}

/* Reads how many updates REQUEST wants at most; 0: all. False when it has responded that
 * this is no such number. */
static bool read_poll_limit(struct request *request, unsigned *limit)
{
    const char *value = parameter_value(request, "limit", NULL);
    uint64_t number = 0;

    if (value != NULL && !crier__number_read(value, 1, POLL_MAX, &number)) {
        request->result = respond_problem(request, MHD_HTTP_BAD_REQUEST,
                                          "limit is not a number from 1 to %d", POLL_MAX);
        return false;
    }
    *limit = (unsigned)number;
    return true;
}

static bool open_stream(struct request *request, const char *topics,
                        enum crier_format format)
{
    struct stream_start start = {
        .options = {.kind = STREAM_TOPICS,
                    .format = format,
                    .affinity = topics,
                    .on_closed = respond_stream_closed,
                    .closure = (void *)"/topics"},
        .begin = streams_subscribe,
        .subscription = {.topics = topics},
    };
    struct crier_subscribe_options *subscription = &start.subscription;

    if (parameter_is_set(request, "poll")) {
        start.begin = streams_poll;
        subscription->once = true;
        subscription->since = CRIER_SINCE_ALL;
        if (!read_poll_limit(request, &subscription->limit))
            return request->result;
    }
    if (!streams_read_start(request, subscription))
        return request->result;
    if (format != CRIER_FORMAT_EVENTS && format != CRIER_FORMAT_FULL &&
        subscription->start == CRIER_START_ID)
        return respond_problem(request, MHD_HTTP_BAD_REQUEST,
                               "start=id requires format=sse or full; with other "
                               "formats see the response field Last-Event-ID");
    return streams_open(request, &start);
}

/* ---- GET /topics, or of one as JSON: descriptions --------------------- */

/* The journal has described topics. */
static void note_list(void *closure, int error, json_t *topics)
{
    struct deferred *deferred = closure;

    deferred->error = error;
    deferred->value = topics;
    deferred_done(deferred);
}

/* Makes the hub describe the topics that SELECTORS match (crier_hub_list()) and that
 * REQUEST may know of, and calls RESPOND with them. */
static bool describe_topics(struct request *request, const char *selectors,
                            const char *after, unsigned limit,
                            deferred_respond *respond)
{
    const struct crier_list_options options = {
        .topics = selectors,
        .after = after,
        .limit = limit,
        .grants = request_grants(request),
        .granted_only = !policy_is_open(SCOPE_SUBSCRIBE)};
    struct deferred *deferred = deferred_new(request, respond);
    int error;

    if (deferred == NULL)
        return respond_error(request, -ENOMEM);
    deferred->number = (long)limit;
    error = crier_hub_list(request->server->hub, &options, note_list, deferred);
    return error != 0 ? respond_error(request, error) : deferred_wait(request);
}

/* Room for the Link field, with the longest name of a topic. */
#define LINK_SIZE 640

/* Responds with VALUE (stolen), and with where to subscribe by the Mercure protocol. TOPIC
 * is what to subscribe to, or NULL; a name that is no URI reference is not linked. */
static bool respond_linked(struct request *request, json_t *value,
                           const char *topic)
{
    static const char uri[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                              "0123456789-._~:/?#[]@!$&'()*+,;=%";
    char link[LINK_SIZE] = "<" MERCURE_PATH ">; rel=\"mercure\"";
    struct response response = {.status = MHD_HTTP_OK,
                                .type = "application/json",
                                .name = "Link",
                                .value = link};
    size_t length = strlen(link);

    if (topic != NULL && strspn(topic, uri) == strlen(topic))
        snprintf(link + length, sizeof link - length, ", <%s>; rel=\"self\"", topic);
    if (value != NULL)
        response.body = json_dumps(value, JSON_COMPACT);
    json_decref(value);
    return response_send(request, &response);
}

static bool respond_list(struct request *request,
                         const struct deferred *deferred)
{
    size_t count = json_array_size(deferred->value);
    json_t *last = NULL;

    if (deferred->error != 0)
        return respond_error(request, deferred->error);
    if (count == (size_t)deferred->number)
        last = json_object_get(json_array_get(deferred->value, count - 1),
                               "topic");
    return respond_linked(request,
                          json_pack("{s:O, s:O?}", "topics", deferred->value,
                                    "next", last),
                          NULL);
}

static bool respond_one(struct request *request,
                        const struct deferred *deferred)
{
    if (deferred->error != 0)
        return respond_error(request, deferred->error);
    if (json_array_size(deferred->value) == 0)
        return respond_error(request, CRIER_ERR_NO_TOPIC);
    return respond_linked(request, json_incref(json_array_get(deferred->value, 0)),
                          request->argument->bytes);
}

/* Responds with a page of the topics that SELECTORS match. */
static bool list_topics(struct request *request, const char *selectors)
{
    const char *after = parameter_value(request, "after", NULL);
    const char *limit = parameter_value(request, "limit", NULL);
    uint64_t number = LIST_DEFAULT;

    if (limit != NULL && !crier__number_read(limit, 1, LIST_MAX, &number))
        return respond_problem(request, MHD_HTTP_BAD_REQUEST,
                               "limit is not a number from 1 to %d", LIST_MAX);
    return describe_topics(request, selectors, after != NULL ? after : "",
                           (unsigned)number, respond_list);
}

bool topics_list(struct request *request)
{
    const char *match = parameter_value(request, "match", NULL);

    if (match != NULL && parameter_is_reserved(match, true))
        return parameter_refuse_reserved(request);
    return list_topics(request, match != NULL ? match : "*");
}

/* ---- GET and DELETE --------------------------------------------------- */

/* Whether REQUEST asks for the description of topics, not for their updates. */
static bool wants_description(const struct request *request)
{
    return parameter_value(request, "format", NULL) == NULL &&
           parameter_accepts(request, "application/json") &&
           !parameter_accepts(request, "text/event-stream");
}

bool topics_get(struct request *request)
{
    const char *topics = request->argument->bytes;
    int format = read_format(request);

    if (parameter_is_reserved(topics, true))
        return parameter_refuse_reserved(request);
    /* With presence others see who subscribes, so subscribing changes something. (A page
     * of another origin could not read the response anyway.) */
    if (conf_current()->presence != NULL && !policy_may_be_seen(request))
        return request->result;
    if (format < 0)
        return respond_problem(request, MHD_HTTP_BAD_REQUEST,
                               "format is not sse, full, json or raw");
    if (wants_description(request))
        return strpbrk(topics, ",*{") != NULL
                   ? list_topics(request, topics)
                   : describe_topics(request, topics, "", 1, respond_one);
    return open_stream(request, topics, (enum crier_format)format);
}

/* The journal has deleted a topic's updates. */
static void note_deleted(void *closure, int error)
{
    struct deferred *deferred = closure;

    deferred->error = error;
    deferred_done(deferred);
}

static bool respond_deleted(struct request *request,
                            const struct deferred *deferred)
{
    if (deferred->error != 0)
        return respond_error(request, deferred->error);
    return respond_empty(request, MHD_HTTP_NO_CONTENT);
}

bool topics_delete(struct request *request)
{
    const char *topic = request->argument->bytes;
    struct deferred *deferred;
    int error;

    if (parameter_is_reserved(topic, false))
        return parameter_refuse_reserved(request);
    if (strchr(topic, ',') != NULL) /* one topic at a time */
        return respond_error(request, CRIER_ERR_TOPIC);
    deferred = deferred_new(request, respond_deleted);
    if (deferred == NULL)
        return respond_error(request, -ENOMEM);
    error = crier_hub_forget(request->server->hub, topic, note_deleted,
                             deferred);
    return error != 0 ? respond_error(request, error) : deferred_wait(request);
}
