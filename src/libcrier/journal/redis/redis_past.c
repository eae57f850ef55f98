/*
 * Reads that begin before the mirror's floor.
 *
 * A question is one or more reads with the same content; what comes while it is open joins
 * it. It asks Redis in steps: the marks of its topics, where it begins, the oldest update
 * where there is a gap, and then updates up to the mirror's floor. An answer never says that
 * it is the end, so the next read of the subscriber is the mirror's.
 *
 * At most OPEN_MAX questions have a script on its way; the others wait in order. Each has at
 * most CRIER__READ_MAX updates and one reply.
 *
 * Prefixes and patterns walk the log. What they have missed is taken to be up to what any
 * topic has evicted: a gap may be reported that is none, but none is left out.
 */
#include <config.h>

#include "redis.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>

#define OPEN_MAX 16
#define SCRIPT_TIME 10000
#define WALK_MAX 16   /* replies in one answer */
#define LAST_MAX 100000
#define BACK_COUNT 256
#define PAGE_BYTES (1U << 20)

enum step { WAITING, MARKS, FIND, BACK, NAMED, OLDEST, UPDATES };

struct crier__redis_question {
    struct crier__redis_question *prev, *next;
    struct crier__redis *redis;
    struct crier__redis_call call;
    struct crier__read *reads; /* the first asks for all */
    enum step step;
    bool sent;
    bool exact; /* all selectors are */
    unsigned walked;
    uint64_t missed[CRIER__TOPICS_MAX], start[CRIER__TOPICS_MAX];
    uint64_t floor, at, number, looked;
    size_t bytes;
    struct crier__redis_corrected corrected;
    bool gap;
    char oldest[CRIER__ID_SIZE];
    unsigned count;
    struct crier__update *updates[CRIER__READ_MAX];
};

static void take_step(struct crier__redis_question *question);

/* ---- answers ---------------------------------------------------------- */

static void answer_question(struct crier__redis_question *question, int error)
{
    struct crier__read *read, *next;
    unsigned i;

    DL_DELETE(question->redis->past.questions, question);
    if (question->step != WAITING)
        question->redis->past.open--;
    for (read = question->reads; read != NULL; read = next) {
        next = read->next;
        read->error = error;
        read->end = false;
        read->count = 0;
        read->gap = question->gap;
        read->reached = question->at;
        snprintf(read->oldest, sizeof read->oldest, "%s", question->oldest);
        for (i = 0; error == 0 && i < question->count; i++)
            read->updates[read->count++] = crier__update_ref(question->updates[i]);
        for (i = 0; error == 0 && i < read->selector_count; i++)
            if (question->missed[i] > read->selectors[i].gap_reported_upto)
                read->selectors[i].gap_reported_upto = question->missed[i];
        read->done(read);
    }
    for (i = 0; i < question->count; i++)
        crier__update_unref(question->updates[i]);
    free(question);
}

static void send_waiting(struct crier__redis *redis)
{
    struct crier__redis_question *question;

    while (redis->past.open < OPEN_MAX) {
        DL_FOREACH (redis->past.questions, question)
            if (question->step == WAITING)
                break;
        if (question == NULL)
            return;
        redis->past.open++;
        question->step = MARKS;
        take_step(question);
    }
}

static void finish_question(struct crier__redis_question *question, int error)
{
    struct crier__redis *redis = question->redis;

    answer_question(question, error);
    if (!redis->past.busy) {
        redis->past.busy = true;
        send_waiting(redis);
        redis->past.busy = false;
    }
}

/* ---- what is wanted --------------------------------------------------- */

/* Whether READ's selectors want UPDATE; LIVE: also those that are live. */
static bool is_wanted(const struct crier__redis_question *question,
                      const struct crier__update *update, const uint64_t *start, bool live)
{
    const struct crier__read *read = question->reads;
    const char *name;
    unsigned i;

    if (!crier__update_visible(update, read->grants))
        return false;
    for (i = 0; i < read->selector_count; i++) {
        if (update->position <= (start != NULL ? start[i] : read->selectors[i].from) ||
            (!live && read->selectors[i].live))
            continue;
        CRIER__TOPICS_EACH (update->topics, name)
            if (crier__selector_matches(&read->selectors[i].selector, name, strlen(name)))
                return true;
    }
    return false;
}

/* ---- the steps -------------------------------------------------------- */

