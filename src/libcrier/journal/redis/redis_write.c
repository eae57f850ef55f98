/*
 * Appending: the queue, batches, and the order in which they are yielded.
 *
 * What is in the queue when the thread looks goes into one batch, a run of the script APPEND.
 * Up to four batches are on their way, so Redis and the node work at the same time, and the
 * more publishers there are, the larger a batch is.
 *
 * A batch is `sent`, then `replied`; then `yielded`, when all that Redis put in front of it has
 * been yielded (others may have appended: redis_follow.c fetches that); and with `wait` it is
 * confirmed when enough replicas have it. Its appends are answered when it is yielded and
 * confirmed. Batches reply, and are yielded, in the order of their numbers.
 *
 * When the connection is lost, batches without a reply are sent again with their numbers
 * when there is a new one. Redis applies each number once. A batch that is replied and not
 * confirmed fails: its updates are in the journal, and their publishers must ask again.
 *
 * Appends that have waited for `timeout` fail, whether they are in the queue or in a batch,
 * even one that has its reply and waits for what is in front of it. The updates of such a
 * batch may be in the journal, then or later, and are fetched like those of other nodes: a
 * publisher that sends them again with their ids has each once.
 */
#include <config.h>

#include "redis.h"

#include "base/clock.h"
#include "base/counter.h"
#include "libcrier/wire/frame.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>

/* A batch ends behind the update with which its bodies exceed this. */
#define BATCH_BYTES ((size_t)1024 * 1024)

/* How many updates one topic evicts in one script at most. */
#define BUDGET "64"

/* ---- answers ---------------------------------------------------------- */

static void answer_append(struct crier__append *append, int error, const char *reason)
{
    append->error = error;
    snprintf(append->reason, sizeof append->reason, "%s", reason);
    append->done(append);
}

/* Answers all appends of BATCH, and frees it. */
static void finish_batch(struct crier__redis_batch *batch)
{
    struct crier__redis *redis = batch->redis;
    struct crier__append *append;
    unsigned i;

    DL_DELETE(redis->batches, batch);
    redis->batch_count--;
    pthread_mutex_lock(&redis->queue_lock);
    redis->on_their_way = redis->batch_count;
    pthread_mutex_unlock(&redis->queue_lock);
    for (i = 0; i < batch->count; i++) {
        append = batch->appends[i];
        /* An update that is in the journal already must be on the replicas, too. */
        if (append->error != 0 &&
            (append->error != CRIER_ERR_EXISTS || batch->error == 0))
            append->done(append);
        else
            answer_append(append, batch->error, batch->reason);
    }
    batch->finished = true;
    if (batch->open_calls == 0)
        free(batch);
}

/* Notes that a call of BATCH is answered. Returns true, and frees it with the last one, if its
 * appends were answered before. */
static bool close_call(struct crier__redis_batch *batch)
{
    batch->open_calls--;
    if (!batch->finished)
        return false;
    if (batch->open_calls == 0)
        free(batch);
    return true;
}

static void fail_batch(struct crier__redis_batch *batch, int error, const char *reason)
{
    batch->error = error;
    batch->note = 0;
    snprintf(batch->reason, sizeof batch->reason, "%.127s", reason);
    batch->replied = batch->yielded = batch->confirmed = true;
    crier__counter_add(&batch->redis->mirror.journal.failures, 1);
}

/* ---- the order -------------------------------------------------------- */

/* Whether the notes that BATCH has made are applied: that topics have not ended any more. */
static bool is_noted(const struct crier__redis_batch *batch)
{
    const struct crier__redis *redis = batch->redis;

    return batch->note == 0 || redis->last > batch->last ||
           redis->note >= batch->note;
}

