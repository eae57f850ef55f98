#ifndef CRIER_SIGNALS_H
#define CRIER_SIGNALS_H

#include <signal.h>
#include <stdbool.h>

/* SIGINT, SIGTERM, SIGHUP and SIGCHLD as pollable descriptors. */
struct signals {
    int fd;    /* readable while SIGINT, SIGTERM or SIGHUP is pending */
    int child; /* readable after a child has exited */
    sigset_t set;
    sigset_t old; /* signal mask before signals_open() */
    bool taken;   /* signals_take() has returned one */
};

/* Ignores SIGPIPE and SIGXFSZ: a closed pipe and a file at its size limit are errors of
 * write(). */
void signals_ignore(void);

/* Adds SIGPIPE and SIGXFSZ to SET, except those that were ignored before
 * signals_ignore(). */
void signals_add_ignored(sigset_t *set);

/* Blocks SIGCHLD, and those of SIGINT, SIGTERM and SIGHUP that are not ignored, for the
 * rest of this process. Call before starting threads. Returns 0 or -errno. */
int signals_open(struct signals *signals);

/* Returns whether SIGINT, SIGTERM or SIGHUP has arrived. Once true, it stays true. */
bool signals_pending(const struct signals *signals);

/* Reads the next pending signal, so that FD is readable only for later ones. Returns
 * its number, or 0 if there is none. *BY_KERNEL is true if the kernel sent it, as a
 * terminal does to its foreground processes. */
int signals_take(struct signals *signals, bool *by_kernel);

/* Reads all pending SIGCHLD. */
void signals_take_child(const struct signals *signals);

void signals_close(struct signals *signals);

#endif
