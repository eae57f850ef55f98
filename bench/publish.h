#ifndef BENCH_PUBLISH_H
#define BENCH_PUBLISH_H

#include "load.h"

struct publish;

/* Who wants to hear of it all. Each returns whether the run goes on; only `ended`
 * may close. */
struct publish_calls {
    /* An answer came, to the first request that had none. BODY ends with it
     * and not by a NUL. */
    bool (*answered)(struct publish *publish, int status, const char *body,
                     size_t length);
    /* The connection is no more, or never was; ERROR (or 0) says why. */
    bool (*ended)(struct publish *publish, int error);
};

/* One connection that publishes by HTTP, pipelined. */
struct publish {
    struct watch watch; /* first */
    struct load *load;
    /* NULL after publish_open(): then an answer that is not 2xx is a fault, and
     * so is the end of the connection. */
    const struct publish_calls *calls;
    uint64_t sent, answered;
    char *out;
    size_t out_length, out_sent, out_capacity;
    char *in; /* NUL-terminated */
    size_t in_length;
};

/* Connects to PORT. */
bool publish_open(struct publish *publish, struct load *load, unsigned port);

/* Closes; nothing to be done for one that was never opened. */
void publish_close(struct publish *publish);

/* Makes a request that posts LENGTH bytes of DATA to TOPIC; publish_flush()
 * sends it. */
bool publish_put(struct publish *publish, const char *topic, const char *data,
                 size_t length);

/* Makes any request, whose TYPE is that of its DATA. */
bool publish_ask(struct publish *publish, const char *method, const char *target,
                 const char *type, const char *data, size_t length);

/* Sends all requests that were made, now or as soon as the socket takes them.
 */
bool publish_flush(struct publish *publish);

/* Waits until no more than LEFT requests are without an answer. */
bool publish_wait(struct publish *publish, uint64_t left);

#endif
