#ifndef CRIERD_RESPONSE_H
#define CRIERD_RESPONSE_H

#include "cors.h"
#include "request.h"

/* A response, but for the headers that every response has. */
struct response {
    unsigned status;
    const char *type; /* of the body; NULL: there is none */
    char *body;       /* from malloc(), NUL-terminated; NULL where there should be
                       * one means that memory was short */
    size_t length;    /* of the body; response_send() sets it */
    bool exact;       /* no newline is appended to the body */
    const char *name, *value; /* one more header, or NULL */
    const char *methods; /* in the response to OPTIONS: those of the resource */
    struct MHD_Response *made; /* in place of type and body, or NULL */
    bool
        stream; /* MADE is a stream's: it gets fewer headers, since they stay in memory
                  * as long as its client does */
    const struct response_header *cors; /* more headers; response_send() sets them */
    size_t cors_count;
};

/* The headers that every response has; a stream gets the first ones only. */
#define RESPONSE_HEADERS 5
#define RESPONSE_STREAM_HEADERS 2
extern const struct response_header response_headers[RESPONSE_HEADERS];

/* Sends RESPONSE to REQUEST by its carrier, logs the request, and frees the body and what
 * was made. A newline is appended to a body that does not end with one, so that it stands
 * on lines of its own in a terminal. Returns what the handler returns: false when memory
 * was short, and the connection is closed. */
bool response_send(struct request *request, struct response *response);

/* Sends RESPONSE (stolen; NULL means that memory was short) with STATUS. LENGTH is that of
 * its body, for the log. */
bool response_send_made(struct request *request, unsigned status,
                        struct MHD_Response *response, uint64_t length);

/* The same with the response of a stream. */
bool response_stream(struct request *request, struct MHD_Response *response);

/* ---- for carriers that write to a socket ------------------------------- */

/* Room for the head of a response. */
#define RESPONSE_HEAD_SIZE 2560

/* Writes the head of RESPONSE to TEXT, with "Connection: close" when LAST. Returns its
 * length. Any thread. */
size_t response_write_head(char text[RESPONSE_HEAD_SIZE],
                           const struct response *response, bool last);

#endif
