/*
 * A stream: which messages a client returns, in which order, and how it reconnects.
 */
#include <config.h>

#include "base/curl.h"
#include "support/client_fixture.h"
#include "support/port.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MINUTE 60000

/* ---- what is told ----------------------------------------------------- */

START_TEST(everything_is_told_in_order)
{
    struct crier_message message;

    foreign_stream(&server);
    foreign_say(&server, ": hello\n\nid: 1\nevent: greeting\n"
                         "topics: a,b\ntime: now\n"
                         "data: a\ndata: b\n\ndata: c\n\n");
    start();
    message = expect(CRIER_OPEN);
    ck_assert_int_eq(message.status, 200);
    ck_assert_int_eq(message.error, 0);
    ck_assert_str_eq(message.id, "");
    message = expect(CRIER_COMMENT);
    ck_assert_str_eq(message.data, " hello");
    ck_assert_int_eq(message.status, 200);
    message = expect_event("a\nb");
    ck_assert_str_eq(message.type, "greeting");
    ck_assert_str_eq(message.id, "1");
    ck_assert(message.has_id);
    ck_assert_str_eq(message.topics, "a,b");
    ck_assert_str_eq(message.time, "now");
    ck_assert_int_eq(message.status, 200);
    message = expect_event("c");
    ck_assert_str_eq(message.type, "message");
    ck_assert_str_eq(message.id, "1");
    ck_assert(!message.has_id);
    ck_assert_ptr_null(message.topics);
    settle();
    foreign_say(&server, "data: later\n\n");
    foreign_close(&server);
    expect_event("later");
    message = expect_error(CRIER_ERR_ENDED);
    ck_assert_str_eq(message.id, "1");
    ck_assert_int_eq(message.status, 200);
}
END_TEST

/* The stream may be open long before anything is in it. */
START_TEST(open_does_not_wait_for_a_byte)
{
    foreign_stream(&server);
    start();
    expect(CRIER_OPEN);
    settle();
}
END_TEST

/* Appends the messages that are there to LOG. */
static void log_messages(char log[256])
{
    struct crier_message message;
    size_t length;

    while (crier_client_next(client, &message) == 1) {
        length = strlen(log);
        snprintf(log + length, 256 - length, "%d %s %s;", message.kind,
                 message.id, message.data);
    }
}

START_TEST(bytes_may_come_one_by_one)
{
    static const char stream[] = "\xef\xbb\xbfid: 1\r\ndata: a\r\n\r\n:c\r\n"
                                 "data: \xc3\xa9\rdata\r\n\r\ndata: b\n\n";
    static const char expected[] = "0 1 a;1 1 c;0 1 \xc3\xa9\n;0 1 b;";
    char log[256] = "";
    size_t i;

    foreign_stream(&server);
    start();
    expect(CRIER_OPEN);
    for (i = 0; i < strlen(stream); i++) {
        foreign_say_bytes(&server, stream + i, 1);
        wait_readable();
        log_messages(log);
    }
    while (strlen(log) < strlen(expected)) { /* it may poll readable early */
        wait_readable();
        log_messages(log);
    }
    ck_assert_str_eq(log, expected);
}
END_TEST

START_TEST(a_long_event_comes_whole)
{
    const size_t length = 10000000;
    char *data = malloc(length + 1);
    struct crier_message message;
    size_t i;

    for (i = 0; i < length; i++)
        data[i] = (char)('!' + (i * 31 + i / 251) % 90);
    data[length] = '\0';
    foreign_stream(&server);
    foreign_say(&server, "data: %s\n\n", data);
    start();
    expect(CRIER_OPEN);
    message = expect(CRIER_EVENT);
    ck_assert_uint_eq(message.length, length);
    ck_assert_mem_eq(message.data, data, length);
    free(data);
}
END_TEST

START_TEST(limits_end_it)
{
    static const struct {
        struct crier_parser_options limits;
        int error;
    } cases[] = {{{.max_line = 20}, CRIER_ERR_MAX_LINE},
                 {{.max_event = 20}, CRIER_ERR_MAX_EVENT}};
    struct crier_message message;

    options.limits = cases[_i].limits;
    options.persist = true;
    foreign_stream(&server);
    foreign_say(&server, "data: fits\n\ndata: 0123456789012345678901\n\n");
    foreign_hold(&server);
    start();
    expect(CRIER_OPEN);
    expect_event("fits");
    message = expect_closed(cases[_i].error);
    ck_assert_int_eq(message.status, 200);
    foreign_wait_left(&server, 1);
    ck_assert_uint_eq(foreign_requests(&server), 1);
}
END_TEST

