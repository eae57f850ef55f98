/*
 * A subscriber: one stream and the selectors that it subscribes to. This file decides for
 * each update and each stream that the update comes once, in order, and is missing only
 * where a gap says so.
 *
 * A subscriber is LIVE when it has had all that came to its shard; then it takes each
 * update as it comes. Otherwise it reads on from the journal. Then it is
 *
 *   READING   a read is on its way
 *   BLOCKED   its client must take something first; the transport reports that
 *   RETRYING  something failed (memory, storage); a timer is set
 *
 * and updates that come to the shard pass it by. `cursor` is the position up to which it
 * has had all that it subscribes to, `missed` the highest position that has passed it by.
 *
 *        subscribe                                a frame does not fit
 *   new ---------> LIVE --------------------------------------+
 *    |              ^                                         v
 *    |  the past    | the end, and                         BLOCKED
 *    +----------> READING <-----------------------------------+
 *                   |    nothing missed beyond it   drained    ^
 *                   +------------------------------------------+
 *                        some frames
 *
 * From reading to live. The directory counts a subscriber in before its first read, so
 * each update that the journal yields after that comes to the shard. A read that reaches
 * the end of the journal at E has given all up to E. A later update was yielded after
 * the read, or at least not seen by it, and comes to the shard. There are two cases. If
 * it comes before the shard looks at the answer of the read, it passes by: `missed` is
 * then beyond E, and the subscriber reads again. If it comes after that, it finds the
 * subscriber LIVE. An update that the read has given and that still comes to the shard
 * has a position up to `cursor`, and is not sent. So nothing is lost, nothing comes twice,
 * and no thread waits for another.
 *
 * The task that puts a subscriber on its lists may run after a delivery that was yielded
 * later, since updates join a list that is posted already. That is why a new subscriber
 * counts all that has been delivered on its shard as missed.
 *
 * A subscriber that waits for its client is paused: it is on no list, and its shard is not
 * even woken for it, so a client that reads nothing costs nothing. When a read has reached
 * the end, the subscriber becomes active again, on its lists and in the directory, and
 * counts what has been yielded by then as missed. If that is beyond E, it reads again,
 * active this time, and the case is the one above.
 *
 * The client learns where its stream begins before its first update: subscribe.c says how,
 * and why that position is right.
 *
 * ---- Private updates ----
 *
 * A subscriber is sent a private update only if its grants match one of the update's topics.
 * Many subscribers share their grants, so a delivery asks once for each that it meets, and
 * public updates are not asked about at all. Where the grants do not match, a subscriber
 * that is LIVE moves its cursor over the update, as it would if it had been sent it. The
 * journal leaves such updates out of what it answers. So positions are the only trace of
 * them: the ids of public updates, and the one that says where a stream begins, skip some
 * numbers, as they do for updates of other topics.
 *
 * ---- A stream that changes its topics ----
 *
 * A new subscriber takes over from the old one, with its position and the rest of its
 * state.
 *
 * When. crier_hub_change() makes the directory send updates of the new topics to the shard
 * at once, and puts the change into the list that the shard takes updates from, behind
 * those yielded until then (deliver.c). So a subscriber that is LIVE changes between two
 * updates: those yielded before the call find the old one, later ones the new one. (A task
 * of its own was rejected: updates join a list that is posted already, and could overtake
 * it.)
 *
 * A subscriber that reads may have asked before the call, and get an answer that was read
 * after it, reaches further, and lacks the new topics. So the old subscriber is discarded
 * with its answer when the change is made, and the new one asks again from the same
 * cursor. The task of the shard may be late: the thread that marked it as posted may not
 * have posted it yet. Therefore the shard makes all changes of a stream before it looks at
 * an answer.
 *
 * Where. A selector that the old subscriber covers goes on at the cursor. One that it does
 * not begins behind the last position yielded at the time of the call (`live`, as with
 * topics that are subscribed to without their past). A pattern that covers a selector of
 * the old subscriber goes on at the cursor with all that it matches, as for a client that
 * comes back with its last id. To keep apart what was subscribed to before would take one
 * more selector for each until the cursor is beyond the call.
 *
 * Rejected: to send updates of the new topics that came before the change reached the
 * shard, behind those sent since. Their positions are lower, so a client that came back
 * with the last id that it saw would get the others twice.
 *
 * ---- Topics that end ----
 *
 * A subscriber that subscribes to names alone is over when all these topics have ended and
 * it has been given their last updates (subscriber_end.c). That is looked at when it has
 * taken an update that is the last one, when it has taken what a read has found, and when
 * it has taken over. Then it closes its stream, and takes nothing more.
 *
 * The client must come back with an id of the end, or it would come back for ever. Mostly
 * that is the id of the last update. Where a stream is not sent this (its client had it
 * under another id, or may not see it), the position is sent, to clients of all kinds.
 *
 * ---- Bounds ----
 *
 * Memory: a stream has at most max_pending waiting, and one update more; the rest is in
 * the journal. An idle subscriber has no read.
 *
 * Life: made by crier_hub_subscribe() or crier_hub_change(), on the shard's thread from its
 * join task on, off the lists when its stream is over or another one takes over, and freed
 * then, or when its read has been answered.
 */
