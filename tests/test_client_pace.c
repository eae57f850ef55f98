/*
 * The pace of a client: a server that sends nothing, a program that is slow, and a
 * descriptor that is readable when the client has something to do, and only then.
 */
#include <config.h>

#include "support/client.h"
#include "support/client_fixture.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define MINUTE 60000

/* ---- silence ---------------------------------------------------------- */

START_TEST(silence_is_cut)
{
    struct crier_message message;

    options.read_timeout = 60 * MINUTE;
    foreign_stream(&server);
    foreign_say(&server, "id: 1\ndata: a\n\n");
    foreign_hold(&server);
    foreign_stream(&server);
    start();
    expect(CRIER_OPEN);
    expect_event("a");
    settle();
    skip(50 * MINUTE);
    settle();
    skip(20 * MINUTE);
    message = expect_error(-ETIMEDOUT);
    ck_assert_str_eq(message.reason, "nothing came for 3600 s");
    foreign_wait_left(&server, 1);
    expect(CRIER_OPEN);
    ck_assert_str_eq(foreign_header(foreign_request(&server, 1),
                                    "Last-Event-ID"),
                     "1");
}
END_TEST

/* With the kernel's clock. On a busy machine the response may be too late, too. */
START_TEST(silence_is_noticed)
{
    struct crier_message message;
    int status = 0;

    options.read_timeout = 100; /* connecting has more */
    if (_i == 0)
        foreign_stream(&server);
    start();
    message = take();
    if (_i == 0 && message.kind == CRIER_OPEN) {
        status = 200;
        message = take();
    }
    ck_assert_int_eq(message.kind, CRIER_ERROR);
    ck_assert_int_eq(message.error, -ETIMEDOUT);
    ck_assert_str_eq(message.reason, "nothing came for 0.1 s");
    ck_assert_int_eq(message.status, status);
}
END_TEST

/* How many bytes came. */
static size_t heard;

static void on_wire(void *closure, char direction, const char *bytes,
                    size_t length)
{
    (void)closure;
    (void)bytes;
    if (direction == '<' || direction == '{')
        heard += length;
}

START_TEST(any_byte_breaks_the_silence)
{
    static const char *const pieces[] = {
        "HTTP/1.1 200 OK\r\n", "X-A: 1\r\n", "X-B: 2\r\n",
        "Content-Type: text/event-stream\r\n", "\r\n", "d", "a", "t"};
    struct pollfd poller = {.events = POLLIN};
    size_t wanted = 0;
    int i;

    options.read_timeout = 60 * MINUTE;
    options.http.on_wire = on_wire;
    start();
    poller.fd = crier_client_fd(client);
    work_until_asked(1);
    for (i = 0; i < 8; i++) {
        settle();
        skip(50 * MINUTE);
        foreign_say(&server, "%s", pieces[i]);
        if (i == 4)
            expect(CRIER_OPEN);
        wanted += strlen(pieces[i]);
        while (heard < wanted) {
            poll(&poller, 1, 1);
            settle();
        }
    }
    skip(70 * MINUTE);
    expect_error(-ETIMEDOUT);
}
END_TEST

START_TEST(by_default_silence_may_last)
{
    foreign_stream(&server);
    start();
    expect(CRIER_OPEN);
    skip(100000ull * MINUTE);
    settle();
}
END_TEST

/* A program that takes its time is not a silent server: with a full input, and with
 * one that is empty while the kernel holds some. */
START_TEST(a_pause_of_the_program_is_no_silence)
{
    options.read_timeout = 60 * MINUTE;
    foreign_stream(&server);
    foreign_make(&server, make_event, 20000);
    start();
    expect(CRIER_OPEN);
    expect_made(0, 10);
    wait_received(); /* what has been sent need not have come */
    skip(70 * MINUTE);
    expect_made(10, 19990);
    settle();
    foreign_make(&server, make_event, 1);
    wait_received();
    skip(70 * MINUTE);
    expect_made(0, 1);
    settle();
    skip(70 * MINUTE);
    expect_error(-ETIMEDOUT);
}
END_TEST

/* ---- a program that is slow ------------------------------------------- */

#define EVENTS 100000 /* of a good 1000 bytes each */

static size_t used_memory(void)
{
    struct mallinfo2 info = mallinfo2();

    return info.uordblks + info.hblkhd;
}

/* Of 100 MB no more is on its way than the kernel holds, and little in memory. */
START_TEST(what_is_not_taken_stays_with_the_server)
{
    size_t before = used_memory(); /* nothing, with a sanitizer */
    int i;

    foreign_stream(&server);
    foreign_make(&server, make_event, EVENTS);
    foreign_close(&server);
    foreign_stream(&server);
    start();
    expect(CRIER_OPEN);
    for (i = 0; i < 100; i++) {
        expect_made((uint64_t)i * (EVENTS / 100), EVENTS / 100);
        ck_assert_uint_le(used_memory(), before + 2000000);
        ck_assert_uint_le(foreign_sent(&server),
                          (uint64_t)i * 1020000 + 30000000);
    }
    expect_error(CRIER_ERR_ENDED);
    expect(CRIER_OPEN);
}
END_TEST

/* ---- the descriptor --------------------------------------------------- */

/* How often the client is called for nothing until its descriptor is quiet. */
static int idle_calls(void)
{
    struct pollfd poller = {.fd = crier_client_fd(client), .events = POLLIN};
    struct crier_message message;
    int calls = 0;

    while (poll(&poller, 1, 100) == 1) {
        ck_assert_int_eq(crier_client_next(client, &message), 0);
        ck_assert_int_lt(calls++, 100);
    }
    return calls;
}

