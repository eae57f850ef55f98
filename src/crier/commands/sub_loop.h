#ifndef CRIER_SUB_LOOP_H
#define CRIER_SUB_LOOP_H

#include "exec.h"
#include "crier/cli/options.h"
#include "crier/cli/signals.h"
#include "state.h"
#include "sub_options.h"

/* Follows what SUB says until it is over, and returns the exit status. All is
 * borrowed. STATE and COMMAND are ready, whether SUB asks for them or not. */
int sub_loop_run(const struct options *options, const struct sub_options *sub,
                 struct signals *signals, struct state *state, struct exec *exec);

#endif
