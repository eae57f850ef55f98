/*
 * Private updates end to end: who is sent them and who is not, by every way to ask, with
 * the journal in memory and in a file.
 */
#include <config.h>

#include "crier.h"
#include "support/client.h"
#include "support/command.h"
#include "support/fixture.h"
#include "support/runner.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

/* The hashes are those of the texts "alpha-token", "beta-token" and "star-token". */
static const char conf[] =
    "anonymous = all\n"
    "[token alpha]\n"
    "hash = sha256:"
    "a336d9b1d8b8647875238537ca5087b0ea335afd2032936aecdffc3e4b13f720\n"
    "subscribe = a\n"
    "[token beta]\n"
    "hash = sha256:"
    "863d63c0bd3a94bfca84ed2063a7355a226faff82ca50b90158bf183aa1a9e61\n"
    "subscribe = b*\n"
    "[token star]\n"
    "hash = sha256:"
    "7e04abc9433bd9f4b01e2f8dda2982819ccc0608e56a91aee67debaccc0d7183\n"
    "subscribe = *\n";

#define NOBODY ""
#define ALPHA "Authorization: Bearer alpha-token\r\n"
#define BETA "Authorization: Bearer beta-token\r\n"
#define STAR "Authorization: Bearer star-token\r\n"

static char options[256];

static void start_private(int journal)
{
    char path[64];
    FILE *file;

    fixture_scratch();
    snprintf(path, sizeof path, "%s/crierd.conf", scratch);
    file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(conf, file);
    ck_assert_int_eq(fclose(file), 0);
    snprintf(options, sizeof options, "--config %s %s", path,
             fixture_option(journal));
    fixture_start(options);
}

static void setup_memory(void)
{
    start_private(FIXTURE_MEMORY);
}

static void setup_file(void)
{
    start_private(FIXTURE_FILE);
}

static void setup_redis(void)
{
    start_private(FIXTURE_REDIS);
}

/* Publishes what most tests look at. */
static void publish_some(void)
{
    topics_put("/topics/a?id=1", "1");
    topics_put("/topics/a?id=2&private=1", "2p");
    topics_put("/topics/b1?id=3&private=1", "3p");
    topics_put("/topics/b1?id=4", "4");
    topics_put("/topics/a,b1?id=5&private=1", "5p");
    topics_put("/topics/c?id=6", "6");
    topics_put("/topics/c?id=7&private=1", "7p");
}

/* ---- the past --------------------------------------------------------- */

START_TEST(the_past)
{
    publish_some();
    topics_hold("/topics/a", NOBODY, "1 ");
    topics_hold("/topics/*", NOBODY, "1 4 6 ");
    topics_hold("/topics/b*,c", NOBODY, "4 6 ");
    topics_hold("/topics/a", ALPHA, "1 2p 5p ");
    topics_hold("/topics/b1", ALPHA, "4 5p ");
    topics_hold("/topics/*", ALPHA, "1 2p 4 5p 6 ");
    topics_hold("/topics/*", BETA, "1 3p 4 5p 6 ");
    topics_hold("/topics/a", BETA, "1 5p ");
    topics_hold("/topics/*", STAR, "1 2p 3p 4 5p 6 7p ");
}
END_TEST

START_TEST(where_a_stream_begins)
{
    publish_some();
    topics_hold("/topics/a?since=1", NOBODY, "1 ");
    topics_hold("/topics/*?since=2", NOBODY, "4 6 ");
    topics_hold("/topics/*?since=2", BETA, "5p 6 ");
    topics_hold("/topics/a?since=10m", NOBODY, "1 ");
    topics_hold("/topics/a?since=10m", ALPHA, "1 2p 5p ");
    topics_hold("/topics/*", "Last-Event-ID: 1\r\n", "4 6 ");
    topics_hold("/topics/*", "Last-Event-ID: 3\r\n", "4 6 ");
    topics_hold("/topics/*", BETA "Last-Event-ID: 3\r\n", "4 5p 6 ");
    topics_hold("/topics/*", "Last-Event-ID: 5\r\n", "6 ");
    topics_hold("/topics/*?lastEventID=7", NOBODY, "");
}
END_TEST

/* Whether the body of GET TARGET has TEXT. */
static bool gets(const char *target, const char *headers, const char *text)
{
    char *body = topics_get(target, headers);
    bool found = strstr(body, text) != NULL;

    free(body);
    return found;
}

