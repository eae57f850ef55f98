/*
 * libmicrohttpd's side of things: it hands a request over in pieces, and here
 * they become one `struct request` that a handler answers in one call.
 *
 * A connection has one exchange, as long as it lives: MHD does not promise to tell of
 * the end of each request that it has told of. A request begins with its first line
 * (uri_logged, the only place where MHD shows the target as it was sent), has its body
 * collected, and ends with `completed`. The body and the target are let go as soon as
 * the handler has answered, since a stream stays as long as its client does.
 *
 * A body over the limit is read on and thrown away, so that the client reads the
 * 413 instead of a reset connection; but not for ever: READ_MORE past it the
 * connection is closed. A client that announces such a body is told at once.
 *
 * All bodies together are bounded, too: past that a request gets 503. A request whose
 * answer comes later (later.c) is handled twice: asked, and answered.
 *
 * Connections come from the door, when the head of their first request is there.
 * http_loop.c has the daemons, and runs them. While as many streams are open as there are
 * descriptors for, every answer closes its connection: the descriptors that are left are
 * for requests, not for waiting until the next one comes.
 *
 * A request may take its time, but not all the time it likes (warden.c): HEAD_TIME for
 * the head of the next one; for the body BODY_TIME, and a second for each BODY_RATE
 * bytes that have come.
 */
#include <config.h>

#include "http.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "base/number.h"
#include "framing.h"
#include "crierd/http/quirks/headroom.h"
#include "deferred.h"
#include "crierd/log/log.h"
#include "mhd.h"
#include "reading.h"
#include "respond.h"
#include "route.h"
#include "text.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* What most bodies may be; those that go to topics have an option. */
#define BODY_MAX ((size_t)64 * 1024)

/* So much more than is allowed is read. */
#define READ_MORE ((size_t)1024 * 1024)

/* For the bodies of all requests together. */
#define BODIES_MAX ((size_t)128 * 1024 * 1024)

/* Seconds a connection may sit still while it is not a quiet stream: a header
 * that does not come, a response nobody takes, an idle keep-alive. */
#define CONNECTION_TIMEOUT 30

/* MHD_ALLOW_SUSPEND_RESUME without a descriptor by which a thread is woken: http_resume()
 * does that. */
#define SUSPENDS ((unsigned)MHD_ALLOW_SUSPEND_RESUME & ~(unsigned)MHD_USE_ITC)

/* ms for the rest of a request; the next one may first be a while in coming. */
#define HEAD_TIME 60000
#define BODY_TIME 30000
#define BODY_RATE 1024

/* A connection, and what is going on in it. */
struct exchange {
    struct http_part *part;
    struct reaped *reaped; /* NULL: nobody waits for it */
    char *target;      /* NULL: there is no request, or none to be answered */
    struct crier__buffer body;
    size_t received;  /* of the body, kept or not */
    size_t max;       /* of the body */
    bool crowded;     /* there was no room for it */
    atomic_uint reading; /* reading.c's, while libmicrohttpd reads the head */
    struct deferred *deferred;
    uint64_t started; /* crier__clock_us() */
    uint64_t begun;   /* crier_now() when the headers were in; 0 before */
};

/* ---- connections and requests ----------------------------------------- */

static struct server *server_of(const struct http_part *part)
{
    return part->loop->http->server;
}

static void drop_body(struct exchange *exchange)
{
    atomic_fetch_sub(&server_of(exchange->part)->bodies,
                     exchange->body.length);
    crier__buffer_done(&exchange->body);
}

static void let_go(struct exchange *exchange)
{
    deferred_free(exchange->deferred);
    exchange->deferred = NULL;
    free(exchange->target);
    exchange->target = NULL;
    drop_body(exchange);
}

/* Has the next request waited for. */
static void wait_for_head(struct exchange *exchange)
{
    uint64_t now = crier_now();

    reaped_idle(exchange->reaped, now, now + HEAD_TIME);
}

static struct exchange *exchange_new(struct http_part *part, int fd)
{
    struct exchange *exchange = calloc(1, sizeof *exchange);

    if (exchange == NULL)
        return NULL;
    exchange->part = part;
    if (part->reaper != NULL)
        exchange->reaped = reaper_admit(part->reaper, fd);
    wait_for_head(exchange);
    return exchange;
}

static void exchange_free(struct exchange *exchange)
{
    if (exchange == NULL)
        return;
    if (exchange->part->reaper != NULL)
        reaper_release(exchange->part->reaper, exchange->reaped);
    reading_end(&exchange->reading);
    let_go(exchange);
    free(exchange);
}

