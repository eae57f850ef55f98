#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* One file descriptor of the load generator's epoll set. Lives in its owner.
 */
struct watch {
    int fd; /* -1 when there is none */
    bool (*ready)(struct watch *watch, uint32_t events);
};

/* The load generator's loop: one epoll set, which waits no longer than
 * `patience` for anything to happen. */
struct load {
    int epoll;
    uint64_t patience; /* ns */
    uint64_t progress; /* counted up by whatever brings the run forward */
    uint64_t seen, since;
    uint64_t bytes; /* that readers read, headers of answers included */
};

/* An empty loop. */
bool load_open(struct load *load, unsigned patience_seconds);

/* Frees what load_open() made; the watches are their owners'. */
void load_close(struct load *load);

/* Watches WATCH->fd for EVENTS; again with other ones when it is watched. */
bool load_watch(struct load *load, struct watch *watch, uint32_t events);

/* A socket that connects to PORT of 127.0.0.1 from 127.0.0.(2 + FROM % 16);
 * its receive buffer has WINDOW bytes, or for 0 what is usual. -1, with a
 * fault, when it cannot; that nobody listens is learned by watching it. */
int load_connect(unsigned port, size_t from, int window);

/* Waits at most TIMEOUT ms and handles what is ready. False after a fault, an
 * interruption, and when nothing made progress for as long as the patience
 * lasts: then WHAT says in the fault what did not come. */
bool load_step(struct load *load, int timeout, const char *what);

/* Handles what comes for MS ms, and no progress is no fault. */
bool load_linger(struct load *load, unsigned ms);

#endif
