#ifndef CRIERD_ORIGIN_H
#define CRIERD_ORIGIN_H

#include "crierd/config/conf.h"

/* Whether ORIGIN, the value of an Origin field, is the origin of a server whose Host
 * field is HOST (RFC 6454 sections 4 and 5; NULL is no host): http or https, the same
 * host in any case, and the same port. Where one of them names no port, it is that of
 * ORIGIN's scheme, which must be https if SECURE: the client is known to use it. False
 * when one of them is malformed, and for "null". */
bool origin_is_of(const char *origin, const char *host, bool secure);

/* How a list of --cors-origin or --publish-origin names an origin. */
enum origin_match {
    ORIGIN_OTHER, /* it does not */
    ORIGIN_ANY,   /* by "*" */
    ORIGIN_NAMED
};

/* A longer origin is named by "*" alone: it is part of what the head of a stream may
 * take (quirks/headroom.h). */
#define ORIGIN_LENGTH_MAX 200

/* How ORIGINS name ORIGIN, the value of an Origin field. "null", which is the origin of
 * sandboxed pages and files alike, is named by "*" alone. */
enum origin_match origins_find(const struct conf_texts *origins,
                               const char *origin);

#endif
