#ifndef CRIERD_REQUEST_H
#define CRIERD_REQUEST_H

#include "forwarded.h"
#include "server.h"
#include "uri.h"
#include "crierd/auth/identity.h"

#include <sys/socket.h>

struct deferred;
struct request;
struct response;

/* What brings requests and takes responses: libmicrohttpd (exchange.h) or a pipeline
 * (pipeline.h). Handlers and all they call know a request, and not its carrier. */
struct carrier {
    /* The value of the header field NAME of REQUEST that has COUNT fields of that name
     * before it, or NULL. Borrowed, while its handler runs. */
    const char *(*header)(const struct request *request, const char *name,
                          size_t count);

    /* Sends RESPONSE (response.h) to REQUEST. May take its body and what was made by
     * setting them to NULL. False when that is impossible. */
    bool (*respond)(struct request *request, struct response *response);

    /* REQUEST waits for its response until resume(). On the handler's thread. */
    void (*suspend)(struct request *request);

    /* The deferred response to the request with CARRIED, which was suspended, is completed
     * and is to be sent. Any thread. */
    void (*resume)(void *carried);
};

/* What a request presented its token in. */
enum credential_source {
    CREDENTIAL_NONE, /* it has none */
    CREDENTIAL_HEADER,
    CREDENTIAL_QUERY,
    CREDENTIAL_COOKIE /* which a browser adds by itself, on pages of other origins, too */
};

/* A request, from the time when its head has been read until its response is sent. */
struct request {
    struct server *server;
    const struct carrier *carrier;
    void *carried; /* by what the carrier knows the request */
    struct MHD_Connection
        *connection;             /* for streams; NULL: there can be none */
    const struct sockaddr *peer; /* the client's address (net/peer.h) */
    bool secure; /* the client uses https */
    struct forwarded *forwarded; /* owned; NULL: no trusted proxy reports anything */
    bool admin;  /* the request came to a listener of --admin-listen */
    const char *method;
    const char *target; /* as sent */
    bool head;          /* the method is HEAD: GET's handler runs */
    uint64_t received;  /* crier__clock_us() */

    /* Set by route_choose(). */
    const struct route *route; /* NULL before that */
    struct uri uri;
    const struct uri_text
        *argument; /* the part of the path that the route left open */
    void *context; /* of the route's table */

    /* Set by the policy, unless the route's scope is SCOPE_READ. */
    struct identity *identity; /* owned; NULL: anonymous */
    enum credential_source credential;

    /* Set when the handler runs. */
    const char *body; /* NUL-terminated, never NULL */
    size_t body_length;

    struct deferred *deferred; /* owned, or NULL */
    bool
        result; /* what the handler returns when something it called has responded */
};

/* Sets the peer of REQUEST, whose head has been read, and whether it is secure, to what a
 * trusted proxy reports (--trusted-proxy), in memory of request->forwarded. Nothing is
 * looked up for other peers. False when memory is short. For carriers; route_done() frees
 * what was made. */
bool request_find_client(struct request *request);

/* The host that the client asked: the field Host, or what a trusted proxy reports. NULL:
 * none. Borrowed, while the handler runs. */
const char *request_host(const struct request *request);

/* The value of the header field NAME, or NULL. Borrowed, while the handler runs. */
const char *request_header(const struct request *request, const char *name);

/* The value of the field NAME that has COUNT fields of that name before it, or NULL.
 * Borrowed likewise. */
const char *request_header_behind(const struct request *request,
                                  const char *name, size_t count);

/* The grants of the private updates that REQUEST may see, borrowed from its identity; NULL:
 * it may see none. */
struct crier_grants *request_grants(const struct request *request);

/* The request's Last-Event-ID as a number; 0 when there is none or it is not a
 * number of ours. */
uint64_t request_last_id(const struct request *request);

/* Whether a page of another origin made this request: a browser says so by
 * Sec-Fetch-Site; an older one, or one that talks plain HTTP with another machine, by
 * an Origin that is not request_host()'s (origin.h). */
bool request_is_foreign(const struct request *request);

#endif
