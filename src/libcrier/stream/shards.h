#ifndef CRIER_SHARDS_H
#define CRIER_SHARDS_H

#include "base/fork.h"
#include "shard.h"

/* The defaults of streams, and the shortest that either may be, in ms. */
#define CRIER__KEEP_ALIVE 15000
#define CRIER__STALL_TIMEOUT 30000
#define CRIER__SHORTEST_TIME 10

/* An object that uses shards as long as they exist, such as a hub; embedded in its
 * owner. */
struct crier__user {
    struct crier__user *next;

    /* Called before the threads end: when it returns, no other thread may post
     * anything. Returns whether the program had omitted to close the user itself. */
    bool (*close)(struct crier__user *user);

    /* Called immediately before the shards are freed. */
    void (*gone)(struct crier__user *user);
};

struct crier_shards {
    unsigned born; /* see fork.h */
    atomic_size_t max_streams;
    atomic_uint keep_alive, stall_timeout; /* ms, of streams without their own */
    size_t max_backlog;
    void (*resume)(struct MHD_Connection *connection); /* or NULL */
    void (*log)(void *closure, const char *mistake); /* or NULL */
    void *log_closure;
    atomic_size_t streams; /* streams that are not done */
    atomic_size_t unfreed; /* responses that MHD or the program still has */
    atomic_size_t open;    /* streams that are not over */
    atomic_size_t held;    /* streams that MHD has suspended, or still may suspend */
    atomic_size_t owed;    /* responses that wait for a journal, or are not sent */
    atomic_size_t backlog; /* cost of the frames in the inboxes */
    atomic_bool draining;
    atomic_bool cut;       /* the time of drain is over */
    atomic_uint next;      /* the shard that gets the next stream without affinity */

    atomic_size_t uncut;   /* shards that have not cut their streams off then */

    pthread_mutex_t lock; /* for ended, and guards users */
    pthread_cond_t ended; /* signalled when open, held, owed or uncut becomes 0 */
    struct crier__user *users; /* a utlist LL list */

    unsigned count;
    struct crier__shard shards[];
};

/* Counts one more stream, which is open from now on. CRIER_ERR_MAX_STREAMS,
 * CRIER_ERR_DRAINING, CRIER_ERR_FORKED. */
int crier__shards_enter(struct crier_shards *shards);

/* Counts a stream out that is done. */
void crier__shards_leave(struct crier_shards *shards);

/* Counts a stream as over: once for each stream, before or after
 * crier__shards_leave(). */
void crier__shards_over(struct crier_shards *shards);

/* Counts a stream whose connection MHD may suspend from now on, and counts it out when
 * MHD cannot any more. */
void crier__shards_hold(struct crier_shards *shards);
void crier__shards_let_go(struct crier_shards *shards);

/* Counts a response that crier_shards_drain() is to wait for, and counts it out
 * again. */
void crier__shards_owe(struct crier_shards *shards);
void crier__shards_settle(struct crier_shards *shards);

/* Lowers COUNT (open, held, owed or uncut of SHARDS) by one, and wakes drain when it is
 * 0 then. */
void crier__shards_lower(struct crier_shards *shards, atomic_size_t *count);

/* Adds USER to the users of SHARDS. */
void crier__shards_use(struct crier_shards *shards, struct crier__user *user);

/* Passes a sentence about a mistake of the program to the log of the program. The
 * caller holds no lock. */
void crier__shards_mistake(const struct crier_shards *shards,
                           const char *format, ...) CRIER_PRINTF(2, 3);

/* Whether one of the threads of SHARDS makes this call: a callback of a stream. */
bool crier__shards_run_here(const struct crier_shards *shards);

/* Chooses the shard for a new stream, and counts the stream there. Streams with the
 * same AFFINITY (a text; NULL for none) are put together. */
struct crier__shard *crier__shards_choose(struct crier_shards *shards,
                                          const char *affinity);

/* Adds COST to the backlog. CRIER_ERR_MAX_BACKLOG. */
int crier__shards_reserve(struct crier_shards *shards, size_t cost);

/* Takes COST off the backlog. */
void crier__shards_release(struct crier_shards *shards, size_t cost);

/* Closes the users of SHARDS, ends its threads and frees it. No stream is left. */
void crier__shards_stop(struct crier_shards *shards);

#endif
