/*
 * The census in Redis: how many streams of all nodes subscribe to each selector.
 *
 *     hub ── counts that have changed ──► COUNT ──► totals ──► channel ──► hub of each node
 *
 * Each node says with BEAT that it lives. BEAT replies which ones have not done so for too
 * long; every node then tries to count those out with BURY, which does it once. A node that
 * finds that others have counted it out, since it was cut off or stopped, reports all of its
 * counts again. So it does after each connect, because the server may be another one, or
 * have lost its data. Behind that it reads all totals: whatever it missed is put right.
 *
 * An idle node sends one BEAT every few seconds. The first change is sent at once, what
 * follows at most every REPORT_WAIT ms, as much as has come together.
 *
 * The counts that are on their way are the hub's until COUNT has answered; if that answer
 * is lost or an error, all counts are reported with the next BEAT that succeeds. Nothing
 * here gives the connections up: what the census lacks is put right later, and publishers
 * do not wait for it. Its calls go over the reader's connection, since the writer's may
 * wait for replicas for longer than a node lives without a BEAT. (An update that carries a
 * count may so be behind or ahead of COUNT; the hub finds out, and reports again.)
 *
 * BEAT also stores who the node is and how many streams it has. Who asks for the list of
 * nodes only sets a flag: the next BEAT gets their ids, and what each one says of itself is
 * read behind that, one after the other (their keys are not those that scripts are given).
 * While nobody asks, nothing is sent for it; while somebody does, no more than every few
 * seconds.
 *
 * A node that is closed while others live only says that it is dead: one of them counts it
 * out with its next BEAT, and publishes who has left, which this node's hub cannot do any
 * more. The last node counts itself out.
 *
 * Replies are not trusted: what is not as it should be counts as an error.
 */
#include <config.h>

#include "redis_census.h"

#include "redis_record.h"

#include "base/container_of.h"
#include "base/number.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Counts are sent at most so often; ms. */
#define REPORT_WAIT 100

/* So many fields are asked for at a time, and at most so often. */
#define PAGE "1000"
#define PAGES_MAX 100000

/* So many counts of a dead node are taken away at a time. */
#define BURY_COUNT "1000"

/* No count is larger. */
#define COUNT_MAX ((uint64_t)1 << 53)

unsigned crier__redis_census_age = 12000;

static struct crier_journal *journal_of(struct crier__redis *redis)
{
    return &redis->mirror.journal;
}

static void set_timer(struct crier__redis *redis, struct crier__timer *timer,
                      uint64_t when)
{
    crier__timers_set(&redis->link.timers, timer, when);
}

static void add_census_text(struct crier__redis_args *args, const char *text)
{
    crier__redis_arg(args, text, strlen(text));
}

/* Runs SCRIPT with ARGS, which are freed. */
static int run_script(struct crier__redis *redis, enum crier__redis_script script,
                      const char *key, struct crier__redis_args *args,
                      struct crier__redis_call *call)
{
    int error = args->failed ? -ENOMEM
                             : crier__redis_run(&redis->link, CRIER__REDIS_READER, script,
                                                key, args, redis->link.url->timeout, call);

    crier__redis_args_done(args);
    return error;
}

/* Likewise the command that ARGS are. */
static int run_command(struct crier__redis *redis, struct crier__redis_args *args,
                       struct crier__redis_call *call)
{
    int error = args->failed ? -ENOMEM
                             : crier__redis_command(&redis->link, CRIER__REDIS_READER, args,
                                                    redis->link.url->timeout, call);

    crier__redis_args_done(args);
    return error;
}

/* Reads REPLY, a text without a NUL that has room in SIZE bytes; NULL if it is not. */
static const char *read_text(const redisReply *reply, size_t size)
{
    return reply != NULL && reply->type == REDIS_REPLY_STRING && reply->len < size &&
                   strlen(reply->str) == reply->len
               ? reply->str
               : NULL;
}

/* ---- totals ----------------------------------------------------------- */

/* Hands on the total of the fields and values of PAGE. */
static void use_totals_page(struct crier__redis *redis, const redisReply *page)
{
    struct crier_journal *journal = journal_of(redis);
    const char *selector;
    uint64_t total;
    size_t i;

    for (i = 0; i + 1 < page->elements; i += 2) {
        selector = read_text(page->element[i], CRIER__SELECTOR_SIZE);
        if (selector != NULL && crier__redis_read_number(page->element[i + 1], &total))
            journal->total(journal->closure, selector, total, true);
    }
}

