/* HTTP, end to end: what every request can get wrong, and what every answer
 * has. */
#include <config.h>

#include "crier.h"
#include "support/client.h"
#include "support/crierd.h"
#include "support/runner.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

static struct crierd crierd;

static void setup(void)
{
    crierd_start(&crierd, "");
}

static void teardown(void)
{
    crierd_stop(&crierd);
}

/* Takes a problem (RFC 9457) as the body of the last answer, whose status was
 * STATUS; its detail contains SAYS. */
static void expect_problem(struct client *client, int status, const char *says)
{
    char *body = client_body(client);
    json_t *problem = json_loads(body, 0, NULL);

    ck_assert_str_eq(client_header(client, "Content-Type"),
                     "application/problem+json");
    ck_assert_msg(problem != NULL, "not JSON: %s", body);
    ck_assert_str_eq(json_string_value(json_object_get(problem, "type")),
                     "about:blank");
    ck_assert(json_string_length(json_object_get(problem, "title")) > 0);
    ck_assert_int_eq(json_integer_value(json_object_get(problem, "status")),
                     status);
    ck_assert_msg(strstr(json_string_value(json_object_get(problem,
                                                           "detail")),
                         says) != NULL,
                  "'%s' is not in: %s", says, body);
    json_decref(problem);
    free(body);
}

static const struct {
    const char *method, *target;
    int status;
    const char *says, *allow;
} requests[] = {
    {"GET", "/nothing/here", 404, "nothing at this path", ""},
    {"POST", "/ticks", 405, "POST", "GET, HEAD, OPTIONS"},
    {"PUT", "/events", 405, "PUT", "GET, HEAD, POST, OPTIONS"},
    {"DELETE", "/events/x", 405, "DELETE", "GET, HEAD, OPTIONS"},
    {"GET", "/chat/ada", 405, "GET", "POST, OPTIONS"},
    {"GET", "/users/ada", 405, "GET", "POST, DELETE, OPTIONS"},
    {"PATCH", "/index.html", 405, "PATCH", "GET, HEAD, OPTIONS"},
    {"POST", "/nothing", 404, "nothing at this path", ""},
    {"OPTIONS", "/nothing", 404, "nothing at this path", ""},
    {"BREW", "/healthz", 405, "BREW", "GET, HEAD, OPTIONS"},
    {"M\xc3\xa9\xc3", "/healthz", 405, "M???", "GET, HEAD, OPTIONS"},
    {"GET", "/%", 400, "hexadecimal", ""},
    {"GET", "/a%00b", 400, "NUL", ""},
    {"GET", "nothing", 400, "start with '/'", ""},
};

START_TEST(a_problem_names_the_mistake)
{
    struct client client;

    client_connect(&client, crierd.port);
    ck_assert_int_eq(client_request(&client, requests[_i].method,
                                    requests[_i].target, "", NULL),
                     requests[_i].status);
    ck_assert_str_eq(client_header(&client, "Allow"), requests[_i].allow);
    expect_problem(&client, requests[_i].status, requests[_i].says);
    /* The connection goes on after a refusal. */
    ck_assert_int_eq(client_request(&client, "GET", "/healthz", "", NULL),
                     200);
    client_close(&client);
}
END_TEST

START_TEST(options_tell_the_methods)
{
    struct client client;

    client_connect(&client, crierd.port);
    ck_assert_int_eq(client_request(&client, "OPTIONS", "/users/x", "", NULL),
                     204);
    ck_assert_str_eq(client_header(&client, "Allow"),
                     "POST, DELETE, OPTIONS");
    ck_assert_int_eq(client_request(&client, "OPTIONS", "/", "", NULL), 204);
    ck_assert_str_eq(client_header(&client, "Allow"), "GET, HEAD, OPTIONS");
    ck_assert_int_eq(client_request(&client, "OPTIONS", "*", "", NULL), 204);
    ck_assert_str_eq(client_header(&client, "Allow"),
                     "GET, HEAD, POST, DELETE, OPTIONS");
    client_close(&client);
}
END_TEST

static const char *const streams[] = {"/ticks",
                                      "/sse",
                                      "/events",
                                      "/chat?user=ada",
                                      "/tokens?prompt=x",
                                      "/quotes"};

/* Waits until no stream is open: one ends a moment after its connection. */
static void wait_for_nobody(void)
{
    uint64_t until = crier_now() + (uint64_t)PATIENCE;
    bool nobody;
    char *answer;

    do {
        ck_assert_int_eq(
            fetch(crierd.port, "GET", "/healthz", "", NULL, &answer), 200);
        nobody = strstr(answer, "\"clients\":0") != NULL;
        ck_assert_msg(nobody || crier_now() < until, "%s", answer);
        free(answer);
    } while (!nobody);
}

START_TEST(head_of_a_stream_has_headers_and_no_end)
{
    struct client client;

    client_connect(&client, crierd.port);
    ck_assert_int_eq(client_request(&client, "HEAD", streams[_i], "", NULL),
                     200);
    ck_assert_str_eq(client_header(&client, "Content-Type"),
                     "text/event-stream");
    ck_assert_str_eq(client_header(&client, "Content-Length"), "");
    ck_assert_str_eq(client_header(&client, "Connection"), "close");
    ck_assert_ptr_null(client_frame(&client)); /* it ends, and is empty */
    client_close(&client);
    wait_for_nobody();
}
END_TEST

