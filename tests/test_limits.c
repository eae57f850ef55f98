/* Limits against abuse, and whose requests count for whom behind trusted proxies: end to
 * end, through both carriers. X-Forwarded-For gives clients their addresses here. How the
 * fields are read is test_forwarded.c's, and what is counted with, test_rates.c's. */
#include <config.h>

#include "crier.h"
#include "support/bulk.h"
#include "support/client.h"
#include "support/crierd.h"
#include "support/jwt.h"
#include "support/runner.h"
#include "support/scratch.h"
#include "support/topics.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define COUNT(cases) (int)(sizeof cases / sizeof cases[0])
#define FROM(address) "X-Forwarded-For: " address "\r\n"
#define PROXIED "--trusted-proxy 127.0.0.1 "

static struct crierd crierd;

static void start(const char *options)
{
    crierd_start(&crierd, options);
    topics_port = crierd.port;
}

/* Publishes to /topics/x with HEADERS, on a pipeline if PIPELINED, or by libmicrohttpd, which
 * alone takes Connection: close. Returns the status. */
static int publish(const char *headers, bool pipelined)
{
    char all[512];

    snprintf(all, sizeof all, "%s%s", headers, pipelined ? "" : "Connection: close\r\n");
    return fetch(crierd.port, "POST", "/topics/x", all, "hello", NULL);
}

/* How many publications a bucket of --publish-rate 1 holds. Another one comes every second. */
#define BURST 2

/* What came of publications that take from one bucket, which was full when they began. */
struct bucket {
    uint64_t begun;
    unsigned accepted;
};

static struct bucket begin_bucket(void)
{
    return (struct bucket){.begun = crier_now()};
}

/* Counts a publication with STATUS: BUCKET must have had room for it if it was accepted, and
 * none if not. On a busy machine there is more than two, after a second. */
static void expect_limited(struct bucket *bucket, int status)
{
    uint64_t seconds = (crier_now() + 1 - bucket->begun) / 1000;

    if (status == 429)
        ck_assert_uint_ge(bucket->accepted, BURST);
    else
        ck_assert_int_eq(status, 200);
    bucket->accepted += status == 200;
    ck_assert_uint_le(bucket->accepted, BURST + seconds);
}

/* ---- who the client is ------------------------------------------------ */

static const struct {
    const char *headers, *logged;
} reports[] = {
    {FROM("6.6.6.6, 203.0.113.5"), " 203.0.113.5 "},
    {FROM("[2001:db8::5]:81"), " [2001:db8::5]:81 "},
    {"Forwarded: for=\"203.0.113.6:82\";proto=https\r\n", " 203.0.113.6:82 "},
    {FROM("6.6.6.6") FROM("203.0.113.7"), " 203.0.113.7 "},
};

START_TEST(the_log_has_the_client)
{
    start(PROXIED "--limit-exempt 203.0.113.0/24");
    ck_assert_int_eq(publish(reports[_i].headers, true), 200);
    crierd_wait_log(&crierd, reports[_i].logged);
    crierd_stop(&crierd);
    start(PROXIED);
    ck_assert_int_eq(publish(reports[_i].headers, false), 200);
    crierd_wait_log(&crierd, reports[_i].logged);
    crierd_stop(&crierd);
}
END_TEST

/* Nobody else is believed: neither who is not named, nor without --trusted-proxy. */
START_TEST(an_untrusted_peer_changes_nothing)
{
    static const char *const options[] = {"", "--trusted-proxy 10.0.0.0/8",
                                          "--trusted-proxy unix"};
    struct bucket one; /* for all */
    char text[256];

    snprintf(text, sizeof text, "%s --publish-rate 1", options[_i % 3]);
    start(text);
    one = begin_bucket();
    expect_limited(&one, publish(FROM("203.0.113.5"), _i < 3));
    expect_limited(&one, publish(FROM("203.0.113.6"), _i < 3));
    expect_limited(&one, publish("Forwarded: for=203.0.113.7\r\n", _i < 3));
    crierd_wait_log(&crierd, " 127.0.0.1:");
    ck_assert(!crierd_logged(&crierd, "203.0.113"));
    ck_assert_int_eq(publish("Origin: https://a.example\r\nX-Forwarded-Host: a.example\r\n"
                             "X-Forwarded-Proto: https\r\n",
                             _i < 3),
                     403);
    crierd_stop(&crierd);
}
END_TEST

