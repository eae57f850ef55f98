/*
 * Histograms with fixed bounds. Most values are small, so the search for a bucket begins
 * with the smallest one; it costs a few instructions, and no division.
 */
#include <config.h>

#include "histogram.h"

const struct crier__histogram_bounds crier__histogram_times = {
    .count = 16,
    .bounds = {100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000,
               500000, 1000000, 2500000, 5000000, 10000000},
};

const struct crier__histogram_bounds crier__histogram_sizes = {
    .count = 11,
    .bounds = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024},
};

void crier__histogram_add(struct crier__histogram *histogram,
                          const struct crier__histogram_bounds *bounds,
                          uint64_t value)
{
    unsigned i = 0;

    while (i < bounds->count && value > bounds->bounds[i])
        i++;
    crier__counter_add(&histogram->counts[i], 1);
    crier__counter_add(&histogram->sum, value);
}

void crier__histogram_read(const struct crier__histogram *histogram,
                           const struct crier__histogram_bounds *bounds,
                           struct crier_histogram *sum)
{
    unsigned i;

    sum->bound_count = bounds->count;
    sum->bounds = bounds->bounds;
    for (i = 0; i <= bounds->count; i++)
        sum->counts[i] += crier__counter_read(&histogram->counts[i]);
    sum->sum += crier__counter_read(&histogram->sum);
}
