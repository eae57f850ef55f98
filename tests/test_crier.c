/*
 * The command crier: its command line, the config file, topics, ping.
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
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct crierd crierd;

static void setup(void)
{
    scratch_make();
    crierd_start(&crierd, "");
    topics_port = crierd.port;
    command_environment(crierd.port);
}

static void teardown(void)
{
    crierd_stop(&crierd);
    scratch_remove();
}

/* ---- help and mistakes ------------------------------------------------ */

static const struct {
    const char *words[3];
    const char *says;
} helps[] = {
    {{"--help"}, "Usage: crier COMMAND"},
    {{"help"}, "Usage: crier COMMAND"},
    {{"help", "sub"}, "Usage: crier sub"},
    {{"sub", "--help"}, "Usage: crier sub"},
    {{"pub", "--help"}, "Usage: crier pub"},
    {{"topics", "--help"}, "Usage: crier topics"},
    {{"export", "--help"}, "Usage: crier export"},
    {{"import", "--help"}, "Usage: crier import"},
    {{"ping", "--help"}, "Usage: crier ping"},
    {{"token", "--help"}, "Usage: crier token"},
    {{"--version"}, "crier 0."},
};

START_TEST(help_is_one_screen)
{
    struct command command;
    size_t lines = 0, length;
    char *line, *rest;

    ck_assert_int_eq(command_run(&command, NULL, helps[_i].words), 0);
    ck_assert_str_eq(command.err.text, "");
    ck_assert_ptr_eq(strstr(command.out.text, helps[_i].says),
                     command.out.text);
    length = strlen(command.out.text);
    ck_assert_int_eq(command.out.text[length - 1], '\n');
    for (rest = command.out.text; (line = strsep(&rest, "\n")) != NULL;) {
        lines++;
        if (helps[_i].says[0] == 'U')
            ck_assert_msg(strlen(line) <= 80, "too long: %s", line);
    }
    ck_assert_uint_le(lines - 1, 24);
    command_done(&command);
}
END_TEST

static const struct {
    const char *words[3];
    int status;
} prints[] = {
    {{"help"}, 1},
    {{"help", "pub"}, 1},
    {{"sub", "--help"}, 1},
    {{"--version"}, 1},
    {{"ping"}, 1},
    {{"ping", "-q"}, 0},
    {{"pub", "x"}, 1},
    {{"topics"}, 1},
};

START_TEST(what_cannot_be_printed_is_told)
{
    struct command command;

    topics_put("/topics/x", "1");
    command_start(&command, COMMAND_OUT_FULL, prints[_i].words);
    command_close_input(&command);
    ck_assert_int_eq(command_wait(&command), prints[_i].status);
    ck_assert_str_eq(command.err.text,
                     prints[_i].status == 0
                         ? ""
                         : "crier: cannot write: No space left on device\n");
    command_done(&command);
    command_start(&command, COMMAND_OUT_UNREAD, prints[_i].words);
    command_close_output(&command); /* where nobody reads, that is none */
    command_read(&command);
    command_close_input(&command);
    ck_assert_int_eq(command_wait(&command), 0);
    ck_assert_str_eq(command.err.text, "");
    command_done(&command);
}
END_TEST

/* What follows where an option is not understood. */
#define TRY_HELP "\nTry 'crier --help'.\n"