#include <config.h>

#include "subscriber.h"

#include "directory.h"
#include "presence.h"
#include "subscriber_end.h"
#include "subscriber_list.h"
#include "subscriber_read.h"

#include "base/container_of.h"
#include "libcrier/wire/frame.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* When to retry what has failed, in ms. */
#define RETRY 500

/* How many grants a delivery remembers; a power of two. */
#define MEMO_SIZE 64

/* So far before its first subscription is what each delivery looks at. */
#define SUBSCRIBER_HOT                                                          \
    (offsetof(struct crier__subscriber, subscriptions) -                        \
     offsetof(struct crier__subscriber, state))

static bool report_read(struct crier__subscriber *subscriber, int error,
                        bool gap)
{
    struct crier__first_read *first = subscriber->first_read;

    if (first == NULL)
        return false;
    subscriber->first_read = NULL;
    first->on_read(first->closure, error, gap);
    free(first);
    return true;
}

void crier__subscriber_free(struct crier__subscriber *subscriber)
{
    (void)report_read(subscriber, CRIER_ERR_CLOSED, false);
    crier_frame_unref(subscriber->start);
    crier_frame_unref(subscriber->hello);
    crier__stream_unref(subscriber->stream);
    crier_grants_unref(subscriber->grants);
    free(subscriber->job);
    crier__selectors_free(subscriber->selectors);
    free(subscriber->id);
    free(subscriber);
}

void crier__changes_free(struct crier__change *changes)
{
    struct crier__change *change, *next;

    DL_FOREACH_SAFE (changes, change, next) {
        crier__subscriber_free(change->made);
        free(change);
    }
}

void crier__change_drop(struct crier__change *change)
{
    crier__shards_release(change->made->stream->shard->set, change->cost);
    crier__subscriber_free(change->made);
    free(change);
}

static void pause_delivery(struct crier__subscriber *subscriber)
{
    struct crier__hub_shard *shard = subscriber->shard;

    if (!subscriber->active)
        return;
    subscriber->active = false;
    crier__subscriber_lists_leave(subscriber);
    crier__directory_pause(shard->hub, subscriber->selectors, shard->shard->index);
}

static bool resume_delivery(struct crier__subscriber *subscriber)
{
    struct crier__hub_shard *shard = subscriber->shard;
    uint64_t now;

    if (subscriber->active)
        return true;
    if (!crier__subscriber_lists_join(subscriber)) {
        crier__subscriber_lists_leave(subscriber);
        return false;
    }
    subscriber->active = true;
    crier__directory_resume(shard->hub, subscriber->selectors, shard->shard->index, &now);
    if (now > subscriber->missed)
        subscriber->missed = now;
    return true;
}

/* ---- reading on ------------------------------------------------------- */

static void take_answer(struct crier__task *task);

/* Makes SUBSCRIBER try again after a while. */
static void retry_later(struct crier__subscriber *subscriber)
{
    struct crier__shard *shard = subscriber->shard->shard;

    subscriber->state = CRIER__RETRYING;
    crier__timers_set(&shard->timers, &subscriber->retry, shard->now + RETRY);
}

