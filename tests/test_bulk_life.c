/*
 * Many updates in one request: the limits of the journal, several publishers at once,
 * publishers that do not wait for the response, and the end or a crash of crierd.
 */
#include <config.h>

#include "crier.h"
#include "support/fixture.h"
#include "support/bulk.h"
#include "support/client.h"
#include "support/runner.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Has crierd go round so often that it has taken all that was sent to it; it is to
 * have one thread. */
static void let_it_take(void)
{
    int i;

    for (i = 0; i < 50; i++)
        ck_assert_int_eq(fetch(crierd.port, "GET", "/healthz", "", NULL, NULL),
                         200);
}

/* ---- limits ----------------------------------------------------------- */

/* The first failure ends the request; the response counts the updates before it. */
START_TEST(limits_are_those_of_single_ones)
{
    const char *file = fixture_option(_i);
    char options[256], *large = malloc(40001), *body, *answer, target[64];
    int i;

    snprintf(options, sizeof options,
             "%s --max-update 30K --retain-bytes 20K --max-topics 100", file);
    fixture_start(options);
    memset(large, 'x', 40000);
    large[40000] = '\0';
    memcpy(large, "data: ", 6);
    memcpy(large + 39998, "\n\n", 2);
    ck_assert_int_eq(
        fetch(crierd.port, "POST", "/topics/a", STREAM, large, &answer), 413);
    ck_assert_ptr_nonnull(strstr(answer, "30720 bytes"));
    free(answer);
    large[25000] = '\0';
    ck_assert_int_gt(
        asprintf(&body, "data: 1\n\ndata: 2\n\n%s\n\ndata: 4\n\n", large), 0);
    ck_assert_int_eq(
        fetch(crierd.port, "POST", "/topics/a", STREAM, body, &answer), 413);
    ck_assert_msg(strstr(answer, "\"event 3: the update is larger than the ") &&
                      strstr(answer, "\"published\":2,\"duplicates\":0"),
                  "%s", answer);
    free(answer);
    free(body);
    free(large);
    topics_hold("/topics/a", "", "1 2 ");
    for (i = 1; i < 100; i++) {
        snprintf(target, sizeof target, "/topics/t%d", i);
        topics_put(target, "x");
    }
    ck_assert_int_eq(fetch(crierd.port, "POST", "/topics/t100", STREAM,
                           "data: 1\n\ndata: 2\n\n", &answer),
                     507);
    ck_assert_msg(
        strstr(answer, "\"event 1: too many topics") &&
            strstr(answer, "\"published\":0"),
        "%s", answer);
    free(answer);
}
END_TEST

/* ---- several publishers, and some that disconnect --------------------- */

struct publisher {
    pthread_t thread;
    const char *name;
    int bulks, bad;
};

static void *publish_in_order(void *argument)
{
    struct publisher *publisher = argument;
    struct client client;
    char *body;
    int i;

    client_connect(&client, crierd.port);
    for (i = 0; i < publisher->bulks; i++) {
        body = bulk_numbered(publisher->name, i * 500, 500);
        publisher->bad +=
            client_request(&client, "POST", "/topics/a", STREAM, body) != 200;
        free(client_body(&client));
        free(body);
    }
    client_close(&client);
    return NULL;
}

START_TEST(each_connection_keeps_its_order)
{
    struct publisher publishers[] = {{.name = "a"}, {.name = "b"}};
    struct client client;
    char wanted[64], *frame;
    int next[2] = {0, 0}, bulks = crierd_is_slow() ? 4 : 10, i, which;

    fixture_start(fixture_option(_i));
    topics_subscribe(&client, "/topics/a", "");
    for (i = 0; i < 2; i++) {
        publishers[i].bulks = bulks;
        pthread_create(&publishers[i].thread, NULL, publish_in_order,
                       &publishers[i]);
    }
    for (i = 0; i < 2 * 500 * bulks; i++) {
        frame = client_event(&client, NULL);
        ck_assert_ptr_nonnull(frame);
        which = frame[6] == 'b';
        snprintf(wanted, sizeof wanted, "data: %s%d", publishers[which].name,
                 next[which]++);
        ck_assert_str_eq(frame, wanted);
        free(frame);
    }
    for (i = 0; i < 2; i++) {
        pthread_join(publishers[i].thread, NULL);
        ck_assert_int_eq(publishers[i].bad, 0);
        bulk_held("a", publishers[i].name, 500 * bulks);
    }
    client_close(&client);
}
END_TEST

