#ifndef CRIERD_SLOTS_H
#define CRIERD_SLOTS_H

#include "key.h"

#include <stddef.h>

/* Counts what many keys hold. A key has memory only while it holds something. Any
 * thread. */
struct slots;

/* What a key holds. */
struct slot;

/* NULL when memory is short. */
struct slots *slots_new(void);

/* Frees SLOTS, of which nothing is held any more; NULL is allowed. */
void slots_free(struct slots *slots);

/* Takes one more for KEY, which slots_release() gives back, as *SLOT. -EDQUOT when KEY holds
 * MOST or more; -ENOMEM. */
int slots_take(struct slots *slots, const struct limit_key *key, size_t most,
               struct slot **slot);

/* Gives one of SLOT back; NULL is allowed. */
void slots_release(struct slots *slots, struct slot *slot);

/* How many keys hold something. */
size_t slots_count(struct slots *slots);

#endif
