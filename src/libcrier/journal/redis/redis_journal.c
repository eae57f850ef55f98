/*
 * The journal in Redis: what other threads call, its thread, its start and its end.
 *
 * Other threads put what they ask into the queue and wake the thread. Reads that the mirror
 * can answer are answered on the thread that asks, whether Redis is there or not.
 *
 * The life of the journal: crier_journal_redis() starts the link and waits until the mirror
 * is filled. Nothing is yielded before the hub has called `start`. At close() the thread
 * answers what is on its way, counts this node out, and ends.
 */
#include <config.h>

#include "redis.h"
#include "redis_past.h"
#include "redis_census.h"

#include "base/clock.h"
#include "base/cond.h"
#include "libcrier/journal/memory/memory_read.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* How long an end waits for a server that does not answer, in ms. */
#define LEAVING_TIME 2000

static struct crier__redis *redis_of(struct crier_journal *journal)
{
    return (struct crier__redis *)journal;
}

/* ---- the thread ------------------------------------------------------- */

/* Fails what cannot be done while Redis is away. */
static void fail_lists(struct crier__redis *redis)
{
    struct crier__list *list;
    struct crier__read *read;

    for (;;) {
        pthread_mutex_lock(&redis->queue_lock);
        list = redis->queue.lists;
        read = redis->queue.reads;
        redis->queue.lists = list != NULL ? list->next : NULL;
        redis->queue.reads = read != NULL ? read->next : NULL;
        if (redis->queue.lists == NULL)
            redis->queue.lists_end = &redis->queue.lists;
        if (redis->queue.reads == NULL)
            redis->queue.reads_end = &redis->queue.reads;
        pthread_mutex_unlock(&redis->queue_lock);
        if (list == NULL && read == NULL)
            return;
        if (list != NULL) {
            list->error = CRIER_ERR_STORAGE;
            list->done(list);
        }
        if (read != NULL) {
            read->error = CRIER_ERR_STORAGE;
            read->done(read);
        }
    }
}

static struct crier__read *take_reads(struct crier__redis *redis,
                                      struct crier__list **lists)
{
    struct crier__redis_queue *queue = &redis->queue;
    struct crier__read *reads;

    pthread_mutex_lock(&redis->queue_lock);
    reads = queue->reads;
    *lists = queue->lists;
    queue->reads = NULL;
    queue->lists = NULL;
    queue->reads_end = &queue->reads;
    queue->lists_end = &queue->lists;
    pthread_mutex_unlock(&redis->queue_lock);
    return reads;
}

/* Hands over what the mirror could not answer. */
static void ask_redis(struct crier__redis *redis)
{
    struct crier__list *lists, *next_list;
    struct crier__read *read, *next;

    if (redis->state != CRIER__REDIS_READY) {
        fail_lists(redis);
        return;
    }
    for (read = take_reads(redis, &lists); read != NULL; read = next) {
        next = read->next;
        crier__redis_past(redis, read);
    }
    for (; lists != NULL; lists = next_list) {
        next_list = lists->next;
        crier__redis_list(redis, lists);
    }
}

static void report_idle(struct crier__redis *redis)
{
    pthread_mutex_lock(&redis->queue_lock);
    redis->idle = true;
    pthread_cond_broadcast(&redis->changed);
    pthread_mutex_unlock(&redis->queue_lock);
}

/* The hub has begun, and Redis is there. */
static void start_following(struct crier__redis *redis)
{
    redis->following = true;
    redis->fetch_wanted = true;
    crier__redis_fetch(redis);
    crier__redis_write(redis);
    crier__redis_tidy(redis);
    crier__redis_census_up(redis);
}

/* What is fetched may stand in front of a batch. */
static void write_behind(struct crier__redis *redis)
{
    crier__redis_settle(redis);
    crier__redis_write(redis);
}

/* What the thread is to look at. */
struct orders {
    bool started, retained, interrupted, closing, queued;
};

static struct orders take_orders(struct crier__redis *redis)
{
    struct crier__redis_queue *queue = &redis->queue;
    struct orders orders;

