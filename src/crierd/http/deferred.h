#ifndef CRIERD_DEFERRED_H
#define CRIERD_DEFERRED_H

#include "request.h"

#include <stdatomic.h>

/* Size of a reason in words. */
#define DEFERRED_REASON 160

struct deferred;

/* Sends the response to REQUEST for which DEFERRED has been completed. Returns what a
 * handler returns. */
typedef bool deferred_respond(struct request *request,
                              const struct deferred *deferred);

/* A response that waits for something to be completed, mostly by the journal. Meanwhile
 * its request is suspended, and no thread waits. */
struct deferred {
    const struct carrier *carrier;
    void *carried; /* of the request */
    atomic_int state;
    bool waiting; /* the request was suspended; the handler's thread alone */
    deferred_respond *respond;

    /* For `respond`, set before deferred_done(). */
    int error;
    char reason[DEFERRED_REASON];
    json_t *value;                 /* owned, or NULL */
    char *text;                    /* likewise, from malloc() */
    struct MHD_Response *response; /* of a stream; owned, or NULL */
    long number;
};

/* A new deferred response to REQUEST, which owns it from now on. RESPOND is called once it
 * has been completed, on the handler's thread. NULL when memory is short. */
struct deferred *deferred_new(struct request *request,
                              deferred_respond *respond);

/* Suspends REQUEST until its deferred response is completed, or calls its `respond` at
 * once if it is. To be called last by the handler, which returns the result. */
bool deferred_wait(struct request *request);

/* DEFERRED is completed, which happens once. Any thread; the caller must not touch
 * DEFERRED any more. */
void deferred_done(struct deferred *deferred);

/* Frees DEFERRED, which is completed, or was given to nothing that will complete it; NULL
 * is allowed. */
void deferred_free(struct deferred *deferred);

#endif
