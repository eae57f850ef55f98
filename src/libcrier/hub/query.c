/*
 * The other questions to a hub: the list of topics, forgetting a topic, and the status.
 *
 * A list has the topics of which the journal holds something, and those that somebody
 * subscribes to by name. Both come in order, and are merged here.
 */
#include <config.h>

#include "directory.h"
#include "gate.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT_MAX 1000

/* ---- the list --------------------------------------------------------- */

/* A topic with subscribers. */
struct subscribed {
    size_t count;
    char name[CRIER__TOPIC_SIZE];
};

struct listing {
    struct crier__list list;
    struct crier_hub *hub;
    void (*on_done)(void *closure, int error, json_t *topics);
    void *closure;
    struct subscribed *subscribed; /* `limit` of them */
    unsigned subscribed_count;
    struct crier__selectors *selectors;
    char *after; /* a copy */
};

static void free_listing(struct listing *listing)
{
    free(listing->list.infos);
    free(listing->subscribed);
    crier__selectors_free(listing->selectors);
    free(listing->after);
    free(listing);
}

/* Puts ENTRY in its place among the first COUNT entries, of which no more than LIMIT are
 * kept. Returns how many there are then. */
static unsigned insert_entry(const struct crier__directory_entry **first,
                             unsigned count, unsigned limit,
                             const struct crier__directory_entry *entry)
{
    const char *name = entry->entry.selector.text;
    unsigned low = 0, high = count, middle;

    while (low < high) {
        middle = (low + high) / 2;
        if (strcmp(first[middle]->entry.selector.text, name) > 0)
            high = middle;
        else
            low = middle + 1;
    }
    if (low == limit)
        return count;
    if (count == limit)
        count--;
    memmove(first + low + 1, first + low, (count - low) * sizeof *first);
    first[low] = entry;
    return count + 1;
}

/* Finds the first topics of LISTING that have subscribers. -ENOMEM. */
static int find_subscribed(struct listing *listing)
{
    const struct crier__list *list = &listing->list;
    const struct crier__directory_entry **first =
        calloc(list->limit, sizeof *first);
    struct crier__index_entry *entry, *next;
    struct crier_hub *hub = listing->hub;
    unsigned count = 0, i;

    if (first == NULL)
        return -ENOMEM;
    pthread_mutex_lock(&hub->lock);
    HASH_ITER (hh, hub->directory.index.entries, entry, next)
        if (((struct crier__directory_entry *)entry)->count != 0 &&
            entry->selector.kind == CRIER__EXACT &&
            crier__list_wants(list, entry->selector.text))
            count = insert_entry(first, count, list->limit,
                                 (struct crier__directory_entry *)entry);
    for (i = 0; i < count; i++) {
        listing->subscribed[i].count = first[i]->staying;
        snprintf(listing->subscribed[i].name,
                 sizeof listing->subscribed[i].name, "%s",
                 first[i]->entry.selector.text);
    }
    pthread_mutex_unlock(&hub->lock);
    listing->subscribed_count = count;
    free(first);
    return 0;
}

/* A new object that describes the topic NAME, of which INFO (or NULL) is held, with COUNT
 * subscribers. */
static json_t *describe_topic(const char *name, const struct crier__topic_info *info,
                              size_t count)
{
    static const struct crier__topic_info nothing;
    char time[CRIER__CLOCK_TEXT_SIZE];

    if (info != NULL)
        crier__clock_text(info->time, time);
    else
        info = &nothing;
    return json_pack("{s:s, s:I, s:I, s:I, s:s?, s:s?, s:s?, s:b}", "topic", name,
                     "updates", (json_int_t)info->count, "bytes",
                     (json_int_t)info->bytes, "subscribers", (json_int_t)count,
                     "first", info->count != 0 ? info->first : NULL, "last",
                     info->count != 0 ? info->last : NULL, "time",
                     info->count != 0 ? time : NULL, "ended", info->ended);
}

/* Merges both lists, which are in order. NULL when memory is short. */
static json_t *merge_lists(const struct listing *listing)
{
    const struct crier__topic_info *info = listing->list.infos;
    const struct crier__topic_info *infos_end = info + listing->list.count;
    const struct subscribed *one = listing->subscribed;
    const struct subscribed *ones_end = one + listing->subscribed_count;
    json_t *array = json_array();
    size_t limit = listing->list.limit, count;
    const char *name;
    int order;

    while (array != NULL && json_array_size(array) < limit &&
           (info < infos_end || one < ones_end)) {
        order = info == infos_end ? 1
                : one == ones_end ? -1
                                  : strcmp(info->name, one->name);
        name = order <= 0 ? info->name : one->name;
        /* A topic that is held may have subscribers beyond the end of the other list. */
        count = order >= 0 ? one->count : crier_hub_count(listing->hub, name);
        if (json_array_append_new(
                array, describe_topic(name, order <= 0 ? info : NULL, count)) !=
            0) {
            json_decref(array);
            return NULL;
        }
        info += order <= 0;
        one += order >= 0;
    }
    return array;
}

