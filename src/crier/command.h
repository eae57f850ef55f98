#ifndef CRIER_COMMAND_H
#define CRIER_COMMAND_H

#include "crier_client.h"
#include "signals.h"

#include <stddef.h>

/* The command of --exec. */
struct command {
    char **argv;                   /* borrowed, ended by NULL */
    const struct signals *signals; /* borrowed: what it gets back of signals */
    int *inherited;                /* descriptors that are not crier's own */
    size_t inherited_count;
};

/* Before crier opens anything of its own. */
void command_init(struct command *command);

/* Runs the command for the event MESSAGE and waits for its end. 0 when it
 * ended with status 0, or what waitpid() says; -1 when there is no telling,
 * which is told. */
int command_run(struct command *command, const struct crier_message *message);

void command_done(struct command *command);

#endif
