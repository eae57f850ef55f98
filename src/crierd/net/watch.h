#ifndef CRIERD_WATCH_H
#define CRIERD_WATCH_H

#include <stdint.h>

/* What an event of an acceptor thread's epoll set is about: `data.ptr` of each points to
 * one of these, which is a member of the structure that is watched. It must be there as
 * long as its descriptor is in the set, and until the pass that reports its event has
 * ended or has called on_events. */
struct watch {
    /* Reports EVENTS (EPOLLIN ...). The thread of the epoll set. */
    void (*on_events)(struct watch *watch, uint32_t events);
};

#endif
