/*
 * Presence: whenever the number of streams that subscribe to a topic by its name changes,
 * it is published under "$presence/TOPIC" like any update. The count is read and handed
 * to the journal under one lock, so the last count published is right.
 *
 * Where nodes share the journal, each hands over its own count in this way, and the journal
 * puts the total of all into the update, when that has its place in the order.
 */
#include <config.h>

#include "presence.h"

#include "directory.h"
#include "publish.h"

#include <stdio.h>
#include <stdlib.h>

/* Sets the data of EVENT: TOPIC with COUNT, or, where nodes share the journal of HUB, with
 * CRIER__TOTAL in place of it. */
static void set_count(const struct crier_hub *hub, struct crier_event *event,
                      const char *topic, size_t count)
{
    json_t *data = json_pack("{s:s, s:I}", "topic", topic, "count", (json_int_t)count);
    char *text = NULL, *quoted;

    if (hub->directory.census == NULL) {
        crier_event_json(event, data);
    } else {
        quoted = json_dumps(json_object_get(data, "topic"), JSON_ENCODE_ANY);
        if (quoted == NULL || asprintf(&text, "{\"topic\":%s,\"count\":%c}", quoted,
                                       CRIER__TOTAL) < 0)
            text = NULL;
        crier_event_text(event, text);
        free(quoted);
        free(text);
    }
    json_decref(data);
}

/* Publishes the count of TOPIC. When memory is short or the journal refuses it, nothing
 * is published; the next update of this topic has the right count again. */
static void publish_count(struct crier_hub *hub, const char *topic, bool join)
{
    struct crier_event *event = crier_event_new();
    char name[sizeof CRIER__PRESENCE + CRIER__TOPIC_MAX];
    size_t count;

    if (event == NULL)
        return;
    snprintf(name, sizeof name, CRIER__PRESENCE "%s", topic);
    crier_event_type(event, join ? "join" : "leave");
    pthread_mutex_lock(&hub->presence_lock);
    count = hub->directory.census != NULL ? crier__directory_count_own(hub, topic)
                                          : crier__directory_count(hub, topic);
    set_count(hub, event, topic, count);
    crier__publish_count(hub, name, event, topic, count);
    pthread_mutex_unlock(&hub->presence_lock);
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

/* Whether the changes of SELECTOR are published. */
static bool has_presence(struct crier_hub *hub, const struct crier__selector *selector)
{
    return selector->kind == CRIER__EXACT && !crier__topic_hidden(selector->text) &&
           is_present(hub, selector->text);
}

void crier__presence_announce(struct crier_hub *hub,
                              const struct crier__selectors *selectors,
                              const struct crier__selectors *others, bool join)
{
    const struct crier__selector *selector = selectors->items;

    if (!atomic_load(&hub->has_presence))
        return;
    for (; selector < selectors->items + selectors->count; selector++)
        if (has_presence(hub, selector) &&
            (others == NULL || crier__selectors_find(others, selector) < 0))
            publish_count(hub, selector->text, join);
}

void crier__presence_departed(void *closure, const char *text)
{
    struct crier_hub *hub = closure;
    struct crier__selector selector;
    char copy[CRIER__SELECTOR_SIZE];

    if (!atomic_load(&hub->has_presence) || strnlen(text, sizeof copy) == sizeof copy)
        return;
    memcpy(copy, text, strlen(text) + 1);
    if (crier__selector_read(&selector, copy) != 0)
        return;
    if (has_presence(hub, &selector))
        publish_count(hub, selector.text, false);
    crier__selector_done(&selector);
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
