/*
 * The scripts of the journal in Redis, run by a server of the test's own. At random, they
 * must do to the keys what the journal in memory does to its store.
 */
#include <config.h>

#include "libcrier/journal/memory/store.h"
#include "libcrier/journal/redis/redis_script.h"
#include "support/redis_server.h"
#include "support/runner.h"
#include "support/text.h"

#include <time.h>

#define NOW "1790000000000"
#define MANY "1000000 0 0 1000000"
#define KEYS 14
#define CHANNELS "{t}:"

static struct redis_server server;
static char hashes[CRIER__REDIS_SCRIPTS][41];

/* ---- commands --------------------------------------------------------- */

/* The arguments of the next script. */
static struct {
    char *texts[2000];
    size_t lengths[2000];
    int count;
} args;

static void add_bytes(const char *bytes, size_t length)
{
    char *copy = malloc(length + 1);

    ck_assert_ptr_nonnull(copy);
    ck_assert_int_lt(args.count, 2000);
    memcpy(copy, bytes, length);
    args.texts[args.count] = copy;
    args.lengths[args.count++] = length;
}

__attribute__((format(printf, 1, 2))) static void add(const char *format, ...)
{
    va_list arguments;
    size_t length;
    char *text;

    va_start(arguments, format);
    text = text_format(format, arguments, &length);
    va_end(arguments);
    add_bytes(text, length);
    free(text);
}

/* Adds the arguments in TEXT, which '|' separates. */
static void add_words(const char *text)
{
    size_t length;

    for (; *text != '\0'; text += length + (text[length] == '|')) {
        length = strcspn(text, "|");
        add_bytes(text, length);
    }
}

static void add_keys(const char *node)
{
    static const char *const names[KEYS - 1] = {
        "journal", "log", "ids", "topics", "index", "names",
        "empty", "due", "ends", "jumps", "nodes", "census", "gone"};
    unsigned i;

    for (i = 0; i < KEYS - 1; i++)
        add(CHANNELS "%s", names[i]);
    add(CHANNELS "node:%s", node);
}

/* Begins the command that runs SCRIPT with the keys of NODE. */
static void begin(enum crier__redis_script script, const char *node)
{
    args.count = 0;
    add("EVALSHA");
    add("%s", hashes[script]);
    add("%d", KEYS);
    add_keys(node);
}

static redisReply *run(void)
{
    redisReply *reply;

    if (server.connection == NULL)
        redis_do(&server, "PING");
    reply = redisCommandArgv(server.connection, args.count, (const char **)args.texts,
                             args.lengths);
    ck_assert_ptr_nonnull(reply);
    while (args.count > 0)
        free(args.texts[--args.count]);
    return reply;
}

/* Writes REPLY as text: [1 [a b] ] */
static void print_reply(FILE *stream, const redisReply *reply)
{
    size_t i;

    switch (reply->type) {
    case REDIS_REPLY_INTEGER:
        fprintf(stream, "%lld", reply->integer);
        break;
    case REDIS_REPLY_ARRAY:
        fputc('[', stream);
        for (i = 0; i < reply->elements; i++) {
            if (i > 0)
                fputc(' ', stream);
            print_reply(stream, reply->element[i]);
        }
        fputc(']', stream);
        break;
    case REDIS_REPLY_NIL:
        fputs("nil", stream);
        break;
    default:
        for (i = 0; i < reply->len; i++)
            fputc(reply->str[i] == '\n' ? '/' : reply->str[i], stream);
    }
}

/* The text of REPLY, which is freed; valid until the next call but one. */
static const char *text_of(redisReply *reply)
{
    static char texts[2][65536];
    static unsigned turn;
    char *text = texts[turn++ % 2];
    FILE *stream = fmemopen(text, sizeof texts[0], "w");

    ck_assert_ptr_nonnull(stream);
    print_reply(stream, reply);
    fclose(stream);
    freeReplyObject(reply);
    return text;
}

/* Runs SCRIPT as NODE with the words of ARGUMENTS, which '|' separates. */
static const char *ask(enum crier__redis_script script, const char *node,
                       const char *arguments)
{
    begin(script, node);
    add_words(arguments);
    return text_of(run());
}

static void expect(enum crier__redis_script script, const char *node,
                   const char *arguments, const char *reply)
{
    ck_assert_str_eq(ask(script, node, arguments), reply);
}

static void expect_error(enum crier__redis_script script, const char *arguments,
                         const char *code)
{
    const char *text = ask(script, "n", arguments);

    ck_assert_msg(strncmp(text, code, strlen(code)) == 0, "%s", text);
}

static const char *get(const char *command)
{
    return text_of(redis_ask(&server, command));
}

/* Adds SCRIPT's text, in which as many positions as the four digits of GRACE say stay. */
static void add_text(enum crier__redis_script script, const char *grace)
{
    char *place;

    add("%s", crier__redis_script_text(script));
    place = strstr(args.texts[args.count - 1], "GRACE = 4096");
    ck_assert_ptr_nonnull(place);
    memcpy(place + strlen("GRACE = "), grace, 4);
}

static void load_scripts(const char *grace)
{
    redisReply *reply;
    int i;

    for (i = 0; i < CRIER__REDIS_SCRIPTS; i++) {
        args.count = 0;
        add("SCRIPT");
        add("LOAD");
        add_text(i, grace);
        reply = run();
        ck_assert_msg(reply->type == REDIS_REPLY_STRING, "%s: %s",
                      crier__redis_script_name(i), reply->str);
        snprintf(hashes[i], sizeof hashes[i], "%s", reply->str);
        freeReplyObject(reply);
    }
}

static void start_server(void)
{
    redis_start(&server, NULL);
    load_scripts("4096");
}

static void stop_server(void)
{
    redis_remove(&server);
}

/* ---- a journal with few updates --------------------------------------- */

static int batch_number;

static void attach_new(void)
{
    batch_number = 0;
    expect(CRIER__REDIS_ATTACH, "n", "|n|0|0|s1|e1|" NOW,
           "[e1 0 0 0 [0 0 0 0 0 0] 0 0]");
}

static void begin_append(const char *now, const char *policy, unsigned budget)
{
    begin(CRIER__REDIS_APPEND, "n");
    add("e1");
    add("n");
    add("%d", ++batch_number);
    add("%s", now);
    add("%s", policy);
    add("%u", budget);
}

/* Adds an update of TOPICS ('/' between them) with a cost of 10. */
static void add_update(const char *topics, const char *id, unsigned flags,
                       const char *limits, const char *census)
{
    char *at, *end;

    add("%u 0 10\n%s\n%s", flags | (id[0] != '\0' ? 8 : 0), id, topics);
    at = args.texts[args.count - 1];
    for (end = at + args.lengths[args.count - 1]; at < end; at++)
        if (*at == '/')
            *at = '\n';
    add("%s", census[0] != '\0' ? "total \x1a" : "x");
    add("%s", limits);
    add("%s", census);
}

static const char *append_at(const char *now, const char *topics, const char *id,
                             unsigned flags, const char *limits)
{
    begin_append(now, MANY, 100);
    add_update(topics, id, flags, limits, "");
    return text_of(run());
}

static const char *append(const char *topics, const char *id, unsigned flags)
{
    return append_at(NOW, topics, id, flags, "");
}

