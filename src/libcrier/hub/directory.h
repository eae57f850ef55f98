#ifndef CRIER_DIRECTORY_H
#define CRIER_DIRECTORY_H

#include "hub.h"

/* Under the hub's lock: the entry of the topic of LENGTH bytes at NAME, or NULL. */
struct crier__subscription *
crier__directory_find(struct crier_hub *hub, const char *name, size_t length);

/* Counts a subscriber on the shard INDEX in, and awake, for each topic of the list
 * TOPICS ("*" included), and writes the position after which its shard is told of
 * everything to *NOW; ONCE: it does not stay. -ENOMEM; nothing is counted then. */
int crier__hub_count_in(struct crier_hub *hub, const char *topics,
                        unsigned index, bool once, uint64_t *now);

/* Counts it out again; it is AWAKE or not. */
void crier__hub_count_out(struct crier_hub *hub, const char *topics,
                          unsigned index, bool once, bool awake);

/* Counts one that is to change to TOPICS in as coming, has its shard INDEX told of
 * everything after the position written to *AFTER, and puts CHANGE behind what the
 * shard is told until then. -ENOMEM; nothing is done then. */
int crier__hub_come(struct crier_hub *hub, const char *topics, unsigned index,
                    struct crier__change *change, uint64_t *after);

/* It has come to TOPICS from OLD (NULL: it did not, for it is over), and is AWAKE or
 * not. */
void crier__hub_came(struct crier_hub *hub, const char *topics,
                     const char *old, unsigned index, bool once, bool awake);

/* It need not be told of updates any more, or has to be again (from when on is
 * written to *NOW). */
void crier__hub_doze(struct crier_hub *hub, const char *topics,
                     unsigned index);
void crier__hub_awake(struct crier_hub *hub, const char *topics,
                      unsigned index, uint64_t *now);

#endif
