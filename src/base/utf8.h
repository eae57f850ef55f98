#ifndef CRIER_UTF8_H
#define CRIER_UTF8_H

#include "crier.h"

/* How many of the LENGTH bytes at TEXT are UTF-8 as RFC 3629 has it (no overlong
 * form, no surrogate, nothing above U+10FFFF), from the begin to where it is broken;
 * crier_utf8_valid() asks whether that is all. */
size_t crier__utf8_prefix(const char *text, size_t length);

/* How many of the LENGTH bytes (at least one) at TEXT, where it is broken, count as
 * one fault: a maximal subpart, as the Encoding standard's decoder has it. */
size_t crier__utf8_broken(const char *text, size_t length);

/* Whether the LENGTH bytes at TEXT, which are UTF-8, hold a control character: U+0000
 * to U+001F, U+007F to U+009F. */
bool crier__utf8_control(const char *text, size_t length);

/* How many of the LENGTH bytes (at least one) at TEXT are a character that must not be
 * shown as it is: a control character (C0, DEL, C1), one that ends a line, or one that
 * changes the direction of writing. 0 where TEXT begins with another one. */
size_t crier__utf8_unsafe(const char *text, size_t length);

#endif
