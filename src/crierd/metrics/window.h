#ifndef CRIERD_WINDOW_H
#define CRIERD_WINDOW_H

#include "crier.h"

/* A window covers so many samples. */
#define WINDOW_SAMPLES 60

/*
 * The percentiles of what a histogram has counted lately. A histogram only grows; so the
 * window remembers what it had counted at each of the last samples, and looks at the
 * difference. All zero is a window without samples. One thread.
 */
struct window {
    uint64_t counts[WINDOW_SAMPLES][CRIER_BUCKETS_MAX]; /* a ring */
    size_t next;       /* the oldest sample */
    bool known;        /* the percentiles are */
    uint64_t p50, p99; /* of the values within the window; where there are none, of the
                          last window that had any */
};

/* Takes a sample of HISTOGRAM, which is always the same one, into WINDOW. */
void window_sample(struct window *window, const struct crier_histogram *histogram);

#endif
