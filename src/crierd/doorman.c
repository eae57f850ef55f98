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

#include "doorman.h"

#include "head.h"
#include "lane.h"
#include "log.h"

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
    struct lane *lane; /* or NULL */
    socklen_t length;
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address;
};

/* ---- visitors --------------------------------------------------------- */

static void expect(struct doorman *doorman, struct visitor *visitor)
{
    visitor->deadline = doorman->now + HEAD_TIME;
    DL_APPEND(doorman->visitors, visitor);
}

/* VISITOR is not here any more; its socket stays open. */
static void forget(struct doorman *doorman, struct visitor *visitor)
{
    if (visitor->again)
        LL_DELETE2(doorman->again, visitor, again_next);
    DL_DELETE(doorman->visitors, visitor);
    if (visitor->lane != NULL)
        lane_free(visitor->lane);
    atomic_fetch_sub(&doorman->door->count, 1);
    free(visitor);
}

static void turn_away(struct doorman *doorman, struct visitor *visitor)
{
    int fd = visitor->fd;

    if (visitor->lane != NULL)
        lane_discard(visitor->lane, doorman->window);
    forget(doorman, visitor);
    close(fd);
}

static void hand_over(struct doorman *doorman, struct visitor *visitor,
                      size_t need)
{
    if (doorman->closed) {
        turn_away(doorman, visitor);
        return;
    }
    if (visitor->watched)
        (void)epoll_ctl(doorman->epoll_fd, EPOLL_CTL_DEL, visitor->fd, NULL);
    http_take(doorman->http, visitor->fd, &visitor->address.any,
              visitor->length, need);
    forget(doorman, visitor);
}

/* Has VISITOR's EVENTS told, edge-triggered; what is there already, too. */
static bool watch(struct doorman *doorman, struct visitor *visitor,
                  uint32_t events)
{
    struct epoll_event event = {.events = events | EPOLLRDHUP | EPOLLET,
                                .data.ptr = visitor};
    int how = visitor->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

    visitor->watched = true;
    return epoll_ctl(doorman->epoll_fd, how, visitor->fd, &event) == 0;
}

/* Turns VISITOR away with STATUS. What came is read, or closing would reset the
 * connection. */
static void refuse(struct doorman *doorman, struct visitor *visitor,
                   const char *status)
{
    char answer[128];
    int length = snprintf(answer, sizeof answer,
                          "HTTP/1.1 %s\r\n"
                          "Content-Length: 0\r\n"
                          "Connection: close\r\n\r\n",
                          status);

    if (recv(visitor->fd, doorman->window, LANE_WINDOW, MSG_DONTWAIT) > 0)
        (void)send(visitor->fd, answer, (size_t)length,
                   MSG_DONTWAIT | MSG_NOSIGNAL);
    turn_away(doorman, visitor);
}

/* Looks at what VISITOR has sent and nobody has read: LENGTH bytes of the window. False
 * when there may be some later. */
