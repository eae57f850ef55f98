#ifndef TESTS_PORT_H
#define TESTS_PORT_H

/*
 * A port for a server that is not there all the time: it comes late, or is stopped and
 * started again. Takes a free port of 127.0.0.1 and does not listen on it. While
 * *DESCRIPTOR is open the kernel chooses that port for nobody: not for a server that
 * asks for any port, nor as the source of a connection, which would keep the server
 * from listening; and a client that connects to it while no server listens is not
 * connected to itself, but refused. A server that asks for this port, with
 * SO_REUSEADDR, gets it as often as it likes.
 *
 * The port, with *DESCRIPTOR to be closed; 0, with errno, when there is none.
 */
int port_hold(int *descriptor);

#endif
