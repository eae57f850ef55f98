#ifndef CRIERD_ROUTE_TABLE_H
#define CRIERD_ROUTE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct request;

/* What a request is for; the policy decides by it (policy.c). */
enum scope {
    SCOPE_READ, /* open to all: no token is asked for, or looked at */
    SCOPE_IDENTITY, /* open to all, but a token must be right */
    SCOPE_SUBSCRIBE,
    SCOPE_PUBLISH,
    SCOPE_OPERATE, /* for whoever operates crierd: a matter of where the request comes from,
                      and no token is looked at */
    SCOPE_ADMIN /* with topics in its path: publish grants of these will do */
};

/* Which topics a request is about, and so which grants it needs. */
enum route_topics {
    ROUTE_TOPICS_ALL,  /* none that could be granted: grants of "*" */
    ROUTE_TOPICS_PATH, /* request->argument: names or selectors with commas between */
    ROUTE_TOPICS_LATER /* the handler knows, and asks (policy_may_publish(),
                          policy_may_subscribe()) */
};

/* A largest body of as many bytes as an update may have (--max-update). */
#define ROUTE_BODY_UPDATE SIZE_MAX

/* One that holds at least an update of that size as a line of JSON, where a byte may take
 * six. */
#define ROUTE_BODY_IMPORT (SIZE_MAX - 1)

/* The largest body of most routes that have one. */
#define ROUTE_BODY_SMALL ((size_t)64 * 1024)

/* Which handler answers which method on which path. A module has an array of these, ended
 * by one without a method, and main enters it in the server's tables. */
struct route {
    const char *method; /* "GET" is for HEAD, too */

    /* Segments, each with a slash before it: "*" stands for any one segment that is not
     * empty, and as the last one but not the first, "**" for the rest of the path,
     * slashes included, which must not begin with an empty segment. The handler finds
     * either in request->argument. "**" alone is any path. */
    const char *path;

    bool (*handle)(struct request *request);
    enum scope scope;
    enum route_topics topics; /* unless the scope is SCOPE_READ */
    size_t max_body; /* bytes, ROUTE_BODY_UPDATE or _IMPORT; 0: ROUTE_BODY_SMALL */
    bool changes;    /* the request changes something */
    bool streams; /* most responses are streams */
    bool pipelined; /* a pipeline may take the request (pipeline.h) */
    bool admin;     /* is there on the listeners of --admin-listen, which have no others */

    /* For a route of paths that no other route has, and that are not always there: whether
     * REQUEST's is, when its method is not the route's. NULL: it is. */
    bool (*exists)(const struct request *request);
};

/* The routes of a module. */
struct route_table {
    const struct route *routes; /* NULL: no more tables */
    void *context; /* what its handlers find in request->context */
};

#endif
