/*
 * Durations in buckets that grow with them: each power of two has 32 buckets, so a
 * percentile is exact to about 3 %, and counting a duration takes constant time.
 * Storing every duration would take about 100 MB in a long run.
 */
#include <config.h>

#include "histogram.h"

/* Returns the bucket of NS, from its highest six bits and their position. */
static unsigned find_cell(uint64_t ns)
{
    unsigned shift;

    if (ns < HISTOGRAM_STEPS)
        return (unsigned)ns;
    shift = 63 - (unsigned)__builtin_clzll(ns) - 5;
    return (shift + 1) * HISTOGRAM_STEPS + (unsigned)((ns >> shift) - HISTOGRAM_STEPS);
}

/* Returns the middle of a bucket, in ns. */
static double find_cell_middle(unsigned cell)
{
    unsigned shift;

    if (cell < HISTOGRAM_STEPS)
        return cell;
    shift = cell / HISTOGRAM_STEPS - 1;
    return ((double)(HISTOGRAM_STEPS + cell % HISTOGRAM_STEPS) + 0.5) *
           (double)((uint64_t)1 << shift);
}

void histogram_add(struct histogram *histogram, uint64_t ns)
{
    histogram->count++;
    histogram->cells[find_cell(ns)]++;
}

void histogram_merge(struct histogram *histogram, const struct histogram *other)
{
    histogram->count += other->count;
    for (unsigned cell = 0; cell < 64 * HISTOGRAM_STEPS; cell++)
        histogram->cells[cell] += other->cells[cell];
}

double histogram_at(const struct histogram *histogram, double share)
{
    double wanted = share * (double)histogram->count, seen = 0;

    for (unsigned cell = 0; cell < 64 * HISTOGRAM_STEPS; cell++) {
        seen += (double)histogram->cells[cell];
        if (seen >= wanted && seen > 0)
            return find_cell_middle(cell);
    }
    return 0;
}
