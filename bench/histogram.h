#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_STEPS 32

/* Counts of durations, exact to 1/32 of each. All zero is an empty histogram. */
struct histogram {
    uint64_t count;
    uint64_t cells[64 * HISTOGRAM_STEPS];
};

/* Counts a duration of NS nanoseconds. */
void histogram_add(struct histogram *histogram, uint64_t ns);

/* Adds the counts of OTHER. */
void histogram_merge(struct histogram *histogram, const struct histogram *other);

/* Returns the duration in ns that a SHARE (0 to 1) of all does not exceed; 0 if empty. */
double histogram_at(const struct histogram *histogram, double share);

#endif