START_TEST(in_each_format)
{
    static const char *const formats[] = {"sse", "full", "json", "raw"};
    char target[64];
    int i;

    publish_some();
    for (i = 0; i < 4; i++) {
        snprintf(target, sizeof target, "/topics/*?poll=1&format=%s", formats[i]);
        ck_assert(!gets(target, NOBODY, "2p"));
        ck_assert(!gets(target, BETA, "2p"));
        ck_assert(gets(target, BETA, "3p"));
        ck_assert(gets(target, ALPHA, "2p"));
    }
    ck_assert(gets("/topics/a?poll=1&format=json", ALPHA, "\"private\":true"));
    ck_assert(!gets("/topics/a?poll=1&format=json", NOBODY, "private"));
}
END_TEST

/* ---- live ------------------------------------------------------------- */

START_TEST(live)
{
    struct client nobody, alpha, beta, prefix, star;

    topics_subscribe(&nobody, "/topics/a,b1", NOBODY);
    topics_subscribe(&alpha, "/topics/a,b1", ALPHA);
    topics_subscribe(&beta, "/topics/*", BETA);
    topics_subscribe(&prefix, "/topics/b*", ALPHA);
    topics_subscribe(&star, "/topics/*", STAR);
    publish_some();
    topics_put("/topics/a,b1,end", "end");
    client_expect(&nobody, "id: 1\ndata: 1");
    client_expect(&nobody, "id: 4\ndata: 4");
    client_expect_event(&nobody, "data: end");
    client_expect(&alpha, "id: 1\ndata: 1");
    client_expect(&alpha, "id: 2\ndata: 2p");
    client_expect(&alpha, "id: 4\ndata: 4");
    client_expect(&alpha, "id: 5\ndata: 5p");
    client_expect_event(&alpha, "data: end");
    client_expect(&beta, "id: 1\ndata: 1");
    client_expect(&beta, "id: 3\ndata: 3p");
    client_expect(&beta, "id: 4\ndata: 4");
    client_expect(&beta, "id: 5\ndata: 5p");
    client_expect(&beta, "id: 6\ndata: 6");
    client_expect_event(&beta, "data: end");
    client_expect(&prefix, "id: 4\ndata: 4");
    client_expect(&prefix, "id: 5\ndata: 5p");
    client_expect_event(&prefix, "data: end");
    client_expect(&star, "id: 1\ndata: 1");
    client_expect(&star, "id: 2\ndata: 2p");
    client_close(&nobody);
    client_close(&alpha);
    client_close(&beta);
    client_close(&prefix);
    client_close(&star);
}
END_TEST

/* ---- topics ----------------------------------------------------------- */

/* Fails unless the list at TARGET has the topics EXPECTED, each with a space after it. */
static void expect_topics(const char *target, const char *headers,
                          const char *expected)
{
    json_t *list = topics_get_json(target, headers), *topic;
    char text[256] = "";
    size_t i;

    json_array_foreach (json_object_get(list, "topics"), i, topic) {
        strcat(text, json_text(topic, "topic"));
        strcat(text, " ");
    }
    ck_assert_str_eq(text, expected);
    json_decref(list);
}

START_TEST(lists_and_descriptions)
{
    static const char json[] = "Accept: application/json\r\n";
    struct client client;

    topics_put("/topics/a", "1");
    topics_put("/topics/b1?private=1", "2");
    topics_put("/topics/c", "3");
    topics_subscribe(&client, "/topics/b1,d", NOBODY);
    expect_topics("/topics", NOBODY, "a c d ");
    expect_topics("/topics?match=b*", NOBODY, "");
    expect_topics("/topics", ALPHA, "a c d ");
    expect_topics("/topics", BETA, "a b1 c d ");
    expect_topics("/topics?limit=1&after=a", NOBODY, "c ");
    expect_topics("/topics?limit=1&after=a", STAR, "b1 ");
    ck_assert_int_eq(fetch(topics_port, "GET", "/topics/b1", json, NULL, NULL),
                     404);
    ck_assert_int_eq(fetch(topics_port, "GET", "/topics/b1",
                           BETA "Accept: application/json\r\n", NULL, NULL),
                     200);
    client_close(&client);
}
END_TEST

/* ---- publishing ------------------------------------------------------- */