static const struct {
    const char *target, *type;
} event_streams[] = {
    {"/ticks", "text/event-stream"},
    {"/sse", "text/event-stream"},
    {"/events", "text/event-stream"},
    {"/chat?user=ada", "text/event-stream"},
    {"/tokens?prompt=x", "text/event-stream"},
    {"/quotes", "text/event-stream"},
    {"/updates", "text/event-stream"},
    {"/topics/a", "text/event-stream"},
    {"/topics/a?poll=1&format=full", "text/event-stream"},
    {"/topics/a?format=json", "application/x-ndjson"},
    {"/topics/a?format=raw", "text/plain; charset=utf-8"},
};

/* The head of the answer to METHOD, from its first field on, without those that
 * may differ. */
static char *fields_of(const char *method, const char *target)
{
    char *fields = calloc(1, sizeof((struct client *)0)->head), *line, *rest;
    struct client client;

    client_connect(&client, crierd.port);
    ck_assert_int_eq(client_request(&client, method, target, "", NULL), 200);
    for (line = strtok_r(client.head, "\r\n", &rest); line != NULL;
         line = strtok_r(NULL, "\r\n", &rest))
        if (strncmp(line, "Date:", 5) != 0 &&
            strncmp(line, "Last-Event-ID:", 14) != 0)
            strcat(strcat(fields, line), "\n");
    client_close(&client);
    return fields;
}

/* Proxies that compress or buffer would hold back what is sent (RFC 9111, 5.2.2.6). */
START_TEST(no_proxy_may_change_a_stream)
{
    char *get = fields_of("GET", event_streams[_i].target), type[64];
    char *head = fields_of("HEAD", event_streams[_i].target);

    snprintf(type, sizeof type, "\nContent-Type: %s\n",
             event_streams[_i].type);
    ck_assert_str_eq(head, get);
    ck_assert_ptr_nonnull(strstr(get, type));
    ck_assert_ptr_nonnull(
        strstr(get, "\nCache-Control: no-cache, no-transform\n"));
    ck_assert_ptr_nonnull(strstr(get, "\nX-Accel-Buffering: no\n"));
    free(get);
    free(head);
}
END_TEST

START_TEST(head_sees_the_same_mistakes)
{
    ck_assert_int_eq(fetch(crierd.port, "HEAD", "/chat", "", NULL, NULL),
                     400);
    ck_assert_int_eq(fetch(crierd.port, "HEAD", "/nope", "", NULL, NULL), 404);
    ck_assert_int_eq(fetch(crierd.port, "HEAD", "/chat/x", "", NULL, NULL),
                     405);
    ck_assert_int_eq(fetch(crierd.port, "HEAD", "/healthz", "", NULL, NULL),
                     200);
}
END_TEST

START_TEST(http_1_0)
{
    struct client client;
    char *body;

    client_connect(&client, crierd.port);
    client_send(&client, "GET /healthz HTTP/1.0\r\n\r\n");
    ck_assert_int_eq(client_head(&client), 200);
    body = client_body(&client);
    ck_assert_ptr_nonnull(strstr(body, "\"ok\""));
    free(body);
    ck_assert_ptr_null(client_frame(&client)); /* and closes */
    client_close(&client);
    client_connect(&client, crierd.port);
    client_send(&client, "GET /ticks?interval=10 HTTP/1.0\r\n\r\n");
    ck_assert_int_eq(client_head(&client), 200);
    ck_assert_str_eq(client_header(&client, "Transfer-Encoding"), "");
    client_expect(&client, "data: 1");
    client_expect(&client, "data: 2");
    client_close(&client);
}
END_TEST

START_TEST(requests_share_a_connection)
{
    struct client client;
    int i;

    client_connect(&client, crierd.port);
    for (i = 0; i < 3; i++) {
        ck_assert_int_eq(client_request(&client, "POST", "/events", "", "x"),
                         200);
        free(client_body(&client));
    }
    /* Two at once, one after the other in one write. */
    client_send(&client, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
                         "GET http://x/healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    for (i = 0; i < 2; i++) {
        ck_assert_int_eq(client_head(&client), 200);
        free(client_body(&client));
    }
    client_close(&client);
}
END_TEST

/* ---- bodies ----------------------------------------------------------- */

/* Posts LENGTH bytes of x, announced or in chunks. The status. */
static int post_x(struct client *client, size_t length, bool chunked)
{
    char *body = malloc(length + 1);

    memset(body, 'x', length);
    body[length] = '\0';
    client_connect(client, crierd.port);
    if (chunked)
        client_send(client,
                    "POST /events HTTP/1.1\r\nHost: x\r\n"
                    "Transfer-Encoding: chunked\r\n\r\n"
                    "%zx\r\n%s\r\n0\r\n\r\n",
                    length, body);
    else
        client_send(client,
                    "POST /events HTTP/1.1\r\nHost: x\r\n"
                    "Content-Length: %zu\r\n\r\n%s",
                    length, body);
    free(body);
    return client_head(client);
}

START_TEST(a_body_has_a_limit)
{
    struct client client;
    bool chunked = _i == 1;

    ck_assert_int_eq(post_x(&client, 64 * 1024, chunked), 200);
    client_close(&client);
    ck_assert_int_eq(post_x(&client, 64 * 1024 + 1, chunked), 413);
    expect_problem(&client, 413, "65536");
    client_close(&client);
    ck_assert_int_eq(post_x(&client, 500000, chunked), 413);
    client_close(&client);
}
END_TEST