START_TEST(scripts_have_their_names)
{
    static const char *const correct[CRIER__REDIS_SCRIPTS] = {
        [CRIER__REDIS_ATTACH] = "attach", [CRIER__REDIS_APPEND] = "append",
        [CRIER__REDIS_FETCH] = "fetch",   [CRIER__REDIS_FORGET] = "forget",
        [CRIER__REDIS_LOAD] = "load",
        [CRIER__REDIS_SWEEP] = "sweep",   [CRIER__REDIS_TRIM] = "trim",
        [CRIER__REDIS_LIST] = "list",     [CRIER__REDIS_MARKS] = "marks",
        [CRIER__REDIS_PAST] = "past",     [CRIER__REDIS_BACK] = "back",
        [CRIER__REDIS_FIND] = "find",     [CRIER__REDIS_COUNT] = "count",
        [CRIER__REDIS_BEAT] = "beat",     [CRIER__REDIS_BURY] = "bury"};
    int i;

    for (i = 0; i < CRIER__REDIS_SCRIPTS; i++)
        ck_assert_str_eq(crier__redis_script_name(i), correct[i]);
}
END_TEST

START_TEST(batches_are_applied_once)
{
    char first[256];

    attach_new();
    snprintf(first, sizeof first, "%s", append("a", "i", 0));
    ck_assert_str_eq(first, "[0 0 1 0 [1 10 1 1 0 " NOW "] [] []]");
    batch_number--;
    ck_assert_str_eq(append("other", "j", 0), first);
    ck_assert_str_eq(append("a/b", "i", 0),
                     "[1 0 2 " NOW " [1 10 1 1 0 " NOW "] [[0 exists 1 0]] []]");
    ck_assert_str_eq(append("a", "i", 0),
                     "[1 0 2 " NOW " [1 10 1 1 0 " NOW "] [[0 exists 1 1]] []]");
    append("a", "", 0);
    batch_number = 0;
    ck_assert_str_eq(append("a", "i", 0), first);
    batch_number = 4;
    append("a", "", 0);
    batch_number = 0;
    ck_assert_int_eq(strncmp(append("a", "i", 0), "CRIER_STALE ", 12), 0);
    ck_assert_str_eq(get("HGET {t}:node:n batch"), "5");
    ck_assert_int_gt(redis_ask_number(&server, "TTL {t}:node:n"), 0);
}
END_TEST

START_TEST(other_journals_are_refused)
{
    expect_error(CRIER__REDIS_MARKS, "e1", "CRIER_EPOCH ");
    attach_new();
    expect_error(CRIER__REDIS_MARKS, "e2", "CRIER_EPOCH ");
    expect_error(CRIER__REDIS_APPEND, "e2|n|1|" NOW "|" MANY "|1", "CRIER_EPOCH ");
    redis_do(&server, "HSET {t}:journal format 2");
    expect_error(CRIER__REDIS_MARKS, "e1", "CRIER_FORMAT ");
    expect_error(CRIER__REDIS_ATTACH, "e1|n|0|0|s1|e2|" NOW, "CRIER_FORMAT ");
}
END_TEST

START_TEST(other_servers_jump)
{
    attach_new();
    expect(CRIER__REDIS_ATTACH, "n", "e1|n|0|0|s2|e2|" NOW, /* nothing to lose */
           "[e1 0 0 0 [0 0 0 0 0 0] 0 0]");
    append("a", "", 0);
    expect(CRIER__REDIS_ATTACH, "n", "e1|n|1|0|s2|e2|" NOW,
           "[e1 0 0 0 [1 10 1 1 0 " NOW "] 1 " NOW "]");
    expect(CRIER__REDIS_ATTACH, "n", "e1|n|1|0|s3|e2|" NOW,
           "[e1 0 0 0 [1 10 1 4294967297 0 " NOW "] 1 " NOW "]");
    /* The end of a jump is where a node is that attached behind it. */
    append("a", "", 0);
    expect(CRIER__REDIS_ATTACH, "m", "e1|m|4294967297|0|s3|e3|" NOW,
           "[e1 0 0 0 [2 20 1 4294967298 0 " NOW "] 1 " NOW "]");
    /* A node that has a position from within has seen what is lost. */
    expect(CRIER__REDIS_ATTACH, "m", "e1|m|2|0|s3|e3|" NOW,
           "[e3 8589934594 0 0 [2 20 1 8589934594 0 " NOW "] 1 " NOW "]");
    expect(CRIER__REDIS_ATTACH, "n", "e1|n|3|0|s3|e4|" NOW,
           "[e3 8589934594 0 0 [2 20 1 8589934594 0 " NOW "] 1 " NOW "]");
    /* One of another epoch does not renew, but no position is used twice. */
    expect(CRIER__REDIS_ATTACH, "n", "e1|n|9000000000|0|s3|e4|" NOW,
           "[e3 8589934594 0 0 [2 20 1 13294967296 0 " NOW "] 1 " NOW "]");
    expect(CRIER__REDIS_ATTACH, "n", "e3|n|13294967297|0|s3|e5|" NOW,
           "[e5 17589934593 0 0 [2 20 1 17589934593 0 " NOW "] 1 " NOW "]");
    ck_assert_str_eq(get("HGET {t}:journal server"), "s3");
    ck_assert_int_eq(redis_ask_number(&server, "ZCARD {t}:jumps"), 4);
}
END_TEST

START_TEST(lost_notes_renew)
{
    attach_new();
    append("a", "", 0);
    expect(CRIER__REDIS_ATTACH, "n", "e1|n|1|1|s1|e2|" NOW,
           "[e2 4294967297 0 0 [1 10 1 4294967297 0 " NOW "] 1 " NOW "]");
    redis_do(&server, "FLUSHALL");
    attach_new();
    append("a", "", 0);
    expect(CRIER__REDIS_FORGET, "n", "e1|n|" NOW "|a|0|10", "[1 0 1 [0 0 1 1 1 " NOW "]]");
    expect(CRIER__REDIS_ATTACH, "n", "e1|n|1|1|s2|e2|" NOW,
           "[e1 0 0 0 [0 0 1 4294967297 0 " NOW "] 0 0]");
    expect(CRIER__REDIS_ATTACH, "n", "e1|n|1|1|s2|e2|" NOW,
           "[e1 0 0 0 [0 0 1 4294967297 0 " NOW "] 0 0]");
    expect(CRIER__REDIS_ATTACH, "n", "e1|n|1|2|s2|e2|" NOW,
           "[e2 8589934593 0 0 [0 0 1 8589934593 0 " NOW "] 0 0]");
}
END_TEST

/* A node that starts is not given more than it can take, however large the updates are. */
START_TEST(the_newest_entries_are_loaded)
{
    const char *all = "[[5-0 [u 0 " NOW " 10//a b x]] [4-0 [u 0 " NOW " 10//a b x]] "
                      "[3-0 [u 0 " NOW " 10//a b x]] [2-0 [u 0 " NOW " 10//a b x]] "
                      "[1-0 [u 0 " NOW " 10//a b x]]]";
    const char *two = "[[5-0 [u 0 " NOW " 10//a b x]] [4-0 [u 0 " NOW " 10//a b x]]]";
    int i;

    attach_new();
    for (i = 0; i < 5; i++)
        append("a", "", 0);
    expect(CRIER__REDIS_LOAD, "n", "e1|5-0|9|9999", all);
    expect(CRIER__REDIS_LOAD, "n", "e1|5-0|5|9999", all);
    expect(CRIER__REDIS_LOAD, "n", "e1|5-0|2|9999", two);
    expect(CRIER__REDIS_LOAD, "n", "e1|5-0|9|30", two); /* each has 21 */
    expect(CRIER__REDIS_LOAD, "n", "e1|(2-0|9|1", "[[1-0 [u 0 " NOW " 10//a b x]]]");
    expect(CRIER__REDIS_LOAD, "n", "e1|(1-0|9|9999", "[]");
}
END_TEST

