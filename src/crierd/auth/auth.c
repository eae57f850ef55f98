/*
 * Authorisation: from a token to an identity.
 *
 *     the memory of verified tokens     verified.c      the usual case
 *         |
 *     static tokens                     keys.c
 *         |
 *     the signature of a JWT            token.c, by the keys of keys.c
 *         |
 *     its claims                        claims.c
 *
 * The table of keys is replaced as a whole, by a reload and whenever a JWK set was fetched
 * that differs; the memory is emptied then, since its tokens were verified by the old
 * keys. A token that was being verified meanwhile does not enter the memory.
 */
#include <config.h>

#include "auth.h"

#include "base/clock.h"
#include "crierd/config/conf.h"
#include "crierd/log/log.h"
#include "crierd/metrics/metrics.h"
#include "grants_pool.h"
#include "jwks.h"
#include "keys.h"
#include "token.h"
#include "verified.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct auth {
    struct verified *verified;
    struct grants_pool *pool;

    pthread_mutex_t lock; /* guards what follows */
    struct keys *keys;
    struct jwks *jwks;    /* or NULL */
    bool has_unread_set;  /* the JWK set was not read yet */
};

/* ---- keys ------------------------------------------------------------- */

/* Makes KEYS (*stolen*) the keys of the JWK set that JWKS reads. False when memory is
 * short. */
static bool replace_fetched(void *closure, const struct jwks *jwks,
                            struct jose_keys *keys)
{
    struct auth *auth = closure;
    struct key_set *set = key_set_new(keys);
    struct keys *made = NULL, *old = NULL;
    bool replaced;

    if (set == NULL)
        return false;
    pthread_mutex_lock(&auth->lock);
    replaced = jwks != auth->jwks; /* by a reload */
    if (!replaced)
        made = keys_new(auth->keys->conf, set, auth->pool);
    if (made != NULL) {
        old = auth->keys;
        auth->keys = made;
        auth->has_unread_set = false;
    }
    pthread_mutex_unlock(&auth->lock);
    if (made != NULL)
        verified_clear(auth->verified);
    keys_unref(old);
    key_set_unref(set);
    return made != NULL || replaced;
}

/* Whether the JWK set of CONF is the one that is being read already. */
static bool has_set(const struct auth *auth, const struct conf *conf)
{
    if (auth->jwks == NULL || conf->jwks == NULL)
        return auth->jwks == NULL && conf->jwks == NULL;
    return strcmp(jwks_source(auth->jwks), conf->jwks) == 0;
}

/* Replaces the JWK set by that of CONF, which may be none; the old one is written to *OLD.
 * Holds the lock, so that the new one's thread waits until it is in its place. */
static bool change_set(struct auth *auth, const struct conf *conf,
                       struct jwks **old)
{
    struct jwks *made = NULL;

    if (conf->jwks != NULL) {
        made = jwks_open(conf->jwks, replace_fetched, auth);
        if (made == NULL)
            return false;
    }
    *old = auth->jwks;
    auth->jwks = made;
    auth->has_unread_set = made != NULL;
    return true;
}

/* Logs how many keys and static tokens CONF has. */
static void log_keys(const struct conf *conf)
{
    size_t keys = conf->jwt_keys.count + conf->keys.count;
    size_t tokens = conf->tokens.count;

    log_line(LOG_INFO, "%zu key%s and %zu static token%s%s%s", keys,
             keys == 1 ? "" : "s", tokens, tokens == 1 ? "" : "s",
             conf->jwks != NULL ? ", and the keys of " : "",
             conf->jwks != NULL ? conf->jwks : "");
}

bool auth_reload(struct auth *auth, const struct conf *conf)
{
    struct jwks *old_set = NULL;
    struct keys *made, *old = NULL;
    bool same, well;

    pthread_mutex_lock(&auth->lock);
    same = has_set(auth, conf);
    made = keys_new(conf, same && auth->keys != NULL ? auth->keys->fetched : NULL,
                    auth->pool);
    well = made != NULL && (same || change_set(auth, conf, &old_set));
    if (well) {
        old = auth->keys;
        auth->keys = made;
    }
    pthread_mutex_unlock(&auth->lock);
    if (!well) {
        keys_unref(made);
        log_line(LOG_ERROR, "out of memory for keys and tokens");
        return false;
    }
    jwks_close(old_set);
    keys_unref(old);
    verified_clear(auth->verified);
    if (conf_has_keys(conf))
        log_keys(conf);
    return true;
}

struct auth *auth_open(const struct conf *conf)
{
    struct auth *auth = calloc(1, sizeof *auth);

