/*
 * A follower: one stream and the topics it follows. Here is decided, for every
 * update and every stream, that it comes once, in order, and not at all only
 * where a gap says so.
 *
 * A follower is LIVE when it has had all that came to its shard, and takes each
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
 * The hand-over from reading to live. A follower is counted in with the hub before
 * its first read, so every update that the journal yields after that comes to the
 * shard. A read that reaches the end of the journal at E has given all up to E.
 * What is later than E was yielded after the read, or at least not seen by it; it
 * comes to the shard, and there are two cases. It came before the answer to the
 * read was looked at: then it was let pass, `missed` is beyond E, and the follower
 * reads again. Or it comes later: then it finds the follower LIVE. What the read
 * has given and the shard is still to be given is known by its position, which is
 * not beyond `cursor`. So nothing is lost and nothing comes twice, and nobody
 * waited for anybody.
 *
 * The task that puts a follower on its lines may run after a delivery that was
 * yielded later (lists ride along with what is posted already). That is why a new
 * follower takes all that has been delivered on the shard for missed.
 *
 * A follower that waits for its client dozes: it is off its lines, and its shard is
 * not even woken for its sake, so those who take nothing cost nothing. When a read
 * has reached the end it is put back on its lines and counted as awake, and what has
 * been yielded by then is taken for missed; if that is beyond E, it reads again,
 * awake this time, and the case is the one above.
 *
 * A stream that changes its topics gets another follower: follow_change.c. A client is
 * told where it is before its first update: follow.c says how, and why that position is
 * right.
 *
 * Memory. A stream has at most max_pending waiting, and one update more; the rest
 * is the journal. An idle follower has no read.
 *
 * Life: made by crier_hub_follow(), on the shard's thread from its join task on,
 * gone from the lines when the stream is over or another one takes over, freed then or
 * when its read has been answered.
 */
#include <config.h>

#include "follower.h"

#include "frame.h"
#include "topic.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* So far before its first sub is what each update looks at in a follower. */
#define FOLLOWER_HOT                                                          \
    (offsetof(struct crier__follower, subs) -                                 \
     offsetof(struct crier__follower, state))

bool crier__follower_report_read(struct crier__follower *follower, int error)
{
    struct crier__first_read *first = follower->first_read;

    if (first == NULL)
        return false;
    follower->first_read = NULL;
    first->on_read(first->closure, error);
    free(first);
    return true;
}

