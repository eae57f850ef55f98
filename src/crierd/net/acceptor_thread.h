#ifndef CRIERD_ACCEPTOR_THREAD_H
#define CRIERD_ACCEPTOR_THREAD_H

#include "service.h"
#include "watch.h"

#include <pthread.h>
#include <stdatomic.h>

struct acceptor_thread;
struct waiting;

/* Waiting connections are counted by a hash of their address, which is below this. */
#define ACCEPTOR_CROWDS 256

/* A listener, as one thread watches it. */
struct listening {
    struct watch watch; /* of its socket; first */
    struct acceptor_thread *thread;
    const struct listener *listener;
    bool readable; /* a connection has come to it */
    bool watched;  /* in the epoll set */
};

/* One of the threads that accept connections. */
struct acceptor_thread {
    const struct service *service;
    void *loop; /* the service's for this thread */
    const struct listeners *listeners;
    int limit; /* the first descriptor that is one too many */
    struct acceptor_thread *threads; /* all of them */
    unsigned count;
    atomic_size_t *waiting_count; /* of all threads */
    pthread_t thread;
    int epoll_fd, wake_fd;

    /* The thread's alone. */
    uint64_t now;        /* crier_now() of this pass */
    struct listening *listenings; /* one for each listener */
    size_t next;         /* the first of them in the next pass */
    bool crowded;        /* the last descriptor was one too many */
    bool closed;         /* nothing is handed over any more */
    uint64_t ended_idle; /* crier_now() of the last end_idle() */
    struct waiting *waitings; /* by deadline */
    char *window;             /* for service->head_max bytes and a NUL */
    unsigned crowds[ACCEPTOR_CROWDS]; /* of waitings, by their addresses */

    pthread_mutex_t lock;     /* guards what follows */
    struct waiting *arrivals; /* from other threads */
    bool shut, stop;
    bool asked; /* for a sign of life, and has not given it */
};

/* Makes what THREAD needs to run; the members above `thread` are set. Returns false when
 * memory or descriptors are short; acceptor_thread_done() frees what was made. */
bool acceptor_thread_prepare(struct acceptor_thread *thread);

/* Starts THREAD. All threads have been prepared. */
bool acceptor_thread_start(struct acceptor_thread *thread);

/* Makes THREAD accept FD, or closes it when memory is short or THREAD has been shut. Any
 * thread. */
void acceptor_thread_receive(struct acceptor_thread *thread, int fd,
                             const struct listener *listener,
                             const struct sockaddr *address, socklen_t length);

/* Asks THREAD for a sign of life. Returns whether it has not given one since an earlier
 * call. Any thread. */
bool acceptor_thread_silent(struct acceptor_thread *thread);

/* Makes THREAD hand over nothing any more, and end if STOP. Any thread. */
void acceptor_thread_shut(struct acceptor_thread *thread, bool stop);

/* Waits for the end of THREAD. */
void acceptor_thread_join(struct acceptor_thread *thread);

/* Closes what THREAD received when it had ended, and frees what was prepared. All threads
 * have ended. */
void acceptor_thread_done(struct acceptor_thread *thread);

#endif