static void read_page(struct crier__redis *redis, const char *cursor)
{
    struct crier__redis_args args = {0};

    add_census_text(&args, "HSCAN");
    add_census_text(&args, redis->link.keys[CRIER__REDIS_CENSUS]);
    add_census_text(&args, cursor);
    add_census_text(&args, "COUNT");
    add_census_text(&args, PAGE);
    redis->census.reading = run_command(redis, &args, &redis->census.page_call) == 0;
}

/* The next BEAT begins to read again unless the reading comes to its end. */
static void on_page(struct crier__redis_call *call, redisReply *reply)
{
    struct crier__redis *redis =
        CRIER__CONTAINER_OF(call, struct crier__redis, census.page_call);
    struct crier_journal *journal = journal_of(redis);
    const char *cursor;

    redis->census.reading = false;
    if (!crier__redis_is_array(reply, 2) || !crier__redis_is_array(reply->element[1], 0))
        return;
    cursor = read_text(reply->element[0], 32);
    if (cursor == NULL || ++redis->census.pages > PAGES_MAX)
        return;
    use_totals_page(redis, reply->element[1]);
    if (strcmp(cursor, "0") != 0) {
        read_page(redis, cursor);
        return;
    }
    redis->census.unread = false;
    journal->end_totals(journal->closure);
}

/* Reads all totals, if that has to be done. */
static void read_totals(struct crier__redis *redis)
{
    struct crier__redis_census *census = &redis->census;
    struct crier_journal *journal = journal_of(redis);

    if (!census->unread || census->reading)
        return;
    census->pages = 0;
    journal->begin_totals(journal->closure);
    read_page(redis, "0");
}

/* Hands on LINE of LENGTH bytes, "TOTAL SELECTOR". */
static void use_line(struct crier__redis *redis, const char *line, size_t length)
{
    struct crier_journal *journal = journal_of(redis);
    char selector[CRIER__SELECTOR_SIZE];
    uint64_t total;
    size_t digits;

    if (!crier__number_scan(line, length, &digits, &total) || total > COUNT_MAX ||
        digits == length || line[digits] != ' ')
        return;
    line += digits + 1;
    length -= digits + 1;
    if (length >= sizeof selector || memchr(line, '\0', length) != NULL)
        return;
    memcpy(selector, line, length);
    selector[length] = '\0';
    journal->total(journal->closure, selector, total, false);
}

void crier__redis_census_message(struct crier__redis *redis, const char *text,
                                 size_t length)
{
    const char *end = text + length, *stop;

    if (journal_of(redis)->total == NULL)
        return;
    for (; text < end; text = stop + 1) {
        stop = memchr(text, '\n', (size_t)(end - text));
        if (stop == NULL)
            stop = end;
        use_line(redis, text, (size_t)(stop - text));
    }
}

/* ---- this node's counts ----------------------------------------------- */

/* Notes that the last counts may not have been stored. */
static void forget_counts(struct crier__redis_census *census)
{
    crier__buffer_clear(&census->texts);
    census->taken = 0;
    census->all = true;
}

static void take_count(void *context, const char *selector, size_t count)
{
    struct crier__redis_census *census = context;
    char text[24];
    int length = snprintf(text, sizeof text, "%zu", count);

    if (crier__buffer_add(&census->texts, selector, strlen(selector) + 1) == 0 &&
        crier__buffer_add(&census->texts, text, (size_t)length + 1) == 0)
        census->taken++;
}

/* Sends the counts that were taken. */
static int send_counts(struct crier__redis *redis)
{
    struct crier__redis_census *census = &redis->census;
    struct crier__redis_args args = {0};
    const char *text = census->texts.bytes;
    size_t i;

    add_census_text(&args, redis->node);
    for (i = 0; i < 2 * census->taken; i++) {
        add_census_text(&args, text);
        text += strlen(text) + 1;
    }
    return run_script(redis, CRIER__REDIS_COUNT, NULL, &args, &census->count_call);
}

