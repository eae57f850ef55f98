/*
 * The broadcaster: a list of streams, and the sending of one frame to all of them.
 *
 * Each shard keeps the members that live on it in a list of its own, which only its
 * thread reads and writes; a broadcast is one task for every shard that has members.
 * Joining is a task as well. So no member can be lost between a sweep and a
 * registration: there is no sweep over a shared list, and the order of the inbox
 * decides. (The usual design, one list under one lock that is copied and cleaned while
 * pinging, loses streams that join meanwhile and lets one slow member delay the
 * others.) Pings are the keep-alives of the streams, each on its own timer.
 *
 * The lock of the broadcaster guards the directory (names and counts). It is held while
 * a broadcast is posted to the shards, so that two broadcasts reach every shard in the
 * same order. Lock order: broadcaster, shard, transport. No task runs under it.
 *
 * Life of a member: made by crier_broadcaster_join(); on the list of its shard once the
 * join task has run; freed on the thread of the shard when the stream is over or
 * leaves. The directory has it from crier_broadcaster_join() on.
 *
 * Leaving is a task as well, so it has its place among the broadcasts. Until that task
 * has run the directory still has the name; so a frame for one member names the member,
 * and is dropped when the stream has become another member meanwhile.
 */
#include <config.h>

#include "broadcaster.h"

#include "base/container_of.h"
#include "libcrier/wire/frame.h"
#include "libcrier/wire/frame_print.h"
#include "shards.h"
#include "stream.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* uthash reports a failed allocation by leaving the element's handle empty. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>
#include <utlist.h>

#define DEFAULT_PING 10000
#define SHORTEST_PING 10

struct name {
    UT_hash_handle hh;
    struct member *members; /* a DL list by name_prev, name_next */
    size_t count;
    char text[];
};

struct member {
    struct member *prev, *next;  /* the shard's thread alone */
    struct crier_stream *stream; /* a reference */
    struct crier_broadcaster *broadcaster; /* a reference */
    struct crier__task join;
    struct crier_frame *hello; /* a reference or NULL */
    bool listed;               /* the shard's thread alone */

    /* The broadcaster's lock. */
    struct name *name; /* or NULL */
    struct member *name_prev, *name_next;
};

/* One shard's part of the list. */
struct part {
    struct member *members; /* the shard's thread alone */
    size_t count;           /* the broadcaster's lock; joining ones included */
};

struct crier_broadcaster {
    atomic_uint references; /* the program's, each member's and delivery's */
    struct crier_shards *shards;
    uint32_t ping;

    pthread_mutex_t lock; /* guards what follows */
    struct name *names;
    size_t count;
    struct part parts[];
};

int crier_broadcaster_new(struct crier_shards *shards,
                          const struct crier_broadcaster_options *options,
                          struct crier_broadcaster **broadcaster)
{
    struct crier_broadcaster *made;
    uint32_t ping = DEFAULT_PING;
    int error;

    if (shards == NULL || broadcaster == NULL)
        return CRIER_ERR_NULL;
    if (crier__forked(shards->born))
        return CRIER_ERR_FORKED;
    if (options != NULL && options->ping != 0)
        ping = options->ping;
    if (ping < SHORTEST_PING)
        return CRIER_ERR_INVALID;
    made = calloc(1, sizeof *made + shards->count * sizeof made->parts[0]);
    if (made == NULL)
        return -ENOMEM;
    atomic_init(&made->references, 1);
    made->shards = shards;
    made->ping = ping;
    error = -pthread_mutex_init(&made->lock, NULL);
    if (error != 0) {
        free(made);
        return error;
    }
    *broadcaster = made;
    return 0;
}

struct crier_shards *
crier__broadcaster_shards(const struct crier_broadcaster *broadcaster)
{
    return broadcaster->shards;
}

static struct crier_broadcaster *ref_broadcaster(struct crier_broadcaster *broadcaster)
{
    atomic_fetch_add_explicit(&broadcaster->references, 1,
                              memory_order_relaxed);
    return broadcaster;
}

static void unref_broadcaster(struct crier_broadcaster *broadcaster)
{
    if (atomic_fetch_sub_explicit(&broadcaster->references, 1,
                                  memory_order_acq_rel) != 1)
        return;
    pthread_mutex_destroy(&broadcaster->lock);
    free(broadcaster);
}

void crier_broadcaster_free(struct crier_broadcaster *broadcaster)
{
    if (broadcaster != NULL)
        unref_broadcaster(broadcaster);
}

