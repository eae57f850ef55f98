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

#include "later.h"

#include "http.h"
#include "lane.h"
#include "log.h"
#include "reply.h"

#include "crier_server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ASKED, PARKED, DONE };

struct later *later_new(struct request *request,
                        enum MHD_Result (*answer)(struct request *request,
                                                  const struct later *later))
{
    struct later *later = calloc(1, sizeof *later);

    if (later == NULL)
        return NULL;
    later->connection = request->connection;
    later->turn = request->turn;
    later->answer = answer;
    *request->later = later;
    return later;
}

static void wake(struct MHD_Connection *connection, struct turn *turn)
{
    if (turn != NULL)
        lane_wake(turn);
    else
        http_resume(connection);
}

enum MHD_Result later_wait(struct request *request)
{
    struct later *later = *request->later;

    if (atomic_load(&later->state) == DONE)
        return later->answer(request, later);
    later->waiting = true;
    if (request->turn == NULL)
        MHD_suspend_connection(request->connection);
    if (atomic_exchange(&later->state, PARKED) == DONE)
        wake(request->connection, request->turn);
    return MHD_YES;
}

void later_done(struct later *later)
{
    struct MHD_Connection *connection = later->connection;
    struct turn *turn = later->turn;

    if (atomic_exchange(&later->state, DONE) == PARKED)
        wake(connection, turn);
}

void later_free(struct later *later)
{
    if (later == NULL)
        return;
    json_decref(later->value);
    free(later->text);
    if (later->response != NULL)
        MHD_destroy_response(later->response);
    free(later);
}

/* ---- publishing ------------------------------------------------------- */

void later_log(const struct crier_receipt *receipt)
{
    static atomic_bool troubled;
    bool now = receipt->error == CRIER_ERR_STORAGE ||
               receipt->error == CRIER_ERR_STORAGE_FULL;

    if (receipt->error != 0 && !now)
        return;
    if (atomic_exchange(&troubled, now) == now)
        return;
    if (now)
        log_line(LOG_ERROR, "the journal is in trouble: %s", receipt->reason);
    else
        log_line(LOG_INFO, "the journal is well again");
}

static void published(void *closure, const struct crier_receipt *receipt)
{
    struct later *later = closure;

    later_log(receipt);
    later->error = receipt->error;
    if (receipt->error == 0) {
        later->text = crier_receipt_text(receipt);
        if (later->text == NULL)
            later->error = -ENOMEM;
    } else {
        snprintf(later->reason, sizeof later->reason, "%s", receipt->reason);
    }
    later_done(later);
}

enum MHD_Result later_publish(struct request *request, const char *topics,
                              const struct crier_event *event, bool dedupe,
                              long number,
                              enum MHD_Result (*answer)(
                                  struct request *request,
                                  const struct later *later))
{
    struct crier_publish_options options = {.dedupe = dedupe,
                                            .on_done = published};
    struct later *later = later_new(request, answer);
    int error;

    if (later == NULL)
        return reply_error(request, -ENOMEM);
    later->number = number;
    options.closure = later;
    error = crier_hub_publish(request->server->hub, topics, event, &options);
    return error != 0 ? reply_error(request, error) : later_wait(request);
}
