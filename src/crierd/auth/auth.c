/* Authorisation. */
#include <config.h>

#include "auth.h"

#include "crierd/config/conf.h"

#include <stdlib.h>

struct auth {
    struct conf *conf;
};

struct auth *auth_open(const struct conf *conf)
{
    struct auth *auth = calloc(1, sizeof *auth);

    if (auth != NULL)
        auth->conf = conf_ref((struct conf *)conf);
    return auth;
}

void auth_close(struct auth *auth)
{
    if (auth == NULL)
        return;
    conf_unref(auth->conf);
    free(auth);
}

bool auth_reload(struct auth *auth, const struct conf *conf)
{
    conf_unref(auth->conf);
    auth->conf = conf_ref((struct conf *)conf);
    return true;
}

enum auth_result auth_verify(struct auth *auth, const char *token,
                             size_t length, struct identity **identity)
{
    (void)auth;
    (void)token;
    (void)length;
    (void)identity;
    return AUTH_KEY;
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
        [AUTH_CLAIMS] = "the claims of the token are not well-formed, or too many",
        [AUTH_BUSY] = "tokens cannot be verified at the moment",
    };

    return texts[result];
}
