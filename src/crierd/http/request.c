/*
 * What handlers ask of a request beyond its path, query and body.
 */
#include <config.h>

#include "request.h"

#include "base/number.h"
#include "origin.h"

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
           !origin_is_of(origin,
                         request_header(request, MHD_HTTP_HEADER_HOST));
}
