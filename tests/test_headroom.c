/*
 * Requests about as large as libmicrohttpd has memory for: each is answered, and what
 * is answered with 431 has not been done.
 */
#include <config.h>

#include "support/client.h"
#include "support/crierd.h"
#include "support/runner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOM ((size_t)64 * 1024)

static struct crierd crierd;
static char *text;

static void setup(void)
{
    crierd_start(&crierd, "");
    text = malloc(ROOM);
    ck_assert_ptr_nonnull(text);
}

static void teardown(void)
{
    free(text);
    crierd_stop(&crierd);
}

/* Writes COUNT times PIECE to `text`. */
static const char *repeat(const char *piece, size_t count)
{
    size_t length = strlen(piece), i;

    ck_assert_uint_lt(length * count, ROOM);
    for (i = 0; i < count; i++)
        memcpy(text + i * length, piece, length);
    text[length * count] = '\0';
    return text;
}

/* Sends a request for TARGET with QUERY and HEADERS and no body; returns the status. */
static int get(const char *target, const char *query, const char *headers)
{
    struct client client;
    int status;

    client_connect(&client, crierd.port);
    client_send(&client, "GET %s%s HTTP/1.1\r\nHost: a\r\n%s\r\n", target,
                query, headers);
    status = client_head(&client);
    client_close(&client);
    return status;
}

/* Publishes NUMBER to /topics/x with HEADERS, by a request that is not plain. Fails
 * unless that is answered. Returns whether it was to be done. */
static bool post(size_t number, const char *headers)
{
    struct client client;
    int status;

    client_connect(&client, crierd.port);
    client_send(&client,
                "POST /topics/x HTTP/1.1\r\nHost: a\r\nTrailer: a\r\n"
                "Content-Length: 6\r\n%s\r\n%06zu",
                headers, number);
    status = client_head(&client);
    client_close(&client);
    ck_assert_msg(status == 200 || status == 431, "%d", status);
    return status == 200;
}

/* Fails unless the topic holds just what DONE said of each of COUNT. */
static void expect_done(const bool *done, size_t count)
{
    char *held, line[32];
    size_t i;

    ck_assert_int_eq(
        fetch(crierd.port, "GET", "/topics/x?poll=1&since=all", "", NULL,
              &held),
        200);
    for (i = 0; i < count; i++) {
        snprintf(line, sizeof line, "data: %06zu", i);
        ck_assert_msg((strstr(held, line) != NULL) == done[i], "%zu", i);
    }
    free(held);
}

START_TEST(a_large_field)
{
    const size_t step = 61, from = 7000, count = 100;
    bool done[100];
    char *headers = malloc(ROOM);
    size_t i;

    for (i = 0; i < count; i++) {
        snprintf(headers, ROOM, "X: %s\r\n", repeat("x", from + i * step));
        done[i] = post(i, headers);
    }
    ck_assert(done[0] && !done[count - 1]);
    expect_done(done, count);
    free(headers);
}
END_TEST

START_TEST(many_fields)
{
    bool done[200];
    size_t i;

    for (i = 0; i < 200; i++)
        done[i] = post(i, repeat("X: y\r\n", 50 + i));
    ck_assert(done[0] && !done[199]);
    expect_done(done, 200);
}
END_TEST

/* 0.9.75 takes a comma, too, for what is between two cookies, 1.0 does not. */
START_TEST(many_cookies)
{
    const char *const pieces[] = {"a=b; ", "a=b,"};
    char *headers = malloc(ROOM);
    bool done[200];
    size_t i;
    int status;

    for (i = 0; i < 200; i++) {
        snprintf(headers, ROOM, "Cookie: %s\r\n", repeat(pieces[_i], 10 + i));
        done[i] = post(i, headers);
        status = get("/topics/y", "", headers);
        ck_assert_msg(status == 200 || status == 431, "%d", status);
    }
    ck_assert(done[0]);
    ck_assert(_i == 1 || !done[199]);
    expect_done(done, 200);
    free(headers);
}
END_TEST

/* Of all sizes: few long ones, and many short ones. */
START_TEST(many_arguments)
{
    const char *const pieces[] = {"a&", "bbbbbbbbbbbbbbb&",
                                  "cccccccccccccccccccccccccccccccccccc"
                                  "ccccccccccccccccccccccccccccccccccc&"};
    const char *piece = pieces[_i];
    size_t most, i;
    int status = 0;

    most = 13000 / strlen(piece) < 400 ? 13000 / strlen(piece) : 400;
    for (i = most / 8; i <= most; i += 1 + most / 100) {
        repeat(piece, i);
        status = get("/healthz?", text, "");
        ck_assert_msg(status == 200 || status == 400 || status == 414 ||
                          status == 431,
                      "%zu: %d", i, status);
    }
    ck_assert_int_gt(status, 400);
}
END_TEST