    pthread_mutex_lock(&redis->queue_lock);
    orders = (struct orders){queue->started, queue->retained, queue->interrupted,
                             queue->closing, queue->count != 0};
    queue->retained = false;
    pthread_mutex_unlock(&redis->queue_lock);
    return orders;
}

/* Has appends in the queue fail in time while they cannot be sent. */
static void watch_queue(struct crier__redis *redis, const struct orders *orders)
{
    if (orders->interrupted && redis->state != CRIER__REDIS_READY)
        crier__redis_expire(redis, true);
    else if (orders->interrupted &&
             (redis->expire.place == 0 || redis->expire.when > crier_now() + LEAVING_TIME))
        crier__timers_set(&redis->link.timers, &redis->expire, crier_now() + LEAVING_TIME);
    else if (orders->queued && redis->expire.place == 0)
        crier__timers_set(&redis->link.timers, &redis->expire,
                          crier_now() + redis->link.url->timeout);
}

static void serve_orders(struct crier__redis_link *link)
{
    struct crier__redis *redis = crier__redis_of(link);
    struct orders orders = take_orders(redis);

    if (orders.retained) {
        redis->adapting = true;
        redis->adapted[0] = '\0';
    }
    if (orders.started && !redis->following && redis->state == CRIER__REDIS_READY)
        start_following(redis);
    crier__redis_write(redis);
    ask_redis(redis);
    crier__redis_tidy(redis);
    crier__redis_census_wake(redis);
    watch_queue(redis, &orders);
    if (orders.closing && !redis->leaving) {
        redis->leaving = true;
        crier__redis_expire(redis, redis->state != CRIER__REDIS_READY);
        crier__redis_past_close(redis);
        crier__redis_census_close(redis, report_idle);
    }
}

static void greet_server(struct crier__redis_link *link)
{
    crier__redis_attach(crier__redis_of(link));
}

static void lose_server(struct crier__redis_link *link, const char *reason)
{
    struct crier__redis *redis = crier__redis_of(link);

    crier__redis_set_status(redis, CRIER_ERR_STORAGE, reason);
    crier__redis_follow_down(redis);
    crier__redis_write_down(redis);
    crier__redis_past_down(redis);
    crier__redis_census_down(redis);
    crier__redis_tidy_down(redis);
    serve_orders(link);
}

static void hear_message(struct crier__redis_link *link, const char *channel,
                         const char *text, size_t length)
{
    struct crier__redis *redis = crier__redis_of(link);

    if (!redis->following)
        return;
    if (strcmp(channel, redis->channels[CRIER__REDIS_FEED_CHANNEL]) == 0)
        crier__redis_notice(redis, text, length);
    else if (strcmp(channel, redis->channels[CRIER__REDIS_CENSUS_CHANNEL]) == 0)
        crier__redis_census_message(redis, text, length);
}

static void expire_appends(struct crier__timer *timer, uint64_t now)
{
    struct crier__redis *redis = CRIER__CONTAINER_OF(timer, struct crier__redis, expire);
    bool interrupted;

    (void)now;
    pthread_mutex_lock(&redis->queue_lock);
    interrupted = redis->queue.interrupted;
    pthread_mutex_unlock(&redis->queue_lock);
    crier__redis_expire(redis, interrupted);
}

/* ---- questions: any thread -------------------------------------------- */

/* Makes room for one more change in QUEUE. -ENOMEM. */
static int grow_queue(struct crier__redis_queue *queue)
{
    size_t capacity = queue->capacity != 0 ? queue->capacity * 2 : 256, i;
    struct crier__redis_queued *grown;

    if (queue->count < queue->capacity)
        return 0;
    grown = malloc(capacity * sizeof *grown);
    if (grown == NULL)
        return -ENOMEM;
    for (i = 0; i < queue->count; i++)
        grown[i] = queue->changes[(queue->first + i) % queue->capacity];
    free(queue->changes);
    queue->changes = grown;
    queue->first = 0;
    queue->capacity = capacity;
    return 0;
}

/* Puts a change at the end of the queue. -ENOMEM, or CRIER_ERR_STORAGE when the journal is
 * closing. */