/* A script that was stopped half way has left an update and its id. */
START_TEST(torn_changes_are_undone)
{
    attach_new();
    append("a", "", 0);
    redis_do(&server, "XADD {t}:log 2-0 u %s b x", "8 " NOW " 10\ni\na");
    redis_do(&server, "HSET {t}:ids i 2");
    expect(CRIER__REDIS_FETCH, "n", "e1|1|0|10|1000", "[[1 10 1 1 0 " NOW "] 0 0 []]");
    expect(CRIER__REDIS_ATTACH, "n", "e1|n|1|0|s1|e2|" NOW,
           "[e1 0 0 0 [1 10 1 4294967298 0 " NOW "] 1 " NOW "]");
    ck_assert_int_eq(redis_ask_number(&server, "HLEN {t}:ids"), 0);
    ck_assert_int_eq(redis_ask_number(&server, "XLEN {t}:log"), 1);
}
END_TEST

/* Another program has written to the log. */
START_TEST(junk_does_not_keep_nodes_out)
{
    attach_new();
    redis_do(&server, "HSET {t}:journal last 3");
    redis_do(&server, "XADD {t}:log 2-0 u junk b x");
    expect(CRIER__REDIS_ATTACH, "n", "e1|n|3|0|s1|e2|" NOW,
           "[e1 0 0 0 [0 0 0 3 0 0] 0 0]");
}
END_TEST

/* It is refused as it is, with what another program has added. */
START_TEST(a_log_without_positions_is_not_touched)
{
    char *before, *log;

    attach_new();
    append("a", "i", 0);
    redis_do(&server, "XADD {t}:log 2-0 u %s b x", "8 " NOW " 10\nj\na");
    redis_do(&server, "HSET {t}:ids j 2");
    redis_do(&server, "XADD {t}:log 9007199254740990-1 foo bar");
    before = strdup(get("HGETALL {t}:journal"));
    log = strdup(get("XRANGE {t}:log - +"));
    expect_error(CRIER__REDIS_ATTACH, "e1|n|1|0|s2|e2|" NOW, "CRIER_POSITIONS ");
    ck_assert_str_eq(get("HGETALL {t}:journal"), before);
    ck_assert_str_eq(get("XRANGE {t}:log - +"), log);
    ck_assert_int_eq(redis_ask_number(&server, "HLEN {t}:ids"), 2);
    free(before);
    free(log);
}
END_TEST

START_TEST(lost_journals_are_made_behind_what_was_seen)
{
    expect(CRIER__REDIS_ATTACH, "n", "e0|n|7|0|s1|e1|" NOW,
           "[e1 4294967303 0 0 [0 0 0 4294967303 0 0] 0 0]");
    expect(CRIER__REDIS_ATTACH, "m", "e0|m|9|0|s1|e2|" NOW,
           "[e1 4294967303 0 0 [0 0 0 4294967303 0 0] 0 0]");
}
END_TEST

START_TEST(topics_end)
{
    attach_new();
    append("a/b", "i", 2);
    ck_assert_str_eq(get("HGET {t}:ends b"), "1 " NOW " i");
    ck_assert_str_eq(append("c/b", "", 0),
                     "[1 0 2 " NOW " [1 10 2 1 0 " NOW "] [[0 ended 1]] []]");
    /* An age says when it has not any more. */
    ck_assert_str_eq(append_at("1790000000100", "b", "", 0, "0 0 100"),
                     "[1 0 2 " NOW " [1 10 2 1 0 " NOW "] [[0 ended 0]] []]");
    ck_assert_str_eq(append_at("1790000000101", "b", "", 0, "0 0 100"),
                     "[1 0 2 " NOW " [2 20 2 2 0 1790000000101] [] []]");
    ck_assert_str_eq(get("HKEYS {t}:ends"), "[a]");
    /* So does its eviction, of which a note tells. */
    expect(CRIER__REDIS_TRIM, "n", "e1|n|" NOW "|10|a|0 1 0",
           "[0 [2 20 2 2 1 1790000000101]]");
    ck_assert_str_eq(get("XRANGE {t}:log 2-1 +"), "[[2-1 [e a]]]");
    expect(CRIER__REDIS_MARKS, "n", "e1|a|b|c",
           "[2 0 0 0 0 0 0 [0 0 1 0 1 0 0 2 20 0 0 2 0 100 ]]");
}
END_TEST

/* A note that follows a batch must not deny what is newer. */
START_TEST(topics_end_twice_in_a_batch)
{
    attach_new();
    append("a", "", 2);
    begin_append(NOW, "1 0 0 0", 10);
    add_update("b", "", 0, "", "");
    add_update("a", "", 2, "", "");
    ck_assert_str_eq(text_of(run()), "[1 0 2 " NOW " [1 10 2 3 0 " NOW "] [] []]");
    begin_append(NOW, "1 0 0 0", 10);
    add_update("b", "", 0, "", "");
    add_update("a", "", 2, "", "");
    add_update("b", "", 0, "", "");
    ck_assert_str_eq(text_of(run()), "[3 0 4 " NOW " [1 10 2 6 1 " NOW "] [] []]");
    ck_assert_str_eq(get("XRANGE {t}:log 6-1 +"), "[[6-1 [e a]]]");
    ck_assert_str_eq(get("HLEN {t}:ends"), "0");
}
END_TEST

/* A topic gives way to a new one, but not for an update of its own. */
START_TEST(topics_give_way)
{
    static const char *const policy = "0 0 0 2";

    attach_new();
    append("a", "", 0);
    append("b", "", 0);
    expect(CRIER__REDIS_TRIM, "n", "e1|n|" NOW "|9|a|0 1 0|b|0 1 0",
           "[0 [0 0 2 2 0 " NOW "]]");
    begin_append(NOW, policy, 10);
    add_update("a/b/c", "", 0, "", "");
    ck_assert_str_eq(text_of(run()), "[2 0 3 " NOW " [0 0 2 2 0 " NOW "] [[0 topics]] []]");
    begin_append(NOW, policy, 10);
    add_update("c/a", "", 0, "", "");
    ck_assert_str_eq(text_of(run()), "[2 0 3 " NOW " [1 10 2 3 0 " NOW "] [] []]");
    expect(CRIER__REDIS_MARKS, "n", "e1|a|b|c",
           "[3 2 2 0 0 0 0 [1 10 1 0 3 0 0  1 10 2 0 3 0 0]]");
}
END_TEST

START_TEST(topics_are_forgotten_in_steps)
{
    attach_new();
    append("a", "i", 0);
    append("a/b", "", 0);
    append("a", "", 2);
    expect(CRIER__REDIS_FORGET, "n", "e1|n|" NOW "|a|0|2", "[1 1 3 [2 20 2 3 1 " NOW "]]");
    ck_assert_str_eq(append("a", "i", 0), "[3 1 4 " NOW " [3 30 2 4 0 " NOW "] [] []]");
    expect(CRIER__REDIS_FORGET, "n", "e1|n|" NOW "|a|3|2", "[1 0 3 [2 20 2 4 0 " NOW "]]");
    expect(CRIER__REDIS_FORGET, "n", "e1|n|" NOW "|x|0|2", "[0 0 0 [2 20 2 4 0 " NOW "]]");
    expect(CRIER__REDIS_FETCH, "n", "e1|3|0|10|1000",
           "[[2 20 2 4 0 " NOW "] 0 0 [[3-1 [f a]] [4-0 [u 8 " NOW " 10/i/a b x]]]]");
    expect(CRIER__REDIS_MARKS, "n", "e1|a|b",
           "[4 3 0 0 0 0 0 [1 10 3 0 4 0 0 1 10 0 0 2 0 0]]");
}
END_TEST

