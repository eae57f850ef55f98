/*
 * The lines of the log: as text and as JSON, with whatever comes from outside in them; and
 * what they begin with in the journal of systemd.
 */
#include <config.h>

#include "crier.h"
#include "crierd/log/log.h"
#include "support/runner.h"

#include <fcntl.h>
#include <jansson.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int log_file = -1, standard_error;

static void setup(void)
{
    standard_error = dup(STDERR_FILENO);
    log_file = memfd_create("log", MFD_CLOEXEC);
    ck_assert_int_ge(log_file, 0);
    ck_assert_int_ge(dup2(log_file, STDERR_FILENO), 0);
    log_set_level(LOG_DEBUG);
}

static void teardown(void)
{
    ck_assert_int_ge(dup2(standard_error, STDERR_FILENO), 0);
    close(log_file);
    close(standard_error);
    log_set_format(LOG_TEXT);
    log_set_level(LOG_INFO);
}

/* Returns what has been logged, which must be one line; valid until the next call. */
static char *take_line(void)
{
    static char line[2048];
    ssize_t length = pread(log_file, line, sizeof line - 1, 0);

    ck_assert_int_gt(length, 0);
    ck_assert_int_le(length, 1100);
    line[length] = '\0';
    ck_assert_ptr_eq(strchr(line, '\n'), line + length - 1);
    ck_assert_int_eq(ftruncate(log_file, 0), 0);
    lseek(log_file, 0, SEEK_SET);
    return line;
}

/* Returns the JSON of the line, which must be ASCII; new. */
static json_t *take_json(void)
{
    const char *line = take_line(), *at;
    json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, NULL);

    ck_assert_msg(json_is_object(object), "%s", line);
    for (at = line; *at != '\n'; at++)
        ck_assert(*at >= 0x20 && *at < 0x7f);
    return object;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    ck_assert_msg(text != NULL, "%s", key);
    return text;
}

static const struct log_access request = {.method = "GET",
                                          .path = "/a\r\n\x1b[1m\\\"\xc3\xa9\xff",
                                          .path_length = 13,
                                          .client = "192.0.2.1:80",
                                          .subject = "ada'\n\xf0\x9f\x98\x80",
                                          .status = 404,
                                          .bytes = INT64_MAX,
                                          .time = 12345678};

START_TEST(a_request_as_text)
{
    struct log_access anonymous = request;
    const char *line;

    log_access(LOG_INFO, &request);
    line = take_line();
    ck_assert_str_eq(line + strlen("2026-11-27T00:00:00.000Z "),
                     "info    GET /a\\x0d\\x0a\\x1b[1m\\\\\"\\xc3\\xa9\\xff 404 "
                     "9223372036854775807 B 12345.6 ms 192.0.2.1:80 "
                     "'ada'\\x0a\\xf0\\x9f\\x98\\x80'\n");
    anonymous.subject = NULL;
    log_access(LOG_INFO, &anonymous);
    ck_assert_ptr_nonnull(strstr(take_line(), " 192.0.2.1:80 -\n"));
}
END_TEST

START_TEST(a_request_as_json)
{
    json_t *object;

    log_set_format(LOG_JSON);
    log_access(LOG_INFO, &request);
    object = take_json();
    ck_assert_uint_eq(strlen(text_of(object, "time")), strlen("2026-11-27T00:00:00.000Z"));
    ck_assert_str_eq(text_of(object, "level"), "info");
    ck_assert_str_eq(text_of(object, "event"), "request");
    ck_assert_str_eq(text_of(object, "method"), "GET");
    ck_assert_str_eq(text_of(object, "path"), "/a\r\n\x1b[1m\\\"\xc3\xa9\xef\xbf\xbd");
    ck_assert_str_eq(text_of(object, "client"), "192.0.2.1:80");
    ck_assert_str_eq(text_of(object, "subject"), request.subject);
    ck_assert_int_eq(json_integer_value(json_object_get(object, "status")), 404);
    ck_assert(json_number_value(json_object_get(object, "seconds")) == 12.345678);
    ck_assert_uint_eq(json_object_size(object), 10);
    json_decref(object);
}
END_TEST

