/*
 * crier sub against the real crierd: what is followed and from where, and
 * --state across restarts of either end.
 */
#include <config.h>

#include "crier.h"
#include "support/command.h"
#include "support/crierd.h"
#include "support/foreign.h"
#include "support/port.h"
#include "support/runner.h"
#include "support/scratch.h"
#include "support/topics.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct crierd crierd;
static int held; /* its port */
static char journal[64]; /* the option */
static char state[64];   /* a path for --state */

static void setup(void)
{
    scratch_make();
    snprintf(journal, sizeof journal, "--journal sqlite:%s/journal", scratch);
    snprintf(state, sizeof state, "%s/state", scratch);
    topics_port = port_hold(&held);
    crierd_start_on(&crierd, topics_port, journal);
    command_environment(crierd.port);
}

static void teardown(void)
{
    crierd_stop(&crierd);
    close(held);
    scratch_remove();
}

/* Kills crierd and starts it with OPTIONS on the same port. */
static void restart(const char *options)
{
    int port = crierd.port;

    crierd_kill(&crierd);
    crierd_start_on(&crierd, port, options);
}

/* Publishes the numbers FROM to TO to the topic n. */
static void put_numbers(int from, int to)
{
    char target[32], body[16];

    for (; from <= to; from++) {
        snprintf(target, sizeof target, "/topics/n?id=%d", from);
        snprintf(body, sizeof body, "%d", from);
        topics_put(target, body);
    }
}

/* Fails unless TEXT is the numbers FROM to TO, one a line. */
static void check_numbers(const char *text, int from, int to)
{
    char *end;

    for (; from <= to; from++) {
        ck_assert_msg(strtol(text, &end, 10) == from, "not %d but '%s'", from,
                      text);
        ck_assert_int_eq(*end, '\n');
        text = end + 1;
    }
    ck_assert_str_eq(text, "");
}

/* ---- topics ----------------------------------------------------------- */

START_TEST(what_is_published_is_printed)
{
    struct command one, two, all, other;

    /* -v says when it is connected */
    command_start(&one, 0, WORDS("sub", "-v", "--count=2", "a/b c"));
    command_start(&two, 0, WORDS("sub", "-v", "--count=2", "x", "a/b c"));
    command_start(&all, 0, WORDS("sub", "-v", "--count=3"));
    command_start(&other, 0,
                  WORDS("sub", "-v", "--count=1", "x", "--exec", "sh", "-c",
                        "echo $CRIER_TOPIC"));
    output_wait(&one.err, "connected to http://127.0.0.1:");
    output_wait(&two.err, "connected to");
    output_wait(&all.err, "connected to");
    output_wait(&other.err, "connected to");
    command_expect(0, NULL, "", NULL, WORDS("pub", "a/b c", "1"));
    command_expect(0, NULL, "", NULL, WORDS("pub", "x,a/b c", "two\nlines"));
    command_expect(0, NULL, "", NULL, WORDS("pub", "y", "3"));
    ck_assert_int_eq(command_wait(&one), 0);
    ck_assert_int_eq(command_wait(&two), 0);
    ck_assert_int_eq(command_wait(&all), 0);
    ck_assert_int_eq(command_wait(&other), 0);
    ck_assert_str_eq(one.out.text, "1\ntwo\nlines\n");
    ck_assert_str_eq(two.out.text, "1\ntwo\nlines\n");
    ck_assert_str_eq(all.out.text, "1\ntwo\nlines\n3\n");
    ck_assert_str_eq(other.out.text, "x,a/b c\n");
    ck_assert_ptr_nonnull(strstr(one.err.text, "> GET /topics/a%2Fb%20c?"));
    ck_assert_ptr_nonnull(strstr(one.err.text, "< HTTP/1.1 200 OK\n"));
    command_done(&one);
    command_done(&two);
    command_done(&all);
    command_done(&other);
}
END_TEST

