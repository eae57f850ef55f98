#ifndef CRIER_UTF8_H
#define CRIER_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Whether the LENGTH bytes at TEXT are UTF-8 as RFC 3629 has it: no overlong
 * form, no surrogate, nothing above U+10FFFF. */
bool crier__utf8_valid(const char *text, size_t length);

#endif
