#ifndef CRIERD_BEARER_H
#define CRIERD_BEARER_H

#include "request.h"

/* The token that a request presents; not verified. */
struct bearer {
    enum credential_source source;
    const char *token; /* borrowed from the request; NULL with CREDENTIAL_NONE */
    size_t length;
};

/* Finds the token of REQUEST, whose target has been split. Returns NULL and fills
 * BEARER in, or returns a constant text that names the mistake of a request that
 * presents its token in a way that can be read as two. */
const char *bearer_find(const struct request *request, struct bearer *bearer);

#endif
