#ifndef CRIERD_EXPOSITION_H
#define CRIERD_EXPOSITION_H

#include "crier.h"

#include <stddef.h>
#include <stdint.h>

/* The media type of what is written. */
#define EXPOSITION_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* A text in Prometheus' format that is being written. One thread. */
struct exposition;

/* A new text, empty; NULL when memory is short. */
struct exposition *exposition_new(void);

/* Ends TEXT, which is freed, and returns what was written, from malloc() and the caller's;
 * NULL when memory was short. NULL is allowed. */
char *exposition_end(struct exposition *text);

/* Begins the metric NAME, of TYPE ("counter", "gauge" or "histogram"). HELP is one line
 * without backslashes. All values of a metric follow its beginning, and it has only one. */
void exposition_begin(struct exposition *text, const char *name, const char *type,
                      const char *help);

/* Writes a value of the metric that was begun last. LABELS is what stands between the
 * braces, or "". */
void exposition_count(struct exposition *text, const char *labels, uint64_t value);
void exposition_number(struct exposition *text, const char *labels, double value);

/* The same with one label, NAME, whose VALUE may hold any bytes of UTF-8. */
void exposition_count_of(struct exposition *text, const char *name,
                         const char *value, uint64_t count);

/* Writes HISTOGRAM as the metric that was begun last, its values divided by UNIT. */
void exposition_histogram(struct exposition *text,
                          const struct crier_histogram *histogram, double unit);

/* Writes all rows of the table of metrics.h. */
void exposition_table(struct exposition *text);

#endif
