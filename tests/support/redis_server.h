#ifndef TESTS_REDIS_SERVER_H
#define TESTS_REDIS_SERVER_H

#include <hiredis/hiredis.h>

#include <stdarg.h>
#include <stdbool.h>
#include <sys/types.h>

/*
 * A Redis, Valkey or sentinel that a test starts, in a process and a temporary directory
 * of its own. The kernel kills it when the thread that started it ends. The program is
 * $REDIS_SERVER, or else the first of redis-server, redis-check-rdb (the same program;
 * Debian's redis-tools has no other name for it), valkey-server and valkey-check-rdb that
 * $PATH has.
 *
 * A function that fails prints the reason, and the log of the server, and aborts the
 * test. One thread at a time uses a server.
 */

struct redis_options {
    bool tcp;                /* it listens on a free port of 127.0.0.1; else on `socket` */
    const char *password;    /* or NULL */
    const char *appendfsync; /* it writes all changes to a file, with fsync "always",
                                "everysec" or "no"; NULL: a restart loses everything */
    const struct redis_server *replica_of; /* with `tcp`; or NULL */
    const char *program;     /* its path; NULL: what redis_find() finds */
    const char *const *more; /* further options, "--maxmemory", "8mb" ..., ended by NULL;
                                or NULL */
};

struct redis_server {
    pid_t pid;          /* 0: it does not run */
    int port;           /* or 0; kept over a restart */
    char directory[64]; /* its data, its log, and nothing of others */
    char socket[80];    /* its unix socket, unless it is a sentinel */
    char password[64];  /* or "" */
    int port_holder;    /* from port_hold() */
    struct redis_options options;
    redisContext *connection; /* of redis_ask() */
};

/* Whether a test that runs with other journals, too, is to start a server: not in a sweep
 * of failing allocations (test_oom), which runs each program hundreds of times; a server
 * takes longer to start than most of them run. */
bool redis_is_wanted(void);

/* Finds the program, writes its path to PATH, and returns true; or prints what to
 * install and returns false. The other functions call it. */
bool redis_find(char path[4096]);

/* Returns whether $PATH has a Valkey, and writes its path to PATH. */
bool redis_find_valkey(char path[4096]);

/* Starts a server with a new directory, and returns when it accepts commands. OPTIONS
 * may be NULL; what they point to, but for `program`, stays valid until redis_remove(). */
void redis_start(struct redis_server *server, const struct redis_options *options);

/* The options of a sentinel that watches MASTER under NAME. */
struct redis_watch {
    const char *name;
    const struct redis_server *master; /* with `tcp` */
    unsigned quorum;   /* so many sentinels must agree that it is down */
    unsigned down;     /* ms without an answer after which it is down for this one */
    const char *password; /* of the sentinel itself; or NULL */
};

/* Starts a sentinel on a free port, which the functions below accept as a server. */
void redis_start_sentinel(struct redis_server *sentinel, const struct redis_watch *watch);

/* Stops it in good order, or kills it, and waits until it has ended. Its directory
 * remains. */
void redis_stop(struct redis_server *server);
void redis_kill(struct redis_server *server);

/* Starts it again, with the same directory, port and options; a server that has become a
 * replica or a master meanwhile is again what it was first. */
void redis_restart(struct redis_server *server);

/* Stops all its threads (SIGSTOP; returns when that has happened) and lets them go on. It
 * keeps its connections. */
void redis_pause(struct redis_server *server);
void redis_resume(struct redis_server *server);

/* Kills it if it runs, and removes its directory. */
void redis_remove(struct redis_server *server);

/* Returns its URL for --journal, with its password, without parameters; in new memory. */
char *redis_url(const struct redis_server *server);

/* A parameter of such a URL for all that is not about time: the longest timeout there is,
 * since a server on a busy machine may stand still for longer than the usual 5 s. */
#define REDIS_PATIENCE "timeout=60s"

/* Runs a command as redisCommand() formats it, on a connection that is kept; connects and
 * authenticates as necessary. Returns the reply, for freeReplyObject(), which may be an
 * error of Redis. There is no limit of time. */
redisReply *redis_ask(struct redis_server *server, const char *format, ...);

/* The same, for a reply that must be an integer; or of any kind but an error. */
long long redis_ask_number(struct redis_server *server, const char *format, ...);
void redis_do(struct redis_server *server, const char *format, ...);

/* Waits until COUNT replicas have what MASTER has now. */
void redis_wait_replicas(struct redis_server *master, int count);

#endif
