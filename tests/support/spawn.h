#ifndef TESTS_SPAWN_H
#define TESTS_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Starts a program from a process that may have threads. A child made by fork()
 * inherits every lock as it is at that moment; if another thread holds one, the child
 * may wait for it for ever before it calls exec. posix_spawn() avoids that. This file
 * does not use check, because the benchmark and the soak also start programs with it.
 */
struct spawn {
    const char *const *words; /* the program, searched in $PATH unless it has a slash,
                                 and its arguments; ended by NULL */
    int files[3];    /* become its descriptors 0 to 2; 0 stands for the caller's own */
    bool group;      /* it becomes the leader of a new process group */
    int death;       /* the signal it gets when the thread that started it ends for any
                        reason; 0 for none. Needs setpriv of util-linux */
};

/* Starts the program, with no signal blocked and SIGPIPE at its default, and stores its
 * process id, which the caller passes to waitpid(), in *PID. Any thread. Returns 0 or
 * -errno, also if there is no such program; with a `death` signal the program then
 * exits with status 127 instead. */
int spawn_program(const struct spawn *spawn, pid_t *pid);

#endif
