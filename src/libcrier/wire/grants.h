#ifndef CRIER_GRANTS_H
#define CRIER_GRANTS_H

#include "selector.h"

/* Grants may have more selectors than a stream. */
#define CRIER__GRANTS_MAX 1000

/* Whether a selector of GRANTS matches one of TOPICS; false for NULL. Any thread. */
bool crier__grants_match_any(const struct crier_grants *grants,
                             const struct crier__topics *topics);

#endif
