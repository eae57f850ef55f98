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
    int odd_encoding, odd_name, folded;
};

/* Whether VALUE does not stand behind NAME and a colon. A line that goes on in the next
 * one (RFC 9112 section 5.2) is another field to libmicrohttpd 0.9.75: it appends what
 * goes on to the name, and has that elsewhere. */
static int is_apart(const char *name, const char *value)
{
    const char *behind = name + strlen(name) + 1;

    return value < behind ||
           (size_t)(value - behind) != strspn(behind, " \t");
}

static enum MHD_Result look(void *closure, enum MHD_ValueKind kind,
                            const char *name, const char *value)
{
    struct fields *fields = closure;

    (void)kind;
    if (name[strspn(name, TOKEN)] != '\0')
        fields->odd_name = 1;
    if (value == NULL || is_apart(name, value))
        fields->folded = 1;
    if (strcasecmp(name, MHD_HTTP_HEADER_HOST) == 0) {
        fields->hosts++;
        if (value == NULL || strpbrk(value, " \t/") != NULL)
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
                          const char *version)
{
    int old = strcmp(version, MHD_HTTP_VERSION_1_0) == 0;
    struct fields fields = {0};

    MHD_get_connection_values(connection, MHD_HEADER_KIND, look, &fields);
    if (fields.odd_name)
        return "the name of a header field is not a token";
    if (fields.folded)
        return "a header field goes on in the next line";
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
