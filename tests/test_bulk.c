/*
 * Many updates in one request, with a journal in memory and with one in a file: success
 * and refusals.
 */
#include <config.h>

#include "crier_client.h"
#include "crierd/api/bulk.h"
#include "support/fixture.h"
#include "support/bulk.h"
#include "support/client.h"
#include "support/runner.h"

#include <stdio.h>
#include <string.h>

/* ---- success ---------------------------------------------------------- */

START_TEST(every_event_is_an_update)
{
    struct client client;
    json_t *answer;

    topics_subscribe(&client, "/topics/a", "");
    answer =
        bulk_post("/topics/a,b,a",
                  "\xef\xbb\xbf: a comment\n"
                  "id: 1\nevent: e\nretry: 5\ndata: x\ndata:\ndata:  y\n\n"
                  "data: no id of its own, no retry\n\n"
                  "\r\n:\r\n"
                  "data\r\nid:2\r\ntopics: z\r\n\r\n"
                  "event:\rdata:\xc3\xa9\rretry: 0\r\r"
                  "id: 3\nid: last\nevent: message\ndata: {\"n\": 1}\n\n"
                  ": the end\n",
                  200);
    ck_assert_int_eq(json_number(answer, "published"), 5);
    ck_assert_int_eq(json_number(answer, "duplicates"), 0);
    ck_assert_str_eq(json_text(answer, "id"), "last");
    ck_assert_int_eq(json_number(answer, "position"), 5);
    ck_assert_int_eq(json_number(answer, "subscribers"), 1);
    ck_assert_uint_eq(json_object_size(answer), 6);
    ck_assert_uint_eq(json_array_size(json_object_get(answer, "topics")), 2);
    json_decref(answer);
    client_expect(&client, "id: 1\nevent: e\nretry: 5\n"
                           "data: x\ndata:\ndata:  y");
    client_expect_event(&client, "data: no id of its own, no retry");
    client_expect(&client, "id: 2\ndata:");
    client_expect_event(&client, "retry: 0\ndata: \xc3\xa9");
    client_expect(&client, "id: last\ndata: {\"n\": 1}");
    client_close(&client);
    topics_hold("/topics/b", "",
                "x  y no id of its own, no retry \xc3\xa9 {\"n\": 1} ");
}
END_TEST

START_TEST(parameters_of_the_type_do_not_matter)
{
    json_decref(topics_publish("/topics/a",
                               "Content-Type: Text/Event-Stream; "
                               "charset=utf-8\r\n",
                               "data: 1\n\ndata: 2\n\n", 200));
    topics_hold("/topics/a", "", "1 2 ");
    json_decref(topics_publish(
        "/topics/b", "Content-Type: text/event-streams\r\n", "data: 1", 200));
    topics_hold("/topics/b", "", "data: 1 ");
}
END_TEST

START_TEST(a_connection_carries_one_after_the_other)
{
    struct client client;
    char *body;
    int i;

    client_connect(&client, crierd.port);
    for (i = 0; i < 20; i++) {
        body = bulk_numbered("n", i * 100, 100);
        ck_assert_int_eq(
            client_request(&client, "POST", "/topics/a", STREAM, body), 200);
        free(body);
        free(client_body(&client));
    }
    client_close(&client);
    bulk_held("a", "n", 2000);
}
END_TEST

START_TEST(repeated_ids_are_published_once)
{
    char *body = bulk_numbered("n", 0, 100),
         *more = bulk_numbered("n", 50, 100);
    json_t *answer;

    bulk_expect("/topics/a?dedupe=1", body, 200, 100, 0);
    answer = bulk_post("/topics/a?dedupe=1", body, 200);
    ck_assert_int_eq(json_number(answer, "published"), 100);
    ck_assert_int_eq(json_number(answer, "duplicates"), 100);
    ck_assert_str_eq(json_text(answer, "id"), "n99");
    ck_assert_int_eq(json_number(answer, "position"), 100);
    ck_assert_int_eq(json_number(answer, "subscribers"), 0);
    json_decref(answer);
    bulk_expect("/topics/a?dedupe=1", more, 200, 100, 50);
    bulk_held("a", "n", 150);
    bulk_expect("/topics/a?dedupe=1",
                "data: 1\nid: same\n\ndata: 2\nid: same\n\n", 200, 2, 1);
    free(body);
    free(more);
}
END_TEST

