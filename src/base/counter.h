#ifndef CRIER_COUNTER_H
#define CRIER_COUNTER_H

#include <stdatomic.h>
#include <stdint.h>

/* A number that one thread adds to, the same each time or under a lock, and that any
 * thread reads. */

/* Adds AMOUNT to COUNTER. Costs no more than an addition to memory. */
static inline void crier__counter_add(_Atomic uint64_t *counter, uint64_t amount)
{
    uint64_t value = atomic_load_explicit(counter, memory_order_relaxed);

    atomic_store_explicit(counter, value + amount, memory_order_relaxed);
}

static inline uint64_t crier__counter_read(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

#endif
