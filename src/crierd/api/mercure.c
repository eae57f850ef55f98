/*
 * The hub of the Mercure protocol, of the version that is deployed (0.x) and of the next
 * one (1.0) side by side:
 *
 *   mercure_subscribe.c   GET    streams
 *   mercure_publish.c     POST   updates
 *   mercure_list.c        GET    who subscribes (--subscriptions)
 *   mercure_describe.c    GET    what the hub is, as a protected resource
 *   mercure_registry.c    who subscribes, and the reports of that
 *   mercure_name.c        names: what they may hold, and which are the hub's own
 *   mercure_form.c        forms
 *
 * It is one more way into the same topics: an update that is published here is one for the
 * subscribers of /topics, and the other way round. Ids that the journal makes begin with
 * '#', which is a relative URI and so an id that both versions allow a hub to make.
 */
#include <config.h>

#include "mercure.h"

#include "mercure_name.h"
#include "mercure_parts.h"
#include "crierd/log/log.h"

#include <errno.h>
#include <stdlib.h>

/* Lists are for those whose token grants them; mercure_list() asks. */
#define LIST_ROUTE(more)                                                      \
    {                                                                         \
        .method = "GET", .path = MERCURE_SUBSCRIPTIONS more,                  \
        .handle = mercure_list, .scope = SCOPE_SUBSCRIBE,                     \
        .topics = ROUTE_TOPICS_LATER                                          \
    }

const struct route mercure_routes[] = {
    {.method = "GET",
     .path = MERCURE_PATH,
     .handle = mercure_subscribe,
     .scope = SCOPE_SUBSCRIBE,
     .topics = ROUTE_TOPICS_LATER,
     .streams = true},
    {.method = "POST",
     .path = MERCURE_PATH,
     .handle = mercure_publish,
     .scope = SCOPE_PUBLISH,
     .topics = ROUTE_TOPICS_LATER,
     .max_body = ROUTE_BODY_UPDATE,
     .changes = true},
    LIST_ROUTE(""),
    LIST_ROUTE("/*"),
    LIST_ROUTE("/*/*"),
    LIST_ROUTE("/*/*/*"),
    {.method = "GET",
     .path = CONF_METADATA_PATH,
     .handle = mercure_describe,
     .scope = SCOPE_READ},
    {0},
};

/* A new hub for SERVER; NULL when memory is short. */
static struct mercure *new_mercure(struct server *server)
{
    struct mercure *mercure = calloc(1, sizeof *mercure);

    if (mercure == NULL || !server->conf->subscriptions)
        return mercure;
    mercure->registry = mercure_registry_new(server->hub);
    if (mercure->registry != NULL)
        return mercure;
    free(mercure);
    return NULL;
}

struct mercure *mercure_open(struct server *server)
{
    struct mercure *mercure = new_mercure(server);

    if (mercure == NULL)
        log_line(LOG_ERROR, "cannot open the hub of Mercure: %s",
                 crier_error_text(-ENOMEM));
    return mercure;
}

void mercure_close(struct mercure *mercure)
{
    if (mercure == NULL)
        return;
    mercure_registry_free(mercure->registry);
    free(mercure);
}
