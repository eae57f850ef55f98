#ifndef CRIERD_LISTENER_H
#define CRIERD_LISTENER_H

/* Room for an address as listener_address() writes it. */
#define LISTENER_ADDRESS_SIZE 80

/* Opens a socket that listens on WHERE, a HOST:PORT with IPv6 addresses in
 * brackets. Returns its descriptor (the caller's to close), or -1 with a text of
 * what went wrong in *WHY (constant or borrowed until the next call). */
int listener_open(const char *where, const char **why);

/* Writes the address that SOCKET listens on, as HOST:PORT. */
void listener_address(int socket, char text[LISTENER_ADDRESS_SIZE]);

#endif
