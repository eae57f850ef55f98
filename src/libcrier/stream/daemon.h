#ifndef CRIER_DAEMON_H
#define CRIER_DAEMON_H

#include "crier.h"

/* crier_daemon_check() for the daemon of CONNECTION, which needs no threads where the
 * program RUNS its loop (crier_shards_options.resume). CRIER_ERR_MHD when libmicrohttpd
 * does not tell which daemon that is. */
int crier__daemon_check_of(struct MHD_Connection *connection, bool runs,
                           const char **reason);

#endif
