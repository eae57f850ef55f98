/*
 * How a client reaches a stream: redirects, connections and proxies; and responses that
 * are no stream, or that never end.
 */
#include <config.h>

#include "support/client.h"
#include "support/client_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STREAM "Content-Type: text/event-stream\r\n"

/* ---- redirects -------------------------------------------------------- */

static void redirect(const char *status, const char *location)
{
    foreign_say(&server, "HTTP/1.1 %s\r\nContent-Length: 11\r\n" STREAM
                         "Location: %s\r\n\r\ndata: no\n\n\n",
                status, location);
    foreign_keep(&server);
}

START_TEST(redirects_are_followed)
{
    static const struct {
        const char *status;
        bool keeps_post;
    } cases[] = {{"301 Moved Permanently", false},
                 {"302 Found", false},
                 {"303 See Other", false},
                 {"307 Temporary Redirect", true},
                 {"308 Permanent Redirect", true}};
    static const char *const bodies[] = {NULL, "a body", ""};
    const char *body = bodies[_i / 5], *first = body != NULL ? "POST" : "GET";
    bool again = body != NULL && cases[_i % 5].keeps_post;
    const struct foreign_request *request;
    int round;

    options.reconnect = CRIER_RECONNECT_ALWAYS;
    options.body = body;
    options.body_length = body != NULL ? strlen(body) : 0;
    options.last_event_id = "7";
    options.http.token = "secret";
    for (round = 0; round < 2; round++) {
        redirect(cases[_i % 5].status, "/other?a");
        foreign_stream(&server);
        foreign_say(&server, "data: %d\n\n", round);
        foreign_close(&server);
    }
    start();
    for (round = 0; round < 2; round++) {
        expect(CRIER_OPEN);
        expect(CRIER_EVENT);
        expect_error(CRIER_ERR_ENDED);
        request = foreign_request(&server, (size_t)round * 2);
        ck_assert_str_eq(request->target, "/");
        ck_assert_str_eq(request->method, first);
        ck_assert_str_eq(request->body, body != NULL ? body : "");
        request = foreign_request(&server, (size_t)round * 2 + 1);
        ck_assert_str_eq(request->target, "/other?a");
        ck_assert_str_eq(request->method, again ? "POST" : "GET");
        ck_assert_str_eq(request->body, again ? body : "");
        ck_assert_str_eq(foreign_header(request, "Last-Event-ID"), "7");
        ck_assert_str_eq(foreign_header(request, "Authorization"),
                         "Bearer secret");
        foreign_header(request, "Accept");
    }
}
END_TEST

START_TEST(relative_redirects)
{
    static const char *const places[][2] = {{"d", "/a/d"},
                                            {"../d?e", "/d?e"},
                                            {"?e", "/a/b?e"},
                                            {"./d#e", "/a/d"}};
    char url[128];

    snprintf(url, sizeof url, "%s/a/b?c", server.url);
    options.url = url;
    redirect("302 Found", places[_i][0]);
    foreign_stream(&server);
    start();
    expect(CRIER_OPEN);
    ck_assert_str_eq(foreign_request(&server, 1)->target, places[_i][1]);
}
END_TEST

START_TEST(a_loop_ends)
{
    struct crier_message message;
    int i;

    for (i = 0; i < 30; i++)
        redirect("302 Found", "/again");
    start();
    message = expect_closed(CRIER_ERR_STATUS);
    ck_assert_int_eq(message.status, 302);
    ck_assert_ptr_nonnull(strstr(message.reason, "20"));
    ck_assert_uint_eq(foreign_requests(&server), 21);
}
END_TEST

START_TEST(twenty_are_no_loop)
{
    int i;

    for (i = 0; i < 20; i++)
        redirect("302 Found", "/again");
    foreign_stream(&server);
    start();
    expect(CRIER_OPEN);
}
END_TEST

