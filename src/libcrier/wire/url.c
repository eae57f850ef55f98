/*
 * Parsing URLs (WHATWG URL Standard, "basic URL parser").
 *
 * The standard describes a machine with a state for each character; this file does the
 * same piece by piece, from the front: scheme, authority, path, query, fragment. All that
 * is written goes to the end of the URL's buffer, and a part is a piece of it. A piece that
 * does not fit makes the whole a failure.
 */
#include <config.h>

#include "url.h"

#include "automaton.h"
#include "base/number.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

const char *const crier__url_special[] = {"http", "https", "ws", "wss",
                                          "ftp",  "file",  NULL};

/* Of the special schemes, in the same order. */
static const char *const default_ports[] = {"80", "443", "80", "443", "21", ""};

/* What is left to read. */
struct rest {
    const char *at, *end;
};

/* ---- characters ------------------------------------------------------- */

/* The percent-encode sets of the standard, beyond controls and non-ASCII. */
#define SET_FRAGMENT " \"<>`"
#define SET_QUERY " \"#<>"
#define SET_SPECIAL_QUERY SET_QUERY "'"
#define SET_PATH SET_QUERY "?^`{}"
#define SET_USERINFO SET_PATH "/:;=@[\\]|"

#define FORBIDDEN_IN_HOSTS " #/:<>?@[\\]^|"

