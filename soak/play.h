#ifndef SOAK_PLAY_H
#define SOAK_PLAY_H

#include "record.h"

struct play_size {
    unsigned seconds;  /* of the whole run */
    size_t clients;    /* in this process */
    size_t subs;       /* processes of `crier sub` */
    const char *crier; /* the command */
};

/* Plays the whole run, with a crierd that it starts and ends; false when it
 * was cut short by a fault. */
bool play(struct soak *soak, struct record *record,
          const struct play_size *size);

#endif
