#ifndef CRIERD_HTTP_H
#define CRIERD_HTTP_H

#include "server.h"

/* Starts to answer the connections that come to the listening SOCKET, at most
 * CONNECTIONS at a time; from server->stopping on no new ones. SOCKET is MHD's
 * to close. NULL when libmicrohttpd would not. */
struct MHD_Daemon *http_start(struct server *server, int socket,
                              unsigned connections);

#endif