/* The others are published all the same. */
START_TEST(an_existing_id_is_a_conflict)
{
    json_t *answer;

    topics_put("/topics/b?id=two", "x");
    answer = bulk_post("/topics/a",
                       "id: one\ndata: 1\n\nid: two\ndata: 2\n\n"
                       "id: three\ndata: 3\n\nid: one\ndata: 4\n\n"
                       "data: 5\n\n",
                       409);
    ck_assert_int_eq(json_number(answer, "status"), 409);
    ck_assert_int_eq(json_number(answer, "published"), 3);
    ck_assert_int_eq(json_number(answer, "duplicates"), 0);
    ck_assert_str_eq(json_text(answer, "detail"),
                     "event 2: an update with this id already exists");
    json_decref(answer);
    topics_hold("/topics/a", "", "1 3 5 ");
}
END_TEST

/* ---- refusals --------------------------------------------------------- */

static const struct {
    const char *query, *headers, *body;
    int status;
    const char *says;
} refusals[] = {
    {"", "", "", 400, "no event"},
    {"", "", "\n\n: nothing\n\nfoo: bar\n\n", 400, "no event"},
    {"", "", "data: 1", 400, "event 1: it is not complete"},
    {"", "", "data: 1\n", 400, "event 1: it is not complete"},
    {"", "", "data: 1\r\n", 400, "event 1: it is not complete"},
    {"", "", "data: 1\n\ndata: 2\r", 400, "event 2: it is not complete"},
    {"", "", "data: 1\n\nid: 2\n", 400, "event 2: it is not complete"},
    {"", "", "data: 1\n\nda", 400, "event 2: it is not complete"},
    {"", "", "data: 1\n\nid: 2\n\n", 400, "event 2: it has no data"},
    {"", "", "data: 1\n\nevent: e\n\ndata: 3\n\n", 400,
     "event 2: it has no data"},
    {"", "", "retry: 5\n\ndata: 2\n\n", 400, "event 1: it has no data"},
    {"", "", "data: 1\n\ndata: 2\n\nid: #3\ndata: 3\n\n", 400,
     "event 3: an id of an update has 1 to 255 bytes"},
    {"", "", "data: 1\nid:\n\n", 400, "event 1: an id of an update"},
    {"", "", "data: 1\nid\n\n", 400, "event 1: an id of an update"},
    {"", "", "data: 1\nid:  \n\n", 400, "event 1: an id of an update"},
    {"", "", "data: 1\nid:  x\n\n", 400, "event 1: an id of an update"},
    {"", "", "data: 1\nid: x\t\n\n", 400, "event 1: an id of an update"},
    {"", "", "data: 1\nid: x\001y\n\n", 400, "event 1: an id of an update"},
    {"", "", "data: 1\nretry: 2147483648\n\n", 400,
     "event 1: retry is not a number of milliseconds from 0 to 2147483647"},
    {"", "", "data: 1\nretry: soon\n\n", 400,
     "event 1: retry is not a number of milliseconds"},
    {"", "", "data: 1\nretry:\n\n", 400, "event 1: retry is not"},
    {"", "", "data: 1\nretry: 4294967296\n\n", 400, "event 1: retry is not"},
    {"", "", "data: 1\n\ndata: \xff\n\n", 400, "not valid UTF-8"},
    {"", "", "data: 1\n\n: \xff\n\n", 400, "not valid UTF-8"},
    {"?id=x", "", "data: 1\n\n", 400, "stand in its events"},
    {"?event=x", "", "data: 1\n\n", 400, "in its events"},
    {"?retry=1", "", "data: 1\n\n", 400, "in its events"},
    {"", "Event-ID: x\r\n", "data: 1\n\n", 400, "in its events"},
    {"", "Event-Type: x\r\n", "data: 1\n\n", 400, "in its events"},
    {"", "Event-Retry: 1\r\n", "data: 1\n\n", 400, "in its events"},
    {",,b", "", "data: 1\n\n", 400, "\"a topic is not UTF-8"},
    {",$b", "", "data: 1\n\n", 403, "are reserved"},
    {"", "Sec-Fetch-Site: cross-site\r\n", "data: 1\n\n", 403,
     "another origin"},
};

