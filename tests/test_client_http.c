/*
 * The HTTP of a client: its requests, the responses that it accepts, and where it
 * follows redirects.
 */
#include <config.h>

#include "base/utf8.h"
#include "support/client_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define STREAM "Content-Type: text/event-stream\r\n"

/* Makes a client for TARGET of the server. */
static void start_at(const char *target)
{
    static char url[256];

    snprintf(url, sizeof url, "%s%s", server.url, target);
    options.url = url;
    start();
}

/* Opens a stream at TARGET, which ends, and returns what was asked for. */
static const struct foreign_request *open_at(const char *target)
{
    foreign_stream(&server);
    foreign_close(&server);
    start_at(target);
    expect(CRIER_OPEN);
    return foreign_request(&server, 0);
}

/* Fails unless the last of REQUEST's headers NAME is VALUE, or with NULL when it is
 * there. */
static void check_header(const struct foreign_request *request,
                         const char *name, const char *value)
{
    if (value == NULL)
        ck_assert_msg(!foreign_has(request, name), "there is a %s in: %s",
                      name, request->head);
    else
        ck_assert_str_eq(foreign_header(request, name), value);
}

/* ---- requests --------------------------------------------------------- */

START_TEST(the_request)
{
    const struct foreign_request *request = open_at("/a%20b?c=d#e");
    char host[32];

    ck_assert_str_eq(request->method, "GET");
    ck_assert_str_eq(request->target, "/a%20b?c=d");
    snprintf(host, sizeof host, "127.0.0.1:%d", server.port);
    check_header(request, "Host", host);
    check_header(request, "Accept", "text/event-stream");
    check_header(request, "Cache-Control", "no-cache");
    check_header(request, "User-Agent", "crier/" PACKAGE_VERSION);
    check_header(request, "Last-Event-ID", NULL);
    check_header(request, "Expect", NULL);
    check_header(request, "Authorization", NULL);
    check_header(request, "Content-Type", NULL);
    check_header(request, "Content-Length", NULL);
    check_header(request, "Accept-Encoding", NULL);
}
END_TEST

START_TEST(headers_of_the_program_come_first)
{
    const char *headers[] = {"accept: text/plain", "User-Agent:",
                             "Cache-Control: max-age=1", "X-More:  1",
                             "X-Empty;", NULL};
    const struct foreign_request *request;

    options.http.headers = headers;
    request = open_at("/");
    check_header(request, "Accept", "text/plain");
    check_header(request, "User-Agent", NULL);
    check_header(request, "Cache-Control", "max-age=1");
    check_header(request, "X-More", "1");
    check_header(request, "X-Empty", "");
}
END_TEST

START_TEST(headers_can_be_taken_out)
{
    const char *headers[] = {"Accept:", "Cache-Control:", "Content-Type:",
                             NULL};
    const struct foreign_request *request;

    options.http.headers = headers;
    options.body = "b";
    options.body_length = 1;
    request = open_at("/");
    check_header(request, "Accept", NULL);
    check_header(request, "Cache-Control", NULL);
    check_header(request, "Content-Type", NULL);
    ck_assert_str_eq(request->body, "b");
}
END_TEST

START_TEST(a_token)
{
    const char *headers[] = {"authorization: Basic eDp5", NULL};
    const struct foreign_request *request;

    options.http.token = "secret";
    if (_i == 1)
        options.http.headers = headers;
    request = open_at("/");
    check_header(request, "Authorization",
                 _i == 0 ? "Bearer secret" : "Basic eDp5");
}
END_TEST