/* Sends BODY to TARGET. */
static void send_bulk(struct client *client, const char *target,
                      const char *body)
{
    client_connect(client, crierd.port);
    client_send(client,
                "POST %s HTTP/1.1\r\nHost: x\r\n" STREAM
                "Content-Length: %zu\r\n\r\n%s",
                target, strlen(body), body);
}

/* How many updates TOPIC holds. The topic must exist. */
static json_int_t held(const char *topic)
{
    char target[64];
    json_t *about;
    json_int_t updates;

    snprintf(target, sizeof target, "/topics/%s", topic);
    about = topics_get_json(target, "Accept: application/json\r\n");
    updates = json_number(about, "updates");
    json_decref(about);
    return updates;
}

START_TEST(a_publisher_that_does_not_wait_leaves_all_or_nothing)
{
    char topic[16], target[32], name[16], *body;
    struct client client;
    json_int_t count;
    int i;

    fixture_start(fixture_option(_i));
    for (i = 0; i < 60; i++) {
        snprintf(topic, sizeof topic, "t%d", i);
        snprintf(target, sizeof target, "/topics/%s", topic);
        snprintf(name, sizeof name, "%d-", i);
        body = bulk_numbered(name, 0, 300);
        topics_put(target, "so that it is known");
        send_bulk(&client, target, body);
        if (i % 2 == 0)
            client_has(&client, i % 10); /* some get a response */
        if (i % 3 == 0)
            client_reset(&client);
        else
            client_close(&client);
        do /* or the test's time is up */
            count = held(topic);
        while (count != 1 && count != 301);
        if (count == 301)
            bulk_held(topic, name, 300);
        free(body);
    }
    bulk_expect("/topics/a", "data: 1\n\ndata: 2\n\n", 200, 2, 0);
}
END_TEST

static sqlite3 *lock_file(void)
{
    char path[64];
    sqlite3 *other;

    snprintf(path, sizeof path, "%s/journal", scratch);
    ck_assert_int_eq(sqlite3_open(path, &other), SQLITE_OK);
    sqlite3_busy_timeout(other, PATIENCE); /* crierd may be writing */
    ck_assert_int_eq(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL),
                     SQLITE_OK);
    return other;
}

/* How long crierd waits for a file that is locked, in ms. */
#define LOCK_PATIENCE 2000

/* Publishes 500 updates to TOPIC, and disconnects, by a FIN or by a RESET, while crierd waits
 * for the journal, whose file is locked. Returns false if that took too long: then crierd may
 * have given up. */
static bool disconnect_early(const char *topic, bool reset)
{
    char target[64], *body = bulk_numbered(topic, 0, 500);
    struct client client;
    sqlite3 *other;
    uint64_t begun, took;
    bool answered;

    snprintf(target, sizeof target, "/topics/%s", topic);
    while (fetch(crierd.port, "POST", target, "", "x", NULL) != 200)
        ;
    other = lock_file();
    begun = crier_now();
    send_bulk(&client, target, body);
    let_it_take();
    answered = client_has(&client, 0);
    if (reset)
        client_reset(&client);
    else
        client_close(&client);
    let_it_take();
    took = crier_now() - begun;
    ck_assert_int_eq(sqlite3_close(other), SQLITE_OK);
    ck_assert(!answered || took >= LOCK_PATIENCE);
    free(body);
    return took < LOCK_PATIENCE;
}

START_TEST(a_publisher_that_disconnects_loses_nothing)
{
    char options[sizeof journal_option + 16], topic[16];
    int i = 0;

    snprintf(options, sizeof options, "%s --threads 1", journal_option);
    fixture_start(options);
    do
        snprintf(topic, sizeof topic, "%d-", i++);
    while (!disconnect_early(topic, _i != 0));
    while (held(topic) != 501) /* or the test's time is up */
        continue;
    bulk_held(topic, topic, 500);
}
END_TEST

