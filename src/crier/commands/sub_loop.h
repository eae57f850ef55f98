#ifndef CRIER_SUB_LOOP_H
#define CRIER_SUB_LOOP_H

#include "exec.h"
#include "crier/cli/options.h"
#include "crier/cli/signals.h"
#include "state.h"
#include "sub_options.h"

/* Runs `crier sub` until it ends. Returns the exit status. Borrows all arguments. STATE
 * and EXEC are initialized even if SUB does not use them. */
int sub_loop_run(const struct options *options, const struct sub_options *sub,
                 struct signals *signals, struct state *state, struct exec *exec);

#endif
