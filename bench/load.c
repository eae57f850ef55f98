/*
 * The load generator's loop: one thread with one epoll set, level-triggered.
 *
 * Subscribers and publishers share it, so the times of sending and receiving come from
 * the same clock on the same thread. The generator is one process and uses at most one
 * CPU. Its share of that CPU is reported with each figure: near 100 % the rate and the
 * latencies are limited by the generator, not by the server (the server's CPU per
 * delivery is still right).
 *
 * Connections come from sixteen addresses of 127.0.0.0/8, because one address has only
 * about 28,000 ports.
 */
#include <config.h>

#include "load.h"

#include "fault.h"
#include "usage.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS 512
#define ADDRESSES 16

bool load_open(struct load *load, unsigned patience_seconds)
{
    memset(load, 0, sizeof *load);
    load->patience = patience_seconds * (uint64_t)1000000000;
    load->since = usage_now();
    load->epoll = epoll_create1(EPOLL_CLOEXEC);
    return load->epoll >= 0 || fault("epoll: %s", strerror(errno));
}

void load_close(struct load *load)
{
    if (load->epoll >= 0)
        close(load->epoll);
    load->epoll = -1;
}

bool load_watch(struct load *load, struct watch *watch, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = watch};

    if (epoll_ctl(load->epoll, EPOLL_CTL_MOD, watch->fd, &event) == 0)
        return true;
    if (errno == ENOENT &&
        epoll_ctl(load->epoll, EPOLL_CTL_ADD, watch->fd, &event) == 0)
        return true;
    return fault("epoll: %s", strerror(errno));
}

/* Returns a socket that is connecting to PORT from the address FROM, in host order. */
static int connect_from(unsigned port, uint32_t from, int window)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    int on = 1, fd;

    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        (void)fault("cannot open a socket: %s", strerror(errno));
        return -1;
    }
    address.sin_addr.s_addr = htonl(from);
    (void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (window != 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &window, sizeof window);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) == 0) {
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address.sin_port = htons((uint16_t)port);
        if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0 ||
            errno == EINPROGRESS || errno == ECONNREFUSED)
            return fd;
    }
    (void)fault("cannot connect: %s", strerror(errno));
    close(fd);
    return -1;
}

int load_connect(unsigned port, size_t from, int window)
{
    return connect_from(port, INADDR_LOOPBACK + 1 + (uint32_t)(from % ADDRESSES), window);
}

int load_connect_apart(unsigned port) { return connect_from(port, LOAD_APART, 0); }

/* Returns whether there was progress within the patience. */
static bool check_progress(struct load *load, const char *what)
{
    uint64_t now = usage_now();

    if (load->progress != load->seen) {
        load->seen = load->progress;
        load->since = now;
    }
    return now - load->since < load->patience ||
           fault("%s: no progress for %u s", what,
                 (unsigned)(load->patience / 1000000000));
}

static bool handle_events(struct load *load, int timeout)
{
    struct epoll_event events[EVENTS];
    int count = epoll_wait(load->epoll, events, EVENTS, timeout);
    struct watch *watch;

    if (count < 0 && errno != EINTR)
        return fault("epoll: %s", strerror(errno));
    for (int i = 0; i < count; i++) {
        watch = events[i].data.ptr;
        if (watch->fd >= 0 && !watch->ready(watch, events[i].events))
            return false;
    }
    return !fault_interrupted();
}

bool load_step(struct load *load, int timeout, const char *what)
{
    return handle_events(load, timeout) && check_progress(load, what);
}

bool load_linger(struct load *load, unsigned ms)
{
    uint64_t now = usage_now(), until = now + ms * (uint64_t)1000000;

    while (now < until) {
        if (!handle_events(load, (int)((until - now) / 1000000) + 1))
            return false;
        now = usage_now();
    }
    load->progress++;
    return true;
}
