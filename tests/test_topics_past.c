/* Past updates of topics: where a stream begins, gaps, repeated ids; the list of topics,
 * deletion, and presence. */
#include <config.h>

#include "crier.h"
#include "support/client.h"
#include "support/fixture.h"
#include "support/runner.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

/* ---- the past --------------------------------------------------------- */

START_TEST(the_past_can_be_asked_for)
{
    struct client client;
    json_t *receipt;
    char target[256], header[300];
    int i;

    for (i = 1; i <= 5; i++) {
        snprintf(target, sizeof target, "/topics/%s?id=n%d",
                 i % 2 ? "odd" : "even", i);
        snprintf(header, sizeof header, "%d", i);
        topics_put(target, header);
    }
    receipt = topics_publish("/topics/odd", "", "7", 200);
    topics_put("/topics/odd", "9");
    topics_hold("/topics/odd", "", "1 3 5 7 9 ");
    topics_hold("/topics/odd,even", "", "1 2 3 4 5 7 9 ");
    topics_hold("/topics/*", "", "1 2 3 4 5 7 9 ");
    topics_hold("/topics/*?since=all", "", "1 2 3 4 5 7 9 ");
    topics_hold("/topics/odd?since=2", "", "7 9 ");
    topics_hold("/topics/odd,even?since=4", "", "4 5 7 9 ");
    topics_hold("/topics/odd?since=100", "", "1 3 5 7 9 ");
    topics_hold("/topics/odd?since=0", "", "");
    topics_hold("/topics/odd?since=10m", "", "1 3 5 7 9 ");
    topics_hold("/topics/odd?since=n3", "", "5 7 9 ");
    topics_hold("/topics/odd,even?lastEventID=n4", "", "5 7 9 ");
    topics_hold("/topics/odd?since=all", "Last-Event-ID: n5\r\n", "7 9 ");
    topics_hold("/topics/odd?since=all", "Last-Event-ID: n4\r\n", "5 7 9 ");
    snprintf(header, sizeof header, "Last-Event-ID: %s\r\n",
             json_text(receipt, "id"));
    topics_hold("/topics/odd", header, "9 ");
    json_decref(receipt);
    topics_subscribe(&client, "/topics/odd?since=1", "");
    client_expect_event(&client, "data: 9");
    topics_put("/topics/odd", "11");
    client_expect_event(&client, "data: 11");
    client_close(&client);
    topics_subscribe(&client, "/topics/odd", "");
    topics_put("/topics/odd", "13"); /* without asking, only what is new */
    client_expect_event(&client, "data: 13");
    client_close(&client);
}
END_TEST

START_TEST(an_unknown_id_is_a_gap)
{
    struct client client;
    json_t *receipt;
    char *frame, wanted[600];

    receipt = topics_publish("/topics/a", "", "1", 200);
    topics_put("/topics/a", "2");
    topics_subscribe(&client, "/topics/a", "Last-Event-ID: no \"such\" id\r\n");
    frame = client_frame(&client);
    snprintf(wanted, sizeof wanted,
             "event: gap\ndata: {\"requested\":\"no \\\"such\\\" id\","
             "\"oldest\":\"%s\"}",
             json_text(receipt, "id"));
    ck_assert_str_eq(frame, wanted);
    free(frame);
    json_decref(receipt);
    client_expect_event(&client, "data: 1");
    client_expect_event(&client, "data: 2");
    topics_put("/topics/a", "3");
    client_expect_event(&client, "data: 3");
    client_close(&client);
    topics_subscribe(&client, "/topics/empty?lastEventID=x", "");
    client_expect(&client,
                  "event: gap\ndata: {\"requested\":\"x\",\"oldest\":null}");
    client_close(&client);
    topics_hold("/topics/empty", "Last-Event-ID: #zzzzzzzz-1\r\n", "GAP:{\"requested\":"
          "\"#zzzzzzzz-1\",\"oldest\":null} ");
}
END_TEST

/* Ids that no update can have are unknown. The gap event has them as valid text. */
START_TEST(an_odd_id_is_a_gap)
{
    char id[257], target[512];
    struct client client;

    memset(id, 'a', 256);
    id[255] = '\0'; /* the longest */
    snprintf(target, sizeof target, "/topics/a?id=%s", id);
    topics_put(target, "1");
    topics_put("/topics/a", "2");
    snprintf(target, sizeof target, "/topics/a?since=%s", id);
    topics_hold(target, "", "2 ");
    id[255] = 'a';
    id[256] = '\0';
    snprintf(target, sizeof target, "/topics/a?lastEventID=%s", id);
    topics_subscribe(&client, target, "");
    free(client_until(&client, "event: gap\ndata: {\"requested\":\"#?aaa"));
    client_close(&client);
    topics_subscribe(&client, "/topics/none", "Last-Event-ID: \xff" "x\r\n");
    client_expect(&client, "event: gap\ndata: {\"requested\":\"#??x\","
                           "\"oldest\":null}");
    client_close(&client);
}
END_TEST

