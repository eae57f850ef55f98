/*
 * Text that grows, and text that is safe to print.
 *
 * Text from a server is printed on terminals, which interpret control characters: C0,
 * DEL, and C1, which UTF-8 terminals know as U+0080 to U+009F. Characters that change
 * the writing direction can make a line read as something else. All of these are
 * replaced by their numbers. Other invisible characters stay, because some scripts and
 * most emoji need them. Terminals are assumed to use UTF-8 whatever the locale says: in
 * the locale "C" that is more often true than not.
 */
#include <config.h>

#include "printable.h"

#include "base/utf8.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void text_done(struct text *text)
{
    free(text->bytes);
    *text = (struct text){0};
}

void text_clear(struct text *text) { text->length = 0; }

void text_add(struct text *text, const char *bytes, size_t length)
{
    size_t need = text->length + length + 1;

    if (need > text->capacity) {
        text->capacity = need + need / 2 + 64;
        text->bytes = realloc(text->bytes, text->capacity);
        if (text->bytes == NULL) {
            fputs("crier: out of memory\n", stderr);
            exit(EXIT_FAILURE);
        }
    }
    if (length != 0)
        memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
    text->bytes[text->length] = '\0';
}

void text_add_string(struct text *text, const char *string)
{
    text_add(text, string, strlen(string));
}

void text_add_spaces(struct text *text, size_t count)
{
    while (count-- != 0)
        text_add(text, " ", 1);
}

void text_add_seconds(struct text *text, uint64_t milliseconds)
{
    char number[32];

    snprintf(number, sizeof number, "%" PRIu64 ".%u s", milliseconds / 1000,
             (unsigned)(milliseconds % 1000 / 100));
    text_add_string(text, number);
}

void text_add_age(struct text *text, double seconds)
{
    static const struct {
        const char *name;
        double seconds;
    } units[] = {{"d", 86400}, {"h", 3600}, {"min", 60}, {"s", 1}};
    char age[32];
    size_t i = 0;

    while (i < 3 && seconds < units[i].seconds)
        i++;
    snprintf(age, sizeof age, "%.0f %s",
             seconds < 0 || seconds > 1e12
                 ? 0
                 : (double)(long long)(seconds / units[i].seconds),
             units[i].name);
    text_add_string(text, age);
}

/* ---- escaping ----------------------------------------------------------- */

/* Decodes the character at BYTES (LENGTH at least 1) into *CODE. Returns its length in
 * bytes, or 0 if it is not UTF-8. */
static size_t read_character(const unsigned char *bytes, size_t length, uint32_t *code)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t size, i;

    *code = bytes[0];
    if (bytes[0] < 0x80)
        return 1;
    if (bytes[0] < 0xc2 || bytes[0] > 0xf4)
        return 0;
    size = bytes[0] < 0xe0 ? 2 : bytes[0] < 0xf0 ? 3 : 4;
    if (size > length)
        return 0;
    *code &= 0x7fu >> size;
    for (i = 1; i < size; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
        *code = *code << 6 | (bytes[i] & 0x3f);
    }
    if (*code < least[size] || *code > 0x10ffff || (*code >= 0xd800 && *code < 0xe000))
        return 0;
    return size;
}

/* Returns how many of the LENGTH bytes at BYTES may be printed as they are. *SIZE and
 * *CODE describe the character after them; *SIZE is 0 if it is not UTF-8. */
static size_t count_printable(const char *bytes, size_t length, size_t *size,
                              uint32_t *code)
{
    size_t at = 0;

    for (; at < length; at += *size) {
        *size = read_character((const unsigned char *)bytes + at, length - at, code);
        if (*size == 0 || crier__utf8_unsafe(bytes + at, *size) != 0)
            break;
    }
    return at;
}

void text_add_printable(struct text *text, const char *bytes, size_t length,
                        const char *newline)
{
    size_t good, size;
    uint32_t code;
    char shown[16];

    for (;;) {
        good = count_printable(bytes, length, &size, &code);
        text_add(text, bytes, good);
        bytes += good;
        length -= good;
        if (length == 0)
            return;
        if (size != 0 && code == '\n' && newline != NULL) {
            text_add_string(text, newline);
        } else if (code == '\t') {
            text_add_spaces(text, 4);
        } else {
            snprintf(shown, sizeof shown,
                     size == 0 || code < 0x100 ? "\\x%02x" : "\\u%04x",
                     size == 0 ? (unsigned char)*bytes : code);
            text_add_string(text, shown);
        }
        bytes += size == 0 ? 1 : size;
        length -= size == 0 ? 1 : size;
    }
}

void text_add_printable_json(struct text *text, const char *bytes, size_t length)
{
    size_t good, size;
    uint32_t code;
    char shown[16];

    for (;;) {
        good = count_printable(bytes, length, &size, &code);
        text_add(text, bytes, good);
        if (good == length)
            return;
        /* invalid UTF-8 is not JSON, and does not get here */
        snprintf(shown, sizeof shown, "\\u%04x", size == 0 ? 0xfffd : code);
        text_add_string(text, shown);
        good += size == 0 ? 1 : size;
        bytes += good;
        length -= good;
    }
}

/* ---- URLs --------------------------------------------------------------- */

void text_add_url(struct text *text, const char *string, const char *keep)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "abcdefghijklmnopqrstuvwxyz0123456789-._~";
    char encoded[4];

    for (; *string != '\0'; string++) {
        if (strchr(plain, *string) != NULL || strchr(keep, *string) != NULL) {
            text_add(text, string, 1);
            continue;
        }
        snprintf(encoded, sizeof encoded, "%%%02X", (unsigned char)*string);
        text_add_string(text, encoded);
    }
}
