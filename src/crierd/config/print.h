#ifndef CRIERD_PRINT_H
#define CRIERD_PRINT_H

#include "options.h"

/* Writes what --help says to TO. */
void print_help(FILE *to);

/* Writes CONF to TO as a file for --config, with the origin of each value as a comment.
 * Returns false when memory is short. */
bool print_dump(const struct conf *conf, FILE *to);

/* Writes what ROW's value is called, such as "HOST:PORT"; "" where it has none. */
void print_argument(const struct option_row *row, char *text, size_t size);

#endif
