/*
 * Forgetting topics, and evicting what APPEND does not.
 *
 * Each is a script that does a bounded amount, and is run again until there is no more. One
 * forgetting is on its way at a time, and one step of tidying:
 *
 *   trimming   after the start and after a change of the policy: all topics, a page at a time
 *              (LIST), are trimmed to their limits (TRIM), and then the journal (SWEEP)
 *   sweeping   every SWEEP_PAUSE while something may become too old
 *
 * All nodes do that; what one has evicted costs the others nothing.
 */
#include <config.h>

#include "redis.h"
#include "redis_past.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* What one script evicts at most. */
#define BUDGET "500"

/* Topics in one step of trimming. */
#define PAGE 100
#define PAGE_TEXT "100"

#define SWEEP_PAUSE 2000

/* How long a script may take, in ms. */
#define SCRIPT_TIME 10000

/* Runs SCRIPT, and frees ARGS. False: it will not be answered. */
static bool run_tidying(struct crier__redis *redis, enum crier__redis_connection connection,
                       enum crier__redis_script script, struct crier__redis_args *args,
                       struct crier__redis_call *call,
                       void (*on_reply)(struct crier__redis_call *, redisReply *))
{
    unsigned within = connection == CRIER__REDIS_WRITER
                          ? crier__redis_writer_time(redis, SCRIPT_TIME)
                          : SCRIPT_TIME;
    bool sent;

    call->on_reply = on_reply;
    sent = !args->failed &&
           crier__redis_run(&redis->link, connection, script, NULL, args, within, call) == 0;
    crier__redis_args_done(args);
    return sent;
}

/* Begins ARGS with the epoch, the node and the time, whose text goes to NOW. */
static void begin_change(struct crier__redis *redis, struct crier__redis_args *args,
                         char now[24])
{
    crier__redis_begin_args(redis, args);
    crier__redis_arg(args, redis->node, strlen(redis->node));
    crier__redis_arg_number(args, now, (uint64_t)crier__clock_real());
}

/* Whether REPLY is an error, after which the journal attaches again where that helps. */
static bool is_refused(struct crier__redis *redis, const redisReply *reply)
{
    if (reply == NULL || reply->type != REDIS_REPLY_ERROR)
        return reply == NULL;
    if (crier__redis_is_error(reply, "CRIER_EPOCH") &&
        redis->state == CRIER__REDIS_READY)
        crier__redis_attach(redis);
    return true;
}

/* ---- forgetting ------------------------------------------------------- */

static void finish_forget(struct crier__redis *redis, int error)
{
    struct crier__forget *forget = redis->forgetting;

    redis->forgetting = NULL;
    redis->forget_upto = 0;
    forget->error = error;
    forget->done(forget);
}

/* Applies to the mirror that TOPIC has been deleted up to UPTO. */
static void forget_here(struct crier__redis *redis, const char *topic, uint64_t upto)
{
    crier__ended_forget(&redis->ended, topic, strlen(topic), upto);
    crier__redis_past_drop(redis);
    pthread_mutex_lock(&redis->mirror.lock);
    crier__memory_evict_upto(&redis->mirror, topic, strlen(topic), upto);
    pthread_mutex_unlock(&redis->mirror.lock);
}

static bool send_forget(struct crier__redis *redis);

static void take_forgotten(struct crier__redis_call *call, redisReply *reply)
{
    struct crier__redis *redis =
        CRIER__CONTAINER_OF(call, struct crier__redis, forget_call);
    struct crier__redis_held held;
    uint64_t found, more, upto;
    bool first = redis->forget_upto == 0;

    if (is_refused(redis, reply)) {
        finish_forget(redis, CRIER_ERR_STORAGE);
    } else if (!crier__redis_is_array(reply, 4) ||
               !crier__redis_read_number(reply->element[0], &found) ||
               !crier__redis_read_number(reply->element[1], &more) ||
               !crier__redis_read_number(reply->element[2], &upto) ||
               !crier__redis_note_held(redis, reply->element[3], &held)) {
        finish_forget(redis, CRIER_ERR_STORAGE);
        crier__redis_refuse(redis, reply, "forget");
    } else {
        redis->forget_upto = upto;
        /* The node's own streams must not read what it has reported as deleted. */
        forget_here(redis, redis->forgetting->topic, upto);
        if (more == 0)
            finish_forget(redis, first && found == 0 ? CRIER_ERR_NO_TOPIC : 0);
        else if (!send_forget(redis))
            finish_forget(redis, CRIER_ERR_STORAGE);
        redis->fetch_wanted = true;
        crier__redis_fetch(redis);
    }
    redis->on_fetched(redis); /* what waited behind it */
}

