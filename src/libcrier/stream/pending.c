/*
 * The frames that are pending for one client. Most streams have none most of the time,
 * so a short list is small, and a list that runs empty frees its block: ten thousand
 * idle streams cost no list at all.
 *
 * The list has no bound of its own; its owner counts what it appends.
 */
#include <config.h>

#include "pending.h"

#include "libcrier/wire/frame.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct crier_frame **find_slot(const struct crier__pending *pending,
                                      uint32_t index)
{
    uint32_t at = pending->first + index;

    if (pending->block == NULL)
        return (struct crier_frame **)&pending->few[at % CRIER__PENDING_FEW];
    return &pending->block[at & (pending->capacity - 1)];
}

/* Moves the list into a block of twice the capacity. */
static int grow_ring(struct crier__pending *pending)
{
    uint32_t capacity = pending->block != NULL ? pending->capacity * 2 : 8;
    struct crier_frame **block = malloc(capacity * sizeof(struct crier_frame *));
    uint32_t i;

    if (block == NULL)
        return -ENOMEM;
    for (i = 0; i < pending->count; i++)
        block[i] = *find_slot(pending, i);
    free(pending->block);
    pending->block = block;
    pending->capacity = capacity;
    pending->first = 0;
    return 0;
}

int crier__pending_push(struct crier__pending *pending,
                        struct crier_frame *frame)
{
    uint32_t capacity =
        pending->block != NULL ? pending->capacity : CRIER__PENDING_FEW;

    if (pending->count == capacity && grow_ring(pending) != 0)
        return -ENOMEM;
    *find_slot(pending, pending->count) = crier_frame_ref(frame);
    pending->count++;
    pending->cost += crier__frame_cost(frame);
    return 0;
}

size_t crier__pending_behind(const struct crier__pending *pending)
{
    if (pending->count == 0)
        return 0;
    return pending->cost - crier__frame_cost(*find_slot(pending, 0));
}

int crier__pending_vectors(const struct crier__pending *pending,
                           struct iovec *vectors, int max)
{
    struct crier_frame *frame;
    size_t sent = pending->sent;
    int n;

    for (n = 0; n < max && (uint32_t)n < pending->count; n++) {
        frame = *find_slot(pending, (uint32_t)n);
        vectors[n].iov_base = frame->bytes + sent;
        vectors[n].iov_len = frame->length - sent;
        sent = 0;
    }
    return n;
}

size_t crier__pending_copy(const struct crier__pending *pending, char *to,
                           size_t max)
{
    struct crier_frame *frame;
    size_t sent = pending->sent, copied = 0, part;
    uint32_t i;

    for (i = 0; i < pending->count && copied < max; i++) {
        frame = *find_slot(pending, i);
        part = frame->length - sent;
        if (part > max - copied)
            part = max - copied;
        memcpy(to + copied, frame->bytes + sent, part);
        copied += part;
        sent = 0;
    }
    return copied;
}

/* Removes the first frame. Returns its cost. */
static size_t shift_frames(struct crier__pending *pending)
{
    struct crier_frame *frame = *find_slot(pending, 0);
    size_t cost = crier__frame_cost(frame);

    crier_frame_unref(frame);
    pending->first++;
    pending->count--;
    pending->cost -= cost;
    pending->sent = 0;
    if (pending->count == 0) {
        free(pending->block);
        pending->block = NULL;
        pending->first = 0;
    }
    return cost;
}

size_t crier__pending_drop(struct crier__pending *pending, size_t bytes)
{
    size_t cost = 0, left;

    while (pending->count != 0) {
        left = (*find_slot(pending, 0))->length - pending->sent;
        if (bytes < left) {
            pending->sent += bytes;
            break;
        }
        bytes -= left;
        cost += shift_frames(pending);
    }
    return cost;
}

size_t crier__pending_clear(struct crier__pending *pending)
{
    size_t cost = 0;

    while (pending->count != 0)
        cost += shift_frames(pending);
    return cost;
}