/* The hub of SUBSCRIBER was closed before its first read. Its response may wait for the
 * report, and its stream, which has not begun, for that response. */
static void give_up_first_read(struct crier__subscriber *subscriber)
{
    if (report_read(subscriber, CRIER_ERR_HUB_CLOSED, false) && subscriber->once)
        crier_stream_close(subscriber->stream);
}

/* Makes SUBSCRIBER read on from the journal. */
static void read_on(struct crier__subscriber *subscriber)
{
    int error;

    if (subscriber->stream->ending) { /* it sends nothing any more */
        subscriber->state = CRIER__BLOCKED;
        (void)report_read(subscriber, CRIER_ERR_CLOSED, false);
        return;
    }
    error = crier__subscriber_ask(subscriber, take_answer);
    if (error == CRIER_ERR_HUB_CLOSED) /* its stream is about to end */
        give_up_first_read(subscriber);
    if (error != 0)
        retry_later(subscriber);
}

void crier__subscriber_retry(struct crier__timer *timer, uint64_t now)
{
    struct crier__subscriber *subscriber =
        CRIER__CONTAINER_OF(timer, struct crier__subscriber, retry);

    (void)now;
    read_on(subscriber);
}

/* Makes SUBSCRIBER read on as soon as its client has taken enough. */
static void read_when_drained(struct crier__subscriber *subscriber)
{
    subscriber->state = CRIER__BLOCKED;
    if (crier__stream_is_low(subscriber->stream))
        read_on(subscriber);
    else
        pause_delivery(subscriber);
}

static void drain_subscriber(struct crier_stream *stream)
{
    struct crier__subscriber *subscriber = stream->member;

    if (subscriber->state == CRIER__BLOCKED)
        read_on(subscriber);
}

/* ---- live ------------------------------------------------------------- */

static bool end_if_over(struct crier__subscriber *subscriber,
                        const struct crier__update *update, uint64_t sent);

/* Counts whether SUBSCRIBER is BEHIND. */
static void set_behind(struct crier__subscriber *subscriber, bool behind)
{
    struct crier__hub_shard *shard = subscriber->shard;

    if (behind == subscriber->behind)
        return;
    subscriber->behind = behind;
    crier__counter_add(&shard->behind, behind ? 1 : UINT64_MAX);
    if (behind)
        crier__counter_add(&shard->lagged, 1);
}

/* SUBSCRIBER cannot take the update at POSITION now. */
static void fall_behind(struct crier__subscriber *subscriber, uint64_t position,
                        int error)
{
    set_behind(subscriber, true);
    subscriber->missed = position;
    if (error == CRIER_ERR_MAX_PENDING)
        read_when_drained(subscriber);
    else
        retry_later(subscriber);
}

/* What subscribers have taken. */
struct given {
    size_t frames, bytes;
};

/* UPDATE is the last one of its topics, and its client has had it: from another node of the
 * journal, which was ahead of this one when the stream began. */
static void end_at_known(struct crier__subscriber *subscriber,
                         const struct crier__update *update)
{
    if (subscriber->state == CRIER__LIVE)
        (void)end_if_over(subscriber, update, update->position);
}

/* Gives UPDATE to SUBSCRIBER, which may see it, and adds to GIVEN; LAST is update->last.
 * gcc 12 does not inline this unasked, since there are two callers, and the call would cost
 * a twentieth of a delivery. */
static inline __attribute__((always_inline)) void
give_update(struct crier__subscriber *subscriber, struct crier__update *update,
            bool last, struct given *given)
{
    struct crier_frame *frame;
    int error = -ENOMEM;

    if (update->position <= subscriber->cursor) {
        if (last)
            end_at_known(subscriber, update);
        return;
    }
    if (subscriber->state != CRIER__LIVE) {
        if (update->position > subscriber->missed)
            subscriber->missed = update->position;
        return;
    }
    frame = crier__update_frame(update, subscriber->stream->format);
    if (frame != NULL)
        error = crier__stream_try(subscriber->stream, frame);
    if (error != 0) {
        fall_behind(subscriber, update->position, error);
        return;
    }
    given->frames++;
    given->bytes += frame->length;
    subscriber->cursor = update->position;
    if (last)
        (void)end_if_over(subscriber, update, update->position);
}

