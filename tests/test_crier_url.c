/*
 * crier sub URL: servers that know nothing of Crier, and what a terminal gets
 * to see of those that are hostile.
 */
#include <config.h>

#include "support/command.h"
#include "support/foreign.h"
#include "support/runner.h"
#include "support/scratch.h"

#include <curl/curl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct foreign server;
static char url[80];

static void setup(void)
{
    scratch_make();
    command_environment(0);
    foreign_start(&server);
    snprintf(url, sizeof url, "%s/stream?a=b", server.url);
}

static void teardown(void)
{
    foreign_stop(&server);
    scratch_remove();
}

START_TEST(any_server_will_do)
{
    const struct foreign_request *request;
    struct command command;

    foreign_stream(&server);
    foreign_say(&server, ": hello\nretry: 20\n\nid: 1\ndata: one\n\n"
                         "event: x\ndata: two\ndata:\n\nid: ");
    foreign_reset(&server);
    foreign_stream(&server);
    foreign_say(&server, "id: 3\ndata: three\n\n");
    foreign_close(&server);
    foreign_answer(&server, "503 Later", "", "");
    foreign_answer(&server, "204 No Content", "", "");
    ck_assert_int_eq(command_run(&command, NULL, WORDS("sub", url)), 0);
    ck_assert_str_eq(command.out.text, "one\ntwo\n\nthree\n");
    ck_assert_ptr_nonnull(strstr(command.err.text, "reconnected\n"));
    ck_assert_ptr_nonnull(strstr(command.err.text,
                                 "connection lost: the server answered with "
                                 "status 503; reconnecting in 0.0 s\n"));
    command_done(&command);
    request = foreign_request(&server, 0);
    ck_assert_str_eq(request->method, "GET");
    ck_assert_str_eq(request->target, "/stream?a=b");
    ck_assert_str_eq(foreign_header(request, "Accept"), "text/event-stream");
    ck_assert(!foreign_has(request, "Last-Event-ID"));
    request = foreign_request(&server, 1);
    ck_assert_str_eq(foreign_header(request, "Last-Event-ID"), "1");
    request = foreign_request(&server, 3);
    ck_assert_str_eq(foreign_header(request, "Last-Event-ID"), "3");
}
END_TEST

START_TEST(json_says_what_is_known)
{
    foreign_stream(&server);
    foreign_say_bytes(&server, "data: a\0b\n\n", 11);
    foreign_say(&server, "id: 1\nevent: x\ndata: \n\ndata: \xff\n\n");
    foreign_say(&server, "topics: a,b\ntime: now\ndata: 1\n\nid\ndata:2\n\n");
    foreign_hold(&server);
    command_expect(0,
                   "{\"data\":\"a\\u0000b\"}\n"
                   "{\"id\":\"1\",\"event\":\"x\",\"data\":\"\"}\n"
                   "{\"data\":\"\xef\xbf\xbd\"}\n"
                   "{\"time\":\"now\",\"topics\":[\"a\",\"b\"],"
                   "\"data\":\"1\"}\n"
                   "{\"data\":\"2\"}\n",
                   "", NULL, WORDS("sub", url, "--json", "--count=5"));
}
END_TEST

START_TEST(a_terminal_shows_when)
{
    struct command command;

    setenv("NO_COLOR", "1", 1);
    foreign_stream(&server);
    foreign_say(&server, "topics: t\ntime: 2026-01-02T03:04:05.678Z\n"
                         "data: x\n\nevent: e\ndata: y\n\n");
    foreign_hold(&server);
    command_start(&command, COMMAND_OUT_TERMINAL,
                  WORDS("sub", url, "--count=2"));
    ck_assert_int_eq(command_wait(&command), 0);
    ck_assert_ptr_eq(strstr(command.out.text, "03:04:05 t  x\n"),
                     command.out.text);
    ck_assert_str_eq(command.out.text + strlen("03:04:05 t  x\n00:00:00"),
                     " e  y\n");
    command_done(&command);
}
END_TEST

START_TEST(a_nul_is_on_stdin_alone)
{
    foreign_stream(&server);
    foreign_say_bytes(&server, "event: e\0\ndata: a\0b\n\n", 21);
    foreign_hold(&server);
    command_expect(0, "none none a.b.\n", "", NULL,
                   WORDS("sub", url, "--count=1", "--exec", "sh", "-c",
                         "echo ${CRIER_DATA-none} ${CRIER_EVENT-none} "
                         "$(tr '\\000' . ; echo .)"));
}
END_TEST

