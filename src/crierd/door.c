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

#include "doorman.h"

#include "lane.h"
#include "thread_start.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

void door_wake(struct doorman *doorman, struct turn *turn)
{
    bool first;

    turn->woken_next = NULL;
    pthread_mutex_lock(&doorman->lock);
    first = doorman->woken == NULL;
    *doorman->woken_end = turn;
    doorman->woken_end = &turn->woken_next;
    pthread_mutex_unlock(&doorman->lock);
    if (first)
        doorman_wake(doorman);
}

/* ---- start and stop --------------------------------------------------- */

void doorman_wake(struct doorman *doorman)
{
    uint64_t one = 1;

    while (write(doorman->wake_fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

static bool start(struct doorman *doorman)
{
    /* Edge-triggered, so that the eventfd need not be read. */
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};

    doorman->woken_end = &doorman->woken;
    doorman->now = crier_now();
    doorman->window = malloc(LANE_WINDOW + 1);
    doorman->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    doorman->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (pthread_mutex_init(&doorman->lock, NULL) != 0)
        abort();
    if (doorman->window == NULL || doorman->epoll_fd < 0 ||
        doorman->wake_fd < 0 ||
        epoll_ctl(doorman->epoll_fd, EPOLL_CTL_ADD, doorman->wake_fd,
                  &event) != 0 ||
        !http_watch(doorman->http, doorman->epoll_fd))
        return false;
    return thread_start(&doorman->thread, doorman_run, doorman) == 0;
}

static void done(struct doorman *doorman)
{
    if (doorman->epoll_fd >= 0)
        close(doorman->epoll_fd);
    if (doorman->wake_fd >= 0)
        close(doorman->wake_fd);
    free(doorman->window);
    pthread_mutex_destroy(&doorman->lock);
}

struct door *door_open(struct server *server, struct http *http, int socket)
{
    unsigned threads = server->conf->threads;
    struct door *door =
        calloc(1, sizeof *door + threads * sizeof door->doormen[0]);

    if (door == NULL) {
        close(socket);
        return NULL;
    }
    door->server = server;
    door->http = http;
    door->socket = socket;
    door->crowded = (int)server->descriptors.crowded;
    while (door->started < threads) {
        door->doormen[door->started].door = door;
        door->doormen[door->started].http = &http->loops[door->started];
        if (!start(&door->doormen[door->started])) {
            done(&door->doormen[door->started]);
            door_close(door);
            return NULL;
        }
        door->started++;
    }
    return door;
}

size_t door_count(struct door *door)
{
    return atomic_load(&door->count);
}

void door_let_in(struct door *door, int fd, const struct sockaddr *address,
                 socklen_t length)
{
    unsigned turn = atomic_fetch_add(&door->next, 1) % door->started;

    doorman_receive(&door->doormen[turn], fd, address, length);
}

/* Tells all doormen, also to STOP. */
static void tell(struct door *door, bool stop)
{
    struct doorman *doorman = door->doormen;

    for (; doorman < door->doormen + door->started; doorman++) {
        pthread_mutex_lock(&doorman->lock);
        doorman->shut = true;
        doorman->stop = stop;
        pthread_mutex_unlock(&doorman->lock);
        doorman_wake(doorman);
    }
}

void door_shut(struct door *door)
{
    (void)shutdown(door->socket, SHUT_RDWR); /* refuses from here on */
    tell(door, false);
}

void door_close(struct door *door)
{
    unsigned i;

    tell(door, true);
    for (i = 0; i < door->started; i++)
        pthread_join(door->doormen[i].thread, NULL);
    for (i = 0; i < door->started; i++) {
        doorman_done(&door->doormen[i]);
        done(&door->doormen[i]);
    }
    close(door->socket);
    free(door);
}
