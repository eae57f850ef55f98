#ifndef BENCH_FAULT_H
#define BENCH_FAULT_H

#include <stdbool.h>

/* Remembers what went wrong, in words; the first fault stays. Returns false,
 * so that `return fault(...)` ends what cannot go on. */
bool fault(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The first fault, or "" when there was none. Borrowed. */
const char *fault_text(void);

/* From now on SIGINT and SIGTERM are remembered, and nothing more. */
void fault_catch_signals(void);

/* Whether one of them came; that is a fault, too. */
bool fault_interrupted(void);

#endif
