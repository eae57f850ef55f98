/*
 * What proxies report of a request: X-Forwarded-For, -Proto and -Host, and Forwarded
 * (RFC 7239). Any client can send these fields, so they are read only where the connection
 * comes from a proxy that --trusted-proxy names, and even then most of what they hold may
 * come from the client.
 *
 * A proxy adds to the end of the fields what it knows: from whom the request came. So the
 * addresses are read from the right, as long as each one is that of a trusted proxy. The
 * first address that is not is the client's; all that stands before it is the client's own
 * invention. What cannot be read ("unknown", an obfuscated name, a mistake) ends the walk
 * at the proxy that reported it, and never makes an earlier address count.
 *
 * X-Forwarded-Proto and X-Forwarded-Host are not tied to an address. Their last value is
 * the nearest proxy's, and that one counts. An element of Forwarded has all of it; the one
 * that names the client counts.
 *
 * Most proxies set one kind of these fields and pass the other one on as the client sent
 * it, and nothing tells which. So a request with both kinds has a client only if both name
 * the same one, and of the scheme and of the host each counts only if the two do not
 * contradict each other.
 *
 * A line of Forwarded is read from the left, since that is how quoted strings are found. A
 * mistake in it makes the line worthless, also where a proxy has appended to it: where its
 * element begins can no longer be known.
 */
#include <config.h>

#include "forwarded.h"

#include "base/number.h"
#include "base/token.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#define BLANKS " \t"

/* An address with brackets and a port, and a NUL. */
#define NODE_SIZE 64

/* A piece of a field. */
struct span {
    const char *text; /* NULL: there is none */
    size_t length;
    bool quoted; /* with backslashes as they were sent */
};

/* An element of Forwarded. */
struct element {
    struct span node, scheme, host;
};

/* The way from the nearest proxy to the client. */
struct walk {
    const struct cidr_list *trusted;
    struct forwarded *found;
    bool over;
};

/* ---- pieces ----------------------------------------------------------- */

static struct span trim_blanks(const char *text, size_t length)
{
    while (length != 0 && strchr(BLANKS, text[0]) != NULL) {
        text++;
        length--;
    }
    while (length != 0 && strchr(BLANKS, text[length - 1]) != NULL)
        length--;
    return (struct span){.text = text, .length = length};
}

/* Copies SPAN to TEXT of SIZE bytes, without backslashes. False when it has no room, or a
 * control character. */
static bool copy_span(const struct span *span, char *text, size_t size)
{
    size_t i, length = 0;

    for (i = 0; i < span->length; i++) {
        if (span->quoted && span->text[i] == '\\')
            i++;
        if (length + 1 >= size || (unsigned char)span->text[i] < ' ' ||
            span->text[i] == 0x7f)
            return false;
        text[length++] = span->text[i];
    }
    text[length] = '\0';
    return true;
}

/* Whether PORT, what stands behind an address, is none or one, or an obfuscated one;
 * *NUMBER is 0 where it is not known. */
static bool read_node_port(const char *port, in_port_t *number)
{
    uint64_t value = 0;

    *number = 0;
    if (port[0] == '\0')
        return true;
    if (*port++ != ':')
        return false;
    if (port[0] == '_')
        return true;
    if (!crier__number_read(port, 0, 65535, &value))
        return false;
    *number = htons((uint16_t)value);
    return true;
}

static bool read_v4(char *text, struct peer *peer)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    size_t length = strcspn(text, ":");

    if (!read_node_port(text + length, &address.sin_port))
        return false;
    text[length] = '\0';
    if (inet_pton(AF_INET, text, &address.sin_addr) != 1)
        return false;
    peer_set(peer, (struct sockaddr *)&address, sizeof address);
    return true;
}

/* Reads an IPv6 address, in brackets if it has a port. */
static bool read_v6(char *text, struct peer *peer)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6};
    char *end;

    if (text[0] == '[') {
        end = strchr(++text, ']');
        if (end == NULL || !read_node_port(end + 1, &address.sin6_port))
            return false;
        *end = '\0';
    }
    if (inet_pton(AF_INET6, text, &address.sin6_addr) != 1)
        return false;
    peer_set(peer, (struct sockaddr *)&address, sizeof address);
    return true;
}

