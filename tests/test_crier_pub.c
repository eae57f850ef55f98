/*
 * crier pub against the real crierd: what is published, once and in order,
 * whatever becomes of the server meanwhile.
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

#include <signal.h>
#include <string.h>
#include <unistd.h>

static struct crierd crierd;
static char journal[64]; /* the option */

static void setup(void)
{
    scratch_make();
    snprintf(journal, sizeof journal, "--journal sqlite:%s/journal", scratch);
    crierd_start(&crierd, "--retain-bytes 100M");
    topics_port = crierd.port;
    command_environment(crierd.port);
}

static void teardown(void)
{
    crierd_stop(&crierd);
    scratch_remove();
}

/* Fails unless `crier pub WORDS...` with INPUT publishes what /topics/t holds
 * as the frame FRAME, without its id. */
static void publishes(const char *frame, const char *input,
                      const char *const *words)
{
    struct command command;
    char *held, *wanted;

    ck_assert_int_eq(command_run(&command, input, words), 0);
    ck_assert_str_eq(command.err.text, "");
    ck_assert_uint_gt(command.out.length, 1);
    command.out.text[command.out.length - 1] = '\0'; /* the id's LF */
    ck_assert_int_gt(
        asprintf(&wanted, "id: %s\n%s\n\n", command.out.text, frame), 0);
    held = topics_get("/topics/t?since=1&poll=1", "");
    ck_assert_str_eq(held, wanted);
    free(held);
    free(wanted);
    command_done(&command);
}

START_TEST(data_come_from_arguments_or_input)
{
    publishes("data: hello", NULL, WORDS("pub", "t", "hello"));
    publishes("data:", NULL, WORDS("pub", "t", ""));
    publishes("data: a\ndata: b", NULL, WORDS("pub", "t", "a\nb"));
    publishes("data: -1", NULL, WORDS("pub", "t", "--", "-1"));
    publishes("data: hello", "hello\n", WORDS("pub", "t"));
    publishes("data: hello", "hello", WORDS("pub", "t", "-"));
    publishes("data:\ndata: a\ndata:\ndata:", "\na\n\n\n", WORDS("pub", "t"));
    publishes("data:", "", WORDS("pub", "t"));
    publishes("data: hello", "hello\r\n", WORDS("pub", "t"));
    publishes("data: hello", "hello\r", WORDS("pub", "t"));
    publishes("data: a\ndata:", "a\n\r\n", WORDS("pub", "t"));
    publishes("data: a\ndata:", "a\r\r", WORDS("pub", "t"));
    publishes("data:", "\r\n", WORDS("pub", "t"));
    publishes("event: e\nretry: 1500\ndata: x", NULL,
              WORDS("pub", "--retry", "1500ms", "t", "x", "--event=e"));
    command_expect(0, "my id\n", "", NULL,
                   WORDS("pub", "t", "x", "--id", "my id"));
    command_expect(0, "", "", NULL, WORDS("pub", "-q", "t", "x"));
    topics_hold("/topics/b?since=all", "", "");
    publishes("data: both", NULL, WORDS("pub", "b,t", "both"));
    topics_hold("/topics/b?since=all", "", "both ");
    command_expect(1, "", "not valid UTF-8", "\xff", WORDS("pub", "t"));
}
END_TEST

START_TEST(an_object_is_made_of_words)
{
    publishes("data: {\"a\":\"1\",\"b c\":\"x=\\\"y\\\"\",\"é\":\"\"}", NULL,
              WORDS("pub", "--json", "t", "a=1", "b c=x=\"y\"", "é="));
    publishes("data: {\"n\":1.10,\"big\":12345678901234567890123,\"t\":true,"
              "\"z\":null,\"l\":[1, 2],\"s\":\"true\"}",
              NULL,
              WORDS("pub", "t", "n:=1.10", "big:=12345678901234567890123",
                    "t:=true", "z:=null", "l:=[1, 2]", "s=true", "--json"));
    publishes("data: {\"u\":\"\\u001B\\n\"}", NULL,
              WORDS("pub", "t", "u=\033\n", "--json"));
    publishes("data: {\"nul\":[\"a\\u0000b\"]}", NULL,
              WORDS("pub", "t", "nul:=[\"a\\u0000b\"]", "--json"));
    publishes("data: {\"http://x:y\":\"1\"}", NULL,
              WORDS("pub", "t", "http://x:y=1", "--json"));
}
END_TEST

