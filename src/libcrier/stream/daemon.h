#ifndef CRIER_DAEMON_H
#define CRIER_DAEMON_H

#include "crier.h"

/* crier_daemon_check() for the daemon of CONNECTION; it needs no threads if the program
 * RUNS its loop (crier_shards_options.resume). CRIER_ERR_MHD when libmicrohttpd does
 * not know the daemon. */
int crier__daemon_check_of(struct MHD_Connection *connection, bool runs,
                           const char **reason);

#endif
