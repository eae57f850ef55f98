/* The streams of the demo and /healthz, end to end. */
#include <config.h>

#include "crier.h"
#include "support/client.h"
#include "support/crierd.h"
#include "support/runner.h"

#include <stdio.h>
#include <string.h>

static struct crierd crierd;

static void setup(void)
{
    crierd_start(&crierd, "--log-level debug");
}

static void teardown(void)
{
    crierd_stop(&crierd);
}

static void follow(struct client *client, const char *target,
                   const char *headers)
{
    client_connect(client, crierd.port);
    ck_assert_int_eq(client_request(client, "GET", target, headers, NULL),
                     200);
    ck_assert_str_eq(client_header(client, "Content-Type"),
                     "text/event-stream");
    ck_assert_str_eq(client_header(client, "Cache-Control"),
                     "no-cache, no-transform");
    ck_assert_str_eq(client_header(client, "X-Accel-Buffering"), "no");
}

static void expect_number(struct client *client, int number)
{
    char text[32];

    snprintf(text, sizeof text, "data: %d", number);
    client_expect(client, text);
}

/* ---- /ticks and /sse -------------------------------------------------- */

START_TEST(ticks_are_counted_per_connection)
{
    struct client one, two;

    follow(&one, "/ticks", "");
    expect_number(&one, 1);
    follow(&two, "/ticks", "");
    expect_number(&two, 1);
    expect_number(&one, 2);
    expect_number(&two, 2);
    expect_number(&one, 3);
    client_close(&one);
    client_close(&two);
}
END_TEST

/* A schedule that starts anew after every tick would be late by the sum of all
 * delays: after 150 ticks, rounded up to the next millisecond each, by far more than
 * the 100 ms allowed here. On a busy machine one of those that follow is in time. */
START_TEST(ticks_do_not_drift)
{
    struct client client;
    int64_t first = 0, late = 0, begun = (int64_t)crier_now();
    int n;

    follow(&client, "/ticks?interval=10", "");
    for (n = 1; n <= 150 || (late >= 100 && n <= 2000); n++) {
        expect_number(&client, n);
        if (n == 1)
            first = (int64_t)crier_now();
        ck_assert_int_ge((int64_t)crier_now() - begun, (n - 1) * 10); /* none is early */
        late = (int64_t)crier_now() - first - (n - 1) * 10;
    }
    ck_assert_int_lt(late, 100);
    client_close(&client);
}
END_TEST

static const char *const bad_intervals[] = {"9", "60001", "x", "", "-10",
                                            "10.5"};

START_TEST(a_bad_interval_is_named)
{
    char target[64], *answer;

    snprintf(target, sizeof target, "/ticks?interval=%s", bad_intervals[_i]);
    ck_assert_int_eq(fetch(crierd.port, "GET", target, "", NULL, &answer),
                     400);
    ck_assert_ptr_nonnull(strstr(answer, "interval"));
    free(answer);
}
END_TEST

START_TEST(sse_counts_and_resumes)
{
    struct client client;

    follow(&client, "/sse", "");
    client_expect(&client,
                  "id: 1\nevent: message\ndata: {\"counter\":1}");
    client_expect(&client,
                  "id: 2\nevent: message\ndata: {\"counter\":2}");
    client_close(&client);
    follow(&client, "/sse", "Last-Event-ID: 41\r\n");
    client_expect(&client,
                  "id: 42\nevent: message\ndata: {\"counter\":42}");
    client_close(&client);
    follow(&client, "/sse", "Last-Event-ID: foreign\r\n");
    client_expect(&client,
                  "id: 1\nevent: message\ndata: {\"counter\":1}");
    client_close(&client);
}
END_TEST

/* ---- /events ---------------------------------------------------------- */

START_TEST(events_reach_all)
{
    struct client one, two;
    char *answer;

    follow(&one, "/events", "");
    client_expect(&one, "data: connected");
    follow(&two, "/events", "");
    client_expect(&two, "data: connected");
    ck_assert_int_eq(fetch(crierd.port, "POST", "/events", "", "hello\nyou",
                           &answer),
                     200);
    ck_assert_str_eq(answer, "msg sent\n");
    free(answer);
    client_expect_event(&one, "data: hello\ndata: you");
    client_expect_event(&two, "data: hello\ndata: you");
    ck_assert_int_eq(
        fetch(crierd.port, "GET", "/events/a%2Fb%20c", "", NULL, &answer),
        200);
    ck_assert_str_eq(answer, "msg sent\n");
    free(answer);
    client_expect_event(&one, "data: a/b c");
    client_expect_event(&two, "data: a/b c");
    client_close(&one);
    client_close(&two);
}
END_TEST

