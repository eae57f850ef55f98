#ifndef CRIERD_JWKS_H
#define CRIERD_JWKS_H

#include "base/jose.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * A JWK set that is read again from time to time, on a thread of its own: from a file, or
 * from a URL. While it cannot be read, the keys stay as they were.
 */
struct jwks;

/* Takes the KEYS (*stolen*) that JWKS has read. False when memory is short: they are read
 * and handed over again a minute later. */
typedef bool jwks_keys_fn(void *closure, const struct jwks *jwks,
                          struct jose_keys *keys);

/* Starts to read the set SOURCE, a file or a URL. Each time that it differs from what was
 * taken last, ON_KEYS is called on the thread of JWKS. NULL when memory is short. */
struct jwks *jwks_open(const char *source, jwks_keys_fn *on_keys, void *closure);

/* What it reads, borrowed. */
const char *jwks_source(const struct jwks *jwks);

/* Waits for the thread; ON_KEYS is not called any more. NULL is allowed. */
void jwks_close(struct jwks *jwks);

/* Asks for the set to be read soon, because a token was signed by an unknown key: at most
 * once a minute. Any thread; does not wait. */
void jwks_want(struct jwks *jwks);

/* How long what was received with the Cache-Control field VALUE (or NULL) is used, in ms:
 * its max-age, but at least a minute and at most a day; without one, an hour. */
uint64_t jwks_lifetime(const char *value);

#endif
