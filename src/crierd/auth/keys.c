/*
 * The table of keys and static tokens. It never changes: a reload and a JWK set that was
 * fetched make a new one, and a token that is being verified keeps the one that it began
 * with.
 */
#include <config.h>

#include "keys.h"

#include <stdlib.h>
#include <string.h>

struct static_token {
    unsigned char hash[JOSE_SHA256_SIZE];
    struct identity *identity;
};

/* ---- a set that was fetched ------------------------------------------- */

struct key_set *key_set_new(struct jose_keys *keys)
{
    struct key_set *set = calloc(1, sizeof *set);

    if (set == NULL) {
        jose_keys_done(keys);
        return NULL;
    }
    atomic_init(&set->references, 1);
    set->keys = *keys;
    *keys = (struct jose_keys){0};
    return set;
}

struct key_set *key_set_ref(struct key_set *set)
{
    atomic_fetch_add(&set->references, 1);
    return set;
}

void key_set_unref(struct key_set *set)
{
    if (set == NULL || atomic_fetch_sub(&set->references, 1) != 1)
        return;
    jose_keys_done(&set->keys);
    free(set);
}

/* ---- the table -------------------------------------------------------- */

static size_t count_keys(const struct conf_keys *keys)
{
    size_t count = 0, i;

    for (i = 0; i < keys->count; i++)
        count += keys->list[i].keys.count;
    return count;
}

static void add_trusted_keys(struct keys *keys, const struct jose_keys *set,
                             const char *issuer, enum conf_use use)
{
    size_t i;

    for (i = 0; i < set->count; i++)
        keys->list[keys->count++] = (struct trusted_key){set->list[i], issuer, use};
}

static void add_conf_keys(struct keys *keys, const struct conf_keys *from)
{
    const struct conf_key *key;
    size_t i;

    for (i = 0; i < from->count; i++) {
        key = &from->list[i];
        add_trusted_keys(keys, &key->keys, key->issuer, key->use);
    }
}

/* Fills KEYS's list. False when memory is short. */
static bool fill_keys(struct keys *keys)
{
    const struct conf *conf = keys->conf;
    size_t count = count_keys(&conf->jwt_keys) + count_keys(&conf->keys);

    if (keys->fetched != NULL)
        count += keys->fetched->keys.count;
    keys->list = calloc(count + 1, sizeof keys->list[0]);
    if (keys->list == NULL)
        return false;
    add_conf_keys(keys, &conf->jwt_keys);
    add_conf_keys(keys, &conf->keys);
    if (keys->fetched != NULL)
        add_trusted_keys(keys, &keys->fetched->keys, NULL, CONF_USE_BOTH);
    return true;
}

/* Grants of SELECTORS from POOL; NULL without selectors. False when memory is short. */
static bool make_grants(struct grants_pool *pool, const struct conf_texts *texts,
                        struct crier_grants **grants)
{
    struct crier_selector selectors[CONF_TEXTS_MAX];
    size_t i;

    if (texts->count == 0)
        return true;
    for (i = 0; i < texts->count; i++)
        selectors[i] = (struct crier_selector){.text = texts->list[i]};
    return grants_pool_get(pool, selectors, texts->count, grants) == 0;
}

/* A new identity for TOKEN, or NULL. */
static struct identity *make_identity(const struct conf_token *token,
                                      struct grants_pool *pool)
{
    struct identity *identity = identity_new();

    if (identity == NULL)
        return NULL;
    identity->expires = token->expires;
    identity->admin = token->admin;
    identity->subject = strdup(token->name);
    if (identity->subject != NULL &&
        make_grants(pool, &token->publish, &identity->publish) &&
        make_grants(pool, &token->subscribe, &identity->subscribe))
        return identity;
    identity_unref(identity);
    return NULL;
}

static bool fill_tokens(struct keys *keys, struct grants_pool *pool)
{
    const struct conf_tokens *from = &keys->conf->tokens;
    struct static_token *token;
    size_t i;

    keys->tokens = calloc(from->count + 1, sizeof keys->tokens[0]);
    if (keys->tokens == NULL)
        return false;
    for (i = 0; i < from->count; i++) {
        token = &keys->tokens[i];
        memcpy(token->hash, from->list[i].hash, sizeof token->hash);
        token->identity = make_identity(&from->list[i], pool);
        if (token->identity == NULL)
            return false;
        keys->token_count++;
    }
    return true;
}

struct keys *keys_new(const struct conf *conf, struct key_set *fetched,
                      struct grants_pool *pool)
{
    struct keys *keys = calloc(1, sizeof *keys);

    if (keys == NULL)
        return NULL;
    atomic_init(&keys->references, 1);
    keys->conf = conf_ref((struct conf *)conf);
    keys->fetched = fetched != NULL ? key_set_ref(fetched) : NULL;
    if (fill_keys(keys) && fill_tokens(keys, pool))
        return keys;
    keys_unref(keys);
    return NULL;
}

struct keys *keys_ref(struct keys *keys)
{
    atomic_fetch_add(&keys->references, 1);
    return keys;
}

void keys_unref(struct keys *keys)
{
    if (keys == NULL || atomic_fetch_sub(&keys->references, 1) != 1)
        return;
    while (keys->token_count > 0)
        identity_unref(keys->tokens[--keys->token_count].identity);
    free(keys->tokens);
    free(keys->list);
    key_set_unref(keys->fetched);
    conf_unref(keys->conf);
    free(keys);
}

bool keys_bind_issuer(const struct keys *keys, const char *issuer)
{
    size_t i;

    for (i = 0; i < keys->count; i++)
        if (keys->list[i].issuer != NULL &&
            strcmp(keys->list[i].issuer, issuer) == 0)
            return true;
    return false;
}

struct identity *keys_find_token(const struct keys *keys, const char *token,
                                 size_t length)
{
    unsigned char hash[JOSE_SHA256_SIZE];
    size_t i;

    if (keys->token_count == 0 || !jose_sha256(token, length, hash))
        return NULL;
    for (i = 0; i < keys->token_count; i++)
        if (memcmp(keys->tokens[i].hash, hash, sizeof hash) == 0)
            return keys->tokens[i].identity;
    return NULL;
}
