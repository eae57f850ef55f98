/*
 * The routes of the API.
 */
#include <config.h>

#include "api.h"

#include "health.h"
#include "publish.h"
#include "topics.h"

const struct route api_routes[] = {
    {"GET", {"topics"}, topics_list, false},
    {"GET", {"topics", "**"}, topics_get, false},
    {"POST", {"topics", "**"}, publish_handle, true},
    {"DELETE", {"topics", "**"}, topics_delete, true},
    {"GET", {"healthz"}, health_get, false},
    {0},
};
