#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_STEPS 32

/* How often each duration came, to 1/32 of itself. All zero is an empty one.
 */
struct histogram {
    uint64_t count;
    uint64_t cells[64 * HISTOGRAM_STEPS];
};

/* Counts in one of NS nanoseconds. */
void histogram_add(struct histogram *histogram, uint64_t ns);

/* The duration in ns that a SHARE (0 to 1) of all do not exceed; 0 when empty.
 */
double histogram_at(const struct histogram *histogram, double share);

#endif
