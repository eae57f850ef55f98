/*
 * The signals that end crier, by signalfd(2), so that they are one more thing
 * to poll for. As a rule it is not read from: a signal stays pending, and whatever
 * waits after that, for a slow reader say, sees at once that the end has come. It is
 * taken only where a second one means something else: while an event is written to its
 * end (out.c), and while a command of --exec runs (command.c).
 * A signal that whoever started crier has set to be ignored (nohup, a shell's
 * background job) stays ignored.
 */
#include <config.h>

#include "signals.h"

#include <errno.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <unistd.h>

static const int ignored[] = {SIGPIPE, SIGXFSZ};

#define IGNORED (sizeof ignored / sizeof ignored[0])

static bool was_ignored[IGNORED];

void signals_ignore(void)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
    size_t i;

    for (i = 0; i < IGNORED; i++)
        if (sigaction(ignored[i], &ignore, &before) == 0)
            was_ignored[i] = before.sa_handler == SIG_IGN;
}

void signals_add_ignored(sigset_t *set)
{
    size_t i;

    for (i = 0; i < IGNORED; i++)
        if (!was_ignored[i])
            sigaddset(set, ignored[i]);
}

/* A descriptor that tells of the signals in SET, which are blocked. */
static int open_set(const sigset_t *set)
{
    return signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int signals_open(struct signals *signals)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action;
    sigset_t child;
    size_t i;

    sigemptyset(&signals->set);
    for (i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (sigaction(numbers[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
            sigaddset(&signals->set, numbers[i]);
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &signals->set, &signals->old);
    sigprocmask(SIG_BLOCK, &child, NULL);
    signals->taken = false;
    signals->fd = open_set(&signals->set);
    signals->child = open_set(&child);
    return signals->fd < 0 || signals->child < 0 ? -errno : 0;
}

bool signals_pending(const struct signals *signals)
{
    sigset_t pending;
    int i;

    if (signals->taken)
        return true;
    sigpending(&pending);
    for (i = 1; i < NSIG; i++)
        if (sigismember(&signals->set, i) == 1 && sigismember(&pending, i) == 1)
            return true;
    return false;
}

int signals_take(struct signals *signals, bool *by_kernel)
{
    struct signalfd_siginfo one;

    if (read(signals->fd, &one, sizeof one) != (ssize_t)sizeof one)
        return 0;
    signals->taken = true;
    *by_kernel = one.ssi_code == SI_KERNEL;
    return (int)one.ssi_signo;
}

void signals_take_child(const struct signals *signals)
{
    struct signalfd_siginfo one;

    while (read(signals->child, &one, sizeof one) > 0)
        continue;
}

void signals_close(struct signals *signals)
{
    if (signals->fd >= 0)
        close(signals->fd);
    if (signals->child >= 0)
        close(signals->child);
}
