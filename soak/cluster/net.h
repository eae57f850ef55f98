#ifndef CLUSTER_NET_H
#define CLUSTER_NET_H

#include "tests/support/spawn.h"

#include <stdbool.h>

/*
 * A network of this process's own: a bridge, and places, which are network namespaces with
 * a link to it. The machine's network is not touched, and all of it vanishes with the last
 * process in it.
 */

/* A network namespace. */
struct place {
    int fd;          /* of the namespace; -1: the network of the caller */
    unsigned number; /* from 2 to 254 */
};

/* The addresses of a place and of this process, which are on the bridge. */
#define NET_PLACE_ADDRESS "10.77.0.%u"
#define NET_OWN_ADDRESS "10.77.0.1"

/* The address of a place for clients, by a link of its own past the bridge. */
#define NET_CLIENT_ADDRESS "10.78.%u.2"

/* Moves this process, which has one thread and no sockets, to a new network with nothing
 * but a bridge. Returns false where that is not allowed, or a program for it is missing;
 * writes to REASON, which has 256 bytes, why. */
bool net_enter(char *reason);

/* Makes PLACE. Returns false, with a fault, on failure. */
bool net_make_place(struct place *place, unsigned number);

void net_close_place(struct place *place);

/* Takes PLACE's link to the bridge down, or up again. Packets are lost silently, as by a
 * pulled cable. */
bool net_set_link(const struct place *place, bool up);

/* Starts a program in PLACE; otherwise like spawn_program(). */
int net_spawn(const struct place *place, const struct spawn *spawn, pid_t *pid);

#endif
