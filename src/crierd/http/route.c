/*
 * Finds the route of a request in the tables of the server's modules.
 *
 * HEAD runs the handler of GET, and OPTIONS returns the methods. A request that changes
 * something is refused when a page of another origin sends it; GET of /events/MSG
 * changes something, too.
 */
#include <config.h>

#include "route.h"

#include "respond.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

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

/* A place in the tables of routes. */
struct place {
    const struct route_table *table;
    const struct route *route; /* NULL: none of TABLE yet */
};

/* The next route behind PLACE whose path is that of REQUEST; NULL: there is none. */
static const struct route *next_match(struct place *place,
                                      struct request *request)
{
    for (; place->table->routes != NULL; place->table++, place->route = NULL) {
        place->route = place->route != NULL ? place->route + 1
                                            : place->table->routes;
        for (; place->route->method != NULL; place->route++)
            if (matches(place->route, request))
                return place->route;
    }
    return NULL;
}

/* No route has both the path and the method of REQUEST: responds with the methods that
 * the path has, or with a file. */
static bool respond_otherwise(struct request *request, const char *method)
{
    struct place place = {.table = request->server->tables};
    const struct route *route;
    char methods[64] = "";

    while ((route = next_match(&place, request)) != NULL) {
        allow(methods, sizeof methods, route->method);
        if (strcmp(route->method, "GET") == 0)
            allow(methods, sizeof methods, "HEAD");
    }
    if (methods[0] == '\0' && strcmp(method, "GET") == 0)
        return request->server->get_file(request);
    if (methods[0] == '\0')
        allow(methods, sizeof methods, "GET, HEAD");
    allow(methods, sizeof methods, "OPTIONS");
    return respond_allow(request, methods);
}

/* Finds the handler of REQUEST, whose target is taken apart, and runs it. */
static bool run_handler(struct request *request)
{
    struct place place = {.table = request->server->tables};
    const char *method = request->head ? "GET" : request->method;
    const struct route *route;

    while ((route = next_match(&place, request)) != NULL)
        if (strcmp(route->method, method) == 0) {
            request->context = place.table->context;
            return run(route, request);
        }
    return respond_otherwise(request, method);
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
    result = run_handler(request);
    uri_done(&request->uri);
    return result;
}