START_TEST(a_state_is_emptied_by_an_empty_id)
{
    char path[64];
    struct stat status;

    snprintf(path, sizeof path, "%s/state", scratch);
    foreign_stream(&server);
    foreign_say(&server, "id: 7\ndata: a\n\ndata: b\n\nid\ndata: c\n\n");
    foreign_hold(&server);
    command_expect(0, "a\nb\n", "", NULL,
                   WORDS("sub", url, "--state", path, "--count=2"));
    foreign_stream(&server);
    foreign_say(&server, "id\ndata: c\n\n");
    foreign_hold(&server);
    command_expect(
        0, "c\n", "", NULL,
        WORDS("sub", url, "--state", path, "--count=1", "--last-event-id=1"));
    ck_assert_str_eq(
        foreign_header(foreign_request(&server, 1), "Last-Event-ID"), "7");
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_int_eq(status.st_size, 0);
    foreign_stream(&server);
    foreign_say(&server, "data: c\n\n");
    foreign_hold(&server);
    command_expect(0, "c\n", "", NULL,
                   WORDS("sub", url, "--state", path, "--count=1"));
    ck_assert(!foreign_has(foreign_request(&server, 2), "Last-Event-ID"));
}
END_TEST

START_TEST(the_request_is_what_is_asked_for)
{
    const struct foreign_request *request;

    foreign_stream(&server);
    foreign_say(&server, "data: x\n\n");
    foreign_hold(&server);
    command_expect(0, "x\n", "", NULL,
                   WORDS("sub", url, "--data", "{\"a\":1}", "--count=1", "-H",
                         "X-One: 1", "--header=Content-Type: text/x",
                         "--last-event-id=é"));
    request = foreign_request(&server, 0);
    ck_assert_str_eq(request->method, "POST");
    ck_assert_str_eq(request->body, "{\"a\":1}");
    ck_assert_str_eq(foreign_header(request, "X-One"), "1");
    ck_assert_str_eq(foreign_header(request, "Content-Type"), "text/x");
    ck_assert_str_eq(foreign_header(request, "Last-Event-ID"), "é");
    foreign_answer(&server, "204 No Content", "", "");
    command_expect(0, "", "", NULL, WORDS("sub", url, "--method=REPORT"));
    ck_assert_str_eq(foreign_request(&server, 1)->method, "REPORT");
}
END_TEST

/* How a stream may end without a reconnection. */
static const struct {
    const char *answer; /* behind the status line */
    const char *words[6];
    int status;
    const char *says; /* "" for nothing */
} ends[] = {
    {"\r\ndata: x\n\n", {"--data=q"}, 0, ""},
    {"Content-Length: 9\r\n\r\ndata: x\n\n", {"--method=PATCH"}, 0, ""},
    {"Content-Length: 9\r\n\r\ndata: x\n\n", {"--no-reconnect"}, 0, ""},
    {"Content-Length: 9\r\n\r\ndata: x\n\n",
     {"--reconnect", "--no-reconnect"},
     0,
     ""},
    {"Content-Length: 9\r\n\r\ndata: x\n\n",
     {"--data=q", "--count=2"},
     5,
     ": the stream ended before --count was complete\n"},
    {"Content-Length: 9\r\n\r\ndata: x\n\n", {"--data=q", "--count=1"}, 0, ""},
    {"Content-Length: 99\r\n\r\ndata: x\n\n",
     {"--data=q"},
     5,
     "crier: connection lost: "},
    {"Transfer-Encoding: chunked\r\n\r\n9\r\ndata: x\n\n\r\n",
     {"--no-reconnect"},
     5,
     "crier: connection lost: "},
};

START_TEST(a_request_is_made_once)
{
    const char *words[8] = {"sub", url};
    size_t i;

    for (i = 0; ends[_i].words[i] != NULL; i++)
        words[2 + i] = ends[_i].words[i];
    foreign_say(&server,
                "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n%s",
                ends[_i].answer);
    foreign_close(&server);
    command_expect(ends[_i].status, "x\n", ends[_i].says, NULL, words);
    ck_assert_uint_eq(foreign_requests(&server), 1);
}
END_TEST

