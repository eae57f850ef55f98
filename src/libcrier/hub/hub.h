#ifndef CRIER_HUB_H
#define CRIER_HUB_H

#include "base/histogram.h"
#include "libcrier/journal/journal.h"
#include "libcrier/stream/shards.h"
#include "published.h"
#include "selector_index.h"

struct crier__subscriber;
struct crier__change;
struct crier__census;

/* What streams subscribe to, and how many; see directory.h. */
struct crier__directory {
    struct crier__index index;
    struct crier__census *census; /* NULL where no other process has streams; census.h */
};

/* A list of updates that grows. */
struct crier__batch {
    struct crier__update **updates; /* references */
    size_t count;
    size_t capacity;
};

/* One shard's share of a hub. */
struct crier__hub_shard {
    struct crier__task deliver;
    struct crier_hub *hub;
    struct crier__shard *shard;

    /* Guarded by the hub's lock. */
    struct crier__batch waiting;
    bool posted;   /* the task is on its way */
    _Atomic uint64_t cost; /* of waiting; any thread reads it */
    uint64_t lost; /* an update that was not put on the list; 0: none */
    struct crier__change *changes; /* a DL list, in the order asked for */

    /* The shard's thread alone. */
    struct crier__index lists;   /* of the active subscribers: subscriber_list.h */
    struct crier__subscriber_list *emptied; /* lists to be freed after a delivery */
    bool delivering;
    struct crier__subscriber *subscribers; /* a DL list */
    struct crier__change *early; /* likewise, of streams whose join has not run yet */
    struct crier__batch taken; /* empty, or delivered in this pass and not measured yet */
    struct crier__task measure;
    uint64_t delivered; /* the highest position that was delivered here */

    /* Written by the shard's thread alone; see crier_hub_statistics. */
    struct crier__histogram latency;
    _Atomic uint64_t lagged, behind;
};

/* How many questions to the journal are open; see gate.h. */
struct crier__gate {
    atomic_bool closed;
    atomic_size_t open;
    pthread_mutex_t lock; /* for idle */
    pthread_cond_t idle;
};

struct crier_hub {
    struct crier__user user;     /* of shards */
    unsigned born;               /* see fork.h */
    struct crier_shards *shards; /* NULL after they have been freed */
    bool given_up;               /* free it with the shards */
    struct crier_journal *journal;
    atomic_int slow; /* an enum crier_slow */
    atomic_bool has_presence;
    struct crier__gate gate;
    atomic_uint_fast64_t gaps;

    pthread_mutex_t presence_lock; /* held while a count is published */

    pthread_mutex_t lock; /* guards what follows */
    struct crier__selectors *presence; /* or NULL: not has_presence */
    struct crier__directory directory;
    uint64_t last; /* the position of the last update yielded */
    uint64_t published;
    struct crier__published topics_published;

    unsigned shard_count;
    struct crier__hub_shard per_shard[];
};

#endif
