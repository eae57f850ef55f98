#ifndef CRIER_SHARD_H
#define CRIER_SHARD_H

#include "crier.h"
#include "base/timer.h"
#include "tally.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

/* A function that runs once on the thread of a shard; embedded in its owner. */
struct crier__task {
    struct crier__task *next;
    void (*run)(struct crier__task *task);
};

/* Tasks in the order in which they run. */
struct crier__queue {
    struct crier__task *first;
    struct crier__task **end;
};

/* The receiver of epoll events; embedded in its owner. */
struct crier__watch {
    void (*ready)(struct crier__watch *watch, uint32_t events);
};

/* Whether the thread of a shard is in epoll_wait(), or about to be. */
enum crier__rest {
    CRIER__AWAKE,
    CRIER__DOZING, /* for a millisecond; a new stream does not end it */
    CRIER__ASLEEP
};

struct crier__shard {
    struct crier_shards *set;
    pthread_t thread;
    int epoll_fd;
    int wake_fd; /* an eventfd in the epoll set */
    unsigned index;
    atomic_size_t load; /* the number of its streams */

    /* Used by the shard's thread alone. */
    uint64_t now; /* crier_now() of this pass */
    struct crier__timers timers;
    struct crier__queue later;    /* the deferred tasks, run at the end of this pass */
    bool more;  /* further tasks of this pass, or updates of this task, follow */
    bool crowd; /* this pass had new streams: more may follow in a moment */
    struct crier_stream *streams; /* the attached streams, a utlist DL list */
    bool draining;
    struct crier__tally tally; /* far from what other threads write */

    /* Each is posted once; the bounds of the retry are set before. */
    struct crier__task shut_down;
    struct crier__task cut_off;
    uint32_t retry_min, retry_max;

    /* See times.c. */
    struct crier__task retime;
    atomic_bool retiming; /* it is posted */

    /* See probe.c. */
    struct crier__task probe;
    atomic_bool probed; /* it is posted */

    pthread_mutex_t lock; /* guards what follows */
    struct crier__queue inbox;
    enum crier__rest rest;
    bool newcomers; /* new streams are in the inbox */
    bool stop;
};

/* Starts the thread of SHARD, a zeroed struct in which the caller has set only `set`
 * and `index`. -errno. */
int crier__shard_start(struct crier__shard *shard);

/* Ends the thread when its inbox is empty, and joins it. */
void crier__shard_join(struct crier__shard *shard);

/* After the join: runs the tasks that have arrived in the inbox since, on the calling
 * thread. Returns whether there were any. */
bool crier__shard_finish(struct crier__shard *shard);

/* After that: frees what SHARD holds. */
void crier__shard_done(struct crier__shard *shard);

/* Posts TASK, which then runs on the thread of SHARD, after the tasks posted before.
 * Any thread. TASK must not be posted again until it has begun to run. */
void crier__shard_post(struct crier__shard *shard, struct crier__task *task);

/* The same for a task of a new stream: it may wait for a millisecond, and the shard is
 * woken once for many of them. */
void crier__shard_post_newcomer(struct crier__shard *shard,
                                struct crier__task *task);

/* Defers TASK to the end of this pass. Only on the thread of SHARD. */
void crier__shard_later(struct crier__shard *shard, struct crier__task *task);

#endif
