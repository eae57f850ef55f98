/*
 * Presence: whenever the number of streams that subscribe to a topic by its name changes,
 * it is published under "$presence/TOPIC" like any update. The count is read and handed
 * to the journal under one lock, so the last count published is right.
 */
#include <config.h>

#include "presence.h"

#include <stdio.h>

/* Publishes the count of TOPIC. When memory is short or the journal refuses it, nothing
 * is published; the next update of this topic has the right count again. */
static void publish_count(struct crier_hub *hub, const char *topic, bool join)
{
    struct crier_event *event = crier_event_new();
    char name[sizeof CRIER__PRESENCE + CRIER__TOPIC_MAX];
    const char *const names[] = {name};
    json_t *data;

    if (event == NULL)
        return;
    snprintf(name, sizeof name, CRIER__PRESENCE "%s", topic);
    crier_event_type(event, join ? "join" : "leave");
    pthread_mutex_lock(&hub->presence_lock);
    data = json_pack("{s:s, s:I}", "topic", topic, "count",
                     (json_int_t)crier_hub_count(hub, topic));
    crier_event_json(event, data);
    (void)crier_hub_publish_to(hub, names, 1, event, NULL);
    pthread_mutex_unlock(&hub->presence_lock);
    json_decref(data);
    crier_event_free(event);
}

void crier__presence_announce(struct crier_hub *hub,
                              const struct crier__selectors *selectors,
                              const struct crier__selectors *others, bool join)
{
    const struct crier__selector *selector = selectors->items;

    if (hub->presence == NULL)
        return;
    for (; selector < selectors->items + selectors->count; selector++)
        if (selector->kind == CRIER__EXACT &&
            !crier__topic_hidden(selector->text) &&
            crier__selectors_match(hub->presence, selector->text) &&
            (others == NULL || crier__selectors_find(others, selector) < 0))
            publish_count(hub, selector->text, join);
}
