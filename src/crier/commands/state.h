#ifndef CRIER_STATE_H
#define CRIER_STATE_H

#include "crier/cli/printable.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * The file of --state, which keeps the last id across restarts. It only ever contains
 * the id of an event that was printed.
 *
 * All zero is a state without a file; all functions do nothing with it.
 */
struct state {
    char *path;
    int lock;       /* descriptor of the lock file */
    struct text id; /* last id that was printed */
    bool changed;   /* `id` is not in the file yet */
    uint64_t saved; /* time of the last write, crier_now() */
};

/* Locks PATH and reads its id, if there is one, into state->id. Returns false, after
 * reporting why, if that fails or another process has the lock. */
bool state_open(struct state *state, const char *path);

/* Sets the id to save: that of the last printed event, "" for none. */
void state_set_id(struct state *state, const char *id);

/* Writes the file if it is due (at most once a second), or at once if NOW. Call it
 * again after state_save_delay() ms. Returns false, after reporting why, if writing
 * fails. */
bool state_save(struct state *state, bool now);

/* Returns the number of ms until state_save() is due; -1 if there is nothing to save. */
int state_save_delay(const struct state *state);

void state_close(struct state *state);

#endif
