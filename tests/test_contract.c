/* contract-service, end to end: what LaunchDarkly's sse-contract-tests ask of
 * it, and so what a program sees of libcrier's client. Here are the service and
 * the events; how it connects is in test_contract_http.c. Together they have a
 * test for each capability that it declares. */
#include <config.h>

#include "contract/harness.h"
#include "crier.h"
#include "support/runner.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static struct service service;
static struct followed followed;

static void setup(void)
{
    service_start(&service);
}

static void teardown(void)
{
    service_stop(&service);
}

/* ---- the service ------------------------------------------------------ */

START_TEST(it_tells_what_it_can)
{
    static const char *const all[] = {"bom",
                                      "comments",
                                      "event-type-listeners",
                                      "headers",
                                      "last-event-id",
                                      "post",
                                      "read-timeout",
                                      "report",
                                      "restart",
                                      "server-directed-shutdown-request"};
    json_t *status, *told;
    char *answer;

    ck_assert_int_eq(fetch(service.port, "GET", "/", "", NULL, &answer), 200);
    status = json_loads(answer, 0, NULL);
    told = json_object_get(status, "capabilities");
    ck_assert_uint_eq(json_array_size(told), sizeof all / sizeof *all);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        ck_assert_str_eq(json_string_value(json_array_get(told, i)), all[i]);
    json_decref(status);
    free(answer);
}
END_TEST

#define URLS                                                                  \
    "\"streamUrl\":\"http://127.0.0.1:1/\","                                  \
    "\"callbackUrl\":\"http://127.0.0.1:1/\""

static const struct {
    const char *method, *target, *body;
    int status;
} refused[] = {
    {"POST", "/", NULL, 400},
    {"POST", "/", "{" URLS, 400},
    {"POST", "/", "[]", 400},
    {"POST", "/", "{}", 400},
    {"POST", "/", "{\"streamUrl\":\"http://127.0.0.1:1/\"}", 400},
    {"POST", "/", "{\"callbackUrl\":\"http://127.0.0.1:1/\"}", 400},
    {"POST", "/", "{" URLS ",\"streamUrl\":\"ftp://127.0.0.1/\"}", 400},
    {"POST", "/", "{" URLS ",\"streamUrl\":7}", 400},
    {"POST", "/", "{" URLS ",\"callbackUrl\":\"ftp://127.0.0.1/\"}", 400},
    {"POST", "/", "{" URLS ",\"callbackUrl\":[]}", 400},
    {"POST", "/", "{" URLS ",\"initialDelayMs\":-1}", 400},
    {"POST", "/", "{" URLS ",\"initialDelayMs\":\"1\"}", 400},
    {"POST", "/", "{" URLS ",\"readTimeoutMs\":4294967296}", 400},
    {"POST", "/", "{" URLS ",\"readTimeoutMs\":1.5}", 400},
    {"POST", "/", "{" URLS ",\"lastEventId\":\"a\\nb\"}", 400},
    {"POST", "/", "{" URLS ",\"lastEventId\":\"a\\u0000b\"}", 400},
    {"POST", "/", "{" URLS ",\"headers\":[\"a: b\"]}", 400},
    {"POST", "/", "{" URLS ",\"headers\":{\"a\":1}}", 400},
    {"POST", "/", "{" URLS ",\"headers\":{\"a b\":\"c\"}}", 400},
    {"POST", "/", "{" URLS ",\"headers\":{\"a\":\"b\\r\\nc: d\"}}", 400},
    {"POST", "/", "{" URLS ",\"headers\":{\"a\":\"b\\u0000\"}}", 400},
    {"POST", "/", "{" URLS ",\"method\":\"GET /x\"}", 400},
    {"POST", "/", "{" URLS ",\"body\":{}}", 400},
    {"PUT", "/", "{}", 405},
    {"GET", "/nothing", NULL, 404},
    {"POST", "/streams/2", "{\"command\":\"restart\"}", 404},
    {"DELETE", "/streams/2", NULL, 404},
    {"DELETE", "/streams/0", NULL, 404},
    {"DELETE", "/streams/01", NULL, 404},
    {"DELETE", "/streams/", NULL, 404},
    {"DELETE", "/streams/1x", NULL, 404},
    {"GET", "/streams/1", NULL, 405},
    {"POST", "/streams/1", NULL, 400},
    {"POST", "/streams/1", "{\"command\"", 400},
    {"POST", "/streams/1", "{}", 400},
    {"POST", "/streams/1", "\"restart\"", 400},
    {"POST", "/streams/1", "{\"command\":\"stop\"}", 400},
    {"POST", "/streams/1", "{\"command\":[]}", 400},
    {"POST", "/streams/1", "{\"command\":\"listen\"}", 400},
    {"POST", "/streams/1", "{\"command\":\"listen\",\"listen\":{}}", 400},
    {"POST", "/streams/1", "{\"command\":\"listen\",\"listen\":{\"type\":1}}",
     400},
};

