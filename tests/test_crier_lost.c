/*
 * crier sub when something fails in the middle: the connection, with a server that
 * sends what crierd sends only after a failure; or its output, because its reader
 * stopped.
 */
#include <config.h>

#include "crier.h"
#include "support/command.h"
#include "support/foreign.h"
#include "support/runner.h"
#include "support/scratch.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct foreign server;
static char state[64]; /* a path for --state */

static void setup(void)
{
    scratch_make();
    snprintf(state, sizeof state, "%s/state", scratch);
    foreign_start(&server);
    command_environment(server.port);
}

static void teardown(void)
{
    foreign_stop(&server);
    scratch_remove();
}

/* ---- --once ----------------------------------------------------------- */

START_TEST(once_is_all_that_is_held)
{
    const struct foreign_request *request;

    foreign_stream(&server);
    foreign_say(&server, "id: 1\ndata: a\n\n: ping\n\n");
    foreign_close(&server); /* in good order, but not at the end */
    foreign_stream(&server);
    foreign_say(&server, "id: 2\ndata: b\n\nid: 3\ndata: c");
    foreign_reset(&server);
    foreign_answer(&server, "503 Soon", "", "");
    foreign_stream(&server);
    foreign_say(&server, "id: 3\ndata: c\n\n: end\n");
    foreign_hold(&server); /* and it does not wait for more */
    command_expect(0, "a\nb\nc\n", "crier: connection lost: ", NULL,
                   WORDS("sub", "n", "--once", "--retry=10ms"));
    request = foreign_request(&server, 0);
    ck_assert_str_eq(request->target, "/topics/n?format=full&start=id&poll=1");
    ck_assert(!foreign_has(request, "Last-Event-ID"));
    request = foreign_request(&server, 1);
    ck_assert_str_eq(request->target, "/topics/n?format=full&start=id&poll=1");
    ck_assert_str_eq(foreign_header(request, "Last-Event-ID"), "1");
    request = foreign_request(&server, 3);
    ck_assert_str_eq(foreign_header(request, "Last-Event-ID"), "2");
}
END_TEST

/* On a busy machine the event, too, may take too long. */
START_TEST(once_may_take_too_long)
{
    struct command command;
    char timeout[32];
    bool came = false;
    int seconds;

    for (seconds = 1; !came; seconds *= 2) {
        foreign_stream(&server);
        foreign_say(&server, "id: 1\ndata: a\n\n");
        foreign_hold(&server);
        snprintf(timeout, sizeof timeout, "--timeout=%ds", seconds);
        ck_assert_int_eq(command_run(&command, NULL, WORDS("sub", "n", "--once", timeout)), 3);
        ck_assert_str_eq(command.err.text, "");
        came = command.out.length != 0;
        if (came)
            ck_assert_str_eq(command.out.text, "a\n");
        command_done(&command);
    }
    foreign_stream(&server);
    foreign_say(&server, ": end\n");
    foreign_hold(&server);
    command_expect(0, "", "", NULL,
                   WORDS("sub", "n", "--once", "--timeout=1h"));
}
END_TEST

/* ---- before the first event ------------------------------------------- */

static const char *const begins[] = {
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
    "Last-Event-ID: #e-5\r\nConnection: close\r\n\r\n:\n",
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
    "Connection: close\r\n\r\nid: #e-5\n\n"};

/* By the response field, or by the block with an id. */
START_TEST(it_goes_on_where_the_stream_began)
{
    const struct foreign_request *request;

    foreign_say(&server, "%s", begins[_i]);
    foreign_reset(&server);
    foreign_stream(&server);
    foreign_say(&server, "id: 6\ndata: x\n\n");
    foreign_hold(&server);
    command_expect(0, "x\n", "crier: connection lost: ", NULL,
                   WORDS("sub", "n", "--retry=10ms", "--count=1"));
    request = foreign_request(&server, 0);
    ck_assert_str_eq(request->target, "/topics/n?format=full&start=id");
    ck_assert(!foreign_has(request, "Last-Event-ID"));
    request = foreign_request(&server, 1);
    ck_assert_str_eq(request->target, "/topics/n?format=full&start=id");
    ck_assert_str_eq(foreign_header(request, "Last-Event-ID"), "#e-5");
}
END_TEST

