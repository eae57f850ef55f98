/*
 * Names in the Mercure protocol: which characters they may hold, which topics are reserved
 * for the hub, and how a name becomes a segment of a path.
 *
 * The reserved names are those under which crierd reports subscriptions. A subscriber that
 * asks for them by a URL pattern gets every topic that is such a URL, in whatever way it is
 * written. So a topic is resolved here as a browser resolves a link on the hub's page:
 * backslashes, dot segments, %6D for m, and a scheme without slashes included. Where a
 * spelling has two readings (https:mercure is relative to a hub with https, and a host
 * elsewhere), it is reserved if one of them is. A topic too many that is refused does no
 * harm; a forged report does.
 */
#include <config.h>

#include "mercure_name.h"

#include "base/number.h"
#include "base/utf8.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* More than any topic has. */
#define TOPIC_SIZE 512

/* ---- characters ------------------------------------------------------- */

struct range {
    uint32_t first, last;
};

/* Controls (C0, DEL, C1), and the category Cf of Unicode 16. */
static const struct range forbidden[] = {
    {0x00, 0x1f},       {0x7f, 0x9f},       {0xad, 0xad},
    {0x600, 0x605},     {0x61c, 0x61c},     {0x6dd, 0x6dd},
    {0x70f, 0x70f},     {0x890, 0x891},     {0x8e2, 0x8e2},
    {0x180e, 0x180e},   {0x200b, 0x200f},   {0x202a, 0x202e},
    {0x2060, 0x2064},   {0x2066, 0x206f},   {0xfeff, 0xfeff},
    {0xfff9, 0xfffb},   {0x110bd, 0x110bd}, {0x110cd, 0x110cd},
    {0x13430, 0x1343f}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a},
    {0xe0001, 0xe0001}, {0xe0020, 0xe007f},
};

static bool is_forbidden(uint32_t code)
{
    size_t i;

    for (i = 0; i < sizeof forbidden / sizeof forbidden[0]; i++)
        if (code >= forbidden[i].first && code <= forbidden[i].last)
            return true;
    return false;
}

bool mercure_text_valid(const char *text, size_t length)
{
    const unsigned char *at = (const unsigned char *)text, *end = at + length;

    if (!crier_utf8_valid(text, length))
        return false;
    while (at < end)
        if (is_forbidden(crier__utf8_next(&at)))
            return false;
    return true;
}

/* ---- escapes ---------------------------------------------------------- */

/* Whether C is unreserved (RFC 3986 section 2.3). */
static bool is_unreserved(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || (c != '\0' && strchr("-._~", c) != NULL);
}

bool mercure_escape(char *to, size_t size, size_t *length, const char *text)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t at = *length;
    unsigned char c;

    for (; *text != '\0'; text++) {
        c = (unsigned char)*text;
        if (size < at + 4) /* %XX and the NUL */
            return false;
        if (is_unreserved(c)) {
            to[at++] = *text;
        } else {
            to[at++] = '%';
            to[at++] = digits[c >> 4];
            to[at++] = digits[c & 15];
        }
    }
    if (at >= size)
        return false;
    to[at] = '\0';
    *length = at;
    return true;
}

/* Decodes the escapes of unreserved characters in TEXT, in place. */
static void decode_unreserved(char *text)
{
    char *to = text;
    int high, low;

    for (; *text != '\0'; text++) {
        high = *text == '%' ? crier__number_digit(text[1]) : -1;
        low = high >= 0 ? crier__number_digit(text[2]) : -1;
        if (low >= 0 && is_unreserved((unsigned char)(high * 16 + low))) {
            *to++ = (char)(high * 16 + low);
            text += 2;
        } else {
            *to++ = *text;
        }
    }
    *to = '\0';
}

/* ---- reserved topics -------------------------------------------------- */

/* The length of the scheme that TEXT begins with, without its colon; 0 for none. */
static size_t measure_scheme(const char *text)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    size_t length = strspn(text, letters);

    if (length != 0)
        length += strspn(text + length, "+-.0123456789"
                         "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
    return text[length] == ':' ? length : 0;
}