START_TEST(a_huge_body_is_refused_before_it_is_sent)
{
    struct client client;

    client_connect(&client, crierd.port);
    client_send(&client, "POST /events HTTP/1.1\r\nHost: x\r\n"
                         "Content-Length: 99999999999\r\n\r\n");
    ck_assert_int_eq(client_head(&client), 413);
    client_close(&client);
    client_connect(&client, crierd.port);
    client_send(&client, "POST /events HTTP/1.1\r\nHost: x\r\n"
                         "Expect: 100-continue\r\n"
                         "Content-Length: 70000\r\n\r\n");
    ck_assert_int_eq(client_head(&client), 413);
    client_close(&client);
    client_connect(&client, crierd.port);
    client_send(&client, "POST /events HTTP/1.1\r\nHost: x\r\n"
                         "Expect: 100-continue\r\n"
                         "Content-Length: 2\r\n\r\n");
    ck_assert_int_eq(client_head(&client), 100);
    client_send(&client, "ok");
    ck_assert_int_eq(client_head(&client), 200);
    client_close(&client);
}
END_TEST

/* Requests that are refused when only their heads have come. */
static const struct {
    const char *method, *target, *headers;
    int status;
} unread[] = {
    {"POST", "/topics/x", "Content-Length: 1048577\r\n", 413},
    {"POST", "/ticks", "Content-Length: 1\r\n", 405},
    {"PATCH", "/index.html", "Content-Length: 1\r\n", 405},
    {"BREW", "/topics/x", "Transfer-Encoding: chunked\r\n", 405},
    {"POST", "/nothing", "Content-Length: 1\r\n", 404},
    {"POST", "/nothing", "Transfer-Encoding: chunked\r\n", 404},
    {"POST", "/nothing", "Expect: 100-continue\r\nContent-Length: 1\r\n", 404},
    {"GET", "/users/ada", "Content-Length: 1\r\n", 405},
    {"POST", "/%", "Content-Length: 1\r\n", 400},
    {"POST", "/topics/x", "Origin: http://b\r\nContent-Length: 1\r\n", 403},
    {"DELETE", "/topics/x",
     "Sec-Fetch-Site: cross-site\r\nContent-Length: 1\r\n", 403},
    {"POST", "/events",
     "Sec-Fetch-Site: cross-site\r\n"
     "Transfer-Encoding: chunked\r\n",
     403},
};

START_TEST(refused_before_the_body)
{
    struct client client;
    char *body;

    client_connect(&client, crierd.port);
    client_send(&client, "%s %s HTTP/1.1\r\nHost: x\r\n%s\r\n",
                unread[_i].method, unread[_i].target, unread[_i].headers);
    ck_assert_int_eq(client_head(&client), unread[_i].status);
    ck_assert_str_eq(client_header(&client, "Connection"), "close");
    ck_assert_str_eq(client_header(&client, "X-Content-Type-Options"),
                     "nosniff");
    body = client_body(&client);
    ck_assert_ptr_nonnull(strstr(body, "\"detail\""));
    free(body);
    ck_assert_ptr_null(client_line(&client)); /* the end */
    client_close(&client);
}
END_TEST

/* A client that sends all of its body before it reads receives the response, and no
 * reset. */
START_TEST(a_refusal_is_received)
{
    static char bytes[4 * 1024 * 1024];
    struct client client;

    memset(bytes, 'x', sizeof bytes);
    client_connect(&client, crierd.port);
    client_send(&client,
                "POST /%s HTTP/1.1\r\nHost: x\r\n"
                "Content-Length: %zu\r\n\r\n",
                _i == 0 ? "topics/x" : "nothing", sizeof bytes);
    client_send_bytes(&client, bytes, sizeof bytes);
    ck_assert_int_eq(client_head(&client), _i == 0 ? 413 : 404);
    free(client_body(&client));
    ck_assert_ptr_null(client_line(&client));
    client_close(&client);
}
END_TEST

/* HEAD has no body, whatever is refused. */
START_TEST(head_is_refused_without_a_body)
{
    struct client client;

    client_connect(&client, crierd.port);
    client_send(&client, "HEAD /users/ada HTTP/1.1\r\nHost: x\r\n"
                         "Content-Length: 1\r\n\r\n");
    ck_assert_int_eq(client_head(&client), 405);
    ck_assert_ptr_null(client_line(&client));
    client_close(&client);
}
END_TEST

START_TEST(large_headers_are_431)
{
    struct client client;
    char *cookie = malloc(20001);

    memset(cookie, 'c', 20000);
    cookie[3000] = '\0';
    client_connect(&client, crierd.port);
    client_send(&client,
                "GET /healthz HTTP/1.1\r\nHost: x\r\nCookie: %s\r\n\r\n",
                cookie);
    ck_assert_int_eq(client_head(&client), 200);
    client_close(&client);
    cookie[3000] = 'c';
    cookie[20000] = '\0';
    client_connect(&client, crierd.port);
    client_send(&client,
                "GET /healthz HTTP/1.1\r\nHost: x\r\nCookie: %s\r\n\r\n",
                cookie);
    ck_assert_int_eq(client_head(&client), 431);
    client_close(&client);
    free(cookie);
}
END_TEST

/* ---- where a request ends --------------------------------------------- */

