#ifndef CRIERD_PIPELINE_H
#define CRIERD_PIPELINE_H

#include "server.h"
#include "crierd/net/peer.h"
#include "crierd/net/watch.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

struct pipeline;
struct turn;

/* The pipelines of one thread. A pipeline is a connection whose client sends requests
 * that its routes allow a pipeline to take (route.h), and no others. */
struct pipelines {
    struct server *server;
    atomic_uint *connections; /* counts them, too */
    void (*wake)(void *closure);
    void (*leave)(void *closure, int fd, const struct peer *peer);
    void *closure;
    int epoll_fd;
    char *window;
    struct pipeline *by_deadline;
    struct pipeline *ready; /* to be run in the next pipelines_run() */

    pthread_mutex_t lock; /* guards what follows */
    struct turn *woken, **woken_end;
};

/* Prepares PIPELINES. They call WAKE, on any thread, when pipelines_run() is to be called,
 * and LEAVE for a connection whose next request, unread, is not for a pipeline: LEAVE
 * owns FD. CONNECTIONS is incremented for each. False when memory is short;
 * pipelines_done() is to be called all the same. */
bool pipelines_init(struct pipelines *pipelines, struct server *server,
                    atomic_uint *connections, void (*wake)(void *closure),
                    void (*leave)(void *closure, int fd,
                                  const struct peer *peer),
                    void *closure);

/* From now on connections are watched in the set EPOLL_FD. */
void pipelines_watch(struct pipelines *pipelines, int epoll_fd);

/* Makes a pipeline of the connection FD from PEER; LOCAL: FD is a unix socket. False when
 * memory is short or the kernel refuses, and FD is still the caller's. The thread's, as all that follow. */
bool pipelines_take(struct pipelines *pipelines, int fd,
                    const struct peer *peer, bool local);

/* Sends the responses that are there, reads and handles requests, and closes what is
 * overdue at NOW, by crier_now(). */
void pipelines_run(struct pipelines *pipelines, uint64_t now);

/* When pipelines_run() is to be called; UINT64_MAX: when there is an event. */
uint64_t pipelines_due(const struct pipelines *pipelines);

/* Closes the one that has been idle longest, if that is since SINCE or longer. False when
 * there is none. */
bool pipelines_close_idle(struct pipelines *pipelines, uint64_t since);

/* Closes all of them. Every question of a handler must have been answered. */
void pipelines_close(struct pipelines *pipelines);

/* Frees what pipelines_init() made. */
void pipelines_done(struct pipelines *pipelines);

#endif
