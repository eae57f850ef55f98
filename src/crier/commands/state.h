#ifndef CRIER_STATE_H
#define CRIER_STATE_H

#include "crier/cli/printable.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * The file of --state, which remembers the last id across restarts. What is in
 * the file was put out, always.
 *
 * All zero is a state without a file, on which everything does nothing.
 */
struct state {
    char *path;
    int lock;       /* the descriptor of the lock file */
    struct text id; /* the last id of what was put out */
    bool changed;   /* put is not in the file yet */
    uint64_t saved; /* when, crier_now() */
};

/* Takes PATH and reads the id in it, if there is one: state->id. False when
 * that is impossible, or another process has it, which is told. */
bool state_open(struct state *state, const char *path);

/* All up to an event has been put out; ID is the last id with it, "" for none.
 */
void state_set_id(struct state *state, const char *id);

/* Writes the file if it is time to (at most once a second), or NOW. Whoever
 * calls it again when state_save_delay() says so has it written in time. False when
 * it cannot be written, which is told. */
bool state_save(struct state *state, bool now);

/* In how many milliseconds state_save() has something to do; -1 when not at
 * all. */
int state_save_delay(const struct state *state);

void state_close(struct state *state);

#endif
