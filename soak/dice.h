#ifndef SOAK_DICE_H
#define SOAK_DICE_H

#include <stdbool.h>
#include <stdint.h>

/* Random numbers that a seed determines. */
struct dice {
    uint64_t state;
};

void dice_seed(struct dice *dice, uint64_t seed);

/* A number from LOW to HIGH, both included. */
uint64_t dice_range(struct dice *dice, uint64_t low, uint64_t high);

/* True in PERCENT of 100 cases. */
bool dice_chance(struct dice *dice, unsigned percent);

/* A duration in ns, of LOW to HIGH ms. */
uint64_t dice_ms(struct dice *dice, uint64_t low, uint64_t high);

#endif
