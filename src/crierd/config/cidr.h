#ifndef CRIERD_CIDR_H
#define CRIERD_CIDR_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

/* At most so many networks in a list. */
#define CIDR_MAX 64

/* A network, or a single address, or the clients of Unix sockets. */
struct cidr {
    bool local; /* Unix sockets; the rest means nothing then */
    bool v4;
    unsigned char bytes[16]; /* an IPv4 address as ::ffff:a.b.c.d */
    unsigned bits;           /* of `bytes` that count, from 0 to 128 */
};

/* A list of networks. */
struct cidr_list {
    struct cidr *list;
    size_t count;
};

/* Reads TEXT: an address, ADDRESS/BITS, or the word "unix". False when it is none of
 * these, or when an address has bits set behind those that count, as in 10.1.2.3/8, which
 * is more often a mistake than meant. An address without BITS is that one alone. */
bool cidr_read(struct cidr *cidr, const char *text);

/* Writes CIDR as cidr_read() reads it. */
#define CIDR_TEXT_SIZE 64
void cidr_write(const struct cidr *cidr, char text[CIDR_TEXT_SIZE]);

/* Adds what TEXT says to LIST. -EINVAL when cidr_read() does not take it, -E2BIG when
 * there are CIDR_MAX, -ENOMEM. */
int cidr_add(struct cidr_list *list, const char *text);

/* Empties LIST. */
void cidr_clear(struct cidr_list *list);

/* Whether ADDRESS is in one of the networks of LIST: IPv4 and IPv4 mapped into IPv6 are the
 * same, and are in no network of IPv6, ::/0 included. NULL is in none. Any thread. */
bool cidr_has(const struct cidr_list *list, const struct sockaddr *address);

/* Writes ADDRESS as 16 bytes, IPv4 as ::ffff:a.b.c.d. False when it is neither IPv4 nor
 * IPv6. */
bool cidr_bytes(const struct sockaddr *address, unsigned char bytes[16]);

#endif
