#ifndef CRIERD_ACCEPTOR_H
#define CRIERD_ACCEPTOR_H

#include "crierd/http/http.h"
#include "crierd/http/server.h"

#include <sys/socket.h>

struct acceptor;
struct acceptor_thread;
struct turn;

/* Lets the connections in that come to the listening SOCKET (the door's to close, also
 * on failure), hands them over to HTTP, which must be there until the door is closed,
 * and runs its loops. Nobody is let in while the descriptors are crowded (descriptors.h).
 * NULL when it cannot start. */
struct acceptor *acceptor_open(struct server *server, struct http *http, int socket);

/* Lets FD in (the door's from here on, also on failure) as if it had come to the
 * listening socket from ADDRESS of LENGTH bytes. Any thread. */
void acceptor_let_in(struct acceptor *acceptor, int fd, const struct sockaddr *address,
                 socklen_t length);

/* How many connections the door has at the moment: those that were not handed over.
 * Any thread. */
size_t acceptor_count(struct acceptor *acceptor);

/* No one is let in any more, and nobody handed over. Who publishes may go on. */
void acceptor_shut(struct acceptor *acceptor);

/* Gives the answers that are there, closes all connections and frees DOOR. The hub
 * must have been closed, so that every question is answered. */
void acceptor_close(struct acceptor *acceptor);

/* For lane.c: TURN is to be answered by DOORMAN. Any thread. */
void acceptor_wake(struct acceptor_thread *thread, struct turn *turn);

#endif
