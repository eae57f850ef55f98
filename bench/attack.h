#ifndef BENCH_ATTACK_H
#define BENCH_ATTACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum attack_kind {
    ATTACK_SLOW,      /* heads sent byte by byte */
    ATTACK_HALF_OPEN, /* half a head and nothing more */
    ATTACK_LARGE,     /* heads of 12 to 64 KiB */
    ATTACK_GARBAGE,   /* random bytes, and valid requests between them */
    ATTACK_FLOOD,     /* connections of one address, with half a head or a slow one */
    ATTACK_KINDS
};

/* Memory shared with the attackers' process. */
struct attack_counts;

/* Attackers, in a process of their own. All zero is none. */
struct attack {
    pid_t pid;
    int control;
    bool acts; /* its attackers do more than to connect once */
    struct attack_counts *counts;
};

/* Starts the process, which then waits. Call it before opening connections, which the
 * process would inherit. CLIENTS is the size of the run, which determines the number of
 * attackers (attack.c). */
bool attack_prepare(struct attack *attack, enum attack_kind kind, unsigned port,
                    size_t clients);

/* Starts the attack. Returns when each attacker has connected once. Returns false, with
 * a fault, if they cannot. */
bool attack_begin(struct attack *attack);

/* Returns how many actions they have made so far: bytes, heads or pieces of garbage
 * sent. */
uint64_t attack_count(const struct attack *attack);

/* Returns the CPU time that they have used so far, in ns; 0, with a fault, if the
 * process has ended. */
uint64_t attack_cpu(const struct attack *attack);

/* Ends the process. */
void attack_end(struct attack *attack);

#endif
