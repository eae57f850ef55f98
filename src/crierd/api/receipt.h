#ifndef CRIERD_RECEIPT_H
#define CRIERD_RECEIPT_H

#include "crier.h"

/* Logs when the journal begins to fail and when it works again. To be called for every
 * receipt. Any thread. */
void receipt_log(const struct crier_receipt *receipt);

/* A new object with the id, topics, position and subscribers of RECEIPT, whose error is
 * 0. NULL when memory is short. */
json_t *receipt_object(const struct crier_receipt *receipt);

#endif
