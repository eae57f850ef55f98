#ifndef CRIERD_SUPERVISE_H
#define CRIERD_SUPERVISE_H

#include "crierd/http/server.h"
#include "crierd/net/acceptor.h"

/* What crierd reports to a service manager while it serves. The main thread alone. */
struct supervisor {
    const struct server *server;
    struct acceptor *acceptor;
    bool ready;        /* the manager knows that crierd is ready */
    uint64_t watchdog; /* when the threads are checked next, by crier_now(); or
                          UINT64_MAX */
    uint64_t status;   /* when the status may be sent next */
    char text[256];    /* the status that was sent */
    uint64_t away;     /* since when the journal's server has been away, by crier_now(); 0:
                          it is not */
};

/* Reports that SERVER, whose connections ACCEPTOR accepts, is ready. */
void supervise_begin(struct supervisor *supervisor, const struct server *server,
                     struct acceptor *acceptor);

/* Reports what is due at NOW (crier_now()): that the threads of the acceptor and the shards
 * run, unless one of them does not; and the status, when it differs. Logs once when the
 * server of a shared journal goes away, and once when it is back. */
void supervise(struct supervisor *supervisor, uint64_t now);

/* When supervise() is to be called at the latest, by crier_now(). */
uint64_t supervise_due(const struct supervisor *supervisor);

/* Reports that crierd is ready again: that the reload has ended which notify_reloading()
 * began. */
void supervise_ready(struct supervisor *supervisor);

#endif
