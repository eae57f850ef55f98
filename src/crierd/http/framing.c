/*
 * Every server that a request passes must agree where it ends, or one request can be
 * smuggled inside another. libmicrohttpd takes the first of two lengths, a length beside
 * chunks, and any name for a field; so what RFC 9112 requires a server to refuse is
 * refused here, before the body is read, and the connection is closed. What libmicrohttpd
 * does not report of the lines is checked by quirks/lines.c.
 */
#include <config.h>

#include "framing.h"

#include "base/number.h"
#include "base/token.h"
#include "crierd/http/quirks/lines.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

const char framing_wrong_length[] =
    "the Content-Length is not a number of bytes";

struct fields {
    unsigned hosts, lengths, encodings;
    bool odd_encoding, odd_name, odd_value, odd_length;
    struct lines lines;
};

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

    return !crier__number_read(value, 0, UINT64_MAX - 1, &length);
}

static enum MHD_Result see_field(void *closure, enum MHD_ValueKind kind,
                                 const char *name, const char *value)
{
    struct fields *fields = closure;

    (void)kind;
    if (value == NULL)
        value = "";
    lines_see(&fields->lines, name, value);
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
    lines_cut_blanks(value);
    return MHD_YES;
}

/* Reads the fields of CONNECTION's request, which stand behind VERSION. */
static void see_fields(struct MHD_Connection *connection, const char *method,
                       const char *version, struct fields *fields)
{
    lines_begin(&fields->lines, connection, method, version);
    MHD_get_connection_values(connection, MHD_HEADER_KIND, see_field, fields);
    lines_end(&fields->lines);
}

/* Sets the bool CLOSURE when a field is a Content-Length that is no number. Changes
 * nothing, for the head may not have been read as a whole. */
static enum MHD_Result see_length(void *closure, enum MHD_ValueKind kind,
                                  const char *name, const char *value)
{
    bool *odd = closure;

    (void)kind;
    if (strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0)
        *odd |= value == NULL || is_odd_length(value);
    return MHD_YES;
}

bool framing_length_is_wrong(struct MHD_Connection *connection)
{
    bool odd = false;

    MHD_get_connection_values(connection, MHD_HEADER_KIND, see_length, &odd);
    return odd;
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
    if (!lines_first_is_sound(method, target, version))
        return "the request line must be a method, a target and a version";
    see_fields(connection, method, version, &fields);
    if (fields.odd_name)
        return "the name of a header field is not a token";
    if (fields.lines.odd || fields.odd_value)
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
