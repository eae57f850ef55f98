/* doc/examples, as programs to run and as texts to read. */
#include <config.h>

#include "support/client.h"
#include "support/command.h"
#include "support/runner.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct command example;
static int port;

/* Runs the example NAME with WORDS, in the place of crier. */
static void run_example(struct command *command, const char *name,
                        const char *const *words)
{
    char path[4096];

    ck_assert_ptr_nonnull(getenv("EXAMPLES"));
    snprintf(path, sizeof path, "%s/%s", getenv("EXAMPLES"), name);
    ck_assert_int_eq(setenv("CRIER", path, 1), 0);
    command_start(command, 0, words);
}

/* Starts the server NAME on a free port, which it prints. */
static void start_server(const char *name)
{
    static const char url[] = "http://127.0.0.1:";
    const char *at;

    run_example(&example, name, WORDS("0"));
    output_wait(&example.err, "/\n");
    pthread_mutex_lock(&example.err.lock);
    at = strstr(example.err.text, url);
    ck_assert_ptr_nonnull(at);
    port = (int)strtol(at + strlen(url), NULL, 10);
    pthread_mutex_unlock(&example.err.lock);
    ck_assert_int_gt(port, 0);
}

/* It received the signal to end, and ends with status 0. */
static void expect_good_end(void)
{
    ck_assert_int_eq(command_wait(&example), 0);
    command_done(&example);
}

static void press_enter(void)
{
    command_write(&example, "\n");
    expect_good_end();
}

/* Opens a stream and reads its head. */
static void open_stream(struct client *client, const char *target,
                        const char *headers)
{
    client_connect(client, port);
    ck_assert_int_eq(client_request(client, "GET", target, headers, NULL),
                     200);
    ck_assert_str_eq(client_header(client, "Content-Type"),
                     "text/event-stream");
}

/* Reads up to the event whose data is TEXT, past what else there is. */
static void expect_data(struct client *client, const char *text)
{
    char line[300];

    snprintf(line, sizeof line, "data: %s", text);
    free(client_until(client, line));
}

/* ---- the seeds' three ------------------------------------------------- */

START_TEST(a_reply_is_finite)
{
    char *body;

    start_server("reply");
    ck_assert_int_eq(fetch(port, "GET", "/there", "", NULL, &body), 200);
    ck_assert_str_eq(body, "event: greeting\ndata: hello, world\n\n"
                           "data: this is /there\n\n");
    free(body);
    press_enter();
}
END_TEST

START_TEST(a_counter_counts_for_each_client)
{
    struct client first, second;

    start_server("counter");
    open_stream(&first, "/", "");
    expect_data(&first, "0");
    expect_data(&first, "1");
    open_stream(&second, "/", "");
    expect_data(&second, "0");
    expect_data(&first, "2");
    press_enter();
    client_expect_end(&first);
    client_expect_end(&second);
    client_close(&first);
    client_close(&second);
}
END_TEST

START_TEST(a_broadcaster_sends_to_all)
{
    struct client clients[3];
    char *body;
    int i;

    start_server("broadcaster");
    for (i = 0; i < 3; i++) {
        open_stream(&clients[i], "/events", "");
        expect_data(&clients[i], "connected");
    }
    ck_assert_int_eq(fetch(port, "POST", "/broadcast/hi%20all", "", "", &body),
                     200);
    ck_assert_str_eq(body, "sent to 3\n");
    free(body);
    for (i = 0; i < 3; i++)
        expect_data(&clients[i], "hi all");
    ck_assert_int_eq(fetch(port, "GET", "/broadcast/no", "", NULL, NULL), 404);
    ck_assert_int_eq(fetch(port, "POST", "/elsewhere", "", "", NULL), 404);
    ck_assert_int_eq(fetch(port, "POST", "/broadcast/%ff", "", "", NULL), 400);
    press_enter();
    for (i = 0; i < 3; i++) {
        client_expect_end(&clients[i]);
        client_close(&clients[i]);
    }
}
END_TEST

START_TEST(news_has_one_topic)
{
    struct client client;

    start_server("news");
    open_stream(&client, "/", "");
    ck_assert_int_eq(fetch(port, "POST", "/", "", "hello", NULL), 200);
    expect_data(&client, "hello");
    press_enter();
    client_expect_end(&client);
    client_close(&client);
}
END_TEST

