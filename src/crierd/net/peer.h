#ifndef CRIERD_PEER_H
#define CRIERD_PEER_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

/* Room for an address as peer_text() writes it. */
#define PEER_TEXT_SIZE 64

/* A client's address, as accept() reports it. Of a local socket there is nothing but the
 * family: clients rarely bind theirs to a path. */
struct peer {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address;
    socklen_t length;
};

/* Copies ADDRESS of LENGTH bytes to PEER. */
void peer_set(struct peer *peer, const struct sockaddr *address,
              socklen_t length);

/* Whether ADDRESS is this machine's: a loopback address, also one of IPv4 mapped into IPv6, or
 * that of a unix socket. */
bool peer_is_local(const struct sockaddr *address);

/* Writes ADDRESS to TEXT: "192.0.2.1:80" for IPv4, also where it is mapped into IPv6,
 * "[2001:db8::1]:80" for IPv6, "unix" for a local socket, and "?" for what is none of
 * these. Port 0 stands for one that is not known: then the address is alone, without
 * brackets. ADDRESS may be NULL, which is "?". Returns TEXT. */
const char *peer_text(const struct sockaddr *address,
                      char text[PEER_TEXT_SIZE]);

#endif
