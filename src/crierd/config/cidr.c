/*
 * Networks, as options name them: 10.0.0.0/8, 2001:db8::/32, a single address, or the word
 * "unix" for the clients of Unix sockets.
 *
 * All addresses are compared as 16 bytes, those of IPv4 mapped into IPv6: a listener of
 * both families reports an IPv4 client as ::ffff:a.b.c.d. A network of IPv6 never has such
 * an address, however short its prefix is: ::/0 means all of IPv6.
 */
#include <config.h>

#include "cidr.h"

#include "base/number.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOCAL "unix"

/* How many bits the mapping puts before an IPv4 address. */
#define MAPPED_BITS 96

static const unsigned char mapped[MAPPED_BITS / 8] = {[10] = 0xff, [11] = 0xff};

static void map_v4(unsigned char bytes[16], const void *address)
{
    memcpy(bytes, mapped, sizeof mapped);
    memcpy(bytes + sizeof mapped, address, 4);
}

static bool is_mapped(const unsigned char bytes[16])
{
    return memcmp(bytes, mapped, sizeof mapped) == 0;
}

/* Whether A and B have the same first BITS. */
static bool has_same_bits(const unsigned char *a, const unsigned char *b,
                          unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;

    return memcmp(a, b, whole) == 0 &&
           (rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0);
}

/* Whether no bit of CIDR's address is set behind those that count. */
static bool is_network(const struct cidr *cidr)
{
    unsigned i;

    for (i = cidr->bits; i < 128; i++)
        if (cidr->bytes[i / 8] & (0x80 >> i % 8))
            return false;
    return true;
}

/* Reads the address TEXT. Returns how many bits an address of its family has, as one
 * writes it; 0 when it is none. */
static unsigned parse_address(struct cidr *cidr, const char *text)
{
    struct in_addr four;

    if (inet_pton(AF_INET, text, &four) == 1) {
        map_v4(cidr->bytes, &four);
        cidr->v4 = true;
        return 32;
    }
    return inet_pton(AF_INET6, text, cidr->bytes) == 1 ? 128 : 0;
}

bool cidr_read(struct cidr *cidr, const char *text)
{
    const char *slash = strchr(text, '/');
    char address[INET6_ADDRSTRLEN];
    size_t length = slash != NULL ? (size_t)(slash - text) : strlen(text);
    unsigned most;
    uint64_t bits;

    *cidr = (struct cidr){.local = strcmp(text, LOCAL) == 0};
    if (cidr->local)
        return true;
    if (length >= sizeof address)
        return false;
    memcpy(address, text, length);
    address[length] = '\0';
    most = parse_address(cidr, address);
    bits = most;
    if (most == 0 ||
        (slash != NULL && !crier__number_read(slash + 1, 0, most, &bits)))
        return false;
    cidr->bits = (unsigned)bits + (128 - most);
    cidr->v4 |= cidr->bits >= MAPPED_BITS && is_mapped(cidr->bytes);
    return is_network(cidr);
}

void cidr_write(const struct cidr *cidr, char text[CIDR_TEXT_SIZE])
{
    char address[INET6_ADDRSTRLEN];
    unsigned most = cidr->v4 ? 32 : 128, bits = cidr->bits - (128 - most);

    if (cidr->local) {
        snprintf(text, CIDR_TEXT_SIZE, LOCAL);
        return;
    }
    inet_ntop(cidr->v4 ? AF_INET : AF_INET6,
              cidr->bytes + (cidr->v4 ? sizeof mapped : 0), address,
              sizeof address);
    if (bits == most)
        snprintf(text, CIDR_TEXT_SIZE, "%s", address);
    else
        snprintf(text, CIDR_TEXT_SIZE, "%s/%u", address, bits);
}

int cidr_add(struct cidr_list *list, const char *text)
{
    struct cidr cidr, *more;

    if (!cidr_read(&cidr, text))
        return -EINVAL;
    if (list->count == CIDR_MAX)
        return -E2BIG;
    more = realloc(list->list, (list->count + 1) * sizeof *more);
    if (more == NULL)
        return -ENOMEM;
    list->list = more;
    more[list->count++] = cidr;
    return 0;
}

void cidr_clear(struct cidr_list *list)
{
    free(list->list);
    *list = (struct cidr_list){0};
}

bool cidr_bytes(const struct sockaddr *address, unsigned char bytes[16])
{
    if (address->sa_family == AF_INET)
        map_v4(bytes, &((const struct sockaddr_in *)address)->sin_addr);
    else if (address->sa_family == AF_INET6)
        memcpy(bytes, &((const struct sockaddr_in6 *)address)->sin6_addr, 16);
    else
        return false;
    return true;
}

/* Whether CIDR has an address with BYTES. */
static bool has_address(const struct cidr *cidr, const unsigned char bytes[16])
{
    return !cidr->local && cidr->v4 == is_mapped(bytes) &&
           has_same_bits(cidr->bytes, bytes, cidr->bits);
}

bool cidr_has(const struct cidr_list *list, const struct sockaddr *address)
{
    unsigned char bytes[16];
    bool numbered;
    size_t i;

    if (list->count == 0 || address == NULL)
        return false;
    numbered = cidr_bytes(address, bytes);
    for (i = 0; i < list->count; i++)
        if (numbered ? has_address(&list->list[i], bytes)
                     : list->list[i].local && address->sa_family == AF_UNIX)
            return true;
    return false;
}