START_TEST(times_are_corrected)
{
    attach_new();
    append_at("1790000020000", "a", "", 0, "");
    ck_assert_str_eq(append_at("1790000010000", "a", "", 0, ""), /* a little ahead */
                     "[1 0 2 1790000020000 [2 20 1 2 0 1790000020000] [] []]");
    ck_assert_str_eq(append_at("1790000009999", "a", "", 0, ""),
                     "[2 0 3 1790000009999 [3 30 1 3 0 1790000009999] [] []]");
    expect(CRIER__REDIS_MARKS, "n", "e1", "[3 0 0 0 0 2 1790000009999 []]");
    expect(CRIER__REDIS_FIND, "n", "e1|1790000009999", "0");
    expect(CRIER__REDIS_FIND, "n", "e1|1790000010000", "3");
    /* A clock that says a time before 2026 is itself wrong. */
    append_at("1000", "a", "", 0, "");
    expect(CRIER__REDIS_MARKS, "n", "e1", "[4 0 0 0 0 2 1790000009999 []]");
}
END_TEST

START_TEST(old_updates_are_swept)
{
    attach_new();
    append_at(NOW, "a", "", 0, "0 0 100");
    append_at(NOW, "b/c", "", 0, "");
    append_at("1790000000050", "a", "", 0, "0 0 100");
    expect(CRIER__REDIS_SWEEP, "n", "e1|n|1790000000100|" MANY "|9",
           "[0 [3 30 3 3 0 1790000000050] " NOW "]");
    expect(CRIER__REDIS_SWEEP, "n", "e1|n|1790000000101|" MANY "|9",
           "[0 [2 20 3 3 0 1790000000050] " NOW "]");
    expect(CRIER__REDIS_SWEEP, "n", "e1|n|1790000000101|0 0 100 0|9",
           "[0 [1 10 3 3 0 1790000000050] 1790000000050]");
    expect(CRIER__REDIS_SWEEP, "n", "e1|n|1790000009000|" MANY "|9",
           "[0 [0 0 3 3 0 1790000000050] 0]");
    ck_assert_str_eq(get("ZCARD {t}:due"), "0");
    ck_assert_str_eq(get("XLEN {t}:log"), get("ZCARD {t}:gone"));
    ck_assert_str_eq(get("ZCARD {t}:index"), "0");
}
END_TEST

/* A policy that was lowered is applied in steps. */
START_TEST(steps_are_bounded)
{
    int i;

    attach_new();
    begin_append(NOW, MANY, 10);
    for (i = 0; i < 200; i++)
        add_update("a/b", "", 0, "", "");
    text_of(run());
    begin_append(NOW, "10 0 0 0", 10);
    add_update("a", "", 0, "", "");
    ck_assert_str_eq(text_of(run()), "[200 0 201 " NOW " [194 1940 2 201 0 " NOW "] [] []]");
    expect(CRIER__REDIS_SWEEP, "n", "e1|n|" NOW "|10 0 0 0|10",
           "[1 [189 1890 2 201 0 " NOW "] " NOW "]");
    expect(CRIER__REDIS_TRIM, "n", "e1|n|" NOW "|10|a|5 0 0",
           "[1 [189 1890 2 201 0 " NOW "]]");
    expect(CRIER__REDIS_TRIM, "n", "e1|n|" NOW "|1000|a|5 0 0|b|0 20 0",
           "[0 [5 50 2 201 0 " NOW "]]");
}
END_TEST

/* Without memory Redis refuses an update as a whole, and lets topics be deleted. */
START_TEST(memory_is_short)
{
    const char *text;

    attach_new();
    append("a", "", 0);
    redis_do(&server, "CONFIG SET maxmemory 1");
    text = append("a", "", 0);
    ck_assert_msg(strstr(text, "OOM") != NULL, "%s", text);
    expect(CRIER__REDIS_MARKS, "n", "e1|a", "[1 0 0 0 0 0 0 [1 10 0 0 1 0 0]]");
    expect(CRIER__REDIS_FORGET, "n", "e1|n|" NOW "|a|0|2", "[1 0 1 [0 0 1 1 1 " NOW "]]");
    redis_do(&server, "CONFIG SET maxmemory 0");
}
END_TEST

/* ---- reading ---------------------------------------------------------- */

START_TEST(past_is_read_in_pieces)
{
    int i;

    attach_new();
    for (i = 0; i < 3; i++)
        append("a", "", 0);
    append("b/a", "i", 1);
    expect(CRIER__REDIS_FORGET, "n", "e1|n|" NOW "|x|0|2", "[0 0 0 [4 40 2 4 0 " NOW "]]");
    append("c", "", 0);
    expect(CRIER__REDIS_PAST, "n", "e1|2|5|10|1000|b|a",
           "[5 [[3-0 [u 0 " NOW " 10//a b x]] [4-0 [u 9 " NOW " 10/i/b/a b x]]]]");
    expect(CRIER__REDIS_PAST, "n", "e1|2|5|1|1000|b|a", "[3 [[3-0 [u 0 " NOW " 10//a b x]]]]");
    expect(CRIER__REDIS_PAST, "n", "e1|2|5|9|1|b|a", "[3 [[3-0 [u 0 " NOW " 10//a b x]]]]");
    expect(CRIER__REDIS_PAST, "n", "e1|2|5|9|1", "[3 [[3-0 [u 0 " NOW " 10//a b x]]]]");
    expect(CRIER__REDIS_PAST, "n", "e1|4|9|9|99", "[9 [[5-0 [u 0 " NOW " 10//c b x]]]]");
    expect(CRIER__REDIS_PAST, "n", "e1|5|5|9|99|a", "[5 []]");
    expect(CRIER__REDIS_BACK, "n", "e1|5|2|b|a",
           "[[4 9 " NOW " 10/i/b/a] [3 0 " NOW " 10//a]]");
    expect(CRIER__REDIS_BACK, "n", "e1|5|1", "[[4 9 " NOW " 10/i/b/a]]");
    expect(CRIER__REDIS_BACK, "n", "e1|1|1|a", "[]");
    expect(CRIER__REDIS_LIST, "n", "e1|||9",
           "[[a 4 40 0 4 3 0 0 1  " NOW " 4 i " NOW "] "
           "[b 1 10 0 4 0 0 0 4 i " NOW " 4 i " NOW "] "
           "[c 1 10 0 0 5 0 0 5  " NOW " 5  " NOW "]]");
    expect(CRIER__REDIS_LIST, "n", "e1|b|c|9",
           "[[b 1 10 0 4 0 0 0 4 i " NOW " 4 i " NOW "]]");
}
END_TEST

