/*
 * What is asked of a hub but to publish and to follow: what topics there are, to
 * forget one, how it is.
 *
 * A list is of what the journal holds and of what is followed, each of which
 * gives its first ones in order; they are merged here.
 */
#include <config.h>

#include "gate.h"
#include "base/clock.h"
#include "hub.h"

#include "libcrier/wire/topic.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT_MAX 1000

/* ---- the list --------------------------------------------------------- */

/* A followed topic. */
struct listener {
    size_t count;
    char name[CRIER__TOPIC_ROOM];
};

struct listing {
    struct crier__list list;
    struct crier_hub *hub;
    void (*on_done)(void *closure, int error, json_t *topics);
    void *closure;
    struct listener *listeners; /* room for limit */
    unsigned listener_count;
    char *prefix, *after; /* copies */
};

static void free_listing(struct listing *listing)
{
    free(listing->list.infos);
    free(listing->listeners);
    free(listing->prefix);
    free(listing->after);
    free(listing);
}

static int find_listeners(struct listing *listing)
{
    struct crier__list *list = &listing->list;
    struct crier_hub *hub = listing->hub;
    struct crier__subscription *followed, *next;
    struct crier__named *found = calloc(list->limit, sizeof *found);
    unsigned count = 0, i;

    if (found == NULL)
        return -ENOMEM;
    pthread_mutex_lock(&hub->lock);
    HASH_ITER (hh, hub->followed, followed, next)
        if (followed->count != 0 && strcmp(followed->name, "*") != 0 &&
            crier__listed(list, followed->name))
            count = crier__list_in(
                list, found, count,
                (struct crier__named){followed->name, followed});
    for (i = 0; i < count; i++) {
        listing->listeners[i].count =
            ((const struct crier__subscription *)found[i].of)->staying;
        snprintf(listing->listeners[i].name,
                 sizeof listing->listeners[i].name, "%s", found[i].name);
    }
    pthread_mutex_unlock(&hub->lock);
    listing->listener_count = count;
    free(found);
    return 0;
}

/* A new object of what is held (or NULL) under NAME and followed COUNT times. */
static json_t *describe(const char *name, const struct crier__topic_info *info,
                        size_t count)
{
    static const struct crier__topic_info nothing;
    char time[CRIER__CLOCK_TEXT_SIZE];

    if (info != NULL)
        crier__clock_text(info->time, time);
    else
        info = &nothing;
    return json_pack("{s:s, s:I, s:I, s:I, s:s?, s:s?, s:s?}", "topic", name,
                     "updates", (json_int_t)info->count, "bytes",
                     (json_int_t)info->bytes, "subscribers", (json_int_t)count,
                     "first", info->count != 0 ? info->first : NULL, "last",
                     info->count != 0 ? info->last : NULL, "time",
                     info->count != 0 ? time : NULL);
}

/* Merges both lists, which are in order. NULL when memory is short. */
static json_t *merge(const struct listing *listing)
{
    const struct crier__topic_info *info = listing->list.infos;
    const struct crier__topic_info *infos = info + listing->list.count;
    const struct listener *one = listing->listeners;
    const struct listener *ones = one + listing->listener_count;
    json_t *array = json_array();
    size_t limit = listing->list.limit, count;
    const char *name;
    int order;

    while (array != NULL && json_array_size(array) < limit &&
           (info < infos || one < ones)) {
        order = info == infos  ? 1
                : one == ones ? -1
                              : strcmp(info->name, one->name);
        name = order <= 0 ? info->name : one->name;
        /* what is held may be followed by more than fit the other list */
        count = order >= 0 ? one->count : crier_hub_count(listing->hub, name);
        if (json_array_append_new(
                array, describe(name, order <= 0 ? info : NULL, count)) != 0) {
            json_decref(array);
            return NULL;
        }
        info += order <= 0;
        one += order >= 0;
    }
    return array;
}

static void listed(struct crier__list *list)
{
    struct listing *listing = (struct listing *)list;
    struct crier_hub *hub = listing->hub;
    json_t *array = NULL;
    int error = list->error;

    if (error == 0)
        error = find_listeners(listing);
    if (error == 0) {
        array = merge(listing);
        if (array == NULL)
            error = -ENOMEM;
    }
    if (listing->on_done != NULL)
        listing->on_done(listing->closure, error, array);
    else
        json_decref(array);
    free_listing(listing);
    crier__hub_leave(hub);
}

