#ifndef SOAK_PLOT_H
#define SOAK_PLOT_H

#include "samples.h"

/* Writes memory, clients and latencies over time, as SVG to the file PATH. */
bool plot_write(const struct samples *samples, uint64_t seed, const char *path);

#endif