START_TEST(methods_and_bodies)
{
    static const struct {
        const char *method, *body;
        size_t length;
        const char *sent, *content_length, *type;
    } cases[] = {
        {"GET", NULL, 0, "GET", NULL, NULL},
        {"DELETE", NULL, 0, "DELETE", NULL, NULL},
        {"POST", NULL, 0, "POST", "0", NULL},
        {NULL, "", 0, "POST", "0", "text/plain; charset=utf-8"},
        {NULL, "a\0b\n", 4, "POST", "4", "text/plain; charset=utf-8"},
        {"POST", "a=b", 3, "POST", "3", "text/plain; charset=utf-8"},
        {"PUT", "a=b", 3, "PUT", "3", "text/plain; charset=utf-8"},
        {"GET", "a=b", 3, "GET", "3", "text/plain; charset=utf-8"},
        {"REPORT", "a=b", 3, "REPORT", "3", "text/plain; charset=utf-8"},
    };
    const struct foreign_request *request;

    options.method = cases[_i].method;
    options.body = cases[_i].body;
    options.body_length = cases[_i].length;
    options.reconnect = CRIER_RECONNECT_ALWAYS;
    request = open_at("/");
    ck_assert_str_eq(request->method, cases[_i].sent);
    check_header(request, "Content-Length", cases[_i].content_length);
    check_header(request, "Content-Type", cases[_i].type);
    ck_assert_uint_eq(request->length, cases[_i].length);
    if (cases[_i].length != 0)
        ck_assert_mem_eq(request->body, cases[_i].body, request->length);
    /* again, the same */
    foreign_stream(&server);
    expect_error(CRIER_ERR_ENDED);
    expect(CRIER_OPEN);
    ck_assert_str_eq(foreign_request(&server, 1)->method, cases[_i].sent);
    ck_assert_uint_eq(foreign_request(&server, 1)->length, cases[_i].length);
}
END_TEST

START_TEST(a_large_body_is_sent_at_once)
{
    const char *headers[] = {"Content-Type: application/json", NULL};
    const size_t length = 3000000;
    const struct foreign_request *request;
    char *body = malloc(length);

    memset(body, 'x', length);
    options.http.headers = headers;
    options.body = body;
    options.body_length = length;
    request = open_at("/");
    check_header(request, "Expect", NULL);
    check_header(request, "Content-Type", "application/json");
    ck_assert_uint_eq(request->length, length);
    ck_assert_mem_eq(request->body, body, length);
    free(body);
}
END_TEST

START_TEST(where_to_begin)
{
    static const struct {
        const char *option, *header, *sent;
    } cases[] = {
        {"7 b\xc3\xa9", NULL, "7 b\xc3\xa9"},
        {"", NULL, NULL},
        {NULL, "Last-Event-ID: 8", "8"},
        {NULL, "last-event-id:8", "8"},
        {NULL, "Last-Event-ID:", NULL},
        {"7", "Last-Event-ID: 8", "7"},
    };
    const char *headers[] = {cases[_i].header, NULL};

    options.last_event_id = cases[_i].option;
    options.http.headers = headers;
    foreign_close(&server);
    foreign_stream(&server);
    foreign_say(&server, "id: 9\ndata: a\n\n");
    foreign_close(&server);
    foreign_stream(&server);
    foreign_say(&server, "id:\ndata: b\n\n");
    foreign_close(&server);
    foreign_stream(&server);
    start();
    expect_error(CRIER_ERR_NETWORK);
    ck_assert_str_eq(expect(CRIER_OPEN).id,
                     cases[_i].sent != NULL ? cases[_i].sent : "");
    check_header(foreign_request(&server, 0), "Last-Event-ID",
                 cases[_i].sent);
    check_header(foreign_request(&server, 1), "Last-Event-ID",
                 cases[_i].sent);
    expect_event("a");
    expect_error(CRIER_ERR_ENDED);
    expect(CRIER_OPEN);
    check_header(foreign_request(&server, 2), "Last-Event-ID", "9");
    expect_event("b");
    expect_error(CRIER_ERR_ENDED);
    expect(CRIER_OPEN);
    check_header(foreign_request(&server, 3), "Last-Event-ID", NULL);
}
END_TEST