static const struct {
    const char *words[6]; /* NULL behind them */
    const char *says;
} mistakes[] = {
    {{NULL}, "missing command"},
    {{"subscribe"}, "unknown command 'subscribe' (known: sub, pub, topics, export, import, ping, token, help)"},
    {{"help", "x"}, "unknown command 'x'"},
    {{"help", "sub", "x"}, "unexpected argument 'x'"},
    {{"sub", "--sinc"}, "option '--sinc"},
    {{"sub", "--nothing"}, "unknown option '--nothing'" TRY_HELP},
    {{"sub", "--nothing=1"}, "unknown option '--nothing'" TRY_HELP},
    {{"sub", "--re"}, "option '--re' is ambiguous" TRY_HELP},
    {{"sub", "--once=1"}, "option '--once' takes no argument" TRY_HELP},
    {{"sub", "--insecure=1"}, "option '--insecure' takes no argument" TRY_HELP},
    {{"sub", "-x"}, "unknown option '-x'" TRY_HELP},
    {{"sub", "--json", "-kxv"}, "unknown option '-x'" TRY_HELP},
    {{"sub", "-kH"}, "option '-H' requires an argument" TRY_HELP},
    {{"sub", "--header"}, "option '--header' requires an argument" TRY_HELP},
    {{"sub", "--count"}, "option '--count' requires an argument" TRY_HELP},
    {{"sub", "--count", "0"}, "--count '0' is not a number from 1"},
    {{"sub", "--count", "-1"}, "--count '-1' is not a number from 1"},
    {{"sub", "--timeout", "soon"}, "--timeout 'soon' is not a time"},
    {{"sub", "--timeout", "0"}, "2h; without the option there is no end"},
    {{"sub", "--timeout", "1w"}, "--timeout '1w' is not a time"},
    {{"sub", "--retry", "1ms"}, "--retry '1ms' is not a time from 10ms"},
    {{"sub", "--since", ""}, "--since is empty"},
    {{"sub", "--since", "10sec"}, "--since '10sec' is not all, a number"},
    {{"sub", "--since", "5M"}, "is given by --last-event-id"},
    {{"sub", "--since", "-5m"}, "--since '-5m' is not all"},
    {{"sub", "--since", "-5"}, "--since '-5' is not all"},
    {{"sub", "http://x", "y"}, "the URL 'http://x' is not alone"},
    {{"sub", "ftp://x"}, "the URL 'ftp://x' is not one of http or https"},
    {{"sub", "http://x", "--since=1"}, "--since is for topics; a URL has it as ?since="},
    {{"sub", "http://x", "--once"}, "--once is for topics; a URL has it as ?poll=1"},
    {{"sub", "x", "--method=PUT"}, "--method is for a URL"},
    {{"sub", "x", "--data=1"}, "--data is for a URL"},
    {{"sub", "--json", "--exec", "cat"}, "--json and --exec exclude"},
    {{"sub", "--exec", ""}, "--exec is empty"},
    {{"sub", ""}, "a topic is empty"},
    {{"sub", "http://"}, "http://: this is not the URL"},
    {{"sub", "--last-event-id", "a\nb"}, "cannot be sent"},
    {{"sub", "--last-event-id", " "}, "--last-event-id ' ' cannot be sent"},
    {{"sub", "--last-event-id", "a\t"}, "cannot be sent"},
    {{"sub", "--server", "ftp://x"}, "--server 'ftp://x' is not a server"},
    {{"sub", "--server", "http://x?y"}, "is not a server"},
    {{"ping", "--server", ""}, "--server '' is not a server"},
    {{"ping", "--server", "/"}, "--server '/' is not a server"},
    {{"ping", "--server", "http://"}, "--server 'http://' is not a server"},
    {{"ping", "--server", "http:///x"}, "'http:///x' is not a server"},
    {{"ping", "--server", "http:/"}, "--server 'http:/' is not a server"},
    {{"ping", "--server", "http://:80"}, "'http://:80' is not a server"},
    {{"ping", "--server", "x:y"}, "--server 'x:y' is not a server"},
    {{"sub", "-H", "X"}, "--header number 1 is not 'NAME: VALUE'"},
    {{"sub", "-H", "X: a\nY: b"}, "is not 'NAME: VALUE'"},
    {{"sub", "--token", "a\nb"}, "the token of --token is not"},
    {{"pub"}, "missing topic"},
    {{"pub", "a", "b", "c"}, "unexpected argument 'c'"},
    {{"pub", "a", "--lines", "b"}, "unexpected argument 'b'"},
    {{"pub", "a", "--lines", "--id=1"}, "--id is for one update"},
    {{"pub", "a", "b", "--dedupe"}, "--dedupe needs an --id"},
    {{"pub", "a", "--json"}, "--json needs KEY=VALUE"},
    {{"pub", "a", "--lines", "--json", "b=1"}, "--json and --lines exclude"},
    {{"pub", "a", "--json", "b"}, "the argument 'b' is not KEY=VALUE"},
    {{"pub", "a", "--json", "=b"}, "the argument '=b' is not KEY=VALUE"},
    {{"pub", "a", "--json", "k:=x"}, "the value of 'k:=x' is not JSON"},
    {{"pub", "a", "--json", "k:=[1, 1e999]"},
     "a number is too large in 'k:=[1, 1e999]'"},
    {{"pub", "a", "--json", "k:={\"\\u0000\":1}"}, "a key has a NUL in 'k:="},
    {{"pub", "a", "--json", "k=1", "k:=2"}, "is given twice"},
    {{"pub", "a", "1", "-H", "content-type: application/json"},
     "--header 'content-type: application/json' is not for pub"},
    {{"pub", "a", "--lines", "-HContent-Type:"}, "is not for pub"},
    {{"pub", "a,,b", "x"}, "'a,,b': a topic is not"},
    {{"pub", "", "x"}, "'': a topic is not"},
    {{"pub", "a*", "--lines"}, "'a*': a topic is not"},
    {{"pub", "a", "x", "--id="}, "an id of an update"},
    {{"pub", "a", "x", "--event=a\nb"}, "CR or LF"},
    {{"pub", "a", "x", "--timeout=x"}, "--timeout 'x' is not a time"},
    {{"topics", "a", "b"}, "unexpected argument 'b'"},
    {{"export", "a"}, "unexpected argument 'a'"},
    {{"export", "-o"}, "option '-o' requires an argument"},
    {{"export", "--output"}, "option '--output' requires an argument"},
    {{"pub", "-o", "x"}, "unknown option '-o'"},
    {{"import", "a", "b"}, "unexpected argument 'b'"},
    {{"import", "--timeout", "x"}, "--timeout 'x' is not a time"},
    {{"ping", "a"}, "unexpected argument 'a'"},
    {{"ping", "--timeout", "0"}, "--timeout '0' is not a time"},
};

