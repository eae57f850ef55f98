#ifndef CRIERD_REQUEST_H
#define CRIERD_REQUEST_H

#include "server.h"
#include "uri.h"

struct deferred;
struct turn;

/* One complete request, while its handler runs. */
struct request {
    struct server *server;
    struct MHD_Connection *connection; /* NULL when a lane has it */
    struct turn *turn;                 /* the lane's, or NULL */
    const char *method;
    const char *target; /* as sent */
    bool head;          /* method is HEAD: the handler of GET runs */
    bool last;          /* the connection closes after the answer */
    struct uri uri;
    const struct uri_text *argument; /* the path segment a route left open */
    void *context;                   /* that of the route's table */
    const char *body;                /* NUL-terminated, never NULL */
    size_t body_length;
    struct deferred **deferred;  /* where an answer that comes later is kept */
    uint64_t received;           /* crier__clock_us() */
    bool result; /* what the handler returns when it was answered for it */
};

/* The value of the header NAME, or NULL. Borrowed. */
const char *request_header(const struct request *request, const char *name);

/* The request's Last-Event-ID as a number; 0 when there is none or it is not a
 * number of ours. */
uint64_t request_last_id(const struct request *request);

/* Whether a page of another origin made this request: a browser says so by
 * Sec-Fetch-Site; an older one, or one that talks plain HTTP with another machine, by
 * an Origin that is not the Host's (origin.h). */
bool request_is_foreign(const struct request *request);

#endif
