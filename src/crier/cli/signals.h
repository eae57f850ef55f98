#ifndef CRIER_SIGNALS_H
#define CRIER_SIGNALS_H

#include <signal.h>
#include <stdbool.h>

/* SIGINT, SIGTERM and SIGHUP, and the ends of children, as something that can be
 * polled. */
struct signals {
    int fd;    /* polls readable when one of the three has come and is not taken */
    int child; /* polls readable when a child has ended */
    sigset_t set;
    sigset_t old; /* what was blocked before */
    bool taken;   /* one was taken */
};

/* Ignores SIGPIPE and SIGXFSZ: that a reader is gone, or a file may not grow, is an
 * error of write(). */
void signals_ignore(void);

/* Adds to SET those of the two that were not ignored before that. */
void signals_add_ignored(sigset_t *set);

/* Blocks those of the three that are not ignored, and SIGCHLD, for the rest of
 * this process. Before any thread is started. 0 or -errno. */
int signals_open(struct signals *signals);

/* Whether one of the three has come; from then on for ever. */
bool signals_pending(const struct signals *signals);

/* Takes the next of those that have come, so that FD tells of others only. Its number,
 * or 0 when there is none; *BY_KERNEL says that the kernel has sent it, as a terminal
 * does to all of its processes in the foreground. */
int signals_take(struct signals *signals, bool *by_kernel);

/* Takes what has been said of children. */
void signals_take_child(const struct signals *signals);

void signals_close(struct signals *signals);

#endif