START_TEST(evicted_updates_are_a_gap)
{
    struct crierd other;
    char target[64], header[64];
    int i;

    crierd_start(&other, "--retain-count 5 --retain-topic few*:count=2");
    topics_port = other.port;
    for (i = 1; i <= 8; i++) {
        snprintf(target, sizeof target, "/topics/many?id=m%d", i);
        snprintf(header, sizeof header, "%d", i);
        topics_put(target, header);
    }
    topics_hold("/topics/many", "", "4 5 6 7 8 ");
    topics_hold("/topics/many", "Last-Event-ID: m4\r\n", "5 6 7 8 ");
    topics_hold("/topics/many", "Last-Event-ID: m2\r\n",
          "GAP:{\"requested\":\"m2\",\"oldest\":\"m4\"} 4 5 6 7 8 ");
    for (i = 1; i <= 3; i++) {
        snprintf(target, sizeof target, "/topics/few/x?id=f%d", i);
        snprintf(header, sizeof header, "f%d", i);
        topics_put(target, header);
    }
    topics_hold("/topics/few/x", "", "f2 f3 ");
    topics_hold("/topics/*", "", "6 7 8 f2 f3 ");
    topics_hold("/topics/few/x?since=f2", "", "f3 ");
    crierd_stop(&other);
}
END_TEST

START_TEST(a_repeated_id_is_refused_or_deduplicated)
{
    struct client client;
    json_t *first, *again;

    topics_subscribe(&client, "/topics/a,b", "");
    first = topics_publish("/topics/a?id=once", "", "1", 200);
    again = topics_publish("/topics/b?id=once", "", "2", 409);
    json_decref(again);
    again = topics_publish("/topics/a?id=once&dedupe=1", "", "3", 200);
    ck_assert_str_eq(json_text(again, "id"), "once");
    ck_assert_int_eq(json_number(again, "position"),
                     json_number(first, "position"));
    ck_assert(json_is_true(json_object_get(again, "duplicate")));
    ck_assert_ptr_null(json_object_get(first, "duplicate"));
    json_decref(first);
    json_decref(again);
    /* Of other topics it is another publisher's. */
    json_decref(topics_publish("/topics/b?id=once&dedupe=1", "", "3", 409));
    json_decref(topics_publish("/topics/a,b?id=once&dedupe=1", "", "3", 409));
    topics_put("/topics/a?id=twice&dedupe=1", "4");
    client_expect(&client, "id: once\ndata: 1");
    client_expect(&client, "id: twice\ndata: 4");
    client_close(&client);
    topics_hold("/topics/a,b", "", "1 4 ");
}
END_TEST

/* ---- the list of topics ----------------------------------------------- */

/* The names in the list at TARGET, each followed by a space, and the next one. */
static void list_names(const char *target, char text[1024])
{
    json_t *list = topics_get_json(target, ""), *topic;
    size_t i;

    text[0] = '\0';
    json_array_foreach (json_object_get(list, "topics"), i, topic)
        strcat(strcat(text, json_text(topic, "topic")), " ");
    if (json_is_string(json_object_get(list, "next")))
        strcat(strcat(text, "> "), json_text(list, "next"));
    json_decref(list);
}

static void lists(const char *target, const char *expected)
{
    char text[1024];

    list_names(target, text);
    ck_assert_str_eq(text, expected);
}

static size_t count_lines(const char *target)
{
    char *body = topics_get(target, "");
    size_t count = 0, i;

    for (i = 0; body[i] != '\0'; i++)
        count += body[i] == '\n';
    free(body);
    return count;
}

