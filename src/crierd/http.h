#ifndef CRIERD_HTTP_H
#define CRIERD_HTTP_H

#include "server.h"
#include "warden.h"

#include <microhttpd.h>
#include <sys/socket.h>

/* What libmicrohttpd may keep of one connection, in bytes, when that is for a stream
 * whose request is no larger than a browser's. */
#define HTTP_BRIEF_MEMORY 2560

/* One of the two libmicrohttpd daemons: they differ in how much memory a connection
 * has. */
struct http_part {
    struct server *server;
    struct MHD_Daemon *daemon;
    struct warden *warden; /* NULL: nobody is waited for */
    bool brief; /* little: a connection is for one answer */
};

struct http {
    struct http_part whole, brief;
    struct warden warden;
};

/* Starts to answer the connections that http_take() gives. False when libmicrohttpd
 * would not; HTTP is nothing then. */
bool http_start(struct http *http, struct server *server);

/* Takes the connection FD from ADDRESS (LENGTH bytes) over, from which nothing has been
 * read, or closes it. BRIEF: what its first request asks for is a stream, and
 * HTTP_BRIEF_MEMORY will do. Any thread. */
void http_take(struct http *http, int fd, const struct sockaddr *address,
               socklen_t length, bool brief);

/* Ends the connections that keep HTTP waiting for the rest of a request. To be called
 * every few seconds. Any thread. */
void http_look(struct http *http);

/* How many connections HTTP has. The thread that started it. */
unsigned http_count(struct http *http);

/* Closes all connections; none may be suspended. */
void http_stop(struct http *http);

#endif
