#ifndef CRIERD_PROXY_HEADER_H
#define CRIERD_PROXY_HEADER_H

#include "peer.h"

#include <stdbool.h>
#include <stddef.h>

/* The longest header that is accepted: one of version 2, with 2048 bytes behind its first
 * 16. */
#define PROXY_HEADER_MAX ((size_t)16 + 2048)

enum proxy_result {
    PROXY_MORE,  /* the bytes are the beginning of a header */
    PROXY_DONE,  /* they begin with a header */
    PROXY_INVALID /* they cannot become one */
};

/* A header of the PROXY protocol, version 1 or 2. */
struct proxy_header {
    size_t length; /* in bytes */
    bool has_peer; /* else the address of the connection counts */
    struct peer peer;
};

/* Reads the header at the beginning of the LENGTH bytes at BYTES into HEADER, which is
 * undefined unless the result is PROXY_DONE. With PROXY_HEADER_MAX bytes or more the result
 * is not PROXY_MORE. Follows the specification of HAProxy (proxy-protocol.txt, sections 2.1
 * and 2.2). Any thread. */
enum proxy_result proxy_header_read(struct proxy_header *header,
                                    const char *bytes, size_t length);

#endif