/* A connection has begun, or is about to be closed. */
static void notified(void *closure, struct MHD_Connection *connection,
                     void **context,
                     enum MHD_ConnectionNotificationCode what)
{
    struct http_part *part = closure;
    const union MHD_ConnectionInfo *info;

    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
        exchange_free(*context);
        atomic_fetch_sub(&part->loop->connections, 1);
        return;
    }
    atomic_fetch_add(&part->loop->connections, 1);
    info = MHD_get_connection_info(connection,
                                   MHD_CONNECTION_INFO_CONNECTION_FD);
    *context = exchange_new(part, info->connect_fd);
}

static struct exchange *exchange_of(struct MHD_Connection *connection)
{
    return MHD_get_connection_info(connection,
                                   MHD_CONNECTION_INFO_SOCKET_CONTEXT)
        ->socket_context;
}

struct http_part *http_part_of(struct MHD_Connection *connection)
{
    return exchange_of(connection)->part;
}

/* The next request of CONNECTION has begun. */
static void begin_request(struct exchange *exchange, const char *target,
                          struct MHD_Connection *connection)
{
    let_go(exchange);
    exchange->received = 0;
    exchange->crowded = false;
    exchange->begun = 0;
    exchange->started = crier__clock_us();
    if (!exchange->part->last) /* else the head has no Content-Length */
        reading_begin(&exchange->reading, connection);
    if (headroom_for_target(target, exchange->part->memory))
        exchange->target = strdup(target);
    else
        headroom_refuse(connection);
}

static void *uri_logged(void *closure, const char *uri,
                        struct MHD_Connection *connection)
{
    struct exchange *exchange = exchange_of(connection);

    (void)closure;
    if (exchange != NULL) /* else memory was short */
        begin_request(exchange, uri, connection);
    mhd_cut_query(uri);
    return exchange;
}

static void completed(void *closure, struct MHD_Connection *connection,
                      void **context, enum MHD_RequestTerminationCode how)
{
    struct exchange *exchange = *context;

    (void)closure;
    (void)connection;
    (void)how;
    if (exchange == NULL)
        return;
    wait_for_head(exchange);
    let_go(exchange);
    *context = NULL;
}

/* ---- the body --------------------------------------------------------- */

/* Whether the request announces a body of more than MAX bytes. */
static bool announces_more(struct MHD_Connection *connection, size_t max)
{
    const char *header = MHD_lookup_connection_value(
        connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
    uint64_t length;

    return header != NULL && !crier__number_read(header, 0, max, &length);
}

static bool expects_continue(struct MHD_Connection *connection)
{
    return MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
                                       MHD_HTTP_HEADER_EXPECT) != NULL;
}

/* Has the rest of the body waited for. */
static void wait_for_body(const struct exchange *exchange)
{
    reaped_wait(exchange->reaped,
              exchange->begun + BODY_TIME +
                  (uint64_t)exchange->received * 1000 / BODY_RATE);
}

static bool take(struct exchange *exchange, const char *data, size_t length)
{
    atomic_size_t *bodies = &server_of(exchange->part)->bodies;

    exchange->received += length;
    wait_for_body(exchange);
    if (exchange->received > exchange->max + READ_MORE)
        return false;
    if (exchange->received > exchange->max || exchange->crowded) {
        drop_body(exchange);
        return true;
    }
    if (atomic_fetch_add(bodies, length) + length > BODIES_MAX) {
        atomic_fetch_sub(bodies, length);
        exchange->crowded = true;
        drop_body(exchange);
        return true;
    }
    if (crier__buffer_add(&exchange->body, data, length) != 0) {
        atomic_fetch_sub(bodies, length);
        return false;
    }
    return true;
}

/* ---- the request ------------------------------------------------------ */

static bool too_large(struct request *request, size_t max)
{
    return respond_problem(request, MHD_HTTP_CONTENT_TOO_LARGE,
                         "the body is larger than %zu bytes", max);
}

/* Bodies that go to topics have a limit of their own. */
static size_t body_max(const struct request *request)
{
    size_t max = BODY_MAX;
    const char *wrong;
    struct uri uri;

    if (strcmp(request->method, MHD_HTTP_METHOD_POST) != 0)
        return max;
    wrong = uri_parse(&uri, request->target);
    if (wrong == uri_no_memory || /* it may be one of them */
        (wrong == NULL && strcmp(uri.segments[0].bytes, "topics") == 0))
        max = conf_current()->max_update;
    uri_done(&uri);
    return max;
}