START_TEST(the_end_does_not_wait_for_a_locked_journal)
{
    char options[sizeof journal_option + 16], *body = bulk_numbered("n", 0, 3000);
    struct client clients[5];
    sqlite3 *other;
    int i;

    snprintf(options, sizeof options, "%s --threads 1", journal_option);
    fixture_start(options);
    other = lock_file();
    for (i = 0; i < 5; i++) {
        send_bulk(&clients[i], "/topics/a", body);
        clients[i].torn = true;
    }
    let_it_take();
    crierd_stop(&crierd); /* in time */
    for (i = 0; i < 5; i++) {
        ck_assert_int_ne(client_head(&clients[i]), 200);
        client_close(&clients[i]);
    }
    ck_assert_int_eq(sqlite3_close(other), SQLITE_OK);
    fixture_start(journal_option);
    free(body);
}
END_TEST

START_TEST(a_failing_journal_is_reported)
{
    char path[64], *body = bulk_numbered("n", 0, 3000), *answer;
    int status;

    fixture_start(journal_option);
    topics_put("/topics/a", "x");
    snprintf(path, sizeof path, "%s/journal", scratch);
    ck_assert_int_eq(unlink(path), 0);
    status = fetch(crierd.port, "POST", "/topics/a", STREAM, body, &answer);
    ck_assert_int_eq(status, 503);
    ck_assert_msg(
        strstr(answer, "\"event 1: the journal cannot be written: ") &&
            strstr(answer, "\"published\":0,\"duplicates\":0"),
        "%s", answer);
    free(answer);
    free(body);
    crierd_wait_log(&crierd, "the journal fails");
}
END_TEST

/* After a response of 200 the updates are on the disk. */
START_TEST(a_crash_loses_nothing)
{
    const char *option = fixture_option(_i);
    char *body;
    int i;

    fixture_start(option);
    for (i = 0; i < 5; i++) {
        body = bulk_numbered("n", i * 2000, 2000);
        bulk_expect("/topics/a", body, 200, 2000, 0);
        free(body);
    }
    crierd_kill(&crierd);
    fixture_start(option);
    bulk_held("a", "n", 10000);
}
END_TEST

/* After a crash in the middle the whole request is repeated. */
START_TEST(a_crash_in_the_middle_can_be_repeated)
{
    char *body = bulk_numbered("n", 0, 10000);
    struct client client, subscriber;
    json_t *answer;

    fixture_start(fixture_option(_i));
    topics_subscribe(&subscriber, "/topics/a", "");
    send_bulk(&client, "/topics/a?dedupe=1", body);
    client_expect(&subscriber, "id: n0\ndata: n0");
    crierd_kill(&crierd);
    client_close(&client);
    client_close(&subscriber);
    fixture_start(journal_option);
    answer = bulk_post("/topics/a?dedupe=1", body, 200);
    ck_assert_int_eq(json_number(answer, "published"), 10000);
    ck_assert_int_ge(json_number(answer, "duplicates"), 1);
    json_decref(answer);
    bulk_held("a", "n", 10000);
    free(body);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("bulk_life");
    TCase *c = add_case(s, "bulk_life");

    tcase_add_checked_fixture(c, fixture_scratch, fixture_end);
    tcase_add_loop_test(c, limits_are_those_of_single_ones, 0,
                        fixture_journals());
    tcase_add_loop_test(c, each_connection_keeps_its_order, 0,
                        fixture_journals());
    tcase_add_loop_test(c, a_publisher_that_does_not_wait_leaves_all_or_nothing, 0,
                        FIXTURE_REDIS);
    tcase_add_loop_test(c, a_publisher_that_disconnects_loses_nothing, 0,
                        fixture_journals());
    tcase_add_test(c, the_end_does_not_wait_for_a_locked_journal);
    tcase_add_test(c, a_failing_journal_is_reported);
    tcase_add_loop_test(c, a_crash_loses_nothing, FIXTURE_FILE, fixture_journals());
    tcase_add_loop_test(c, a_crash_in_the_middle_can_be_repeated, FIXTURE_FILE,
                        fixture_journals());
    return s;
}

RUN_SUITE(suite)
