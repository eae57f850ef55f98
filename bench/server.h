#ifndef BENCH_SERVER_H
#define BENCH_SERVER_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum server_kind {
    SERVER_BASELINE,
    SERVER_CRIERD,
    SERVER_CRIERD_SQLITE,
    SERVER_NCHAN,
    SERVER_KINDS
};

/* Where the servers are, and how they are started. Borrowed. */
struct server_settings {
    const char *baseline;
    const char *crierd;
    const char *www, *data;  /* of crierd */
    const char *const *more; /* options of crierd, ended by NULL; or NULL */
    const char *nginx;
    const char *nchan;          /* the module */
    const char *baseline_fault; /* what baseline shall do wrong, or NULL */
    unsigned keep_alive;        /* s */
    unsigned patience;          /* s that starting may take */
    bool apart;                 /* on all CPUs but the one of server_set_apart() */
    cpu_set_t cpus;
};

/* A server that runs, the leader of its own process group. */
struct server {
    enum server_kind kind;
    pid_t pid; /* 0 when it has ended */
    unsigned port;
    int held;            /* the descriptor that keeps the port, see port.h; or -1 */
    char directory[256]; /* for its files; goes with it */
    unsigned patience;
};

/* Its name in tables. */
const char *server_name(enum server_kind kind);

/* Puts this process on one CPU, and all servers that it starts on the others;
 * with a single CPU it does nothing. */
void server_set_apart(struct server_settings *settings);

/* Whether it is installed. */
bool server_available(enum server_kind kind, const struct server_settings *settings);

/* Raises the open-file limit, which servers inherit; false, with a fault, when
 * it is too low for CLIENTS clients. */
bool server_enough_files(size_t clients);

/* Starts one and waits until it accepts connections on 127.0.0.1. On failure
 * there is a fault and nothing runs. */
bool server_start(enum server_kind kind, const struct server_settings *settings,
                  struct server *server);

/* Whether it has ended, without waiting for that; then *STATUS is that of
 * waitpid(). Its files and its port are kept. */
bool server_gone(struct server *server, int *status);

/* Starts one that has ended once more, as it was. Otherwise as server_start().
 */
bool server_again(const struct server_settings *settings, struct server *server);

/* Stops it, by force when it takes too long, and removes its files. False,
 * with a fault, when it had not run well, or did not end by itself. */
bool server_stop(struct server *server);

#endif