static void set_starts(struct crier__redis_question *question, uint64_t after)
{
    struct crier__read *read = question->reads;
    bool past = read->resolve && read->since != CRIER_SINCE_ID;
    unsigned i;

    if (past && after > read->after)
        after = read->after;
    question->at = UINT64_MAX;
    for (i = 0; i < read->selector_count; i++) {
        const struct crier__read_selector *selector = &read->selectors[i];
        uint64_t start = past && selector->live ? 0 : after;

        if (selector->from > start)
            start = selector->from;
        question->start[i] = start;
        if (start < question->at)
            question->at = start;
        if (question->missed[i] > start &&
            question->missed[i] > selector->gap_reported_upto &&
            !(past && question->missed[i] <= read->after))
            question->gap = true;
    }
    question->number = question->at; /* where the updates begin */
    question->step = UPDATES;
    if (question->gap) {
        question->step = OLDEST;
        question->at = 0;
    }
    take_step(question);
}

static void begin_since(struct crier__redis_question *question)
{
    struct crier__read *read = question->reads;
    struct crier__memory *mirror = &question->redis->mirror;
    uint64_t position = 0;
    unsigned i;

    if (!read->resolve) {
        set_starts(question, read->after);
    } else if (read->since == CRIER_SINCE_LAST && read->number > 0) {
        question->step = BACK;
        question->number = read->number;
        take_step(question);
    } else if (read->since == CRIER_SINCE_LAST) {
        set_starts(question, UINT64_MAX);
    } else if (read->since == CRIER_SINCE_TIME) {
        question->step = FIND;
        take_step(question);
    } else if (read->since != CRIER_SINCE_ID) {
        set_starts(question, 0);
    } else if (crier__id_read(read->id, mirror->journal.epoch, &position)) {
        pthread_mutex_lock(&mirror->lock);
        question->gap = position > mirror->last;
        for (i = 0; i < mirror->mirror.jump_count; i++)
            if (position > mirror->mirror.jumps[i].end &&
                position < mirror->mirror.jumps[i].start)
                question->gap = true;
        pthread_mutex_unlock(&mirror->lock);
        set_starts(question, question->gap ? 0 : position);
    } else {
        question->step = NAMED;
        take_step(question);
    }
}

/* Reads RECORD, the one of an exact selector, into *MISSED. False: it is damaged. */
static bool read_record(const struct crier__redis_question *question,
                        const redisReply *record, uint64_t *missed)
{
    unsigned long long count, bytes, evicted, newest_private, newest_public;
    char text[160];

    if (record->type != REDIS_REPLY_STRING || (size_t)record->len >= sizeof text)
        return false;
    if (record->len == 0)
        return true;
    snprintf(text, sizeof text, "%s", record->str);
    if (sscanf(text, "%llu %llu %llu %llu %llu", &count, &bytes, &evicted, &newest_private,
               &newest_public) != 5)
        return false;
    if (question->reads->grants == NULL && newest_public < evicted)
        evicted = newest_public;
    *missed = evicted;
    return true;
}

static bool take_marks(struct crier__redis_question *question, const redisReply *reply)
{
    struct crier__read *read = question->reads;
    uint64_t number[7];
    const redisReply *records;
    size_t exact = 0;
    unsigned i;

    if (!crier__redis_is_array(reply, 8) || !crier__redis_is_array(reply->element[7], 0))
        return false;
    for (i = 0; i < 7; i++)
        if (!crier__redis_read_number(reply->element[i], &number[i]))
            return false;
    records = reply->element[7];
    question->corrected.upto = number[5];
    question->corrected.time = (int64_t)number[6];
    for (i = 0; i < read->selector_count; i++) {
        uint64_t *missed = &question->missed[i];

        *missed = number[1];
        if (read->selectors[i].selector.kind == CRIER__EXACT) {
            if (exact == records->elements)
                return false;
            *missed = records->element[exact]->len == 0 ? number[2] : 0;
            if (!read_record(question, records->element[exact++], missed))
                return false;
        } else if (read->selectors[i].selector.kind != CRIER__ALL && number[2] > *missed) {
            *missed = number[2];
        }
        if (number[3] > *missed)
            *missed = number[3];
    }
    question->looked = number[0] + 1;
    begin_since(question);
    return true;
}

static bool take_back(struct crier__redis_question *question, const redisReply *reply)
{
    size_t i;

    if (!crier__redis_is_array(reply, 0))
        return false;
    for (i = 0; i < reply->elements; i++) {
        const redisReply *pair = reply->element[i];
        struct crier__redis_entry entry = {.kind = 'u', .body = ""};
        struct crier__update *update;
        uint64_t position;
        int error;

        if (!crier__redis_is_array(pair, 2) ||
            !crier__redis_read_number(pair->element[0], &position) ||
            pair->element[1]->type != REDIS_REPLY_STRING || position >= question->looked)
            return false;
        entry.position = question->looked = position;
        entry.head = pair->element[1]->str;
        entry.head_length = pair->element[1]->len;
        error = crier__redis_update_of(&entry, question->redis->mirror.journal.epoch,
                                       &question->corrected, &update);
        if (error != 0)
            return false;
        question->number -= is_wanted(question, update, NULL, false);
        crier__update_unref(update);
        if (question->number == 0) {
            set_starts(question, position - 1);
            return true;
        }
    }
    question->walked++;
    if (reply->elements < BACK_COUNT)
        set_starts(question, 0);
    else if (question->walked >= LAST_MAX / BACK_COUNT)
        set_starts(question, question->looked - 1);
    else
        take_step(question);
    return true;
}

