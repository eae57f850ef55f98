#ifndef BENCH_CROWD_H
#define BENCH_CROWD_H

#include "clients.h"
#include "cluster.h"

/* A process with subscribers of one node, and its memory that the generator shares. */
struct crowd_share;
struct crowd_process {
    struct watch watch; /* first member; of its socket, fd -1: not started */
    struct crowd *crowd;
    pid_t pid;
    struct crowd_share *share;
    uint64_t answers; /* to commands */
    uint64_t updates; /* that all its subscribers have */
};

/* Subscribers that are too many for the open files of one process. */
struct crowd {
    struct load *load;
    struct crowd_process processes[CLUSTER_NODES];
    unsigned count;
    uint64_t commands;
};

/* Starts a process that waits for crowd_connect(), for subscribers as CLIENTS says: port,
 * count, topics (which must be 1), prefix, size and fields are set. */
bool crowd_add(struct crowd *crowd, struct load *load, const struct clients *clients);

/* Connects all subscribers. */
bool crowd_connect(struct crowd *crowd);

/* Resets the counts and latencies. Call it when nothing is in flight. */
bool crowd_reset(struct crowd *crowd);

/* Waits until every subscriber has the first COUNT updates. One update may be in flight
 * at a time. */
bool crowd_wait(struct crowd *crowd, uint64_t count);

/* Returns the deliveries since crowd_reset(), and adds their latencies to LATENCY. Call it
 * when nothing is in flight. */
uint64_t crowd_deliveries(const struct crowd *crowd, struct histogram *latency);

/* Returns the CPU time that the processes have used so far, in ns; 0, with a fault, if one
 * has ended. */
uint64_t crowd_cpu(const struct crowd *crowd);

/* Ends the processes. All zero is none. */
void crowd_end(struct crowd *crowd);

#endif