/* Makes the processor fetch the stream of NEXT, which is next, and what leads to the one
 * after that. See crier__stream_prefetch(). */
CRIER__PREFETCHES void prefetch_next(const struct crier__subscription *next)
{
    if (next == NULL)
        return;
    if (next->next != NULL) {
        __builtin_prefetch(next->next);
        __builtin_prefetch((const char *)next->next - SUBSCRIBER_HOT);
    }
    crier__stream_prefetch(next->subscriber->stream);
}

/* An update on its way to the lists of a shard. */
struct live_delivery {
    struct crier__update *update;
    struct crier__tally *tally;
};

static void deliver_to_list(void *closure, struct crier__index_entry *entry)
{
    struct crier__subscriber_list *list = (struct crier__subscriber_list *)entry;
    struct crier__subscription *subscription, *next;
    struct live_delivery *delivery = closure;
    struct given given = {0, 0};

    DL_FOREACH_SAFE (list->subscriptions, subscription, next) {
        prefetch_next(next);
        give_update(subscription->subscriber, delivery->update, false, &given);
    }
    crier__tally_sent(delivery->tally, given.frames, given.bytes);
}

/* An update that is private or the last one, and which grants match it, as far as that has
 * been asked. */
struct special_delivery {
    struct live_delivery live;
    struct {
        const struct crier_grants *grants;
        bool match;
    } memo[MEMO_SIZE];
};

static bool is_granted(struct special_delivery *delivery,
                       const struct crier_grants *grants)
{
    size_t slot = ((uintptr_t)grants >> 5) % MEMO_SIZE;

    if (grants == NULL)
        return false;
    if (delivery->memo[slot].grants != grants) {
        delivery->memo[slot].grants = grants;
        delivery->memo[slot].match =
            crier__update_visible(delivery->live.update, grants);
    }
    return delivery->memo[slot].match;
}

/* SUBSCRIBER must not see UPDATE, which is private, so it has had all up to it. But it must
 * notice when its topics end with it. */
static void skip_update(struct crier__subscriber *subscriber,
                        const struct crier__update *update)
{
    if (update->position <= subscriber->cursor) {
        if (update->last)
            end_at_known(subscriber, update);
        return;
    }
    if (subscriber->state == CRIER__LIVE) {
        subscriber->cursor = update->position;
        if (update->last)
            (void)end_if_over(subscriber, update, 0);
    } else if (update->last && update->position > subscriber->missed) {
        subscriber->missed = update->position;
    }
}

static void deliver_special_to_list(void *closure,
                                    struct crier__index_entry *entry)
{
    struct crier__subscriber_list *list = (struct crier__subscriber_list *)entry;
    struct crier__subscription *subscription, *next;
    struct special_delivery *delivery = closure;
    struct crier__update *update = delivery->live.update;
    struct given given = {0, 0};

    DL_FOREACH_SAFE (list->subscriptions, subscription, next) {
        prefetch_next(next);
        if (!update->is_private ||
            is_granted(delivery, subscription->subscriber->grants))
            give_update(subscription->subscriber, update, update->last, &given);
        else
            skip_update(subscription->subscriber, update);
    }
    crier__tally_sent(delivery->live.tally, given.frames, given.bytes);
}

void crier__subscribers_deliver(struct crier__hub_shard *shard,
                                struct crier__update *update)
{
    struct live_delivery live = {update, &shard->shard->tally};
    struct special_delivery delivery;

    if (!update->is_private && !update->last) {
        crier__subscriber_lists_match(shard, update, deliver_to_list, &live);
        return;
    }
    memset(&delivery, 0, sizeof delivery);
    delivery.live = live;
    crier__subscriber_lists_match(shard, update, deliver_special_to_list,
                                  &delivery);
}

void crier__subscribers_reread(struct crier__hub_shard *shard, uint64_t position)
{
    struct crier__subscriber *subscriber;

    if (position > shard->delivered)
        shard->delivered = position;
    DL_FOREACH (shard->subscribers, subscriber)
        if (subscriber->state == CRIER__LIVE)
            fall_behind(subscriber, position, CRIER_ERR_MAX_PENDING);
        else if (position > subscriber->missed)
            subscriber->missed = position;
}

