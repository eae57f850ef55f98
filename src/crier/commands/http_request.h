#ifndef CRIER_HTTP_REQUEST_H
#define CRIER_HTTP_REQUEST_H

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

/* What a request has come to. */
enum http_outcome {
    HTTP_DONE,    /* the response is a 200 */
    HTTP_REFUSED, /* it has another status */
    HTTP_BUSY,    /* likewise, but trying again may help */
    HTTP_BROKEN   /* there is no response, or not all of it */
};

struct http_result {
    enum http_outcome outcome;
    char reason[512]; /* in words, unless it is done */
    json_t *body;     /* of a response that was not taken: an object, or NULL */
};

/* Posts LENGTH bytes of the media type TYPE to PATH. The caller releases the body of
 * *RESULT with json_decref(). */
void http_post(const struct options *options, const char *path, const char *type,
               const char *bytes, size_t length, struct http_result *result);

/* Requests PATH, and gives the body of a 200 to TAKE, piece by piece. TAKE returns false
 * to end the request, which is HTTP_BROKEN then. The body may take any time as long as
 * something comes. The caller releases the body of *RESULT with json_decref(). */
void http_stream(const struct options *options, const char *path,
                 bool (*take)(void *closure, const char *bytes, size_t length),
                 void *closure, struct http_result *result);

/* Returns the string under KEY of OBJECT, or "". Borrowed. */
const char *http_get_text(const json_t *object, const char *key);

#endif
