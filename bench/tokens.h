#ifndef BENCH_TOKENS_H
#define BENCH_TOKENS_H

#include <stdbool.h>
#include <stddef.h>

/* Tokens with the same grants, for all topics. All zero is none. */
struct tokens {
    char **list;
    size_t count;
};

/* The options with which crierd accepts them, and nobody without one. Constant, ended by
 * NULL. */
extern const char *const tokens_options[];

/* Makes COUNT different tokens of some 500 bytes. Returns false, with a fault, on
 * failure; call tokens_free() in any case. */
bool tokens_make(struct tokens *tokens, size_t count);

/* Frees them; TOKENS is none again. */
void tokens_free(struct tokens *tokens);

#endif