static void report_list(struct crier__list *list)
{
    struct listing *listing = (struct listing *)list;
    struct crier_hub *hub = listing->hub;
    json_t *array = NULL;
    int error = list->error;

    if (error == 0)
        error = find_subscribed(listing);
    if (error == 0) {
        array = merge_lists(listing);
        if (array == NULL)
            error = -ENOMEM;
    }
    if (listing->on_done != NULL)
        listing->on_done(listing->closure, error, array);
    else
        json_decref(array);
    free_listing(listing);
    crier__gate_leave(&hub->gate);
}

/* Makes a *new* listing. CRIER_ERR_TOPIC, CRIER_ERR_MANY_TOPICS, -ENOMEM. */
static int new_listing(struct crier_hub *hub,
                       const struct crier_list_options *options,
                       struct listing **listing)
{
    struct listing *made = calloc(1, sizeof *made);
    unsigned limit = options->limit;
    int error;

    if (made == NULL)
        return -ENOMEM;
    error = crier__selectors_parse(options->topics, &made->selectors);
    made->hub = hub;
    made->after = strdup(options->after != NULL ? options->after : "");
    made->subscribed = calloc(limit, sizeof *made->subscribed);
    made->list.infos = calloc(limit, sizeof *made->list.infos);
    made->list.done = report_list;
    made->list.selectors = made->selectors;
    made->list.after = made->after;
    made->list.limit = limit;
    if (error == 0 && (made->after == NULL || made->subscribed == NULL ||
                       made->list.infos == NULL))
        error = -ENOMEM;
    if (error != 0) {
        free_listing(made);
        return error;
    }
    *listing = made;
    return 0;
}

int crier_hub_list(struct crier_hub *hub, const struct crier_list_options *options,
                   void (*on_done)(void *closure, int error, json_t *topics),
                   void *closure)
{
    struct listing *listing;
    int error;

    if (hub == NULL || options == NULL || options->topics == NULL)
        return CRIER_ERR_NULL;
    if (crier__forked(hub->born))
        return CRIER_ERR_FORKED;
    if (options->limit < 1 || options->limit > LIMIT_MAX)
        return CRIER_ERR_INVALID;
    error = new_listing(hub, options, &listing);
    if (error != 0)
        return error;
    error = crier__gate_enter(&hub->gate);
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

static void report_forgotten(struct crier__forget *forget)
{
    struct forgetting *forgetting = (struct forgetting *)forget;
    struct crier_hub *hub = forgetting->hub;

    if (forgetting->on_done != NULL)
        forgetting->on_done(forgetting->closure, forget->error);
    free(forgetting->topic);
    free(forgetting);
    crier__gate_leave(&hub->gate);
}

int crier_hub_forget(struct crier_hub *hub, const char *topic,
                     void (*on_done)(void *closure, int error), void *closure)
{
    struct forgetting *forgetting;
    int error;

    if (hub == NULL || topic == NULL)
        return CRIER_ERR_NULL;
    if (crier__forked(hub->born))
        return CRIER_ERR_FORKED;
    forgetting = calloc(1, sizeof *forgetting);
    if (forgetting == NULL)
        return -ENOMEM;
    error = CRIER_ERR_TOPIC;
    if (crier__topic_valid(topic, strnlen(topic, CRIER__TOPIC_SIZE))) {
        forgetting->topic = strdup(topic);
        error = forgetting->topic != NULL ? 0 : -ENOMEM;
    }
    if (error == 0)
        error = crier__gate_enter(&hub->gate);
    if (error != 0) {
        free(forgetting->topic);
        free(forgetting);
        return error;
    }
    forgetting->forget.done = report_forgotten;
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
    if (!crier__gate_is_closed(&hub->gate))
        status->error = hub->journal->ops->status(hub->journal,
                                                  status->reason);
    pthread_mutex_lock(&hub->lock);
    status->published = hub->published;
    pthread_mutex_unlock(&hub->lock);
}
