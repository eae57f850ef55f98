#ifndef CRIER_SHARDS_H
#define CRIER_SHARDS_H

#include "base/fork.h"
#include "shard.h"

#define CRIER__SHARDS_MAX 64

/* The defaults of streams, and the shortest that either may be, in ms. */
#define CRIER__KEEP_ALIVE 15000
#define CRIER__STALL_TIMEOUT 30000
#define CRIER__SHORTEST_TIME 10

/* What uses shards for as long as they are there, such as a hub; lives in its
 * owner. */
struct crier__user {
    struct crier__user *next;

    /* Called before the threads end: nothing may be posted from other threads when
     * it returns. Returns whether that had to be brought about. */
    bool (*close)(struct crier__user *user);

    /* Called when the shards are about to be freed. */
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
    atomic_size_t streams; /* that are counted: until they are done */
    atomic_size_t unfreed; /* responses that MHD or the program still has */
    atomic_size_t open;    /* streams that are not over */
    atomic_size_t held;    /* those that MHD has suspended, or still may */
    atomic_size_t owed;    /* responses that wait for a journal, or are not out */
    atomic_size_t backlog; /* cost of frames in the inboxes */
    atomic_bool draining;
    atomic_bool cut;       /* the time of drain is over */
    atomic_uint next;      /* whose turn it is to get a stream */

    atomic_uint uncut;     /* shards that have not cut their streams off then */

    pthread_mutex_t lock; /* for ended, and guards users */
    pthread_cond_t ended; /* signalled when open, held, owed or uncut becomes 0 */
    struct crier__user *users; /* a utlist LL list */

    unsigned count;
    struct crier__shard shards[];
};

/* Takes a place for one more stream, which is open. CRIER_ERR_LIMIT,
 * CRIER_ERR_DRAINING, CRIER_ERR_FORKED. */
int crier__shards_enter(struct crier_shards *shards);

/* Gives the place back. */
void crier__shards_leave(struct crier_shards *shards);

/* A stream is over; each once, in whichever order with crier__shards_leave(). */
void crier__shards_over(struct crier_shards *shards);

/* MHD may suspend a stream's connection from now on, and not any more. */
void crier__shards_hold(struct crier_shards *shards);
void crier__shards_let_go(struct crier_shards *shards);
/* Counts a response that crier_shards_drain() is to wait for, and counts it out
 * again. */
void crier__shards_owe(struct crier_shards *shards);
void crier__shards_settle(struct crier_shards *shards);

/* Puts USER among the users of SHARDS. */
void crier__shards_use(struct crier_shards *shards, struct crier__user *user);

/* Hands a sentence about a mistake of the program to its log. To be called without
 * a lock. */
void crier__shards_mistake(const struct crier_shards *shards,
                           const char *format, ...) CRIER_PRINTF(2, 3);

/* Whether one of the threads of SHARDS makes this call: a callback of a stream. */
bool crier__shards_run_here(const struct crier_shards *shards);

/* The shard for a new stream that has NEAR (or NULL) in common with others; counts
 * it there. */
struct crier__shard *crier__shards_choose(struct crier_shards *shards,
                                          const char *near);

/* Counts COST more into the backlog. CRIER_ERR_BUSY. */
int crier__shards_reserve(struct crier_shards *shards, size_t cost);

/* Counts COST out again. */
void crier__shards_release(struct crier_shards *shards, size_t cost);

#endif
