#ifndef CRIERD_ORIGIN_H
#define CRIERD_ORIGIN_H

#include <stdbool.h>

/* Whether ORIGIN, the value of an Origin field, is the origin of a server whose Host
 * field is HOST (RFC 6454 sections 4 and 5; NULL is no host): http or https, the same
 * host in any case, and the same port. Where one of them names no port, it is that of
 * ORIGIN's scheme. False when one of them is malformed, and for "null". */
bool origin_is_of(const char *origin, const char *host);

#endif
