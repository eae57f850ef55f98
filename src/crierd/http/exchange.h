#ifndef CRIERD_EXCHANGE_H
#define CRIERD_EXCHANGE_H

#include "server.h"
#include "tls.h"
#include "crierd/net/linger.h"
#include "crierd/net/reaper.h"

#include <microhttpd.h>
#include <stdatomic.h>

/* How the thread that runs daemons is woken. */
struct exchange_wakeup {
    int fd;              /* an eventfd, or -1 */
    atomic_bool resumed; /* a connection of one of its daemons was */
};

/* A daemon of libmicrohttpd without a thread of its own. */
struct exchange_daemon {
    struct server *server;
    struct MHD_Daemon *daemon;
    size_t memory;                  /* of each connection, in bytes */
    bool last;                      /* each connection is for one response */
    const struct tls *tls;          /* for connections with TLS; otherwise NULL */
    bool admin;                     /* they came to a listener of --admin-listen */
    struct reaper *reaper;          /* NULL: connections have no deadlines */
    struct lingering_set *linger;   /* of the thread that runs the daemon */
    struct exchange_wakeup *wakeup; /* its */
    atomic_uint *connections;       /* counts this daemon's, too */
    atomic_bool resumed; /* a connection was resumed since this was cleared */
};

/* Starts DAEMON, in which all but `daemon` and `resumed` is set. False when libmicrohttpd
 * would not start. */
bool exchange_start(struct exchange_daemon *daemon);

/* Resumes CONNECTION and wakes the thread that runs its daemon. In place of
 * MHD_resume_connection(), which wakes no thread by itself. Any thread. */
void exchange_resume(struct MHD_Connection *connection);

#endif