START_TEST(times_are_found)
{
    char text[64], correct[16];
    int i;

    attach_new();
    for (i = 0; i < 50; i++) {
        if (i == 25) /* a hole */
            ask(CRIER__REDIS_ATTACH, "n", "e1|n|25|0|s2|e2|" NOW);
        snprintf(text, sizeof text, "17900000%05d", 10 * i);
        append_at(text, "a", "", 0, "");
    }
    for (i = 0; i < 55; i++) {
        snprintf(text, sizeof text, "e1|17900000%05d", 10 * i);
        snprintf(correct, sizeof correct, "%lld",
                 (i < 50 ? i : 50) + (i > 25 ? 4294967296LL : 0));
        expect(CRIER__REDIS_FIND, "n", text, correct);
    }
}
END_TEST

/* ---- updates that are gone --------------------------------------------- */

/* Appends COUNT updates of TOPIC, which keeps one, at once; each has the COST. */
static void append_burst(const char *topic, unsigned count, unsigned cost)
{
    begin_append(NOW, MANY, 1000);
    while (count-- > 0) {
        add("0 0 %u\n\n%s", cost, topic);
        add_words("x|1 0 0|");
        add_bytes("", 0);
    }
    text_of(run());
}

/* How many entries of the log FETCH gives behind AFTER. */
static size_t count_fetched(unsigned after)
{
    redisReply *reply;
    size_t count;

    begin(CRIER__REDIS_FETCH, "n");
    add("e1");
    add("%u", after);
    add_words("0|100000|100000000");
    reply = run();
    ck_assert_uint_eq(reply->elements, 4);
    count = reply->element[3]->elements;
    freeReplyObject(reply);
    return count;
}

START_TEST(gone_updates_are_for_followers_only)
{
    attach_new();
    append("keep", "", 0);
    append_burst("a", 64, 10);
    ck_assert_uint_eq(count_fetched(0), 65);
    expect(CRIER__REDIS_PAST, "n", "e1|0|65|100|1000",
           "[65 [[1-0 [u 0 " NOW " 10//keep b x]] [65-0 [u 0 " NOW " 10//a b x]]]]");
    expect(CRIER__REDIS_PAST, "n", "e1|2|60|100|1000", "[60 []]");
    expect(CRIER__REDIS_BACK, "n", "e1|66|9", "[[65 0 " NOW " 10//a] [1 0 " NOW " 10//keep]]");
    expect(CRIER__REDIS_BACK, "n", "e1|65|9", "[[1 0 " NOW " 10//keep]]");
    expect(CRIER__REDIS_BACK, "n", "e1|1|9", "[]");
    expect(CRIER__REDIS_FORGET, "n", "e1|n|" NOW "|keep|0|9", "[1 0 65 [1 10 2 65 1 " NOW "]]");
    expect(CRIER__REDIS_ATTACH, "n", "e1|n|65|1|s1|e2|" NOW,
           "[e1 0 0 0 [1 10 2 65 1 " NOW "] 65 " NOW "]");
    append_at("1790000000500", "b", "", 0, "");
    append_at("1790000000500", "b", "", 0, "1 0 0");
    expect(CRIER__REDIS_FIND, "n", "e1|1790000000500", "65");
    append_at("1790000000600", "a", "", 0, "1 0 0");
    expect(CRIER__REDIS_FIND, "n", "e1|1790000000500", "0");
    expect(CRIER__REDIS_FIND, "n", "e1|1790000000501", "67");
    expect(CRIER__REDIS_SWEEP, "n", "e1|n|1790000000600|" MANY "|9",
           "[0 [2 20 3 68 0 1790000000600] 1790000000500]");
}
END_TEST

/* Nothing of a deleted topic stays, whether it holds something or not. */
START_TEST(gone_updates_are_forgotten_at_once)
{
    attach_new();
    append_burst("a", 8, 10);
    append_burst("a b", 8, 10);
    expect(CRIER__REDIS_FORGET, "n", "e1|n|" NOW "|a|0|9", "[1 0 16 [1 10 2 16 1 " NOW "]]");
    ck_assert_str_eq(get("XRANGE {t}:log - + COUNT 1"), "[[9-0 [u 0 " NOW " 10//a b b x]]]");
    ck_assert_str_eq(get("HMGET {t}:journal gone gone_bytes"), "[7 70]");
    expect(CRIER__REDIS_TRIM, "n", "e1|n|" NOW "|9|a b|0 1 0", "[0 [0 0 2 16 1 " NOW "]]");
    ck_assert_str_eq(get("ZCARD {t}:gone"), "8");
    expect(CRIER__REDIS_FORGET, "n", "e1|n|" NOW "|a b|0|9", "[0 0 0 [0 0 2 16 1 " NOW "]]");
    ck_assert_str_eq(get("HMGET {t}:journal gone gone_bytes"), "[0 0]");
    ck_assert_str_eq(get("ZCARD {t}:gone"), "0");
    ck_assert_str_eq(get("XRANGE {t}:log - + COUNT 1"), "[[16-1 [f a]]]");
}
END_TEST

START_TEST(gone_updates_leave_when_they_are_old)
{
    int i;

    attach_new();
    for (i = 0; i < 20; i++)
        append_burst("a", 400, 10);
    ck_assert_str_eq(get("ZCARD {t}:gone"), "4095");
    ck_assert_uint_eq(count_fetched(8000 - 4096), 4096);
    ck_assert_str_eq(get("XLEN {t}:log"), "4096");
    /* Behind a jump a few leave with each batch, and the rest with a sweep. */
    ask(CRIER__REDIS_ATTACH, "n", "e1|n|8000|0|s2|e2|" NOW);
    append("b", "", 0);
    ck_assert_str_eq(get("ZCARD {t}:gone"), "4079");
    ask(CRIER__REDIS_SWEEP, "n", "e1|n|" NOW "|" MANY "|9");
    ck_assert_str_eq(get("HMGET {t}:journal gone gone_bytes"), "[0 0]");
    ck_assert_str_eq(get("XLEN {t}:log"), "2");
}
END_TEST

START_TEST(gone_updates_cost_a_limited_amount)
{
    attach_new();
    append_burst("a", 100, 1000000);
    ck_assert_str_eq(get("HMGET {t}:journal gone gone_bytes"), "[16 16000000]");
    ck_assert_uint_eq(count_fetched(100 - 17), 17);
    ck_assert_str_eq(get("XLEN {t}:log"), "17");
    append_burst("a", 1, 17000000);
    append_burst("a", 1, 10);
    ck_assert_str_eq(get("HMGET {t}:journal gone gone_bytes"), "[0 0]");
    ck_assert_str_eq(get("XLEN {t}:log"), "1");
}
END_TEST

/* ---- counts ----------------------------------------------------------- */

