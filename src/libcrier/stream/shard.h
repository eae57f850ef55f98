#ifndef CRIER_SHARD_H
#define CRIER_SHARD_H

#include "crier.h"
#include "base/timer.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

/* Something to be run once on a shard's thread; lives in its owner. */
struct crier__task {
    struct crier__task *next;
    void (*run)(struct crier__task *task);
};

/* The tasks that wait, in order. */
struct crier__queue {
    struct crier__task *first;
    struct crier__task **end;
};

/* What epoll reports on; lives in its owner. */
struct crier__watch {
    void (*ready)(struct crier__watch *watch, uint32_t events);
};

/* Whether a shard's thread is in epoll_wait, or about to be. */
enum crier__rest {
    CRIER__AWAKE,
    CRIER__DOZING, /* it is, for a moment */
    CRIER__ASLEEP
};

struct crier__shard {
    struct crier_shards *set;
    pthread_t thread;
    int epoll_fd;
    int wake_fd; /* an eventfd in the epoll set */
    unsigned index;
    atomic_size_t load; /* streams that are its own */

    /* Used by the shard's thread alone. */
    uint64_t now; /* crier_now() of this pass */
    struct crier__timers timers;
    struct crier__queue later;    /* the end of this pass */
    bool more; /* tasks of this pass, or updates of this task, are still to come */
    bool crowd; /* newcomers were among them: there may be more in a moment */
    struct crier_stream *streams; /* the attached ones, a utlist DL list */
    bool draining;

    /* Posted once each; what the goodbye says is set before. */
    struct crier__task shut_down;
    struct crier__task cut_off;
    uint32_t retry_min, retry_max;

    /* See times.c. */
    struct crier__task retime;
    atomic_bool retiming; /* it is posted */

    pthread_mutex_t lock; /* guards what follows */
    struct crier__queue inbox;
    enum crier__rest rest;
    bool newcomers; /* in the inbox */
    bool stop;
};

/* Starts SHARD's thread; the caller has set nothing but set and index in a
 * zeroed struct. -errno. */
int crier__shard_start(struct crier__shard *shard);

/* Ends the thread once its inbox is empty, and joins it. */
void crier__shard_join(struct crier__shard *shard);

/* After the join: runs what has come into the inbox since, here. Returns whether
 * there was anything. */
bool crier__shard_finish(struct crier__shard *shard);

/* After all that: frees what SHARD holds. */
void crier__shard_done(struct crier__shard *shard);

/* Hands TASK over to be run on SHARD's thread, after those posted before. Any
 * thread. TASK must not be posted again until it has begun to run. */
void crier__shard_post(struct crier__shard *shard, struct crier__task *task);

/* The same for what a new stream needs: when many come together it may take a
 * millisecond, and the shard is woken once for all of them. */
void crier__shard_post_newcomer(struct crier__shard *shard,
                                struct crier__task *task);

/* Has TASK run at the end of this pass. The shard's thread only. */
void crier__shard_later(struct crier__shard *shard, struct crier__task *task);

#endif
