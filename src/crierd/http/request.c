/*
 * What handlers ask of a request beyond its path, query and body.
 */
#include <config.h>

#include "request.h"

#include "base/number.h"
#include "origin.h"

#include <stdlib.h>
#include <string.h>

/* No event of ours has a larger number as its id. */
#define ID_MAX UINT64_C(1000000000000000)

const char *request_header(const struct request *request, const char *name)
{
    return request->carrier->header(request, name, 0);
}

const char *request_header_behind(const struct request *request,
                                  const char *name, size_t count)
{
    return request->carrier->header(request, name, count);
}

/* ---- the client -------------------------------------------------------- */

/* Reads the lines of the field NAME of REQUEST. Returns how many there are. */
static size_t read_lines(const struct request *request, const char *name,
                         struct forwarded_lines *lines)
{
    const char *text;

    lines->count = 0;
    while ((text = request_header_behind(request, name, lines->count)) != NULL &&
           lines->count < FORWARDED_LINES)
        lines->text[lines->count++] = text;
    lines->more = text != NULL;
    return lines->count;
}

/* Reads what proxies report of REQUEST. False when they report nothing. */
static bool read_reports(const struct request *request,
                         struct forwarded_fields *fields)
{
    return read_lines(request, "X-Forwarded-For", &fields->addresses) +
               read_lines(request, "X-Forwarded-Proto", &fields->schemes) +
               read_lines(request, "X-Forwarded-Host", &fields->hosts) +
               read_lines(request, "Forwarded", &fields->forwarded) !=
           0;
}

static socklen_t address_size(const struct sockaddr *address)
{
    return address->sa_family == AF_INET    ? sizeof(struct sockaddr_in)
           : address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                            : sizeof(sa_family_t);
}

bool request_find_client(struct request *request)
{
    const struct cidr_list *trusted = &conf_current()->trusted_proxies;
    struct forwarded_fields fields;
    struct forwarded *forwarded;
    struct peer proxy;

    if (!cidr_has(trusted, request->peer) || !read_reports(request, &fields))
        return true;
    forwarded = malloc(sizeof *forwarded);
    if (forwarded == NULL)
        return false;
    peer_set(&proxy, request->peer, address_size(request->peer));
    forwarded_read(forwarded, trusted, &proxy, &fields);
    request->forwarded = forwarded;
    request->peer = &forwarded->client.address.any;
    if (forwarded->scheme != FORWARDED_NO_SCHEME)
        request->secure = forwarded->scheme == FORWARDED_HTTPS;
    return true;
}

const char *request_host(const struct request *request)
{
    const struct forwarded *forwarded = request->forwarded;

    return forwarded != NULL && forwarded->host[0] != '\0'
               ? forwarded->host
               : request_header(request, MHD_HTTP_HEADER_HOST);
}

/* ---- grants, ids, pages ------------------------------------------------ */

struct crier_grants *request_grants(const struct request *request)
{
    return request->identity != NULL ? request->identity->subscribe : NULL;
}

uint64_t request_last_id(const struct request *request)
{
    const char *header = request_header(request, "Last-Event-ID");
    uint64_t id;

    if (header == NULL || !crier__number_read(header, 0, ID_MAX, &id))
        return 0;
    return id;
}

bool request_is_foreign(const struct request *request)
{
    const char *site = request_header(request, "Sec-Fetch-Site");
    const char *origin;

    if (site != NULL)
        return strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0;
    origin = request_header(request, MHD_HTTP_HEADER_ORIGIN);
    return origin != NULL &&
           !origin_is_of(origin, request_host(request), request->secure);
}
