/*
 * The header of the PROXY protocol, by which a proxy that does not understand HTTP says who
 * its client is. Version 1 is a line of text, version 2 is binary.
 *
 *   PROXY TCP4 192.0.2.1 198.51.100.1 56324 443 CRLF
 *
 *   signature (12)  version, command (1)  family, protocol (1)  length (2)  addresses ...
 *
 * Nothing is guessed: each byte is compared as soon as it is there, so that other protocols
 * are noticed with their first bytes. Addresses are read when the whole header is there.
 * What follows the addresses in version 2 (TLVs) is skipped: none of it is about the
 * address. Also skipped are families that crierd has no use for, as the specification
 * allows: then the address of the connection counts, as with LOCAL and UNKNOWN.
 */
#include <config.h>

#include "proxy_header.h"

#include "base/number.h"

#include <arpa/inet.h>
#include <string.h>

/* ---- version 1 -------------------------------------------------------- */

#define V1_PREFIX "PROXY "
#define V1_PREFIX_LENGTH (sizeof V1_PREFIX - 1)
#define V1_MAX ((size_t)107)

/* The fields behind the prefix: protocol, source, destination, and the ports of both. */
#define V1_FIELDS 5

/* Splits LINE at single spaces into exactly V1_FIELDS fields. */
static bool split_line(char *line, char *fields[V1_FIELDS])
{
    size_t count = 0;

    while (line != NULL) {
        if (count == V1_FIELDS)
            return false;
        fields[count++] = strsep(&line, " ");
    }
    return count == V1_FIELDS;
}

/* Reads TEXT, a port without leading zeros. */
static bool read_port(const char *text, in_port_t *port)
{
    uint64_t number;

    if ((text[0] == '0' && text[1] != '\0') ||
        !crier__number_read(text, 0, 65535, &number))
        return false;
    *port = htons((uint16_t)number);
    return true;
}

static bool read_tcp4(char *fields[V1_FIELDS], struct peer *peer)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    struct in_addr destination;
    in_port_t port;

    if (inet_pton(AF_INET, fields[1], &address.sin_addr) != 1 ||
        inet_pton(AF_INET, fields[2], &destination) != 1 ||
        !read_port(fields[3], &address.sin_port) ||
        !read_port(fields[4], &port))
        return false;
    peer_set(peer, (const struct sockaddr *)&address, sizeof address);
    return true;
}

static bool read_tcp6(char *fields[V1_FIELDS], struct peer *peer)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6};
    struct in6_addr destination;
    in_port_t port;

    if (inet_pton(AF_INET6, fields[1], &address.sin6_addr) != 1 ||
        inet_pton(AF_INET6, fields[2], &destination) != 1 ||
        !read_port(fields[3], &address.sin6_port) ||
        !read_port(fields[4], &port))
        return false;
    peer_set(peer, (const struct sockaddr *)&address, sizeof address);
    return true;
}

/* Reads LINE, which is what is between the prefix and CRLF. */
static bool read_line(struct proxy_header *header, char *line)
{
    char *fields[V1_FIELDS];

    header->has_peer = false;
    if (strncmp(line, "UNKNOWN", 7) == 0 &&
        (line[7] == '\0' || line[7] == ' '))
        return true;
    header->has_peer = true;
    if (!split_line(line, fields))
        return false;
    if (strcmp(fields[0], "TCP4") == 0)
        return read_tcp4(fields, &header->peer);
    return strcmp(fields[0], "TCP6") == 0 && read_tcp6(fields, &header->peer);
}

/* BYTES begin with the prefix. */
static enum proxy_result read_v1(struct proxy_header *header,
                                 const char *bytes, size_t length)
{
    char line[V1_MAX + 1];
    size_t most = length < V1_MAX ? length : V1_MAX;
    const char *end = memchr(bytes, '\n', most);

    if (end == NULL)
        return length < V1_MAX ? PROXY_MORE : PROXY_INVALID;
    header->length = (size_t)(end - bytes) + 1;
    most = header->length - V1_PREFIX_LENGTH;
    if (most < 2 || end[-1] != '\r')
        return PROXY_INVALID;
    most -= 2;
    memcpy(line, bytes + V1_PREFIX_LENGTH, most);
    line[most] = '\0';
    if (memchr(line, '\0', most) != NULL || memchr(line, '\r', most) != NULL)
        return PROXY_INVALID;
    return read_line(header, line) ? PROXY_DONE : PROXY_INVALID;
}

