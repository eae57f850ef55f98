/*
 * A client's address, and how it is written in the log. IPv4 addresses are written here
 * digit by digit: inet_ntop() takes several times as long, and every line of the access
 * log has one.
 */
#include <config.h>

#include "peer.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

void peer_set(struct peer *peer, const struct sockaddr *address,
              socklen_t length)
{
    if (length > sizeof peer->address)
        length = sizeof(sa_family_t); /* a path that a client bound */
    memcpy(&peer->address, address, length);
    peer->length = length;
}

bool peer_is_local(const struct sockaddr *address)
{
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;

    if (address->sa_family == AF_INET)
        return ntohl(v4->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    if (address->sa_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr) ||
               (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr) &&
                v6->sin6_addr.s6_addr[12] == IN_LOOPBACKNET);
    return address->sa_family == AF_UNIX;
}

/* Writes NUMBER at TO, and returns the place behind it. */
static char *write_number(char *to, unsigned number)
{
    char digits[8];
    size_t count = 0;

    do
        digits[count++] = (char)('0' + number % 10);
    while ((number /= 10) != 0);
    while (count != 0)
        *to++ = digits[--count];
    return to;
}

/* Writes the four BYTES of an IPv4 address and PORT, which is in network order. */
static void write_v4(const unsigned char *bytes, in_port_t port, char *to)
{
    int i;

    for (i = 0; i < 4; i++) {
        to = write_number(to, bytes[i]);
        *to++ = i < 3 ? '.' : ':';
    }
    if (port != 0)
        *write_number(to, ntohs(port)) = '\0';
    else
        to[-1] = '\0';
}

static void write_v6(const struct sockaddr_in6 *address,
                     char text[PEER_TEXT_SIZE])
{
    char host[INET6_ADDRSTRLEN];

    if (IN6_IS_ADDR_V4MAPPED(&address->sin6_addr)) {
        write_v4(address->sin6_addr.s6_addr + 12, address->sin6_port, text);
        return;
    }
    inet_ntop(AF_INET6, &address->sin6_addr, host, sizeof host);
    if (address->sin6_port != 0)
        snprintf(text, PEER_TEXT_SIZE, "[%s]:%u", host,
                 (unsigned)ntohs(address->sin6_port));
    else
        snprintf(text, PEER_TEXT_SIZE, "%s", host);
}

const char *peer_text(const struct sockaddr *address,
                      char text[PEER_TEXT_SIZE])
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;

    snprintf(text, PEER_TEXT_SIZE, "?");
    if (address == NULL)
        return text;
    if (address->sa_family == AF_INET)
        write_v4((const unsigned char *)&v4->sin_addr, v4->sin_port, text);
    else if (address->sa_family == AF_INET6)
        write_v6((const struct sockaddr_in6 *)address, text);
    else if (address->sa_family == AF_UNIX)
        snprintf(text, PEER_TEXT_SIZE, "unix");
    return text;
}