START_TEST(json_has_all_there_is)
{
    static const char data[] = "a\nb\t\"é\xe2\x80\xae\xf0\x9f\x98\x80\\";
    struct command command;
    json_t *object;

    topics_put("/topics/a,b?id=my%201&event=t%22", data);
    ck_assert_int_eq(
        command_run(&command, NULL, WORDS("sub", "--once", "--json")), 0);
    ck_assert_ptr_eq(strchr(command.out.text, '\n'),
                     command.out.text + command.out.length - 1);
    object = json_loads(command.out.text, 0, NULL);
    ck_assert_msg(object != NULL, "%s", command.out.text);
    ck_assert_str_eq(json_text(object, "data"), data);
    ck_assert_str_eq(json_text(object, "id"), "my 1");
    ck_assert_str_eq(json_text(object, "event"), "t\"");
    ck_assert_uint_eq(strlen(json_text(object, "time")),
                      strlen("2026-01-02T03:04:05.678Z"));
    ck_assert_str_eq(json_string_value(
                         json_array_get(json_object_get(object, "topics"), 1)),
                     "b");
    ck_assert_uint_eq(json_object_size(object), 5);
    json_decref(object);
    command_done(&command);
}
END_TEST

START_TEST(it_begins_where_it_is_told)
{
    struct command command;

    put_numbers(1, 5);
    command_expect(0, "1\n2\n3\n4\n5\n", "", NULL,
                   WORDS("sub", "n", "--since", "all", "--count", "5"));
    command_expect(0, "4\n5\n", "", NULL,
                   WORDS("sub", "n", "--since=2", "--once"));
    command_expect(0, "1\n2\n3\n4\n5\n", "", NULL,
                   WORDS("sub", "n", "--since=1h", "--once"));
    command_expect(0, "4\n", "", NULL,
                   WORDS("sub", "n", "--last-event-id=3", "--count=1"));
    command_expect(0, "1\n2\n3\n4\n5\n", "", NULL, WORDS("sub", "--once"));
    command_expect(0, "", "", NULL, WORDS("sub", "none", "--once"));
    topics_put("/topics/n?id=with%20%23", "6");
    topics_put("/topics/n", "7");
    command_expect(0, "7\n", "", NULL,
                   WORDS("sub", "n", "--since=with #", "--once"));
    topics_put("/topics/n?id=12-x", "8");
    put_numbers(9, 9);
    command_expect(0, "9\n", "", NULL,
                   WORDS("sub", "n", "--since=12-x", "--once"));
    command_start(&command, 0, WORDS("sub", "n", "-v", "--timeout=1h"));
    output_wait(&command.err, "connected to");
    put_numbers(10, 10);
    output_wait(&command.out, "10\n");
    ck_assert_int_eq(command_stop(&command, SIGINT), 0);
    ck_assert_str_eq(command.out.text, "10\n"); /* from now on */
    command_done(&command);
}
END_TEST

/* It ends with its topics, behind their last updates; and so it does when it comes back. */
START_TEST(topics_end_it)
{
    struct command command;

    command_start(&command, 0, WORDS("sub", "n,m", "-v"));
    output_wait(&command.err, "connected to");
    topics_put("/topics/m?last=1", "m");
    topics_put("/topics/n?id=1", "1");
    topics_put("/topics/n?id=2&last=1", "2");
    ck_assert_int_eq(command_wait(&command), 0);
    ck_assert_str_eq(command.out.text, "m\n1\n2\n");
    ck_assert_ptr_null(strstr(command.err.text, "lost"));
    command_done(&command);
    command_expect(0, "1\n2\n", "", NULL, WORDS("sub", "n", "--since", "all"));
    command_expect(0, "2\n", "", NULL, WORDS("sub", "n", "--last-event-id=1"));
    command_expect(0, "", "", NULL, WORDS("sub", "n", "--last-event-id=2"));
    command_expect(0, "2\n", "", NULL, WORDS("sub", "n"));
    command_expect(5, "1\n2\n", "before --count was complete", NULL,
                   WORDS("sub", "n", "--since=all", "--count=3"));
}
END_TEST

/* `crier sub WORDS... --timeout` prints OUT and ends with 3 when its time is up. On a busy
 * machine it needs more of it, and prints less with less. */
static void expect_timeout(const char *out, const char *const *words)
{
    const char *all[16] = {NULL};
    struct command command;
    char timeout[32];
    size_t count, length;
    int seconds;

    for (count = 0; words[count] != NULL; count++)
        all[count] = words[count];
    all[count] = timeout;
    for (seconds = 1, length = 0; length < strlen(out); seconds *= 2) {
        snprintf(timeout, sizeof timeout, "--timeout=%ds", seconds);
        ck_assert_int_eq(command_run(&command, NULL, all), 3);
        ck_assert_str_eq(command.err.text, "");
        length = command.out.length;
        ck_assert_msg(length <= strlen(out) && memcmp(command.out.text, out, length) == 0,
                      "%s", command.out.text);
        command_done(&command);
    }
}

