#ifndef SOAK_SCENARIO_H
#define SOAK_SCENARIO_H

#include "samples.h"

struct scenario_size {
    unsigned seconds;  /* of the whole run */
    size_t clients;    /* in this process */
    size_t subs;       /* processes of `crier sub` */
    const char *crier; /* path of the command */
};

/* Runs the scenario, with a crierd that it starts and stops. Returns false if a fault
 * cut it short. */
bool scenario_run(struct soak *soak, struct samples *samples,
                  const struct scenario_size *size);

#endif
