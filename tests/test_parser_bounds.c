/*
 * The event-stream parser at its bounds: its limits, memory that does not grow, time
 * that is linear, allocations that fail.
 */
#include <config.h>

#include "support/oom.h"
#include "support/parsing.h"
#include "support/runner.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#define MIB ((size_t)1024 * 1024)

/* Feeds the LENGTH bytes at BYTES, counts the messages in *TOLD and returns the
 * parser's last result. Allocates nothing. */
static int pass(struct crier_parser *parser, const char *bytes, size_t length,
                size_t *told)
{
    struct crier_message message;
    int result;

    while ((result = crier_parser_next(parser, &bytes, &length, &message)) > 0)
        ++*told;
    return result;
}

/* ---- limits ----------------------------------------------------------- */

START_TEST(limits_have_a_limit)
{
    static const struct crier_parser_options good[] = {
        {.max_line = 1024 * MIB}, {.max_event = 1024 * MIB}, {.max_line = 1}};
    static const struct crier_parser_options bad[] = {
        {.max_line = 1024 * MIB + 1},
        {.max_event = 1024 * MIB + 1},
        {.max_line = SIZE_MAX},
        {.max_event = SIZE_MAX}};
    struct crier_parser *parser;
    size_t i;

    for (i = 0; i < sizeof good / sizeof good[0]; i++) {
        ck_assert_int_eq(crier_parser_new(&good[i], &parser), 0);
        crier_parser_free(parser);
    }
    for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        parser = NULL;
        ck_assert_int_eq(crier_parser_new(&bad[i], &parser),
                         CRIER_ERR_INVALID);
        ck_assert_ptr_null(parser);
    }
}
END_TEST

/* The defaults are 16 MiB, for options of zero and for none: a line of BEFORE and
 * 'x' that is as long as allowed passes, one byte more does not. */
static void check_default(const char *before, const char *after, size_t most,
                          int error)
{
    static const struct crier_parser_options zero = {0};
    const size_t head = strlen(before), tail = strlen(after);
    char *stream = malloc(head + most + 1 + tail);
    struct crier_parser *parser;
    size_t over, told = 0;

    for (over = 0; over < 2; over++) {
        memcpy(stream, before, head);
        memset(stream + head, 'x', most + over);
        memcpy(stream + head + most + over, after, tail);
        ck_assert_int_eq(crier_parser_new(over ? &zero : NULL, &parser), 0);
        ck_assert_int_eq(
            pass(parser, stream, head + most + over + tail, &told),
            over ? error : 0);
        crier_parser_free(parser);
    }
    ck_assert_uint_eq(told, 1);
    free(stream);
}

START_TEST(the_default_of_a_line)
{
    check_default(":", "\n", 16 * MIB - 1, CRIER_ERR_MAX_LINE);
}
END_TEST

START_TEST(the_default_of_an_event)
{
    check_default("data: 123\nid: 456\ndata: ", "\n\n", 16 * MIB - 7,
                  CRIER_ERR_MAX_EVENT);
}
END_TEST

/* An error, with the very bytes that are too many. */
static void check_endless(const char *piece, size_t max_line, size_t max_event,
                          size_t bytes, int error)
{
    struct crier_parser *parser = parser_new(max_line, max_event);
    size_t length = strlen(piece), fed = 0, told = 0;
    int result = 0;

    while (result == 0 && fed <= bytes) {
        result = pass(parser, piece, length, &told);
        fed += length;
    }
    ck_assert_int_eq(result, error);
    ck_assert_uint_eq(told, 0);
    ck_assert_uint_eq(fed, (bytes / length + 1) * length);
    crier_parser_free(parser);
}

START_TEST(an_endless_line)
{
    check_endless("x", 1000, 0, 1000, CRIER_ERR_MAX_LINE);
    check_endless(":", 1000, 0, 1000, CRIER_ERR_MAX_LINE);
    check_endless("data: and so on", MIB, 10, MIB, CRIER_ERR_MAX_LINE);
    check_endless("xxxxxxxx", 0, 0, 16 * MIB, CRIER_ERR_MAX_LINE);
}
END_TEST

START_TEST(an_endless_event)
{
    check_endless("data\n", 0, 1000, 1001 * 5, CRIER_ERR_MAX_EVENT);
    check_endless("data:3456789\n", 0, 999, 125 * 13, CRIER_ERR_MAX_EVENT);
    check_endless("data:3456789\n", 0, 0, 2 * MIB * 13, CRIER_ERR_MAX_EVENT);
}
END_TEST

