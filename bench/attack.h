#ifndef BENCH_ATTACK_H
#define BENCH_ATTACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum attack_kind {
    ATTACK_SLOW,      /* heads that come byte by byte */
    ATTACK_HALF_OPEN, /* half a head, and nothing more */
    ATTACK_LARGE,     /* heads of 9 to 64 KiB */
    ATTACK_GARBAGE,   /* random bytes, with sound requests between them */
    ATTACK_KINDS
};

/* What the attackers share with who started them. */
struct attack_counts;

/* Attackers, in a process of their own. All zero is none. */
struct attack {
    pid_t pid;
    int control;
    struct attack_counts *counts;
};

/* Starts the process, which does nothing yet: before there are connections, which it
 * would keep. CLIENTS is the size of the run (attack.c tells what follows from it). */
bool attack_prepare(struct attack *attack, enum attack_kind kind, unsigned port,
                    size_t clients);

/* Has them begin; returns when all their connections have been made once. False, with a
 * fault, when they could not. */
bool attack_begin(struct attack *attack);

/* How often they have done it so far: a byte, a head, a piece of garbage sent. */
uint64_t attack_count(const struct attack *attack);

/* ns of CPU that they have used so far; 0, with a fault, when they are gone. */
uint64_t attack_cpu(const struct attack *attack);

/* Ends them. */
void attack_end(struct attack *attack);

#endif
