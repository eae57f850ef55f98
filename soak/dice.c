/*
 * Random numbers: splitmix64. All of a run's come from one seed, so what is
 * tried is the same again; when it comes is not, since that is up to the
 * machine.
 */
#include <config.h>

#include "dice.h"

void dice_seed(struct dice *dice, uint64_t seed)
{
    dice->state = seed;
}

static uint64_t next(struct dice *dice)
{
    uint64_t value = dice->state += 0x9e3779b97f4a7c15;

    value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9;
    value = (value ^ value >> 27) * 0x94d049bb133111eb;
    return value ^ value >> 31;
}

uint64_t dice_range(struct dice *dice, uint64_t low, uint64_t high)
{
    return low + next(dice) % (high - low + 1);
}

bool dice_chance(struct dice *dice, unsigned percent)
{
    return next(dice) % 100 < percent;
}

uint64_t dice_ms(struct dice *dice, uint64_t low, uint64_t high)
{
    return dice_range(dice, low * 1000000, high * 1000000);
}
