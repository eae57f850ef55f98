#ifndef CRIERD_LISTENER_H
#define CRIERD_LISTENER_H

#include <stdbool.h>
#include <stddef.h>

/* Room for an address as listener_address() writes it. */
#define LISTENER_ADDRESS_SIZE 80

/* A listening socket, and what its connections are. It does not change while connections
 * of it are there. */
struct listener {
    int socket;
    bool tls;     /* clients use TLS */
    bool admin;   /* it is one of --admin-listen: for administration alone */
    bool proxied; /* each connection begins with a header of the PROXY protocol */
};

/* All that crierd listens on. */
struct listeners {
    struct listener *list;
    size_t count;
};

/* Whether one of LISTENERS uses TLS, or is for administration. */
bool listeners_have_tls(const struct listeners *listeners);
bool listeners_have_admin(const struct listeners *listeners);

/* Opens a socket that listens on WHERE, a HOST:PORT with IPv6 addresses in
 * brackets. Returns its descriptor (the caller's to close), or -1 with a text of
 * what went wrong in *WHY (constant or borrowed until the next call). */
int listener_open(const char *where, const char **why);

/* Writes the address that SOCKET listens on, as HOST:PORT. */
void listener_address(int socket, char text[LISTENER_ADDRESS_SIZE]);

#endif
