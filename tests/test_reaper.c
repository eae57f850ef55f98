/*
 * A client that sends a request byte by byte has a deadline. crierd's code runs in this
 * program, but for its main and its acceptor, and skip() advances its clock.
 */
#include <config.h>

#include "crierd/api/api.h"
#include "crierd/http/http.h"
#include "crierd/net/listener.h"
#include "crierd/log/log.h"
#include "support/client.h"
#include "support/runner.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* The names that the linker's --wrap gives it. */
uint64_t __real_crier_now(void);
uint64_t __wrap_crier_now(void);

static atomic_uint_least64_t skipped;

uint64_t __wrap_crier_now(void)
{
    return __real_crier_now() + atomic_load(&skipped);
}

static void skip(uint64_t ms)
{
    atomic_fetch_add(&skipped, ms);
}

/* ---- the reaper alone ------------------------------------------------- */

static struct reaper reaper;
static int ends[2];
static struct reaper_entry *reaped;

static void admit(void)
{
    reaper_init(&reaper);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    reaped = reaper_add(&reaper, ends[0]);
    ck_assert_ptr_nonnull(reaped);
}

static void release(void)
{
    reaper_remove(&reaper, reaped);
    reaper_done(&reaper);
    close(ends[0]);
    close(ends[1]);
}

/* Whether the end of the connection can be read. */
static bool is_ended(void)
{
    char byte;

    return recv(ends[0], &byte, 1, MSG_DONTWAIT) == 0;
}

static void look_after(uint64_t ms)
{
    skip(ms);
    reaper_end_overdue(&reaper);
}

START_TEST(an_overdue_client_is_ended)
{
    reaper_set_deadline(reaped, crier_now() + 60000);
    look_after(59000);
    ck_assert(!is_ended());
    look_after(1000);
    ck_assert(is_ended());
    /* The response can still be read. */
    ck_assert_int_eq(send(ends[0], "x", 1, MSG_NOSIGNAL), 1);
}
END_TEST

START_TEST(without_a_deadline)
{
    look_after(3600000);
    reaper_set_deadline(reaped, crier_now() + 1);
    reaper_set_deadline(reaped, 0);
    look_after(3600000);
    ck_assert(!is_ended());
}
END_TEST

START_TEST(the_last_word_holds)
{
    reaper_set_deadline(reaped, crier_now() + 1000);
    reaper_set_deadline(reaped, crier_now() + 10000);
    look_after(9000);
    ck_assert(!is_ended());
    look_after(1000);
    ck_assert(is_ended());
}
END_TEST

START_TEST(only_overdue_clients)
{
    struct reaper_entry *other;
    int others[2];
    char byte;

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, others), 0);
    other = reaper_add(&reaper, others[0]);
    reaper_set_deadline(reaped, crier_now() + 2000);
    reaper_set_deadline(other, crier_now() + 1000);
    look_after(1000);
    ck_assert(!is_ended());
    ck_assert_int_eq(recv(others[0], &byte, 1, MSG_DONTWAIT), 0);
    reaper_remove(&reaper, other);
    look_after(1000);
    ck_assert(is_ended());
    close(others[0]);
    close(others[1]);
}
END_TEST

START_TEST(a_removed_entry_has_no_deadline)
{
    reaper_set_deadline(reaped, crier_now() + 1);
    reaper_remove(&reaper, reaped);
    reaped = NULL;
    look_after(1000);
    ck_assert(!is_ended());
    reaper_set_deadline(reaped, 1); /* as when memory was short */
}
END_TEST

/* ---- with libmicrohttpd ----------------------------------------------- */

static struct conf conf = {.threads = 1,
                           .anonymous = CONF_ANONYMOUS_ALL,
                           .auth_cookie = "mercureAuthorization",
                           .ping = 3600000,
                           .max_update = 1024 * 1024,
                           .stall_timeout = 3600000};
static struct server server = {.conf = &conf};
static struct http http;
static int port, poller;
static pthread_t thread;
static atomic_bool stopping;