void crier__redis_settle(struct crier__redis *redis)
{
    struct crier__redis_batch *batch, *next;

    while ((batch = crier__redis_next(redis)) != NULL) {
        if (batch->last > redis->last &&
            (batch->prev_last > redis->last ||
             (batch->prev_last == redis->last && batch->prev_note > redis->note))) {
            redis->fetch_wanted = true;
            crier__redis_fetch(redis);
            break;
        }
        crier__redis_yield_batch(batch);
    }
    DL_FOREACH_SAFE (redis->batches, batch, next)
        if (batch->yielded && batch->confirmed && is_noted(batch))
            finish_batch(batch);
}

/* ---- replies ---------------------------------------------------------- */

/* Reads what FAILURE, {index, code, ...}, says of an append of BATCH. */
static bool read_failure(struct crier__redis_batch *batch, const redisReply *failure)
{
    struct crier__append *append;
    const char *name;
    uint64_t index, number, same;

    if (!crier__redis_is_array(failure, 2) ||
        !crier__redis_read_number(failure->element[0], &index) ||
        index >= batch->count || failure->element[1]->type != REDIS_REPLY_STRING)
        return false;
    append = batch->appends[index];
    if (strcmp(failure->element[1]->str, "topics") == 0) {
        append->error = CRIER_ERR_MAX_TOPICS;
        return true;
    }
    if (failure->elements < 3 ||
        !crier__redis_read_number(failure->element[2], &number))
        return false;
    if (strcmp(failure->element[1]->str, "exists") == 0) {
        if (failure->elements < 4 ||
            !crier__redis_read_number(failure->element[3], &same))
            return false;
        append->error = CRIER_ERR_EXISTS;
        append->position = number;
        append->same_topics = same != 0;
        return true;
    }
    CRIER__TOPICS_EACH (append->update->topics, name)
        if (number-- == 0)
            crier__append_refuse_ended(append, name);
    return append->error != 0;
}

/* Makes the frame of UPDATE again with TOTAL in the place of CRIER__TOTAL. */
static int fill_in_total(struct crier__update *update, uint64_t total)
{
    struct crier_frame *old = update->frame, *frame;
    const char *at = memchr(old->bytes, CRIER__TOTAL, old->length);
    char number[24];
    size_t before, length;

    if (at == NULL)
        return 0;
    snprintf(number, sizeof number, "%" PRIu64, total);
    length = strlen(number);
    before = (size_t)(at - old->bytes);
    frame = crier__frame_new(old->length - 1 + length);
    if (frame == NULL)
        return -ENOMEM;
    memcpy(frame->bytes, old->bytes, before);
    memcpy(frame->bytes + before, number, length);
    memcpy(frame->bytes + before + length, at + 1, old->length - before - 1);
    update->frame = frame;
    crier_frame_unref(old);
    return 0;
}

/* Reads TOTALS, an array of {index, total}. */
static bool read_census(struct crier__redis_batch *batch, const redisReply *totals)
{
    const redisReply *one;
    uint64_t index, total;
    size_t i;

    if (!crier__redis_is_array(totals, 0))
        return false;
    for (i = 0; i < totals->elements; i++) {
        one = totals->element[i];
        if (!crier__redis_is_array(one, 2) ||
            !crier__redis_read_number(one->element[0], &index) ||
            !crier__redis_read_number(one->element[1], &total) ||
            index >= batch->count)
            return false;
        if (batch->appends[index]->error == 0)
            batch->appends[index]->error =
                fill_in_total(batch->appends[index]->update, total);
    }
    return true;
}

/* Places the updates of BATCH that did not fail, from FIRST on. */
static void place_batch(struct crier__redis_batch *batch, uint64_t first,
                        int64_t time_before)
{
    struct crier__redis *redis = batch->redis;
    struct crier__append *append;
    int64_t now = batch->now > time_before ? batch->now : time_before;
    uint64_t position = first;
    unsigned i;

    for (i = 0; i < batch->count; i++) {
        append = batch->appends[i];
        if (append->error != 0 && append->error != -ENOMEM)
            continue;
        time_before = crier__journal_time_of(append->update, time_before, now);
        if (append->error == 0)
            append->error = crier__update_place(append->update,
                                                redis->mirror.journal.epoch,
                                                position, time_before);
        batch->last = position++;
    }
}

