#ifndef CRIERD_CLAIMS_H
#define CRIERD_CLAIMS_H

#include "keys.h"
#include "result.h"

/* A token whose signature KEY verifies. */
struct verified_token {
    const json_t *header;
    const json_t *claims; /* an object */
    const struct trusted_key *key;
    int64_t now; /* seconds since 1970 */
};

/* Whether the claim `iss` of TOKEN, if it has one, is that of its key. AUTH_OK,
 * AUTH_ISSUER, or AUTH_CLAIMS when it is not a text. */
enum auth_result claims_check_issuer(const struct verified_token *token,
                                     const struct keys *keys);

/* Checks the other claims of TOKEN and writes a *new* identity to *IDENTITY with
 * AUTH_OK. */
enum auth_result claims_read(const struct verified_token *token,
                             const struct keys *keys, struct grants_pool *pool,
                             struct identity **identity);

#endif