START_TEST(what_cannot_be_sent_is_refused)
{
    static const struct {
        const char *url, *method, *header, *token, *id;
        size_t limit;
        int error;
    } cases[] = {
        {.error = CRIER_ERR_NULL},
        {.url = "", .error = CRIER_ERR_URL},
        {.url = "example.com/", .error = CRIER_ERR_URL},
        {.url = "/topics", .error = CRIER_ERR_URL},
        {.url = "http://", .error = CRIER_ERR_URL},
        {.url = "http://a b/", .error = CRIER_ERR_URL},
        {.url = "http://a:99999/", .error = CRIER_ERR_URL},
        {.url = "ftp://a/", .error = CRIER_ERR_URL},
        {.url = "file:///etc/passwd", .error = CRIER_ERR_URL},
        {.url = "http://a/", .method = "", .error = CRIER_ERR_INVALID},
        {.url = "http://a/", .method = "A B", .error = CRIER_ERR_INVALID},
        {.url = "http://a/", .method = "A\r\n", .error = CRIER_ERR_INVALID},
        {.url = "http://a/", .header = "", .error = CRIER_ERR_INVALID},
        {.url = "http://a/", .header = "A", .error = CRIER_ERR_INVALID},
        {.url = "http://a/", .header = ": b", .error = CRIER_ERR_INVALID},
        {.url = "http://a/", .header = "A b: c", .error = CRIER_ERR_INVALID},
        {.url = "http://a/", .header = "A; b", .error = CRIER_ERR_INVALID},
        {.url = "http://a/", .header = "\xc3\xa9: b",
         .error = CRIER_ERR_INVALID},
        {.url = "http://a/", .header = "A: b\r\nC: d",
         .error = CRIER_ERR_INVALID},
        {.url = "http://a/", .header = "A: b\n", .error = CRIER_ERR_INVALID},
        {.url = "http://a/", .token = "a\r\nB: c",
         .error = CRIER_ERR_INVALID},
        {.url = "http://a/", .id = "a\nb", .error = CRIER_ERR_NEWLINE},
        {.url = "http://a/", .id = "a\rb", .error = CRIER_ERR_NEWLINE},
        {.url = "http://a/", .id = "\xff", .error = CRIER_ERR_UTF8},
        {.url = "http://a/", .header = "Last-Event-ID: \xff",
         .error = CRIER_ERR_UTF8},
        {.url = "http://a/", .limit = (1u << 30) + 1,
         .error = CRIER_ERR_INVALID},
        {.url = "HTTPS://a", .error = 0},
        {.url = "http://a/", .method = "M-SEARCH", .header = "A:\tb;c",
         .id = "\xc3\xa9", .limit = 1u << 30, .error = 0},
    };
    const char *headers[] = {NULL, NULL};
    size_t i;

    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        headers[0] = cases[i].header;
        options = (struct crier_client_options){
            .url = cases[i].url,
            .method = cases[i].method,
            .last_event_id = cases[i].id,
            .limits = {cases[i].limit, cases[i].limit},
            .http = {.headers = headers, .token = cases[i].token}};
        client = NULL;
        ck_assert_msg(crier_client_new(&options, &client) == cases[i].error,
                      "case %zu: not %d", i, cases[i].error);
        ck_assert_msg((client != NULL) == (cases[i].error == 0), "case %zu",
                      i);
        crier_client_free(client);
    }
    client = NULL;
}
END_TEST

START_TEST(options_are_copied)
{
    char target[80], header[] = "X: 1", token[] = "t", body[] = "b",
                     method[] = "PUT", id[] = "i";
    const char *headers[] = {header, NULL};
    const struct foreign_request *request;

    foreign_stream(&server);
    snprintf(target, sizeof target, "%s/", server.url);
    options = (struct crier_client_options){
        .url = target, .method = method, .body = body, .body_length = 1,
        .last_event_id = id, .http = {.headers = headers, .token = token}};
    start();
    headers[0] = NULL;
    memset(&options, 0, sizeof options);
    target[0] = header[0] = token[0] = body[0] = method[0] = id[0] = '!';
    expect(CRIER_OPEN);
    request = foreign_request(&server, 0);
    ck_assert_str_eq(request->method, "PUT");
    ck_assert_str_eq(request->body, "b");
    check_header(request, "X", "1");
    check_header(request, "Authorization", "Bearer t");
    check_header(request, "Last-Event-ID", "i");
}
END_TEST

