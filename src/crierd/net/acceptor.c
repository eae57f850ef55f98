/*
 * The door: who connects waits here until the head of the first request is there, as a
 * whole. Then libmicrohttpd gets the connection, with nothing read from it, and runs on
 * the same thread (http_loop.c); or a lane does, if the client publishes (lane.c).
 *
 * Why libmicrohttpd does not accept by itself:
 *
 *   - A connection costs it a block of memory whose size is fixed beforehand, and that
 *     is most of what an idle client costs. Here it is known what the request needs,
 *     and one for a stream gets the smallest block that will do (http_loop.c).
 *   - It waits 30 s for each next byte of a head, and so for ever for a client that
 *     sends one now and then. The door gives 30 s for all of the head; and where
 *     descriptors are short, who has waited longest has to go. A connection that has
 *     sent nothing costs a few hundred bytes.
 *   - After accept() has failed for want of files it lets nobody in until somebody
 *     leaves, and all it has may be streams that stay for days.
 *   - It cannot stop accepting: MHD_quiesce_daemon aborts the program when it races
 *     with an accept (0.9.75).
 *
 * All doormen (doorman.c) listen on the one socket. The kernel gives a connection out
 * when its first bytes are there (listener.c), so most need not be waited for here.
 *
 * Lock order: a doorman's lock is the last, like a shard's: it is held to put a turn
 * in or to take all of them.
 */
#include <config.h>

#include "acceptor_thread.h"

#include "crierd/http/pipeline.h"
#include "base/thread.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

void acceptor_wake(struct acceptor_thread *thread, struct turn *turn)
{
    bool first;

    turn->woken_next = NULL;
    pthread_mutex_lock(&thread->lock);
    first = thread->woken == NULL;
    *thread->woken_end = turn;
    thread->woken_end = &turn->woken_next;
    pthread_mutex_unlock(&thread->lock);
    if (first)
        acceptor_thread_wake(thread);
}

/* ---- start and stop --------------------------------------------------- */

void acceptor_thread_wake(struct acceptor_thread *thread)
{
    uint64_t one = 1;

    while (write(thread->wake_fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

static bool start(struct acceptor_thread *thread)
{
    /* Edge-triggered, so that the eventfd need not be read. */
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};

    thread->woken_end = &thread->woken;
    thread->now = crier_now();
    thread->window = malloc(LANE_WINDOW + 1);
    thread->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    thread->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (pthread_mutex_init(&thread->lock, NULL) != 0)
        abort();
    if (thread->window == NULL || thread->epoll_fd < 0 ||
        thread->wake_fd < 0 ||
        epoll_ctl(thread->epoll_fd, EPOLL_CTL_ADD, thread->wake_fd,
                  &event) != 0 ||
        !http_watch(thread->http, thread->epoll_fd))
        return false;
    return crier__thread_start(&thread->thread, acceptor_thread_run, thread) == 0;
}

static void done(struct acceptor_thread *thread)
{
    if (thread->epoll_fd >= 0)
        close(thread->epoll_fd);
    if (thread->wake_fd >= 0)
        close(thread->wake_fd);
    free(thread->window);
    pthread_mutex_destroy(&thread->lock);
}

struct acceptor *acceptor_open(struct server *server, struct http *http, int socket)
{
    unsigned threads = server->conf->threads;
    struct acceptor *acceptor =
        calloc(1, sizeof *acceptor + threads * sizeof acceptor->doormen[0]);

    if (acceptor == NULL) {
        close(socket);
        return NULL;
    }
    acceptor->server = server;
    acceptor->http = http;
    acceptor->socket = socket;
    acceptor->crowded = (int)server->descriptors.crowded;
    while (acceptor->started < threads) {
        acceptor->doormen[acceptor->started].acceptor = acceptor;
        acceptor->doormen[acceptor->started].http = &http->loops[acceptor->started];
        if (!start(&acceptor->doormen[acceptor->started])) {
            done(&acceptor->doormen[acceptor->started]);
            acceptor_close(acceptor);
            return NULL;
        }
        acceptor->started++;
    }
    return acceptor;
}

size_t acceptor_count(struct acceptor *acceptor)
{
    return atomic_load(&acceptor->count);
}

void acceptor_let_in(struct acceptor *acceptor, int fd, const struct sockaddr *address,
                 socklen_t length)
{
    unsigned turn = atomic_fetch_add(&acceptor->next, 1) % acceptor->started;

    acceptor_thread_receive(&acceptor->doormen[turn], fd, address, length);
}

/* Tells all doormen, also to STOP. */
static void tell(struct acceptor *acceptor, bool stop)
{
    struct acceptor_thread *thread = acceptor->doormen;

    for (; thread < acceptor->doormen + acceptor->started; thread++) {
        pthread_mutex_lock(&thread->lock);
        thread->shut = true;
        thread->stop = stop;
        pthread_mutex_unlock(&thread->lock);
        acceptor_thread_wake(thread);
    }
}

void acceptor_shut(struct acceptor *acceptor)
{
    (void)shutdown(acceptor->socket, SHUT_RDWR); /* refuses from here on */
    tell(acceptor, false);
}

void acceptor_close(struct acceptor *acceptor)
{
    unsigned i;

    tell(acceptor, true);
    for (i = 0; i < acceptor->started; i++)
        pthread_join(acceptor->doormen[i].thread, NULL);
    for (i = 0; i < acceptor->started; i++) {
        acceptor_thread_done(&acceptor->doormen[i]);
        done(&acceptor->doormen[i]);
    }
    close(acceptor->socket);
    free(acceptor);
}
