/* contract-service, end to end: its requests, how it handles responses, and when it
 * reconnects. test_contract.c has the events. */
#include <config.h>

#include "contract/harness.h"
#include "crier.h"
#include "support/runner.h"

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

/* Sends an event with the id ID ("" for none) and waits until the service reports it
 * with the id TOLD. */
static void pass_event(const char *id, const char *told)
{
    client_send(&subscription.stream, "%s%s\ndata: a\n\n",
                *id != '\0' ? "id: " : ":", id);
    if (*id == '\0')
        subscription_expect_comment(&subscription, "");
    subscription_expect_event(&subscription, "message", "a", told);
}

/* The header NAME of the request that opened the stream must be VALUE, "" for
 * none. */
static void expect_header(const char *name, const char *value)
{
    ck_assert_str_eq(client_header(&subscription.stream, name), value);
}

static void expect_request(struct client *client, const char *method,
                           const char *target)
{
    char line[128];

    snprintf(line, sizeof line, "%s %s HTTP/1.1\r\n", method, target);
    ck_assert_msg(strncmp(client->head, line, strlen(line)) == 0,
                  "not %s but %s", line, client->head);
}

/* ---- requests --------------------------------------------------------- */

START_TEST(it_asks_as_the_standard_says)
{
    subscription_begin(&subscription, &service, "");
    expect_request(&subscription.stream, "GET", "/stream");
    expect_header("Accept", "text/event-stream");
    expect_header("Cache-Control", "no-cache");
    expect_header("Content-Length", "");
    ck_assert_ptr_null(strcasestr(subscription.stream.head, "Last-Event-ID"));
    subscription_end(&subscription);
}
END_TEST

START_TEST(headers_are_sent_each_time)
{
    subscription_begin(&subscription, &service,
                       ",\"headers\":{\"header-name-1\":\"value-1\","
                   "\"header-name-2\":\"value: 2\",\"accept\":\"*/*\"}");
    for (int i = 0; i < 2; i++) {
        expect_header("Header-Name-1", "value-1");
        expect_header("Header-Name-2", "value: 2");
        expect_header("Accept", "*/*");
        subscription_break(&subscription);
    }
    subscription_end(&subscription);
}
END_TEST

START_TEST(it_begins_at_an_event)
{
    subscription_begin(&subscription, &service, ",\"lastEventId\":\"\xe2\x82\xac 7\"");
    expect_header("Last-Event-ID", "\xe2\x82\xac 7");
    subscription_break(&subscription);
    expect_header("Last-Event-ID", "\xe2\x82\xac 7");
    pass_event("", "\xe2\x82\xac 7");
    subscription_end(&subscription);
}
END_TEST

static const char *const methods[] = {"POST", "REPORT"};

START_TEST(a_body_is_sent_each_time)
{
    static const char body[] = "{\"hello\": \"world\"}";
    char more[256], *got;

    snprintf(more, sizeof more,
             ",\"method\":\"%s\",\"body\":\"{\\\"hello\\\": \\\"world\\\"}\","
             "\"headers\":{\"content-type\":\"application/json\"}",
             methods[_i]);
    subscription_begin(&subscription, &service, more);
    for (int i = 0; i < 2; i++) {
        expect_request(&subscription.stream, methods[_i], "/stream");
        expect_header("Content-Type", "application/json");
        got = client_body(&subscription.stream);
        ck_assert_str_eq(got, body);
        free(got);
        pass_event("", "");
        subscription_break(&subscription);
    }
    subscription_end(&subscription);
}
END_TEST

START_TEST(a_body_may_hold_nul)
{
    char *got;

    subscription_begin(&subscription, &service,
                       ",\"method\":\"POST\",\"body\":\"a\\u0000b\"");
    expect_header("Content-Length", "3");
    got = client_body(&subscription.stream);
    ck_assert_mem_eq(got, "a\0b", 3);
    free(got);
    subscription_end(&subscription);
}
END_TEST

/* ---- answers ---------------------------------------------------------- */

