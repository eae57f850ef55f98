#ifndef CRIER_DIRECTORY_H
#define CRIER_DIRECTORY_H

#include "hub.h"

/* The counts of all nodes, where they share a journal. */
struct crier__census {
    struct crier__census_entry *changed; /* a DL list */
    size_t taken_count;
    struct crier__census_entry *taken[CRIER__COUNTS_MAX]; /* and not counted yet */
    size_t remote;     /* entries that only other nodes keep */
    size_t remote_bytes; /* of their selectors */
    uint64_t readings; /* of all totals, so far */
    bool reading;      /* one is under way */
    bool closed;       /* the journal is not called any more */
};

/* No more entries, and bytes of their selectors, are kept for other nodes alone; what is
 * beyond is not counted. */
#define CRIER__REMOTE_MAX 100000
#define CRIER__REMOTE_BYTES ((size_t)64 * 1024 * 1024)

/* Whether there are so many. */
static inline bool crier__census_is_full(const struct crier__census *census)
{
    return census->remote >= CRIER__REMOTE_MAX ||
           census->remote_bytes >= CRIER__REMOTE_BYTES;
}

/* What is known of one selector there. */
struct crier__census_entry {
    struct crier__directory_entry *entry;
    struct crier__census_entry *prev, *next; /* among those changed */
    bool changed;    /* since it was taken */
    bool taken;
    bool told;       /* a total came since it was taken */
    bool remote;     /* it is counted in the census' `remote` */
    size_t sent;     /* what was taken last */
    size_t reported; /* what the journal has of this node */
    size_t total;    /* of all nodes, `reported` included, as the journal said last */
    uint64_t heard;  /* the number of the reading in which or behind which it said so */
};

/* A selector that some stream subscribes to, perhaps on another node. */
struct crier__directory_entry {
    struct crier__index_entry entry;
    struct crier__census_entry *census; /* in the same allocation, or NULL */
    size_t count;    /* of the subscribers */
    size_t staying;  /* of those that do not only read what is held */
    size_t changing; /* of those that are about to change to it, which count in nothing
                        else yet but in active */
    size_t active[]; /* by shard: of those that each update must be delivered to */
};

/* Counts a subscriber on the shard INDEX in for each of SELECTORS, active; ONCE: it does
 * not stay. SELECTORS share the patterns of the directory then. Writes the position after
 * which all updates that match are delivered to its shard to *NOW. -ENOMEM; nothing is
 * counted then. */
int crier__directory_enter(struct crier_hub *hub,
                           struct crier__selectors *selectors,
                           unsigned index, bool once, uint64_t *now);

/* Counts it out again; it is ACTIVE or not. */
void crier__directory_leave(struct crier_hub *hub,
                            const struct crier__selectors *selectors,
                            unsigned index, bool once, bool active);

/* Counts a subscriber on the shard INDEX in as about to change to SELECTORS: all updates
 * that match them after the position written to *AFTER are delivered to its shard. Puts
 * CHANGE behind the updates that the shard is to deliver before. -ENOMEM; nothing is done
 * then. */
int crier__directory_begin_change(struct crier_hub *hub,
                                  struct crier__selectors *selectors,
                                  unsigned index, struct crier__change *change,
                                  uint64_t *after);

/* The subscriber has changed to SELECTORS from OLD, and is ACTIVE or not. OLD is NULL if
 * it has not, because its stream is over. */
void crier__directory_end_change(struct crier_hub *hub,
                                 const struct crier__selectors *selectors,
                                 const struct crier__selectors *old,
                                 unsigned index, bool once, bool active);

/* Updates need not be delivered to the subscriber any more, */
void crier__directory_pause(struct crier_hub *hub,
                            const struct crier__selectors *selectors,
                            unsigned index);

/* or must be again, after the position written to *NOW. */
void crier__directory_resume(struct crier_hub *hub,
                             const struct crier__selectors *selectors,
                             unsigned index, uint64_t *now);

/* Counts the text of SHARED in or out, as a stream that stays; -ENOMEM. */
int crier__directory_share(struct crier_hub *hub, const struct crier__selector *shared);
void crier__directory_unshare(struct crier_hub *hub,
                              const struct crier__selector *shared);

/* How many of the subscribers of the topic NAME, by its name, stay: on all nodes, and on
 * this one. */
size_t crier__directory_count(struct crier_hub *hub, const char *name);
size_t crier__directory_count_own(struct crier_hub *hub, const char *name);

/* An update was appended with which the journal got the count COUNT of this node's streams
 * that subscribe to the topic NAME. */
void crier__directory_appended(struct crier_hub *hub, const char *name, size_t count);

/* ---- under the hub's lock ---- */

/* How many streams of other nodes that stay subscribe to the selector of ENTRY, as far as
 * it is known. */
static inline size_t
crier__directory_elsewhere(const struct crier__directory_entry *entry)
{
    const struct crier__census_entry *census = entry->census;

    return census != NULL && census->total > census->reported
               ? census->total - census->reported
               : 0;
}

/* The entry of SELECTOR; NULL for none. */
struct crier__directory_entry *
crier__directory_find(const struct crier_hub *hub,
                      const struct crier__selector *selector);

/* The same, but makes it if there is none; NULL when memory is short. It must be settled
 * then. */
struct crier__directory_entry *
crier__directory_get(struct crier_hub *hub, const struct crier__selector *selector);

/* Frees ENTRY when nobody needs it any more. */
void crier__directory_settle(struct crier_hub *hub,
                             struct crier__directory_entry *entry);

/* This node's count of ENTRY, which has a census, must be taken again. */
void crier__directory_mark(struct crier_hub *hub,
                           struct crier__directory_entry *entry);

/* Where an update goes. */
struct crier__destination {
    uint64_t shards;    /* a bit for each one with an active subscriber */
    size_t subscribers; /* on all nodes; one that has two selectors which match counts
                           twice */
};

/* Under the hub's lock: finds where UPDATE goes. Cannot fail. */
struct crier__destination
crier__directory_match(struct crier_hub *hub,
                       const struct crier__update *update);

#endif