START_TEST(no_field_can_be_smuggled)
{
    struct client client;

    follow(&client, "/events", "");
    client_expect(&client, "data: connected");
    ck_assert_int_eq(fetch(crierd.port, "POST", "/events", "",
                           "x\revent: evil\rid: 6\r\rretry: 1", NULL),
                     200);
    client_expect_event(&client, "data: x\ndata: event: evil\ndata: id: 6\ndata:\n"
                           "data: retry: 1");
    ck_assert_int_eq(fetch(crierd.port, "GET", "/events/x%0Devent:%20evil",
                           "", NULL, NULL),
                     200);
    client_expect_event(&client, "data: x\ndata: event: evil");
    ck_assert_int_eq(
        fetch(crierd.port, "POST", "/events", "", "\xff", NULL), 400);
    ck_assert_int_eq(fetch(crierd.port, "POST", "/events", "", "", NULL),
                     200);
    client_expect_event(&client, "data:");
    client_close(&client);
}
END_TEST

START_TEST(get_publishing_can_be_switched_off)
{
    struct crierd strict;
    struct client client;
    char *answer;

    crierd_start(&strict, "--get-publish off");
    client_connect(&client, strict.port);
    ck_assert_int_eq(client_request(&client, "GET", "/events", "", NULL),
                     200);
    ck_assert_int_eq(
        fetch(strict.port, "GET", "/events/x", "", NULL, &answer), 403);
    ck_assert_ptr_nonnull(strstr(answer, "publishing by GET is disabled"));
    free(answer);
    ck_assert_int_eq(fetch(strict.port, "POST", "/events", "", "y", NULL),
                     200);
    client_expect(&client, "data: connected");
    client_expect_event(&client, "data: y");
    client_close(&client);
    crierd_stop(&strict);
}
END_TEST

START_TEST(pings_come_when_it_is_quiet)
{
    struct crierd pinging;
    struct client client;

    crierd_start(&pinging, "--ping-interval 50ms");
    client_connect(&client, pinging.port);
    ck_assert_int_eq(client_request(&client, "GET", "/events", "", NULL),
                     200);
    client_expect(&client, "data: connected");
    client_expect_line(&client, ":");
    client_expect_line(&client, ":");
    client_close(&client);
    client_connect(&client, pinging.port);
    ck_assert_int_eq(
        client_request(&client, "GET", "/ticks?interval=60000", "", NULL),
        200);
    client_expect_line(&client, ":"); /* it begins with that */
    client_expect_line(&client, ":");
    client_close(&client);
    crierd_stop(&pinging);
}
END_TEST

/* ---- /updates and /healthz -------------------------------------------- */

START_TEST(updates_is_finite)
{
    struct client client;
    char *body;

    follow(&client, "/updates", "");
    ck_assert_str_ne(client_header(&client, "Content-Length"), "");
    body = client_body(&client);
    ck_assert_str_eq(body, "event: connected\ndata: ready\n\n"
                           "id: 1\nevent: update\ndata: {\"count\":1}\n\n"
                           "id: 2\nevent: update\ndata: {\"count\":2}\n\n"
                           ": keep-alive\n\n");
    free(body);
    client_close(&client);
}
END_TEST

START_TEST(health_counts_clients)
{
    struct client client;
    json_t *health;
    char *answer;

    follow(&client, "/ticks", "");
    expect_number(&client, 1);
    ck_assert_int_eq(fetch(crierd.port, "GET", "/healthz", "", NULL, &answer),
                     200);
    health = json_loads(answer, 0, NULL);
    ck_assert_str_eq(json_string_value(json_object_get(health, "status")),
                     "ok");
    ck_assert_str_eq(json_string_value(json_object_get(health, "version")),
                     PACKAGE_VERSION);
    ck_assert_int_eq(
        json_integer_value(json_object_get(health, "clients")), 1);
    ck_assert(json_real_value(json_object_get(health, "uptime")) >= 0.9);
    json_decref(health);
    free(answer);
    client_close(&client);
    crierd_wait_log(&crierd, "stream /ticks ended: client closed");
}
END_TEST

/* ---- /tokens ---------------------------------------------------------- */

#define WHY "/tokens?prompt=what+is+this"

/* Reads the tokens of the answer NAME from FIRST to the end. Returns how many there are in
 * all, and their text in *TEXT. */
