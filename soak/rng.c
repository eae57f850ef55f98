/*
 * Random numbers by splitmix64. All numbers of a run come from one seed, so it can be
 * repeated with the same choices; the timing depends on the machine.
 */
#include <config.h>

#include "rng.h"

void rng_seed(struct rng *rng, uint64_t seed) { rng->state = seed; }

static uint64_t next_number(struct rng *rng)
{
    uint64_t value = rng->state += 0x9e3779b97f4a7c15;

    value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9;
    value = (value ^ value >> 27) * 0x94d049bb133111eb;
    return value ^ value >> 31;
}

uint64_t rng_range(struct rng *rng, uint64_t low, uint64_t high)
{
    return low + next_number(rng) % (high - low + 1);
}

bool rng_chance(struct rng *rng, unsigned percent)
{
    return next_number(rng) % 100 < percent;
}

uint64_t rng_ms(struct rng *rng, uint64_t low, uint64_t high)
{
    return rng_range(rng, low * 1000000, high * 1000000);
}
