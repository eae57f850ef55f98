/* A reload of crierd's configuration, as a user sees it over HTTP: each option that can
 * change does so without the end of a stream, and mistakes change nothing. */
#include <config.h>

#include "support/client.h"
#include "support/crierd.h"
#include "support/runner.h"
#include "support/scratch.h"
#include "support/topics.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct crierd crierd;
static struct client stream; /* open from before the reload to after it */

/* Starts crierd with the file TEXT, and opens a stream of the topic "open". */
static void start(const char *text, const char *options)
{
    char words[2 * SCRATCH_SIZE + 256];

    scratch_write("conf", text);
    snprintf(words, sizeof words, "--config %s/conf %s", scratch, options);
    crierd_start(&crierd, words);
    topics_port = crierd.port;
    topics_subscribe(&stream, "/topics/open", "");
}

/* The so-manieth reload, with the file TEXT. */
static void reload(const char *text, int number)
{
    scratch_write("conf", text);
    ck_assert_int_eq(kill(crierd.pid, SIGHUP), 0);
    crierd_wait_lines(&crierd, "the configuration was reloaded", number);
}

/* The stream of before goes on, and crierd ends. */
static void finish(void)
{
    topics_put("/topics/open", "still here");
    client_expect_event(&stream, "data: still here");
    client_close(&stream);
    crierd_stop(&crierd);
}

/* ---- what handlers read ------------------------------------------------- */

START_TEST(max_update)
{
    start("max-update = 10\n", "");
    json_decref(topics_publish("/topics/x", "", "12345678901", 413));
    reload("max-update = 11\n", 1);
    topics_put("/topics/x", "12345678901");
    json_decref(topics_publish("/topics/x", "", "123456789012", 413));
    reload("", 2);
    topics_put("/topics/x", "123456789012");
    ck_assert(crierd_logged(&crierd, "info    max-update has changed"));
    finish();
}
END_TEST

START_TEST(get_publish)
{
    start("demo = on\n", "");
    ck_assert_int_eq(fetch(crierd.port, "GET", "/events/a", "", NULL, NULL),
                     200);
    reload("demo = on\nget-publish = off\n", 1);
    ck_assert_int_eq(fetch(crierd.port, "GET", "/events/a", "", NULL, NULL),
                     403);
    finish();
}
END_TEST

/* The static token "sesame". */
#define TOKEN \
    "[token door]\nhash = " \
    "sha256:d0c04f4b1951e4aeaaec8223ed2039e542f3aae805a6fa7f6d794e5afff5d272\n" \
    "publish = x\n"

/* Keys and static tokens come and go; what was verified before is not remembered. */
START_TEST(tokens)
{
    static const char field[] = "Authorization: Bearer sesame\r\n";

    start("anonymous = all\n" TOKEN, "");
    json_decref(topics_publish("/topics/x", field, "1", 200));
    reload("anonymous = all\njwt-key = HS256:0123456789abcdef0123456789abcdef\n", 1);
    json_decref(topics_publish("/topics/x", field, "2", 401));
    ck_assert(crierd_logged(&crierd, "info    1 key and 0 static tokens"));
    reload("anonymous = all\n" TOKEN, 2);
    json_decref(topics_publish("/topics/x", field, "3", 200));
    scratch_write("conf", "anonymous = all\n[token door]\nhash = sesame\n");
    ck_assert_int_eq(kill(crierd.pid, SIGHUP), 0);
    crierd_wait_log(&crierd, "the configuration stays as it was");
    json_decref(topics_publish("/topics/x", field, "4", 200));
    finish();
}
END_TEST

START_TEST(log_level)
{
    struct client client;

    start("log-level = info\n", "");
    topics_subscribe(&client, "/topics/early", "");
    reload("log-level = debug\n", 1);
    client_close(&client);
    /* Nobody has kept who that was. */
    crierd_wait_log(&crierd, "debug   stream /topics ended: client closed the "
                             "connection, 2 B\n");
    topics_subscribe(&client, "/topics/late", "");
    client_close(&client);
    crierd_wait_log(&crierd, "debug   stream /topics/late ended: client closed the "
                             "connection, 2 B ");
    finish();
}
END_TEST

START_TEST(log_format)
{
    start("log-format = text\n", "");
    reload("log-format = json\n", 1);
    crierd_wait_log(&crierd, "\"level\":\"info\",\"message\":\"the configuration was "
                             "reloaded\"}\n");
    reload("log-format = text\n", 1);
    finish();
}
END_TEST