START_TEST(mistakes_are_named_in_a_line)
{
    struct command command;
    char *end;

    ck_assert_int_eq(command_run(&command, "", mistakes[_i].words), 2);
    ck_assert_str_eq(command.out.text, "");
    ck_assert_ptr_eq(strstr(command.err.text, "crier: "), command.err.text);
    ck_assert_msg(strstr(command.err.text, mistakes[_i].says) != NULL,
                  "'%s' does not say '%s'", command.err.text,
                  mistakes[_i].says);
    end = strchr(command.err.text, '\n');
    ck_assert(strcmp(end, "\n") == 0 || strcmp(end, TRY_HELP) == 0);
    command_done(&command);
}
END_TEST

/* ---- the config file -------------------------------------------------- */

/* Writes LENGTH bytes of TEXT to the config file under the directory WHERE of
 * the scratch directory. */
static void configure_bytes(const char *where, const char *text, size_t length)
{
    char path[256];
    FILE *file;

    snprintf(path, sizeof path, "%s%s", scratch, where);
    mkdir(path, 0700);
    snprintf(path, sizeof path, "%s%s/crier", scratch, where);
    mkdir(path, 0700);
    snprintf(path, sizeof path, "%s%s/crier/config", scratch, where);
    file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fwrite(text, 1, length, file);
    fclose(file);
}

static void configure(const char *where, const char *text)
{
    configure_bytes(where, text, strlen(text));
}

/* Has `crier ping` ask SERVER with the more WORDS, and returns what it sent as
 * Authorization, "" for none. */
static void asked_with(struct foreign *server, const char *const *words,
                       char sent[64])
{
    static size_t requests;
    const struct foreign_request *request;

    foreign_answer(server, "200 OK", "", "{\"status\":\"ok\"}");
    command_expect(0, NULL, "", NULL, words);
    request = foreign_request(server, requests++);
    snprintf(sent, 64, "%s",
             foreign_has(request, "Authorization")
                 ? foreign_header(request, "Authorization")
                 : "");
}

