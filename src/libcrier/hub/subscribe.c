/*
 * crier_hub_subscribe(): checks what is asked for, makes a subscriber of it, and tells the
 * client where its stream begins. subscriber.c describes what the subscriber does then.
 *
 * The position that is told must be one from which the stream really continues: a
 * client that is cut off right after it resumes there, and must lose nothing and get
 * nothing twice, while publishers go on. With CRIER_SINCE_NOW it is `joined`: the hub
 * reads it under the lock under which it counts the subscriber in. Every update up to
 * joined has been yielded before, and is not sent; every later one comes to the
 * subscriber's shard, and is. So the position is known when the response is built,
 * whatever journal there is, and holds whether the subscriber then goes live or has to
 * read first.
 *
 * With CRIER_SINCE_ID it is the id that the client asked for, as it is. The journal may
 * not know that id, and only the read finds out; but then the read finds a gap, too,
 * and a client that is cut off before the gap must ask for the same id again to be told
 * of it. A position in its place would lose the gap.
 *
 * With CRIER_SINCE_ALL, LAST and TIME only the journal knows where the stream begins,
 * and one in a file answers later. `joined` would be wrong: it skips the past that has
 * not been sent. So the response says nothing, and a client that is cut off here asks
 * the same question again. Position 0 was rejected: a client that resumes after 0 is
 * told a gap where the journal has let go anything, ever.
 *
 * When the first read has reached the end and there was no update to send, the client
 * is told the position that the read has reached (subscriber_read.c). Then it has an id
 * after CRIER_SINCE_ALL, LAST and TIME, too; and after CRIER_SINCE_ID one that stays
 * good, where the id of a program's own may be let go while its topics are quiet. An
 * update has an id itself, so where there was one nothing is told.
 */
#include <config.h>

#include "directory.h"
#include "presence.h"
#include "subscriber.h"
#include "subscriber_read.h"

#include "libcrier/wire/topic.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Parses TEXT, a list or "*". */
static int parse(const char *text, char **topics, unsigned *count)
{
    *count = 1;
    if (strcmp(text, "*") != 0)
        return crier__topics_parse(text, topics, count);
    *topics = strdup(text);
    return *topics != NULL ? 0 : -ENOMEM;
}

/* Writes a new list of the topics of OPTIONS to *TOPICS, the live ones last, their
 * number to *COUNT, and that of those with a past to *PAST. */
static int list_topics(const struct crier_subscribe_options *options,
                       char **topics, unsigned *past, unsigned *count)
{
    char *text;
    int error = parse(options->topics, topics, past);

    *count = *past;
    if (error != 0 || options->live == NULL)
        return error;
    if (strcmp(*topics, "*") == 0) {
        free(*topics);
        return CRIER_ERR_TOPIC;
    }
    if (asprintf(&text, "%s,%s", *topics, options->live) < 0)
        text = NULL;
    free(*topics);
    if (text == NULL)
        return -ENOMEM;
    error = crier__topics_parse(text, topics, count);
    free(text);
    return error;
}

/* A new copy of ID. One that no update can have becomes another such that can be
 * told in a gap: ids do not begin with "#?". */
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

static int new_subscriber(struct crier_hub *hub, struct crier_stream *stream,
                        const struct crier_subscribe_options *options,
                        struct crier__subscriber **subscriber)
{
    struct crier__subscriber *made;
    unsigned past, count, i;
    char *topics;
    int error = list_topics(options, &topics, &past, &count);

