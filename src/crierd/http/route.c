/*
 * Routes: from the method and the target to the handler, in this order:
 *
 *   route_choose   target -> route -> policy      the head has been read
 *   carrier        body, at most route_max_body   unless one of them has responded
 *   route_run      handler                        the whole request is there
 *
 * So a request with a body is refused before the body is read. HEAD runs the handler of
 * GET, and OPTIONS is answered with the methods.
 *
 * The routes are in the modules that handle them; a request takes the first one that has
 * its method and its path. This file is the only one that reads their paths.
 */
#include <config.h>

#include "route.h"

#include "deferred.h"
#include "policy.h"
#include "respond.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Goes through all routes of TABLES, as TABLE and ROUTE. */
#define FOREACH_ROUTE(tables, table, route)                                   \
    for (table = (tables); table->routes != NULL; table++)                    \
        for (route = table->routes; route->method != NULL; route++)

/* Whether PATH, a route's, is that of REQUEST; sets the request's argument then. */
static bool match_path(const char *path, struct request *request)
{
    const struct uri *uri = &request->uri;
    const struct uri_text *segment = uri->segments;
    size_t i, length;

    if (path[0] == '*')
        return true;
    for (i = 0; path[0] == '/'; i++, segment++, path += length) {
        path++;
        length = strcspn(path, "/");
        if (i == uri->segment_count)
            return false;
        if (path[0] == '*') {
            if (segment->length == 0)
                return false;
            request->argument = path[1] == '*' ? &uri->rest : segment;
            if (path[1] == '*')
                return true;
        } else if (segment->length != length ||
                   memcmp(segment->bytes, path, length) != 0) {
            return false;
        }
    }
    return i == uri->segment_count;
}

/* Whether ROUTE is there on the listener that REQUEST came to. */
static bool is_offered(const struct route *route, const struct request *request)
{
    return route->admin || !request->admin;
}

static void add_method(char *list, size_t size, const char *method)
{
    size_t length = strlen(list);

    if (strstr(list, method) == NULL)
        snprintf(list + length, size - length, "%s%s", length != 0 ? ", " : "",
                 method);
}

/* No route has both the path and the method of REQUEST: responds with the methods that
 * the path has, if it has any. */
static bool respond_unrouted(struct request *request)
{
    const struct route_table *table;
    const struct route *route;
    char methods[64] = "";

    FOREACH_ROUTE(request->server->tables, table, route)
    {
        if (!is_offered(route, request) || !match_path(route->path, request) ||
            (methods[0] != '\0' && route->exists != NULL) ||
            (route->exists != NULL && !route->exists(request)))
            continue;
        add_method(methods, sizeof methods, route->method);
        if (strcmp(route->method, "GET") == 0)
            add_method(methods, sizeof methods, "HEAD");
    }
    if (methods[0] == '\0')
        return respond_problem(request, MHD_HTTP_NOT_FOUND,
                               "there is nothing at this path");
    add_method(methods, sizeof methods, "OPTIONS");
    return respond_allow(request, methods);
}

/* The route of REQUEST, or NULL. One with `exists` is for paths that no other has. */
static const struct route *find_route(struct request *request)
{
    const char *method = request->head ? "GET" : request->method;
    const struct route_table *table;
    const struct route *route;
    bool known = false;

    FOREACH_ROUTE(request->server->tables, table, route)
    {
        if ((route->exists != NULL && known) || !is_offered(route, request) ||
            !match_path(route->path, request))
            continue;
        known = true;
        if (strcmp(route->method, method) == 0) {
            request->context = table->context;
            return route;
        }
    }
    return NULL;
}

/* What is wrong with the target has been found: responds with it. */
static bool respond_bad_target(struct request *request, const char *wrong)
{
    if (wrong == uri_no_memory)
        return respond_error(request, -ENOMEM);
    return respond_problem(request, MHD_HTTP_BAD_REQUEST, "%s", wrong);
}

bool route_refuses(struct request *request)
{
    const struct route *route = NULL;

    if (uri_parse(&request->uri, request->target) == NULL)
        route = find_route(request);
    return route == NULL || policy_refuses(request, route);
}

bool route_choose(struct request *request)
{
    const struct route *route;
    const char *wrong;

    if (strcmp(request->target, "*") == 0 &&
        strcmp(request->method, MHD_HTTP_METHOD_OPTIONS) == 0) {
        request->result =
            respond_allow(request, "GET, HEAD, POST, DELETE, OPTIONS");
        return false;
    }
    wrong = uri_parse(&request->uri, request->target);
    if (wrong != NULL) {
        request->result = respond_bad_target(request, wrong);
        return false;
    }
    route = find_route(request);
    if (route == NULL) {
        request->result = respond_unrouted(request);
        return false;
    }
    if (!policy_allows(request, route))
        return false;
    request->route = route;
    return true;
}

void route_done(struct request *request)
{
    deferred_free(request->deferred);
    request->deferred = NULL;
    identity_unref(request->identity);
    request->identity = NULL;
    free(request->forwarded);
    request->forwarded = NULL;
    uri_done(&request->uri);
}

/* What a body of ROUTE_BODY_IMPORT has at least room for, beside its largest update. */
#define IMPORT_ROOM ((size_t)2 * 1024 * 1024)

size_t route_max_body(const struct request *request)
{
    size_t max = request->route->max_body;

    if (max == ROUTE_BODY_UPDATE)
        return conf_current()->max_update;
    if (max == ROUTE_BODY_IMPORT)
        return 6 * conf_current()->max_update + IMPORT_ROOM;
    return max != 0 ? max : ROUTE_BODY_SMALL;
}

bool route_run(struct request *request)
{
    size_t max;

    if (request->route == NULL && !route_choose(request))
        return request->result;
    max = route_max_body(request);
    if (request->body_length > max)
        return respond_too_large(request, max);
    return request->route->handle(request);
}

/* ---- before the target is parsed --------------------------------------- */

bool route_is_pipelined(const struct route_table *tables, const char *target,
                        size_t length)
{
    const struct route_table *table;
    const struct route *route;
    size_t fixed;

    FOREACH_ROUTE(tables, table, route)
    {
        if (!route->pipelined)
            continue;
        fixed = strcspn(route->path, "*");
        if (memcmp(target, route->path, fixed < length ? fixed : length) == 0)
            return true;
    }
    return false;
}

bool route_is_stream(const struct route_table *tables, const char *target,
                     size_t length)
{
    const struct route_table *table;
    const struct route *route;
    size_t fixed;

    FOREACH_ROUTE(tables, table, route)
    {
        if (!route->streams)
            continue;
        fixed = strcspn(route->path, "*");
        if (fixed < length && memcmp(target, route->path, fixed) == 0 &&
            (route->path[fixed] == '*' || target[fixed] == ' ' ||
             target[fixed] == '?'))
            return true;
    }
    return false;
}
