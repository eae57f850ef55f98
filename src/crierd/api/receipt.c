/*
 * What crierd does with the journal's receipts besides sending them to publishers: it
 * counts them, logs the state of the journal, and sums many of them up in one response.
 */
#include <config.h>

#include "receipt.h"

#include "crierd/log/log.h"
#include "crierd/metrics/metrics.h"

#include <errno.h>
#include <stdatomic.h>

/* What has become of a publication with ERROR. */
static enum metric find_metric(int error)
{
    switch (error) {
    case 0:
        return METRIC_PUBLISHES_ACCEPTED;
    case CRIER_ERR_MAX_BACKLOG:
        return METRIC_PUBLISHES_BACKLOG;
    case CRIER_ERR_STORAGE:
    case CRIER_ERR_STORAGE_FULL:
    case CRIER_ERR_HUB_CLOSED:
    case -ENOMEM:
        return METRIC_PUBLISHES_FAILED;
    default:
        return METRIC_PUBLISHES_REFUSED;
    }
}

void receipt_count_error(int error)
{
    metrics_count(find_metric(error));
}

void receipt_note(const struct crier_receipt *receipt)
{
    static atomic_bool failing;
    bool now = receipt->error == CRIER_ERR_STORAGE ||
               receipt->error == CRIER_ERR_STORAGE_FULL;

    metrics_count(receipt->duplicate ? METRIC_PUBLISHES_DUPLICATE
                                     : find_metric(receipt->error));
    if (receipt->error != 0 && !now)
        return;
    if (atomic_exchange(&failing, now) == now)
        return;
    if (now)
        log_line(LOG_ERROR, "the journal fails: %s", receipt->reason);
    else
        log_line(LOG_INFO, "the journal works again");
}

/* A new array of the topics of RECEIPT, or NULL when memory is short. */
static json_t *topics_array(const struct crier_receipt *receipt)
{
    json_t *array = json_array();
    size_t i;

    for (i = 0; array != NULL && i < receipt->topic_count; i++)
        if (json_array_append_new(array, json_string(receipt->topics[i])) != 0) {
            json_decref(array);
            return NULL;
        }
    return array;
}

json_t *receipt_object(const struct crier_receipt *receipt)
{
    json_t *topics = topics_array(receipt);

    if (topics == NULL)
        return NULL;
    return json_pack("{s:s, s:o, s:I, s:I}", "id", receipt->id, "topics",
                     topics, "position", (json_int_t)receipt->position,
                     "subscribers", (json_int_t)receipt->subscribers);
}