START_TEST(the_end_of_a_stream)
{
    struct log_access end = {.path = "/topics/a?b", .path_length = 9,
                             .client = "unix", .bytes = 31, .time = 1,
                             .reason = "client closed the connection"};
    json_t *object;
    const char *line;

    log_access(LOG_DEBUG, &end);
    line = take_line();
    ck_assert_str_eq(line + strlen("2026-11-27T00:00:00.000Z "),
                     "debug   stream /topics/a ended: client closed the connection, 31 B "
                     "0.0 ms unix -\n");
    log_set_format(LOG_JSON);
    log_access(LOG_DEBUG, &end);
    object = take_json();
    ck_assert_str_eq(text_of(object, "event"), "stream_end");
    ck_assert_str_eq(text_of(object, "reason"), end.reason);
    ck_assert_str_eq(text_of(object, "path"), "/topics/a");
    ck_assert(json_is_null(json_object_get(object, "subject")));
    ck_assert(json_number_value(json_object_get(object, "seconds")) == 0.000001);
    json_decref(object);
    end.client = NULL; /* nor is the time known then */
    log_access(LOG_DEBUG, &end);
    object = take_json();
    ck_assert_ptr_null(json_object_get(object, "seconds"));
    ck_assert_ptr_null(json_object_get(object, "client"));
    json_decref(object);
    log_set_level(LOG_INFO);
    log_access(LOG_DEBUG, &end);
    log_access(LOG_INFO, &end);
    (void)take_line(); /* one of them */
}
END_TEST

/* A line is cut inside of what is long, and is whole all the same. */
START_TEST(what_is_long_is_cut)
{
    static const char *const pieces[] = {"x", "\"", "\xff", "\xf0\x9f\x98\x80", "\n"};
    struct log_access access = request;
    char long_text[8192], *at;
    json_t *object;
    size_t length, i;

    for (at = long_text; at < long_text + sizeof long_text - 8; at += length) {
        length = strlen(pieces[_i]);
        for (i = 0; i <= length; i++)
            at[i] = pieces[_i][i];
    }
    access.method = access.client = access.subject = access.path = long_text;
    access.path_length = strlen(long_text);
    log_access(LOG_INFO, &access);
    ck_assert_ptr_nonnull(strstr(take_line(), " 404 9223372036854775807 B 12345.6 ms "));
    log_line(LOG_ERROR, "%s", long_text);
    (void)take_line();
    log_set_format(LOG_JSON);
    for (length = 0; length < 2000; length += 7) { /* wherever it is cut */
        access.path_length = length;
        log_access(LOG_INFO, &access);
        object = take_json();
        ck_assert_uint_eq(json_object_size(object), 10);
        json_decref(object);
    }
    if (pieces[_i][0] == '\n')
        return; /* which ends a line of log_line() */
    for (length = 900; length < 1200; length++) {
        log_line(LOG_ERROR, "%.*s", (int)length, long_text);
        object = take_json();
        ck_assert_str_eq(text_of(object, "level"), "error");
        ck_assert_uint_gt(strlen(text_of(object, "message")), 100);
        json_decref(object);
    }
}
END_TEST

static const struct {
    bool json;
    enum log_level level;
    const char *begin;
} begins[] = {
    {false, LOG_ERROR, "<3>text\n"},
    {false, LOG_WARNING, "<4>text\n"},
    {false, LOG_INFO, "<6>text\n"},
    {false, LOG_DEBUG, "<7>text\n"},
    {true, LOG_INFO, "<6>{\"level\":\"info\",\"message\":\"text\"}\n"},
};

/* In the journal of systemd a line begins with its priority and has no time. */
START_TEST(the_journal_of_systemd)
{
    struct stat status;
    char stream[64];

    ck_assert_int_eq(fstat(log_file, &status), 0);
    snprintf(stream, sizeof stream, "%ju:%ju", (uintmax_t)status.st_dev,
             (uintmax_t)status.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
    log_set_format(begins[_i].json ? LOG_JSON : LOG_TEXT);
    ck_assert(log_start());
    log_line(begins[_i].level, "text");
    log_stop(crier_now() + 60000);
    ck_assert_str_eq(take_line(), begins[_i].begin);
}
END_TEST

/* Of another file it says nothing. */
START_TEST(another_journal)
{
    setenv("JOURNAL_STREAM", "1:2", 1);
    ck_assert(log_start());
    log_line(LOG_INFO, "text");
    log_stop(crier_now() + 60000);
    ck_assert_ptr_nonnull(strstr(take_line(), "Z info    text\n"));
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("log lines");
    TCase *c = add_case(s, "lines");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, a_request_as_text);
    tcase_add_test(c, a_request_as_json);
    tcase_add_test(c, the_end_of_a_stream);
    tcase_add_loop_test(c, what_is_long_is_cut, 0, 5);
    tcase_add_loop_test(c, the_journal_of_systemd, 0,
                        (int)(sizeof begins / sizeof begins[0]));
    tcase_add_test(c, another_journal);
    return s;
}

RUN_SUITE(suite)
