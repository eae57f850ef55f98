#ifndef CRIERD_RECEIPT_H
#define CRIERD_RECEIPT_H

#include "crier.h"

/* What of RECEIPT, which has no error, is told in an answer, as JSON: an object {"id",
 * "topics","position","subscribers"}, with "duplicate" when it is one. A new text, from
 * malloc(); NULL when memory is short. */
char *receipt_text(const struct crier_receipt *receipt);

/* The same without "duplicate", as a new object. NULL when memory is short. */
json_t *receipt_json(const struct crier_receipt *receipt);

#endif
