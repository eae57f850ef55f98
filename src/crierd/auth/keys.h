#ifndef CRIERD_KEYS_H
#define CRIERD_KEYS_H

#include "crierd/config/conf.h"
#include "grants_pool.h"
#include "identity.h"

/* The keys of a JWK set that was fetched. Constant and reference counted. */
struct key_set {
    atomic_uint references;
    struct jose_keys keys;
};

/* A new set that takes KEYS (*steals*, also when it returns NULL). */
struct key_set *key_set_new(struct jose_keys *keys);

/* One more reference to SET, which is returned. */
struct key_set *key_set_ref(struct key_set *set);

/* Gives a reference back, the last of which frees SET; NULL is allowed. */
void key_set_unref(struct key_set *set);

/* A key and the tokens that it is for. All borrowed from the table. */
struct trusted_key {
    const struct jose_key *key;
    const char *issuer; /* NULL: anybody's tokens */
    enum conf_use use;
};

/* All keys and static tokens that are trusted at a time. Constant and reference counted.
 * Any thread. */
struct keys {
    atomic_uint references;
    struct conf *conf;
    struct key_set *fetched; /* or NULL */
    struct trusted_key *list;
    size_t count;
    struct static_token *tokens;
    size_t token_count;
};

/* A new table of CONF and FETCHED (or NULL), to both of which it takes references; the
 * grants of static tokens are from POOL. NULL when memory is short. */
struct keys *keys_new(const struct conf *conf, struct key_set *fetched,
                      struct grants_pool *pool);

/* One more reference to KEYS, which is returned. */
struct keys *keys_ref(struct keys *keys);

/* Gives a reference back, the last of which frees KEYS; NULL is allowed. */
void keys_unref(struct keys *keys);

/* Whether a key of KEYS is bound to ISSUER, so that only such keys verify its tokens. */
bool keys_bind_issuer(const struct keys *keys, const char *issuer);

/* The identity of the static token of LENGTH bytes at TOKEN, borrowed; NULL when there is
 * no such token. */
struct identity *keys_find_token(const struct keys *keys, const char *token,
                                 size_t length);

#endif
