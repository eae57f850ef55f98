#ifndef BENCH_CHART_H
#define BENCH_CHART_H

#include "result.h"

/* Writes the budgets, and how much of each is used, as SVG to the file PATH. */
bool chart_write(const struct results *results, const char *path);

#endif
