/*
 * The reply: a finite list of events as one complete response. The bytes are joined as
 * events are added; the response gets a copy, so that one reply can answer several
 * requests.
 */
#include <config.h>

#include "finite.h"

#include "base/buffer.h"
#include "libcrier/wire/event.h"
#include "libcrier/wire/frame.h"
#include "libcrier/wire/frame_print.h"

#include <errno.h>
#include <stdlib.h>

struct crier_reply {
    struct crier__buffer body;
    int error; /* the first one of an event */
};

struct crier_reply *crier_reply_new(void)
{
    return calloc(1, sizeof(struct crier_reply));
}

void crier_reply_free(struct crier_reply *reply)
{
    if (reply == NULL)
        return;
    crier__buffer_done(&reply->body);
    free(reply);
}

/* Keeps ERROR if it is the first one, and returns it. */
static int keep_error(struct crier_reply *reply, int error)
{
    if (reply->error == 0)
        reply->error = error;
    return error;
}

int crier_reply_add(struct crier_reply *reply, const struct crier_event *event)
{
    if (reply == NULL || event == NULL)
        return CRIER_ERR_NULL;
    return keep_error(reply, crier__event_write(event, &reply->body));
}

int crier_reply_printf(struct crier_reply *reply, const char *type,
                       const char *format, ...)
{
    struct crier_frame *frame;
    va_list arguments;
    int error;

    if (reply == NULL)
        return -ENOMEM;
    va_start(arguments, format);
    error = crier__frame_vprintf(&frame, type, format, arguments);
    va_end(arguments);
    if (error == 0) {
        error = crier__buffer_add(&reply->body, frame->bytes, frame->length);
        crier_frame_unref(frame);
    }
    return keep_error(reply, error);
}

int crier__reply_error(const struct crier_reply *reply)
{
    return reply != NULL ? reply->error : -ENOMEM;
}

int crier__reply_headers(struct MHD_Response *response,
                         enum crier_format format)
{
    static const char *const types[CRIER_FORMATS] = {
        [CRIER_FORMAT_EVENTS] = "text/event-stream",
        [CRIER_FORMAT_JSON] = "application/x-ndjson",
        [CRIER_FORMAT_RAW] = "text/plain; charset=utf-8",
        [CRIER_FORMAT_FULL] = "text/event-stream",
    };

    if (MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
                                types[format]) != MHD_YES ||
        MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL,
                                "no-cache, no-transform") != MHD_YES ||
        MHD_add_response_header(response, "X-Accel-Buffering", "no") !=
            MHD_YES)
        return -ENOMEM;
    return 0;
}

int crier_reply_response(const struct crier_reply *reply,
                         struct MHD_Response **response)
{
    struct MHD_Response *made;
    int error;

    if (reply == NULL || response == NULL)
        return CRIER_ERR_NULL;
    made = MHD_create_response_from_buffer(
        reply->body.length, reply->body.bytes, MHD_RESPMEM_MUST_COPY);
    if (made == NULL)
        return -ENOMEM;
    error = crier__reply_headers(made, CRIER_FORMAT_EVENTS);
    if (error != 0) {
        MHD_destroy_response(made);
        return error;
    }
    *response = made;
    return 0;
}
