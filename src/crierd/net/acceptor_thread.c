/*
 * A thread of the acceptor, with the connections that it has accepted and that wait for
 * the head of their first request. acceptor.c says why they wait.
 *
 *             accept           the head is there
 *   listening ------> waiting -------------------> service->take()
 *
 * Where the listener's connections begin with a header of the PROXY protocol, that is read
 * first: peeked at, and taken from the socket when the whole is there. The head is
 * that of an HTTP request, or where the listener uses TLS, the first byte of a handshake:
 * TLS has no other one that could be waited for, and a connection that sends none costs
 * no TLS session.
 *
 * In each pass all connections that came are handed over first; the service runs at its
 * end and serves them. So a crowd that connects costs little more than its system calls.
 *
 * The epoll set is shared with the service (watch.h). A waiting connection is freed only
 * while its own event is handled, or after all events of a pass, since one pass has at
 * most one event for each.
 *
 * Where descriptors are short, a connection that waits makes room for a new one. It is one
 * of the address that has most of them, so that an address which opens many and sends
 * nothing replaces its own, and not those of others.
 *
 * The beginning of a head stays in the kernel until the whole is there. For a unix socket
 * the kernel has room for some hundred pieces, however small each is, and then its client
 * waits for us as we for it. So there the service gets what is not complete.
 *
 * Waiting connections are in a list in the order of their deadlines; since all get the
 * same time, a new one is appended.
 *
 * The kernel always assigns the lowest free descriptor. So one with the number `limit` or
 * above means that at least `limit` are open, and nobody needs to count them.
 */
#include <config.h>

#include "acceptor_thread.h"

#include "proxy_header.h"
#include "refuse.h"
#include "base/thread.h"
#include "crierd/config/cidr.h"
#include "crier.h"
#include "crierd/metrics/metrics.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <utlist.h>

/* A TLS connection begins with a record of this type, a handshake (RFC 8446, 5.1). */
#define TLS_HANDSHAKE 0x16

/* What a client is sent that speaks HTTP where TLS is spoken. */
#define SPEAK_TLS "This port speaks HTTPS: the URL begins with https://\n"

/* ms for the first head to come, with a PROXY header before it. */
#define HEAD_TIME 30000

/* ms, where descriptors are short: a connection that has waited for so long may be
 * closed; and when to look again. */
#define PATIENCE 1000
#define CROWDED_TIME 100

/* Among so many of the oldest waiting connections one is sought to make room. */
#define VICTIMS 256

/* A thread may have this part more connections than another one, or this many. */
#define UNEVEN 8
#define UNEVEN_FEW 64

#define EVENTS_PER_PASS 256
#define ACCEPTS_PER_PASS 64

/* A connection that waits for the head of its first request. */
struct waiting {
    struct watch watch; /* first */
    struct acceptor_thread *thread;
    const struct listener *listener;
    struct waiting *prev, *next; /* by deadline */
    int fd;
    bool watched; /* in the epoll set */
    bool ended;   /* the client will send no more */
    unsigned crowd; /* of its address */
    bool proxied; /* a header of the PROXY protocol is to come first */
    uint64_t deadline;
    struct peer peer;
};