/* ---- beginning and end ------------------------------------------------ */

static void leave_hub(struct crier_stream *stream)
{
    struct crier__subscriber *subscriber = stream->member;
    struct crier__hub_shard *shard = subscriber->shard;

    stream->member = NULL;
    stream->leave = NULL;
    stream->on_low = NULL;
    set_behind(subscriber, false);
    crier__subscriber_lists_leave(subscriber);
    if (subscriber->listed) {
        crier__timers_set(&shard->shard->timers, &subscriber->retry,
                          CRIER__NO_TIME);
        crier__timers_release(&shard->shard->timers, 1);
        DL_DELETE(shard->subscribers, subscriber);
    }
    crier__directory_leave(shard->hub, subscriber->selectors, shard->shard->index,
                         subscriber->once, subscriber->active);
    if (!subscriber->once)
        crier__presence_announce(shard->hub, subscriber->selectors, NULL, false);
    if (subscriber->state == CRIER__READING)
        subscriber->detached = true;
    else
        crier__subscriber_free(subscriber);
}

/* ---- taking over ------------------------------------------------------- */

/* Where SELECTOR begins for a subscriber that takes over from OLD; see `live`. */
static uint64_t begin_of(const struct crier__subscriber *old,
                         const struct crier__selector *selector, uint64_t after)
{
    const struct crier__selectors *selectors = old->selectors;
    uint64_t live = UINT64_MAX;
    unsigned i;

    for (i = 0; i < selectors->count; i++)
        if (crier__selector_covers(&selectors->items[i], selector) &&
            old->subscriptions[i].live < live)
            live = old->subscriptions[i].live;
    if (live != UINT64_MAX)
        return live;
    for (i = 0; i < selectors->count; i++)
        if (crier__selector_covers(selector, &selectors->items[i]))
            return 0;
    return after + 1;
}

/* Copies the state of OLD to MADE. False when memory is short. */
static bool inherit_state(struct crier__subscriber *made,
                          const struct crier__subscriber *old, uint64_t after)
{
    unsigned i;

    for (i = 0; i < made->selectors->count; i++)
        made->subscriptions[i].live =
            begin_of(old, &made->selectors->items[i], after);
    made->since = old->since;
    made->number = old->number;
    made->joined = old->joined;
    made->cursor = old->cursor;
    made->missed = old->missed;
    made->once = old->once;
    made->end_line = old->end_line;
    made->left = old->left;
    made->needs_id = old->needs_id;
    made->begin = old->begin;
    made->active = old->active;
    made->behind = old->behind;
    made->grants = crier_grants_ref(old->grants);
    if (old->id != NULL) /* a read may still name the old one's */
        made->id = strdup(old->id);
    return old->id == NULL || made->id != NULL;
}

/* Puts MADE in the place of OLD: in the stream, on the shard and on the lists. False when
 * memory is short. */
static bool replace_subscriber(struct crier__subscriber *made, struct crier__subscriber *old)
{
    struct crier__hub_shard *shard = made->shard;
    struct crier__timers *timers = &shard->shard->timers;

    made->stream->member = made;
    made->first_read = old->first_read;
    old->first_read = NULL;
    old->behind = false; /* it is the new one that is counted */
    made->listed = true; /* with the reservation of the old one */
    old->listed = false;
    if (old->retry.place != 0)
        crier__timers_set(timers, &made->retry, old->retry.when);
    crier__timers_set(timers, &old->retry, CRIER__NO_TIME);
    DL_REPLACE_ELEM(shard->subscribers, old, made);
    crier__subscriber_lists_leave(old);
    crier__directory_end_change(shard->hub, made->selectors, old->selectors, shard->shard->index,
                    made->once, made->active);
    return !made->active || crier__subscriber_lists_join(made);
}

static void take_over(struct crier__subscriber *made,
                      struct crier__subscriber *old, uint64_t after)
{
    bool asked = old->state == CRIER__READING;
    bool good = inherit_state(made, old, after);
    struct crier_hub *hub = made->shard->hub;

