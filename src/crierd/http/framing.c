/*
 * Where a request ends must mean the same to every server it passes, or one
 * request can be smuggled inside another. libmicrohttpd takes the first of two
 * lengths, a length beside chunks, and any name for a field; so what RFC 9112
 * tells a server to refuse is refused here as far as libmicrohttpd shows it,
 * before the body is looked at, and the connection is closed.
 */
#include <config.h>

#include "framing.h"

#include "base/number.h"
#include "base/token.h"
#include "mhd.h"
#include "text.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

/* What ends the last field, and then the head: CR LF, twice. */
#define END 4

const char framing_wrong_length[] =
    "the Content-Length is not a number of bytes";

struct fields {
    unsigned hosts, lengths, encodings;
    bool odd_encoding, odd_name, odd_value, odd_length;
    bool odd_line;        /* what was received is not these fields */
    const char *line_end; /* of the last one; NULL where that cannot be seen */
};

/* ---- lines ------------------------------------------------------------ */

/* libmicrohttpd 0.9 has ways of its own to read the lines of a head, and in the fields
 * that it tells there is no trace of them:
 *
 *   - one that begins with white space (RFC 9112 section 5.2) becomes a field: what
 *     goes on is appended to the name before it;
 *   - one that begins with a colon ends the head;
 *   - a NUL ends a name, a value or the target;
 *   - LF ends a line, with CR before it or without.
 *
 * But the head is still in its memory, with NULs where words and lines ended. So what
 * it tells must be all that is there: the version behind the target, each name two bytes
 * behind the end of the line before, each value behind its name, and the end of the
 * head behind the last. (A colon alone and an end of LF look like an end of CR LF; who
 * passes a head on writes CR LF.) libmicrohttpd 1.0 refuses all this by itself, and
 * keeps the lines elsewhere. */
static void see_line(struct fields *fields, const char *name,
                     const char *value)
{
    const char *behind = name + strlen(name) + 1;

    if (fields->line_end[1] == '\0' && name == fields->line_end + 2 &&
        value == behind + strspn(behind, " \t"))
        fields->line_end = value + strlen(value);
    else
        fields->odd_line = true;
}

/* The head goes on to END. */
static void see_end(struct fields *fields, const char *end)
{
    static const char nothing[END];

    if (end - fields->line_end != END ||
        memcmp(fields->line_end, nothing, END) != 0)
        fields->odd_line = true;
}

/* ---- fields ----------------------------------------------------------- */

/* Whether VALUE is no host: nothing but white space may stand behind it. */
static int is_odd_host(const char *value)
{
    const char *behind = value + strcspn(value, " \t/");

    return behind[strspn(behind, " \t")] != '\0';
}

/* Whether VALUE is no Content-Length: digits, and a number that 64 bits can hold. (With
 * all of them set, libmicrohttpd means a length that it does not know.) */
static bool is_odd_length(const char *value)
{
    uint64_t length;

    return value[0] == '\0' || value[strspn(value, "0123456789")] != '\0' ||
           !crier__number_read(value, 0, UINT64_MAX - 1, &length);
}

static enum MHD_Result look(void *closure, enum MHD_ValueKind kind,
                            const char *name, const char *value)
{
    struct fields *fields = closure;

    (void)kind;
    if (value == NULL)
        value = "";
    if (fields->line_end != NULL)
        see_line(fields, name, value);
    if (!crier__token_valid(name))
        fields->odd_name = true;
    if (strchr(value, '\r') != NULL) /* RFC 9112 section 2.2 */
        fields->odd_value = true;
    if (strcasecmp(name, MHD_HTTP_HEADER_HOST) == 0) {
        fields->hosts++;
        if (is_odd_host(value))
            fields->hosts++; /* no host at all counts as one too many */
    }
    if (strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0) {
        fields->lengths++;
        fields->odd_length |= is_odd_length(value);
    }
    if (strcasecmp(name, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0) {
        fields->encodings++;
        if (strcasecmp(value, "chunked") != 0)
            fields->odd_encoding = true;
    }
    return MHD_YES;
}

/* Reads the fields of CONNECTION's request, which stand behind VERSION. */
static void look_at_all(struct MHD_Connection *connection, const char *method,
                        const char *version, struct fields *fields)
{
    const union MHD_ConnectionInfo *head = MHD_get_connection_info(
        connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    bool seen = head != NULL && mhd_is_old();

    if (seen)
        fields->line_end = version + strlen(version);
    MHD_get_connection_values(connection, MHD_HEADER_KIND, look, fields);
    if (seen)
        see_end(fields, method + head->header_size);
}

bool framing_length_is_wrong(struct MHD_Connection *connection)
{
    struct fields fields = {0};

    MHD_get_connection_values(connection, MHD_HEADER_KIND, look, &fields);
    return fields.odd_length;
}

/* Whether TARGET has a byte that no target has: of white space, or a control
 * character. */
static bool is_odd_target(const char *target)
{
    for (; *target != '\0'; target++)
        if ((unsigned char)*target <= ' ' || *target == 0x7f)
            return true;
    return false;
}

const char *framing_wrong(struct MHD_Connection *connection,
                          const char *method, const char *target,
                          const char *version)
{
    bool old = strcmp(version, MHD_HTTP_VERSION_1_0) == 0;
    struct fields fields = {0};

    if (is_odd_target(target))
        return "the target has white space or a control character in it";
    if (mhd_is_old() &&
        version != method + strlen(method) + 1 + strlen(target) + 1)
        return "the request line must be a method, a target and a version";
    look_at_all(connection, method, version, &fields);
    if (fields.odd_name)
        return "the name of a header field is not a token";
    if (fields.odd_line || fields.odd_value)
        return "each header field must be one line, ended by CR LF: a name, a "
               "colon, a value";
    if (fields.hosts > 1 || (fields.hosts == 0 && !old))
        return "the request must have one Host";
    if (fields.lengths > 1)
        return "the request has more than one Content-Length";
    if (fields.odd_length)
        return framing_wrong_length;
    if (fields.encodings > 1 || fields.odd_encoding)
        return "the only Transfer-Encoding known here is chunked";
    if (fields.encodings != 0 && fields.lengths != 0)
        return "the request has both Content-Length and Transfer-Encoding";
    if (fields.encodings != 0 && old)
        return "HTTP/1.0 has no Transfer-Encoding";
    return NULL;
}