static bool send_forget(struct crier__redis *redis)
{
    struct crier__redis_args args = {0};
    char now[24], upto[24];

    begin_change(redis, &args, now);
    crier__redis_arg(&args, redis->forgetting->topic, strlen(redis->forgetting->topic));
    crier__redis_arg_number(&args, upto, redis->forget_upto);
    crier__redis_arg(&args, BUDGET, strlen(BUDGET));
    return run_tidying(redis, CRIER__REDIS_WRITER, CRIER__REDIS_FORGET, &args,
                      &redis->forget_call, take_forgotten);
}

/* Takes the forgetting that is first in the queue; NULL: that is none. */
static struct crier__forget *next_forget(struct crier__redis *redis)
{
    struct crier__redis_queue *queue = &redis->queue;
    struct crier__forget *forget = NULL;

    pthread_mutex_lock(&redis->queue_lock);
    if (queue->count != 0)
        forget = queue->changes[queue->first].forget;
    if (forget != NULL) {
        queue->first = (queue->first + 1) % queue->capacity;
        queue->count--;
    }
    pthread_mutex_unlock(&redis->queue_lock);
    return forget;
}

void crier__redis_begin_forget(struct crier__redis *redis)
{
    while (redis->forgetting == NULL && (redis->forgetting = next_forget(redis)) != NULL)
        if (!send_forget(redis))
            finish_forget(redis, CRIER_ERR_STORAGE);
}

/* ---- trimming --------------------------------------------------------- */

static void continue_tidying(struct crier__redis *redis);

/* Takes the reply to TRIM or SWEEP, {1 when there is more, HELD, ...}. Returns -1 when it was
 * refused, otherwise whether there is more. */
static int take_more(struct crier__redis *redis, const redisReply *reply)
{
    struct crier__redis_held held;
    uint64_t more;

    redis->tidying = false;
    if (is_refused(redis, reply))
        return -1;
    if (!crier__redis_is_array(reply, 2) ||
        !crier__redis_read_number(reply->element[0], &more) ||
        !crier__redis_note_held(redis, reply->element[1], &held)) {
        crier__redis_refuse(redis, reply, "sweep");
        return -1;
    }
    if (held.note != 0)
        crier__redis_fetch(redis);
    return more != 0;
}

static void take_trimmed(struct crier__redis_call *call, redisReply *reply)
{
    struct crier__redis *redis = CRIER__CONTAINER_OF(call, struct crier__redis, tidy_call);
    int more = take_more(redis, reply);

    if (more < 0)
        return;
    if (more == 0) /* this page is done */
        memcpy(redis->adapted, redis->adapting_to, sizeof redis->adapted);
    continue_tidying(redis);
}

/* The limits of a topic, as scripts are given them. */
static void print_limits(struct crier__redis *redis, const redisReply *name, char text[80])
{
    struct crier_retention limits =
        crier__journal_retention(&redis->mirror.journal, name->str, name->len);

    snprintf(text, 80, "%zu %zu %" PRIu64, limits.count, limits.bytes, limits.age);
}

/* Trims the topics of PAGES, a reply of LIST with at least one. */
static bool trim_page(struct crier__redis *redis, const redisReply *page)
{
    struct crier__redis_args args = {0};
    char now[24], limits[PAGE][80];
    const redisReply *name;
    size_t i;

    begin_change(redis, &args, now);
    crier__redis_arg(&args, BUDGET, strlen(BUDGET));
    for (i = 0; i < page->elements && i < PAGE; i++) {
        if (!crier__redis_is_array(page->element[i], 1) ||
            page->element[i]->element[0]->type != REDIS_REPLY_STRING ||
            page->element[i]->element[0]->len >= sizeof redis->adapting_to) {
            crier__redis_args_done(&args);
            return false;
        }
        name = page->element[i]->element[0];
        print_limits(redis, name, limits[i]);
        crier__redis_arg(&args, name->str, name->len);
        crier__redis_arg(&args, limits[i], strlen(limits[i]));
        snprintf(redis->adapting_to, sizeof redis->adapting_to, "%s", name->str);
    }
    return run_tidying(redis, CRIER__REDIS_WRITER, CRIER__REDIS_TRIM, &args,
                      &redis->tidy_call, take_trimmed);
}

