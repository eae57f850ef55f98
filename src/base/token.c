/*
 * The tokens of HTTP, which methods and the names of headers are (RFC 9110 section
 * 5.6.2). A table, because a head of a request is read byte by byte.
 */
#include <config.h>

#include "token.h"

const bool crier__token_bytes[256] = {
    ['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true,
    ['!'] = true, ['#'] = true, ['$'] = true, ['%'] = true, ['&'] = true,
    ['\''] = true, ['*'] = true, ['+'] = true, ['-'] = true, ['.'] = true,
    ['^'] = true, ['_'] = true, ['`'] = true, ['|'] = true, ['~'] = true,
};
