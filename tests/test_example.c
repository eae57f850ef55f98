/* doc/examples/topics.c and follow.c, as programs that somebody runs. */
#include <config.h>

#include "support/client.h"
#include "support/crierd.h"
#include "support/runner.h"
#include "support/spawn.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct crierd example;

/* Starts the example in crierd's place, which differs in its arguments only. */
static void start(void)
{
    static const char listening[] = "listening on http://127.0.0.1:";

    ck_assert_ptr_nonnull(getenv("EXAMPLE"));
    ck_assert_int_eq(setenv("CRIERD", getenv("EXAMPLE"), 1), 0);
    crierd_spawn(&example, "0");
    crierd_wait_log(&example, "/\n");
    pthread_mutex_lock(&example.lock);
    ck_assert_int_eq(strncmp(example.log, listening, strlen(listening)), 0);
    example.port =
        (int)strtol(example.log + strlen(listening), NULL, 10);
    pthread_mutex_unlock(&example.lock);
}

static int publish(const char *topic, const char *body)
{
    char target[300];

    snprintf(target, sizeof target, "/%s", topic);
    return fetch(example.port, "POST", target, "", body, NULL);
}

START_TEST(what_is_published_is_followed_and_resumed)
{
    struct client client;
    char id[256], header[300];

    start();
    client_connect(&client, example.port);
    ck_assert_int_eq(client_request(&client, "GET", "/news", "", NULL), 200);
    ck_assert_str_eq(client_header(&client, "Content-Type"),
                     "text/event-stream");
    ck_assert_int_eq(publish("news", "one"), 200);
    ck_assert_int_eq(publish("sport", "other"), 200);
    free(client_event(&client, id));
    ck_assert_int_eq(id[0], '#');
    client_close(&client);

    ck_assert_int_eq(publish("news", "two"), 200);
    client_connect(&client, example.port);
    snprintf(header, sizeof header, "Last-Event-ID: %s\r\n", id);
    ck_assert_int_eq(client_request(&client, "GET", "/news", header, NULL),
                     200);
    client_expect_event(&client, "data: two");
    ck_assert_int_eq(publish("news", "three"), 200);
    client_expect_event(&client, "data: three");
    crierd_stop(&example);
    client_expect_end(&client);
    client_close(&client);
}
END_TEST

START_TEST(a_body_may_come_in_parts)
{
    char *large = malloc(65538), *frame;
    struct client client, publisher;

    start();
    client_connect(&client, example.port);
    ck_assert_int_eq(client_request(&client, "GET", "/a", "", NULL), 200);
    client_connect(&publisher, example.port);
    client_send(&publisher, "POST /a HTTP/1.1\r\nHost: localhost\r\n"
                            "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    ck_assert_int_eq(client_head(&publisher), 100);
    client_send(&publisher, "he");
    ck_assert(!client_has(&publisher, 50));
    client_send(&publisher, "llo");
    ck_assert_int_eq(client_head(&publisher), 200);
    client_expect_event(&client, "data: hello");

    /* the same connection again */
    memset(large, 'x', 65536);
    large[65536] = '\0';
    ck_assert_int_eq(client_request(&publisher, "POST", "/a", "", large), 200);
    frame = client_event(&client, NULL);
    ck_assert_uint_eq(strlen(frame), strlen("data: ") + 65536);
    free(frame);
    client_close(&publisher);
    client_close(&client);
    free(large);
    crierd_stop(&example);
}
END_TEST

START_TEST(what_is_wrong_is_refused)
{
    start();
    ck_assert_int_eq(publish("", "no topic"), 400);
    ck_assert_int_eq(publish("a*", "not a topic"), 400);
    ck_assert_int_eq(publish("a", "\xff"), 400);
    ck_assert_int_eq(publish("a", ""), 200);
    crierd_stop(&example);
}
END_TEST

/* Runs doc/examples/follow for TARGET; its output can be read from *OUT. */
static pid_t run_follow(const char *target, FILE **out)
{
    char path[4096], url[300];
    const char *const words[] = {path, url, NULL};
    struct spawn spawn = {.words = words};
    int ends[2];
    pid_t pid = 0;

    snprintf(path, sizeof path, "%.*s/follow",
             (int)(strrchr(getenv("EXAMPLE"), '/') - getenv("EXAMPLE")),
             getenv("EXAMPLE"));
    snprintf(url, sizeof url, "http://127.0.0.1:%d%s", example.port, target);
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    spawn.files[STDOUT_FILENO] = ends[1];
    ck_assert_int_eq(spawn_program(&spawn, &pid), 0);
    close(ends[1]);
    *out = fdopen(ends[0], "r");
    return pid;
}

START_TEST(a_program_follows)
{
    char line[100];
    FILE *out;
    pid_t pid;

    start();
    ck_assert_int_eq(publish("news", "before"), 200);
    pid = run_follow("/news", &out);
    /* Who follows is told from when it is there on; so it is asked for it. */
    do
        ck_assert_int_eq(publish("news", "hello"), 200);
    while (poll(&(struct pollfd){fileno(out), POLLIN, 0}, 1, 50) == 0);
    ck_assert_ptr_nonnull(fgets(line, sizeof line, out));
    ck_assert_str_eq(line, "message: hello\n");
    kill(pid, SIGTERM);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    fclose(out);
    crierd_stop(&example);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("example");
    TCase *tcase = add_case(suite, "topics");

    tcase_add_test(tcase, what_is_published_is_followed_and_resumed);
    tcase_add_test(tcase, a_body_may_come_in_parts);
    tcase_add_test(tcase, what_is_wrong_is_refused);
    tcase_add_test(tcase, a_program_follows);
    return suite;
}

RUN_SUITE(make_suite)
