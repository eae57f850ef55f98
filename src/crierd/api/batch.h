#ifndef CRIERD_BATCH_H
#define CRIERD_BATCH_H

#include "crierd/http/deferred.h"

#include <pthread.h>

/* One publication of a batch: the closure of batch_note(). */
struct batch_item {
    struct batch *batch;
    size_t number; /* in the request, from 1 */
    int64_t time;  /* the time that the update should have; 0: any */
};

/* The publications of one request, whose results are one response. */
struct batch {
    struct deferred *deferred;
    json_t *(*describe)(const struct batch *batch);
    size_t count;
    atomic_bool failed; /* otherwise than by an id that already exists */

    pthread_mutex_t lock; /* guards what follows */
    size_t open; /* how many receipts are missing, and 1 while submitting */
    size_t published, duplicates; /* the latter are among the former */
    size_t adjusted; /* published with another time than they should have */
    size_t skipped;  /* not submitted at all; set before batch_submitted() */
    json_t *last;    /* the receipt of the last one, or NULL */
    size_t number;   /* of the first one that failed; 0: none */
    int error;       /* of that one */
    char reason[DEFERRED_REASON];
    struct batch_item items[];
};

/* A new batch of COUNT publications, whose items are numbered from 1, for the request of
 * DEFERRED. DESCRIBE makes the value of the response of it (a new object, or NULL when
 * memory is short), under no lock. NULL when memory is short. */
struct batch *batch_new(struct deferred *deferred, size_t count,
                        json_t *(*describe)(const struct batch *batch));

/* Frees BATCH, of which nothing has been submitted; NULL is allowed. */
void batch_free(struct batch *batch);

/* Whether nothing more should be submitted. Any thread. */
bool batch_has_failed(struct batch *batch);

/* The journal has answered for an item: on_done of a publication. Any thread. */
void batch_note(void *closure, const struct crier_receipt *receipt);

/* The first SUBMITTED items have been given to the hub, and no more will be: because of
 * ERROR with the next one, if that is not 0. The caller must not touch BATCH any more. When
 * the last receipt is there, DEFERRED is completed, with the number, the error and the
 * reason of the first failure, and with its value. */
void batch_submitted(struct batch *batch, size_t submitted, int error);

#endif
