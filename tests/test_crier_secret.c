/*
 * crier never prints secrets: the user and the password in a URL, and tokens, wherever
 * they come from and whatever goes wrong.
 */
#include <config.h>

#include "support/command.h"
#include "support/foreign.h"
#include "support/port.h"
#include "support/runner.h"
#include "support/scratch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TOKEN "t0psecret"
#define USER "alice:s3cret@"

static struct foreign server;
static char url[200];   /* of the server, with a user and a token */
static char where[128]; /* the same without a path */
static char dead[128];  /* of nobody */
static int descriptor;

static void setup(void)
{
    scratch_make();
    command_environment(0);
    foreign_start(&server);
    snprintf(where, sizeof where, "http://" USER "127.0.0.1:%d", server.port);
    snprintf(url, sizeof url, "%s/stream?access_token=" TOKEN, where);
    snprintf(dead, sizeof dead, "http://" USER "127.0.0.1:%d",
             port_hold(&descriptor));
}

static void teardown(void)
{
    close(descriptor);
    foreign_stop(&server);
    scratch_remove();
}

/* Fails where TEXT has anything secret. */
static void check_text(const char *text)
{
    static const char *const secrets[] = {
        "alice", "s3cret", TOKEN, "YWxpY2U6czNjcmV0" /* alice:s3cret */};
    size_t i;

    for (i = 0; i < sizeof secrets / sizeof *secrets; i++)
        ck_assert_msg(strstr(text, secrets[i]) == NULL, "'%s' is in: %s",
                      secrets[i], text);
}

/* Runs WORDS; the status must be STATUS, and SAYS must be printed. */
static void check(int status, const char *says, const char *const *words)
{
    struct command command;
    int got = command_run(&command, "x\n", words);

    check_text(command.out.text);
    check_text(command.err.text);
    ck_assert_msg(got == status && (strstr(command.err.text, says) != NULL ||
                                    strstr(command.out.text, says) != NULL),
                  "status %d, and not '%s' but: %s%s", got, says,
                  command.out.text, command.err.text);
    command_done(&command);
}

/* ---- what a server says ----------------------------------------------- */

START_TEST(a_refusal_names_no_user)
{
    const char *const *words[] = {
        WORDS("sub", url),
        WORDS("sub", "-v", url),
        WORDS("sub", "-v", "n", "--server", where),
        WORDS("pub", "-v", "n", "x", "--server", where),
        WORDS("pub", "--lines", "n", "--server", where),
        WORDS("topics", "-v", "--server", where),
        WORDS("ping", "-v", "--server", where),
    };

    foreign_answer(&server, "401 Unauthorized", "", "who?");
    check(1, ": 401: who?\n", words[_i]);
    ck_assert_str_eq(
        foreign_header(foreign_request(&server, 0), "Authorization"),
        "Basic YWxpY2U6czNjcmV0");
}
END_TEST

/* A server may repeat what it was sent. */
START_TEST(a_token_is_not_repeated)
{
    const char *const *words[] = {
        WORDS("sub", "-v", server.url, "--token", TOKEN),
        WORDS("ping", "-v", "--token", TOKEN, "--server", server.url),
        WORDS("pub", "-v", "n", "x", "--token", TOKEN, "--server", server.url),
        WORDS("ping", "-v", "-H", "Authorization: Bearer " TOKEN, "--server",
              server.url),
        WORDS("ping", "-v", "-H", "authorization:" TOKEN, "--server",
              server.url),
    };

    foreign_answer(&server, "401 Unauthorized", "X-Echo: " TOKEN "\r\n",
                   "not " TOKEN " here");
    check(1, ": 401: not *** here\n", words[_i]);
}
END_TEST

START_TEST(headers_are_not_shown)
{
    static const char *const headers[] = {
        "Cookie: a=" TOKEN, "X-Api-Key: " TOKEN, "x-auth-TOKEN:" TOKEN,
        "Proxy-Authorization: Basic YWxpY2U6czNjcmV0"};

    foreign_answer(&server, "204 No Content",
                   "Set-Cookie: b=" TOKEN "; Path=/\r\nX-Other: shown\r\n", "");
    check(0, "< X-Other: shown\n",
          WORDS("sub", "-v", server.url, "-H", headers[_i]));
}
END_TEST

