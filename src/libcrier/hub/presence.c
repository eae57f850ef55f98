/*
 * Presence: how many follow a topic is published under "$presence/TOPIC", as any
 * update is, whenever it changes. The count is read and handed to the journal
 * under one lock, so the last one that is told is right.
 */
#include <config.h>

#include "presence.h"

#include "libcrier/wire/topic.h"

#include <stdio.h>
#include <string.h>

static bool has_presence(const struct crier_hub *hub, const char *topic,
                         size_t length)
{
    struct crier__topics walk = {hub->presence};
    const char *name;
    size_t own;

    if (hub->presence == NULL || crier__topic_hidden(topic) || topic[0] == '*')
        return false;
    if (strcmp(hub->presence, "*") == 0)
        return true;
    while ((name = crier__topics_next(&walk, &own)) != NULL)
        if (own == length && memcmp(name, topic, length) == 0)
            return true;
    return false;
}

/* What cannot be told for lack of memory, or because the journal does not take it,
 * is not told: the next one has the right count again. */
static void tell(struct crier_hub *hub, const char *topic, bool join)
{
    struct crier_event *event = crier_event_new();
    char under[sizeof CRIER__PRESENCE + CRIER__TOPIC_MAX];
    json_t *data;

    if (event == NULL)
        return;
    snprintf(under, sizeof under, CRIER__PRESENCE "%s", topic);
    crier_event_type(event, join ? "join" : "leave");
    pthread_mutex_lock(&hub->presence_lock);
    data = json_pack("{s:s, s:I}", "topic", topic, "count",
                     (json_int_t)crier_hub_count(hub, topic));
    crier_event_json(event, data);
    (void)crier_hub_publish(hub, under, event, NULL);
    pthread_mutex_unlock(&hub->presence_lock);
    json_decref(data);
    crier_event_free(event);
}

void crier__hub_announce(struct crier_hub *hub, const char *topics, bool join)
{
    struct crier__topics walk = {topics};
    char topic[CRIER__TOPIC_MAX + 1];
    const char *name;
    size_t length;

    if (hub->presence == NULL)
        return;
    while ((name = crier__topics_next(&walk, &length)) != NULL) {
        if (!has_presence(hub, name, length))
            continue;
        memcpy(topic, name, length);
        topic[length] = '\0';
        tell(hub, topic, join);
    }
}
