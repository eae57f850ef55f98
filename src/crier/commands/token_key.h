#ifndef CRIER_TOKEN_KEY_H
#define CRIER_TOKEN_KEY_H

#include "base/jose.h"
#include "crier/cli/options.h"

/* Adds the keys that VALUE describes to KEYS: ALG:SECRET or ALG:@FILE, where HS256 is
 * meant without "ALG:". If VALUE is NULL, $CRIER_KEY is used; if that is not set either,
 * nothing is added. A mistake is reported, and the secret never printed. Call
 * jose_keys_done() in any case. */
enum options_result token_key_read(const char *value, struct jose_keys *keys);

#endif