START_TEST(time_and_count_end_it)
{
    command_expect(0, "", "", NULL, WORDS("sub", "n", "--timeout=50ms"));
    command_expect(3, "", "", NULL,
                   WORDS("sub", "n", "--timeout", "50ms", "--count", "1"));
    put_numbers(1, 2);
    expect_timeout("1\n2\n", WORDS("sub", "n", "--count", "3", "--since=all"));
    topics_put("/topics/n?event=x", "3");
    topics_put("/topics/n?event=y", "4");
    command_expect(0, "3\n4\n", "", NULL,
                   WORDS("sub", "n", "--count=2", "--since=all", "--event=x",
                         "--event", "y"));
    expect_timeout("3\n", WORDS("sub", "n", "--count=2", "--since=all", "--event=x"));
    command_expect(
        0, "1\n2\n", "", NULL,
        WORDS("sub", "n", "--count=2", "--since=all", "--event=message"));
}
END_TEST

START_TEST(refusals_end_it_with_the_servers_words)
{
    command_expect(1, "", "403: topics whose names begin with '$'", NULL,
                   WORDS("sub", "$x"));
    command_expect(1, "", "400: a topic is not UTF-8", NULL,
                   WORDS("sub", "a*b"));
}
END_TEST

START_TEST(a_gap_is_told)
{
    struct command command;
    const char *gap;

    restart("--retain-topic n:count=2");
    put_numbers(1, 5);
    ck_assert_int_eq(command_run(&command, NULL,
                                 WORDS("sub", "n", "--last-event-id=1",
                                       "--once", "--json")),
                     0);
    ck_assert_str_eq(command.err.text,
                     "crier: the server no longer has all updates after '1'; "
                     "continuing with the oldest it has\n");
    gap = "{\"event\":\"gap\",\"data\":\"{\\\"requested\\\":\\\"1\\\",";
    ck_assert_ptr_eq(strstr(command.out.text, gap), command.out.text);
    ck_assert_ptr_nonnull(strstr(command.out.text, "\n{\"id\":\"4\","));
    command_done(&command);
    command_expect(0, NULL, "", NULL,
                   WORDS("sub", "-q", "n", "--last-event-id=1", "--once"));
    command_expect(0, NULL, "no longer has all updates after '10sec'", NULL,
                   WORDS("sub", "n", "--last-event-id=10sec", "--once"));
}
END_TEST

/* ---- ends ------------------------------------------------------------- */

START_TEST(signals_end_it_in_good_order)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    struct command command;

    command_start(&command, 0, WORDS("sub", "n", "-v"));
    output_wait(&command.err, "connected to");
    ck_assert_int_eq(command_stop(&command, signals[_i]), 0);
    command_done(&command);
}
END_TEST

START_TEST(it_ends_with_its_reader)
{
    struct command command;

    command_start(&command, COMMAND_OUT_UNREAD, WORDS("sub", "n", "-v"));
    output_wait(&command.err, "connected to");
    command_close_output(&command); /* and nothing comes that it could print */
    command_read(&command);
    ck_assert_int_eq(command_wait(&command), 0);
    command_done(&command);
}
END_TEST

/* ---- coming back ------------------------------------------------------ */

START_TEST(a_broken_connection_is_told_and_mended)
{
    struct command command;

    command_start(&command, 0,
                  WORDS("sub", "n", "--retry", "10ms", "--since=all"));
    put_numbers(1, 1);
    output_wait(&command.out, "1\n");
    restart(journal);
    put_numbers(2, 2);
    output_wait(&command.out, "2\n");
    ck_assert_int_eq(command_stop(&command, SIGTERM), 0);
    ck_assert_str_eq(command.out.text, "1\n2\n");
    ck_assert_ptr_eq(strstr(command.err.text, "crier: connection lost: "),
                     command.err.text);
    ck_assert_ptr_nonnull(strstr(command.err.text, "; reconnecting in 0.0 s\n"));
    ck_assert_ptr_nonnull(
        strstr(command.err.text, "crier: reconnected\n"));
    command_done(&command);
}
END_TEST

