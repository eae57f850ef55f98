#ifndef CRIER_STORE_H
#define CRIER_STORE_H

#include "libcrier/journal/journal.h"
#include "ring.h"

#include <pthread.h>

/* uthash reports a failed allocation by leaving the element's handle empty. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

struct crier__memory_topic {
    UT_hash_handle hh;
    /* Among those that hold nothing; among those with an age of their own. */
    struct crier__memory_topic *prev, *next;
    struct crier__memory_topic *age_prev, *age_next;
    bool pinned; /* not to be recycled now */
    struct crier_retention retention;
    struct crier__ring ring; /* without holes */
    size_t bytes;
    uint64_t evicted;
    size_t length;
    char name[];
};

struct crier__entry {
    UT_hash_handle hh; /* by id, when the publisher gave it */
    struct crier__update *update;
    int64_t time; /* the update's, or an earlier one where that led the clock */
    unsigned held; /* by so many of its topics */
    unsigned topic_count;
    struct crier__memory_topic *topics[];
};

struct crier__memory {
    struct crier_journal journal;

    pthread_mutex_t lock; /* guards what follows */
    struct crier__memory_topic *topics;
    struct crier__memory_topic *empty; /* hold nothing, the longest first */
    struct crier__memory_topic *aging; /* have an age of their own, in turn */
    struct crier__entry *ids;
    struct crier__ring all;
    size_t count;
    size_t bytes;
    uint64_t last;
    int64_t time;
    uint64_t evicted;   /* of what "*" means */
    uint64_t forgotten; /* the highest evicted of topics without a record */
};

/* Under the lock: the time that the journal goes by, which is never less than that of
 * the newest update. Times that lead the clock too far are corrected. */
int64_t crier__memory_now(struct crier__memory *memory);

/* Under the lock: takes away some of what is too old. */
void crier__memory_evict_old(struct crier__memory *memory, int64_t now);

/* Under the lock: the topic of LENGTH bytes at NAME, or NULL. */
struct crier__memory_topic *crier__memory_find(struct crier__memory *memory,
                                               const char *name,
                                               size_t length);

/* Under the lock: the time before which what TOPIC holds is too old (NULL: by the
 * limit of all alone). */
int64_t crier__memory_too_old(const struct crier__memory *memory,
                              const struct crier__memory_topic *topic,
                              int64_t now);

/* Under the lock: TOPIC lets its oldest entry go. */
void crier__memory_evict_from(struct crier__memory *memory,
                              struct crier__memory_topic *topic);

/* Under the lock: all topics that still hold the oldest entry of all let it go. */
void crier__memory_evict_oldest(struct crier__memory *memory);

/* Under the lock: places the update of ENTRY, and reserves what it needs. On failure
 * nothing has changed. */
int crier__memory_enter(struct crier__memory *memory,
                        struct crier__entry *entry);

/* Under the lock: puts ENTRY, which has been placed, on the rings, and lets go what is
 * more than the limits allow. */
void crier__memory_hold(struct crier__memory *memory,
                        struct crier__entry *entry);

#endif
