#ifndef CRIERD_LOG_ACCESS_H
#define CRIERD_LOG_ACCESS_H

#include <stddef.h>
#include <stdint.h>

/* A response to a request, or the end of a stream. Texts are borrowed, and may hold
 * anything: they are escaped, and cut where they are long. */
struct log_access {
    const char *method;
    const char *path;    /* no query, which may have a token in it */
    size_t path_length;
    const char *client;  /* the address; NULL: it and `time` are not known */
    const char *subject; /* of the client's token, or NULL */
    unsigned status;     /* of a response */
    uint64_t bytes;      /* of the body */
    uint64_t time;       /* that it took, in microseconds */
    const char *reason;  /* why a stream has ended; NULL: this is a response */
};

#endif
