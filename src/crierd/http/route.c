/*
 * The table of routes: which handler answers which method on which path. A path
 * in the table is a list of segments; "*" stands for any one segment that is not
 * empty, "**" for all that follow, slashes included, and the handler finds it in
 * request->argument.
 *
 * HEAD runs the handler of GET, OPTIONS tells the methods. A request that
 * changes something is refused when a page of another origin makes it; GET of
 * /events/MSG changes something, too.
 */
#include <config.h>

#include "route.h"

#include "crierd/api/api.h"
#include "crierd/demo/demo.h"
#include "crierd/static/files.h"
#include "crierd/api/health.h"
#include "respond.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct route {
    const char *method;
    const char *path[2];
    bool (*handle)(struct request *request);
    bool changes;
};

static const struct route routes[] = {
    {"GET", {"topics"}, api_list, false},
    {"GET", {"topics", "**"}, api_subscribe, false},
    {"POST", {"topics", "**"}, api_publish, true},
    {"DELETE", {"topics", "**"}, api_forget, true},
    {"GET", {"ticks"}, demo_ticks, false},
    {"GET", {"sse"}, demo_sse, false},
    {"GET", {"events"}, demo_events, false},
    {"POST", {"events"}, demo_events_post, true},
    {"GET", {"events", "*"}, demo_events_get, true},
    {"GET", {"chat"}, demo_chat, false},
    {"POST", {"chat"}, demo_chat_post, true},
    {"POST", {"chat", "*"}, demo_chat_private, true},
    {"GET", {"users"}, demo_users, false},
    {"POST", {"users", "*"}, demo_users_add, true},
    {"DELETE", {"users", "*"}, demo_users_remove, true},
    {"GET", {"updates"}, demo_updates, false},
    {"GET", {"tokens"}, demo_tokens, false},
    {"GET", {"quotes"}, demo_quotes, false},
    {"GET", {"healthz"}, health, false},
};

#define ROUTES (sizeof routes / sizeof routes[0])

static bool matches(const struct route *route, struct request *request)
{
    const struct uri *uri = &request->uri;
    size_t count = route->path[1] != NULL ? 2 : 1;
    bool rest = count == 2 && strcmp(route->path[1], "**") == 0;
    size_t i;

    if (rest ? uri->segment_count < count : uri->segment_count != count)
        return false;
    for (i = 0; i < count; i++) {
        if (strncmp(route->path[i], "*", 1) == 0) {
            if (uri->segments[i].length == 0)
                return false;
            request->argument = rest ? &uri->rest : &uri->segments[i];
        } else if (strcmp(route->path[i], uri->segments[i].bytes) != 0) {
            return false;
        }
    }
    return true;
}

static bool run(const struct route *route, struct request *request)
{
    if (route->changes && request_is_foreign(request))
        return respond_cross_site(request);
    if (route->changes && atomic_load(&request->server->stopping))
        return respond_error(request, CRIER_ERR_DRAINING);
    return route->handle(request);
}

static void allow(char *list, size_t size, const char *method)
{
    size_t length = strlen(list);

    snprintf(list + length, size - length, "%s%s", length != 0 ? ", " : "",
             method);
}

/* No route has both the path and the method of REQUEST: tells which methods the path
 * has, if it is one. */
static bool otherwise(struct request *request, const char *method)
{
    char methods[64] = "";
    size_t i;

    for (i = 0; i < ROUTES; i++) {
        if (!matches(&routes[i], request))
            continue;
        allow(methods, sizeof methods, routes[i].method);
        if (strcmp(routes[i].method, "GET") == 0)
            allow(methods, sizeof methods, "HEAD");
    }
    if (methods[0] == '\0' && strcmp(method, "GET") == 0)
        return files_get(request);
    if (methods[0] == '\0')
        allow(methods, sizeof methods, "GET, HEAD");
    allow(methods, sizeof methods, "OPTIONS");
    return respond_allow(request, methods);
}

/* Finds the handler of REQUEST, whose target is taken apart. */
static bool find(struct request *request)
{
    const char *method = request->head ? "GET" : request->method;
    size_t i;

    for (i = 0; i < ROUTES; i++)
        if (strcmp(routes[i].method, method) == 0 &&
            matches(&routes[i], request))
            return run(&routes[i], request);
    return otherwise(request, method);
}

bool route_run(struct request *request)
{
    const char *wrong;
    bool result;

    if (strcmp(request->target, "*") == 0 &&
        strcmp(request->method, MHD_HTTP_METHOD_OPTIONS) == 0)
        return respond_allow(request, "GET, HEAD, POST, DELETE, OPTIONS");
    wrong = uri_parse(&request->uri, request->target);
    if (wrong == uri_no_memory)
        return respond_error(request, -ENOMEM);
    if (wrong != NULL)
        return respond_problem(request, MHD_HTTP_BAD_REQUEST, "%s", wrong);
    result = find(request);
    uri_done(&request->uri);
    return result;
}