/* ---- the directory, under the lock ------------------------------------ */

static struct name *find_name(struct crier_broadcaster *broadcaster,
                              const char *text)
{
    struct name *name;

    HASH_FIND_STR(broadcaster->names, text, name);
    return name;
}

/* Finds or makes the entry of TEXT, NULL when memory is short. */
static struct name *get_name(struct crier_broadcaster *broadcaster,
                             const char *text)
{
    struct name *name = find_name(broadcaster, text);
    size_t length = strlen(text);

    if (name != NULL)
        return name;
    name = calloc(1, sizeof *name + length + 1);
    if (name == NULL)
        return NULL;
    memcpy(name->text, text, length + 1);
    HASH_ADD_KEYPTR(hh, broadcaster->names, name->text, length, name);
    if (name->hh.tbl == NULL) {
        free(name);
        return NULL;
    }
    return name;
}

static int enter_name(struct crier_broadcaster *broadcaster, struct member *member,
                      const char *text)
{
    if (text != NULL) {
        member->name = get_name(broadcaster, text);
        if (member->name == NULL)
            return -ENOMEM;
        DL_APPEND2(member->name->members, member, name_prev, name_next);
        member->name->count++;
    }
    broadcaster->count++;
    broadcaster->parts[member->stream->shard->index].count++;
    return 0;
}

static void strike_member(struct crier_broadcaster *broadcaster,
                          struct member *member)
{
    struct name *name = member->name;

    broadcaster->count--;
    broadcaster->parts[member->stream->shard->index].count--;
    if (name == NULL)
        return;
    DL_DELETE2(name->members, member, name_prev, name_next);
    if (--name->count == 0) {
        HASH_DEL(broadcaster->names, name);
        free(name);
    }
}

/* ---- joining and leaving ---------------------------------------------- */

static void leave_broadcaster(struct crier_stream *stream)
{
    struct member *member = stream->member;
    struct crier_broadcaster *broadcaster = member->broadcaster;

    stream->member = NULL;
    stream->leave = NULL;
    if (member->listed)
        DL_DELETE(broadcaster->parts[stream->shard->index].members, member);
    pthread_mutex_lock(&broadcaster->lock);
    strike_member(broadcaster, member);
    pthread_mutex_unlock(&broadcaster->lock);
    crier_frame_unref(member->hello);
    crier__stream_unref(stream);
    free(member);
    unref_broadcaster(broadcaster);
}

static void join_member(struct crier__task *task)
{
    struct member *member =
        CRIER__CONTAINER_OF(task, struct member, join);
    struct crier_stream *stream = member->stream;
    struct crier_broadcaster *broadcaster = member->broadcaster;
    unsigned index = stream->shard->index;

    stream->member = member;
    stream->leave = leave_broadcaster;
    if (stream->over) {
        leave_broadcaster(stream);
        return;
    }
    DL_APPEND(broadcaster->parts[index].members, member);
    member->listed = true;
    crier__stream_keep_alive(stream, broadcaster->ping);
    if (member->hello == NULL)
        return;
    crier__stream_offer(stream, member->hello);
    crier__tally_sent(&stream->shard->tally, 1, member->hello->length);
}

int crier_broadcaster_join(struct crier_broadcaster *broadcaster,
                           struct crier_stream *stream, const char *name,
                           struct crier_frame *hello)
{
    struct member *member;
    int error;

    if (broadcaster == NULL || stream == NULL)
        return CRIER_ERR_NULL;
    if (crier__forked(broadcaster->shards->born))
        return CRIER_ERR_FORKED;
    if (atomic_load(&stream->closing))
        return CRIER_ERR_CLOSED;
    if (stream->shard->set != broadcaster->shards)
        return CRIER_ERR_OTHER_SHARDS;
    member = calloc(1, sizeof *member);
    if (member == NULL)
        return -ENOMEM;
    error = crier__stream_give(stream, broadcaster);
    if (error != 0) {
        free(member);
        return error;
    }
    member->join.run = join_member;
    member->broadcaster = broadcaster;
    member->stream = stream;
    pthread_mutex_lock(&broadcaster->lock);
    error = enter_name(broadcaster, member, name);
    if (error == 0) {
        ref_broadcaster(broadcaster);
        crier__stream_ref(stream);
        if (hello != NULL)
            member->hello = crier_frame_ref(hello);
        crier__shard_post_newcomer(stream->shard, &member->join);
    }
    pthread_mutex_unlock(&broadcaster->lock);
    if (error != 0) {
        atomic_store(&stream->joined, NULL);
        free(member);
    }
    return error;
}