/* Reads REPLY, that of the script APPEND. False: it is none. */
static bool read_reply(struct crier__redis_batch *batch, const redisReply *reply)
{
    struct crier__redis *redis = batch->redis;
    struct crier__redis_held held;
    const redisReply *failures;
    uint64_t first, time_before;
    size_t i;

    if (!crier__redis_is_array(reply, 7) ||
        !crier__redis_read_number(reply->element[0], &batch->prev_last) ||
        !crier__redis_read_number(reply->element[1], &batch->prev_note) ||
        !crier__redis_read_number(reply->element[2], &first) ||
        !crier__redis_read_number(reply->element[3], &time_before) ||
        !crier__redis_note_held(redis, reply->element[4], &held) ||
        !crier__redis_is_array(reply->element[5], 0))
        return false;
    failures = reply->element[5];
    for (i = 0; i < failures->elements; i++)
        if (!read_failure(batch, failures->element[i]))
            return false;
    if (!read_census(batch, reply->element[6]))
        return false;
    place_batch(batch, first, (int64_t)time_before);
    batch->note = batch->last != 0 ? held.note : 0;
    if (held.note != 0)
        redis->fetch_wanted = true;
    return true;
}

static void note_commit(const struct crier__redis_batch *batch)
{
    struct crier_journal *journal = &batch->redis->mirror.journal;

    crier__histogram_add(&journal->commit_time, &crier__histogram_times,
                         crier__clock_us() - batch->sent_at);
    crier__histogram_add(&journal->commit_size, &crier__histogram_sizes, batch->count);
}

/* Notes that updates of BATCH, which are about to be yielded, end their topics. */
static void note_ends(struct crier__redis_batch *batch)
{
    unsigned i;

    for (i = 0; i < batch->count; i++)
        if (batch->appends[i]->error == 0 && batch->appends[i]->update->last)
            atomic_store(&batch->redis->mirror.journal.ends, true);
}

/* What an error reply means for BATCH. */
static void read_error(struct crier__redis_batch *batch, const redisReply *reply)
{
    struct crier__redis *redis = batch->redis;

    if (crier__redis_is_error(reply, "CRIER_EPOCH")) {
        batch->sent = false;
        if (redis->state == CRIER__REDIS_READY)
            crier__redis_attach(redis);
        return;
    }
    if (crier__redis_is_error(reply, "NOSCRIPT") ||
        crier__redis_is_error(reply, "READONLY") ||
        crier__redis_is_error(reply, "MASTERDOWN") ||
        crier__redis_is_error(reply, "LOADING") ||
        crier__redis_is_error(reply, "BUSY")) {
        batch->sent = false; /* the link fails, and the batch is sent again */
        return;
    }
    if (crier__redis_is_error(reply, "OOM")) {
        fail_batch(batch, CRIER_ERR_STORAGE_FULL, "Redis has reached its maxmemory");
        crier__redis_set_status(redis, CRIER_ERR_STORAGE_FULL,
                                "Redis has reached its maxmemory");
        return;
    }
    fail_batch(batch, CRIER_ERR_STORAGE,
               reply->type == REDIS_REPLY_ERROR ? reply->str : "an unknown reply");
    crier__redis_set_status(redis, CRIER_ERR_STORAGE, batch->reason);
    /* The script may have been stopped half way. */
    if (redis->state == CRIER__REDIS_READY)
        crier__redis_attach(redis);
}

