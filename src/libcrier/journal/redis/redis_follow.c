/*
 * Following the log: attaching to a server, filling the mirror, and fetching what other nodes
 * have appended.
 *
 * The node has yielded everything up to `last` and, behind that, `note`. It fetches what
 * follows when another node's notice comes, when a batch of its own has something in front of
 * it, and when it has attached: notices of the time before may be lost. One FETCH is on its
 * way at a time. What it brings is yielded in order; batches of this node that have their
 * place in between are yielded there. A batch whose reply has not come yet may be fetched: its
 * updates are then yielded as others' are, and redis_write.c does not yield them again.
 *
 * Positions have no holes but jumps and what was evicted before this node came to it. Such a
 * hole may have held anything, so the mirror begins anew behind it and all streams read again
 * (`missed`): Redis knows what is gone from which topic.
 *
 * Opening fills the mirror in steps: the newest entries, downwards, until `cache` is full; then
 * the topics, with what they have evicted; then the topics that have ended. All as of the
 * moment of ATTACH, or later; what was appended since then is fetched. Attaching again reads
 * only which topics have ended: the notes that say which ones have not any more may be gone
 * from the log, or the journal may be another one.
 */
#include <config.h>

#include "redis.h"
#include "redis_census.h"

#include "base/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* What one FETCH brings. */
#define FETCH_COUNT "512"
#define FETCH_BYTES "1048576"

/* Entries, and fields of a hash, in one step of filling the mirror. */
#define LOAD_COUNT "1024"
#define LOAD_BYTES "1048576"
#define SCAN_COUNT "1000"

/* How long a script that only reads may take, in ms. */
#define READ_TIME 10000

/* ---- jumps ------------------------------------------------------------ */

/* The position from which the next one is counted: that of a jump from what was yielded last,
 * or that itself. */
static uint64_t behind_jumps(const struct crier__redis *redis, uint64_t last)
{
    const struct crier__mirror *mirror = &redis->mirror.mirror;
    unsigned i;

    for (i = 0; i < mirror->jump_count; i++)
        if (mirror->jumps[i].end == last)
            last = mirror->jumps[i].start;
    return last;
}

/* Reads "START END NOTE". */
static bool read_jump(const redisReply *text, struct crier__jump *jump)
{
    return text->type == REDIS_REPLY_STRING &&
           sscanf(text->str, "%" SCNu64 " %" SCNu64, &jump->start, &jump->end) == 2 &&
           jump->start > jump->end;
}

static bool note_jumps(struct crier__redis *redis, const redisReply *reply)
{
    struct crier__mirror *mirror = &redis->mirror.mirror;
    bool valid = crier__redis_is_array(reply, 0);
    unsigned count = 0;
    size_t i;

    pthread_mutex_lock(&redis->mirror.lock);
    for (i = 0; valid && i < reply->elements && count < CRIER__REDIS_JUMPS_MAX; i++)
        valid = read_jump(reply->element[i], &redis->jumps[count++]);
    mirror->jumps = redis->jumps;
    mirror->jump_count = valid ? count : 0;
    pthread_mutex_unlock(&redis->mirror.lock);
    return valid;
}

/* ---- fetching --------------------------------------------------------- */

/* A topic has been deleted up to the last position, or has not ended any more; or another
 * program has written ENTRY. */
static void apply_note(struct crier__redis *redis, const struct crier__redis_entry *entry)
{
    if (entry->kind != 0) {
        crier__ended_forget(&redis->ended, entry->head, entry->head_length,
                            entry->position);
    } else {
        crier__journal_damage(&redis->mirror.journal,
                              "an entry of the log is not what a node writes");
    }
    if (entry->kind == 'f') {
        pthread_mutex_lock(&redis->mirror.lock);
        crier__memory_evict_upto(&redis->mirror, entry->head, entry->head_length,
                                 entry->position);
        pthread_mutex_unlock(&redis->mirror.lock);
        redis->on_forgotten(redis);
    }
    redis->note = entry->note;
}