START_TEST(a_bad_request_is_refused)
{
    followed_begin(&followed, &service, "");
    ck_assert_str_eq(followed.target, "/streams/1");
    ck_assert_int_eq(service_ask(&service, refused[_i].method,
                                 refused[_i].target, refused[_i].body),
                     refused[_i].status);
    /* Nothing came of it. */
    client_send(&followed.stream, "data: still\n\n");
    followed_expect_event(&followed, "message", "still", "");
    followed_end(&followed);
}
END_TEST

START_TEST(a_refused_method_is_answered_with_the_others)
{
    struct client client;

    followed_begin(&followed, &service, "");
    client_connect(&client, service.port);
    ck_assert_int_eq(client_request(&client, "PUT", "/", "", NULL), 405);
    ck_assert_str_eq(client_header(&client, "Allow"), "GET, POST, DELETE");
    ck_assert_int_eq(client_request(&client, "GET", followed.target, "", NULL),
                     405);
    ck_assert_str_eq(client_header(&client, "Allow"), "POST, DELETE");
    client_close(&client);
    followed_end(&followed);
}
END_TEST

START_TEST(a_body_may_be_too_large)
{
    size_t length = 16 * 1024 * 1024 + 1;
    char *body = malloc(length + 1);

    memset(body, ' ', length);
    body[length] = '\0';
    ck_assert_int_eq(service_ask(&service, "POST", "/", body), 413);
    body[length - 1] = '\0';
    ck_assert_int_eq(service_ask(&service, "POST", "/", body), 400);
    free(body);
}
END_TEST

START_TEST(streams_may_be_too_many)
{
    struct server server;
    char params[256];

    server_open(&server); /* and never answers */
    snprintf(params, sizeof params,
             "{" URLS ",\"streamUrl\":\"http://127.0.0.1:%d/\"}", server.port);
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(service_ask(&service, "POST", "/", params), 201);
    ck_assert_int_eq(service_ask(&service, "POST", "/", params), 503);
    ck_assert_int_eq(service_ask(&service, "DELETE", "/streams/7", NULL), 204);
    ck_assert_int_eq(service_ask(&service, "POST", "/", params), 201);
    ck_assert_int_eq(service_ask(&service, "DELETE", "/streams/101", NULL),
                     204);
    service_stop(&service);
    server_close(&server);
    service_start(&service);
}
END_TEST

START_TEST(a_stream_is_stopped_once)
{
    followed_begin(&followed, &service, "");
    followed_stop(&followed);
    client_expect_end(&followed.stream);
    ck_assert_int_eq(service_ask(&service, "DELETE", followed.target, NULL),
                     404);
    server_expect_nobody(&followed.server);
    server_expect_nobody(&followed.reports);
    client_close(&followed.stream);
    followed_done(&followed);
}
END_TEST

START_TEST(stopping_does_not_wait_for_a_report)
{
    followed_begin(&followed, &service, "");
    client_send(&followed.stream, "data: a\n\ndata: b\n\n");
    free(followed_take_report(&followed)); /* and does not answer */
    followed_stop(&followed);
    ck_assert(client_has(&followed.reporter, PATIENCE));
    ck_assert_ptr_null(client_line(&followed.reporter));
    client_close(&followed.stream);
    followed_done(&followed);
}
END_TEST

START_TEST(it_quits_while_it_follows)
{
    struct followed more[3];
    struct client streams[3];

    for (int i = 0; i < 3; i++) {
        followed_start(&more[i], &service, "");
        server_stream(&more[i].server, &streams[i]);
    }
    service_stop(&service);
    for (int i = 0; i < 3; i++) {
        client_expect_end(&streams[i]);
        client_close(&streams[i]);
        followed_done(&more[i]);
    }
    service_start(&service);
}
END_TEST

START_TEST(streams_count_for_themselves)
{
    struct followed other;
    struct client others;

    followed_begin(&followed, &service, "");
    followed_start(&other, &service, "");
    server_stream(&other.server, &others);
    for (int i = 0; i < 3; i++) {
        client_send(&followed.stream, "data: a\n\ndata: b\n\n");
        client_send(&others, "data: c\n\n");
        followed_expect_event(&other, "message", "c", "");
        followed_expect_event(&followed, "message", "a", "");
        followed_expect_event(&followed, "message", "b", "");
    }
    followed_stop(&other);
    client_close(&others);
    followed_done(&other);
    followed_end(&followed);
}
END_TEST

/* ---- what is on a stream ---------------------------------------------- */

static const struct {
    const char *bytes, *type, *data, *id;
} events[] = {
    {"data: a\n\n", "message", "a", ""},
    {"data\n\n", "message", "", ""},
    {"data: a\r\ndata:b\rdata:  c\n\n", "message", "a\nb\n c", ""},
    {"event: t\nid: 7\ndata: a\n\n", "t", "a", "7"},
    {"data: a\nid: 7\ncolour: blue\nevent: t\n\n", "t", "a", "7"},
    {"id: 7\n\ndata: a\n\n", "message", "a", "7"},
    {"data: \xe2\x82\xac\xff\n\n", "message", "\xe2\x82\xac\xef\xbf\xbd", ""},
    {"data: \"\\\n\n", "message", "\"\\", ""},
};

