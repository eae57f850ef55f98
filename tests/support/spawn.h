#ifndef TESTS_SPAWN_H
#define TESTS_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Starting a program from a process that may have threads. A child made by fork()
 * inherits every lock as it is at that moment, and where another thread holds one, the
 * child may wait for it for ever before it reaches exec. posix_spawn() has no such
 * child. Nothing here uses check: the benchmark and the soak start programs, too.
 */
struct spawn {
    const char *const *words; /* the program, which is looked for in $PATH unless it
                                 has a slash, and its arguments; ended by NULL */
    int files[3];    /* what become its descriptors 0 to 2; where it is 0, the child
                        has the caller's own */
    bool group;      /* it leads a process group of its own */
    int death;       /* the signal it gets when the thread that started it ends, however
                        that ends; 0 for none. Needs setpriv of util-linux */
};

/* Starts it, with no signal blocked and SIGPIPE at its default, and puts its process
 * id, which waitpid() takes, into *PID. Any thread. 0 or -errno, also when there is no
 * such program; but with a `death` signal that is then exit status 127. */
int spawn_program(const struct spawn *spawn, pid_t *pid);

#endif