static const struct {
    const char *head;
    int status;
} framings[] = {
    {"POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n", 200},
    {"POST /events HTTP/1.0\r\nContent-Length: 1\r\n", 200},
    {"POST /events HTTP/1.1\r\nContent-Length: 1\r\n", 400},
    {"POST /events HTTP/1.1\r\nHost: x\r\nHost: y\r\n"
     "Content-Length: 1\r\n",
     400},
    {"POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n"
     "Content-Length: 2\r\n",
     400},
    {"POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n"
     "Transfer-Encoding: chunked\r\n",
     400},
    {"POST /events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n",
     400},
    {"POST /events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
     "Transfer-Encoding: chunked\r\n",
     400},
    {"POST /events HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n",
     400},
    {"POST /events HTTP/1.1\r\nHost: x\r\nContent-Length : 1\r\n", 400},
    {"POST /events HTTP/1.1\r\nHost: x\r\nContent-Length\v: 1\r\n", 400},
    {"POST /events HTTP/1.1\r\nHost: a b/c\r\nContent-Length: 1\r\n", 400},
    {"POST /events HTTP/1.1\r\nHost: x \t\r\nContent-Length: 1\r\n", 200},
    {"POST /events HTTP/1.1\nHost: x\nContent-Length:1\nX:\n", 400},
    {"POST /events HTTP/1.1\nHost: x\r\nContent-Length:1\r\n", 400},
    {"POST /events HTTP/1.1\r\nHost: x\nContent-Length:1\r\n", 400},
    {"POST /events HTTP/1.1\r\nHost: x\r\nContent-Length:1\n", 400},
    {"POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\r\n", 400},
    {"POST /events HTTP/1.1\r\nHost: x\r\nX: \rContent-Length: 2\r\n"
     "Content-Length: 1\r\n",
     400},
    {"POST /events\r HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n", 400},
    {"POST /events x HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n", 400},
    {"POST /events\t HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n", 400},
    {"POST /events HTTP/1.1\nHost: x\nX: y\n z: a\nContent-Length: 1\n", 400},
    {"POST /events HTTP/1.1\r\nHost:x\r\nContent-Length: \t 1\r\nX:\r\nY: \t\r\n", 200},
    {"POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n 0\r\n", 400},
    {"POST /events HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n 1\r\n", 400},
    {"POST /events HTTP/1.1\r\nHost: x\r\nContent-Leng: 1\r\n th\r\n", 400},
    {"POST /events HTTP/1.1\r\nHost: x\r\n"
     "Transfer-Encodin: chunked\r\n\tg\r\n",
     400},
    {"POST /events HTTP/1.1\r\nHost: x\r\n"
     "Transfer-Encoding:\r\n chunked\r\n",
     400},
    {"POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n"
     "Sec-Fetch-Site:\r\n cross-site\r\n",
     400},
    {"POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n:\r\n", 400},
    {"POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n: a\r\nX: y\r\n", 400},
    {"POST /events HTTP/1.1\r\nHost: x\r\nContent-Length:1\r\n:a\r\nX: y\r\n", 400},
    {"POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nX:\r\n:\r\n", 400},
    {"POST /events HTTP/1.1\nHost: x\nContent-Length: 1\n:a\nX: y\n", 400},
    {"POST /events HTTP/1.1\nHost: x\nContent-Length: 1\nX:\n:a\n", 400},
    {"POST /events HTTP/1.1\r\n:a\r\nHost: x\r\nContent-Length: 1\r\n", 400},
    {"POST /events HTTP/1.1\r\nHost: x\r\nContent-:1\n Length\r\n", 400},
    {"POST /events HTTP/1.1\r\nHost: x\r\nContent-Length:1\n X\r\n", 400},
    {"POST /events HTTP/1.1\r\nHost: x\r\nTransfer-:chunked\n Encoding\r\n",
     400},
    {"POST  /events HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n", 400},
};

START_TEST(a_request_ends_in_one_place)
{
    struct client client;

    client_connect(&client, crierd.port);
    client_send(&client, "%s\r\nx", framings[_i].head);
    ck_assert_int_eq(client_head(&client), framings[_i].status);
    free(client_body(&client));
    if (framings[_i].status == 400) /* what follows is not looked at */
        ck_assert_ptr_null(client_frame(&client));
    client_close(&client);
}
END_TEST

/* Fails unless the connection is closed, with nothing more on it. */
static void expect_no_more(struct client *client)
{
    ck_assert_ptr_null(client_line(client));
    ck_assert_msg(client->length == 0, "and then: %s", client->bytes);
}

/* Bodies in chunks, and the status of the answer. */
static const struct {
    const char *body;
    int status;
} chunked[] = {
    {"5\r\nhello\r\n0\r\n\r\n", 200},
    {"0005\r\nhello\r\n00\r\n\r\n", 200},
    {"5\r\nhello\r\n0\r\nX: y\r\n\r\n", 200},
    {"0x5\r\nhello\r\n0\r\n\r\n", 400},
    {"+5\r\nhello\r\n0\r\n\r\n", 400},
    {"-5\r\nhello\r\n0\r\n\r\n", 400},
    {" 5\r\nhello\r\n0\r\n\r\n", 400},
    {"5 \r\nhello\r\n0\r\n\r\n", 400},
    {"5\rXhello\r\n0\r\n\r\n", 400},
    {"\r\nhello\r\n0\r\n\r\n", 400},
    {"5\r\nhelloXX0\r\n\r\n", 400},
    {"5\r\nhello0\r\n\r\n", 400},
    {"5\r\nhello\r\n0 \r\n\r\n", 400},
    {"5\r\nhello\r\n0\r\nx\r\n\r\n", 400},
    {"5\r\nhello\r\n0\r\n x\r\n\r\n", 400},
    {"10000000000000005\r\nhello\r\n0\r\n\r\n", 413},
};

