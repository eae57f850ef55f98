#ifndef CRIER_HTTP_GET_H
#define CRIER_HTTP_GET_H

#include "crier/cli/options.h"

#include <jansson.h>

/* What a server answered. */
struct http_response {
    json_t *body; /* an object */
    double time;  /* it took, in ms */
};

/* GETs PATH (with a query, encoded) of the server, which may take TIMEOUT ms.
 * False unless that is answered with 200 and a JSON object; why, is told. The
 * body is to be given back with json_decref(). */
bool http_get(const struct options *options, const char *path, uint32_t timeout,
              struct http_response *response);

/* The text under KEY of OBJECT; "" when there is none. Borrowed. */
const char *http_get_text(const json_t *object, const char *key);

#endif