START_TEST(counts_of_nodes_are_added)
{
    attach_new();
    expect(CRIER__REDIS_BEAT, "n", "n|15000|7 a|3|0", "[[] 1 1 []]");
    expect(CRIER__REDIS_BEAT, "n", "n|15000|7 a|3|0", "[[] 1 0 []]");
    expect(CRIER__REDIS_COUNT, "n", "n|a|3|b c|1", "[3 1]");
    expect(CRIER__REDIS_COUNT, "m", "m|a|2", "[5]");
    begin_append(NOW, MANY, 10);
    add_update("$p", "", 0, "", "4 a");
    add_update("$p", "", 0, "", "0 b c");
    ck_assert_str_eq(text_of(run()),
                     "[0 0 1 0 [2 20 1 2 0 " NOW "] [] [[0 6] [1 0]]]");
    ck_assert_str_eq(get("XRANGE {t}:log 1-0 1-0"),
                     "[[1-0 [u 0 " NOW " 10//$p b total 6]]]");
    ck_assert_str_eq(get("HGETALL {t}:census"), "[a 6]");
    ck_assert_str_eq(get("HMGET {t}:node:n name streams"), "[7 a 3]");
    get("ZADD {t}:nodes 9999999999999 n");
    expect(CRIER__REDIS_BEAT, "l", "l|15000|8 b|0|1", "[[m] 2 1 [l 0]]");
    expect(CRIER__REDIS_BURY, "l", "l|0|9", "[0 []]");
    /* m has never said that it lives. */
    expect(CRIER__REDIS_BEAT, "n", "n|15000|7 a|3|0", "[[m] 1 0 []]");
    expect(CRIER__REDIS_BURY, "n", "n|15000|9", "[0 []]");
    expect(CRIER__REDIS_BURY, "m", "m|15000|9", "[0 [a]]");
    expect(CRIER__REDIS_BEAT, "n", "n|15000|7 a|3|0", "[[] 1 0 []]");
    expect(CRIER__REDIS_BURY, "n", "n|0|9", "[0 [a]]");
    ck_assert_str_eq(get("EXISTS {t}:census {t}:nodes {t}:node:n"), "0");
}
END_TEST

START_TEST(nodes_are_buried_in_steps)
{
    int i, steps = 0;
    const char *text;

    begin(CRIER__REDIS_COUNT, "m");
    add("m");
    for (i = 0; i < 900; i++) {
        add("selector %d", i);
        add("1");
    }
    text_of(run());
    expect(CRIER__REDIS_BEAT, "m", "m|15000|7 a|3|0", "[[] 1 1 []]");
    do {
        text = ask(CRIER__REDIS_BURY, "m", "m|0|100");
        if (steps == 3) /* it lives after all */
            expect(CRIER__REDIS_BEAT, "m", "m|15000|7 a|3|0", "[[] 1 1 []]");
        steps++;
    } while (text[1] == '1');
    ck_assert_int_ge(steps, 9);
    ck_assert_int_le(steps, 10);
    ck_assert_str_eq(get("EXISTS {t}:census {t}:nodes {t}:node:m"), "0");
}
END_TEST

/* ---- compared with the journal in memory ------------------------------ */

#define TOPICS 8
#define ROUNDS 250

static const char *const names[TOPICS] = {"a", "b", "b1", "c/d", "e f", "$g", "$h", "i"};
static const struct crier_topic_retention rules[] = {
    {.topic = "a", .retention = {.count = 3}},
    {.topic = "i", .retention = {.count = 1}},
    {.topic = "b*", .retention = {.count = 20, .bytes = 2500}},
    {.topic = "$g", .retention = {.bytes = 1}},
};

/* Recycling is compared with updates of one topic each: the journal in memory forgets
 * topics for an update that it then refuses, and chooses among those that become empty at
 * once. */
static const struct {
    struct crier_journal_options options;
    unsigned topics;   /* of an update, at most */
    size_t max_topics; /* which may be less than the options allow; 0: the default */
    unsigned grace;
} plays[] = {
    {{.retention = {.count = 30, .bytes = 1000000}, .topics = rules, .topic_count = 4}, 3, 0, 100},
    {{.retention = {.count = 1000, .bytes = 4000}, .topics = rules, .topic_count = 4}, 3, 0, 40},
    {{.retention = {.count = 6, .bytes = 1000000}}, 1, 4, 4096},
    {{.retention = {.count = 12, .bytes = 2500}, .topics = rules, .topic_count = 4}, 1, 5, 100},
};

static struct crier_journal *journal;
static struct crier__memory *memory;
static unsigned short state[3];

/* What a node knows that follows the log: it must be given every position once, but not
 * those that were deleted before it came to them. */
#define POSITIONS 10000

static struct {
    unsigned topics[POSITIONS]; /* of the update: bits */
    bool deleted[POSITIONS];
    unsigned position; /* the end of what it has seen */
    unsigned note;
} follower;

static unsigned id_count;

static unsigned below(unsigned limit)
{
    return (unsigned)nrand48(state) % limit;
}

static size_t take_update(void *closure, struct crier__update *update)
{
    (void)closure;
    (void)update;
    return 0;
}

static void append_done(struct crier__append *append)
{
    (void)append;
}

static void forget_done(struct crier__forget *forget)
{
    (void)forget;
}

/* An update of up to MAX topics. */
static struct crier__update *make_update(unsigned max)
{
    const char *chosen[TOPICS];
    unsigned count = 1 + below(max), i;
    struct crier__topics *topics;
    struct crier__update *update;
    struct crier_frame *frame;
    char id[16];

    for (i = 0; i < count; i++)
        chosen[i] = names[below(TOPICS)];
    ck_assert_int_eq(crier__topics_list(chosen, count, &topics), 0);
    ck_assert_int_eq(crier_frame_printf(&frame, NULL, "%0*d", (int)below(120), 1), 0);
    snprintf(id, sizeof id, "i%u", below(3) == 0 ? below(id_count + 1) : id_count++);
    update = crier__update_new(topics, below(2) == 0 ? id : NULL, frame);
    ck_assert_ptr_nonnull(update);
    update->is_private = below(4) == 0;
    update->last = below(25) == 0;
    crier_frame_unref(frame);
    free(topics);
    return update;
}

/* Adds UPDATE to the batch of a script. */
static void add_to_batch(const struct crier__update *update)
{
    char topics[256] = "", limits[256] = "", *at;
    struct crier_retention keep;
    const char *name;

    CRIER__TOPICS_EACH (update->topics, name) {
        keep = crier__journal_retention(journal, name, strlen(name));
        snprintf(limits + strlen(limits), sizeof limits - strlen(limits), "%s%zu %zu %llu",
                 name == update->topics->names ? "" : ";", keep.count, keep.bytes,
                 (unsigned long long)keep.age);
    }
    crier__topics_join(update->topics, '\n', topics);
    for (at = limits; *at != '\0' && strspn(at, "0 ;") == strlen(at); *at = '\0')
        ;
    add("%d 0 %zu\n%s\n%s",
        update->is_private + 2 * update->last + 4 * update->hidden + 8 * update->given,
        crier__update_cost(update), update->given ? update->id : "", topics);
    add_bytes(update->frame->bytes, update->frame->length);
    add("%s", limits);
    add_bytes("", 0);
}

/* The newest position is UPDATE's. */
static void note_topics(const struct crier__update *update)
{
    const char *name;
    unsigned i;

    ck_assert_uint_lt(memory->last, POSITIONS);
    CRIER__TOPICS_EACH (update->topics, name)
        for (i = 0; i < TOPICS; i++)
            if (strcmp(name, names[i]) == 0)
                follower.topics[memory->last] |= 1U << i;
}

/* All of the topic INDEX has been deleted. */
static void note_deleted(unsigned index)
{
    const struct crier__entry *entry;
    unsigned position;
    size_t i;

    for (position = 1; position <= memory->last; position++)
        if (follower.topics[position] >> index & 1)
            follower.deleted[position] = true;
    for (i = 0; i < memory->all.length; i++) {
        entry = crier__ring_at(&memory->all, i)->entry;
        if (entry != NULL)
            follower.deleted[entry->update->position] = false;
    }
}

/* Appends what UPDATES has COUNT of to the journal in memory; writes what the script must
 * say failed to TEXT. */