/* It also receives what is published before its first connection. */
START_TEST(it_asks_for_what_came_before_it_was_connected)
{
    static const char since[] = "/topics/n?format=full&start=id&since=";
    const struct foreign_request *request;
    unsigned long long ms;
    int i;

    foreign_answer(&server, "503 Soon", "", "");
    foreign_answer(&server, "503 Soon", "", "");
    foreign_stream(&server);
    foreign_say(&server, "id: 6\ndata: x\n\n");
    foreign_reset(&server);
    foreign_stream(&server);
    foreign_say(&server, "data: y\n\n");
    foreign_hold(&server);
    command_expect(0, "x\ny\n", "503", NULL,
                   WORDS("sub", "n", "--retry=10ms", "--count=2"));
    request = foreign_request(&server, 0);
    ck_assert_str_eq(request->target, "/topics/n?format=full&start=id");
    for (i = 1; i < 4; i++) {
        request = foreign_request(&server, (size_t)i);
        ck_assert_int_eq(strncmp(request->target, since, strlen(since)), 0);
        ck_assert_int_eq(
            sscanf(request->target + strlen(since), "%llums", &ms), 1);
        ck_assert_uint_ge(ms, 10);
    }
    ck_assert_str_eq(foreign_header(request, "Last-Event-ID"), "6");
}
END_TEST

START_TEST(the_url_of_another_server_is_left_alone)
{
    const struct foreign_request *request;
    char url[128];

    foreign_answer(&server, "503 Soon", "", "");
    foreign_stream(&server);
    foreign_say(&server, "data: x\n\n");
    foreign_hold(&server);
    snprintf(url, sizeof url, "%s/topics/n?a=b", server.url);
    command_expect(0, "x\n", "503", NULL,
                   WORDS("sub", url, "--retry=10ms", "--count=1"));
    request = foreign_request(&server, 0);
    ck_assert_str_eq(request->target, "/topics/n?a=b");
    request = foreign_request(&server, 1);
    ck_assert_str_eq(request->target, "/topics/n?a=b");
}
END_TEST

/* ---- waits ------------------------------------------------------------ */

/* The seconds that note number N (from 0) says it will wait. */
static double wait_in(const char *text, int n)
{
    static const char says[] = "ing in ";

    do
        text = strstr(text, says);
    while (text != NULL && n-- > 0 && (text += strlen(says)) != NULL);
    ck_assert_ptr_nonnull(text);
    return strtod(text + strlen(says), NULL);
}

/* A stream that ends before anything is heard brings nothing. */
START_TEST(waits_double_until_something_comes)
{
    struct command command;
    int i;

    for (i = 0; i < 6; i++) {
        foreign_stream(&server);
        foreign_close(&server);
    }
    foreign_stream(&server);
    foreign_say(&server, ":\n");
    foreign_close(&server);
    foreign_stream(&server);
    foreign_hold(&server);
    command_start(&command, 0, WORDS("sub", "n", "--retry=10ms"));
    foreign_request(&server, 7);
    ck_assert_int_eq(command_stop(&command, SIGTERM), 0);
    ck_assert_double_le(wait_in(command.err.text, 0), 0.02);
    ck_assert_double_ge(wait_in(command.err.text, 5), 0.3);
    ck_assert_double_le(wait_in(command.err.text, 6), 0.02);
    command_done(&command);
}
END_TEST

START_TEST(a_server_says_how_long_to_wait)
{
    struct command command;

    foreign_stream(&server);
    foreign_say(&server, "retry: 20\n\n");
    foreign_close(&server);
    foreign_answer(&server, "503 Busy", "", "");
    foreign_answer(&server, "503 Busy", "Retry-After: 1\r\n", "");
    command_start(&command, 0, WORDS("sub", "n"));
    output_wait(&command.err, "ing in 1.0 s\n"); /* not four times that */
    ck_assert_int_eq(command_stop(&command, SIGTERM), 0);
    ck_assert_double_le(wait_in(command.err.text, 0), 0.1);
    ck_assert_double_le(wait_in(command.err.text, 1), 0.1);
    command_done(&command);
}
END_TEST

/* Also where it is more than doubling would come to; of a new client, and of
 * one that comes back. */
