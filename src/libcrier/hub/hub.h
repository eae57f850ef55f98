#ifndef CRIER_HUB_H
#define CRIER_HUB_H

#include "libcrier/journal/journal.h"
#include "libcrier/stream/shards.h"

/* uthash reports a failed allocation by leaving the element's handle empty. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

struct crier__subscriber;
struct crier__change;

/* A topic that some stream follows, or "*". */
struct crier__subscription {
    UT_hash_handle hh;
    size_t count;   /* of those who follow it */
    size_t staying; /* of those who do not only look at what is held */
    size_t coming;  /* of those who change to it; they count nowhere else yet, */
    char *name;
    size_t per_shard[]; /* but here: of those who are to be told of each update */
};

/* The subscribers of one topic on one shard that are awake. */
struct crier__line {
    UT_hash_handle hh;
    struct crier__sub *subs;
    char name[];
};

/* A list of updates that grows. */
struct crier__batch {
    struct crier__update **updates; /* references */
    size_t count;
    size_t room;
};

/* One shard's part of a hub. */
struct crier__part {
    struct crier__task deliver;
    struct crier_hub *hub;
    struct crier__shard *shard;

    /* The hub's lock. */
    struct crier__batch waiting;
    bool posted;
    size_t cost;   /* of waiting */
    uint64_t lost; /* an update that was not put on the list; 0: none */
    struct crier__change *changes; /* a DL list, in the order asked for */

    /* The shard's thread alone. */
    struct crier__line *lines;
    struct crier__subscriber *subscribers; /* a DL list */
    struct crier__change *early; /* likewise, of streams whose join has not run yet */
    struct crier__batch taken;
    uint64_t delivered; /* the position of the last update that was here */
};

struct crier_hub {
    struct crier__user user;     /* of shards */
    unsigned born;               /* see fork.h */
    struct crier_shards *shards; /* NULL when they have been freed */
    bool given_up;               /* to be freed with the shards */
    struct crier_journal *journal;
    enum crier_slow slow;
    char *presence; /* a list, "*" or NULL */
    atomic_bool closed;
    atomic_size_t asked; /* questions to the journal that are not answered yet */
    atomic_uint_fast64_t gaps;

    pthread_mutex_t presence_lock; /* held while a count is told */
    pthread_mutex_t close_lock;    /* for idle */
    pthread_cond_t idle;

    pthread_mutex_t lock; /* guards what follows */
    struct crier__subscription *followed;
    uint64_t last; /* the position of the last update yielded */
    uint64_t published;

    unsigned part_count;
    struct crier__part parts[];
};

#endif