START_TEST(a_body_in_chunks_ends_in_one_place)
{
    struct client client;
    bool refused = chunked[_i].status != 200;

    client_connect(&client, crierd.port);
    client_send(&client,
                "POST /events HTTP/1.1\r\nHost: x\r\n"
                "Transfer-Encoding: chunked\r\n\r\n%s"
                "GET /nothing HTTP/1.1\r\nHost: x\r\n"
                "Connection: close\r\n\r\n",
                chunked[_i].body);
    ck_assert_int_eq(client_head(&client), chunked[_i].status);
    free(client_body(&client));
    if (!refused) {
        ck_assert_int_eq(client_head(&client), 404);
        free(client_body(&client));
    }
    expect_no_more(&client);
    client_close(&client);
}
END_TEST

/* A Content-Length that is no number of bytes (RFC 9110 section 8.6). */
static const char *const wrong_lengths[] = {
    "-5", "+5", "5, 5", "abc", "18446744073709551617", "", "5 5", "0x5",
    "5,", "5.0", "18446744073709551615", "99999999999999999999999999999",
};

/* Fails unless all that comes is one response, which refuses the length. */
static void expect_one_refusal(struct client *client)
{
    ck_assert_int_eq(client_head(client), 400);
    ck_assert_str_eq(client_header(client, "Connection"), "close");
    ck_assert_str_eq(client_header(client, "X-Content-Type-Options"),
                     "nosniff");
    expect_problem(client, 400, "Content-Length");
    expect_no_more(client);
}

/* The requests that may be before it on the connection. */
static const char *const before[] = {
    "",
    "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
    "POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\ny",
    "POST /topics/x HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\ny",
};

/* The requests that have it. */
static const char *const with_length[] = {
    "POST /events",
    "POST /topics/x",
    "GET /topics/x",
    "GET /healthz",
};

START_TEST(a_wrong_length_has_one_answer)
{
    const char *length = wrong_lengths[_i];
    struct client client;
    size_t i, j;

    for (i = 0; i < sizeof before / sizeof before[0]; i++) {
        for (j = 0; j < sizeof with_length / sizeof with_length[0]; j++) {
            client_connect(&client, crierd.port);
            if (i != 0) {
                client_send(&client, "%s", before[i]);
                ck_assert_int_eq(client_head(&client), 200);
                free(client_body(&client));
            }
            client_send(&client,
                        "%s HTTP/1.1\r\nHost: x\r\nContent-Length: %s\r\n"
                        "\r\nhello",
                        with_length[j], length);
            expect_one_refusal(&client);
            client_close(&client);
        }
    }
}
END_TEST

/* A stream's connection has little memory, and is another daemon's: so is one whose
 * Content-Length shows only when its lines are put together. */
START_TEST(a_wrong_length_in_two_lines)
{
    struct client client;

    client_connect(&client, crierd.port);
    client_send(&client, "GET /topics/x HTTP/1.1\r\nHost: x\r\n"
                         "Content-Leng: -5\r\n th\r\n\r\n");
    ck_assert_int_eq(client_head(&client), 400);
    free(client_body(&client));
    expect_no_more(&client);
    client_close(&client);
}
END_TEST

/* Behind an answer, in the same piece; and in pieces, while libmicrohttpd's threads
 * read the heads of others, which are answered as ever. */
START_TEST(a_wrong_length_in_good_company)
{
    struct client client, others[3];
    size_t i;

    client_connect(&client, crierd.port);
    client_send(&client, "%s%s", before[1],
                "POST /events HTTP/1.1\r\nHost: x\r\n"
                "Content-Length: -5\r\n\r\nhello");
    ck_assert_int_eq(client_head(&client), 200);
    free(client_body(&client));
    expect_one_refusal(&client);
    client_close(&client);

    client_connect(&client, crierd.port);
    ck_assert_int_eq(client_request(&client, "GET", "/healthz", "", NULL),
                     200);
    free(client_body(&client));
    client_send(&client, "POST /events HTTP/1.1\r\nHost: x\r\n");
    for (i = 0; i < 3; i++) {
        client_connect(&others[i], crierd.port);
        ck_assert_int_eq(client_request(&others[i], "GET", "/healthz", "",
                                        NULL),
                         200);
        free(client_body(&others[i]));
        client_send(&others[i], "POST /events HTTP/1.1\r\nHost: x\r\n"
                                "Content-Length: 5\r\nX:");
    }
    client_send(&client, "Content-Length: 5 5\r\n\r\nhello");
    expect_one_refusal(&client);
    client_close(&client);
    for (i = 0; i < 3; i++) {
        client_send(&others[i], "\r\n\r\nhello");
        ck_assert_int_eq(client_head(&others[i]), 200);
        client_close(&others[i]);
    }
}
END_TEST

static void open_idle(struct client *client)
{
    client_connect(client, crierd.port);
    ck_assert_int_eq(client_request(client, "GET", "/healthz", "", NULL), 200);
    free(client_body(client));
}

