#ifndef CRIER_PATTERN_H
#define CRIER_PATTERN_H

#include "crier.h"

#include <stdbool.h>
#include <string.h>

/*
 * A compiled URI template or URL pattern: constant and reference counted, so all streams
 * that subscribe to it share one. Any thread.
 */
struct crier__pattern;

/* Compiles SELECTOR, a template or a URL pattern, to a *new* *PATTERN.
 * CRIER_ERR_SELECTOR, -ENOMEM. */
int crier__pattern_new(const struct crier_selector *selector,
                       struct crier__pattern **pattern);

/* One more reference to PATTERN, which is returned; NULL is allowed. */
struct crier__pattern *crier__pattern_ref(struct crier__pattern *pattern);

/* Gives a reference back, the last of which frees PATTERN; NULL is allowed. */
void crier__pattern_unref(struct crier__pattern *pattern);

/* Whether both are compiled from the same text and base, of the same kind; false for
 * NULL. */
bool crier__pattern_equal(const struct crier__pattern *pattern,
                          const struct crier__pattern *other);

/* The bytes that distinguish PATTERN from others, borrowed; writes their number to
 * *LENGTH. */
const char *crier__pattern_key(const struct crier__pattern *pattern,
                               size_t *length);

/* The base of PATTERN, borrowed; "" for none, and for NULL. */
const char *crier__pattern_base(const struct crier__pattern *pattern);

/* Whether the topic NAME of LENGTH bytes matches PATTERN. */
bool crier__pattern_matches(const struct crier__pattern *pattern,
                            const char *name, size_t length);

#endif
