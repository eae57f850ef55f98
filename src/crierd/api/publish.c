/*
 * Publishing one event for a request: its response waits for the journal's receipt.
 */
#include <config.h>

#include "publish.h"

#include "crierd/http/respond.h"
#include "crierd/log/log.h"

#include "crier_server.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>

void publish_log(const struct crier_receipt *receipt)
{
    static atomic_bool failing;
    bool now = receipt->error == CRIER_ERR_STORAGE ||
               receipt->error == CRIER_ERR_STORAGE_FULL;

    if (receipt->error != 0 && !now)
        return;
    if (atomic_exchange(&failing, now) == now)
        return;
    if (now)
        log_line(LOG_ERROR, "the journal is in trouble: %s", receipt->reason);
    else
        log_line(LOG_INFO, "the journal is well again");
}

static void note_receipt(void *closure, const struct crier_receipt *receipt)
{
    struct deferred *deferred = closure;

    publish_log(receipt);
    deferred->error = receipt->error;
    if (receipt->error == 0) {
        deferred->text = crier_receipt_text(receipt);
        if (deferred->text == NULL)
            deferred->error = -ENOMEM;
    } else {
        snprintf(deferred->reason, sizeof deferred->reason, "%s",
                 receipt->reason);
    }
    deferred_done(deferred);
}

bool publish_deferred(struct request *request, const char *topics,
                      const struct crier_event *event, bool dedupe,
                      long number, deferred_respond *respond)
{
    struct crier_publish_options options = {.dedupe = dedupe,
                                            .on_done = note_receipt};
    struct deferred *deferred = deferred_new(request, respond);
    int error;

    if (deferred == NULL)
        return respond_error(request, -ENOMEM);
    deferred->number = number;
    options.closure = deferred;
    error = crier_hub_publish(request->server->hub, topics, event, &options);
    return error != 0 ? respond_error(request, error) : deferred_wait(request);
}
