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
    SERVER_CRIERD_REDIS, /* the journal is in Redis; one node */
    SERVER_CRIERD_NODES, /* likewise; several nodes, see work_nodes() */
    SERVER_NCHAN,
    SERVER_NCHAN_REDIS, /* Nchan stores its messages in Redis */
    SERVER_KINDS,
    SERVER_REDIS = SERVER_KINDS /* Redis itself, which is not measured alone */
};

/* Paths of the servers, and how to start them. Borrowed. */
struct server_settings {
    const char *baseline;
    const char *crierd;
    const char *www, *data;  /* of crierd */
    const char *const *more; /* further options of crierd, ended by NULL; or NULL */
    bool tls;                /* crierd listens for TLS, too */
    const char *nginx;
    const char *nchan;          /* module of nginx */
    const char *redis;          /* redis-server */
    unsigned redis_port;        /* of the Redis that the server is to use */
    const char *baseline_fault; /* the fault that baseline is to make, or NULL */
    unsigned keep_alive;        /* s */
    unsigned patience;          /* maximum time of starting, s */
    bool apart;                 /* servers run on CPUS, not on the CPU of
                                 * server_set_apart() */
    cpu_set_t cpus;
    cpu_set_t redis_cpus; /* likewise for Redis: a CPU of its own when there are three,
                           * or else that of server_set_apart() */
};

/* A running server, leader of its own process group. */
struct server {
    enum server_kind kind;
    pid_t pid; /* 0 after it has exited */
    unsigned port;
    unsigned tls_port;   /* of crierd; 0: none */
    int held, tls_held;  /* descriptors that reserve the ports (port.h); or -1 */
    char directory[256]; /* for its files; removed with it */
    unsigned patience;
};

/* Returns the server's name in tables. */
const char *server_name(enum server_kind kind);

/* Returns whether servers of this kind need a Redis. */
bool server_needs_redis(enum server_kind kind);

/* Puts this process on one CPU, and all servers that it starts on the others. Does
 * nothing with a single CPU. */
void server_set_apart(struct server_settings *settings);

/* Returns whether the server is installed. */
bool server_available(enum server_kind kind, const struct server_settings *settings);

/* Raises the open-file limit, which servers inherit. Returns false, with a fault, if it
 * is too low for CLIENTS clients. */
bool server_enough_files(size_t clients);

/* Starts a server and waits until it accepts connections on 127.0.0.1. Returns false,
 * with a fault and nothing running, on failure. */
bool server_start(enum server_kind kind, const struct server_settings *settings,
                  struct server *server);

/* Returns whether the server has exited, without waiting; then *STATUS is that of
 * waitpid(). Its files and port are kept. */
bool server_has_exited(struct server *server, int *status);

/* Starts a server that has exited again, with the same files and port. Otherwise like
 * server_start(). */
bool server_restart(const struct server_settings *settings, struct server *server);

/* Stops the server, by force if it takes too long, and removes its files. Returns
 * false, with a fault, if it had exited before, or had to be killed. */
bool server_stop(struct server *server);

#endif