START_TEST(mistakes_are_named_and_nothing_is_published)
{
    char target[64], headers[128], *answer;
    int status;

    snprintf(target, sizeof target, "/topics/a%s", refusals[_i].query);
    snprintf(headers, sizeof headers, "%s%s", STREAM, refusals[_i].headers);
    status = fetch(crierd.port, "POST", target, headers, refusals[_i].body,
                   &answer);
    ck_assert_msg(status == refusals[_i].status, "%d for '%s': %s", status,
                  refusals[_i].body, answer);
    ck_assert_msg(strstr(answer, refusals[_i].says) != NULL, "'%s'", answer);
    free(answer);
    topics_hold("/topics/a", "", "");
}
END_TEST

/* Returns the status of the response to BODY, which may hold NULs, and its text. */
static int post_bytes(const char *body, size_t length, char **answer)
{
    struct client client;
    int status;

    client_connect(&client, crierd.port);
    client_send(&client,
                "POST /topics/a HTTP/1.1\r\nHost: x\r\n" STREAM
                "Content-Length: %zu\r\n\r\n",
                length);
    client_send_bytes(&client, body, length);
    status = client_head(&client);
    *answer = client_body(&client);
    client_close(&client);
    return status;
}

START_TEST(a_nul_stands_in_data_alone)
{
    static const char data[] = "data: a\0b\n\n";
    static const char id[] = "data: 1\n\ndata: 2\nid: a\0b\n\n";
    static const char type[] = "event: a\0b\ndata: 1\n\n";
    struct client client;
    char *answer;

    ck_assert_int_eq(post_bytes(id, sizeof id - 1, &answer), 400);
    ck_assert_ptr_nonnull(strstr(answer, "event 2: an id of an update"));
    free(answer);
    ck_assert_int_eq(post_bytes(type, sizeof type - 1, &answer), 400);
    ck_assert_ptr_nonnull(strstr(answer, "event 1: a type must not hold NUL"));
    free(answer);
    topics_hold("/topics/a", "", "");
    topics_subscribe(&client, "/topics/a?format=raw", "");
    client_expect_line(&client, "");
    ck_assert_int_eq(post_bytes(data, sizeof data - 1, &answer), 200);
    free(answer);
    answer = client_bytes(&client, 4);
    ck_assert_mem_eq(answer, "a\0b\n", 4);
    free(answer);
    client_close(&client);
}
END_TEST

START_TEST(long_ids_are_refused)
{
    char body[320], id[257];

    memset(id, 'x', 256);
    id[256] = '\0';
    snprintf(body, sizeof body, "data: 0\n\nid: %s\ndata: 1\n\n", id);
    json_decref(bulk_post("/topics/a", body, 400));
    topics_hold("/topics/a", "", "");
    snprintf(body, sizeof body, "id: %s\ndata: 1\n\n", id + 1);
    json_decref(bulk_post("/topics/a", body, 200));
    topics_hold("/topics/a", "", "1 ");
}
END_TEST

/* The check finds a mistake exactly where a standard parser would drop something. It counts
 * the events that the parser returns. */
