#ifndef TESTS_HEIR_H
#define TESTS_HEIR_H

#include "crierd.h"

#include <netinet/in.h>

/*
 * A crierd that inherits listening sockets, as from a socket unit of systemd. The test
 * keeps the sockets, so they outlive the crierd, and clients can connect while none runs.
 */

/* Returns a socket that listens on a free port of ADDRESS, and writes the port to *PORT. */
int heir_listen(in_addr_t address, int *port);

/* From now on each crierd that is spawned inherits COUNT SOCKETS with NAMES
 * (LISTEN_FDNAMES) and PID, an expression of the shell, as LISTEN_PID: "$$" is its own.
 * Needs the scratch directory (support/scratch.h). */
void heir_hand_over(const int *sockets, int count, const char *names, const char *pid);

/* Spawns CRIERD with OPTIONS, and without --listen. */
void heir_spawn(struct crierd *crierd, const char *options);

#endif
