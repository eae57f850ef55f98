/*
 * A JWT: its signature, by the keys that are trusted, and then its claims. The claims are
 * not read before the signature is verified, and nothing that the header says about keys
 * has an effect, but for `kid`, which leaves out keys that have another one.
 */
#include <config.h>

#include "token.h"

#include "base/json_read.h"
#include "claims.h"

#include <errno.h>
#include <string.h>

/* How many signatures are tried for one token. */
#define TRIES_MAX 32

/* Whether KEY may have signed JWS, from what both say of it. */
static bool is_candidate(const struct jose_jws *jws, const struct jose_key *key)
{
    const char *alg = json_string_value(json_object_get(jws->header, "alg"));
    const char *id = json_string_value(json_object_get(jws->header, "kid"));
    const char *own = jose_key_id(key);

    return alg != NULL && strcmp(alg, jose_alg_name(jose_key_alg(key))) == 0 &&
           (id == NULL || own == NULL || strcmp(id, own) == 0);
}

/* Finds the key that verifies JWS and belongs to the issuer of TOKEN, whose claims are read
 * when the first key has verified it. */
static enum auth_result find_key(const struct keys *keys, const struct jose_jws *jws,
                                 struct verified_token *token, json_t **claims)
{
    enum auth_result result = AUTH_KEY;
    unsigned tries = 0;
    size_t i;

    for (i = 0; i < keys->count && tries < TRIES_MAX && result != AUTH_OK; i++) {
        if (!is_candidate(jws, keys->list[i].key))
            continue;
        tries++;
        if (!jose_jws_verify(jws, keys->list[i].key))
            continue;
        if (*claims == NULL)
            *claims = json_read(jws->payload, jws->payload_length,
                                JSON_REJECT_DUPLICATES, NULL);
        if (!json_is_object(*claims))
            return AUTH_CLAIMS;
        token->claims = *claims;
        token->key = &keys->list[i];
        result = claims_check_issuer(token, keys);
    }
    return result;
}

enum auth_result token_verify(const struct keys *keys, struct grants_pool *pool,
                              const char *text, size_t length, int64_t now,
                              struct identity **identity)
{
    struct verified_token token = {.now = now};
    json_t *claims = NULL;
    struct jose_jws jws;
    enum auth_result result;

    switch (jose_jws_read(&jws, text, length)) {
    case 0:
        token.header = jws.header;
        result = find_key(keys, &jws, &token, &claims);
        if (result == AUTH_OK)
            result = claims_read(&token, keys, pool, identity);
        break;
    case -ENOMEM:
        result = AUTH_BUSY;
        break;
    default:
        result = AUTH_MALFORMED;
        break;
    }
    json_decref(claims);
    jose_jws_done(&jws);
    return result;
}
