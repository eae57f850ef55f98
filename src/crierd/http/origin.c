/*
 * Origins (RFC 6454): whether a page comes from the server it talks to.
 *
 * An origin is a scheme, a host and a port. crierd does not always know the scheme: where
 * it speaks plain HTTP, a proxy in front of it may speak TLS with the client and pass Host
 * on as it came. So Host is read as if it belonged to the scheme that Origin names, unless
 * the client is known to use https (request->secure). A page of http://HOST can therefore
 * act on https://HOST where nothing says that it is that, and the browser sends no
 * Sec-Fetch-Site, which would distinguish the two. Rejected: to conclude "http" from
 * X-Forwarded-Proto; behind two proxies it often names the scheme between them, and pages
 * that are fine would be refused.
 */
#include <config.h>

#include "origin.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* An authority without user information: a host and perhaps a port. */
struct authority {
    const char *host;
    size_t length; /* of the host; an IPv6 address has its brackets */
    unsigned long port;
};

#define HTTPS_PORT 443

/* Characters that no host has: they begin the rest of a URL, or of a list. */
#define NO_HOST ":/?#@\\[] \t,"

static size_t host_length(const char *text)
{
    size_t length;

    if (text[0] != '[')
        return strcspn(text, NO_HOST);
    length = 1 + strspn(text + 1, "0123456789abcdefABCDEF:.");
    return length > 1 && text[length] == ']' ? length + 1 : 0;
}

/* Reads all of TEXT, where PORT is the default one. False when it is no authority. */
static bool read_authority(struct authority *authority, const char *text,
                           unsigned long port)
{
    const char *end;

    authority->host = text;
    authority->length = host_length(text);
    authority->port = port;
    if (authority->length == 0)
        return false;
    end = text + authority->length;
    if (*end == '\0')
        return true;
    if (*end++ != ':' || end[strspn(end, "0123456789")] != '\0')
        return false;
    if (*end != '\0')
        authority->port = strtoul(end, NULL, 10); /* too large: ULONG_MAX */
    return authority->port <= 65535;
}

/* Moves *ORIGIN behind "scheme://" and returns the scheme's port; 0 when it is none of
 * ours. */
static unsigned long read_scheme(const char **origin)
{
    static const struct {
        const char *begin;
        unsigned long port;
    } schemes[] = {{"http://", 80}, {"https://", HTTPS_PORT}};
    size_t i, length;

    for (i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        length = strlen(schemes[i].begin);
        if (strncasecmp(*origin, schemes[i].begin, length) == 0) {
            *origin += length;
            return schemes[i].port;
        }
    }
    return 0;
}

bool origin_is_of(const char *origin, const char *host, bool secure)
{
    unsigned long port = read_scheme(&origin);
    struct authority theirs, ours;

    return port != 0 && (!secure || port == HTTPS_PORT) && host != NULL &&
           read_authority(&theirs, origin, port) &&
           read_authority(&ours, host, port) &&
           theirs.length == ours.length && theirs.port == ours.port &&
           strncasecmp(theirs.host, ours.host, ours.length) == 0;
}

enum origin_match origins_find(const struct conf_texts *origins,
                               const char *origin)
{
    enum origin_match match = ORIGIN_OTHER;
    size_t i;

    for (i = 0; i < origins->count; i++) {
        if (strcmp(origins->list[i], "*") == 0)
            match = ORIGIN_ANY;
        else if (strlen(origin) <= ORIGIN_LENGTH_MAX &&
                 strcasecmp(origins->list[i], origin) == 0 &&
                 strcmp(origin, "null") != 0)
            return ORIGIN_NAMED;
    }
    return match;
}
