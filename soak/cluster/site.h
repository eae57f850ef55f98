#ifndef CLUSTER_SITE_H
#define CLUSTER_SITE_H

#include "net.h"

#include <stddef.h>

#define SITE_NODES 3
#define SITE_SERVERS 2 /* of Redis: the first one is the master at the start */
#define SITE_SENTINELS 3

/* A process of the site, which may be stopped and started again with its files. */
struct process {
    char name[32];
    char address[24]; /* for other processes of the site */
    char clients[24]; /* for clients; nodes only */
    unsigned port;
    int held; /* reserves the port (port.h); or -1 */
    struct place place;
    char directory[288];
    pid_t pid; /* 0: it does not run */
    unsigned retries; /* of its start */
};

enum site_journal {
    SITE_REDIS,  /* three nodes, two servers of Redis, three sentinels */
    SITE_SQLITE, /* one node with a journal in a file */
};

/* Paths and options. Borrowed. */
struct site_settings {
    const char *crierd, *www, *data, *redis;
    enum site_journal journal;
    unsigned wait;   /* replicas that must have an update */
    size_t clients;  /* of all nodes together */
    bool apart;      /* there is a network of our own */
};

/* The processes. */
struct site {
    struct site_settings settings;
    char directory[256]; /* for all files; removed with the site */
    size_t node_count, server_count, sentinel_count;
    struct process nodes[SITE_NODES];
    struct process servers[SITE_SERVERS];
    struct process sentinels[SITE_SENTINELS];
};

/* Starts everything, and waits until it accepts connections. Returns false, with a fault,
 * on failure; site_close() is called in any case. */
bool site_open(struct site *site, const struct site_settings *settings);

/* Prints the ends of all logs. */
void site_print_logs(const struct site *site);

/* Kills everything, and removes the files. */
void site_close(struct site *site);

/* Start a process again. They return at once, with false and a fault on failure. */
bool site_start_node(struct site *site, size_t node);
bool site_start_server(struct site *site, size_t server);

/* Starts NODE again, and says so, if it has ended with status 1, as a service manager would: it does
 * so when it has not reached Redis for two seconds. Returns false, with a fault, if it has ended
 * otherwise, or too often. */
bool site_keep_node(struct site *site, size_t node);

/* Sends SIGNAL. */
bool site_signal(const struct process *process, int signal);

/* Returns whether PROCESS has ended, without waiting; *STATUS is that of waitpid(). */
bool site_has_ended(struct process *process, int *status);

/* Returns whether PROCESS accepts a connection at once. */
bool site_is_listening(const struct process *process);

/* Returns a socket that is connecting to NODE; -1, with a fault, on failure. */
int site_connect(const struct site *site, size_t node);

/* Has the sentinels take a master for dead that has not responded for MS ms. Returns whether all
 * of them do. */
bool site_set_patience(const struct site *site, unsigned ms);

/* Has a sentinel make the replica the master, unless that is so or the sentinel is about it. MASTER
 * is the server that is the master until then. */
void site_fail_over(const struct site *site, int master);

/* Returns whether all sentinels know each other and a replica that they could promote. */
bool site_can_fail_over(const struct site *site);

/* Returns which server the sentinels have for the master; -1 if they do not agree. */
int site_find_master(const struct site *site);

/* Returns whether SERVER is a replica that is connected to its master. */
bool site_is_in_sync(const struct site *site, size_t server);

/* Makes SERVER a replica of the other one, as the sentinels do some 10 s later. Returns
 * whether it accepts that. */
bool site_follow(const struct site *site, size_t server);

/* Removes all data from the server. Returns whether that has responded. */
bool site_flush(const struct site *site, size_t server);

#endif