/* Whether counts may be sent now; otherwise they are as soon as they may. */
static bool may_report(struct crier__redis *redis)
{
    struct crier__redis_census *census = &redis->census;
    uint64_t next = census->reported + REPORT_WAIT;

    if (!census->up || census->counting || census->on_closed != NULL)
        return false;
    if (census->all || census->taken == CRIER__COUNTS_MAX || crier_now() >= next)
        return true;
    set_timer(redis, &census->report, next);
    return false;
}

/* Sends the counts that have changed. When there are none, and all have been sent, reads
 * the totals if that has to be done. */
static void report_counts(struct crier__redis *redis)
{
    struct crier__redis_census *census = &redis->census;
    struct crier_journal *journal = journal_of(redis);
    bool all = census->all;
    size_t count;

    if (journal->take_counts == NULL || !may_report(redis))
        return;
    census->all = false;
    crier__buffer_clear(&census->texts);
    census->taken = 0;
    count = journal->take_counts(journal->closure, all, take_count, census);
    if (count == 0) {
        read_totals(redis);
        return;
    }
    census->reported = crier_now();
    census->counting = census->taken == count && send_counts(redis) == 0;
    if (!census->counting)
        forget_counts(census);
}

/* Writes the COUNT totals of REPLY to TOTALS. */
static bool read_counted(const redisReply *reply, size_t *totals, size_t count)
{
    uint64_t total;
    size_t i;

    if (!crier__redis_is_array(reply, count) || reply->elements != count)
        return false;
    for (i = 0; i < count; i++) {
        if (!crier__redis_read_number(reply->element[i], &total))
            return false;
        totals[i] = total;
    }
    return true;
}

static void on_counted(struct crier__redis_call *call, redisReply *reply)
{
    struct crier__redis *redis =
        CRIER__CONTAINER_OF(call, struct crier__redis, census.count_call);
    struct crier__redis_census *census = &redis->census;
    struct crier_journal *journal = journal_of(redis);
    size_t totals[CRIER__COUNTS_MAX];

    census->counting = false;
    if (!read_counted(reply, totals, census->taken)) {
        forget_counts(census);
        return;
    }
    journal->counted(journal->closure, totals);
    report_counts(redis);
}

static void fire_report(struct crier__timer *timer, uint64_t now)
{
    (void)now;
    report_counts(CRIER__CONTAINER_OF(timer, struct crier__redis, census.report));
}

void crier__redis_census_changed(struct crier__redis *redis)
{
    if (!atomic_exchange(&redis->census.wanted, true))
        crier__redis_link_wake(&redis->link);
}

/* ---- the dead --------------------------------------------------------- */

/* Writes the key of NODE to KEY. */
static void name_node_key(const struct crier__redis *redis, const char *node, char key[128])
{
    snprintf(key, 128, "{%s}:node:%s", redis->link.url->name, node);
}

/* Has the script count NODE out, or this node, with AGE "0". */
static int bury_node(struct crier__redis *redis, const char *node, const char *age,
                     struct crier__redis_call *call)
{
    struct crier__redis_args args = {0};
    char key[128];

    name_node_key(redis, node, key);
    add_census_text(&args, node);
    add_census_text(&args, age);
    add_census_text(&args, BURY_COUNT);
    return run_script(redis, CRIER__REDIS_BURY, key, &args, call);
}

/* Counts the next dead node out. What fails is tried again after the next BEAT. */
static void bury_next(struct crier__redis *redis)
{
    struct crier__redis_census *census = &redis->census;
    char age[16];

    if (census->burying || census->dead_count == 0 || census->on_closed != NULL)
        return;
    snprintf(age, sizeof age, "%u", crier__redis_census_age);
    census->burying = bury_node(redis, census->dead[census->dead_count - 1], age,
                                &census->bury_call) == 0;
}

/* Whether REPLY is what BURY replies. */
static bool is_buried(const redisReply *reply)
{
    return crier__redis_is_array(reply, 2) &&
           reply->element[0]->type == REDIS_REPLY_INTEGER &&
           crier__redis_is_array(reply->element[1], 0);
}