/* The connection ends before the first byte. */
START_TEST(what_comes_while_it_is_away_is_not_lost)
{
    struct command command;

    put_numbers(1, 1);
    command_start(&command, 0, WORDS("sub", "n", "-v", "--retry=500ms"));
    output_wait(&command.err, "connected to");
    restart(journal);
    put_numbers(2, 2);
    output_wait(&command.out, "2\n");
    restart(journal);
    put_numbers(3, 3);
    output_wait(&command.out, "3\n");
    ck_assert_int_eq(command_stop(&command, SIGTERM), 0);
    ck_assert_str_eq(command.out.text, "2\n3\n");
    command_done(&command);
}
END_TEST

/* The same with a journal in memory, whose first life is over: that is a gap. */
START_TEST(what_comes_in_another_life_is_told)
{
    struct command command;

    restart("");
    command_start(&command, 0, WORDS("sub", "n", "-v", "--retry=500ms"));
    output_wait(&command.err, "connected to");
    restart("");
    put_numbers(2, 2);
    output_wait(&command.out, "\n2\n");
    ck_assert_int_eq(command_stop(&command, SIGTERM), 0);
    ck_assert_ptr_eq(strstr(command.out.text, "{\"requested\":\"#"),
                     command.out.text);
    ck_assert_ptr_nonnull(
        strstr(command.err.text, "the server no longer has all updates after '#"));
    command_done(&command);
}
END_TEST

START_TEST(a_server_that_starts_late_is_waited_for)
{
    struct command command;
    struct crierd late;
    char server[64];
    int descriptor, port = port_hold(&descriptor);

    snprintf(server, sizeof server, "127.0.0.1:%d", port);
    command_expect(0, "", "", NULL,
                   WORDS("sub", "-q", "n", "--server", server, "--timeout",
                         "100ms", "--retry", "10ms"));
    command_start(&command, 0,
                  WORDS("sub", "n", "-v", "--server", server, "--retry", "10ms"));
    output_wait(&command.err,
                ": cannot connect: Connection refused; retrying in");
    crierd_start_on(&late, port, "");
    output_wait(&command.err, "connected to");
    topics_port = port;
    put_numbers(1, 1);
    output_wait(&command.out, "1\n");
    ck_assert_int_eq(command_stop(&command, SIGTERM), 0);
    command_done(&command);
    crierd_stop(&late);
    close(descriptor);
}
END_TEST

/* ---- state ------------------------------------------------------------ */

/* Runs `crier sub n --state` for COUNT events, which must be the numbers from
 * FROM on. */
static void go_on(int from, const char *count)
{
    struct command command;

    ck_assert_int_eq(command_run(&command, NULL,
                                 WORDS("sub", "n", "--state", state, "--since",
                                       "all", "--count", count)),
                     0);
    check_numbers(command.out.text, from, from + atoi(count) - 1);
    command_done(&command);
}

START_TEST(state_goes_on_across_restarts)
{
    struct command command;

    put_numbers(1, 50);
    go_on(1, "20");
    restart(journal);
    put_numbers(51, 100);
    go_on(21, "30");
    command_start(&command, 0,
                  WORDS("sub", "n", "--state", state, "--retry", "10ms"));
    output_wait_lines(&command.out, 50);
    restart(journal);
    put_numbers(101, 150);
    output_wait_lines(&command.out, 100);
    ck_assert_int_eq(command_stop(&command, SIGTERM), 0);
    check_numbers(command.out.text, 51, 150);
    command_done(&command);
    put_numbers(151, 160);
    go_on(151, "10");
    command_expect(0, "", "", NULL,
                   WORDS("sub", "n", "--once", "--state", state));
}
END_TEST

/* Also where it ended before the first event. */
START_TEST(state_begins_where_the_stream_began)
{
    struct command command;

    put_numbers(1, 1);
    command_start(&command, 0, WORDS("sub", "n", "--state", state, "-v"));
    output_wait(&command.err, "connected to");
    ck_assert_int_eq(command_stop(&command, SIGTERM), 0);
    command_done(&command);
    put_numbers(2, 2);
    command_expect(0, "2\n", "", NULL,
                   WORDS("sub", "n", "--state", state, "--count=1"));
}
END_TEST

