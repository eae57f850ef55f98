/*
 * Presence: whenever the number of streams that subscribe to a topic by its name changes,
 * it is published under "$presence/TOPIC" like any update. The count is read and handed
 * to the journal under one lock, so the last count published is right.
 */
#include <config.h>

#include "presence.h"

#include "directory.h"

#include <stdio.h>
#include <stdlib.h>

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
                     (json_int_t)crier__directory_count(hub, topic));
    crier_event_json(event, data);
    (void)crier_hub_publish_to(hub, names, 1, event, NULL);
    pthread_mutex_unlock(&hub->presence_lock);
    json_decref(data);
    crier_event_free(event);
}

/* Whether the topic NAME has presence. */
static bool is_present(struct crier_hub *hub, const char *name)
{
    bool present;

    pthread_mutex_lock(&hub->lock);
    present = hub->presence != NULL &&
              crier__selectors_match(hub->presence, name);
    pthread_mutex_unlock(&hub->lock);
    return present;
}

void crier__presence_announce(struct crier_hub *hub,
                              const struct crier__selectors *selectors,
                              const struct crier__selectors *others, bool join)
{
    const struct crier__selector *selector = selectors->items;

    if (!atomic_load(&hub->has_presence))
        return;
    for (; selector < selectors->items + selectors->count; selector++)
        if (selector->kind == CRIER__EXACT &&
            !crier__topic_hidden(selector->text) &&
            is_present(hub, selector->text) &&
            (others == NULL || crier__selectors_find(others, selector) < 0))
            publish_count(hub, selector->text, join);
}

int crier_hub_set_presence(struct crier_hub *hub, const char *selectors)
{
    struct crier__selectors *made = NULL, *old;
    int error = 0;

    if (hub == NULL)
        return CRIER_ERR_NULL;
    if (crier__forked(hub->born))
        return CRIER_ERR_FORKED;
    if (selectors != NULL && selectors[0] != '\0')
        error = crier__selectors_parse(selectors, &made);
    if (error != 0)
        return error;
    pthread_mutex_lock(&hub->lock);
    old = hub->presence;
    hub->presence = made;
    atomic_store(&hub->has_presence, made != NULL);
    pthread_mutex_unlock(&hub->lock);
    crier__selectors_free(old);
    return 0;
}
