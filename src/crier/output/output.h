#ifndef CRIER_OUTPUT_H
#define CRIER_OUTPUT_H

#include "crier/cli/signals.h"
#include "crier/cli/printable.h"

#include <stdbool.h>
#include <stdint.h>

/* Standard output with a buffer: callers append to TEXT, and output_flush() writes it. */
struct output {
    struct text text;
    struct text marks; /* ends of events in the text: struct output_mark each */
    struct text ids;   /* of these events, each with its NUL */
    bool terminal;
};

void output_open(struct output *output);

/* Marks the end of an event at the end of the text; the event need not have added to
 * it. ID is the last id up to there, "" for none. */
void output_mark_event(struct output *output, const char *id);

/* Returns whether the buffer should be flushed. */
bool output_is_full(const struct output *output);

/* Writes the buffer and empties it; after an error the unwritten rest is dropped. Sets
 * *ID to the last id of the last event that was written whole, or to NULL; borrowed
 * until the next output_mark_event().
 *
 * Waiting for a slow reader ends when one of SIGNALS arrives or at UNTIL (crier_now();
 * UINT64_MAX for never). Then the rest of a partly written event is still written, if
 * that takes little time and no second signal arrives: returns -EINTR or -ETIMEDOUT if
 * so, otherwise -ECANCELED. Also returns 0, -EPIPE when the reader has closed the pipe,
 * or another -errno. */
int output_flush(struct output *output, struct signals *signals, uint64_t until,
                 const char **id);

void output_close(struct output *output);

#endif
