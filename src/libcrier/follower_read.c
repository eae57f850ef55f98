/*
 * How a follower reads on from the journal, and what it makes of the answer. See
 * follower.c for when it does.
 *
 * The journal answers on any thread; the answer comes to the shard as a task. A
 * job is the read with all that it names, so that nothing of the follower is
 * looked at meanwhile. It is kept from one read to the next, and so remembers
 * which gaps have been told.
 */
#include <config.h>

#include "follower.h"

#include "frame.h"
#include "topic.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* When to try again what has failed, in ms. */
#define AGAIN 500

/* ---- reading on ------------------------------------------------------- */

void crier__follower_wait(struct crier__follower *follower)
{
    struct crier__shard *shard = follower->part->shard;

    follower->state = CRIER__WAITING;
    crier__timers_set(&shard->timers, &follower->again, shard->now + AGAIN);
}

void crier__follower_again(struct crier__timer *timer, uint64_t now)
{
    struct crier__follower *follower =
        (struct crier__follower *)((char *)timer -
                                   offsetof(struct crier__follower, again));

    (void)now;
    crier__follower_read(follower);
}

/* Reads on as soon as the client has room. */
void crier__follower_read_when_hungry(struct crier__follower *follower)
{
    follower->state = CRIER__FULL;
    if (crier__stream_hungry(follower->stream))
        crier__follower_read(follower);
    else
        crier__follower_doze(follower);
}

void crier__follower_refill(struct crier_stream *stream)
{
    struct crier__follower *follower = stream->member;

    if (follower->state == CRIER__FULL)
        crier__follower_read(follower);
}

static void answered(struct crier__read *read)
{
    struct crier__follow_job *job = (struct crier__follow_job *)read;
    struct crier_hub *hub = job->follower->part->hub;

    crier__shard_post(job->follower->part->shard, &job->task);
    crier__hub_leave(hub);
}

static void take_answer(struct crier__task *task);

/* A new job with the selectors of FOLLOWER, whose names are behind them. */
static struct crier__follow_job *new_job(struct crier__follower *follower)
{
    unsigned count = follower->sub_count, i = 0;
    struct crier__topics walk = {follower->topics};
    size_t room = strlen(follower->topics) + 1, length;
    struct crier__follow_job *job;
    const char *name;
    char *to;

    job = calloc(1, sizeof *job + count * sizeof job->selectors[0] + room);
    if (job == NULL)
        return NULL;
    to = (char *)&job->selectors[count];
    while ((name = crier__topics_next(&walk, &length)) != NULL) {
        memcpy(to, name, length);
        job->selectors[i].topic = to;
        job->selectors[i].live = follower->subs[i].live != 0;
        if (follower->subs[i].live != 0)
            job->selectors[i].from = follower->subs[i].live - 1;
        to += length + 1;
        i++;
    }
    job->follower = follower;
    job->task.run = take_answer;
    job->read.done = answered;
    job->read.selectors = job->selectors;
    job->read.selector_count = count;
    return job;
}

void crier__follower_keep_told(struct crier__follower *made,
                               const struct crier__follower *old)
{
    struct crier__selector *from, *to;
    unsigned i, j;

    if (old->job == NULL || made->job != NULL)
        return;
    made->job = new_job(made);
    for (i = 0; made->job != NULL && i < made->sub_count; i++)
        for (j = 0; j < old->sub_count; j++) {
            to = &made->job->selectors[i];
            from = &old->job->selectors[j];
            if (strcmp(to->topic, from->topic) == 0)
                to->told = from->told;
        }
}

void crier__follower_read(struct crier__follower *follower)
{
    struct crier_hub *hub = follower->part->hub;
    struct crier__read *read;

    if (follower->stream->ending) { /* it takes nothing any more */
        follower->state = CRIER__FULL;
        return;
    }
    if (follower->job == NULL)
        follower->job = new_job(follower);
    /* A hub that is closed answers no more; its streams are about to end. */
    if (follower->job == NULL || crier__hub_enter(hub) != 0) {
        crier__follower_wait(follower);
        return;
    }
    follower->state = CRIER__ASKED;
    read = &follower->job->read;
    read->resolve = follower->since != CRIER_SINCE_NOW;
    read->since = follower->since;
    read->id = follower->id;
    read->number = follower->number;
    read->after = follower->cursor;
    read->max_bytes = follower->stream->max_pending / 2;
    hub->journal->ops->read(hub->journal, read);
}

/* ---- gaps ------------------------------------------------------------- */

/* A new frame that tells of the gap; NULL when memory is short. */
static struct crier_frame *gap_frame(struct crier__follower *follower,
                                     const char *oldest)
{
    char id[CRIER__ID_SIZE];
    const char *requested = follower->id;
    struct crier_frame *frame = NULL;
    json_t *data;
    char *text;

    if (requested == NULL) {
        crier__id_make(id, follower->part->hub->journal->epoch,
                       follower->cursor);
        requested = id;
    }
    data = json_pack("{s:s, s:s?}", "requested", requested, "oldest",
                     oldest[0] != '\0' ? oldest : NULL);
    if (data == NULL)
        return NULL;
    if (follower->stream->format != CRIER_FORMAT_JSON) {
        if (crier_frame_json("gap", data, &frame) != 0)
            frame = NULL;
        json_decref(data);
        return frame;
    }
    data = json_pack("{s:s, s:o}", "event", "gap", "data", data);
    text = data != NULL ? json_dumps(data, JSON_COMPACT) : NULL;
    json_decref(data);
    if (text != NULL)
        frame = crier__frame_new(strlen(text) + 1);
    if (frame != NULL) {
        memcpy(frame->bytes, text, frame->length - 1);
        frame->bytes[frame->length - 1] = '\n';
    }
    free(text);
    return frame;
}