static int queue_change(struct crier__redis *redis, struct crier__redis_queued change)
{
    struct crier__redis_queue *queue = &redis->queue;
    int error;

    change.until = crier_now() + redis->link.url->timeout;
    pthread_mutex_lock(&redis->queue_lock);
    error = queue->closing ? CRIER_ERR_STORAGE : grow_queue(queue);
    if (error == 0)
        queue->changes[(queue->first + queue->count++) % queue->capacity] = change;
    pthread_mutex_unlock(&redis->queue_lock);
    if (error == 0)
        crier__redis_link_wake(&redis->link);
    return error;
}

static void ask_append(struct crier_journal *journal, struct crier__append *append)
{
    int error;

    append->error = 0;
    append->reason[0] = '\0';
    append->subscribers = 0;
    error = queue_change(redis_of(journal), (struct crier__redis_queued){.append = append});
    if (error != 0) {
        append->error = error;
        append->done(append);
    }
}

static void read_updates(struct crier_journal *journal, struct crier__read *read)
{
    struct crier__redis *redis = redis_of(journal);
    bool answered;

    pthread_mutex_lock(&redis->mirror.lock);
    answered = crier__memory_answer(&redis->mirror, read);
    pthread_mutex_unlock(&redis->mirror.lock);
    if (answered) {
        read->done(read);
        return;
    }
    read->next = NULL;
    pthread_mutex_lock(&redis->queue_lock);
    *redis->queue.reads_end = read;
    redis->queue.reads_end = &read->next;
    pthread_mutex_unlock(&redis->queue_lock);
    crier__redis_link_wake(&redis->link);
}

static void list_topics(struct crier_journal *journal, struct crier__list *list)
{
    struct crier__redis *redis = redis_of(journal);

    list->next = NULL;
    list->count = 0;
    list->error = 0;
    pthread_mutex_lock(&redis->queue_lock);
    *redis->queue.lists_end = list;
    redis->queue.lists_end = &list->next;
    pthread_mutex_unlock(&redis->queue_lock);
    crier__redis_link_wake(&redis->link);
}

static void ask_forget(struct crier_journal *journal, struct crier__forget *forget)
{
    int error = queue_change(redis_of(journal),
                             (struct crier__redis_queued){.forget = forget});

    if (error != 0) {
        forget->error = error;
        forget->done(forget);
    }
}

static bool find_topic_end(struct crier_journal *journal, const char *name,
                            struct crier__ended *ended)
{
    int64_t time;

    return crier__ended_find(&redis_of(journal)->ended, name, strlen(name), ended, &time) &&
           time >= crier__redis_too_old(redis_of(journal), name);
}

static int tell_status(struct crier_journal *journal, char reason[128])
{
    struct crier__redis *redis = redis_of(journal);
    int error;

    pthread_mutex_lock(&redis->queue_lock);
    error = redis->error;
    snprintf(reason, 128, "%s", redis->reason);
    pthread_mutex_unlock(&redis->queue_lock);
    return error;
}

static void tell_held(struct crier_journal *journal, struct crier_hub_counts *counts)
{
    struct crier__redis *redis = redis_of(journal);

    pthread_mutex_lock(&redis->queue_lock);
    counts->updates = redis->held.count;
    counts->bytes = redis->held.bytes;
    counts->topics = redis->held.topics;
    counts->oldest = redis->held.count != 0 ? redis->oldest : 0;
    counts->connected = redis->error == 0;
    counts->connects = redis->connects;
    counts->waiting = redis->queue.count;
    counts->batches = redis->on_their_way;
    counts->renewals = redis->renewals;
    pthread_mutex_unlock(&redis->queue_lock);
    counts->nodes = atomic_load(&redis->census.nodes);
    counts->reads = atomic_load(&redis->past.reads);
}

static uint64_t tell_last(struct crier_journal *journal)
{
    struct crier__redis *redis = redis_of(journal);
    uint64_t last;

    pthread_mutex_lock(&redis->mirror.lock);
    last = redis->mirror.last;
    pthread_mutex_unlock(&redis->mirror.lock);
    return last;
}

/* Sets a flag of the queue, and has the thread look at it. */
static void wake_thread(struct crier__redis *redis, bool *flag)
{
    pthread_mutex_lock(&redis->queue_lock);
    *flag = true;
    pthread_mutex_unlock(&redis->queue_lock);
    crier__redis_link_wake(&redis->link);
}