/* A poll of a part of what is held: as anybody reads a long history page by page. */
START_TEST(a_page_of_the_past)
{
    char name[32];
    int i;

    for (i = 1; i <= 600; i++) {
        snprintf(name, sizeof name, "/topics/%s", i % 2 == 0 ? "a" : "b");
        topics_put(name, "x");
    }
    topics_put("/topics/a", "1");
    topics_put("/topics/a?id=n2", "2");
    topics_put("/topics/b", "-");
    topics_put("/topics/a", "3");
    topics_put("/topics/a", "4");
    topics_hold("/topics/a?since=4&limit=1", "", "1 ");
    topics_hold("/topics/a?since=4&limit=2", "", "1 2 ");
    topics_hold("/topics/a?since=2&limit=2", "", "3 4 ");
    topics_hold("/topics/a?since=2&limit=10000", "", "3 4 ");
    topics_hold("/topics/a?since=n2&limit=1", "", "3 ");
    topics_hold("/topics/*?since=4&limit=3", "", "2 - 3 ");
    ck_assert_uint_eq(count_lines("/topics/a?poll=1&format=raw&limit=300"), 300);
    ck_assert_uint_eq(count_lines("/topics/*?poll=1&format=raw&limit=257"), 257);
    ck_assert_uint_eq(count_lines("/topics/a?poll=1&format=raw"), 304);
    ck_assert_int_eq(fetch(topics_port, "GET", "/topics/a?poll=1&limit=0", "", NULL, NULL),
                     400);
    ck_assert_int_eq(
        fetch(topics_port, "GET", "/topics/a?poll=1&limit=10001", "", NULL, NULL), 400);
}
END_TEST

/* The same after a moment: a client may see the end of a stream before the hub counts it
 * out. */
static void will_list(const char *target, const char *expected)
{
    uint64_t until = crier_now() + PATIENCE;
    char text[1024];

    do
        list_names(target, text);
    while (strcmp(text, expected) != 0 && crier_now() < until);
    ck_assert_str_eq(text, expected);
}

START_TEST(topics_are_listed)
{
    struct client client;
    json_t *topic;

    lists("/topics", "");
    topics_put("/topics/b?id=b1", "x");
    topics_put("/topics/a,b?id=b2", "x");
    topics_put("/topics/c", "x");
    topics_subscribe(&client, "/topics/b,bb", "");
    lists("/topics", "a b bb c ");
    lists("/topics?limit=2", "a b > b");
    lists("/topics?limit=2&after=b", "bb c > c");
    lists("/topics?limit=2&after=c", "");
    lists("/topics?match=b*", "b bb ");
    topic = topics_get_json("/topics/b", "Accept: application/json\r\n");
    ck_assert_int_eq(json_number(topic, "updates"), 2);
    ck_assert_int_eq(json_number(topic, "subscribers"), 1);
    ck_assert_int_gt(json_number(topic, "bytes"), 0);
    ck_assert_str_eq(json_text(topic, "first"), "b1");
    ck_assert_str_eq(json_text(topic, "last"), "b2");
    ck_assert_uint_eq(strlen(json_text(topic, "time")), 24);
    ck_assert_uint_eq(strlen(json_text(topic, "first_time")), 24);
    ck_assert_int_le(strcmp(json_text(topic, "first_time"), json_text(topic, "time")), 0);
    ck_assert_int_eq(json_number(topic, "published"), 2);
    json_decref(topic);
    topic = topics_get_json("/topics/bb", "Accept: application/json\r\n");
    ck_assert_int_eq(json_number(topic, "updates"), 0);
    ck_assert_int_eq(json_number(topic, "subscribers"), 1);
    ck_assert(json_is_null(json_object_get(topic, "last")));
    ck_assert(json_is_null(json_object_get(topic, "first_time")));
    ck_assert_int_eq(json_number(topic, "published"), 0);
    json_decref(topic);
    client_close(&client);
}
END_TEST

START_TEST(a_topic_is_deleted)
{
    struct client client;

    topics_put("/topics/a?id=1a", "1");
    topics_put("/topics/a,b?id=2a", "2");
    topics_subscribe(&client, "/topics/a", "");
    ck_assert_int_eq(fetch(topics_port, "DELETE", "/topics/a", "", NULL, NULL),
                     204);
    topics_hold("/topics/a", "", "");
    topics_hold("/topics/b", "", "2 ");
    topics_hold("/topics/*", "", "2 ");
    lists("/topics?match=b*", "b ");
    topics_put("/topics/a?id=1a", "3"); /* the id is free again */
    client_expect(&client, "id: 1a\ndata: 3");
    topics_hold("/topics/a,b", "Last-Event-ID: 2a\r\n", "3 ");
    client_close(&client);
}
END_TEST

