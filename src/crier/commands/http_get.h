#ifndef CRIER_HTTP_GET_H
#define CRIER_HTTP_GET_H

#include "crier/cli/options.h"

#include <jansson.h>

/* A response. */
struct http_response {
    json_t *body; /* an object */
    double time;  /* ms from request to response */
};

/* Requests PATH (with a query, encoded) from the server and waits at most TIMEOUT ms.
 * Returns false, after reporting why, unless the response is a 200 with a JSON object.
 * The caller releases the body with json_decref(). */
bool http_get(const struct options *options, const char *path, uint32_t timeout,
              struct http_response *response);

/* Returns the string under KEY of OBJECT, or "". Borrowed. */
const char *http_get_text(const json_t *object, const char *key);

#endif