START_TEST(the_first_wait_is_as_asked_for)
{
    struct command command;

    foreign_stream(&server);
    foreign_say(&server, "%s", _i == 0 ? "" : "id: 1\ndata: x\n\n");
    foreign_close(&server);
    command_start(&command, 0, WORDS("sub", "n", "--retry=2m"));
    output_wait(&command.err, "ing in ");
    ck_assert_int_eq(command_stop(&command, SIGTERM), 0);
    ck_assert_double_ge(wait_in(command.err.text, 0), 120);
    command_done(&command);
}
END_TEST

/* ---- output ----------------------------------------------------------- */

/* Sends SIGTERM to a crier that waits for its reader, and waits until it knows
 * of that. */
static void terminate(const struct command *command)
{
    ck_assert_int_eq(kill(command->pid, SIGTERM), 0);
    command_wait_taken(command);
}

/* Starts `crier sub n --state` on three events, of which the second and third
 * are longer than a pipe, and whose reader does not read. Returns false if the time that
 * OPTION gives was over before the pipe was full: then the command has ended. */
static bool start_unread(struct command *command, const char *option)
{
    char large[200001];

    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    foreign_stream(&server);
    foreign_say(&server, "id: 1\ndata: a\n\n");
    foreign_say(&server, "id: 2\ndata: %s\n\n", large);
    foreign_say(&server, "id: 3\ndata: %s\n\n", large);
    foreign_hold(&server);
    command_start(command, COMMAND_OUT_UNREAD,
                  WORDS("sub", "n", "--state", state, option));
    return command_wait_full(command);
}

static void check_state(const char *expected)
{
    char line[64] = "";
    FILE *file = fopen(state, "r");

    ck_assert_ptr_nonnull(file);
    ck_assert((fgets(line, sizeof line, file) != NULL) == (*expected != '\0'));
    fclose(file);
    ck_assert_str_eq(line, expected);
}

START_TEST(an_event_is_written_to_its_end)
{
    struct command command;

    ck_assert(start_unread(&command, "-v"));
    /* The time that it has for the rest begins when there is a reader. */
    ck_assert_int_eq(kill(command.pid, SIGSTOP), 0);
    ck_assert_int_eq(kill(command.pid, SIGTERM), 0);
    command_read(&command);
    ck_assert_int_eq(kill(command.pid, SIGCONT), 0);
    ck_assert_int_eq(command_wait(&command), 0);
    ck_assert_uint_eq(command.out.length, strlen("a\n") + 200001);
    ck_assert_int_eq(command.out.text[command.out.length - 1], '\n');
    command_done(&command);
    check_state("2\n");
}
END_TEST

/* COMMAND, whose output was full, ends: with the second event cut, and says so. */
static void expect_cut(struct command *command)
{
    command_wait_end(command);
    command_read(command);
    ck_assert_int_eq(command_wait(command), 1);
    ck_assert_uint_lt(command->out.length, 200000);
    ck_assert_ptr_nonnull(strstr(command->err.text, "its last event is incomplete\n"));
    command_done(command);
    check_state("1\n");
}

/* On a busy machine the time may be over before an event is begun. */
START_TEST(an_event_that_is_cut_is_told)
{
    struct command command;
    char timeout[32];
    int seconds = 1;

    snprintf(timeout, sizeof timeout, "--timeout=%ds", seconds);
    while (!start_unread(&command, timeout)) {
        command_read(&command);
        ck_assert_int_eq(command_wait(&command), 0);
        command_done(&command);
        seconds *= 2;
        snprintf(timeout, sizeof timeout, "--timeout=%ds", seconds);
    }
    expect_cut(&command);
}
END_TEST

/* The time for the rest of an event, in ms: output.c. */
#define GRACE 2000

/* One of several tries may be slow for other reasons; not all. */
START_TEST(a_second_signal_leaves_no_time)
{
    struct command command;
    uint64_t begun, took, least = UINT64_MAX;
    int i;

    for (i = 0; i < 3 && least >= GRACE; i++) {
        ck_assert(start_unread(&command, "-v"));
        begun = crier_now();
        terminate(&command);
        ck_assert_int_eq(kill(command.pid, SIGTERM), 0);
        command_wait_end(&command);
        took = crier_now() - begun;
        if (took < least)
            least = took;
        expect_cut(&command);
    }
    ck_assert_uint_lt(least, GRACE);
}
END_TEST