START_TEST(an_id_is_there_once)
{
    command_expect(0, "1\n", "", NULL, WORDS("pub", "t", "a", "--id=1"));
    command_expect(1, "", "409: ", NULL, WORDS("pub", "t", "b", "--id=1"));
    command_expect(1, "", "an update with this id already exists", NULL,
                   WORDS("pub", "t", "b", "--id=1"));
    command_expect(0, "1\n", "", NULL,
                   WORDS("pub", "t", "c", "--id=1", "--dedupe"));
    topics_hold("/topics/t", "", "a ");
}
END_TEST

START_TEST(refusals_are_told)
{
    char large[] = "--max-update 100";
    struct crierd small;
    char server[64], body[128];

    command_expect(1, "", "403: topics whose names begin with '$'",
                   NULL, WORDS("pub", "$x", "a"));
    crierd_start(&small, large);
    snprintf(server, sizeof server, "127.0.0.1:%d", small.port);
    memset(body, 'x', 127);
    body[127] = '\0';
    command_expect(1, "", "413", NULL,
                   WORDS("pub", "t", body, "--server", server));
    command_expect(1, "", "413", body,
                   WORDS("pub", "t", "--lines", "--server", server));
    crierd_stop(&small);
}
END_TEST

START_TEST(a_terminal_is_told_more)
{
    struct command command;
    struct client client;

    topics_subscribe(&client, "/topics/t", "");
    command_start(&command, COMMAND_OUT_TERMINAL,
                  WORDS("pub", "t", "x", "--id=a\u202eb", "--dedupe"));
    ck_assert_int_eq(command_wait(&command), 0);
    ck_assert_str_eq(command.out.text, "published a\\u202eb to 1 subscriber\n");
    command_done(&command);
    command_start(&command, COMMAND_OUT_TERMINAL,
                  WORDS("pub", "t", "x", "--id=a\u202eb", "--dedupe"));
    ck_assert_int_eq(command_wait(&command), 0);
    ck_assert_str_eq(command.out.text, "a\\u202eb already exists\n");
    command_done(&command);
    client_close(&client);
    command_start(&command, COMMAND_IN_TERMINAL, WORDS("pub", "t"));
    output_wait(&command.err, "reading from the terminal; end with Ctrl-D\n");
    command_write(&command, "typed\n\004");
    ck_assert_int_eq(command_wait(&command), 0);
    command_done(&command);
    topics_hold("/topics/t?since=1", "", "typed ");
}
END_TEST

/* ---- lines ------------------------------------------------------------ */

/* Lines with the numbers FROM to TO. To be freed. */
static char *numbers(int from, int to)
{
    char *text = malloc((size_t)(to - from + 1) * 12 + 1), *at = text;
    int i;

    *at = '\0';
    for (i = from; i <= to; i++)
        at += sprintf(at, "%d\n", i);
    return text;
}

/* Fails unless TOPIC holds the numbers 1 to COUNT, each once and in order. */
static void check_numbers(const char *topic, int count)
{
    char *held, *wanted = numbers(1, count), target[64];

    snprintf(target, sizeof target, "/topics/%s?since=all&poll=1&format=raw",
             topic);
    held = topics_get(target, "");
    ck_assert_msg(strcmp(held, wanted) == 0, "%zu bytes, not %zu: ...%s",
                  strlen(held), strlen(wanted),
                  held + (strlen(held) > 300 ? strlen(held) - 300 : 0));
    free(held);
    free(wanted);
}

START_TEST(each_line_is_an_update)
{
    char *text = numbers(1, 10000);

    text[strlen(text) - 1] = '\0'; /* the last one without LF */
    command_expect(0, "", "", text, WORDS("pub", "--lines", "n"));
    check_numbers("n", 10000);
    free(text);
    command_expect(0, "", "", "a\r\n\n b\r\n\xc3\xa9",
                   WORDS("pub", "--lines", "t", "-", "--event=e"));
    text = topics_get("/topics/t?since=all&poll=1&format=raw", "");
    ck_assert_str_eq(text, "a\n\n b\n\xc3\xa9\n");
    free(text);
    text = topics_get("/topics/t?since=1&poll=1", "");
    ck_assert_ptr_nonnull(strstr(text, "\nevent: e\ndata: \xc3\xa9\n"));
    free(text);
    command_expect(0, "", "", "a\nb\r", WORDS("pub", "--lines", "cr"));
    text = topics_get("/topics/cr?since=all&poll=1&format=raw", "");
    ck_assert_str_eq(text, "a\nb\n");
    free(text);
    command_expect(0, "", "", "", WORDS("pub", "--lines", "t"));
    command_expect(1, "", "lines published: 1\n", "good\n\xff\nnever\n",
                   WORDS("pub", "--lines", "u"));
    command_expect(1, "", "line 1: text is not valid UTF-8", "\xff",
                   WORDS("pub", "--lines", "u"));
    topics_hold("/topics/u", "", "good ");
}
END_TEST

