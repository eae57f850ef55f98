#ifndef CRIER_DAEMON_H
#define CRIER_DAEMON_H

#include "crier.h"

/* crier_daemon_check() for the daemon of CONNECTION; CRIER_ERR_MHD when
 * libmicrohttpd does not tell which that is. */
int crier__daemon_check_of(struct MHD_Connection *connection,
                           const char **reason);

#endif
