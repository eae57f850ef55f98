/*
 * A bulk publisher: a queue, and a thread that empties it.
 *
 * Each update is an item, encoded when it is added. The thread takes as many items as
 * fit into a request and sends them without the lock; only then it takes the next ones.
 * So there is one order, and items that arrive meanwhile make the next request larger.
 * An item stays in the queue until its request is answered.
 *
 * A server may accept less in a request than was sent (413); then the requests become
 * smaller, down to a single update, which is a final refusal.
 *
 * When the last update is to be the last one of its topics, the newest item waits in the
 * queue until another one comes, or the publisher is finished: only then it is known which
 * the last one is.
 *
 * The lock guards everything but `sender`, which belongs to the thread, except for the
 * ids and the two counters that other threads may use. No other lock is taken under it.
 */
#include <config.h>

#include "base/buffer.h"
#include "base/fork.h"
#include "sender.h"
#include "base/thread.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define DEFAULT_WAITING ((size_t)1024 * 1024)
#define REQUEST_BYTES ((size_t)256 * 1024)
#define REQUEST_EVENTS 5000 /* crierd accepts 10000 */

struct item {
    struct item *next;
    size_t length;
    char bytes[];
};

struct crier_publisher {
    unsigned born; /* see fork.h */
    struct crier__sender sender;
    size_t max_waiting;
    bool ends; /* the last item is the last one of its topics */
    pthread_t thread;

    pthread_mutex_t lock;
    pthread_cond_t more; /* signalled for the thread */
    pthread_cond_t less; /* signalled for callers that add or finish */
    struct item *items, *last;
    size_t waiting; /* bytes of items */
    bool closed;    /* accepts no more */
    bool over;      /* after a final refusal or a free: nothing more is sent */
    struct crier_progress progress;
    struct crier__outcome outcome; /* of the last request */
    struct crier__buffer scratch;  /* to encode in */

    size_t request_bytes; /* the thread alone */
    struct crier__buffer body;
};

/* ---- the thread ------------------------------------------------------- */

/* Stops sending, because OUTCOME is final. With the lock. */
static void give_up(struct crier_publisher *publisher,
                    const struct crier__outcome *outcome)
{
    struct crier_progress *progress = &publisher->progress;

    publisher->outcome = *outcome;
    publisher->over = true;
    progress->failed = progress->added - progress->published;
    pthread_cond_broadcast(&publisher->less);
}

/* Whether ITEM waits for what comes behind it. With the lock. */
static bool is_kept(const struct crier_publisher *publisher,
                    const struct item *item)
{
    return publisher->ends && item->next == NULL && !publisher->closed;
}

/* Waits for items and writes the next request; *LAST says whether it ends the topics.
 * Returns the number of its items; 0 when the thread must end. With the lock. */
static size_t gather_updates(struct crier_publisher *publisher, bool *last)
{
    struct item *item;
    size_t count = 0;

    while ((publisher->items == NULL || is_kept(publisher, publisher->items)) &&
           !publisher->over)
        pthread_cond_wait(&publisher->more, &publisher->lock);
    if (publisher->over)
        return 0;
    crier__buffer_done(&publisher->body);
    LL_FOREACH (publisher->items, item) {
        if (count != 0 && publisher->body.length + item->length >
                              publisher->request_bytes)
            break;
        if (count == REQUEST_EVENTS || is_kept(publisher, item) ||
            crier__buffer_add(&publisher->body, item->bytes, item->length) !=
                0)
            break;
        count++;
    }
    *last = publisher->ends && publisher->closed && item == NULL;
    if (count == 0)
        give_up(publisher, &(struct crier__outcome){.error = -ENOMEM});
    return count;
}

/* Removes the first COUNT items from the queue. With the lock. */
static void drop_updates(struct crier_publisher *publisher, size_t count)
{
    struct item *item;

    while (count-- != 0) {
        item = publisher->items;
        publisher->items = item->next;
        publisher->waiting -= item->length;
        free(item);
    }
    if (publisher->items == NULL)
        publisher->last = NULL;
}

/* Takes the OUTCOME of the request with COUNT items. With the lock. */
static void settle_updates(struct crier_publisher *publisher, size_t count,
                           const struct crier__outcome *outcome)
{
    struct crier_progress *progress = &publisher->progress;

    if (outcome->error == CRIER_ERR_STATUS &&
        outcome->published.status == 413 && count > 1) {
        publisher->request_bytes = publisher->body.length / 2;
        return; /* the same items go into smaller requests */
    }
    progress->published += outcome->count;
    progress->duplicates += outcome->duplicates;
    if (outcome->error != 0) {
        give_up(publisher, outcome);
        return;
    }
    publisher->outcome = *outcome;
    drop_updates(publisher, count);
    pthread_cond_broadcast(&publisher->less);
}

static void *run_publisher(void *closure)
{
    struct crier_publisher *publisher = closure;
    struct crier__publication publication = {.dedupe = true};
    struct crier__outcome outcome;
    size_t count;

    pthread_mutex_lock(&publisher->lock);
    while ((count = gather_updates(publisher, &publication.last)) != 0) {
        pthread_mutex_unlock(&publisher->lock);
        publication.body = publisher->body.bytes;
        publication.length = publisher->body.length;
        publication.count = count;
        crier__sender_send(&publisher->sender, &publication, &outcome);
        pthread_mutex_lock(&publisher->lock);
        settle_updates(publisher, count, &outcome);
    }
    pthread_mutex_unlock(&publisher->lock);
    return NULL;
}

/* ---- its life --------------------------------------------------------- */

