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

/* Does what is due: clients come, stall and leave, unless SETTLING: then
 * nobody comes or leaves any more and all read. */
bool clients_tick(struct clients *clients, bool settling, uint64_t now);

/* Whether each open stream has all that it must have; if not, the first who
 * has not is described in WHO. */
bool clients_complete(struct clients *clients, char *who, size_t size);

/* All leave, in one way or another. */
void clients_leave(struct clients *clients);

/* A new cycle begins: all come soon. */
void clients_invite(struct clients *clients, uint64_t now);

#endif