/* ---- version 2 -------------------------------------------------------- */

static const unsigned char v2_signature[12] = {
    '\r', '\n', '\r', '\n', '\0', '\r', '\n', 'Q', 'U', 'I', 'T', '\n'};

#define V2_FIXED ((size_t)16)

#define V2_LOCAL 0x20 /* version and command */
#define V2_PROXY 0x21

#define V2_UNSPECIFIED 0
#define V2_INET 1 /* families, in the upper half of their byte */
#define V2_INET6 2
#define V2_UNIX 3
#define V2_STREAM 1 /* protocols, in the lower half */
#define V2_DATAGRAM 2

/* The lengths of the addresses of the families, with ports. */
static const size_t v2_lengths[] = {[V2_UNSPECIFIED] = 0,
                                    [V2_INET] = 12,
                                    [V2_INET6] = 36,
                                    [V2_UNIX] = 216};

static void read_inet(const unsigned char *addresses, struct peer *peer)
{
    struct sockaddr_in address = {.sin_family = AF_INET};

    memcpy(&address.sin_addr, addresses, 4);
    memcpy(&address.sin_port, addresses + 8, 2);
    peer_set(peer, (const struct sockaddr *)&address, sizeof address);
}

static void read_inet6(const unsigned char *addresses, struct peer *peer)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6};

    memcpy(&address.sin6_addr, addresses, 16);
    memcpy(&address.sin6_port, addresses + 32, 2);
    peer_set(peer, (const struct sockaddr *)&address, sizeof address);
}

/* Reads the ADDRESSES, of LENGTH bytes with what follows them, of a client of FAMILY and
 * PROTOCOL. */
static bool read_addresses(struct proxy_header *header, unsigned family,
                           unsigned protocol, const unsigned char *addresses,
                           size_t length)
{
    if (family > V2_UNIX || protocol > V2_DATAGRAM ||
        length < v2_lengths[family])
        return false;
    header->has_peer = protocol == V2_STREAM &&
                       (family == V2_INET || family == V2_INET6);
    if (header->has_peer && family == V2_INET)
        read_inet(addresses, &header->peer);
    else if (header->has_peer)
        read_inet6(addresses, &header->peer);
    return true;
}

/* BYTES begin with the signature, or with a part of it. */
static enum proxy_result read_v2(struct proxy_header *header,
                                 const unsigned char *bytes, size_t length)
{
    const size_t before = sizeof v2_signature;
    size_t rest;

    if (length > before && bytes[before] != V2_LOCAL &&
        bytes[before] != V2_PROXY)
        return PROXY_INVALID;
    if (length < V2_FIXED)
        return PROXY_MORE;
    rest = (size_t)bytes[14] << 8 | bytes[15];
    header->length = V2_FIXED + rest;
    if (header->length > PROXY_HEADER_MAX)
        return PROXY_INVALID;
    if (length < header->length)
        return PROXY_MORE;
    header->has_peer = false;
    return bytes[before] == V2_LOCAL ||
                   read_addresses(header, bytes[13] >> 4, bytes[13] & 15,
                                  bytes + V2_FIXED, rest)
               ? PROXY_DONE
               : PROXY_INVALID;
}

/* ---- both ------------------------------------------------------------- */

/* Whether the LENGTH bytes at BYTES and the SIZE bytes at BEGIN are the same as far as both
 * go. */
static bool begins_with(const char *bytes, size_t length, const void *begin,
                        size_t size)
{
    return memcmp(bytes, begin, length < size ? length : size) == 0;
}

enum proxy_result proxy_header_read(struct proxy_header *header,
                                    const char *bytes, size_t length)
{
    if (begins_with(bytes, length, V1_PREFIX, V1_PREFIX_LENGTH))
        return length < V1_PREFIX_LENGTH ? PROXY_MORE
                                         : read_v1(header, bytes, length);
    if (begins_with(bytes, length, v2_signature, sizeof v2_signature))
        return read_v2(header, (const unsigned char *)bytes, length);
    return PROXY_INVALID;
}