static void on_buried(struct crier__redis_call *call, redisReply *reply)
{
    struct crier__redis *redis =
        CRIER__CONTAINER_OF(call, struct crier__redis, census.bury_call);
    struct crier_journal *journal = journal_of(redis);
    const char *selector;
    size_t i;

    redis->census.burying = false;
    if (!is_buried(reply)) {
        redis->census.dead_count = 0;
        return;
    }
    for (i = 0; journal->departed != NULL && i < reply->element[1]->elements; i++) {
        selector = read_text(reply->element[1]->element[i], CRIER__SELECTOR_SIZE);
        if (selector != NULL)
            journal->departed(journal->closure, selector);
    }
    if (reply->element[0]->integer == 0)
        redis->census.dead_count--;
    bury_next(redis);
}

/* Whether NAME may be that of a node. */
static bool is_node_name(const char *name)
{
    size_t length = strspn(name, "0123456789abcdefghijklmnopqrstuvwxyz");

    return length != 0 && name[length] == '\0';
}

static void note_dead(struct crier__redis *redis, const redisReply *nodes)
{
    struct crier__redis_census *census = &redis->census;
    const char *name;
    size_t i;

    if (census->burying)
        return;
    census->dead_count = 0;
    for (i = 0; i < nodes->elements && census->dead_count < CRIER__REDIS_DEAD_MAX; i++) {
        name = read_text(nodes->element[i], CRIER__RANDOM_NAME_SIZE);
        if (name != NULL && is_node_name(name) && strcmp(name, redis->node) != 0)
            snprintf(census->dead[census->dead_count++], CRIER__RANDOM_NAME_SIZE, "%s",
                     name);
    }
    bury_next(redis);
}

/* ---- the list of nodes ------------------------------------------------ */

/* Whether NAME may be that of a host: what is not is not shown to anybody. */
static bool is_host_name(const char *name)
{
    return name[strspn(name, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                             "abcdefghijklmnopqrstuvwxyz.-_")] == '\0';
}

/* Makes the name of this node. */
static void name_self(struct crier__redis_census *census)
{
    char host[sizeof ((struct crier_node *)NULL)->host];

    if (gethostname(host, sizeof host) != 0 || memchr(host, '\0', sizeof host) == NULL ||
        !is_host_name(host))
        host[0] = '\0';
    snprintf(census->name, sizeof census->name, "%ld %s", (long)getpid(), host);
}

/* Reads NAME, "PID HOST", into NODE, unless it is something else. */
static void read_node_name(struct crier_node *node, const char *name)
{
    size_t length = strlen(name), digits;
    uint64_t pid;

    if (!crier__number_scan(name, length, &digits, &pid) || pid > INT_MAX ||
        name[digits] != ' ' || length - digits - 1 >= sizeof node->host ||
        !is_host_name(name + digits + 1))
        return;
    node->pid = (long)pid;
    memcpy(node->host, name + digits + 1, length - digits);
}

/* Reads REPLY, what NODE says of itself. */
static void read_introduction(struct crier_node *node, const redisReply *reply)
{
    char name[sizeof ((struct crier__redis_census *)NULL)->name];
    const char *text;
    uint64_t streams;

    if (!crier__redis_is_array(reply, 2))
        return;
    text = read_text(reply->element[0], sizeof name);
    if (text != NULL)
        read_node_name(node, text);
    if (crier__redis_read_number(reply->element[1], &streams))
        node->streams = streams;
}

/* Shows the list that has been made. */
static void show_nodes(struct crier__redis *redis)
{
    pthread_mutex_lock(&redis->queue_lock);
    redis->listed = redis->census.met;
    pthread_mutex_unlock(&redis->queue_lock);
}

/* Asks the next node of the list who it is; shows the list when all have said so. */
static void meet_next(struct crier__redis *redis)
{
    struct crier__redis_census *census = &redis->census;
    struct crier__redis_args args = {0};
    char key[128];

    if (census->met_upto == census->met.count) {
        show_nodes(redis);
        return;
    }
    if (census->on_closed != NULL)
        return;
    name_node_key(redis, census->met.nodes[census->met_upto].id, key);
    add_census_text(&args, "HMGET");
    add_census_text(&args, key);
    add_census_text(&args, "name");
    add_census_text(&args, "streams");
    census->meeting = run_command(redis, &args, &census->node_call) == 0;
}

