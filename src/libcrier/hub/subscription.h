#ifndef CRIER_SUBSCRIPTION_H
#define CRIER_SUBSCRIPTION_H

#include "hub.h"
#include "libcrier/stream/stream.h"

/* See subscriber.c. */
enum crier__subscriber_state {
    CRIER__LIVE,
    CRIER__READING,
    CRIER__BLOCKED,
    CRIER__RETRYING
};

/* One selector of one subscriber. */
struct crier__subscription {
    struct crier__subscription *prev, *next;
    struct crier__subscriber *subscriber;
    struct crier__subscriber_list *list; /* NULL: on none */
    uint64_t live; /* nothing up to the position before this one is wanted; 0: it
                      begins as `since` says */
};

/* A read, and whom it is for. */
struct crier__read_job {
    struct crier__read read;
    struct crier__task task;
    struct crier__subscriber *subscriber;
    struct crier__read_selector selectors[];
};

/* Who wants the result of the first read. */
struct crier__first_read {
    void (*on_read)(void *closure, int error, bool gap);
    void *closure;
};

struct crier__subscriber {
    struct crier__task join;
    struct crier__subscriber *prev, *next;
    struct crier__hub_shard *shard;
    struct crier_frame *start;   /* an id block that came too late to begin the body
                                    with: a reference or NULL */
    struct crier_frame *hello;   /* a reference or NULL */
    struct crier__timer retry;
    struct crier__read_job *job; /* kept between reads until it is live; or NULL */
    struct crier__first_read *first_read; /* owned; NULL: nobody, or it is reported */
    struct crier__selectors *selectors;
    char *id;        /* to resume from, or NULL */
    uint64_t number;
    uint64_t joined; /* where it would be with CRIER_SINCE_NOW */
    unsigned char since; /* enum crier_since; NOW: there is nothing left to resolve */
    bool once;
    bool end_line; /* as in crier_subscribe_options */
    bool needs_id; /* its client has no id yet and wants one, */
    unsigned char begin; /* in this way: enum crier_start */
    bool active;   /* on its lists; the directory counts it as active */
    bool listed;   /* among the shard's subscribers, with its timer reserved */
    bool detached; /* off all lists; freed when its read has been answered */
    bool behind;   /* it was live, and is not again yet: counted in the shard's `behind` */
    unsigned left; /* with `once`: how many updates it may still be sent; 0: all */

    /* What each delivery looks at; the first subscription is near on purpose. */
    enum crier__subscriber_state state;
    uint64_t missed;
    uint64_t cursor;
    struct crier_grants *grants; /* a reference or NULL */
    struct crier_stream *stream; /* a reference */
    struct crier__subscription subscriptions[]; /* one for each selector */
};

/* A subscriber that is to take over from the one of its stream. */
struct crier__change {
    struct crier__change *prev, *next;
    struct crier__subscriber *made;
    uint64_t after; /* of topics that are new to it nothing up to here is wanted */
    size_t cost;    /* in the backlog */
};

#endif