/* In place of the acceptor: hands over each connection, whatever has come. */
static void *run_http(void *loop)
{
    const struct sockaddr address = {.sa_family = AF_UNIX};
    struct epoll_event event;
    struct watch *watch;
    struct peer peer;
    int fd;

    peer_set(&peer, &address, sizeof address.sa_family);
    while (!atomic_load(&stopping)) {
        if (epoll_wait(poller, &event, 1, 1) == 1) {
            watch = event.data.ptr;
            watch->on_events(watch, event.events);
        }
        fd = accept4(server.listeners.list[0].socket, NULL, NULL,
                     SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0)
            http_service.take(loop, fd, server.listeners.list, &peer, "", 0);
        http_service.run(loop, crier_now());
    }
    http_service.stop(loop);
    return NULL;
}

static void start(void)
{
    const struct crier_shards_options shards = {
        .threads = 1, .max_streams = 16, .resume = exchange_resume};
    const struct crier_journal_options options = {.retention = {.count = 9}};
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    struct crier_journal *journal;

    log_set_level(LOG_ERROR);
    ck_assert(conf_publish(&conf));
    server.tables[0].routes = api_routes;
    ck_assert_int_eq(crier_shards_new(&shards, &server.shards), 0);
    ck_assert_int_eq(crier_journal_memory(&options, &journal), 0);
    ck_assert_int_eq(
        crier_hub_new(server.shards, journal, NULL, &server.hub), 0);
    server.descriptors = (struct descriptors){.most = 10, .clients = 10};
    ck_assert(http_start(&http, &server));
    ck_assert_ptr_null(
        listeners_add(&server.listeners, "127.0.0.1:0", &(struct listener){0}));
    getsockname(server.listeners.list[0].socket, (struct sockaddr *)&address,
                &length);
    port = ntohs(address.sin_port);
    poller = epoll_create1(EPOLL_CLOEXEC);
    ck_assert(http_service.start(&http.loops[0], poller));
    atomic_store(&stopping, false);
    ck_assert_int_eq(
        pthread_create(&thread, NULL, run_http, &http.loops[0]), 0);
}

static void stop(void)
{
    crier_hub_close(server.hub);
    ck_assert_uint_eq(
        crier_shards_drain(server.shards, 1, 2, PATIENCE), 0);
    atomic_store(&stopping, true);
    pthread_join(thread, NULL);
    listeners_close(&server.listeners);
    close(poller);
    http_stop(&http);
    crier_shards_free(server.shards);
    crier_hub_free(server.hub);
}

/* Moves the clock by a second every millisecond, at most MOST times, until CLIENT's
 * connection is closed; sends BYTE each time, to keep libmicrohttpd waiting. Returns
 * the number of seconds since BEGUN, when the deadline was not set yet. */
static uint64_t seconds_to_end(struct client *client, char byte, uint64_t most,
                               uint64_t begun)
{
    uint64_t late = __real_crier_now() + PATIENCE;
    char answer[4096];

    while (!client_has(client, 1)) {
        ck_assert_msg(__real_crier_now() < late, "it is not closed");
        if (most != 0) {
            (void)send(client->fd, &byte, 1, MSG_NOSIGNAL);
            skip(1000);
            most--;
        }
        http_end_overdue(&http);
    }
    ck_assert_int_le(recv(client->fd, answer, sizeof answer, 0), 0);
    return (crier_now() - begun) / 1000;
}

/* Completes one request of CLIENT, which may send more. */
static void ask(struct client *client)
{
    ck_assert_int_eq(client_request(client, "OPTIONS", "*", "", NULL), 204);
}

/* Waits until crierd counts COUNT bytes of bodies. */
static void await_bodies(size_t count)
{
    uint64_t late = __real_crier_now() + PATIENCE;

    while (atomic_load(&server.bodies) != count)
        ck_assert(__real_crier_now() < late);
}

START_TEST(the_next_head_may_take_its_time)
{
    struct client client;

    client_connect(&client, port);
    ask(&client);
    client_send(&client, "OPTIONS * HTTP/1.1\r\nHo");
    skip(58000);
    http_end_overdue(&http);
    client_send(&client, "st: x\r\n\r\n");
    ck_assert_int_eq(client_head(&client), 204);
    /* The next request may take as long. */
    skip(58000);
    http_end_overdue(&http);
    ask(&client);
    client_close(&client);
}
END_TEST

static const char *const heads[] = {"", "O", "OPTIONS * HTTP/1.1\r\nX: "};

