#ifndef CRIERD_RECEIPT_H
#define CRIERD_RECEIPT_H

#include "crier.h"

/* Counts RECEIPT, and logs when the journal begins to fail and when it works again. To be
 * called for every receipt. Any thread. */
void receipt_note(const struct crier_receipt *receipt);

/* Counts a publication that ended with ERROR before there was a receipt. Any thread. */
void receipt_count_error(int error);

/* A new object with the id, topics, position and subscribers of RECEIPT, whose error is
 * 0. NULL when memory is short. */
json_t *receipt_object(const struct crier_receipt *receipt);

#endif
