#ifndef CRIER_MEMORY_READ_H
#define CRIER_MEMORY_READ_H

#include "store.h"

/* The two questions that change nothing. */
void crier__memory_read(struct crier_journal *journal,
                        struct crier__read *read);
void crier__memory_list(struct crier_journal *journal,
                        struct crier__list *list);

#endif
