#ifndef CRIERD_RESPONSE_H
#define CRIERD_RESPONSE_H

#include "request.h"

/* An answer, but for the headers that every one has and the newline at the end of the
 * body. */
struct response {
    unsigned status;
    const char *type; /* of the body; NULL: there is none */
    char *body;       /* from malloc(), NUL-terminated; NULL where there should be
                       * one means that memory was short */
    const char *name, *value; /* one more header, or NULL */
};

/* Answers REQUEST, writes its line to the log and frees the body. Returns what the
 * handler returns: false when memory was short, and the connection is closed. */
bool response_send(struct request *request, const struct response *answer);

/* Answers the request of CONNECTION past libmicrohttpd, which may be about to refuse it,
 * and ends the connection (mhd.h); frees the body. Without one, for want of memory, it
 * only ends. Not logged. The connection's thread. */
void response_send_early(struct MHD_Connection *connection,
                 const struct response *answer);

/* The same with RESPONSE (stolen, may be NULL), for a request of libmicrohttpd. */
bool response_queue(struct request *request, unsigned status,
                    struct MHD_Response *response);

/* The same with the response of a stream, which gets fewer headers: they stay in
 * memory as long as its client does. */
bool response_stream(struct request *request, struct MHD_Response *response);

#endif
