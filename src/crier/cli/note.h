#ifndef CRIER_NOTE_H
#define CRIER_NOTE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Messages on standard error. Each is one line, with control characters escaped and
 * secrets removed. Callable from any thread.
 */

/* Turns note() off or on; it is on by default. */
void note_quiet(bool quiet);

/* Writes "crier: " and the message, for an error. */
void note_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Writes "crier: " and the message, for information. Silent after note_quiet(true). */
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Draws a line without "crier: " at the bottom of the terminal; each call replaces the
 * previous one. For terminals only. */
void note_progress(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Leaves the progress line as it is and starts a new line. */
void note_progress_done(void);

/* Writes requests, responses and libcurl's remarks as curl -v does, without bodies. The
 * on_wire callback of struct crier_http_options. */
void note_wire(void *closure, char direction, const char *bytes, size_t length);

#endif