START_TEST(the_end_of_input_ends_them)
{
    static const char *const names[] = {"reply", "counter", "broadcaster",
                                        "news"};

    start_server(names[_i]);
    command_close_input(&example);
    expect_good_end();
}
END_TEST

START_TEST(a_port_that_is_taken_is_told)
{
    static const char *const names[] = {"reply", "counter", "broadcaster",
                                        "server", "news"};
    struct command second;
    char text[16];

    start_server(names[_i]);
    snprintf(text, sizeof text, "%d", port);
    run_example(&second, names[_i], WORDS(text));
    ck_assert_int_eq(command_wait(&second), 1);
    ck_assert(output_has(&second.err, "Address already in use"));
    command_done(&second);
    command_stop(&example, SIGTERM);
    command_done(&example);
}
END_TEST

/* ---- topics ----------------------------------------------------------- */

static int publish(const char *topic, const char *body)
{
    char target[300];

    snprintf(target, sizeof target, "/%s", topic);
    return fetch(port, "POST", target, "", body, NULL);
}

static void stop_server(void)
{
    ck_assert_int_eq(command_stop(&example, SIGINT), 0);
    command_done(&example);
}

START_TEST(subscribing_and_resuming)
{
    struct client client;
    char id[256], header[300], *event;

    start_server("server");
    open_stream(&client, "/news", "");
    ck_assert_int_eq(publish("news", "one"), 200);
    ck_assert_int_eq(publish("sport", "other"), 200);
    event = client_until(&client, "data: one");
    ck_assert_int_eq(sscanf(event, "id: %255s", id), 1);
    free(event);
    client_close(&client);

    ck_assert_int_eq(publish("news", "two"), 200);
    snprintf(header, sizeof header, "Last-Event-ID: %s\r\n", id);
    open_stream(&client, "/news", header);
    expect_data(&client, "two");
    ck_assert_int_eq(publish("news", "three"), 200);
    expect_data(&client, "three");
    stop_server();
    client_expect_end(&client);
    client_close(&client);
}
END_TEST

