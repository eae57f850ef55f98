/*
 * Deferred responses.
 *
 * The handler asks something, mostly of the journal, and calls deferred_wait(). Whoever
 * knows the result calls deferred_done(), on any thread, also before deferred_wait().
 * Both sides exchange `state` atomically. The side that comes second sees the mark of the
 * first one and acts: the handler responds at once, or the other side resumes the
 * request. So a request is resumed exactly when it was suspended, and the first side
 * never touches the object again.
 *
 * No connection of libmicrohttpd may be suspended when it stops. By then crier_hub_close()
 * has waited for all results but those of first reads, which a shard reports: until then
 * their streams are open, and the drain waits for these.
 */
#include <config.h>

#include "deferred.h"

#include <stdlib.h>

enum { ASKED, SUSPENDED, DONE };

struct deferred *deferred_new(struct request *request,
                              deferred_respond *respond)
{
    struct deferred *deferred = calloc(1, sizeof *deferred);

    if (deferred == NULL)
        return NULL;
    deferred->carrier = request->carrier;
    deferred->carried = request->carried;
    deferred->respond = respond;
    request->deferred = deferred;
    return deferred;
}

bool deferred_wait(struct request *request)
{
    struct deferred *deferred = request->deferred;

    if (atomic_load(&deferred->state) == DONE)
        return deferred->respond(request, deferred);
    deferred->waiting = true;
    request->carrier->suspend(request);
    if (atomic_exchange(&deferred->state, SUSPENDED) == DONE)
        request->carrier->resume(request->carried);
    return true;
}

void deferred_done(struct deferred *deferred)
{
    const struct carrier *carrier = deferred->carrier;
    void *carried = deferred->carried;

    if (atomic_exchange(&deferred->state, DONE) == SUSPENDED)
        carrier->resume(carried);
}

void deferred_free(struct deferred *deferred)
{
    if (deferred == NULL)
        return;
    json_decref(deferred->value);
    free(deferred->text);
    if (deferred->response != NULL)
        MHD_destroy_response(deferred->response);
    free(deferred);
}