static const struct {
    const char *headers;
    int status;
} pages[] = {
    {"Origin: https://a.example\r\nX-Forwarded-Host: a.example\r\n"
     "X-Forwarded-Proto: https\r\n",
     200},
    {"Origin: https://a.example\r\nForwarded: for=203.0.113.5;host=a.example;proto=https\r\n",
     200},
    {"Origin: https://a.example:8443\r\nX-Forwarded-Host: a.example:8443\r\n", 200},
    {"Origin: https://a.example\r\nX-Forwarded-Host: evil.example, a.example\r\n", 200},
    /* http:// is another origin than the https:// that the proxy serves. */
    {"Origin: http://a.example\r\nX-Forwarded-Host: a.example\r\n"
     "X-Forwarded-Proto: https\r\n",
     403},
    {"Origin: https://evil.example\r\nX-Forwarded-Host: a.example\r\n", 403},
    {"Origin: https://evil.example\r\nX-Forwarded-Host: evil.example, a.example\r\n", 403},
    {"Origin: https://a.example\r\n", 403},
    /* Where the two kinds contradict each other, neither counts. */
    {"Origin: https://evil.example\r\nX-Forwarded-Host: a.example\r\n"
     "Forwarded: host=evil.example\r\n",
     403},
};

START_TEST(same_origin_behind_a_proxy)
{
    int i;

    start(PROXIED);
    for (i = 0; i < COUNT(pages); i++) {
        ck_assert_msg(publish(pages[i].headers, true) == pages[i].status, "%s",
                      pages[i].headers);
        ck_assert_msg(publish(pages[i].headers, false) == pages[i].status, "%s",
                      pages[i].headers);
    }
    crierd_stop(&crierd);
}
END_TEST

/* ---- streams ---------------------------------------------------------- */

static struct client streams[8];

/* Opens the stream I of TARGET with HEADERS; returns the status. */
static int subscribe(int i, const char *target, const char *headers)
{
    client_connect(&streams[i], crierd.port);
    return client_request(&streams[i], "GET", target, headers, NULL);
}

/* Opens the stream I as soon as that is possible. */
static void subscribe_at_last(int i, const char *target, const char *headers)
{
    int status;

    while ((status = subscribe(i, target, headers)) == 429)
        client_close(&streams[i]);
    ck_assert_int_eq(status, 200);
}

/* That the client with HEADERS may have two streams, and no more. */
static void expect_two(const char *headers)
{
    subscribe_at_last(0, "/topics/x", headers);
    subscribe_at_last(1, "/topics/y", headers);
    ck_assert_int_eq(subscribe(2, "/topics/x", headers), 429);
    ck_assert_str_eq(client_header(&streams[2], "Content-Type"),
                     "application/problem+json");
    ck_assert_str_eq(client_header(&streams[2], "Retry-After"), "10");
    client_close(&streams[0]);
    client_close(&streams[1]);
    client_close(&streams[2]);
}

#define TWO PROXIED "--max-clients-per-address 2 --log-level debug "

START_TEST(streams_of_an_address)
{
    start(TWO "--limit-exempt 192.0.2.0/24");
    expect_two("");
    expect_two(FROM("203.0.113.5"));
    /* Each other one has two of its own; of IPv6, a /64 has. */
    ck_assert_int_eq(subscribe(0, "/topics/x", FROM("2001:db8::1")), 200);
    ck_assert_int_eq(subscribe(1, "/topics/x", FROM("2001:db8::2")), 200);
    ck_assert_int_eq(subscribe(2, "/topics/x", FROM("2001:db8::3:4")), 429);
    ck_assert_int_eq(subscribe(3, "/topics/x", FROM("2001:db8:0:1::1")), 200);
    /* HEAD opens none. */
    ck_assert_int_eq(fetch(crierd.port, "HEAD", "/topics/x", FROM("2001:db8::1"), NULL, NULL),
                     200);
    ck_assert_int_eq(subscribe(4, "/topics/x", FROM("192.0.2.1")), 200);
    ck_assert_int_eq(subscribe(5, "/topics/x", FROM("192.0.2.1")), 200);
    ck_assert_int_eq(subscribe(6, "/topics/x", FROM("192.0.2.1")), 200);
    crierd_wait_log(&crierd, "--max-clients-per-address: 1 refused, the last one from ");
    crierd_stop(&crierd);
}
END_TEST