/* ---- coming back ------------------------------------------------------ */

enum { AT_END, TORN, TOO_SHORT, CHUNK_CUT, ENDS };

/* Streams BYTES and ends as HOW says. Returns the error for it. */
static int break_off(int how, const char *bytes)
{
    static const char type[] = "Content-Type: text/event-stream\r\n";

    if (how == TOO_SHORT)
        foreign_say(&server, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n"
                             "%s\r\n%s", type, bytes);
    else if (how == CHUNK_CUT)
        foreign_say(&server, "HTTP/1.1 200 OK\r\n%s"
                             "Transfer-Encoding: chunked\r\n\r\n%zx\r\n%s",
                    type, strlen(bytes) + 10, bytes);
    else
        foreign_say(&server, "HTTP/1.1 200 OK\r\n%s\r\n%s", type, bytes);
    if (how != TORN)
        foreign_close(&server);
    return how == AT_END ? CRIER_ERR_ENDED : CRIER_ERR_NETWORK;
}

START_TEST(it_goes_on_after_the_last_whole_event)
{
    int error = break_off(_i, "id: 1\ndata: a\n\nid: 2\ndata: b\n\n"
                              "id: 3\ndata: half");
    struct crier_message message;

    start();
    expect(CRIER_OPEN);
    expect_event("a");
    expect_event("b");
    if (_i == TORN) /* only when all was read: a reset drops what was not */
        foreign_reset(&server);
    message = expect_error(error);
    check_wait(message.retry, 1);
    ck_assert_str_eq(message.id, "2");
    foreign_stream(&server);
    foreign_say(&server, "data: c\n\nid\ndata: d\n\n");
    foreign_close(&server);
    message = expect(CRIER_OPEN);
    ck_assert_str_eq(message.id, "2");
    ck_assert_str_eq(foreign_header(foreign_request(&server, 1),
                                    "Last-Event-ID"),
                     "2");
    message = expect_event("c");
    ck_assert_str_eq(message.id, "2");
    message = expect_event("d");
    ck_assert_str_eq(message.id, "");
    expect_error(CRIER_ERR_ENDED);
    foreign_stream(&server);
    expect(CRIER_OPEN);
    ck_assert(!foreign_has(foreign_request(&server, 2), "Last-Event-ID"));
}
END_TEST

/* How a request may fail; with `persist`, each would be tried again. */
enum { STREAM_ENDS, STREAM_BREAKS, NO_ANSWER, BUSY, FAILURES };

static int fail_by(int how)
{
    switch (how) {
    case STREAM_ENDS:
        foreign_stream(&server);
        foreign_close(&server);
        return CRIER_ERR_ENDED;
    case STREAM_BREAKS:
        return break_off(TOO_SHORT, "data");
    case NO_ANSWER:
        foreign_close(&server);
        return CRIER_ERR_NETWORK;
    default:
        foreign_answer(&server, "503 Busy", "Retry-After: 0\r\n", "");
        return CRIER_ERR_STATUS;
    }
}

static const struct {
    const char *method, *body;
    enum crier_reconnect reconnect;
    bool again;
} requests[] = {
    {NULL, NULL, CRIER_RECONNECT_IDEMPOTENT, true},
    {"GET", "a", CRIER_RECONNECT_IDEMPOTENT, true},
    {"PUT", "a", CRIER_RECONNECT_IDEMPOTENT, true},
    {"OPTIONS", NULL, CRIER_RECONNECT_IDEMPOTENT, true},
    {"DELETE", NULL, CRIER_RECONNECT_IDEMPOTENT, true},
    {NULL, "a", CRIER_RECONNECT_IDEMPOTENT, false},
    {NULL, "", CRIER_RECONNECT_IDEMPOTENT, false},
    {"POST", NULL, CRIER_RECONNECT_IDEMPOTENT, false},
    {"PATCH", "a", CRIER_RECONNECT_IDEMPOTENT, false},
    {"get", NULL, CRIER_RECONNECT_IDEMPOTENT, false},
    {NULL, "a", CRIER_RECONNECT_ALWAYS, true},
    {"PATCH", "a", CRIER_RECONNECT_ALWAYS, true},
    {NULL, NULL, CRIER_RECONNECT_NEVER, false},
    {"PUT", "a", CRIER_RECONNECT_NEVER, false},
};
#define REQUESTS (int)(sizeof requests / sizeof *requests)