/* Output that its reader did not read is not delivered. */
START_TEST(state_is_never_ahead)
{
    char body[101] = "", target[32];
    struct command command;
    int i, whole, status;
    size_t at;

    for (i = 1; i <= 1500; i++) {
        snprintf(body, sizeof body, "%-99d", i);
        snprintf(target, sizeof target, "/topics/n?id=%d", i);
        topics_put(target, body);
    }
    ck_assert_int_eq(command_run(&command, NULL,
                                 WORDS("sub", "n", "--state", state,
                                       "--since=all", "--count=10")),
                     0);
    command_done(&command);
    command_start(&command, COMMAND_OUT_UNREAD,
                  WORDS("sub", "n", "--state", state));
    ck_assert(command_wait_full(&command));
    ck_assert_int_eq(kill(command.pid, SIGTERM), 0);
    command_wait_end(&command); /* though nobody reads */
    command_read(&command);
    status = command_wait(&command);
    for (whole = 0, at = 0; at < command.out.length; at++)
        whole += command.out.text[at] == '\n';
    ck_assert_int_eq(status, command.out.text[at - 1] == '\n' ? 0 : 1);
    ck_assert_int_eq(atoi(command.out.text), 11);
    command_done(&command);
    ck_assert_int_eq(
        command_run(&command, NULL,
                    WORDS("sub", "n", "--state", state, "--once")),
        0);
    ck_assert_int_eq(atoi(command.out.text), 10 + whole + 1);
    command_done(&command);
}
END_TEST

START_TEST(state_outlives_a_crash_of_crier)
{
    struct command command;

    put_numbers(1, 3);
    command_start(&command, 0,
                  WORDS("sub", "n", "--state", state, "--since=all", "--exec",
                        "sh", "-c", "echo $CRIER_DATA"));
    output_wait(&command.out, "3\n");
    put_numbers(4, 4);
    output_wait(&command.out, "4\n"); /* so 3 is done with */
    ck_assert_int_eq(command_stop(&command, SIGKILL), -SIGKILL);
    command_done(&command);
    ck_assert_int_eq(
        command_run(&command, NULL,
                    WORDS("sub", "n", "--state", state, "--once")),
        0);
    ck_assert(strcmp(command.out.text, "") == 0 ||
              strcmp(command.out.text, "4\n") == 0);
    command_done(&command);
}
END_TEST

START_TEST(a_state_is_for_one)
{
    struct command command;
    char path[64];

    command_start(&command, 0, WORDS("sub", "n", "--state", state, "-v"));
    output_wait(&command.err, "connected to");
    command_expect(1, "", "another crier uses the state file", NULL,
                   WORDS("sub", "n", "--state", state, "--once"));
    ck_assert_int_eq(command_stop(&command, SIGTERM), 0);
    command_done(&command);
    command_expect(1, "", "is not a regular file", NULL,
                   WORDS("sub", "n", "--state", scratch));
    command_expect(1, "", "is not a regular file", NULL,
                   WORDS("sub", "n", "--state", "/dev/null"));
    snprintf(path, sizeof path, "%s/none/state", scratch);
    command_expect(1, "", "No such file", NULL,
                   WORDS("sub", "n", "--state", path));
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("crier sub");
    TCase *c = add_case(s, "sub");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, what_is_published_is_printed);
    tcase_add_test(c, json_has_all_there_is);
    tcase_add_test(c, it_begins_where_it_is_told);
    tcase_add_test(c, topics_end_it);
    tcase_add_test(c, time_and_count_end_it);
    tcase_add_test(c, refusals_end_it_with_the_servers_words);
    tcase_add_test(c, a_gap_is_told);
    tcase_add_loop_test(c, signals_end_it_in_good_order, 0, 3);
    tcase_add_test(c, it_ends_with_its_reader);
    tcase_add_test(c, a_broken_connection_is_told_and_mended);
    tcase_add_test(c, what_comes_while_it_is_away_is_not_lost);
    tcase_add_test(c, what_comes_in_another_life_is_told);
    tcase_add_test(c, a_server_that_starts_late_is_waited_for);
    tcase_add_test(c, state_goes_on_across_restarts);
    tcase_add_test(c, state_begins_where_the_stream_began);
    tcase_add_test(c, state_is_never_ahead);
    tcase_add_test(c, state_outlives_a_crash_of_crier);
    tcase_add_test(c, a_state_is_for_one);
    return s;
}

RUN_SUITE(suite)
