/*
 * The service behind the acceptor: for each of its threads a loop, with libmicrohttpd's
 * daemons and the pipelines.
 *
 *   acceptor ---+--- a POST that a pipeline may take ---> pipeline
 *               |                                            |  another request:
 *               |                                            v  unread, for good
 *               +--- everything else ------------------> libmicrohttpd
 *
 * libmicrohttpd has no threads of its own here. A thread that hands a connection over
 * runs the connection's daemon at the end of the same pass: so a new connection costs no
 * switch of threads and no wake-up, and all that came together are answered together.
 * With threads of libmicrohttpd's, the hand-over cost more than the response; and two for
 * each CPU, the acceptor's and those, had nothing to do at the same time.
 *
 * The memory of a connection is an option of the daemon, and it is most of what an idle
 * client costs. So there are several daemons, and a stream's connection goes to the
 * smallest in which its request has room (classify.c). In all but the last a connection
 * closes after a response, as a stream's always does: its next request might need more.
 *
 * What is asked over TLS cannot be seen before the handshake, so those connections have one
 * daemon, with the memory of the last.
 *
 * A daemon is run when its own epoll set, which is in the thread's, has an event; when a
 * connection was added; when a time-out is due; and when a connection was resumed by
 * another thread (exchange_resume()).
 */
#include <config.h>

#include "http.h"

#include "classify.h"
#include "route.h"
#include "crierd/net/proxy_header.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* What libmicrohttpd may keep of a connection, in bytes: enough for the request of curl;
 * of a browser; of a browser behind a proxy, with some cookies; with 2 KB of cookies;
 * with 3; and for what most proxies let pass. A request that does not fit into the last
 * gets 431 (headroom.c). */
static const size_t memories[HTTP_DAEMONS] = {1536, 2816, 4288,
                                              6976, 9216, 12 * 1024};

/* ---- start and end ---------------------------------------------------- */

static void note_part(struct watch *watch, uint32_t events)
{
    struct http_part *part = (struct http_part *)watch;

    (void)events;
    part->ready = part->loop->ready = true;
}

/* The thread was woken: run_loop() looks for what is new. */
static void note_wakeup(struct watch *watch, uint32_t events)
{
    (void)watch;
    (void)events;
}

static void wake_loop(void *closure)
{
    struct http_loop *loop = closure;
    uint64_t one = 1;

    if (write(loop->wakeup.fd, &one, sizeof one) < 0)
        return; /* full: so it wakes already */
}

/* Gives the connection FD from PEER to PART, which has a daemon. */
static void give_to_part(struct http_part *part, int fd,
                         const struct peer *peer)
{
    part->ready = part->loop->ready = true;
    /* which closes it when it fails */
    (void)MHD_add_connection(part->daemon.daemon, fd, &peer->address.any,
                             peer->length);
}

/* Gives the connection FD from PEER to the smallest daemon of LOOP with NEED bytes. */
static void give_to_daemon(struct http_loop *loop, int fd,
                           const struct peer *peer, size_t need)
{
    struct http_part *part = loop->parts;

    while (part < loop->parts + HTTP_DAEMONS - 1 && need > part->daemon.memory)
        part++;
    give_to_part(part, fd, peer);
}

/* A pipeline gives the connection FD back: its next request is not for pipelines. */
static void leave_pipeline(void *closure, int fd, const struct peer *peer)
{
    struct http_loop *loop = closure;

    if (loop->shut)
        close(fd);
    else
        give_to_daemon(loop, fd, peer, SIZE_MAX);
}

static void stop_parts(struct http_loop *loop)
{
    unsigned i;

    for (i = 0; i < HTTP_PARTS; i++)
        if (loop->parts[i].daemon.daemon != NULL)
            MHD_stop_daemon(loop->parts[i].daemon.daemon);
    if (loop->wakeup.fd >= 0)
        close(loop->wakeup.fd);
    pipelines_done(&loop->pipelines);
}

