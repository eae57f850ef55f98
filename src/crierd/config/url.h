#ifndef CRIERD_URL_H
#define CRIERD_URL_H

#include <stdbool.h>

/* Whether TEXT is an http:// or https:// URL with a host and without a query, a fragment,
 * user information and a final '/'. */
bool url_is_base(const char *text);

/* Whether TEXT is an origin as browsers write it in the field Origin (RFC 6454, section
 * 6.2): http:// or https:// and a host in lower case, with a port unless it is the
 * scheme's own. */
bool url_is_origin(const char *text);

#endif