START_TEST(the_check_and_the_parser_agree)
{
    static const char *const parts[] = {
        "data: x",  "data",     "data:",   "id: i",        "id:",  "event: e",
        "retry: 5", "retry: x", "foo: 1",  "foo",          ": c",  ":",
        "\n",       "\n",       "\n\n",    "\r",           "\r\n", "\r\n\r\n",
        "\n",       "\n\n",     "data: y", "\xef\xbb\xbf",
    };
    struct crier_message message;
    struct crier_parser *parser;
    struct bulk_check check;
    int i, good = 0;
    unsigned seed = 1;

    ck_assert_int_eq(crier_parser_new(NULL, &parser), 0);
    for (i = 0; i < 200000; i++) {
        char body[256] = "";
        const char *bytes = body;
        size_t length, events = 0;
        int n = rand_r(&seed) % 12;

        while (n-- > 0)
            strcat(body, parts[(size_t)rand_r(&seed) %
                               (sizeof parts / sizeof parts[0])]);
        bulk_check(&check, body, strlen(body));
        if (check.wrong == NULL)
            strcat(body, "data: end\n\n"); /* alone, if nothing is left */
        length = strlen(body);
        crier_parser_begin(parser);
        while (crier_parser_next(parser, &bytes, &length, &message) > 0)
            if (message.kind == CRIER_EVENT)
                events++;
        if (check.wrong != NULL) {
            ck_assert_uint_ge(events, check.events);
            continue;
        }
        good += check.events != 0;
        ck_assert_msg(events == check.events + 1, "%zu, not %zu in '%s'",
                      check.events, events - 1, body);
    }
    ck_assert_int_gt(good, 1000);
    crier_parser_free(parser);
}
END_TEST

/* ---- limits ----------------------------------------------------------- */

START_TEST(ten_thousand_are_the_limit)
{
    char *more = bulk_numbered("n", 0, BULK_MAX + 1), *answer, frame[64];
    char *body = bulk_numbered("n", 0, BULK_MAX);
    struct client client;
    int i;

    topics_subscribe(&client, "/topics/a", "");
    ck_assert_int_eq(
        fetch(crierd.port, "POST", "/topics/a", STREAM, more, &answer), 413);
    ck_assert_ptr_nonnull(strstr(answer, "more than 10000 events"));
    free(answer);
    free(more);
    bulk_expect("/topics/a", body, 200, BULK_MAX, 0);
    for (i = 0; i < BULK_MAX; i++) {
        snprintf(frame, sizeof frame, "id: n%d\ndata: n%d", i, i);
        client_expect(&client, frame);
    }
    bulk_expect("/topics/a?dedupe=1", body, 200, BULK_MAX, BULK_MAX);
    client_close(&client);
    bulk_held("a", "n", BULK_MAX);
    free(body);
}
END_TEST

START_TEST(many_topics_take_fewer)
{
    char *more = bulk_numbered("n", 0, 5001), *answer;
    char *body = bulk_numbered("n", 0, 5000);
    const char *target = "/topics/a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,r,s,t";

    ck_assert_int_eq(fetch(crierd.port, "POST", target, STREAM, more, &answer),
                     413);
    ck_assert_ptr_nonnull(strstr(answer, "more than 5000 events"));
    free(answer);
    free(more);
    bulk_expect(target, body, 200, 5000, 0);
    bulk_held("t", "n", 5000);
    free(body);
}
END_TEST

static void add_tests(TCase *c)
{
    tcase_add_test(c, every_event_is_an_update);
    tcase_add_test(c, a_connection_carries_one_after_the_other);
    tcase_add_test(c, repeated_ids_are_published_once);
    tcase_add_test(c, an_existing_id_is_a_conflict);
    tcase_add_test(c, ten_thousand_are_the_limit);
    tcase_add_test(c, many_topics_take_fewer);
}

static Suite *suite(void)
{
    Suite *s = suite_create("bulk");
    TCase *memory = add_case(s, "memory"), *file = add_case(s, "sqlite"), *redis;

    tcase_add_checked_fixture(memory, fixture_memory, fixture_end);
    add_tests(memory);
    tcase_add_test(memory, parameters_of_the_type_do_not_matter);
    tcase_add_loop_test(memory, mistakes_are_named_and_nothing_is_published, 0,
                        (int)(sizeof refusals / sizeof refusals[0]));
    tcase_add_test(memory, a_nul_stands_in_data_alone);
    tcase_add_test(memory, long_ids_are_refused);
    tcase_add_test(memory, the_check_and_the_parser_agree);
    tcase_add_checked_fixture(file, fixture_file, fixture_end);
    add_tests(file);
    if (redis_is_wanted()) {
        redis = add_case(s, "redis");
        tcase_add_checked_fixture(redis, fixture_redis, fixture_end);
        add_tests(redis);
    }
    return s;
}

RUN_SUITE(suite)