START_TEST(an_event_is_told_as_it_is)
{
    followed_begin(&followed, &service, "");
    followed_command(&followed,
                     "{\"command\":\"listen\",\"listen\":{\"type\":\"t\"}}");
    client_send(&followed.stream, "%s", events[_i].bytes);
    followed_expect_event(&followed, events[_i].type, events[_i].data,
                          events[_i].id);
    followed_end(&followed);
}
END_TEST

START_TEST(a_nul_is_told)
{
    char *report;

    followed_begin(&followed, &service, "");
    client_send_bytes(&followed.stream, "data: a\0b\n\n", 11);
    report = followed_take_report(&followed);
    ck_assert_msg(strstr(report, "\"data\":\"a\\u0000b\"") != NULL, "%s",
                  report);
    free(report);
    followed_answer_report(&followed);
    followed_end(&followed);
}
END_TEST

START_TEST(a_large_event_is_told)
{
    size_t length = 3 * 1024 * 1024;
    char *data = malloc(length + 1);

    memset(data, 'x', length);
    data[length] = '\0';
    followed_begin(&followed, &service, "");
    client_send(&followed.stream, "data: %s\n\n", data);
    followed_expect_event(&followed, "message", data, "");
    ck_assert_str_eq(client_header(&followed.reporter, "Expect"), "");
    free(data);
    followed_end(&followed);
}
END_TEST

START_TEST(many_events_keep_their_order)
{
    char number[16];

    followed_begin(&followed, &service, "");
    for (int i = 0; i < 300; i++)
        client_send(&followed.stream, "data: %d\n\n", i);
    for (int i = 0; i < 300; i++) {
        snprintf(number, sizeof number, "%d", i);
        followed_expect_event(&followed, "message", number, "");
    }
    followed_end(&followed);
}
END_TEST

#define BOM "\xef\xbb\xbf"

START_TEST(one_bom_is_dropped)
{
    followed_begin(&followed, &service, "");
    client_send(&followed.stream, BOM "data: " BOM "a\n\n");
    followed_expect_event(&followed, "message", BOM "a", "");
    followed_break(&followed);
    client_send(&followed.stream, BOM "data: b\n\n");
    followed_expect_event(&followed, "message", "b", "");
    followed_end(&followed);
}
END_TEST

START_TEST(comments_are_told)
{
    followed_begin(&followed, &service, "");
    client_send(&followed.stream, ":one\n: two\ndata: a\n:\n\n:three\n");
    followed_expect_comment(&followed, "one");
    followed_expect_comment(&followed, " two");
    followed_expect_comment(&followed, "");
    followed_expect_event(&followed, "message", "a", "");
    followed_expect_comment(&followed, "three");
    followed_end(&followed);
}
END_TEST

START_TEST(only_what_is_listened_to_is_told)
{
    followed_begin(&followed, &service, "");
    client_send(&followed.stream, "event: a\ndata: 1\n\ndata: 2\n\n");
    followed_expect_event(&followed, "message", "2", "");
    followed_command(&followed,
                     "{\"command\":\"listen\",\"listen\":{\"type\":\" a\"}}");
    followed_command(&followed,
                     "{\"command\":\"listen\",\"listen\":{\"type\":\"b\"}}");
    followed_command(&followed,
                     "{\"command\":\"listen\",\"listen\":{\"type\":\"b\"}}");
    client_send(&followed.stream, "event: a\ndata: 3\n\nevent:  a\ndata: 4\n\n"
                                  "event: b\ndata: 5\n\nevent: bb\ndata: 6\n\n"
                                  "event: message\ndata: 7\n\n");
    followed_expect_event(&followed, " a", "4", "");
    followed_expect_event(&followed, "b", "5", "");
    followed_expect_event(&followed, "message", "7", "");
    followed_end(&followed);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("contract");
    TCase *tcase = add_case(suite, "service");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, it_tells_what_it_can);
    tcase_add_loop_test(tcase, a_bad_request_is_refused, 0,
                        sizeof refused / sizeof *refused);
    tcase_add_test(tcase, a_refused_method_is_answered_with_the_others);
    tcase_add_test(tcase, a_body_may_be_too_large);
    tcase_add_test(tcase, streams_may_be_too_many);
    tcase_add_test(tcase, a_stream_is_stopped_once);
    tcase_add_test(tcase, stopping_does_not_wait_for_a_report);
    tcase_add_test(tcase, it_quits_while_it_follows);
    tcase_add_test(tcase, streams_count_for_themselves);
    tcase = add_case(suite, "events");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, an_event_is_told_as_it_is, 0,
                        sizeof events / sizeof *events);
    tcase_add_test(tcase, a_nul_is_told);
    tcase_add_test(tcase, a_large_event_is_told);
    tcase_add_test(tcase, many_events_keep_their_order);
    tcase_add_test(tcase, one_bom_is_dropped);
    tcase_add_test(tcase, comments_are_told);
    tcase_add_test(tcase, only_what_is_listened_to_is_told);
    return suite;
}

RUN_SUITE(make_suite)