/* Yields ENTRY, an update behind all that were yielded. */
static void apply_update(struct crier__redis *redis, const struct crier__redis_entry *entry)
{
    struct crier_journal *journal = &redis->mirror.journal;
    struct crier__update *update;
    int error;

    if (entry->position != behind_jumps(redis, redis->last) + 1)
        crier__redis_skip(redis, entry->position - 1);
    error = crier__redis_update_of(entry, journal->epoch, &redis->corrected, &update);
    if (error != 0) {
        if (error == CRIER_ERR_DAMAGED)
            crier__journal_damage(journal, "an entry of the log is not what a node writes");
        crier__redis_skip(redis, entry->position);
        return;
    }
    update->submitted = (uint32_t)crier__clock_us();
    (void)crier__redis_yield(redis, update);
    crier__update_unref(update);
}

/* Yields this node's next batch if its place is in front of POSITION, up to which the log has
 * been applied. What others had in front of that and the log lacks has been deleted. */
static bool yield_own(struct crier__redis *redis, uint64_t position)
{
    const struct crier__redis_batch *batch = crier__redis_next(redis);

    if (batch != NULL && batch->last != 0 && batch->prev_last < position &&
        behind_jumps(redis, redis->last) < batch->prev_last)
        crier__redis_skip(redis, batch->prev_last);
    return crier__redis_yield_own(redis, position);
}

static void apply_entry(struct crier__redis *redis, const struct crier__redis_entry *entry)
{
    while (entry->position > redis->last && yield_own(redis, entry->position))
        ;
    if (entry->position < redis->last ||
        (entry->position == redis->last && entry->note <= redis->note))
        return;
    if (entry->note == 0) {
        apply_update(redis, entry);
        return;
    }
    if (entry->position > redis->last) /* its update is gone */
        crier__redis_skip(redis, entry->position);
    apply_note(redis, entry);
}

/* Applies ENTRIES. False: they are none. What another program has added is passed by: it is
 * fetched again otherwise, and again, and nothing behind it ever is. */
static bool apply_entries(struct crier__redis *redis, const redisReply *entries)
{
    struct crier__redis_entry entry;
    size_t i;

    if (!crier__redis_is_array(entries, 0))
        return false;
    for (i = 0; i < entries->elements; i++) {
        if (!crier__redis_read_entry(entries->element[i], &entry)) {
            if (!crier__redis_read_place(entries->element[i], &entry))
                return false;
            entry.kind = 0; /* none that a node writes */
        }
        apply_entry(redis, &entry);
    }
    return true;
}

static bool note_corrected(struct crier__redis *redis, const redisReply *upto,
                           const redisReply *time)
{
    uint64_t position, when;

    if (!crier__redis_read_number(upto, &position) ||
        !crier__redis_read_number(time, &when))
        return false;
    pthread_mutex_lock(&redis->mirror.lock);
    redis->corrected.upto = position;
    redis->corrected.time = (int64_t)when;
    pthread_mutex_unlock(&redis->mirror.lock);
    return true;
}

/* The log ends at HELD; what the reply lacks of it is gone. */
static void reach_end(struct crier__redis *redis, const struct crier__redis_held *held)
{
    while (yield_own(redis, held->last + 1))
        ;
    if (behind_jumps(redis, redis->last) < held->last)
        crier__redis_skip(redis, held->last);
    else if (redis->last < held->last)
        redis->last = held->last;
    redis->note = held->note;
}

static bool take_log(struct crier__redis *redis, const redisReply *reply)
{
    struct crier__redis_held held;
    bool more;

    if (!crier__redis_is_array(reply, 4) ||
        !crier__redis_note_held(redis, reply->element[0], &held) ||
        !note_corrected(redis, reply->element[1], reply->element[2]) ||
        !apply_entries(redis, reply->element[3]))
        return false;
    more = reply->element[3]->elements != 0 &&
           (redis->last < held.last ||
            (redis->last == held.last && redis->note < held.note));
    if (!more && redis->last <= held.last)
        reach_end(redis, &held);
    redis->fetch_wanted |= more;
    return true;
}

