#ifndef BENCH_WORK_H
#define BENCH_WORK_H

#include "server.h"

#include <stdbool.h>
#include <stddef.h>

enum work_kind {
    WORK_BROADCAST,
    WORK_TARGETED,
    WORK_SATURATED,
    WORK_CHUNKED,
    WORK_IDLE,
    WORK_PUBLISH,
    WORK_BULK,
    WORK_STORM,
    WORK_CONNECT,
    WORK_CONNECT_CHROME,
    WORK_MEMORY,
    WORK_MEMORY_CHROME,
    WORK_MEMORY_PROXY,
    WORK_MEMORY_COOKIE,
    WORK_SLOW, /* from here on: healthy clients under attack */
    WORK_HALF_OPEN,
    WORK_LARGE,
    WORK_GARBAGE,
    WORK_KINDS
};

/* How large a run is. */
struct work_size {
    size_t clients;      /* of broadcast; the others follow from it */
    double seconds;      /* that each round of a workload publishes */
    unsigned keep_alive; /* s */
    unsigned patience;   /* s without any progress, then the run fails */
};

enum figure {
    FIGURE_CPU,  /* ns of server CPU for each delivery (see work_unit()) */
    FIGURE_RATE, /* deliveries, publishes or clients a second */
    FIGURE_P50,  /* ns from publishing to the client */
    FIGURE_P99,
    FIGURE_P999,
    FIGURE_MEMORY,    /* bytes of anonymous memory for each client */
    FIGURE_PUBLISHES, /* a second */
    FIGURE_BYTES,     /* that a client reads for each delivery or keep-alive */
    FIGURE_P50_ALONE, /* latencies under attack, divided by those without */
    FIGURE_P99_ALONE,
    FIGURE_ATTACKS, /* a second */
    FIGURE_LOAD,    /* CPU of the load generator, share of one CPU; that of the
                       attackers is in it */
    FIGURES
};

/* What one round measured; NAN where it did not. */
struct figures {
    double of[FIGURES];
};

/* The name of a workload, and what its CPU is divided by. */
const char *work_name(enum work_kind kind);
const char *work_unit(enum work_kind kind);

/* Whether it is about attackers; or about little but memory, which is the same in each
 * round. */
bool work_is_abuse(enum work_kind kind);
bool work_is_memory(enum work_kind kind);

/* How many clients it has. */
size_t work_clients(enum work_kind kind, const struct work_size *size);

/* Whether it is made for that server. */
bool work_is_for(enum work_kind kind, enum server_kind server);

/* Runs one round against SERVER, which was started for it. */
bool work_run(enum work_kind kind, const struct work_size *size,
              const struct server *server, struct figures *figures);

#endif