static bool peek(struct doorman *doorman, const struct visitor *visitor,
                 size_t *length)
{
    ssize_t got;

    do
        got = recv(visitor->fd, doorman->window, HEAD_MAX,
                   MSG_PEEK | MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    *length = got > 0 ? (size_t)got : 0;
    return got >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

/* Hands VISITOR over, of whom LENGTH bytes are in the window. What is no request
 * libmicrohttpd refuses, but only when a line of it has ended. */
static void pass_on(struct doorman *doorman, struct visitor *visitor,
                    size_t length)
{
    const char *window = doorman->window;

    if (!head_begins(window, length) && memchr(window, '\n', length) == NULL)
        refuse(doorman, visitor, NO_HTTP);
    else
        hand_over(doorman, visitor, SIZE_MAX);
}

static void run_lane(struct doorman *doorman, struct visitor *visitor)
{
    bool moved = false;
    size_t length;

    switch (lane_run(visitor->lane, doorman->window, visitor->hung_up,
                     &moved)) {
    case LANE_AGAIN:
        if (!visitor->again)
            LL_PREPEND2(doorman->again, visitor, again_next);
        visitor->again = true;
        break;
    case LANE_STAYS:
        break;
    case LANE_LEAVES:
        (void)peek(doorman, visitor, &length);
        pass_on(doorman, visitor, length);
        return;
    case LANE_OVER:
        turn_away(doorman, visitor);
        return;
    }
    if (moved) {
        DL_DELETE(doorman->visitors, visitor);
        expect(doorman, visitor);
    }
}

static void begin_lane(struct doorman *doorman, struct visitor *visitor)
{
    visitor->lane = lane_new(doorman->door->server, doorman, visitor->fd);
    if (visitor->lane == NULL) {
        hand_over(doorman, visitor, SIZE_MAX);
        return;
    }
    if (!watch(doorman, visitor, EPOLLIN | EPOLLOUT)) {
        turn_away(doorman, visitor);
        return;
    }
    lane_set_visitor(visitor->lane, visitor);
    run_lane(doorman, visitor);
}

/* Looks at what VISITOR has sent by now. False when nothing can be done yet. */
static bool look(struct doorman *doorman, struct visitor *visitor)
{
    char *window = doorman->window;
    size_t length, head;

    if (visitor->lane != NULL) {
        run_lane(doorman, visitor);
        return true;
    }
    if (!peek(doorman, visitor, &length))
        return false;
    head = head_length(window, length);
    if (!head_begins(window, length)) {
        pass_on(doorman, visitor, length);
        return true;
    }
    if (head == 0 && length != 0 && length < HEAD_MAX && !visitor->hung_up)
        return false;
    if (head == 0 && length < HEAD_MAX)
        turn_away(doorman, visitor); /* there will never be one */
    else if (memchr(window, '\0', head) != NULL)
        refuse(doorman, visitor, NO_HTTP);
    else if (head != 0 && head_may_be_plain(window, head))
        begin_lane(doorman, visitor);
    else
        hand_over(doorman, visitor,
                  head == length ? head_need(window, head) : SIZE_MAX);
    return true;
}

static void end_overdue(struct doorman *doorman)
{
    struct visitor *visitor;
    enum lane_verdict verdict;

    while ((visitor = doorman->visitors) != NULL &&
           visitor->deadline <= doorman->now) {
        verdict = visitor->lane != NULL ? lane_overdue(visitor->lane)
                                        : LANE_OVER;
        if (verdict == LANE_STAYS) {
            DL_DELETE(doorman->visitors, visitor);
            expect(doorman, visitor);
        } else if (verdict == LANE_LEAVES) {
            hand_over(doorman, visitor, SIZE_MAX);
        } else if (visitor->lane == NULL) {
            refuse(doorman, visitor, NO_HEAD);
        } else {
            turn_away(doorman, visitor);
        }
    }
}

/* ---- newcomers -------------------------------------------------------- */

/* A new visitor; NULL when memory is short, and FD is closed. */
static struct visitor *visitor_new(struct door *door, int fd,
                                   const struct sockaddr *address,
                                   socklen_t length)
{
    struct visitor *visitor = calloc(1, sizeof *visitor);

    if (visitor == NULL) {
        close(fd);
        return NULL;
    }
    atomic_fetch_add(&door->count, 1);
    visitor->fd = fd;
    visitor->length = length < sizeof visitor->address
                          ? length
                          : (socklen_t)sizeof visitor->address;
    memcpy(&visitor->address, address, visitor->length);
    return visitor;
}

/* VISITOR comes in. Often its request is there already. */
static void welcome(struct doorman *doorman, struct visitor *visitor)
{
    expect(doorman, visitor);
    if (!look(doorman, visitor) && !watch(doorman, visitor, EPOLLIN))
        turn_away(doorman, visitor);
}

static bool is_crowded(struct doorman *doorman)
{
    int fd;

    if (!doorman->crowded)
        return false;
    fd = dup(doorman->door->socket); /* the number tells */
    if (fd >= 0)
        close(fd);
    doorman->crowded = fd < 0 || fd >= doorman->door->crowded;
    return doorman->crowded;
}

/* The doorman for somebody who has come to DOORMAN: himself, unless he has far more
 * connections than another one, whom the kernel wakes less often. Of libmicrohttpd's
 * connections all are looked at when one ends. */
static struct doorman *choose_doorman(struct doorman *doorman)
{
    struct door *door = doorman->door;
    struct doorman *idlest = doorman;
    unsigned least = atomic_load(&doorman->http->connections);
    unsigned own = least, load, i;

    if (own < UNEVEN_FEW)
        return doorman;
    for (i = 0; i < door->started; i++) {
        load = atomic_load(&door->doormen[i].http->connections);
        if (load < least) {
            idlest = &door->doormen[i];
            least = load;
        }
    }
    return own > least + least / UNEVEN + UNEVEN_FEW ? idlest : doorman;
}

/* Lets one more in. False when nobody waits. */
static bool accept_one(struct doorman *doorman)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    struct doorman *chosen;
    struct visitor *visitor;
    int fd = accept4(doorman->door->socket, (struct sockaddr *)&address,
                     &length, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0) {
        /* For want of files or memory: so it is crowded. Others went away in the
         * meantime. */
        doorman->crowded = errno == EMFILE || errno == ENFILE ||
                           errno == ENOBUFS || errno == ENOMEM;
        return errno != EAGAIN && errno != EWOULDBLOCK;
    }
    doorman->crowded = fd >= doorman->door->crowded;
    chosen = choose_doorman(doorman);
    if (chosen != doorman) {
        doorman_receive(chosen, fd, (struct sockaddr *)&address, length);
        return true;
    }
    visitor = visitor_new(doorman->door, fd, (struct sockaddr *)&address,
                          length);
    if (visitor != NULL)
        welcome(doorman, visitor);
    return true;
}

static bool somebody_waits(const struct doorman *doorman)
{
    struct pollfd door = {.fd = doorman->door->socket, .events = POLLIN};

    return poll(&door, 1, 0) > 0;
}

/* Lets newcomers in for those who have been waited for longest, and have nothing to do
 * here: one for one. */
static void replace_some(struct doorman *doorman)
{
    struct visitor *visitor, *next;
    int left = ACCEPTS_PER_PASS;

    /* Who comes in meanwhile stands behind all others, and is too young. */
    DL_FOREACH_SAFE (doorman->visitors, visitor, next) {
        if (left == 0 ||
            visitor->deadline - HEAD_TIME + PATIENCE > doorman->now)
            return;
        if (visitor->lane != NULL && !lane_is_idle(visitor->lane))
            continue;
        if (!somebody_waits(doorman))
            return;
        turn_away(doorman, visitor);
        left--;
        if (!is_crowded(doorman) && !accept_one(doorman))
            return;
    }
}

/* Lets HTTP end connections that have nothing to do. Those who wait are accepted when
 * that has been done. */
static void make_room(struct doorman *doorman)
{
    if (doorman->now < doorman->made_room + CROWDED_TIME ||
        !somebody_waits(doorman))
        return;
    doorman->made_room = doorman->now;
    http_make_room(doorman->door->http, doorman->now - PATIENCE,
                   ACCEPTS_PER_PASS);
}

static void accept_some(struct doorman *doorman)
{
    int i;

    for (i = 0; i < ACCEPTS_PER_PASS && !is_crowded(doorman); i++)
        if (!accept_one(doorman))
            return;
    if (!is_crowded(doorman))
        return;
    replace_some(doorman);
    make_room(doorman);
}

/* Listens, or not while it is crowded or shut. */
static void listen_or_not(struct doorman *doorman, bool wanted)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLEXCLUSIVE,
                                .data.ptr = doorman->door};

    if (wanted == doorman->listening || doorman->door->socket < 0)
        return;
    if (!wanted)
        (void)epoll_ctl(doorman->epoll_fd, EPOLL_CTL_DEL,
                        doorman->door->socket, NULL);
    else if (epoll_ctl(doorman->epoll_fd, EPOLL_CTL_ADD,
                       doorman->door->socket, &event) != 0)
        return; /* tried again */
    doorman->listening = wanted;
}

