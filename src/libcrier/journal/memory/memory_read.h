#ifndef CRIER_MEMORY_READ_H
#define CRIER_MEMORY_READ_H

#include "store.h"

/* The journal's operations read and list; see journal.h. */
void crier__memory_read(struct crier_journal *journal,
                        struct crier__read *read);
/* Under the lock: answers READ, all but `done`. False for a mirror that does not hold all
 * of the answer; nothing of READ has changed then. */
bool crier__memory_answer(struct crier__memory *memory, struct crier__read *read);

/* Under the lock: whether POSITION lies in a jump of a mirror, so that what was there is lost. */
bool crier__memory_jumped(const struct crier__memory *memory, uint64_t position);

void crier__memory_list(struct crier_journal *journal,
                        struct crier__list *list);

#endif