/* In one pass of a thread: libmicrohttpd frees the fields of a head that was cut off within
 * it, and then complains of another one. */
START_TEST(a_wrong_length_beside_a_head_that_is_cut_off)
{
    struct client client, gone;
    int status;

    crierd_stop(&crierd);
    crierd_start(&crierd, "--threads 1");
    open_idle(&client);
    open_idle(&gone);
    client_send(&gone, "POST /events HTTP/1.1\r\nContent-Length: x\r\nHost: x\r\nX:");
    ck_assert_int_eq(client_request(&client, "GET", "/healthz", "", NULL), 200);
    free(client_body(&client)); /* so it has read that, too */
    ck_assert_int_eq(kill(crierd.pid, SIGSTOP), 0);
    ck_assert_int_eq(waitpid(crierd.pid, &status, WUNTRACED), crierd.pid);
    client_close(&gone);
    client_send(&client, "POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: y\r\n\r\n");
    ck_assert_int_eq(kill(crierd.pid, SIGCONT), 0);
    expect_one_refusal(&client);
    client_close(&client);
}
END_TEST

/* '!' is a NUL. */
static const char *const with_nul[] = {
    "GET /healthz!abc HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /healthz! HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /healthz HTTP/1.1\r\nHost: x!y\r\n\r\n",
    "GET /healthz HTTP/1.1\r\nHost: x\r\nX: y!\r\n\r\n",
    "GET /healthz HTTP/1.1\r\nHost: x\r\nX!: y\r\n\r\n",
};

/* libmicrohttpd 1.0 closes a connection without an answer when it finds a NUL in the
 * first line. Only before a connection's first request crierd can look. */
START_TEST(a_nul_hides_nothing)
{
    struct client client;
    char *request = strdup(with_nul[_i]), *line;
    size_t length = strlen(request);

    *strchr(request, '!') = '\0';
    client_connect(&client, crierd.port);
    client_send_bytes(&client, request, length);
    ck_assert_int_eq(client_head(&client), 400);
    client_close(&client);
    client_connect(&client, crierd.port);
    ck_assert_int_eq(client_request(&client, "GET", "/healthz", "", NULL),
                     200);
    free(client_body(&client));
    client_send_bytes(&client, request, length);
    line = client_line(&client);
    ck_assert_msg(line == NULL || strstr(line, " 400 ") != NULL, "%s", line);
    free(line);
    client_close(&client);
    free(request);
}
END_TEST

/* ---- other origins ---------------------------------------------------- */

static const struct {
    const char *headers;
    int status;
} origins[] = {
    {"", 200},
    {"Origin: http://localhost\r\n", 200},
    {"Origin: https://localhost\r\n", 200},
    {"Origin: http://evil.example\r\n", 403},
    {"Origin: http://localhost:81\r\n", 403},
    {"Origin: null\r\n", 403},
    {"Origin: ://localhost\r\n", 403},
    {"Sec-Fetch-Site: same-origin\r\n", 200},
    {"Sec-Fetch-Site: none\r\n", 200},
    {"Sec-Fetch-Site: same-site\r\n", 403},
    {"Sec-Fetch-Site: cross-site\r\n", 403},
};

START_TEST(other_origins_change_nothing)
{
    const char *headers = origins[_i].headers;
    int status = origins[_i].status;

    ck_assert_int_eq(
        fetch(crierd.port, "POST", "/events", headers, "x", NULL), status);
    ck_assert_int_eq(
        fetch(crierd.port, "GET", "/events/x", headers, NULL, NULL), status);
    ck_assert_int_eq(fetch(crierd.port, "POST", "/users/x", headers, "", NULL),
                     status == 200 ? 201 : status);
    ck_assert_int_eq(
        fetch(crierd.port, "POST", "/chat", headers,
              "{\"user\":\"x\",\"text\":\"y\"}", NULL),
        status);
    ck_assert_int_eq(
        fetch(crierd.port, "DELETE", "/users/x", headers, NULL, NULL),
        status == 200 ? 204 : status);
    ck_assert_int_eq(fetch(crierd.port, "GET", "/healthz", headers, NULL,
                           NULL),
                     200);
}
END_TEST

/* Scheme, host without case, and port (RFC 6454 section 4). Which scheme the client
 * used only a proxy knows: Host is taken to be of that which Origin names. */
