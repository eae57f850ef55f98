/*
 * Reads from Redis: many readers share what is read, damage is passed by, and malformed
 * replies are refused. What reads give is compared in test_journal_model.c.
 */
#include <config.h>

#include "support/journals.h"
#include "support/redis_server.h"
#include "support/runner.h"

#include "libcrier/journal/redis/redis.h"
#include "libcrier/journal/redis/redis_page.h"

#include <semaphore.h>
#include <string.h>

#define READERS 300
#define UPDATES 2000

/* ---- readers ---------------------------------------------------------- */

struct reader {
    struct crier__read read; /* its first member */
    struct crier__read_selector selector;
    unsigned got;
    uint64_t position;
    bool once;
};

static sem_t finished;

/* What each reader must get. */
static void check_updates(struct reader *reader)
{
    unsigned i;

    ck_assert_int_eq(reader->read.error, 0);
    ck_assert(!reader->read.gap);
    for (i = 0; i < reader->read.count; i++) {
        ck_assert_uint_eq(reader->read.updates[i]->position, reader->position + 1);
        reader->position++;
        crier__update_unref(reader->read.updates[i]);
    }
    reader->got += reader->read.count;
}

static void read_page(struct crier__read *read)
{
    struct reader *reader = (struct reader *)read;

    check_updates(reader);
    if (reader->once || read->end) {
        sem_post(&finished);
        return;
    }
    read->resolve = false;
    read->after = read->reached;
    journal->ops->read(journal, read);
}

static void start_reader(struct reader *reader, struct crier__selectors *topics, bool once,
                         size_t bytes)
{
    memset(reader, 0, sizeof *reader);
    reader->once = once;
    reader->selector.selector = topics->items[0];
    reader->read.selectors = &reader->selector;
    reader->read.selector_count = 1;
    reader->read.resolve = true;
    reader->read.since = CRIER_SINCE_ALL;
    reader->read.after = journal->ops->last(journal);
    reader->read.max_bytes = bytes;
    reader->read.done = read_page;
    journal->ops->read(journal, &reader->read);
}

/* Runs all readers of TOPICS. Returns how many calls that took. */
static size_t run_readers(const char *topics, bool once)
{
    struct reader *readers = calloc(READERS, sizeof *readers);
    struct crier__redis_past *past = &((struct crier__redis *)journal)->past;
    struct crier__selectors *selectors;
    size_t before = atomic_load(&past->reads);
    unsigned i;

    ck_assert_ptr_nonnull(readers);
    ck_assert_int_eq(crier__selectors_parse(topics, &selectors), 0);
    sem_init(&finished, 0, 0);
    for (i = 0; i < READERS; i++) /* some have shorter pages */
        start_reader(&readers[i], selectors, once, once || i % 8 != 0 ? 1U << 22 : 9000);
    for (i = 0; i < READERS; i++)
        sem_wait(&finished);
    for (i = 0; i < READERS; i++)
        ck_assert_uint_eq(readers[i].got, once ? CRIER__READ_MAX : UPDATES);
    crier__selectors_free(selectors);
    free(readers);
    return atomic_load(&past->reads) - before;
}

START_TEST(one_read_for_many)
{
    static const char *const topics[] = {"a", "*", "a*"};
    size_t calls;

    journal_start(REDIS_PAST, NULL);
    append_many("a", 0, UPDATES);
    calls = run_readers(topics[_i], true);
    printf("%s: %zu calls for one page\n", topics[_i], calls);
    ck_assert_uint_ge(calls, 1);
    ck_assert_uint_le(calls, 40);
    calls = run_readers(topics[_i], false);
    printf("%s: %zu calls for all\n", topics[_i], calls);
    ck_assert_uint_le(calls, 200);
    journal_end();
}
END_TEST

/* ---- what other programs have written --------------------------------- */

/* Runs a command, in which %s stands for KEY of the journal. */
static void change_key(enum crier__redis_key key, const char *format)
{
    const struct crier__redis *redis = (struct crier__redis *)journal;
    redisContext *connection = redisConnectUnix(redis->link.url->server.host);
    redisReply *reply;

    ck_assert_ptr_nonnull(connection);
    ck_assert_int_eq(connection->err, 0);
    reply = redisCommand(connection, format, redis->keys[key]);
    ck_assert_ptr_nonnull(reply);
    ck_assert_int_ne(reply->type, REDIS_REPLY_ERROR);
    freeReplyObject(reply);
    redisFree(connection);
}

static const char *const foreign[] = {"XADD %s 1-7 foo bar", "XADD %s 1-7 u junk",
                                      "XADD %s 1-7 e a b c"};

