#ifndef CRIER_EXEC_H
#define CRIER_EXEC_H

#include "crier_client.h"
#include "crier/cli/signals.h"

#include <stddef.h>

/* The command of --exec. */
struct exec {
    char **argv;             /* borrowed, ended by NULL */
    struct signals *signals; /* borrowed: what it gets of signals */
    int *inherited;          /* descriptors that are not crier's own */
    size_t inherited_count;
};

/* Before crier opens anything of its own. */
void exec_init(struct exec *exec);

/* Runs the command for the event MESSAGE and waits for its end. A signal that comes
 * meanwhile is passed on to it; when a second one comes, the wait ends. 0 when the
 * command ended with status 0, or what waitpid() says; -1 when it is not known how it
 * ended, which is noted. */
int exec_run(struct exec *exec, const struct crier_message *message);

void exec_done(struct exec *exec);

#endif
