/*
 * Requests about as large as libmicrohttpd has memory for: crierd responds to each, and
 * does not carry out a request to which it responds with 431.
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

/* Publishes NUMBER to /topics/x with HEADERS, by a request that no pipeline takes.
 * Fails without a response. Returns whether the status is 200. */
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

/* Whether libmicrohttpd or crierd refuses it, a request gets one response. */
START_TEST(cookies_without_room_get_one_response)
{
    static const char *const pieces[] = {"b", ";", "a=b;"};
    const char *wrong = NULL, *second;
    struct client client;
    size_t size;
    char *all;
    int status;

    for (size = 40; size < 14000; size += size / 4) {
        client_connect(&client, crierd.port);
        client_send(&client,
                    "GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                    "Cookie: a=%s\r\n\r\n",
                    repeat(pieces[_i], size / strlen(pieces[_i])));
        status = client_head(&client);
        ck_assert_msg(status == 200 || status == 431, "%d", status);
        all = client_body(&client);
        second = strstr(all, "HTTP/1.1");
        if (second != NULL)
            wrong = second;
        free(all);
        ck_assert_msg(wrong == NULL, "two heads with cookies of %zu bytes", size);
        client_close(&client);
    }
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

    most = 13000 / strlen(piece);
    for (i = most / 8; i <= most; i += 1 + most / 100) {
        repeat(piece, i);
        status = get("/healthz?", text, "");
        ck_assert_msg(status == 200 || status == 414 || status == 431,
                      "%zu: %d", i, status);
    }
    ck_assert_int_gt(status, 400);
}
END_TEST

/* Arguments take no room from what came in the same piece, of the head or behind it; in
 * a connection for a stream, too. */
START_TEST(arguments_before_much_else)
{
    const char *const targets[] = {"/healthz?", "/topics/x?"};
    const char *const heads[] = {"X: y", "Connection: close\r\n\r\n"};
    char *headers = malloc(ROOM);
    size_t i;
    int status;

    for (i = 1; i < 180; i++) {
        snprintf(headers, ROOM, "%s%s\r\n", heads[_i], repeat("z", 5900));
        status = get(targets[_i], repeat("a&", i), headers);
        ck_assert_msg(status == 200, "%zu: %d", i, status);
    }
    free(headers);
}
END_TEST

/* A field that continues in the next line, and one without a name, at each place in
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

/* libmicrohttpd 1.0.1 crashes over a head without a field where the last argument has
 * no value, and little of its buffer is left; a head may be a connection's first or a
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
        client.torn = true; /* a response is not necessary if it is too large */
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

/* Requests of all shapes, larger and larger: what stands before, in and behind what is
 * repeated. */
static const struct {
    const char *query, *before, *piece, *after;
} shapes[] = {
    {"", "X: ", "0123456789", "\r\n"},
    {"", "", "A: b\r\n", ""},
    {"", "", "A:\r\n", ""},
    {"", "", "Sec-Ch-Ua-Platform-Version: \"6.1.0\"\r\n", ""},
    {"", "Cookie: session=", "0123456789", "\r\n"},
    {"", "Cookie: ", "a=b; ", "\r\n"},
    {"", "cookie: ", ",", "\r\n"},
    {"", "Cookie: ", "name=value-of-it; ", "\r\n"},
    {"", "", "Cookie: theme=dark; x=y\r\n", ""},
    {"", "Last-Event-ID: ", "x", "\r\n"},
    {"?", "", "a&", ""},
    {"?x=", "", "0123456789", ""},
};

#define STREAM "text/event-stream"
#define SHAPES ((int)(sizeof shapes / sizeof shapes[0]))

/* Requests TARGET with COUNT pieces of the shape, and BEHIND behind, and accepts TYPE;
 * the status. */
static int get_shape(int shape, const char *target, const char *type,
                     size_t count, const char *behind)
{
    const bool query = shapes[shape].query[0] != '\0';
    const char *repeated = repeat(shapes[shape].piece, count);
    struct client client;
    int status;

    client_connect(&client, crierd.port);
    client_send(&client,
                "GET %s%s%s HTTP/1.1\r\nHost: a\r\n"
                "Accept: %s\r\n%s%s%s\r\n%s",
                target, shapes[shape].query, query ? repeated : "", type,
                shapes[shape].before, query ? "" : repeated,
                shapes[shape].after, behind);
    status = client_head(&client);
    client_close(&client);
    return status;
}

/* Whatever memory a stream's connection gets, there is room for its request, and for an
 * answer, as there is where there is most: where a request is that asks for no
 * stream. */
START_TEST(a_stream_has_room_enough)
{
    size_t length = strlen(shapes[_i].piece), count;
    size_t most = 9000 / length, step = 1 + (length < 40 ? 40 / length : 0);
    int whole = 200;

    for (count = 1; count < most && whole == 200; count += step) {
        whole = get_shape(_i, "/healthz", "application/json+", count, "");
        ck_assert_msg(whole == 200 || whole == 431 || whole == 400 ||
                          whole == 414,
                      "%zu: %d", count, whole);
        if (whole != 200)
            continue;
        ck_assert_msg(get_shape(_i, "/nowhere", STREAM, count, "") == 404, "%zu",
                      count);
        if (shapes[_i].query[0] == '\0')
            ck_assert_msg(get_shape(_i, "/topics/x", STREAM, count, "") == 200,
                          "%zu", count);
    }
    ck_assert_uint_gt(count, 50);
}
END_TEST

/* And for a stream also where much comes behind the request: of what is of a size that
 * any client sends, 60 fields or 5 KB. */
START_TEST(a_stream_has_room_whatever_comes_behind)
{
    size_t length = strlen(shapes[_i].piece), count;
    char *behind = malloc(ROOM);
    int status;

    memset(behind, 'z', 6000);
    behind[6000] = '\0';
    for (count = 1; count < 5000 / length && (count < 60 || length == 1);
         count += length == 1 ? 100 : 1) {
        status = get_shape(_i, "/topics/x", STREAM, count, behind);
        ck_assert_msg(status == 200 || status == 431 ||
                          (status == 400 && shapes[_i].query[0] != '\0'),
                      "%zu: %d", count, status);
    }
    free(behind);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("headroom");
    TCase *c = add_case(s, "headroom");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, a_large_field);
    tcase_add_test(c, many_fields);
    tcase_add_loop_test(c, cookies_without_room_get_one_response, 0, 3);
    tcase_add_loop_test(c, many_cookies, 0, 2);
    tcase_add_loop_test(c, many_arguments, 0, 3);
    tcase_add_loop_test(c, arguments_before_much_else, 0, 2);
    tcase_add_loop_test(c, an_odd_line_anywhere, 0, 3);
    tcase_add_loop_test(c, a_head_without_fields, 0, 7);
    tcase_add_test(c, many_trailers);
    tcase_add_loop_test(c, a_stream_has_room_enough, 0, SHAPES);
    tcase_add_loop_test(c, a_stream_has_room_whatever_comes_behind, 0, SHAPES);
    return s;
}

RUN_SUITE(suite)
