#ifndef BENCH_PUBLISH_H
#define BENCH_PUBLISH_H

#include "load.h"

/* One connection that publishes by HTTP, pipelined. */
struct publish {
    struct watch watch;
    struct load *load;
    uint64_t sent, answered;
    char *out;
    size_t out_length, out_sent, out_room;
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

/* Sends all requests that were made, now or as soon as the socket takes them.
 */
bool publish_flush(struct publish *publish);

/* Waits until no more than LEFT requests are without an answer. */
bool publish_wait(struct publish *publish, uint64_t left);

#endif
