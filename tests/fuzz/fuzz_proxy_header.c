/*
 * A fuzz target for headers of the PROXY protocol. The input is what a connection begins
 * with.
 *
 * What must hold:
 *
 *   - wherever the input is cut, the header is read at the same place, and is refused at
 *     the same place or never: what more comes does not change what was decided;
 *   - a header is no longer than its bytes, nor than the longest one;
 *   - an address, written again as a header of version 1 and read, is the same.
 */
#include <config.h>

#include "fuzz.h"

#include "crierd/net/proxy_header.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

/* Writes the address of PEER as a header of version 1. Returns its length. */
static size_t write_header(char text[128], const struct peer *peer)
{
    char host[INET6_ADDRSTRLEN];
    const bool v4 = peer->address.any.sa_family == AF_INET;

    MUST(v4 || peer->address.any.sa_family == AF_INET6);
    MUST(inet_ntop(peer->address.any.sa_family,
                   v4 ? (const void *)&peer->address.v4.sin_addr
                      : (const void *)&peer->address.v6.sin6_addr,
                   host, sizeof host) != NULL);
    return (size_t)snprintf(text, 128, "PROXY TCP%d %s %s %u %u\r\n",
                            v4 ? 4 : 6, host, host,
                            (unsigned)ntohs(peer->address.v4.sin_port),
                            (unsigned)ntohs(peer->address.v4.sin_port));
}

static void check_peer(const struct peer *peer)
{
    struct proxy_header again;
    char text[128];
    size_t length = write_header(text, peer);

    MUST(proxy_header_read(&again, text, length) == PROXY_DONE);
    MUST(again.length == length && again.has_peer);
    MUST(again.peer.length == peer->length);
    MUST(memcmp(&again.peer.address, &peer->address, peer->length) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data;
    struct proxy_header header, whole;
    enum proxy_result last = proxy_header_read(&whole, bytes, size), result;
    size_t length, most = size < PROXY_HEADER_MAX + 1 ? size : PROXY_HEADER_MAX + 1;
    bool refused = false;

    MUST(size < PROXY_HEADER_MAX || last != PROXY_MORE);
    for (length = 0; length < most; length++) {
        result = proxy_header_read(&header, bytes, length);
        MUST(!refused || result == PROXY_INVALID);
        refused = result == PROXY_INVALID;
        if (last == PROXY_DONE)
            MUST(result == (length < whole.length ? PROXY_MORE : PROXY_DONE));
    }
    MUST(!refused || last == PROXY_INVALID);
    if (last == PROXY_DONE) {
        MUST(whole.length <= size && whole.length <= PROXY_HEADER_MAX);
        if (whole.has_peer)
            check_peer(&whole.peer);
    }
    return 0;
}
