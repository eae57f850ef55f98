/*
 * GET below /.well-known/mercure/subscriptions: who subscribes to what, for those whose
 * tokens grant the subscription to that path.
 *
 * Each version of the protocol has its own paths, documents and media type:
 *
 *   0.x   .../subscriptions/TOPIC, .../subscriptions/TOPIC/SUBSCRIBER
 *         JSON-LD, with the member lastEventID
 *   1.0   .../subscriptions/TYPE/MATCH, .../subscriptions/TYPE/MATCH/SUBSCRIBER
 *         JSON, with the id in the Link field
 *
 * and lists the subscriptions that were made by it. Two segments are of 1.0 where the
 * first one is a type of selectors. The list of all has one path for both; a client that
 * accepts application/json and not application/ld+json gets that of 1.0.
 *
 * The id is read before the list is made. So what changes in between is in the list, and
 * is reported once more to a client that subscribes behind the id; but never missed. (Another
 * crierd with the same journal shares its subscriptions some 100 ms after it has reported them.)
 */
#include <config.h>

#include "mercure_parts.h"

#include "mercure_name.h"
#include "parameter.h"
#include "crierd/http/policy.h"
#include "crierd/http/respond.h"
#include "crierd/http/response.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The segments of MERCURE_SUBSCRIPTIONS. */
#define FIXED_SEGMENTS 3

#define JSON_LD "application/ld+json"
#define PLAIN_JSON "application/json"

/* Room for a path, with the longest selector escaped, and for a Link field. */
#define PATH_SIZE 4096
#define LINK_SIZE 512

/* What a request asks for. */
struct question {
    struct mercure_filter filter;
    struct mercure_matcher matcher; /* where the filter has one */
    char path[PATH_SIZE]; /* of the resource, escaped as crierd does */
    char newest[256];     /* the id to subscribe behind, or "earliest" */
};

/* ---- the path --------------------------------------------------------- */

/* The type of selectors that is called NAME; -1 for none. */
static int find_selector_type(const char *name)
{
    int type;

    for (type = MERCURE_EXACT; type <= MERCURE_URL_PATTERN; type++)
        if (strcmp(name, mercure_type_name((enum mercure_type)type)) == 0)
            return type;
    return -1;
}

/* Writes the path of REQUEST, with its segments escaped anew, to QUESTION. False when it is
 * too long. */
static bool write_path(const struct request *request, struct question *question)
{
    const struct uri *uri = &request->uri;
    size_t length = 0, i;

    for (i = 0; i < uri->segment_count; i++) {
        if (length + 1 >= sizeof question->path)
            return false;
        question->path[length++] = '/';
        if (!mercure_escape(question->path, sizeof question->path, &length,
                            uri->segments[i].bytes))
            return false;
    }
    return true;
}

/* Reads the segments of REQUEST into QUESTION. False when no resource has such a path. */
static bool read_list_path(const struct request *request, struct question *question)
{
    const struct uri_text *segment = request->uri.segments + FIXED_SEGMENTS;
    size_t count = request->uri.segment_count - FIXED_SEGMENTS;
    int type = count >= 2 ? find_selector_type(segment[0].bytes) : -1;

    if (!write_path(request, question))
        return false;
    if (count == 0) {
        question->filter.current = parameter_accepts(request, PLAIN_JSON) &&
                                   !parameter_accepts(request, JSON_LD);
        return true;
    }
    if (count == 3 && type < 0)
        return false;
    question->filter.current = type >= 0;
    question->matcher.type = type >= 0 ? (enum mercure_type)type : MERCURE_TOPIC;
    if (type >= 0) {
        segment++;
        count--;
    }
    question->matcher.text = segment[0].bytes;
    question->filter.matcher = &question->matcher;
    if (count == 2)
        question->filter.subscriber = segment[1].bytes;
    return true;
}

/* ---- the document ----------------------------------------------------- */

/* Adds what 0.x has in each document to DOCUMENT. */
static int add_context(json_t *document, const struct question *question)
{
    if (question->filter.current)
        return 0;
    return json_object_set_new(document, "@context",
                               json_string("https://mercure.rocks/")) |
           json_object_set_new(document, "lastEventID",
                               json_string(question->newest));
}

/* A *new* document for QUESTION with the subscriptions LIST (stolen); NULL when memory is
 * short. */
static json_t *make_document(const struct question *question, json_t *list)
{
    json_t *document;

    if (question->filter.subscriber != NULL) {
        document = json_incref(json_array_get(list, 0));
        json_decref(list);
    } else {
        document = json_pack("{s:s, s:s, s:o}", "id", question->path, "type",
                             question->filter.current ? "subscriptions"
                                                      : "Subscriptions",
                             "subscriptions", list);
    }
    if (document != NULL && add_context(document, question) == 0)
        return document;
    json_decref(document);
    return NULL;
}

/* Writes the Link field to LINK. Ids that the journal makes need no quoting. */
static void write_link(char link[LINK_SIZE], const struct question *question)
{
    int at = snprintf(link, LINK_SIZE, "<" MERCURE_PATH ">; rel=\"mercure\"");

    if (question->filter.current)
        snprintf(link + at, LINK_SIZE - (size_t)at,
                 "; last-event-id=\"%s\"; type=\"mercure\"; "
                 "content-type=\"" PLAIN_JSON "\"",
                 question->newest);
}

static bool respond_document(struct request *request,
                             const struct question *question, json_t *document)
{
    char link[LINK_SIZE];
    struct response response = {
        .status = MHD_HTTP_OK,
        .type = question->filter.current ? PLAIN_JSON : JSON_LD,
        .name = "Link",
        .value = link,
    };

    write_link(link, question);
    if (document != NULL)
        response.body = json_dumps(document, JSON_COMPACT);
    json_decref(document);
    return response_send(request, &response);
}

static void read_newest(struct request *request, struct question *question)
{
    struct crier_status status;

    crier_hub_status(request->server->hub, &status);
    snprintf(question->newest, sizeof question->newest, "%s",
             status.newest[0] != '\0' ? status.newest : "earliest");
}

bool mercure_list(struct request *request)
{
    const struct mercure *mercure = request->context;
    struct question question = {0};
    json_t *list;

    if (mercure->registry == NULL)
        return respond_problem(request, MHD_HTTP_NOT_FOUND,
                               "subscriptions are not listed: --subscriptions is off");
    if (!read_list_path(request, &question))
        return respond_problem(request, MHD_HTTP_BAD_REQUEST,
                               "this is not the path of subscriptions");
    if (!policy_is_granted(request, question.path))
        return request->result;
    read_newest(request, &question);
    list = mercure_registry_list(mercure->registry, &question.filter);
    if (list == NULL)
        return respond_error(request, -ENOMEM);
    if (question.filter.subscriber == NULL || json_array_size(list) != 0)
        return respond_document(request, &question,
                                make_document(&question, list));
    json_decref(list);
    return respond_problem(request, MHD_HTTP_NOT_FOUND,
                           "there is no such subscription");
}
