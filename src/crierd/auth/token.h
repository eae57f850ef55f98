#ifndef CRIERD_JWT_H
#define CRIERD_JWT_H

#include "keys.h"
#include "result.h"

/* The longest token, in bytes. */
#define TOKEN_MAX ((size_t)8192)

/* Verifies the JWT of LENGTH bytes at TEXT at the time NOW (seconds since 1970) and writes
 * a *new* identity to *IDENTITY with AUTH_OK. Any thread. */
enum auth_result token_verify(const struct keys *keys, struct grants_pool *pool,
                              const char *text, size_t length, int64_t now,
                              struct identity **identity);

#endif
