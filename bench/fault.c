/*
 * The fault that ended the run. Every function returns false if it cannot go on, up to
 * main, which stops the running server and reports the fault. So there is one way out,
 * also for Ctrl-C, and no child process stays behind.
 */
#include <config.h>

#include "fault.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>

static char text[1024];
static volatile sig_atomic_t caught;

bool fault(const char *format, ...)
{
    va_list arguments;

    if (*text == '\0') {
        va_start(arguments, format);
        vsnprintf(text, sizeof text, format, arguments);
        va_end(arguments);
    }
    return false;
}

const char *fault_text(void) { return text; }

static void on_signal(int number) { caught = number; }

void fault_catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};

    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGHUP, &action, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

bool fault_interrupted(void)
{
    if (caught != 0)
        (void)fault("interrupted");
    return caught != 0;
}