/* A stream that is about to leave the list. */
struct leaving {
    struct crier__task task;
    struct crier_broadcaster *broadcaster; /* a reference */
    struct crier_stream *stream;           /* a reference */
};

static void leave_early(struct crier__task *task)
{
    struct leaving *leaving = (struct leaving *)task;
    struct crier_stream *stream = leaving->stream;

    /* The stream may be over by now. */
    if (stream->leave == leave_broadcaster)
        leave_broadcaster(stream);
    crier__stream_unref(stream);
    unref_broadcaster(leaving->broadcaster);
    free(leaving);
}

int crier_broadcaster_leave(struct crier_broadcaster *broadcaster,
                            struct crier_stream *stream)
{
    /* A placeholder: the stream cannot join before the task is posted. */
    static char going;
    void *owner = broadcaster;
    struct leaving *leaving;

    if (broadcaster == NULL || stream == NULL)
        return CRIER_ERR_NULL;
    if (crier__forked(broadcaster->shards->born))
        return CRIER_ERR_FORKED;
    leaving = malloc(sizeof *leaving);
    if (leaving == NULL)
        return -ENOMEM;
    if (!atomic_compare_exchange_strong(&stream->joined, &owner, &going)) {
        free(leaving);
        return CRIER_ERR_NOT_JOINED;
    }
    leaving->task.run = leave_early;
    leaving->broadcaster = ref_broadcaster(broadcaster);
    leaving->stream = crier__stream_ref(stream);
    crier__shard_post(stream->shard, &leaving->task);
    atomic_store(&stream->joined, NULL);
    return 0;
}

/* ---- sending ---------------------------------------------------------- */

/* A frame on its way to the members on one shard, or to one of them. */
struct delivery {
    struct crier__task task;
    struct delivery *also; /* the next one of the same send */
    struct crier_broadcaster *broadcaster; /* a reference */
    struct crier__shard *shard;
    struct crier_stream *stream; /* a reference; NULL: to all */
    const struct member *member; /* of the stream; only compared, never followed */
    struct crier_frame *frame;   /* a reference */
    size_t cost;                 /* in the backlog */
};

static void free_delivery(struct delivery *delivery)
{
    unref_broadcaster(delivery->broadcaster);
    crier__stream_unref(delivery->stream);
    crier_frame_unref(delivery->frame);
    free(delivery);
}

/* Prefetches the stream of NEXT, which is next, and the member after it. */
CRIER__PREFETCHES void prefetch_ahead(const struct member *next)
{
    if (next == NULL)
        return;
    __builtin_prefetch(next->next);
    crier__stream_prefetch(next->stream);
}

static void deliver_broadcast(struct crier__task *task)
{
    struct delivery *delivery = (struct delivery *)task;
    struct part *part =
        &delivery->broadcaster->parts[delivery->shard->index];
    struct member *member, *next;
    size_t count = 0;

    crier__shards_release(delivery->broadcaster->shards, delivery->cost);
    if (delivery->stream != NULL) {
        if (delivery->stream->member == delivery->member) {
            crier__stream_offer(delivery->stream, delivery->frame);
            count = 1;
        }
    } else /* a member that is too slow is cut, and so leaves, meanwhile */
        DL_FOREACH_SAFE (part->members, member, next) {
            prefetch_ahead(next);
            crier__stream_offer(member->stream, delivery->frame);
            count++;
        }
    crier__tally_sent(&delivery->shard->tally, count,
                      count * delivery->frame->length);
    free_delivery(delivery);
}

/* Adds one more delivery at the front of LIST. */
static int prepare_delivery(struct crier_broadcaster *broadcaster,
                            struct crier__shard *shard, const struct member *member,
                            struct crier_frame *frame, struct delivery **list)
{
    struct delivery *delivery = calloc(1, sizeof *delivery);

    if (delivery == NULL)
        return -ENOMEM;
    delivery->task.run = deliver_broadcast;
    delivery->broadcaster = ref_broadcaster(broadcaster);
    delivery->shard = shard;
    delivery->stream = member != NULL ? crier__stream_ref(member->stream) : NULL;
    delivery->member = member;
    delivery->frame = crier_frame_ref(frame);
    delivery->also = *list;
    *list = delivery;
    return 0;
}

static int prepare_all(struct crier_broadcaster *broadcaster,
                       struct crier_frame *frame, struct delivery **list)
{
    unsigned i;
    int error = 0;

