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
static struct subscription subscription;

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
    subscription_begin(&subscription, &service, "");
    ck_assert_str_eq(subscription.target, "/streams/1");
    ck_assert_int_eq(service_ask(&service, refused[_i].method,
                                 refused[_i].target, refused[_i].body),
                     refused[_i].status);
    /* Nothing came of it. */
    client_send(&subscription.stream, "data: still\n\n");
    subscription_expect_event(&subscription, "message", "still", "");
    subscription_end(&subscription);
}
END_TEST

START_TEST(a_refused_method_is_answered_with_the_others)
{
    struct client client;

    subscription_begin(&subscription, &service, "");
    client_connect(&client, service.port);
    ck_assert_int_eq(client_request(&client, "PUT", "/", "", NULL), 405);
    ck_assert_str_eq(client_header(&client, "Allow"), "GET, POST, DELETE");
    ck_assert_int_eq(client_request(&client, "GET", subscription.target, "", NULL),
                     405);
    ck_assert_str_eq(client_header(&client, "Allow"), "POST, DELETE");
    client_close(&client);
    subscription_end(&subscription);
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
    subscription_begin(&subscription, &service, "");
    subscription_stop(&subscription);
    client_expect_end(&subscription.stream);
    ck_assert_int_eq(service_ask(&service, "DELETE", subscription.target, NULL),
                     404);
    server_expect_nobody(&subscription.server);
    server_expect_nobody(&subscription.reports);
    client_close(&subscription.stream);
    subscription_done(&subscription);
}
END_TEST

START_TEST(stopping_does_not_wait_for_a_report)
{
    subscription_begin(&subscription, &service, "");
    client_send(&subscription.stream, "data: a\n\ndata: b\n\n");
    free(subscription_take_report(&subscription)); /* and does not answer */
    subscription_stop(&subscription);
    ck_assert(client_has(&subscription.reporter, PATIENCE));
    ck_assert_ptr_null(client_line(&subscription.reporter));
    client_close(&subscription.stream);
    subscription_done(&subscription);
}
END_TEST

START_TEST(it_quits_with_a_stream_open)
{
    struct subscription more[3];
    struct client streams[3];

    for (int i = 0; i < 3; i++) {
        subscription_start(&more[i], &service, "");
        server_stream(&more[i].server, &streams[i]);
    }
    service_stop(&service);
    for (int i = 0; i < 3; i++) {
        client_expect_end(&streams[i]);
        client_close(&streams[i]);
        subscription_done(&more[i]);
    }
    service_start(&service);
}
END_TEST

START_TEST(streams_count_for_themselves)
{
    struct subscription other;
    struct client others;

    subscription_begin(&subscription, &service, "");
    subscription_start(&other, &service, "");
    server_stream(&other.server, &others);
    for (int i = 0; i < 3; i++) {
        client_send(&subscription.stream, "data: a\n\ndata: b\n\n");
        client_send(&others, "data: c\n\n");
        subscription_expect_event(&other, "message", "c", "");
        subscription_expect_event(&subscription, "message", "a", "");
        subscription_expect_event(&subscription, "message", "b", "");
    }
    subscription_stop(&other);
    client_close(&others);
    subscription_done(&other);
    subscription_end(&subscription);
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
    subscription_begin(&subscription, &service, "");
    subscription_command(&subscription,
                         "{\"command\":\"listen\",\"listen\":{\"type\":\"t\"}}");
    client_send(&subscription.stream, "%s", events[_i].bytes);
    subscription_expect_event(&subscription, events[_i].type, events[_i].data,
                              events[_i].id);
    subscription_end(&subscription);
}
END_TEST

START_TEST(a_nul_is_told)
{
    char *report;

    subscription_begin(&subscription, &service, "");
    client_send_bytes(&subscription.stream, "data: a\0b\n\n", 11);
    report = subscription_take_report(&subscription);
    ck_assert_msg(strstr(report, "\"data\":\"a\\u0000b\"") != NULL, "%s",
                  report);
    free(report);
    subscription_answer_report(&subscription);
    subscription_end(&subscription);
}
END_TEST

START_TEST(a_large_event_is_told)
{
    size_t length = 3 * 1024 * 1024;
    char *data = malloc(length + 1);

    memset(data, 'x', length);
    data[length] = '\0';
    subscription_begin(&subscription, &service, "");
    client_send(&subscription.stream, "data: %s\n\n", data);
    subscription_expect_event(&subscription, "message", data, "");
    ck_assert_str_eq(client_header(&subscription.reporter, "Expect"), "");
    free(data);
    subscription_end(&subscription);
}
END_TEST

START_TEST(many_events_keep_their_order)
{
    char number[16];

    subscription_begin(&subscription, &service, "");
    for (int i = 0; i < 300; i++)
        client_send(&subscription.stream, "data: %d\n\n", i);
    for (int i = 0; i < 300; i++) {
        snprintf(number, sizeof number, "%d", i);
        subscription_expect_event(&subscription, "message", number, "");
    }
    subscription_end(&subscription);
}
END_TEST

#define BOM "\xef\xbb\xbf"

START_TEST(one_bom_is_dropped)
{
    subscription_begin(&subscription, &service, "");
    client_send(&subscription.stream, BOM "data: " BOM "a\n\n");
    subscription_expect_event(&subscription, "message", BOM "a", "");
    subscription_break(&subscription);
    client_send(&subscription.stream, BOM "data: b\n\n");
    subscription_expect_event(&subscription, "message", "b", "");
    subscription_end(&subscription);
}
END_TEST

START_TEST(comments_are_told)
{
    subscription_begin(&subscription, &service, "");
    client_send(&subscription.stream, ":one\n: two\ndata: a\n:\n\n:three\n");
    subscription_expect_comment(&subscription, "one");
    subscription_expect_comment(&subscription, " two");
    subscription_expect_comment(&subscription, "");
    subscription_expect_event(&subscription, "message", "a", "");
    subscription_expect_comment(&subscription, "three");
    subscription_end(&subscription);
}
END_TEST

START_TEST(only_what_is_listened_to_is_told)
{
    subscription_begin(&subscription, &service, "");
    client_send(&subscription.stream, "event: a\ndata: 1\n\ndata: 2\n\n");
    subscription_expect_event(&subscription, "message", "2", "");
    subscription_command(&subscription,
                         "{\"command\":\"listen\",\"listen\":{\"type\":\" a\"}}");
    subscription_command(&subscription,
                         "{\"command\":\"listen\",\"listen\":{\"type\":\"b\"}}");
    subscription_command(&subscription,
                         "{\"command\":\"listen\",\"listen\":{\"type\":\"b\"}}");
    client_send(&subscription.stream, "event: a\ndata: 3\n\nevent:  a\ndata: 4\n\n"
                                  "event: b\ndata: 5\n\nevent: bb\ndata: 6\n\n"
                                  "event: message\ndata: 7\n\n");
    subscription_expect_event(&subscription, " a", "4", "");
    subscription_expect_event(&subscription, "b", "5", "");
    subscription_expect_event(&subscription, "message", "7", "");
    subscription_end(&subscription);
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
    tcase_add_test(tcase, it_quits_with_a_stream_open);
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