/* Lets newcomers in when one has come (KNOCK), and looks at who is to go. */
static void let_in(struct doorman *doorman, bool knock)
{
    if (knock || !doorman->listening)
        accept_some(doorman);
    listen_or_not(doorman, !doorman->crowded);
    end_overdue(doorman);
}

/* ---- the thread ------------------------------------------------------- */

/* Gives the answers that have come, then runs the lanes they are of. */
static void take_woken(struct doorman *doorman)
{
    struct turn *turn, *next;
    struct visitor *visitor;
    struct lane *lane;

    pthread_mutex_lock(&doorman->lock);
    turn = doorman->woken;
    doorman->woken = NULL;
    doorman->woken_end = &doorman->woken;
    pthread_mutex_unlock(&doorman->lock);
    for (; turn != NULL; turn = next) {
        next = turn->woken_next;
        lane = lane_answer(turn);
        if (lane == NULL)
            continue;
        visitor = lane_visitor(lane);
        if (!visitor->again)
            LL_PREPEND2(doorman->again, visitor, again_next);
        visitor->again = true;
    }
}

/* Looks once more at those who are to be looked at. */
static void look_again(struct doorman *doorman)
{
    struct visitor *visitor = doorman->again, *next;

    doorman->again = NULL;
    for (; visitor != NULL; visitor = next) {
        next = visitor->again_next;
        visitor->again = false;
        look(doorman, visitor);
    }
}