/* The headers are in: what can be refused now is. An answer given here closes
 * the connection after it. */
static bool begin(struct request *request, const char *version, size_t max)
{
    struct MHD_Connection *connection = request->connection;
    const char *wrong = framing_wrong(connection, request->method,
                                      request->target, version);

    if (wrong != NULL)
        return respond_problem(request, MHD_HTTP_BAD_REQUEST, "%s", wrong);
    if (announces_more(connection, max + READ_MORE) ||
        (announces_more(connection, max) && expects_continue(connection)))
        return too_large(request, max);
    return true;
}

/* The whole request is there: answers it, or has the question asked. */
static bool finish(struct exchange *exchange, struct request *request)
{
    bool result;

    if (exchange->received > exchange->max)
        result = too_large(request, exchange->max);
    else if (exchange->crowded)
        result = respond_problem(request, MHD_HTTP_SERVICE_UNAVAILABLE,
                               "the server is receiving too much; try again");
    else
        result = route_run(request);
    if (exchange->deferred != NULL && exchange->deferred->waiting)
        drop_body(exchange);
    else
        let_go(exchange);
    return result;
}

/* Whether as many streams are open as there are descriptors for. */
static bool is_full(const struct server *server)
{
    return crier_shards_count(server->shards) >= server->descriptors.most;
}

static enum MHD_Result handle(void *closure, struct MHD_Connection *connection,
                              const char *url, const char *method,
                              const char *version, const char *data,
                              size_t *length, void **context)
{
    const struct http_part *part = closure;
    struct exchange *exchange = *context;
    struct request request = {.server = server_of(part),
                              .connection = connection,
                              .method = method,
                              .body = ""};
    bool alive;
    size_t more = *length;

    (void)url;
    if (exchange == NULL || exchange->target == NULL)
        return MHD_NO;
    request.last = part->last || is_full(request.server);
    request.head = strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
    request.target = exchange->target;
    request.received = exchange->started;
    request.deferred = &exchange->deferred;
    if (exchange->begun == 0) {
        exchange->begun = crier_now();
        reading_end(&exchange->reading);
        wait_for_body(exchange);
        if (!headroom_for_answer(connection, part->memory)) {
            headroom_refuse(connection);
            return MHD_NO;
        }
        exchange->max = body_max(&request);
        exchange->body.max = exchange->max;
        return begin(&request, version, exchange->max) ? MHD_YES : MHD_NO;
    }
    if (exchange->deferred != NULL) {
        alive = exchange->deferred->answer(&request, exchange->deferred);
        let_go(exchange);
        return alive ? MHD_YES : MHD_NO;
    }
    if (more != 0) {
        *length = 0;
        return take(exchange, data, more) ? MHD_YES : MHD_NO;
    }
    reaped_wait(exchange->reaped, 0);
    /* Asked once more: there may have been trailers. */
    if (!headroom_for_answer(connection, part->memory)) {
        headroom_refuse(connection);
        return MHD_NO;
    }
    if (exchange->body.length != 0)
        request.body = exchange->body.bytes;
    request.body_length = exchange->body.length;
    return finish(exchange, &request) ? MHD_YES : MHD_NO;
}

/* ---- start ------------------------------------------------------------ */

static void log_mhd(void *closure, const char *format, va_list arguments)
{
    (void)closure;
    reading_overhear(format);
    log_lines(LOG_DEBUG, format, arguments);
}

/* The limit of connections is the door's. libmicrohttpd's own must never be met: where
 * a connection is added to a thread that has as many as it may, 0.9.75 keeps a lock
 * for ever.
 *
 * "Turbo" has a new connection read at once, and in the epoll set only when it has to
 * wait. */
bool http_start_part(struct http_part *part)
{
    part->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | SUSPENDS | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_TURBO |
            MHD_USE_ERROR_LOG,
        0, NULL, NULL, handle, part, MHD_OPTION_EXTERNAL_LOGGER, log_mhd, NULL,
        MHD_OPTION_URI_LOG_CALLBACK, uri_logged, part,
        MHD_OPTION_NOTIFY_COMPLETED, completed, NULL,
        MHD_OPTION_NOTIFY_CONNECTION, notified, part,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)INT_MAX,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, part->memory,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)CONNECTION_TIMEOUT,
        MHD_OPTION_ARRAY, mhd_options(), MHD_OPTION_END);
    return part->daemon != NULL;
}