static void take_fetched(struct crier__redis_call *call, redisReply *reply)
{
    struct crier__redis *redis = CRIER__CONTAINER_OF(call, struct crier__redis, fetch_call);

    redis->fetching = false;
    if (reply == NULL)
        return;
    if (crier__redis_is_error(reply, "CRIER_EPOCH")) {
        if (redis->state == CRIER__REDIS_READY)
            crier__redis_attach(redis);
        return;
    }
    if (redis->state != CRIER__REDIS_READY)
        return; /* it is fetched again then */
    if (!take_log(redis, reply)) {
        crier__redis_refuse(redis, reply, "fetch");
        return;
    }
    redis->on_fetched(redis);
    if (redis->fetch_wanted)
        crier__redis_fetch(redis);
}

void crier__redis_fetch(struct crier__redis *redis)
{
    struct crier__redis_args args = {0};
    char position[24], note[24];

    if (redis->fetching || redis->state != CRIER__REDIS_READY)
        return;
    redis->fetch_wanted = false;
    crier__redis_begin_args(redis, &args);
    crier__redis_arg_number(&args, position, redis->last);
    crier__redis_arg_number(&args, note, redis->note);
    crier__redis_arg(&args, FETCH_COUNT, strlen(FETCH_COUNT));
    crier__redis_arg(&args, FETCH_BYTES, strlen(FETCH_BYTES));
    redis->fetch_call.on_reply = take_fetched;
    redis->fetching =
        !args.failed && crier__redis_run(&redis->link, CRIER__REDIS_READER,
                                         CRIER__REDIS_FETCH, NULL, &args, READ_TIME,
                                         &redis->fetch_call) == 0;
    crier__redis_args_done(&args);
    if (!redis->fetching && crier__redis_link_is_up(&redis->link))
        crier__redis_link_fail(&redis->link, "memory is short");
}

void crier__redis_notice(struct crier__redis *redis, const char *text, size_t length)
{
    size_t own = strlen(redis->node);

    if (length > own && text[own] == ' ' && memcmp(text, redis->node, own) == 0)
        return; /* the reply to the batch says so, too */
    redis->fetch_wanted = true;
    crier__redis_fetch(redis);
}

/* ---- filling the mirror ----------------------------------------------- */

/* The mirror as it is being filled. Each step is one command. */
struct crier__redis_loading {
    struct crier__redis_call call;
    struct crier__redis *redis;
    struct crier__redis_held held;
    uint64_t oldest; /* the position of the oldest entry of the log */
    char cursor[24]; /* of the scan */
    struct crier__update **updates; /* from the newest down */
    size_t count, capacity, bytes;
    struct crier__ended_set ends; /* that take the place of those that were known */
    size_t steps;  /* replies taken */
    char upto[64]; /* the next entries end here */
    bool all;      /* the log has no more */
};

static void free_loading(struct crier__redis *redis)
{
    struct crier__redis_loading *loading = redis->loading;

    redis->loading = NULL;
    if (loading == NULL)
        return;
    while (loading->count > 0)
        crier__update_unref(loading->updates[--loading->count]);
    free(loading->updates);
    crier__ended_done(&loading->ends);
    free(loading);
}

/* Sends the command of COUNT texts as the next step. */
static void send_step(struct crier__redis *redis,
                      void (*on_reply)(struct crier__redis_call *, redisReply *),
                      const char *const *texts, size_t count)
{
    struct crier__redis_args args = {0};
    int error = -ENOMEM;
    size_t i;

    for (i = 0; i < count; i++)
        crier__redis_arg(&args, texts[i], strlen(texts[i]));
    redis->loading->call.on_reply = on_reply;
    if (!args.failed)
        error = crier__redis_command(&redis->link, CRIER__REDIS_READER, &args, READ_TIME,
                                     &redis->loading->call);
    crier__redis_args_done(&args);
    if (error != 0) {
        free_loading(redis);
        crier__redis_link_fail(&redis->link, crier_error_text(error));
    }
}

