#ifndef CRIERD_ACCEPTOR_H
#define CRIERD_ACCEPTOR_H

#include "service.h"

struct acceptor_options {
    const struct service *service;
    void *context; /* the first argument of service->loop() */
    unsigned threads;
    const struct listeners *listeners; /* which stay the caller's */
    int crowded; /* the first descriptor that is one too many (descriptors.h) */
};

struct acceptor;

/* Accepts the connections that come to the listeners and hands them to the service; both
 * must be there until the acceptor is closed. Nothing is accepted while descriptors are
 * short. NULL when it cannot start. */
struct acceptor *acceptor_open(const struct acceptor_options *options);

/* Accepts FD (the acceptor's from here on, also on failure) as if it had come to LISTENER
 * from ADDRESS of LENGTH bytes. Any thread. */
void acceptor_let_in(struct acceptor *acceptor, int fd,
                     const struct listener *listener,
                     const struct sockaddr *address, socklen_t length);

/* How many connections wait for the head of their first request. Any thread. */
size_t acceptor_count(struct acceptor *acceptor);

/* Asks each thread for a sign of life, and returns how many have not given one since an
 * earlier call. Any thread; never waits. */
unsigned acceptor_silent(struct acceptor *acceptor);

/* Accepts and hands over nothing from now on, and refuses connections
 * (listeners_shut()). The service goes on with what it has. */
void acceptor_shut(struct acceptor *acceptor);

/* Stops the service's loops, closes all connections and frees ACCEPTOR. */
void acceptor_close(struct acceptor *acceptor);

#endif