static void wake_thread(struct acceptor_thread *thread)
{
    uint64_t one = 1;

    while (write(thread->wake_fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

/* ---- waiting connections ---------------------------------------------- */

/* The crowd of ADDRESS: a small hash of it, of IPv6 of its first 64 bits. Clients can choose
 * addresses that share one, and gain nothing. */
static unsigned find_crowd(const struct sockaddr *address)
{
    unsigned char bytes[16] = {0};
    unsigned hash = 0, i;

    (void)cidr_bytes(address, bytes);
    for (i = 0; i < (bytes[0] == 0 ? sizeof bytes : sizeof bytes / 2); i++)
        hash = hash * 31 + bytes[i];
    return hash % ACCEPTOR_CROWDS;
}

/* Counts WAITING in the crowd of its address. */
static void join_crowd(struct acceptor_thread *thread, struct waiting *waiting)
{
    waiting->crowd = find_crowd(&waiting->peer.address.any);
    thread->crowds[waiting->crowd]++;
}

/* Frees WAITING, which is in no list. */
static void waiting_free(struct acceptor_thread *thread,
                         struct waiting *waiting)
{
    atomic_fetch_sub(thread->waiting_count, 1);
    metrics_add(METRIC_CONNECTIONS_WAITING, -1);
    free(waiting);
}

/* Frees WAITING; its socket stays open. */
static void forget_waiting(struct acceptor_thread *thread,
                           struct waiting *waiting)
{
    DL_DELETE(thread->waitings, waiting);
    thread->crowds[waiting->crowd]--;
    waiting_free(thread, waiting);
}

static void close_waiting(struct acceptor_thread *thread,
                          struct waiting *waiting)
{
    close(waiting->fd);
    forget_waiting(thread, waiting);
}

static void refuse_waiting(struct acceptor_thread *thread,
                           struct waiting *waiting, const char *status,
                           const char *text)
{
    refuse_connection(waiting->fd, status, text, thread->window,
                      thread->service->head_max);
    forget_waiting(thread, waiting);
}

/* Hands WAITING over, of which LENGTH bytes are in the window. */
static void hand_over(struct acceptor_thread *thread, struct waiting *waiting,
                      size_t length)
{
    if (waiting->watched)
        (void)epoll_ctl(thread->epoll_fd, EPOLL_CTL_DEL, waiting->fd, NULL);
    thread->service->take(thread->loop, waiting->fd, waiting->listener,
                          &waiting->peer, thread->window, length);
    forget_waiting(thread, waiting);
}

/* Peeks at what WAITING has sent: *LENGTH bytes, at most MOST, of the window. False when
 * nothing has come yet; none at all is the end, or an error. */
static bool peek_at_head(struct acceptor_thread *thread,
                         const struct waiting *waiting, size_t most,
                         size_t *length)
{
    ssize_t got;

    do
        got = recv(waiting->fd, thread->window, most, MSG_PEEK | MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    *length = got > 0 ? (size_t)got : 0;
    return got >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

/* Takes LENGTH bytes, which are there, from WAITING's socket. */
static bool skip_bytes(struct acceptor_thread *thread,
                       const struct waiting *waiting, size_t length)
{
    ssize_t got = 1;

    while (length != 0 && (got > 0 || (got < 0 && errno == EINTR))) {
        got = recv(waiting->fd, thread->window, length, MSG_DONTWAIT);
        if (got > 0)
            length -= (size_t)got;
    }
    return length == 0;
}

/* Whether the service wants a connection from ADDRESS. Administrators are not limited: a
 * flood from the machine that collects metrics must not end these. */
static bool is_wanted(const struct acceptor_thread *thread,
                      const struct listener *listener, const struct sockaddr *address)
{
    return listener->admin || thread->service->admit(thread->loop, address);
}

/* WAITING's client is PEER, as its proxy says. False when the service does not want it. */
static bool take_peer(struct acceptor_thread *thread, struct waiting *waiting,
                      const struct peer *peer)
{
    thread->crowds[waiting->crowd]--;
    waiting->peer = *peer;
    join_crowd(thread, waiting);
    return is_wanted(thread, waiting->listener, &peer->address.any);
}

/* Reads the header of the PROXY protocol that WAITING begins with. */
static enum proxy_result take_header(struct acceptor_thread *thread,
                                     struct waiting *waiting)
{
    struct proxy_header header;
    enum proxy_result result;
    size_t length;

    if (!peek_at_head(thread, waiting, PROXY_HEADER_MAX, &length))
        return PROXY_MORE;
    result = proxy_header_read(&header, thread->window, length);
    if ((result == PROXY_MORE && (length == 0 || waiting->ended)) ||
        (result == PROXY_DONE && !skip_bytes(thread, waiting, header.length)))
        result = PROXY_INVALID; /* it will not be completed */
    if (result == PROXY_INVALID && length != 0) /* else it looked whether we are here */
        metrics_count(METRIC_CONNECTIONS_REFUSED_PROXY);
    if (result != PROXY_DONE)
        return result;
    waiting->proxied = false;
    return !header.has_peer || take_peer(thread, waiting, &header.peer)
               ? PROXY_DONE
               : PROXY_INVALID;
}

/* Does what the first byte of WAITING, which is to be one of TLS, calls for. False when it
 * must come. */
static bool examine_handshake(struct acceptor_thread *thread,
                              struct waiting *waiting)
{
    size_t length;

    if (!peek_at_head(thread, waiting, 1, &length))
        return false;
    if (length != 0 && thread->window[0] == TLS_HANDSHAKE)
        hand_over(thread, waiting, length);
    else if (length != 0 && thread->window[0] >= 'A' &&
             thread->window[0] <= 'Z')
        refuse_waiting(thread, waiting, REFUSE_BAD_REQUEST, SPEAK_TLS);
    else
        close_waiting(thread, waiting);
    return true;
}

/* The same for WAITING that is to send a request's head. */
static bool examine_head(struct acceptor_thread *thread,
                         struct waiting *waiting)
{
    size_t length;

    if (!peek_at_head(thread, waiting, thread->service->head_max, &length))
        return false;
    switch (thread->service->classify(thread->window, length, waiting->ended)) {
    case SERVICE_WAIT:
        if (length == 0 || !waiting->listener->local)
            return false;
        hand_over(thread, waiting, length);
        break;
    case SERVICE_CLOSE:
        close_waiting(thread, waiting);
        break;
    case SERVICE_REFUSE:
        metrics_count(METRIC_CONNECTIONS_BAD);
        refuse_waiting(thread, waiting, REFUSE_BAD_REQUEST, "");
        break;
    case SERVICE_TAKE:
        hand_over(thread, waiting, length);
        break;
    }
    return true;
}

/* Does what WAITING's first bytes call for. False when more of them must come. */
static bool examine_waiting(struct acceptor_thread *thread,
                            struct waiting *waiting)
{
    enum proxy_result header = PROXY_DONE;

    if (waiting->proxied)
        header = take_header(thread, waiting);
    if (header == PROXY_MORE)
        return false;
    if (header == PROXY_INVALID) {
        close_waiting(thread, waiting);
        return true;
    }
    return waiting->listener->tls ? examine_handshake(thread, waiting)
                                  : examine_head(thread, waiting);
}

static void read_waiting(struct watch *watch, uint32_t events)
{
    struct waiting *waiting = (struct waiting *)watch;

    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        waiting->ended = true;
    (void)examine_waiting(waiting->thread, waiting);
}

/* Adds WAITING to the epoll set, edge-triggered; what is there already is reported. */
static bool watch_waiting(struct acceptor_thread *thread,
                          struct waiting *waiting)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET,
                                .data.ptr = &waiting->watch};

    waiting->watched = true;
    return epoll_ctl(thread->epoll_fd, EPOLL_CTL_ADD, waiting->fd, &event) ==
           0;
}

/* Ends WAITING, whose time is over. */
static void end_waiting(struct acceptor_thread *thread,
                        struct waiting *waiting)
{
    metrics_count(METRIC_CONNECTIONS_SLOW);
    if (waiting->proxied || waiting->listener->tls)
        close_waiting(thread, waiting);
    else
        refuse_waiting(thread, waiting, REFUSE_TIMEOUT, "");
}

static void end_overdue(struct acceptor_thread *thread)
{
    while (thread->waitings != NULL &&
           thread->waitings->deadline <= thread->now)
        end_waiting(thread, thread->waitings);
}

/* ---- new connections -------------------------------------------------- */

/* A new waiting connection; NULL when memory is short, and FD is closed. */
static struct waiting *waiting_new(struct acceptor_thread *thread, int fd,
                                   const struct listener *listener,
                                   const struct sockaddr *address,
                                   socklen_t length)
{
    struct waiting *waiting = calloc(1, sizeof *waiting);

    metrics_count(METRIC_CONNECTIONS_ACCEPTED);
    if (waiting == NULL) {
        metrics_count(METRIC_CONNECTIONS_MEMORY);
        close(fd);
        return NULL;
    }
    atomic_fetch_add(thread->waiting_count, 1);
    metrics_count(METRIC_CONNECTIONS_WAITING);
    waiting->watch.on_events = read_waiting;
    waiting->listener = listener;
    waiting->proxied = listener->proxied;
    waiting->fd = fd;
    peer_set(&waiting->peer, address, length);
    return waiting;
}

/* Makes WAITING one of THREAD's. Often its head is there already. */
static void admit_waiting(struct acceptor_thread *thread,
                          struct waiting *waiting)
{
    waiting->thread = thread;
    waiting->deadline = thread->now + HEAD_TIME;
    DL_APPEND(thread->waitings, waiting);
    join_crowd(thread, waiting);
    if (!examine_waiting(thread, waiting) && !watch_waiting(thread, waiting))
        close_waiting(thread, waiting);
}

static bool is_crowded(struct acceptor_thread *thread)
{
    int fd;

    if (!thread->crowded)
        return false;
    fd = dup(thread->wake_fd); /* its number is the lowest free one */
    if (fd >= 0)
        close(fd);
    thread->crowded = fd < 0 || fd >= thread->limit;
    return thread->crowded;
}

static unsigned load_of(const struct acceptor_thread *thread)
{
    return thread->service->load(thread->loop);
}

/* The thread for a connection that THREAD has accepted: itself, unless it has far more
 * connections than another one, which the kernel wakes less often. (libmicrohttpd walks
 * all connections of a thread when one of them ends.) */
static struct acceptor_thread *choose_thread(struct acceptor_thread *thread)
{
    struct acceptor_thread *idlest = thread;
    unsigned least = load_of(thread);
    unsigned own = least, load, i;

    if (own < UNEVEN_FEW)
        return thread;
    for (i = 0; i < thread->count; i++) {
        load = load_of(&thread->threads[i]);
        if (load < least) {
            idlest = &thread->threads[i];
            least = load;
        }
    }
    return own > least + least / UNEVEN + UNEVEN_FEW ? idlest : thread;
}

/* Makes WAITING one of THREAD's soon. False when THREAD serves nothing new any more. */
static bool pass_on(struct acceptor_thread *thread, struct waiting *waiting)
{
    bool first, shut;

    pthread_mutex_lock(&thread->lock);
    shut = thread->shut;
    first = thread->arrivals == NULL;
    if (!shut) {
        waiting->next = thread->arrivals;
        thread->arrivals = waiting;
    }
    pthread_mutex_unlock(&thread->lock);
    if (first && !shut)
        wake_thread(thread);
    return !shut;
}

/* Closes FD with a reset: nothing of it is left in the kernel, where the end of a connection
 * takes memory for a minute. */
static void reset_connection(int fd)
{
    const struct linger none = {.l_onoff = 1};

    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    close(fd);
}

/* Accepts one more connection of LISTENER. False when there is none. */
static bool accept_one(struct acceptor_thread *thread,
                       const struct listener *listener)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    struct acceptor_thread *chosen;
    struct waiting *waiting;
    int fd = accept4(listener->socket, (struct sockaddr *)&address, &length,
                     SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0) {
        /* For want of files or memory: so it is crowded. Other errors are of a
         * connection that was closed meanwhile. */
        thread->crowded = errno == EMFILE || errno == ENFILE ||
                          errno == ENOBUFS || errno == ENOMEM;
        return errno != EAGAIN && errno != EWOULDBLOCK;
    }
    if (!listener->proxied &&
        !is_wanted(thread, listener, (struct sockaddr *)&address)) {
        reset_connection(fd);
        return true;
    }
    thread->crowded = fd >= thread->limit;
    waiting = waiting_new(thread, fd, listener, (struct sockaddr *)&address,
                          length);
    if (waiting == NULL)
        return true;
    chosen = choose_thread(thread);
    if (chosen == thread || !pass_on(chosen, waiting))
        admit_waiting(thread, waiting);
    return true;
}

/* Whether a connection to LISTENER waits to be accepted. */
static bool is_one_queued(const struct listener *listener)
{
    struct pollfd socket = {.fd = listener->socket, .events = POLLIN};

    return poll(&socket, 1, 0) > 0;
}

static unsigned find_largest_crowd(const struct acceptor_thread *thread)
{
    unsigned largest = 0, i;

    for (i = 1; i < ACCEPTOR_CROWDS; i++)
        if (thread->crowds[i] > thread->crowds[largest])
            largest = i;
    return largest;
}

static bool has_waited(const struct acceptor_thread *thread,
                       const struct waiting *waiting)
{
    return waiting != NULL &&
           waiting->deadline - HEAD_TIME + PATIENCE <= thread->now;
}

/* The waiting connection that makes room for others, of those that have waited for PATIENCE:
 * the oldest one of the address with most of them, if it is among the oldest ones, or else
 * the oldest of all. NULL when there is none. */
static struct waiting *choose_victim(const struct acceptor_thread *thread)
{
    unsigned crowd = find_largest_crowd(thread);
    struct waiting *waiting = thread->waitings;
    int left = VICTIMS;

    while (has_waited(thread, waiting) && left-- > 0) {
        if (waiting->crowd == crowd)
            return waiting;
        waiting = waiting->next;
    }
    return has_waited(thread, thread->waitings) ? thread->waitings : NULL;
}

/* Closes one connection that has done nothing for PATIENCE. False when there is none. */
static bool close_idle(struct acceptor_thread *thread)
{
    struct waiting *victim = choose_victim(thread);

    if (victim != NULL) {
        metrics_count(METRIC_CONNECTIONS_CROWDED);
        close_waiting(thread, victim);
        return true;
    }
    return thread->service->close_idle(thread->loop, thread->now - PATIENCE);
}

/* Accepts connections to LISTENER in place of idle ones: one for one. */
static void replace_idle(struct acceptor_thread *thread,
                         const struct listener *listener)
{
    int left = ACCEPTS_PER_PASS;

    while (left-- > 0 && is_one_queued(listener)) {
        if (!close_idle(thread))
            return;
        if (!is_crowded(thread) && !accept_one(thread, listener))
            return;
    }
}

/* Lets the service end idle connections. Those that wait for LISTENER are accepted when
 * that has been done. */
static void end_idle(struct acceptor_thread *thread,
                     const struct listener *listener)
{
    if (thread->now < thread->ended_idle + CROWDED_TIME ||
        !is_one_queued(listener))
        return;
    thread->ended_idle = thread->now;
    thread->service->end_idle(thread->loop, thread->now - PATIENCE,
                              ACCEPTS_PER_PASS);
}

static void accept_some(struct acceptor_thread *thread,
                        const struct listener *listener)
{
    int i;

    for (i = 0; i < ACCEPTS_PER_PASS && !is_crowded(thread); i++)
        if (!accept_one(thread, listener))
            return;
    if (!is_crowded(thread))
        return;
    replace_idle(thread, listener);
    end_idle(thread, listener);
}

/* Watches the socket of LISTENING if WANTED. */
static void set_listening(struct listening *listening, bool wanted)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLEXCLUSIVE,
                                .data.ptr = &listening->watch};
    int epoll_fd = listening->thread->epoll_fd;
    int socket = listening->listener->socket;

    if (wanted == listening->watched || socket < 0)
        return;
    if (!wanted)
        (void)epoll_ctl(epoll_fd, EPOLL_CTL_DEL, socket, NULL);
    else if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, socket, &event) != 0)
        return; /* tried again */
    listening->watched = wanted;
}

