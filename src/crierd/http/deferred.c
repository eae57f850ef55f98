/*
 * Answers that wait for the journal.
 *
 * The handler asks, then suspends its connection, unless it is done already: an
 * append in memory is. Whoever answers resumes it, and MHD calls the handler
 * again, which finds the later with its request. The state decides who comes
 * first; whoever finds the other one's mark acts, so a connection is resumed
 * exactly when it was suspended, and nobody looks at a later that may be gone. A
 * lane is not suspended, and is told instead.
 *
 * A suspended connection must not be there when MHD stops: crier_hub_close() has
 * waited for all answers then.
 */
#include <config.h>

#include "deferred.h"

#include "http.h"
#include "pipeline.h"

#include <stdlib.h>

enum { ASKED, PARKED, DONE };

struct deferred *deferred_new(struct request *request,
                              bool (*answer)(struct request *request,
                                             const struct deferred *deferred))
{
    struct deferred *deferred = calloc(1, sizeof *deferred);

    if (deferred == NULL)
        return NULL;
    deferred->connection = request->connection;
    deferred->turn = request->turn;
    deferred->answer = answer;
    *request->deferred = deferred;
    return deferred;
}

static void wake(struct MHD_Connection *connection, struct turn *turn)
{
    if (turn != NULL)
        pipeline_wake(turn);
    else
        http_resume(connection);
}

bool deferred_wait(struct request *request)
{
    struct deferred *deferred = *request->deferred;

    if (atomic_load(&deferred->state) == DONE)
        return deferred->answer(request, deferred);
    deferred->waiting = true;
    if (request->turn == NULL)
        MHD_suspend_connection(request->connection);
    if (atomic_exchange(&deferred->state, PARKED) == DONE)
        wake(request->connection, request->turn);
    return true;
}

void deferred_done(struct deferred *deferred)
{
    struct MHD_Connection *connection = deferred->connection;
    struct turn *turn = deferred->turn;

    if (atomic_exchange(&deferred->state, DONE) == PARKED)
        wake(connection, turn);
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
