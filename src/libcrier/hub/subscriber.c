/*
 * A subscriber: one stream and the topics it follows. Here is decided, for every
 * update and every stream, that it comes once, in order, and not at all only
 * where a gap says so.
 *
 * A subscriber is LIVE when it has had all that came to its shard, and takes each
 * update as it comes. Otherwise it reads on from the journal: it is
 *
 *   ASKED    a read is on its way
 *   FULL     its client must take something first; the transport will tell
 *   WAITING  something failed (memory, storage); a timer will tell
 *
 * and lets updates that come to the shard pass. `cursor` is the position up to
 * which it has had everything it follows; `missed` the highest that it let pass.
 *
 *        follow                                   a frame does not fit
 *   new ---------> LIVE -------------------------------------+
 *    |              ^                                        v
 *    |  the past    | the end, and                         FULL
 *    +-----------> ASKED <-----------------------------------+
 *                   |    nothing missed beyond it    low      ^
 *                   +----------------------------------------+
 *                        some frames
 *
 * The hand-over from reading to live. A subscriber is counted in with the hub before
 * its first read, so every update that the journal yields after that comes to the
 * shard. A read that reaches the end of the journal at E has given all up to E.
 * What is later than E was yielded after the read, or at least not seen by it; it
 * comes to the shard, and there are two cases. It came before the answer to the
 * read was looked at: then it was let pass, `missed` is beyond E, and the subscriber
 * reads again. Or it comes later: then it finds the subscriber LIVE. What the read
 * has given and the shard is still to be given is known by its position, which is
 * not beyond `cursor`. So nothing is lost and nothing comes twice, and nobody
 * waited for anybody.
 *
 * The task that puts a subscriber on its lines may run after a delivery that was
 * yielded later (lists ride along with what is posted already). That is why a new
 * subscriber takes all that has been delivered on the shard for missed.
 *
 * A subscriber that waits for its client dozes: it is off its lines, and its shard is
 * not even woken for its sake, so those who take nothing cost nothing. When a read
 * has reached the end it is put back on its lines and counted as awake, and what has
 * been yielded by then is taken for missed; if that is beyond E, it reads again,
 * awake this time, and the case is the one above.
 *
 * A stream that changes its topics gets another subscriber: follow_change.c. A client is
 * told where it is before its first update: follow.c says how, and why that position is
 * right.
 *
 * Memory. A stream has at most max_pending waiting, and one update more; the rest
 * is the journal. An idle subscriber has no read.
 *
 * Life: made by crier_hub_subscribe(), on the shard's thread from its join task on,
 * gone from the lines when the stream is over or another one takes over, freed then or
 * when its read has been answered.
 */
#include <config.h>

#include "subscriber.h"

#include "libcrier/wire/frame.h"
#include "libcrier/wire/topic.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* So far before its first sub is what each update looks at in a subscriber. */
#define SUBSCRIBER_HOT                                                          \
    (offsetof(struct crier__subscriber, subs) -                                 \
     offsetof(struct crier__subscriber, state))

bool crier__subscriber_report_read(struct crier__subscriber *subscriber, int error)
{
    struct crier__first_read *first = subscriber->first_read;

    if (first == NULL)
        return false;
    subscriber->first_read = NULL;
    first->on_read(first->closure, error);
    free(first);
    return true;
}

void crier__subscriber_free(struct crier__subscriber *subscriber)
{
    (void)crier__subscriber_report_read(subscriber, CRIER_ERR_CLOSED);
    crier_frame_unref(subscriber->start);
    crier_frame_unref(subscriber->hello);
    crier__stream_unref(subscriber->stream);
    free(subscriber->job);
    free(subscriber->topics);
    free(subscriber->id);
    free(subscriber);
}

/* ---- lines ------------------------------------------------------------ */

static struct crier__line *find_line(struct crier__part *part,
                                     const char *name, size_t length)
{
    struct crier__line *line;

    HASH_FIND(hh, part->lines, name, length, line);
    return line;
}

