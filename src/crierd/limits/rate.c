/*
 * Token buckets. A bucket holds RATE_BURST seconds of its rate and is refilled all the
 * time, so the one thing to know of it is when it will be full again; one that was full in
 * the past is full. (The generic cell rate algorithm is the same.)
 *
 * What is larger than a bucket may be taken from a full one, which then owes the rest:
 * otherwise an update, or many in one request, could be too large for ever. The rate holds
 * all the same, since nothing else fits until the debt is paid.
 */
#include <config.h>

#include "rate.h"

#define BURST (RATE_BURST * RATE_SECOND)

/* No amount costs more: some 30 years. */
#define COST_MAX (RATE_SECOND * 1000000000)

uint64_t rate_cost(uint64_t rate, uint64_t amount)
{
    if (rate == 0)
        return 0;
    if (amount / rate >= COST_MAX / RATE_SECOND)
        return COST_MAX;
    /* Seconds and the rest on their own, or the product might be too large. */
    return amount / rate * RATE_SECOND +
           (uint64_t)((double)(amount % rate) * (double)RATE_SECOND / (double)rate);
}

uint64_t rate_wait(uint64_t full_at, uint64_t cost, uint64_t now)
{
    uint64_t missing = full_at > now ? full_at - now : 0;

    if (cost > BURST)
        cost = BURST;
    return missing + cost > BURST ? missing + cost - BURST : 0;
}

uint64_t rate_take(uint64_t full_at, uint64_t cost, uint64_t now)
{
    return (full_at > now ? full_at : now) + cost;
}
