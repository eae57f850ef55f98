/*
 * A gate counts the questions to the journal that are not answered yet, so that a hub
 * that closes can wait for the last one.
 *
 * A question is counted before it looks whether the gate is closed, and the gate is
 * closed before the count is looked at. So either the one who closes waits for the
 * question, or the question finds the gate closed.
 */
#include <config.h>

#include "gate.h"

int crier__gate_init(struct crier__gate *gate)
{
    int error = -pthread_mutex_init(&gate->lock, NULL);

    if (error != 0)
        return error;
    error = -pthread_cond_init(&gate->idle, NULL);
    if (error != 0)
        pthread_mutex_destroy(&gate->lock);
    return error;
}

void crier__gate_done(struct crier__gate *gate)
{
    pthread_cond_destroy(&gate->idle);
    pthread_mutex_destroy(&gate->lock);
}

int crier__gate_enter(struct crier__gate *gate)
{
    atomic_fetch_add(&gate->open, 1);
    if (!atomic_load(&gate->closed))
        return 0;
    crier__gate_leave(gate);
    return CRIER_ERR_HUB_CLOSED;
}

void crier__gate_leave(struct crier__gate *gate)
{
    if (atomic_fetch_sub(&gate->open, 1) != 1 || !atomic_load(&gate->closed))
        return;
    pthread_mutex_lock(&gate->lock);
    pthread_cond_broadcast(&gate->idle);
    pthread_mutex_unlock(&gate->lock);
}

bool crier__gate_close(struct crier__gate *gate)
{
    return !atomic_exchange(&gate->closed, true);
}

void crier__gate_wait(struct crier__gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    while (atomic_load(&gate->open) != 0)
        pthread_cond_wait(&gate->idle, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
}
