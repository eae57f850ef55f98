/*
 * Connections that linger: their last response has been sent while the client was still
 * sending a body that is not wanted.
 *
 * A socket that is closed with bytes unread, or that receives some afterwards, answers
 * with a reset; and a client that gets a reset while it sends may never read the
 * response that came before (RFC 9112 section 9.6). So the sending half is closed first,
 * and what comes is read and dropped until the client closes, has sent too much, or its
 * time is over. The descriptor is a duplicate, so the caller may close its own.
 *
 * Rejected: to read the body before the response is sent. A client would upload all of
 * it to learn that it is too large, or for a path that there is not.
 */
#include <config.h>

#include "linger.h"

#include <fcntl.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static void close_lingering(struct linger_socket *lingering)
{
    close(lingering->fd);
    lingering->fd = -1;
}

/* Reads what has come on FD, and takes it off *LEFT. False when there will be no more, or
 * no more is wanted. */
static bool discard_received(int fd, uint64_t *left)
{
    char buffer[16384];
    ssize_t got;

    while ((got = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT)) > 0) {
        if (*left < (uint64_t)got)
            return false;
        *left -= (uint64_t)got;
        if ((size_t)got < sizeof buffer)
            return true;
    }
    return got != 0;
}

static void read_lingering(struct watch *watch, uint32_t events)
{
    struct linger_socket *lingering = (struct linger_socket *)watch;

    if (lingering->fd < 0)
        return;
    if (!discard_received(lingering->fd, &lingering->left) ||
        (events & (EPOLLHUP | EPOLLERR)) != 0)
        close_lingering(lingering);
}

void linger_init(struct lingering_set *linger, int epoll_fd)
{
    size_t i;

    linger->epoll_fd = epoll_fd;
    for (i = 0; i < LINGER_MAX; i++) {
        linger->sockets[i].watch.on_events = read_lingering;
        linger->sockets[i].fd = -1;
    }
}

/* Has a duplicate of FD watched in the free place LINGERING. False when the kernel
 * refuses. */
static bool watch_duplicate(struct lingering_set *linger,
                            struct linger_socket *lingering, int fd)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP,
                                .data.ptr = &lingering->watch};

    lingering->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (lingering->fd < 0)
        return false;
    if (epoll_ctl(linger->epoll_fd, EPOLL_CTL_ADD, lingering->fd, &event) == 0)
        return true;
    close_lingering(lingering);
    return false;
}

void linger_on(struct lingering_set *linger, int fd, uint64_t most,
               uint64_t deadline)
{
    struct linger_socket *lingering = linger->sockets;

    while (lingering < linger->sockets + LINGER_MAX && lingering->fd >= 0)
        lingering++;
    if (lingering == linger->sockets + LINGER_MAX ||
        !watch_duplicate(linger, lingering, fd)) {
        (void)discard_received(fd, &most);
        (void)shutdown(fd, SHUT_RDWR);
        return;
    }
    lingering->left = most;
    lingering->deadline = deadline;
    (void)shutdown(fd, SHUT_WR);
}

uint64_t linger_run(struct lingering_set *linger, uint64_t now)
{
    struct linger_socket *lingering = linger->sockets;
    uint64_t next = UINT64_MAX;

    for (; lingering < linger->sockets + LINGER_MAX; lingering++) {
        if (lingering->fd < 0)
            continue;
        if (lingering->deadline <= now)
            close_lingering(lingering);
        else if (lingering->deadline < next)
            next = lingering->deadline;
    }
    return next;
}

void linger_done(struct lingering_set *linger)
{
    (void)linger_run(linger, UINT64_MAX);
}