/* Accepts a connection for TARGET and redirects it to PATH with STATUS. */
static void redirect(const char *target, int status, const char *path)
{
    struct client client;

    server_accept(&subscription.server, &client);
    expect_request(&client, "GET", target);
    client_send(&client,
                "HTTP/1.1 %d Elsewhere\r\nConnection: close\r\n"
                "Location: http://127.0.0.1:%d%s\r\n"
                "Content-Length: 0\r\n\r\n",
                status, subscription.server.port, path);
    client_close(&client);
}

static const int redirects[] = {301, 302, 303, 307, 308};

START_TEST(redirects_are_followed)
{
    subscription_start(&subscription, &service, ",\"lastEventId\":\"7\"");
    redirect("/stream", redirects[_i], "/second");
    redirect("/second", redirects[_i], "/third");
    server_stream(&subscription.server, &subscription.stream);
    expect_request(&subscription.stream, "GET", "/third");
    expect_header("Last-Event-ID", "7");
    pass_event("8", "8");
    client_close(&subscription.stream);
    subscription_expect_error(&subscription);
    /* From the beginning. */
    redirect("/stream", redirects[_i], "/fourth");
    server_stream(&subscription.server, &subscription.stream);
    expect_request(&subscription.stream, "GET", "/fourth");
    expect_header("Last-Event-ID", "8");
    subscription_end(&subscription);
}
END_TEST

static const char *const refusals[] = {
    "204 No Content\r\n\r\n",
    "301 Moved\r\nContent-Length: 0\r\n\r\n",
    "301 Moved\r\nLocation:\r\nContent-Length: 0\r\n\r\n",
    "307 Moved\r\nContent-Length: 0\r\n\r\n",
    "307 Moved\r\nLocation: \r\nContent-Length: 0\r\n\r\n",
    "302 Found\r\nLocation: ftp://127.0.0.1/\r\nContent-Length: 0\r\n\r\n",
    "200 OK\r\nContent-Type: text/plain\r\n\r\ndata: a\n\n",
    "200 OK\r\n\r\ndata: a\n\n",
    "404 Not Found\r\nContent-Type: text/event-stream\r\n"
    "Content-Length: 9\r\n\r\ndata: a\n\n",
    "500 Broken\r\nContent-Type: text/event-stream\r\n"
    "Content-Length: 9\r\n\r\ndata: a\n\n",
    "503 Unavailable\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n",
};

START_TEST(a_refusal_is_told_and_is_the_end)
{
    subscription_start(&subscription, &service, "");
    server_accept(&subscription.server, &subscription.stream);
    client_send(&subscription.stream, "HTTP/1.1 %s", refusals[_i]);
    subscription_expect_error(&subscription);
    server_expect_nobody(&subscription.server);
    /* It is still there, and commands change nothing. */
    subscription_command(&subscription, "{\"command\":\"restart\"}");
    server_expect_nobody(&subscription.server);
    subscription_end(&subscription);
}
END_TEST

START_TEST(a_torn_connection_is_not_the_end)
{
    subscription_start(&subscription, &service, "");
    server_accept(&subscription.server, &subscription.stream);
    client_reset(&subscription.stream);
    subscription_expect_error(&subscription);
    server_stream(&subscription.server, &subscription.stream);
    pass_event("", "");
    subscription_end(&subscription);
}
END_TEST

/* ---- once more -------------------------------------------------------- */

START_TEST(it_comes_back_with_the_last_id)
{
    subscription_begin(&subscription, &service, "");
    pass_event("1", "1");
    pass_event("", "1");
    subscription_break(&subscription);
    expect_header("Last-Event-ID", "1");
    pass_event("", "1");
    pass_event("2", "2");
    subscription_break(&subscription);
    expect_header("Last-Event-ID", "2");
    client_send(&subscription.stream, "id\ndata: a\n\n");
    subscription_expect_event(&subscription, "message", "a", "");
    subscription_break(&subscription);
    ck_assert_ptr_null(strcasestr(subscription.stream.head, "Last-Event-ID"));
    subscription_end(&subscription);
}
END_TEST

START_TEST(half_an_event_does_not_count)
{
    subscription_begin(&subscription, &service, "");
    pass_event("1", "1");
    client_send(&subscription.stream, "id: 2\ndata: b\n");
    subscription_break(&subscription);
    expect_header("Last-Event-ID", "1");
    pass_event("", "1");
    subscription_end(&subscription);
}
END_TEST

