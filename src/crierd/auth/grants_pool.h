#ifndef CRIERD_GRANTS_POOL_H
#define CRIERD_GRANTS_POOL_H

#include "crier.h"

/*
 * The grants of the tokens that were verified last: tokens that say the same share one
 * struct crier_grants, so the hub asks once for all their streams whether an update may be
 * seen. Any thread.
 */
struct grants_pool;

/* A new pool, or NULL. */
struct grants_pool *grants_pool_new(void);

/* Frees POOL; grants that somebody uses stay. NULL is allowed. */
void grants_pool_free(struct grants_pool *pool);

/* Writes a *new* reference to grants of COUNT SELECTORS, in this order, to *GRANTS. Errors
 * as of crier_grants_new(). */
int grants_pool_get(struct grants_pool *pool, const struct crier_selector *selectors,
                    size_t count, struct crier_grants **grants);

#endif
