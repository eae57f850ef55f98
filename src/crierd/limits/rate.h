#ifndef CRIERD_RATE_H
#define CRIERD_RATE_H

#include <stdint.h>

/* How many seconds of its rate a bucket holds. */
#define RATE_BURST 2

/* One second in the units of time here, which are nanoseconds. */
#define RATE_SECOND UINT64_C(1000000000)

/* How long a bucket of RATE a second (0: without a limit) takes to be refilled with
 * AMOUNT. */
uint64_t rate_cost(uint64_t rate, uint64_t amount);

/* A bucket is the time at which it will be full again. Returns how long after NOW what
 * costs COST fits into the bucket FULL_AT: 0 when it does now. What costs more than a full
 * bucket fits when that is full. */
uint64_t rate_wait(uint64_t full_at, uint64_t cost, uint64_t now);

/* The bucket FULL_AT after COST has been taken from it at NOW. It may owe some of it. */
uint64_t rate_take(uint64_t full_at, uint64_t cost, uint64_t now);

#endif