static const struct {
    const char *host, *origin;
    int status;
} same_origins[] = {
    {"www.example.com:80", "http://www.example.com", 200},
    {"www.example.com", "http://www.example.com:80", 200},
    {"www.example.com", "http://www.example.com", 200},
    {"www.example.com", "https://www.example.com", 200},
    {"www.example.com:443", "https://www.example.com", 200},
    {"www.example.com", "https://www.example.com:443", 200},
    {"www.example.com:8080", "http://www.example.com:8080", 200},
    {"www.example.com:8080", "https://www.example.com:8080", 200},
    {"www.example.com:", "http://www.example.com", 200},
    {"WWW.example.com", "HTTP://www.EXAMPLE.com:0080", 200},
    {"127.0.0.1:80", "http://127.0.0.1", 200},
    {"[::1]", "http://[::1]", 200},
    {"[::1]:80", "http://[::1]", 200},
    {"[2001:DB8::A]:443", "https://[2001:db8::a]", 200},
    {"[::1]:8080", "http://[::1]:8080", 200},
    {"www.example.com:443", "http://www.example.com", 403},
    {"www.example.com:80", "https://www.example.com", 403},
    {"www.example.com", "http://www.example.com:8080", 403},
    {"www.example.com:8080", "http://www.example.com", 403},
    {"www.example.com:80", "http://www.example.com:800", 403},
    {"www.example.com", "http://www.example.com.", 403},
    {"www.example.com", "http://example.com", 403},
    {"example.com", "http://www.example.com", 403},
    {"www.example.com", "http://www.example.community", 403},
    {"www.example.com", "ftp://www.example.com", 403},
    {"www.example.com", "chrome-extension://www.example.com", 403},
    {"www.example.com", "www.example.com", 403},
    {"www.example.com", "null", 403},
    {"null", "null", 403},
    {"www.example.com", "", 403},
    {"", "http://", 403},
    {":80", "http://:80", 403},
    {"www.example.com", "http://www.example.com/", 403},
    {"www.example.com", "http://a@www.example.com", 403},
    {"www.example.com", "http://www.example.com http://evil.example", 403},
    {"www.example.com:80x", "http://www.example.com:80x", 403},
    {"www.example.com:65616", "http://www.example.com", 403},
    {"www.example.com:18446744073709551696", "http://www.example.com", 403},
    {"www.example.com:80:80", "http://www.example.com:80:80", 403},
    {"[::1]", "http://[::1]:81", 403},
    {"[::1", "http://[::1", 403},
    {"[::1]80", "http://[::1]", 403},
    {"::1", "http://::1", 403},
    {"::1:80", "http://[::1]:80", 403},
};

/* The first target is answered by a pipeline, the second by libmicrohttpd. */
START_TEST(origins_are_compared_as_origins)
{
    static const char *const targets[] = {"/topics/x", "/events"};
    struct client client;
    size_t i;

    for (i = 0; i < 2; i++) {
        client_connect(&client, crierd.port);
        client_send(&client,
                    "POST %s HTTP/1.1\r\nHost: %s\r\nOrigin: %s\r\n"
                    "Content-Length: 1\r\n\r\nx",
                    targets[i], same_origins[_i].host,
                    same_origins[_i].origin);
        ck_assert_int_eq(client_head(&client), same_origins[_i].status);
        client_close(&client);
    }
}
END_TEST

START_TEST(a_foreign_origin_is_named)
{
    const char *const headers[] = {
        "Origin: http://evil.example:81\r\n",
        "Origin: https://evil.example:81\r\nSec-Fetch-Site: cross-site\r\n",
    };
    const char *const named[] = {"'http://evil.example:81'", "'cross-site'"};
    struct client client;

    client_connect(&client, crierd.port);
    ck_assert_int_eq(client_request(&client, "POST", "/topics/x",
                                    headers[_i], "x"),
                     403);
    expect_problem(&client, 403, named[_i]);
    ck_assert_int_eq(client_request(&client, "POST", "/events", headers[_i],
                                    "x"),
                     403);
    expect_problem(&client, 403, "'localhost'");
    client_close(&client);
}
END_TEST

static const struct {
    const char *method, *target, *headers, *body;
    int status;
} texts[] = {
    {"GET", "/healthz", "", NULL, 200},
    {"GET", "/topics", "", NULL, 200},
    {"GET", "/topics/none", "Accept: application/json\r\n", NULL, 404},
    {"GET", "/topics/x?format=odd", "", NULL, 400},
    {"POST", "/topics/x", "", "by a pipeline", 200},
    {"POST", "/topics/x", "Cookie: a=b\r\n", "not by a pipeline", 200},
    {"GET", "/topics/x", "Accept: application/json\r\n", NULL, 200},
    {"POST", "/topics/x?id=a%0Ab", "", "by a pipeline", 400},
    {"POST", "/topics/x", "Content-Type: text/event-stream\r\n",
     "data: a\n\ndata: b\n\n", 200},
    {"POST", "/topics/x", "Content-Type: text/event-stream\r\n", "data: a\n",
     400},
    {"POST", "/events", "", "hello", 200},
    {"GET", "/events/hello", "", NULL, 200},
    {"POST", "/chat", "", "{\"user\":\"ada\",\"text\":\"hi\"}", 200},
    {"POST", "/chat", "", "{", 400},
    {"POST", "/users/ada", "", "", 201},
    {"POST", "/users/ada", "", "", 200},
    {"GET", "/users", "", NULL, 200},
    {"GET", "/users", "Accept: application/json\r\n", NULL, 200},
    {"GET", "/nothing", "", NULL, 404},
    {"PUT", "/topics/x", "", "", 405},
    {"GET", "/tokens", "", NULL, 400},
    {"GET", "/quotes?symbol=none", "", NULL, 400},
    {"POST", "/chat", "Origin: http://b\r\n", "", 403},
};

