/*
 * How a subscriber reads on from the journal, and what it makes of the answer. See
 * subscriber.c for when it does.
 *
 * The journal answers on any thread; the answer comes to the shard as a task. A
 * job is the read with all that it names, so that nothing of the subscriber is
 * looked at meanwhile. It is kept from one read to the next, and so remembers
 * which gaps have been told.
 */
#include <config.h>

#include "base/container_of.h"
#include "subscriber.h"

#include "libcrier/wire/frame.h"
#include "libcrier/wire/topic.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* When to try again what has failed, in ms. */
#define AGAIN 500

/* ---- reading on ------------------------------------------------------- */

void crier__subscriber_wait(struct crier__subscriber *subscriber)
{
    struct crier__shard *shard = subscriber->part->shard;

    subscriber->state = CRIER__WAITING;
    crier__timers_set(&shard->timers, &subscriber->again, shard->now + AGAIN);
}

void crier__subscriber_again(struct crier__timer *timer, uint64_t now)
{
    struct crier__subscriber *subscriber =
        CRIER__CONTAINER_OF(timer, struct crier__subscriber, again);

    (void)now;
    crier__subscriber_read(subscriber);
}

/* Reads on as soon as the client has room. */
void crier__subscriber_read_when_hungry(struct crier__subscriber *subscriber)
{
    subscriber->state = CRIER__FULL;
    if (crier__stream_hungry(subscriber->stream))
        crier__subscriber_read(subscriber);
    else
        crier__subscriber_doze(subscriber);
}

void crier__subscriber_refill(struct crier_stream *stream)
{
    struct crier__subscriber *subscriber = stream->member;

    if (subscriber->state == CRIER__FULL)
        crier__subscriber_read(subscriber);
}

static void answered(struct crier__read *read)
{
    struct crier__subscribe_job *job = (struct crier__subscribe_job *)read;
    struct crier_hub *hub = job->subscriber->part->hub;

    crier__shard_post(job->subscriber->part->shard, &job->task);
    crier__hub_leave(hub);
}

static void take_answer(struct crier__task *task);

/* A new job with the selectors of SUBSCRIBER, whose names are behind them. */
static struct crier__subscribe_job *new_job(struct crier__subscriber *subscriber)
{
    unsigned count = subscriber->sub_count, i = 0;
    struct crier__topics walk = {subscriber->topics};
    size_t room = strlen(subscriber->topics) + 1, length;
    struct crier__subscribe_job *job;
    const char *name;
    char *to;

    job = calloc(1, sizeof *job + count * sizeof job->selectors[0] + room);
    if (job == NULL)
        return NULL;
    to = (char *)&job->selectors[count];
    while ((name = crier__topics_next(&walk, &length)) != NULL) {
        memcpy(to, name, length);
        job->selectors[i].topic = to;
        job->selectors[i].live = subscriber->subs[i].live != 0;
        if (subscriber->subs[i].live != 0)
            job->selectors[i].from = subscriber->subs[i].live - 1;
        to += length + 1;
        i++;
    }
    job->subscriber = subscriber;
    job->task.run = take_answer;
    job->read.done = answered;
    job->read.selectors = job->selectors;
    job->read.selector_count = count;
    return job;
}

void crier__subscriber_keep_told(struct crier__subscriber *made,
                               const struct crier__subscriber *old)
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

void crier__subscriber_read(struct crier__subscriber *subscriber)
{
    struct crier_hub *hub = subscriber->part->hub;
    struct crier__read *read;

    if (subscriber->stream->ending) { /* it takes nothing any more */
        subscriber->state = CRIER__FULL;
        return;
    }
    if (subscriber->job == NULL)
        subscriber->job = new_job(subscriber);
    /* A hub that is closed answers no more; its streams are about to end. */
    if (subscriber->job == NULL || crier__hub_enter(hub) != 0) {
        crier__subscriber_wait(subscriber);
        return;
    }
    subscriber->state = CRIER__ASKED;
    read = &subscriber->job->read;
    read->resolve = subscriber->since != CRIER_SINCE_NOW;
    read->since = subscriber->since;
    read->id = subscriber->id;
    read->number = subscriber->number;
    read->after = subscriber->cursor;
    read->max_bytes = subscriber->stream->max_pending / 2;
    hub->journal->ops->read(hub->journal, read);
}

/* ---- gaps ------------------------------------------------------------- */

/* A new frame that tells of the gap; NULL when memory is short. */
static struct crier_frame *gap_frame(struct crier__subscriber *subscriber,
                                     const char *oldest)
{
    char id[CRIER__ID_SIZE];
    const char *requested = subscriber->id;
    struct crier_frame *frame = NULL;
    json_t *data;
    char *text;

    if (requested == NULL) {
        crier__id_make(id, subscriber->part->hub->journal->epoch,
                       subscriber->cursor);
        requested = id;
    }
    data = json_pack("{s:s, s:s?}", "requested", requested, "oldest",
                     oldest[0] != '\0' ? oldest : NULL);
    if (data == NULL)
        return NULL;
    if (subscriber->stream->format != CRIER_FORMAT_JSON) {
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
    frame = gap_frame(subscriber, oldest);
    if (frame != NULL)
        crier__stream_force(stream, frame);
    else
        crier__stream_cut(stream, CRIER_REASON_MEMORY);
    crier_frame_unref(frame);
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

/* ---- the position ----------------------------------------------------- */

struct crier_frame *crier__subscriber_id_frame(const char *id)
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
void crier__subscriber_go_live(struct crier__subscriber *subscriber)
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
        crier__subscribers_change_now(subscriber->part, subscriber->stream);
    if (!subscriber->gone) /* this may make it so */
        error = use_answer(subscriber, read);
    if (read->error == 0)
        for (i = 0; i < read->count; i++)
            crier__update_unref(read->updates[i]);
    if (!subscriber->gone)
        reported = crier__subscriber_report_read(subscriber, error);
    if (!subscriber->gone && error != 0 && subscriber->once) {
        if (reported) /* the program refuses on the same connection */
            crier_stream_close(subscriber->stream);
        else
            crier__stream_cut(subscriber->stream, CRIER_REASON_JOURNAL);
    }
    if (subscriber->gone)
        crier__subscriber_free(subscriber);
    else if (error != 0)
        crier__subscriber_wait(subscriber);
    else if (read->end && !crier__subscriber_wake(subscriber))
        crier__subscriber_wait(subscriber);
    else if (read->end &&
             (subscriber->missed <= subscriber->cursor || subscriber->once))
        crier__subscriber_go_live(subscriber);
    else
        crier__subscriber_read_when_hungry(subscriber);
}
