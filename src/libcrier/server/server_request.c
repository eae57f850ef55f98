/*
 * Requests with their whole body, and the response that waits for the journal.
 *
 * libmicrohttpd calls an access handler when it has the headers of a request, then for
 * each piece of the body, and then until a response is queued. This file joins the
 * pieces, and calls the handler of the program once.
 *
 * The journal may answer a publication at once (one in memory does) or later, on
 * another thread. The handler publishes, then suspends its connection. Both sides
 * exchange `state` atomically. The side that runs second sees the mark of the other one
 * and resumes the connection; so it is resumed exactly once, and on_done never uses a
 * connection that may be gone. A suspended connection stays whatever its client does,
 * and the program must not stop libmicrohttpd while there is one; so the shards count
 * such a response as owed, and crier_shards_drain() waits for it.
 *
 * A body that is too large is read to its end and discarded, so that the client reads
 * the 413 instead of a reset connection; but READ_MORE bytes beyond the limit the
 * connection is closed. If the client has announced such a body, the 413 is sent before
 * it is read.
 */
#include <config.h>

#include "base/buffer.h"
#include "libcrier/stream/daemon.h"
#include "libcrier/hub/hub.h"
#include "server_respond.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_BODY ((size_t)64 * 1024)

/* How many bytes beyond the limit are read. */
#define READ_MORE ((size_t)1024 * 1024)

#define REASON_SIZE 160

/* Which sides have been there: the handler has parked the connection, the journal is
 * done. */
enum { ASKED, PARKED, DONE };

struct received {
    struct crier_request request; /* the program's view */
    struct crier__buffer body;
    size_t length; /* of the body, kept or not */
    size_t max;    /* of the body */
    int error;     /* of reading the body, then of the publication */
    bool too_large; /* the body */
    bool handled;  /* the handler of the program has been called */

    /* A publication. */
    struct crier_shards *shards; /* that wait for the response; NULL if there is none */
    atomic_int state;
    char reason[REASON_SIZE];
    char *text; /* of the receipt; NULL when memory was short */
    void (*on_done)(void *closure, const struct crier_receipt *receipt);
    void *closure;
};

/* ---- the body --------------------------------------------------------- */

static enum MHD_Result refuse_body(const struct received *received)
{
    struct MHD_Connection *connection = received->request.connection;

    if (!received->too_large)
        return crier_error_respond(connection, received->error, NULL);
    return crier_status_respond(connection, MHD_HTTP_CONTENT_TOO_LARGE,
                                "the body is larger than %zu bytes",
                                received->max);
}

/* Returns the length of the body that the client has announced, 0 for none.
 * libmicrohttpd has refused values that are not numbers. */
static unsigned long long announced_length(struct MHD_Connection *connection)
{
    const char *length = MHD_lookup_connection_value(
        connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);

    return length != NULL ? strtoull(length, NULL, 10) : 0;
}

static bool wants_continue(struct MHD_Connection *connection)
{
    return MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
                                       MHD_HTTP_HEADER_EXPECT) != NULL;
}

/* Called when the headers have arrived. A response that is queued now closes the
 * connection if there is a body. */
static enum MHD_Result begin_request(const struct crier_server *server,
                                     struct MHD_Connection *connection,
                                     void **context)
{
    struct received *received = calloc(1, sizeof *received);
    unsigned long long length = announced_length(connection);

    if (received == NULL)
        return crier_error_respond(connection, -ENOMEM, NULL);
    *context = received;
    received->request.server = server;
    received->request.connection = connection;
    received->max = server->max_body != 0 ? server->max_body : DEFAULT_BODY;
    received->body.max = received->max + 1; /* and a NUL */
    if (length <= received->max ||
        (length <= received->max + READ_MORE && !wants_continue(connection)))
        return MHD_YES;
    received->too_large = true;
    return refuse_body(received);
}

static enum MHD_Result add_body(struct received *received, const char *data,
                                size_t length)
{
    received->length += length;
    if (received->length > received->max + READ_MORE)
        return MHD_NO;
    if (received->error == 0)
        received->error = crier__buffer_add(&received->body, data, length);
    if (received->error != 0)
        crier__buffer_done(&received->body);
    return MHD_YES;
}

/* ---- the handler ------------------------------------------------------ */

static enum MHD_Result respond_published(struct received *received)
{
    struct MHD_Connection *connection = received->request.connection;

    if (received->error != 0)
        return crier_error_respond(connection, received->error,
                                   received->reason);
    return crier__respond_json(connection, received->text);
}

static enum MHD_Result call_handler(struct received *received)
{
    struct crier_request *request = &received->request;