/* The journal is ready. */
static void become_ready(struct crier__redis *redis)
{
    bool started;

    free_loading(redis);
    redis->state = CRIER__REDIS_READY;
    redis->opened = true;
    crier__redis_link_works(&redis->link);
    pthread_mutex_lock(&redis->queue_lock);
    redis->is_open = true;
    redis->connects++;
    started = redis->queue.started;
    pthread_cond_broadcast(&redis->changed);
    pthread_mutex_unlock(&redis->queue_lock);
    crier__redis_set_status(redis, 0, "");
    if (started)
        redis->on_ready(redis);
}

/* Notes that LOADING has taken one step more. A journal may be large, so its start waits for
 * as long as the loading comes further than any before. */
static void note_step(struct crier__redis_loading *loading)
{
    struct crier__redis *redis = loading->redis;

    loading->steps++;
    pthread_mutex_lock(&redis->queue_lock);
    if (loading->steps > redis->steps) {
        redis->steps = loading->steps;
        redis->stepped = crier_now();
    }
    pthread_mutex_unlock(&redis->queue_lock);
}

/* The loading that CALL belongs to, unless REPLY is not an array of COUNT elements at least,
 * when it is given up. */
static struct crier__redis_loading *check_load(struct crier__redis_call *call,
                                               const redisReply *reply, size_t count)
{
    struct crier__redis_loading *loading =
        CRIER__CONTAINER_OF(call, struct crier__redis_loading, call);
    struct crier__redis *redis = loading->redis;

    if (crier__redis_is_array(reply, count)) {
        note_step(loading);
        return loading;
    }
    free_loading(redis);
    if (reply != NULL)
        crier__redis_refuse(redis, reply, "a reading of the journal");
    return NULL;
}

/* Reads the numbers of VALUE, decimal with spaces between them. */
static bool read_numbers(const redisReply *value, uint64_t *numbers, size_t count)
{
    const char *at = value->str;
    char *end;
    size_t i;

    if (value->type != REDIS_REPLY_STRING)
        return false;
    for (i = 0; i < count; i++, at = end) {
        numbers[i] = strtoull(at, &end, 10);
        if (end == at)
            return false;
    }
    return true;
}

static void load_ends(struct crier__redis *redis);
static void load_topics(struct crier__redis *redis);

/* Notes a topic that has ended: VALUE is "POSITION TIME ID". False also when memory is short. */
static bool load_end(struct crier__redis *redis, const redisReply *name,
                     const redisReply *value)
{
    struct crier__ended_set *ends = &redis->loading->ends;
    struct crier__ended ended;
    uint64_t numbers[2];
    const char *id;

    if (!read_numbers(value, numbers, 2))
        return false;
    id = strchr(value->str, ' ');
    id = id != NULL ? strchr(id + 1, ' ') : NULL;
    if (id == NULL || strlen(id + 1) >= sizeof ended.id)
        return false;
    ended.position = numbers[0];
    snprintf(ended.id, sizeof ended.id, "%s", id + 1);
    if (ended.id[0] == '\0')
        crier__id_make(ended.id, redis->mirror.journal.epoch, ended.position);
    crier__ended_remove(ends, name->str, name->len);
    if (crier__ended_add(ends, name->str, name->len, &ended, (int64_t)numbers[1]) != 0)
        return false;
    crier__ended_commit(ends); /* each time: a removal walks through what is not */
    atomic_store(&redis->mirror.journal.ends, true);
    return true;
}

/* Notes the record of a topic: "count bytes evicted newest_private newest_public ...". */
static bool load_topic(struct crier__redis *redis, const redisReply *name,
                       const redisReply *value)
{
    uint64_t numbers[5];

    if (!read_numbers(value, numbers, 5))
        return false;
    pthread_mutex_lock(&redis->mirror.lock);
    crier__memory_note_topic(&redis->mirror, name->str, name->len, numbers[2], numbers[3],
                             numbers[4]);
    pthread_mutex_unlock(&redis->mirror.lock);
    return true;
}