static void take_appended(struct crier__redis_call *call, redisReply *reply)
{
    struct crier__redis_batch *batch =
        CRIER__CONTAINER_OF(call, struct crier__redis_batch, append_call);
    struct crier__redis *redis = batch->redis;

    if (close_call(batch)) {
        /* Its appends have failed meanwhile, but their updates may be in the journal. */
        redis->fetch_wanted = true;
        crier__redis_fetch(redis);
        return;
    }
    batch->sent = false;
    if (reply == NULL)
        return; /* to be sent again */
    if (reply->type == REDIS_REPLY_ERROR) {
        read_error(batch, reply);
    } else if (read_reply(batch, reply)) {
        batch->replied = true;
        batch->confirmed = redis->link.url->wait == 0;
        note_commit(batch);
        note_ends(batch);
        if (batch->confirmed)
            crier__redis_set_status(redis, 0, "");
    } else {
        fail_batch(batch, CRIER_ERR_STORAGE, "Redis gave a reply that is none of ours");
    }
    crier__redis_settle(redis);
    crier__redis_write(redis);
    if (redis->fetch_wanted)
        crier__redis_fetch(redis);
}

/* How many replicas have the batch. */
static void take_wait(struct crier__redis_call *call, redisReply *reply)
{
    struct crier__redis_batch *batch =
        CRIER__CONTAINER_OF(call, struct crier__redis_batch, wait_call);
    struct crier__redis *redis = batch->redis;
    uint64_t replicas;

    if (close_call(batch) || batch->confirmed || !batch->replied)
        return;
    if (reply == NULL || !crier__redis_read_number(reply, &replicas))
        replicas = 0;
    batch->confirmed = true;
    if (replicas < redis->link.url->wait) {
        batch->error = CRIER_ERR_STORAGE;
        snprintf(batch->reason, sizeof batch->reason,
                 "%" PRIu64 " of %u replicas have the update", replicas,
                 redis->link.url->wait);
    }
    crier__redis_set_status(redis, batch->error, batch->reason);
    crier__redis_settle(redis);
    crier__redis_write(redis);
}

/* ---- sending ---------------------------------------------------------- */

/* The texts of a batch's arguments, until they are sent. */
struct texts {
    char number[24], now[24], policy[128];
    struct crier__buffer buffer; /* the others */
};

/* Appends the limits of UPDATE's topics to BUFFER; "" when none has any. */
static int write_limits(struct crier__redis *redis, struct crier__buffer *buffer,
                        const struct crier__update *update)
{
    size_t begin = buffer->length;
    struct crier_retention limits;
    bool any = false;
    const char *name;
    char text[80];
    int error = 0;

    CRIER__TOPICS_EACH (update->topics, name) {
        limits = crier__journal_retention(&redis->mirror.journal, name, strlen(name));
        any |= limits.count != 0 || limits.bytes != 0 || limits.age != 0;
        snprintf(text, sizeof text, "%s%zu %zu %" PRIu64,
                 buffer->length != begin ? ";" : "", limits.count, limits.bytes,
                 limits.age);
        if (error == 0)
            error = crier__buffer_add(buffer, text, strlen(text));
    }
    if (!any)
        buffer->length = begin;
    return error;
}

/* Appends to BUFFER the head, the limits and the census of APPEND, whose ends go to ENDS. */
static int write_append(struct crier__redis *redis, struct crier__buffer *buffer,
                        const struct crier__append *append, size_t ends[3])
{
    int error = crier__redis_write_head(buffer, append->update);
    char count[24];

    ends[0] = buffer->length;
    if (error == 0)
        error = write_limits(redis, buffer, append->update);
    ends[1] = buffer->length;
    if (error == 0 && append->census != NULL) {
        snprintf(count, sizeof count, "%zu ", append->census_count);
        error = crier__buffer_add(buffer, count, strlen(count));
        if (error == 0)
            error = crier__buffer_add(buffer, append->census, strlen(append->census));
    }
    ends[2] = buffer->length;
    return error;
}

/* Fills ARGS with what the script APPEND is to be given for BATCH. */
static int fill_args(struct crier__redis_batch *batch, struct crier__redis_args *args,
                     struct texts *texts)
{
    struct crier__redis *redis = batch->redis;
    size_t ends[CRIER__REDIS_BATCH_MAX][3], at = 0;
    int error = 0;
    unsigned i;