/* Another port is another server. */
START_TEST(secrets_stay_with_the_first_server)
{
    const char *headers[] = {"Authorization: Basic eDp5", "Cookie: a=b",
                             "X-Other: 1", NULL};
    const struct foreign_request *request;
    struct foreign other;

    foreign_start(&other);
    if (_i == 0)
        options.http.token = "secret";
    else
        options.http.headers = headers;
    foreign_say(&server, "HTTP/1.1 307 Elsewhere\r\nContent-Length: 0\r\n"
                         "Location: %s/there\r\n\r\n",
                other.url);
    foreign_keep(&server);
    foreign_stream(&other);
    foreign_close(&other);
    foreign_stream(&server);
    start();
    expect(CRIER_OPEN);
    expect_error(CRIER_ERR_ENDED);
    expect(CRIER_OPEN);
    request = foreign_request(&other, 0);
    ck_assert_str_eq(request->target, "/there");
    ck_assert(!foreign_has(request, "Authorization"));
    ck_assert(!foreign_has(request, "Cookie"));
    if (_i == 1)
        ck_assert_str_eq(foreign_header(request, "X-Other"), "1");
    foreign_header(foreign_request(&server, 1), "Authorization");
    crier_client_free(client);
    client = NULL;
    foreign_stop(&other);
}
END_TEST

START_TEST(redirects_lead_to_http_only)
{
    static const char *const places[] = {
        "file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1:70/",
        "data:text/event-stream,data:", "http://[bad/"};

    options.persist = true;
    redirect("302 Found", places[_i]);
    start();
    expect_closed(CRIER_ERR_URL);
    ck_assert_uint_eq(foreign_requests(&server), 1);
}
END_TEST

START_TEST(a_redirect_to_a_refusal)
{
    struct crier_message message;

    redirect("302 Found", "/b");
    foreign_answer(&server, "404 Not Found", "", "{\"detail\":\"not here\"}");
    start();
    message = expect_closed(CRIER_ERR_STATUS);
    ck_assert_str_eq(message.reason, "404: not here");
}
END_TEST

/* ---- connections: each time a new one, which the server need not keep -- */

/* The pieces of a chunk may be cut anywhere. */
START_TEST(chunks)
{
    static const char stream[] =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" STREAM "\r\n"
        "1;a=b\r\nd\r\n5\r\nata: \r\n1\r\na\r\n1\r\n\r\r\n1\r\n\n\r\n"
        "B\r\n\r\ndata: b\n\n\r\n"
        "0\r\nX-Trailer: 1\r\n\r\n";
    size_t i;

    if (_i == 0)
        foreign_say(&server, "%s", stream);
    for (i = 0; _i == 1 && i < strlen(stream); i++)
        foreign_say_bytes(&server, stream + i, 1);
    start();
    expect(CRIER_OPEN);
    expect_event("a");
    expect_event("b");
    expect_error(CRIER_ERR_ENDED);
    foreign_keep(&server);
    foreign_stream(&server);
    expect(CRIER_OPEN);
    ck_assert_int_eq(foreign_request(&server, 1)->connection, 1);
}
END_TEST

START_TEST(a_length_ends_a_stream)
{
    struct crier_message message;

    foreign_answer(&server, "200 OK", STREAM, "data: a\n\n");
    foreign_stream(&server);
    start();
    expect(CRIER_OPEN);
    expect_event("a");
    message = expect_error(CRIER_ERR_ENDED);
    ck_assert_int_eq(message.status, 200);
    expect(CRIER_OPEN);
    ck_assert_int_eq(foreign_request(&server, 1)->connection, 1);
}
END_TEST

START_TEST(old_http)
{
    foreign_say(&server, "HTTP/1.0 200 OK\n" STREAM "\ndata: a\n\n");
    foreign_close(&server);
    foreign_stream(&server);
    start();
    expect(CRIER_OPEN);
    expect_event("a");
    expect_error(CRIER_ERR_ENDED);
    expect(CRIER_OPEN);
    ck_assert_int_eq(foreign_request(&server, 1)->connection, 1);
}
END_TEST