/* Takes one pair of a scan with TAKE. A name that is none is another program's, and is passed
 * by. */
static bool take_pair(struct crier__redis *redis, redisReply *const pair[2],
                      bool (*take)(struct crier__redis *, const redisReply *,
                                   const redisReply *))
{
    if (pair[0]->type != REDIS_REPLY_STRING)
        return false;
    if (crier__topic_valid(pair[0]->str, pair[0]->len))
        return take(redis, pair[0], pair[1]);
    crier__journal_damage(&redis->mirror.journal, "a name is not that of a topic");
    return true;
}

/* Takes REPLY, a step of a scan, pair by pair with TAKE. Returns whether there is more (the
 * step NEXT) or not; where it is wrong, the loading is over. */
static bool take_scan(struct crier__redis_loading *loading, const redisReply *reply,
                      bool (*take)(struct crier__redis *, const redisReply *,
                                   const redisReply *),
                      bool *more)
{
    struct crier__redis *redis = loading->redis;
    const redisReply *pairs = reply->element[1];
    bool valid = reply->element[0]->type == REDIS_REPLY_STRING &&
                 reply->element[0]->len < sizeof loading->cursor &&
                 crier__redis_is_array(pairs, 0) && pairs->elements % 2 == 0;
    size_t i;

    for (i = 0; valid && i < pairs->elements; i += 2)
        valid = take_pair(redis, pairs->element + i, take);
    if (!valid) {
        free_loading(redis);
        crier__redis_refuse(redis, reply, "a scan of the journal");
        return false;
    }
    snprintf(loading->cursor, sizeof loading->cursor, "%s", reply->element[0]->str);
    *more = strcmp(loading->cursor, "0") != 0;
    return true;
}

static void take_ends(struct crier__redis_call *call, redisReply *reply)
{
    struct crier__redis_loading *loading = check_load(call, reply, 2);
    struct crier__redis *redis;
    bool more;

    if (loading == NULL || !take_scan(loading, reply, load_end, &more))
        return;
    redis = loading->redis;
    if (more) {
        load_ends(redis);
        return;
    }
    crier__ended_exchange(&redis->ended, &loading->ends);
    become_ready(redis);
}

static void take_topics(struct crier__redis_call *call, redisReply *reply)
{
    struct crier__redis_loading *loading = check_load(call, reply, 2);
    bool more;

    if (loading == NULL || !take_scan(loading, reply, load_topic, &more))
        return;
    if (more)
        load_topics(loading->redis);
    else
        load_ends(loading->redis);
}

/* Sends the next step of the scan of KEY. */
static void scan_key(struct crier__redis *redis, enum crier__redis_key key,
                     void (*on_reply)(struct crier__redis_call *, redisReply *))
{
    const char *texts[] = {"HSCAN", redis->keys[key], redis->loading->cursor, "COUNT",
                           SCAN_COUNT};

    send_step(redis, on_reply, texts, sizeof texts / sizeof texts[0]);
}

static void load_ends(struct crier__redis *redis)
{
    scan_key(redis, CRIER__REDIS_ENDS, take_ends);
}

static void load_topics(struct crier__redis *redis)
{
    scan_key(redis, CRIER__REDIS_TOPICS, take_topics);
}

/* Puts the updates that were loaded into the mirror. MARKS are {last, evicted, forgotten,
 * renewed, newest_private, ...}. */
