#ifndef CRIERD_PUBLISH_H
#define CRIERD_PUBLISH_H

#include "crierd/http/deferred.h"

/* Publishes EVENT under TOPICS by crier_hub_publish(), and responds to REQUEST when the
 * journal has answered: RESPOND finds in its deferred response the error and its reason,
 * or as text what crier_receipt_text() makes of the receipt; NUMBER is passed on. Returns
 * what the handler returns. */
bool publish_deferred(struct request *request, const char *topics,
                      const struct crier_event *event, bool dedupe,
                      long number, deferred_respond *respond);

/* Logs when the journal begins to fail, and when it ceases to; to be called with every
 * receipt. Any thread. */
void publish_log(const struct crier_receipt *receipt);

#endif
