#ifndef CRIERD_INHERIT_H
#define CRIERD_INHERIT_H

#include "listener.h"

/* Takes the listening sockets that whoever started crierd hands over, as systemd does for a
 * socket unit (LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES; sd_listen_fds(3)), and adds them
 * to LISTENERS. The name of each says its kind: `tls`, `admin`, `proxy`, or `tls-proxy` and
 * `admin-proxy`; every other one is plain. The variables are removed from the environment.
 * Returns false when there is something wrong with them or a socket, which is logged. Before
 * other threads are started. */
bool inherit_listeners(struct listeners *listeners);

#endif
