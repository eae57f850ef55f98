#ifndef TESTS_CODING_H
#define TESTS_CODING_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Content codings (RFC 9110 8.4.1) as a server of streams writes them: each block can
 * be decoded as soon as it has arrived. The blocks are stored without compression,
 * which every coding allows, so no library is needed.
 */
enum coding {
    CODING_IDENTITY,
    CODING_GZIP,        /* RFC 1952 */
    CODING_DEFLATE,     /* RFC 1950 */
    CODING_RAW_DEFLATE, /* RFC 1951 alone, which some servers send under that name */
    CODING_BROTLI,      /* RFC 7932 */
    CODING_ZSTD,        /* RFC 8878 */
    CODINGS
};

/* Returns its name in Content-Encoding. */
const char *coding_name(enum coding coding);

/* Whether this libcurl decodes it. */
bool coding_is_built_in(enum coding coding);

/* The most that coding_write() adds to a text. */
#define CODING_MORE 16

/* Writes TEXT as a block to OUT and returns the length of the block. The FIRST one
 * begins the coded text. */
size_t coding_write(enum coding coding, bool first, const char *text,
                    char *out);

#endif
