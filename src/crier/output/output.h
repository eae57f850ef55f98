#ifndef CRIER_OUTPUT_H
#define CRIER_OUTPUT_H

#include "crier/cli/signals.h"
#include "crier/cli/printable.h"

#include <stdbool.h>
#include <stdint.h>

/* Standard output: what is written to TEXT waits there until it is flushed. */
struct output {
    struct text text;
    struct text marks; /* where events end in it: struct output_mark, many */
    struct text ids;   /* of these events, each with its NUL */
    bool terminal;
};

void output_open(struct output *output);

/* The text up to here ends with a whole event (which need not have added to
 * it); ID is the last id with it, "" for none. */
void output_mark_event(struct output *output, const char *id);

/* Whether it should be flushed now. */
bool output_is_full(const struct output *output);

/* Writes all that waits; after an error what is left of it is dropped. *ID is
 * the last id with the last event that is written whole, NULL when none is;
 * borrowed until the next output_mark_event().
 *
 * Where it has to wait for a reader, it stops when one of SIGNALS comes or it
 * is UNTIL (crier_now(); UINT64_MAX for never). An event that is begun is
 * then still written, if that takes no more than a short while and no second
 * signal comes: -EINTR or -ETIMEDOUT, else -ECANCELED. Beside these -EPIPE
 * when the reader is gone, -errno. */
int output_flush(struct output *output, struct signals *signals, uint64_t until,
                 const char **id);

void output_close(struct output *output);

#endif
