#ifndef CRIERD_CORS_H
#define CRIERD_CORS_H

#include "request.h"

/* A header of a response. */
struct response_header {
    const char *name, *value;
};

/* Room for the fields of a response, and for the list of header fields that a page may
 * send. */
#define CORS_FIELDS 6
#define CORS_LIST_SIZE 320

/* What a response says of the pages of other origins that may read it. */
struct cors {
    struct response_header fields[CORS_FIELDS];
    size_t count;
    char headers[CORS_LIST_SIZE];
};

/* Fills CORS in for the response to REQUEST, from --cors-origin; without that there are no
 * fields. METHODS, where it is not NULL, are those that the resource has: the response is
 * to OPTIONS. The fields are borrowed from CORS, REQUEST and METHODS. A STREAM gets few. */
void cors_fill(struct cors *cors, const struct request *request,
               const char *methods, bool stream);

#endif
