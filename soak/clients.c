/*
 * All clients in this process. virtual_client.c has what one of them does.
 */
#include <config.h>

#include "clients.h"

#include "bench/fault.h"
#include "virtual_client.h"

#include <stdio.h>
#include <stdlib.h>

#define PAGES 8

/* Reloads one of the pages: all its clients at once. */
static void reload_page(struct clients *clients, uint64_t now)
{
    struct rng *rng = &clients->soak->rng;
    uint64_t page = rng_range(rng, 0, PAGES - 1);
    bool returning = rng_chance(rng, 50);
    struct virtual_client *client;

    clients->reload = now + rng_ms(rng, 300, 1500);
    clients->soak->invariants.tally[TALLY_RELOADS]++;
    for (size_t i = 0; i < clients->count; i++) {
        client = &clients->all[i];
        if (client->kind != KIND_PAGE || i % PAGES != page ||
            client->state != STATE_OPEN)
            continue;
        client->returning = returning;
        virtual_client_disconnect(client, true, rng_ms(rng, 0, 20));
    }
}

bool clients_tick(struct clients *clients, bool settling, uint64_t now)
{
    struct virtual_client *client;

    if (!settling && now >= clients->reload && clients->soak->up)
        reload_page(clients, now);
    for (size_t i = 0; i < clients->count; i++) {
        client = &clients->all[i];
        if (settling ? !virtual_client_settle(client, now)
                     : client->due <= now && !virtual_client_act(client, now))
            return false;
    }
    return true;
}

bool clients_complete(struct clients *clients, char *reason, size_t size)
{
    const struct virtual_client *client;
    enum series series;
    uint64_t number;

    for (size_t i = 0; i < clients->count; i++) {
        client = &clients->all[i];
        if (client->state == STATE_AWAY)
            continue;
        if (client->state != STATE_OPEN) {
            snprintf(reason, size, "client %zu has not finished", i);
            return false;
        }
        number = check_missing(&client->check, clients->soak, client->poll, &series);
        if (number != 0 || client->poll) {
            snprintf(reason, size, "client %zu waits for %s %llu", i,
                     number != 0 ? oracle_series_name(series) : "the end",
                     (unsigned long long)number);
            return false;
        }
    }
    return true;
}

void clients_disconnect_all(struct clients *clients)
{
    for (size_t i = 0; i < clients->count; i++) {
        struct virtual_client *client = &clients->all[i];

        if (client->state == STATE_AWAY)
            continue;
        client->returning = rng_chance(&clients->soak->rng, 60);
        virtual_client_disconnect(client, rng_chance(&clients->soak->rng, 50), 0);
    }
}

void clients_begin_cycle(struct clients *clients, uint64_t now)
{
    for (size_t i = 0; i < clients->count; i++)
        if (clients->all[i].state == STATE_AWAY)
            clients->all[i].due = now + rng_ms(&clients->soak->rng, 0, 500);
}

bool clients_open(struct clients *clients, struct soak *soak, size_t count)
{
    *clients = (struct clients){.soak = soak, .count = count};
    clients->all = calloc(count, sizeof *clients->all);
    if (clients->all == NULL)
        return fault("out of memory");
    for (size_t i = 0; i < count; i++)
        if (!virtual_client_init(&clients->all[i], clients,
                                 i % 20 < 10   ? KIND_STEADY
                                 : i % 20 < 15 ? KIND_VISITOR
                                 : i % 20 < 17 ? KIND_STALLER
                                               : KIND_PAGE))
            return false;
    return true;
}

void clients_close(struct clients *clients)
{
    for (size_t i = 0; clients->all != NULL && i < clients->count; i++)
        virtual_client_done(&clients->all[i]);
    free(clients->all);
    clients->all = NULL;
}
