#ifndef CRIER_EXEC_H
#define CRIER_EXEC_H

#include "crier_client.h"
#include "crier/cli/signals.h"

#include <stddef.h>

/* The command of --exec. */
struct exec {
    char **argv;             /* borrowed, ended by NULL */
    struct signals *signals; /* borrowed: signals to forward */
    int *inherited;          /* descriptors that crier itself inherited */
    size_t inherited_count;
};

/* Initializes EXEC. Call before opening any descriptor. */
void exec_init(struct exec *exec);

/* Runs the command for the event MESSAGE and waits until it exits. The first signal
 * that arrives meanwhile is forwarded to the command; the second one ends the wait.
 * Returns 0 if the command exited with status 0, otherwise the status of waitpid(); -1,
 * after reporting why, if there is none. */
int exec_run(struct exec *exec, const struct crier_message *message);

void exec_done(struct exec *exec);

#endif
