#ifndef SOAK_CLIENTS_H
#define SOAK_CLIENTS_H

#include "soak.h"

struct virtual_client;

/* The clients in this process. */
struct clients {
    struct soak *soak;
    size_t count;
    struct virtual_client *all;
    size_t connecting;
    uint64_t reload; /* when the next page is reloaded, ns */
};

bool clients_open(struct clients *clients, struct soak *soak, size_t count);
void clients_close(struct clients *clients);

/* Runs the clients whose turn it is: they connect, stall and disconnect. If SETTLING,
 * no client connects or disconnects any more, and all read. */
bool clients_tick(struct clients *clients, bool settling, uint64_t now);

/* Returns whether each open stream has received what it must; if not, describes the
 * first one that has not in REASON. */
bool clients_complete(struct clients *clients, char *reason, size_t size);

/* Disconnects all clients, each in its own way. */
void clients_disconnect_all(struct clients *clients);

/* Starts a new cycle: all clients connect soon. */
void clients_begin_cycle(struct clients *clients, uint64_t now);

#endif
