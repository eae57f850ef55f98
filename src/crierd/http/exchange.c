/*
 * Requests that libmicrohttpd carries. It hands a request over in pieces; here they become
 * one `struct request`, which a handler answers in one call.
 *
 * A connection has one exchange, as long as it lives: MHD does not promise to report the
 * end of each request whose beginning it has reported. A request begins with its first
 * line (note_target(), the only place where MHD shows the target as it was sent), has its
 * route chosen when the head is there, then its body read, and ends with note_completed().
 * The request and its body are freed as soon as the handler has responded, since a stream
 * stays as long as its client does.
 *
 * A request that is refused while its body is still to come is answered at once, past
 * libmicrohttpd, which would close the connection before the client has read the
 * response; the connection lingers instead (linger.c). That is so for an unknown path, a
 * wrong method, what the policy refuses, and a body that is, or turns out to be, too
 * large.
 *
 * All bodies together are bounded, too: past that a request gets 503. A request with a
 * deferred response is handled twice: asked, and responded to.
 *
 * While as many streams are open as there are descriptors for, every response closes its
 * connection: the descriptors that are left are for requests, not for waiting until the
 * next one comes.
 *
 * A request has a deadline (reaper.c): HEAD_TIME for the head of the next one, and for
 * TLS's handshake before the first; for the
 * body BODY_TIME, and a second for each BODY_RATE bytes that have come.
 */
#include <config.h>

#include "exchange.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "base/number.h"
#include "deferred.h"
#include "framing.h"
#include "policy.h"
#include "respond.h"
#include "response.h"
#include "route.h"
#include "crierd/http/quirks/headroom.h"
#include "crierd/http/quirks/mhd.h"
#include "crierd/http/quirks/reading.h"
#include "crierd/log/log.h"
#include "crierd/metrics/metrics.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

/* For the bodies of all requests together. */
#define BODIES_MAX ((size_t)128 * 1024 * 1024)

/* Seconds a connection may sit still while it is not a quiet stream: a header
 * that does not come, a response that the client does not read, an idle keep-alive. */
#define CONNECTION_TIMEOUT 30

/* MHD_ALLOW_SUSPEND_RESUME without a descriptor by which a thread is woken:
 * exchange_resume() does that. */
#define SUSPENDS ((unsigned)MHD_ALLOW_SUSPEND_RESUME & ~(unsigned)MHD_USE_ITC)

/* ms for the rest of a request; the next one may first be a while in coming. */
#define HEAD_TIME 60000
#define BODY_TIME 30000
#define BODY_RATE 1024

/* A refused request may still send so much, for so many ms. */
#define LINGER_BYTES ((uint64_t)16 * 1024 * 1024)
#define LINGER_TIME 5000

/* A connection, and its current request. */
struct exchange {
    struct exchange_daemon *daemon;
    struct MHD_Connection *connection;
    struct reaper_entry *deadline; /* NULL: there is none */
    struct certificate *certificate; /* that it uses; NULL without TLS */
    struct request *request; /* NULL: there is none, or none to be answered */
    struct crier__buffer body; /* its maximum is the route's */
    bool unread;               /* the body has not been read as a whole */
    bool refused;              /* a response was sent past libmicrohttpd */
    atomic_uint reading; /* reading.c's, while libmicrohttpd reads the head */
    uint64_t begun;      /* crier_now() when the headers were in; 0 before */
};

/* ---- the carrier ------------------------------------------------------ */

static int socket_of(struct MHD_Connection *connection)
{
    return MHD_get_connection_info(connection,
                                   MHD_CONNECTION_INFO_CONNECTION_FD)
        ->connect_fd;
}

static struct exchange *exchange_of(struct MHD_Connection *connection)
{
    return MHD_get_connection_info(connection,
                                   MHD_CONNECTION_INFO_SOCKET_CONTEXT)
        ->socket_context;
}

/* Which field find_header() looks for. */
struct field_search {
    const char *name, *value;
    size_t before; /* that many of that name are still to be passed over */
};

static enum MHD_Result pass_field(void *closure, enum MHD_ValueKind kind,
                                  const char *name, const char *value)
{
    struct field_search *search = closure;

    (void)kind;
    if (strcasecmp(name, search->name) != 0 || search->before-- != 0)
        return MHD_YES;
    search->value = value != NULL ? value : "";
    return MHD_NO;
}

