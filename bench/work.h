#ifndef BENCH_WORK_H
#define BENCH_WORK_H

#include "cluster.h"

#include <stdbool.h>
#include <stddef.h>

enum work_kind {
    WORK_BROADCAST,
    WORK_LATENCY,
    WORK_PRIVATE,
    WORK_TARGETED,
    WORK_PREFIX,
    WORK_TEMPLATE,
    WORK_SATURATED,
    WORK_CHUNKED,
    WORK_TLS_BROADCAST,
    WORK_TLS_TARGETED,
    WORK_TLS_SATURATED,
    WORK_IDLE,
    WORK_QUIET,
    WORK_CROWD,
    WORK_PUBLISH,
    WORK_PUBLISH_TOKEN,
    WORK_BULK,
    WORK_STORM,
    WORK_CONNECT,
    WORK_CONNECT_TOKEN,
    WORK_CONNECT_TOKENS,
    WORK_CONNECT_CHROME,
    WORK_MEMORY,
    WORK_MEMORY_CHROME,
    WORK_MEMORY_PROXY,
    WORK_MEMORY_COOKIE,
    WORK_MEMORY_TLS,
    WORK_SLOW, /* from here on: measured clients under attack */
    WORK_HALF_OPEN,
    WORK_LARGE,
    WORK_GARBAGE,
    WORK_FLOOD,
    WORK_KINDS
};

/* The size of a run. */
struct work_size {
    size_t clients;      /* of broadcast; those of other workloads follow from it */
    double seconds;      /* publishing time of each round */
    unsigned keep_alive; /* s */
    unsigned patience;   /* s without progress after which the run fails */
};

enum figure {
    FIGURE_CPU,  /* server CPU per delivery (see work_unit()), ns */
    FIGURE_RATE, /* deliveries, publishes or clients a second */
    FIGURE_P50,  /* from publishing to delivery, ns */
    FIGURE_P99,
    FIGURE_P999,
    FIGURE_MEMORY,    /* anonymous memory per client, bytes */
    FIGURE_KERNEL,    /* the kernel's, of both ends of its connection */
    FIGURE_PUBLISHES, /* a second */
    FIGURE_BYTES,     /* read by a client per delivery or keep-alive */
    FIGURE_TO_PLAIN, /* CPU with TLS, divided by that without */
    FIGURE_P50_ALONE, /* latencies under attack, divided by those without */
    FIGURE_P99_ALONE,
    FIGURE_ATTACKS, /* a second */
    FIGURE_LOAD,    /* CPU of generator and attackers, share of one CPU */
    FIGURES
};

/* Figures of one round; NAN where not measured. */
struct figures {
    double of[FIGURES];
};

/* Return the name of a workload, and the unit that its CPU is divided by. */
const char *work_name(enum work_kind kind);
const char *work_unit(enum work_kind kind);

/* Return whether a workload has attackers, and whether it only measures memory, which
 * is the same in each round. */
bool work_is_abuse(enum work_kind kind);
bool work_is_memory(enum work_kind kind);

/* Returns whether clients use TLS. */
bool work_is_tls(enum work_kind kind);

/* Returns further options of the server for it, ended by NULL; NULL for none. */
const char *const *work_options(enum work_kind kind);

/* Returns its number of clients with SERVER, and of those that one process has. */
size_t work_clients(enum work_kind kind, enum server_kind server,
                    const struct work_size *size);
size_t work_clients_each(enum work_kind kind, const struct work_size *size);

/* Returns how many nodes of SERVER are to be started for it. */
unsigned work_nodes(enum work_kind kind, enum server_kind server);

/* Returns whether it is meant for SERVER. */
bool work_is_for(enum work_kind kind, enum server_kind server);

/* Runs one round against CLUSTER, which was started for it. */
bool work_run(enum work_kind kind, const struct work_size *size,
              struct cluster *cluster, struct figures *figures);

#endif
