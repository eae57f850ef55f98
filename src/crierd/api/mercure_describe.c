/*
 * The metadata of the hub as an OAuth protected resource (RFC 9728), as version 1.0 of the
 * Mercure protocol has it: what audience tokens must name, and how they are presented.
 * It is not there without --public-url and keys.
 */
#include <config.h>

#include "mercure_parts.h"

#include "crierd/http/respond.h"

#define AUTHORIZATION_DETAIL "https://mercure.rocks/authorization-detail"

bool mercure_describe(struct request *request)
{
    const struct mercure *mercure = request->context;
    const struct conf *conf = conf_current();
    char resource[CONF_HUB_URL_SIZE];
    json_t *document;

    if (!conf_has_metadata(conf))
        return respond_problem(request, MHD_HTTP_NOT_FOUND,
                               "there is no metadata without --public-url and keys");
    document = json_pack(
        "{s:s, s:[s], s:[s], s:s, s:[s, s]}", "resource", conf_hub_url(conf, resource),
        "bearer_methods_supported", "header",
        "authorization_details_types_supported", AUTHORIZATION_DETAIL,
        "mercure_cookie", conf->auth_cookie, "mercure_matcher_types_supported",
        "exact", "urlpattern");
    if (mercure->registry != NULL &&
        json_object_set_new(document, "mercure_subscriptions", json_true()) != 0) {
        json_decref(document);
        document = NULL;
    }
    return respond_json(request, MHD_HTTP_OK, document);
}
