/*
 * crier_hub_subscribe() and crier_hub_change(): check what is asked for, make a subscriber
 * of it, and tell the client where its stream begins. subscriber.c describes what the
 * subscriber does then.
 *
 * The position that the client gets must be one from which the stream really continues: a
 * client that is cut off right after it resumes there, and must lose nothing and get
 * nothing twice while publishers go on. With CRIER_SINCE_NOW it is `joined`: the hub reads
 * it under the lock under which the directory counts the subscriber in. Each update up to
 * joined has been yielded before, and is not sent; each later one comes to the
 * subscriber's shard, and is. So the position is known when the response is built,
 * whatever journal there is, and holds whether the subscriber then goes live or has to
 * read first.
 *
 * With CRIER_SINCE_ID it is the id that the client asked for, unchanged. The journal may
 * not know that id, which only the read finds out; but then the read finds a gap, too,
 * and a client that is cut off before the gap must ask for the same id again to be
 * notified of it. A position in its place would lose the gap.
 *
 * With CRIER_SINCE_ALL, LAST and TIME only the journal knows where the stream begins, and
 * one in a file answers later. `joined` would be wrong: it skips the past that has not
 * been sent. So the response says nothing, and a client that is cut off here asks the
 * same question again. Position 0 was rejected: a client that resumes after 0 gets a gap
 * where the journal has ever evicted anything.
 *
 * When the first read has reached the end and there was no update to send, the client is
 * sent the position that the read has reached (subscriber.c). So it has an id after
 * CRIER_SINCE_ALL, LAST and TIME, too; and after CRIER_SINCE_ID it has one that stays
 * good, where the id of a program's own may be evicted while its topics are quiet. Each
 * update has an id itself, so where there was one no position is sent.
 */
#include <config.h>

#include "directory.h"
#include "gate.h"
#include "presence.h"
#include "subscriber.h"
#include "subscriber_end.h"
#include "subscriber_read.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A new copy of ID. An id that no update can have is replaced by another such id which a
 * gap can report: ids do not begin with "#?". */
static char *copy_id(const char *id)
{
    size_t length = strlen(id), i;
    char *copy;

    if (length < CRIER__ID_SIZE && crier_utf8_valid(id, length))
        return strdup(id);
    if (asprintf(&copy, "#?%.*s", 64, id) < 0)
        return NULL;
    for (i = 0; copy[i] != '\0'; i++)
        if ((unsigned char)copy[i] >= 0x80)
            copy[i] = '?';
    return copy;
}

/* Makes a *new* subscriber as OPTIONS say, which only the caller knows yet.
 * CRIER_ERR_TOPIC, CRIER_ERR_SELECTOR, CRIER_ERR_MANY_TOPICS, -ENOMEM. */
static int new_subscriber(struct crier_hub *hub, struct crier_stream *stream,
                          const struct crier_subscribe_options *options,
                          struct crier__subscriber **subscriber)
{
    struct crier__selectors *selectors;
    struct crier__subscriber *made;
    unsigned past, i;
    int error = crier__selectors_collect(options->topics, options->selectors,
                                         options->selector_count, options->live,
                                         &past, &selectors);

    if (error != 0)
        return error;
    made = calloc(1, sizeof *made +
                         selectors->count * sizeof made->subscriptions[0]);
    if (made == NULL) {
        crier__selectors_free(selectors);
        return -ENOMEM;
    }
    made->selectors = selectors;
    made->stream = crier__stream_ref(stream);
    made->shard = &hub->per_shard[stream->shard->index];
    made->join.run = crier__subscriber_join;
    made->retry.fire = crier__subscriber_retry;
    made->number = options->number;
    made->since = (unsigned char)options->since;
    made->once = options->once;
    made->end_line = options->end_line && options->once;
    made->left = options->once ? options->limit : 0;
    made->begin = (unsigned char)options->start;
    made->needs_id = made->begin != CRIER_START_COMMENT && crier__stream_is_events(stream);
    made->active = true;
    for (i = 0; i < selectors->count; i++) {
        made->subscriptions[i].subscriber = made;
        made->subscriptions[i].live = i >= past;
    }
    made->grants = crier_grants_ref(options->grants);
    if (options->hello != NULL)
        made->hello = crier_frame_ref(options->hello);
    if (options->since == CRIER_SINCE_ID) {
        made->id = copy_id(options->id);
        if (made->id == NULL) {
            crier__subscriber_free(made);
            return -ENOMEM;
        }
    }
    *subscriber = made;
    return 0;
}