    received->handled = true;
    if (received->error == 0)
        received->error = crier__buffer_add(&received->body, "", 1);
    if (received->error != 0)
        return refuse_body(received);
    request->body = received->body.bytes;
    request->length = received->length;
    return request->server->handle(request);
}

enum MHD_Result
crier_server_handle(void *closure, struct MHD_Connection *connection,
                    const char *url, const char *method, const char *version,
                    const char *data, size_t *length, void **context)
{
    struct received *received;
    size_t more;

    (void)version;
    if (closure == NULL || connection == NULL || url == NULL ||
        method == NULL || length == NULL || context == NULL)
        return MHD_NO;
    received = *context;
    more = *length;
    if (received == NULL)
        return begin_request(closure, connection, context);
    if (more != 0) {
        *length = 0;
        return add_body(received, data, more);
    }
    if (received->shards != NULL)
        return respond_published(received);
    if (received->handled) /* without a response; it would be called for ever */
        return crier_status_respond(connection, MHD_HTTP_INTERNAL_SERVER_ERROR,
                                    "the handler has sent no response");
    received->request.method = method;
    received->request.path = url[0] != '\0' ? url : "/";
    return call_handler(received);
}

void crier_server_completed(void *closure, struct MHD_Connection *connection,
                            void **context,
                            enum MHD_RequestTerminationCode code)
{
    struct received *received = context != NULL ? *context : NULL;

    (void)closure;
    (void)connection;
    (void)code;
    if (received == NULL)
        return;
    *context = NULL;
    if (received->shards != NULL)
        crier__shards_settle(received->shards);
    crier__buffer_done(&received->body);
    free(received->text);
    free(received);
}

/* ---- publishing ------------------------------------------------------- */

static void note_receipt(void *closure, const struct crier_receipt *receipt)
{
    struct received *received = closure;
    struct MHD_Connection *connection = received->request.connection;

    received->error = receipt->error;
    snprintf(received->reason, sizeof received->reason, "%s", receipt->reason);
    if (receipt->error == 0)
        received->text = crier_receipt_text(receipt);
    if (received->on_done != NULL)
        received->on_done(received->closure, receipt);
    if (atomic_exchange(&received->state, DONE) == PARKED)
        MHD_resume_connection(connection);
}

static enum MHD_Result wait_for_receipt(struct received *received)
{
    struct MHD_Connection *connection = received->request.connection;

    if (atomic_load(&received->state) == DONE)
        return respond_published(received);
    MHD_suspend_connection(connection);
    if (atomic_exchange(&received->state, PARKED) == DONE)
        MHD_resume_connection(connection);
    return MHD_YES;
}

/* crier_hub_publish() with the body, unless there is an EVENT. */
static int publish_body(const struct crier_request *request,
                        struct crier_hub *hub, const char *topics,
                        const struct crier_event *event,
                        const struct crier_publish_options *options)
{
    struct crier_event *made;
    int error;

    if (event != NULL)
        return crier_hub_publish(hub, topics, event, options);
    made = crier_event_new();
    if (made == NULL)
        return -ENOMEM;
    crier_event_data(made, request->body, request->length);
    error = crier_hub_publish(hub, topics, made, options);
    crier_event_free(made);
    return error;
}

enum MHD_Result
crier_request_publish(struct crier_request *request, struct crier_hub *hub,
                      const char *topics, const struct crier_event *event,
                      const struct crier_publish_options *options)
{
    struct received *received = (struct received *)request;
    struct crier_publish_options publish = {.on_done = note_receipt,
                                            .closure = received};
    const char *reason = NULL;
    int error;

    if (request == NULL)
        return MHD_NO;
    if (hub == NULL || topics == NULL)
        return crier_error_respond(request->connection, CRIER_ERR_NULL, NULL);
    error = crier__daemon_check_of(request->connection, false, &reason);
    if (received->shards != NULL) { /* the connection may be suspended */
        crier__shards_mistake(received->shards,
                              "crier_request_publish() twice for one request");
        return MHD_YES;
    }
    if (error != 0)
        return crier_error_respond(request->connection, error, reason);
    if (options != NULL) {
        publish.dedupe = options->dedupe;
        publish.is_private = options->is_private;
        publish.last = options->last;
        received->on_done = options->on_done;
        received->closure = options->closure;
    }
    received->shards = hub->shards;
    crier__shards_owe(received->shards);
    error = publish_body(request, hub, topics, event, &publish);
    if (error == 0)
        return wait_for_receipt(received);
    crier__shards_settle(received->shards);
    received->shards = NULL;
    return crier_error_respond(request->connection, error, NULL);
}
