/* The event builder and the encoder: every wire rule, and every refusal. */
#include <config.h>

#include "crier.h"
#include "support/oom.h"
#include "support/runner.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct crier_event *event;

static void setup(void)
{
    event = crier_event_new();
    ck_assert_ptr_nonnull(event);
}

static void teardown(void)
{
    crier_event_free(event);
}

/* EVENT encodes to the LENGTH bytes WIRE. */
static void expect_bytes(const char *wire, size_t length)
{
    struct crier_frame *frame;
    const char *bytes;
    size_t got;

    ck_assert_int_eq(crier_event_encode(event, &frame), 0);
    bytes = crier_frame_bytes(frame, &got);
    ck_assert_uint_eq(got, length);
    ck_assert_mem_eq(bytes, wire, length);
    crier_frame_unref(frame);
}

static void expect(const char *wire)
{
    expect_bytes(wire, strlen(wire));
}

/* EVENT refuses to encode, with ERROR, and writes nothing. */
static void expect_refusal(int error)
{
    struct crier_frame *frame = NULL;

    ck_assert_int_eq(crier_event_encode(event, &frame), error);
    ck_assert_ptr_null(frame);
}

/* ---- what goes out ---------------------------------------------------- */

static const struct {
    const char *text, *wire;
} data_cases[] = {
    {"hello", "data: hello\n\n"},
    {"", "data:\n\n"},
    {" leading space", "data:  leading space\n\n"},
    {"a\nb", "data: a\ndata: b\n\n"},
    {"a\r\nb", "data: a\ndata: b\n\n"},
    {"a\rb", "data: a\ndata: b\n\n"},
    {"a\n\rb", "data: a\ndata:\ndata: b\n\n"},
    {"a\r\rb", "data: a\ndata:\ndata: b\n\n"},
    {"a\r\n\r\nb", "data: a\ndata:\ndata: b\n\n"},
    {"a\n", "data: a\ndata:\n\n"},
    {"a\r", "data: a\ndata:\n\n"},
    {"a\r\n", "data: a\ndata:\n\n"},
    {"\n", "data:\ndata:\n\n"},
    {"\n\n", "data:\ndata:\ndata:\n\n"},
    {"x\revent: evil\rdata: y", "data: x\ndata: event: evil\ndata: data: y\n\n"},
    {"x\n\nid: 6", "data: x\ndata:\ndata: id: 6\n\n"},
    {"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80",
     "data: \xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\n\n"},
    {"line\xe2\x80\xa8separator", "data: line\xe2\x80\xa8separator\n\n"},
};

START_TEST(data_is_split_at_every_line_end)
{
    ck_assert_int_eq(crier_event_text(event, data_cases[_i].text), 0);
    expect(data_cases[_i].wire);
}
END_TEST

START_TEST(data_may_hold_nul)
{
    ck_assert_int_eq(crier_event_data(event, "a\0b", 3), 0);
    expect_bytes("data: a\0b\n\n", 11);
}
END_TEST

START_TEST(data_of_no_bytes_may_be_null)
{
    ck_assert_int_eq(crier_event_data(event, NULL, 0), 0);
    expect("data:\n\n");
}
END_TEST

START_TEST(fields_have_their_order)
{
    crier_event_text(event, "d");
    crier_event_retry(event, 3000);
    crier_event_type(event, "t");
    crier_event_id(event, "i", 1);
    crier_event_comment(event, "c");
    expect(": c\nid: i\nevent: t\nretry: 3000\ndata: d\n\n");
}
END_TEST

START_TEST(fields_stand_alone)
{
    crier_event_retry(event, 0);
    expect("retry: 0\n\n");
    crier_event_reset(event);
    crier_event_id(event, "7", 1);
    expect("id: 7\n\n");
    crier_event_reset(event);
    crier_event_id(event, "", 0);
    expect("id:\n\n");
    crier_event_reset(event);
    crier_event_comment(event, "");
    expect(":\n\n");
    crier_event_reset(event);
    crier_event_type(event, "ping");
    expect("event: ping\n\n");
    crier_event_reset(event);
    crier_event_retry(event, CRIER_RETRY_MAX);
    expect("retry: 2147483647\n\n");
}
END_TEST

START_TEST(a_retry_that_overflows_timers_is_refused)
{
    crier_event_text(event, "d");
    ck_assert_int_eq(crier_event_retry(event, CRIER_RETRY_MAX + 1u),
                     CRIER_ERR_INVALID);
    expect_refusal(CRIER_ERR_INVALID);
}
END_TEST

START_TEST(comment_is_split)
{
    crier_event_comment(event, "one\rdata: two\n\nthree");
    expect(": one\n: data: two\n:\n: three\n\n");
}
END_TEST

START_TEST(a_setter_replaces)
{
    crier_event_text(event, "old\nlines");
    crier_event_text(event, "new");
    crier_event_id(event, "1", 1);
    crier_event_id(event, "2", 1);
    expect("id: 2\ndata: new\n\n");
}
END_TEST

