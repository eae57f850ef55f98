/* Reads and lists that a mirror cannot answer. */
#include <config.h>

#include "redis.h"

int crier__redis_past_start(struct crier__redis *redis)
{
    (void)redis;
    return 0;
}

void crier__redis_past_free(struct crier__redis *redis)
{
    (void)redis;
}

void crier__redis_past(struct crier__redis *redis, struct crier__read *read)
{
    (void)redis;
    read->error = CRIER_ERR_STORAGE;
    read->done(read);
}

void crier__redis_list(struct crier__redis *redis, struct crier__list *list)
{
    (void)redis;
    list->error = CRIER_ERR_STORAGE;
    list->done(list);
}

void crier__redis_past_down(struct crier__redis *redis)
{
    (void)redis;
}

void crier__redis_past_close(struct crier__redis *redis)
{
    (void)redis;
}
