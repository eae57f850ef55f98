#ifndef CRIER_SUBSCRIPTION_H
#define CRIER_SUBSCRIPTION_H

#include "hub.h"
#include "libcrier/stream/stream.h"

/* See subscriber.c. */
enum crier__subscribe_state {
    CRIER__LIVE,
    CRIER__ASKED,
    CRIER__FULL,
    CRIER__WAITING
};

/* One topic of one subscriber; on the line of the topic. */
struct crier__sub {
    struct crier__sub *prev, *next;
    struct crier__subscriber *subscriber;
    struct crier__line *line; /* NULL: not on one */
    uint64_t live; /* nothing up to the position before this one is meant; 0: it
                      begins as `since` says */
};

/* A read, and what it is about. */
struct crier__subscribe_job {
    struct crier__read read;
    struct crier__task task;
    struct crier__subscriber *subscriber;
    struct crier__selector selectors[];
};

/* Who is to hear of the first read. */
struct crier__first_read {
    void (*on_read)(void *closure, int error);
    void *closure;
};

struct crier__subscriber {
    struct crier__task join;
    struct crier__subscriber *prev, *next;
    struct crier__part *part;
    struct crier_frame *start;   /* an id block that came too late to be what the
                                    body begins with: a reference or NULL */
    struct crier_frame *hello;   /* a reference or NULL */
    struct crier__timer again;
    struct crier__subscribe_job *job; /* while it reads */
    struct crier__first_read *first_read; /* owned; NULL: nobody, or it has been */
    char *topics;    /* a list */
    char *id;        /* to resume from, or NULL */
    uint64_t number;
    uint64_t joined; /* where it would be with CRIER_SINCE_NOW */
    enum crier_since since; /* NOW: there is nothing to be resolved any more */
    bool once;
    bool untold; /* its client has no id yet, and is to get one */
    bool awake; /* on the lines, and told of updates */
    bool timed; /* the timer is reserved */
    bool gone;  /* off the lines; to be freed when the read is answered */
    unsigned sub_count;

    /* What each update looks at; the first sub is meant to be near. */
    enum crier__subscribe_state state;
    uint64_t missed;
    uint64_t cursor;
    struct crier_stream *stream; /* a reference */
    struct crier__sub subs[];
};

/* One that is to take over from the subscriber of its stream. */
struct crier__change {
    struct crier__change *prev, *next;
    struct crier__subscriber *made;
    uint64_t after; /* of topics that are new to it, nothing up to here is meant */
    size_t cost;    /* in the backlog */
};

#endif
