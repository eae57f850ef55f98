/*
 * A doorman: a thread of the door with the connections it has let in, its visitors,
 * until they are handed over or go. door.c tells what for.
 *
 *             accept        head is there            other than plain
 *   listening ------> heads ---------------> lane ---------------------+
 *                       |                                              v
 *                       +------------------------------------> libmicrohttpd,
 *                                                 on this thread (http_loop.c)
 *
 * In each pass all that came are handed over first, and libmicrohttpd runs at its end.
 *
 * Events name visitors, and a visitor is freed only while its own event is looked at,
 * or after all events of a pass: one pass has at most one event for each.
 *
 * Visitors are in a list in the order of their deadlines; since all get the same time,
 * who gets a new one goes to the end.
 *
 * Whether there are too many descriptors is told by their numbers, which the kernel
 * gives out from the lowest; so nobody has to count.
 */
#include <config.h>

#include "acceptor_thread.h"

#include "crierd/http/classify.h"
#include "crierd/http/pipeline.h"
#include "crierd/log/log.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <utlist.h>

/* ms for the first head to come; and a lane may sit still for so long. */
#define HEAD_TIME 30000

/* Where descriptors are short: who has waited for so long may have to go, and when
 * to look again. */
#define PATIENCE 1000
#define CROWDED_TIME 100

#define NO_HTTP "400 Bad Request"
#define NO_HEAD "408 Request Timeout"

/* A doorman may have this part more connections than another one, or this many. */
#define UNEVEN 8
#define UNEVEN_FEW 64

#define EVENTS_PER_PASS 256
#define ACCEPTS_PER_PASS 64

struct visitor {
    struct visitor *prev, *next; /* by deadline */
    struct visitor *again_next;
    int fd;
    bool watched; /* in the epoll set */
    bool hung_up; /* will send no more */
    bool again;   /* to be looked at once more in the next pass */
    uint64_t deadline;
    struct pipeline *pipeline; /* or NULL */
    socklen_t length;
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address;
};

/* ---- visitors --------------------------------------------------------- */

static void expect(struct acceptor_thread *thread, struct visitor *visitor)
{
    visitor->deadline = thread->now + HEAD_TIME;
    DL_APPEND(thread->visitors, visitor);
}

/* VISITOR is not here any more; its socket stays open. */
static void forget(struct acceptor_thread *thread, struct visitor *visitor)
{
    if (visitor->again)
        LL_DELETE2(thread->again, visitor, again_next);
    DL_DELETE(thread->visitors, visitor);
    if (visitor->pipeline != NULL)
        pipeline_free(visitor->pipeline);
    atomic_fetch_sub(&thread->acceptor->count, 1);
    free(visitor);
}

static void turn_away(struct acceptor_thread *thread, struct visitor *visitor)
{
    int fd = visitor->fd;

    if (visitor->pipeline != NULL)
        pipeline_discard(visitor->pipeline, thread->window);
    forget(thread, visitor);
    close(fd);
}

static void hand_over(struct acceptor_thread *thread, struct visitor *visitor,
                      size_t need)
{
    if (thread->closed) {
        turn_away(thread, visitor);
        return;
    }
    if (visitor->watched)
        (void)epoll_ctl(thread->epoll_fd, EPOLL_CTL_DEL, visitor->fd, NULL);
    http_take(thread->http, visitor->fd, &visitor->address.any,
              visitor->length, need);
    forget(thread, visitor);
}

/* Has VISITOR's EVENTS told, edge-triggered; what is there already, too. */
static bool watch(struct acceptor_thread *thread, struct visitor *visitor,
                  uint32_t events)
{
    struct epoll_event event = {.events = events | EPOLLRDHUP | EPOLLET,
                                .data.ptr = visitor};
    int how = visitor->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

    visitor->watched = true;
    return epoll_ctl(thread->epoll_fd, how, visitor->fd, &event) == 0;
}

