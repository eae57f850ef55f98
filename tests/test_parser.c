/*
 * The event-stream parser: the streams in tests/parser, and what they cannot say.
 *
 * There, NAME.stream holds the bytes, and NAME.expect what comes of them, a JSON
 * object a line:
 *
 *   {"max_line": N, "max_event": N}    first, where it is not the defaults
 *   {"event": TYPE, "data": .., "id": LAST ID}, and where they are there:
 *       "has_id": true, "topics": .., "time": ..
 *   {"comment": ..}
 *   {"retry": ".."}                    a string, since JSON has no 64 bits
 *   {"error": "CRIER_ERR_.."}          in tests/parser/invalid
 *   {"last": ID}                       the last event id in the end
 *
 * Each is read whole, byte by byte, cut in two at every place, and cut at random;
 * CRIER_SEED=N repeats the seed that a failure has printed.
 */
#include <config.h>

#include "support/parsing.h"
#include "support/runner.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

#define BOM "\xef\xbb\xbf"

/* ---- the streams in files --------------------------------------------- */

static const char *const kinds[] = {"valid", "invalid"};
static struct dirent **names[2];
static int counts[2];

static int is_stream(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');

    return dot != NULL && strcmp(dot, ".stream") == 0;
}

/* Fills `names` and `counts`. */
static void find_streams(void)
{
    const char *root = getenv("PARSER_CASES");
    char path[4096];
    int i;

    for (i = 0; i < 2 && root != NULL; i++) {
        snprintf(path, sizeof path, "%s/%s", root, kinds[i]);
        counts[i] = scandir(path, &names[i], is_stream, alphasort);
    }
}

START_TEST(the_streams_are_there)
{
    ck_assert_int_ge(counts[0], 160);
    ck_assert_int_ge(counts[1], 20);
}
END_TEST

struct expectation {
    char path[4096]; /* of the stream */
    char *stream;
    size_t length;
    size_t max_line, max_event;
    json_t *log;
    int error;
    const char *last;
    json_t *last_line; /* which `last` is in */
};

