#ifndef SOAK_SCENARIO_H
#define SOAK_SCENARIO_H

#include "samples.h"

struct scenario_size {
    unsigned seconds;  /* of the whole run */
    size_t clients;    /* in this process */
    size_t subs;       /* processes of `crier sub` */
    const char *crier; /* the command */
};

/* Plays the whole run, with a crierd that it starts and ends; false when it
 * was cut short by a fault. */
bool scenario_run(struct soak *soak, struct samples *samples,
                  const struct scenario_size *size);

#endif
