/*
 * What all parts of the journal in Redis use: the status, and the arguments of scripts.
 */
#include <config.h>

#include "redis.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>

void crier__redis_set_status(struct crier__redis *redis, int error, const char *reason)
{
    pthread_mutex_lock(&redis->queue_lock);
    redis->error = error;
    snprintf(redis->reason, sizeof redis->reason, "%s", reason);
    pthread_mutex_unlock(&redis->queue_lock);
}

bool crier__redis_note_held(struct crier__redis *redis, const redisReply *held,
                            struct crier__redis_held *totals)
{
    uint64_t time;

    if (!crier__redis_is_array(held, 6) ||
        !crier__redis_read_number(held->element[0], &totals->count) ||
        !crier__redis_read_number(held->element[1], &totals->bytes) ||
        !crier__redis_read_number(held->element[2], &totals->topics) ||
        !crier__redis_read_number(held->element[3], &totals->last) ||
        !crier__redis_read_number(held->element[4], &totals->note) ||
        !crier__redis_read_number(held->element[5], &time))
        return false;
    totals->time = (int64_t)time;
    pthread_mutex_lock(&redis->queue_lock);
    redis->held = *totals;
    pthread_mutex_unlock(&redis->queue_lock);
    return true;
}

void crier__redis_begin_args(struct crier__redis *redis, struct crier__redis_args *args)
{
    const char *epoch = redis->mirror.journal.epoch;

    crier__redis_arg(args, epoch, strlen(epoch));
}

void crier__redis_arg_number(struct crier__redis_args *args, char text[24], uint64_t number)
{
    snprintf(text, 24, "%" PRIu64, number);
    crier__redis_arg(args, text, strlen(text));
}

void crier__redis_refuse(struct crier__redis *redis, const redisReply *reply,
                         const char *script)
{
    char reason[128];

    if (reply->type == REDIS_REPLY_ERROR)
        snprintf(reason, sizeof reason, "%s", reply->str);
    else
        snprintf(reason, sizeof reason, "Redis gave an unknown reply to %s", script);
    crier__redis_link_fail(&redis->link, reason);
}

unsigned crier__redis_writer_time(const struct crier__redis *redis, unsigned time)
{
    const struct crier__redis_url *url = redis->link.url;

    return url->wait != 0 ? time + url->timeout : time;
}

void crier__redis_policy(struct crier__redis *redis, char text[128])
{
    struct crier_journal *journal = &redis->mirror.journal;
    struct crier_retention limits = crier__journal_limits(journal);

    snprintf(text, 128, "%zu %zu %" PRIu64 " %zu", limits.count, limits.bytes, limits.age,
             crier__journal_max_topics(journal));
}

int64_t crier__redis_too_old(struct crier__redis *redis, const char *name)
{
    struct crier_journal *journal = &redis->mirror.journal;
    uint64_t age = crier__journal_retention(journal, name, strlen(name)).age;
    uint64_t limit = crier__journal_limits(journal).age;
    int64_t now = crier__clock_real();

    if (age == 0 || (limit != 0 && limit < age))
        age = limit;
    return age != 0 && age < (uint64_t)now ? now - (int64_t)age : 0;
}
