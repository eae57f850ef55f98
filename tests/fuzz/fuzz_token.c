/*
 * A fuzz target for tokens. The input is taken as a token, and as the claims of two signed
 * ones, of Mercure 0.x and of 1.0.
 *
 * What must hold:
 *
 *   - no input is a valid token: nobody can guess the signature;
 *   - a token that is accepted has claims that are an object, has not expired, names no
 *     other audience, and grants nothing that a plain reading of its claims does not have;
 *   - one that is refused writes no identity;
 *   - one that was accepted is accepted again, at once.
 *
 * Where memory is short, a run ends early.
 */
#include <config.h>

#include "fuzz.h"

#include "base/jose.h"
#include "crierd/auth/auth.h"
#include "crierd/config/load.h"

#include <stdbool.h>
#include <string.h>
#include <time.h>

#define URL "https://hub.example"
#define SECRET "a secret for the fuzz target only, of more than 32 bytes"

static struct auth *auth;
static struct conf *conf;

static void print_mistake(const char *text)
{
    fprintf(stderr, "%s\n", text);
}

static bool open_auth(void)
{
    char *argv[] = {(char *)"crierd", (char *)"--jwt-key",
                    (char *)"HS256:" SECRET, (char *)"--public-url", (char *)URL,
                    NULL};

    if (conf == NULL && load_conf(5, argv, print_mistake, &conf) != LOAD_RUN)
        return false;
    if (auth == NULL)
        auth = auth_open(conf);
    return auth != NULL;
}

/* Whether LIST is a JSON array with at least one entry. */
static bool is_filled(const json_t *list)
{
    return json_array_size(list) != 0;
}

/* Whether CLAIMS may grant ACTION, read plainly. */
static bool may_grant(const json_t *claims, const char *action)
{
    const json_t *mercure = json_object_get(claims, "mercure"), *detail, *entry;
    const json_t *details = json_object_get(claims, "authorization_details");
    size_t i, j;

    if (mercure == NULL)
        mercure = json_object_get(claims, "https://mercure.rocks/");
    if (details == NULL)
        return json_is_array(json_object_get(mercure, action));
    json_array_foreach (details, i, detail) {
        json_array_foreach (json_object_get(detail, "actions"), j, entry) {
            if (json_is_string(entry) &&
                strcmp(json_string_value(entry), action) == 0)
                return is_filled(json_object_get(detail, "topics"));
        }
    }
    return false;
}

static void check_identity(const struct identity *identity, const json_t *claims)
{
    const json_t *expires = json_object_get(claims, "exp");
    const json_t *subject = json_object_get(claims, "sub");

    MUST(json_is_object(claims));
    MUST((identity->expires != 0) == (expires != NULL));
    MUST(identity->expires == 0 || identity->expires > time(NULL) - 10);
    MUST((identity->subject != NULL) == json_is_string(subject));
    MUST(identity->publish == NULL || may_grant(claims, "publish"));
    MUST(identity->subscribe == NULL || may_grant(claims, "subscribe"));
    MUST(!identity->admin || json_is_true(json_object_get(
                                 json_object_get(claims, "crier"), "admin")));
    MUST(json_object_get(claims, "nbf") == NULL ||
         json_number_value(json_object_get(claims, "nbf")) <= (double)time(NULL));
    if (json_is_string(json_object_get(claims, "aud")))
        MUST(strncmp(json_string_value(json_object_get(claims, "aud")), URL,
                     strlen(URL)) == 0);
}

static void check_signed(const char *typ, const char *claims, size_t length)
{
    char *token = jose_sign(conf->jwt_keys.list[0].keys.list[0], typ, NULL, claims,
                            length);
    struct identity *identity = NULL, *again = NULL;
    enum auth_result result;
    json_t *json;

    if (token == NULL)
        return;
    result = auth_verify(auth, token, strlen(token), &identity);
    if (result == AUTH_OK) {
        json = json_loadb(claims, length, 0, NULL);
        if (json != NULL)
            check_identity(identity, json);
        json_decref(json);
        result = auth_verify(auth, token, strlen(token), &again);
        MUST(result == AUTH_OK || result == AUTH_BUSY);
        identity_unref(again);
        identity_unref(identity);
    } else {
        MUST(identity == NULL);
        MUST(result != AUTH_ISSUER);
        MUST(auth_refusal_text(result)[0] != '\0');
    }
    free(token);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    struct identity *identity = NULL;

    if (!open_auth())
        return 0;
    MUST(auth_verify(auth, (const char *)input, size, &identity) != AUTH_OK);
    MUST(identity == NULL);
    if (size == 0)
        return 0;
    check_signed("JWT", (const char *)input, size);
    check_signed("at+jwt", (const char *)input, size);
    return 0;
}
