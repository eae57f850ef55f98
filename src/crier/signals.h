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

/* Ignores SIGPIPE: a reader that goes away is an error of write(). */
void signals_no_pipe(void);

/* Whether it was ignored before that. */
bool signals_pipe_was_ignored(void);

/* Blocks those of the three that are not ignored, for the rest of this
 * process. Before any thread is started. 0 or -errno. */
int signals_open(struct signals *signals);

/* Whether one of them has come. It stays pending. */
bool signals_pending(const struct signals *signals);

/* Takes those that have come, so that FD tells of the next one. */
void signals_take(const struct signals *signals);

void signals_close(struct signals *signals);

#endif
