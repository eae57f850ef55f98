/*
 * The sockets and timers of libcurl in an epoll set, whose descriptor polls readable
 * when there is work. So a program with a loop of its own watches one descriptor, and
 * no thread is needed.
 *
 * Rejected: curl_multi_poll(), which cannot be nested in another loop; and
 * curl_multi_fdset(), whose result changes with every call.
 */
#include <config.h>

#include "loop.h"

#include "crier.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define EVENTS 16

/* ---- timers ----------------------------------------------------------- */

static void arm_timer(struct crier__loop *loop)
{
    uint64_t at = loop->at < loop->curl_at ? loop->at : loop->curl_at;
    struct itimerspec when = {0};

    if (at == loop->armed)
        return;
    loop->armed = at;
    if (at != CRIER__NEVER) {
        when.it_value.tv_sec = (time_t)(at / 1000);
        when.it_value.tv_nsec = (long)(at % 1000) * 1000000;
        if (at == 0)
            when.it_value.tv_nsec = 1; /* zero would disarm it */
    }
    timerfd_settime(loop->timer, TFD_TIMER_ABSTIME, &when, NULL);
}

void crier__loop_at(struct crier__loop *loop, uint64_t at)
{
    loop->at = at;
    arm_timer(loop);
}

static int set_curl_timer(CURLM *multi, long milliseconds, void *closure)
{
    struct crier__loop *loop = closure;

    (void)multi;
    loop->curl_at = milliseconds >= 0 ? crier_now() + (uint64_t)milliseconds
                                      : CRIER__NEVER;
    arm_timer(loop);
    return 0;
}

/* ---- sockets ---------------------------------------------------------- */

static int set_curl_socket(CURL *handle, curl_socket_t socket, int what,
                           void *closure, void *known)
{
    struct crier__loop *loop = closure;
    struct epoll_event event = {.data.fd = socket};

    (void)handle;
    (void)known;
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(loop->set, EPOLL_CTL_DEL, socket, NULL);
        return 0;
    }
    if (what != CURL_POLL_OUT)
        event.events |= EPOLLIN;
    if (what != CURL_POLL_IN)
        event.events |= EPOLLOUT;
    /* A socket may have been closed and its number used again unnoticed. An error
     * returned here would end all transfers, later ones too. */
    if (epoll_ctl(loop->set, EPOLL_CTL_MOD, socket, &event) != 0 &&
        epoll_ctl(loop->set, EPOLL_CTL_ADD, socket, &event) != 0)
        loop->stuck = true;
    return 0;
}

static int watch_socket(struct crier__loop *loop, int descriptor)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = descriptor};

    return epoll_ctl(loop->set, EPOLL_CTL_ADD, descriptor, &event);
}

/* ---- the loop --------------------------------------------------------- */

int crier__loop_init(struct crier__loop *loop)
{
    int error;

    memset(loop, 0, sizeof *loop);
    loop->at = loop->curl_at = loop->armed = CRIER__NEVER;
    loop->set = epoll_create1(EPOLL_CLOEXEC);
    loop->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    loop->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (loop->set < 0 || loop->timer < 0 || loop->wake < 0 ||
        watch_socket(loop, loop->timer) != 0 || watch_socket(loop, loop->wake) != 0) {
        error = -errno;
        crier__loop_done(loop);
        return error;
    }
    loop->multi = curl_multi_init();
    if (loop->multi == NULL) {
        crier__loop_done(loop);
        return -ENOMEM;
    }
    curl_multi_setopt(loop->multi, CURLMOPT_SOCKETFUNCTION, set_curl_socket);
    curl_multi_setopt(loop->multi, CURLMOPT_SOCKETDATA, loop);
    curl_multi_setopt(loop->multi, CURLMOPT_TIMERFUNCTION, set_curl_timer);
    curl_multi_setopt(loop->multi, CURLMOPT_TIMERDATA, loop);
    return 0;
}

void crier__loop_done(struct crier__loop *loop)
{
    if (loop->multi != NULL)
        curl_multi_cleanup(loop->multi);
    if (loop->set >= 0)
        close(loop->set);
    if (loop->timer >= 0)
        close(loop->timer);
    if (loop->wake >= 0)
        close(loop->wake);
}

void crier__loop_end(struct crier__loop *loop)
{
    /* It may hold sockets of connections that it is still shutting down. */
    curl_multi_cleanup(loop->multi);
    loop->multi = NULL;
    epoll_ctl(loop->set, EPOLL_CTL_DEL, loop->timer, NULL);
    epoll_ctl(loop->set, EPOLL_CTL_DEL, loop->wake, NULL);
}

void crier__loop_wake(struct crier__loop *loop)
{
    uint64_t one = 1;

    /* The write fails only when the descriptor is readable already. */
    if (write(loop->wake, &one, sizeof one) < 0)
        return;
}

void crier__loop_hold(struct crier__loop *loop)
{
    if (!loop->woken)
        crier__loop_wake(loop);
    loop->woken = true;
}

static void act_on_sockets(struct crier__loop *loop, curl_socket_t socket, int what)
{
    int running;

    if (curl_multi_socket_action(loop->multi, socket, what, &running) !=
        CURLM_OK)
        loop->stuck = true;
}

static void take_result(struct crier__loop *loop, const struct epoll_event *event)
{
    uint64_t count;
    int what = 0;

    if (event->data.fd == loop->wake) {
        if (read(loop->wake, &count, sizeof count) > 0)
            loop->woken = false;
        return;
    }
    if (event->data.fd == loop->timer) {
        /* Both times may be due; the owner of `at` checks the clock. */
        if (read(loop->timer, &count, sizeof count) < 0)
            return;
        loop->armed = CRIER__NEVER;
        if (loop->at <= crier_now())
            loop->at = CRIER__NEVER;
        if (loop->curl_at <= crier_now()) {
            loop->curl_at = CRIER__NEVER;
            act_on_sockets(loop, CURL_SOCKET_TIMEOUT, 0);
        }
        arm_timer(loop);
        return;
    }
    if ((event->events & EPOLLIN) != 0)
        what |= CURL_CSELECT_IN;
    if ((event->events & EPOLLOUT) != 0)
        what |= CURL_CSELECT_OUT;
    if ((event->events & (EPOLLERR | EPOLLHUP)) != 0)
        what |= CURL_CSELECT_ERR;
    act_on_sockets(loop, event->data.fd, what);
}

bool crier__loop_step(struct crier__loop *loop)
{
    struct epoll_event events[EVENTS];
    int count = epoll_wait(loop->set, events, EVENTS, 0), i;

    for (i = 0; i < count; i++)
        take_result(loop, &events[i]);
    return count > 0;
}
