#ifndef CRIERD_BULK_H
#define CRIERD_BULK_H

#include "crierd/http/request.h"

/* How many events one request may have, and events times topics. */
#define BULK_MAX 10000
#define BULK_PLACES 100000

/* Publishes the events of the body, a text/event-stream, to TOPICS in their order, and
 * responds when the journal has answered for all of them. OPTIONS, without on_done, apply
 * to each, but `last` to the last one alone. Returns what the handler returns. */
bool bulk_publish(struct request *request, const char *topics,
                  const struct crier_publish_options *options);

/* What bulk_check() finds in a body. */
struct bulk_check {
    size_t events;     /* complete ones, with data */
    const char *wrong; /* what is wrong with the next event; NULL: nothing */
    bool data, field;  /* whether the current event has data, has any field */
};

/* Checks the LENGTH bytes at BODY, which are UTF-8, line by line, up to the first
 * mistake or the first event more than BULK_MAX. */
void bulk_check(struct bulk_check *check, const char *body, size_t length);

#endif