/* Takes an update, or with OLDEST its id. False: no more are to be taken. */
static bool take_update(struct crier__redis_question *question, struct crier__update *update)
{
    if (question->step == OLDEST) {
        if (!is_wanted(question, update, NULL, true))
            return true;
        snprintf(question->oldest, sizeof question->oldest, "%s", update->id);
        return false;
    }
    question->at = update->position;
    if (is_wanted(question, update, question->start, true)) {
        question->bytes += update->frame->length;
        question->updates[question->count++] = crier__update_ref(update);
    }
    return question->count < CRIER__READ_MAX && question->bytes < question->reads->max_bytes;
}

static bool take_updates(struct crier__redis_question *question, const redisReply *reply)
{
    struct crier__redis_entry entry;
    struct crier__update *update;
    uint64_t reached, before = question->at;
    bool more = true;
    size_t i;
    int error;

    if (!crier__redis_is_array(reply, 2) || !crier__redis_is_array(reply->element[1], 0) ||
        !crier__redis_read_number(reply->element[0], &reached) || reached < before)
        return false;
    for (i = 0; more && i < reply->element[1]->elements; i++) {
        if (!crier__redis_read_entry(reply->element[1]->element[i], &entry) ||
            entry.position <= before || entry.position > reached)
            return false;
        before = entry.position;
        error = crier__redis_update_of(&entry, question->redis->mirror.journal.epoch,
                                       &question->corrected, &update);
        if (error != 0)
            return false;
        more = take_update(question, update);
        crier__update_unref(update);
    }
    if (more)
        question->at = reached;
    question->walked++;
    more = more && question->at < question->floor && question->walked < WALK_MAX;
    if (!more && question->step == UPDATES) {
        finish_question(question, 0);
        return true;
    }
    if (!more) {
        question->step = UPDATES;
        question->at = question->number;
        question->walked = 0;
    }
    take_step(question);
    return true;
}

static bool take_position(struct crier__redis_question *question, const redisReply *reply)
{
    uint64_t position = 0;

    if (question->step == NAMED && reply->type == REDIS_REPLY_NIL)
        question->gap = true;
    else if (!crier__redis_read_number(reply, &position))
        return false;
    set_starts(question, position);
    return true;
}

static void take_reply(struct crier__redis_call *call, redisReply *reply)
{
    struct crier__redis_question *question =
        CRIER__CONTAINER_OF(call, struct crier__redis_question, call);
    bool known = reply != NULL && reply->type != REDIS_REPLY_ERROR &&
                 !question->redis->past.closing;

    question->sent = false;
    if (known && question->step == MARKS)
        known = take_marks(question, reply);
    else if (known && question->step == BACK)
        known = take_back(question, reply);
    else if (known && (question->step == FIND || question->step == NAMED))
        known = take_position(question, reply);
    else if (known)
        known = take_updates(question, reply);
    if (!known)
        finish_question(question, CRIER_ERR_STORAGE);
}

/* Appends the topics of QUESTION, if it has no others. */
static void add_topics(struct crier__redis_question *question,
                       struct crier__redis_args *args, bool live)
{
    const struct crier__read *read = question->reads;
    unsigned i;

    for (i = 0; i < read->selector_count; i++)
        if (read->selectors[i].selector.kind == CRIER__EXACT &&
            (live || !read->selectors[i].live))
            crier__redis_arg(args, read->selectors[i].selector.text,
                             read->selectors[i].selector.length);
}