/* ---- streams ------------------------------------------------------------ */

/* A stream that was opened before the reload is pinged by the new interval. */
START_TEST(ping_interval)
{
    start("ping-interval = 1h\n", "");
    client_expect_line(&stream, ":"); /* it begins with that */
    reload("ping-interval = 20ms\n", 1);
    client_expect_line(&stream, ":");
    client_expect_line(&stream, ":");
    finish();
}
END_TEST

/* A client that reads nothing is disconnected by the new time. */
START_TEST(stall_timeout)
{
    char *large = calloc(1, 100001);
    struct client stalled;
    int i;

    memset(large, 'x', 100000);
    start("stall-timeout = 1h\nlog-level = debug\n", "");
    client_connect_small(&stalled, crierd.port, 4096);
    ck_assert_int_eq(
        client_request(&stalled, "GET", "/topics/large", "", NULL), 200);
    for (i = 0; i < 20; i++)
        topics_put("/topics/large", large);
    reload("stall-timeout = 100ms\nlog-level = debug\n", 1);
    crierd_wait_log(&crierd, "stream /topics/large ended: ");
    client_close(&stalled);
    free(large);
    finish();
}
END_TEST

START_TEST(max_clients)
{
    struct client more;

    start("max-clients = 1\n", "");
    client_connect(&more, crierd.port);
    ck_assert_int_eq(client_request(&more, "GET", "/topics/x", "", NULL), 503);
    free(client_body(&more));
    client_close(&more);
    reload("max-clients = 2\n", 1);
    topics_subscribe(&more, "/topics/x", "");
    reload("max-clients = 1\n", 2); /* those that are open stay */
    topics_put("/topics/x", "hello");
    client_expect_event(&more, "data: hello");
    client_close(&more);
    finish();
}
END_TEST

/* ---- topics ------------------------------------------------------------- */

static void publish_numbers(const char *topic, int count)
{
    char body[16];
    int i;

    for (i = 1; i <= count; i++) {
        snprintf(body, sizeof body, "%d", i);
        topics_put(topic, body);
    }
}

/* The same with a journal in memory (KIND 0) or in a file (1). */
static void start_journal(int kind, const char *text)
{
    char options[SCRATCH_SIZE + 32] = "";

    if (kind == 1)
        snprintf(options, sizeof options, "--journal sqlite:%s/journal",
                 scratch);
    start(text, options);
}

/* Polls TARGET until it holds EXPECTED: a journal in a file evicts in steps. */
static void wait_until_held(const char *target, const char *expected)
{
    char *body, *at, held[1024];

    do {
        body = topics_get(target, "");
        held[0] = '\0';
        for (at = body; (at = strstr(at, "\ndata: ")) != NULL; at++)
            sprintf(held + strlen(held), "%.*s ",
                    (int)strcspn(at + 7, "\n"), at + 7);
        free(body);
    } while (strcmp(held, expected) != 0);
}

START_TEST(retain_count)
{
    start_journal(_i, "");
    publish_numbers("/topics/x", 5);
    wait_until_held("/topics/x?poll=1", "1 2 3 4 5 ");
    reload("retain-count = 3\n", 1);
    wait_until_held("/topics/x?poll=1", "3 4 5 ");
    publish_numbers("/topics/x", 1);
    wait_until_held("/topics/x?poll=1", "4 5 1 ");
    reload("", 2);
    publish_numbers("/topics/x", 2);
    wait_until_held("/topics/x?poll=1", "4 5 1 1 2 ");
    finish();
}
END_TEST

START_TEST(retain_bytes)
{
    start_journal(_i, "");
    publish_numbers("/topics/x", 9);
    reload("retain-bytes = 500\n", 1);
    wait_until_held("/topics/x?poll=1", "7 8 9 ");
    finish();
}
END_TEST

START_TEST(retain_age)
{
    start_journal(_i, "");
    publish_numbers("/topics/x", 3);
    reload("retain-age = 1ms\n", 1);
    wait_until_held("/topics/x?poll=1", "");
    reload("retain-age = 1h\n", 2);
    publish_numbers("/topics/y", 2);
    wait_until_held("/topics/y?poll=1", "1 2 ");
    finish();
}
END_TEST

