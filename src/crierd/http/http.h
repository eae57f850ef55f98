#ifndef CRIERD_HTTP_H
#define CRIERD_HTTP_H

#include "server.h"
#include "crierd/net/reaper.h"

#include <microhttpd.h>
#include <stdatomic.h>
#include <sys/socket.h>

/* How many libmicrohttpd daemons each thread runs: they differ in how much memory a
 * connection has. All but the last are for a single answer, a stream as a rule. */
#define HTTP_PARTS 6

/* One of the daemons. */
struct http_part {
    struct http_loop *loop;
    struct MHD_Daemon *daemon;
    size_t memory;          /* of each connection, in bytes */
    struct reaper *reaper;  /* NULL: nobody is waited for */
    bool last;              /* a connection is for one answer */
    atomic_bool resumed;    /* a connection of its was, and nobody has looked */
    bool ready;             /* is to be run; its thread alone, as what follows */
    uint64_t due;           /* by crier_now(); UINT64_MAX: never */
};

/* The daemons that one thread runs. */
struct http_loop {
    struct http *http;
    int wake_fd; /* an eventfd, or -1 */
    atomic_uint connections;
    atomic_bool resumed; /* a connection of one of its parts */
    bool ready;          /* one of its parts; its thread alone, as what follows */
    uint64_t due;        /* the first of its parts */
    struct http_part parts[HTTP_PARTS];
};

struct http {
    struct server *server;
    struct reaper reaper;
    unsigned count;          /* of loops */
    struct http_loop *loops; /* one for each of the server's threads */
};

/* Prepares to answer the connections that http_take() gives. False when memory or
 * descriptors are short, or libmicrohttpd would not start; HTTP is nothing then. */
bool http_start(struct http *http, struct server *server);

/* How many descriptors HTTP has, with THREADS threads, when nobody is connected. */
size_t http_descriptors(unsigned threads);

/* Has EPOLL_FD report when LOOP is to be run, with pointers that http_is_ready() knows.
 * False when the kernel refuses. Before LOOP's thread begins. */
bool http_watch(struct http_loop *loop, int epoll_fd);

/* Whether POINTER came from http_watch(). If so, what it is about will be looked at in
 * the next http_run(). LOOP's thread. */
bool http_is_ready(struct http_loop *loop, void *pointer);

/* Takes the connection FD from ADDRESS (LENGTH bytes) over, from which nothing has been
 * read, or closes it. NEED is what head_need() says of its first request. It is answered
 * in the next http_run(). LOOP's thread. */
void http_take(struct http_loop *loop, int fd, const struct sockaddr *address,
               socklen_t length, size_t need);

/* Reads, answers and closes whatever there is to be at NOW, by crier_now(). To be called
 * when there was an event, and at `due` at the latest. LOOP's thread. */
void http_run(struct http_loop *loop, uint64_t now);

/* Resumes CONNECTION, and wakes the thread that runs its daemon. In place of
 * MHD_resume_connection(), by itself of no effect on a thread that waits. Any thread. */
void http_resume(struct MHD_Connection *connection);

/* Ends the connections that keep HTTP waiting for the rest of a request. To be called
 * every few seconds. Any thread. */
void http_look(struct http *http);

/* Ends at most MOST connections that have been between two requests since SINCE
 * (crier_now()) or longer. Any thread. */
void http_make_room(struct http *http, uint64_t since, unsigned most);

/* How many connections HTTP has. Any thread. */
unsigned http_count(struct http *http);

/* Closes all connections; none may be suspended, and nobody runs a loop any more. */
void http_stop(struct http *http);

/* ---- for http_loop.c --------------------------------------------------- */

/* Starts the daemon of PART, in which all else is set. False when libmicrohttpd would
 * not. */
bool http_start_part(struct http_part *part);

/* The part that has CONNECTION. */
struct http_part *http_part_of(struct MHD_Connection *connection);

#endif
