#ifndef CRIER_PRINTABLE_H
#define CRIER_PRINTABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A growing run of bytes; all zero is an empty one. Not for several threads.
 * */
struct text {
    char *bytes; /* NUL-terminated; NULL as long as nothing was added */
    size_t length;
    size_t room;
};

/* Frees the bytes; TEXT is empty again. */
void text_done(struct text *text);

/* Forgets the bytes, keeps the memory. */
void text_clear(struct text *text);

/* Appends LENGTH bytes. Where memory is short this, and so all that builds on
 * it, ends the program with a message and status 1. */
void text_add(struct text *text, const char *bytes, size_t length);

/* Appends a string. */
void text_add_string(struct text *text, const char *string);

/* Appends COUNT spaces. */
void text_add_spaces(struct text *text, size_t count);

/* Appends a number of milliseconds as seconds, "3.0 s". */
void text_add_seconds(struct text *text, uint64_t milliseconds);

/* Appends LENGTH bytes so that a terminal can do nothing but show them:
 * control characters, those that change the direction of writing, and what is
 * not UTF-8 become \xNN or \uNNNN, a TAB four spaces. An LF becomes NEWLINE,
 * or \x0a where that is NULL. */
void text_add_printable(struct text *text, const char *bytes, size_t length,
                        const char *newline);

/* The same for a text that is JSON, and stays the same JSON: such characters
 * become \uNNNN. */
void text_add_printable_json(struct text *text, const char *bytes, size_t length);

/* Appends STRING as a part of a URL, percent-encoded but for letters, digits,
 * "-._~" and what is in KEEP. */
void text_add_url(struct text *text, const char *string, const char *keep);

#endif