/* A node that fetches them goes on behind them. */
START_TEST(foreign_notes_are_passed_by)
{
    journal_start(REDIS, NULL);
    append("a", "one");
    change_key(CRIER__REDIS_LOG, foreign[_i]);
    change_key(CRIER__REDIS_JOURNAL, "HSET %s note 7");
    ck_assert_uint_eq(append("a", "two"), 2);
    ck_assert_uint_eq(append("a", "three"), 3);
    ck_assert_str_eq(all("a"), " one two three");
    ck_assert_uint_ge(atomic_load(&journal->damaged), 1);
    journal_end();
}
END_TEST

static atomic_ullong missed_upto;

static void note_missed_upto(void *closure, uint64_t position)
{
    (void)closure;
    atomic_store(&missed_upto, position);
}

/* An entry near the largest position keeps nodes out, which say what to do. */
START_TEST(used_up_positions_are_reported)
{
    char reason[128] = "";

    journal_start(REDIS, NULL);
    journal->missed = note_missed_upto;
    append("a", "one");
    change_key(CRIER__REDIS_LOG, "XADD %s 9007199254740990-1 foo bar");
    while (strstr(reason, "another program's entry left no positions; 'DEL {") == NULL) {
        ck_assert_int_eq(try_append("a", "", "two"), CRIER_ERR_STORAGE);
        (void)journal->ops->status(journal, reason);
    }
    ck_assert_msg(strstr(reason, "}:journal' begins anew") != NULL, "%s", reason);
    change_key(CRIER__REDIS_JOURNAL, "DEL %s");
    while (try_append("a", "", "three") != 0)
        continue;
    ck_assert_str_eq(all("a"), " three");
    journal_end();
}
END_TEST

/* Another node has appended the second update, and it was deleted before this one saw it. */
START_TEST(what_is_deleted_in_front_of_an_own_update_is_missed)
{
    journal_start(REDIS, NULL);
    journal->missed = note_missed_upto;
    append("a", "one");
    atomic_store(&missed_upto, 0);
    change_key(CRIER__REDIS_JOURNAL, "HSET %s last 2");
    ck_assert_uint_eq(append("a", "three"), 3);
    ck_assert_uint_eq(atomic_load(&missed_upto), 2);
    journal_end();
}
END_TEST

START_TEST(topics_without_records_are_not_listed)
{
    journal_start(REDIS, NULL);
    append("a", "one");
    append("b", "two");
    append("c", "three");
    change_key(CRIER__REDIS_TOPICS, "HDEL %s b");
    ck_assert_str_eq(list("*", "", 10), " a:1 c:1");
    ck_assert_uint_ge(atomic_load(&journal->damaged), 1);
    journal_end();
}
END_TEST

/* ---- malformed replies ------------------------------------------------ */

/* A reply, written as "[...]" for an array, "'...'" for a text, digits for an integer, and
 * "-" for nil. */
static redisReply *parse_reply(const char **at)
{
    redisReply *reply = calloc(1, sizeof *reply);
    const char *end;

    while (**at == ' ')
        ++*at;
    if (**at == '[') {
        reply->type = REDIS_REPLY_ARRAY;
        reply->element = calloc(16, sizeof *reply->element);
        for (++*at; **at != ']'; *at += strspn(*at, " "))
            reply->element[reply->elements++] = parse_reply(at);
        ++*at;
    } else if (**at == '\'') {
        end = strchr(*at + 1, '\'');
        reply->type = REDIS_REPLY_STRING;
        reply->len = (size_t)(end - *at - 1);
        reply->str = strndup(*at + 1, reply->len);
        *at = end + 1;
    } else if (**at == '-' && (*at)[1] != '1') {
        reply->type = REDIS_REPLY_NIL;
        ++*at;
    } else {
        reply->type = REDIS_REPLY_INTEGER;
        reply->integer = strtoll(*at, (char **)(uintptr_t)at, 10);
    }
    return reply;
}

enum { ENTRIES, HEADS, MARKS };

