/*
 * Publishing to a crierd in one call.
 */
#include <config.h>

#include "sender.h"

#include <stdio.h>
#include <string.h>

int crier_publish(const struct crier_publisher_options *options,
                  const struct crier_event *event,
                  struct crier_published *published)
{
    struct crier__sender sender;
    struct crier__buffer body = {0};
    struct crier__outcome outcome = {0};
    struct crier__publication publication = {.count = 1};

    if (options == NULL || event == NULL) {
        outcome.error = CRIER_ERR_NULL;
        goto done;
    }
    publication.dedupe = !options->strict;
    publication.last = options->last;
    outcome.error = crier__sender_init(&sender, options);
    if (outcome.error == 0)
        outcome.error = crier__sender_write(&sender, event, &body);
    if (outcome.error == 0) {
        publication.body = body.bytes;
        publication.length = body.length;
        crier__sender_send(&sender, &publication, &outcome);
    }
    crier__buffer_done(&body);
    crier__sender_done(&sender);
done:
    if (outcome.published.reason[0] == '\0')
        snprintf(outcome.published.reason, sizeof outcome.published.reason,
                 "%s", crier_error_text(outcome.error));
    if (published != NULL)
        *published = outcome.published;
    return outcome.error;
}