/* Watches all sockets that listen, if WANTED. */
static void listen_to_all(struct acceptor_thread *thread, bool wanted)
{
    size_t i;

    for (i = 0; i < thread->listeners->count; i++)
        set_listening(&thread->listenings[i], wanted);
}

/* Whether one of the sockets that are to be watched is not. */
static bool is_deaf(const struct acceptor_thread *thread)
{
    size_t i;

    for (i = 0; i < thread->listeners->count; i++)
        if (!thread->listenings[i].watched)
            return true;
    return false;
}

static void note_readable(struct watch *watch, uint32_t events)
{
    (void)events;
    ((struct listening *)watch)->readable = true;
}

/* Accepts from each listener some connections. Each pass begins with another one: where
 * descriptors are short, the first one gets them. */
static void accept_connections(struct acceptor_thread *thread)
{
    size_t count = thread->listeners->count, i;
    struct listening *listening;

    for (i = 0; i < count; i++) {
        listening = &thread->listenings[(thread->next + i) % count];
        if (listening->readable || !listening->watched)
            accept_some(thread, listening->listener);
        listening->readable = false;
    }
    thread->next++;
    listen_to_all(thread, !thread->crowded);
    end_overdue(thread);
}

/* ---- connections from other threads ----------------------------------- */

void acceptor_thread_receive(struct acceptor_thread *thread, int fd,
                             const struct listener *listener,
                             const struct sockaddr *address, socklen_t length)
{
    struct waiting *waiting =
        waiting_new(thread, fd, listener, address, length);

    if (waiting == NULL || pass_on(thread, waiting))
        return;
    close(fd);
    waiting_free(thread, waiting);
}

