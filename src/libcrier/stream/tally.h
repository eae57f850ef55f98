#ifndef CRIER_TALLY_H
#define CRIER_TALLY_H

#include "crier.h"
#include "base/counter.h"

#include <stddef.h>

/*
 * What a shard counts. Its thread alone adds, but for `sent`; any thread reads, without a
 * lock.
 *
 * A delivery must cost next to nothing, so a loop that offers a frame to many streams adds
 * up frames and bytes in registers, as if all of them were sent at once, and counts them at
 * its end (crier__tally_sent()). What is not sent at once has been noted in `late_frames`
 * and `late_bytes` by then, and is left out. Bytes that are sent later are counted in `sent`,
 * when the kernel takes them.
 */
struct crier__tally {
    _Atomic uint64_t deliveries;
    _Atomic uint64_t bytes; /* sent at once */
    size_t late_frames; /* the shard's thread alone; offered to streams that had ended */
    size_t late_bytes;  /* likewise; offered, and not sent at once */

    _Atomic uint64_t opened[CRIER_STREAM_KINDS];
    _Atomic uint64_t closed[CRIER_STREAM_KINDS];
    _Atomic uint64_t ended[CRIER_REASON_COUNT];

    /* Added to by any thread: bytes sent later than they were offered, with TLS, or at the
     * beginning of a stream. */
    _Atomic uint64_t sent;
};

/* Counts FRAMES, of BYTES in all, that were offered to streams since the last call. */
static inline void crier__tally_sent(struct crier__tally *tally, size_t frames,
                                     size_t bytes)
{
    crier__counter_add(&tally->deliveries, frames - tally->late_frames);
    crier__counter_add(&tally->bytes, bytes - tally->late_bytes);
    tally->late_frames = tally->late_bytes = 0;
}

#endif
