#ifndef BENCH_FAULT_H
#define BENCH_FAULT_H

#include <stdbool.h>

/* Records a fault; only the first one is kept. Returns false, for `return fault(...)`. */
bool fault(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Returns the first fault, or "" if there was none. Borrowed. */
const char *fault_text(void);

/* Makes SIGINT and SIGTERM only set a flag. */
void fault_catch_signals(void);

/* Returns whether one of these signals has arrived; that is a fault, too. */
bool fault_interrupted(void);

#endif
