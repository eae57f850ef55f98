#ifndef CRIER_SIGNALS_H
#define CRIER_SIGNALS_H

#include <signal.h>
#include <stdbool.h>

/* SIGINT, SIGTERM and SIGHUP as something that can be polled. */
struct signals {
    int fd; /* polls readable when one has come */
    sigset_t set;
    sigset_t old; /* what was blocked before */
};

/* Ignores SIGPIPE and SIGXFSZ: that a reader is gone, or a file may not grow, is an
 * error of write(). */
void signals_ignore(void);

/* Adds to SET those of the two that were not ignored before that. */
void signals_add_ignored(sigset_t *set);

/* Blocks those of the three that are not ignored, for the rest of this
 * process. Before any thread is started. 0 or -errno. */
int signals_open(struct signals *signals);

/* Whether one of them has come. It stays pending. */
bool signals_pending(const struct signals *signals);

/* Takes those that have come, so that FD tells of the next one. */
void signals_take(const struct signals *signals);

void signals_close(struct signals *signals);

#endif
