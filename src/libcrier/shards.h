#ifndef CRIER_SHARDS_H
#define CRIER_SHARDS_H

#include "fork.h"
#include "shard.h"

#define CRIER__SHARDS_MAX 64

struct crier_shards {
    unsigned born; /* see fork.h */
    size_t max_streams;
    size_t max_backlog;
    atomic_size_t streams; /* whose responses MHD and the program have not freed */
    atomic_size_t open;    /* of these, those that are not over */
    atomic_size_t held;    /* those that MHD has suspended, or still may */
    atomic_size_t backlog; /* cost of frames in the inboxes */
    atomic_bool draining;
    atomic_bool cut;       /* the time of drain is over */
    atomic_uint next;      /* whose turn it is to get a stream */

    atomic_uint uncut;     /* shards that have not cut their streams off then */

    pthread_mutex_t lock;  /* for ended */
    pthread_cond_t ended;  /* signalled when open, held or uncut becomes 0 */

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

/* The shard for a new stream that has NEAR (or NULL) in common with others; counts
 * it there. */
struct crier__shard *crier__shards_choose(struct crier_shards *shards,
                                          const char *near);

/* Counts COST more into the backlog. CRIER_ERR_BUSY. */
int crier__shards_reserve(struct crier_shards *shards, size_t cost);

/* Counts COST out again. */
void crier__shards_release(struct crier_shards *shards, size_t cost);

#endif