/* Fails unless `crier WORDS...` ends with STATUS, and says ERR and that
 * PUBLISHED lines were published, after the line "a", while more may come. */
static void gives_up(int status, const char *err, const char *published,
                     const char *const *words)
{
    struct command command;

    command_start(&command, 0, words);
    command_write(&command, "a\n");
    ck_assert_int_eq(command_wait(&command), status);
    ck_assert_msg(strstr(command.err.text, err) != NULL, "'%s'",
                  command.err.text);
    ck_assert_ptr_nonnull(strstr(command.err.text, published));
    command_done(&command);
}

/* How many updates TARGET holds. */
static size_t topics_count(const char *target)
{
    char *answer, *at;
    size_t count = 0;
    int status = fetch(topics_port, "GET", target, "Accept: application/json\r\n", NULL,
                       &answer);

    if (status == 200 && (at = strstr(answer, "\"updates\":")) != NULL)
        count = strtoul(at + strlen("\"updates\":"), NULL, 10);
    free(answer);
    return count;
}

START_TEST(the_last_update_ends_the_topic)
{
    struct command command;

    command_expect(0, NULL, "", NULL, WORDS("pub", "a", "x", "--last", "--id=1"));
    command_expect(0, "1\n", "", NULL,
                   WORDS("pub", "a", "x", "--last", "--id=1", "--dedupe"));
    command_expect(1, "", "the topic has ended: 'a'", NULL, WORDS("pub", "a", "y"));
    command_expect(1, "", "the topic has ended: 'a'", NULL,
                   WORDS("pub", "a", "y", "--id=2"));
    command_expect(1, "", "already exists", NULL, WORDS("pub", "a", "y", "--id=1"));

    /* Of lines it is the last one. */
    command_start(&command, 0, WORDS("pub", "b", "--lines", "--last"));
    command_write(&command, "1\n2\n");
    while (topics_count("/topics/b") < 1)
        sched_yield();
    ck_assert_uint_eq(topics_count("/topics/b"), 1);
    command_write(&command, "3\n");
    command_close_input(&command);
    ck_assert_int_eq(command_wait(&command), 0);
    command_done(&command);
    topics_hold("/topics/b?poll=1", "", "1 2 3 ");
    command_expect(1, "", "the topic has ended: 'b'", "4\n",
                   WORDS("pub", "b", "--lines"));
    command_expect(0, "", "", "", WORDS("pub", "c", "--lines", "--last"));
    topics_put("/topics/c", "1");
}
END_TEST

START_TEST(a_refusal_is_told_before_the_next_line)
{
    struct foreign server;
    struct command command;
    int descriptor, port = port_hold(&descriptor);
    char nobody[64];

    gives_up(1, "403: topics whose names begin", "lines published: 0\n",
             WORDS("pub", "--lines", "$x"));
    snprintf(nobody, sizeof nobody, "http://127.0.0.1:%d", port);
    gives_up(3, "; timed out\n", "lines published: 0\n",
             WORDS("pub", "--lines", "t", "--timeout=10ms", "--server",
                   nobody));
    close(descriptor);
    /* one that is refused later, in the midst of a line */
    foreign_start(&server);
    foreign_answer(&server, "200 OK", "", "{\"published\":1,\"id\":\"1\"}");
    command_start(&command, 0,
                  WORDS("pub", "--lines", "t", "--server", server.url));
    command_write(&command, "a\n");
    foreign_request(&server, 0);
    command_write(&command, "b\nc");
    foreign_request(&server, 1);
    foreign_answer(&server, "403 Forbidden", "", "{\"detail\":\"enough\"}");
    ck_assert_int_eq(command_wait(&command), 1);
    ck_assert_ptr_nonnull(strstr(command.err.text, "403: enough\n"));
    ck_assert_ptr_nonnull(strstr(command.err.text, "lines published: 1\n"));
    command_done(&command);
    foreign_stop(&server);
}
END_TEST