/* What came in the same piece, of the head or behind it, takes no room from arguments;
 * in a connection for a stream, too. */
START_TEST(arguments_before_much_else)
{
    const char *const targets[] = {"/healthz?", "/topics/x?"};
    const char *const heads[] = {"X: y", "Connection: close\r\n\r\n"};
    char *headers = malloc(ROOM);
    int status = 0;
    size_t i;

    for (i = 1; i < 180; i++) {
        snprintf(headers, ROOM, "%s%s\r\n", heads[_i], repeat("z", 5900));
        status = get(targets[_i], repeat("a&", i), headers);
        ck_assert_msg(status == 200 || status == 400 || status == 431,
                      "%zu: %d", i, status);
    }
    ck_assert_int_eq(status, 431);
    free(headers);
}
END_TEST

/* A field that goes on in the next line, and one without a name, at each place in
 * libmicrohttpd's buffers. */
static const char *const odd_lines[] = {
    "Content-Lengt: 5\r\n h\r\n",
    "Content-Length: 5\r\n:h\r\n",
    "Content-Length: 5\r\n:\r\n",
};

START_TEST(an_odd_line_anywhere)
{
    struct client client;
    size_t i;

    for (i = 5900; i < 6200; i++) {
        client_connect(&client, crierd.port);
        client_send(&client,
                    "POST /topics/x HTTP/1.1\r\nHost: a\r\nX: %s\r\n"
                    "%s\r\nhello",
                    repeat("x", i), odd_lines[_i]);
        ck_assert_int_eq(client_head(&client), 400);
        client_close(&client);
    }
}
END_TEST

/* libmicrohttpd 1.0.1 crashes over a head without a field where the last argument has no
 * value, and little of its buffer is left; a head may be a connection's first or a
 * later one. */
static const struct {
    const char *before, *behind; /* a long text */
} without_fields[] = {
    {"GET /healthz?", " HTTP/1.0\r\n\r\n"},
    {"GET /healthz?", " HTTP/1.1\r\n\r\n"},
    {"GET /healthz?a=", " HTTP/1.0\r\n\r\n"},
    {"GET /healthz?", "&b HTTP/1.0\r\n\r\nmore"},
    {"GET /", " HTTP/1.0\r\n\r\n"},
    {"GET /topics/x?", " HTTP/1.0\r\n\r\n"},
    {"", " /healthz?a HTTP/1.0\r\n\r\n"},
};

START_TEST(a_head_without_fields)
{
    struct client client;
    size_t i;

    for (i = 1; i < 11000; i += 80) {
        client_connect(&client, crierd.port);
        if (i % 3 == 0) {
            ck_assert_int_eq(client_request(&client, "GET", "/healthz", "",
                                            NULL),
                             200);
            free(client_body(&client));
        }
        client.torn = true; /* it need not be answered, if it is too large */
        client_send(&client, "%s%s%s", without_fields[_i].before,
                    repeat("x", i), without_fields[_i].behind);
        client_head(&client);
        client_close(&client);
    }
    ck_assert_int_eq(get("/healthz", "", ""), 200);
}
END_TEST

START_TEST(many_trailers)
{
    struct client client;
    bool done[120];
    size_t i;
    int status;

    for (i = 0; i < 120; i++) {
        client_connect(&client, crierd.port);
        client_send(&client,
                    "POST /topics/x HTTP/1.1\r\nHost: a\r\n"
                    "Transfer-Encoding: chunked\r\n\r\n"
                    "6\r\n%06zu\r\n0\r\n%s\r\n",
                    i, repeat("T:a\r\n", 90 + i));
        status = client_head(&client);
        ck_assert_msg(status == 200 || status == 431, "%d", status);
        done[i] = status == 200;
        client_close(&client);
    }
    ck_assert(done[0] && !done[119]);
    expect_done(done, 120);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("headroom");
    TCase *c = add_case(s, "headroom");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, a_large_field);
    tcase_add_test(c, many_fields);
    tcase_add_loop_test(c, many_cookies, 0, 2);
    tcase_add_loop_test(c, many_arguments, 0, 3);
    tcase_add_loop_test(c, arguments_before_much_else, 0, 2);
    tcase_add_loop_test(c, an_odd_line_anywhere, 0, 3);
    tcase_add_loop_test(c, a_head_without_fields, 0, 7);
    tcase_add_test(c, many_trailers);
    return s;
}

RUN_SUITE(suite)