    made->state = asked ? CRIER__BLOCKED : old->state;
    good &= replace_subscriber(made, old);
    if (!made->once) {
        crier__presence_announce(hub, made->selectors, old->selectors, true);
        crier__presence_announce(hub, old->selectors, made->selectors, false);
    }
    if (!asked)
        crier__subscriber_copy_reported(made, old);
    if (!good)
        crier__stream_cut(made->stream, CRIER_REASON_MEMORY);
    else if (asked)
        read_on(made);
    else if (made->state == CRIER__LIVE)
        (void)end_if_over(made, NULL, UINT64_MAX);
    if (asked)
        old->detached = true;
    else
        crier__subscriber_free(old);
}

/* Makes CHANGE and frees it, or keeps it until its stream has a subscriber. A stream that ends
 * is sent nothing of the new topics; its subscriber may have found no place on its shard. */
static void make_change(struct crier__hub_shard *shard, struct crier__change *change)
{
    struct crier__subscriber *made = change->made;
    struct crier_stream *stream = made->stream;

    if (!stream->over && stream->leave != leave_hub) {
        DL_APPEND(shard->early, change);
        return;
    }
    if (stream->over || stream->ending) {
        crier__directory_end_change(shard->hub, made->selectors, NULL, shard->shard->index,
                        false, false);
        crier__change_drop(change);
        return;
    }
    crier__shards_release(shard->hub->shards, change->cost);
    take_over(made, stream->member, change->after);
    free(change);
}

struct crier__change *crier__subscribers_change(struct crier__hub_shard *shard,
                                                struct crier__change *changes,
                                                uint64_t position)
{
    struct crier__change *change;

    while ((change = changes) != NULL && change->after < position) {
        DL_DELETE(changes, change);
        make_change(shard, change);
    }
    return changes;
}

/* Takes the changes of STREAM out of *LIST, in order. */
static struct crier__change *take_changes(struct crier__change **list,
                                          const struct crier_stream *stream)
{
    struct crier__change *taken = NULL, *change, *next;

    DL_FOREACH_SAFE (*list, change, next)
        if (change->made->stream == stream) {
            DL_DELETE(*list, change);
            DL_APPEND(taken, change);
        }
    return taken;
}

/* Makes the changes of STREAM that have not reached its shard yet. Its subscriber may be
 * detached, or freed, then. */
static void make_changes_now(struct crier__hub_shard *shard,
                             const struct crier_stream *stream)
{
    struct crier__change *changes;

    pthread_mutex_lock(&shard->hub->lock);
    changes = take_changes(&shard->changes, stream);
    pthread_mutex_unlock(&shard->hub->lock);
    (void)crier__subscribers_change(shard, changes, UINT64_MAX);
}

/* Makes the changes of STREAM that came before it had a subscriber, or drops them. */
static void make_early_changes(struct crier__hub_shard *shard,
                               const struct crier_stream *stream)
{
    (void)crier__subscribers_change(shard, take_changes(&shard->early, stream),
                                  UINT64_MAX);
}

/* ---- the answer ------------------------------------------------------- */

/* Appends the updates that were read, as far as there is memory, and as far as they are
 * wanted: then READ has reached the end. 0 or -ENOMEM. */
static int append_updates(struct crier__subscriber *subscriber,
                          struct crier__read *read)
{
    struct crier_frame *frame;
    unsigned i;

    for (i = 0; i < read->count; i++) {
        frame = crier__update_copy(read->updates[i], subscriber->stream->format);
        if (frame == NULL)
            return -ENOMEM;
        crier__stream_force(subscriber->stream, frame);
        crier_frame_unref(frame);
        crier__counter_add(&subscriber->shard->shard->tally.deliveries, 1);
        subscriber->cursor = read->updates[i]->position;
        if (subscriber->left != 0 && --subscriber->left == 0) {
            read->end = true;
            return 0;
        }
    }
    subscriber->cursor = read->reached;
    return 0;
}

