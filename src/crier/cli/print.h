#ifndef CRIER_PRINT_H
#define CRIER_PRINT_H

#include <stdbool.h>
#include <stddef.h>

/* Standard output of all but the events of `crier sub`, for which there is
 * out.h. Once something could not be written, nothing more is. One thread. */

/* Writes LENGTH bytes, or a text. False when that is, or was, impossible. */
bool print_bytes(const char *bytes, size_t length);
bool print_text(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The exit status of a program that would end with STATUS. What could not be
 * written is told, and makes it EXIT_FAILURE, unless nobody reads any more. */
int print_finish(int status);

#endif