static void on_node(struct crier__redis_call *call, redisReply *reply)
{
    struct crier__redis *redis =
        CRIER__CONTAINER_OF(call, struct crier__redis, census.node_call);
    struct crier__redis_census *census = &redis->census;

    census->meeting = false;
    if (reply == NULL)
        return;
    read_introduction(&census->met.nodes[census->met_upto++], reply);
    meet_next(redis);
}

/* Begins a list with LIVING, what BEAT replied of them. */
static void list_nodes(struct crier__redis *redis, const redisReply *living)
{
    struct crier__redis_nodes *met = &redis->census.met;
    uint64_t ago, now = crier_now();
    struct crier_node *node;
    const char *id;
    size_t i;

    if (living->elements == 0 || redis->census.meeting)
        return;
    met->time = now;
    met->nodes[0] = (struct crier_node){.seen = now, .self = true};
    snprintf(met->nodes[0].id, sizeof met->nodes[0].id, "%s", redis->node);
    read_node_name(&met->nodes[0], redis->census.name);
    met->count = redis->census.met_upto = 1;
    for (i = 0; i + 1 < living->elements && met->count < CRIER_NODES_MAX; i += 2) {
        id = read_text(living->element[i], CRIER__RANDOM_NAME_SIZE);
        if (id == NULL || !is_node_name(id) || strcmp(id, redis->node) == 0 ||
            !crier__redis_read_number(living->element[i + 1], &ago))
            continue;
        node = &met->nodes[met->count++];
        *node = (struct crier_node){.seen = ago < now ? now - ago : 0};
        snprintf(node->id, sizeof node->id, "%s", id);
    }
    meet_next(redis);
}

/* Whether the list is asked for, and is so old that it does not wait for the next BEAT. */
static bool must_list(const struct crier__redis *redis)
{
    const struct crier__redis_census *census = &redis->census;

    return atomic_load(&census->asked) && census->up && !census->meeting &&
           !census->beating && census->on_closed == NULL &&
           crier_now() >= redis->listed.time + crier__redis_census_age / 2;
}

static size_t count_own_streams(struct crier__redis *redis)
{
    struct crier_journal *journal = journal_of(redis);

    return journal->streams != NULL ? journal->streams(journal->closure) : 0;
}

size_t crier__redis_census_nodes(struct crier__redis *redis, struct crier_node *nodes,
                                 size_t max)
{
    const struct crier__redis_nodes *listed = &redis->listed;
    uint64_t now = crier_now();
    size_t count = 0, i;

    if (!atomic_exchange(&redis->census.asked, true))
        crier__redis_link_wake(&redis->link);
    pthread_mutex_lock(&redis->queue_lock);
    if (now <= listed->time + crier__redis_census_age)
        count = listed->count < max ? listed->count : max;
    memcpy(nodes, listed->nodes, count * sizeof *nodes);
    pthread_mutex_unlock(&redis->queue_lock);
    for (i = 0; i < count; i++) {
        nodes[i].seen = nodes[i].seen < now ? now - nodes[i].seen : 0;
        if (nodes[i].self)
            nodes[i].streams = count_own_streams(redis);
    }
    return count;
}

/* ---- that it lives ---------------------------------------------------- */

/* Says that this node lives, now and again. */
static void send_beat(struct crier__redis *redis)
{
    struct crier__redis_census *census = &redis->census;
    struct crier__redis_args args = {0};
    char age[16], streams[24], list[16];

    set_timer(redis, &census->beat, crier_now() + crier__redis_census_age / 4);
    if (census->beating)
        return;
    snprintf(age, sizeof age, "%u", crier__redis_census_age);
    snprintf(streams, sizeof streams, "%zu", count_own_streams(redis));
    snprintf(list, sizeof list, "%d",
             atomic_exchange(&census->asked, false) ? CRIER_NODES_MAX : 0);
    add_census_text(&args, redis->node);
    add_census_text(&args, age);
    add_census_text(&args, census->name);
    add_census_text(&args, streams);
    add_census_text(&args, list);
    census->beating =
        run_script(redis, CRIER__REDIS_BEAT, NULL, &args, &census->beat_call) == 0;
}