static void change_policy(struct crier_journal *journal, struct crier__policy *policy)
{
    struct crier__redis *redis = redis_of(journal);

    pthread_mutex_lock(&redis->mirror.lock);
    crier__journal_swap_policy(journal, policy);
    crier__memory_adapt(&redis->mirror);
    pthread_mutex_unlock(&redis->mirror.lock);
    wake_thread(redis, &redis->queue.retained);
}

static void note_counts(struct crier_journal *journal)
{
    crier__redis_census_changed(redis_of(journal));
}

static size_t tell_nodes(struct crier_journal *journal, struct crier_node *nodes,
                         size_t max)
{
    return crier__redis_census_nodes(redis_of(journal), nodes, max);
}

static void begin_yielding(struct crier_journal *journal)
{
    wake_thread(redis_of(journal), &redis_of(journal)->queue.started);
}

static void stop_waiting(struct crier_journal *journal)
{
    wake_thread(redis_of(journal), &redis_of(journal)->queue.interrupted);
}

/* ---- start and end ---------------------------------------------------- */

/* Ends the thread, and answers what it has not. */
static void close_redis(struct crier_journal *journal)
{
    struct crier__redis *redis = redis_of(journal);
    uint64_t until = crier_now() + LEAVING_TIME;

    wake_thread(redis, &redis->queue.closing);
    pthread_mutex_lock(&redis->queue_lock);
    while (!redis->idle && crier__cond_wait(&redis->changed, &redis->queue_lock, until))
        ;
    pthread_mutex_unlock(&redis->queue_lock);
    crier__redis_link_stop(&redis->link);
    redis->state = CRIER__REDIS_AWAY;
    crier__redis_expire(redis, true);
    crier__redis_past_down(redis);
    crier__redis_tidy_down(redis);
    fail_lists(redis);
}

static void free_redis(struct crier_journal *journal)
{
    struct crier__redis *redis = redis_of(journal);
    struct crier__redis_epoch *epoch;

    crier__redis_census_free(redis);
    crier__redis_past_free(redis);
    crier__redis_link_free(&redis->link);
    crier__timers_done(&redis->link.timers);
    crier__memory_clear(&redis->mirror);
    crier__ended_done(&redis->ended);
    while ((epoch = redis->epochs) != NULL) {
        redis->epochs = epoch->next;
        free(epoch);
    }
    free(redis->queue.changes);
    free(redis->names);
    crier__redis_url_free(redis->link.url);
    pthread_cond_destroy(&redis->changed);
    pthread_mutex_destroy(&redis->queue_lock);
    pthread_mutex_destroy(&redis->mirror.lock);
    crier__journal_done(journal);
    free(redis);
}

static const struct crier__journal_ops redis_ops = {
    .name = "redis",
    .bound = true,
    .shared = true,
    .append = ask_append,
    .read = read_updates,
    .list = list_topics,
    .forget = ask_forget,
    .ended = find_topic_end,
    .status = tell_status,
    .held = tell_held,
    .last = tell_last,
    .retain = change_policy,
    .counts_changed = note_counts,
    .start = begin_yielding,
    .nodes = tell_nodes,
    .interrupt = stop_waiting,
    .close = close_redis,
    .free = free_redis,
};

/* Makes the names of the keys and channels. */
static int name_keys(struct crier__redis *redis)
{
    static const char *const names[] = {"journal", "log",   "ids",   "topics", "index",
                                        "names",   "empty", "due",   "ends",   "jumps",
                                        "nodes",   "census", "gone",  "node:",  "feed",
                                        "census"};
    const char *journal = redis->link.url->name;
    size_t size = strlen(journal) + 4 + 8 + sizeof redis->node, i;
    char *at = malloc(size * (sizeof names / sizeof names[0]));

    if (at == NULL)
        return -ENOMEM;
    redis->names = at;
    for (i = 0; i < sizeof names / sizeof names[0]; i++, at += size) {
        snprintf(at, size, "{%s}:%s%s", journal, names[i],
                 i == CRIER__REDIS_NODE ? redis->node : "");
        if (i < CRIER__REDIS_KEYS)
            redis->keys[i] = at;
        else
            redis->channels[i - CRIER__REDIS_KEYS] = at;
    }
    redis->link.keys = redis->keys;
    redis->link.key_count = CRIER__REDIS_KEYS;
    redis->link.channels = redis->channels;
    redis->link.channel_count = CRIER__REDIS_CHANNELS;
    return 0;
}