/* A server may have acted on what is not idempotent, even where it has not said so. */
START_TEST(only_an_idempotent_request_is_repeated)
{
    const int row = _i / FAILURES, how = _i % FAILURES;
    int error = fail_by(how);

    options.method = requests[row].method;
    options.body = requests[row].body;
    options.body_length =
        options.body != NULL ? strlen(requests[row].body) : 0;
    options.reconnect = requests[row].reconnect;
    options.persist = true;
    start();
    if (how == STREAM_ENDS || how == STREAM_BREAKS)
        expect(CRIER_OPEN);
    if (!requests[row].again) {
        expect_closed(error);
        ck_assert_uint_eq(foreign_requests(&server), 1);
        return;
    }
    expect_error(error);
    foreign_stream(&server);
    expect(CRIER_OPEN);
    ck_assert_uint_eq(foreign_requests(&server), 2);
}
END_TEST

/* Not even where nobody was there to get it; but a program may ask for it. */
START_TEST(a_request_without_reconnection_is_made_once)
{
    char url[64];
    int descriptor;

    snprintf(url, sizeof url, "http://127.0.0.1:%d/",
             port_hold(&descriptor));
    options.url = url;
    options.body = "a";
    options.body_length = 1;
    options.persist = true;
    start();
    expect_closed(CRIER_ERR_NETWORK);
    crier_client_free(client);
    close(descriptor);
    options.url = server.url;
    start();
    foreign_stream(&server);
    expect(CRIER_OPEN);
    crier_client_restart(client);
    foreign_close(&server);
    foreign_stream(&server);
    expect(CRIER_OPEN);
    ck_assert_str_eq(foreign_request(&server, 1)->body, "a");
}
END_TEST

START_TEST(an_id_without_data_counts)
{
    foreign_stream(&server);
    foreign_say(&server, "id: a b\xc3\xa9\n\n");
    foreign_close(&server);
    foreign_stream(&server);
    start();
    expect(CRIER_OPEN);
    expect_error(CRIER_ERR_ENDED);
    expect(CRIER_OPEN);
    ck_assert_str_eq(foreign_header(foreign_request(&server, 1),
                                    "Last-Event-ID"),
                     "a b\xc3\xa9");
}
END_TEST

/* A stream whose response says that it begins after ID. */
static void begin_after(const char *id)
{
    foreign_say(&server,
                "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                "last-event-id:  %s \r\nConnection: close\r\n\r\n",
                id);
    foreign_close(&server);
}

/* As crierd does it: so a client that is disconnected before the first event loses
 * nothing. */
START_TEST(a_response_may_say_where_it_begins)
{
    struct crier_message message;

    begin_after("#e-5");
    begin_after("#e-9");
    foreign_stream(&server);
    start();
    message = expect(CRIER_OPEN);
    ck_assert_str_eq(message.id, "#e-5");
    expect_error(CRIER_ERR_ENDED);
    message = expect(CRIER_OPEN); /* an id that it has stays */
    ck_assert_str_eq(message.id, "#e-5");
    expect_error(CRIER_ERR_ENDED);
    expect(CRIER_OPEN);
    ck_assert(!foreign_has(foreign_request(&server, 0), "Last-Event-ID"));
    ck_assert_str_eq(foreign_header(foreign_request(&server, 1),
                                    "Last-Event-ID"),
                     "#e-5");
    ck_assert_str_eq(foreign_header(foreign_request(&server, 2),
                                    "Last-Event-ID"),
                     "#e-5");
}
END_TEST

START_TEST(what_is_no_id_is_ignored)
{
    static char long_id[64 * 1024 + 2];

    memset(long_id, 'x', sizeof long_id - 1);
    begin_after("\xff");
    begin_after(long_id);
    begin_after("");
    foreign_stream(&server);
    start();
    expect(CRIER_OPEN);
    expect_error(CRIER_ERR_ENDED);
    expect(CRIER_OPEN);
    expect_error(CRIER_ERR_ENDED);
    expect(CRIER_OPEN);
    expect_error(CRIER_ERR_ENDED);
    expect(CRIER_OPEN);
    ck_assert(!foreign_has(foreign_request(&server, 1), "Last-Event-ID"));
    ck_assert(!foreign_has(foreign_request(&server, 2), "Last-Event-ID"));
    ck_assert(!foreign_has(foreign_request(&server, 3), "Last-Event-ID"));
}
END_TEST

