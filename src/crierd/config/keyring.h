#ifndef CRIERD_KEYRING_H
#define CRIERD_KEYRING_H

#include "texts.h"
#include "base/jose.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* At most so many entries of each list of keys, and static tokens. */
#define CONF_KEYS_MAX 32
#define CONF_TOKENS_MAX 256

/* What tokens that a key signed may grant: a bit for each. */
enum conf_use { CONF_USE_PUBLISH = 1, CONF_USE_SUBSCRIBE = 2, CONF_USE_BOTH = 3 };

/* Keys of one origin: a --jwt-key, or a section [key NAME]. */
struct conf_key {
    char *name; /* NULL: --jwt-key */
    enum jose_alg algorithm;
    char *file;             /* they were read from; NULL: a secret that was given */
    char *issuer;           /* whose tokens they verify; NULL: anybody's */
    enum conf_use use;
    struct jose_keys keys; /* at least one */
};

struct conf_keys {
    struct conf_key *list;
    size_t count;
};

/* A static token: a section [token NAME]. */
struct conf_token {
    char *name;
    bool has_hash;
    unsigned char hash[JOSE_SHA256_SIZE];
    struct conf_texts publish, subscribe; /* selectors */
    int64_t expires; /* seconds since 1970; 0: never */
    bool admin;
};

struct conf_tokens {
    struct conf_token *list;
    size_t count;
};

/* Keys and static tokens in a snapshot of the configuration. WHY, of SIZE bytes, is written
 * with -EINVAL: what is wrong, without anything that is secret. */

/* Adds the keys of TEXT, which is ALG:SECRET or ALG:@FILE. -EINVAL; -E2BIG when there are
 * CONF_KEYS_MAX; -ENOMEM. */
int keyring_read_key(struct conf_keys *keys, const char *text, char *why,
                         size_t size);

/* Whether SOURCE is a file with a JWK set, or a URL for one: https://, or http:// on this
 * machine. Otherwise WHY says what is wrong. */
bool keyring_check_jwks(const char *source, char *why, size_t size);

/* A section [key NAME] while it is read. All zero but its name at the beginning. */
struct key_draft {
    char *name, *algorithm, *secret, *file, *issuer, *use;
};

/* Sets the entry ENTRY of DRAFT to a copy of VALUE. Returns NULL, or what would be right;
 * "" when there is no such entry; a text that says so when memory is short. */
const char *keyring_set_key(struct key_draft *draft, const char *entry,
                                const char *value);

/* Adds the keys of DRAFT to KEYS. Errors as above. */
int keyring_add_key(struct conf_keys *keys, const struct key_draft *draft,
                        char *why, size_t size);

/* Frees what DRAFT holds and makes it all zero. */
void keyring_end_key(struct key_draft *draft);

/* Sets the entry ENTRY of TOKEN, of which all but its name is zero at the beginning, to
 * VALUE. Returns as keyring_set_key() does. */
const char *keyring_set_token(struct conf_token *token, const char *entry,
                                  const char *value);

/* Moves TOKEN, which is all zero then, to TOKENS. Errors as above. */
int keyring_add_token(struct conf_tokens *tokens, struct conf_token *token,
                          char *why, size_t size);

/* Frees what TOKEN holds and makes it all zero. */
void keyring_end_token(struct conf_token *token);

/* Empty the list, and free what is in it. */
void keyring_clear_keys(struct conf_keys *keys);
void keyring_clear_tokens(struct conf_tokens *tokens);

/* Write KEY as --jwt-key has it, with "..." for a secret; KEY and TOKEN as the sections of
 * a file, without a secret. */
void keyring_print_key(const struct conf_key *key, FILE *to);
void keyring_print_key_section(const struct conf_key *key, FILE *to);
void keyring_print_token(const struct conf_token *token, FILE *to);

#endif