static bool fill_mirror(struct crier__redis_loading *loading, const redisReply *marks)
{
    struct crier__memory *mirror = &loading->redis->mirror;
    uint64_t evicted, forgotten, renewed, newest_private, floor = loading->held.last;
    size_t i;

    if (!crier__redis_read_number(marks->element[1], &evicted) ||
        !crier__redis_read_number(marks->element[2], &forgotten) ||
        !crier__redis_read_number(marks->element[3], &renewed) ||
        !crier__redis_read_number(marks->element[4], &newest_private))
        return false;
    if (loading->count != 0)
        floor = loading->updates[loading->count - 1]->position - 1;
    pthread_mutex_lock(&mirror->lock);
    crier__memory_restart(mirror, floor);
    for (i = loading->count; i-- > 0;)
        crier__memory_mirror(mirror, loading->updates[i]);
    mirror->mirror.renewed = renewed;
    mirror->last = loading->held.last;
    mirror->newest_private = newest_private;
    if (evicted > mirror->evicted)
        mirror->evicted = evicted;
    if (forgotten > mirror->forgotten)
        mirror->forgotten = forgotten;
    mirror->mirror.complete =
        loading->all && mirror->mirror.floor == floor && forgotten <= floor;
    crier__memory_raise_floor(mirror, forgotten);
    pthread_mutex_unlock(&mirror->lock);
    loading->redis->last = loading->held.last;
    loading->redis->note = loading->held.note;
    return true;
}

static void take_load_marks(struct crier__redis_call *call, redisReply *reply)
{
    struct crier__redis_loading *loading = check_load(call, reply, 5);
    struct crier__redis *redis;

    if (loading == NULL)
        return;
    redis = loading->redis;
    if (!fill_mirror(loading, reply)) {
        free_loading(redis);
        crier__redis_refuse(redis, reply, "marks");
        return;
    }
    load_topics(redis);
}

/* Runs SCRIPT with ARGS, which are freed, as the next step. */
static void run_step(struct crier__redis *redis, enum crier__redis_script script,
                     void (*on_reply)(struct crier__redis_call *, redisReply *),
                     struct crier__redis_args *args)
{
    int error = -ENOMEM;

    redis->loading->call.on_reply = on_reply;
    if (!args->failed)
        error = crier__redis_run(&redis->link, CRIER__REDIS_READER, script, NULL, args,
                                 READ_TIME, &redis->loading->call);
    crier__redis_args_done(args);
    if (error != 0) {
        free_loading(redis);
        crier__redis_link_fail(&redis->link, crier_error_text(error));
    }
}

static void load_marks(struct crier__redis *redis)
{
    struct crier__redis_args args = {0};

    crier__redis_begin_args(redis, &args);
    run_step(redis, CRIER__REDIS_MARKS, take_load_marks, &args);
}

/* Keeps UPDATE (*stolen*), the next one down. */
static bool keep_loaded(struct crier__redis_loading *loading, struct crier__update *update)
{
    size_t capacity = loading->capacity != 0 ? loading->capacity * 2 : 256;
    struct crier__update **grown;

    if (loading->count == loading->capacity) {
        grown = realloc(loading->updates, capacity * sizeof *grown);
        if (grown == NULL) {
            crier__update_unref(update);
            return false;
        }
        loading->updates = grown;
        loading->capacity = capacity;
    }
    loading->updates[loading->count++] = update;
    loading->bytes += crier__update_cost(update);
    return true;
}

/* Whether the mirror has room for what comes before the updates that were loaded. */
static bool mirror_has_room(const struct crier__redis_loading *loading)
{
    const struct crier__memory *mirror = &loading->redis->mirror;

    return loading->bytes < mirror->mirror.bytes &&
           loading->bytes < mirror->journal.policy.retention.bytes &&
           loading->count < mirror->journal.policy.retention.count;
}

static void load_entries(struct crier__redis *redis);

/* Whether POSITION lies below those that were loaded: the rings of the mirror are in order. */
static bool is_next_down(const struct crier__redis_loading *loading, uint64_t position)
{
    uint64_t above = loading->count != 0 ? loading->updates[loading->count - 1]->position
                                         : loading->held.last + 1;

    return position != 0 && position < above;
}

/* Makes the *new* update that REPLY, the next entry of the log down, is; none of a note. */
static int read_loaded(struct crier__redis_loading *loading, const redisReply *reply,
                       struct crier__update **update)
{
    struct crier__redis *redis = loading->redis;
    struct crier__redis_entry entry;