/* ---- answers ---------------------------------------------------------- */

START_TEST(only_a_stream_will_do)
{
    static const struct {
        const char *status, *headers, *body;
        int error;
        const char *reason;
    } cases[] = {
        {"204 No Content", STREAM, "", CRIER_ERR_NO_CONTENT, "nothing more"},
        {"404 Not Found", "Content-Type: application/problem+json\r\n",
         "{\"title\":\"Not Found\",\"detail\":\"no topic \\u00e9\"}",
         CRIER_ERR_STATUS, "404: no topic \xc3\xa9"},
        {"404 Not Found", "", "{\"title\":\"Gone fishing\"}",
         CRIER_ERR_STATUS, "404: Gone fishing"},
        {"404 Not Found", "", "<h1>404</h1>", CRIER_ERR_STATUS, "status 404"},
        {"404 Not Found", "", "{\"detail\":", CRIER_ERR_STATUS, "status 404"},
        {"404 Not Found", STREAM, "data: no\n\n", CRIER_ERR_STATUS,
         "404: data: no"},
        {"500 Oops", STREAM, "", CRIER_ERR_STATUS, "status 500"},
        {"503 Busy", "Retry-After: 1\r\n", "", CRIER_ERR_STATUS, "503"},
        {"206 Partial Content", STREAM, "", CRIER_ERR_STATUS, "status 206"},
        {"205 Reset Content", STREAM, "", CRIER_ERR_STATUS, "status 205"},
        {"401 Who", "WWW-Authenticate: Basic realm=a\r\n", "",
         CRIER_ERR_STATUS, "status 401"},
        {"302 Found", "", "", CRIER_ERR_STATUS, "status 302"},
        {"302 Found", STREAM, "data: no\n\n", CRIER_ERR_STATUS, "302: data"},
        {"304 Not Modified", "", "", CRIER_ERR_STATUS, "status 304"},
        {"200 OK", "", "data: no\n\n", CRIER_ERR_CONTENT_TYPE, "no type"},
        {"200 OK", "Content-Type: text/html\r\n", "data: no\n\n",
         CRIER_ERR_CONTENT_TYPE, "text/html"},
        {"200 OK", "Content-Type: text/event-streamx\r\n", "data: no\n\n",
         CRIER_ERR_CONTENT_TYPE, "text/event-streamx"},
        {"200 OK", "Content-Type: text/event-strea\r\n", "data: no\n\n",
         CRIER_ERR_CONTENT_TYPE, "text/event-strea"},
        {"200 OK", "Content-Type: text/\xff\r\n", "", CRIER_ERR_CONTENT_TYPE,
         "text/"},
    };
    struct crier_message message;

    foreign_answer(&server, cases[_i].status, cases[_i].headers,
                   cases[_i].body);
    start();
    message = expect_closed(cases[_i].error);
    ck_assert_int_eq(message.status, atoi(cases[_i].status));
    ck_assert_msg(strstr(message.reason, cases[_i].reason) != NULL,
                  "the reason is: %s", message.reason);
    ck_assert(crier_utf8_valid(message.reason, strlen(message.reason)));
    ck_assert_uint_eq(foreign_requests(&server), 1);
}
END_TEST

