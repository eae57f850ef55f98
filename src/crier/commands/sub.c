/*
 * crier sub: opens what the loop needs, and runs it.
 */
#include <config.h>

#include "sub.h"

#include "crier/cli/note.h"
#include "crier/cli/signals.h"
#include "exec.h"
#include "state.h"
#include "sub_loop.h"

static int run_sub(const struct options *options, const struct sub_options *sub,
                   struct exec *exec)
{
    struct signals signals;
    struct state state = {0};
    int status = EXIT_FAILURE, error = signals_open(&signals);

    sub_options_note_urls(sub);
    exec->argv = sub->exec;
    exec->signals = &signals;
    if (error != 0)
        note_error("cannot watch for signals: %s", crier_error_text(error));
    else if (sub->state == NULL || state_open(&state, sub->state))
        status = sub_loop_run(options, sub, &signals, &state, exec);
    state_close(&state);
    signals_close(&signals);
    return status;
}

int sub_run(int argc, char **argv)
{
    struct sub_options sub;
    struct options options;
    enum options_result result;
    struct exec exec;
    int status = EXIT_SUCCESS;

    exec_init(&exec);
    result = sub_options_parse(&sub, &options, argc, argv);
    if (result == OPTIONS_BAD)
        status = EXIT_USAGE;
    else if (result == OPTIONS_RUN)
        status = run_sub(&options, &sub, &exec);
    exec_done(&exec);
    options_done(&options);
    sub_options_done(&sub);
    return status;
}