static void append_to_memory(struct crier__update **updates, unsigned count,
                             char text[4096])
{
    size_t length = 0;
    unsigned i;

    text[0] = '\0';
    for (i = 0; i < count; i++) {
        struct crier__append append = {.done = append_done, .update = updates[i]};

        journal->ops->append(journal, &append);
        if (append.error == CRIER_ERR_EXISTS)
            length += (size_t)snprintf(text + length, 4096 - length, "[%u exists %llu %d]",
                                       i, (unsigned long long)append.position,
                                       append.same_topics);
        else if (append.error == CRIER_ERR_TOPIC_ENDED)
            length += (size_t)snprintf(text + length, 4096 - length, "[%u ended]", i);
        else if (append.error == CRIER_ERR_MAX_TOPICS)
            length += (size_t)snprintf(text + length, 4096 - length, "[%u topics]", i);
        else
            ck_assert_int_eq(append.error, 0);
        if (append.error == 0)
            note_topics(updates[i]);
        crier__update_unref(updates[i]);
    }
}

/* Writes the failures of an append's REPLY likewise. */
static void describe_failures(const redisReply *reply, char text[4096])
{
    const redisReply *failures, *one;
    size_t length = 0, i;

    text[0] = '\0';
    ck_assert_msg(reply->type == REDIS_REPLY_ARRAY, "%s", reply->str);
    ck_assert_uint_eq(reply->elements, 7);
    failures = reply->element[5];
    for (i = 0; i < failures->elements; i++) {
        one = failures->element[i];
        length += (size_t)snprintf(text + length, 4096 - length, "[%lld %s",
                                   one->element[0]->integer, one->element[1]->str);
        if (strcmp(one->element[1]->str, "exists") == 0)
            length += (size_t)snprintf(text + length, 4096 - length, " %lld %lld",
                                       one->element[2]->integer, one->element[3]->integer);
        length += (size_t)snprintf(text + length, 4096 - length, "]");
    }
}

static void append_some(const char *policy, unsigned topics)
{
    struct crier__update *updates[32];
    char correct[4096], text[4096];
    unsigned count = 1 + below(below(4) == 0 ? 32 : 3), i;
    redisReply *reply;

    begin_append(NOW, policy, 1000);
    for (i = 0; i < count; i++) {
        updates[i] = make_update(topics);
        add_to_batch(updates[i]);
    }
    reply = run();
    describe_failures(reply, text);
    freeReplyObject(reply);
    append_to_memory(updates, count, correct);
    ck_assert_str_eq(text, correct);
}

/* Deletes a topic, here and there. */
static void forget_some(void)
{
    unsigned index = below(TOPICS);
    const char *name = names[index];
    struct crier__forget forget = {.done = forget_done, .topic = name};
    char arguments[128];
    const char *text;
    long long upto = 0;

    journal->ops->forget(journal, &forget);
    do {
        snprintf(arguments, sizeof arguments, "e1|n|" NOW "|%s|%lld|2", name, upto);
        text = ask(CRIER__REDIS_FORGET, "n", arguments);
        ck_assert_int_eq(text[1], forget.error == 0 ? '1' : '0');
        ck_assert_int_eq(sscanf(text, "[%*d %*d %lld", &upto), 1);
    } while (text[3] == '1');
    note_deleted(index);
}

/* The next ENTRY of the log. */
static void follow_entry(const redisReply *entry)
{
    unsigned position, note;

    ck_assert_int_eq(sscanf(entry->element[0]->str, "%u-%u", &position, &note), 2);
    ck_assert(position > follower.position ||
              (position == follower.position && note > follower.note));
    while (follower.position < position)
        ck_assert_msg(follower.deleted[++follower.position] ||
                          (note == 0 && follower.position == position),
                      "%u is missing", follower.position);
    ck_assert_msg(note != 0 || !follower.deleted[position], "%u has been deleted", position);
    follower.note = note;
}

/* Has the follower fetch what it has not seen. */
static void follow(void)
{
    const redisReply *entries;
    redisReply *reply;
    size_t i;

    begin(CRIER__REDIS_FETCH, "n");
    add("e1");
    add("%u", follower.position);
    add("%u", follower.note);
    add_words("10000|10000000");
    reply = run();
    ck_assert_uint_eq(reply->elements, 4);
    entries = reply->element[3];
    for (i = 0; i < entries->elements; i++)
        follow_entry(entries->element[i]);
    freeReplyObject(reply);
    while (follower.position < memory->last) {
        ck_assert(follower.deleted[++follower.position]);
        follower.note = 0;
    }
}

/* What the journal in memory knows of NAME, as a record. Returns how much it holds. */
static size_t describe_topic(const char *name, char record[256])
{
    const struct crier__memory_topic *topic =
        crier__memory_find(memory, name, strlen(name));
    const struct crier__entry *newest;
    unsigned long long ended = 0;

    record[0] = '\0';
    if (topic == NULL)
        return 0;
    if (topic->ring.length != 0) {
        newest = crier__ring_at(&topic->ring, topic->ring.length - 1)->entry;
        ended = newest->update->last ? newest->update->position : 0;
    }
    snprintf(record, 256, "%zu %zu %llu %llu %llu %llu 0", topic->ring.length,
             topic->bytes, (unsigned long long)topic->evicted,
             (unsigned long long)topic->newest_private,
             (unsigned long long)topic->newest_public, ended);
    return topic->ring.length;
}

/* Asks PAST for the topics in the bits of CHOSEN (0: all), COUNT updates at a time, and
 * writes the positions to HELD. */
static void read_past(unsigned chosen, unsigned count, char held[8192])
{
    unsigned long long reached = 0, before;
    const redisReply *entries;
    size_t length = 0, i;
    redisReply *reply;

    held[0] = '\0';
    do {
        begin(CRIER__REDIS_PAST, "n");
        add("e1");
        add("%llu", reached);
        add("%llu", (unsigned long long)memory->last);
        add("%u", count);
        add("%u", 100000);
        for (i = 0; i < TOPICS; i++)
            if (chosen >> i & 1)
                add("%s", names[i]);
        reply = run();
        ck_assert_uint_eq(reply->elements, 2);
        before = reached;
        reached = (unsigned long long)reply->element[0]->integer;
        ck_assert(reached > before);
        entries = reply->element[1];
        ck_assert_uint_le(entries->elements, count);
        for (i = 0; i < entries->elements; i++)
            length += (size_t)snprintf(held + length, 8192 - length, "%d ",
                                       atoi(entries->element[i]->element[0]->str));
        freeReplyObject(reply);
    } while (reached < memory->last);
}

static bool is_held(const struct crier__entry *entry, unsigned chosen)
{
    unsigned i, k;

    for (i = 0; i < entry->held; i++)
        for (k = 0; k < TOPICS; k++)
            if (chosen >> k & 1 && strcmp(entry->topics[i]->name, names[k]) == 0)
                return true;
    return chosen == 0;
}

/* Compares what some topics hold. */
static void compare_past(unsigned chosen, unsigned count)
{
    char found[8192], correct[8192] = "";
    const struct crier__entry *entry;
    size_t length = 0, i;

    if (memory->last == 0)
        return;
    for (i = 0; i < memory->all.length; i++) {
        entry = crier__ring_at(&memory->all, i)->entry;
        if (entry != NULL && is_held(entry, chosen))
            length += (size_t)snprintf(correct + length, sizeof correct - length, "%llu ",
                                       (unsigned long long)entry->update->position);
    }
    read_past(chosen, count, found);
    ck_assert_str_eq(found, correct);
}