START_TEST(a_body_may_come_in_parts)
{
    char *large = malloc(65538), *frame;
    struct client client, publisher;

    start_server("server");
    open_stream(&client, "/a", "");
    client_connect(&publisher, port);
    client_send(&publisher, "POST /a HTTP/1.1\r\nHost: localhost\r\n"
                            "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    ck_assert_int_eq(client_head(&publisher), 100);
    client_send(&publisher, "he");
    ck_assert(!client_has(&publisher, 50));
    client_send(&publisher, "llo");
    ck_assert_int_eq(client_head(&publisher), 200);
    free(client_body(&publisher));
    expect_data(&client, "hello");

    /* the same connection again */
    memset(large, 'x', 65537);
    large[65536] = '\0';
    ck_assert_int_eq(client_request(&publisher, "POST", "/a", "", large), 200);
    free(client_body(&publisher));
    frame = client_until(&client, "data: xxx");
    ck_assert_uint_eq(strlen(strstr(frame, "data: ")), 6 + 65536);
    free(frame);
    large[65536] = 'x';
    large[65537] = '\0';
    ck_assert_int_eq(client_request(&publisher, "POST", "/a", "", large), 413);
    client_close(&publisher);
    client_close(&client);
    free(large);
    stop_server();
}
END_TEST

START_TEST(what_is_wrong_is_refused)
{
    start_server("server");
    ck_assert_int_eq(publish("", "no topic"), 400);
    ck_assert_int_eq(publish("a*", "not a topic"), 400);
    ck_assert_int_eq(publish("a", "\xff"), 400);
    ck_assert_int_eq(publish("a", ""), 200);
    ck_assert_int_eq(fetch(port, "GET", "/", "", NULL, NULL), 400);
    ck_assert_int_eq(fetch(port, "PUT", "/a", "", "x", NULL), 501);
    stop_server();
}
END_TEST

START_TEST(a_program_subscribes)
{
    struct command subscribe;
    char url[100];

    start_server("server");
    snprintf(url, sizeof url, "http://127.0.0.1:%d/news", port);
    run_example(&subscribe, "subscribe", WORDS(url));
    /* It receives updates from its start on; the test waits until it has started. */
    do
        ck_assert_int_eq(publish("news", "hello"), 200);
    while (!output_has(&subscribe.out, "message: hello\n"));
    command_stop(&subscribe, SIGTERM);
    command_done(&subscribe);
    stop_server();
}
END_TEST

/* ---- the texts -------------------------------------------------------- */

/* How many lines of the example NAME are not blank; fails when one is longer than 80
 * characters. */
static int count_lines(const char *name)
{
    char path[4096], line[1000];
    int count = 0;
    FILE *file;

    ck_assert_ptr_nonnull(getenv("EXAMPLE_SOURCES"));
    snprintf(path, sizeof path, "%s/%s", getenv("EXAMPLE_SOURCES"), name);
    file = fopen(path, "r");
    ck_assert_msg(file != NULL, "%s cannot be read", path);
    while (fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        ck_assert_msg(strlen(line) <= 80, "%s: too long: %s", name, line);
        count += line[strspn(line, " \t")] != '\0';
    }
    fclose(file);
    return count;
}

/* An example that grows says that the library asks too much. */
START_TEST(they_are_short)
{
    ck_assert_int_le(count_lines("reply.c"), 20);
    ck_assert_int_le(count_lines("counter.c"), 30);
    ck_assert_int_le(count_lines("broadcaster.c"), 40);
    ck_assert_int_le(count_lines("server.c"), 80);
    ck_assert_int_le(count_lines("news.c"), 30);
}
END_TEST

/* Reads the file NAME in the folder of the examples. The caller frees the text. */
static char *read_source(const char *name)
{
    char path[4096], *text = NULL;
    size_t size = 0;
    FILE *file;

    ck_assert_ptr_nonnull(getenv("EXAMPLE_SOURCES"));
    snprintf(path, sizeof path, "%s/%s", getenv("EXAMPLE_SOURCES"), name);
    file = fopen(path, "r");
    ck_assert_msg(file != NULL, "%s cannot be read", path);
    ck_assert_int_gt(getdelim(&text, &size, '\0', file), 0);
    fclose(file);
    return text;
}

/* README.md has news.c as a block of code. */
START_TEST(readme_shows_news)
{
    char *readme = read_source("../../README.md"), *block;
    char *news = read_source("news.c");

    block = strstr(readme, "```c\n/* One topic");
    ck_assert_ptr_nonnull(block);
    block += strlen("```c\n");
    ck_assert_msg(strncmp(block, news, strlen(news)) == 0 &&
                      strncmp(block + strlen(news), "```\n", 4) == 0,
                  "README.md and doc/examples/news.c differ");
    free(readme);
    free(news);
}
END_TEST

START_TEST(a_loop_of_its_own)
{
    struct client clients[2];
    unsigned long first, next;
    char *frame;
    int i;

    start_server("loop");
    for (i = 0; i < 2; i++) {
        client_connect(&clients[i], port);
        ck_assert_int_eq(client_request(&clients[i], "GET", "/", "", NULL),
                         200);
    }
    for (i = 0; i < 2; i++) {
        frame = client_any_frame(&clients[i]);
        ck_assert_int_eq(sscanf(frame, "data: %lu", &first), 1);
        free(frame);
        frame = client_any_frame(&clients[i]);
        ck_assert_int_eq(sscanf(frame, "data: %lu", &next), 1);
        ck_assert_uint_gt(next, first);
        free(frame);
    }
    command_stop(&example, SIGTERM);
    command_done(&example);
    for (i = 0; i < 2; i++) {
        free(client_until(&clients[i], "retry: "));
        client_close(&clients[i]);
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("example");
    TCase *tcase = add_case(suite, "seeds");

    tcase_add_test(tcase, a_reply_is_finite);
    tcase_add_test(tcase, a_counter_counts_for_each_client);
    tcase_add_test(tcase, a_broadcaster_sends_to_all);
    tcase_add_test(tcase, news_has_one_topic);
    tcase_add_loop_test(tcase, the_end_of_input_ends_them, 0, 4);
    tcase_add_loop_test(tcase, a_port_that_is_taken_is_told, 0, 5);
    tcase_add_test(tcase, they_are_short);
    tcase_add_test(tcase, readme_shows_news);
    tcase = add_case(suite, "topics");
    tcase_add_test(tcase, subscribing_and_resuming);
    tcase_add_test(tcase, a_body_may_come_in_parts);
    tcase_add_test(tcase, what_is_wrong_is_refused);
    tcase_add_test(tcase, a_program_subscribes);
    tcase_add_test(tcase, a_loop_of_its_own);
    return suite;
}

RUN_SUITE(make_suite)
