#ifndef CRIER_OUT_H
#define CRIER_OUT_H

#include "text.h"

#include <stdbool.h>
#include <stdint.h>

/* Standard output: what is written to TEXT waits there until it is flushed. */
struct out {
    struct text text;
    bool terminal;
};

/* From how many bytes on it should be flushed. */
#define OUT_FULL 65536

void out_open(struct out *out);

/* Writes all that waits. Where it has to wait for a reader, it gives up with
 * -EINTR when SIGNALS (a descriptor) polls readable, and with -ETIMEDOUT when
 * it is UNTIL (crier_now(); UINT64_MAX for never). -EPIPE when the reader is
 * gone, -errno. After an error what was waiting is dropped. */
int out_flush(struct out *out, int signals, uint64_t until);

void out_close(struct out *out);

#endif