/* Reads the address in SPAN into PEER. False when it is none. */
static bool read_node(const struct span *span, struct peer *peer)
{
    char text[NODE_SIZE], *colon;

    if (span->text == NULL || !copy_span(span, text, sizeof text))
        return false;
    colon = strchr(text, ':');
    return text[0] == '[' || (colon != NULL && strchr(colon + 1, ':') != NULL)
               ? read_v6(text, peer)
               : read_v4(text, peer);
}

static enum forwarded_scheme read_reported_scheme(const struct span *span)
{
    char text[8];

    if (span->text == NULL || !copy_span(span, text, sizeof text))
        return FORWARDED_NO_SCHEME;
    if (strcasecmp(text, "https") == 0)
        return FORWARDED_HTTPS;
    return strcasecmp(text, "http") == 0 ? FORWARDED_HTTP : FORWARDED_NO_SCHEME;
}

/* Writes the host in SPAN to HOST, "" when there is none that could be one. */
static void read_reported_host(const struct span *span,
                               char host[FORWARDED_HOST_SIZE])
{
    if (span->text == NULL || !copy_span(span, host, FORWARDED_HOST_SIZE) ||
        strpbrk(host, BLANKS "/,@") != NULL)
        host[0] = '\0';
}

/* ---- the walk --------------------------------------------------------- */

/* Takes one step towards the client: NODE is what the proxy that was reached reports. */
static void take_step(struct walk *walk, const struct span *node)
{
    struct peer peer;

    if (!read_node(node, &peer)) {
        walk->found->vague = true;
        walk->over = true;
        return;
    }
    walk->found->client = peer;
    walk->over = !cidr_has(walk->trusted, &peer.address.any);
}

/* ---- X-Forwarded-... -------------------------------------------------- */

/* Takes the last value off the LENGTH bytes at LINE, the separators of an empty one
 * included. Its text is NULL when there is none. */
static struct span take_last_value(const char *line, size_t *length)
{
    struct span value;
    size_t begin;

    while (*length != 0) {
        for (begin = *length; begin != 0 && line[begin - 1] != ','; begin--)
            ;
        value = trim_blanks(line + begin, *length - begin);
        *length = begin != 0 ? begin - 1 : 0;
        if (value.length != 0)
            return value;
    }
    return (struct span){.text = NULL};
}

static struct span last_value_of(const struct forwarded_lines *lines)
{
    const char *line;
    size_t length;

    if (lines->count == 0 || lines->more)
        return (struct span){.text = NULL};
    line = lines->text[lines->count - 1];
    length = strlen(line);
    return take_last_value(line, &length);
}

static void walk_addresses(struct walk *walk,
                           const struct forwarded_lines *lines)
{
    size_t i = lines->count, hops = 0, length;
    struct span value;

    while (i-- != 0 && !walk->over) {
        length = strlen(lines->text[i]);
        while (!walk->over) {
            value = take_last_value(lines->text[i], &length);
            if (value.text == NULL)
                break;
            if (hops++ == FORWARDED_HOPS)
                value.text = NULL; /* as if it could not be read */
            take_step(walk, &value);
        }
    }
}

/* ---- Forwarded -------------------------------------------------------- */

static const char *skip_blanks(const char *at)
{
    return at + strspn(at, BLANKS);
}

/* Reads the value at AT, a token or a quoted string. Returns what is behind it, or NULL. */
static const char *read_pair_value(const char *at, struct span *value)
{
    *value = (struct span){.text = at, .quoted = *at == '"'};
    if (!value->quoted) {
        value->length = crier__token_length(at);
        return value->length != 0 ? at + value->length : NULL;
    }
    value->text = ++at;
    for (; *at != '"'; at++) {
        if (*at == '\\')
            at++;
        if (*at == '\0')
            return NULL;
    }
    value->length = (size_t)(at - value->text);
    return at + 1;
}

/* The place in ELEMENT for the value of the parameter NAME; OTHER when it says nothing
 * that is needed. */
static struct span *find_place(struct element *element, const char *name,
                               size_t length, struct span *other)
{
    if (length == 3 && strncasecmp(name, "for", length) == 0)
        return &element->node;
    if (length == 5 && strncasecmp(name, "proto", length) == 0)
        return &element->scheme;
    if (length == 4 && strncasecmp(name, "host", length) == 0)
        return &element->host;
    other->text = NULL;
    return other;
}