START_TEST(a_refused_request_is_made_once)
{
    foreign_answer(&server, "503 Busy", "Retry-After: 0\r\n", "come later");
    command_expect(1, "", ": 503: come later\n", NULL,
                   WORDS("sub", url, "--data=q"));
    ck_assert_uint_eq(foreign_requests(&server), 1);
    foreign_close(&server); /* no answer */
    command_expect(1, "", "Empty reply", NULL,
                   WORDS("sub", url, "--no-reconnect"));
    ck_assert_uint_eq(foreign_requests(&server), 2);
}
END_TEST

START_TEST(a_request_is_repeated_when_asked_for)
{
    int i;

    for (i = 0; i < 3; i++) {
        foreign_stream(&server);
        foreign_say(&server, "data: %d\n\n", i);
        foreign_close(&server);
    }
    command_expect(0, "0\n1\n2\n", NULL, NULL,
                   WORDS("sub", url, "--data=q", "--reconnect", "--count=3",
                         "--retry=10ms"));
    ck_assert_str_eq(foreign_request(&server, 2)->body, "q");
}
END_TEST

/* Runs crier with WORDS and copies the Authorization header of its request to SENT, ""
 * if there is none. */
static void get_authorization(size_t number, char sent[64],
                              const char *const *words)
{
    const struct foreign_request *request;

    foreign_answer(&server, "204 No Content", "", "");
    command_expect(0, "", "", NULL, words);
    request = foreign_request(&server, number);
    snprintf(sent, 64, "%s",
             foreign_has(request, "Authorization")
                 ? foreign_header(request, "Authorization")
                 : "");
}

START_TEST(a_token_is_for_whom_it_was_given)
{
    char path[128], sent[64];
    FILE *file;

    snprintf(path, sizeof path, "%s/.config", scratch);
    mkdir(path, 0700);
    snprintf(path, sizeof path, "%s/.config/crier", scratch);
    mkdir(path, 0700);
    snprintf(path, sizeof path, "%s/.config/crier/config", scratch);
    file = fopen(path, "w");
    fprintf(file, "server = %s\ntoken = secret\ncacert = /no/such\n",
            server.url);
    fclose(file);
    get_authorization(0, sent, WORDS("sub", url));
    ck_assert_str_eq(sent, "");
    setenv("CRIER_TOKEN", "secret", 1);
    get_authorization(1, sent, WORDS("sub", url));
    ck_assert_str_eq(sent, "");
    get_authorization(2, sent, WORDS("sub", url, "--token", "given"));
    ck_assert_str_eq(sent, "Bearer given");
    get_authorization(3, sent, WORDS("sub", "topic"));
    ck_assert_str_eq(sent, "Bearer secret");
    /* nor are the certificates that are trusted: TLS would complain of the file
     * before it hears that the server speaks none */
    snprintf(path, sizeof path, "https://127.0.0.1:%d", server.port);
    command_expect(0, "", "", NULL, WORDS("sub", path, "--timeout=300ms"));
}
END_TEST

static const struct {
    const char *status, *headers, *body, *says;
} refusals[] = {
    {"404 Not Found", "Content-Type: application/problem+json\r\n",
     "{\"detail\":\"no such stream\"}", "404: no such stream\n"},
    {"401 Who", "", "", "status 401\n"},
    {"200 OK", "Content-Type: text/html\r\n", "data: x\n\n",
     "text/event-stream"},
};

START_TEST(refusals_end_it)
{
    foreign_answer(&server, refusals[_i].status, refusals[_i].headers,
                   refusals[_i].body);
    command_expect(1, "", refusals[_i].says, NULL, WORDS("sub", url));
}
END_TEST

/* A host with other than ASCII characters is sent as IDNA, whatever the locale. */
START_TEST(a_host_may_have_letters_of_any_script)
{
    char idn[80];

    if ((curl_version_info(CURLVERSION_NOW)->features & CURL_VERSION_IDN) == 0) {
        printf("SKIPPED: libcurl has no IDN here\n");
        return;
    }
    if (_i == 0)
        unsetenv("LC_ALL");
    else
        setenv("LC_ALL", _i == 1 ? "C.UTF-8" : "C", 1);
    unsetenv("LC_CTYPE");
    unsetenv("LANG");
    snprintf(idn, sizeof idn, "http://b\xc3\xbc" "cher.localhost:%d/",
             server.port);
    foreign_answer(&server, "204 No Content", "", "");
    command_expect(0, "", "", NULL, WORDS("sub", idn));
    snprintf(idn, sizeof idn, "xn--bcher-kva.localhost:%d", server.port);
    ck_assert_str_eq(foreign_header(foreign_request(&server, 0), "Host"), idn);
}
END_TEST

