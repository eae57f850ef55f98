#ifndef CLUSTER_FAULTS_H
#define CLUSTER_FAULTS_H

#include "client.h"
#include "publisher.h"

/* A run. */
struct play {
    struct cluster *cluster;
    struct clients clients;
    struct publisher publishers[SITE_NODES];
    unsigned rate;       /* updates a second of each publisher */
    unsigned stop_ms;    /* how long Redis is stopped */
    bool hurry; /* an old master is made a replica at once, not by the sentinels */
    bool producing;
    uint32_t *marks;     /* of each topic */
    int master;          /* the server that the sentinels have agreed on */
    struct process *ending; /* the process that is expected to end; or NULL */
    int signal;          /* that it was sent */
    unsigned behind;     /* readings of the journal at nodes that were behind */
    const char *doing;   /* for messages; borrowed */
};

/* Connects the clients, and waits until all have received an update. */
bool play_begin(struct play *play);

/* Injects each fault once, in random order; and then, until UNTIL (ns), faults at random.
 * After each everything is checked. ONLY: the name of the one fault that is injected, or
 * NULL. */
bool play_run(struct play *play, uint64_t until, const char *only);

/* Publishes without faults, and checks. */
bool play_quietly(struct play *play);

/* Prints the names of all faults. */
void play_print_faults(void);

#endif