/* ---- where it begins -------------------------------------------------- */

/* Whether ID can be the value of a field of HTTP and of an event stream, unchanged. */
static bool is_sendable(const char *id)
{
    size_t length = strlen(id), i;

    if (length == 0 || id[0] == ' ' || id[length - 1] == ' ')
        return false;
    for (i = 0; i < length; i++)
        if ((unsigned char)id[i] < ' ' || id[i] == 0x7f)
            return false;
    return true;
}

/* The id after which SUBSCRIBER begins, as far as it is known before the journal is
 * read: one asked for, or one written to MADE. NULL when it is not. */
static const char *begin_id(const struct crier__subscriber *subscriber,
                            char made[CRIER__ID_SIZE])
{
    switch (subscriber->since) {
    case CRIER_SINCE_NOW:
        crier__id_make(made, subscriber->shard->hub->journal->epoch,
                       subscriber->joined);
        return made;
    case CRIER_SINCE_ID:
        return is_sendable(subscriber->id) ? subscriber->id : NULL;
    case CRIER_SINCE_ALL:
    case CRIER_SINCE_LAST:
    case CRIER_SINCE_TIME:
        break;
    }
    return NULL;
}

/* Makes the body begin with ID. -ENOMEM. */
static int start_with_id(struct crier__subscriber *subscriber, const char *id)
{
    struct crier_frame *frame = crier__subscriber_id_frame(subscriber, id);

    if (frame == NULL)
        return -ENOMEM;
    if (crier__transport_start(&subscriber->stream->transport, frame, true))
        crier_frame_unref(frame);
    else
        subscriber->start = frame;
    subscriber->needs_id = subscriber->since != CRIER_SINCE_NOW;
    return 0;
}

/* Puts where the stream begins into the response and the body. -ENOMEM. */
static int announce_begin(struct crier__subscriber *subscriber,
                          struct MHD_Response *response)
{
    char made[CRIER__ID_SIZE];
    const char *id = begin_id(subscriber, made);

    if (response != NULL && id != NULL &&
        MHD_add_response_header(response, "Last-Event-ID", id) != MHD_YES)
        return -ENOMEM;
    if (subscriber->needs_id && id != NULL)
        return start_with_id(subscriber, id);
    if (subscriber->once) /* what it has comes at once, or its end */
        crier__transport_start(&subscriber->stream->transport, NULL, true);
    return 0;
}

/* Whether ID is that of the last update ENDED, or of a position behind it and up to
 * NOW. */
static bool is_at_end(const struct crier_hub *hub, const char *id,
                      const struct crier__ended *ended, uint64_t now)
{
    uint64_t position;

    if (crier__id_read(id, hub->journal->epoch, &position))
        return position >= ended->position && position <= now;
    return strcmp(id, ended->id) == 0;
}

/* Looks at a subscription to SELECTORS that begins as SINCE and ID say, when NOW is the
 * position of the last update yielded. Writes to *ENDED whether all its topics have ended
 * up to there. CRIER_ERR_TOPIC_ENDED when it would begin behind that. */
static int check_end(const struct crier_hub *hub,
                     const struct crier__selectors *selectors,
                     enum crier_since since, const char *id, uint64_t now,
                     bool *ended)
{
    struct crier__ended last;

    *ended = crier__selectors_have_ended(hub->journal, selectors, now, &last);
    return *ended && since == CRIER_SINCE_ID && is_at_end(hub, id, &last, now)
               ? CRIER_ERR_TOPIC_ENDED
               : 0;
}

