/*
 * How a subscriber asks the journal for more, and the frames that say where it is.
 *
 * The journal answers on any thread; the answer comes to the shard as a task. A
 * job is the read with all that it names, so that nothing of the subscriber is
 * looked at meanwhile. It is kept from one read to the next, and so remembers
 * which gaps have been told.
 */
#include <config.h>

#include "subscriber_read.h"

#include "gate.h"

#include "libcrier/wire/frame.h"
#include "libcrier/wire/topic.h"

#include <stdlib.h>
#include <string.h>

static void answered(struct crier__read *read)
{
    struct crier__subscribe_job *job = (struct crier__subscribe_job *)read;
    struct crier_hub *hub = job->subscriber->part->hub;

    crier__shard_post(job->subscriber->part->shard, &job->task);
    crier__hub_leave(hub);
}

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

bool crier__subscriber_ask(struct crier__subscriber *subscriber,
                           void (*run)(struct crier__task *task))
{
    struct crier_hub *hub = subscriber->part->hub;
    struct crier__read *read;

    if (subscriber->job == NULL)
        subscriber->job = new_job(subscriber);
    /* A hub that is closed answers no more; its streams are about to end. */
    if (subscriber->job == NULL || crier__hub_enter(hub) != 0)
        return false;
    subscriber->state = CRIER__ASKED;
    subscriber->job->task.run = run;
    read = &subscriber->job->read;
    read->resolve = subscriber->since != CRIER_SINCE_NOW;
    read->since = subscriber->since;
    read->id = subscriber->id;
    read->number = subscriber->number;
    read->after = subscriber->cursor;
    read->max_bytes = subscriber->stream->max_pending / 2;
    hub->journal->ops->read(hub->journal, read);
    return true;
}

struct crier_frame *crier__subscriber_gap_frame(struct crier__subscriber *subscriber,
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