static const char *const kinds[] = {
    "/topics/x",
    "/topics/*?poll=1&since=0",
    "/.well-known/mercure?topic=x",
    "/ticks",
    "/sse",
    "/events",
    "/chat?user=ada",
    "/quotes",
    "/tokens?prompt=x&answer=a" /* one answer for all: few may be written at a time */
};

/* Streams of all kinds count, and give back what they had however they end: the client
 * leaves, or is cut off, or the response was never sent. */
START_TEST(streams_of_all_kinds)
{
    const char *target = kinds[_i];
    int i;

    start(TWO);
    for (i = 0; i < 3; i++)
        topics_put("/topics/x", "hello");
    for (i = 0; i < 3; i++) {
        subscribe_at_last(0, target, FROM("203.0.113.5"));
        subscribe_at_last(1, target, FROM("203.0.113.5"));
        if (strstr(target, "poll") == NULL) {
            ck_assert_int_eq(subscribe(2, "/topics/x", FROM("203.0.113.5")), 429);
            client_close(&streams[2]);
        }
        client_close(&streams[0]);
        client_reset(&streams[1]);
    }
    expect_two(FROM("203.0.113.5"));
    crierd_stop(&crierd);
}
END_TEST

/* Writes a target with 101 topics, which no stream may have, to TEXT. */
static void write_many_topics(char *text, size_t size)
{
    size_t length = (size_t)snprintf(text, size, "/topics/a");
    int i;

    for (i = 0; i < 100; i++)
        length += (size_t)snprintf(text + length, size - length, ",%d", i);
}

START_TEST(streams_that_the_server_ends)
{
    char target[1024];
    int i;

    start(TWO);
    write_many_topics(target, sizeof target);
    for (i = 0; i < 5; i++) /* made, and never sent */
        while (fetch(crierd.port, "GET", target, FROM("203.0.113.5"), NULL, NULL) == 429)
            ;
    subscribe_at_last(0, "/topics/over", FROM("203.0.113.5"));
    subscribe_at_last(1, "/topics/over", FROM("203.0.113.5"));
    topics_put("/topics/over?last=1", "the end");
    client_expect_event(&streams[0], "data: the end");
    client_expect_end(&streams[0]);
    client_close(&streams[0]);
    client_close(&streams[1]);
    expect_two(FROM("203.0.113.5"));
    crierd_stop(&crierd);
}
END_TEST

#define SECRET "a secret of the tests, which is long enough for HS256"

/* Returns the fields of the client at ADDRESS with a token whose subject is SUBJECT. */
static char *with_token(const char *subject, const char *address)
{
    char claims[256], *token, *headers;

    snprintf(claims, sizeof claims,
             "{\"sub\":\"%s\",\"mercure\":{\"publish\":[\"*\"],\"subscribe\":[\"*\"]}}",
             subject);
    token = jwt_make(SECRET, claims);
    ck_assert_int_gt(asprintf(&headers, FROM("%s") "Authorization: Bearer %s\r\n", address,
                              token),
                     0);
    free(token);
    return headers;
}

static void start_with_key(const char *options)
{
    char text[512], path[SCRATCH_SIZE + 8];

    scratch_make();
    scratch_write("key", SECRET);
    snprintf(path, sizeof path, "%s/key", scratch);
    snprintf(text, sizeof text, PROXIED "--jwt-key HS256:@%s --demo on %s", path, options);
    start(text);
}

