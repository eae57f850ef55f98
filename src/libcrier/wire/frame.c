/*
 * A frame: the wire bytes of one event, in one block with their reference count.
 *
 * Ten thousand clients that receive the same event share one frame. So a frame never
 * changes once it is shared, and each user holds a reference. Only the count is written
 * by several threads.
 */
#include <config.h>

#include "frame.h"

#include <stdlib.h>
#include <string.h>

struct crier_frame *crier__frame_new(size_t length)
{
    struct crier_frame *frame = malloc(sizeof *frame + length);

    if (frame == NULL)
        return NULL;
    atomic_init(&frame->references, 1);
    frame->length = length;
    return frame;
}

struct crier_frame *crier__frame_of(const char *bytes, size_t length)
{
    struct crier_frame *frame = crier__frame_new(length);

    if (frame != NULL && length != 0)
        memcpy(frame->bytes, bytes, length);
    return frame;
}

struct crier_frame *crier_frame_ref(struct crier_frame *frame)
{
    if (frame != NULL)
        atomic_fetch_add_explicit(&frame->references, 1,
                                  memory_order_relaxed);
    return frame;
}

void crier_frame_unref(struct crier_frame *frame)
{
    if (frame != NULL &&
        atomic_fetch_sub_explicit(&frame->references, 1,
                                  memory_order_acq_rel) == 1)
        free(frame);
}

const char *crier_frame_bytes(const struct crier_frame *frame, size_t *length)
{
    if (length != NULL)
        *length = frame != NULL ? frame->length : 0;
    return frame != NULL ? frame->bytes : NULL;
}
