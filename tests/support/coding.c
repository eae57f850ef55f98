#include <config.h>

#include "coding.h"

#include <curl/curl.h>
#include <stdint.h>
#include <string.h>

static const struct {
    const char *name;
    int feature;
    const char *begin;
    size_t begin_length;
} codings[] = {
    [CODING_IDENTITY] = {"identity", 0, "", 0},
    [CODING_GZIP] = {"gzip", CURL_VERSION_LIBZ, "\x1f\x8b\x08\0\0\0\0\0\0\x03",
                     10},
    [CODING_DEFLATE] = {"deflate", CURL_VERSION_LIBZ, "\x78\x01", 2},
    [CODING_RAW_DEFLATE] = {"deflate", CURL_VERSION_LIBZ, "", 0},
    [CODING_BROTLI] = {"br", CURL_VERSION_BROTLI, "", 0},
    [CODING_ZSTD] = {"zstd", CURL_VERSION_ZSTD, "\x28\xb5\x2f\xfd\x00\x48", 6},
};

const char *coding_name(enum coding coding) { return codings[coding].name; }

bool coding_is_built_in(enum coding coding)
{
    const int feature = codings[coding].feature;

    return (curl_version_info(CURLVERSION_NOW)->features & feature) == feature;
}

/* Writes the COUNT bytes of NUMBER, the lowest first. */
static size_t put_number(uint32_t number, size_t count, char *out)
{
    size_t i;

    for (i = 0; i < count; i++)
        out[i] = (char)(number >> 8 * i);
    return count;
}

/* Writes the head of a block of LENGTH uncompressed bytes. */
static size_t put_head(enum coding coding, bool first, uint32_t length,
                       char *out)
{
    switch (coding) {
    case CODING_IDENTITY:
        return 0;
    case CODING_BROTLI: /* the first block also has a bit for the window size */
        return put_number(((length - 1) << 3 | 1u << 19) << first, 3, out);
    case CODING_ZSTD:
        return put_number(length << 3, 3, out);
    default:
        return put_number(0, 1, out) + put_number(length, 2, out + 1) +
               put_number(~length, 2, out + 3);
    }
}

size_t coding_write(enum coding coding, bool first, const char *text,
                    char *out)
{
    size_t length = strlen(text), at = 0;

    if (first) {
        at = codings[coding].begin_length;
        memcpy(out, codings[coding].begin, at);
    }
    at += put_head(coding, first, (uint32_t)length, out + at);
    memcpy(out + at, text, length);
    return at + length;
}