    for (i = 0; i < batch->count && error == 0; i++)
        error = write_append(redis, &texts->buffer, batch->appends[i], ends[i]);
    if (error != 0)
        return error;
    crier__redis_begin_args(redis, args);
    crier__redis_arg(args, redis->node, strlen(redis->node));
    crier__redis_arg_number(args, texts->number, batch->number);
    crier__redis_arg_number(args, texts->now, (uint64_t)batch->now);
    crier__redis_policy(redis, texts->policy);
    crier__redis_arg(args, texts->policy, strlen(texts->policy));
    crier__redis_arg(args, BUDGET, strlen(BUDGET));
    for (i = 0; i < batch->count; at = ends[i++][2]) {
        const struct crier_frame *body = batch->appends[i]->update->frame;
        const char *bytes = texts->buffer.bytes;

        crier__redis_arg(args, bytes + at, ends[i][0] - at);
        crier__redis_arg(args, body->bytes, body->length);
        crier__redis_arg(args, bytes + ends[i][0], ends[i][1] - ends[i][0]);
        crier__redis_arg(args, bytes + ends[i][1], ends[i][2] - ends[i][1]);
    }
    return args->failed ? -ENOMEM : 0;
}

/* Asks how many replicas have BATCH. A WAIT lets nothing behind it on its connection pass, so
 * those of all batches together take less than the timeout. */
static int send_wait(struct crier__redis_batch *batch)
{
    struct crier__redis_link *link = &batch->redis->link;
    struct crier__redis_args args = {0};
    char wait[24], within[24];
    int error;

    crier__redis_arg(&args, "WAIT", 4);
    crier__redis_arg_number(&args, wait, link->url->wait);
    crier__redis_arg_number(&args, within, link->url->timeout / (CRIER__REDIS_BATCHES + 1));
    batch->wait_call.on_reply = take_wait;
    error = args.failed ? -ENOMEM
                        : crier__redis_command(link, CRIER__REDIS_WRITER, &args,
                                               link->url->timeout, &batch->wait_call);
    crier__redis_args_done(&args);
    batch->open_calls += error == 0;
    return error;
}

static void send_batch(struct crier__redis_batch *batch)
{
    struct crier__redis *redis = batch->redis;
    struct crier__redis_args args = {0};
    struct texts texts = {.buffer = {0}};
    int error = fill_args(batch, &args, &texts);

    if (error == 0)
        error = crier__redis_run(&redis->link, CRIER__REDIS_WRITER, CRIER__REDIS_APPEND,
                                 NULL, &args, redis->link.url->timeout,
                                 &batch->append_call);
    crier__redis_args_done(&args);
    crier__buffer_done(&texts.buffer);
    if (error == 0) {
        batch->sent = true;
        batch->open_calls++;
        batch->sent_at = crier__clock_us();
        if (redis->link.url->wait != 0 && send_wait(batch) != 0)
            crier__redis_link_fail(&redis->link, "memory is short");
    } else if (error == -ENOMEM) {
        fail_batch(batch, -ENOMEM, "");
    }
}

/* Moves up to a batch of the queue to BATCH. */
static void fill_batch(struct crier__redis_batch *batch)
{
    struct crier__redis_queue *queue = &batch->redis->queue;
    struct crier__redis_queued *queued;
    size_t bytes = 0;

    pthread_mutex_lock(&batch->redis->queue_lock);
    while (queue->count != 0 && batch->count < CRIER__REDIS_BATCH_MAX &&
           bytes < BATCH_BYTES) {
        queued = &queue->changes[queue->first];
        if (queued->append == NULL)
            break;
        if (batch->count == 0)
            batch->until = queued->until;
        bytes += queued->append->update->frame->length;
        batch->appends[batch->count++] = queued->append;
        queue->first = (queue->first + 1) % queue->capacity;
        queue->count--;
    }
    if (batch->count != 0)
        batch->redis->on_their_way = batch->redis->batch_count + 1;
    pthread_mutex_unlock(&batch->redis->queue_lock);
}