static void admit_arrivals(struct acceptor_thread *thread,
                           struct waiting *arrivals)
{
    struct waiting *next;

    for (; arrivals != NULL; arrivals = next) {
        next = arrivals->next;
        admit_waiting(thread, arrivals);
    }
}

/* ---- the thread ------------------------------------------------------- */

/* What has come of each head is read, or closing would reset the connection. */
static void close_all_waiting(struct acceptor_thread *thread)
{
    while (thread->waitings != NULL) {
        (void)recv(thread->waitings->fd, thread->window,
                   thread->service->head_max, MSG_DONTWAIT);
        close_waiting(thread, thread->waitings);
    }
}

/* A connection that has not been handed over by now never is. */
static void shut_down(struct acceptor_thread *thread)
{
    close_all_waiting(thread);
    if (thread->closed)
        return;
    thread->closed = true;
    listen_to_all(thread, false);
    thread->service->shut(thread->loop);
}

static int wait_time(const struct acceptor_thread *thread)
{
    uint64_t now = crier_now(), until = thread->service->due(thread->loop);

    if (thread->waitings != NULL && until > thread->waitings->deadline)
        until = thread->waitings->deadline;
    if (!thread->closed && until > now + CROWDED_TIME && is_deaf(thread))
        until = now + CROWDED_TIME;
    if (until == UINT64_MAX)
        return -1;
    return until <= now ? 0 : (int)(until - now);
}

