#ifndef CRIERD_LINGER_H
#define CRIERD_LINGER_H

#include "watch.h"

#include <stdint.h>

/* The most connections that linger at a time on one thread. */
#define LINGER_MAX 16

/* A connection that has been answered and still receives. */
struct linger_socket {
    struct watch watch; /* first */
    int fd;             /* -1: this place is free */
    uint64_t deadline;  /* by crier_now() */
    uint64_t left;      /* bytes that are still read */
};

/* The connections of one thread that linger. All calls are its thread's. */
struct lingering_set {
    int epoll_fd;
    struct linger_socket sockets[LINGER_MAX];
};

/* Prepares LINGER, whose sockets will be watched in the set EPOLL_FD. */
void linger_init(struct lingering_set *linger, int epoll_fd);

/* Ends the sending half of the connection FD, on which the last response has been sent,
 * and reads what the client still sends, at most MOST bytes until DEADLINE (crier_now()),
 * so that closing FD, which stays the caller's, does not reset the connection before the
 * client has read the response. Where too many linger already, reads what is there now
 * and shuts the connection down. */
void linger_on(struct lingering_set *linger, int fd, uint64_t most,
               uint64_t deadline);

/* Closes the connections whose time is over at NOW. Returns the next deadline, or
 * UINT64_MAX. */
uint64_t linger_run(struct lingering_set *linger, uint64_t now);

/* Closes all of them. */
void linger_done(struct lingering_set *linger);

#endif
