#ifndef CRIER_RING_H
#define CRIER_RING_H

#include "libcrier/wire/update.h"

/* What the journal in memory holds of one update. */
struct crier__entry;

/* Entries in the order of their positions, with holes. All zero is an empty
 * ring. */
struct crier__ring {
    struct crier__slot {
        uint64_t position;
        struct crier__entry *entry; /* NULL: a hole */
    } *slots;
    size_t room; /* a power of two, or 0 */
    size_t first;
    size_t length; /* holes included */
    size_t holes;
};

/* Makes sure that one more push cannot fail. -ENOMEM. */
int crier__ring_reserve(struct crier__ring *ring);

/* Appends ENTRY, whose POSITION is above all others. Needs a reservation. */
void crier__ring_push(struct crier__ring *ring, uint64_t position,
                      struct crier__entry *entry);

/* The slot INDEX, from 0 to length - 1. */
static inline struct crier__slot *crier__ring_at(const struct crier__ring *ring,
                                                 size_t index)
{
    return &ring->slots[(ring->first + index) & (ring->room - 1)];
}

/* The index of the first slot behind POSITION; length when there is none. */
size_t crier__ring_after(const struct crier__ring *ring, uint64_t position);

/* Takes the first slot off, which must exist; holes behind it go, too. */
void crier__ring_shift(struct crier__ring *ring);

/* Makes the slot of POSITION a hole. */
void crier__ring_remove(struct crier__ring *ring, uint64_t position);

void crier__ring_done(struct crier__ring *ring);

#endif