static void take_trim_page(struct crier__redis_call *call, redisReply *reply)
{
    struct crier__redis *redis = CRIER__CONTAINER_OF(call, struct crier__redis, tidy_call);

    redis->tidying = false;
    if (is_refused(redis, reply))
        return;
    if (!crier__redis_is_array(reply, 0)) {
        crier__redis_refuse(redis, reply, "list");
    } else if (reply->elements == 0) {
        redis->adapting = false;
        redis->adapted[0] = '\0';
        redis->sweep = true;
        continue_tidying(redis);
    } else {
        redis->tidying = trim_page(redis, reply);
    }
}

/* The first name in the order of bytes behind that in redis->adapted. */
static void send_page(struct crier__redis *redis)
{
    struct crier__redis_args args = {0};
    char from[CRIER__TOPIC_SIZE + 1];
    size_t length = strlen(redis->adapted);

    /* No name has a control character, so this one lies directly behind. */
    memcpy(from, redis->adapted, length);
    from[length] = '\x01';
    crier__redis_begin_args(redis, &args);
    crier__redis_arg(&args, from, length != 0 ? length + 1 : 0);
    crier__redis_arg(&args, "", 0);
    crier__redis_arg(&args, PAGE_TEXT, strlen(PAGE_TEXT));
    redis->tidying = run_tidying(redis, CRIER__REDIS_READER, CRIER__REDIS_LIST, &args,
                                &redis->tidy_call, take_trim_page);
}

/* ---- sweeping --------------------------------------------------------- */

static void take_swept(struct crier__redis_call *call, redisReply *reply)
{
    struct crier__redis *redis = CRIER__CONTAINER_OF(call, struct crier__redis, tidy_call);
    uint64_t oldest;
    int more = take_more(redis, reply);

    if (more < 0)
        return;
    if (reply->elements > 2 && crier__redis_read_number(reply->element[2], &oldest)) {
        pthread_mutex_lock(&redis->queue_lock);
        redis->oldest = (int64_t)oldest;
        pthread_mutex_unlock(&redis->queue_lock);
    }
    redis->sweep = more == 1;
    continue_tidying(redis);
}

static void send_sweep(struct crier__redis *redis)
{
    struct crier__redis_args args = {0};
    char now[24], policy[128];

    begin_change(redis, &args, now);
    crier__redis_policy(redis, policy);
    crier__redis_arg(&args, policy, strlen(policy));
    crier__redis_arg(&args, BUDGET, strlen(BUDGET));
    redis->tidying = run_tidying(redis, CRIER__REDIS_WRITER, CRIER__REDIS_SWEEP, &args,
                                &redis->tidy_call, take_swept);
}

/* Whether something may become too old. */
static bool may_age(struct crier__redis *redis)
{
    bool held;

    pthread_mutex_lock(&redis->queue_lock);
    held = redis->held.count != 0;
    pthread_mutex_unlock(&redis->queue_lock);
    return held && crier__journal_ages(&redis->mirror.journal);
}

static void continue_tidying(struct crier__redis *redis)
{
    if (redis->tidying || redis->state != CRIER__REDIS_READY)
        return;
    if (redis->adapting)
        send_page(redis);
    else if (redis->sweep)
        send_sweep(redis);
    if (!redis->tidying && redis->tidy.place == 0 && may_age(redis))
        crier__timers_set(&redis->link.timers, &redis->tidy, crier_now() + SWEEP_PAUSE);
}

void crier__redis_sweep(struct crier__timer *timer, uint64_t now)
{
    struct crier__redis *redis = CRIER__CONTAINER_OF(timer, struct crier__redis, tidy);

    (void)now;
    redis->sweep = true;
    continue_tidying(redis);
}

void crier__redis_tidy(struct crier__redis *redis)
{
    continue_tidying(redis);
}

void crier__redis_tidy_down(struct crier__redis *redis)
{
    redis->tidying = false;
}
