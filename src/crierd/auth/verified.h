#ifndef CRIERD_VERIFIED_H
#define CRIERD_VERIFIED_H

#include "identity.h"

/*
 * The memory of tokens that were verified, so that a crowd that reconnects does not pay for
 * its signatures again. It holds at most VERIFIED_MAX tokens, of VERIFIED_BYTES with their
 * payloads; the oldest ones leave first, and each at its expiry. Any thread.
 */
#define VERIFIED_MAX ((size_t)65536)
#define VERIFIED_BYTES ((size_t)32 * 1024 * 1024)

struct verified;

/* A new memory, or NULL. */
struct verified *verified_new(void);

/* Frees VERIFIED; NULL is allowed. */
void verified_free(struct verified *verified);

/* A *new* reference to the identity of the LENGTH bytes at TOKEN, at NOW (seconds since
 * 1970); NULL when they are not in the memory. Writes the generation for
 * verified_add(). */
struct identity *verified_find(struct verified *verified, const char *token,
                               size_t length, int64_t now, unsigned *generation);

/* Adds the LENGTH bytes at TOKEN with IDENTITY, of which a reference is taken; without
 * memory, or when the memory was emptied since GENERATION, it does nothing. */
void verified_add(struct verified *verified, const char *token, size_t length,
                  struct identity *identity, int64_t now, unsigned generation);

/* Forgets all tokens, also those that are being verified: the keys have changed. */
void verified_clear(struct verified *verified);

/* How many tokens it holds, for tests. */
size_t verified_count(struct verified *verified);

#endif