START_TEST(a_subject_at_many_addresses)
{
    char *ada[3] = {with_token("ada", "203.0.113.1"), with_token("ada", "203.0.113.2"),
                    with_token("ada", "203.0.113.3")};
    char *bob = with_token("bob", "203.0.113.1");
    struct bucket hers;
    int i;

    start_with_key("--max-clients-per-address 2 --publish-rate 1");
    hers = begin_bucket();
    for (i = 0; i < 3; i++) {
        ck_assert_int_eq(subscribe(i, "/topics/x", ada[i]), i < 2 ? 200 : 429);
        expect_limited(&hers, publish(ada[i], true));
    }
    /* Of the address, there is one more; and bob publishes as himself. */
    ck_assert_int_eq(subscribe(3, "/topics/x", bob), 200);
    ck_assert_int_eq(subscribe(4, "/topics/x", bob), 429);
    ck_assert_int_eq(publish(bob, false), 200);
    for (i = 0; i < 3; i++)
        free(ada[i]);
    free(bob);
    crierd_stop(&crierd);
    scratch_remove();
}
END_TEST

/* ---- publishing ------------------------------------------------------- */

/* Requests of one connection, which a pipeline carries, count for their clients. */
START_TEST(clients_of_one_pipeline)
{
    static const char *const addresses[] = {"203.0.113.1", "203.0.113.2", "unknown"};
    static const int turns[] = {0, 0, 0, 1, 0, 1, 1, 2, 2, 2};
    struct bucket buckets[COUNT(addresses)];
    struct client client;
    int i, status;

    start(PROXIED "--publish-rate 1 --limit-exempt 127.0.0.1");
    client_connect(&client, crierd.port);
    for (i = 0; i < COUNT(addresses); i++)
        buckets[i] = begin_bucket();
    for (i = 0; i < COUNT(turns); i++)
        client_send(&client,
                    "POST /topics/x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n" FROM(
                        "%s") "\r\nhi",
                    addresses[turns[i]]);
    for (i = 0; i < COUNT(turns); i++) {
        status = client_head(&client);
        expect_limited(&buckets[turns[i]], status);
        if (status == 429)
            ck_assert_str_eq(client_header(&client, "Retry-After"), "1");
        free(client_body(&client));
    }
    client_close(&client);
    /* The proxy itself is exempt; who hides behind it is not. */
    for (i = 0; i < 5; i++)
        ck_assert_int_eq(publish("", i % 2 == 0), 200);
    crierd_stop(&crierd);
}
END_TEST

static const struct {
    const char *target, *headers, *body;
} ways[] = {
    {"/topics/x", "", "hello"},
    {"/topics/x", "Connection: close\r\n", "hello"},
    {"/topics/x", "Content-Type: text/event-stream\r\n", "data: a\n\n"},
    {"/.well-known/mercure", "Content-Type: application/x-www-form-urlencoded\r\n",
     "topic=x&data=hello"},
    {"/events", "", "hello"},
    {"/chat", "Content-Type: application/json\r\n", "{\"user\":\"ada\",\"text\":\"hi\"}"},
};

/* Publishes in the way I; returns the status. */
static int publish_by(int i, char **answer)
{
    return fetch(crierd.port, "POST", ways[i].target, ways[i].headers, ways[i].body, answer);
}

/* Each way to publish takes from the same bucket. */
START_TEST(all_ways_to_publish)
{
    struct bucket one;
    json_t *problem;
    int i, status;
    char *answer = NULL;

    start("--publish-rate 1");
    one = begin_bucket();
    do {
        free(answer);
        status = publish_by(_i, &answer);
        expect_limited(&one, status);
    } while (status == 200);
    problem = json_loads(answer, 0, NULL);
    ck_assert_int_eq(json_number(problem, "status"), 429);
    json_decref(problem);
    free(answer);
    for (i = 0; i < COUNT(ways); i++)
        expect_limited(&one, publish_by(i, NULL));
    crierd_wait_log(&crierd, "--publish-rate: 1 refused, the last one from 127.0.0.1:");
    /* What is no publication needs nothing of it. */
    ck_assert_int_ne(fetch(crierd.port, "DELETE", "/topics/x", "", NULL, NULL), 429);
    crierd_stop(&crierd);
}
END_TEST

/* A refused request has published nothing of itself, and is published when it is sent
 * again with the same ids. */