static int error_named(const char *name)
{
#define VALUE(error, value, text)                                             \
    if (strcmp(name, #error) == 0)                                            \
        return error;
    CRIER_ERRORS(VALUE)
#undef VALUE
    ck_abort_msg("no error %s", name);
    return 0;
}

static void read_stream(struct expectation *e)
{
    FILE *file = fopen(e->path, "rb");
    size_t room = 65536;

    ck_assert_msg(file != NULL, "%s: %s", e->path, strerror(errno));
    e->stream = malloc(room);
    e->length = fread(e->stream, 1, room, file);
    ck_assert_uint_lt(e->length, room);
    fclose(file);
}

/* Takes LINE, one of the expectation. */
static void take_line(struct expectation *e, json_t *line)
{
    const char *error = json_string_value(json_object_get(line, "error"));

    if (json_object_get(line, "last") != NULL) {
        e->last_line = json_incref(line);
        e->last = json_string_value(json_object_get(line, "last"));
    } else if (error != NULL) {
        e->error = error_named(error);
    } else if (json_object_get(line, "max_line") != NULL ||
               json_object_get(line, "max_event") != NULL) {
        e->max_line =
            (size_t)json_integer_value(json_object_get(line, "max_line"));
        e->max_event =
            (size_t)json_integer_value(json_object_get(line, "max_event"));
    } else {
        json_array_append(e->log, line);
    }
}

static void read_expectation(struct expectation *e, const char *kind,
                             const char *name)
{
    char path[4200];
    json_error_t error;
    json_t *line;
    FILE *file;

    memset(e, 0, sizeof *e);
    snprintf(e->path, sizeof e->path, "%s/%s/%s", getenv("PARSER_CASES"), kind,
             name);
    read_stream(e);
    e->log = json_array();
    snprintf(path, sizeof path, "%.*s.expect",
             (int)(strrchr(e->path, '.') - e->path), e->path);
    file = fopen(path, "rb");
    ck_assert_msg(file != NULL, "%s: %s", path, strerror(errno));
    while (e->last == NULL) {
        line =
            json_loadf(file, JSON_DISABLE_EOF_CHECK | JSON_ALLOW_NUL, &error);
        ck_assert_msg(line != NULL, "%s: %s", path, error.text);
        take_line(e, line);
        json_decref(line);
    }
    fclose(file);
    ck_assert_int_eq(e->error != 0, strcmp(kind, "invalid") == 0);
}

/* The stream of E, cut as CUTS says, gives what it should. */
static void expect(const struct expectation *e, struct cuts cuts)
{
    struct crier_parser *parser = parser_new(e->max_line, e->max_event);
    json_t *log = json_array();
    int error = feed(parser, e->stream, e->length, cuts, log);

    log_check(log, e->log, "%s, how=%d at=%zu seed=%u low=%d", e->path,
              (int)cuts.how, cuts.at, cuts.seed, cuts.low);
    ck_assert_msg(error == e->error, "%s, how=%d at=%zu seed=%u: %s", e->path,
                  (int)cuts.how, cuts.at, cuts.seed, crier_error_text(error));
    ck_assert_str_eq(crier_parser_id(parser), e->last);
    if (error != 0) /* it stays, whatever comes */
        ck_assert_int_eq(feed(parser, "\n\n", 2, cuts, log), error);
    json_decref(log);
    crier_parser_free(parser);
}

static void run_stream(int kind, int i)
{
    struct expectation e;
    struct cuts cuts = {.how = WHOLE};
    unsigned seed = test_seed();
    int low;

    read_expectation(&e, kinds[kind], names[kind][i]->d_name);
    for (low = 0; low < 2; low++) {
        cuts.low = low != 0;
        cuts.how = WHOLE;
        expect(&e, cuts);
        cuts.how = BY_BYTE;
        expect(&e, cuts);
        cuts.how = IN_TWO;
        for (cuts.at = 0; cuts.at <= e.length; cuts.at++)
            expect(&e, cuts);
        cuts.how = AT_RANDOM;
        for (cuts.seed = seed; cuts.seed != seed + 20; cuts.seed++)
            expect(&e, cuts);
    }
    json_decref(e.log);
    json_decref(e.last_line);
    free(e.stream);
}

START_TEST(a_valid_stream)
{
    run_stream(0, _i);
}
END_TEST

START_TEST(an_invalid_stream)
{
    run_stream(1, _i);
}
END_TEST

/* ---- when ------------------------------------------------------------- */

/* The parser returns each message at the byte that ends its last line, and reads nothing
 * behind that before the next call. */
static const struct {
    const char *stream;
    size_t ends[4];
} moments[] = {
    {"data: a\n\ndata: b\n\n", {9, 18}},
    {"data: a\r\rdata: b\r\r", {9, 18}},
    {"data: a\r\n\r\ndata: b\r\n\r\n", {10, 21}},
    {":a\n:b\r:c\r\n\n", {3, 6, 9}},
    {"retry: 1\nretry: 2\rdata\n\n", {9, 18, 24}},
    {BOM ":a\n\n:b\n", {6, 10}},
};

START_TEST(as_soon_as_possible)
{
    const char *stream = moments[_i].stream, *bytes;
    struct crier_parser *parser = parser_new(0, 0);
    size_t length = strlen(stream), at, left, n = 0;
    struct crier_message message;
    int result;

    for (at = 1; at <= length; at++) {
        bytes = stream + at - 1;
        left = 1;
        result = crier_parser_next(parser, &bytes, &left, &message);
        ck_assert_int_eq(result, at == moments[_i].ends[n]);
        n += (size_t)result;
    }
    ck_assert_uint_eq(moments[_i].ends[n], 0);
    crier_parser_free(parser);
}
END_TEST

START_TEST(one_at_a_time)
{
    const char *stream = "data: a\n\n:b\nretry: 1\ndata: c\n\n", *bytes;
    struct crier_parser *parser = parser_new(0, 0);
    static const size_t ends[] = {9, 12, 21, 30};
    struct crier_message message;
    size_t left = strlen(stream), i;

    bytes = stream;
    for (i = 0; i < 4; i++) {
        ck_assert_int_eq(crier_parser_next(parser, &bytes, &left, &message),
                         1);
        ck_assert_uint_eq((size_t)(bytes - stream), ends[i]);
        ck_assert_uint_eq(left, 30 - ends[i]);
    }
    ck_assert_int_eq(crier_parser_next(parser, &bytes, &left, &message), 0);
    bytes = NULL;
    ck_assert_int_eq(crier_parser_next(parser, &bytes, &left, &message), 0);
    crier_parser_free(parser);
}
END_TEST

/* ---- one stream after another ----------------------------------------- */

/* Feeds STREAM at once; its messages must be EXPECTED: events as TYPE|DATA|ID, with a +
 * if they have an id of their own, comments as :TEXT, retries as a number. */
static void tells(struct crier_parser *parser, const char *stream,
                  const char *expected)
{
    const char *bytes = stream;
    size_t left = strlen(stream), at = 0;
    struct crier_message m;
    char got[400] = "";

    while (crier_parser_next(parser, &bytes, &left, &m) == 1) {
        if (m.kind == CRIER_EVENT)
            at += (size_t)snprintf(got + at, sizeof got - at, "%s|%s|%s%s ",
                                   m.type, m.data, m.id, m.has_id ? "+" : "");
        else if (m.kind == CRIER_COMMENT)
            at += (size_t)snprintf(got + at, sizeof got - at, ":%s ", m.data);
        else
            at += (size_t)snprintf(got + at, sizeof got - at, "%lu ",
                                   (unsigned long)m.retry);
        ck_assert_uint_lt(at, sizeof got);
    }
    ck_assert_str_eq(got, expected);
}

START_TEST(the_id_lives_on)
{
    struct crier_parser *parser = parser_new(0, 0);

    ck_assert_str_eq(crier_parser_id(parser), "");
    tells(parser, "id: 1\ndata: a\n\nid: 2\ndata: b\n", "message|a|1+ ");
    crier_parser_begin(parser);
    ck_assert_str_eq(crier_parser_id(parser), "1");
    tells(parser, "data: c\n\n", "message|c|1 ");
    tells(parser, "id\n\n", "");
    crier_parser_begin(parser);
    tells(parser, "data: d\n\n", "message|d| ");
    crier_parser_free(parser);
}
END_TEST

/* What each of these leaves behind is gone when the next stream begins. */
static const char *const left_behind[] = {
    "",          "data: x\n", "event: x\n", "id: x\n",     "topics: x\n",
    "time: x\n", "data: x",   "dat",        "data: x\r",   BOM,
    "\xef\xbb",  "\n",        ":x",         "data: x\n\n", "data: x\n\r",
};

START_TEST(begin_drops_what_is_incomplete)
{
    static const char next[] = "\n" BOM "data: no\ndata: a\n\n";
    struct crier_parser *parser = parser_new(0, 0);
    const char *bytes = left_behind[_i];
    size_t left = strlen(bytes);
    struct crier_message message;
    json_t *log = json_array(), *expected = json_array();

    while (crier_parser_next(parser, &bytes, &left, &message) > 0)
        ;
    crier_parser_begin(parser);
    ck_assert_str_eq(crier_parser_id(parser), "");
    ck_assert_int_eq(
        feed(parser, next, strlen(next), (struct cuts){.how = WHOLE}, log), 0);
    crier_parser_begin(parser);
    tells(parser, BOM "data: b\n\n", "message|b| ");
    json_array_append_new(expected,
                          log_event("message", 7, "a", 1, "", false));
    log_check(log, expected, "case %d", _i);
    json_decref(log);
    json_decref(expected);
    crier_parser_free(parser);
}
END_TEST

START_TEST(begin_ends_an_error)
{
    struct crier_parser *parser = parser_new(16, 10);
    struct crier_message message;
    const char *bytes = "id: 1\ndata: 0123456789x\n\ndata: a\n\n";
    size_t left = strlen(bytes);

    tells(parser, "id: 0\n\n", "");
    ck_assert_int_eq(crier_parser_next(parser, &bytes, &left, &message),
                     CRIER_ERR_MAX_LINE);
    bytes = "data: a\n\n";
    left = 9;
    ck_assert_int_eq(crier_parser_next(parser, &bytes, &left, &message),
                     CRIER_ERR_MAX_LINE);
    left = 0;
    ck_assert_int_eq(crier_parser_next(parser, &bytes, &left, &message),
                     CRIER_ERR_MAX_LINE);
    ck_assert_str_eq(message.id, "0");
    crier_parser_begin(parser);
    tells(parser, "data: a\n\n", "message|a|0 ");
    tells(parser, "topics: 0123\ntime: 0123\ndata: 012\n\n", "");
    crier_parser_begin(parser);
    tells(parser, "data: b\n\n", "message|b|0 ");
    crier_parser_free(parser);
}
END_TEST

START_TEST(the_id_is_set)
{
    struct crier_parser *parser = parser_new(0, 10);

    ck_assert_int_eq(crier_parser_set_id(parser, "0123456789"), 0);
    ck_assert_str_eq(crier_parser_id(parser), "0123456789");
    tells(parser, ":c\nid: 1", ":c ");
    ck_assert_str_eq(crier_parser_id(parser), "0123456789");
    crier_parser_begin(parser);
    tells(parser, "data: a\n\n", "message|a|0123456789 ");
    ck_assert_int_eq(crier_parser_set_id(parser, "0123456789x"),
                     CRIER_ERR_MAX_EVENT);
    ck_assert_int_eq(crier_parser_set_id(parser, "a\nb"), CRIER_ERR_NEWLINE);
    ck_assert_int_eq(crier_parser_set_id(parser, "a\r"), CRIER_ERR_NEWLINE);
    ck_assert_int_eq(crier_parser_set_id(parser, "\xff"), CRIER_ERR_UTF8);
    ck_assert_str_eq(crier_parser_id(parser), "0123456789");
    tells(parser, "data: b\n\n", "message|b|0123456789 ");
    ck_assert_int_eq(crier_parser_set_id(parser, " \xc5\xbc:"), 0);
    tells(parser, "data: c\n\n", "message|c| \xc5\xbc: ");
    ck_assert_int_eq(crier_parser_set_id(parser, ""), 0);
    tells(parser, "data: d\n\n", "message|d| ");
    ck_assert_int_eq(crier_parser_set_id(parser, "e"), 0);
    tells(parser, "id: f\ndata: e\n\n", "message|e|f+ ");
    crier_parser_free(parser);
}
END_TEST

START_TEST(freeing_nothing)
{
    crier_parser_free(NULL);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("parser");
    TCase *files = add_case(s, "streams in files");
    TCase *moment = add_case(s, "when"), *life = add_case(s, "life");

#define COUNT(cases) (int)(sizeof cases / sizeof cases[0])
    find_streams();
    tcase_add_test(files, the_streams_are_there);
    tcase_add_loop_test(files, a_valid_stream, 0, counts[0]);
    tcase_add_loop_test(files, an_invalid_stream, 0, counts[1]);
    tcase_add_loop_test(moment, as_soon_as_possible, 0, COUNT(moments));
    tcase_add_test(moment, one_at_a_time);
    tcase_add_test(life, the_id_lives_on);
    tcase_add_loop_test(life, begin_drops_what_is_incomplete, 0,
                        COUNT(left_behind));
    tcase_add_test(life, begin_ends_an_error);
    tcase_add_test(life, the_id_is_set);
    tcase_add_test(life, freeing_nothing);
    return s;
}

RUN_SUITE(suite)