/* What a refusal says in its body, in the forms that servers use. */
START_TEST(a_refusal_has_words)
{
    static const char *const cases[][2] = {
        {"token expired", "401: token expired"},
        {"\r\n  token expired \r\nmore\n", "401: token expired "},
        {"token\texpired\033[2J\xc2\x9b", "401: token expired?[2J?"},
        {"{\"error\":\"token expired\"}", "401: token expired"},
        {"{\"message\":\"token expired\",\"error\":\"Unauthorized\"}",
         "401: token expired"},
        {"{\"error\":\"invalid_token\",\"error_description\":\"expired\"}",
         "401: expired"},
        {"{\"error\":{\"message\":\"no such key\",\"code\":7},\"message\":\"x\"}",
         "401: no such key"},
        {"{\"error\":{\"code\":7},\"message\":\"outside\"}", "401: outside"},
        {"{\"title\":\"Unauthorized\",\"detail\":\"expired\"}",
         "401: expired"},
        {"{\"detail\":\"\",\"title\":\"Unauthorized\"}", "401: Unauthorized"},
        {"{\"detail\":[\"x\"],\"error\":\"y\"}", "401: y"},
        {"{\"detail\":\"a\\nb\\u001b\\u202ec\\u0085\"}", "401: a b??c?"},
        {"\"token expired\"", "401: token expired"},
        {"{\"other\":\"x\"}", NULL},
        {"{\"message\":", NULL},
        {"[\"x\"]", NULL},
        {" <!DOCTYPE html>", NULL},
        {"\x1f\x8b\x08", NULL},
        {"\n\n", NULL},
    };
    struct crier_message message;

    foreign_answer(&server, "401 Unauthorized", "", cases[_i][0]);
    start();
    message = expect_closed(CRIER_ERR_STATUS);
    ck_assert_str_eq(message.reason,
                     cases[_i][1] != NULL
                         ? cases[_i][1]
                         : "the server answered with status 401");
}
END_TEST

/* However long that is. */
START_TEST(words_are_bounded)
{
    static char body[8000];
    struct crier_message message;
    size_t i, length;

    for (i = 0; i < sizeof body - 1; i += 2)
        memcpy(body + i, "\xc3\xa9", 2);
    body[sizeof body - 2] = '\0';
    foreign_answer(&server, "401 Unauthorized", "", body);
    start();
    message = expect_closed(CRIER_ERR_STATUS);
    length = strlen(message.reason);
    ck_assert_uint_le(length, 512);
    ck_assert_uint_ge(length, 256);
    ck_assert(crier_utf8_valid(message.reason, length));
}
END_TEST

START_TEST(a_stream_has_many_names)
{
    static const char *const types[] = {
        "text/event-stream;charset=utf-8", "text/event-stream ; charset=x",
        "TEXT/Event-STREAM", "text/event-stream\t"};

    foreign_say(&server, "HTTP/1.1 200 Fine\r\nContent-Type: %s\r\n\r\n:\n",
                types[_i]);
    start();
    expect(CRIER_OPEN);
    expect(CRIER_COMMENT);
}
END_TEST

START_TEST(it_goes_on_where_the_program_says_so)
{
    static const char *const statuses[] = {"503 Busy", "500 Oops", "599 ?",
                                           "429 Slowly", "408 Late"};
    struct crier_message message;

    options.persist = true;
    foreign_answer(&server, statuses[_i], STREAM,
                   "{\"detail\":\"come later\"}");
    foreign_stream(&server);
    start();
    message = expect_error(CRIER_ERR_STATUS);
    ck_assert_int_eq(message.status, atoi(statuses[_i]));
    ck_assert_str_eq(message.reason + 3, ": come later");
    ck_assert_uint_le(message.retry, 1);
    expect(CRIER_OPEN);
}
END_TEST

START_TEST(it_does_not_go_on_for_any_reason)
{
    static const char *const answers[] = {"204 No Content", "404 Not Found",
                                          "200 OK"};
    static const int errors[] = {CRIER_ERR_NO_CONTENT, CRIER_ERR_STATUS,
                                 CRIER_ERR_CONTENT_TYPE};

    options.persist = true;
    foreign_answer(&server, answers[_i], "Retry-After: 1\r\n", "");
    start();
    expect_closed(errors[_i]);
}
END_TEST