    *update = NULL;
    if (!crier__redis_read_entry(reply, &entry))
        return CRIER_ERR_DAMAGED;
    snprintf(loading->upto, sizeof loading->upto, "(%" PRIu64 "-%" PRIu64, entry.position,
             entry.note);
    if (entry.note != 0)
        return 0;
    if (!is_next_down(loading, entry.position))
        return CRIER_ERR_DAMAGED;
    return crier__redis_update_of(&entry, redis->mirror.journal.epoch, &redis->corrected,
                                  update);
}

/* Takes an entry of the log, the next one down. False: the mirror begins behind it. */
static bool load_entry(struct crier__redis_loading *loading, const redisReply *reply)
{
    struct crier__update *update;
    int error = read_loaded(loading, reply, &update);

    if (error == CRIER_ERR_DAMAGED)
        crier__journal_damage(&loading->redis->mirror.journal,
                              "an entry of the log is not what a node writes");
    if (error != 0 || update == NULL)
        return error == 0;
    return keep_loaded(loading, update) && mirror_has_room(loading);
}

static void take_loaded(struct crier__redis_call *call, redisReply *reply)
{
    struct crier__redis_loading *loading = check_load(call, reply, 0);
    size_t i;

    if (loading == NULL)
        return;
    for (i = 0; i < reply->elements; i++)
        if (!load_entry(loading, reply->element[i])) {
            load_marks(loading->redis);
            return;
        }
    loading->all = reply->elements == 0;
    if (loading->all)
        load_marks(loading->redis);
    else
        load_entries(loading->redis);
}

static void load_entries(struct crier__redis *redis)
{
    struct crier__redis_args args = {0};

    crier__redis_begin_args(redis, &args);
    crier__redis_arg(&args, redis->loading->upto, strlen(redis->loading->upto));
    crier__redis_arg(&args, LOAD_COUNT, strlen(LOAD_COUNT));
    crier__redis_arg(&args, LOAD_BYTES, strlen(LOAD_BYTES));
    run_step(redis, CRIER__REDIS_LOAD, take_loaded, &args);
}

static void take_jumps(struct crier__redis_call *call, redisReply *reply)
{
    struct crier__redis_loading *loading = check_load(call, reply, 0);
    struct crier__redis *redis;

    if (loading == NULL)
        return;
    redis = loading->redis;
    if (!note_jumps(redis, reply)) {
        free_loading(redis);
        crier__redis_refuse(redis, reply, "ZRANGE");
    } else if (redis->opened) {
        load_ends(redis);
    } else {
        load_entries(redis);
    }
}

static void load_jumps(struct crier__redis *redis)
{
    const char *texts[] = {"ZRANGE", redis->keys[CRIER__REDIS_JUMPS], "0", "-1"};

    send_step(redis, take_jumps, texts, sizeof texts / sizeof texts[0]);
}

/* Begins to read what the node is to know of the journal, which ends at HELD. */
static bool begin_loading(struct crier__redis *redis, const struct crier__redis_held *held)
{
    struct crier__redis_loading *loading = calloc(1, sizeof *loading);

    if (loading == NULL)
        return false;
    if (crier__ended_init(&loading->ends) != 0) {
        free(loading);
        return false;
    }
    loading->redis = redis;
    loading->held = *held;
    snprintf(loading->cursor, sizeof loading->cursor, "0");
    snprintf(loading->upto, sizeof loading->upto, "%" PRIu64 "-%" PRIu64, held->last,
             held->note);
    free_loading(redis);
    redis->loading = loading;
    load_jumps(redis);
    return true;
}

/* ---- attaching -------------------------------------------------------- */

/* Makes TEXT the epoch of the journal. False when memory is short. */
static bool change_epoch(struct crier__redis *redis, const redisReply *text)
{
    struct crier__redis_epoch *epoch = calloc(1, sizeof *epoch);

    if (epoch == NULL)
        return false;
    memcpy(epoch->text, text->str, text->len);
    epoch->next = redis->epochs;
    redis->epochs = epoch;
    redis->mirror.journal.epoch = epoch->text;
    return true;
}