/* Events of 100 bytes, 500 of them in a piece. */
static size_t many(uint64_t number, char *bytes)
{
    size_t length = 0;
    int i;

    for (i = 0; i < 500; i++)
        length +=
            (size_t)sprintf(bytes + length, "id: %06llu\ndata: %-80d\n\n",
                            (unsigned long long)number * 500 + i, i);
    return length;
}

/* How many writes the process has made. */
static long writes_of(pid_t process)
{
    char path[64], line[64];
    long writes = -1;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/io", (int)process);
    file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof line, file) != NULL)
        sscanf(line, "syscw: %ld", &writes);
    fclose(file);
    ck_assert_int_ge(writes, 0);
    return writes;
}

START_TEST(a_fast_stream_is_written_in_large_pieces)
{
    struct command command;
    char path[64];

    snprintf(path, sizeof path, "%s/state", scratch);
    foreign_stream(&server);
    foreign_make(&server, many, 40);
    foreign_hold(&server);
    command_start(&command, 0, WORDS("sub", url, "--state", path));
    output_wait_lines(&command.out, 20000);
    ck_assert_int_lt(writes_of(command.pid), 4000);
    ck_assert_int_eq(command_stop(&command, SIGTERM), 0);
    ck_assert_uint_eq(command.out.length, 20000 * 81);
    command_done(&command);
}
END_TEST

/* ---- terminals -------------------------------------------------------- */

/* All that a terminal could obey, or be deceived by. */
static const char hostile[] =
    "\001\033[2J\033]0;x\007 \x7f \xc2\x9b 31m \xc2\x85 \xe2\x80\xae "
    "\xe2\x81\xa6 \xd8\x9c \xe2\x80\x8f \xe2\x80\xa8 \b\t \xc3\xa9";

/* Fails where TEXT has any of that, but for what crier itself may send. */
static void check_harmless(const char *text, bool colours)
{
    static const char *const never[] = {
        "\xc2\x9b", "\xc2\x85",     "\xe2\x80\xae", "\xe2\x81\xa6",
        "\xd8\x9c", "\xe2\x80\x8f", "\xe2\x80\xa8", "\033]",
        "\033[2J",  "\x7f",
    };
    const char *at;
    size_t i;

    for (i = 0; i < sizeof never / sizeof never[0]; i++)
        ck_assert_msg(strstr(text, never[i]) == NULL, "number %zu: %s", i,
                      text);
    for (at = text; *at != '\0'; at++) {
        if (*at == '\033' && colours) { /* ESC [ N m */
            ck_assert_int_eq(at[1], '[');
            ck_assert_int_eq(at[2 + strspn(at + 2, "0123456789")], 'm');
        } else {
            ck_assert_msg((unsigned char)*at >= ' ' || *at == '\n',
                          "%02x in %s", (unsigned char)*at, text);
        }
    }
}

/* A stream of events that are hostile in every field. */
static void say_hostile(void)
{
    foreign_stream(&server);
    foreign_say(
        &server, "topics: %s\ntime: %s\nid: %s\nevent: %s\ndata: %s\n\n",
        "\033[2J\xc2\x9b", "\033]0;x\007", "\033[2J", "\033[2J\x7f", hostile);
    foreign_say(&server,
                "data: {\"\x7f\":\"\xc2\x9b\xe2\x80\xae\",\"b\":[1]}\n\n");
    foreign_say(&server, "data: a\ndata: b\n\n");
    foreign_hold(&server);
}