START_TEST(the_server_may_ask_for_a_pause)
{
    static const struct {
        const char *value;
        uint64_t least, most;
    } cases[] = {{"30", 30000, 30000},    {"1", 2000, 3000},
                 {"0", 2000, 3000},       {"-5", 2000, 3000},
                 {"soon", 2000, 3000},    {"86400", 60000, 60000},
                 {"99999999999999999999", 2000, 60000},
                 {"Fri, 01 Jan 2038 00:00:00 GMT", 60000, 60000},
                 {"Fri, 01 Jan 1999 00:00:00 GMT", 2000, 3000}};
    struct crier_message message;

    options.persist = true;
    options.retry = 2000;
    foreign_say(&server, "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n"
                         "Retry-After: %s\r\n\r\n", cases[_i].value);
    foreign_keep(&server);
    foreign_stream(&server);
    foreign_close(&server);
    start();
    message = expect_error(CRIER_ERR_STATUS);
    ck_assert_uint_ge(message.retry, cases[_i].least);
    ck_assert_uint_le(message.retry, cases[_i].most);
    skip(message.retry);
    expect(CRIER_OPEN);
    message = expect_error(CRIER_ERR_ENDED);
    ck_assert_uint_le(message.retry, 6000); /* it was for once */
}
END_TEST

START_TEST(an_early_hint_is_no_answer)
{
    foreign_say(&server, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
    foreign_stream(&server);
    foreign_say(&server, ": a\n");
    start();
    expect(CRIER_OPEN);
    expect(CRIER_COMMENT);
}
END_TEST

/* Whatever is in between the server and us may have trouble. */
START_TEST(what_is_no_answer_is_an_error)
{
    static const char *const rubbish[] = {
        "data: what?\n\n", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\n" STREAM,
        "HTTP/1.1 204 No Content\r\nX: y\r\n", "HTTP/1.1 "};

    foreign_say(&server, "%s", rubbish[_i]);
    foreign_close(&server);
    foreign_stream(&server);
    start();
    expect_error(CRIER_ERR_NETWORK);
    expect(CRIER_OPEN);
}
END_TEST

/* A server that breaks off there on the way from a redirect, too. */
START_TEST(a_redirect_to_no_answer_is_an_error)
{
    foreign_answer(&server, "302 Found", "Location: /b\r\n", "");
    foreign_say(&server, "HTTP/1.1 200 OK\r\n");
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
    Suite *s = suite_create("client http");
    TCase *c = client_fixture_case(s, "requests");

    tcase_add_test(c, the_request);
    tcase_add_test(c, headers_of_the_program_come_first);
    tcase_add_test(c, headers_can_be_taken_out);
    tcase_add_loop_test(c, a_token, 0, 2);
    tcase_add_loop_test(c, methods_and_bodies, 0, 9);
    tcase_add_test(c, a_large_body_is_sent_at_once);
    tcase_add_loop_test(c, where_to_begin, 0, 6);
    tcase_add_test(c, what_cannot_be_sent_is_refused);
    tcase_add_test(c, options_are_copied);
    c = client_fixture_case(s, "answers");
    tcase_add_loop_test(c, only_a_stream_will_do, 0, 19);
    tcase_add_loop_test(c, a_refusal_has_words, 0, 19);
    tcase_add_test(c, words_are_bounded);
    tcase_add_loop_test(c, a_stream_has_many_names, 0, 4);
    tcase_add_loop_test(c, it_goes_on_where_the_program_says_so, 0, 5);
    tcase_add_loop_test(c, it_does_not_go_on_for_any_reason, 0, 3);
    tcase_add_loop_test(c, the_server_may_ask_for_a_pause, 0, 9);
    tcase_add_test(c, an_early_hint_is_no_answer);
    tcase_add_loop_test(c, what_is_no_answer_is_an_error, 0, 5);
    tcase_add_test(c, a_redirect_to_no_answer_is_an_error);
    return s;
}

RUN_SUITE(suite)
