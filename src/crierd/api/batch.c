/*
 * Many publications of one request: their results become one response.
 *
 * The hub answers on any thread, also inside crier_hub_publish(). `open` counts the
 * answers that are missing, plus one while the handler is still submitting; whoever
 * brings it to 0 owns the batch, sums it up and completes the deferred response. That one
 * exists until then: its connection is suspended, or its handler runs.
 *
 * An id that exists already does not stop the others, whichever journal it is; any other
 * error does.
 */
#include <config.h>

#include "batch.h"

#include "receipt.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct batch *batch_new(struct deferred *deferred, size_t count,
                        json_t *(*describe)(const struct batch *batch))
{
    struct batch *batch =
        calloc(1, sizeof *batch + count * sizeof batch->items[0]);
    size_t i;

    if (batch == NULL)
        return NULL;
    batch->deferred = deferred;
    batch->describe = describe;
    batch->count = count;
    batch->open = count + 1;
    pthread_mutex_init(&batch->lock, NULL);
    for (i = 0; i < count; i++) {
        batch->items[i].batch = batch;
        batch->items[i].number = i + 1;
    }
    return batch;
}

void batch_free(struct batch *batch)
{
    if (batch == NULL)
        return;
    json_decref(batch->last);
    pthread_mutex_destroy(&batch->lock);
    free(batch);
}

/* Completes the deferred response, with all receipts, and frees BATCH. */
static void complete_batch(struct batch *batch)
{
    struct deferred *deferred = batch->deferred;

    deferred->error = batch->error;
    deferred->number = (long)batch->number;
    memcpy(deferred->reason, batch->reason, sizeof deferred->reason);
    deferred->value = batch->describe(batch);
    if (batch->error == 0 && deferred->value == NULL)
        deferred->error = -ENOMEM;
    batch_free(batch);
    deferred_done(deferred);
}

/* Takes COUNT off `open`. The caller holds the lock, which is released here. */
static void settle_receipts(struct batch *batch, size_t count)
{
    bool last;

    batch->open -= count;
    last = batch->open == 0;
    pthread_mutex_unlock(&batch->lock);
    if (last)
        complete_batch(batch);
}

/* Notes that the publication NUMBER has failed. The caller holds the lock. */
static void note_failure(struct batch *batch, size_t number, int error,
                         const char *reason)
{
    if (error != CRIER_ERR_EXISTS)
        atomic_store(&batch->failed, true);
    if (batch->number != 0 && batch->number < number)
        return;
    batch->number = number;
    batch->error = error;
    snprintf(batch->reason, sizeof batch->reason, "%s", reason);
}

bool batch_has_failed(struct batch *batch)
{
    return atomic_load(&batch->failed);
}

void batch_note(void *closure, const struct crier_receipt *receipt)
{
    struct batch_item *item = closure;
    struct batch *batch = item->batch;

    receipt_note(receipt);
    pthread_mutex_lock(&batch->lock);
    if (receipt->error == 0) {
        batch->published++;
        batch->duplicates += receipt->duplicate;
        batch->adjusted += item->time != 0 && !receipt->duplicate &&
                           receipt->time != item->time;
        if (item == &batch->items[batch->count - 1])
            batch->last = receipt_object(receipt);
    } else {
        note_failure(batch, item->number, receipt->error, receipt->reason);
    }
    settle_receipts(batch, 1);
}

void batch_submitted(struct batch *batch, size_t submitted, int error)
{
    pthread_mutex_lock(&batch->lock);
    if (error != 0) {
        receipt_count_error(error);
        note_failure(batch, batch->items[submitted].number, error, "");
    }
    settle_receipts(batch, batch->count - submitted + 1);
}
