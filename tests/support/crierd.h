#ifndef TESTS_CRIERD_H
#define TESTS_CRIERD_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

/*
 * A real crierd in a process of its own: $CRIERD, with the words of
 * $CRIERD_WRAPPER (valgrind, for example) in front. A thread reads and keeps its log.
 */
struct crierd {
    pid_t pid;
    int port;
    int log_end; /* our end of its standard error */
    pthread_t reader;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t more;
    char *log;
    size_t length, capacity; /* of log, which is mapped memory */
    bool ended;
};

/* Starts crierd on a free port of 127.0.0.1 with the pages and data of the source tree,
 * and with OPTIONS, separated by spaces, which override these; --listen adds to the port.
 * Returns when it listens. */
void crierd_start(struct crierd *crierd, const char *options);

/* The same for a crierd that may refuse to start. Returns whether it listens; if not,
 * it has ended, and *STATUS is its exit status, or -1 if a signal killed it. */
bool crierd_try_start(struct crierd *crierd, const char *options, int *status);

/* Does the same as crierd_start() on PORT, which port_hold() kept: for a crierd that is
 * restarted, or that clients wait for. */
void crierd_start_on(struct crierd *crierd, int port, const char *options);

/* Starts it with OPTIONS alone, and does not wait. */
void crierd_spawn(struct crierd *crierd, const char *options);

/* Waits until its log contains TEXT. */
void crierd_wait_log(struct crierd *crierd, const char *text);

/* Waits until its log contains TEXT at least COUNT times. */
void crierd_wait_lines(struct crierd *crierd, const char *text, int count);

/* Whether its log contains TEXT now. */
bool crierd_logged(struct crierd *crierd, const char *text);

/* Waits until it ends; returns its exit status, or -1 if a signal killed it. */
int crierd_wait(struct crierd *crierd);

/* Kills it with SIGKILL. */
void crierd_kill(struct crierd *crierd);

/* Sends it SIGNAL and fails unless it exits with 0, in time. */
void crierd_stop_by(struct crierd *crierd, int signal);

/* The same with SIGTERM. */
void crierd_stop(struct crierd *crierd);

/* Whether crierd runs much slower than an optimised build: with a sanitizer or a
 * wrapper. */
bool crierd_is_slow(void);

#endif
