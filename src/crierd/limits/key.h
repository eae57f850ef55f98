#ifndef CRIERD_LIMITS_KEY_H
#define CRIERD_LIMITS_KEY_H

#include "base/keyed_hash.h"

#include <sys/socket.h>

/* Whom a limit counts: a hash of an address or a subject. Two are never the same in
 * practice, and nobody outside can make it so. */
struct limit_key {
    uint64_t words[2];
};

/* Two independent hashes. */
struct limit_seeds {
    struct keyed_hash_seed of[2];
};

/* Draws SEEDS. -errno. */
int limit_seeds_draw(struct limit_seeds *seeds);

/* The key of ADDRESS without its port: of IPv6 the first 64 bits, which are one customer's
 * as a rule. All that are not IPv4 or IPv6, NULL included, have one key. */
struct limit_key limit_key_address(const struct limit_seeds *seeds,
                                   const struct sockaddr *address);

/* The key of SUBJECT, that of a token; no address has the same. */
struct limit_key limit_key_subject(const struct limit_seeds *seeds,
                                   const char *subject);

#endif
