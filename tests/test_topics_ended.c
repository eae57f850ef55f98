/*
 * Topics that end, over HTTP and with all journals: the last update, the end of streams,
 * and 204 for a client that has had all.
 */
#include <config.h>

#include "crier_server.h"
#include "support/client.h"
#include "support/fixture.h"
#include "support/runner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *options; /* of the crierd of this case */

static void setup_memory(void)
{
    options = "";
    fixture_memory();
}

static void setup_file(void)
{
    fixture_file();
    options = journal_option;
}

static void setup_redis(void)
{
    fixture_redis();
    options = journal_option;
}

/* Publishes BODY as the last update of TOPICS, with ID unless that is NULL. Writes its id
 * to MADE. */
static void finish(const char *topics, const char *id, const char *body, char made[256])
{
    char target[512];
    json_t *receipt;

    snprintf(target, sizeof target, "/topics/%s?last=1%s%s", topics,
             id != NULL ? "&id=" : "", id != NULL ? id : "");
    receipt = topics_publish(target, "", body, 200);
    snprintf(made, 256, "%s", json_text(receipt, "id"));
    json_decref(receipt);
}

/* The status of METHOD for TARGET to a client with the last id ID, or NULL. */
static int status_of(const char *method, const char *target, const char *id)
{
    char header[300] = "";

    if (id != NULL)
        snprintf(header, sizeof header, "Last-Event-ID: %s\r\n", id);
    return fetch(topics_port, method, target, header, NULL, NULL);
}

/* Fails unless the stream at TARGET, after ID (or NULL), is the events with the data
 * EXPECTED, each with a space behind it, and then ends. Writes the last id to LAST. */
static void expect_stream(const char *target, const char *id, const char *expected,
                          char last[256])
{
    char header[300] = "", text[1024] = "", one[256], *frame;
    struct client client;

    if (id != NULL)
        snprintf(header, sizeof header, "Last-Event-ID: %s\r\n", id);
    topics_subscribe(&client, target, header);
    while ((frame = client_event(&client, one)) != NULL) {
        if (one[0] != '\0')
            snprintf(last, 256, "%s", one);
        if (strncmp(frame, "data: ", 6) == 0)
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s ", frame + 6);
        free(frame);
    }
    ck_assert_str_eq(text, expected);
    client_close(&client);
}

/* ---- publishers ------------------------------------------------------- */

START_TEST(an_ended_topic_takes_no_update)
{
    char id[256], *answer;
    json_t *receipt;

    finish("a,b", "x", "1", id);
    ck_assert_int_eq(fetch(topics_port, "POST", "/topics/c,b", "", "2", &answer), 409);
    ck_assert_ptr_nonnull(strstr(answer, "the topic has ended: 'b' takes no update"));
    free(answer);
    json_decref(topics_publish("/topics/a?id=x&last=1", "", "1", 409)); /* it exists */
    receipt = topics_publish("/topics/a,b?id=x&last=1&dedupe=1", "", "1", 200);
    ck_assert(json_is_true(json_object_get(receipt, "duplicate")));
    json_decref(receipt);
    ck_assert_int_eq(fetch(topics_port, "DELETE", "/topics/a", "", NULL, NULL), 204);
    topics_put("/topics/a", "3");
    json_decref(topics_publish("/topics/a,b", "", "4", 409));
}
END_TEST

/* Of many events it is the last one; a request that is sent again ends nothing else. */
START_TEST(the_last_event_of_many_ends_the_topic)
{
    const char *bulk = "Content-Type: text/event-stream\r\n";
    const char *two = "id: 1\ndata: 1\n\nid: 2\ndata: 2\n\n";
    char last[256];
    json_t *receipt;

    json_decref(topics_publish("/topics/a?last=1&dedupe=1", bulk, two, 200));
    receipt = topics_publish("/topics/a?last=1&dedupe=1", bulk, two, 200);
    ck_assert_int_eq(json_number(receipt, "duplicates"), 2);
    json_decref(receipt);
    receipt = topics_publish("/topics/a?dedupe=1", bulk,
                             "id: 2\ndata: 2\n\nid: 3\ndata: 3\n\n", 409);
    ck_assert_ptr_nonnull(strstr(json_text(receipt, "detail"), "event 2: the topic"));
    json_decref(receipt);
    expect_stream("/topics/a", "1", "2 ", last);
    ck_assert_int_eq(status_of("GET", "/topics/a", "2"), 204);
}
END_TEST