static bool start_part(struct http_loop *loop, unsigned i)
{
    struct http_part *part = &loop->parts[i];
    bool large = i >= HTTP_DAEMONS - 1;

    part->watch.on_events = note_part;
    part->loop = loop;
    part->due = UINT64_MAX;
    part->daemon = (struct exchange_daemon){
        .server = loop->http->server,
        .memory = memories[large ? HTTP_DAEMONS - 1 : i],
        .last = !large,
        .tls = i == HTTP_TLS ? &loop->http->tls : NULL,
        .admin = i == HTTP_ADMIN,
        .reaper = large ? &loop->http->reaper : NULL,
        .linger = &loop->linger,
        .wakeup = &loop->wakeup,
        .connections = &loop->connections,
    };
    return exchange_start(&part->daemon);
}

/* Whether the part I has connections to serve. */
static bool is_needed(const struct listeners *listeners, unsigned i)
{
    return i < HTTP_DAEMONS ||
           (i == HTTP_ADMIN && listeners_have_admin(listeners)) ||
           (i == HTTP_TLS && listeners_have_tls(listeners));
}

static bool start_parts(struct http_loop *loop)
{
    unsigned i;

    loop->watch.on_events = note_wakeup;
    loop->due = UINT64_MAX;
    loop->wakeup.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!pipelines_init(&loop->pipelines, loop->http->server,
                        &loop->connections, wake_loop, leave_pipeline, loop) ||
        loop->wakeup.fd < 0)
        return false;
    for (i = 0; i < HTTP_PARTS; i++)
        if (is_needed(&loop->http->server->listeners, i) && !start_part(loop, i))
            return false;
    return true;
}

bool http_start(struct http *http, struct server *server)
{
    unsigned threads = server->conf->threads;

    *http = (struct http){.server = server};
    reaper_init(&http->reaper);
    tls_init(&http->tls);
    http->loops = calloc(threads, sizeof http->loops[0]);
    while (http->loops != NULL && http->count < threads) {
        http->loops[http->count].http = http;
        if (!start_parts(&http->loops[http->count++]))
            break;
        if (http->count == threads)
            return true;
    }
    http_stop(http);
    return false;
}

void http_stop(struct http *http)
{
    unsigned i;

    for (i = 0; i < http->count; i++)
        stop_parts(&http->loops[i]);
    free(http->loops);
    tls_done(&http->tls);
    reaper_done(&http->reaper);
}

size_t http_descriptors(const struct listeners *listeners, unsigned threads)
{
    size_t count = 1; /* of each thread the eventfd, of each daemon the epoll set */
    unsigned i;

    for (i = 0; i < HTTP_PARTS; i++)
        count += is_needed(listeners, i);
    return threads * count;
}

void http_end_overdue(struct http *http)
{
    reaper_end_overdue(&http->reaper);
}

static unsigned count_connections(const void *loop)
{
    return atomic_load(&((const struct http_loop *)loop)->connections);
}

unsigned http_count(struct http *http)
{
    unsigned count = 0, i;

    for (i = 0; i < http->count; i++)
        count += count_connections(&http->loops[i]);
    return count;
}

/* ---- the acceptor's service ------------------------------------------- */

static void *find_loop(void *service, unsigned i)
{
    return &((struct http *)service)->loops[i];
}

static bool watch_loop(void *closure, int epoll_fd)
{
    struct http_loop *loop = closure;
    /* Edge-triggered, so that the eventfd need not be read. */
    struct epoll_event event = {.events = EPOLLIN | EPOLLET,
                                .data.ptr = &loop->watch};
    struct http_part *part;

    linger_init(&loop->linger, epoll_fd);
    pipelines_watch(&loop->pipelines, epoll_fd);
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, loop->wakeup.fd, &event) != 0)
        return false;
    event.events = EPOLLIN;
    for (part = loop->parts; part < loop->parts + HTTP_PARTS; part++) {
        if (part->daemon.daemon == NULL)
            continue;
        event.data.ptr = &part->watch;
        if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD,
                      MHD_get_daemon_info(part->daemon.daemon,
                                          MHD_DAEMON_INFO_EPOLL_FD)
                          ->epoll_fd,
                      &event) != 0)
            return false;
    }
    return true;
}