START_TEST(json_is_compact_and_one_line)
{
    json_t *value = json_pack("{s:[i,s]}", "a", 1, "x\ny\r");

    ck_assert_int_eq(crier_event_json(event, value), 0);
    json_decref(value);
    expect("data: {\"a\":[1,\"x\\ny\\r\"]}\n\n");
    value = json_string("scalar");
    ck_assert_int_eq(crier_event_json(event, value), 0);
    json_decref(value);
    expect("data: \"scalar\"\n\n");
}
END_TEST

START_TEST(large_data)
{
    size_t length = 3 * 1024 * 1024;
    char *text = malloc(length);
    struct crier_frame *frame;
    size_t got;

    memset(text, 'x', length);
    ck_assert_int_eq(crier_event_data(event, text, length), 0);
    ck_assert_int_eq(crier_event_encode(event, &frame), 0);
    crier_frame_bytes(frame, &got);
    ck_assert_uint_eq(got, length + strlen("data: \n\n"));
    crier_frame_unref(frame);
    free(text);
}
END_TEST

/* Time is linear in the length, whatever the line ends: quadratic, this would
 * take minutes. */
START_TEST(many_lines)
{
    const size_t length = 2 * 1024 * 1024;
    char *text = malloc(length);
    struct crier_frame *frame;
    size_t got;

    memset(text, _i == 0 ? '\r' : '\n', length);
    ck_assert_int_eq(crier_event_data(event, text, length), 0);
    ck_assert_int_eq(crier_event_encode(event, &frame), 0);
    crier_frame_bytes(frame, &got);
    ck_assert_uint_eq(got, (length + 1) * strlen("data:\n") + 1);
    crier_frame_unref(frame);
    free(text);
}
END_TEST

START_TEST(frame_in_one_call)
{
    struct crier_frame *frame;
    json_t *value = json_integer(5);
    size_t length;

    ck_assert_int_eq(crier_frame_text("greeting", "hi", &frame), 0);
    ck_assert_mem_eq(crier_frame_bytes(frame, &length),
                     "event: greeting\ndata: hi\n\n", 26);
    crier_frame_unref(frame);
    ck_assert_int_eq(crier_frame_json(NULL, value, &frame), 0);
    ck_assert_mem_eq(crier_frame_bytes(frame, &length), "data: 5\n\n", 9);
    crier_frame_unref(frame);
    json_decref(value);
    ck_assert_int_eq(crier_frame_text("a\rb", "hi", &frame),
                     CRIER_ERR_NEWLINE);
}
END_TEST

/* ---- what is refused -------------------------------------------------- */

static const char *const not_utf8[] = {
    "\x80",             /* a continuation alone */
    "\xc3",             /* cut off */
    "\xc0\xaf",         /* overlong */
    "\xe0\x9f\xbf",     /* overlong */
    "\xf0\x8f\xbf\xbf", /* overlong */
    "\xed\xa0\x80",     /* a surrogate */
    "\xf4\x90\x80\x80", /* above U+10FFFF */
    "\xf8\x88\x80\x80\x80",
    "\xff",
    "\xe2\x82",
    "ascii then \xe2\x28\xa1",
    "sixteen bytes of\xfe",
};

START_TEST(invalid_utf8_is_refused)
{
    const char *text = not_utf8[_i];

    ck_assert_int_eq(crier_event_text(event, text), CRIER_ERR_UTF8);
    expect_refusal(CRIER_ERR_UTF8);
    crier_event_reset(event);
    ck_assert_int_eq(crier_event_comment(event, text), CRIER_ERR_UTF8);
    expect_refusal(CRIER_ERR_UTF8);
    crier_event_reset(event);
    ck_assert_int_eq(crier_event_type(event, text), CRIER_ERR_UTF8);
    expect_refusal(CRIER_ERR_UTF8);
    crier_event_reset(event);
    ck_assert_int_eq(crier_event_id(event, text, strlen(text)),
                     CRIER_ERR_UTF8);
    expect_refusal(CRIER_ERR_UTF8);
}
END_TEST

static const char *const two_lines[] = {"a\nb", "a\rb", "a\r\n", "\n", "\r"};

START_TEST(type_and_id_stay_on_one_line)
{
    const char *text = two_lines[_i];

    crier_event_text(event, "data");
    ck_assert_int_eq(crier_event_type(event, text), CRIER_ERR_NEWLINE);
    expect_refusal(CRIER_ERR_NEWLINE);
    crier_event_reset(event);
    crier_event_text(event, "data");
    ck_assert_int_eq(crier_event_id(event, text, strlen(text)),
                     CRIER_ERR_NEWLINE);
    expect_refusal(CRIER_ERR_NEWLINE);
}
END_TEST

START_TEST(id_without_nul)
{
    ck_assert_int_eq(crier_event_id(event, "a\0b", 3), CRIER_ERR_NUL);
    expect_refusal(CRIER_ERR_NUL);
}
END_TEST

START_TEST(nothing_set)
{
    expect_refusal(CRIER_ERR_EMPTY);
    crier_event_type(event, "");
    expect_refusal(CRIER_ERR_EMPTY);
}
END_TEST

