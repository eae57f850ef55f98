#ifndef CRIERD_LISTENER_H
#define CRIERD_LISTENER_H

/* Room for an address as listener_address() writes it. */
#define LISTENER_ADDRESS_SIZE 80

#include <stdbool.h>

/* Whether WHERE is a HOST:PORT with a port from 0 to 65535 and an IPv6 address,
 * if any, in brackets. Whether there is such a host is not asked. */
bool listener_valid(const char *where);

/* Opens a socket that listens on WHERE, a HOST:PORT with IPv6 addresses in
 * brackets. Returns its descriptor (the caller's to close), or -1 with a text of
 * what went wrong in *WHY (constant or borrowed until the next call). */
int listener_open(const char *where, const char **why);

/* Writes the address that SOCKET listens on, as HOST:PORT. */
void listener_address(int socket, char text[LISTENER_ADDRESS_SIZE]);

#endif