START_TEST(retain_topic)
{
    start_journal(_i, "[retain-topic]\ntopic = b\ncount = 1\n");
    publish_numbers("/topics/a1", 3);
    publish_numbers("/topics/b", 3);
    publish_numbers("/topics/c", 3);
    wait_until_held("/topics/b?poll=1", "3 ");
    reload("[retain-topic]\ntopic = a*\ncount = 2\n"
           "[retain-topic]\ntopic = c\nage = 1ms\n",
           1);
    wait_until_held("/topics/a1?poll=1", "2 3 ");
    wait_until_held("/topics/c?poll=1", "");
    publish_numbers("/topics/b", 3);
    wait_until_held("/topics/b?poll=1", "3 1 2 3 ");
    finish();
}
END_TEST

START_TEST(max_topics)
{
    char target[32];
    int i, status = 200;

    start_journal(_i, "max-topics = 100\n");
    for (i = 0; i < 200 && status == 200; i++) {
        snprintf(target, sizeof target, "/topics/t%d", i);
        status = fetch(crierd.port, "POST", target, "", "x", NULL);
    }
    ck_assert_int_eq(status, 507);
    reload("max-topics = 200\n", 1);
    topics_put(target, "x");
    finish();
}
END_TEST

START_TEST(presence)
{
    struct client watch, member;

    start("presence = other\n", "");
    topics_subscribe(&watch, "/topics/$presence/room", "");
    topics_subscribe(&member, "/topics/room", "");
    client_close(&member);
    reload("presence = room\n", 1);
    topics_subscribe(&member, "/topics/room", "");
    free(client_until(&watch, "event: join"));
    reload("", 2);
    client_close(&member);
    reload("presence = *\n", 3);
    topics_subscribe(&member, "/topics/room", "");
    free(client_until(&watch, "event: join"));
    client_close(&member);
    free(client_until(&watch, "event: leave"));
    client_close(&watch);
    finish();
}
END_TEST

/* Reads nothing of a stream until the journal has let go what it would have had next. */
static void fall_behind(struct client *slow)
{
    char *large = calloc(1, 100001);
    int i;

    memset(large, 'x', 100000);
    client_connect_small(slow, crierd.port, 4096);
    ck_assert_int_eq(client_request(slow, "GET", "/topics/slow", "", NULL),
                     200);
    for (i = 0; i < 100; i++)
        topics_put("/topics/slow", large);
    free(large);
}

START_TEST(slow_client)
{
    static const char gap[] = "retain-count = 10\nlog-level = debug\n";
    static const char cut[] = "retain-count = 10\nlog-level = debug\n"
                              "slow-client = disconnect\n";
    struct client slow;
    char *frame;

    start(_i == 0 ? gap : cut, "");
    fall_behind(&slow);
    slow.torn = true; /* it may be cut off anywhere */
    reload(_i == 0 ? cut : gap, 1);
    if (_i == 0) {
        while ((frame = client_frame(&slow)) != NULL) {
            ck_assert_ptr_null(strstr(frame, "event: gap"));
            free(frame);
        }
        crierd_wait_log(&crierd, " ended: client reads too slowly");
    } else {
        frame = client_until(&slow, "event: gap");
        free(frame);
    }
    client_close(&slow);
    finish();
}
END_TEST

/* ---- mistakes, and what needs a restart --------------------------------- */

START_TEST(a_broken_file_changes_nothing)
{
    char says[SCRATCH_SIZE + 80];

    start("max-update = 10\n", "");
    scratch_write("conf", "max-update = 100\nthreads = many\n");
    ck_assert_int_eq(kill(crierd.pid, SIGHUP), 0);
    crierd_wait_log(&crierd, "the configuration stays as it was");
    snprintf(says, sizeof says,
             "error   %s/conf:2: threads 'many' is not a number from 1 to 64",
             scratch);
    ck_assert(crierd_logged(&crierd, says));
    json_decref(topics_publish("/topics/x", "", "12345678901", 413));
    reload("max-update = 100\n", 1);
    topics_put("/topics/x", "12345678901");
    finish();
}
END_TEST

/* It would be read for ever, or as a file without options. */
START_TEST(a_pipe_in_the_place_of_the_file_changes_nothing)
{
    char path[SCRATCH_SIZE + 8], says[SCRATCH_SIZE + 64];

    start("max-update = 10\n", "");
    snprintf(path, sizeof path, "%s/conf", scratch);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_int_eq(kill(crierd.pid, SIGHUP), 0);
    crierd_wait_log(&crierd, "the configuration stays as it was");
    snprintf(says, sizeof says, "error   %s: not a regular file\n", path);
    ck_assert(crierd_logged(&crierd, says));
    json_decref(topics_publish("/topics/x", "", "12345678901", 413));
    ck_assert_int_eq(unlink(path), 0);
    reload("max-update = 100\n", 1);
    topics_put("/topics/x", "12345678901");
    finish();
}
END_TEST

