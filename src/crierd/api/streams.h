#ifndef CRIERD_STREAMS_H
#define CRIERD_STREAMS_H

#include "crierd/http/request.h"

/* A stream that is to be opened for a request. */
struct stream_start {
    struct crier_stream_options options;
    /* options.closure is from malloc() and belongs to the stream: on_closed frees it, or
     * streams_open() when no stream is opened. */
    bool owns_closure;
    /* Called with the new stream before its response is sent; NULL: nothing is to be
     * done. Returns 0; or a negative error, which becomes the response; or 1 when the
     * request's deferred response has taken over subscription.response. */
    int (*begin)(struct request *request, struct stream_start *start,
                 struct crier_stream *stream);
    /* Whose private updates are sent, borrowed; NULL: those of the request's identity. */
    struct crier_grants *grants;
    /* For `begin`. streams_open() sets its response and its grants. */
    struct crier_subscribe_options subscription;
};

/* A `begin` that subscribes STREAM as START->subscription says. */
int streams_subscribe(struct request *request, struct stream_start *start,
                      struct crier_stream *stream);

/* The same for one that ends with what is held (`once`). Where the journal cannot be read,
 * the response is an error in place of an empty stream, so it waits for the first read. */
int streams_poll(struct request *request, struct stream_start *start,
                 struct crier_stream *stream);

/* Opens the stream START for REQUEST and sends its response, or the response to HEAD, or
 * an error. Returns what the handler returns. */
bool streams_open(struct request *request, struct stream_start *start);

/* Reads from REQUEST into OPTIONS, which borrows from it, after which update the stream
 * begins (Last-Event-ID, lastEventID= or lastEventId=, since=; otherwise OPTIONS stays as
 * it is) and whether its first bytes are an id: as start= says, or else when a
 * browser's own EventSource asks. Returns false after it has sent an error
 * (request->result). */
bool streams_read_start(struct request *request,
                        struct crier_subscribe_options *options);

#endif