START_TEST(the_config_file_names_the_server)
{
    char text[256], path[128];
    struct foreign server;
    char sent[64];

    foreign_start(&server);
    unsetenv("CRIER_SERVER");
    snprintf(text, sizeof text,
             "# mine\n\n  server =\t127.0.0.1:%d/ \ntoken = s3 cret\n",
             server.port);
    configure("/.config", text);
    asked_with(&server, WORDS("ping"), sent);
    ck_assert_str_eq(sent, "Bearer s3 cret");
    setenv("CRIER_TOKEN", "t", 1);
    asked_with(&server, WORDS("ping"), sent);
    ck_assert_str_eq(sent, "Bearer t");
    asked_with(&server, WORDS("ping", "--token", "u"), sent);
    ck_assert_str_eq(sent, "Bearer u");
    unsetenv("CRIER_TOKEN");
    /* the same server named otherwise is another one, to be sure */
    snprintf(text, sizeof text, "http://localhost:%d", server.port);
    asked_with(&server, WORDS("ping", "--server", text), sent);
    ck_assert_str_eq(sent, "");
    setenv("CRIER_SERVER", text, 1);
    asked_with(&server, WORDS("ping"), sent);
    ck_assert_str_eq(sent, "");
    snprintf(text, sizeof text, "http://127.0.0.1:%d", server.port);
    setenv("CRIER_SERVER", text, 1);
    asked_with(&server, WORDS("ping"), sent);
    ck_assert_str_eq(sent, "Bearer s3 cret");
    /* $XDG_CONFIG_HOME is another place; a relative one is none */
    configure("/xdg", "token = x\n");
    snprintf(path, sizeof path, "%s/xdg", scratch);
    setenv("XDG_CONFIG_HOME", path, 1);
    asked_with(&server, WORDS("ping"), sent);
    ck_assert_str_eq(sent, "");
    setenv("XDG_CONFIG_HOME", "xdg", 1);
    asked_with(&server, WORDS("ping"), sent);
    ck_assert_str_eq(sent, "Bearer s3 cret");
    foreign_stop(&server);
}
END_TEST

static const struct {
    const char *text, *says;
} configs[] = {
    {"server = a\ntoken\n", "config:2: the line is not NAME = VALUE"},
    {"\n# x\nservre = a\n", "config:3: 'servre' is not server, token"},
    {"token = a\ntoken = b\n", "config:2: 'token' is given twice"},
    {"token =\n", "config:1: 'token' has no value"},
    {"[a]\ntoken = b\n", "config:2: 'token' is in a section"},
    {"token = a\n[b\n", "config:2: the line is not NAME = VALUE"},
    {"\nserver = ftp://x\n", "config:2: server 'ftp://x' is not a server"},
    {"server = http://\n", "config:1: server 'http://' is not a server"},
    {"token = a\033b\n", "config:1 is not possible in a header"},
};

START_TEST(mistakes_of_the_config_file_are_named)
{
    unsetenv("CRIER_SERVER");
    configure("/.config", configs[_i].text);
    command_expect(2, "", configs[_i].says, NULL, WORDS("ping"));
    command_expect(0, NULL, "", NULL, WORDS("ping", "--help"));
}
END_TEST

START_TEST(a_config_has_no_nul_and_no_endless_line)
{
    char line[9000];

    configure_bytes("/.config", "token = a\n\0token = b", 21);
    command_expect(2, "", "config:2: the line contains a NUL", NULL,
                   WORDS("ping"));
    configure_bytes("/.config", "token = a\0b\n", 12);
    command_expect(2, "", "config:1: the line contains a NUL", NULL,
                   WORDS("ping"));
    memset(line, ' ', sizeof line);
    line[0] = '\n';
    configure_bytes("/.config", line, sizeof line);
    command_expect(2, "", "config:2: the line is too long", NULL,
                   WORDS("ping"));
    memset(line, 'x', 8191);
    memcpy(line, "\nurl", 4);
    configure_bytes("/.config", line, 8192);
    command_expect(2, "", "config:2: the line is not NAME = VALUE", NULL,
                   WORDS("ping"));
    memset(line, ' ', sizeof line);
    configure_bytes("/.config", line, 8000);
    command_expect(0, NULL, "", NULL, WORDS("ping"));
}
END_TEST

/* libinih has lines of 200 bytes. */
START_TEST(a_config_value_may_be_long)
{
    char text[9000], value[8192], sent[9000];
    struct foreign server;
    size_t i;

    foreign_start(&server);
    for (i = 0; i < 4000; i++) /* white space and comments where a line is cut */
        value[i] = i % 7 == 0 ? ' ' : i % 7 == 1 ? '#' : (char)('a' + i % 26);
    value[0] = 'A';
    value[4000] = '\0';
    snprintf(text, sizeof text, "server = 127.0.0.1:%d ; mine\n\ttoken=%s\t; x\n",
             server.port, value);
    configure("/.config", text);
    unsetenv("CRIER_SERVER");
    foreign_answer(&server, "200 OK", "", "{\"status\":\"ok\"}");
    command_expect(0, NULL, "", NULL, WORDS("ping"));
    snprintf(sent, sizeof sent, "Bearer %s", value);
    ck_assert_str_eq(foreign_header(foreign_request(&server, 0), "Authorization"), sent);
    foreign_stop(&server);
}
END_TEST