static void on_beat(struct crier__redis_call *call, redisReply *reply)
{
    struct crier__redis *redis =
        CRIER__CONTAINER_OF(call, struct crier__redis, census.beat_call);
    struct crier__redis_census *census = &redis->census;
    uint64_t nodes, lost;

    census->beating = false;
    if (!crier__redis_is_array(reply, 4) || !crier__redis_is_array(reply->element[0], 0) ||
        !crier__redis_read_number(reply->element[1], &nodes) ||
        !crier__redis_read_number(reply->element[2], &lost) ||
        !crier__redis_is_array(reply->element[3], 0) || census->on_closed != NULL)
        return;
    census->nodes = nodes < UINT_MAX ? (unsigned)nodes : UINT_MAX;
    note_dead(redis, reply->element[0]);
    list_nodes(redis, reply->element[3]);
    if (lost != 0)
        census->all = true;
    if (census->all || census->unread)
        report_counts(redis);
}

static void fire_beat(struct crier__timer *timer, uint64_t now)
{
    (void)now;
    send_beat(CRIER__CONTAINER_OF(timer, struct crier__redis, census.beat));
}

void crier__redis_census_wake(struct crier__redis *redis)
{
    /* While all are to be reported, they wait for the answer to BEAT. */
    if (atomic_exchange(&redis->census.wanted, false) && !redis->census.all)
        report_counts(redis);
    if (must_list(redis))
        send_beat(redis);
}

/* ---- start and end ---------------------------------------------------- */

/* The journal closes, and this node has been counted out or cannot be. */
static void end_census(struct crier__redis *redis)
{
    void (*on_closed)(struct crier__redis *closed) = redis->census.on_closed;

    redis->census.up = false;
    redis->census.on_closed = NULL;
    on_closed(redis);
}

/* Asks that this node be counted out. */
static int leave_nodes(struct crier__redis *redis)
{
    struct crier__redis_census *census = &redis->census;
    struct crier__redis_args args = {0};

    if (census->nodes <= 1)
        return bury_node(redis, redis->node, "0", &census->leave_call);
    add_census_text(&args, "ZADD");
    add_census_text(&args, redis->link.keys[CRIER__REDIS_NODES]);
    add_census_text(&args, "XX");
    add_census_text(&args, "0");
    add_census_text(&args, redis->node);
    return run_command(redis, &args, &census->leave_call);
}

static void on_left(struct crier__redis_call *call, redisReply *reply)
{
    struct crier__redis *redis =
        CRIER__CONTAINER_OF(call, struct crier__redis, census.leave_call);
    bool more = is_buried(reply) && reply->element[0]->integer != 0;

    if (!more || leave_nodes(redis) != 0)
        end_census(redis);
}

/* Sets no timer any more. */
static void cancel_timers(struct crier__redis *redis)
{
    set_timer(redis, &redis->census.beat, CRIER__NO_TIME);
    set_timer(redis, &redis->census.report, CRIER__NO_TIME);
}

int crier__redis_census_start(struct crier__redis *redis)
{
    struct crier__redis_census *census = &redis->census;
    int error = crier__random_name(redis->node);

    if (error != 0)
        return error;
    name_self(census);
    /* The longest selectors, with their counts. */
    census->texts.max = (size_t)CRIER__COUNTS_MAX * (CRIER__SELECTOR_SIZE + 24);
    census->beat.fire = fire_beat;
    census->report.fire = fire_report;
    census->beat_call.on_reply = on_beat;
    census->count_call.on_reply = on_counted;
    census->page_call.on_reply = on_page;
    census->bury_call.on_reply = on_buried;
    census->node_call.on_reply = on_node;
    census->leave_call.on_reply = on_left;
    return crier__timers_reserve(&redis->link.timers, 2);
}

void crier__redis_census_free(struct crier__redis *redis)
{
    crier__buffer_done(&redis->census.texts);
}

void crier__redis_census_up(struct crier__redis *redis)
{
    struct crier__redis_census *census = &redis->census;

    census->up = true;
    census->unread = journal_of(redis)->total != NULL;
    forget_counts(census);
    send_beat(redis);
}

void crier__redis_census_down(struct crier__redis *redis)
{
    cancel_timers(redis);
    redis->census.up = false;
    redis->census.dead_count = 0;
}

void crier__redis_census_close(struct crier__redis *redis,
                               void (*on_closed)(struct crier__redis *redis))
{
    redis->census.on_closed = on_closed;
    cancel_timers(redis);
    if (!redis->census.up || leave_nodes(redis) != 0)
        end_census(redis);
}