/* Tells the client of the gap that the read has found, or ends its stream. */
static void tell_gap(struct crier__follower *follower, const char *oldest)
{
    struct crier_hub *hub = follower->part->hub;
    struct crier_stream *stream = follower->stream;
    struct crier_frame *frame;

    atomic_fetch_add(&hub->gaps, 1);
    /* One that comes back is always told, and given what there is. */
    if (follower->since == CRIER_SINCE_NOW &&
        hub->slow == CRIER_SLOW_DISCONNECT) {
        crier__stream_cut(stream, CRIER_REASON_SLOW);
        return;
    }
    if (stream->format == CRIER_FORMAT_RAW)
        return;
    frame = gap_frame(follower, oldest);
    if (frame != NULL)
        crier__stream_force(stream, frame);
    else
        crier__stream_cut(stream, CRIER_REASON_MEMORY);
    crier_frame_unref(frame);
}

/* ---- the answer ------------------------------------------------------- */

/* Appends what was read, up to what memory allows. 0 or -ENOMEM. */
static int append_all(struct crier__follower *follower,
                      struct crier__read *read)
{
    struct crier_frame *frame;
    unsigned i;

    for (i = 0; i < read->count; i++) {
        frame = crier__update_copy(read->updates[i], follower->stream->format);
        if (frame == NULL)
            return -ENOMEM;
        crier__stream_force(follower->stream, frame);
        crier_frame_unref(frame);
        follower->cursor = read->updates[i]->position;
    }
    follower->cursor = read->reached;
    return 0;
}

/* ---- the position ----------------------------------------------------- */

struct crier_frame *crier__follower_id_frame(const char *id)
{
    size_t length = strlen(id);
    struct crier_frame *frame = crier__frame_new(4 + length + 2);

    if (frame == NULL)
        return NULL;
    memcpy(frame->bytes, "id: ", 4);
    memcpy(frame->bytes + 4, id, length);
    memcpy(frame->bytes + 4 + length, "\n\n", 2);
    return frame;
}

/* Sends the client the position up to which it has had everything. 0 or
 * -ENOMEM. */
static int send_position(struct crier__follower *follower)
{
    char id[CRIER__ID_SIZE];
    struct crier_frame *frame;

    crier__id_make(id, follower->part->hub->journal->epoch, follower->cursor);
    frame = crier__follower_id_frame(id);
    if (frame == NULL)
        return -ENOMEM;
    follower->untold = false;
    crier__stream_force(follower->stream, frame);
    crier_frame_unref(frame);
    return 0;
}

/* Does what the answer says. 0, or an error: read again later. */
static int use_answer(struct crier__follower *follower,
                      struct crier__read *read)
{
    int error;

    if (read->error != 0)
        return read->error;
    if (read->gap)
        tell_gap(follower, read->oldest);
    /* Where it began is found, whatever becomes of the rest. */
    if (follower->since != CRIER_SINCE_NOW && read->count != 0)
        follower->cursor = read->updates[0]->position - 1;
    follower->since = CRIER_SINCE_NOW;
    free(follower->id);
    follower->id = NULL;
    error = append_all(follower, read);
    if (read->count != 0) /* each update has its own id */
        follower->untold = false;
    if (error == 0 && read->end && follower->untold)
        error = send_position(follower);
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

/* The follower has all that there was. */
void crier__follower_go_live(struct crier__follower *follower)
{
    free(follower->job);
    follower->job = NULL;
    /* What it let pass is not in what it has, so nothing may come after that. */
    follower->state = follower->once ? CRIER__FULL : CRIER__LIVE;
    if (follower->once)
        say_end(follower->stream);
}

static void take_answer(struct crier__task *task)
{
    struct crier__follow_job *job =
        (struct crier__follow_job *)((char *)task -
                                     offsetof(struct crier__follow_job, task));
    struct crier__follower *follower = job->follower;
    struct crier__read *read = &job->read;
    bool reported = false;
    int error = 0;
    unsigned i;

    /* What is asked of the stream now is not what was read: then it is gone. */
    if (!follower->gone)
        crier__followers_change_now(follower->part, follower->stream);
    if (!follower->gone) /* this may make it so */
        error = use_answer(follower, read);
    if (read->error == 0)
        for (i = 0; i < read->count; i++)
            crier__update_unref(read->updates[i]);
    if (!follower->gone)
        reported = crier__follower_report_read(follower, error);
    if (!follower->gone && error != 0 && follower->once) {
        if (reported) /* the program refuses on the same connection */
            crier_stream_close(follower->stream);
        else
            crier__stream_cut(follower->stream, CRIER_REASON_JOURNAL);
    }
    if (follower->gone)
        crier__follower_free(follower);
    else if (error != 0)
        crier__follower_wait(follower);
    else if (read->end && !crier__follower_wake(follower))
        crier__follower_wait(follower);
    else if (read->end &&
             (follower->missed <= follower->cursor || follower->once))
        crier__follower_go_live(follower);
    else
        crier__follower_read_when_hungry(follower);
}