/* Text and JSON end with one newline, which Content-Length counts. */
START_TEST(texts_end_with_a_newline)
{
    struct client client;
    size_t i, length;
    char *body;

    client_connect(&client, crierd.port);
    for (i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        ck_assert_msg(client_request(&client, texts[i].method, texts[i].target,
                                     texts[i].headers,
                                     texts[i].body) == texts[i].status,
                      "%s %s %zu", texts[i].method, texts[i].target, i);
        body = client_body(&client);
        length = strlen(body);
        ck_assert_msg(length > 1 && body[length - 1] == '\n' &&
                          body[length - 2] != '\n',
                      "%s: '%s'", texts[i].target, body);
        ck_assert_int_eq(atoi(client_header(&client, "Content-Length")),
                         (int)length);
        free(body);
    }
    /* What has no body stays without. */
    ck_assert_int_eq(fetch(crierd.port, "DELETE", "/users/ada", "", NULL, NULL),
                     204);
    ck_assert_int_eq(client_request(&client, "GET", "/users", "", NULL), 200);
    body = client_body(&client);
    ck_assert_str_eq(body, "");
    free(body);
    client_close(&client);
}
END_TEST

START_TEST(every_answer_is_guarded)
{
    static const char *const targets[] = {"/", "/healthz", "/nope",
                                          "/updates"};
    struct client client;
    size_t i;

    for (i = 0; i < 4; i++) {
        client_connect(&client, crierd.port);
        client_request(&client, "GET", targets[i], "", NULL);
        ck_assert_ptr_nonnull(strstr(
            client_header(&client, "Content-Security-Policy"),
            "default-src 'none'; script-src 'self'"));
        ck_assert_str_eq(client_header(&client, "X-Content-Type-Options"),
                         "nosniff");
        ck_assert_str_eq(client_header(&client, "Referrer-Policy"),
                         "no-referrer");
        client_close(&client);
    }
}
END_TEST

/* RFC 9110, section 5.5; both of a request that libmicrohttpd reads and of one that the
 * pipeline does (a plain POST). */
START_TEST(white_space_behind_a_value_is_no_part_of_it)
{
    static const char *const more[] = {"", "Trailer: a\r\n"};
    struct client client;
    char *body;

    client_connect(&client, crierd.port);
    client_send(&client,
                "POST /topics/blanks HTTP/1.1\r\nHost: a \r\n%s"
                "Origin: http://a\t\r\nEvent-Type: alert \t \r\nEvent-ID: b1 \r\n"
                "Event-Retry: 3000 \r\nContent-Length: 1\r\n\r\nx",
                more[_i]);
    ck_assert_int_eq(client_head(&client), 200);
    client_close(&client);
    client_connect(&client, crierd.port);
    client_send(&client, "GET /topics/blanks?poll=1&since=all HTTP/1.1\r\nHost: a\r\n"
                         "Connection: close\r\n\r\n");
    ck_assert_int_eq(client_head(&client), 200);
    body = client_body(&client);
    ck_assert_ptr_nonnull(strstr(body, "event: alert\n"));
    ck_assert_ptr_nonnull(strstr(body, "id: b1\n"));
    free(body);
    client_close(&client);
    client_connect(&client, crierd.port);
    client_send(&client, "GET /topics/blanks?poll=1 HTTP/1.1\r\nHost: a\r\n"
                         "Last-Event-ID: b1 \r\nConnection: close\r\n\r\n");
    ck_assert_int_eq(client_head(&client), 200);
    body = client_body(&client);
    ck_assert_ptr_null(strstr(body, "event: gap"));
    free(body);
    client_close(&client);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("http");
    TCase *c = add_case(s, "http");

#define COUNT(cases) (int)(sizeof cases / sizeof cases[0])
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_loop_test(c, a_problem_names_the_mistake, 0, COUNT(requests));
    tcase_add_test(c, options_tell_the_methods);
    tcase_add_loop_test(c, head_of_a_stream_has_headers_and_no_end, 0,
                        COUNT(streams));
    tcase_add_loop_test(c, no_proxy_may_change_a_stream, 0,
                        COUNT(event_streams));
    tcase_add_test(c, head_sees_the_same_mistakes);
    tcase_add_test(c, http_1_0);
    tcase_add_test(c, requests_share_a_connection);
    tcase_add_loop_test(c, a_body_has_a_limit, 0, 2);
    tcase_add_test(c, a_huge_body_is_refused_before_it_is_sent);
    tcase_add_loop_test(c, refused_before_the_body, 0, COUNT(unread));
    tcase_add_loop_test(c, a_refusal_is_received, 0, 2);
    tcase_add_test(c, head_is_refused_without_a_body);
    tcase_add_test(c, large_headers_are_431);
    tcase_add_loop_test(c, a_request_ends_in_one_place, 0, COUNT(framings));
    tcase_add_loop_test(c, a_body_in_chunks_ends_in_one_place, 0,
                        COUNT(chunked));
    tcase_add_loop_test(c, a_wrong_length_has_one_answer, 0,
                        COUNT(wrong_lengths));
    tcase_add_test(c, a_wrong_length_in_two_lines);
    tcase_add_test(c, a_wrong_length_beside_a_head_that_is_cut_off);
    tcase_add_test(c, a_wrong_length_in_good_company);
    tcase_add_loop_test(c, a_nul_hides_nothing, 0, COUNT(with_nul));
    tcase_add_loop_test(c, other_origins_change_nothing, 0, COUNT(origins));
    tcase_add_loop_test(c, origins_are_compared_as_origins, 0,
                        COUNT(same_origins));
    tcase_add_loop_test(c, a_foreign_origin_is_named, 0, 2);
    tcase_add_test(c, texts_end_with_a_newline);
    tcase_add_test(c, every_answer_is_guarded);
    tcase_add_loop_test(c, white_space_behind_a_value_is_no_part_of_it, 0, 2);
    return s;
}

RUN_SUITE(suite)