static bool is_any_slash(char c)
{
    return c == '/' || c == '\\';
}

/* Whether the scheme of LENGTH bytes at TEXT is one whose URLs always have a host (the
 * URL standard's special schemes). */
static bool is_special_scheme(const char *text, size_t length)
{
    static const char *const names[] = {"http", "https", "ws", "wss", "ftp", "file"};
    size_t i;

    for (i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strlen(names[i]) == length && strncasecmp(text, names[i], length) == 0)
            return true;
    return false;
}

/* Removes the dot segments of PATH, in place (RFC 3986 section 5.2.4). */
static void remove_dots(char *path)
{
    char *from = path, *to = path, *end;
    size_t length;
    bool last;

    while (*from != '\0') {
        end = from + 1 + strcspn(from + 1, "/");
        last = *end == '\0';
        length = (size_t)(end - from);
        if (length == 3 && memcmp(from, "/..", 3) == 0) {
            while (to > path && *--to != '/')
                ;
            if (last)
                *to++ = '/';
        } else if (length == 2 && memcmp(from, "/.", 2) == 0) {
            if (last)
                *to++ = '/';
        } else {
            memmove(to, from, length);
            to += length;
        }
        from = end;
    }
    *to = '\0';
}

/* Whether the path that is FOLDER and then REST, up to a query or fragment, is RESERVED or
 * below it. */
static bool is_path_reserved(const char *folder, const char *rest,
                             const char *reserved)
{
    size_t length = strcspn(rest, "?#"), most = strlen(reserved);
    char path[sizeof MERCURE_PATH + TOPIC_SIZE], *c;

    snprintf(path, sizeof path, "%s%.*s", folder, (int)length, rest);
    for (c = path; *c != '\0'; c++)
        if (*c == '\\')
            *c = '/';
    remove_dots(path);
    return strncmp(path, reserved, most) == 0 &&
           (path[most] == '\0' || path[most] == '/');
}

/* Whether the path in REST, a host and perhaps a path, is RESERVED or below it. */
static bool is_rest_reserved(const char *rest, const char *reserved)
{
    return is_path_reserved("", rest + strcspn(rest, "/\\?#"), reserved);
}

/* Whether TEXT, a reference without a scheme, leads to RESERVED or below it. */
static bool is_relative_reserved(const char *text, const char *reserved)
{
    if (is_any_slash(text[0]) && is_any_slash(text[1]))
        return is_rest_reserved(text + 2, reserved);
    if (is_any_slash(text[0]))
        return is_path_reserved("", text, reserved);
    if (strcspn(text, "?#") == 0) /* the hub's own URL */
        return is_path_reserved(MERCURE_PATH, "", reserved);
    return is_path_reserved("/.well-known/", text, reserved);
}

/* Whether TEXT, a reference whose scheme has LENGTH bytes, leads to RESERVED or below
 * it. */
static bool is_absolute_reserved(const char *text, size_t length,
                                 const char *reserved)
{
    const char *rest = text + length + 1;

    if (is_special_scheme(text, length))
        return is_relative_reserved(rest, reserved) ||
               is_rest_reserved(rest + strspn(rest, "/\\"), reserved);
    return strncmp(rest, "//", 2) == 0 ? is_rest_reserved(rest + 2, reserved)
                                       : is_path_reserved("", rest, reserved);
}

bool mercure_topic_is_reserved(const char *topic, size_t length,
                               const char *reserved)
{
    char text[TOPIC_SIZE];
    size_t scheme;

    for (; length != 0 && *topic == ' '; length--)
        topic++;
    while (length != 0 && topic[length - 1] == ' ')
        length--;
    if (length >= sizeof text)
        return false; /* nor a topic */
    memcpy(text, topic, length);
    text[length] = '\0';
    decode_unreserved(text);
    scheme = measure_scheme(text);
    return scheme != 0 ? is_absolute_reserved(text, scheme, reserved)
                       : is_relative_reserved(text, reserved);
}