START_TEST(a_redirect_names_no_user)
{
    foreign_say(&server,
                "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n"
                "Location: %s\r\n\r\n",
                url);
    foreign_keep(&server);
    foreign_answer(&server, "404 Not Found", "", "");
    check(1, "< Location: http://127.0.0.1:",
          WORDS("sub", "-v", server.url));
    ck_assert_str_eq(
        foreign_header(foreign_request(&server, 1), "Authorization"),
        "Basic YWxpY2U6czNjcmV0");
}
END_TEST

/* ---- on the way ------------------------------------------------------- */

START_TEST(who_is_not_there_has_no_user)
{
    const char *const *words[] = {
        WORDS("sub", "-v", dead, "--timeout=300ms"),
        WORDS("sub", "-v", "--server", dead, "--timeout=300ms"),
        WORDS("pub", "n", "x", "--server", dead, "--timeout=300ms"),
        WORDS("pub", "n", "--lines", "--server", dead, "--timeout=300ms"),
        WORDS("ping", "--server", dead),
        WORDS("topics", "--server", dead),
    };
    static const int statuses[] = {0, 0, 3, 3, 1, 1};

    check(statuses[_i], "http://127.0.0.1:", words[_i]);
}
END_TEST

START_TEST(a_proxy_has_no_user)
{
    static const char *const schemes[] = {"bad://", "http://", ""};
    char proxy[128];

    unsetenv("no_proxy");
    snprintf(proxy, sizeof proxy, "%s" USER "127.0.0.1:%d", schemes[_i],
             server.port);
    setenv("http_proxy", proxy, 1);
    foreign_answer(&server, "407 Who", "", "who?");
    check(1, _i == 0 ? "bad://127.0.0.1:" : ": 407: who?\n",
          WORDS("ping", "-v", "--server", "http://192.0.2.1"));
}
END_TEST

/* ---- mistakes --------------------------------------------------------- */

static const struct {
    const char *words[6];
    const char *says;
} mistakes[] = {
    {{"ping", "--tokn=" TOKEN}, "unknown option '--tokn'\n"},
    {{"ping", "--insecure=" TOKEN}, "option '--insecure' takes no argument\n"},
    {{"ping", "-H", "Authorization Bearer " TOKEN}, "--header number 1 is not"},
    {{"ping", "-H", "A: b", "-H", TOKEN}, "--header number 2 is not"},
    {{"ping", "--token", TOKEN "\n"}, "the token of --token is not"},
    {{"ping", "http://" USER "x/"}, "unexpected argument 'http://x/'"},
    {{"ping", "--server", "http://" USER "x?a=" TOKEN}, "'http://x' is not a"},
    {{"ping", "--server", "http://alice:s3/cret@x"}, "'http://x' is not a"},
    {{"ping", "--server", "http://alice:s3 cret@x"}, "'http://x' is not a"},
    {{"ping", "--server", USER "x?y"}, "'x' is not a server"},
    {{"ping", "--server", "http://" USER}, "'http://' is not a server"},
    {{"sub", "ftp://" USER "x/"}, "'ftp://x/' is not one of http"},
    {{"sub", "http://" USER "x/?token=" TOKEN, "y"}, "'http://x/' is not alone"},
    {{"sub", "http://" USER}, "http://: this is not the URL"},
};

START_TEST(mistakes_have_no_secrets)
{
    check(2, mistakes[_i].says, mistakes[_i].words);
}
END_TEST

/* A topic that was to be a URL. */
START_TEST(a_topic_with_a_user)
{
    char topic[128];

    setenv("CRIER_SERVER", server.url, 1);
    snprintf(topic, sizeof topic, USER "127.0.0.1:%d/x", server.port);
    foreign_answer(&server, "204 No Content", "", "");
    check(0, "subscribing to the topic '127.0.0.1:", WORDS("sub", topic));
    foreign_answer(&server, "204 No Content", "", "");
    check(0, "subscribing to the topic '127.0.0.1/x'",
          WORDS("sub", "http:/" USER "127.0.0.1/x"));
}
END_TEST