static bool admit_connection(void *closure, const struct sockaddr *address)
{
    return limits_may_connect(((struct http_loop *)closure)->http->server->limits,
                              address);
}

static void take_connection(void *closure, int fd,
                            const struct listener *listener,
                            const struct peer *peer, const char *bytes,
                            size_t length)
{
    struct http_loop *loop = closure;
    const struct route_table *tables = loop->http->server->tables;
    size_t head = head_length(bytes, length);

    if (loop->shut)
        close(fd);
    else if (listener->tls)
        give_to_part(&loop->parts[HTTP_TLS], fd, peer);
    else if (listener->admin)
        give_to_part(&loop->parts[HTTP_ADMIN], fd, peer);
    else if (head != 0 && head_may_be_plain(tables, bytes, length) &&
             pipelines_take(&loop->pipelines, fd, peer, listener->local))
        return;
    else
        give_to_daemon(loop, fd, peer,
                       head != 0 && head == length
                           ? head_need(tables, bytes, head)
                           : SIZE_MAX);
}

/* Runs PART, and asks when it is to be run again. */
static void run_part(struct http_part *part)
{
    MHD_UNSIGNED_LONG_LONG wait;

    part->ready = false;
    (void)MHD_run(part->daemon.daemon);
    part->due = MHD_get_timeout(part->daemon.daemon, &wait) == MHD_YES
                    ? crier_now() + wait
                    : UINT64_MAX;
}

static void run_parts(struct http_loop *loop, uint64_t now)
{
    struct http_part *part;

    if (!loop->ready && loop->due > now && !atomic_load(&loop->wakeup.resumed))
        return;
    /* Before the parts' marks, which are set before it. */
    atomic_store(&loop->wakeup.resumed, false);
    loop->ready = false;
    loop->due = UINT64_MAX;
    for (part = loop->parts; part < loop->parts + HTTP_PARTS; part++) {
        if (part->daemon.daemon == NULL)
            continue;
        if (atomic_exchange(&part->daemon.resumed, false) || part->ready ||
            part->due <= now)
            run_part(part);
        if (part->due < loop->due)
            loop->due = part->due;
    }
    now = linger_run(&loop->linger, now);
    if (now < loop->due)
        loop->due = now;
}

static void run_loop(void *closure, uint64_t now)
{
    struct http_loop *loop = closure;

    pipelines_run(&loop->pipelines, now);
    run_parts(loop, now);
}

static uint64_t find_due(const void *closure)
{
    const struct http_loop *loop = closure;
    uint64_t due = pipelines_due(&loop->pipelines);

    return due < loop->due ? due : loop->due;
}

static bool close_idle_pipeline(void *closure, uint64_t since)
{
    return pipelines_close_idle(&((struct http_loop *)closure)->pipelines,
                                since);
}

static void end_idle_requests(void *closure, uint64_t since, unsigned most)
{
    reaper_end_idle(&((struct http_loop *)closure)->http->reaper, since, most);
}

static void shut_loop(void *closure)
{
    ((struct http_loop *)closure)->shut = true;
}

static void stop_loop(void *closure)
{
    struct http_loop *loop = closure;

    pipelines_close(&loop->pipelines);
    linger_done(&loop->linger);
}

_Static_assert(HEAD_MAX >= PROXY_HEADER_MAX, "as a service is to have it");

const struct service http_service = {
    .head_max = HEAD_MAX,
    .loop = find_loop,
    .start = watch_loop,
    .classify = classify_head,
    .admit = admit_connection,
    .take = take_connection,
    .run = run_loop,
    .due = find_due,
    .load = count_connections,
    .close_idle = close_idle_pipeline,
    .end_idle = end_idle_requests,
    .shut = shut_loop,
    .stop = stop_loop,
};
