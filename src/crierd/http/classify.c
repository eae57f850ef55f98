/*
 * What can be seen of a request before anybody parses it: whether its head is there, how
 * much of libmicrohttpd's memory it will need, and whether it is one of those that
 * pipelines take (pipeline.c).
 *
 * This is no second HTTP parser. It knows one shape, a POST to a path that is allowed,
 * and that only as a careful client writes it; whatever looks otherwise in any way is
 * libmicrohttpd's, to be understood or refused. So there is nothing about which the two
 * could disagree: where this one says where a request ends, every server says the same
 * (RFC 9112 section 6.3).
 */
#include <config.h>

#include "classify.h"

#include "base/number.h"
#include "base/token.h"
#include "crierd/http/quirks/headroom.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#define POST "POST "
#define GET "GET "
#define PROTOCOL " HTTP/1.1\r\n"

size_t head_length(const char *bytes, size_t length)
{
    const char *at = bytes, *end = bytes + length;

    while ((at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        at++;
        if (at < end && *at == '\r')
            at++;
        if (at < end && *at == '\n')
            return (size_t)(at + 1 - bytes);
    }
    return 0;
}

/* Whether the LENGTH bytes at BYTES may be the beginning of a request, however it goes
 * on: a token. */
static bool begins_with_token(const char *bytes, size_t length)
{
    size_t i = 0;

    while (i < length && (bytes[i] == '\r' || bytes[i] == '\n'))
        i++; /* which a server should pass over (RFC 9112 section 2.2) */
    while (i < length && crier__token_bytes[(unsigned char)bytes[i]])
        i++;
    return i == length || (i != 0 && bytes[i] == ' ');
}

/* Whether BYTES begin with a header of the PROXY protocol, version 1, where none belongs.
 * It is refused here, where what has come is read before the connection is closed. */
static bool begins_with_proxy_header(const char *bytes, size_t length)
{
    static const char begin[] = "PROXY ";

    return length >= sizeof begin - 1 &&
           memcmp(bytes, begin, sizeof begin - 1) == 0;
}

enum service_verdict classify_head(const char *bytes, size_t length,
                                   bool ended)
{
    size_t head = head_length(bytes, length);

    if (begins_with_proxy_header(bytes, length))
        return SERVICE_REFUSE;
    if (!begins_with_token(bytes,
                           length)) /* libmicrohttpd refuses a whole line */
        return memchr(bytes, '\n', length) != NULL ? SERVICE_TAKE
                                                   : SERVICE_REFUSE;
    if (head == 0 && length < HEAD_MAX)
        return length != 0 && !ended ? SERVICE_WAIT : SERVICE_CLOSE;
    return memchr(bytes, '\0', head) != NULL ? SERVICE_REFUSE : SERVICE_TAKE;
}

/* Whether what stands at AT, before END, is the field NAME, or begins like it. */
static bool is_field(const char *at, const char *end, const char *name)
{
    size_t length = strlen(name);

    return (size_t)(end - at) >= length &&
           strncasecmp(at, name, length) == 0;
}

/* Whether the head of LENGTH at BYTES has a field NAME. To libmicrohttpd a line may
 * end in a CR alone, it seems at times. */
static bool has_field(const char *bytes, size_t length, const char *name)
{
    static const char line_ends[] = {'\n', '\r'};
    const char *at, *end = bytes + length;
    size_t i;

    for (i = 0; i < sizeof line_ends; i++)
        for (at = bytes;
             (at = memchr(at, line_ends[i], (size_t)(end - at))) != NULL;)
            if (is_field(++at, end, name))
                return true;
    return false;
}

static bool asks_for_stream(const struct route_table *tables,
                            const char *bytes, size_t length)
{
    const size_t method = sizeof GET - 1;

    return length > method && memcmp(bytes, GET, method) == 0 &&
           (route_is_stream(tables, bytes + method, length - method) ||
            memmem(bytes, length, "text/event-stream", 17) != NULL) &&
           !has_field(bytes, length, "Content-Length") &&
           !has_field(bytes, length, "Transfer-Encoding");
}

static size_t count_bytes(const char *bytes, size_t length, char wanted)
{
    const char *end = bytes + length;
    size_t count = 0;

    while ((bytes = memchr(bytes, wanted, (size_t)(end - bytes))) != NULL) {
        count++;
        bytes++;
    }
    return count;
}

/* Adds the line at LINE, of LENGTH bytes with its end, to NEED. False when not every
 * server takes it for a line, or when it continues the one before it, of which
 * libmicrohttpd makes a copy then. */
static bool add_line(struct headroom *need, const char *line, size_t length)
{
    const char *end = line + length;

    if (line[0] == ' ' || line[0] == '\t' ||
        memchr(line, '\0', length) != NULL ||
        count_bytes(line, length, '\r') !=
            (size_t)(length > 1 && end[-2] == '\r'))
        return false;
    need->records++;
    if (is_field(line, end, "Cookie")) {
        need->cookies += length;
        need->records += 1 + count_bytes(line, length, ';') +
                         count_bytes(line, length, ',');
    }
    return true;
}

size_t head_need(const struct route_table *tables, const char *bytes,
                 size_t length)
{
    struct headroom need = {.length = length};
    const char *line, *next, *end = bytes + length;

    if (!asks_for_stream(tables, bytes, length))
        return SIZE_MAX;
    for (line = bytes; line < end; line = next) {
        next = (const char *)memchr(line, '\n', (size_t)(end - line)) + 1;
        if (!add_line(&need, line, (size_t)(next - line)))
            return SIZE_MAX;
    }
    need.records -= 2; /* the first line, and the empty one */
    return headroom_need(&need);
}

bool head_may_be_plain(const struct route_table *tables, const char *bytes,
                       size_t length)
{
    const size_t method = sizeof POST - 1;

    if (length < method)
        return memcmp(bytes, POST, length) == 0;
    return memcmp(bytes, POST, method) == 0 &&
           route_is_pipelined(tables, bytes + method, length - method);
}

/* ---- a head that is plain --------------------------------------------- */

/* Which of the fields that must be there have been seen. */
struct seen {
    bool host, length;
};

/* Whether A and B, which are not empty, are the same name. Most differ in their first
 * letters. */
static bool is_same_name(const char *a, const char *b)
{
    return ((a[0] ^ b[0]) & ~0x20) == 0 && strcasecmp(a, b) == 0;
}

/* Whether FIELD makes a request another one than it looks: it is not plain then. */
static bool is_special(const struct head_field *field)
{
    static const char *const names[] = {"Expect", "Transfer-Encoding",
                                        "Upgrade", "Trailer"};
    size_t i;

    for (i = 0; i < sizeof names / sizeof names[0]; i++)
        if (is_same_name(field->name, names[i]))
            return true;
    if (is_same_name(field->name, "Connection"))
        return strcasecmp(field->value, "keep-alive") != 0;
    /* Many updates in one body are work of their own. */
    return is_same_name(field->name, "Content-Type") &&
           strncasecmp(field->value, "text/event-stream", 17) == 0;
}

static bool read_length(const char *value, size_t *length)
{
    uint64_t number;

    if (!crier__number_read(value, 0, HEAD_BODY_MAX, &number))
        return false;
    *length = (size_t)number;
    return true;
}

static bool is_host(const char *value)
{
    return value[0] != '\0' && strpbrk(value, " \t/") == NULL;
}

/* Adds FIELD to HEAD; false when with it the request is not plain. */
static bool add_field(struct head *head, const struct head_field *field,
                      struct seen *seen)
{
    if (is_same_name(field->name, "Host")) {
        if (seen->host || !is_host(field->value))
            return false;
        seen->host = true;
    } else if (is_same_name(field->name, "Content-Length")) {
        if (seen->length || !read_length(field->value, &head->body_length))
            return false;
        seen->length = true;
    } else if (is_special(field)) {
        return false;
    }
    if (head->field_count == HEAD_FIELDS_MAX)
        return false;
    head->fields[head->field_count++] = *field;
    return true;
}

/* The first control character from TEXT on; END ends the bytes, and is behind one. Values
 * are long, tokens above all, so eight bytes are looked at together: a byte below 0x20, or
 * one that is 0x7f, sets the highest bit of its place, or the lowest such byte does of a
 * place above. */
static char *find_control(char *text, const char *end)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), highs = ones << 7;
    uint64_t bytes, deletes;

    for (; end - text >= (ptrdiff_t)sizeof bytes; text += sizeof bytes) {
        memcpy(&bytes, text, sizeof bytes);
        deletes = bytes ^ (ones * 0x7f);
        if ((((bytes - ones * ' ') & ~bytes) | ((deletes - ones) & ~deletes)) &
            highs)
            break;
    }
    while ((unsigned char)*text >= ' ' && *text != 0x7f)
        text++;
    return text;
}

