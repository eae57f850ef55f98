/*
 * The signals that end crier, as descriptors for poll(2), by signalfd(2). They are
 * usually left unread: a pending signal makes every later poll() return at once, for
 * example one that waits for a slow reader. They are read only where a second signal
 * has another meaning: while the rest of an event is written (output.c), and while a
 * command of --exec runs (exec.c). A signal that was ignored when crier started (nohup,
 * a background job of a shell) stays ignored.
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

/* Returns a descriptor that is readable while a signal in SET, which is blocked, is
 * pending; negative with errno on failure. */
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