    if (auth != NULL) {
        pthread_mutex_init(&auth->lock, NULL);
        auth->verified = verified_new();
        auth->pool = grants_pool_new();
    }
    if (auth == NULL || auth->verified == NULL || auth->pool == NULL)
        log_line(LOG_ERROR, "out of memory for keys and tokens");
    else if (auth_reload(auth, conf))
        return auth;
    auth_close(auth);
    return NULL;
}

void auth_close(struct auth *auth)
{
    if (auth == NULL)
        return;
    jwks_close(auth->jwks);
    verified_free(auth->verified);
    keys_unref(auth->keys);
    grants_pool_free(auth->pool);
    pthread_mutex_destroy(&auth->lock);
    free(auth);
}

/* ---- tokens ----------------------------------------------------------- */

static struct keys *take_keys(struct auth *auth)
{
    struct keys *keys;

    pthread_mutex_lock(&auth->lock);
    keys = keys_ref(auth->keys);
    pthread_mutex_unlock(&auth->lock);
    return keys;
}

/* Responds to a token that none of KEYS verifies: its key may be in the JWK set by now, which
 * is read again soon. AUTH_KEY; AUTH_BUSY when the set was not read yet, or has changed since
 * KEYS were taken. */
static enum auth_result ask_for_set(struct auth *auth, const struct keys *keys)
{
    enum auth_result result = AUTH_KEY;

    pthread_mutex_lock(&auth->lock);
    if (auth->has_unread_set || auth->keys != keys)
        result = AUTH_BUSY;
    if (auth->jwks != NULL)
        jwks_want(auth->jwks);
    pthread_mutex_unlock(&auth->lock);
    return result;
}

/* Verifies a token that is not in the memory, by KEYS. */
static enum auth_result verify_unknown(struct auth *auth, const struct keys *keys,
                                       const char *token, size_t length,
                                       int64_t now, struct identity **identity)
{
    struct identity *found = keys_find_token(keys, token, length);
    enum auth_result result;

    if (found == NULL) {
        result = token_verify(keys, auth->pool, token, length, now, identity);
        return result == AUTH_KEY ? ask_for_set(auth, keys) : result;
    }
    if (found->expires != 0 && found->expires <= now)
        return AUTH_EXPIRED;
    *identity = identity_ref(found);
    return AUTH_OK;
}

/* Counts a token of which RESULT is known. */
static enum auth_result count_result(enum auth_result result)
{
    static const enum metric metrics[] = {
        [AUTH_OK] = METRIC_TOKENS_VERIFIED,
        [AUTH_MALFORMED] = METRIC_TOKENS_MALFORMED,
        [AUTH_KEY] = METRIC_TOKENS_KEY,
        [AUTH_EXPIRED] = METRIC_TOKENS_EXPIRED,
        [AUTH_NOT_YET] = METRIC_TOKENS_NOT_YET,
        [AUTH_AUDIENCE] = METRIC_TOKENS_AUDIENCE,
        [AUTH_ISSUER] = METRIC_TOKENS_ISSUER,
        [AUTH_CLAIMS] = METRIC_TOKENS_CLAIMS,
        [AUTH_BUSY] = METRIC_TOKENS_BUSY,
    };

    metrics_count(metrics[result]);
    return result;
}

enum auth_result auth_verify(struct auth *auth, const char *token,
                             size_t length, struct identity **identity)
{
    const int64_t now = crier__clock_real() / 1000;
    enum auth_result result;
    unsigned generation;
    struct keys *keys;

    if (length == 0 || length > TOKEN_MAX)
        return count_result(AUTH_MALFORMED);
    *identity = verified_find(auth->verified, token, length, now, &generation);
    if (*identity != NULL)
        return count_result(AUTH_OK);
    keys = take_keys(auth);
    result = verify_unknown(auth, keys, token, length, now, identity);
    if (result == AUTH_OK)
        verified_add(auth->verified, token, length, *identity, now, generation);
    keys_unref(keys);
    return count_result(result);
}

const char *auth_refusal_text(enum auth_result result)
{
    static const char *const texts[] = {
        [AUTH_OK] = "the token is valid",
        [AUTH_MALFORMED] = "this is not a token, or it is too large",
        [AUTH_KEY] = "no key verifies the token",
        [AUTH_EXPIRED] = "the token has expired",
        [AUTH_NOT_YET] = "the token is not valid yet",
        [AUTH_AUDIENCE] = "the token is for another audience",
        [AUTH_ISSUER] = "the key does not belong to the token's issuer",
        [AUTH_CLAIMS] = "a claim of the token is missing, malformed or too large",
        [AUTH_BUSY] = "tokens cannot be verified at the moment",
    };

    return texts[result];
}