/* Makes a batch of what is in the queue. NULL when there is nothing, or memory is short. */
static struct crier__redis_batch *new_batch(struct crier__redis *redis)
{
    struct crier__redis_batch *batch = calloc(1, sizeof *batch);

    if (batch == NULL)
        return NULL;
    batch->redis = redis;
    batch->append_call.on_reply = take_appended;
    batch->now = crier__clock_real();
    fill_batch(batch);
    if (batch->count == 0) {
        free(batch);
        return NULL;
    }
    batch->number = ++redis->batch_number;
    DL_APPEND(redis->batches, batch);
    redis->batch_count++;
    if (batch->until < redis->expire.when || redis->expire.place == 0)
        crier__timers_set(&redis->link.timers, &redis->expire, batch->until);
    return batch;
}

void crier__redis_write(struct crier__redis *redis)
{
    struct crier__redis_batch *batch;

    if (redis->state != CRIER__REDIS_READY)
        return;
    DL_FOREACH (redis->batches, batch) /* in their order */
        if (!batch->sent && !batch->replied)
            send_batch(batch);
    for (;;) {
        crier__redis_begin_forget(redis);
        if (redis->batch_count == CRIER__REDIS_BATCHES ||
            (batch = new_batch(redis)) == NULL)
            break;
        send_batch(batch);
    }
}

/* ---- failures --------------------------------------------------------- */

void crier__redis_write_down(struct crier__redis *redis)
{
    struct crier__redis_batch *batch;

    DL_FOREACH (redis->batches, batch) {
        batch->note = 0; /* attaching reads which topics have ended */
        if (batch->replied && !batch->confirmed) {
            batch->confirmed = true;
            batch->error = CRIER_ERR_STORAGE;
            snprintf(batch->reason, sizeof batch->reason,
                     "Redis was lost before its replicas had the update");
        }
    }
    crier__redis_settle(redis);
}

/* Takes what is first in the queue, and has waited until NOW. False: that has not, or there
 * is nothing. */
static bool take_expired(struct crier__redis *redis, uint64_t now, uint64_t *next,
                         struct crier__redis_queued *taken)
{
    struct crier__redis_queue *queue = &redis->queue;
    bool expired = false;

    pthread_mutex_lock(&redis->queue_lock);
    if (queue->count != 0) {
        *taken = queue->changes[queue->first];
        expired = taken->until <= now;
        if (!expired && taken->until < *next)
            *next = taken->until;
    }
    if (expired) {
        queue->first = (queue->first + 1) % queue->capacity;
        queue->count--;
    }
    pthread_mutex_unlock(&redis->queue_lock);
    return expired;
}

void crier__redis_expire(struct crier__redis *redis, bool all)
{
    uint64_t now = all ? UINT64_MAX : crier_now(), next = CRIER__NO_TIME;
    struct crier__redis_batch *batch;
    struct crier__redis_queued taken;
    char reason[128];

    pthread_mutex_lock(&redis->queue_lock);
    snprintf(reason, sizeof reason, "%s",
             redis->reason[0] != '\0' ? redis->reason : "Redis has not answered in time");
    pthread_mutex_unlock(&redis->queue_lock);
    DL_FOREACH (redis->batches, batch)
        if (batch->until > now)
            next = batch->until < next ? batch->until : next;
        else if (batch->yielded && batch->confirmed)
            batch->note = 0; /* it is answered without the ends that it has undone */
        else
            fail_batch(batch, CRIER_ERR_STORAGE, reason);
    crier__redis_settle(redis); /* which leaves none that is due */
    while (take_expired(redis, now, &next, &taken))
        if (taken.append != NULL) {
            answer_append(taken.append, CRIER_ERR_STORAGE, reason);
        } else {
            taken.forget->error = CRIER_ERR_STORAGE;
            taken.forget->done(taken.forget);
        }
    crier__timers_set(&redis->link.timers, &redis->expire, next);
}
