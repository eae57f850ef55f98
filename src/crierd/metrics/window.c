/*
 * Percentiles out of buckets. A value is taken to be anywhere in its bucket with the same
 * probability, as Prometheus' histogram_quantile() does, so both give the same number; of
 * values beyond the last bound nothing is known but that bound.
 */
#include <config.h>

#include "window.h"

#include <string.h>

/* The value below which the part FRACTION of the TOTAL values in COUNTS is, by the bounds
 * of HISTOGRAM. */
static uint64_t find_percentile(const struct crier_histogram *histogram,
                                const uint64_t counts[CRIER_BUCKETS_MAX], uint64_t total,
                                double fraction)
{
    double rank = fraction * (double)total, below = 0, part;
    uint64_t bound = 0, before = 0;
    unsigned i;

    for (i = 0; i < histogram->bound_count; i++) {
        before = bound;
        bound = histogram->bounds[i];
        if (counts[i] != 0 && below + (double)counts[i] >= rank) {
            part = (rank - below) / (double)counts[i];
            return before + (uint64_t)((double)(bound - before) * part + 0.5);
        }
        below += (double)counts[i];
    }
    return bound;
}

void window_sample(struct window *window, const struct crier_histogram *histogram)
{
    uint64_t *oldest = window->counts[window->next];
    uint64_t counts[CRIER_BUCKETS_MAX] = {0}, total = 0;
    unsigned i;

    for (i = 0; i <= histogram->bound_count; i++) {
        counts[i] = histogram->counts[i] - oldest[i];
        total += counts[i];
    }
    memcpy(oldest, histogram->counts, sizeof window->counts[0]);
    window->next = (window->next + 1) % WINDOW_SAMPLES;
    if (total == 0)
        return;
    window->known = true;
    window->p50 = find_percentile(histogram, counts, total, 0.5);
    window->p99 = find_percentile(histogram, counts, total, 0.99);
}
