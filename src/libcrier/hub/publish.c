/*
 * Publishing: an event becomes an update, which the journal is asked to append.
 */
#include <config.h>

#include "gate.h"
#include "hub.h"

#include "libcrier/wire/event.h"
#include "libcrier/wire/topic.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct publication {
    struct crier__append append;
    struct crier_hub *hub;
    size_t cost; /* in the backlog */
    bool dedupe;
    void (*on_done)(void *closure, const struct crier_receipt *receipt);
    void *closure;
};

static void published(struct crier__append *append)
{
    struct publication *publication = (struct publication *)append;
    struct crier_hub *hub = publication->hub;
    struct crier__update *update = append->update;
    struct crier_receipt receipt = {
        .error = append->error,
        .id = update->id,
        .position = update->position,
        .topics = update->topics,
        .subscribers = append->subscribers,
    };

    if (append->error == CRIER_ERR_EXISTS) {
        receipt.position = append->position;
        receipt.duplicate = publication->dedupe;
        if (publication->dedupe)
            receipt.error = 0;
    }
    receipt.reason = append->reason[0] != '\0'
                         ? append->reason
                         : crier_error_text(receipt.error);
    crier__shards_release(hub->shards, publication->cost);
    if (publication->on_done != NULL)
        publication->on_done(publication->closure, &receipt);
    crier__update_unref(update);
    free(publication);
    crier__hub_leave(hub);
}

/* A new update of EVENT, not placed. */
static int make_update(const char *topics, const struct crier_event *event,
                       struct crier__update **update)
{
    const char *id = crier__event_id(event);
    struct crier_frame *body;
    char *list;
    unsigned count;
    int error;

    if (id != NULL && !crier_id_valid(id, strlen(id)))
        return CRIER_ERR_ID;
    error = crier__topics_parse(topics, &list, &count);
    if (error != 0)
        return error;
    error = crier__event_body(event, &body);
    if (error == 0) {
        *update = crier__update_new(list, id, body);
        error = *update != NULL ? 0 : -ENOMEM;
        crier_frame_unref(body);
    }
    free(list);
    return error;
}

/* Asks for UPDATE (stolen) to be appended. */
static int submit(struct crier_hub *hub, struct crier__update *update,
                  const struct crier_publish_options *options)
{
    size_t cost = crier__update_cost(update);
    struct publication *publication = NULL;
    int error = 0;

    if (cost > hub->journal->retention.bytes)
        error = CRIER_ERR_UPDATE_SIZE;
    if (error == 0)
        error = crier__shards_reserve(hub->shards, cost);
    if (error != 0)
        goto unref;
    publication = calloc(1, sizeof *publication);
    error = publication != NULL ? crier__hub_enter(hub) : -ENOMEM;
    if (error != 0)
        goto release;
    publication->append.update = update;
    publication->append.done = published;
    publication->hub = hub;
    publication->cost = cost;
    if (options != NULL) {
        publication->dedupe = options->dedupe;
        publication->on_done = options->on_done;
        publication->closure = options->closure;
    }
    hub->journal->ops->append(hub->journal, &publication->append);
    return 0;
release:
    crier__shards_release(hub->shards, cost);
    free(publication);
unref:
    crier__update_unref(update);
    return error;
}

int crier_hub_publish(struct crier_hub *hub, const char *topics,
                      const struct crier_event *event,
                      const struct crier_publish_options *options)
{
    struct crier__update *update;
    int error;

    if (hub == NULL || topics == NULL || event == NULL)
        return CRIER_ERR_NULL;
    if (crier__forked(hub->born))
        return CRIER_ERR_FORKED;
    if (atomic_load(&hub->closed))
        return CRIER_ERR_HUB_CLOSED;
    error = make_update(topics, event, &update);
    return error != 0 ? error : submit(hub, update, options);
}
