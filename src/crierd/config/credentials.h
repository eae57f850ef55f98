#ifndef CRIERD_CREDENTIALS_H
#define CRIERD_CREDENTIALS_H

#include "conf.h"

#include <stdio.h>

/* Keys and static tokens in a snapshot of the configuration. WHY, of SIZE bytes, is written
 * with -EINVAL: what is wrong, without anything that is secret. */

/* Adds the keys of TEXT, which is ALG:SECRET or ALG:@FILE. -EINVAL; -E2BIG when there are
 * CONF_KEYS_MAX; -ENOMEM. */
int credentials_read_key(struct conf_keys *keys, const char *text, char *why,
                         size_t size);

/* A section [key NAME] while it is read. All zero but its name at the beginning. */
struct key_draft {
    char *name, *algorithm, *secret, *file, *issuer, *use;
};

/* Sets the entry ENTRY of DRAFT to a copy of VALUE. Returns NULL, or what would be right;
 * "" when there is no such entry; "out of memory". */
const char *credentials_set_key(struct key_draft *draft, const char *entry,
                                const char *value);

/* Adds the keys of DRAFT to KEYS. Errors as above. */
int credentials_add_key(struct conf_keys *keys, const struct key_draft *draft,
                        char *why, size_t size);

/* Frees what DRAFT holds and makes it all zero. */
void credentials_end_key(struct key_draft *draft);

/* Sets the entry ENTRY of TOKEN, of which all but its name is zero at the beginning, to
 * VALUE. Returns as credentials_set_key() does. */
const char *credentials_set_token(struct conf_token *token, const char *entry,
                                  const char *value);

/* Moves TOKEN, which is all zero then, to TOKENS. Errors as above. */
int credentials_add_token(struct conf_tokens *tokens, struct conf_token *token,
                          char *why, size_t size);

/* Frees what TOKEN holds and makes it all zero. */
void credentials_end_token(struct conf_token *token);

void credentials_clear_keys(struct conf_keys *keys);
void credentials_clear_tokens(struct conf_tokens *tokens);

/* Write KEY as --jwt-key has it, with "..." for a secret; KEY and TOKEN as the sections of
 * a file, without a secret. */
void credentials_print_key(const struct conf_key *key, FILE *to);
void credentials_print_key_section(const struct conf_key *key, FILE *to);
void credentials_print_token(const struct conf_token *token, FILE *to);

#endif
