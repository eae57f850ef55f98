/*
 * Where a request ends must mean the same to every server it passes, or one
 * request can be smuggled inside another. libmicrohttpd takes the first of two
 * lengths, a length beside chunks, and any name for a field; so what RFC 9112
 * tells a server to refuse is refused here as far as libmicrohttpd shows it,
 * before the body is looked at, and the connection is closed.
 */
#include <config.h>

#include "framing.h"

#include <string.h>
#include <strings.h>

/* The characters of a token (RFC 9110 section 5.6.2). */
#define TOKEN                                                                 \
    "!#$%&'*+-.^_`|~0123456789"                                               \
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

struct fields {
    unsigned hosts, lengths, encodings;
    int odd_encoding, odd_name;
};

static const char no_token[] = "the name of a header field is not a token";

/* So many bytes end the last field and then the head, as CR LF or LF each. */
#define END_MIN 2
#define END_MAX 4

/* What is wrong with the lines of CONNECTION's head, of METHOD and VERSION; or NULL.
 * libmicrohttpd 0.9.75 has two ways of its own to read them, of which no trace is in
 * the fields that it tells:
 *
 *   - one that begins with white space (RFC 9112 section 5.2) becomes a field: what
 *     goes on is appended to the name before it;
 *   - one that begins with a colon ends the head.
 *
 * But the head is still in its memory, with NULs where names and lines ended. So its
 * lines are walked again: none must begin with white space, and the NULs at the end
 * must be those of two ends of a line. (A colon alone and an end of LF look like that;
 * whoever passes a head on writes CR LF.) */
static const char *wrong_line(struct MHD_Connection *connection,
                              const char *method, const char *version)
{
    const union MHD_ConnectionInfo *head = MHD_get_connection_info(
        connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    const char *end = head != NULL ? method + head->header_size : NULL;
    const char *at = version, *line_end;

    if (end == NULL || at < method || at >= end)
        return NULL; /* another libmicrohttpd, which keeps it elsewhere */
    at += strnlen(at, (size_t)(end - at));
    for (;;) {
        line_end = at;
        while (at < end && *at == '\0')
            at++;
        if (at >= end)
            break;
        if (*at == ' ' || *at == '\t')
            return "a header field goes on in the next line";
        at += strnlen(at, (size_t)(end - at)); /* the name */
        if (at < end)
            at++; /* its colon */
        at += strnlen(at, (size_t)(end - at)); /* the value */
    }
    if (end - line_end < END_MIN || end - line_end > END_MAX)
        return no_token;
    return NULL;
}

/* Whether VALUE is no host: nothing but white space may stand behind it. */
static int is_odd_host(const char *value)
{
    const char *behind = value + strcspn(value, " \t/");

    return behind[strspn(behind, " \t")] != '\0';
}

static enum MHD_Result look(void *closure, enum MHD_ValueKind kind,
                            const char *name, const char *value)
{
    struct fields *fields = closure;

    (void)kind;
    if (name[strspn(name, TOKEN)] != '\0')
        fields->odd_name = 1;
    if (strcasecmp(name, MHD_HTTP_HEADER_HOST) == 0) {
        fields->hosts++;
        if (value == NULL || is_odd_host(value))
            fields->hosts++; /* no host at all counts as one too many */
    }
    if (strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0)
        fields->lengths++;
    if (strcasecmp(name, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0) {
        fields->encodings++;
        if (value == NULL || strcasecmp(value, "chunked") != 0)
            fields->odd_encoding = 1;
    }
    return MHD_YES;
}

const char *framing_wrong(struct MHD_Connection *connection,
                          const char *method, const char *version)
{
    int old = strcmp(version, MHD_HTTP_VERSION_1_0) == 0;
    struct fields fields = {0};
    const char *wrong;

    MHD_get_connection_values(connection, MHD_HEADER_KIND, look, &fields);
    if (fields.odd_name)
        return no_token;
    wrong = wrong_line(connection, method, version);
    if (wrong != NULL)
        return wrong;
    if (fields.hosts > 1 || (fields.hosts == 0 && !old))
        return "the request must have one Host";
    if (fields.lengths > 1)
        return "the request has more than one Content-Length";
    if (fields.encodings > 1 || fields.odd_encoding)
        return "the only Transfer-Encoding known here is chunked";
    if (fields.encodings != 0 && fields.lengths != 0)
        return "the request has both Content-Length and Transfer-Encoding";
    if (fields.encodings != 0 && old)
        return "HTTP/1.0 has no Transfer-Encoding";
    return NULL;
}
