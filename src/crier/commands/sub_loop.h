#ifndef CRIER_SUBSCRIBE_H
#define CRIER_SUBSCRIBE_H

#include "exec.h"
#include "crier/cli/config_file.h"
#include "crier/cli/signals.h"
#include "state.h"
#include "sub.h"

/* Follows what SUB says until it is over, and returns the exit status. All is
 * borrowed. STATE and COMMAND are ready, whether SUB asks for them or not. */
int follow(const struct conf *conf, const struct sub *sub,
           struct signals *signals, struct state *state,
           struct command *command);

#endif