START_TEST(by_either_carrier)
{
    struct client client;

    /* A plain request is for the pipeline, a chunked one for libmicrohttpd. */
    topics_put("/topics/a?private=1", "plain");
    client_connect(&client, topics_port);
    client_send(&client, "POST /topics/a?private=1 HTTP/1.1\r\nHost: x\r\n"
                         "Transfer-Encoding: chunked\r\n\r\n"
                         "7\r\nchunked\r\n0\r\n\r\n");
    ck_assert_int_eq(client_head(&client), 200);
    client_close(&client);
    topics_hold("/topics/a", NOBODY, "");
    topics_hold("/topics/a", ALPHA, "plain chunked ");
}
END_TEST

START_TEST(many_at_once)
{
    json_decref(topics_publish("/topics/a?private=1",
                               "Content-Type: text/event-stream\r\n",
                               "data: 1\n\ndata: 2\n\n", 200));
    json_decref(topics_publish("/topics/a", "Content-Type: text/event-stream\r\n",
                               "data: 3\n\n", 200));
    topics_hold("/topics/a", NOBODY, "3 ");
    topics_hold("/topics/a", ALPHA, "1 2 3 ");
}
END_TEST

START_TEST(a_value_that_is_not_understood)
{
    json_decref(topics_publish("/topics/a?private=yes", "", "x", 400));
    json_decref(topics_publish("/topics/a?private=", "", "x", 400));
    json_decref(topics_publish("/topics/a?private=true",
                               "Content-Type: text/event-stream\r\n",
                               "data: x\n\n", 400));
    topics_hold("/topics/a", STAR, "");
    topics_put("/topics/a?private=0", "x");
    topics_hold("/topics/a", NOBODY, "x ");
}
END_TEST

START_TEST(by_the_command)
{
    command_environment(topics_port);
    command_expect(0, NULL, "", NULL,
                   WORDS("pub", "--private", "--id", "1", "a", "one"));
    command_expect(0, NULL, "", "two\nthree\n",
                   WORDS("pub", "--private", "--lines", "a"));
    topics_hold("/topics/a", NOBODY, "");
    topics_hold("/topics/a", ALPHA, "one two three ");
}
END_TEST

START_TEST(nobody_could_be_sent_it)
{
    fixture_scratch();
    fixture_start("");
    json_decref(topics_publish("/topics/a?private=1", "", "x", 400));
    topics_put("/topics/a?private=0", "y");
    topics_hold("/topics/a", "", "y ");
    fixture_end();
}
END_TEST

/* ---- restarts --------------------------------------------------------- */

START_TEST(after_a_restart)
{
    publish_some();
    crierd_kill(&crierd);
    fixture_start(options);
    topics_hold("/topics/*", NOBODY, "1 4 6 ");
    topics_hold("/topics/*", BETA, "1 3p 4 5p 6 ");
    topics_hold("/topics/*", "Last-Event-ID: 3\r\n", "4 6 ");
    expect_topics("/topics", NOBODY, "");
    expect_topics("/topics", STAR, "a b1 c ");
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_test(tcase, the_past);
    tcase_add_test(tcase, where_a_stream_begins);
    tcase_add_test(tcase, in_each_format);
    tcase_add_test(tcase, live);
    tcase_add_test(tcase, lists_and_descriptions);
    tcase_add_test(tcase, by_either_carrier);
    tcase_add_test(tcase, many_at_once);
    tcase_add_test(tcase, a_value_that_is_not_understood);
    tcase_add_test(tcase, by_the_command);
}

static Suite *make_suite(void)
{
    Suite *suite = suite_create("private updates");
    TCase *tcase = add_case(suite, "in memory");

    tcase_add_checked_fixture(tcase, setup_memory, fixture_end);
    add_tests(tcase);
    tcase = add_case(suite, "in a file");
    tcase_add_checked_fixture(tcase, setup_file, fixture_end);
    add_tests(tcase);
    tcase_add_test(tcase, after_a_restart);
    if (redis_is_wanted()) {
        tcase = add_case(suite, "in Redis");
        tcase_add_checked_fixture(tcase, setup_redis, fixture_end);
        add_tests(tcase);
        tcase_add_test(tcase, after_a_restart);
    }
    tcase = add_case(suite, "without tokens");
    tcase_add_test(tcase, nobody_could_be_sent_it);
    return suite;
}

RUN_SUITE(make_suite)
