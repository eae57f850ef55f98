#ifndef CRIER_UTF8_H
#define CRIER_UTF8_H

#include "crier.h"

/* Returns how many of the LENGTH bytes at TEXT are valid UTF-8 (RFC 3629: no overlong
 * form, no surrogate, nothing above U+10FFFF), from the beginning to the first
 * fault. */
size_t crier__utf8_prefix(const char *text, size_t length);

/* Returns how many of the LENGTH bytes (at least one) at TEXT, which begins with a
 * fault, belong to that fault: a maximal subpart, as in the decoder of the Encoding
 * standard. */
size_t crier__utf8_broken(const char *text, size_t length);

/* Whether the LENGTH bytes at TEXT, which are UTF-8, contain a control character:
 * U+0000 to U+001F, U+007F to U+009F. */
bool crier__utf8_control(const char *text, size_t length);

/* Returns the length of the character at TEXT (LENGTH is at least one) if it must not
 * be shown unchanged: a control character (C0, DEL, C1), one that ends a line, or one
 * that changes the direction of writing. Otherwise 0. */
size_t crier__utf8_unsafe(const char *text, size_t length);

/* The character at *AT, which is valid UTF-8; moves *AT behind it. */
uint32_t crier__utf8_next(const unsigned char **at);

#endif
