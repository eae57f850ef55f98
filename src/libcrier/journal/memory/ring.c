/*
 * Entries in the order of their positions: pushed at the end, taken off at the
 * front, looked up by binary search. One may also vanish from the middle and
 * leaves a hole then; the first slot is never a hole. When more than half of a
 * ring are holes they are squeezed out, so a lookup stays cheap and memory is
 * bounded by what is held; that costs each removed entry a constant share.
 *
 * Rejected: a list of all entries, in which a position can only be found by
 * walking; a tree, which takes four times the memory.
 */
#include <config.h>

#include "ring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SMALLEST 4

/* Moves the entries to ROOM new SLOTS, without the holes. */
static void move_slots(struct crier__ring *ring, struct crier__slot *slots,
                       size_t room)
{
    struct crier__slot *slot;
    size_t to = 0, i;

    for (i = 0; i < ring->length; i++) {
        slot = crier__ring_at(ring, i);
        if (slot->entry != NULL)
            slots[to++] = *slot;
    }
    free(ring->slots);
    ring->slots = slots;
    ring->room = room;
    ring->first = 0;
    ring->length = to;
    ring->holes = 0;
}

int crier__ring_reserve(struct crier__ring *ring)
{
    size_t room = ring->room != 0 ? ring->room * 2 : SMALLEST;
    struct crier__slot *slots;

    if (ring->length < ring->room)
        return 0;
    slots = malloc(room * sizeof *slots);
    if (slots == NULL)
        return -ENOMEM;
    move_slots(ring, slots, room);
    return 0;
}

void crier__ring_push(struct crier__ring *ring, uint64_t position,
                      struct crier__entry *entry)
{
    struct crier__slot *slot = crier__ring_at(ring, ring->length++);

    slot->position = position;
    slot->entry = entry;
}

size_t crier__ring_after(const struct crier__ring *ring, uint64_t position)
{
    size_t low = 0, high = ring->length, middle;

    while (low < high) {
        middle = low + (high - low) / 2;
        if (crier__ring_at(ring, middle)->position > position)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* Gives memory back when little of it is used; does nothing when memory is short. */
static void shrink_ring(struct crier__ring *ring)
{
    size_t held = ring->length - ring->holes, room = ring->room;
    struct crier__slot *slots;

    while (room > SMALLEST && held < room / 4)
        room /= 2;
    if (room == ring->room && ring->holes <= ring->length / 2)
        return;
    slots = malloc(room * sizeof *slots);
    if (slots != NULL)
        move_slots(ring, slots, room);
}

void crier__ring_shift(struct crier__ring *ring)
{
    bool hole = false;

    do {
        if (hole)
            ring->holes--;
        ring->first = (ring->first + 1) & (ring->room - 1);
        ring->length--;
        hole = ring->length != 0 && crier__ring_at(ring, 0)->entry == NULL;
    } while (hole);
    shrink_ring(ring);
}

void crier__ring_remove(struct crier__ring *ring, uint64_t position)
{
    size_t index = crier__ring_after(ring, position - 1);

    if (index == 0) {
        crier__ring_shift(ring);
        return;
    }
    crier__ring_at(ring, index)->entry = NULL;
    ring->holes++;
    shrink_ring(ring);
}

void crier__ring_done(struct crier__ring *ring)
{
    free(ring->slots);
    memset(ring, 0, sizeof *ring);
}
