#ifndef CRIERD_ACCEPTOR_THREAD_H
#define CRIERD_ACCEPTOR_THREAD_H

#include "acceptor.h"

#include <pthread.h>
#include <stdatomic.h>

struct visitor;

/* One of the threads that let connections in. */
struct acceptor_thread {
    struct acceptor *acceptor;
    pthread_t thread;
    struct http_loop *http; /* the daemons that its thread runs */
    int epoll_fd, wake_fd;

    /* The thread's alone. */
    uint64_t now; /* crier_now() of this pass */
    bool listening; /* the listening socket is in the epoll set */
    bool crowded;   /* the last descriptor was one too many */
    bool closed;    /* nobody is handed over any more */
    uint64_t made_room; /* crier_now() when HTTP was last asked for that */
    struct visitor *visitors; /* by deadline */
    struct visitor *again;    /* to be looked at in the next pass */
    char *window;             /* LANE_WINDOW and one for a NUL */

    pthread_mutex_t lock; /* guards what follows */
    struct turn *woken, **woken_end;
    struct visitor *arrivals; /* of acceptor_let_in() */
    bool shut, stop;
};

struct acceptor {
    struct server *server;
    struct http *http;
    int socket;
    int crowded; /* the first descriptor that is one too many */
    atomic_size_t count; /* visitors, of all doormen */
    atomic_uint next;    /* the doorman for acceptor_let_in() */
    atomic_uint started;
    struct acceptor_thread doormen[];
};

/* What a doorman's thread runs, until it is told to stop. */
void *acceptor_thread_run(void *thread);

/* Has DOORMAN let FD in, or closes it when memory is short. Any thread. */
void acceptor_thread_receive(struct acceptor_thread *thread, int fd,
                     const struct sockaddr *address, socklen_t length);

/* Closes what was received when DOORMAN's thread had ended. */
void acceptor_thread_done(struct acceptor_thread *thread);

/* Has DOORMAN's thread make a pass. Any thread. */
void acceptor_thread_wake(struct acceptor_thread *thread);

#endif
