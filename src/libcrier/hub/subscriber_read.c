/*
 * How a subscriber asks the journal for more, and the frames that say where it is.
 *
 * The journal answers on any thread; the answer comes to the shard as a task. A job is a
 * read with all that it refers to, so that nobody looks at the subscriber meanwhile. The
 * subscriber keeps its job from one read to the next, and so remembers which gaps have
 * been reported.
 */
#include <config.h>

#include "subscriber_read.h"

#include "gate.h"

#include "libcrier/wire/frame.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void post_answer(struct crier__read *read)
{
    struct crier__read_job *job = (struct crier__read_job *)read;
    struct crier_hub *hub = job->subscriber->shard->hub;

    crier__shard_post(job->subscriber->shard->shard, &job->task);
    crier__gate_leave(&hub->gate);
}

/* A new job with the selectors of SUBSCRIBER, their texts behind them. */
static struct crier__read_job *new_job(struct crier__subscriber *subscriber)
{
    const struct crier__selectors *selectors = subscriber->selectors;
    size_t size = sizeof(struct crier__read_job);
    struct crier__read_selector *selector;
    struct crier__read_job *job;
    uint64_t live;
    unsigned i;
    char *text;

    for (i = 0; i < selectors->count; i++)
        size += sizeof job->selectors[0] + strlen(selectors->items[i].text) + 1;
    job = calloc(1, size);
    if (job == NULL)
        return NULL;
    text = (char *)&job->selectors[selectors->count];
    for (i = 0; i < selectors->count; i++) {
        selector = &job->selectors[i];
        live = subscriber->subscriptions[i].live;
        crier__index_copy(&selector->selector, &selectors->items[i], text);
        text += strlen(text) + 1;
        selector->live = live != 0;
        if (live != 0)
            selector->from = live - 1;
    }
    job->subscriber = subscriber;
    job->read.done = post_answer;
    job->read.selectors = job->selectors;
    job->read.selector_count = selectors->count;
    return job;
}

void crier__subscriber_copy_reported(struct crier__subscriber *made,
                                     const struct crier__subscriber *old)
{
    unsigned i;
    int place;

    if (old->job == NULL || made->job != NULL)
        return;
    made->job = new_job(made);
    for (i = 0; made->job != NULL && i < made->selectors->count; i++) {
        place = crier__selectors_find(old->selectors,
                                      &made->selectors->items[i]);
        if (place >= 0)
            made->job->selectors[i].gap_reported_upto =
                old->job->selectors[place].gap_reported_upto;
    }
}

int crier__subscriber_ask(struct crier__subscriber *subscriber,
                          void (*run)(struct crier__task *task))
{
    struct crier_hub *hub = subscriber->shard->hub;
    struct crier__read *read;
    int error;

    if (subscriber->job == NULL)
        subscriber->job = new_job(subscriber);
    if (subscriber->job == NULL)
        return -ENOMEM;
    error = crier__gate_enter(&hub->gate);
    if (error != 0)
        return error;
    subscriber->state = CRIER__READING;
    subscriber->job->task.run = run;
    read = &subscriber->job->read;
    read->resolve = subscriber->since != CRIER_SINCE_NOW;
    read->since = subscriber->since;
    read->id = subscriber->id;
    read->number = subscriber->number;
    read->grants = subscriber->grants;
    read->after = subscriber->cursor;
    read->max_bytes = subscriber->stream->max_pending / 2;
    hub->journal->ops->read(hub->journal, read);
    return 0;
}

/* ---- frames ----------------------------------------------------------- */

/* A new frame of a JSON stream with the event "gap" and DATA (*stolen*). */
static struct crier_frame *json_gap_frame(json_t *data)
{
    json_t *event = json_pack("{s:s, s:o}", "event", "gap", "data", data);
    struct crier_frame *frame = NULL;
    char *text = NULL;

    if (event != NULL)
        text = json_dumps(event, JSON_COMPACT);
    json_decref(event);
    if (text != NULL)
        frame = crier__frame_new(strlen(text) + 1);
    if (frame != NULL) {
        memcpy(frame->bytes, text, frame->length - 1);
        frame->bytes[frame->length - 1] = '\n';
    }
    free(text);
    return frame;
}

struct crier_frame *
crier__subscriber_gap_frame(const struct crier__subscriber *subscriber,
                            const char *oldest)
{
    char id[CRIER__ID_SIZE];
    const char *requested = subscriber->id;
    struct crier_frame *frame = NULL;
    json_t *data;

    if (requested == NULL) {
        crier__id_make(id, subscriber->shard->hub->journal->epoch,
                       subscriber->cursor);
        requested = id;
    }
    data = json_pack("{s:s, s:s?}", "requested", requested, "oldest",
                     oldest[0] != '\0' ? oldest : NULL);
    if (data == NULL)
        return NULL;
    if (subscriber->stream->format == CRIER_FORMAT_JSON)
        return json_gap_frame(data);
    if (crier_frame_json("gap", data, &frame) != 0)
        frame = NULL;
    json_decref(data);
    return frame;
}

struct crier_frame *
crier__subscriber_id_frame(const struct crier__subscriber *subscriber, const char *id)
{
    static const char block[] = "\n\n", event[] = "\nevent: crier-start\ndata\n\n";
    const char *end = subscriber->begin == CRIER_START_EVENT ? event : block;
    size_t length = strlen(id), rest = strlen(end);
    struct crier_frame *frame = crier__frame_new(4 + length + rest);

    if (frame == NULL)
        return NULL;
    memcpy(frame->bytes, "id: ", 4);
    memcpy(frame->bytes + 4, id, length);
    memcpy(frame->bytes + 4 + length, end, rest);
    return frame;
}
