/*
 * The life of a hub: it is made on shards and a journal, closed before them, and freed
 * after them.
 */
#include <config.h>

#include "census.h"
#include "deliver.h"
#include "gate.h"
#include "hub.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int init_hub_locks(struct crier_hub *hub)
{
    int error = crier__gate_init(&hub->gate);

    if (error == 0)
        error = -pthread_mutex_init(&hub->presence_lock, NULL);
    if (error == 0)
        error = -pthread_mutex_init(&hub->lock, NULL);
    return error;
}

/* Frees HUB, which is closed and which nothing refers to any more. */
static void free_hub(struct crier_hub *hub)
{
    crier__deliver_done(hub);
    crier__census_done(hub);
    hub->journal->ops->free(hub->journal);
    crier__index_done(&hub->directory.index);
    crier__gate_done(&hub->gate);
    pthread_mutex_destroy(&hub->presence_lock);
    pthread_mutex_destroy(&hub->lock);
    crier__selectors_free(hub->presence);
    free(hub);
}

static bool close_for_shards(struct crier__user *user)
{
    struct crier_hub *hub = (struct crier_hub *)user;

    if (crier__gate_is_closed(&hub->gate))
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
    made = calloc(1, sizeof *made + shards->count * sizeof made->per_shard[0]);
    if (made == NULL)
        goto fail;
    error = 0;
    if (options != NULL && options->presence != NULL &&
        options->presence[0] != '\0')
        error = crier__selectors_parse(options->presence, &made->presence);
    made->journal = journal;
    if (error == 0)
        error = crier__census_init(made);
    if (error == 0)
        error = init_hub_locks(made);
    if (error != 0)
        goto fail;
    made->born = shards->born;
    made->shards = shards;
    made->shard_count = shards->count;
    atomic_init(&made->has_presence, made->presence != NULL);
    atomic_init(&made->slow,
                options != NULL ? (int)options->slow : CRIER_SLOW_GAP);
    journal->yield = crier__deliver_yield;
    journal->closure = made;
    journal->missed = crier__deliver_missed;
    made->last = journal->ops->last(journal);
    crier__deliver_init(made);
    made->user.close = close_for_shards;
    made->user.gone = outlive_shards;
    crier__shards_use(shards, &made->user);
    if (journal->ops->start != NULL)
        journal->ops->start(journal);
    *hub = made;
    return 0;
fail:
    if (made != NULL) {
        crier__selectors_free(made->presence);
        free(made->directory.census);
    }
    free(made);
    crier_journal_free(journal);
    return error;
}

int crier_hub_set_slow(struct crier_hub *hub, enum crier_slow slow)
{
    if (hub == NULL)
        return CRIER_ERR_NULL;
    if (crier__forked(hub->born))
        return CRIER_ERR_FORKED;
    if (slow != CRIER_SLOW_GAP && slow != CRIER_SLOW_DISCONNECT)
        return CRIER_ERR_INVALID;
    atomic_store(&hub->slow, slow);
    return 0;
}

int crier_hub_set_retention(struct crier_hub *hub,
                            const struct crier_journal_options *options)
{
    int error;

    if (hub == NULL)
        return CRIER_ERR_NULL;
    if (crier__forked(hub->born))
        return CRIER_ERR_FORKED;
    error = crier__gate_enter(&hub->gate);
    if (error != 0)
        return error;
    error = crier__journal_retain(hub->journal, options);
    crier__gate_leave(&hub->gate);
    return error;
}

void crier_hub_close(struct crier_hub *hub)
{
    if (hub == NULL || crier__forked(hub->born) ||
        !crier__gate_close(&hub->gate))
        return;
    if (hub->journal->ops->interrupt != NULL)
        hub->journal->ops->interrupt(hub->journal);
    crier__gate_wait(&hub->gate);
    crier__census_close(hub);
    hub->journal->ops->close(hub->journal);
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
