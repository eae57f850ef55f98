#ifndef CRIER_PENDING_H
#define CRIER_PENDING_H

#include "crier.h"

#include <stdint.h>
#include <sys/uio.h>

/* This many frames need no block. */
#define CRIER__PENDING_FEW 2

/* Frames that are pending, in the order in which they are sent. All zero is an empty
 * list. */
struct crier__pending {
    uint32_t count;
    uint32_t first;
    struct crier_frame *few[CRIER__PENDING_FEW];
    struct crier_frame **block; /* a ring, NULL while FEW suffice */
    uint32_t capacity;          /* of block, a power of two */
    size_t sent;                /* bytes of the first frame that have been sent */
    size_t cost;                /* of all of them (crier__frame_cost) */
};

/* Appends FRAME and takes a reference. -ENOMEM. */
int crier__pending_push(struct crier__pending *pending,
                        struct crier_frame *frame);

/* Returns the cost of all frames except the first, which is being sent. */
size_t crier__pending_behind(const struct crier__pending *pending);

/* Points up to MAX vectors at the bytes to send next. Returns their number. */
int crier__pending_vectors(const struct crier__pending *pending,
                           struct iovec *vectors, int max);

/* Copies up to MAX of the bytes to send next to TO. Returns their number. */
size_t crier__pending_copy(const struct crier__pending *pending, char *to,
                           size_t max);

/* Removes BYTES that have been sent. Returns the cost of the frames that are complete
 * by that. */
size_t crier__pending_drop(struct crier__pending *pending, size_t bytes);

/* Removes everything. Returns its cost. */
size_t crier__pending_clear(struct crier__pending *pending);

#endif