/* Reports the gap that the read has found to the client, or ends its stream. */
static void report_gap(struct crier__subscriber *subscriber, const char *oldest)
{
    struct crier_hub *hub = subscriber->shard->hub;
    struct crier_stream *stream = subscriber->stream;
    struct crier_frame *frame;

    atomic_fetch_add(&hub->gaps, 1);
    /* A client that comes back gets the gap and what there is. */
    if (subscriber->since == CRIER_SINCE_NOW &&
        atomic_load(&hub->slow) == CRIER_SLOW_DISCONNECT) {
        crier__stream_cut(stream, CRIER_REASON_SLOW);
        return;
    }
    if (stream->format == CRIER_FORMAT_RAW)
        return;
    frame = crier__subscriber_gap_frame(subscriber, oldest);
    if (frame != NULL)
        crier__stream_force(stream, frame);
    else
        crier__stream_cut(stream, CRIER_REASON_MEMORY);
    crier_frame_unref(frame);
}

/* Sends the client the position up to which it has had everything. -ENOMEM. */
static int send_position(struct crier__subscriber *subscriber)
{
    char id[CRIER__ID_SIZE];
    struct crier_frame *frame;

    crier__id_make(id, subscriber->shard->hub->journal->epoch, subscriber->cursor);
    frame = crier__subscriber_id_frame(subscriber, id);
    if (frame == NULL)
        return -ENOMEM;
    subscriber->needs_id = false;
    crier__stream_force(subscriber->stream, frame);
    crier_frame_unref(frame);
    return 0;
}

/* Does what the answer says. After an error, read again later. */
static int use_answer(struct crier__subscriber *subscriber,
                      struct crier__read *read)
{
    int error;

    if (read->error != 0)
        return read->error;
    if (read->gap)
        report_gap(subscriber, read->oldest);
    /* Where it begins is known now, even if the rest fails. */
    if (subscriber->since != CRIER_SINCE_NOW && read->count != 0)
        subscriber->cursor = read->updates[0]->position - 1;
    subscriber->since = CRIER_SINCE_NOW;
    free(subscriber->id);
    subscriber->id = NULL;
    error = append_updates(subscriber, read);
    if (read->count != 0) /* each update has its own id */
        subscriber->needs_id = false;
    if (error == 0 && read->end && subscriber->needs_id)
        error = send_position(subscriber);
    return error;
}

/* Sends the client of a stream in format "full", or one that wants it in JSON, that this is
 * the end: it must know it from a connection that broke. False when memory is short. */
static bool send_end(const struct crier__subscriber *subscriber)
{
    static const char comment[] = ": end\n", line[] = "{\"event\":\"end\"}\n";
    struct crier_stream *stream = subscriber->stream;
    struct crier_frame *frame;

    if (stream->format == CRIER_FORMAT_FULL)
        frame = crier__frame_of(comment, sizeof comment - 1);
    else if (stream->format == CRIER_FORMAT_JSON && subscriber->end_line)
        frame = crier__frame_of(line, sizeof line - 1);
    else
        return true;
    if (frame != NULL)
        crier__stream_force(stream, frame);
    crier_frame_unref(frame);
    return frame != NULL;
}

/* Ends the stream of SUBSCRIBER if everything that it subscribes to has ended, some of it
 * with UPDATE (or NULL). SENT is the position of the last update that was sent. Returns
 * whether it has ended. What memory is too short for is left out: the client comes back
 * for it. */
static bool end_if_over(struct crier__subscriber *subscriber,
                        const struct crier__update *update, uint64_t sent)
{
    struct crier_stream *stream = subscriber->stream;
    uint64_t last;

    if (subscriber->once || !crier__subscriber_is_over(subscriber, update, &last))
        return false;
    subscriber->state = CRIER__BLOCKED; /* updates pass it by from now on */
    if (sent < last && crier__stream_is_events(stream))
        (void)send_position(subscriber);
    (void)send_end(subscriber);
    crier__stream_finish(stream, CRIER_REASON_ENDED);
    return true;
}

/* SUBSCRIBER has all that there is. */
static void go_live(struct crier__subscriber *subscriber)
{
    free(subscriber->job);
    subscriber->job = NULL;
    set_behind(subscriber, false);
    /* With `once`, updates have passed it by, so no later one may be sent. */
    subscriber->state = subscriber->once ? CRIER__BLOCKED : CRIER__LIVE;
    if (!subscriber->once)
        return;
    if (send_end(subscriber))
        crier_stream_close(subscriber->stream);
    else
        crier__stream_cut(subscriber->stream, CRIER_REASON_MEMORY);
}

