/*
 * Clients whose machine vanishes: without a FIN or a RST. In a network namespace of its
 * own, the test makes the kernel drop all packets to a client's address.
 *
 * Needs the right to make a network namespace (root, or user namespaces) and the ip
 * command; without these the test is skipped.
 */
#include <config.h>

#include "crier.h"
#include "support/client.h"
#include "support/crierd.h"
#include "support/runner.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static bool run(const char *command)
{
    return system(command) == 0;
}

/* Makes a network namespace, with its loopback device up. */
static bool own_network(void)
{
    return (unshare(CLONE_NEWNET) == 0 ||
            unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0) &&
           run("ip link set lo up");
}

/* Whether that is possible here; a child process tries it. */
static bool can_have_own_network(void)
{
    pid_t child = fork();
    int status;

    if (child == 0)
        _exit(own_network() &&
                      run("ip route add blackhole 127.0.0.2/32 table local")
                  ? 0
                  : 1);
    return waitpid(child, &status, 0) == child && status == 0;
}

/* Connects to PORT from the address 127.0.0.2. */
static void connect_from_2(struct client *client, int port)
{
    struct sockaddr_in from = {.sin_family = AF_INET}, to = from;

    memset(client, 0, sizeof *client);
    client->bytes = calloc(1, 1);
    client->fd = socket(AF_INET, SOCK_STREAM, 0);
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons((uint16_t)port);
    ck_assert_int_eq(
        bind(client->fd, (struct sockaddr *)&from, sizeof from), 0);
    ck_assert_int_eq(
        connect(client->fd, (struct sockaddr *)&to, sizeof to), 0);
}

/* The ping interval, and how long crierd may count a client that vanished: two
 * intervals, but at least a second. In ms. */
static const struct {
    int ping, seen;
} pings[] = {{2000, 4000}, {300, 2000}};

START_TEST(a_vanished_user_leaves_within_two_pings)
{
    struct client ada, bob;
    struct crierd crierd;
    char options[64];
    uint64_t begun;

    ck_assert(own_network());
    snprintf(options, sizeof options, "--ping-interval %dms --log-level debug",
             pings[_i].ping);
    crierd_start(&crierd, options);
    client_connect(&ada, crierd.port);
    ck_assert_int_eq(client_request(&ada, "GET", "/chat?user=ada", "", NULL),
                     200);
    connect_from_2(&bob, crierd.port);
    ck_assert_int_eq(client_request(&bob, "GET", "/chat?user=bob", "", NULL),
                     200);
    free(client_until(&ada, "User bob connected"));
    free(client_until(&bob, "User bob connected"));
    ck_assert(run("ip route add blackhole 127.0.0.2/32 table local"));
    begun = crier_now();
    free(client_until(&ada, "User bob left the chat."));
    ck_assert_uint_lt(crier_now() - begun,
                      (uint64_t)pings[_i].seen +
                          (crierd_is_slow() ? 4000 : 300));
    crierd_wait_log(&crierd, "stream /chat ended: client stopped "
                             "acknowledging");
    client_close(&ada);
    crierd_stop(&crierd);
    client_close(&bob);
}
END_TEST

/* The same for the subscribers of a topic. */
START_TEST(a_vanished_subscriber_leaves_presence)
{
    struct client watcher, gone;
    struct crierd crierd;
    uint64_t begun;

    ck_assert(own_network());
    crierd_start(&crierd, "--ping-interval 2s --presence t");
    client_connect(&watcher, crierd.port);
    ck_assert_int_eq(client_request(&watcher, "GET", "/topics/$presence/t",
                                    "", NULL),
                     200);
    connect_from_2(&gone, crierd.port);
    ck_assert_int_eq(client_request(&gone, "GET", "/topics/t", "", NULL), 200);
    free(client_until(&watcher, "event: join\ndata: {\"topic\":\"t\","
                                "\"count\":1}"));
    ck_assert(run("ip route add blackhole 127.0.0.2/32 table local"));
    begun = crier_now();
    free(client_until(&watcher, "event: leave\ndata: {\"topic\":\"t\","
                                "\"count\":0}"));
    ck_assert_uint_lt(crier_now() - begun,
                      4000 + (crierd_is_slow() ? 4000 : 300));
    client_close(&watcher);
    crierd_stop(&crierd);
    client_close(&gone);
}
END_TEST

/* A client that reads nothing, but whose kernel responds, has not vanished. */
START_TEST(a_silent_reader_stays)
{
    struct client ada, bob;
    struct crierd crierd;
    char *large = malloc(60001);
    int i;

    memset(large, 'x', 60000);
    large[60000] = '\0';
    ck_assert(own_network());
    crierd_start(&crierd, "--ping-interval 500ms --log-level debug");
    client_connect_small(&bob, crierd.port, 2048);
    ck_assert_int_eq(client_request(&bob, "GET", "/events", "", NULL), 200);
    client_expect(&bob, "data: connected");
    client_connect(&ada, crierd.port);
    ck_assert_int_eq(client_request(&ada, "GET", "/events", "", NULL), 200);
    for (i = 0; i < 4; i++) /* bob's window closes */
        ck_assert_int_eq(
            fetch(crierd.port, "POST", "/events", "", large, NULL), 200);
    free(large);
    for (i = 0; i < 5; i++)
        free(client_any_frame(&ada));
    for (i = 0; i < 16; i++) /* eight seconds */
        client_expect_line(&ada, ":");
    ck_assert_msg(!crierd_logged(&crierd, "stream /events ended"), "%s", crierd.log);
    client_close(&ada);
    client_close(&bob);
    crierd_stop(&crierd);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("vanish");
    TCase *c = add_case(s, "vanish");

    tcase_add_loop_test(c, a_vanished_user_leaves_within_two_pings, 0, 2);
    tcase_add_test(c, a_vanished_subscriber_leaves_presence);
    tcase_add_test(c, a_silent_reader_stays);
    return s;
}

RUN_SUITE_IF(suite, can_have_own_network(),
             "no network namespace of its own, or no ip command")