START_TEST(nobody_drives_a_terminal_from_a_stream)
{
    struct command command;
    bool colours = _i != 0, json = _i == 2;
    const char *const *words;

    say_hostile();
    words = json ? WORDS("sub", "--count", "3", url, "--json")
                 : WORDS("sub", "--count", "3", url);
    if (!colours)
        setenv("NO_COLOR", "1", 1);
    command_start(&command, COMMAND_OUT_TERMINAL | COMMAND_ERR_TERMINAL,
                  words);
    ck_assert_int_eq(command_wait(&command), 0);
    check_harmless(command.out.text, colours && !json);
    check_harmless(command.err.text, false);
    if (colours && !json) {
        ck_assert_ptr_nonnull(strstr(command.out.text, "\033[36m"));
    } else if (!json) {
        ck_assert_ptr_nonnull(strstr(
            command.out.text,
            " \\x1b[2J\\x9b \\x1b[2J\\x7f  \\x01\\x1b[2J\\x1b]0;x\\x07 \\x7f "
            "\\x9b 31m \\x85 \\u202e \\u2066 \\u061c \\u200f \\u2028 "
            "\\x08     é\n"));
        ck_assert_ptr_nonnull(
            strstr(command.out.text,
                   "  {\"\\u007f\": \"\\u009b\\u202e\", \"b\": [1]}\n"));
        ck_assert_ptr_nonnull(strstr(command.out.text, "  a\n         b\n"));
    }
    command_done(&command);
}
END_TEST

START_TEST(notes_are_harmless_too)
{
    struct command command;

    foreign_answer(&server, "400 Bad",
                   "Content-Type: application/problem+json\r\n"
                   "X-Evil: \033[2J\r\n",
                   "{\"detail\":\"\\u001b[2J\\u009b\\n\\u202e\"}");
    command_start(&command, COMMAND_ERR_TERMINAL, WORDS("sub", "-v", url));
    ck_assert_int_eq(command_wait(&command), 1);
    check_harmless(command.err.text, false);
    ck_assert_ptr_nonnull(
        strstr(command.err.text, "400: ?[2J? ?\n"));
    ck_assert_ptr_nonnull(strstr(command.err.text, "< X-Evil: \\x1b[2J\n"));
    command_done(&command);
}
END_TEST

START_TEST(json_is_laid_out)
{
    struct command command;

    setenv("NO_COLOR", "1", 1);
    foreign_stream(&server);
    foreign_say(&server, "data: {\"a\":1.10,\"b\":[],\"c\":\"x:y,{}\"}\n\n");
    foreign_say(
        &server,
        "data: "
        "[{\"long\":\"0123456789012345678901234567890123456789\",\"e\":{}},"
        "12345678901234567890123,null,\"0123456789\"]\n\n");
    foreign_say(&server, "data: {\"a\":}\n\ndata: 1.10\nevent: x\n\n");
    foreign_hold(&server);
    command_start(&command, COMMAND_OUT_TERMINAL,
                  WORDS("sub", url, "--count=4"));
    ck_assert_int_eq(command_wait(&command), 0);
    ck_assert_ptr_nonnull(strstr(
        command.out.text, "  {\"a\": 1.10, \"b\": [], \"c\": \"x:y,{}\"}\n"));
    ck_assert_ptr_nonnull(
        strstr(command.out.text,
               "  [\n           {\n             \"long\": "
               "\"0123456789012345678901234567890123456789\",\n"
               "             \"e\": {}\n           },\n"
               "           12345678901234567890123,\n           null,\n"
               "           \"0123456789\"\n         ]\n"));
    ck_assert_ptr_nonnull(strstr(command.out.text, "  {\"a\":}\n"));
    ck_assert_ptr_nonnull(strstr(command.out.text, " x  1.10\n"));
    command_done(&command);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("crier sub URL");
    TCase *c = add_case(s, "url");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, any_server_will_do);
    tcase_add_test(c, json_says_what_is_known);
    tcase_add_test(c, a_terminal_shows_when);
    tcase_add_test(c, a_nul_is_on_stdin_alone);
    tcase_add_test(c, a_state_is_emptied_by_an_empty_id);
    tcase_add_test(c, the_request_is_what_is_asked_for);
    tcase_add_loop_test(c, a_request_is_made_once, 0,
                        (int)(sizeof ends / sizeof *ends));
    tcase_add_test(c, a_refused_request_is_made_once);
    tcase_add_test(c, a_request_is_repeated_when_asked_for);
    tcase_add_test(c, a_token_is_for_whom_it_was_given);
    tcase_add_loop_test(c, refusals_end_it, 0,
                        (int)(sizeof refusals / sizeof refusals[0]));
    tcase_add_loop_test(c, a_host_may_have_letters_of_any_script, 0, 3);
    tcase_add_test(c, a_fast_stream_is_written_in_large_pieces);
    tcase_add_loop_test(c, nobody_drives_a_terminal_from_a_stream, 0, 3);
    tcase_add_test(c, notes_are_harmless_too);
    tcase_add_test(c, json_is_laid_out);
    return s;
}

RUN_SUITE(suite)
