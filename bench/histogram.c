/*
 * Durations in cells that grow with them: each power of two has 32 cells, so a
 * percentile is right to some 3 %, whatever it is, and counting one in costs
 * the same always. To keep all of them would be some 100 MB for a long run.
 */
#include <config.h>

#include "histogram.h"

/* The cell of NS: its highest six bits, and where they stand. */
static unsigned find_cell(uint64_t ns)
{
    unsigned shift;

    if (ns < HISTOGRAM_STEPS)
        return (unsigned)ns;
    shift = 63 - (unsigned)__builtin_clzll(ns) - 5;
    return (shift + 1) * HISTOGRAM_STEPS + (unsigned)((ns >> shift) - HISTOGRAM_STEPS);
}

/* The middle of a cell, in ns. */
static double cell_middle(unsigned cell)
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

double histogram_at(const struct histogram *histogram, double share)
{
    double wanted = share * (double)histogram->count, seen = 0;

    for (unsigned cell = 0; cell < 64 * HISTOGRAM_STEPS; cell++) {
        seen += (double)histogram->cells[cell];
        if (seen >= wanted && seen > 0)
            return cell_middle(cell);
    }
    return 0;
}