START_TEST(a_config_that_cannot_be_read_is_told)
{
    char path[128];

    configure("/.config", "");
    snprintf(path, sizeof path, "%s/.config/crier/config", scratch);
    ck_assert_int_eq(unlink(path), 0);
    command_expect(0, NULL, "", NULL, WORDS("ping"));
    ck_assert_int_eq(mkdir(path, 0700), 0);
    command_expect(2, "", "cannot read", NULL, WORDS("ping"));
}
END_TEST

/* ---- topics ----------------------------------------------------------- */

START_TEST(topics_are_listed)
{
    struct command command;
    json_t *topic;

    topics_put("/topics/news?id=1", "hello");
    topics_put("/topics/news?id=2", "you");
    topics_put("/topics/a%20%C3%A9?id=a%20b", "x");
    command_expect(0, "", "", NULL, WORDS("topics", "none"));
    ck_assert_int_eq(command_run(&command, NULL, WORDS("topics", "n*")), 0);
    ck_assert_ptr_eq(strstr(command.out.text, "news\t2\t"), command.out.text);
    ck_assert_ptr_nonnull(strstr(command.out.text, "\t0\t2\t20"));
    command_done(&command);
    ck_assert_int_eq(command_run(&command, NULL, WORDS("topics")), 0);
    ck_assert_ptr_eq(strstr(command.out.text, "a é\t1\t"), command.out.text);
    ck_assert_ptr_nonnull(strstr(command.out.text, "\ta b\t"));
    command_done(&command);
    /* not a control character, so it may be in a name, which is exact */
    topics_put("/topics/%E2%80%AE!?id=%E2%80%AE", "x");
    ck_assert_int_eq(command_run(&command, NULL, WORDS("topics", "\u202e*")),
                     0);
    ck_assert_ptr_eq(strstr(command.out.text, "\u202e!\t1\t"),
                     command.out.text);
    ck_assert_ptr_nonnull(strstr(command.out.text, "\t\u202e\t20"));
    command_done(&command);
    command_start(&command, COMMAND_OUT_TERMINAL,
                  WORDS("topics", "\u202e*"));
    ck_assert_int_eq(command_wait(&command), 0);
    ck_assert_ptr_nonnull(strstr(command.out.text, "\n\\u202e!  "));
    command_done(&command);
    ck_assert_int_eq(
        command_run(&command, NULL, WORDS("topics", "--json", "a é")), 0);
    topic = json_loads(command.out.text, 0, NULL);
    ck_assert_str_eq(json_text(topic, "topic"), "a é");
    ck_assert_str_eq(json_text(topic, "last"), "a b");
    json_decref(topic);
    command_done(&command);
    command_expect(1, "", "403: topics whose names begin with '$'", NULL,
                   WORDS("topics", "$x"));
}
END_TEST

/* A TAB ends a column and an LF a line, whatever another server says. */
START_TEST(an_id_stays_in_its_column)
{
    struct foreign server;

    foreign_start(&server);
    setenv("CRIER_SERVER", server.url, 1);
    foreign_answer(&server, "200 OK", "",
                   "{\"topics\":[{\"topic\":\"x\",\"updates\":1,\"bytes\":2,"
                   "\"subscribers\":3,\"last\":\"a\\u001bb\\t\\n\"}]}");
    command_expect(0, "x\t1\t2\t3\ta\\x1bb    \\x0a\t-\t-\n", "", NULL,
                   WORDS("topics"));
    foreign_stop(&server);
}
END_TEST

START_TEST(a_terminal_gets_a_table)
{
    struct command command;

    topics_put("/topics/x?id=1", "1");
    topics_put("/topics/a-long-name?id=%E2%80%AE", "1");
    command_start(&command, COMMAND_OUT_TERMINAL, WORDS("topics"));
    ck_assert_int_eq(command_wait(&command), 0);
    ck_assert_ptr_eq(
        strstr(command.out.text,
               "topic        updates  bytes  subscribers  last    time                      ended\n"
               "a-long-name        1  "),
        command.out.text);
    ck_assert_ptr_nonnull(strstr(command.out.text, "  \\u202e  20"));
    ck_assert_ptr_nonnull(
        strstr(command.out.text, "\nx                  1  "));
    command_done(&command);
}
END_TEST