START_TEST(a_bulk_is_refused_as_a_whole)
{
    char *first = bulk_numbered("a", 0, 10000), *second = bulk_numbered("b", 0, 10), *answer;
    int status, refused = 0;
    uint64_t begun;

    start("--publish-rate 4000"); /* a bucket of 8000, which owes 2000 then */
    begun = crier_now();
    bulk_expect("/topics/x", first, 200, 10000, 0);
    do {
        status = fetch(crierd.port, "POST", "/topics/x", STREAM, second, &answer);
        if (status == 429) {
            free(answer);
            refused++;
        }
    } while (status == 429);
    ck_assert(refused > 0 || crier_now() - begun >= 500);
    ck_assert_int_eq(status, 200);
    ck_assert_ptr_nonnull(strstr(answer, "\"published\":10,\"duplicates\":0"));
    ck_assert_ptr_nonnull(strstr(answer, "\"position\":10010"));
    free(answer);
    free(first);
    free(second);
    crierd_stop(&crierd);
}
END_TEST

/* Bytes count on their own, and a body whose length is known is refused before it is
 * sent. */
START_TEST(a_body_is_refused_unread)
{
    char body[30001]; /* as much as comes in 30 s */
    struct client client;

    memset(body, 'x', sizeof body - 1);
    body[sizeof body - 1] = '\0';
    start("--publish-rate 1000,1K");
    ck_assert_int_eq(fetch(crierd.port, "POST", "/topics/x", "", body, NULL), 200);
    client_connect(&client, crierd.port);
    client_send(&client, "%s",
                "POST /topics/x HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
    ck_assert_int_eq(client_head(&client), 429);
    ck_assert_int_ge(atoi(client_header(&client, "Retry-After")), 1);
    ck_assert_int_le(atoi(client_header(&client, "Retry-After")), 30);
    client_close(&client);
    crierd_stop(&crierd);
}
END_TEST

/* ---- connections ------------------------------------------------------ */

/* Connects from ADDRESS and sends TEXT. */
static int connect_from(const char *address, const char *text)
{
    struct sockaddr_in from = {.sin_family = AF_INET};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((in_port_t)crierd.port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    ck_assert_int_eq(inet_pton(AF_INET, address, &from.sin_addr), 1);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&from, sizeof from), 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    (void)send(fd, text, strlen(text), MSG_NOSIGNAL);
    return fd;
}

/* Whether FD gets a response; otherwise it is closed. Closes FD. */
static bool is_served(int fd)
{
    struct pollfd wanted = {.fd = fd, .events = POLLIN};
    char byte;
    bool served;

    ck_assert_int_eq(poll(&wanted, 1, PATIENCE), 1);
    served = recv(fd, &byte, 1, 0) == 1;
    close(fd);
    return served;
}

/* That GET /metrics has refusals of LIMIT. */
static void expect_counted(const char *limit)
{
    char row[96], *answer;
    const char *found;

    ck_assert_int_eq(fetch(crierd.port, "GET", "/metrics", "", NULL, &answer), 200);
    snprintf(row, sizeof row, "crier_limited_total{limit=\"%s\"} ", limit);
    found = strstr(answer, row);
    ck_assert_ptr_nonnull(found);
    ck_assert_int_gt(atoi(found + strlen(row)), 0);
    free(answer);
}

#define PING "GET /healthz HTTP/1.0\r\n\r\n"

START_TEST(connections_a_second)
{
    const char *option = _i == 0   ? ""
                         : _i == 1 ? "--limit-exempt 127.0.0.2"
                                   : "--trusted-proxy 127.0.0.2";
    int i, served = 0, fds[40];
    char options[128];

    snprintf(options, sizeof options, "--connect-rate 1 %s", option);
    start(options);
    for (i = 0; i < COUNT(fds); i++)
        fds[i] = connect_from("127.0.0.2", PING);
    for (i = 0; i < COUNT(fds); i++)
        served += is_served(fds[i]);
    if (_i == 0) { /* a bucket of two, and a few seconds on a slow machine */
        ck_assert_int_ge(served, 2);
        ck_assert_int_lt(served, COUNT(fds));
        crierd_wait_log(&crierd, " refused, the last one from 127.0.0.2:");
        expect_counted("connect-rate");
    } else {
        ck_assert_int_eq(served, COUNT(fds));
    }
    ck_assert(is_served(connect_from("127.0.0.3", PING)));
    crierd_stop(&crierd);
}
END_TEST

#define FILES 100
#define SILENT 80

/* Where descriptors are short, an address that opens many connections and sends nothing
 * replaces its own: those of others stay, though they have waited longer. */
START_TEST(a_crowd_makes_room_itself)
{
    const struct rlimit limit = {FILES, FILES};
    int old[3], silent[SILENT], i;

    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    start("--threads 1");
    for (i = 0; i < 3; i++)
        old[i] = connect_from("127.0.0.3", "GET /healthz HTTP/1.0\r\n");
    for (i = 0; i < SILENT; i++)
        silent[i] = connect_from("127.0.0.2", "GET /he");
    for (i = 0; i < 5; i++)
        ck_assert(is_served(connect_from("127.0.0.4", PING)));
    ck_assert(!is_served(silent[0]));
    for (i = 0; i < 3; i++) {
        (void)send(old[i], "\r\n", 2, MSG_NOSIGNAL);
        ck_assert(is_served(old[i]));
    }
    for (i = 1; i < SILENT; i++)
        close(silent[i]);
    crierd_stop(&crierd);
}
END_TEST

/* ---- reload ----------------------------------------------------------- */

START_TEST(all_can_be_reloaded)
{
    char options[SCRATCH_SIZE + 32];
    struct bucket one;
    int i;

    scratch_make();
    scratch_write("conf", "");
    snprintf(options, sizeof options, "--config %s/conf", scratch);
    start(options);
    for (i = 0; i < 3; i++) {
        ck_assert_int_eq(subscribe(i, "/topics/x", FROM("203.0.113.5")), 200);
        ck_assert_int_eq(publish(FROM("203.0.113.5"), i == 0), 200);
    }
    scratch_write("conf", "trusted-proxy = 127.0.0.1\nmax-clients-per-address = 1\n"
               "publish-rate = 1\nconnect-rate = 100000\nlimit-exempt = 192.0.2.1\n");
    ck_assert_int_eq(kill(crierd.pid, SIGHUP), 0);
    crierd_wait_log(&crierd, "the configuration was reloaded");
    /* What is open goes on, and is not counted. */
    ck_assert_int_eq(subscribe(3, "/topics/x", FROM("203.0.113.5")), 200);
    ck_assert_int_eq(subscribe(4, "/topics/x", FROM("203.0.113.5")), 429);
    one = begin_bucket();
    for (i = 0; i < 3; i++)
        expect_limited(&one, publish(FROM("203.0.113.5"), i == 0));
    for (i = 0; i < 3; i++)
        ck_assert_int_eq(publish(FROM("192.0.2.1"), i == 0), 200);
    client_expect_event(&streams[0], "data: hello");
    crierd_stop(&crierd);
    scratch_remove();
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("limits");
    TCase *t = add_case(s, "limits");

    tcase_add_loop_test(t, the_log_has_the_client, 0, COUNT(reports));
    tcase_add_loop_test(t, an_untrusted_peer_changes_nothing, 0, 6);
    tcase_add_test(t, same_origin_behind_a_proxy);
    tcase_add_test(t, streams_of_an_address);
    tcase_add_loop_test(t, streams_of_all_kinds, 0, COUNT(kinds));
    tcase_add_test(t, streams_that_the_server_ends);
    tcase_add_test(t, a_subject_at_many_addresses);
    tcase_add_test(t, clients_of_one_pipeline);
    tcase_add_loop_test(t, all_ways_to_publish, 0, COUNT(ways));
    tcase_add_test(t, a_bulk_is_refused_as_a_whole);
    tcase_add_test(t, a_body_is_refused_unread);
    tcase_add_loop_test(t, connections_a_second, 0, 3);
    tcase_add_test(t, a_crowd_makes_room_itself);
    tcase_add_test(t, all_can_be_reloaded);
    return s;
}

RUN_SUITE(make_suite)
