#ifndef SOAK_SUBS_H
#define SOAK_SUBS_H

#include "soak.h"

struct sub;

/* `crier sub`, some times, each a process. */
struct subs {
    struct soak *soak;
    const char *crier; /* the command; borrowed */
    size_t count;
    struct sub *all;
};

bool subs_open(struct subs *subs, struct soak *soak, const char *crier, size_t count);
void subs_close(struct subs *subs);

/* Does what is due: starts, stops, wakes and kills them; when SETTLING, wakes
 * them alone. */
bool subs_tick(struct subs *subs, bool settling, uint64_t now);

/* As clients_complete(). */
bool subs_complete(const struct subs *subs, char *who, size_t size);

/* Kills all of them. */
bool subs_leave(struct subs *subs);

#endif