/* Turns VISITOR away with STATUS. What came is read, or closing would reset the
 * connection. */
static void refuse(struct acceptor_thread *thread, struct visitor *visitor,
                   const char *status)
{
    char answer[128];
    int length = snprintf(answer, sizeof answer,
                          "HTTP/1.1 %s\r\n"
                          "Content-Length: 0\r\n"
                          "Connection: close\r\n\r\n",
                          status);

    if (recv(visitor->fd, thread->window, LANE_WINDOW, MSG_DONTWAIT) > 0)
        (void)send(visitor->fd, answer, (size_t)length,
                   MSG_DONTWAIT | MSG_NOSIGNAL);
    turn_away(thread, visitor);
}

/* Looks at what VISITOR has sent and nobody has read: LENGTH bytes of the window. False
 * when there may be some later. */
static bool peek(struct acceptor_thread *thread, const struct visitor *visitor,
                 size_t *length)
{
    ssize_t got;

    do
        got = recv(visitor->fd, thread->window, HEAD_MAX,
                   MSG_PEEK | MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    *length = got > 0 ? (size_t)got : 0;
    return got >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

/* Hands VISITOR over, of whom LENGTH bytes are in the window. What is no request
 * libmicrohttpd refuses, but only when a line of it has ended. */
static void pass_on(struct acceptor_thread *thread, struct visitor *visitor,
                    size_t length)
{
    const char *window = thread->window;

    if (!head_begins(window, length) && memchr(window, '\n', length) == NULL)
        refuse(thread, visitor, NO_HTTP);
    else
        hand_over(thread, visitor, SIZE_MAX);
}

static void run_lane(struct acceptor_thread *thread, struct visitor *visitor)
{
    bool moved = false;
    size_t length;

    switch (pipeline_run(visitor->pipeline, thread->window, visitor->hung_up,
                     &moved)) {
    case PIPELINE_AGAIN:
        if (!visitor->again)
            LL_PREPEND2(thread->again, visitor, again_next);
        visitor->again = true;
        break;
    case PIPELINE_STAYS:
        break;
    case PIPELINE_LEAVES:
        (void)peek(thread, visitor, &length);
        pass_on(thread, visitor, length);
        return;
    case PIPELINE_OVER:
        turn_away(thread, visitor);
        return;
    }
    if (moved) {
        DL_DELETE(thread->visitors, visitor);
        expect(thread, visitor);
    }
}

static void begin_lane(struct acceptor_thread *thread, struct visitor *visitor)
{
    visitor->pipeline = pipeline_new(thread->acceptor->server, thread, visitor->fd);
    if (visitor->pipeline == NULL) {
        hand_over(thread, visitor, SIZE_MAX);
        return;
    }
    if (!watch(thread, visitor, EPOLLIN | EPOLLOUT)) {
        turn_away(thread, visitor);
        return;
    }
    pipeline_set_visitor(visitor->pipeline, visitor);
    run_lane(thread, visitor);
}

/* Looks at what VISITOR has sent by now. False when nothing can be done yet. */
static bool look(struct acceptor_thread *thread, struct visitor *visitor)
{
    char *window = thread->window;
    size_t length, head;

    if (visitor->pipeline != NULL) {
        run_lane(thread, visitor);
        return true;
    }
    if (!peek(thread, visitor, &length))
        return false;
    head = head_length(window, length);
    if (!head_begins(window, length)) {
        pass_on(thread, visitor, length);
        return true;
    }
    if (head == 0 && length != 0 && length < HEAD_MAX && !visitor->hung_up)
        return false;
    if (head == 0 && length < HEAD_MAX)
        turn_away(thread, visitor); /* there will never be one */
    else if (memchr(window, '\0', head) != NULL)
        refuse(thread, visitor, NO_HTTP);
    else if (head != 0 && head_may_be_plain(window, head))
        begin_lane(thread, visitor);
    else
        hand_over(thread, visitor,
                  head == length ? head_need(window, head) : SIZE_MAX);
    return true;
}

static void end_overdue(struct acceptor_thread *thread)
{
    struct visitor *visitor;
    enum pipeline_verdict verdict;

    while ((visitor = thread->visitors) != NULL &&
           visitor->deadline <= thread->now) {
        verdict = visitor->pipeline != NULL ? pipeline_overdue(visitor->pipeline)
                                        : PIPELINE_OVER;
        if (verdict == PIPELINE_STAYS) {
            DL_DELETE(thread->visitors, visitor);
            expect(thread, visitor);
        } else if (verdict == PIPELINE_LEAVES) {
            hand_over(thread, visitor, SIZE_MAX);
        } else if (visitor->pipeline == NULL) {
            refuse(thread, visitor, NO_HEAD);
        } else {
            turn_away(thread, visitor);
        }
    }
}

/* ---- newcomers -------------------------------------------------------- */

/* A new visitor; NULL when memory is short, and FD is closed. */
static struct visitor *visitor_new(struct acceptor *acceptor, int fd,
                                   const struct sockaddr *address,
                                   socklen_t length)
{
    struct visitor *visitor = calloc(1, sizeof *visitor);

    if (visitor == NULL) {
        close(fd);
        return NULL;
    }
    atomic_fetch_add(&acceptor->count, 1);
    visitor->fd = fd;
    visitor->length = length < sizeof visitor->address
                          ? length
                          : (socklen_t)sizeof visitor->address;
    memcpy(&visitor->address, address, visitor->length);
    return visitor;
}

/* VISITOR comes in. Often its request is there already. */
static void welcome(struct acceptor_thread *thread, struct visitor *visitor)
{
    expect(thread, visitor);
    if (!look(thread, visitor) && !watch(thread, visitor, EPOLLIN))
        turn_away(thread, visitor);
}

static bool is_crowded(struct acceptor_thread *thread)
{
    int fd;

    if (!thread->crowded)
        return false;
    fd = dup(thread->acceptor->socket); /* the number tells */
    if (fd >= 0)
        close(fd);
    thread->crowded = fd < 0 || fd >= thread->acceptor->crowded;
    return thread->crowded;
}

/* The doorman for somebody who has come to DOORMAN: himself, unless he has far more
 * connections than another one, whom the kernel wakes less often. Of libmicrohttpd's
 * connections all are looked at when one ends. */
static struct acceptor_thread *choose_doorman(struct acceptor_thread *thread)
{
    struct acceptor *acceptor = thread->acceptor;
    struct acceptor_thread *idlest = thread;
    unsigned least = atomic_load(&thread->http->connections);
    unsigned own = least, load, i;

    if (own < UNEVEN_FEW)
        return thread;
    for (i = 0; i < acceptor->started; i++) {
        load = atomic_load(&acceptor->doormen[i].http->connections);
        if (load < least) {
            idlest = &acceptor->doormen[i];
            least = load;
        }
    }
    return own > least + least / UNEVEN + UNEVEN_FEW ? idlest : thread;
}

/* Lets one more in. False when nobody waits. */
static bool accept_one(struct acceptor_thread *thread)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    struct acceptor_thread *chosen;
    struct visitor *visitor;
    int fd = accept4(thread->acceptor->socket, (struct sockaddr *)&address,
                     &length, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0) {
        /* For want of files or memory: so it is crowded. Others went away in the
         * meantime. */
        thread->crowded = errno == EMFILE || errno == ENFILE ||
                           errno == ENOBUFS || errno == ENOMEM;
        return errno != EAGAIN && errno != EWOULDBLOCK;
    }
    thread->crowded = fd >= thread->acceptor->crowded;
    chosen = choose_doorman(thread);
    if (chosen != thread) {
        acceptor_thread_receive(chosen, fd, (struct sockaddr *)&address, length);
        return true;
    }
    visitor = visitor_new(thread->acceptor, fd, (struct sockaddr *)&address,
                          length);
    if (visitor != NULL)
        welcome(thread, visitor);
    return true;
}

static bool somebody_waits(const struct acceptor_thread *thread)
{
    struct pollfd acceptor = {.fd = thread->acceptor->socket, .events = POLLIN};

    return poll(&acceptor, 1, 0) > 0;
}

/* Lets newcomers in for those who have been waited for longest, and have nothing to do
 * here: one for one. */
static void replace_some(struct acceptor_thread *thread)
{
    struct visitor *visitor, *next;
    int left = ACCEPTS_PER_PASS;

    /* Who comes in meanwhile stands behind all others, and is too young. */
    DL_FOREACH_SAFE (thread->visitors, visitor, next) {
        if (left == 0 ||
            visitor->deadline - HEAD_TIME + PATIENCE > thread->now)
            return;
        if (visitor->pipeline != NULL && !pipeline_is_idle(visitor->pipeline))
            continue;
        if (!somebody_waits(thread))
            return;
        turn_away(thread, visitor);
        left--;
        if (!is_crowded(thread) && !accept_one(thread))
            return;
    }
}

/* Lets HTTP end connections that have nothing to do. Those who wait are accepted when
 * that has been done. */
static void make_room(struct acceptor_thread *thread)
{
    if (thread->now < thread->made_room + CROWDED_TIME ||
        !somebody_waits(thread))
        return;
    thread->made_room = thread->now;
    http_make_room(thread->acceptor->http, thread->now - PATIENCE,
                   ACCEPTS_PER_PASS);
}

static void accept_some(struct acceptor_thread *thread)
{
    int i;

    for (i = 0; i < ACCEPTS_PER_PASS && !is_crowded(thread); i++)
        if (!accept_one(thread))
            return;
    if (!is_crowded(thread))
        return;
    replace_some(thread);
    make_room(thread);
}

/* Listens, or not while it is crowded or shut. */
static void listen_or_not(struct acceptor_thread *thread, bool wanted)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLEXCLUSIVE,
                                .data.ptr = thread->acceptor};

    if (wanted == thread->listening || thread->acceptor->socket < 0)
        return;
    if (!wanted)
        (void)epoll_ctl(thread->epoll_fd, EPOLL_CTL_DEL,
                        thread->acceptor->socket, NULL);
    else if (epoll_ctl(thread->epoll_fd, EPOLL_CTL_ADD,
                       thread->acceptor->socket, &event) != 0)
        return; /* tried again */
    thread->listening = wanted;
}

