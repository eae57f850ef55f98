#ifndef KEYED_HASH_H
#define KEYED_HASH_H

#include <stddef.h>
#include <stdint.h>

/* A secret that makes hashes differ from one table to another. */
struct keyed_hash_seed {
    uint64_t words[2];
};

/* Draws SEED. -errno. */
int keyed_hash_draw(struct keyed_hash_seed *seed);

/* The hash of LENGTH bytes at DATA (SipHash-1-3). Who does not know SEED cannot make texts
 * whose hashes collide. */
uint64_t keyed_hash(const struct keyed_hash_seed *seed, const void *data,
                    size_t length);

#endif
