#ifndef CRIER_FILE_H
#define CRIER_FILE_H

#include <stddef.h>
#include <stdio.h>

/* Files that the configuration names. All of these return 0 or -errno, and then write the
 * reason in words to WHY, of SIZE bytes. Callable from any thread. */

/* Opens the file PATH, to read it, to a *new* *FILE. It does not wait, and takes only a
 * regular file, or /dev/null; -EINVAL for others: what is read again later must be there
 * again, and a pipe is empty by then, or blocks its reader for ever. */
int crier__file_open(const char *path, FILE **file, char *why, size_t size);

/* Reads FILE (*stolen*) to the end, at most MAX bytes: a *new* *TEXT of *LENGTH bytes, with
 * a NUL behind them. -EFBIG when there is more. */
int crier__file_read(FILE *file, size_t max, char **text, size_t *length, char *why,
                     size_t size);

/* Both. */
int crier__file_load(const char *path, size_t max, char **text, size_t *length, char *why,
                     size_t size);

#endif
