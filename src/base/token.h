#ifndef CRIER_TOKEN_H
#define CRIER_TOKEN_H

#include <stdbool.h>
#include <stddef.h>

/* Whether a byte, as an index, may be in a token of HTTP (RFC 9110 section 5.6.2). */
extern const bool crier__token_bytes[256];

/* How many bytes at the beginning of TEXT may be in a token: all of them in a method or
 * the name of a header. */
static inline size_t crier__token_length(const char *text)
{
    size_t length = 0;

    while (crier__token_bytes[(unsigned char)text[length]])
        length++;
    return length;
}

/* Whether TEXT is a token: one byte or more, and none that may not be in one. */
static inline bool crier__token_valid(const char *text)
{
    size_t length = crier__token_length(text);

    return length != 0 && text[length] == '\0';
}

#endif
