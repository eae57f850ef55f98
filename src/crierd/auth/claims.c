/*
 * The claims of a token: whether it is valid here and now (RFC 7519, RFC 8725), and what
 * it grants.
 *
 * There are two kinds of tokens. A Mercure 0.x token has the claim `mercure` (or
 * `https://mercure.rocks/`), an object with the lists `publish` and `subscribe` and a
 * `payload`; which other claims it has is up to its issuer. A Mercure 1.0 token has the
 * claim `authorization_details` (RFC 9396) and must then be an access token as RFC 9068
 * has it: with the type at+jwt, exp, iss, and this server in aud. If it has both claims,
 * only the latter counts.
 *
 * What is not as it should be makes the whole token invalid: an entry that is left out
 * would change what the token says.
 */
#include <config.h>

#include "claims.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* How many selectors a token may have for each action, and how many details. */
#define SELECTORS_MAX 256
#define DETAILS_MAX 64

#define SUBJECT_MAX 1024

#define NAMESPACE "https://mercure.rocks/"
#define DETAIL_TYPE NAMESPACE "authorization-detail"

struct selectors {
    struct crier_selector list[SELECTORS_MAX];
    size_t count;
    const char *base; /* of URL patterns */
};

/* What is made of a token. */
struct reading {
    struct grants_pool *pool;
    struct identity *identity;
    struct selectors publish, subscribe;
    bool may_publish, may_subscribe; /* the token says something of it */
};

/* ---- who, when and for whom ------------------------------------------- */

static const json_t *find_claim(const struct verified_token *token, const char *name)
{
    return json_object_get(token->claims, name);
}

enum auth_result claims_check_issuer(const struct verified_token *token,
                                     const struct keys *keys)
{
    const json_t *claim = find_claim(token, "iss");
    const char *issuer = json_string_value(claim);

    if (claim != NULL && issuer == NULL)
        return AUTH_CLAIMS;
    if (token->key->issuer != NULL)
        return issuer != NULL && strcmp(issuer, token->key->issuer) == 0
                   ? AUTH_OK
                   : AUTH_ISSUER;
    return issuer != NULL && keys_bind_issuer(keys, issuer) ? AUTH_ISSUER : AUTH_OK;
}

/* Reads a NumericDate (RFC 7519, section 2), which may have a fraction, to *SECONDS,
 * rounded down. False when CLAIM is none. */
static bool read_date(const json_t *claim, int64_t *seconds)
{
    const double far = 1e15;
    double value = json_number_value(claim);

    if (!json_is_number(claim) || !(value > -far && value < far))
        return false;
    *seconds = (int64_t)value;
    return true;
}

static enum auth_result check_times(const struct verified_token *token,
                                    struct identity *identity)
{
    const json_t *expires = find_claim(token, "exp");
    const json_t *begins = find_claim(token, "nbf");
    int64_t begin;

    if (expires != NULL) {
        if (!read_date(expires, &identity->expires))
            return AUTH_CLAIMS;
        if (identity->expires <= token->now)
            return AUTH_EXPIRED;
    }
    if (begins == NULL)
        return AUTH_OK;
    if (!read_date(begins, &begin))
        return AUTH_CLAIMS;
    return begin > token->now ? AUTH_NOT_YET : AUTH_OK;
}

/* Whether AUDIENCE is URL, with or without a final '/' or the path of the Mercure hub. */
static bool names_url(const char *audience, const char *url)
{
    size_t length = strlen(url);

    if (strncmp(audience, url, length) != 0)
        return false;
    audience += length;
    return *audience == '\0' || strcmp(audience, "/") == 0 ||
           strcmp(audience, CONF_HUB_PATH) == 0;
}

/* Without an URL of its own crierd cannot be the audience of any token (RFC 7519, section
 * 4.1.3). */
static enum auth_result check_audience(const struct verified_token *token,
                                       const char *url)
{
    const json_t *claim = find_claim(token, "aud"), *entry;
    bool found = false;
    size_t i;

    if (claim == NULL)
        return AUTH_OK;
    if (json_is_string(claim))
        return url != NULL && names_url(json_string_value(claim), url)
                   ? AUTH_OK
                   : AUTH_AUDIENCE;
    if (!json_is_array(claim))
        return AUTH_CLAIMS;
    json_array_foreach (claim, i, entry) {
        if (!json_is_string(entry))
            return AUTH_CLAIMS;
        found |= url != NULL && names_url(json_string_value(entry), url);
    }
    return found ? AUTH_OK : AUTH_AUDIENCE;
}

static enum auth_result read_subject(const struct verified_token *token,
                                     struct identity *identity)
{
    const json_t *claim = find_claim(token, "sub");

