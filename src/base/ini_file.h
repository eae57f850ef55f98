#ifndef CRIER_INI_FILE_H
#define CRIER_INI_FILE_H

#include <stdbool.h>
#include <stdio.h>

/* One "KEY = VALUE". The strings are borrowed for the call, without white space at
 * either end. */
struct ini_entry {
    const char *section; /* "" before the first [SECTION] */
    const char *key;
    const char *value; /* may be "" */
    int line;          /* from 1 */
    int section_line;  /* the line of [SECTION]; 0 before the first one */
};

/* Handles an entry. Returns false to stop reading. */
typedef bool ini_handler_fn(void *closure, const struct ini_entry *entry);

/* Reads FILE by libinih and calls HANDLE for each entry, in order. Comments begin with
 * '#' or ';' at the start of a line, or with a ';' after white space; a line may have
 * 8191 bytes.
 *
 * Returns NULL when all was read, or when HANDLE stopped it (then *LINE is 0). Otherwise
 * returns what is wrong with the file, a constant phrase about line *LINE ("contains a
 * NUL"); *LINE is -1 when the file could not be read, for the reason in errno. */
const char *ini_file_read(FILE *file, ini_handler_fn *handle, void *closure, int *line);

#endif