/* The journal is not the one that the node knew: what it had yielded is not part of it. */
static void renew_journal(struct crier__redis *redis, const struct crier__redis_held *held,
                          uint64_t renewed)
{
    pthread_mutex_lock(&redis->mirror.lock);
    redis->mirror.mirror.renewed = renewed;
    pthread_mutex_unlock(&redis->mirror.lock);
    pthread_mutex_lock(&redis->queue_lock);
    redis->renewals++;
    pthread_mutex_unlock(&redis->queue_lock);
    crier__redis_skip(redis, held->last);
    redis->note = held->note;
}

static bool is_epoch(const redisReply *text)
{
    if (text->type != REDIS_REPLY_STRING || text->len == 0 ||
        text->len >= CRIER__EPOCH_SIZE)
        return false;
    return strspn(text->str, "0123456789abcdefghijklmnopqrstuvwxyz"
                             "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == text->len;
}

static bool read_attached(struct crier__redis *redis, const redisReply *reply)
{
    struct crier__redis_held held;
    uint64_t renewed, oldest;
    bool other;

    if (!crier__redis_is_array(reply, 7) || !is_epoch(reply->element[0]) ||
        !crier__redis_read_number(reply->element[1], &renewed) ||
        !note_corrected(redis, reply->element[2], reply->element[3]) ||
        !crier__redis_note_held(redis, reply->element[4], &held) ||
        !crier__redis_read_number(reply->element[6], &oldest))
        return false;
    pthread_mutex_lock(&redis->queue_lock);
    redis->oldest = (int64_t)oldest;
    pthread_mutex_unlock(&redis->queue_lock);
    other = strcmp(redis->mirror.journal.epoch, reply->element[0]->str) != 0;
    if (other && !change_epoch(redis, reply->element[0]))
        return false;
    if (other && redis->opened)
        renew_journal(redis, &held, renewed);
    return begin_loading(redis, &held);
}

static void take_attached(struct crier__redis_call *call, redisReply *reply)
{
    struct crier__redis *redis =
        CRIER__CONTAINER_OF(call, struct crier__redis, attach_call);
    char reason[128];

    if (reply == NULL || read_attached(redis, reply))
        return;
    if (!crier__redis_is_error(reply, "CRIER_POSITIONS")) {
        crier__redis_refuse(redis, reply, "attach");
        return;
    }
    snprintf(reason, sizeof reason, "another program's entry left no positions; 'DEL %s' "
             "begins anew", redis->keys[CRIER__REDIS_JOURNAL]);
    crier__redis_link_fail(&redis->link, reason);
}

void crier__redis_attach(struct crier__redis *redis)
{
    struct crier__redis_args args = {0};
    char position[24], note[24], now[24];
    int error;

    redis->state = CRIER__REDIS_ATTACHING;
    error = crier__random_name(redis->candidate);
    crier__redis_begin_args(redis, &args);
    crier__redis_arg(&args, redis->node, strlen(redis->node));
    crier__redis_arg_number(&args, position, redis->last);
    crier__redis_arg_number(&args, note, redis->note);
    crier__redis_arg(&args, redis->link.run_id, strlen(redis->link.run_id));
    crier__redis_arg(&args, redis->candidate, strlen(redis->candidate));
    crier__redis_arg_number(&args, now, (uint64_t)crier__clock_real());
    redis->attach_call.on_reply = take_attached;
    if (error == 0)
        error = args.failed ? -ENOMEM
                            : crier__redis_run(&redis->link, CRIER__REDIS_WRITER,
                                               CRIER__REDIS_ATTACH, NULL, &args,
                                               crier__redis_writer_time(redis, READ_TIME),
                                               &redis->attach_call);
    crier__redis_args_done(&args);
    if (error != 0)
        crier__redis_link_fail(&redis->link, crier_error_text(error));
}

void crier__redis_follow_down(struct crier__redis *redis)
{
    redis->state = CRIER__REDIS_AWAY;
    redis->fetching = false;
    free_loading(redis);
}