/* Waits for events and handles them. */
static void handle_events(struct acceptor_thread *thread)
{
    struct epoll_event events[EVENTS_PER_PASS];
    struct watch *watch;
    int count, i;

    count = epoll_wait(thread->epoll_fd, events, EVENTS_PER_PASS,
                       wait_time(thread));
    thread->now = crier_now();
    for (i = 0; i < count; i++) {
        watch = events[i].data.ptr;
        if (watch != NULL) /* else the thread was woken */
            watch->on_events(watch, events[i].events);
    }
}

static void *run_thread(void *argument)
{
    struct acceptor_thread *thread = argument;
    bool shut, stop = false;
    struct waiting *arrivals;

    listen_to_all(thread, true);
    while (!stop) {
        handle_events(thread);
        pthread_mutex_lock(&thread->lock);
        shut = thread->shut;
        stop = thread->stop;
        arrivals = thread->arrivals;
        thread->arrivals = NULL;
        thread->asked = false;
        pthread_mutex_unlock(&thread->lock);
        admit_arrivals(thread, arrivals);
        if (shut)
            shut_down(thread);
        else
            accept_connections(thread);
        thread->service->run(thread->loop, thread->now);
    }
    thread->service->stop(thread->loop);
    return NULL;
}

/* ---- start and end ---------------------------------------------------- */

