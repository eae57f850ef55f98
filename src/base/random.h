#ifndef CRIER_RANDOM_H
#define CRIER_RANDOM_H

#include <stdint.h>

/* The size of a name that crier__random_name() writes, its NUL included. */
#define CRIER__RANDOM_NAME_SIZE 9

/* A random number below LIMIT, which is at least 1. It spreads load and is no secret:
 * it never waits for entropy, and is 0 while there is none. */
uint64_t crier__random_below(uint64_t limit);

/* Writes a name of 8 characters to NAME, 40 random bits as 0-9 and a-z without i, l, o
 * and u. -errno. */
int crier__random_name(char name[CRIER__RANDOM_NAME_SIZE]);

#endif