void doorman_receive(struct doorman *doorman, int fd,
                     const struct sockaddr *address, socklen_t length)
{
    struct visitor *visitor = visitor_new(doorman->door, fd, address, length);
    bool first;

    if (visitor == NULL)
        return;
    pthread_mutex_lock(&doorman->lock);
    first = doorman->arrivals == NULL;
    visitor->next = doorman->arrivals;
    doorman->arrivals = visitor;
    pthread_mutex_unlock(&doorman->lock);
    if (first)
        doorman_wake(doorman);
}

void doorman_done(struct doorman *doorman)
{
    struct visitor *visitor;

    while ((visitor = doorman->arrivals) != NULL) {
        doorman->arrivals = visitor->next;
        close(visitor->fd);
        atomic_fetch_sub(&doorman->door->count, 1);
        free(visitor);
    }
}

static void take_arrivals(struct doorman *doorman)
{
    struct visitor *visitor, *next;

    pthread_mutex_lock(&doorman->lock);
    visitor = doorman->arrivals;
    doorman->arrivals = NULL;
    pthread_mutex_unlock(&doorman->lock);
    for (; visitor != NULL; visitor = next) {
        next = visitor->next;
        welcome(doorman, visitor);
    }
}

/* Who has not been handed over by now never is. */
static void send_away(struct doorman *doorman)
{
    struct visitor *visitor, *next;

    if (doorman->closed)
        return;
    doorman->closed = true;
    listen_or_not(doorman, false);
    DL_FOREACH_SAFE (doorman->visitors, visitor, next)
        if (visitor->lane == NULL)
            turn_away(doorman, visitor);
}

static int wait_time(const struct doorman *doorman)
{
    uint64_t now = crier_now(), until = doorman->http->due;

    if (doorman->again != NULL)
        return 0;
    if (doorman->visitors != NULL && !doorman->closed &&
        until > doorman->visitors->deadline)
        until = doorman->visitors->deadline;
    if (!doorman->listening && !doorman->closed && until > now + CROWDED_TIME)
        until = now + CROWDED_TIME;
    if (until == UINT64_MAX)
        return -1;
    return until <= now ? 0 : (int)(until - now);
}

/* One pass. Returns whether somebody has come to the listening socket. */
static bool pass(struct doorman *doorman, int wait)
{
    struct epoll_event events[EVENTS_PER_PASS];
    struct visitor *visitor;
    bool knock = false;
    int count, i;

    count = epoll_wait(doorman->epoll_fd, events, EVENTS_PER_PASS, wait);
    doorman->now = crier_now();
    for (i = 0; i < count; i++) {
        visitor = events[i].data.ptr;
        if (events[i].data.ptr == doorman->door) {
            knock = true;
        } else if (visitor != NULL &&
                   !http_is_ready(doorman->http, events[i].data.ptr)) {
            if (events[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
                visitor->hung_up = true;
            look(doorman, visitor);
        }
    }
    return knock;
}

void *doorman_run(void *argument)
{
    struct doorman *doorman = argument;
    bool shut, stop = false, knock;

    listen_or_not(doorman, true);
    while (!stop) {
        knock = pass(doorman, wait_time(doorman));
        pthread_mutex_lock(&doorman->lock);
        shut = doorman->shut;
        stop = doorman->stop;
        pthread_mutex_unlock(&doorman->lock);
        take_woken(doorman);
        look_again(doorman);
        take_arrivals(doorman);
        if (shut)
            send_away(doorman);
        else
            let_in(doorman, knock);
        http_run(doorman->http, doorman->now);
    }
    while (doorman->visitors != NULL)
        turn_away(doorman, doorman->visitors);
    return NULL;
}