START_TEST(presence_is_published)
{
    struct client watcher, one, two;

    topics_subscribe(&watcher, "/topics/$presence/room,$presence/a/b", "");
    topics_subscribe(&one, "/topics/room,other", "");
    client_expect_event(&watcher, "event: join\ndata: {\"topic\":\"room\","
                                  "\"count\":1}");
    topics_subscribe(&two, "/topics/a/b,room", "");
    client_expect_event(&watcher, "event: join\ndata: {\"topic\":\"a/b\","
                                  "\"count\":1}");
    client_expect_event(&watcher, "event: join\ndata: {\"topic\":\"room\","
                                  "\"count\":2}");
    client_close(&one);
    client_expect_event(&watcher, "event: leave\ndata: {\"topic\":\"room\","
                                  "\"count\":1}");
    free(topics_get("/topics/room?poll=1", "")); /* a poll is not counted */
    client_close(&two);
    free(client_until(&watcher, "event: leave\ndata: {\"topic\":\"room\","
                                "\"count\":0}"));
    client_close(&watcher);
    topics_hold("/topics/*", "", "");
    will_list("/topics", "");
    lists("/topics?match=$presence/*", "$presence/a/b $presence/room ");
}
END_TEST

/* A prefix over HTTP: live, mixed with names, from the past, resumed, and as a list. */
START_TEST(a_prefix_is_subscribed_to)
{
    struct client live, mixed, all, resumed;
    json_t *page;
    char id[256], resume[300];

    topics_put("/topics/log/a", "1");
    topics_subscribe(&live, "/topics/log/*", "");
    topics_subscribe(&mixed, "/topics/x,log/b*", "");
    topics_subscribe(&all, "/topics/*", "");
    topics_put("/topics/log/a,log/b", "2");
    topics_put("/topics/login", "3");
    topics_put("/topics/x", "4");
    topics_put("/topics/log/bb,x", "5"); /* once for each stream */
    client_expect_event(&live, "data: 2");
    free(client_event(&live, id));
    client_expect_event(&mixed, "data: 2");
    client_expect_event(&mixed, "data: 4");
    client_expect_event(&mixed, "data: 5");
    client_expect_event(&all, "data: 2");
    client_expect_event(&all, "data: 3");
    client_close(&live);
    topics_put("/topics/log/c", "6"); /* a topic that is new to it */
    client_expect_event(&all, "data: 4");
    client_expect_event(&all, "data: 5");
    client_expect_event(&all, "data: 6");
    snprintf(resume, sizeof resume, "Last-Event-ID: %s\r\n", id);
    topics_subscribe(&resumed, "/topics/log/*", resume);
    client_expect_event(&resumed, "data: 6");
    topics_hold("/topics/log/*", "", "1 2 5 6 ");
    topics_hold("/topics/log/b*,login", "", "2 3 5 ");
    topics_hold("/topics/log/*?since=2", "", "5 6 ");
    lists("/topics?match=log/*,x", "log/a log/b log/bb log/c x ");
    page = topics_get_json("/topics/log/b*", "Accept: application/json\r\n");
    ck_assert_uint_eq(json_array_size(json_object_get(page, "topics")), 2);
    json_decref(page);
    client_close(&mixed);
    client_close(&all);
    client_close(&resumed);
}
END_TEST

/* Names with '$' are matched only by a prefix that begins so, as in MQTT. */
START_TEST(a_prefix_keeps_off_the_programs_own_names)
{
    struct client watcher, all, one;

    topics_subscribe(&watcher, "/topics/$presence/*", "");
    topics_subscribe(&all, "/topics/*", "");
    topics_subscribe(&one, "/topics/room", "");
    client_expect_event(&watcher, "event: join\ndata: {\"topic\":\"room\","
                                  "\"count\":1}");
    topics_put("/topics/room", "x");
    client_expect_event(&all, "data: x"); /* and no join before it */
    topics_hold("/topics/r*", "", "x ");
    client_close(&one);
    client_close(&all);
    client_expect_event(&watcher, "event: leave\ndata: {\"topic\":\"room\","
                                  "\"count\":0}");
    client_close(&watcher);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("topics_past");
    TCase *c = add_case(s, "topics_past");

    tcase_add_checked_fixture(c, fixture_presence, fixture_end);
    tcase_add_test(c, the_past_can_be_asked_for);
    tcase_add_test(c, an_unknown_id_is_a_gap);
    tcase_add_test(c, an_odd_id_is_a_gap);
    tcase_add_test(c, evicted_updates_are_a_gap);
    tcase_add_test(c, a_repeated_id_is_refused_or_deduplicated);
    tcase_add_test(c, a_page_of_the_past);
    tcase_add_test(c, topics_are_listed);
    tcase_add_test(c, a_topic_is_deleted);
    tcase_add_test(c, presence_is_published);
    tcase_add_test(c, a_prefix_is_subscribed_to);
    tcase_add_test(c, a_prefix_keeps_off_the_programs_own_names);
    return s;
}

RUN_SUITE(suite)