/* Makes SUBSCRIBER, which has been counted in, begin with the last update if all its topics
 * have ended and it was to begin behind it without an id. CRIER_ERR_TOPIC_ENDED. */
static int begin_at_end(struct crier__subscriber *subscriber)
{
    bool ended;
    int error;

    if (subscriber->once)
        return 0;
    error = check_end(subscriber->shard->hub, subscriber->selectors, subscriber->since,
                      subscriber->id, subscriber->joined, &ended);
    if (ended && subscriber->since == CRIER_SINCE_NOW) {
        subscriber->since = CRIER_SINCE_LAST;
        subscriber->number = 1;
    }
    return error;
}

/* Counts SUBSCRIBER in, and announces where it begins. -ENOMEM, CRIER_ERR_TOPIC_ENDED; it
 * is not counted then. */
static int enter_hub(struct crier__subscriber *subscriber,
                     struct MHD_Response *response)
{
    struct crier_hub *hub = subscriber->shard->hub;
    unsigned index = subscriber->stream->shard->index;
    int error = crier__directory_enter(hub, subscriber->selectors, index,
                                    subscriber->once, &subscriber->joined);

    if (error != 0)
        return error;
    error = begin_at_end(subscriber);
    if (error == 0)
        error = announce_begin(subscriber, response);
    if (error != 0)
        crier__directory_leave(hub, subscriber->selectors, index, subscriber->once,
                             true);
    return error;
}

/* Sets where the live selectors begin, which is known now. */
static void set_live_begin(struct crier__subscriber *subscriber)
{
    unsigned i;

    for (i = 0; i < subscriber->selectors->count; i++)
        if (subscriber->subscriptions[i].live != 0)
            subscriber->subscriptions[i].live = subscriber->joined + 1;
}

static int check_options(struct crier_hub *hub,
                         const struct crier_subscribe_options *options)
{
    size_t i;

    if (hub == NULL || options == NULL ||
        (options->topics == NULL && options->selector_count == 0) ||
        (options->selectors == NULL && options->selector_count != 0) ||
        (options->since == CRIER_SINCE_ID && options->id == NULL))
        return CRIER_ERR_NULL;
    for (i = 0; i < options->selector_count; i++)
        if (options->selectors[i].text == NULL)
            return CRIER_ERR_NULL;
    if (crier__forked(hub->born))
        return CRIER_ERR_FORKED;
    if ((unsigned)options->since > CRIER_SINCE_TIME)
        return CRIER_ERR_INVALID;
    return crier__gate_is_closed(&hub->gate) ? CRIER_ERR_HUB_CLOSED : 0;
}

static int check_subscribe(struct crier_hub *hub, struct crier_stream *stream,
                           const struct crier_subscribe_options *options)
{
    int error = stream != NULL ? check_options(hub, options) : CRIER_ERR_NULL;

    if (error == 0 && stream->shard->set != hub->shards)
        error = CRIER_ERR_OTHER_SHARDS;
    if (error == 0 && atomic_load(&stream->closing))
        error = CRIER_ERR_CLOSED;
    return error;
}

static struct crier__first_read *
new_first_read(const struct crier_subscribe_options *options)
{
    struct crier__first_read *first = malloc(sizeof *first);

    if (first != NULL)
        *first = (struct crier__first_read){options->on_read,
                                            options->closure};
    return first;
}

