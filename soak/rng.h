#ifndef SOAK_RNG_H
#define SOAK_RNG_H

#include <stdbool.h>
#include <stdint.h>

/* Random numbers, determined by a seed. */
struct rng {
    uint64_t state;
};

void rng_seed(struct rng *rng, uint64_t seed);

/* Returns a number from LOW to HIGH, both included. */
uint64_t rng_range(struct rng *rng, uint64_t low, uint64_t high);

/* Returns true in PERCENT of 100 cases. */
bool rng_chance(struct rng *rng, unsigned percent);

/* Returns a duration of LOW to HIGH ms, in ns. */
uint64_t rng_ms(struct rng *rng, uint64_t low, uint64_t high);

#endif
