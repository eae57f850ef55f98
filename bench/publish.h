#ifndef BENCH_PUBLISH_H
#define BENCH_PUBLISH_H

#include "load.h"

struct publish;

/* Callbacks of a publisher. Each returns whether the run goes on; only `ended` may
 * close the connection. */
struct publish_calls {
    /* Called for the response to the oldest request without one. BODY is not
     * NUL-terminated. */
    bool (*responded)(struct publish *publish, int status, const char *body,
                      size_t length);
    /* Called when the connection is closed or was never established; ERROR (or 0) is
     * why. */
    bool (*ended)(struct publish *publish, int error);
};

/* One connection that publishes by HTTP, pipelined. */
struct publish {
    struct watch watch; /* first member */
    struct load *load;
    /* NULL after publish_open(): then a response other than 2xx, or the end of the
     * connection, is a fault. */
    const struct publish_calls *calls;
    const char *token; /* sent with each request; borrowed; NULL for none */
    bool private;      /* updates are private */
    uint64_t sent, responses;
    char *out;
    size_t out_length, out_sent, out_capacity;
    char *in; /* NUL-terminated */
    size_t in_length;
};

/* Connects to PORT, without a token. */
bool publish_open(struct publish *publish, struct load *load, unsigned port);

/* The same on FD, a socket that is connecting, which becomes the publisher's; -1: one that
 * could not be opened, with a fault. */
bool publish_adopt(struct publish *publish, struct load *load, int fd);

/* Closes the connection; does nothing if it was never opened. */
void publish_close(struct publish *publish);

/* Queues a request that publishes LENGTH bytes of DATA to TOPIC; publish_flush() sends
 * it. */
bool publish_add_update(struct publish *publish, const char *topic, const char *data,
                        size_t length);

/* Queues any request, with DATA of the given TYPE. */
bool publish_add_request(struct publish *publish, const char *method,
                         const char *target, const char *type, const char *data,
                         size_t length);

/* Sends all queued requests, at once or as soon as the socket is writable. */
bool publish_flush(struct publish *publish);

/* Waits until at most LEFT requests are without a response. */
bool publish_wait(struct publish *publish, uint64_t left);

#endif
