/*
 * crier_hub_follow(): checks what is asked for, and makes a follower of it. What
 * that does then is told in follower.c.
 */
#include <config.h>

#include "follower.h"

#include "topic.h"

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
static int list_topics(const struct crier_follow_options *options,
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

int crier__follower_new(struct crier_hub *hub, struct crier_stream *stream,
                        const struct crier_follow_options *options,
                        struct crier__follower **follower)
{
    struct crier__follower *made;
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
    made->join.run = crier__follower_join;
    made->again.fire = crier__follower_again;
    made->number = options->number;
    made->since = options->since;
    made->once = options->once;
    made->awake = true;
    made->sub_count = count;
    for (i = 0; i < count; i++) {
        made->subs[i].follower = made;
        made->subs[i].live = i >= past;
    }
    if (options->hello != NULL)
        made->hello = crier_frame_ref(options->hello);
    if (options->since == CRIER_SINCE_ID) {
        made->id = copy_id(options->id);
        if (made->id == NULL) {
            crier__follower_free(made);
            return -ENOMEM;
        }
    }
    *follower = made;
    return 0;
}

/* Where its live topics begin is known now. */
static void begin_live(struct crier__follower *follower)
{
    unsigned i;

    for (i = 0; i < follower->sub_count; i++)
        if (follower->subs[i].live != 0)
            follower->subs[i].live = follower->joined + 1;
}

static int check(const struct crier_hub *hub, struct crier_stream *stream,
                 const struct crier_follow_options *options)
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

int crier_hub_follow(struct crier_hub *hub, struct crier_stream *stream,
                     const struct crier_follow_options *options)
{
    struct crier__follower *follower;
    char *topics = NULL;
    int error;

    error = check(hub, stream, options);
    if (error != 0)
        return error;
    error = crier__stream_give(stream, hub);
    if (error != 0)
        return error;
    error = crier__follower_new(hub, stream, options, &follower);
    if (error != 0)
        goto give_up;
    /* The follower is the shard's soon. */
    if (hub->presence != NULL && !options->once) {
        topics = strdup(follower->topics);
        if (topics == NULL)
            error = -ENOMEM;
    }
    if (error == 0)
        error = crier__hub_count_in(hub, follower->topics,
                                    stream->shard->index, options->once,
                                    &follower->joined);
    if (error != 0) {
        crier__follower_free(follower);
        goto give_up;
    }
    begin_live(follower);
    crier__shard_post_newcomer(stream->shard, &follower->join);
    if (topics != NULL)
        crier__hub_announce(hub, topics, true);
    free(topics);
    return 0;
give_up:
    free(topics);
    atomic_store(&stream->joined, NULL);
    return error;
}
