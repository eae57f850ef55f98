/*
 * The metadata of the hub as an OAuth protected resource (RFC 9728), as version 1.0 of the
 * Mercure protocol has it: what audience tokens must name, and how they are presented.
 * There is none without --public-url, since nothing else says by which URL clients know the
 * hub; nor without keys, since no token counts then.
 */
#include <config.h>

#include "mercure_parts.h"

#include "mercure_name.h"
#include "crierd/http/respond.h"

#include <stdio.h>

#define AUTHORIZATION_DETAIL "https://mercure.rocks/authorization-detail"
#define URL_SIZE 1024

bool mercure_describe(struct request *request)
{
    const struct mercure *mercure = request->context;
    const struct conf *conf = conf_current();
    char resource[URL_SIZE];
    json_t *document;

    if (conf->public_url == NULL || !conf_has_keys(conf) ||
        snprintf(resource, sizeof resource, "%s" MERCURE_PATH, conf->public_url) >=
            (int)sizeof resource)
        return respond_problem(request, MHD_HTTP_NOT_FOUND,
                               "there is no metadata without --public-url and keys");
    document = json_pack(
        "{s:s, s:[s], s:[s], s:s, s:[s, s]}", "resource", resource,
        "bearer_methods_supported", "header",
        "authorization_details_types_supported", AUTHORIZATION_DETAIL,
        "mercure_cookie", conf->auth_cookie, "mercure_matcher_types_supported",
        "exact", "urlpattern");
    if (document != NULL && mercure->registry != NULL)
        json_object_set_new(document, "mercure_subscriptions", json_true());
    return respond_json(request, MHD_HTTP_OK, document);
}
