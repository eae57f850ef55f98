#ifndef CRIER_PRINTABLE_H
#define CRIER_PRINTABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A growing string; all zero is an empty one. For one thread at a time. */
struct text {
    char *bytes; /* NUL-terminated; NULL until something is added */
    size_t length;
    size_t capacity;
};

/* Frees the bytes. TEXT is empty again. */
void text_done(struct text *text);

/* Removes the bytes and keeps the memory. */
void text_clear(struct text *text);

/* Appends LENGTH bytes. If memory is exhausted this function, and thus all others here,
 * prints a message and exits with status 1. */
void text_add(struct text *text, const char *bytes, size_t length);

/* Appends a string. */
void text_add_string(struct text *text, const char *string);

/* Appends COUNT spaces. */
void text_add_spaces(struct text *text, size_t count);

/* Appends MILLISECONDS as seconds: "3.0 s". */
void text_add_seconds(struct text *text, uint64_t milliseconds);

/* Appends SECONDS in the largest unit in which they are at least 1: "3 min". */
void text_add_age(struct text *text, double seconds);

/* Appends LENGTH bytes with everything escaped that a terminal would interpret: control
 * characters, characters that change the writing direction, and invalid UTF-8 become
 * \xNN or \uNNNN; a TAB becomes four spaces; an LF becomes NEWLINE, or \x0a if NEWLINE
 * is NULL. */
void text_add_printable(struct text *text, const char *bytes, size_t length,
                        const char *newline);

/* Appends LENGTH bytes of JSON with the same characters escaped as \uNNNN, so that the
 * JSON has the same meaning. */
void text_add_printable_json(struct text *text, const char *bytes, size_t length);

/* Appends STRING as part of a URL: percent-encodes all bytes but letters, digits,
 * "-._~" and those in KEEP. */
void text_add_url(struct text *text, const char *string, const char *keep);

#endif