/* ---- streams ---------------------------------------------------------- */

START_TEST(streams_of_names_alone_end)
{
    struct client one, both, prefix, every;
    char id[256];

    topics_subscribe(&one, "/topics/a", "");
    topics_subscribe(&both, "/topics/a,b", "");
    topics_subscribe(&prefix, "/topics/a,a*", "");
    topics_subscribe(&every, "/topics/*", "");
    topics_put("/topics/a", "1");
    finish("a", NULL, "2", id);
    client_expect_event(&one, "data: 1");
    client_expect_event(&one, "data: 2");
    ck_assert_ptr_null(client_frame(&one));
    topics_put("/topics/b", "3");
    finish("b", NULL, "4", id);
    client_expect_event(&both, "data: 1");
    client_expect_event(&both, "data: 2");
    client_expect_event(&both, "data: 3");
    client_expect_event(&both, "data: 4");
    ck_assert_ptr_null(client_frame(&both));
    topics_put("/topics/ab", "5");
    client_expect_event(&prefix, "data: 1");
    client_expect_event(&prefix, "data: 2");
    client_expect_event(&prefix, "data: 5");
    free(client_until(&every, "data: 5"));
    client_close(&one);
    client_close(&both);
    client_close(&prefix);
    client_close(&every);
}
END_TEST

START_TEST(who_comes_back_gets_the_rest_or_204)
{
    char first[256], last[256], second[256], seen[256] = "";
    json_t *receipt = topics_publish("/topics/a", "", "1", 200);

    snprintf(first, sizeof first, "%s", json_text(receipt, "id"));
    json_decref(receipt);
    finish("a", NULL, "2", last);
    expect_stream("/topics/a", first, "2 ", seen);
    ck_assert_str_eq(seen, last);
    expect_stream("/topics/a", NULL, "2 ", seen); /* so that it has an id */
    ck_assert_str_eq(seen, last);
    expect_stream("/topics/a?since=all", NULL, "1 2 ", seen);
    expect_stream("/topics/a?since=1h&start=id", NULL, "1 2 ", seen);
    expect_stream("/topics/a?since=0&start=id", NULL, "", seen);
    ck_assert_int_eq(status_of("GET", "/topics/a", seen), 204);
    ck_assert_int_eq(status_of("GET", "/topics/a", last), 204);
    ck_assert_int_eq(status_of("HEAD", "/topics/a", last), 204);
    ck_assert_int_eq(status_of("HEAD", "/topics/a", NULL), 200);
    ck_assert_int_eq(status_of("HEAD", "/topics/a", first), 200);
    topics_hold("/topics/a", "", "1 2 ");

    /* Two that end: behind the newer end there is nothing. */
    finish("b", "own", "3", second);
    ck_assert_int_eq(status_of("GET", "/topics/a,b", "own"), 204);
    expect_stream("/topics/a,b", last, "3 ", seen);
    ck_assert_str_eq(seen, "own");
    ck_assert_int_eq(status_of("HEAD", "/topics/b", "unknown"), 200);
    expect_stream("/topics/b", "unknown", "3 ", seen); /* behind a gap */
    ck_assert_int_eq(fetch(topics_port, "DELETE", "/topics/a", "", NULL, NULL), 204);
    ck_assert_int_eq(status_of("HEAD", "/topics/a", last), 200);
}
END_TEST

/* Its id is of another topic, and it has missed nothing: it is told where the end is, or it
 * would come back for ever. */
START_TEST(an_id_from_elsewhere_leads_to_the_end)
{
    char last[256], seen[256] = "";

    finish("a", NULL, "1", last);
    topics_put("/topics/b?id=own", "2");
    expect_stream("/topics/a", "own", "", seen);
    ck_assert_int_eq(seen[0], '#');
    ck_assert_int_eq(status_of("GET", "/topics/a", seen), 204);
}
END_TEST