static struct listing *new_listing(struct crier_hub *hub, const char *prefix,
                                   const char *after, unsigned limit)
{
    struct listing *listing = calloc(1, sizeof *listing);
    struct crier__list *list;

    if (listing == NULL)
        return NULL;
    list = &listing->list;
    listing->hub = hub;
    listing->prefix = prefix != NULL ? strdup(prefix) : NULL;
    listing->after = strdup(after);
    listing->listeners = calloc(limit, sizeof *listing->listeners);
    list->infos = calloc(limit, sizeof *list->infos);
    list->done = listed;
    list->prefix = listing->prefix;
    list->after = listing->after;
    list->hidden = prefix == NULL || prefix[0] == '$';
    list->limit = limit;
    if ((prefix != NULL && listing->prefix == NULL) ||
        listing->after == NULL || listing->listeners == NULL ||
        list->infos == NULL) {
        free_listing(listing);
        return NULL;
    }
    return listing;
}

int crier_hub_list(struct crier_hub *hub, const char *prefix,
                   const char *after, unsigned limit,
                   void (*on_done)(void *closure, int error, json_t *topics),
                   void *closure)
{
    struct listing *listing;
    char *topic;
    unsigned count;
    int error;

    if (hub == NULL || after == NULL)
        return CRIER_ERR_NULL;
    if (crier__forked(hub->born))
        return CRIER_ERR_FORKED;
    if (limit < 1 || limit > LIMIT_MAX)
        return CRIER_ERR_INVALID;
    if (prefix == NULL) { /* one topic */
        error = strchr(after, ',') != NULL
                    ? CRIER_ERR_TOPIC
                    : crier__topics_parse(after, &topic, &count);
        if (error != 0)
            return error;
        free(topic);
    }
    listing = new_listing(hub, prefix, after, prefix != NULL ? limit : 1);
    if (listing == NULL)
        return -ENOMEM;
    error = crier__hub_enter(hub);
    if (error != 0) {
        free_listing(listing);
        return error;
    }
    listing->on_done = on_done;
    listing->closure = closure;
    hub->journal->ops->list(hub->journal, &listing->list);
    return 0;
}

/* ---- forgetting ------------------------------------------------------- */

struct forgetting {
    struct crier__forget forget;
    struct crier_hub *hub;
    void (*on_done)(void *closure, int error);
    void *closure;
    char *topic;
};

static void forgotten(struct crier__forget *forget)
{
    struct forgetting *forgetting = (struct forgetting *)forget;
    struct crier_hub *hub = forgetting->hub;

    if (forgetting->on_done != NULL)
        forgetting->on_done(forgetting->closure, forget->error);
    free(forgetting->topic);
    free(forgetting);
    crier__hub_leave(hub);
}

int crier_hub_forget(struct crier_hub *hub, const char *topic,
                     void (*on_done)(void *closure, int error), void *closure)
{
    struct forgetting *forgetting;
    unsigned count;
    int error;

    if (hub == NULL || topic == NULL)
        return CRIER_ERR_NULL;
    if (crier__forked(hub->born))
        return CRIER_ERR_FORKED;
    forgetting = calloc(1, sizeof *forgetting);
    if (forgetting == NULL)
        return -ENOMEM;
    error = crier__topics_parse(topic, &forgetting->topic, &count);
    if (error == 0 && strchr(topic, ',') != NULL)
        error = CRIER_ERR_TOPIC;
    if (error == 0)
        error = crier__hub_enter(hub);
    if (error != 0) {
        free(forgetting->topic);
        free(forgetting);
        return error;
    }
    forgetting->forget.done = forgotten;
    forgetting->forget.topic = forgetting->topic;
    forgetting->hub = hub;
    forgetting->on_done = on_done;
    forgetting->closure = closure;
    hub->journal->ops->forget(hub->journal, &forgetting->forget);
    return 0;
}

/* ---- status ----------------------------------------------------------- */

void crier_hub_status(struct crier_hub *hub, struct crier_status *status)
{
    if (status == NULL)
        return;
    memset(status, 0, sizeof *status);
    if (hub == NULL || crier__forked(hub->born)) {
        status->journal = "";
        status->error = hub == NULL ? CRIER_ERR_NULL : CRIER_ERR_FORKED;
        return;
    }
    status->journal = hub->journal->ops->name;
    status->gaps = atomic_load(&hub->gaps);
    status->corrected = atomic_load(&hub->journal->corrected);
    status->clock_behind = atomic_load(&hub->journal->clock_behind);
    if (!atomic_load(&hub->closed))
        status->error = hub->journal->ops->status(hub->journal,
                                                  status->reason);
    pthread_mutex_lock(&hub->lock);
    status->published = hub->published;
    pthread_mutex_unlock(&hub->lock);
}