static const struct {
    int kind;
    bool good;
    unsigned count; /* of items, where it is good */
    const char *reply;
} replies[] = {
    {ENTRIES, true, 1, "[9 [['6-0' ['u' '0 5 9\n\na' 'b' 'data: x\n\n']]]]"},
    {ENTRIES, true, 0, "[20 []]"},
    {ENTRIES, true, 1, "[9 [['6-0' ['u' 'no head' 'b' '']]]]"}, /* damage */
    {ENTRIES, true, 1, "[9 [['6-0' ['x']]]]"},
    {ENTRIES, true, 1, "[9 [['6-0' []]]]"},
    {ENTRIES, true, 1, "[9 [['6-0' -]]]"},
    {ENTRIES, false, 0, "-"},
    {ENTRIES, false, 0, "7"},
    {ENTRIES, false, 0, "[]"},
    {ENTRIES, false, 0, "[9]"},
    {ENTRIES, false, 0, "[9 -]"},
    {ENTRIES, false, 0, "[5 []]"},  /* it does not rise */
    {ENTRIES, false, 0, "[21 []]"}, /* beyond what was asked for */
    {ENTRIES, false, 0, "[-1 []]"},
    {ENTRIES, false, 0, "['x' []]"},
    {ENTRIES, false, 0, "[9 [7]]"},
    {ENTRIES, false, 0, "[9 [[]]]"},
    {ENTRIES, false, 0, "[9 [[7 []]]]"},
    {ENTRIES, false, 0, "[9 [['6' []]]]"},
    {ENTRIES, false, 0, "[9 [['5-0' []]]]"},
    {ENTRIES, false, 0, "[9 [['10-0' []]]]"},
    {ENTRIES, false, 0, "[9 [['6-1' []]]]"},
    {ENTRIES, false, 0, "[9 [['6-0' []] ['6-0' []]]]"},
    {ENTRIES, false, 0, "[9 [['99999999999999999999-0' []]]]"},
    {HEADS, true, 2, "[[9 '0 5 9\n\na'] [8 'bad']]"},
    {HEADS, true, 0, "[]"},
    {HEADS, false, 0, "-"},
    {HEADS, false, 0, "[7]"},
    {HEADS, false, 0, "[[9]]"},
    {HEADS, false, 0, "[[9 8]]"},
    {HEADS, false, 0, "[[0 'x']]"},
    {HEADS, false, 0, "[[20 'x']]"},
    {HEADS, false, 0, "[[8 'x'] [9 'x']]"},
    {MARKS, true, 0, "[9 1 2 3 0 0 0 ['1 2 3 4 5 0 0']]"},
    {MARKS, true, 0, "[9 1 2 3 0 0 0 ['']]"},
    {MARKS, false, 0, "[9 1 2 3 0 0 0]"},
    {MARKS, false, 0, "[9 1 2 3 0 0 0 -]"},
    {MARKS, false, 0, "[9 1 2 3 0 0 0 []]"},
    {MARKS, false, 0, "[9 1 2 3 0 0 0 ['' '']]"},
    {MARKS, false, 0, "[9 1 2 3 0 0 0 [-]]"},
    {MARKS, false, 0, "[9 1 2 3 0 0 0 [7]]"},
    {MARKS, false, 0, "[9 -1 2 3 0 0 0 ['']]"},
    {MARKS, false, 0, "[9 1 2 'x' 0 0 0 ['']]"},
    {MARKS, false, 0, "[9 1 2 3 0 0 0 ['1 2 3']]"},
    {MARKS, false, 0, "[9 1 2 3 0 0 0 ['1 2 3 4 5']]"},
    {MARKS, false, 0, "[9 1 2 3 0 0 0 ['1 2 -3 4 5 0 0']]"},
    {MARKS, false, 0, "[9 1 2 3 0 0 0 ['1 2 99999999999999999 4 5 0 0']]"},
};

START_TEST(malformed_replies)
{
    const struct crier__redis_corrected none = {0};
    const char *at = replies[_i].reply;
    redisReply *reply = parse_reply(&at);
    struct crier__redis_page *page = crier__redis_page_new(5);
    bool good;

    journal_start(MEMORY, NULL);
    ck_assert(crier__redis_page_want(page, "a", 1));
    crier__redis_page_sort(page);
    if (replies[_i].kind == ENTRIES)
        good = crier__redis_page_take(page, reply, 20, journal, &none);
    else if (replies[_i].kind == HEADS)
        good = crier__redis_page_take_back(page, reply, 20, journal, &none);
    else
        good = crier__redis_page_take_marks(page, reply);
    ck_assert_msg(good == replies[_i].good, "%s", replies[_i].reply);
    if (good)
        ck_assert_uint_eq(page->count, replies[_i].count);
    crier__redis_page_unref(page);
    freeReplyObject(reply);
    journal_end();
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("reads from Redis");
    TCase *tcase = add_case(suite, "past");

    tcase_add_loop_test(tcase, malformed_replies, 0, sizeof replies / sizeof *replies);
    if (redis_is_wanted()) {
        tcase_add_loop_test(tcase, one_read_for_many, 0, 3);
        tcase_add_loop_test(tcase, foreign_notes_are_passed_by, 0,
                            sizeof foreign / sizeof *foreign);
        tcase_add_test(tcase, used_up_positions_are_reported);
        tcase_add_test(tcase, what_is_deleted_in_front_of_an_own_update_is_missed);
        tcase_add_test(tcase, topics_without_records_are_not_listed);
    }
    return suite;
}

RUN_JOURNALS(make_suite)