START_TEST(long_lists_come_in_pages)
{
    struct command command;
    size_t i, lines = 0;
    char line[64];

    for (i = 0; i < 2500; i++) {
        snprintf(line, sizeof line, "/topics/t%04zu", i);
        topics_put(line, "x");
    }
    ck_assert_int_eq(command_run(&command, NULL, WORDS("topics")), 0);
    for (i = 0; i < command.out.length; i++)
        lines += command.out.text[i] == '\n';
    ck_assert_uint_eq(lines, 2500);
    ck_assert_ptr_nonnull(strstr(command.out.text, "\nt1000\t1\t"));
    ck_assert_ptr_nonnull(strstr(command.out.text, "\nt2499\t1\t"));
    command_done(&command);
}
END_TEST

START_TEST(headers_replace_criers_own)
{
    struct foreign server;
    const struct foreign_request *request;

    foreign_start(&server);
    setenv("CRIER_SERVER", server.url, 1);
    setenv("CRIER_TOKEN", "t", 1);
    foreign_answer(&server, "200 OK", "", "{\"status\":\"ok\"}");
    command_expect(0, NULL, "", NULL,
                   WORDS("ping", "-H", "authorization: Basic eDp5", "-H",
                         "ACCEPT: text/x", "-H", "X-A: 1", "-H", "X-B: 2"));
    request = foreign_request(&server, 0);
    ck_assert_str_eq(foreign_header(request, "Authorization"), "Basic eDp5");
    ck_assert_str_eq(foreign_header(request, "Accept"), "text/x");
    ck_assert_str_eq(foreign_header(request, "X-A"), "1");
    ck_assert_str_eq(foreign_header(request, "X-B"), "2");
    foreign_answer(&server, "200 OK", "", "{\"topics\":[]}");
    command_expect(0, "", "", NULL,
                   WORDS("topics", "-H", "Authorization:", "-H", "Accept:"));
    request = foreign_request(&server, 1);
    ck_assert(!foreign_has(request, "Authorization"));
    ck_assert(!foreign_has(request, "Accept"));
    foreign_stop(&server);
}
END_TEST

/* ---- ping ------------------------------------------------------------- */

START_TEST(ping_tells_how_the_server_is)
{
    struct command command;
    char wanted[128];

    ck_assert_int_eq(command_run(&command, NULL, WORDS("ping")), 0);
    snprintf(wanted, sizeof wanted,
             "http://127.0.0.1:%d is healthy: crierd %s, up 0 s, 0 clients, "
             "journal memory, ",
             crierd.port, crier_version());
    ck_assert_ptr_eq(strstr(command.out.text, wanted), command.out.text);
    ck_assert_ptr_nonnull(strstr(command.out.text, " ms\n"));
    command_done(&command);
    command_expect(0, "", "", NULL, WORDS("ping", "-q"));
    command_expect(0, NULL, "> GET /healthz HTTP/1.1\n", NULL,
                   WORDS("ping", "-v"));
}
END_TEST

/* Every command prints what a server says when it refuses, in whatever form. */
START_TEST(a_refusal_is_printed_with_its_words)
{
    static const char *const bodies[] = {
        "token expired\n", "{\"error\":{\"message\":\"token expired\"}}",
        "{\"error\":\"invalid_token\",\"error_description\":\"token expired\"}"};
    struct foreign server;
    char url[80];
    size_t i;

    foreign_start(&server);
    setenv("CRIER_SERVER", server.url, 1);
    snprintf(url, sizeof url, "%s/", server.url);
    for (i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        const char *const *words[] = {
            WORDS("sub", url), WORDS("sub", "n"),   WORDS("pub", "n", "x"),
            WORDS("ping"),     WORDS("topics"),     WORDS("pub", "n", "--lines"),
        };

        foreign_answer(&server, "401 Unauthorized", "", bodies[i]);
        command_expect(1, "", ": 401: token expired\n", "x\n", words[_i]);
    }
    foreign_stop(&server);
}
END_TEST