START_TEST(the_environment_has_no_secrets)
{
    setenv("CRIER_SERVER", "ftp://" USER "x", 1);
    check(2, "$CRIER_SERVER 'ftp://x' is not", WORDS("ping"));
    unsetenv("CRIER_SERVER");
    setenv("CRIER_TOKEN", TOKEN "\r", 1);
    check(2, "the token of $CRIER_TOKEN is not", WORDS("ping"));
}
END_TEST

static const struct {
    const char *text, *says;
} configs[] = {
    {"token " TOKEN "\n", "config:1: the line is not NAME = VALUE"},
    {"\n" TOKEN "\n", "config:2: the line is not NAME = VALUE"},
    {TOKEN "==\n", "config:1: the line is not server, token"},
    {"tokn = " TOKEN "\n", "config:1: 'tokn' is not server, token"},
    {"token = a\ntoken = " TOKEN "\n", "config:2: 'token' is given twice"},
    {"token = " TOKEN "\x7f\n", "config:1 is not possible in a header"},
    {"server = ftp://" USER "x\n", "config:1: server 'ftp://x' is not"},
};

START_TEST(a_config_file_has_no_secrets)
{
    char path[128];
    FILE *file;

    snprintf(path, sizeof path, "%s/crier", scratch);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    setenv("XDG_CONFIG_HOME", scratch, 1);
    snprintf(path, sizeof path, "%s/crier/config", scratch);
    file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(configs[_i].text, file);
    fclose(file);
    check(2, configs[_i].says, WORDS("ping"));
}
END_TEST

/* Where all is well, too. */
START_TEST(success_names_no_user)
{
    foreign_answer(&server, "200 OK", "", "{\"status\":\"ok\"}");
    check(0, " is healthy", WORDS("ping", "--server", where));
    foreign_stream(&server);
    foreign_say(&server, "data: x\n\n");
    foreign_hold(&server);
    check(0, "connected to http://127.0.0.1:",
          WORDS("sub", "-v", url, "--count=1"));
}
END_TEST

/* What is no secret stays. */
START_TEST(the_rest_is_shown)
{
    char path[200];

    snprintf(path, sizeof path, "%s/@user/a:b@c?since=a@b&key=k3y", server.url);
    foreign_answer(&server, "404 Not Found", "", "not for user@example.org");
    check(1, "/@user/a:b@c: 404: not for user@example.org\n",
          WORDS("sub", path));
    foreign_answer(&server, "404 Not Found", "", "");
    check(1, "> GET /@user/a:b@c?since=a@b&key=*** HTTP/1.1\n",
          WORDS("sub", "-v", path));
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("crier, secrets");
    TCase *c = add_case(s, "secrets");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_loop_test(c, a_refusal_names_no_user, 0, 7);
    tcase_add_loop_test(c, a_token_is_not_repeated, 0, 5);
    tcase_add_loop_test(c, headers_are_not_shown, 0, 4);
    tcase_add_test(c, a_redirect_names_no_user);
    tcase_add_loop_test(c, who_is_not_there_has_no_user, 0, 6);
    tcase_add_loop_test(c, a_proxy_has_no_user, 0, 3);
    tcase_add_loop_test(c, mistakes_have_no_secrets, 0,
                        (int)(sizeof mistakes / sizeof mistakes[0]));
    tcase_add_test(c, a_topic_with_a_user);
    tcase_add_test(c, the_environment_has_no_secrets);
    tcase_add_loop_test(c, a_config_file_has_no_secrets, 0,
                        (int)(sizeof configs / sizeof configs[0]));
    tcase_add_test(c, success_names_no_user);
    tcase_add_test(c, the_rest_is_shown);
    return s;
}

RUN_SUITE(suite)
