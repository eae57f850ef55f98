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
 * A client is told where it is before its first update: subscribe.c says how, and why that
 * position is right.
 *
 * A stream that changes its topics: a new subscriber takes over from the old one, with
 * its position and all else that it knows.
 *
 * When. crier_hub_change() has the shard told of the new topics at once, and puts the
 * change behind the updates that were yielded until then, in the list that the shard
 * takes them from (hub.c). So a subscriber that is LIVE changes between two updates: those
 * yielded before the call find the old one, those yielded later the new one. Nothing of
 * a new topic can pass by in between. (A task of its own would not do: the list rides
 * along with what is posted already, so updates could overtake it.)
 *
 * A subscriber that reads from the journal may have asked before the call, and get an
 * answer that was read after it, reaches further, and lacks the new topics. So the old
 * subscriber is gone with its answer when the change is made, and the new one asks again
 * from the same cursor. The list of the shard may be late: whoever marked it as posted
 * may not have posted it yet. Therefore all changes of a stream are made before an
 * answer is looked at.
 *
 * Where. A topic that both follow goes on at the cursor. One that is new begins behind
 * the position that was the last one yielded at the time of the call (`live`, as with
 * topics that are followed without their past). "*" covers every topic but those with
 * '$': who changes from "*" to "a" has followed "a" before; who changes from "a" to "*"
 * goes on at the cursor with everything, as a client would that comes back with its last
 * id. To tell apart what it has followed until the cursor is beyond the call would take
 * one selector more for each name.
 *
 * Rejected: to send what came of the new topics before the change has reached the shard,
 * behind what was sent since. Its positions are lower, and a client that came back with
 * the last id that it saw would get the rest twice.
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

#include "base/container_of.h"

#include "directory.h"
#include "presence.h"
#include "subscriber_list.h"
#include "subscriber_read.h"

#include "libcrier/wire/frame.h"
#include "libcrier/wire/topic.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* When to try again what has failed, in ms. */
#define AGAIN 500

/* So far before its first sub is what each update looks at in a subscriber. */
#define SUBSCRIBER_HOT                                                          \
    (offsetof(struct crier__subscriber, subs) -                                 \
     offsetof(struct crier__subscriber, state))

static bool report_read(struct crier__subscriber *subscriber, int error)
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
    (void)report_read(subscriber, CRIER_ERR_CLOSED);
    crier_frame_unref(subscriber->start);
    crier_frame_unref(subscriber->hello);
    crier__stream_unref(subscriber->stream);
    free(subscriber->job);
    free(subscriber->topics);
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

static void doze(struct crier__subscriber *subscriber)
{
    struct crier__part *part = subscriber->part;

    if (!subscriber->awake)
        return;
    subscriber->awake = false;
    crier__subscriber_leave_lines(subscriber);
    crier__hub_doze(part->hub, subscriber->topics, part->shard->index);
}

static bool wake(struct crier__subscriber *subscriber)
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

/* ---- reading on ------------------------------------------------------- */

static void take_answer(struct crier__task *task);

/* Has SUBSCRIBER try again after a while. */
static void wait_again(struct crier__subscriber *subscriber)
{
    struct crier__shard *shard = subscriber->part->shard;

    subscriber->state = CRIER__WAITING;
    crier__timers_set(&shard->timers, &subscriber->again, shard->now + AGAIN);
}

/* Has SUBSCRIBER read on: at once, or after a while where that is not possible. */
static void read_on(struct crier__subscriber *subscriber)
{
    if (subscriber->stream->ending) /* it takes nothing any more */
        subscriber->state = CRIER__FULL;
    else if (!crier__subscriber_ask(subscriber, take_answer))
        wait_again(subscriber);
}

void crier__subscriber_again(struct crier__timer *timer, uint64_t now)
{
    struct crier__subscriber *subscriber =
        CRIER__CONTAINER_OF(timer, struct crier__subscriber, again);

    (void)now;
    read_on(subscriber);
}

/* Reads on as soon as the client has room. */
static void read_when_hungry(struct crier__subscriber *subscriber)
{
    subscriber->state = CRIER__FULL;
    if (crier__stream_is_low(subscriber->stream))
        read_on(subscriber);
    else
        doze(subscriber);
}

