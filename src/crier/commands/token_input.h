#ifndef CRIER_TOKEN_INPUT_H
#define CRIER_TOKEN_INPUT_H

#include "crier/cli/printable.h"

#include <stdbool.h>

/* Appends the token WORD to TEXT, or the one on standard input if WORD is NULL or "-",
 * without white space at its ends. Returns false after reporting why there is none. */
bool token_input_read(struct text *text, const char *word);

#endif
