#ifndef CRIERD_ADDRESS_H
#define CRIERD_ADDRESS_H

#include <stdbool.h>

#define ADDRESS_HOST_SIZE 256
#define ADDRESS_PORT_SIZE 8

/* Splits WHERE, a HOST:PORT with a port from 0 to 65535 and an IPv6 address, if any, in
 * brackets. Does not look the host up. Returns false, with HOST and PORT undefined, when
 * WHERE is not such a pair. */
bool address_split(const char *where, char host[ADDRESS_HOST_SIZE],
                   char port[ADDRESS_PORT_SIZE]);

/* Whether HOST, as address_split() writes it, can be reached from this machine only:
 * "localhost", or an address that is a loopback one. */
bool address_is_loopback(const char *host);

#endif