static void destroy_publisher(struct crier_publisher *publisher)
{
    struct item *item, *next;

    LL_FOREACH_SAFE (publisher->items, item, next)
        free(item);
    pthread_mutex_destroy(&publisher->lock);
    pthread_cond_destroy(&publisher->more);
    pthread_cond_destroy(&publisher->less);
    crier__buffer_done(&publisher->scratch);
    crier__buffer_done(&publisher->body);
    crier__sender_done(&publisher->sender);
    free(publisher);
}

int crier_publisher_new(const struct crier_publisher_options *options,
                        struct crier_publisher **publisher)
{
    struct crier_publisher *made;
    int error;

    if (options == NULL || publisher == NULL)
        return CRIER_ERR_NULL;
    made = calloc(1, sizeof *made);
    if (made == NULL)
        return -ENOMEM;
    made->max_waiting =
        options->max_waiting != 0 ? options->max_waiting : DEFAULT_WAITING;
    made->ends = options->last;
    made->request_bytes = REQUEST_BYTES;
    /* An update of the maximal size, and the id that the publisher makes. */
    made->body.max = made->scratch.max = CRIER_EVENT_MAX + 64;
    pthread_mutex_init(&made->lock, NULL);
    pthread_cond_init(&made->more, NULL);
    pthread_cond_init(&made->less, NULL);
    error = crier__sender_init(&made->sender, options);
    if (error == 0)
        error = crier__fork_watch(&made->born);
    if (error == 0)
        error = crier__thread_start(&made->thread, run_publisher, made);
    if (error != 0) {
        destroy_publisher(made);
        return error;
    }
    *publisher = made;
    return 0;
}

void crier_publisher_free(struct crier_publisher *publisher)
{
    if (publisher == NULL || crier__forked(publisher->born))
        return;
    pthread_mutex_lock(&publisher->lock);
    publisher->closed = publisher->over = true;
    pthread_cond_broadcast(&publisher->more);
    pthread_cond_broadcast(&publisher->less);
    pthread_mutex_unlock(&publisher->lock);
    crier__sender_stop(&publisher->sender);
    pthread_join(publisher->thread, NULL);
    destroy_publisher(publisher);
}

/* ---- adding ----------------------------------------------------------- */

/* Makes an item of EVENT. With the lock. */
static int make_item(struct crier_publisher *publisher,
                     const struct crier_event *event, struct item **item)
{
    struct crier__buffer *scratch = &publisher->scratch;
    struct item *made;
    int error;

    crier__buffer_clear(scratch);
    error = crier__sender_write(&publisher->sender, event, scratch);
    if (error != 0)
        return error;
    made = malloc(sizeof *made + scratch->length);
    if (made == NULL)
        return -ENOMEM;
    made->next = NULL;
    made->length = scratch->length;
    memcpy(made->bytes, scratch->bytes, scratch->length);
    *item = made;
    return 0;
}

/* Queues ITEM when max_waiting allows it, for which it may wait. With the lock. */
static int queue_item(struct crier_publisher *publisher, struct item *item,
                      bool may_wait)
{
    while (publisher->items != NULL && !is_kept(publisher, publisher->items) &&
           !publisher->closed && !publisher->over &&
           publisher->waiting + item->length > publisher->max_waiting) {
        if (!may_wait)
            return CRIER_ERR_MAX_WAITING;
        pthread_cond_wait(&publisher->less, &publisher->lock);
    }
    if (publisher->closed || publisher->over)
        return CRIER_ERR_FINISHED;
    if (publisher->last != NULL)
        publisher->last->next = item;
    else
        publisher->items = item;
    publisher->last = item;
    publisher->waiting += item->length;
    publisher->progress.added++;
    pthread_cond_signal(&publisher->more);
    return 0;
}

static int add_event(struct crier_publisher *publisher,
                     const struct crier_event *event, bool may_wait)
{
    struct item *item;
    int error;

    if (publisher == NULL || event == NULL)
        return CRIER_ERR_NULL;
    if (crier__forked(publisher->born))
        return CRIER_ERR_FORKED;
    pthread_mutex_lock(&publisher->lock);
    error = make_item(publisher, event, &item);
    if (error == 0) {
        error = queue_item(publisher, item, may_wait);
        if (error != 0)
            free(item);
    }
    pthread_mutex_unlock(&publisher->lock);
    return error;
}

int crier_publisher_add(struct crier_publisher *publisher,
                        const struct crier_event *event)
{
    return add_event(publisher, event, true);
}

int crier_publisher_try(struct crier_publisher *publisher,
                        const struct crier_event *event)
{
    return add_event(publisher, event, false);
}

void crier_publisher_progress(struct crier_publisher *publisher,
                              struct crier_progress *progress)
{
    if (progress == NULL)
        return;
    memset(progress, 0, sizeof *progress);
    if (publisher == NULL || crier__forked(publisher->born))
        return;
    pthread_mutex_lock(&publisher->lock);
    *progress = publisher->progress;
    pthread_mutex_unlock(&publisher->lock);
    progress->retries = atomic_load(&publisher->sender.retries);
}

int crier_publisher_finish(struct crier_publisher *publisher,
                           struct crier_published *published)
{
    int error;

    if (publisher == NULL)
        return CRIER_ERR_NULL;
    if (crier__forked(publisher->born))
        return CRIER_ERR_FORKED;
    pthread_mutex_lock(&publisher->lock);
    publisher->closed = true;
    pthread_cond_broadcast(&publisher->less);
    pthread_cond_signal(&publisher->more);
    while (publisher->items != NULL && !publisher->over)
        pthread_cond_wait(&publisher->less, &publisher->lock);
    error = publisher->outcome.error;
    if (published != NULL) {
        *published = publisher->outcome.published;
        if (published->reason[0] == '\0')
            snprintf(published->reason, sizeof published->reason, "%s",
                     crier_error_text(error));
    }
    pthread_mutex_unlock(&publisher->lock);
    return error;
}