static void refill(struct crier_stream *stream)
{
    struct crier__subscriber *subscriber = stream->member;

    if (subscriber->state == CRIER__FULL)
        read_on(subscriber);
}

/* ---- live ------------------------------------------------------------- */

/* SUBSCRIBER cannot take the update at POSITION now. */
static void fall_behind(struct crier__subscriber *subscriber, uint64_t position,
                        int error)
{
    subscriber->missed = position;
    if (error == CRIER_ERR_MAX_PENDING)
        read_when_hungry(subscriber);
    else
        wait_again(subscriber);
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
    struct crier__line *line = crier__line_find(part, name, length);
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
            fall_behind(subscriber, position, CRIER_ERR_MAX_PENDING);
        else if (position > subscriber->missed)
            subscriber->missed = position;
}

/* ---- beginning and end ------------------------------------------------ */

static void leave_hub(struct crier_stream *stream)
{
    struct crier__subscriber *subscriber = stream->member;
    struct crier__part *part = subscriber->part;

    stream->member = NULL;
    stream->leave = NULL;
    stream->on_low = NULL;
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

/* ---- taking over ------------------------------------------------------- */

/* The place of the topic of LENGTH bytes at NAME in the list TOPICS; -1 for none. */
static int find_topic(const char *topics, const char *name, size_t length)
{
    struct crier__topics walk = {topics};
    const char *other;
    size_t own;
    int place;

    for (place = 0; (other = crier__topics_next(&walk, &own)) != NULL; place++)
        if (own == length && memcmp(name, other, length) == 0)
            return place;
    return -1;
}

/* Where the topic NAME begins for one who takes over from OLD. */
static uint64_t begin_of(const struct crier__subscriber *old, const char *name,
                         size_t length, uint64_t after)
{
    int place = find_topic(old->topics, name, length);

    if (place < 0 && length == 1 && name[0] == '*')
        return 0;
    if (place < 0 && !crier__topic_hidden(name))
        place = find_topic(old->topics, "*", 1);
    return place >= 0 ? old->subs[place].live : after + 1;
}

/* Has MADE know what OLD knows. False when memory is short. */
static bool inherit(struct crier__subscriber *made,
                    const struct crier__subscriber *old, uint64_t after)
{
    struct crier__topics walk = {made->topics};
    struct crier__sub *sub = made->subs;
    const char *name;
    size_t length;

    while ((name = crier__topics_next(&walk, &length)) != NULL)
        sub++->live = begin_of(old, name, length, after);
    made->since = old->since;
    made->number = old->number;
    made->joined = old->joined;
    made->cursor = old->cursor;
    made->missed = old->missed;
    made->once = old->once;
    made->untold = old->untold;
    made->awake = old->awake;
    if (old->id != NULL) /* a read may still name the old one's */
        made->id = strdup(old->id);
    return old->id == NULL || made->id != NULL;
}

/* Tells that a stream begins (JOIN) or ceases to follow those of TOPICS that are not
 * among OTHERS. */
static void announce_difference(struct crier_hub *hub, const char *topics,
                                const char *others, bool join)
{
    struct crier__topics walk = {topics};
    char topic[CRIER__TOPIC_ROOM];
    const char *name;
    size_t length;

    while ((name = crier__topics_next(&walk, &length)) != NULL) {
        if (find_topic(others, name, length) >= 0)
            continue;
        memcpy(topic, name, length);
        topic[length] = '\0';
        crier__hub_announce(hub, topic, join);
    }
}

/* Puts MADE where OLD is: with the stream, among the shard's and on the lines. */
static bool replace(struct crier__subscriber *made, struct crier__subscriber *old)
{
    struct crier__part *part = made->part;
    struct crier__timers *timers = &part->shard->timers;

    made->stream->member = made;
    made->first_read = old->first_read;
    old->first_read = NULL;
    made->timed = true; /* the reservation of the old one */
    old->timed = false;
    if (old->again.place != 0)
        crier__timers_set(timers, &made->again, old->again.when);
    crier__timers_set(timers, &old->again, CRIER__NO_TIME);
    DL_REPLACE_ELEM(part->subscribers, old, made);
    crier__subscriber_leave_lines(old);
    crier__hub_came(part->hub, made->topics, old->topics, part->shard->index,
                    made->once, made->awake);
    return !made->awake || crier__subscriber_line_up(made);
}

static void take_over(struct crier__subscriber *made,
                      struct crier__subscriber *old, uint64_t after)
{
    bool asked = old->state == CRIER__ASKED;
    bool good = inherit(made, old, after);
    struct crier_hub *hub = made->part->hub;

    made->state = asked ? CRIER__FULL : old->state;
    good &= replace(made, old);
    if (hub->presence != NULL && !made->once) {
        announce_difference(hub, made->topics, old->topics, true);
        announce_difference(hub, old->topics, made->topics, false);
    }
    if (!asked)
        crier__subscriber_keep_told(made, old);
    if (!good)
        crier__stream_cut(made->stream, CRIER_REASON_MEMORY);
    else if (asked)
        read_on(made);
    if (asked)
        old->gone = true;
    else
        crier__subscriber_free(old);
}

/* ---- on the shard's thread --------------------------------------------- */

/* Makes CHANGE, and frees it; or keeps it until its stream has a subscriber. */
static void make_change(struct crier__part *part, struct crier__change *change)
{
    struct crier__subscriber *made = change->made;
    struct crier_stream *stream = made->stream;

    if (!stream->over && stream->leave != leave_hub) {
        DL_APPEND(part->early, change);
        return;
    }
    if (stream->over) {
        crier__hub_came(part->hub, made->topics, NULL, part->shard->index,
                        false, false);
        crier__change_drop(change);
        return;
    }
    crier__shards_release(part->hub->shards, change->cost);
    take_over(made, stream->member, change->after);
    free(change);
}

struct crier__change *crier__subscribers_change(struct crier__part *part,
                                              struct crier__change *changes,
                                              uint64_t position)
{
    struct crier__change *change;

    while ((change = changes) != NULL && change->after < position) {
        DL_DELETE(changes, change);
        make_change(part, change);
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

static void change_now(struct crier__part *part,
                                 const struct crier_stream *stream)
{
    struct crier__change *changes;

    pthread_mutex_lock(&part->hub->lock);
    changes = take_changes(&part->changes, stream);
    pthread_mutex_unlock(&part->hub->lock);
    (void)crier__subscribers_change(part, changes, UINT64_MAX);
}

static void change_early(struct crier__part *part,
                                   const struct crier_stream *stream)
{
    (void)crier__subscribers_change(part, take_changes(&part->early, stream),
                                  UINT64_MAX);
}

/* ---- the answer ------------------------------------------------------- */

/* Appends what was read, up to what memory allows. 0 or -ENOMEM. */
static int append_all(struct crier__subscriber *subscriber,
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
        subscriber->cursor = read->updates[i]->position;
    }
    subscriber->cursor = read->reached;
    return 0;
}

/* Tells the client of the gap that the read has found, or ends its stream. */
static void tell_gap(struct crier__subscriber *subscriber, const char *oldest)
{
    struct crier_hub *hub = subscriber->part->hub;
    struct crier_stream *stream = subscriber->stream;
    struct crier_frame *frame;

    atomic_fetch_add(&hub->gaps, 1);
    /* One that comes back is always told, and given what there is. */
    if (subscriber->since == CRIER_SINCE_NOW &&
        hub->slow == CRIER_SLOW_DISCONNECT) {
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

/* Sends the client the position up to which it has had everything. 0 or
 * -ENOMEM. */
static int send_position(struct crier__subscriber *subscriber)
{
    char id[CRIER__ID_SIZE];
    struct crier_frame *frame;

    crier__id_make(id, subscriber->part->hub->journal->epoch, subscriber->cursor);
    frame = crier__subscriber_id_frame(id);
    if (frame == NULL)
        return -ENOMEM;
    subscriber->untold = false;
    crier__stream_force(subscriber->stream, frame);
    crier_frame_unref(frame);
    return 0;
}

/* Does what the answer says. 0, or an error: read again later. */
static int use_answer(struct crier__subscriber *subscriber,
                      struct crier__read *read)
{
    int error;

    if (read->error != 0)
        return read->error;
    if (read->gap)
        tell_gap(subscriber, read->oldest);
    /* Where it began is found, whatever becomes of the rest. */
    if (subscriber->since != CRIER_SINCE_NOW && read->count != 0)
        subscriber->cursor = read->updates[0]->position - 1;
    subscriber->since = CRIER_SINCE_NOW;
    free(subscriber->id);
    subscriber->id = NULL;
    error = append_all(subscriber, read);
    if (read->count != 0) /* each update has its own id */
        subscriber->untold = false;
    if (error == 0 && read->end && subscriber->untold)
        error = send_position(subscriber);
    return error;
}

/* Ends a stream that was only to give what is held. A client that counts on having
 * all of it cannot tell the end from a connection that broke: format "full" says. */
static void say_end(struct crier_stream *stream)
{
    static const char end[] = ": end\n";
    struct crier_frame *frame;

    if (stream->format == CRIER_FORMAT_FULL) {
        frame = crier__frame_of(end, sizeof end - 1);
        if (frame == NULL) {
            crier__stream_cut(stream, CRIER_REASON_MEMORY);
            return;
        }
        crier__stream_force(stream, frame);
        crier_frame_unref(frame);
    }
    crier_stream_close(stream);
}

/* The subscriber has all that there was. */
static void go_live(struct crier__subscriber *subscriber)
{
    free(subscriber->job);
    subscriber->job = NULL;
    /* What it let pass is not in what it has, so nothing may come after that. */
    subscriber->state = subscriber->once ? CRIER__FULL : CRIER__LIVE;
    if (subscriber->once)
        say_end(subscriber->stream);
}

static void take_answer(struct crier__task *task)
{
    struct crier__subscribe_job *job =
        CRIER__CONTAINER_OF(task, struct crier__subscribe_job, task);
    struct crier__subscriber *subscriber = job->subscriber;
    struct crier__read *read = &job->read;
    bool reported = false;
    int error = 0;
    unsigned i;

    /* What is asked of the stream now is not what was read: then it is gone. */
    if (!subscriber->gone)
        change_now(subscriber->part, subscriber->stream);
    if (!subscriber->gone) /* this may make it so */
        error = use_answer(subscriber, read);
    if (read->error == 0)
        for (i = 0; i < read->count; i++)
            crier__update_unref(read->updates[i]);
    if (!subscriber->gone)
        reported = report_read(subscriber, error);
    if (!subscriber->gone && error != 0 && subscriber->once) {
        if (reported) /* the program refuses on the same connection */
            crier_stream_close(subscriber->stream);
        else
            crier__stream_cut(subscriber->stream, CRIER_REASON_JOURNAL);
    }
    if (subscriber->gone)
        crier__subscriber_free(subscriber);
    else if (error != 0)
        wait_again(subscriber);
    else if (read->end && !wake(subscriber))
        wait_again(subscriber);
    else if (read->end &&
             (subscriber->missed <= subscriber->cursor || subscriber->once))
        go_live(subscriber);
    else
        read_when_hungry(subscriber);
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
        go_live(subscriber);
    else
        read_on(subscriber);
}

void crier__subscriber_join(struct crier__task *task)
{
    struct crier__subscriber *subscriber = (struct crier__subscriber *)task;
    struct crier_stream *stream = crier__stream_ref(subscriber->stream);
    struct crier__part *part = subscriber->part;

    stream->member = subscriber;
    stream->leave = leave_hub;
    stream->on_low = refill;
    if (stream->over)
        leave_hub(stream);
    else if (!crier__subscriber_line_up(subscriber) ||
             crier__timers_reserve(&part->shard->timers, 1) != 0)
        crier__stream_cut(stream, CRIER_REASON_MEMORY);
    else
        begin(subscriber);
    if (part->early != NULL)
        change_early(part, stream);
    crier__stream_unref(stream);
}
