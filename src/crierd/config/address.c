/* HOST:PORT, as --listen takes it. */
#include <config.h>

#include "address.h"

#include "base/number.h"

#include <stdio.h>
#include <string.h>

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