/* Has a shell run crier with REDIRECTIONS, after LIMIT ("" for none). */
static void wrap(const char *limit, const char *redirections)
{
    const char *wrapper = getenv("CRIERD_WRAPPER");
    char script[64], all[512];
    FILE *file;

    snprintf(script, sizeof script, "%s/wrap", scratch);
    snprintf(all, sizeof all, "sh %s %s", script,
             wrapper != NULL ? wrapper : "");
    file = fopen(script, "w");
    ck_assert_ptr_nonnull(file);
    fprintf(file, "%s\nexec \"$@\" %s\n", limit, redirections);
    fclose(file);
    setenv("CRIERD_WRAPPER", all, 1);
}

/* Output that no reader can have received does not count as printed. */
START_TEST(a_closed_output_is_an_error)
{
    wrap("", ">&-");
    foreign_stream(&server);
    foreign_say(&server, "id: 1\ndata: a\n\n: end\n\n");
    foreign_hold(&server);
    command_expect(1, "", "crier: cannot write: Bad file descriptor\n", NULL,
                   WORDS("sub", "n", "--once", "--state", state));
    check_state("");
    foreign_answer(&server, "200 OK", "", "{\"status\":\"ok\"}");
    command_expect(1, "", "crier: cannot write: Bad file descriptor\n", NULL,
                   WORDS("ping"));
}
END_TEST

START_TEST(a_closed_input_is_an_error)
{
    wrap("", "<&-");
    command_expect(
        1, "", "crier: cannot read standard input: Bad file descriptor\n",
        NULL,
        _i == 0 ? WORDS("pub", "n") : WORDS("pub", "n", "--lines", "-q"));
    ck_assert_uint_eq(foreign_requests(&server), 0);
}
END_TEST

/* What is opened first must not take the place of a file that is closed. */
START_TEST(no_socket_takes_the_place_of_a_closed_file)
{
    wrap("", "<&- >&- 2>&-");
    foreign_stream(&server);
    foreign_say(&server, "data: a\n\n: end\n\n");
    foreign_hold(&server);
    command_expect(1, "", "", NULL, WORDS("sub", "n", "-v", "--once"));
    ck_assert_uint_eq(foreign_request(&server, 0)->length, 0);
}
END_TEST

/* Events after a file has grown as far as it may. */
START_TEST(a_file_that_may_not_grow_is_a_full_disk)
{
    char redirection[80], path[64], bytes[600] = "";
    FILE *file;

    snprintf(path, sizeof path, "%s/out", scratch);
    snprintf(redirection, sizeof redirection, ">%s", path);
    wrap("ulimit -f 1", redirection); /* 512 bytes */
    foreign_stream(&server);
    foreign_say(&server, "id: 1\ndata: %0300d\n\n", 1);
    foreign_say(&server, "id: 2\ndata: %0300d\n\n", 2);
    foreign_hold(&server);
    command_expect(1, "", "crier: cannot write: File too large\n", NULL,
                   WORDS("sub", "n", "--state", state));
    check_state("1\n");
    file = fopen(path, "r");
    ck_assert_uint_eq(fread(bytes, 1, sizeof bytes, file), 512);
    fclose(file);
}
END_TEST

/* ---- state ------------------------------------------------------------ */

static const struct {
    const char *bytes;
    size_t length;
} no_ids[] = {{"two\nlines\n", 10}, {"a\rb\n", 4}, {"a\0b\n", 4},
              {"\xff\n", 2},        {"a\n\n", 3},    {" \n", 2},
              {"a\t\n", 3}};

START_TEST(a_state_holds_an_id)
{
    FILE *file = fopen(state, "w");
    char says[128];

    fwrite(no_ids[_i].bytes, 1, no_ids[_i].length, file);
    fclose(file);
    snprintf(says, sizeof says, "crier: the state file %s does not contain an id",
             state);
    command_expect(1, "", says, NULL, WORDS("sub", "n", "--state", state));
}
END_TEST

/* An id that no header field can carry: crier ends, since it could not resume. */
START_TEST(an_id_that_cannot_be_sent_is_an_error)
{
    char url[80];

    snprintf(url, sizeof url, "%s/", server.url);
    foreign_answer(&server, "200 OK", "Content-Type: text/event-stream\r\n",
                   "retry: 1\nid:  \ndata: x\n\n");
    command_expect(1, "x\n", "the last event id cannot be sent", NULL,
                   WORDS("sub", url));
}
END_TEST