    if (claim == NULL)
        return AUTH_OK;
    if (!json_is_string(claim) || json_string_length(claim) > SUBJECT_MAX)
        return AUTH_CLAIMS;
    identity->subject = strdup(json_string_value(claim));
    return identity->subject != NULL ? AUTH_OK : AUTH_BUSY;
}

/* ---- grants ----------------------------------------------------------- */

static bool add_selector(struct selectors *selectors, enum crier_match match,
                         const char *text)
{
    if (selectors->count == SELECTORS_MAX)
        return false;
    selectors->list[selectors->count++] = (struct crier_selector){
        match, text, match == CRIER_MATCH_URL_PATTERN ? selectors->base : NULL};
    return true;
}

/* Makes shared grants of those of SELECTORS from FIRST on. */
static enum auth_result make_shared_grants(const struct reading *reading,
                                    const struct selectors *selectors, size_t first,
                                    struct crier_grants **grants)
{
    switch (grants_pool_get(reading->pool, selectors->list + first,
                            selectors->count - first, grants)) {
    case 0:
        return AUTH_OK;
    case -ENOMEM:
        return AUTH_BUSY;
    default:
        return AUTH_CLAIMS;
    }
}

/* ---- Mercure 0.x ------------------------------------------------------ */

/* Reads the list of selectors NAME of CLAIM. *PRESENT is whether there is one. */
static enum auth_result read_selectors(const json_t *claim, const char *name,
                                       struct selectors *selectors, bool *present)
{
    const json_t *list = json_object_get(claim, name), *entry;
    size_t i;

    if (list == NULL || json_is_null(list))
        return AUTH_OK;
    if (!json_is_array(list))
        return AUTH_CLAIMS;
    json_array_foreach (list, i, entry) {
        if (!json_is_string(entry) ||
            !add_selector(selectors, CRIER_MATCH_TEXT, json_string_value(entry)))
            return AUTH_CLAIMS;
    }
    *present = true;
    return AUTH_OK;
}

static enum auth_result read_mercure(const struct verified_token *token,
                                     struct reading *reading)
{
    const json_t *claim = find_claim(token, "mercure");
    enum auth_result result;
    json_t *payload;

    if (claim == NULL)
        claim = find_claim(token, NAMESPACE);
    if (claim == NULL)
        return AUTH_OK;
    if (!json_is_object(claim))
        return AUTH_CLAIMS;
    payload = json_object_get(claim, "payload");
    if (payload != NULL && !json_is_null(payload) &&
        !identity_add_payload(reading->identity, NULL, payload))
        return AUTH_BUSY;
    result = read_selectors(claim, "publish", &reading->publish,
                            &reading->may_publish);
    if (result == AUTH_OK)
        result = read_selectors(claim, "subscribe", &reading->subscribe,
                                &reading->may_subscribe);
    return result;
}

/* ---- Mercure 1.0 ------------------------------------------------------ */

/* Whether TOKEN has the type of an access token (RFC 9068, section 2.1). */
static bool is_access_token(const struct verified_token *token)
{
    const char *type = json_string_value(json_object_get(token->header, "typ"));
    const char prefix[] = "application/";

    if (type != NULL && strncasecmp(type, prefix, strlen(prefix)) == 0)
        type += strlen(prefix);
    return type != NULL && strcasecmp(type, "at+jwt") == 0;
}

/* Writes which of the actions in LIST are known to *PUBLISH and *SUBSCRIBE. */
static bool read_actions(const json_t *list, bool *publish, bool *subscribe)
{
    const json_t *entry;
    const char *action;
    size_t i;

    *publish = *subscribe = false;
    json_array_foreach (list, i, entry) {
        action = json_string_value(entry);
        if (action == NULL)
            return false;
        *publish |= strcmp(action, "publish") == 0;
        *subscribe |= strcmp(action, "subscribe") == 0;
    }
    return json_array_size(list) != 0;
}

/* Adds the topic matcher ENTRY to SELECTORS. */
static bool read_matcher(const json_t *entry, struct selectors *selectors)
{
    const char *text = json_string_value(json_object_get(entry, "match"));
    const json_t *member = json_object_get(entry, "match_type");
    const char *type = member != NULL ? json_string_value(member) : "exact";

    if (text == NULL || type == NULL)
        return false;
    if (strcmp(type, "exact") != 0 && strcmp(type, "urlpattern") != 0)
        return false;
    if (strcmp(text, "*") == 0)
        return add_selector(selectors, CRIER_MATCH_TEXT, text);
    return add_selector(selectors,
                        strcmp(type, "exact") == 0 ? CRIER_MATCH_EXACT
                                                   : CRIER_MATCH_URL_PATTERN,
                        text);
}

