/*
 * The gate of a hub: how many questions to the journal are not answered yet, so that
 * the hub can wait for the last one.
 */
#include <config.h>

#include "gate.h"

int crier__hub_enter(struct crier_hub *hub)
{
    /* Counted first: either close waits for this one, or this one sees it. */
    atomic_fetch_add(&hub->asked, 1);
    if (!atomic_load(&hub->closed))
        return 0;
    crier__hub_leave(hub);
    return CRIER_ERR_HUB_CLOSED;
}

void crier__hub_leave(struct crier_hub *hub)
{
    if (atomic_fetch_sub(&hub->asked, 1) != 1 || !atomic_load(&hub->closed))
        return;
    pthread_mutex_lock(&hub->close_lock);
    pthread_cond_broadcast(&hub->idle);
    pthread_mutex_unlock(&hub->close_lock);
}
