#ifndef CRIER_STORE_H
#define CRIER_STORE_H

#include "libcrier/journal/journal.h"
#include "names.h"
#include "ring.h"

#include <pthread.h>

/* uthash reports a failed allocation by leaving the element's handle empty. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

struct crier__memory_topic {
    struct crier__name by_name;
    UT_hash_handle hh;
    /* Among those that hold nothing; among those with an age limit of their own. */
    struct crier__memory_topic *prev, *next;
    struct crier__memory_topic *age_prev, *age_next;
    bool pinned; /* not to be recycled now */
    struct crier_retention retention;
    struct crier__ring ring; /* without holes */
    size_t bytes;
    uint64_t evicted; /* the highest position that it has held and does not any more */
    uint64_t newest_private; /* the highest position of a private update in it, ever */
    uint64_t newest_public;  /* likewise, of a public one; at least the `forgotten` with
                                which the record was made */
    size_t length;
    char name[];
};

struct crier__entry {
    UT_hash_handle hh; /* by id, if the publisher gave it */
    struct crier__update *update;
    int64_t time;      /* the update's, or the clock's where that was ahead of it */
    unsigned held;     /* by so many of its topics, the first ones of `topics` */
    unsigned topic_count;
    struct crier__memory_topic *topics[];
};

/* No position from END + 1 to START was used. */
struct crier__jump {
    uint64_t end, start;
};

/* A mirror is a store of the newest part of a journal that is kept elsewhere. It knows all
 * of what lies behind its floor, and nothing before. */
struct crier__mirror {
    bool used;      /* the store is a mirror; otherwise the rest says nothing */
    bool complete;  /* the journal holds nothing up to the floor */
    size_t bytes;   /* the store holds no more, whatever the journal does */
    uint64_t floor;
    uint64_t renewed; /* a read that begins before here has missed something */
    const struct crier__jump *jumps; /* in order */
    unsigned jump_count;
};

struct crier__memory {
    struct crier_journal journal;

    pthread_mutex_t lock; /* guards what follows */
    struct crier__memory_topic *topics;
    struct crier__names names;         /* the same topics, in order */
    struct crier__memory_topic *empty; /* hold nothing, the longest first */
    struct crier__memory_topic *aging; /* have an age limit of their own, in turn */
    struct crier__entry *ids;
    struct crier__ring all;
    size_t count;
    size_t bytes;
    uint64_t last;
    int64_t time;
    uint64_t evicted;   /* the highest position evicted of what "*" matches */
    uint64_t forgotten; /* the highest `evicted` of topics without a record */
    uint64_t newest_private; /* the highest position of a private update, ever */
    struct crier__mirror mirror;
};

/* All functions: under the lock. */

/* The time that the journal goes by, at least that of the newest update. Corrects times
 * that are too far ahead of the clock. */
int64_t crier__memory_now(struct crier__memory *memory);

/* The topic of LENGTH bytes at NAME, or NULL. */
struct crier__memory_topic *crier__memory_find(struct crier__memory *memory,
                                               const char *name,
                                               size_t length);

/* The time before which what TOPIC holds is too old (NULL: by the limit of all topics
 * alone). */
int64_t crier__memory_too_old(const struct crier__memory *memory,
                              const struct crier__memory_topic *topic,
                              int64_t now);

/* The entry of the last update of TOPIC, if the topic has ended by NOW; otherwise NULL. */
const struct crier__entry *
crier__memory_end(const struct crier__memory *memory,
                  const struct crier__memory_topic *topic, int64_t now);

/* The time of the oldest update that is held; 0: none is. */
int64_t crier__memory_oldest(const struct crier__memory *memory);

/* Evicts some of the updates that are too old. */
void crier__memory_evict_old(struct crier__memory *memory, int64_t now);

/* Evicts the oldest entry of TOPIC from it. */
void crier__memory_evict_from(struct crier__memory *memory,
                              struct crier__memory_topic *topic);

/* Evicts the oldest entry of all from each topic that holds it. */
void crier__memory_evict_oldest(struct crier__memory *memory);

/* Places the update of ENTRY, and reserves what crier__memory_hold() needs. After an
 * error nothing has changed. CRIER_ERR_MAX_TOPICS, -ENOMEM. */
int crier__memory_place(struct crier__memory *memory,
                        struct crier__entry *entry);

/* Puts ENTRY, which has been placed, on the rings, and evicts what exceeds the limits. */
void crier__memory_hold(struct crier__memory *memory,
                        struct crier__entry *entry);

/* Of a mirror: puts UPDATE, which is placed behind everything there, on the rings, and evicts
 * what exceeds the limits. Where that is not possible, the mirror begins anew behind it. */
void crier__memory_mirror(struct crier__memory *memory, struct crier__update *update);

/* Of a mirror: what lies up to FLOOR is not known any more. */
void crier__memory_raise_floor(struct crier__memory *memory, uint64_t floor);

/* Of a mirror: forgets everything; it begins behind FLOOR. */
void crier__memory_restart(struct crier__memory *memory, uint64_t floor);

/* Of a mirror: notes what the journal says of the topic of LENGTH bytes at NAME, and evicts
 * what it has evicted. Nothing when memory is short: the mirror then begins anew. */
void crier__memory_note_topic(struct crier__memory *memory, const char *name,
                              size_t length, uint64_t evicted,
                              uint64_t newest_private, uint64_t newest_public);

/* Evicts from the topic of LENGTH bytes at NAME what it holds up to POSITION. */
void crier__memory_evict_upto(struct crier__memory *memory, const char *name,
                              size_t length, uint64_t position);

/* Evicts all, and frees what MEMORY holds. */
void crier__memory_clear(struct crier__memory *memory);

/* Under the lock: applies the journal's policy, which is a new one, to all topics. Takes
 * time in proportion to their number and to what it evicts. */
void crier__memory_adapt(struct crier__memory *memory);

#endif