static bool read_topics(const json_t *list, struct selectors *selectors)
{
    const json_t *entry;
    size_t i;

    json_array_foreach (list, i, entry) {
        if (!read_matcher(entry, selectors))
            return false;
    }
    return json_array_size(list) != 0;
}

/* Keeps the payload of a detail whose topics are those of the subscribe selectors from
 * FIRST on. */
static enum auth_result keep_payload(struct reading *reading, size_t first,
                                     json_t *payload)
{
    struct crier_grants *topics = NULL;
    enum auth_result result;

    if (!json_is_object(payload))
        return AUTH_CLAIMS;
    result = make_shared_grants(reading, &reading->subscribe, first, &topics);
    if (result == AUTH_OK &&
        !identity_add_payload(reading->identity, topics, payload))
        result = AUTH_BUSY;
    crier_grants_unref(topics);
    return result;
}

/* Reads one entry of authorization_details; those of other types are for others. */
static enum auth_result read_detail(const json_t *detail, struct reading *reading)
{
    const char *type = json_string_value(json_object_get(detail, "type"));
    const json_t *topics = json_object_get(detail, "topics");
    json_t *payload = json_object_get(detail, "payload");
    size_t first = reading->subscribe.count;
    struct selectors unused = {.count = 0};
    bool publish, subscribe;

    if (type == NULL)
        return AUTH_CLAIMS;
    if (strcmp(type, DETAIL_TYPE) != 0)
        return AUTH_OK;
    if (!read_actions(json_object_get(detail, "actions"), &publish, &subscribe) ||
        (payload != NULL && !json_is_object(payload)) ||
        !read_topics(topics, &unused) ||
        (publish && !read_topics(topics, &reading->publish)) ||
        (subscribe && !read_topics(topics, &reading->subscribe)))
        return AUTH_CLAIMS;
    reading->may_publish |= publish;
    reading->may_subscribe |= subscribe;
    if (subscribe && payload != NULL)
        return keep_payload(reading, first, payload);
    return AUTH_OK;
}

static enum auth_result read_details(const struct verified_token *token,
                                     const json_t *details, struct reading *reading)
{
    enum auth_result result = AUTH_OK;
    const json_t *detail;
    size_t i;

    if (!is_access_token(token) || reading->identity->expires == 0 ||
        find_claim(token, "iss") == NULL || !json_is_array(details) ||
        json_array_size(details) > DETAILS_MAX)
        return AUTH_CLAIMS;
    if (find_claim(token, "aud") == NULL)
        return AUTH_AUDIENCE;
    json_array_foreach (details, i, detail) {
        result = read_detail(detail, reading);
        if (result != AUTH_OK)
            return result;
    }
    return result;
}

/* ---- all -------------------------------------------------------------- */

/* Reads what the token grants, as far as its key may grant it. */
static enum auth_result read_grants(const struct verified_token *token,
                                    struct reading *reading)
{
    const json_t *details = find_claim(token, "authorization_details");
    const enum conf_use use = token->key->use;
    struct identity *identity = reading->identity;
    enum auth_result result;

    result = details != NULL ? read_details(token, details, reading)
                             : read_mercure(token, reading);
    if (result == AUTH_OK && reading->may_publish && (use & CONF_USE_PUBLISH) != 0)
        result = make_shared_grants(reading, &reading->publish, 0,
                                    &identity->publish);
    if (result == AUTH_OK && reading->may_subscribe &&
        (use & CONF_USE_SUBSCRIBE) != 0)
        result = make_shared_grants(reading, &reading->subscribe, 0,
                                    &identity->subscribe);
    identity->admin =
        use == CONF_USE_BOTH &&
        json_is_true(json_object_get(find_claim(token, "crier"), "admin"));
    return result;
}

enum auth_result claims_read(const struct verified_token *token,
                             const struct keys *keys, struct grants_pool *pool,
                             struct identity **identity)
{
    struct reading reading = {.pool = pool, .identity = identity_new()};
    char base[CONF_HUB_URL_SIZE];
    enum auth_result result;

    if (reading.identity == NULL)
        return AUTH_BUSY;
    reading.publish.base = reading.subscribe.base = conf_hub_url(keys->conf, base);
    result = check_times(token, reading.identity);
    if (result == AUTH_OK)
        result = check_audience(token, keys->conf->public_url);
    if (result == AUTH_OK)
        result = read_subject(token, reading.identity);
    if (result == AUTH_OK)
        result = read_grants(token, &reading);
    if (result == AUTH_OK)
        *identity = reading.identity;
    else
        identity_unref(reading.identity);
    return result;
}