    if (error != 0)
        return error;
    made = calloc(1, sizeof *made + count * sizeof made->subs[0]);
    if (made == NULL) {
        free(topics);
        return -ENOMEM;
    }
    made->topics = topics;
    made->stream = crier__stream_ref(stream);
    made->part = &hub->parts[stream->shard->index];
    made->join.run = crier__subscriber_join;
    made->again.fire = crier__subscriber_again;
    made->number = options->number;
    made->since = options->since;
    made->once = options->once;
    made->untold = options->start_id && crier__stream_is_events(stream);
    made->awake = true;
    made->sub_count = count;
    for (i = 0; i < count; i++) {
        made->subs[i].subscriber = made;
        made->subs[i].live = i >= past;
    }
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

/* Whether ID can be the value of a field, of HTTP and of an event stream, and
 * arrives as it is. */
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
        crier__id_make(made, subscriber->part->hub->journal->epoch,
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

/* Has the body begin with ID. -ENOMEM. */
static int start_with_id(struct crier__subscriber *subscriber, const char *id)
{
    struct crier_frame *frame = crier__subscriber_id_frame(id);

    if (frame == NULL)
        return -ENOMEM;
    if (crier__transport_start(&subscriber->stream->transport, frame, true))
        crier_frame_unref(frame);
    else
        subscriber->start = frame;
    subscriber->untold = subscriber->since != CRIER_SINCE_NOW;
    return 0;
}

/* Has the response and the body tell the client where its stream begins. -ENOMEM. */
static int announce_begin(struct crier__subscriber *subscriber,
                          struct MHD_Response *response)
{
    char made[CRIER__ID_SIZE];
    const char *id = begin_id(subscriber, made);

    if (response != NULL && id != NULL &&
        MHD_add_response_header(response, "Last-Event-ID", id) != MHD_YES)
        return -ENOMEM;
    if (subscriber->untold && id != NULL)
        return start_with_id(subscriber, id);
    if (subscriber->once) /* what it has comes at once, or its end */
        crier__transport_start(&subscriber->stream->transport, NULL, true);
    return 0;
}

/* Counts SUBSCRIBER in with the hub, and tells where it begins. -ENOMEM; it is not
 * counted then. */
static int enter_hub(struct crier__subscriber *subscriber,
                 struct MHD_Response *response)
{
    struct crier_hub *hub = subscriber->part->hub;
    unsigned index = subscriber->stream->shard->index;
    int error = crier__hub_count_in(hub, subscriber->topics, index,
                                    subscriber->once, &subscriber->joined);

    if (error != 0)
        return error;
    error = announce_begin(subscriber, response);
    if (error != 0)
        crier__hub_count_out(hub, subscriber->topics, index, subscriber->once,
                             true);
    return error;
}

/* Where its live topics begin is known now. */
static void begin_live(struct crier__subscriber *subscriber)
{
    unsigned i;

    for (i = 0; i < subscriber->sub_count; i++)
        if (subscriber->subs[i].live != 0)
            subscriber->subs[i].live = subscriber->joined + 1;
}

static int check_follow(const struct crier_hub *hub, struct crier_stream *stream,
                 const struct crier_subscribe_options *options)
{
    if (hub == NULL || stream == NULL || options == NULL ||
        options->topics == NULL ||
        (options->since == CRIER_SINCE_ID && options->id == NULL))
        return CRIER_ERR_NULL;
    if (crier__forked(hub->born))
        return CRIER_ERR_FORKED;
    if ((unsigned)options->since > CRIER_SINCE_TIME)
        return CRIER_ERR_INVALID;
    if (stream->shard->set != hub->shards)
        return CRIER_ERR_OTHER_SHARDS;
    if (atomic_load(&hub->closed))
        return CRIER_ERR_HUB_CLOSED;
    return atomic_load(&stream->closing) ? CRIER_ERR_CLOSED : 0;
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
    struct crier__first_read *first = NULL;
    struct crier__subscriber *subscriber;
    char *topics = NULL;
    int error;

    error = check_follow(hub, stream, options);
    if (error != 0)
        return error;
    error = crier__stream_give(stream, hub);
    if (error != 0)
        return error;
    error = new_subscriber(hub, stream, options, &subscriber);
    if (error != 0)
        goto give_up;
    if (options->on_read != NULL) {
        first = new_first_read(options);
        if (first == NULL)
            error = -ENOMEM;
    }
    /* The subscriber is the shard's soon. */
    if (error == 0 && hub->presence != NULL && !options->once) {
        topics = strdup(subscriber->topics);
        if (topics == NULL)
            error = -ENOMEM;
    }
    if (error == 0)
        error = enter_hub(subscriber, options->response);
    if (error != 0) {
        crier__subscriber_free(subscriber);
        goto give_up;
    }
    begin_live(subscriber);
    subscriber->first_read = first;
    crier__shard_post_newcomer(stream->shard, &subscriber->join);
    if (topics != NULL)
        crier__hub_announce(hub, topics, true);
    free(topics);
    return 0;
give_up:
    free(topics);
    free(first);
    atomic_store(&stream->joined, NULL);
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
    if (atomic_load(&hub->closed))
        return CRIER_ERR_HUB_CLOSED;
    if (atomic_load(&stream->joined) != hub)
        return CRIER_ERR_NOT_JOINED;
    return atomic_load(&stream->closing) ? CRIER_ERR_CLOSED : 0;
}

/* A new change, whose cost is counted in the backlog. */
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
                 made->made->sub_count * sizeof made->made->subs[0];
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
    /* Once that has succeeded it is the shard's. */
    error = crier__hub_come(hub, change->made->topics, stream->shard->index,
                            change, &change->after);
    if (error != 0)
        crier__change_drop(change);
    return error;
}