START_TEST(the_sixth_version)
{
    struct foreign sixth;

    if (!foreign_start_6(&sixth)) {
        printf("SKIPPED: there is no ::1 here\n");
        return;
    }
    options.url = sixth.url;
    foreign_stream(&sixth);
    start();
    expect(CRIER_OPEN);
    crier_client_free(client);
    client = NULL;
    foreign_stop(&sixth);
}
END_TEST

START_TEST(a_proxy_of_the_environment)
{
    setenv("http_proxy", server.url, 1);
    setenv("no_proxy", "example.org", 1);
    options.url = "http://example.com/a?b";
    foreign_stream(&server);
    start();
    expect(CRIER_OPEN);
    ck_assert_str_eq(foreign_request(&server, 0)->target,
                     "http://example.com/a?b");
}
END_TEST

/* libcurl's words may quote a URL, but a reason never has its user and password. */
START_TEST(a_reason_names_no_user)
{
    static const char *const proxies[] = {
        "bad://alice:s3cret@127.0.0.1:1", "bad://alice@127.0.0.1:1",
        "bad://alice:s3@cret@127.0.0.1:1"};
    const char *reason;

    setenv("http_proxy", proxies[_i], 1);
    unsetenv("no_proxy");
    options.url = "http://example.com/";
    start();
    reason = expect_error(CRIER_ERR_NETWORK).reason;
    ck_assert_ptr_nonnull(strstr(reason, "bad://127.0.0.1:1"));
}
END_TEST

/* What went over the wire, each direction in a text of its own. */
static char wire[128][4096];

static void on_wire(void *closure, char direction, const char *bytes,
                    size_t length)
{
    char *text = wire[(unsigned char)direction];
    size_t before = strlen(text);

    ck_assert_ptr_eq(closure, wire);
    snprintf(text + before, sizeof wire[0] - before, "%.*s", (int)length,
             bytes);
}

START_TEST(the_wire)
{
    options.http.on_wire = on_wire;
    options.http.wire_closure = wire;
    options.body = "a body";
    options.body_length = 6;
    foreign_stream(&server);
    foreign_say(&server, "data: a\n\n");
    start();
    expect(CRIER_OPEN);
    expect_event("a");
    ck_assert_ptr_nonnull(strstr(wire['>'], "POST / HTTP/1.1\r\n"));
    ck_assert_ptr_nonnull(strstr(wire['>'], "\r\n\r\n"));
    ck_assert_str_eq(wire['}'], "a body");
    ck_assert_str_eq(wire['<'], "HTTP/1.1 200 OK\r\n" STREAM "\r\n");
    ck_assert_str_eq(wire['{'], "data: a\n\n");
    ck_assert_str_ne(wire['*'], "");
}
END_TEST

/* No program that is started by this one keeps a connection open. */
START_TEST(connections_are_not_inherited)
{
    foreign_stream(&server);
    start();
    expect(CRIER_OPEN);
    ck_assert_int_ne(fcntl(find_connection(), F_GETFD) & FD_CLOEXEC, 0);
}
END_TEST

/* ---- answers without end ---------------------------------------------- */

static size_t make_words(uint64_t number, char *bytes)
{
    (void)number;
    return (size_t)sprintf(bytes, "%01000d", 0);
}

static size_t make_header(uint64_t number, char *bytes)
{
    return (size_t)sprintf(bytes, "X-%d: %01000d\r\n", (int)(number % 1000), 0);
}

/* A refusal has five seconds to say why. */
START_TEST(a_refusal_that_never_ends)
{
    struct crier_message message;

    foreign_say(&server, "HTTP/1.1 %s\r\nContent-Length: 4000\r\n\r\n",
                _i == 0 ? "404 Not Found" : "302 Found");
    foreign_say(&server, "{\"detail\":\"cut");
    start();
    work_until_asked(1);
    skip(3000);
    foreign_say(&server, "\"}");
    settle();
    foreign_hold(&server);
    skip(3000);
    message = expect_closed(CRIER_ERR_STATUS);
    ck_assert_int_eq(message.status, _i == 0 ? 404 : 302);
    foreign_wait_left(&server, 1);
}
END_TEST

