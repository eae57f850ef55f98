#ifndef CRIER_HISTOGRAM_H
#define CRIER_HISTOGRAM_H

#include "crier.h"
#include "counter.h"

/* A histogram that one thread adds to, like a counter, and that any thread reads. */
struct crier__histogram {
    _Atomic uint64_t counts[CRIER_BUCKETS_MAX];
    _Atomic uint64_t sum;
};

/* The bounds of the buckets, which those who add and those who read have to agree on. */
struct crier__histogram_bounds {
    unsigned count; /* less than CRIER_BUCKETS_MAX: the last bucket has no bound */
    uint64_t bounds[CRIER_BUCKETS_MAX - 1]; /* rising */
};

/* For times in microseconds, from 100 us to 10 s. */
extern const struct crier__histogram_bounds crier__histogram_times;

/* For sizes of groups, from 1 to 1024. */
extern const struct crier__histogram_bounds crier__histogram_sizes;

/* Adds VALUE to HISTOGRAM, which has these BOUNDS. */
void crier__histogram_add(struct crier__histogram *histogram,
                          const struct crier__histogram_bounds *bounds,
                          uint64_t value);

/* Adds what HISTOGRAM has counted to SUM, which is zeroed or has the same BOUNDS. What is
 * added meanwhile may be missing in part. */
void crier__histogram_read(const struct crier__histogram *histogram,
                           const struct crier__histogram_bounds *bounds,
                           struct crier_histogram *sum);

#endif
