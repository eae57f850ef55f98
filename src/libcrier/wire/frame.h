#ifndef CRIER_FRAME_H
#define CRIER_FRAME_H

#include "crier.h"

#include <stdatomic.h>

struct crier_frame {
    atomic_uint references;
    size_t length;
    char bytes[];
};

/* A new frame of LENGTH bytes for the caller to fill before it shares it, or
 * NULL when memory is short. */
struct crier_frame *crier__frame_new(size_t length);

/* A new frame of the LENGTH bytes at BYTES (copied), or NULL when memory is
 * short. */
struct crier_frame *crier__frame_of(const char *bytes, size_t length);

/* What FRAME counts for where waiting frames are bounded: its bytes and
 * something for the place in the list, so that many tiny frames are bounded
 * too. */
static inline size_t crier__frame_cost(const struct crier_frame *frame)
{
    return frame->length + 64;
}

#endif
