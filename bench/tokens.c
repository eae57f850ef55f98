/*
 * The tokens of clients and publishers: JWTs of a common size and form. Each names
 * another subject, and all grant the same, as those of one application do.
 */
#include <config.h>

#include "tokens.h"

#include "base/jose.h"
#include "fault.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SECRET "a-secret-of-the-benchmark-with-48-bytes-in-all-."
#define VALID 86400 /* s */

/* So many bytes more make a token 500 bytes long. */
#define FILLER 197

const char *const tokens_options[] = {"--jwt-key", "HS256:" SECRET, NULL};

/* Returns a new token, the one of NUMBER; NULL when memory is short. */
static char *make_token(const struct jose_key *key, size_t number)
{
    char claims[512];
    int length = snprintf(claims, sizeof claims,
                          "{\"sub\":\"client-%05zu\",\"exp\":%" PRId64
                          ",\"mercure\":{\"publish\":[\"*\"],\"subscribe\":[\"*\"]},"
                          "\"name\":\"%0*d\"}",
                          number, (int64_t)time(NULL) + VALID, FILLER, 0);

    return jose_sign(key, "JWT", NULL, claims, (size_t)length);
}

bool tokens_make(struct tokens *tokens, size_t count)
{
    struct jose_keys keys = {0};
    char why[JOSE_WHY_SIZE];
    bool ok;

    tokens->list = calloc(count, sizeof *tokens->list);
    ok = tokens->list != NULL && jose_read_secret(&keys, JOSE_HS256, SECRET,
                                                  sizeof SECRET - 1, why) == 0;
    for (tokens->count = 0; ok && tokens->count < count; tokens->count++) {
        tokens->list[tokens->count] = make_token(keys.list[0], tokens->count);
        if (tokens->list[tokens->count] == NULL)
            break;
    }
    jose_keys_done(&keys);
    return tokens->count == count || fault("cannot make tokens");
}

void tokens_free(struct tokens *tokens)
{
    for (size_t i = 0; i < tokens->count; i++)
        free(tokens->list[i]);
    free(tokens->list);
    *tokens = (struct tokens){0};
}