/* The position of the last update that READ has given; 0: it has given none. */
static uint64_t get_last_sent(const struct crier__read *read)
{
    return read->count != 0 ? read->updates[read->count - 1]->position : 0;
}

/* Ends STREAM, whose first read has failed for REASON. Where that was REPORTED, the program
 * responds on the same connection. */
static void end_unread(struct crier_stream *stream, bool reported,
                       enum crier_reason reason)
{
    if (reported)
        crier__stream_finish(stream, CRIER_REASON_APP);
    else
        crier__stream_cut(stream, reason);
}

static void take_answer(struct crier__task *task)
{
    struct crier__read_job *job =
        CRIER__CONTAINER_OF(task, struct crier__read_job, task);
    struct crier__subscriber *subscriber = job->subscriber;
    struct crier__read *read = &job->read;
    bool reported = false, over = false;
    int error = 0;
    unsigned i;

    /* A change discards the answer. */
    if (!subscriber->detached)
        make_changes_now(subscriber->shard, subscriber->stream);
    if (!subscriber->detached)
        error = use_answer(subscriber, read);
    if (!subscriber->detached && error == 0)
        over = end_if_over(subscriber, NULL, get_last_sent(read));
    if (read->error == 0)
        for (i = 0; i < read->count; i++)
            crier__update_unref(read->updates[i]);
    if (!subscriber->detached)
        reported = report_read(subscriber, error, error == 0 && read->gap);
    if (!subscriber->detached && error != 0 && subscriber->once)
        end_unread(subscriber->stream, reported, CRIER_REASON_JOURNAL);
    if (subscriber->detached)
        crier__subscriber_free(subscriber);
    else if (error != 0)
        retry_later(subscriber);
    else if (over)
        return;
    else if (read->end && !resume_delivery(subscriber))
        retry_later(subscriber);
    else if (read->end &&
             (subscriber->missed <= subscriber->cursor || subscriber->once))
        go_live(subscriber);
    else
        read_when_drained(subscriber);
}

/* Sends *FRAME, unless it is NULL, and drops the reference. */
static void send_first(struct crier__subscriber *subscriber,
                       struct crier_frame **frame)
{
    if (*frame != NULL)
        crier__stream_force(subscriber->stream, *frame);
    crier_frame_unref(*frame);
    *frame = NULL;
}

static void begin_subscriber(struct crier__subscriber *subscriber)
{
    struct crier__hub_shard *shard = subscriber->shard;

    DL_APPEND(shard->subscribers, subscriber);
    subscriber->listed = true;
    subscriber->state = CRIER__READING; /* not to be freed here */
    send_first(subscriber, &subscriber->start);
    send_first(subscriber, &subscriber->hello);
    if (subscriber->detached) {
        crier__subscriber_free(subscriber);
        return;
    }
    subscriber->cursor = subscriber->joined;
    if (shard->delivered > subscriber->joined)
        subscriber->missed = shard->delivered;
    if (subscriber->since == CRIER_SINCE_NOW &&
        subscriber->missed <= subscriber->cursor)
        go_live(subscriber);
    else
        read_on(subscriber);
}

void crier__subscriber_join(struct crier__task *task)
{
    struct crier__subscriber *subscriber = (struct crier__subscriber *)task;
    struct crier_stream *stream = crier__stream_ref(subscriber->stream);
    struct crier__hub_shard *shard = subscriber->shard;

    stream->member = subscriber;
    stream->leave = leave_hub;
    stream->on_low = drain_subscriber;
    if (stream->over)
        leave_hub(stream);
    else if (!crier__subscriber_lists_join(subscriber) ||
             crier__timers_reserve(&shard->shard->timers, 1) != 0)
        /* Reported now: the stream may end only when its response is sent, and the
         * response may wait for the report. */
        end_unread(stream, report_read(subscriber, -ENOMEM, false),
                   CRIER_REASON_MEMORY);
    else
        begin_subscriber(subscriber);
    if (shard->early != NULL)
        make_early_changes(shard, stream);
    crier__stream_unref(stream);
}
