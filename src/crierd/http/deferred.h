#ifndef CRIERD_DEFERRED_H
#define CRIERD_DEFERRED_H

#include "request.h"

#include <stdatomic.h>

/* Room for a reason in words. */
#define DEFERRED_REASON 160

/* An answer that is given when the journal has answered. Meanwhile the connection
 * is suspended, and no thread waits; a lane goes on. */
struct deferred {
    struct MHD_Connection *connection; /* or */
    struct turn *turn;
    atomic_int state;
    bool waiting; /* the answer was not there yet; the handler's thread alone */
    bool (*answer)(struct request *request, const struct deferred *deferred);

    /* For `answer`, set before deferred_done(). */
    int error;
    char reason[DEFERRED_REASON];
    json_t *value; /* or NULL */
    char *text;    /* likewise, from malloc() */
    struct MHD_Response *response; /* of a stream; owned, or NULL */
    long number;
};

/* A new later for REQUEST, which holds it from now on: ANSWER is called once it is
 * done, on the handler's thread. NULL when memory is short. */
struct deferred *deferred_new(struct request *request,
                              bool (*answer)(struct request *request,
                                             const struct deferred *deferred));

/* What the handler returns when it has asked: deferred_done() has been called or
 * will be. */
bool deferred_wait(struct request *request);

/* The question is answered. Any thread; LATER is not the caller's any more. */
void deferred_done(struct deferred *deferred);

/* Frees LATER, which is done or was never asked for; NULL is allowed. */
void deferred_free(struct deferred *deferred);

#endif
