/*
 * The acceptor: how long it waits. crierd's HTTP side runs in this process, with
 * a clock that the test moves; connections are one end of a socketpair each.
 */
#include <config.h>

#include "crierd/api/api.h"
#include "crierd/http/http.h"
#include "crierd/net/acceptor.h"
#include "crierd/net/listener.h"
#include "crierd/log/log.h"
#include "support/runner.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE 20000
#define HALF "POST /topics/x HTTP/1.1\r\nHost: a\r\n"
#define WHOLE HALF "Content-Length: 1\r\n\r\nx"

uint64_t __real_crier_now(void);
uint64_t __wrap_crier_now(void);

static atomic_ullong passed; /* ms beyond the real time */

uint64_t __wrap_crier_now(void)
{
    return __real_crier_now() + atomic_load(&passed);
}

int __real_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                       struct addrinfo **found);
int __wrap_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                       struct addrinfo **found);

/* The name "names.test" has three addresses, the last two of which are the same. */
int __wrap_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                       struct addrinfo **found)
{
    static const char *const addresses[] = {"127.0.0.1", "127.0.0.2", "127.0.0.2"};
    int error = 0;
    size_t i;

    if (host == NULL || strcmp(host, "names.test") != 0)
        return __real_getaddrinfo(host, port, hints, found);
    for (i = 0; i < 3 && error == 0; i++) {
        error = __real_getaddrinfo(addresses[i], port, hints, found);
        found = &(*found)->ai_next;
    }
    return error;
}

static struct conf conf = {.threads = 1,
                           .anonymous = CONF_ANONYMOUS_ALL,
                           .auth_cookie = "mercureAuthorization",
                           .ping = 3600000,
                           .max_topics = 100,
                           .max_update = 1024 * 1024,
                           .retention = {.count = 50}};
static struct server server = {.conf = &conf};
static struct http http;
static struct acceptor *acceptor;

static void setup(void)
{
    const struct crier_shards_options shards = {.threads = 1,
                                                .resume = exchange_resume};
    const struct crier_journal_options options = {
        .retention = conf.retention, .max_topics = conf.max_topics};
    struct acceptor_options accepting;
    struct crier_journal *journal;

    log_set_level(LOG_ERROR);
    ck_assert(conf_publish(&conf));
    server.tables[0].routes = api_routes;
    server.descriptors = (struct descriptors){
        .most = 10, .clients = 10, .crowded = 1000};
    ck_assert_int_eq(crier_shards_new(&shards, &server.shards), 0);
    ck_assert_int_eq(crier_journal_memory(&options, &journal), 0);
    ck_assert_int_eq(
        crier_hub_new(server.shards, journal, NULL, &server.hub), 0);
    ck_assert_ptr_null(
        listeners_add(&server.listeners, "127.0.0.1:0", &(struct listener){0}));
    ck_assert(http_start(&http, &server));
    accepting.service = &http_service;
    accepting.context = &http;
    accepting.threads = conf.threads;
    accepting.listeners = &server.listeners;
    accepting.crowded = (int)server.descriptors.crowded;
    acceptor = acceptor_open(&accepting);
    ck_assert_ptr_nonnull(acceptor);
}

static void teardown(void)
{
    acceptor_shut(acceptor);
    crier_hub_close(server.hub);
    ck_assert_uint_eq(crier_shards_drain(server.shards, 1, 2, PATIENCE), 0);
    acceptor_close(acceptor);
    listeners_close(&server.listeners);
    http_stop(&http);
    crier_shards_free(server.shards);
    crier_hub_free(server.hub);
}