/* Without topics BACK gives what is held, downwards, and FIND the newest of it. */
static void compare_back(void)
{
    const struct crier__entry *entry;
    unsigned long long newest = 0;
    redisReply *reply;
    char correct[32];
    size_t i, at = 0;

    begin(CRIER__REDIS_BACK, "n");
    add("e1");
    add("%llu", (unsigned long long)memory->last + 1);
    add("1000");
    reply = run();
    for (i = memory->all.length; i-- > 0;) {
        entry = crier__ring_at(&memory->all, i)->entry;
        if (entry == NULL)
            continue;
        ck_assert_uint_lt(at, reply->elements);
        ck_assert_uint_eq(entry->update->position,
                          (uint64_t)reply->element[at++]->element[0]->integer);
        if (newest == 0)
            newest = entry->update->position;
    }
    ck_assert_uint_eq(at, reply->elements);
    freeReplyObject(reply);
    snprintf(correct, sizeof correct, "%llu", newest);
    expect(CRIER__REDIS_FIND, "n", "e1|1790000000001", correct);
}

/* At most GRACE updates are gone. */
static void compare_gone(unsigned grace)
{
    long long gone = redis_ask_number(&server, "ZCARD {t}:gone");
    char correct[32];

    ck_assert_int_le(gone, grace);
    snprintf(correct, sizeof correct, "[%lld]", gone);
    ck_assert_str_eq(get("HMGET {t}:journal gone"), correct);
    if (gone == 0)
        ck_assert_str_eq(get("HMGET {t}:journal gone_bytes"), "[0]");
}

static void compare_topics(void)
{
    char record[256];
    redisReply *reply;
    size_t held = 0;
    unsigned i;

    for (i = 0; i < TOPICS; i++) {
        held += describe_topic(names[i], record);
        compare_past(1U << i, 1000);
        reply = redis_ask(&server, "HGET {t}:topics %s", names[i]);
        ck_assert_str_eq(reply->type == REDIS_REPLY_NIL ? "" : reply->str, record);
        freeReplyObject(reply);
        ck_assert_int_eq(redis_ask_number(&server, "HEXISTS {t}:ends %s", names[i]),
                         record[0] != '\0' &&
                             strcmp(strrchr(record, ' ') - 2, " 0 0") != 0);
    }
    ck_assert_uint_eq(redis_ask_number(&server, "ZCARD {t}:index"), held);
    compare_back();
    compare_past(0, 1 + below(20));
    compare_past(1 + below((1U << TOPICS) - 1), 1 + below(20));
}

/* The keys must say what the journal in memory says. */
static void compare_journals(void)
{
    char correct[256];

    snprintf(correct, sizeof correct, "[%zu %zu %llu %llu %llu %llu]", memory->count,
             memory->bytes, (unsigned long long)memory->last,
             (unsigned long long)memory->evicted, (unsigned long long)memory->forgotten,
             (unsigned long long)memory->newest_private);
    ck_assert_str_eq(get("HMGET {t}:journal count bytes last evicted forgotten "
                         "newest_private"),
                     correct);
    compare_topics();
    ck_assert_uint_eq(redis_ask_number(&server, "HLEN {t}:ids"), HASH_COUNT(memory->ids));
    ck_assert_uint_eq(redis_ask_number(&server, "HLEN {t}:topics"),
                      HASH_COUNT(memory->topics));
    ck_assert_uint_eq(redis_ask_number(&server, "ZCARD {t}:names"),
                      HASH_COUNT(memory->topics));
}

/* Sweeps, which finds nothing to evict. */
static void sweep_some(const char *policy)
{
    begin(CRIER__REDIS_SWEEP, "n");
    add_words("e1|n|" NOW);
    add("%s", policy);
    add("100");
    ck_assert_int_eq(text_of(run())[1], '0');
}

START_TEST(random_steps)
{
    const char *given = getenv("CRIER_SEED");
    long seed = given != NULL ? atol(given)
                              : (long)(time(NULL) * 10 + _i) % 1000000000;
    const struct crier_journal_options *options = &plays[_i].options;
    char policy[64], grace[16];
    int round;

    printf("CRIER_SEED=%ld\n", seed);
    fflush(stdout);
    state[0] = (unsigned short)seed;
    state[1] = (unsigned short)(seed >> 16);
    state[2] = 0x330e;
    id_count = 0;
    snprintf(policy, sizeof policy, "%zu %zu 0 %zu", options->retention.count,
             options->retention.bytes, plays[_i].max_topics);
    ck_assert_int_eq(crier_journal_memory(options, &journal), 0);
    journal->yield = take_update;
    memory = (struct crier__memory *)journal;
    if (plays[_i].max_topics != 0)
        journal->policy.max_topics = plays[_i].max_topics;
    memset(&follower, 0, sizeof follower);
    snprintf(grace, sizeof grace, "%4u", plays[_i].grace);
    load_scripts(grace);
    attach_new();
    for (round = 0; round < ROUNDS; round++) {
        append_some(policy, plays[_i].topics);
        if (below(8) == 0)
            forget_some();
        if (below(20) == 0)
            sweep_some(policy);
        compare_journals();
        compare_gone(plays[_i].grace);
        if (below(4) == 0 || memory->last + 32 >= follower.position + plays[_i].grace)
            follow();
    }
    crier_journal_free(journal);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("scripts of the journal in Redis");
    TCase *tcase = add_case(suite, "steps");

    tcase_add_checked_fixture(tcase, start_server, stop_server);
    tcase_add_test(tcase, scripts_have_their_names);
    tcase_add_test(tcase, batches_are_applied_once);
    tcase_add_test(tcase, other_journals_are_refused);
    tcase_add_test(tcase, other_servers_jump);
    tcase_add_test(tcase, lost_notes_renew);
    tcase_add_test(tcase, the_newest_entries_are_loaded);
    tcase_add_test(tcase, torn_changes_are_undone);
    tcase_add_test(tcase, a_log_without_positions_is_not_touched);
    tcase_add_test(tcase, junk_does_not_keep_nodes_out);
    tcase_add_test(tcase, lost_journals_are_made_behind_what_was_seen);
    tcase_add_test(tcase, topics_end);
    tcase_add_test(tcase, topics_end_twice_in_a_batch);
    tcase_add_test(tcase, topics_give_way);
    tcase_add_test(tcase, topics_are_forgotten_in_steps);
    tcase_add_test(tcase, times_are_corrected);
    tcase_add_test(tcase, old_updates_are_swept);
    tcase_add_test(tcase, steps_are_bounded);
    tcase_add_test(tcase, memory_is_short);
    tcase_add_test(tcase, past_is_read_in_pieces);
    tcase_add_test(tcase, times_are_found);
    tcase_add_test(tcase, gone_updates_are_for_followers_only);
    tcase_add_test(tcase, gone_updates_are_forgotten_at_once);
    tcase_add_test(tcase, gone_updates_leave_when_they_are_old);
    tcase_add_test(tcase, gone_updates_cost_a_limited_amount);
    tcase_add_test(tcase, counts_of_nodes_are_added);
    tcase_add_test(tcase, nodes_are_buried_in_steps);
    tcase_add_loop_test(tcase, random_steps, 0, sizeof plays / sizeof plays[0]);
    return suite;
}

static char program[4096];

RUN_SUITE_IF(make_suite, redis_find(program), "there is no redis-server")