/* Lets newcomers in when one has come (KNOCK), and looks at who is to go. */
static void let_in(struct acceptor_thread *thread, bool knock)
{
    if (knock || !thread->listening)
        accept_some(thread);
    listen_or_not(thread, !thread->crowded);
    end_overdue(thread);
}

/* ---- the thread ------------------------------------------------------- */

/* Gives the answers that have come, then runs the lanes they are of. */
static void take_woken(struct acceptor_thread *thread)
{
    struct turn *turn, *next;
    struct visitor *visitor;
    struct pipeline *pipeline;

    pthread_mutex_lock(&thread->lock);
    turn = thread->woken;
    thread->woken = NULL;
    thread->woken_end = &thread->woken;
    pthread_mutex_unlock(&thread->lock);
    for (; turn != NULL; turn = next) {
        next = turn->woken_next;
        pipeline = pipeline_answer(turn);
        if (pipeline == NULL)
            continue;
        visitor = pipeline_visitor(pipeline);
        if (!visitor->again)
            LL_PREPEND2(thread->again, visitor, again_next);
        visitor->again = true;
    }
}

/* Looks once more at those who are to be looked at. */
static void look_again(struct acceptor_thread *thread)
{
    struct visitor *visitor = thread->again, *next;

    thread->again = NULL;
    for (; visitor != NULL; visitor = next) {
        next = visitor->again_next;
        visitor->again = false;
        look(thread, visitor);
    }
}

