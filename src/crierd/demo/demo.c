/*
 * The demo's routes, and the state that their handlers share.
 */
#include <config.h>

#include "demo.h"

#include "chat_room.h"
#include "crierd/log/log.h"
#include "demo_parts.h"
#include "writer.h"

#include <stdlib.h>

/* The topics that these are about cannot be granted by name, so each needs grants of all
 * (ROUTE_TOPICS_ALL). */
const struct route demo_routes[] = {
    {"GET", "/ticks", ticks_get, SCOPE_SUBSCRIBE, .changes = false},
    {"GET", "/sse", ticks_get_sse, SCOPE_SUBSCRIBE, .changes = false},
    {"GET", "/updates", ticks_get_updates, SCOPE_READ, .changes = false},
    {"GET", "/events", events_get, SCOPE_SUBSCRIBE, .changes = false},
    {"POST", "/events", events_post, SCOPE_PUBLISH, .changes = true},
    {"GET", "/events/*", events_post_by_get, SCOPE_PUBLISH, .changes = true},
    {"GET", "/chat", chat_join, SCOPE_SUBSCRIBE, .changes = false},
    {"POST", "/chat", chat_post, SCOPE_PUBLISH, .changes = true},
    {"POST", "/chat/*", chat_post_private, SCOPE_PUBLISH, .changes = true},
    {"GET", "/users", chat_list_users, SCOPE_SUBSCRIBE, .changes = false},
    {"POST", "/users/*", chat_add_user, SCOPE_PUBLISH, .changes = true},
    {"DELETE", "/users/*", chat_remove_user, SCOPE_PUBLISH, .changes = true},
    {"GET", "/tokens", tokens_get, SCOPE_SUBSCRIBE, .changes = false},
    {"GET", "/quotes", quotes_get, SCOPE_SUBSCRIBE, .changes = false},
    {0},
};

struct demo *demo_open(struct server *server)
{
    struct demo *demo = calloc(1, sizeof *demo);

    if (demo != NULL) {
        demo->room = chat_room_new(server->hub);
        demo->writer = writer_new(server->hub);
    }
    if (demo == NULL || demo->room == NULL || demo->writer == NULL) {
        demo_close(demo);
        log_line(LOG_ERROR, "cannot start the demo: out of memory");
        return NULL;
    }
    demo->answers = answers_new(server->conf->data);
    demo->quotes = quotes_new(server->conf->data);
    if (demo->answers != NULL && demo->quotes != NULL)
        return demo;
    demo_close(demo);
    return NULL;
}

void demo_close(struct demo *demo)
{
    if (demo == NULL)
        return;
    writer_free(demo->writer);
    chat_room_free(demo->room);
    answers_free(demo->answers);
    quotes_free(demo->quotes);
    free(demo);
}