/* Whatever the server says: a line without an end, and what is not UTF-8. */
START_TEST(a_refusal_is_printed_though_it_is_odd)
{
    struct foreign server;
    char body[9001], *const url = server.url;

    foreign_start(&server);
    memset(body, 'a', sizeof body - 1);
    body[sizeof body - 1] = '\0';
    foreign_answer(&server, "401 Unauthorized", "", body);
    command_expect(1, "", ": 401: aaaaaaaaaaaaaaaa", NULL, WORDS("sub", url));
    foreign_answer(&server, "401 Unauthorized", "", "nicht g\xfcltig\n");
    command_expect(1, "", ": 401: nicht g?ltig\n", NULL, WORDS("sub", url));
    foreign_stop(&server);
}
END_TEST

START_TEST(ping_tells_what_is_wrong)
{
    struct foreign server;
    char dead[64];
    int descriptor;

    foreign_start(&server);
    snprintf(dead, sizeof dead, "127.0.0.1:%d", port_hold(&descriptor));
    command_expect(1, "", "cannot connect: Connection refused", NULL,
                   WORDS("ping", "--server", dead));
    close(descriptor);
    snprintf(dead, sizeof dead, "https://127.0.0.1:%d", crierd.port);
    command_expect(1, "", " (does this server speak https?)\n", NULL,
                   WORDS("ping", "--server", dead));
    setenv("CRIER_SERVER", server.url, 1);
    foreign_answer(&server, "200 OK", "", "<html>");
    command_expect(1, "", "this is not a response of crierd", NULL, WORDS("ping"));
    foreign_answer(&server, "200 OK", "", "{}");
    command_expect(1, "", "this is not a response of crierd", NULL, WORDS("ping"));
    foreign_answer(&server, "503 Off", "", "");
    command_expect(1, "", "answered with status 503", NULL, WORDS("ping"));
    foreign_answer(&server, "200 OK", "Content-Encoding: compress\r\n", "{}");
    command_expect(1, "", "compress, which cannot be decoded", NULL,
                   WORDS("ping"));
    foreign_answer(&server, "200 OK", "",
                   "{\"status\":\"degraded\",\"version\":\"1\\u001b[2J\","
                   "\"uptime\":7300.5,\"clients\":3,\"journal\":"
                   "{\"type\":\"sqlite\",\"reason\":\"no disk\"}}");
    command_expect(1, "",
                   " is degraded: crierd 1\\x1b[2J, up 2 h, 3 clients, "
                   "journal sqlite: no disk, ",
                   NULL, WORDS("ping"));
    foreign_hold(&server); /* no answer */
    command_expect(1, "", "no response in time", NULL,
                   WORDS("ping", "--timeout", "50ms"));
    foreign_stop(&server);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("crier");
    TCase *c = add_case(s, "crier");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_loop_test(c, help_is_one_screen, 0,
                        (int)(sizeof helps / sizeof helps[0]));
    tcase_add_loop_test(c, what_cannot_be_printed_is_told, 0,
                        (int)(sizeof prints / sizeof prints[0]));
    tcase_add_loop_test(c, mistakes_are_named_in_a_line, 0,
                        (int)(sizeof mistakes / sizeof mistakes[0]));
    tcase_add_test(c, the_config_file_names_the_server);
    tcase_add_loop_test(c, mistakes_of_the_config_file_are_named, 0,
                        (int)(sizeof configs / sizeof configs[0]));
    tcase_add_test(c, a_config_has_no_nul_and_no_endless_line);
    tcase_add_test(c, a_config_value_may_be_long);
    tcase_add_test(c, a_config_that_cannot_be_read_is_told);
    tcase_add_test(c, topics_are_listed);
    tcase_add_test(c, an_id_stays_in_its_column);
    tcase_add_test(c, a_terminal_gets_a_table);
    tcase_add_test(c, long_lists_come_in_pages);
    tcase_add_test(c, headers_replace_criers_own);
    tcase_add_test(c, ping_tells_how_the_server_is);
    tcase_add_loop_test(c, a_refusal_is_printed_with_its_words, 0, 6);
    tcase_add_test(c, a_refusal_is_printed_though_it_is_odd);
    tcase_add_test(c, ping_tells_what_is_wrong);
    return s;
}

RUN_SUITE(suite)
