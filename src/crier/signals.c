/*
 * The signals that end crier, by signalfd(2), so that they are one more thing
 * to poll for. It is not read from: a signal stays pending, and whatever waits
 * after that, for a slow reader say, sees at once that the end has come. Only
 * who wants to hear of a second one takes the first (out.c).
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

int signals_open(struct signals *signals)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action;
    size_t i;

    sigemptyset(&signals->set);
    for (i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (sigaction(numbers[i], NULL, &action) == 0 &&
            action.sa_handler != SIG_IGN)
            sigaddset(&signals->set, numbers[i]);
    sigprocmask(SIG_BLOCK, &signals->set, &signals->old);
    signals->fd = signalfd(-1, &signals->set, SFD_CLOEXEC | SFD_NONBLOCK);
    return signals->fd < 0 ? -errno : 0;
}

bool signals_pending(const struct signals *signals)
{
    sigset_t pending;
    int i;

    sigpending(&pending);
    for (i = 1; i < NSIG; i++)
        if (sigismember(&signals->set, i) == 1 &&
            sigismember(&pending, i) == 1)
            return true;
    return false;
}

void signals_take(const struct signals *signals)
{
    struct signalfd_siginfo one;

    while (read(signals->fd, &one, sizeof one) > 0)
        continue;
}

void signals_close(struct signals *signals)
{
    if (signals->fd >= 0)
        close(signals->fd);
}
