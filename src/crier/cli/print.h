#ifndef CRIER_PRINT_H
#define CRIER_PRINT_H

#include <stdbool.h>
#include <stddef.h>

/* Standard output, except for the events of `crier sub` (output.h). After an error
 * nothing more is written. For one thread. */

/* Write LENGTH bytes, or a formatted text. Return false if this or an earlier write
 * failed. */
bool print_bytes(const char *bytes, size_t length);
bool print_text(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Reports a failed write. Returns the exit status of a program that would otherwise
 * return STATUS: EXIT_FAILURE after a failed write, unless the reader has closed the
 * pipe. */
int print_finish(int status);

#endif