void acceptor_thread_receive(struct acceptor_thread *thread, int fd,
                     const struct sockaddr *address, socklen_t length)
{
    struct visitor *visitor = visitor_new(thread->acceptor, fd, address, length);
    bool first;

    if (visitor == NULL)
        return;
    pthread_mutex_lock(&thread->lock);
    first = thread->arrivals == NULL;
    visitor->next = thread->arrivals;
    thread->arrivals = visitor;
    pthread_mutex_unlock(&thread->lock);
    if (first)
        acceptor_thread_wake(thread);
}

void acceptor_thread_done(struct acceptor_thread *thread)
{
    struct visitor *visitor;

    while ((visitor = thread->arrivals) != NULL) {
        thread->arrivals = visitor->next;
        close(visitor->fd);
        atomic_fetch_sub(&thread->acceptor->count, 1);
        free(visitor);
    }
}

static void take_arrivals(struct acceptor_thread *thread)
{
    struct visitor *visitor, *next;

    pthread_mutex_lock(&thread->lock);
    visitor = thread->arrivals;
    thread->arrivals = NULL;
    pthread_mutex_unlock(&thread->lock);
    for (; visitor != NULL; visitor = next) {
        next = visitor->next;
        welcome(thread, visitor);
    }
}

/* Who has not been handed over by now never is. */
static void send_away(struct acceptor_thread *thread)
{
    struct visitor *visitor, *next;

    if (thread->closed)
        return;
    thread->closed = true;
    listen_or_not(thread, false);
    DL_FOREACH_SAFE (thread->visitors, visitor, next)
        if (visitor->pipeline == NULL)
            turn_away(thread, visitor);
}