START_TEST(the_first_error_sticks)
{
    crier_event_id(event, "a\nb", 3);
    crier_event_type(event, "\xff");
    crier_event_text(event, "fine");
    expect_refusal(CRIER_ERR_NEWLINE);
    crier_event_reset(event);
    crier_event_text(event, "fine");
    expect("data: fine\n\n");
}
END_TEST

START_TEST(json_that_cannot_be_written)
{
    ck_assert_int_eq(crier_event_json(event, NULL), CRIER_ERR_JSON);
    expect_refusal(CRIER_ERR_JSON);
}
END_TEST

START_TEST(too_large)
{
    char *text = malloc(CRIER_EVENT_MAX);

    memset(text, 'x', CRIER_EVENT_MAX);
    ck_assert_int_eq(crier_event_data(event, text, CRIER_EVENT_MAX),
                     CRIER_ERR_FRAME_SIZE);
    expect_refusal(CRIER_ERR_FRAME_SIZE);
    free(text);
}
END_TEST

/* Each allocation fails once: the call returns an error, and nothing leaks. */
START_TEST(short_memory)
{
    struct crier_frame *frame;
    long n;
    int error = -1;

    for (n = 1; error != 0; n++) {
        struct crier_event *made;

        ck_assert_int_lt(n, 1000);
        oom_after(n);
        made = crier_event_new();
        error = -ENOMEM;
        if (made != NULL) {
            crier_event_text(made, "some\ntext, long enough to make the "
                                   "buffer grow a time or two, hopefully");
            crier_event_type(made, "type");
            crier_event_id(made, "id", 2);
            crier_event_comment(made, "comment");
            error = crier_event_encode(made, &frame);
            crier_event_free(made);
        }
        oom_never();
        ck_assert(error == 0 || error == -ENOMEM);
    }
    ck_assert_int_gt(n, 8);
    crier_frame_unref(frame);
}
END_TEST

/* It is not the value's fault. */
START_TEST(short_memory_for_json)
{
    json_t *value = json_pack("{s:[i,i]}", "a", 1, 2);
    int error = -1;
    long n;

    ck_assert_ptr_nonnull(value);
    json_set_alloc_funcs(oom_malloc, free);
    for (n = 1; error != 0; n++) {
        ck_assert_int_lt(n, 100);
        crier_event_reset(event);
        oom_after(n);
        error = crier_event_json(event, value);
        oom_never();
        ck_assert(error == 0 || error == -ENOMEM);
    }
    ck_assert_int_gt(n, 3);
    json_decref(value);
}
END_TEST

START_TEST(every_error_has_a_text)
{
    static const int errors[] = {
#define VALUE(name, value, text) name,
        CRIER_ERRORS(VALUE)
#undef VALUE
    };
    size_t i, j;

    for (i = 0; i < sizeof errors / sizeof errors[0]; i++)
        for (j = 0; j < i; j++)
            ck_assert_str_ne(crier_error_text(errors[i]),
                             crier_error_text(errors[j]));
    ck_assert_str_eq(crier_error_text(0), "success");
    ck_assert_str_eq(crier_error_text(-ENOENT), "No such file or directory");
    ck_assert_str_eq(crier_error_text(-1000000), "unknown error");
    ck_assert_str_eq(crier_error_text(1), "unknown error");
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("event");
    TCase *good = add_case(s, "encoding"), *bad = add_case(s, "refusing");

#define COUNT(cases) (int)(sizeof cases / sizeof cases[0])
    tcase_add_checked_fixture(good, setup, teardown);
    tcase_add_loop_test(good, data_is_split_at_every_line_end, 0,
                        COUNT(data_cases));
    tcase_add_test(good, data_may_hold_nul);
    tcase_add_test(good, data_of_no_bytes_may_be_null);
    tcase_add_test(good, fields_have_their_order);
    tcase_add_test(good, fields_stand_alone);
    tcase_add_test(good, a_retry_that_overflows_timers_is_refused);
    tcase_add_test(good, comment_is_split);
    tcase_add_test(good, a_setter_replaces);
    tcase_add_test(good, json_is_compact_and_one_line);
    tcase_add_test(good, large_data);
    tcase_add_loop_test(good, many_lines, 0, 2);
    tcase_add_test(good, frame_in_one_call);
    tcase_add_checked_fixture(bad, setup, teardown);
    tcase_add_loop_test(bad, invalid_utf8_is_refused, 0, COUNT(not_utf8));
    tcase_add_loop_test(bad, type_and_id_stay_on_one_line, 0,
                        COUNT(two_lines));
    tcase_add_test(bad, id_without_nul);
    tcase_add_test(bad, nothing_set);
    tcase_add_test(bad, the_first_error_sticks);
    tcase_add_test(bad, json_that_cannot_be_written);
    tcase_add_test(bad, too_large);
    tcase_add_test(bad, short_memory);
    tcase_add_test(bad, short_memory_for_json);
    tcase_add_test(bad, every_error_has_a_text);
    return s;
}

RUN_SUITE(suite)