START_TEST(its_url_may_change)
{
    char url[80];

    foreign_stream(&server);
    foreign_close(&server);
    foreign_stream(&server);
    snprintf(url, sizeof url, "%s/first", server.url);
    options.url = url;
    start();
    expect(CRIER_OPEN);
    snprintf(url, sizeof url, "%s/second", server.url);
    ck_assert_int_eq(crier_client_set_url(client, url), 0);
    ck_assert_int_eq(crier_client_set_url(client, "ftp://x/"), CRIER_ERR_URL);
    ck_assert_int_eq(crier_client_set_url(client, NULL), CRIER_ERR_NULL);
    expect_error(CRIER_ERR_ENDED); /* of the first one */
    expect(CRIER_OPEN);
    ck_assert_str_eq(foreign_request(&server, 0)->target, "/first");
    ck_assert_str_eq(foreign_request(&server, 1)->target, "/second");
}
END_TEST

START_TEST(it_comes_back_when_there_is_no_answer)
{
    struct crier_message message;

    if (_i == 0)
        foreign_close(&server);
    else
        foreign_reset(&server);
    foreign_stream(&server);
    start();
    message = expect_error(CRIER_ERR_NETWORK);
    ck_assert_int_eq(message.status, 0);
    expect(CRIER_OPEN);
}
END_TEST

START_TEST(nobody_listens)
{
    struct crier_message message;
    uint64_t wanted = 1000, least = UINT64_MAX, most = 0;
    char url[64];
    int descriptor, i;

    snprintf(url, sizeof url, "http://127.0.0.1:%d/",
             port_hold(&descriptor));
    options.url = url;
    options.retry = 1000;
    start();
    for (i = 0; i < 6; i++, wanted *= 2) {
        message = expect_error(CRIER_ERR_NETWORK);
        ck_assert_ptr_nonnull(strstr(message.reason, "Connection refused"));
        ck_assert_int_eq(message.status, 0);
        check_wait(message.retry, wanted);
        skip(message.retry);
    }
    for (i = 0; i < 20; i++) {
        message = expect_error(CRIER_ERR_NETWORK);
        check_wait(message.retry, 40000); /* so, retry_max at most */
        least = message.retry < least ? message.retry : least;
        most = message.retry > most ? message.retry : most;
        skip(message.retry);
    }
    ck_assert_uint_lt(least, most); /* some of it is random */
    close(descriptor);
}
END_TEST

START_TEST(a_message_resets_the_wait)
{
    struct crier_message message;
    int i;

    options.retry = MINUTE;
    options.retry_max = 1000 * MINUTE;
    start();
    for (i = 0; i < 8; i++) {
        foreign_stream(&server);
        if (i == 4)
            foreign_say(&server, ":\n");
        foreign_close(&server);
        expect(CRIER_OPEN);
        if (i == 4)
            expect(CRIER_COMMENT);
        message = expect_error(CRIER_ERR_ENDED);
        check_wait(message.retry, MINUTE << i % 4);
        skip(message.retry);
    }
}
END_TEST

START_TEST(the_wait_is_kept)
{
    struct crier_message message;

    options.retry = 0;
    foreign_stream(&server);
    foreign_say(&server, "data: a\n\nretry: %d\n", 60 * MINUTE);
    foreign_close(&server);
    foreign_stream(&server);
    foreign_close(&server);
    foreign_stream(&server);
    start();
    expect(CRIER_OPEN);
    expect_event("a");
    message = expect_error(CRIER_ERR_ENDED);
    check_wait(message.retry, 60 * MINUTE); /* more than retry_max */
    skip(message.retry - 30 * MINUTE);
    settle();
    ck_assert_uint_eq(foreign_requests(&server), 1);
    skip(30 * MINUTE);
    expect(CRIER_OPEN);
    message = expect_error(CRIER_ERR_ENDED);
    check_wait(message.retry, 60 * MINUTE);
}
END_TEST