START_TEST(a_terminal_sees_the_progress)
{
    struct command command;

    command_start(&command, COMMAND_ERR_TERMINAL,
                  WORDS("pub", "--lines", "t"));
    output_wait(&command.err, "\r\033[K0 sent  0/s  0 errors");
    command_write(&command, "1\n2\n3\n");
    output_wait(&command.err, "\r\033[K3 sent  ");
    ck_assert(!output_has(&command.err, "\n"));
    command_close_input(&command);
    ck_assert_int_eq(command_wait(&command), 0);
    ck_assert_ptr_nonnull(strstr(command.err.text, "\r\033[K3 sent in "));
    ck_assert_ptr_nonnull(strstr(command.err.text, "/s  0 errors\n"));
    command_done(&command);
    command_start(&command, COMMAND_ERR_TERMINAL,
                  WORDS("pub", "--lines", "t", "-q"));
    command_close_input(&command);
    ck_assert_int_eq(command_wait(&command), 0);
    ck_assert_str_eq(command.err.text, "");
    command_done(&command);
}
END_TEST

/* ---- a server that is away -------------------------------------------- */

START_TEST(a_server_that_starts_late_is_waited_for)
{
    struct command command;
    struct crierd late;
    char server[64], wanted[128];
    int descriptor, port = port_hold(&descriptor);

    snprintf(server, sizeof server, "http://127.0.0.1:%d", port);
    command_start(&command, 0, WORDS("pub", "t", "x", "--server", server));
    snprintf(wanted, sizeof wanted,
             "crier: %s: cannot connect: Connection refused; retrying in 0.",
             server);
    output_wait(&command.err, wanted);
    crierd_start_on(&late, port, "");
    ck_assert_int_eq(command_wait(&command), 0);
    ck_assert_ptr_nonnull(strchr(command.out.text, '\n'));
    command_done(&command);
    topics_port = port;
    topics_hold("/topics/t", "", "x ");
    crierd_stop(&late);
    close(descriptor);
}
END_TEST

START_TEST(the_time_is_up_one_day)
{
    struct command command;
    char server[64];
    int descriptor;

    snprintf(server, sizeof server, "http://127.0.0.1:%d",
             port_hold(&descriptor));
    ck_assert_int_eq(command_run(&command, NULL,
                                 WORDS("pub", "t", "x", "--timeout=1s", "--server", server)),
                     3);
    ck_assert_str_eq(command.out.text, "");
    /* The last attempt may have begun too late to be refused. */
    ck_assert_ptr_nonnull(strstr(command.err.text, "Connection refused; "));
    ck_assert_ptr_nonnull(strstr(command.err.text, "; timed out\n"));
    command_done(&command);
    command_expect(
        3, "", "lines published: 0\n", "a\nb\n",
        WORDS("pub", "t", "--lines", "--timeout=1s", "--server", server));
    close(descriptor);
}
END_TEST

/* Waits until the last number that is held is at least NUMBER. */
static void wait_for_number(int number)
{
    int last = 0;
    char *text;

    while (last < number) {
        text = topics_get("/topics/n?since=1&poll=1&format=raw", "");
        last = atoi(text);
        free(text);
    }
}

/* Killed and started again while lines come: in the midst of them, and when
 * nothing or all has come. */
START_TEST(a_crash_of_the_server_loses_and_doubles_nothing)
{
    struct command command;
    struct crierd durable;
    char server[64], *text;
    int descriptor, port = port_hold(&descriptor), i;

    crierd_start_on(&durable, port, journal);
    topics_port = port;
    snprintf(server, sizeof server, "127.0.0.1:%d", port);
    command_start(&command, 0,
                  WORDS("pub", "n", "--lines", "--server", server));
    for (i = 0; i < 6; i++) {
        text = numbers(1 + i * 400, 400 + i * 400);
        command_write(&command, text);
        free(text);
        if (i % 3 != 0)
            wait_for_number(i % 3 == 1 ? i * 400 + 1 : i * 400 + 400);
        crierd_kill(&durable);
        crierd_start_on(&durable, port, journal);
    }
    command_close_input(&command);
    ck_assert_int_eq(command_wait(&command), 0);
    command_done(&command);
    check_numbers("n", 2400);
    crierd_stop(&durable);
    close(descriptor);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("crier pub");
    TCase *c = add_case(s, "pub");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, data_come_from_arguments_or_input);
    tcase_add_test(c, an_object_is_made_of_words);
    tcase_add_test(c, an_id_is_there_once);
    tcase_add_test(c, refusals_are_told);
    tcase_add_test(c, a_terminal_is_told_more);
    tcase_add_test(c, each_line_is_an_update);
    tcase_add_test(c, the_last_update_ends_the_topic);
    tcase_add_test(c, a_refusal_is_told_before_the_next_line);
    tcase_add_test(c, a_terminal_sees_the_progress);
    tcase_add_test(c, a_server_that_starts_late_is_waited_for);
    tcase_add_test(c, the_time_is_up_one_day);
    tcase_add_test(c, a_crash_of_the_server_loses_and_doubles_nothing);
    return s;
}

RUN_SUITE(suite)