/* Prepares the locks and the parts of REDIS. */
static int init_parts(struct crier__redis *redis)
{
    struct crier__redis_link *link = &redis->link;
    char random[CRIER__RANDOM_NAME_SIZE] = "";
    int error = -pthread_mutex_init(&redis->mirror.lock, NULL);

    if (error == 0)
        error = -pthread_mutex_init(&redis->queue_lock, NULL);
    if (error == 0)
        error = crier__cond_init(&redis->changed);
    if (error == 0)
        error = crier__ended_init(&redis->ended);
    if (error == 0)
        error = crier__random_name(random);
    memcpy(&redis->mirror.names.random, random, sizeof redis->mirror.names.random);
    redis->queue.reads_end = &redis->queue.reads;
    redis->queue.lists_end = &redis->queue.lists;
    redis->mirror.mirror.used = true;
    redis->mirror.mirror.bytes = link->url->cache;
    redis->adapting = true;
    redis->expire.fire = expire_appends;
    redis->tidy.fire = crier__redis_sweep;
    redis->on_ready = start_following;
    redis->on_fetched = write_behind;
    redis->on_forgotten = crier__redis_past_drop;
    link->on_up = greet_server;
    link->on_down = lose_server;
    link->on_wake = serve_orders;
    link->on_message = hear_message;
    return error != 0 ? error : crier__timers_reserve(&link->timers, 2);
}

/* Waits until the journal is open, or for twice the timeout nothing has come that it had not
 * before. */
static int wait_open(struct crier__redis *redis, char reason[256])
{
    const uint64_t patience = 2 * (uint64_t)redis->link.url->timeout;
    uint64_t now = crier_now();
    int error = 0;

    pthread_mutex_lock(&redis->queue_lock);
    for (redis->stepped = now; !redis->is_open && now < redis->stepped + patience;
         now = crier_now())
        (void)crier__cond_wait(&redis->changed, &redis->queue_lock,
                               redis->stepped + patience);
    if (!redis->is_open) {
        error = redis->error != 0 ? redis->error : CRIER_ERR_STORAGE;
        snprintf(reason, 256, "%s",
                 redis->reason[0] != '\0' ? redis->reason
                                          : "the server has not answered in time");
    }
    pthread_mutex_unlock(&redis->queue_lock);
    return error;
}

static int open_redis(struct crier__redis *redis, char reason[256])
{
    int error = init_parts(redis);

    if (error == 0)
        error = crier__redis_census_start(redis);
    if (error == 0)
        error = crier__redis_past_start(redis);
    if (error == 0)
        error = name_keys(redis);
    if (error == 0)
        error = crier__redis_link_start(&redis->link);
    if (error != 0)
        return error;
    error = wait_open(redis, reason);
    if (error != 0)
        crier__redis_link_stop(&redis->link);
    return error;
}

int crier_journal_redis(const char *url, const struct crier_journal_options *options,
                        struct crier_journal **journal, char *reason, size_t size)
{
    static const struct crier_retention defaults = {
        .count = 1000000, .bytes = (size_t)256 * 1024 * 1024};
    struct crier__redis *redis;
    char why[256] = "";
    int error;

    if (url == NULL || journal == NULL)
        return CRIER_ERR_NULL;
    redis = calloc(1, sizeof *redis);
    if (redis == NULL)
        return -ENOMEM;
    error = crier__redis_url_parse(url, &redis->link.url, why);
    if (error == 0)
        error = crier__journal_init(&redis->mirror.journal, &redis_ops, options, &defaults);
    if (error == 0) {
        error = open_redis(redis, why);
        if (error != 0)
            free_redis(&redis->mirror.journal);
    } else {
        crier__redis_url_free(redis->link.url);
        free(redis);
    }
    if (reason != NULL && size != 0)
        snprintf(reason, size, "%s", why);
    if (error == 0)
        *journal = &redis->mirror.journal;
    return error;
}
