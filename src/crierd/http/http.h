#ifndef CRIERD_HTTP_H
#define CRIERD_HTTP_H

#include "exchange.h"
#include "pipeline.h"
#include "server.h"
#include "crierd/net/service.h"

/* How many libmicrohttpd daemons each thread runs: they differ in how much memory a
 * connection has. All but the last are for a single response, a stream as a rule. */
#define HTTP_DAEMONS 6

/* Behind these: those for the listeners of --admin-listen and for those with TLS, where
 * there are any. */
enum http_part_index {
    HTTP_ADMIN = HTTP_DAEMONS,
    HTTP_TLS,
    HTTP_PARTS
};

struct http_loop;

/* A daemon in a loop. */
struct http_part {
    struct watch watch; /* of the daemon's epoll set; first */
    struct http_loop *loop;
    struct exchange_daemon daemon;
    bool ready;   /* is to be run */
    uint64_t due; /* by crier_now(); UINT64_MAX: never */
};

/* What one thread of the acceptor serves. All of it is that thread's, but for what is
 * atomic. */
struct http_loop {
    struct watch watch; /* of the eventfd; first */
    struct http *http;
    struct exchange_wakeup wakeup;
    atomic_uint connections;
    bool ready;   /* one of the parts is */
    bool shut;    /* no connections are taken any more */
    uint64_t due; /* the first of the parts and of what lingers */
    struct http_part parts[HTTP_PARTS]; /* those without a daemon are not there */
    struct lingering_set linger;
    struct pipelines pipelines;
};

struct http {
    struct server *server;
    struct reaper reaper;
    struct tls tls;
    unsigned count;          /* of loops */
    struct http_loop *loops; /* one for each of the server's threads */
};

/* The acceptor's service; its context is a struct http. */
extern const struct service http_service;

/* Prepares to serve the connections to the server's listeners that the acceptor hands over.
 * False when memory or descriptors are short, or libmicrohttpd would not start; HTTP holds
 * nothing then. */
bool http_start(struct http *http, struct server *server);

/* How many descriptors HTTP has for LISTENERS, with THREADS threads, without
 * connections. */
size_t http_descriptors(const struct listeners *listeners, unsigned threads);

/* Ends the connections whose requests are overdue. To be called every few seconds. Any
 * thread. */
void http_end_overdue(struct http *http);

/* How many connections HTTP has. Any thread. */
unsigned http_count(struct http *http);

/* Closes all connections; none may be suspended, and the acceptor must have been
 * closed. */
void http_stop(struct http *http);

#endif
