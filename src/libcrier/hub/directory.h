#ifndef CRIER_DIRECTORY_H
#define CRIER_DIRECTORY_H

#include "hub.h"

/* A selector that some stream subscribes to. */
struct crier__directory_entry {
    struct crier__index_entry entry;
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

/* How many of the subscribers of the topic NAME, by its name, stay. */
size_t crier__directory_count(struct crier_hub *hub, const char *name);

/* Where an update goes. */
struct crier__destination {
    uint64_t shards;    /* a bit for each one with an active subscriber */
    size_t subscribers; /* one that has two selectors which match counts twice */
};

/* Under the hub's lock: finds where UPDATE goes. Cannot fail. */
struct crier__destination
crier__directory_match(struct crier_hub *hub,
                       const struct crier__update *update);

#endif