static int wait_time(const struct acceptor_thread *thread)
{
    uint64_t now = crier_now(), until = thread->http->due;

    if (thread->again != NULL)
        return 0;
    if (thread->visitors != NULL && !thread->closed &&
        until > thread->visitors->deadline)
        until = thread->visitors->deadline;
    if (!thread->listening && !thread->closed && until > now + CROWDED_TIME)
        until = now + CROWDED_TIME;
    if (until == UINT64_MAX)
        return -1;
    return until <= now ? 0 : (int)(until - now);
}

/* One pass. Returns whether somebody has come to the listening socket. */
static bool pass(struct acceptor_thread *thread, int wait)
{
    struct epoll_event events[EVENTS_PER_PASS];
    struct visitor *visitor;
    bool knock = false;
    int count, i;

    count = epoll_wait(thread->epoll_fd, events, EVENTS_PER_PASS, wait);
    thread->now = crier_now();
    for (i = 0; i < count; i++) {
        visitor = events[i].data.ptr;
        if (events[i].data.ptr == thread->acceptor) {
            knock = true;
        } else if (visitor != NULL &&
                   !http_is_ready(thread->http, events[i].data.ptr)) {
            if (events[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
                visitor->hung_up = true;
            look(thread, visitor);
        }
    }
    return knock;
}

void *acceptor_thread_run(void *argument)
{
    struct acceptor_thread *thread = argument;
    bool shut, stop = false, knock;

    listen_or_not(thread, true);
    while (!stop) {
        knock = pass(thread, wait_time(thread));
        pthread_mutex_lock(&thread->lock);
        shut = thread->shut;
        stop = thread->stop;
        pthread_mutex_unlock(&thread->lock);
        take_woken(thread);
        look_again(thread);
        take_arrivals(thread);
        if (shut)
            send_away(thread);
        else
            let_in(thread, knock);
        http_run(thread->http, thread->now);
    }
    while (thread->visitors != NULL)
        turn_away(thread, thread->visitors);
    return NULL;
}