static void take_step(struct crier__redis_question *question)
{
    static const enum crier__redis_script scripts[] = {
        [MARKS] = CRIER__REDIS_MARKS, [FIND] = CRIER__REDIS_FIND,
        [BACK] = CRIER__REDIS_BACK,   [OLDEST] = CRIER__REDIS_PAST,
        [UPDATES] = CRIER__REDIS_PAST,
    };
    struct crier__redis *redis = question->redis;
    struct crier__redis_args args = {0};
    char text[4][24];
    int64_t now = crier__clock_real();
    int error;

    if (question->step == UPDATES && question->at >= question->floor) {
        finish_question(question, 0);
        return;
    }
    if (question->step == NAMED) {
        crier__redis_arg(&args, "HGET", 4);
        crier__redis_arg(&args, redis->keys[CRIER__REDIS_IDS],
                         strlen(redis->keys[CRIER__REDIS_IDS]));
        crier__redis_arg(&args, question->reads->id, strlen(question->reads->id));
    } else {
        crier__redis_begin_args(redis, &args);
    }
    if (question->step == FIND) {
        uint64_t age = question->reads->number;

        crier__redis_arg_number(&args, text[0],
                                age < (uint64_t)now ? (uint64_t)now - age : 0);
    } else if (question->step == BACK) {
        crier__redis_arg_number(&args, text[0], question->looked);
        crier__redis_arg_number(&args, text[1], BACK_COUNT);
    } else if (question->step == OLDEST || question->step == UPDATES) {
        crier__redis_arg_number(&args, text[0], question->at);
        crier__redis_arg_number(&args, text[1], question->floor);
        crier__redis_arg_number(&args, text[2], CRIER__READ_MAX);
        crier__redis_arg_number(&args, text[3], PAGE_BYTES);
    }
    if (question->step == MARKS || (question->exact && question->step != NAMED &&
                                    question->step != FIND))
        add_topics(question, &args, question->step != BACK);
    question->call.on_reply = take_reply;
    error = args.failed ? -ENOMEM : 0;
    if (error == 0 && question->step == NAMED)
        error = crier__redis_command(&redis->link, CRIER__REDIS_READER, &args, SCRIPT_TIME,
                                     &question->call);
    else if (error == 0)
        error = crier__redis_run(&redis->link, CRIER__REDIS_READER, scripts[question->step],
                                 NULL, &args, SCRIPT_TIME, &question->call);
    crier__redis_args_done(&args);
    question->sent = error == 0;
    if (error != 0)
        finish_question(question, error);
    else
        atomic_fetch_add(&redis->past.reads, 1);
}

/* ---- questions -------------------------------------------------------- */

static bool is_same(const struct crier__read *a, const struct crier__read *b)
{
    unsigned i;

    if (a->selector_count != b->selector_count || a->resolve != b->resolve ||
        a->since != b->since || a->after != b->after || a->number != b->number ||
        a->grants != b->grants || a->max_bytes != b->max_bytes ||
        (a->resolve && a->since == CRIER_SINCE_ID && strcmp(a->id, b->id) != 0))
        return false;
    for (i = 0; i < a->selector_count; i++)
        if (a->selectors[i].from != b->selectors[i].from ||
            a->selectors[i].live != b->selectors[i].live ||
            a->selectors[i].gap_reported_upto != b->selectors[i].gap_reported_upto ||
            a->selectors[i].selector.kind != b->selectors[i].selector.kind ||
            !crier__selector_equal(&a->selectors[i].selector, &b->selectors[i].selector))
            return false;
    return true;
}

static void refuse_read(struct crier__read *read, int error)
{
    read->error = error;
    read->count = 0;
    read->done(read);
}

void crier__redis_past(struct crier__redis *redis, struct crier__read *read)
{
    struct crier__redis_question *question;
    unsigned i;

    if (redis->past.closing) {
        refuse_read(read, CRIER_ERR_STORAGE);
        return;
    }
    DL_FOREACH (redis->past.questions, question)
        if (is_same(question->reads, read)) {
            read->next = question->reads->next;
            question->reads->next = read;
            return;
        }
    question = calloc(1, sizeof *question);
    if (question == NULL) {
        refuse_read(read, -ENOMEM);
        return;
    }
    read->next = NULL;
    question->redis = redis;
    question->reads = read;
    question->exact = true;
    for (i = 0; i < read->selector_count; i++)
        if (read->selectors[i].selector.kind != CRIER__EXACT ||
            (read->resolve && read->selectors[i].live))
            question->exact = false;
    pthread_mutex_lock(&redis->mirror.lock);
    question->floor = redis->mirror.mirror.floor;
    pthread_mutex_unlock(&redis->mirror.lock);
    DL_APPEND(redis->past.questions, question);
    if (!redis->past.busy)
        send_waiting(redis);
}

void crier__redis_past_down(struct crier__redis *redis)
{
    struct crier__redis_question *question, *next;

    redis->past.busy = true;
    DL_FOREACH_SAFE (redis->past.questions, question, next)
        if (!question->sent)
            answer_question(question, CRIER_ERR_STORAGE);
    redis->past.busy = false;
}

void crier__redis_past_close(struct crier__redis *redis)
{
    redis->past.closing = true;
    crier__redis_past_down(redis);
}

int crier__redis_past_start(struct crier__redis *redis)
{
    atomic_init(&redis->past.reads, 0);
    return 0;
}

void crier__redis_past_free(struct crier__redis *redis)
{
    crier__redis_past_down(redis);
}
