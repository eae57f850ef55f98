#ifndef SOAK_SUBS_H
#define SOAK_SUBS_H

#include "soak.h"

struct sub;

/* Processes of `crier sub`. */
struct subs {
    struct soak *soak;
    const char *crier; /* path of the command; borrowed */
    size_t count;
    struct sub *all;
};

bool subs_open(struct subs *subs, struct soak *soak, const char *crier, size_t count);
void subs_close(struct subs *subs);

/* Starts, stops, continues and kills those whose turn it is. If SETTLING, only
 * continues them. */
bool subs_tick(struct subs *subs, bool settling, uint64_t now);

/* Like clients_complete(). */
bool subs_complete(const struct subs *subs, char *reason, size_t size);

/* Kills all of them. */
bool subs_kill(struct subs *subs);

#endif