static int take_tokens(struct client *client, const char *name, int first,
                       char *text, size_t size)
{
    char id[64], *frame;
    json_t *data;
    int n = first;

    text[0] = '\0';
    for (;; n++) {
        frame = client_frame(client);
        ck_assert_ptr_nonnull(frame);
        snprintf(id, sizeof id, "id: %s-%d\n", name, n);
        ck_assert_mem_eq(frame, id, strlen(id));
        data = json_loads(strstr(frame, "data: ") + 6, 0, NULL);
        if (strstr(frame, "event: done\n") != NULL)
            break;
        ck_assert_ptr_nonnull(strstr(frame, "event: token\n"));
        ck_assert_int_eq(json_integer_value(json_object_get(data, "index")),
                         n);
        strncat(text, json_string_value(json_object_get(data, "text")),
                size - strlen(text) - 1);
        json_decref(data);
        free(frame);
    }
    ck_assert_int_eq(json_integer_value(json_object_get(data, "tokens")),
                     n - 1);
    json_decref(data);
    free(frame);
    ck_assert_ptr_null(client_frame(client)); /* and the stream ends */
    return n - 1;
}

START_TEST(tokens_arrive_and_resume)
{
    struct client client, tab;
    char whole[8192], rest[8192], header[64], *frame, *dash;
    int count;

    follow(&client, WHY, "");
    frame = client_frame(&client);
    dash = strstr(frame, "-1\n");
    ck_assert_ptr_nonnull(dash);
    *dash = '\0'; /* behind the name */

    /* Another one without a name is another answer; with it, it is this one. */
    snprintf(whole, sizeof whole, "%s&answer=%s", WHY, frame + 4);
    follow(&tab, whole, "");
    count = take_tokens(&tab, frame + 4, 1, whole, sizeof whole);
    client_close(&tab);
    ck_assert_int_gt(count, 40);
    ck_assert_int_eq(take_tokens(&client, frame + 4, 2, rest, sizeof rest), count);
    client_close(&client);
    ck_assert_str_eq(whole + strlen(whole) - strlen(rest), rest);

    snprintf(header, sizeof header, "Last-Event-ID: %s-%d\r\n", frame + 4, count - 9);
    follow(&client, WHY, header);
    ck_assert_int_eq(take_tokens(&client, frame + 4, count - 8, rest, sizeof rest),
                     count);
    client_close(&client);
    ck_assert_str_eq(whole + strlen(whole) - strlen(rest), rest);

    /* All words seen, but not "done". */
    snprintf(header, sizeof header, "Last-Event-ID: %s-%d\r\n", frame + 4, count);
    follow(&client, WHY, header);
    take_tokens(&client, frame + 4, count + 1, rest, sizeof rest);
    client_close(&client);

    snprintf(header, sizeof header, "Last-Event-ID: %s-%d\r\n", frame + 4, count + 1);
    ck_assert_int_eq(fetch(crierd.port, "GET", WHY, header, NULL, NULL), 204);
    ck_assert_int_eq(fetch(crierd.port, "HEAD", WHY, header, NULL, NULL), 204);
    free(frame);
}
END_TEST

/* An answer that the server does not have any more is written again, from the word behind
 * those that the client has. */
START_TEST(tokens_go_on_after_a_restart)
{
    char text[8192];
    struct client client;

    follow(&client, WHY, "Last-Event-ID: lost-30\r\n");
    ck_assert_int_gt(take_tokens(&client, "lost", 31, text, sizeof text), 40);
    client_close(&client);
    ck_assert_int_eq(fetch(crierd.port, "GET", WHY, "Last-Event-ID: lost-100000\r\n",
                           NULL, NULL),
                     204);
    ck_assert_int_eq(fetch(crierd.port, "GET", WHY "&answer=a-b", "", NULL, NULL), 400);
    ck_assert_int_eq(fetch(crierd.port, "GET", WHY "&answer=", "", NULL, NULL), 400);
}
END_TEST

START_TEST(tokens_need_a_prompt)
{
    char *answer;

    ck_assert_int_eq(fetch(crierd.port, "GET", "/tokens", "", NULL, &answer),
                     400);
    ck_assert_ptr_nonnull(strstr(answer, "prompt"));
    free(answer);
    ck_assert_int_eq(
        fetch(crierd.port, "GET", "/tokens?prompt=", "", NULL, NULL), 400);
    ck_assert_int_eq(
        fetch(crierd.port, "GET", "/tokens?prompt=%0a", "", NULL, NULL), 400);
}
END_TEST

/* ---- /quotes ---------------------------------------------------------- */

/* Reads the next quote, checks its members, and writes its symbol to SYMBOL. */
static void take_quote(struct client *client, char symbol[32])
{
    char *frame = client_frame(client);
    json_t *data;

    ck_assert_int_eq(sscanf(frame, "event: %31[^\n]", symbol), 1);
    data = json_loads(strstr(frame, "data: ") + 6, 0, NULL);
    ck_assert_ptr_nonnull(data);
    ck_assert_str_eq(json_string_value(json_object_get(data, "symbol")),
                     symbol);
    ck_assert(json_string_length(json_object_get(data, "name")) > 0);
    ck_assert(json_number_value(json_object_get(data, "price")) > 0);
    ck_assert(json_is_number(json_object_get(data, "change")));
    ck_assert(json_is_string(json_object_get(data, "time")));
    ck_assert_msg(strstr(frame, "0000") == NULL &&
                      strstr(frame, "9999") == NULL,
                  "not rounded: %s", frame);
    json_decref(data);
    free(frame);
}

