/* HOST:PORT, as --listen takes it. */
#include <config.h>

#include "address.h"

#include "base/number.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

bool address_split(const char *where, char host[ADDRESS_HOST_SIZE],
                   char port[ADDRESS_PORT_SIZE])
{
    const char *colon = strrchr(where, ':');
    uint64_t number;
    size_t length;

    if (colon == NULL || strlen(colon + 1) >= ADDRESS_PORT_SIZE ||
        !crier__number_read(colon + 1, 0, 65535, &number))
        return false;
    length = (size_t)(colon - where);
    if (where[0] == '[') {
        if (length < 3 || where[length - 1] != ']')
            return false;
        where++;
        length -= 2;
    } else if (memchr(where, ':', length) != NULL) {
        return false; /* a bare IPv6 address: where does the port begin? */
    }
    if (length == 0 || length >= ADDRESS_HOST_SIZE)
        return false;
    memcpy(host, where, length);
    host[length] = '\0';
    snprintf(port, ADDRESS_PORT_SIZE, "%s", colon + 1);
    return true;
}

bool address_is_loopback(const char *host)
{
    struct in6_addr six;
    struct in_addr four;

    if (inet_pton(AF_INET, host, &four) == 1)
        return ntohl(four.s_addr) >> 24 == IN_LOOPBACKNET;
    if (inet_pton(AF_INET6, host, &six) == 1)
        return IN6_IS_ADDR_LOOPBACK(&six);
    return strcasecmp(host, "localhost") == 0;
}
