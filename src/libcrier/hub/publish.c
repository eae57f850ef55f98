/*
 * Publishing: an event becomes an update, which the journal is asked to append.
 */
#include <config.h>

#include "publish.h"

#include "directory.h"
#include "gate.h"

#include "base/clock.h"
#include "libcrier/wire/event.h"
#include "libcrier/wire/topic.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct publication {
    struct crier__append append;
    struct crier_hub *hub;
    size_t cost; /* counted in the backlog */
    bool dedupe;
    void (*on_done)(void *closure, const struct crier_receipt *receipt);
    void *closure;
    char census[]; /* the selector that it counts, or "" */
};

static void report_published(struct crier__append *append)
{
    struct publication *publication = (struct publication *)append;
    struct crier_hub *hub = publication->hub;
    struct crier__update *update = append->update;
    const char *names[CRIER__TOPICS_MAX], *name;
    struct crier_receipt receipt = {
        .error = append->error,
        .id = update->id,
        .position = update->position,
        .time = update->time,
        .topics = names,
        .subscribers = append->subscribers,
    };

    if (append->error == CRIER_ERR_EXISTS) {
        receipt.position = append->position;
        receipt.duplicate = publication->dedupe && append->same_topics;
        if (receipt.duplicate)
            receipt.error = 0;
    }
    receipt.reason = append->reason[0] != '\0'
                         ? append->reason
                         : crier_error_text(receipt.error);
    crier__shards_release(hub->shards, publication->cost);
    if (append->census != NULL && append->error == 0)
        crier__directory_appended(hub, append->census + 1, append->census_count);
    CRIER__TOPICS_EACH (update->topics, name)
        names[receipt.topic_count++] = name;
    if (publication->on_done != NULL)
        publication->on_done(publication->closure, &receipt);
    crier__update_unref(update);
    free(publication);
    crier__gate_leave(&hub->gate);
}

/* Makes a *new* update of EVENT for TOPICS, not placed. */
static int make_update(const struct crier__topics *topics,
                       const struct crier_event *event,
                       struct crier__update **update)
{
    const char *id = crier__event_id(event);
    struct crier_frame *body;
    int error;

    error = crier__event_body(event, &body);
    if (error == 0) {
        *update = crier__update_new(topics, id, body);
        error = *update != NULL ? 0 : -ENOMEM;
        crier_frame_unref(body);
    }
    return error;
}

/* Whether HUB may be asked to publish an update with ID, which comes from another journal.
 * CRIER_ERR_ID, CRIER_ERR_EXISTS. */
static int check_imported_id(struct crier_hub *hub, const char *id)
{
    size_t length = strnlen(id, CRIER__ID_SIZE);
    uint64_t position;

    if (length == CRIER__ID_SIZE || !crier_id_valid(id + 1, length - 1))
        return CRIER_ERR_ID;
    return crier__id_read(id, hub->journal->epoch, &position) ? CRIER_ERR_EXISTS : 0;
}

/* What an update says of the streams of this process; or a topic that is NULL. */
struct own_count {
    const char *topic;
    size_t count;
};

static const struct own_count no_count;

/* A new publication, which is about OWN; NULL when memory is short. */
static struct publication *new_publication(const struct own_count *own)
{
    size_t size = own->topic != NULL ? strlen(own->topic) + 2 : 1;
    struct publication *made = calloc(1, sizeof *made + size);

    if (made != NULL && own->topic != NULL) {
        snprintf(made->census, size, "=%s", own->topic);
        made->append.census = made->census;
        made->append.census_count = own->count;
    }
    return made;
}

/* Asks the journal to append UPDATE (*stolen*), which is about OWN. */
static int submit_update(struct crier_hub *hub, struct crier__update *update,
                         const struct crier_publish_options *options,
                         const struct own_count *own)
{
    size_t cost = crier__update_cost(update);
    struct publication *publication = NULL;
    int error = 0;

    if (cost > atomic_load(&hub->journal->max_bytes))
        error = CRIER_ERR_UPDATE_SIZE;
    if (error == 0)
        error = crier__shards_reserve(hub->shards, cost);
    if (error != 0)
        goto unref;
    publication = new_publication(own);
    error = publication != NULL ? crier__gate_enter(&hub->gate) : -ENOMEM;
    if (error != 0)
        goto release;
    update->submitted = (uint32_t)crier__clock_us();
    publication->append.update = update;
    publication->append.done = report_published;
    publication->hub = hub;
    publication->cost = cost;
    if (options != NULL) {
        update->is_private = options->is_private;
        update->last = options->last;
        update->time = options->time;
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

/* ---- the calls -------------------------------------------------------- */

static int check_publish(struct crier_hub *hub, const void *topics,
                         const struct crier_event *event,
                         const struct crier_publish_options *options)
{
    const char *id;

    if (hub == NULL || topics == NULL || event == NULL)
        return CRIER_ERR_NULL;
    if (crier__forked(hub->born))
        return CRIER_ERR_FORKED;
    if (crier__gate_is_closed(&hub->gate))
        return CRIER_ERR_HUB_CLOSED;
    id = crier__event_id(event);
    if (id != NULL && id[0] == '#' && options != NULL && options->time != 0)
        return check_imported_id(hub, id);
    return id != NULL && !crier_id_valid(id, strlen(id)) ? CRIER_ERR_ID : 0;
}

/* Publishes EVENT, which is about OWN, under TOPICS (*stolen*). */
static int publish_event(struct crier_hub *hub, struct crier__topics *topics,
                         const struct crier_event *event,
                         const struct crier_publish_options *options,
                         const struct own_count *own)
{
    struct crier__update *update;
    int error = make_update(topics, event, &update);

    free(topics);
    return error != 0 ? error : submit_update(hub, update, options, own);
}

int crier_hub_publish(struct crier_hub *hub, const char *topics,
                      const struct crier_event *event,
                      const struct crier_publish_options *options)
{
    int error = check_publish(hub, topics, event, options);
    struct crier__topics *list;

    if (error == 0)
        error = crier__topics_parse(topics, &list);
    return error != 0 ? error : publish_event(hub, list, event, options, &no_count);
}

int crier_hub_publish_to(struct crier_hub *hub, const char *const *topics,
                         size_t count, const struct crier_event *event,
                         const struct crier_publish_options *options)
{
    int error = check_publish(hub, topics, event, options);
    struct crier__topics *list;
    size_t i;

    for (i = 0; i < count && error == 0; i++)
        if (topics[i] == NULL)
            error = CRIER_ERR_NULL;
    if (error == 0)
        error = crier__topics_list(topics, count, &list);
    return error != 0 ? error : publish_event(hub, list, event, options, &no_count);
}

void crier__publish_count(struct crier_hub *hub, const char *name,
                          const struct crier_event *event, const char *topic,
                          size_t count)
{
    const struct own_count own = {.topic = topic, .count = count};
    int error = check_publish(hub, name, event, NULL);
    struct crier__topics *list;

    if (error == 0)
        error = crier__topics_list(&name, 1, &list);
    if (error == 0)
        (void)publish_event(hub, list, event, NULL,
                            hub->directory.census != NULL ? &own : &no_count);
}