/* A client that takes nothing for a while has its end behind the rest. */
START_TEST(a_slow_client_gets_the_rest_first)
{
    char *large = malloc(50001), id[256], *frame;
    struct client slow;
    int i, count = 0;

    memset(large, 'x', 50000);
    large[50000] = '\0';
    client_connect_small(&slow, topics_port, 4096);
    ck_assert_int_eq(client_request(&slow, "GET", "/topics/a", "", NULL), 200);
    for (i = 0; i < 40; i++)
        topics_put("/topics/a", large);
    finish("a", NULL, "end", id);
    while ((frame = client_event(&slow, NULL)) != NULL) {
        count++;
        if (count == 41)
            ck_assert_str_eq(frame, "data: end");
        free(frame);
    }
    ck_assert_int_eq(count, 41);
    client_close(&slow);
    free(large);
}
END_TEST

/* A client knows by the end of the connection that it has all. libmicrohttpd may take a
 * second to close it, which would be more than ten here. On a busy machine some may take as
 * long. */
START_TEST(the_end_comes_at_once)
{
    uint64_t begun;
    char id[256];
    int i, slow = 0;

    finish("fast", NULL, "all", id);
    for (i = 0; i < 20; i++) {
        begun = crier_now();
        free(topics_get("/topics/fast?poll=1", ""));
        expect_stream("/topics/fast?since=all", NULL, "all ", id);
        slow += crier_now() - begun >= 900;
    }
    ck_assert_int_lt(slow, 10);
}
END_TEST

START_TEST(the_full_format_marks_the_end)
{
    struct client client;
    char id[256], *frame;

    topics_subscribe(&client, "/topics/a?format=full", "");
    finish("a", NULL, "1", id);
    frame = client_frame(&client);
    ck_assert_ptr_nonnull(strstr(frame, "\ndata: 1"));
    free(frame);
    client_expect(&client, ": end");
    ck_assert_ptr_null(client_frame(&client));
    client_close(&client);
}
END_TEST

START_TEST(descriptions_say_so)
{
    const char *json = "Accept: application/json\r\n";
    char id[256];
    json_t *topic;

    topics_put("/topics/a", "1");
    topic = topics_get_json("/topics/a", json);
    ck_assert(json_is_false(json_object_get(topic, "ended")));
    json_decref(topic);
    finish("a", NULL, "2", id);
    topic = topics_get_json("/topics/a", json);
    ck_assert(json_is_true(json_object_get(topic, "ended")));
    json_decref(topic);
}
END_TEST

/* ---- a crash ---------------------------------------------------------- */

START_TEST(an_end_survives_a_crash)
{
    char last[256], own[256], seen[256] = "";

    topics_put("/topics/a", "1");
    finish("a", NULL, "2", last);
    finish("b", "mine", "3", own);
    finish("c", NULL, "4", seen);
    ck_assert_int_eq(fetch(topics_port, "DELETE", "/topics/c", "", NULL, NULL), 204);
    crierd_kill(&crierd);
    fixture_start(options);
    json_decref(topics_publish("/topics/a", "", "5", 409));
    ck_assert_int_eq(status_of("GET", "/topics/a", last), 204);
    ck_assert_int_eq(status_of("GET", "/topics/b", "mine"), 204);
    expect_stream("/topics/a?since=all", NULL, "1 2 ", seen);
    topics_put("/topics/c", "6");
}
END_TEST

static void add_tests(TCase *c)
{
    tcase_add_test(c, an_ended_topic_takes_no_update);
    tcase_add_test(c, the_last_event_of_many_ends_the_topic);
    tcase_add_test(c, streams_of_names_alone_end);
    tcase_add_test(c, who_comes_back_gets_the_rest_or_204);
    tcase_add_test(c, an_id_from_elsewhere_leads_to_the_end);
    tcase_add_test(c, a_slow_client_gets_the_rest_first);
    tcase_add_test(c, the_end_comes_at_once);
    tcase_add_test(c, the_full_format_marks_the_end);
    tcase_add_test(c, descriptions_say_so);
}

static Suite *suite(void)
{
    Suite *s = suite_create("topics_ended");
    TCase *c = add_case(s, "memory");

    tcase_add_checked_fixture(c, setup_memory, fixture_end);
    add_tests(c);
    c = add_case(s, "file");
    tcase_add_checked_fixture(c, setup_file, fixture_end);
    add_tests(c);
    tcase_add_test(c, an_end_survives_a_crash);
    if (redis_is_wanted()) {
        c = add_case(s, "redis");
        tcase_add_checked_fixture(c, setup_redis, fixture_end);
        add_tests(c);
        tcase_add_test(c, an_end_survives_a_crash);
    }
    return s;
}

RUN_SUITE(suite)