START_TEST(the_next_head_is_not_waited_for_for_ever)
{
    uint64_t begun = crier_now();
    struct client client;

    client_connect(&client, port);
    ask(&client);
    client_send(&client, "%s", heads[_i]);
    ck_assert_uint_ge(seconds_to_end(&client, 'x', SIZE_MAX, begun), 60);
    client_close(&client);
}
END_TEST

/* Bytes that begin no head have a deadline, too. */
START_TEST(the_first_head_is_not_waited_for_for_ever)
{
    uint64_t begun = crier_now();
    struct client client;

    client_connect(&client, port);
    ck_assert_uint_ge(seconds_to_end(&client, 'x', SIZE_MAX, begun), 60);
    client_close(&client);
}
END_TEST

START_TEST(a_body_may_take_its_time)
{
    static char bytes[40 * 1024];
    struct client client;

    memset(bytes, 'x', sizeof bytes);
    client_connect(&client, port);
    client_send(&client,
                "POST /topics/x HTTP/1.1\r\nHost: x\r\n"
                "Content-Length: %zu\r\n\r\n",
                sizeof bytes);
    client_send_bytes(&client, bytes, 10);
    await_bodies(10);
    skip(27000);
    http_end_overdue(&http);
    client_send_bytes(&client, bytes, sizeof bytes - 20);
    await_bodies(sizeof bytes - 10);
    skip(37000); /* 64 of 30 + 39 */
    http_end_overdue(&http);
    client_send_bytes(&client, bytes, 10);
    ck_assert_int_eq(client_head(&client), 200);
    client_close(&client);
}
END_TEST

static const struct {
    const char *method, *field, *first;
    char drip;
} bodies[] = {
    {"POST", "Content-Length: 50000", "", 'x'},
    {"GET", "Content-Length: 50000", "xxx", 'x'},
    {"POST", "Transfer-Encoding: chunked", "", '0'}, /* a size of zeros */
    {"POST", "Transfer-Encoding: chunked", "1\r\nx\r\n0\r\n", 'x'},
};

START_TEST(a_body_is_not_waited_for_for_ever)
{
    uint64_t begun = crier_now();
    struct client client;

    client_connect(&client, port);
    client_send(&client,
                "%s /topics/x HTTP/1.1\r\nHost: x\r\n%s\r\n"
                "Expect: 100-continue\r\n\r\n",
                bodies[_i].method, bodies[_i].field);
    ck_assert_int_eq(client_head(&client), 100); /* so the head is in */
    client_send(&client, "%s", bodies[_i].first);
    ck_assert_uint_ge(seconds_to_end(&client, bodies[_i].drip, 31, begun), 30);
    client_close(&client);
}
END_TEST

/* There is no deadline while crierd responds, however long that takes. */
START_TEST(a_stream_goes_on)
{
    struct crier_event *event = crier_event_new();
    struct client client;

    client_connect(&client, port);
    ck_assert_int_eq(
        client_request(&client, "GET", "/topics/x", "", NULL), 200);
    skip(100000);
    http_end_overdue(&http);
    ck_assert_int_eq(crier_event_text(event, "hello"), 0);
    ck_assert_int_eq(crier_hub_publish(server.hub, "x", event, NULL), 0);
    crier_event_free(event);
    free(client_until(&client, "data: hello"));
    client_close(&client);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("reaper");
    TCase *c = add_case(s, "alone");

    tcase_add_checked_fixture(c, admit, release);
    tcase_add_test(c, an_overdue_client_is_ended);
    tcase_add_test(c, without_a_deadline);
    tcase_add_test(c, the_last_word_holds);
    tcase_add_test(c, only_overdue_clients);
    tcase_add_test(c, a_removed_entry_has_no_deadline);
    c = add_case(s, "with libmicrohttpd");
    tcase_add_checked_fixture(c, start, stop);
    tcase_add_test(c, the_next_head_may_take_its_time);
    tcase_add_loop_test(c, the_next_head_is_not_waited_for_for_ever, 0,
                        (int)(sizeof heads / sizeof heads[0]));
    tcase_add_test(c, the_first_head_is_not_waited_for_for_ever);
    tcase_add_test(c, a_body_may_take_its_time);
    tcase_add_loop_test(c, a_body_is_not_waited_for_for_ever, 0,
                        (int)(sizeof bodies / sizeof bodies[0]));
    tcase_add_test(c, a_stream_goes_on);
    return s;
}

RUN_SUITE(suite)