void crier__follower_free(struct crier__follower *follower)
{
    (void)crier__follower_report_read(follower, CRIER_ERR_CLOSED);
    crier_frame_unref(follower->start);
    crier_frame_unref(follower->hello);
    crier__stream_unref(follower->stream);
    free(follower->job);
    free(follower->topics);
    free(follower->id);
    free(follower);
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

bool crier__follower_line_up(struct crier__follower *follower)
{
    struct crier__topics walk = {follower->topics};
    struct crier__sub *sub = follower->subs;
    const char *name;
    size_t length;

    while ((name = crier__topics_next(&walk, &length)) != NULL) {
        sub->line = get_line(follower->part, name, length);
        if (sub->line == NULL)
            return false;
        DL_APPEND(sub->line->subs, sub);
        sub++;
    }
    return true;
}

void crier__follower_leave_lines(struct crier__follower *follower)
{
    struct crier__sub *sub = follower->subs;
    struct crier__line *line;

    for (; sub < follower->subs + follower->sub_count; sub++) {
        line = sub->line;
        if (line == NULL)
            continue;
        sub->line = NULL;
        DL_DELETE(line->subs, sub);
        if (line->subs == NULL) {
            HASH_DEL(follower->part->lines, line);
            free(line);
        }
    }
}

void crier__follower_doze(struct crier__follower *follower)
{
    struct crier__part *part = follower->part;

    if (!follower->awake)
        return;
    follower->awake = false;
    crier__follower_leave_lines(follower);
    crier__hub_doze(part->hub, follower->topics, part->shard->index);
}

bool crier__follower_wake(struct crier__follower *follower)
{
    struct crier__part *part = follower->part;
    uint64_t now;

    if (follower->awake)
        return true;
    if (!crier__follower_line_up(follower)) {
        crier__follower_leave_lines(follower);
        return false;
    }
    follower->awake = true;
    crier__hub_awake(part->hub, follower->topics, part->shard->index, &now);
    if (now > follower->missed)
        follower->missed = now;
    return true;
}

/* ---- live ------------------------------------------------------------- */

/* FOLLOWER cannot take the update at POSITION now. */
static void fall_behind(struct crier__follower *follower, uint64_t position,
                        int error)
{
    follower->missed = position;
    if (error == CRIER_ERR_FULL)
        crier__follower_read_when_hungry(follower);
    else
        crier__follower_wait(follower);
}

static void give(struct crier__follower *follower,
                 struct crier__update *update)
{
    struct crier_frame *frame;
    int error = -ENOMEM;

    if (update->position <= follower->cursor)
        return;
    if (follower->state != CRIER__LIVE) {
        if (update->position > follower->missed)
            follower->missed = update->position;
        return;
    }
    frame = crier__update_frame(update, follower->stream->format);
    if (frame != NULL)
        error = crier__stream_try(follower->stream, frame);
    if (error == 0)
        follower->cursor = update->position;
    else
        fall_behind(follower, update->position, error);
}

/* Has the processor fetch the stream of NEXT, whose turn is next, and what leads to
 * the one after that. See crier__stream_prefetch(). */
CRIER__PREFETCHES void look_ahead(const struct crier__sub *next)
{
    if (next == NULL)
        return;
    if (next->next != NULL) {
        __builtin_prefetch(next->next);
        __builtin_prefetch((const char *)next->next - FOLLOWER_HOT);
    }
    crier__stream_prefetch(next->follower->stream);
}

static void give_line(struct crier__part *part, const char *name,
                      size_t length, struct crier__update *update)
{
    struct crier__line *line = find_line(part, name, length);
    struct crier__sub *sub, *next;

    if (line != NULL)
        DL_FOREACH_SAFE (line->subs, sub, next) {
            look_ahead(next);
            give(sub->follower, update);
        }
}

void crier__followers_deliver(struct crier__part *part,
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

void crier__followers_reread(struct crier__part *part, uint64_t position)
{
    struct crier__follower *follower;

    if (position > part->delivered)
        part->delivered = position;
    DL_FOREACH (part->followers, follower)
        if (follower->state == CRIER__LIVE)
            fall_behind(follower, position, CRIER_ERR_FULL);
        else if (position > follower->missed)
            follower->missed = position;
}

/* ---- beginning and end ------------------------------------------------ */

void crier__follower_leave(struct crier_stream *stream)
{
    struct crier__follower *follower = stream->member;
    struct crier__part *part = follower->part;

    stream->member = NULL;
    stream->leave = NULL;
    stream->refill = NULL;
    crier__follower_leave_lines(follower);
    if (follower->timed) {
        crier__timers_set(&part->shard->timers, &follower->again,
                          CRIER__NO_TIME);
        crier__timers_release(&part->shard->timers, 1);
        DL_DELETE(part->followers, follower);
    }
    crier__hub_count_out(part->hub, follower->topics, part->shard->index,
                         follower->once, follower->awake);
    if (!follower->once)
        crier__hub_announce(part->hub, follower->topics, false);
    if (follower->state == CRIER__ASKED)
        follower->gone = true;
    else
        crier__follower_free(follower);
}

/* Sends *FRAME, unless it is NULL, and gives it back. */
static void send_first(struct crier__follower *follower,
                       struct crier_frame **frame)
{
    if (*frame != NULL)
        crier__stream_force(follower->stream, *frame);
    crier_frame_unref(*frame);
    *frame = NULL;
}

static void begin(struct crier__follower *follower)
{
    struct crier__part *part = follower->part;

    DL_APPEND(part->followers, follower);
    follower->timed = true;
    follower->state = CRIER__ASKED; /* not to be freed here */
    send_first(follower, &follower->start);
    send_first(follower, &follower->hello);
    if (follower->gone) {
        crier__follower_free(follower);
        return;
    }
    follower->cursor = follower->joined;
    if (part->delivered > follower->joined)
        follower->missed = part->delivered;
    if (follower->since == CRIER_SINCE_NOW &&
        follower->missed <= follower->cursor)
        crier__follower_go_live(follower);
    else
        crier__follower_read(follower);
}

void crier__follower_join(struct crier__task *task)
{
    struct crier__follower *follower = (struct crier__follower *)task;
    struct crier_stream *stream = crier__stream_ref(follower->stream);
    struct crier__part *part = follower->part;

    stream->member = follower;
    stream->leave = crier__follower_leave;
    stream->refill = crier__follower_refill;
    if (stream->over)
        crier__follower_leave(stream);
    else if (!crier__follower_line_up(follower) ||
             crier__timers_reserve(&part->shard->timers, 1) != 0)
        crier__stream_cut(stream, CRIER_REASON_MEMORY);
    else
        begin(follower);
    if (part->early != NULL)
        crier__followers_change_early(part, stream);
    crier__stream_unref(stream);
}