    for (i = 0; i < broadcaster->shards->count && error == 0; i++)
        if (broadcaster->parts[i].count != 0)
            error = prepare_delivery(broadcaster, &broadcaster->shards->shards[i],
                                     NULL, frame, list);
    return error;
}

static int prepare_name(struct crier_broadcaster *broadcaster,
                        const struct name *name, struct crier_frame *frame,
                        struct delivery **list)
{
    struct member *member;
    int error = 0;

    DL_FOREACH2 (name->members, member, name_next) {
        error = prepare_delivery(broadcaster, member->stream->shard, member, frame,
                                 list);
        if (error != 0)
            break;
    }
    return error;
}

/* Posts the deliveries of LIST, or frees them when ERROR is not 0. Returns ERROR, or
 * that of the backlog. */
static int dispatch_frame(struct crier_broadcaster *broadcaster,
                          struct delivery *list, int error)
{
    struct delivery *delivery;
    size_t cost = 0;

    /* The deliveries share one frame, so its bytes count once. */
    for (delivery = list; delivery != NULL; delivery = delivery->also) {
        delivery->cost = crier__frame_cost(delivery->frame);
        if (delivery != list)
            delivery->cost -= delivery->frame->length;
        cost += delivery->cost;
    }
    if (error == 0 && cost != 0)
        error = crier__shards_reserve(broadcaster->shards, cost);
    while ((delivery = list) != NULL) {
        list = delivery->also;
        if (error == 0)
            crier__shard_post(delivery->shard, &delivery->task);
        else
            free_delivery(delivery);
    }
    return error;
}

long crier_broadcaster_send(struct crier_broadcaster *broadcaster,
                            struct crier_frame *frame)
{
    struct delivery *list = NULL;
    long count;
    int error;

    if (broadcaster == NULL || frame == NULL)
        return CRIER_ERR_NULL;
    if (crier__forked(broadcaster->shards->born))
        return CRIER_ERR_FORKED;
    pthread_mutex_lock(&broadcaster->lock);
    count = (long)broadcaster->count;
    error = prepare_all(broadcaster, frame, &list);
    error = dispatch_frame(broadcaster, list, error);
    pthread_mutex_unlock(&broadcaster->lock);
    return error != 0 ? error : count;
}

long crier_broadcaster_printf(struct crier_broadcaster *broadcaster,
                              const char *type, const char *format, ...)
{
    struct crier_frame *frame;
    va_list arguments;
    long sent;

    if (broadcaster == NULL)
        return CRIER_ERR_NULL;
    va_start(arguments, format);
    sent = crier__frame_vprintf(&frame, type, format, arguments);
    va_end(arguments);
    if (sent != 0)
        return sent;
    sent = crier_broadcaster_send(broadcaster, frame);
    crier_frame_unref(frame);
    return sent;
}

long crier_broadcaster_send_to(struct crier_broadcaster *broadcaster,
                               const char *text, struct crier_frame *frame)
{
    struct delivery *list = NULL;
    struct name *name;
    long count = 0;
    int error = 0;

    if (broadcaster == NULL || text == NULL || frame == NULL)
        return CRIER_ERR_NULL;
    if (crier__forked(broadcaster->shards->born))
        return CRIER_ERR_FORKED;
    pthread_mutex_lock(&broadcaster->lock);
    name = find_name(broadcaster, text);
    if (name != NULL) {
        count = (long)name->count;
        error = prepare_name(broadcaster, name, frame, &list);
        error = dispatch_frame(broadcaster, list, error);
    }
    pthread_mutex_unlock(&broadcaster->lock);
    return error != 0 ? error : count;
}

size_t crier_broadcaster_count(struct crier_broadcaster *broadcaster)
{
    size_t count;

    if (broadcaster == NULL || crier__forked(broadcaster->shards->born))
        return 0;
    pthread_mutex_lock(&broadcaster->lock);
    count = broadcaster->count;
    pthread_mutex_unlock(&broadcaster->lock);
    return count;
}

size_t crier_broadcaster_count_of(struct crier_broadcaster *broadcaster,
                                  const char *text)
{
    struct name *name;
    size_t count;

    if (broadcaster == NULL || text == NULL ||
        crier__forked(broadcaster->shards->born))
        return 0;
    pthread_mutex_lock(&broadcaster->lock);
    name = find_name(broadcaster, text);
    count = name != NULL ? name->count : 0;
    pthread_mutex_unlock(&broadcaster->lock);
    return count;
}