START_TEST(no_delay_is_none)
{
    uint64_t begun, took, least = UINT64_MAX;
    int i;

    subscription_begin(&subscription, &service, ",\"initialDelayMs\":0");
    for (i = 0; i < 3; i++) { /* one of them may be slow for other reasons; not all */
        begun = crier_now();
        subscription_break(&subscription);
        took = crier_now() - begun;
        if (took < least)
            least = took;
    }
    ck_assert_uint_lt(least, 3000); /* a client's default */
    subscription_end(&subscription);
}
END_TEST

START_TEST(the_server_says_when)
{
    uint64_t begun;

    /* Longer than the test's patience. */
    subscription_begin(&subscription, &service, ",\"initialDelayMs\":600000");
    client_send(&subscription.stream, "retry: 1\n\n");
    pass_event("", "");
    subscription_break(&subscription);
    client_send(&subscription.stream, "retry: 300\n");
    pass_event("", "");
    begun = crier_now();
    subscription_break(&subscription);
    ck_assert_uint_ge(crier_now() - begun, 300);
    subscription_end(&subscription);
}
END_TEST

START_TEST(a_restart_is_at_once_and_no_error)
{
    struct client old;

    subscription_begin(&subscription, &service, ",\"initialDelayMs\":600000");
    pass_event("1", "1");
    client_send(&subscription.stream, "id: 2\ndata: half");
    old = subscription.stream;
    subscription_command(&subscription, "{\"command\":\"restart\"}");
    server_stream(&subscription.server, &subscription.stream);
    expect_header("Last-Event-ID", "1");
    ck_assert_ptr_null(client_line(&old));
    client_close(&old);
    pass_event("", "1");
    /* And while it waits. */
    client_close(&subscription.stream);
    subscription_expect_error(&subscription);
    subscription_command(&subscription, "{\"command\":\"restart\"}");
    server_stream(&subscription.server, &subscription.stream);
    pass_event("2", "2");
    subscription_end(&subscription);
}
END_TEST

START_TEST(silence_is_an_error)
{
    struct client old;

    subscription_begin(&subscription, &service, ",\"readTimeoutMs\":100");
    pass_event("1", "1");
    old = subscription.stream;
    subscription_expect_error(&subscription);
    server_stream(&subscription.server, &subscription.stream);
    expect_header("Last-Event-ID", "1");
    ck_assert_ptr_null(client_line(&old));
    client_close(&old);
    subscription_end(&subscription);
}
END_TEST

START_TEST(silence_is_no_error_unless_asked_for)
{
    subscription_begin(&subscription, &service, ",\"readTimeoutMs\":0");
    server_expect_nobody(&subscription.reports);
    pass_event("1", "1");
    subscription_end(&subscription);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("contract_http");
    TCase *tcase = add_case(suite, "requests");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, it_asks_as_the_standard_says);
    tcase_add_test(tcase, headers_are_sent_each_time);
    tcase_add_test(tcase, it_begins_at_an_event);
    tcase_add_loop_test(tcase, a_body_is_sent_each_time, 0,
                        sizeof methods / sizeof *methods);
    tcase_add_test(tcase, a_body_may_hold_nul);
    tcase = add_case(suite, "answers");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, redirects_are_followed, 0,
                        sizeof redirects / sizeof *redirects);
    tcase_add_loop_test(tcase, a_refusal_is_told_and_is_the_end, 0,
                        sizeof refusals / sizeof *refusals);
    tcase_add_test(tcase, a_torn_connection_is_not_the_end);
    tcase = add_case(suite, "once more");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, it_comes_back_with_the_last_id);
    tcase_add_test(tcase, half_an_event_does_not_count);
    tcase_add_test(tcase, no_delay_is_none);
    tcase_add_test(tcase, the_server_says_when);
    tcase_add_test(tcase, a_restart_is_at_once_and_no_error);
    tcase_add_test(tcase, silence_is_an_error);
    tcase_add_test(tcase, silence_is_no_error_unless_asked_for);
    return suite;
}

RUN_SUITE(make_suite)
