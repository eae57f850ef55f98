#ifndef CRIER_FRAME_H
#define CRIER_FRAME_H

#include "crier.h"

#include <stdatomic.h>

struct crier_frame {
    atomic_uint references;
    size_t length;
    char bytes[];
};

/* Returns a new frame of LENGTH bytes, which the caller fills before it shares the
 * frame; NULL when memory is short. */
struct crier_frame *crier__frame_new(size_t length);

/* Returns a new frame of the LENGTH bytes at BYTES (copied); NULL when memory is
 * short. */
struct crier_frame *crier__frame_of(const char *bytes, size_t length);

/* Returns the cost of FRAME where pending frames are bounded: its bytes and an amount
 * for its place in the list, so that many tiny frames are bounded, too. */
static inline size_t crier__frame_cost(const struct crier_frame *frame)
{
    return frame->length + 64;
}

#endif