static struct crier__line *get_line(struct crier__part *part, const char *name,
                                    size_t length)
{
    struct crier__line *line = find_line(part, name, length);

    if (line != NULL)
        return line;
    line = calloc(1, sizeof *line + length + 1);
    if (line == NULL)
        return NULL;
    memcpy(line->name, name, length);
    HASH_ADD_KEYPTR(hh, part->lines, line->name, length, line);
    if (line->hh.tbl == NULL) {
        free(line);
        return NULL;
    }
    return line;
}

bool crier__subscriber_line_up(struct crier__subscriber *subscriber)
{
    struct crier__topics walk = {subscriber->topics};
    struct crier__sub *sub = subscriber->subs;
    const char *name;
    size_t length;

    while ((name = crier__topics_next(&walk, &length)) != NULL) {
        sub->line = get_line(subscriber->part, name, length);
        if (sub->line == NULL)
            return false;
        DL_APPEND(sub->line->subs, sub);
        sub++;
    }
    return true;
}

void crier__subscriber_leave_lines(struct crier__subscriber *subscriber)
{
    struct crier__sub *sub = subscriber->subs;
    struct crier__line *line;

    for (; sub < subscriber->subs + subscriber->sub_count; sub++) {
        line = sub->line;
        if (line == NULL)
            continue;
        sub->line = NULL;
        DL_DELETE(line->subs, sub);
        if (line->subs == NULL) {
            HASH_DEL(subscriber->part->lines, line);
            free(line);
        }
    }
}

void crier__subscriber_doze(struct crier__subscriber *subscriber)
{
    struct crier__part *part = subscriber->part;

    if (!subscriber->awake)
        return;
    subscriber->awake = false;
    crier__subscriber_leave_lines(subscriber);
    crier__hub_doze(part->hub, subscriber->topics, part->shard->index);
}

bool crier__subscriber_wake(struct crier__subscriber *subscriber)
{
    struct crier__part *part = subscriber->part;
    uint64_t now;

    if (subscriber->awake)
        return true;
    if (!crier__subscriber_line_up(subscriber)) {
        crier__subscriber_leave_lines(subscriber);
        return false;
    }
    subscriber->awake = true;
    crier__hub_awake(part->hub, subscriber->topics, part->shard->index, &now);
    if (now > subscriber->missed)
        subscriber->missed = now;
    return true;
}

/* ---- live ------------------------------------------------------------- */

/* SUBSCRIBER cannot take the update at POSITION now. */
static void fall_behind(struct crier__subscriber *subscriber, uint64_t position,
                        int error)
{
    subscriber->missed = position;
    if (error == CRIER_ERR_FULL)
        crier__subscriber_read_when_hungry(subscriber);
    else
        crier__subscriber_wait(subscriber);
}

static void give(struct crier__subscriber *subscriber,
                 struct crier__update *update)
{
    struct crier_frame *frame;
    int error = -ENOMEM;

    if (update->position <= subscriber->cursor)
        return;
    if (subscriber->state != CRIER__LIVE) {
        if (update->position > subscriber->missed)
            subscriber->missed = update->position;
        return;
    }
    frame = crier__update_frame(update, subscriber->stream->format);
    if (frame != NULL)
        error = crier__stream_try(subscriber->stream, frame);
    if (error == 0)
        subscriber->cursor = update->position;
    else
        fall_behind(subscriber, update->position, error);
}

/* Has the processor fetch the stream of NEXT, whose turn is next, and what leads to
 * the one after that. See crier__stream_prefetch(). */
CRIER__PREFETCHES void look_ahead(const struct crier__sub *next)
{
    if (next == NULL)
        return;
    if (next->next != NULL) {
        __builtin_prefetch(next->next);
        __builtin_prefetch((const char *)next->next - SUBSCRIBER_HOT);
    }
    crier__stream_prefetch(next->subscriber->stream);
}