START_TEST(it_tells_when_there_is_something_to_do)
{
    struct pollfd poller;

    options.retry = 10 * MINUTE;
    start();
    poller = (struct pollfd){.fd = crier_client_fd(client), .events = POLLIN};
    ck_assert_int_eq(poll(&poller, 1, 0), 1); /* to connect */
    work_until_asked(1);
    ck_assert_int_lt(idle_calls(), 10);
    foreign_stream(&server);
    wait_readable();
    expect(CRIER_OPEN);
    ck_assert_int_lt(idle_calls(), 10);
    foreign_say(&server, "data: a\n\n");
    wait_readable();
    expect_event("a");
    ck_assert_int_lt(idle_calls(), 10);
    foreign_close(&server);
    wait_readable();
    expect_error(CRIER_ERR_ENDED);
    ck_assert_int_lt(idle_calls(), 10);
    crier_client_restart(client);
    wait_readable();
    work_until_asked(2);
    ck_assert_int_lt(idle_calls(), 10);
    crier_client_close(client);
    wait_readable();
    expect_closed(0);
}
END_TEST

/* Returns one message each time that it is readable, however many arrive at once;
 * through an epoll set as well. */
START_TEST(one_message_a_time_will_do)
{
    struct epoll_event event = {.events = EPOLLIN};
    struct pollfd poller = {.events = POLLIN};
    struct crier_message message;
    int outer = epoll_create1(EPOLL_CLOEXEC), got = 0, calls = 0, result;

    foreign_stream(&server);
    foreign_make(&server, make_event, 2000);
    foreign_close(&server);
    start();
    if (_i == 0) {
        poller.fd = crier_client_fd(client);
    } else {
        epoll_ctl(outer, EPOLL_CTL_ADD, crier_client_fd(client), &event);
        poller.fd = outer;
    }
    do {
        ck_assert_int_eq(poll(&poller, 1, PATIENCE), 1);
        result = crier_client_next(client, &message);
        ck_assert_int_ge(result, 0);
        if (result == 1 && message.kind == CRIER_EVENT)
            ck_assert_uint_eq(strtoull(message.data, NULL, 10), got++);
        ck_assert_int_lt(calls++, 10000);
    } while (result == 0 || message.kind != CRIER_ERROR);
    ck_assert_int_eq(got, 2000);
    close(outer);
}
END_TEST

/* Two clients in one loop; the one that is over must not keep the loop awake, and
 * nothing that is called afterwards may wake it. */
START_TEST(a_client_that_is_over_is_quiet)
{
    struct crier_client *other;
    struct pollfd all[2] = {{.events = POLLIN}, {.events = POLLIN}};

    options.last_event_id = "1";
    start();
    other = client;
    if (_i == 0)
        crier_client_close(client);
    else
        foreign_answer(&server, "204 No Content", "", "");
    expect(CRIER_CLOSED);
    foreign_stream(&server);
    start();
    expect(CRIER_OPEN);
    settle();
    all[0].fd = crier_client_fd(other);
    all[1].fd = crier_client_fd(client);
    ck_assert_int_eq(poll(all, 2, 0), 0);
    crier_client_close(other);
    crier_client_restart(other);
    ck_assert_int_eq(poll(all, 2, 0), 0);
    foreign_say(&server, "data: a\n\n");
    ck_assert_int_eq(poll(all, 2, PATIENCE), 1);
    expect_event("a");
    ck_assert_int_eq(all[0].revents, 0);
    crier_client_free(other);
}
END_TEST

static size_t make_retry(uint64_t number, char *bytes)
{
    return (size_t)sprintf(bytes, "retry: %d\n", (int)(number % 1000) + 1);
}

static size_t make_ignored(uint64_t number, char *bytes)
{
    (void)number;
    return (size_t)sprintf(bytes, "id: 1\nfield\n\n\r\n");
}

/* An event, line by line, that begins anew all the time. */
static size_t make_type(uint64_t number, char *bytes)
{
    return (size_t)sprintf(bytes, "event: %01000d\n", (int)(number % 1000));
}

/* The server goes on sending, but nothing that makes a message. */
START_TEST(it_does_not_hold_the_program_up)
{
    static size_t (*const makers[])(uint64_t, char *) = {
        make_retry, make_ignored, make_type};
    struct crier_message message;
    int i;

    foreign_stream(&server);
    foreign_make(&server, makers[_i], UINT64_MAX);
    start();
    expect(CRIER_OPEN);
    for (i = 0; i < 5; i++) {
        wait_readable();
        ck_assert_int_eq(crier_client_next(client, &message), 0);
    }
    crier_client_close(client);
    expect_closed(0);
}
END_TEST

/* ---- all -------------------------------------------------------------- */

static Suite *suite(void)
{
    Suite *s = suite_create("client pace");
    TCase *c = client_fixture_case(s, "silence");

    tcase_add_test(c, silence_is_cut);
    tcase_add_loop_test(c, silence_is_noticed, 0, 2);
    tcase_add_test(c, any_byte_breaks_the_silence);
    tcase_add_test(c, by_default_silence_may_last);
    tcase_add_test(c, a_pause_of_the_program_is_no_silence);
    c = client_fixture_case(s, "a slow program");
    tcase_add_test(c, what_is_not_taken_stays_with_the_server);
    c = client_fixture_case(s, "the descriptor");
    tcase_add_test(c, it_tells_when_there_is_something_to_do);
    tcase_add_loop_test(c, one_message_a_time_will_do, 0, 2);
    tcase_add_loop_test(c, a_client_that_is_over_is_quiet, 0, 2);
    tcase_add_loop_test(c, it_does_not_hold_the_program_up, 0, 3);
    return s;
}

RUN_SUITE(suite)