/* Reads the line at *AT, "name: value" CRLF, and moves behind it. END_OF_HEAD is behind
 * its empty line. */
static bool read_field(char **at, const char *end_of_head, struct head_field *field)
{
    char *name = *at, *colon = name, *value, *end;

    colon += crier__token_length(colon);
    if (colon == name || *colon != ':')
        return false;
    for (value = colon + 1; *value == ' ' || *value == '\t'; value++)
        ;
    end = find_control(value, end_of_head);
    if (end[0] != '\r' || end[1] != '\n' || (end > value && end[-1] == ' '))
        return false;
    *colon = *end = '\0';
    field->name = name;
    field->value = value;
    *at = end + 2;
    return true;
}

/* Reads the request line at BYTES; returns what is behind it, or NULL. */
static char *read_request_line(struct head *head, char *bytes)
{
    char *target = bytes + sizeof POST - 1, *end = target;

    while ((unsigned char)*end > ' ' && (unsigned char)*end < 0x7f)
        end++;
    if (strncmp(end, PROTOCOL, sizeof PROTOCOL - 1) != 0)
        return NULL;
    *end = '\0';
    head->target = target;
    return end + sizeof PROTOCOL - 1;
}

/* Splits the head, which ends with an empty line of CRLF. */
static bool split_head(struct head *head, char *bytes)
{
    char *at = read_request_line(head, bytes);
    struct head_field field;
    struct seen seen = {false, false};

    if (at == NULL)
        return false;
    while (*at != '\r')
        if (!read_field(&at, bytes + head->length, &field) ||
            !add_field(head, &field, &seen))
            return false;
    return at + 2 == bytes + head->length && seen.host && seen.length;
}

enum head_kind head_read(struct head *head, const struct route_table *tables,
                         char *bytes, size_t length,
                         bool (*unwanted)(void *closure,
                                          const struct head *head),
                         void *closure)
{
    enum head_kind kind = HEAD_OTHER;
    char before[HEAD_MAX];

    head->length = 0;
    if (!head_may_be_plain(tables, bytes, length))
        return HEAD_OTHER;
    head->length = head_length(bytes, length < HEAD_MAX ? length : HEAD_MAX);
    if (head->length == 0)
        return length < HEAD_MAX ? HEAD_PARTIAL : HEAD_OTHER;
    head->field_count = 0;
    memcpy(before, bytes, head->length);
    if (split_head(head, bytes)) {
        if (length - head->length >= head->body_length)
            return HEAD_PLAIN;
        if (!unwanted(closure, head))
            kind = HEAD_PARTIAL;
    }
    memcpy(bytes, before, head->length);
    return kind;
}

const char *head_field(const struct head *head, const char *name, size_t count)
{
    size_t i;

    for (i = 0; i < head->field_count; i++)
        if (is_same_name(head->fields[i].name, name) && count-- == 0)
            return head->fields[i].value;
    return NULL;
}