/* Connects: the client's end. */
static int come(void)
{
    const struct sockaddr address = {.sa_family = AF_UNIX};
    int ends[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    ck_assert_int_eq(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    acceptor_let_in(acceptor, ends[1], server.listeners.list, &address,
                    sizeof address);
    return ends[0];
}

static void say(int fd, const char *text)
{
    size_t length = strlen(text);

    ck_assert_int_eq(send(fd, text, length, MSG_NOSIGNAL), (ssize_t)length);
}

/* Reads some more behind the LENGTH bytes in TEXT. 0 at the end. */
static size_t hear(int fd, char *text, size_t size, size_t length)
{
    struct pollfd wanted = {.fd = fd, .events = POLLIN};
    ssize_t got;

    ck_assert_int_eq(poll(&wanted, 1, PATIENCE), 1);
    got = recv(fd, text + length, size - 1 - length, 0);
    if (got < 0 && errno == ECONNRESET) /* what was sent is not read any more */
        got = 0;
    ck_assert_int_ge(got, 0);
    text[length + (size_t)got] = '\0';
    return (size_t)got;
}

/* Takes a whole answer, which must begin with BEGIN and end with END. */
static void expect(int fd, const char *begin, const char *end)
{
    size_t length = 0, got;
    char text[4096] = "";

    while (length < strlen(end) ||
           strcmp(text + length - strlen(end), end) != 0) {
        got = hear(fd, text, sizeof text, length);
        ck_assert_msg(got != 0, "ends with '%s'", text);
        length += got;
    }
    ck_assert_msg(strncmp(text, begin, strlen(begin)) == 0, "%s", text);
}

static void expect_end(int fd)
{
    char text[4096];

    ck_assert_msg(hear(fd, text, sizeof text, 0) == 0, "%s", text);
    close(fd);
}

/* Advances the clock by TIME ms. A new connection makes the thread look at the clock; when
 * its request is answered, that has been done. */
static void pass(uint64_t time)
{
    int fd;

    atomic_fetch_add(&passed, time);
    fd = come();
    say(fd, "GET /topics/x%00 HTTP/1.1\r\nHost: a\r\n\r\n");
    expect(fd, "HTTP/1.1 400", "}\n");
    close(fd);
}

/* Connects; the acceptor has the connection when this returns. */
static int visit(void)
{
    int fd = come();

    pass(0);
    return fd;
}

START_TEST(half_a_head_is_waited_for)
{
    int fd = visit();

    say(fd, HALF);
    pass(25000);
    say(fd, "Content-Length: 1\r\n\r\nx");
    expect(fd, "HTTP/1.1 200", "\"subscribers\":0}\n");
    close(fd);
}
END_TEST

/* Bytes that come now and then do not make the time longer. */
START_TEST(a_slow_head_is_refused)
{
    int fd = visit();

    say(fd, HALF);
    pass(15000);
    say(fd, "A: b\r\n");
    pass(10000);
    say(fd, "C: d\r\n");
    pass(5001);
    expect(fd, "HTTP/1.1 408 Request Timeout\r\n", "\r\n\r\n");
    expect_end(fd);
}
END_TEST

START_TEST(a_silent_client_gets_no_response)
{
    int fd = visit();

    pass(30001);
    expect_end(fd);
}
END_TEST

START_TEST(a_publisher_may_pause)
{
    int fd = visit(), i;

    for (i = 0; i < 3; i++) {
        say(fd, WHOLE);
        expect(fd, "HTTP/1.1 200", "\"subscribers\":0}\n");
        pass(25000);
    }
    pass(5001);
    expect_end(fd);
}
END_TEST

/* Only whole requests make the time longer. */
START_TEST(half_a_head_ends_a_pipeline)
{
    int fd = visit();

    say(fd, WHOLE);
    expect(fd, "HTTP/1.1 200", "\"subscribers\":0}\n");
    pass(15000);
    say(fd, HALF);
    pass(15001);
    expect_end(fd);
}
END_TEST

/* libmicrohttpd has the time for a body that is slow. */
START_TEST(half_a_body_is_libmicrohttpds)
{
    int fd = visit();

    say(fd, HALF "Content-Length: 5\r\n\r\nab");
    pass(30001);
    say(fd, "cde");
    expect(fd, "HTTP/1.1 200", "\"subscribers\":0}\n");
    say(fd, WHOLE);
    expect(fd, "HTTP/1.1 200", "\"subscribers\":0}\n");
    close(fd);
}
END_TEST

/* A connection that was handed over may be answered before the count is decremented. */
static void wait_for_count(size_t count)
{
    uint64_t late = __real_crier_now() + PATIENCE;

    while (acceptor_count(acceptor) != count)
        ck_assert_uint_lt(__real_crier_now(), late);
}

START_TEST(waiting_connections_are_counted)
{
    int fd = visit();

    say(fd, HALF);
    wait_for_count(1);
    close(fd);
    wait_for_count(0);
}
END_TEST

/* A pipeline goes on, a connection without a head is closed. */
START_TEST(a_shut_acceptor)
{
    int half = visit(), pipeline = visit();

    say(half, HALF);
    say(pipeline, WHOLE);
    expect(pipeline, "HTTP/1.1 200", "\"subscribers\":0}\n");
    acceptor_shut(acceptor);
    expect_end(half);
    say(pipeline, WHOLE);
    expect(pipeline, "HTTP/1.1 200", "\"subscribers\":0}\n");
    close(pipeline);
}
END_TEST

/* A client that is refused before its body came may go on sending, but not for ever. */
START_TEST(a_refused_client_lingers)
{
    char text[4096];
    int fd = visit(), i;

    say(fd, "POST /nothing HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\n");
    expect(fd, "HTTP/1.1 404", "}\n");
    ck_assert_uint_eq(hear(fd, text, sizeof text, 0), 0); /* no more is said */
    for (i = 0; i < 2; i++) {
        pass(1000);
        say(fd, "x");
    }
    pass(3000);
    pass(0);
    ck_assert_int_eq(send(fd, "x", 1, MSG_NOSIGNAL), -1);
    ck_assert_int_eq(errno, EPIPE);
    close(fd);
}
END_TEST

/* ---- two threads ------------------------------------------------------- */

static void setup_two(void)
{
    conf.threads = 2;
    setup();
}

/* Whichever thread the kernel wakes, both get connections: libmicrohttpd walks all of a
 * thread's connections when one ends. */
START_TEST(threads_keep_even)
{
    static int fds[400];
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    unsigned most = 0, load, i;
    char text[4096];

    ck_assert_int_eq(
        getsockname(server.listeners.list[0].socket,
                    (struct sockaddr *)&address, &length),
        0);
    for (i = 0; i < 400; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM, 0);
        ck_assert_int_eq(
            connect(fds[i], (struct sockaddr *)&address, length), 0);
        say(fds[i], "GET /topics/x HTTP/1.1\r\nHost: a\r\n\r\n");
        ck_assert_uint_ne(hear(fds[i], text, sizeof text, 0), 0);
    }
    ck_assert_uint_eq(http_count(&http), 400);
    for (i = 0; i < 2; i++) {
        load = atomic_load(&http.loops[i].connections);
        most = load > most ? load : most;
    }
    ck_assert_uint_lt(most, 250);
    for (i = 0; i < 400; i++)
        close(fds[i]);
}
END_TEST

/* ---- listeners -------------------------------------------------------- */

START_TEST(an_address_that_a_name_has_twice_is_listened_on_once)
{
    struct listeners listeners = {0};

    ck_assert_ptr_null(
        listeners_add(&listeners, "names.test:0", &(struct listener){0}));
    ck_assert_uint_eq(listeners.count, 2);
    ck_assert_str_eq(strrchr(listeners.list[0].name, ':'),
                     strrchr(listeners.list[1].name, ':'));
    listeners_close(&listeners);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("acceptor");
    TCase *c = add_case(s, "one thread");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, half_a_head_is_waited_for);
    tcase_add_test(c, a_slow_head_is_refused);
    tcase_add_test(c, a_silent_client_gets_no_response);
    tcase_add_test(c, a_publisher_may_pause);
    tcase_add_test(c, half_a_head_ends_a_pipeline);
    tcase_add_test(c, half_a_body_is_libmicrohttpds);
    tcase_add_test(c, waiting_connections_are_counted);
    tcase_add_test(c, a_shut_acceptor);
    tcase_add_test(c, a_refused_client_lingers);
    tcase_add_test(c, an_address_that_a_name_has_twice_is_listened_on_once);
    c = add_case(s, "two threads");
    tcase_add_checked_fixture(c, setup_two, teardown);
    tcase_add_test(c, threads_keep_even);
    return s;
}

RUN_SUITE(suite)