/* These may go on for ever, and take no more room than in the beginning. */
static const char *const endless[] = {
    ":comment\n",
    "unknown: field\r\n",
    "\n",
    "\r",
    "id: 0123456789\n",
    "id: 0123456789\n\n",
    "event: 0123456789\n",
    "topics: a,b\ntime: now\n",
    "retry: 1\n",
    "data\n\n",
    "id: 1\nevent: t\ntopics: a\ntime: b\ndata: c\ndata: d\xff\n\n",
    "\xff\n",
};

static size_t memory(void)
{
    struct rusage usage;

    ck_assert_int_eq(getrusage(RUSAGE_SELF, &usage), 0);
    return (size_t)usage.ru_maxrss * 1024;
}

/* What is fed: COUNT times PIECE, cut into chunks that do not end where it does. */
static int feed_many(struct crier_parser *parser, const char *piece,
                     size_t count)
{
    char chunk[4096 + 64];
    size_t length = strlen(piece), bytes = count * length, at = 0, i, told = 0;
    int result = 0;

    for (i = 0; i < sizeof chunk; i++)
        chunk[i] = piece[i % length];
    for (; at < bytes && result == 0; at += 4096)
        result = pass(parser, chunk + at % length, 4096, &told);
    return result;
}

START_TEST(memory_does_not_grow)
{
    struct crier_parser *parser = parser_new(1000, 1000);
    const char *piece = endless[_i];
    size_t before;

    ck_assert_int_eq(feed_many(parser, piece, MIB / strlen(piece)), 0);
    before = memory();
    ck_assert_int_eq(feed_many(parser, piece, 8 * MIB / strlen(piece)), 0);
    ck_assert_uint_lt(memory() - before, 2 * MIB);
    crier_parser_free(parser);
}
END_TEST

/* ---- time ------------------------------------------------------------- */

#define LARGE (16 * MIB)

/* Were the time that these take the square of their length, it would be minutes and
 * hours. */
static const struct {
    const char *head, *piece, *tail;
    size_t told;
} large[] = {
    {"", "\n", "", 0},
    {"", "\r", "", 0},
    {"", "x\r", "", 0},
    {"", "x\n", "", 0},
    {"", ":\r", "", LARGE / 2},
    {"", "data\n", "\n", 1},
    {"", "data\r", "\r", 1},
    {":", "\xff", "\n", 1},
    {"data:", "\xe2\x82", "\r\n\r\n", 1},
    {":", "x", "\n", 1},
    {"retry:", "1", "\n", 1},
    {"id:", "\xc3\xa9", "\n\n", 0},
};

START_TEST(time_is_linear)
{
    const size_t piece = strlen(large[_i].piece);
    const size_t length = LARGE - LARGE % piece;
    const size_t tail = strlen(large[_i].tail);
    struct crier_parser *parser = parser_new(2 * LARGE, 2 * LARGE);
    char *body = malloc(length);
    size_t i, told = 0;
    int error = 0;

    for (i = 0; i < length; i++)
        body[i] = large[_i].piece[i % piece];
    pass(parser, large[_i].head, strlen(large[_i].head), &told);
    ck_assert_int_eq(pass(parser, body, length, &told), 0);
    ck_assert_int_eq(pass(parser, large[_i].tail, tail, &told), 0);
    ck_assert_uint_eq(told, large[_i].told);

    crier_parser_begin(parser);
    pass(parser, large[_i].head, strlen(large[_i].head), &told);
    for (i = 0; i < length / 8; i++)
        error |= pass(parser, body + i, 1, &told);
    ck_assert_int_eq(error, 0);
    free(body);
    crier_parser_free(parser);
}
END_TEST

/* ---- short memory ----------------------------------------------------- */

#define LONG "0123456789012345678901234567890123456789012345678901234567890123"
static const char busy[] =
    "\xef\xbb\xbf: " LONG "\nretry: 5\n"
    "id: 1-" LONG "\nevent: " LONG "\ntopics: " LONG "\ntime: " LONG
    "\ndata: " LONG "\xff" LONG "\ndata: " LONG "\n\n"
    "id: 2-" LONG LONG "\nevent: " LONG LONG "\ntopics: " LONG LONG
    "\ntime: " LONG LONG "\ndata: b\n\n"
    "id: 3\n\n:" LONG LONG "\n";

