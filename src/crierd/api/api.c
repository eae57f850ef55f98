/*
 * The routes of the API.
 */
#include <config.h>

#include "api.h"

#include "access.h"
#include "config_get.h"
#include "crierd/http/policy.h"
#include "export.h"
#include "health.h"
#include "import.h"
#include "publish.h"
#include "scrape.h"
#include "topics.h"

const struct route api_routes[] = {
    {.method = "POST",
     .path = "/topics/**",
     .handle = publish_handle,
     .scope = SCOPE_PUBLISH,
     .topics = ROUTE_TOPICS_PATH,
     .max_body = ROUTE_BODY_UPDATE,
     .changes = true,
     .pipelined = true},
    {.method = "GET",
     .path = "/topics/**",
     .handle = topics_get,
     .scope = SCOPE_SUBSCRIBE,
     .topics = ROUTE_TOPICS_PATH,
     .streams = true},
    {.method = "DELETE",
     .path = "/topics/**",
     .handle = topics_delete,
     .scope = SCOPE_ADMIN,
     .topics = ROUTE_TOPICS_PATH,
     .changes = true},
    {.method = "GET",
     .path = "/topics",
     .handle = topics_list,
     .scope = SCOPE_SUBSCRIBE,
     .topics = ROUTE_TOPICS_LATER},
    {.method = "GET", .path = "/identity", .handle = access_get, .scope = SCOPE_IDENTITY},
    {.method = "GET", .path = "/config", .handle = config_get, .scope = SCOPE_ADMIN},
    {.method = "GET",
     .path = "/export",
     .handle = export_get,
     .scope = SCOPE_ADMIN,
     .streams = true},
    {.method = "POST",
     .path = "/import",
     .handle = import_handle,
     .scope = SCOPE_ADMIN,
     .max_body = ROUTE_BODY_IMPORT,
     .changes = true},
    {.method = "GET",
     .path = "/healthz",
     .handle = health_get,
     .scope = SCOPE_READ,
     .admin = true},
    {.method = "GET",
     .path = "/readyz",
     .handle = health_get_ready,
     .scope = SCOPE_READ,
     .admin = true},
    {.method = "GET",
     .path = "/metrics",
     .handle = scrape_get,
     .scope = SCOPE_OPERATE,
     .admin = true,
     .exists = policy_is_operated},
    {0},
};