static const char *find_header(const struct request *request, const char *name,
                               size_t count)
{
    struct field_search search = {.name = name, .before = count};

    if (count == 0)
        return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
    MHD_get_connection_values(request->connection, MHD_HEADER_KIND, pass_field,
                              &search);
    return search.value;
}

static bool add_header(struct MHD_Response *response, const char *name,
                       const char *value)
{
    return MHD_add_response_header(response, name, value) == MHD_YES;
}

/* Whether as many streams are open as there are descriptors for. */
static bool is_full(const struct server *server)
{
    return crier_shards_count(server->shards) >= server->descriptors.most;
}

/* A new response of libmicrohttpd that is RESPONSE, whose body is taken. NULL when memory
 * is short. */
static struct MHD_Response *make_response(struct response *response)
{
    struct MHD_Response *made = MHD_create_response_from_buffer(
        response->length, response->body,
        response->body != NULL ? MHD_RESPMEM_MUST_FREE
                               : MHD_RESPMEM_PERSISTENT);

    if (made == NULL)
        return NULL;
    response->body = NULL;
    if ((response->type == NULL ||
         (add_header(made, MHD_HTTP_HEADER_CONTENT_TYPE, response->type) &&
          add_header(made, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store"))) &&
        (response->name == NULL ||
         add_header(made, response->name, response->value)))
        return made;
    MHD_destroy_response(made);
    return NULL;
}

static bool add_headers(struct MHD_Response *made,
                        const struct response_header *headers, size_t count)
{
    size_t i;

    for (i = 0; i < count; i++)
        if (!add_header(made, headers[i].name, headers[i].value))
            return false;
    return true;
}

/* Adds to MADE, which RESPONSE is, what it does not have of itself. */
static bool add_common_headers(struct MHD_Response *made,
                               const struct response *response)
{
    return add_headers(made, response_headers,
                       response->stream ? RESPONSE_STREAM_HEADERS
                                        : RESPONSE_HEADERS) &&
           add_headers(made, response->cors, response->cors_count);
}

/* What a socket with nothing to send surely takes at once. */
#define PAST_MAX ((size_t)16 * 1024)

/* Sends RESPONSE on the socket of REQUEST, past libmicrohttpd, which sends nothing after
 * that, and lets the connection linger. Nothing waits until a socket takes more; so a
 * larger body is replaced by 431, as if the head of REQUEST had had no room. */
static bool respond_past(struct request *request, struct response *response)
{
    struct exchange *exchange = request->carried;
    int fd = socket_of(request->connection);
    size_t length = request->head ? 0 : response->length, head;
    char *bytes;

    if (length > PAST_MAX - RESPONSE_HEAD_SIZE) {
        response->status = MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE;
        response->name = response->type = NULL;
        length = 0;
    }
    exchange->refused = true;
    bytes = malloc(RESPONSE_HEAD_SIZE + length);
    if (bytes == NULL || response->made != NULL) {
        free(bytes);
        return false;
    }
    head = response_write_head(bytes, response, true);
    if (length != 0)
        memcpy(bytes + head, response->body, length);
    mhd_send_past(request->connection, bytes, head + length);
    free(bytes);
    linger_on(exchange->daemon->linger, fd, LINGER_BYTES,
              crier_now() + LINGER_TIME);
    return true;
}

/* Whether libmicrohttpd surely has room for the head of RESPONSE. */
static bool has_room_for(const struct exchange *exchange,
                         const struct response *response)
{
    char head[RESPONSE_HEAD_SIZE];

    if (response->name == NULL && response->cors_count == 0)
        return true;
    return headroom_has(exchange->connection, exchange->daemon->memory,
                        response_write_head(head, response, true));
}

static bool queue_response(struct request *request, struct response *response)
{
    struct exchange *exchange = request->carried;
    struct MHD_Response *made = response->made;
    bool last = exchange->daemon->last || is_full(request->server);
    bool queued;

    if (exchange->unread ||
        (made == NULL && !has_room_for(exchange, response)))
        return respond_past(request, response);
    if (made == NULL)
        made = make_response(response);
    response->made = NULL;
    if (made == NULL)
        return false;
    queued = add_common_headers(made, response) &&
             (!last || response->stream || /* which says that itself */
              add_header(made, MHD_HTTP_HEADER_CONNECTION, "close")) &&
             MHD_queue_response(request->connection, response->status, made) ==
                 MHD_YES;
    MHD_destroy_response(made);
    return queued;
}

static void suspend_request(struct request *request)
{
    MHD_suspend_connection(request->connection);
}

void exchange_resume(struct MHD_Connection *connection)
{
    struct exchange_daemon *daemon = exchange_of(connection)->daemon;
    struct exchange_wakeup *wakeup = daemon->wakeup;
    uint64_t one = 1;

    MHD_resume_connection(connection); /* which may be gone from here on */
    /* The thread that finds the mark set looks at the connection after that. */
    atomic_store(&daemon->resumed, true);
    if (!atomic_exchange(&wakeup->resumed, true) &&
        write(wakeup->fd, &one, sizeof one) < 0)
        return; /* full: so it wakes already */
}

static void resume_request(void *carried)
{
    exchange_resume(((struct exchange *)carried)->connection);
}

static const struct carrier exchange_carrier = {
    .header = find_header,
    .respond = queue_response,
    .suspend = suspend_request,
    .resume = resume_request,
};

/* ---- connections and requests ----------------------------------------- */

static void drop_body(struct exchange *exchange)
{
    atomic_fetch_sub(&exchange->daemon->server->bodies, exchange->body.length);
    crier__buffer_done(&exchange->body);
}

static void end_request(struct exchange *exchange)
{
    if (exchange->request != NULL)
        route_done(exchange->request);
    free(exchange->request);
    exchange->request = NULL;
    drop_body(exchange);
}

/* Sets the deadline of the next request. */
static void expect_head(struct exchange *exchange)
{
    uint64_t now = crier_now();

    reaper_set_idle(exchange->deadline, now, now + HEAD_TIME);
}

/* Sets the deadline of the body, of which RECEIVED bytes have arrived. */
static void expect_body(const struct exchange *exchange, size_t received)
{
    reaper_set_deadline(exchange->deadline,
                        exchange->begun + BODY_TIME +
                            (uint64_t)received * 1000 / BODY_RATE);
}

static struct exchange *exchange_new(struct exchange_daemon *daemon,
                                     struct MHD_Connection *connection)
{
    struct exchange *exchange = calloc(1, sizeof *exchange);

    if (exchange == NULL)
        return NULL;
    exchange->daemon = daemon;
    exchange->connection = connection;
    if (daemon->reaper != NULL)
        exchange->deadline = reaper_add(daemon->reaper, socket_of(connection));
    expect_head(exchange);
    if (daemon->tls != NULL)
        exchange->certificate = tls_begin(daemon->tls, connection);
    return exchange;
}

static void exchange_free(struct exchange *exchange)
{
    if (exchange == NULL)
        return;
    if (exchange->daemon->reaper != NULL)
        reaper_remove(exchange->daemon->reaper, exchange->deadline);
    reading_end(&exchange->reading);
    end_request(exchange);
    certificate_unref(exchange->certificate);
    free(exchange);
}

/* A connection has begun, or is about to be closed. */
static void note_connection(void *closure, struct MHD_Connection *connection,
                            void **context,
                            enum MHD_ConnectionNotificationCode what)
{
    struct exchange_daemon *daemon = closure;

    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
        exchange_free(*context);
        atomic_fetch_sub(daemon->connections, 1);
        metrics_add(METRIC_CONNECTIONS_HTTP, -1);
        return;
    }
    atomic_fetch_add(daemon->connections, 1);
    metrics_count(METRIC_CONNECTIONS_HTTP);
    *context = exchange_new(daemon, connection);
}

/* A new request for TARGET, which is copied; NULL when memory is short. */
static struct request *request_new(struct exchange *exchange,
                                   const char *target)
{
    size_t size = strlen(target) + 1;
    struct request *request = malloc(sizeof *request + size);

    if (request == NULL)
        return NULL;
    *request = (struct request){
        .server = exchange->daemon->server,
        .carrier = &exchange_carrier,
        .carried = exchange,
        .connection = exchange->connection,
        .peer = MHD_get_connection_info(exchange->connection,
                                        MHD_CONNECTION_INFO_CLIENT_ADDRESS)
                    ->client_addr,
        .secure = exchange->daemon->tls != NULL,
        .admin = exchange->daemon->admin,
        .method = "-", /* not known yet */
        .target = memcpy(request + 1, target, size),
        .received = crier__clock_us(),
        .body = "",
    };
    return request;
}

/* The first line of a request for TARGET has been read. */
static void *note_target(void *closure, const char *target,
                         struct MHD_Connection *connection)
{
    struct exchange *exchange = exchange_of(connection);

    (void)closure;
    if (exchange != NULL) { /* else memory was short */
        end_request(exchange);
        exchange->unread = false;
        exchange->begun = 0;
        exchange->request = request_new(exchange, target);
        if (!exchange->daemon->last) /* else the head has no Content-Length */
            reading_begin(&exchange->reading, connection);
    }
    mhd_cut_query(target);
    return exchange;
}

static void note_completed(void *closure, struct MHD_Connection *connection,
                           void **context, enum MHD_RequestTerminationCode how)
{
    struct exchange *exchange = *context;

    (void)closure;
    (void)connection;
    (void)how;
    if (exchange == NULL)
        return;
    expect_head(exchange);
    reading_end(&exchange->reading); /* a closed connection has no fields any more */
    end_request(exchange);
    *context = NULL;
}

/* ---- the request ------------------------------------------------------ */

static const char *find_length(const struct request *request)
{
    return request_header(request, MHD_HTTP_HEADER_CONTENT_LENGTH);
}

/* Whether REQUEST, of which the head has been read, has a body. */
static bool has_body(const struct request *request)
{
    const char *length = find_length(request);

    return (length != NULL && length[strspn(length, "0")] != '\0') ||
           request_header(request, MHD_HTTP_HEADER_TRANSFER_ENCODING) != NULL;
}

/* Whether REQUEST announces a body of more than MAX bytes. Otherwise writes to *NUMBER how
 * many it announces, 0 where it does not. */
static bool announces_more(const struct request *request, size_t max, uint64_t *number)
{
    const char *length = find_length(request);

    *number = 0;
    return length != NULL && !crier__number_read(length, 0, max, number);
}

/* The head has been read: refuses what can be refused before the body is. A request
 * without a body has time: a response given here closes the connection after it. */
static bool receive_head(struct exchange *exchange, const char *version)
{
    struct request *request = exchange->request;
    uint64_t announced;
    const char *wrong = framing_wrong(exchange->connection, request->method,
                                      request->target, version);

    if (!request_find_client(request))
        return false;
    exchange->unread = has_body(request);
    if (wrong != NULL)
        return respond_problem(request, MHD_HTTP_BAD_REQUEST, "%s", wrong);
    if (!exchange->unread)
        return true;
    if (!route_choose(request))
        return request->result;
    exchange->body.max = route_max_body(request);
    if (announces_more(request, exchange->body.max, &announced))
        return respond_too_large(request, exchange->body.max);
    return policy_may_send_body(request, announced) || request->result;
}

/* Appends LENGTH bytes at DATA to the body. */
static bool receive_body(struct exchange *exchange, const char *data,
                         size_t length)
{
    atomic_size_t *bodies = &exchange->daemon->server->bodies;
    struct request *request = exchange->request;
    int error;

    expect_body(exchange, exchange->body.length + length);
    if (atomic_fetch_add(bodies, length) + length > BODIES_MAX) {
        atomic_fetch_sub(bodies, length);
        return respond_problem(request, MHD_HTTP_SERVICE_UNAVAILABLE,
                               "the server is receiving too much; try again");
    }
    error = crier__buffer_add(&exchange->body, data, length);
    if (error == 0)
        return true;
    atomic_fetch_sub(bodies, length);
    return error == -ENOMEM ? false
                            : respond_too_large(request, exchange->body.max);
}

/* The whole request is there: calls its handler. */
static bool handle_request(struct exchange *exchange)
{
    struct request *request = exchange->request;
    bool alive;

    exchange->unread = false;
    if (exchange->body.length != 0)
        request->body = exchange->body.bytes;
    request->body_length = exchange->body.length;
    alive = route_run(request);
    if (request->deferred != NULL && request->deferred->waiting) {
        request->body = "";
        drop_body(exchange);
    } else {
        end_request(exchange);
    }
    return alive;
}

/* The deferred response is there. */
static bool respond_deferred(struct exchange *exchange)
{
    struct deferred *deferred = exchange->request->deferred;
    bool alive = deferred->respond(exchange->request, deferred);

    end_request(exchange);
    return alive;
}

/* Whether libmicrohttpd has memory for a response; otherwise refuses the request. */
static bool check_headroom(struct exchange *exchange)
{
    if (headroom_for_response(exchange->connection, exchange->daemon->memory))
        return true;
    headroom_refuse(exchange->connection);
    return false;
}

/* Takes a piece of the request: first its head, then the LENGTH bytes of its body at DATA,
 * if any, then its end. */
static bool receive_piece(struct exchange *exchange, const char *method,
                          const char *version, const char *data, size_t length)
{
    struct request *request = exchange->request;

    if (exchange->begun == 0) {
        exchange->begun = crier_now();
        reading_end(&exchange->reading);
        request->method = method;
        request->head = strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
        expect_body(exchange, 0);
        return check_headroom(exchange) && receive_head(exchange, version);
    }
    if (request->deferred != NULL)
        return respond_deferred(exchange);
    if (length != 0)
        return receive_body(exchange, data, length);
    reaper_set_deadline(exchange->deadline, 0);
    /* Asked once more: there may have been trailers. */
    return check_headroom(exchange) && handle_request(exchange);
}

static enum MHD_Result take_piece(void *closure,
                                  struct MHD_Connection *connection,
                                  const char *url, const char *method,
                                  const char *version, const char *data,
                                  size_t *length, void **context)
{
    struct exchange *exchange = *context;
    size_t more = *length;
    bool alive;

    (void)closure;
    (void)connection;
    (void)url;
    if (exchange == NULL || exchange->request == NULL)
        return MHD_NO;
    *length = 0;
    alive = receive_piece(exchange, method, version, data, more);
    return alive && !exchange->refused ? MHD_YES : MHD_NO;
}

/* ---- start ------------------------------------------------------------ */

/* libmicrohttpd is about to log a line by FORMAT: where it complains of a request that it
 * would refuse with two heads, responds before it does (reading.c). */
static void overhear_complaint(const char *format)
{
    /* "... to parse cookies" or "... to allocate header record", of a cookie's */
    struct MHD_Connection *wrong = reading_find(
        format, "Not enough memory in pool to", headroom_cookies_failed);
    struct exchange *exchange;

    if (wrong != NULL) {
        headroom_refuse(wrong);
        return;
    }
    wrong = reading_find(format, MHD_HTTP_HEADER_CONTENT_LENGTH,
                         framing_length_is_wrong);
    exchange = wrong != NULL ? exchange_of(wrong) : NULL;

    if (exchange == NULL || exchange->request == NULL)
        return;
    exchange->unread = true;
    (void)respond_problem(exchange->request, MHD_HTTP_BAD_REQUEST, "%s",
                          framing_wrong_length);
}

static void log_mhd(void *closure, const char *format, va_list arguments)
{
    (void)closure;
    overhear_complaint(format);
    log_lines(LOG_DEBUG, format, arguments);
}

/* The acceptor limits connections. libmicrohttpd's own limit must never be met: where a
 * connection is added to a thread that has as many as it may, 0.9.75 keeps a lock for
 * ever.
 *
 * "Turbo" has a new connection read at once, and in the epoll set only when it has to
 * wait. With TLS it would leave out close_notify. */
bool exchange_start(struct exchange_daemon *daemon)
{
    struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    bool tls = daemon->tls != NULL;

    daemon->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | SUSPENDS | MHD_USE_NO_LISTEN_SOCKET |
            MHD_USE_ERROR_LOG | (tls ? MHD_USE_TLS : MHD_USE_TURBO),
        0, NULL, NULL, take_piece, daemon, MHD_OPTION_EXTERNAL_LOGGER, log_mhd,
        NULL, MHD_OPTION_URI_LOG_CALLBACK, note_target, daemon,
        MHD_OPTION_NOTIFY_COMPLETED, note_completed, NULL,
        MHD_OPTION_NOTIFY_CONNECTION, note_connection, daemon,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)INT_MAX,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, daemon->memory,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)CONNECTION_TIMEOUT,
        MHD_OPTION_ARRAY, mhd_options(), MHD_OPTION_ARRAY,
        tls ? tls_options() : none, MHD_OPTION_END);
    return daemon->daemon != NULL;
}