/* The messages of `busy`, and the last event id after each. */
static const char *const ids[] = {"0", "0", "0", "1-" LONG, "2-" LONG LONG,
                                  "3"};

/* Feeds `busy` in chunks of SIZE bytes. */
static int pass_busy(struct crier_parser *parser, size_t size, size_t *told)
{
    size_t at, left;
    int result = 0;

    for (at = 0; at < sizeof busy - 1 && result == 0; at += size) {
        left = sizeof busy - 1 - at;
        result = pass(parser, busy + at, left < size ? left : size, told);
    }
    return result;
}

/* PARSER ran out of memory after TOLD messages. */
static void check_short(struct crier_parser *parser, size_t told)
{
    json_t *log = json_array(), *expected = json_array();
    struct crier_parser *fresh = parser_new(0, 0);
    const char *id = crier_parser_id(parser);
    struct cuts cuts = {.how = BY_BYTE};

    /* The id of an event that was not returned does not count, so that the event comes
 * again. */
    ck_assert_msg(strcmp(id, ids[told]) == 0 ||
                      (told == 4 && strcmp(id, "3") == 0),
                  "after %zu messages the id is %s", told, id);
    ck_assert_int_eq(feed(parser, "data: x\n\n", 9, cuts, log), -ENOMEM);
    ck_assert_uint_eq(json_array_size(log), 0);

    crier_parser_begin(parser);
    ck_assert_int_eq(crier_parser_set_id(parser, "0"), 0);
    ck_assert_int_eq(crier_parser_set_id(fresh, "0"), 0);
    ck_assert_int_eq(feed(parser, busy, sizeof busy - 1, cuts, log), 0);
    ck_assert_int_eq(feed(fresh, busy, sizeof busy - 1, cuts, expected), 0);
    log_check(log, expected, "after short memory");
    ck_assert_uint_eq(json_array_size(log), 5);
    json_decref(log);
    json_decref(expected);
    crier_parser_free(fresh);
}

/* Every allocation fails once. */
START_TEST(short_memory)
{
    static const size_t sizes[] = {1, 7, 100, sizeof busy};
    struct crier_parser *parser;
    size_t told;
    int result = -1;
    long n;

    for (n = 1; result != 0; n++) {
        ck_assert_int_lt(n, 1000);
        parser = NULL;
        told = 0;
        oom_after(n);
        result = crier_parser_new(NULL, &parser);
        if (result == 0)
            result = crier_parser_set_id(parser, "0");
        if (result == 0) {
            result = pass_busy(parser, sizes[_i], &told);
            oom_never();
            if (result != 0)
                check_short(parser, told);
        }
        oom_never();
        ck_assert(result == 0 || result == -ENOMEM);
        crier_parser_free(parser);
    }
    ck_assert_uint_eq(told, 5);
    ck_assert_int_gt(n, 12);
}
END_TEST

START_TEST(short_memory_for_an_id)
{
    struct crier_parser *parser = parser_new(0, 0);
    int result = -1;
    long n;

    ck_assert_int_eq(crier_parser_set_id(parser, "old"), 0);
    for (n = 1; result != 0; n++) {
        ck_assert_int_lt(n, 100);
        oom_after(n);
        result = crier_parser_set_id(parser, "new " LONG LONG);
        oom_never();
        ck_assert(result == 0 || result == -ENOMEM);
        ck_assert_str_eq(crier_parser_id(parser),
                         result == 0 ? "new " LONG LONG : "old");
    }
    ck_assert_int_gt(n, 2);
    crier_parser_free(parser);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("parser bounds");
    TCase *limits = add_case(s, "limits"), *time = add_case(s, "time");
    TCase *memory_case = add_case(s, "memory");

#define COUNT(cases) (int)(sizeof cases / sizeof cases[0])
    tcase_add_test(limits, limits_have_a_limit);
    tcase_add_test(limits, the_default_of_a_line);
    tcase_add_test(limits, the_default_of_an_event);
    tcase_add_test(limits, an_endless_line);
    tcase_add_test(limits, an_endless_event);
    tcase_add_loop_test(time, time_is_linear, 0, COUNT(large));
    tcase_add_loop_test(memory_case, memory_does_not_grow, 0, COUNT(endless));
    tcase_add_loop_test(memory_case, short_memory, 0, 4);
    tcase_add_test(memory_case, short_memory_for_an_id);
    return s;
}

RUN_SUITE(suite)
