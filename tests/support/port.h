#ifndef TESTS_PORT_H
#define TESTS_PORT_H

/*
 * Reserves a free port of 127.0.0.1 for a server that starts late, or that is stopped
 * and started again. Does not listen on it. While *DESCRIPTOR is open, the kernel does
 * not choose the port for a server that asks for any port, nor as the source port of a
 * connection, which would keep the server from listening; and it refuses a client that
 * connects while no server listens, instead of connecting the client to itself. A
 * server that asks for this port with SO_REUSEADDR gets it any number of times.
 *
 * Returns the port, and *DESCRIPTOR for the caller to close; or 0, with errno.
 */
int port_hold(int *descriptor);

#endif