static bool is_one_of(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

static bool is_letter(char c)
{
    return crier__uri_alphanumeric((unsigned char)c) && (c < '0' || c > '9');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static char lower_case(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* ---- writing ---------------------------------------------------------- */

static void put_byte(struct crier__url *url, char c)
{
    if (url->used == sizeof url->buffer)
        url->full = true;
    else
        url->buffer[url->used++] = c;
}

static void put_bytes(struct crier__url *url, const char *text, size_t length)
{
    size_t i;

    for (i = 0; i < length; i++)
        put_byte(url, text[i]);
}

/* Writes TEXT with triplets for controls, non-ASCII and what is in SET. */
static void put_encoded(struct crier__url *url, const char *text, size_t length,
                        const char *set)
{
    static const char digits[] = "0123456789ABCDEF";
    unsigned char c;
    size_t i;

    for (i = 0; i < length; i++) {
        c = (unsigned char)text[i];
        if (c >= 0x20 && c < 0x7f && !is_one_of(text[i], set)) {
            put_byte(url, text[i]);
            continue;
        }
        put_byte(url, '%');
        put_byte(url, digits[c >> 4]);
        put_byte(url, digits[c & 15]);
    }
}

/* Makes the bytes from BEGIN to the end of the buffer the PART of URL. */
static void set_part(struct crier__url *url, enum crier__url_part part,
                     size_t begin)
{
    url->parts[part].text = url->buffer + begin;
    url->parts[part].length = url->used - begin;
}

static void copy_part(struct crier__url *url, const struct crier__url *from,
                      enum crier__url_part part)
{
    size_t begin = url->used;

    put_bytes(url, from->parts[part].text, from->parts[part].length);
    set_part(url, part, begin);
}

/* ---- schemes ---------------------------------------------------------- */

/* Which special scheme the LENGTH bytes at NAME are; -1 for none. */
static int find_special(const char *name, size_t length)
{
    int i;

    for (i = 0; crier__url_special[i] != NULL; i++)
        if (strlen(crier__url_special[i]) == length &&
            memcmp(crier__url_special[i], name, length) == 0)
            return i;
    return -1;
}

bool crier__url_is_special(const char *name, size_t length)
{
    return find_special(name, length) >= 0;
}

static bool has_special_scheme(const struct crier__url *url)
{
    return crier__url_is_special(url->parts[CRIER__URL_PROTOCOL].text,
                                 url->parts[CRIER__URL_PROTOCOL].length);
}

static bool is_file_scheme(const struct crier__url_text *protocol)
{
    return protocol->length == 4 && memcmp(protocol->text, "file", 4) == 0;
}

bool crier__url_is_default_port(const struct crier__url_text *protocol,
                                const char *port, size_t length)
{
    int scheme = find_special(protocol->text, protocol->length);

    return scheme >= 0 && length != 0 &&
           strlen(default_ports[scheme]) == length &&
           memcmp(default_ports[scheme], port, length) == 0;
}

/* Writes the scheme of LENGTH bytes at TEXT. False when it is none. */
static bool put_scheme(struct crier__url *url, const char *text, size_t length)
{
    size_t i;

    if (length == 0 || !is_letter(text[0]))
        return false;
    for (i = 0; i < length; i++) {
        if (!crier__uri_alphanumeric((unsigned char)text[i]) &&
            !is_one_of(text[i], "+-."))
            return false;
        put_byte(url, lower_case(text[i]));
    }
    return true;
}

/* Reads the scheme that REST begins with. False when there is none. */
static bool read_url_scheme(struct crier__url *url, struct rest *rest)
{
    const char *colon = memchr(rest->at, ':', (size_t)(rest->end - rest->at));
    size_t begin = url->used;

    if (colon == NULL || !put_scheme(url, rest->at, (size_t)(colon - rest->at))) {
        url->used = begin;
        return false;
    }
    set_part(url, CRIER__URL_PROTOCOL, begin);
    rest->at = colon + 1;
    return true;
}

/* ---- hosts ------------------------------------------------------------ */

/* Writes the IPv6 address of LENGTH bytes at TEXT, without brackets, in its shortest
 * form. False when it is none. */
static bool put_ipv6(struct crier__url *url, const char *text, size_t length)
{
    int i, zeros = 0, best = -1, best_count = 1;
    unsigned char bytes[16];
    char copy[48], piece[8];

    if (length >= sizeof copy)
        return false;
    memcpy(copy, text, length);
    copy[length] = '\0';
    if (inet_pton(AF_INET6, copy, bytes) != 1)
        return false;
    for (i = 0; i < 8; i++) {
        zeros = bytes[2 * i] == 0 && bytes[2 * i + 1] == 0 ? zeros + 1 : 0;
        if (zeros > best_count) {
            best_count = zeros;
            best = i - zeros + 1;
        }
    }
    put_byte(url, '[');
    for (i = 0; i < 8; i++) {
        if (i == best) {
            put_bytes(url, "::", i == 0 ? 2 : 1);
            i += best_count - 1;
            continue;
        }
        snprintf(piece, sizeof piece, "%x%s",
                 (unsigned)(bytes[2 * i] << 8 | bytes[2 * i + 1]),
                 i != 7 ? ":" : "");
        put_bytes(url, piece, strlen(piece));
    }
    put_byte(url, ']');
    return true;
}

/* Reads one number of an IPv4 address: decimal, 0x..., or 0... for octal. False when it
 * is none, or beyond 32 bits. */
static bool read_ipv4_number(const char *text, size_t length, uint64_t *number)
{
    int base = 10, digit;
    size_t i = 0;

    *number = 0;
    if (length == 0)
        return false;
    if (length >= 2 && text[0] == '0') {
        base = lower_case(text[1]) == 'x' ? 16 : 8;
        i = base == 16 ? 2 : 1;
    }
    for (; i < length; i++) {
        digit = crier__number_digit(text[i]);
        if (digit < 0 || digit >= base)
            return false;
        *number = *number * (unsigned)base + (unsigned)digit;
        if (*number > UINT32_MAX)
            return false;
    }
    return true;
}

/* Whether the LENGTH bytes at TEXT are a number of an IPv4 address, however large. */
static bool is_ipv4_number(const char *text, size_t length)
{
    bool hex = length >= 2 && text[0] == '0' && lower_case(text[1]) == 'x';
    size_t i;

    for (i = hex ? 2 : 0; i < length; i++)
        if (hex ? !crier__uri_hex((unsigned char)text[i]) : !is_digit(text[i]))
            return false;
    return length != 0;
}

/* Whether the LENGTH bytes at TEXT, a host, end in a number, so that they must be an IPv4
 * address. A dot at their end is taken off *LENGTH then. */
static bool ends_in_number(const char *text, size_t *length)
{
    size_t end = *length, begin;

    if (end != 0 && text[end - 1] == '.')
        end--;
    for (begin = end; begin != 0 && text[begin - 1] != '.';)
        begin--;
    if (!is_ipv4_number(text + begin, end - begin))
        return false;
    *length = end;
    return true;
}

/* Replaces the host of LENGTH bytes from BEGIN to the end of the buffer, which ends in a
 * number, by the IPv4 address that it is. False when it is none. */
static bool rewrite_ipv4(struct crier__url *url, size_t begin, size_t length)
{
    const char *at = url->buffer + begin, *end = at + length, *stop;
    uint64_t numbers[4], address = 0, last;
    unsigned count = 0, i;
    char text[16];

    for (;; at = stop + 1) {
        stop = memchr(at, '.', (size_t)(end - at));
        if (count == 4 ||
            !read_ipv4_number(at, (size_t)((stop != NULL ? stop : end) - at),
                              &numbers[count++]))
            return false;
        if (stop == NULL)
            break;
    }
    last = numbers[count - 1];
    if (last >= UINT64_C(1) << (8 * (5 - count)))
        return false;
    for (i = 0; i + 1 < count; i++) {
        if (numbers[i] > 255)
            return false;
        address |= numbers[i] << (8 * (3 - i));
    }
    address |= last;
    snprintf(text, sizeof text, "%u.%u.%u.%u", (unsigned)(address >> 24),
             (unsigned)(address >> 16 & 255), (unsigned)(address >> 8 & 255),
             (unsigned)(address & 255));
    url->used = begin;
    put_bytes(url, text, strlen(text));
    return true;
}

/* Writes the host of LENGTH bytes at TEXT of a special URL. False when it is none. */
static bool put_domain(struct crier__url *url, const char *text, size_t length)
{
    size_t begin = url->used, i, end;
    char c;

    for (i = 0; i < length; i++) {
        c = text[i];
        if (crier__uri_triplet(text + i, length - i)) {
            c = (char)(crier__number_digit(text[i + 1]) << 4 |
                       crier__number_digit(text[i + 2]));
            i += 2;
        }
        if ((unsigned char)c <= ' ' || (unsigned char)c >= 0x7f ||
            is_one_of(c, FORBIDDEN_IN_HOSTS "%"))
            return false;
        put_byte(url, lower_case(c));
    }
    end = url->used - begin;
    if (url->full || end == 0)
        return false;
    return !ends_in_number(url->buffer + begin, &end) ||
           rewrite_ipv4(url, begin, end);
}

/* Writes the host of LENGTH bytes at TEXT of a URL that is SPECIAL or not. False when it
 * is none. */
static bool put_host(struct crier__url *url, const char *text, size_t length,
                     bool special)
{
    size_t i;

    if (length != 0 && text[0] == '[')
        return text[length - 1] == ']' && put_ipv6(url, text + 1, length - 2);
    if (special)
        return put_domain(url, text, length);
    for (i = 0; i < length; i++)
        if (text[i] == '\0' || is_one_of(text[i], FORBIDDEN_IN_HOSTS "\t\n\r"))
            return false;
    put_encoded(url, text, length, "");
    return true;
}

/* Writes the port of LENGTH digits at TEXT; the default one of PROTOCOL is "". False when
 * it is none. */
static bool put_port(struct crier__url *url, const char *text, size_t length,
                     const struct crier__url_text *protocol)
{
    unsigned port = 0;
    char digits[8];
    size_t i;

    for (i = 0; i < length; i++) {
        port = port * 10 + (unsigned)(text[i] - '0');
        if (!is_digit(text[i]) || port > UINT16_MAX)
            return false;
    }
    snprintf(digits, sizeof digits, "%u", port);
    if (length != 0 &&
        !crier__url_is_default_port(protocol, digits, strlen(digits)))
        put_bytes(url, digits, strlen(digits));
    return true;
}

/* ---- authority -------------------------------------------------------- */

/* Reads the user before the '@' at END. */
static void read_user(struct crier__url *url, const char *text, const char *end)
{
    const char *colon = memchr(text, ':', (size_t)(end - text));
    const char *stop = colon != NULL ? colon : end;
    size_t begin = url->used;

    put_encoded(url, text, (size_t)(stop - text), SET_USERINFO);
    set_part(url, CRIER__URL_USERNAME, begin);
    begin = url->used;
    if (colon != NULL)
        put_encoded(url, colon + 1, (size_t)(end - colon - 1), SET_USERINFO);
    set_part(url, CRIER__URL_PASSWORD, begin);
}

/* The colon before a port, not in brackets, or END. */
static const char *find_port(const char *text, const char *end)
{
    bool in_brackets = false;

    for (; text < end; text++) {
        if (*text == '[')
            in_brackets = true;
        else if (*text == ']')
            in_brackets = false;
        else if (*text == ':' && !in_brackets)
            return text;
    }
    return end;
}

/* Where the authority of URL at REST ends. */
static const char *find_authority_end(const struct crier__url *url,
                                      const struct rest *rest)
{
    const char *set = has_special_scheme(url) ? "/\\?#" : "/?#", *at;

    for (at = rest->at; at < rest->end && !is_one_of(*at, set);)
        at++;
    return at;
}

/* Reads the authority that REST begins with, behind its slashes. */
static bool read_url_authority(struct crier__url *url, struct rest *rest)
{
    const struct crier__url_text *protocol = &url->parts[CRIER__URL_PROTOCOL];
    const char *end = find_authority_end(url, rest), *port;
    bool special = has_special_scheme(url);
    const char *at = memrchr(rest->at, '@', (size_t)(end - rest->at));
    size_t begin;

    if (at != NULL && !is_file_scheme(protocol)) {
        read_user(url, rest->at, at);
        rest->at = at + 1;
    }
    port = find_port(rest->at, end);
    if (rest->at == port && (port != end || at != NULL ||
                             (special && !is_file_scheme(protocol))))
        return false;
    if (is_file_scheme(protocol) && port != end)
        return false;
    begin = url->used;
    if (rest->at != port &&
        !put_host(url, rest->at, (size_t)(port - rest->at), special))
        return false;
    if (is_file_scheme(protocol) && url->used - begin == 9 &&
        memcmp(url->buffer + begin, "localhost", 9) == 0)
        url->used = begin;
    set_part(url, CRIER__URL_HOSTNAME, begin);
    begin = url->used;
    if (port != end &&
        !put_port(url, port + 1, (size_t)(end - port - 1), protocol))
        return false;
    set_part(url, CRIER__URL_PORT, begin);
    rest->at = end;
    return true;
}

/* ---- paths ------------------------------------------------------------ */

/* Whether the LENGTH bytes at TEXT are COUNT dots, each of which may be a triplet. */
static bool is_dots(const char *text, size_t length, unsigned count)
{
    while (length != 0 && count != 0) {
        if (length >= 3 && text[0] == '%' && text[1] == '2' &&
            lower_case(text[2]) == 'e') {
            text += 3;
            length -= 3;
        } else if (text[0] == '.') {
            text++;
            length--;
        } else {
            return false;
        }
        count--;
    }
    return length == 0 && count == 0;
}

/* Takes the last segment off the path that begins at BEGIN. */
static void shorten_path(struct crier__url *url, size_t begin)
{
    while (url->used > begin && url->buffer[--url->used] != '/')
        ;
}

/* Appends the segments of the LENGTH bytes at TEXT to the path that begins at BEGIN. */
static void put_path(struct crier__url *url, const char *text, size_t length,
                     bool special, size_t begin)
{
    const char *end = text + length, *stop;
    const char *slashes = special ? "/\\" : "/";

    if (length == 0 && !special)
        return;
    if (length != 0 && is_one_of(text[0], slashes))
        text++;
    for (;; text = stop + 1) {
        for (stop = text; stop < end && !is_one_of(*stop, slashes);)
            stop++;
        if (is_dots(text, (size_t)(stop - text), 2)) {
            shorten_path(url, begin);
            if (stop == end)
                put_byte(url, '/');
        } else if (!is_dots(text, (size_t)(stop - text), 1)) {
            put_byte(url, '/');
            put_encoded(url, text, (size_t)(stop - text), SET_PATH);
        } else if (stop == end) {
            put_byte(url, '/');
        }
        if (stop == end)
            return;
    }
}

/* Reads the path, the query and the fragment that REST consists of. The path is appended
 * to the one at BEGIN, which has been copied of a base. */
static void read_url_path(struct crier__url *url, struct rest *rest, size_t begin)
{
    bool special = has_special_scheme(url);
    const char *hash = memchr(rest->at, '#', (size_t)(rest->end - rest->at));
    const char *end = hash != NULL ? hash : rest->end;
    const char *mark = memchr(rest->at, '?', (size_t)(end - rest->at));
    const char *stop = mark != NULL ? mark : end;

    if (url->opaque)
        put_encoded(url, rest->at, (size_t)(stop - rest->at), "");
    else
        put_path(url, rest->at, (size_t)(stop - rest->at), special, begin);
    set_part(url, CRIER__URL_PATHNAME, begin);
    begin = url->used;
    if (mark != NULL)
        put_encoded(url, mark + 1, (size_t)(end - mark - 1),
                    special ? SET_SPECIAL_QUERY : SET_QUERY);
    set_part(url, CRIER__URL_SEARCH, begin);
    begin = url->used;
    if (hash != NULL)
        put_encoded(url, hash + 1, (size_t)(rest->end - hash - 1), SET_FRAGMENT);
    set_part(url, CRIER__URL_HASH, begin);
}

/* ---- the whole -------------------------------------------------------- */

static bool is_slash(const struct crier__url *url, const struct rest *rest)
{
    return rest->at < rest->end &&
           (rest->at[0] == '/' || (rest->at[0] == '\\' && has_special_scheme(url)));
}

/* Steps over two slashes in REST. False when they are not there. */
static bool skip_slashes(const struct crier__url *url, struct rest *rest)
{
    struct rest behind = {rest->at + 1, rest->end};

    if (!is_slash(url, rest) || !is_slash(url, &behind))
        return false;
    rest->at += 2;
    return true;
}

/* Whether all slashes before an authority count as two. */
static bool skips_slashes(const struct crier__url *url)
{
    return has_special_scheme(url) &&
           !is_file_scheme(&url->parts[CRIER__URL_PROTOCOL]);
}

/* Reads an authority and what comes behind it. */
static bool read_from_authority(struct crier__url *url, struct rest *rest)
{
    while (skips_slashes(url) && is_slash(url, rest))
        rest->at++;
    if (!read_url_authority(url, rest))
        return false;
    read_url_path(url, rest, url->used);
    return true;
}

/* Reads what comes behind a scheme that does not refer to a base. */
static bool read_absolute(struct crier__url *url, struct rest *rest)
{
    if (skip_slashes(url, rest) || skips_slashes(url))
        return read_from_authority(url, rest);
    url->opaque = !has_special_scheme(url) && !is_slash(url, rest);
    read_url_path(url, rest, url->used);
    return true;
}

/* Reads REST relative to BASE, whose scheme URL has. */
static bool read_relative(struct crier__url *url, struct rest *rest,
                          const struct crier__url *base)
{
    size_t begin;

    if (skip_slashes(url, rest))
        return read_from_authority(url, rest);
    copy_part(url, base, CRIER__URL_USERNAME);
    copy_part(url, base, CRIER__URL_PASSWORD);
    copy_part(url, base, CRIER__URL_HOSTNAME);
    copy_part(url, base, CRIER__URL_PORT);
    begin = url->used;
    if (is_slash(url, rest)) {
        read_url_path(url, rest, begin);
        return true;
    }
    copy_part(url, base, CRIER__URL_PATHNAME);
    if (rest->at < rest->end && !is_one_of(rest->at[0], "?#")) {
        shorten_path(url, begin);
        read_url_path(url, rest, begin);
        return true;
    }
    /* The path stays, and so does the query unless there is another. */
    begin = url->used;
    if (rest->at < rest->end && rest->at[0] == '?') {
        read_url_path(url, rest, begin);
        copy_part(url, base, CRIER__URL_PATHNAME);
        return true;
    }
    read_url_path(url, rest, begin);
    copy_part(url, base, CRIER__URL_PATHNAME);
    copy_part(url, base, CRIER__URL_SEARCH);
    return true;
}

/* Reads REST, which has no scheme. */
static bool read_reference(struct crier__url *url, struct rest *rest,
                           const struct crier__url *base)
{
    if (base == NULL ||
        (base->opaque && (rest->at == rest->end || rest->at[0] != '#')))
        return false;
    copy_part(url, base, CRIER__URL_PROTOCOL);
    url->opaque = base->opaque;
    return read_relative(url, rest, base);
}

bool crier__url_parse(struct crier__url *url, const char *text, size_t length,
                      const struct crier__url *base)
{
    struct rest rest = {text, text + length};
    const struct crier__url_text *protocol = &url->parts[CRIER__URL_PROTOCOL];
    bool read;
    int i;

    url->used = 0;
    url->opaque = url->full = false;
    for (i = 0; i < CRIER__URL_PARTS; i++)
        set_part(url, (enum crier__url_part)i, 0);
    while (rest.at < rest.end && (unsigned char)rest.at[0] <= ' ')
        rest.at++;
    while (rest.at < rest.end && (unsigned char)rest.end[-1] <= ' ')
        rest.end--;
    if (!read_url_scheme(url, &rest))
        read = read_reference(url, &rest, base);
    else if (base != NULL && has_special_scheme(url) &&
             base->parts[CRIER__URL_PROTOCOL].length == protocol->length &&
             memcmp(base->parts[CRIER__URL_PROTOCOL].text, protocol->text,
                    protocol->length) == 0)
        read = read_relative(url, &rest, base);
    else
        read = read_absolute(url, &rest);
    return read && !url->full;
}

/* ---- pieces of patterns ----------------------------------------------- */

/* How many of the LENGTH bytes at TEXT come before what ends a host. False when there is a
 * colon before that. */
static bool measure_host(const char *text, size_t *length, bool special)
{
    const char *set = special ? "/?#\\" : "/?#";
    bool in_brackets = false;
    size_t i;

    for (i = 0; i < *length; i++) {
        if (is_one_of(text[i], set)) {
            *length = i;
            break;
        }
        if (text[i] == ':' && !in_brackets)
            return false;
        in_brackets = text[i] == '[' || (in_brackets && text[i] != ']');
    }
    return true;
}

/* How many digits the LENGTH bytes at TEXT begin with. */
static size_t measure_digits(const char *text, size_t length)
{
    size_t i = 0;

    while (i < length && is_digit(text[i]))
        i++;
    return i;
}

/* Writes a piece of a path, which need not begin with a slash. */
static void put_path_piece(struct crier__url *url, const char *text,
                           size_t length)
{
    size_t begin = url->used, written;
    char copy[CRIER__URL_SIZE / 4];

    if (length != 0 && text[0] == '/') {
        put_path(url, text, length, true, begin);
        return;
    }
    if (length + 2 > sizeof copy) {
        url->full = true;
        return;
    }
    /* As the standard does, so that "." and ".." at its beginning stay. */
    memcpy(copy, "/-", 2);
    memcpy(copy + 2, text, length);
    put_path(url, copy, length + 2, true, begin);
    written = url->used - begin;
    if (written >= 2) {
        memmove(url->buffer + begin, url->buffer + begin + 2, written - 2);
        url->used -= 2;
    }
}

bool crier__url_canonicalize(struct crier__url *url, enum crier__url_part part,
                             const char *text, size_t length,
                             const struct crier__url_text *protocol)
{
    bool special = protocol->length == 0 ||
                   crier__url_is_special(protocol->text, protocol->length);
    size_t digits;

    if (length == 0)
        return true;
    switch (part) {
    case CRIER__URL_PROTOCOL:
        return put_scheme(url, text, length) && !url->full;
    case CRIER__URL_USERNAME:
    case CRIER__URL_PASSWORD:
        put_encoded(url, text, length, SET_USERINFO);
        break;
    case CRIER__URL_HOSTNAME:
        if (!measure_host(text, &length, special) ||
            !put_host(url, text, length, special))
            return false;
        break;
    case CRIER__URL_PORT:
        digits = measure_digits(text, length);
        if (digits == 0 || !put_port(url, text, digits, protocol))
            return false;
        break;
    case CRIER__URL_PATHNAME:
        if (special)
            put_path_piece(url, text, length);
        else
            put_encoded(url, text, length, "");
        break;
    case CRIER__URL_SEARCH:
        put_encoded(url, text, length, SET_SPECIAL_QUERY);
        break;
    case CRIER__URL_HASH:
        put_encoded(url, text, length, SET_FRAGMENT);
        break;
    case CRIER__URL_PARTS:
        return false;
    }
    return !url->full;
}

bool crier__url_canonicalize_ipv6(struct crier__url *url, const char *text,
                                  size_t length)
{
    size_t i;

    for (i = 0; i < length; i++) {
        if (!crier__uri_hex((unsigned char)text[i]) && !is_one_of(text[i], "[]:"))
            return false;
        put_byte(url, lower_case(text[i]));
    }
    return !url->full;
}