/* Subscribes with --state PATH for one event, with the id ID. */
static void subscribe_once(const char *path, const char *id)
{
    foreign_stream(&server);
    foreign_say(&server, "id: %s\ndata: x\n\n", id);
    foreign_hold(&server);
    command_expect(0, "x\n", "", NULL,
                   WORDS("sub", "n", "--state", path, "--count=1"));
}

static mode_t mode_of(const char *path)
{
    struct stat status;

    ck_assert_int_eq(lstat(path, &status), 0);
    return status.st_mode;
}

START_TEST(a_state_stays_what_it_is)
{
    char link[64], lock[64];

    umask(022);
    subscribe_once(state, "1");
    ck_assert_uint_eq(mode_of(state), S_IFREG | 0644);
    ck_assert_int_eq(chmod(state, 0600), 0);
    subscribe_once(state, "2");
    ck_assert_uint_eq(mode_of(state), S_IFREG | 0600);
    /* by a link, also one without a target yet, as it is seen from there */
    snprintf(link, sizeof link, "%s/link", scratch);
    snprintf(lock, sizeof lock, "%s/link-lock", scratch);
    ck_assert_int_eq(symlink("state", link), 0);
    subscribe_once(link, "3");
    check_state("3\n");
    ck_assert_int_eq(unlink(state), 0);
    subscribe_once(link, "4");
    check_state("4\n");
    ck_assert(S_ISLNK(mode_of(link)));
    ck_assert_int_ne(access(lock, F_OK), 0);
}
END_TEST

/* ---- topics ----------------------------------------------------------- */

static const struct {
    const char *name;
    bool noted;
} names[] = {
    {"127.0.0.1:8080/ticks", true}, {"[::1]:80/x", true},
    {"http:/x", true},              {"HTTPS:x", true},
    {"localhost", true},            {"a:b/c", false},
    {"a:5", false},                 {"a/5", false},
};

START_TEST(a_topic_like_a_url_is_noted)
{
    char says[128] = "";

    if (names[_i].noted)
        snprintf(says, sizeof says,
                 "crier: subscribing to the topic '%s'; "
                 "a URL begins with http://\n",
                 names[_i].name);
    foreign_answer(&server, "204 No Content", "", "");
    command_expect(0, "", says, NULL, WORDS("sub", names[_i].name));
    foreign_answer(&server, "204 No Content", "", "");
    command_expect(0, "", "", NULL, WORDS("sub", "-q", names[_i].name));
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("crier sub, broken off");
    TCase *c = add_case(s, "lost");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, once_is_all_that_is_held);
    tcase_add_test(c, an_id_that_cannot_be_sent_is_an_error);
    tcase_add_test(c, once_may_take_too_long);
    tcase_add_loop_test(c, it_goes_on_where_the_stream_began, 0, 2);
    tcase_add_test(c, it_asks_for_what_came_before_it_was_connected);
    tcase_add_test(c, the_url_of_another_server_is_left_alone);
    tcase_add_test(c, waits_double_until_something_comes);
    tcase_add_test(c, a_server_says_how_long_to_wait);
    tcase_add_loop_test(c, the_first_wait_is_as_asked_for, 0, 2);
    tcase_add_test(c, an_event_is_written_to_its_end);
    tcase_add_test(c, an_event_that_is_cut_is_told);
    tcase_add_test(c, a_second_signal_leaves_no_time);
    tcase_add_test(c, a_closed_output_is_an_error);
    tcase_add_loop_test(c, a_closed_input_is_an_error, 0, 2);
    tcase_add_test(c, no_socket_takes_the_place_of_a_closed_file);
    tcase_add_test(c, a_file_that_may_not_grow_is_a_full_disk);
    tcase_add_loop_test(c, a_state_holds_an_id, 0,
                        (int)(sizeof no_ids / sizeof no_ids[0]));
    tcase_add_test(c, a_state_stays_what_it_is);
    tcase_add_loop_test(c, a_topic_like_a_url_is_noted, 0,
                        (int)(sizeof names / sizeof names[0]));
    return s;
}

RUN_SUITE(suite)