START_TEST(a_refusal_that_has_much_to_say)
{
    foreign_say(&server, "HTTP/1.1 404 Not Found\r\n\r\n");
    foreign_make(&server, make_words, UINT64_MAX);
    start();
    ck_assert_int_eq(expect_closed(CRIER_ERR_STATUS).status, 404);
}
END_TEST

/* A redirect is followed when it is complete. */
START_TEST(a_redirect_that_never_ends)
{
    static const char *const endings[] = {
        "\r\n", "Location: /b\r\nContent-Length: 9\r\n\r\nhere",
        "Location: /b\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhere\r\n"};

    foreign_say(&server, "HTTP/1.1 302 Found\r\n%s", endings[_i]);
    foreign_hold(&server);
    start();
    work_until_asked(1);
    settle();
    skip(6000);
    ck_assert_int_eq(expect_closed(CRIER_ERR_STATUS).status, 302);
    foreign_wait_left(&server, 1);
}
END_TEST

/* Once it is followed, there is no hurry any more. */
START_TEST(a_redirect_to_a_slow_server)
{
    foreign_answer(&server, "302 Found", "Location: /b\r\n", "");
    start();
    work_until_asked(2);
    settle();
    skip(100000);
    settle();
    foreign_stream(&server);
    expect(CRIER_OPEN);
}
END_TEST

static size_t make_trailer(uint64_t number, char *bytes)
{
    (void)number;
    return (size_t)sprintf(bytes, "X: y\r\nHTTP/1.1 200: y\r\n");
}

/* libcurl would keep them all. */
START_TEST(trailers_without_end)
{
    foreign_say(&server, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" STREAM
                         "\r\n9\r\ndata: a\n\n\r\n0\r\n");
    foreign_make(&server, make_trailer, UINT64_MAX);
    foreign_close(&server);
    foreign_stream(&server);
    start();
    expect(CRIER_OPEN);
    expect_event("a");
    expect_error(CRIER_ERR_NETWORK);
    ck_assert_uint_lt(foreign_sent(&server), 16 * 1024 * 1024);
    expect(CRIER_OPEN);
}
END_TEST

START_TEST(headers_without_end)
{
    foreign_say(&server, "HTTP/1.1 200 OK\r\n");
    foreign_make(&server, make_header, UINT64_MAX);
    foreign_close(&server);
    foreign_stream(&server);
    start();
    expect_error(CRIER_ERR_NETWORK);
    expect(CRIER_OPEN);
}
END_TEST

/* ---- all -------------------------------------------------------------- */

static Suite *suite(void)
{
    Suite *s = suite_create("client way");
    TCase *c = client_fixture_case(s, "redirects");

    tcase_add_loop_test(c, redirects_are_followed, 0, 15);
    tcase_add_loop_test(c, relative_redirects, 0, 4);
    tcase_add_test(c, a_loop_ends);
    tcase_add_test(c, twenty_are_no_loop);
    tcase_add_loop_test(c, secrets_stay_with_the_first_server, 0, 2);
    tcase_add_loop_test(c, redirects_lead_to_http_only, 0, 5);
    tcase_add_test(c, a_redirect_to_a_refusal);
    c = client_fixture_case(s, "connections");
    tcase_add_loop_test(c, chunks, 0, 2);
    tcase_add_test(c, a_length_ends_a_stream);
    tcase_add_test(c, old_http);
    tcase_add_test(c, the_sixth_version);
    tcase_add_test(c, a_proxy_of_the_environment);
    tcase_add_loop_test(c, a_reason_names_no_user, 0, 3);
    tcase_add_test(c, the_wire);
    tcase_add_test(c, connections_are_not_inherited);
    c = client_fixture_case(s, "answers without end");
    tcase_add_loop_test(c, a_refusal_that_never_ends, 0, 2);
    tcase_add_test(c, a_refusal_that_has_much_to_say);
    tcase_add_loop_test(c, a_redirect_that_never_ends, 0, 3);
    tcase_add_test(c, a_redirect_to_a_slow_server);
    tcase_add_test(c, trailers_without_end);
    tcase_add_test(c, headers_without_end);
    return s;
}

RUN_SUITE(suite)
