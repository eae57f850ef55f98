#ifndef CRIER_NOTE_H
#define CRIER_NOTE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * What goes to standard error, a line at a time, each made harmless and without
 * what is secret. Any thread.
 */

/* Whether note() is silent; at first it is not. */
void note_quiet(bool quiet);

/* "crier: " and the text: something ends badly. */
void note_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* "crier: " and the text: something that is good to know. */
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A line without "crier: " that stays the last one and is replaced by the next
 * such line; for terminals only. */
void note_progress(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The progress line is done with and stays as it is. */
void note_progress_done(void);

/* The on_wire of crier_http_options: requests, answers and remarks, as curl -v
 * shows them. Bodies are left out. */
void note_wire(void *closure, char direction, const char *bytes, size_t length);

#endif
