#ifndef CRIERD_HTTP_H
#define CRIERD_HTTP_H

#include "server.h"

/* Starts to answer the connections that come to the listening SOCKET, at most
 * CONNECTIONS at a time; from server->stopping on no new ones. SOCKET is MHD's
 * to close. NULL when libmicrohttpd would not. */
struct MHD_Daemon *http_start(struct server *server, int socket,
                              unsigned connections);

/* To be called every second by the thread that started it, with the same SOCKET:
 * keeps newcomers from waiting for ever after open files or memory were short. */
void http_look_after(struct MHD_Daemon *daemon, struct server *server,
                     int socket);

#endif
