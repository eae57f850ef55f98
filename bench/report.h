#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include "result.h"

/* Prints the tables to standard output. */
void report_print(const struct results *results, const struct work_size *size);

/* Writes the results as JSON to the file PATH. */
bool report_write(const struct results *results, const struct work_size *size,
                  const char *path);

#endif