START_TEST(what_needs_a_restart)
{
    start("demo = off\n", "--threads 2");
    reload("demo = on\nthreads = 3\nlisten = 127.0.0.1:1\nmax-update = 5\n", 1);
    ck_assert(crierd_logged(
        &crierd, "warning demo differs, which takes effect after a restart"));
    /* Those of the command line take precedence as ever. */
    ck_assert(!crierd_logged(&crierd, "threads differs"));
    ck_assert(!crierd_logged(&crierd, "listen differs"));
    ck_assert_int_eq(fetch(crierd.port, "GET", "/events", "", NULL, NULL), 404);
    json_decref(topics_publish("/topics/x", "", "123456", 413));
    reload("demo = off\n", 2);
    topics_put("/topics/x", "123456");
    finish();
}
END_TEST

/* ---- under load --------------------------------------------------------- */

static atomic_bool loaded;

/* Publishes, subscribes and leaves until it is told to end. */
static void *make_load(void *unused)
{
    struct client client;

    (void)unused;
    while (atomic_load(&loaded)) {
        topics_subscribe(&client, "/topics/a,b?since=5", "");
        topics_put("/topics/a", "hello");
        topics_put("/topics/b", "world");
        client_close(&client);
    }
    return NULL;
}

/* Every option changes while threads read all of them. */
START_TEST(under_load)
{
    static const char one[] =
        "max-update = 1K\nping-interval = 10ms\nstall-timeout = 1s\n"
        "max-clients = 500\nlog-level = warning\npresence = a\n"
        "retain-count = 10\nretain-age = 1h\nmax-topics = 200\n"
        "[retain-topic]\ntopic = a\ncount = 3\n";
    static const char other[] =
        "max-update = 2K\nping-interval = 20ms\nstall-timeout = 2s\n"
        "slow-client = disconnect\npresence = b\nlog-level = info\n"
        "retain-bytes = 1M\n[retain-topic]\ntopic = b*\nage = 1s\n";
    pthread_t threads[4];
    int i;

    start_journal(_i, other);
    atomic_store(&loaded, true);
    for (i = 0; i < 4; i++)
        ck_assert_int_eq(
            pthread_create(&threads[i], NULL, make_load, NULL), 0);
    for (i = 1; i <= 20; i++) {
        scratch_write("conf", i % 2 != 0 ? one : other);
        ck_assert_int_eq(kill(crierd.pid, SIGHUP), 0);
        if (i % 2 == 0) /* the other one logs no success */
            crierd_wait_lines(&crierd, "the configuration was reloaded", i / 2);
    }
    atomic_store(&loaded, false);
    for (i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    finish();
}
END_TEST

/* ---- signals ------------------------------------------------------------ */

START_TEST(without_a_file_it_ends)
{
    crierd_start(&crierd, "");
    crierd_stop_by(&crierd, SIGHUP);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("reload");
    TCase *c = add_case(s, "reload");

    tcase_add_checked_fixture(c, scratch_make, scratch_remove);
    tcase_add_test(c, max_update);
    tcase_add_test(c, get_publish);
    tcase_add_test(c, tokens);
    tcase_add_test(c, log_level);
    tcase_add_test(c, log_format);
    tcase_add_test(c, ping_interval);
    tcase_add_test(c, stall_timeout);
    tcase_add_test(c, max_clients);
    tcase_add_loop_test(c, retain_count, 0, 2);
    tcase_add_loop_test(c, retain_bytes, 0, 2);
    tcase_add_loop_test(c, retain_age, 0, 2);
    tcase_add_loop_test(c, retain_topic, 0, 2);
    tcase_add_loop_test(c, max_topics, 0, 2);
    tcase_add_test(c, presence);
    tcase_add_loop_test(c, slow_client, 0, 2);
    tcase_add_test(c, a_broken_file_changes_nothing);
    tcase_add_test(c, a_pipe_in_the_place_of_the_file_changes_nothing);
    tcase_add_test(c, what_needs_a_restart);
    tcase_add_loop_test(c, under_load, 0, 2);
    tcase_add_test(c, without_a_file_it_ends);
    return s;
}

RUN_SUITE(suite)
