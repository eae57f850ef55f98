#ifndef CRIERD_AUTH_H
#define CRIERD_AUTH_H

#include "identity.h"

/*
 * Authorisation: keys and static tokens, and the tokens that were verified. One for the
 * program; the functions can be called by any thread.
 */
struct conf;
struct auth;

/* Why a token is refused; auth_refusal_text() is what error_description says of it
 * (RFC 6750 section 3). */
enum auth_result {
    AUTH_OK,
    AUTH_MALFORMED, /* not a token, or larger than allowed */
    AUTH_KEY,       /* no key verifies it: wrong key, algorithm, or signature */
    AUTH_EXPIRED,
    AUTH_NOT_YET,
    AUTH_AUDIENCE,
    AUTH_ISSUER,
    AUTH_CLAIMS, /* verified, but its claims are of the wrong type or out of bounds */
    AUTH_BUSY    /* memory is short, or the keys have not been fetched yet: 503 */
};

/* Reads the keys and static tokens of CONF. A new auth, or NULL after errors in the
 * log. */
struct auth *auth_open(const struct conf *conf);
void auth_close(struct auth *auth);

/* Replaces the keys and static tokens by those of CONF, and forgets all verified tokens.
 * False after errors in the log; AUTH is unchanged then. One thread at a time. */
bool auth_reload(struct auth *auth, const struct conf *conf);

/* Verifies the LENGTH bytes at TOKEN, a JWT or a static token. Writes a *new* reference to
 * *IDENTITY with AUTH_OK. A token that was verified before costs a look-up. */
enum auth_result auth_verify(struct auth *auth, const char *token,
                             size_t length, struct identity **identity);

const char *auth_refusal_text(enum auth_result result);

#endif
