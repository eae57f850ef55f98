/*
 * The life of a hub: it is made on shards and a journal, closed before them, and freed
 * after them.
 */
#include <config.h>

#include "deliver.h"
#include "gate.h"
#include "hub.h"
#include "subscriber.h"

#include "libcrier/wire/topic.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int set_presence(struct crier_hub *hub, const char *presence)
{
    unsigned count;

    if (presence == NULL || presence[0] == '\0')
        return 0;
    if (strcmp(presence, "*") != 0)
        return crier__topics_parse(presence, &hub->presence, &count);
    hub->presence = strdup(presence);
    return hub->presence != NULL ? 0 : -ENOMEM;
}

static int init_locks(struct crier_hub *hub)
{
    pthread_mutex_t *const locks[] = {&hub->presence_lock, &hub->close_lock,
                                      &hub->lock};
    int error = -pthread_cond_init(&hub->idle, NULL);
    size_t i;

    for (i = 0; i < 3 && error == 0; i++)
        error = -pthread_mutex_init(locks[i], NULL);
    return error;
}

/* Frees HUB, which is closed, when nothing can reach it any more. */
static void free_hub(struct crier_hub *hub)
{
    crier__deliver_done(hub);
    hub->journal->ops->free(hub->journal);
    pthread_cond_destroy(&hub->idle);
    pthread_mutex_destroy(&hub->presence_lock);
    pthread_mutex_destroy(&hub->close_lock);
    pthread_mutex_destroy(&hub->lock);
    free(hub->presence);
    free(hub);
}

static bool close_for_shards(struct crier__user *user)
{
    struct crier_hub *hub = (struct crier_hub *)user;

    if (atomic_load(&hub->closed))
        return false;
    crier_hub_close(hub);
    return true;
}

static void outlive_shards(struct crier__user *user)
{
    struct crier_hub *hub = (struct crier_hub *)user;

    hub->shards = NULL;
    if (hub->given_up)
        free_hub(hub);
}

int crier_hub_new(struct crier_shards *shards, struct crier_journal *journal,
                  const struct crier_hub_options *options,
                  struct crier_hub **hub)
{
    struct crier_hub *made = NULL;
    int error = CRIER_ERR_NULL;

    if (shards == NULL || journal == NULL || hub == NULL)
        goto fail;
    error = CRIER_ERR_FORKED;
    if (crier__forked(shards->born) || crier__journal_forked(journal))
        goto fail;
    error = -ENOMEM;
    made = calloc(1, sizeof *made + shards->count * sizeof made->parts[0]);
    if (made == NULL)
        goto fail;
    error = options != NULL ? set_presence(made, options->presence) : 0;
    if (error == 0)
        error = init_locks(made);
    if (error != 0)
        goto fail;
    made->born = shards->born;
    made->shards = shards;
    made->part_count = shards->count;
    made->journal = journal;
    made->slow = options != NULL ? options->slow : CRIER_SLOW_GAP;
    journal->yield = crier__deliver_yield;
    journal->closure = made;
    made->last = journal->ops->last(journal);
    crier__deliver_init(made);
    made->user.close = close_for_shards;
    made->user.gone = outlive_shards;
    crier__shards_use(shards, &made->user);
    *hub = made;
    return 0;
fail:
    if (made != NULL)
        free(made->presence);
    free(made);
    crier_journal_free(journal);
    return error;
}

void crier_hub_close(struct crier_hub *hub)
{
    if (hub == NULL || crier__forked(hub->born) ||
        atomic_exchange(&hub->closed, true))
        return;
    if (hub->journal->ops->hurry != NULL)
        hub->journal->ops->hurry(hub->journal);
    pthread_mutex_lock(&hub->close_lock);
    while (atomic_load(&hub->asked) != 0)
        pthread_cond_wait(&hub->idle, &hub->close_lock);
    pthread_mutex_unlock(&hub->close_lock);
    hub->journal->ops->stop(hub->journal);
}

void crier_hub_free(struct crier_hub *hub)
{
    if (hub == NULL || crier__forked(hub->born))
        return;
    crier_hub_close(hub);
    if (hub->shards == NULL) {
        free_hub(hub);
        return;
    }
    crier__shards_mistake(hub->shards,
                          "crier_hub_free() before crier_shards_free(), with "
                          "which the hub will be freed");
    hub->given_up = true;
}
