/*
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
 */
#include <config.h>

#include "subscriber.h"

#include "libcrier/wire/topic.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* ---- asking for it ----------------------------------------------------- */

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
        error = crier__subscriber_new(hub, stream, &options, &made->made);
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

static void free_change(struct crier__change *change)
{
    crier__shards_release(change->made->stream->shard->set, change->cost);
    crier__subscriber_free(change->made);
    free(change);
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
        free_change(change);
    return error;
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
        crier__subscriber_read(made);
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

    if (!stream->over && stream->leave != crier__subscriber_leave) {
        DL_APPEND(part->early, change);
        return;
    }
    if (stream->over) {
        crier__hub_came(part->hub, made->topics, NULL, part->shard->index,
                        false, false);
        free_change(change);
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

void crier__subscribers_change_now(struct crier__part *part,
                                 const struct crier_stream *stream)
{
    struct crier__change *changes;

    pthread_mutex_lock(&part->hub->lock);
    changes = take_changes(&part->changes, stream);
    pthread_mutex_unlock(&part->hub->lock);
    (void)crier__subscribers_change(part, changes, UINT64_MAX);
}

void crier__subscribers_change_early(struct crier__part *part,
                                   const struct crier_stream *stream)
{
    (void)crier__subscribers_change(part, take_changes(&part->early, stream),
                                  UINT64_MAX);
}

void crier__changes_free(struct crier__change *changes)
{
    struct crier__change *change, *next;

    DL_FOREACH_SAFE (changes, change, next) {
        crier__subscriber_free(change->made);
        free(change);
    }
}