static void give_line(struct crier__part *part, const char *name,
                      size_t length, struct crier__update *update)
{
    struct crier__line *line = find_line(part, name, length);
    struct crier__sub *sub, *next;

    if (line != NULL)
        DL_FOREACH_SAFE (line->subs, sub, next) {
            look_ahead(next);
            give(sub->subscriber, update);
        }
}

void crier__subscribers_deliver(struct crier__part *part,
                              struct crier__update *update)
{
    struct crier__topics walk = {update->topics};
    const char *name;
    size_t length;

    if (part->lines == NULL)
        return;
    while ((name = crier__topics_next(&walk, &length)) != NULL)
        give_line(part, name, length, update);
    if (!update->hidden)
        give_line(part, "*", 1, update);
}

void crier__subscribers_reread(struct crier__part *part, uint64_t position)
{
    struct crier__subscriber *subscriber;

    if (position > part->delivered)
        part->delivered = position;
    DL_FOREACH (part->subscribers, subscriber)
        if (subscriber->state == CRIER__LIVE)
            fall_behind(subscriber, position, CRIER_ERR_FULL);
        else if (position > subscriber->missed)
            subscriber->missed = position;
}

/* ---- beginning and end ------------------------------------------------ */

void crier__subscriber_leave(struct crier_stream *stream)
{
    struct crier__subscriber *subscriber = stream->member;
    struct crier__part *part = subscriber->part;

    stream->member = NULL;
    stream->leave = NULL;
    stream->refill = NULL;
    crier__subscriber_leave_lines(subscriber);
    if (subscriber->timed) {
        crier__timers_set(&part->shard->timers, &subscriber->again,
                          CRIER__NO_TIME);
        crier__timers_release(&part->shard->timers, 1);
        DL_DELETE(part->subscribers, subscriber);
    }
    crier__hub_count_out(part->hub, subscriber->topics, part->shard->index,
                         subscriber->once, subscriber->awake);
    if (!subscriber->once)
        crier__hub_announce(part->hub, subscriber->topics, false);
    if (subscriber->state == CRIER__ASKED)
        subscriber->gone = true;
    else
        crier__subscriber_free(subscriber);
}

/* Sends *FRAME, unless it is NULL, and gives it back. */
static void send_first(struct crier__subscriber *subscriber,
                       struct crier_frame **frame)
{
    if (*frame != NULL)
        crier__stream_force(subscriber->stream, *frame);
    crier_frame_unref(*frame);
    *frame = NULL;
}

static void begin(struct crier__subscriber *subscriber)
{
    struct crier__part *part = subscriber->part;

    DL_APPEND(part->subscribers, subscriber);
    subscriber->timed = true;
    subscriber->state = CRIER__ASKED; /* not to be freed here */
    send_first(subscriber, &subscriber->start);
    send_first(subscriber, &subscriber->hello);
    if (subscriber->gone) {
        crier__subscriber_free(subscriber);
        return;
    }
    subscriber->cursor = subscriber->joined;
    if (part->delivered > subscriber->joined)
        subscriber->missed = part->delivered;
    if (subscriber->since == CRIER_SINCE_NOW &&
        subscriber->missed <= subscriber->cursor)
        crier__subscriber_go_live(subscriber);
    else
        crier__subscriber_read(subscriber);
}

void crier__subscriber_join(struct crier__task *task)
{
    struct crier__subscriber *subscriber = (struct crier__subscriber *)task;
    struct crier_stream *stream = crier__stream_ref(subscriber->stream);
    struct crier__part *part = subscriber->part;

    stream->member = subscriber;
    stream->leave = crier__subscriber_leave;
    stream->refill = crier__subscriber_refill;
    if (stream->over)
        crier__subscriber_leave(stream);
    else if (!crier__subscriber_line_up(subscriber) ||
             crier__timers_reserve(&part->shard->timers, 1) != 0)
        crier__stream_cut(stream, CRIER_REASON_MEMORY);
    else
        begin(subscriber);
    if (part->early != NULL)
        crier__subscribers_change_early(part, stream);
    crier__stream_unref(stream);
}
