#ifndef CRIERD_AUTH_H
#define CRIERD_AUTH_H

#include "identity.h"
#include "result.h"

/*
 * Authorisation: keys and static tokens, and the tokens that were verified. One for the
 * program; the functions can be called by any thread.
 */
struct conf;
struct auth;

/* Reads the keys and static tokens of CONF. A new auth, or NULL after errors in the
 * log. */
struct auth *auth_open(const struct conf *conf);

/* Frees AUTH, which no request uses any more, and waits for the thread that fetches keys;
 * NULL is allowed. */
void auth_close(struct auth *auth);

/* Replaces the keys and static tokens by those of CONF, and forgets all verified tokens.
 * False after errors in the log; AUTH is unchanged then. One thread at a time. */
bool auth_reload(struct auth *auth, const struct conf *conf);

/* Verifies the LENGTH bytes at TOKEN, a static token or a JWT. Writes a *new* reference to
 * *IDENTITY with AUTH_OK. A token that was verified before costs a look-up. */
enum auth_result auth_verify(struct auth *auth, const char *token,
                             size_t length, struct identity **identity);

/* What a refusal for RESULT says, a constant text. */
const char *auth_refusal_text(enum auth_result result);

#endif
