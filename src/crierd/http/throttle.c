/*
 * Whom the limits against abuse (limits/) count a request for, and streams that count while
 * they are open.
 *
 * A stream that counts gets callbacks that pass everything on to its own ones, and give back
 * what was counted in on_closed, which is called exactly once whatever becomes of the
 * stream, even if its response is never sent. Streams without a limit have none of this.
 */
#include <config.h>

#include "throttle.h"

#include <errno.h>
#include <stdlib.h>

struct throttled {
    struct limits *limits;
    struct limits_hold hold;
    /* What the stream was to have. */
    void (*on_wake)(void *closure, struct crier_stream *stream);
    void (*on_room)(void *closure, struct crier_stream *stream);
    void (*on_closed)(void *closure, struct crier_stream *stream,
                      enum crier_reason reason);
    void *closure;
};

struct limits_client throttle_client(const struct request *request)
{
    return (struct limits_client){
        .address = request->peer,
        .vague = request->forwarded != NULL && request->forwarded->vague,
        .subject = request->identity != NULL ? request->identity->subject : NULL,
    };
}

static void pass_wake(void *closure, struct crier_stream *stream)
{
    const struct throttled *throttled = closure;

    throttled->on_wake(throttled->closure, stream);
}

static void pass_room(void *closure, struct crier_stream *stream)
{
    const struct throttled *throttled = closure;

    throttled->on_room(throttled->closure, stream);
}

static void pass_closed(void *closure, struct crier_stream *stream,
                        enum crier_reason reason)
{
    const struct throttled own = *(struct throttled *)closure;

    /* First: what the stream's own callback logs must be true by then. */
    throttle_undo(closure);
    if (own.on_closed != NULL)
        own.on_closed(own.closure, stream, reason);
}

int throttle_stream(const struct request *request,
                    struct crier_stream_options *options,
                    struct throttled **throttled)
{
    struct limits *limits = request->server->limits;
    struct limits_client client = throttle_client(request);
    struct limits_hold hold;
    int error = limits_hold_stream(limits, &client, &hold);

    *throttled = NULL;
    if (error != 0 || hold.of_address == NULL)
        return error;
    *throttled = malloc(sizeof **throttled);
    if (*throttled == NULL) {
        limits_release_stream(limits, &hold);
        return -ENOMEM;
    }
    **throttled = (struct throttled){limits,
                                     hold,
                                     options->on_wake,
                                     options->on_room,
                                     options->on_closed,
                                     options->closure};
    options->closure = *throttled;
    options->on_closed = pass_closed;
    if (options->on_wake != NULL)
        options->on_wake = pass_wake;
    if (options->on_room != NULL)
        options->on_room = pass_room;
    return 0;
}

void throttle_undo(struct throttled *throttled)
{
    if (throttled == NULL)
        return;
    limits_release_stream(throttled->limits, &throttled->hold);
    free(throttled);
}
