#ifndef CRIERD_DOOR_H
#define CRIERD_DOOR_H

#include "http.h"
#include "server.h"

#include <sys/socket.h>

struct door;
struct doorman;
struct turn;

/* Lets the connections in that come to the listening SOCKET (the door's to close, also
 * on failure), hands them over to HTTP, which must be there until the door is closed,
 * and runs its loops. Nobody is let in while the descriptors are crowded (descriptors.h).
 * NULL when it cannot start. */
struct door *door_open(struct server *server, struct http *http, int socket);

/* Lets FD in (the door's from here on, also on failure) as if it had come to the
 * listening socket from ADDRESS of LENGTH bytes. Any thread. */
void door_let_in(struct door *door, int fd, const struct sockaddr *address,
                 socklen_t length);

/* How many connections the door has at the moment: those that were not handed over.
 * Any thread. */
size_t door_count(struct door *door);

/* No one is let in any more, and nobody handed over. Who publishes may go on. */
void door_shut(struct door *door);

/* Gives the answers that are there, closes all connections and frees DOOR. The hub
 * must have been closed, so that every question is answered. */
void door_close(struct door *door);

/* For lane.c: TURN is to be answered by DOORMAN. Any thread. */
void door_wake(struct doorman *doorman, struct turn *turn);

#endif
