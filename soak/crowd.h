#ifndef SOAK_CROWD_H
#define SOAK_CROWD_H

#include "soak.h"

struct guest;

/* The clients in this process. */
struct crowd {
    struct soak *soak;
    size_t count;
    struct guest *guests;
    size_t coming; /* that are being let in */
    uint64_t reload; /* when the next page is reloaded, ns */
};

bool crowd_open(struct crowd *crowd, struct soak *soak, size_t count);
void crowd_close(struct crowd *crowd);

/* Does what is due: clients come, stall and leave, unless SETTLING: then
 * nobody comes or leaves any more and all read. */
bool crowd_tick(struct crowd *crowd, bool settling, uint64_t now);

/* Whether each open stream has all that it must have; if not, the first who
 * has not is described in WHO. */
bool crowd_complete(struct crowd *crowd, char *who, size_t room);

/* All leave, in one way or another. */
void crowd_leave(struct crowd *crowd);

/* A new cycle begins: all come soon. */
void crowd_invite(struct crowd *crowd, uint64_t now);

#endif
