#ifndef CRIERD_FORWARDED_H
#define CRIERD_FORWARDED_H

#include "crierd/config/cidr.h"
#include "crierd/net/peer.h"

#include <stdbool.h>
#include <stddef.h>

/* More lines of one field are not believed, and no more proxies are passed. */
#define FORWARDED_LINES 8
#define FORWARDED_HOPS 16

/* Room for the host that a proxy reports, and a NUL. */
#define FORWARDED_HOST_SIZE 256

/* The lines of one header field, from first to last. */
struct forwarded_lines {
    const char *text[FORWARDED_LINES];
    size_t count;
    bool more; /* than FORWARDED_LINES */
};

/* The fields of a request in which proxies report its client. */
struct forwarded_fields {
    struct forwarded_lines addresses; /* X-Forwarded-For */
    struct forwarded_lines schemes;   /* X-Forwarded-Proto */
    struct forwarded_lines hosts;     /* X-Forwarded-Host */
    struct forwarded_lines forwarded; /* Forwarded (RFC 7239) */
};

enum forwarded_scheme { FORWARDED_NO_SCHEME, FORWARDED_HTTP, FORWARDED_HTTPS };

/* What trusted proxies report of a request. */
struct forwarded {
    struct peer client;
    bool vague; /* no trusted proxy says who the client is: `client` is the proxy */
    enum forwarded_scheme scheme;   /* that the client uses */
    char host[FORWARDED_HOST_SIZE]; /* that the client asked; "": not reported */
};

/* Reads FIELDS of a request that came from PROXY, which is one of TRUSTED, into FORWARDED.
 * Any thread. */
void forwarded_read(struct forwarded *forwarded, const struct cidr_list *trusted,
                    const struct peer *proxy,
                    const struct forwarded_fields *fields);

#endif