/* With the kernel's clock. */
START_TEST(the_wait_ends_by_itself)
{
    struct crier_message message;
    uint64_t begun;

    options.retry = 200;
    foreign_close(&server);
    foreign_stream(&server);
    start();
    message = expect_error(CRIER_ERR_NETWORK);
    begun = crier_now();
    expect(CRIER_OPEN);
    ck_assert_uint_ge(crier_now() - begun, message.retry - 100);
}
END_TEST

START_TEST(the_default_wait)
{
    struct crier_message message;

    options.retry = 0;
    foreign_close(&server);
    start();
    message = expect_error(CRIER_ERR_NETWORK);
    check_wait(message.retry, 3000);
}
END_TEST

START_TEST(a_huge_retry_is_survived)
{
    struct crier_message message;

    foreign_stream(&server);
    foreign_say(&server, "retry: 99999999999999999999999\n");
    foreign_close(&server);
    foreign_stream(&server);
    start();
    expect(CRIER_OPEN);
    message = expect_error(CRIER_ERR_ENDED);
    check_wait(message.retry, UINT32_MAX);
    skip(message.retry - 60 * MINUTE);
    settle();
    skip(60 * MINUTE);
    expect(CRIER_OPEN);
}
END_TEST

/* "retry: 0" means at once; but a client does not retry without pause while the server
 * is away. */
START_TEST(no_wait_is_not_for_ever)
{
    struct crier_message message;
    int i;

    foreign_stream(&server);
    foreign_say(&server, "retry: 0\ndata: a\n\n");
    foreign_close(&server);
    for (i = 0; i < 20; i++)
        foreign_close(&server);
    start();
    expect(CRIER_OPEN);
    expect_event("a");
    message = expect_error(CRIER_ERR_ENDED);
    ck_assert_uint_eq(message.retry, 0);
    for (i = 0; i < 20; i++) {
        message = expect_error(CRIER_ERR_NETWORK);
        skip(message.retry);
    }
    check_wait(message.retry, 40000);
}
END_TEST

START_TEST(the_longest_wait_holds)
{
    uint64_t wait;
    unsigned i;

    for (i = 0; i < 1000; i++) {
        ck_assert_uint_le(crier__backoff(3000, 5000, i), 5000);
        ck_assert_uint_le(crier__backoff(4500, 5000, i), 5000);
        ck_assert_uint_eq(crier__backoff(5000, 5000, i), 5000);
        check_wait(crier__backoff(7000, 5000, i), 7000);
        check_wait(crier__backoff(UINT32_MAX, 5000, i), UINT32_MAX);
        wait = crier__backoff(1, UINT32_MAX, i);
        ck_assert_uint_le(wait, UINT32_MAX);
        ck_assert_uint_ge(wait, i < 32 ? 1ull << i : UINT32_MAX / 3 * 2);
    }
}
END_TEST

/* ---- all -------------------------------------------------------------- */

static Suite *suite(void)
{
    Suite *s = suite_create("client");
    TCase *c = client_fixture_case(s, "what is told");

    tcase_add_test(c, everything_is_told_in_order);
    tcase_add_test(c, open_does_not_wait_for_a_byte);
    tcase_add_test(c, bytes_may_come_one_by_one);
    tcase_add_test(c, a_long_event_comes_whole);
    tcase_add_loop_test(c, limits_end_it, 0, 2);
    c = client_fixture_case(s, "coming back");
    tcase_add_loop_test(c, it_goes_on_after_the_last_whole_event, 0, ENDS);
    tcase_add_loop_test(c, only_an_idempotent_request_is_repeated, 0,
                        REQUESTS * FAILURES);
    tcase_add_test(c, a_request_without_reconnection_is_made_once);
    tcase_add_test(c, an_id_without_data_counts);
    tcase_add_test(c, a_response_may_say_where_it_begins);
    tcase_add_test(c, what_is_no_id_is_ignored);
    tcase_add_test(c, its_url_may_change);
    tcase_add_loop_test(c, it_comes_back_when_there_is_no_answer, 0, 2);
    tcase_add_test(c, nobody_listens);
    tcase_add_test(c, a_message_resets_the_wait);
    tcase_add_test(c, the_wait_is_kept);
    tcase_add_test(c, the_wait_ends_by_itself);
    tcase_add_test(c, the_default_wait);
    tcase_add_test(c, a_huge_retry_is_survived);
    tcase_add_test(c, no_wait_is_not_for_ever);
    tcase_add_test(c, the_longest_wait_holds);
    return s;
}

RUN_SUITE(suite)
