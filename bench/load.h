#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A file descriptor in the load generator's epoll set. Embedded in its owner. */
struct watch {
    int fd; /* -1 for none */
    bool (*ready)(struct watch *watch, uint32_t events);
};

/* The load generator's loop: one epoll set, and the maximum time without progress. */
struct load {
    int epoll;
    uint64_t patience; /* ns */
    uint64_t progress; /* incremented whenever the run advances */
    uint64_t seen, since;
    uint64_t bytes; /* read by readers, including response headers */
};

/* Makes an empty loop. */
bool load_open(struct load *load, unsigned patience_seconds);

/* Frees the loop; watches belong to their owners. */
void load_close(struct load *load);

/* Watches WATCH->fd for EVENTS; replaces the events of a descriptor that is watched
 * already. */
bool load_watch(struct load *load, struct watch *watch, uint32_t events);

/* Returns a socket that is connecting to PORT of 127.0.0.1 from 127.0.0.(1 + FROM %
 * 16), with a receive buffer of WINDOW bytes (0 for the default); -1, with a fault, on
 * failure. A refused connection shows only when the socket is watched. */
int load_connect(unsigned port, size_t from, int window);

/* The same from LOAD_APART, an address that load_connect() never uses, with the default
 * receive buffer. */
#define LOAD_APART (INADDR_LOOPBACK + 0x10000)
int load_connect_apart(unsigned port);

/* Waits at most TIMEOUT ms and handles ready descriptors. Returns false after a fault,
 * a signal, or a time without progress as long as the patience: the fault then names
 * WHAT is missing. */
bool load_step(struct load *load, int timeout, const char *what);

/* Handles ready descriptors for MS ms. A lack of progress is no fault here. */
bool load_linger(struct load *load, unsigned ms);

#endif
