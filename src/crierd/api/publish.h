#ifndef CRIERD_PUBLISH_H
#define CRIERD_PUBLISH_H

#include "crierd/http/deferred.h"

/* POST /topics/a,b: publishes the body. */
bool publish_handle(struct request *request);

/* Publishes EVENT to TOPICS. When the journal has answered, RESPOND is called. It finds
 * in the deferred response the error and its reason, the receipt as text
 * (crier_receipt_text()), and NUMBER. OPTIONS have no on_done. Returns what the handler
 * returns. */
bool publish_event(struct request *request, const char *topics,
                   const struct crier_event *event,
                   const struct crier_publish_options *options, long number,
                   deferred_respond *respond);

#endif