START_TEST(quotes_of_the_symbols_asked_for)
{
    struct client client;
    int acme = 0, umbr = 0, n;
    char symbol[32];

    follow(&client, "/quotes?symbol=ACME,UMBR", "");
    client_expect(&client, "event: symbols\ndata: {\"symbols\":["
                           "{\"symbol\":\"ACME\",\"name\":\"Acme Anvils\"},"
                           "{\"symbol\":\"UMBR\",\"name\":\"Umbra Lamps\"}]}");
    /* The newest rate of each comes at once, then they come as they change. */
    for (n = 0; n < 6; n++) {
        take_quote(&client, symbol);
        acme += strcmp(symbol, "ACME") == 0;
        umbr += strcmp(symbol, "UMBR") == 0;
        ck_assert_int_eq(acme + umbr, n + 1);
        if (n == 1)
            ck_assert(acme == 1 && umbr == 1);
    }
    client_close(&client);
}
END_TEST

START_TEST(quotes_of_all)
{
    struct client client;
    char seen[5][32], symbol[32];
    int i, n;

    follow(&client, "/quotes", "");
    free(client_until(&client, "event: symbols"));
    for (n = 0; n < 5; n++) {
        take_quote(&client, symbol);
        for (i = 0; i < n; i++)
            ck_assert_str_ne(symbol, seen[i]);
        memcpy(seen[n], symbol, sizeof symbol);
    }
    client_close(&client);
}
END_TEST

START_TEST(an_unknown_symbol_is_named)
{
    char *answer;

    ck_assert_int_eq(fetch(crierd.port, "GET", "/quotes?symbol=ACME,NOPE",
                           "", NULL, &answer),
                     400);
    ck_assert_ptr_nonnull(strstr(answer, "NOPE"));
    free(answer);
}
END_TEST

static const char *const demo_paths[] = {
    "/ticks",           "/sse",           "/updates", "/events", "/events/x",
    "/chat?user=ada",   "/users",         "/quotes",  "/tokens?prompt=x",
};

START_TEST(the_demo_can_be_off)
{
    struct crierd plain;
    char *answer;
    size_t i;

    crierd_start(&plain, "--demo off --data /nowhere");
    for (i = 0; i < sizeof demo_paths / sizeof demo_paths[0]; i++)
        ck_assert_msg(
            fetch(plain.port, "GET", demo_paths[i], "", NULL, NULL) == 404,
            "%s", demo_paths[i]);
    ck_assert_int_eq(fetch(plain.port, "POST", "/events", "", "x", NULL), 404);
    ck_assert_int_eq(fetch(plain.port, "POST", "/users/ada", "", "", NULL),
                     404);
    ck_assert_int_eq(fetch(plain.port, "GET", "/", "", NULL, NULL), 200);
    ck_assert_int_eq(fetch(plain.port, "GET", "/js/demo.js", "", NULL, NULL),
                     200);
    ck_assert_int_eq(
        fetch(plain.port, "POST", "/topics/events", "", "x", NULL), 200);
    ck_assert_int_eq(
        fetch(plain.port, "GET", "/topics/events?poll=1&format=raw", "", NULL,
              &answer),
        200);
    ck_assert_str_eq(answer, "x\n");
    free(answer);
    crierd_stop(&plain);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("demo");
    TCase *c = add_case(s, "demo");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, ticks_are_counted_per_connection);
    tcase_add_test(c, ticks_do_not_drift);
    tcase_add_loop_test(c, a_bad_interval_is_named, 0,
                        (int)(sizeof bad_intervals / sizeof bad_intervals[0]));
    tcase_add_test(c, sse_counts_and_resumes);
    tcase_add_test(c, events_reach_all);
    tcase_add_test(c, no_field_can_be_smuggled);
    tcase_add_test(c, get_publishing_can_be_switched_off);
    tcase_add_test(c, pings_come_when_it_is_quiet);
    tcase_add_test(c, updates_is_finite);
    tcase_add_test(c, health_counts_clients);
    tcase_add_test(c, tokens_arrive_and_resume);
    tcase_add_test(c, tokens_go_on_after_a_restart);
    tcase_add_test(c, tokens_need_a_prompt);
    tcase_add_test(c, quotes_of_the_symbols_asked_for);
    tcase_add_test(c, quotes_of_all);
    tcase_add_test(c, an_unknown_symbol_is_named);
    tcase_add_test(c, the_demo_can_be_off);
    return s;
}

RUN_SUITE(suite)