int crier_hub_subscribe(struct crier_hub *hub, struct crier_stream *stream,
                        const struct crier_subscribe_options *options)
{
    struct crier__selectors *announced = NULL;
    struct crier__first_read *first = NULL;
    struct crier__subscriber *subscriber;
    int error;

    error = check_subscribe(hub, stream, options);
    if (error != 0)
        return error;
    error = crier__stream_give(stream, hub);
    if (error != 0)
        return error;
    error = new_subscriber(hub, stream, options, &subscriber);
    if (error != 0)
        goto give_back;
    if (options->on_read != NULL) {
        first = new_first_read(options);
        if (first == NULL)
            error = -ENOMEM;
    }
    /* The subscriber is the shard's soon. */
    if (error == 0 && atomic_load(&hub->has_presence) && !options->once) {
        announced = crier__selectors_copy(subscriber->selectors);
        if (announced == NULL)
            error = -ENOMEM;
    }
    if (error == 0)
        error = enter_hub(subscriber, options->response);
    if (error != 0) {
        crier__subscriber_free(subscriber);
        goto give_back;
    }
    set_live_begin(subscriber);
    subscriber->first_read = first;
    crier__shard_post_newcomer(stream->shard, &subscriber->join);
    if (announced != NULL)
        crier__presence_announce(hub, announced, NULL, true);
    crier__selectors_free(announced);
    return 0;
give_back:
    crier__selectors_free(announced);
    free(first);
    atomic_store(&stream->joined, NULL);
    return error;
}

int crier_hub_can_subscribe(struct crier_hub *hub,
                            const struct crier_subscribe_options *options)
{
    struct crier__selectors *selectors;
    int error = check_options(hub, options);
    uint64_t now;
    unsigned past;
    bool ended;

    if (error == 0)
        error = crier__selectors_collect(options->topics, options->selectors,
                                         options->selector_count, options->live,
                                         &past, &selectors);
    if (error != 0)
        return error;
    pthread_mutex_lock(&hub->lock);
    now = hub->last;
    pthread_mutex_unlock(&hub->lock);
    if (!options->once)
        error = check_end(hub, selectors, options->since, options->id, now, &ended);
    crier__selectors_free(selectors);
    return error;
}

/* ---- other topics ------------------------------------------------------- */

static int check_change(struct crier_hub *hub, struct crier_stream *stream,
                        const char *topics)
{
    if (hub == NULL || stream == NULL || topics == NULL)
        return CRIER_ERR_NULL;
    if (crier__forked(hub->born))
        return CRIER_ERR_FORKED;
    if (crier__gate_is_closed(&hub->gate))
        return CRIER_ERR_HUB_CLOSED;
    if (atomic_load(&stream->joined) != hub)
        return CRIER_ERR_NOT_JOINED;
    return atomic_load(&stream->closing) ? CRIER_ERR_CLOSED : 0;
}

/* Makes a *new* change, whose cost is counted in the backlog. */
static int new_change(struct crier_hub *hub, struct crier_stream *stream,
                      const char *topics, struct crier__change **change)
{
    const struct crier_subscribe_options options = {.topics = topics};
    struct crier__change *made = calloc(1, sizeof *made);
    int error = -ENOMEM;

    if (made != NULL)
        error = new_subscriber(hub, stream, &options, &made->made);
    if (error != 0) {
        free(made);
        return error;
    }
    made->cost = sizeof *made + sizeof *made->made + strlen(topics) +
                 made->made->selectors->count *
                     sizeof made->made->subscriptions[0];
    error = crier__shards_reserve(hub->shards, made->cost);
    if (error != 0) {
        crier__subscriber_free(made->made);
        free(made);
        return error;
    }
    *change = made;
    return 0;
}

int crier_hub_change(struct crier_hub *hub, struct crier_stream *stream,
                     const char *topics)
{
    struct crier__change *change;
    int error = check_change(hub, stream, topics);

    if (error == 0)
        error = new_change(hub, stream, topics, &change);
    if (error != 0)
        return error;
    /* After success the change is the shard's. */
    error = crier__directory_begin_change(hub, change->made->selectors, stream->shard->index,
                            change, &change->after);
    if (error != 0)
        crier__change_drop(change);
    return error;
}