/* Makes the listenings. */
static bool make_listenings(struct acceptor_thread *thread)
{
    size_t count = thread->listeners->count, i;

    thread->listenings = calloc(count, sizeof thread->listenings[0]);
    for (i = 0; thread->listenings != NULL && i < count; i++)
        thread->listenings[i] = (struct listening){
            .watch.on_events = note_readable,
            .thread = thread,
            .listener = &thread->listeners->list[i],
        };
    return thread->listenings != NULL;
}

bool acceptor_thread_prepare(struct acceptor_thread *thread)
{
    bool listens = make_listenings(thread);

    thread->now = crier_now();
    thread->window = malloc(thread->service->head_max + 1);
    thread->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    thread->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (pthread_mutex_init(&thread->lock, NULL) != 0)
        abort();
    return listens && thread->window != NULL && thread->epoll_fd >= 0 &&
           thread->wake_fd >= 0;
}

bool acceptor_thread_start(struct acceptor_thread *thread)
{
    /* Edge-triggered, so that the eventfd need not be read. */
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};

    return epoll_ctl(thread->epoll_fd, EPOLL_CTL_ADD, thread->wake_fd,
                     &event) == 0 &&
           thread->service->start(thread->loop, thread->epoll_fd) &&
           crier__thread_start(&thread->thread, run_thread, thread) == 0;
}

bool acceptor_thread_silent(struct acceptor_thread *thread)
{
    bool silent;

    pthread_mutex_lock(&thread->lock);
    silent = thread->asked;
    thread->asked = true;
    pthread_mutex_unlock(&thread->lock);
    if (!silent)
        wake_thread(thread);
    return silent;
}

void acceptor_thread_shut(struct acceptor_thread *thread, bool stop)
{
    pthread_mutex_lock(&thread->lock);
    thread->shut = true;
    thread->stop = stop;
    pthread_mutex_unlock(&thread->lock);
    wake_thread(thread);
}

void acceptor_thread_join(struct acceptor_thread *thread)
{
    pthread_join(thread->thread, NULL);
}

void acceptor_thread_done(struct acceptor_thread *thread)
{
    struct waiting *waiting;

    while ((waiting = thread->arrivals) != NULL) {
        thread->arrivals = waiting->next;
        close(waiting->fd);
        waiting_free(thread, waiting);
    }
    if (thread->epoll_fd >= 0)
        close(thread->epoll_fd);
    if (thread->wake_fd >= 0)
        close(thread->wake_fd);
    free(thread->listenings);
    free(thread->window);
    pthread_mutex_destroy(&thread->lock);
}
