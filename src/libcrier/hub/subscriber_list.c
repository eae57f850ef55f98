/*
 * The lists of a shard: its active subscribers, by selector.
 *
 * A list that becomes empty is freed; but while an update is delivered, only after that,
 * since the delivery walks over the lists.
 */
#include <config.h>

#include "subscriber_list.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* The list of SELECTOR, which is made if there is none. NULL when memory is short. */
static struct crier__subscriber_list *
get_list(struct crier__hub_shard *shard, const struct crier__selector *selector)
{
    size_t length = strlen(selector->text);
    struct crier__subscriber_list *list;

    list = (struct crier__subscriber_list *)crier__index_get(&shard->lists,
                                                             selector);
    if (list != NULL)
        return list;
    list = calloc(1, sizeof *list + length + 1);
    if (list == NULL)
        return NULL;
    crier__index_copy(&list->entry.selector, selector, list->text);
    if (crier__index_add(&shard->lists, &list->entry) != 0) {
        free(list);
        return NULL;
    }
    return list;
}

static void free_list(struct crier__hub_shard *shard,
                      struct crier__subscriber_list *list)
{
    crier__index_remove(&shard->lists, &list->entry);
    free(list);
}

bool crier__subscriber_lists_join(struct crier__subscriber *subscriber)
{
    const struct crier__selectors *selectors = subscriber->selectors;
    struct crier__subscription *subscription;
    unsigned i;

    for (i = 0; i < selectors->count; i++) {
        subscription = &subscriber->subscriptions[i];
        subscription->list = get_list(subscriber->shard, &selectors->items[i]);
        if (subscription->list == NULL)
            return false;
        DL_APPEND(subscription->list->subscriptions, subscription);
    }
    return true;
}

void crier__subscriber_lists_leave(struct crier__subscriber *subscriber)
{
    struct crier__hub_shard *shard = subscriber->shard;
    struct crier__subscription *subscription = subscriber->subscriptions;
    struct crier__subscriber_list *list;
    unsigned i;

    for (i = 0; i < subscriber->selectors->count; i++, subscription++) {
        list = subscription->list;
        if (list == NULL)
            continue;
        subscription->list = NULL;
        DL_DELETE(list->subscriptions, subscription);
        if (list->subscriptions != NULL || list->emptied)
            continue;
        if (!shard->delivering) {
            free_list(shard, list);
            continue;
        }
        list->emptied = true;
        list->next_emptied = shard->emptied;
        shard->emptied = list;
    }
}

void crier__subscriber_lists_match(
    struct crier__hub_shard *shard, const struct crier__update *update,
    void (*use)(void *closure, struct crier__index_entry *list), void *closure)
{
    struct crier__subscriber_list *list;

    shard->delivering = true;
    crier__index_match(&shard->lists, update->topics, update->hidden, use,
                       closure);
    shard->delivering = false;
    while ((list = shard->emptied) != NULL) {
        shard->emptied = list->next_emptied;
        free_list(shard, list);
    }
}
