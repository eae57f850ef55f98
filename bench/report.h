#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include "result.h"

/* Prints the tables to stdout. */
void report_print(const struct results *results, const struct work_size *size);

/* Writes all of it as JSON to the file PATH, in one go. */
bool report_write(const struct results *results, const struct work_size *size,
                  const char *path);

#endif
