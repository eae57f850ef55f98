#ifndef TESTS_CRIERD_H
#define TESTS_CRIERD_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

/*
 * A real crierd in a process of its own: $CRIERD, with the words of
 * $CRIERD_WRAPPER in front (valgrind, for one). What it logs is read all the
 * time and kept.
 */
struct crierd {
    pid_t pid;
    int port;
    int log_end; /* our end of its standard error */
    pthread_t reader;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t more;
    char *log;
    size_t length;
    bool ended;
};

/* Starts crierd on a free port of 127.0.0.1 with the pages and data of the
 * source tree and OPTIONS, words between spaces, which win. Returns when it
 * listens. */
void crierd_start(struct crierd *crierd, const char *options);

/* The same, but it may refuse to: then it is gone, has logged why, and its exit
 * status, -1 for a signal, goes to *STATUS. Whether it listens. */
bool crierd_try_start(struct crierd *crierd, const char *options, int *status);

/* As crierd_start(), on PORT: for one that is started again where it was, or where
 * somebody waits for it. Until then port_hold() keeps the port. */
void crierd_start_on(struct crierd *crierd, int port, const char *options);

/* Starts it with just OPTIONS, and does not wait. */
void crierd_spawn(struct crierd *crierd, const char *options);

/* Waits until its log contains TEXT. */
void crierd_wait_log(struct crierd *crierd, const char *text);

/* Whether its log contains TEXT now. */
bool crierd_logged(struct crierd *crierd, const char *text);

/* Waits for its end and returns its exit status, -1 when a signal killed it. */
int crierd_wait(struct crierd *crierd);

/* Kills it on the spot, with SIGKILL. */
void crierd_kill(struct crierd *crierd);

/* Ends it with SIGNAL and fails unless it exits with 0, and in time. */
void crierd_stop_by(struct crierd *crierd, int signal);

/* The same with SIGTERM. */
void crierd_stop(struct crierd *crierd);

/* Whether crierd runs slower than built for speed: under a sanitizer or a
 * wrapper. */
bool crierd_is_slow(void);

#endif