/* Reads the element at AT. Returns what is behind it, or NULL. */
static const char *read_element(const char *at, struct element *element)
{
    struct span other, value, *place;
    size_t length;

    *element = (struct element){.node.text = NULL};
    for (;; at++) {
        at = skip_blanks(at);
        length = crier__token_length(at);
        if (length == 0 || at[length] != '=')
            return NULL;
        place = find_place(element, at, length, &other);
        at = read_pair_value(at + length + 1, &value);
        if (at == NULL || place->text != NULL)
            return NULL;
        *place = value;
        at = skip_blanks(at);
        if (*at != ';')
            return at;
    }
}

/* Reads LINE, of which the last elements are kept: the one with the number I at
 * I % FORWARDED_HOPS. False when there is a mistake in it. */
static bool read_element_line(const char *line, struct element elements[FORWARDED_HOPS],
                      size_t *count)
{
    const char *at = line;

    for (*count = 0;;) {
        at += strspn(at, "," BLANKS);
        if (*at == '\0')
            return true;
        at = read_element(at, &elements[(*count)++ % FORWARDED_HOPS]);
        if (at == NULL || (*at != ',' && *at != '\0'))
            return false;
    }
}

static void walk_elements(struct walk *walk, const struct forwarded_lines *lines)
{
    static const struct span nothing = {.text = NULL};
    struct element elements[FORWARDED_HOPS], *element;
    size_t i = lines->count, hops = 0, count;

    while (i-- != 0 && !walk->over) {
        if (!read_element_line(lines->text[i], elements, &count)) {
            take_step(walk, &nothing);
            return;
        }
        while (count-- != 0 && !walk->over) {
            if (hops++ == FORWARDED_HOPS) {
                take_step(walk, &nothing);
                return;
            }
            element = &elements[count % FORWARDED_HOPS];
            walk->found->scheme = read_reported_scheme(&element->scheme);
            read_reported_host(&element->host, walk->found->host);
            take_step(walk, &element->node);
        }
    }
}

/* ---- both ------------------------------------------------------------- */

static void reset_found(struct forwarded *found, const struct peer *proxy)
{
    found->client = *proxy;
    found->vague = false;
    found->scheme = FORWARDED_NO_SCHEME;
    found->host[0] = '\0';
}

static bool has_same_client(const struct forwarded *a, const struct forwarded *b)
{
    unsigned char one[16], other[16];

    return !a->vague && !b->vague && cidr_bytes(&a->client.address.any, one) &&
           cidr_bytes(&b->client.address.any, other) &&
           memcmp(one, other, sizeof one) == 0;
}

/* Adds to FOUND what OTHER reports; where they contradict each other, neither counts. */
static void merge_reports(struct forwarded *found, const struct forwarded *other)
{
    if (found->scheme == FORWARDED_NO_SCHEME)
        found->scheme = other->scheme;
    else if (other->scheme != FORWARDED_NO_SCHEME &&
             other->scheme != found->scheme)
        found->scheme = FORWARDED_NO_SCHEME;
    if (found->host[0] == '\0')
        memcpy(found->host, other->host, sizeof found->host);
    else if (other->host[0] != '\0' && strcasecmp(found->host, other->host) != 0)
        found->host[0] = '\0';
}

void forwarded_read(struct forwarded *forwarded, const struct cidr_list *trusted,
                    const struct peer *proxy,
                    const struct forwarded_fields *fields)
{
    struct forwarded other;
    struct walk walk = {.trusted = trusted, .found = forwarded},
                second = {.trusted = trusted, .found = &other};
    struct span scheme = last_value_of(&fields->schemes),
                host = last_value_of(&fields->hosts);
    bool contradicts;

    reset_found(forwarded, proxy);
    reset_found(&other, proxy);
    walk_addresses(&walk, &fields->addresses);
    walk_elements(&second, &fields->forwarded);
    contradicts = fields->addresses.more || fields->forwarded.more ||
                  (fields->addresses.count != 0 && fields->forwarded.count != 0 &&
                   !has_same_client(forwarded, &other));
    if (contradicts) {
        reset_found(forwarded, proxy);
        forwarded->vague = true;
        return;
    }
    if (fields->addresses.count == 0) {
        forwarded->client = other.client;
        forwarded->vague = other.vague;
    }
    forwarded->scheme = read_reported_scheme(&scheme);
    read_reported_host(&host, forwarded->host);
    merge_reports(forwarded, &other);
}
