/* crierd's own life: options, limits, log, signals, and how it ends. */
#include <config.h>

#include "crier.h"
#include "support/client.h"
#include "support/crierd.h"
#include "support/runner.h"
#include "support/scratch.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static struct crierd crierd;

/* ---- options ---------------------------------------------------------- */

static const struct {
    const char *options;
    int status;
    const char *says;
} starts[] = {
    {"--nope", 2,
     "crierd: unrecognized option '--nope'\ncrierd: try 'crierd --help'\n"},
    {"--threads", 2,
     "crierd: option '--threads' requires an argument\n"
     "crierd: try 'crierd --help'\n"},
    {"--threads 0", 2, "crierd: --threads '0' is not a number from 1 to 64\n"},
    {"--log-level x", 2,
     "crierd: --log-level 'x' is not error, warning, info or debug\n"},
    {"x", 2,
     "crierd: unexpected argument 'x'\ncrierd: try 'crierd --help'\n"},
    {"--listen nonsense", 2, "crierd: --listen 'nonsense' is not HOST:PORT"},
    {"--listen ::1:80", 2, "crierd: --listen '::1:80' is not HOST:PORT"},
    {"--listen 127.0.0.1:x", 2, "--listen '127.0.0.1:x' is not HOST:PORT"},
    {"--listen 127.0.0.1:65536", 2, "'127.0.0.1:65536' is not HOST:PORT"},
    {"--listen :80", 2, "--listen ':80' is not HOST:PORT"},
    {"--listen [::1:80", 2, "--listen '[::1:80' is not HOST:PORT"},
    {"--listen no.such.host.invalid:80 --anonymous all", 1,
     "cannot listen on no.such.host.invalid:80: "},
    {"--listen 192.0.2.1:0 --anonymous all", 1,
     "cannot listen on 192.0.2.1:0: Cannot assign requested address"},
    {"--listen 127.0.0.1:0 --www /nowhere", 1,
     "cannot open /nowhere (--www): No such file or directory"},
    {"--listen 127.0.0.1:0 --www / --data /nowhere", 1,
     "cannot read /nowhere/answers.txt: No such file or directory"},
};

START_TEST(a_bad_start_says_why)
{
    crierd_spawn(&crierd, starts[_i].options);
    crierd_wait_log(&crierd, starts[_i].says);
    ck_assert_int_eq(crierd_wait(&crierd), starts[_i].status);
}
END_TEST

START_TEST(a_port_in_use_says_so)
{
    struct crierd second;
    char options[64], says[128];

    crierd_start(&crierd, "");
    snprintf(options, sizeof options, "--listen 127.0.0.1:%d", crierd.port);
    snprintf(says, sizeof says,
             "cannot listen on 127.0.0.1:%d: Address already in use",
             crierd.port);
    crierd_spawn(&second, options);
    crierd_wait_log(&second, says);
    ck_assert_int_eq(crierd_wait(&second), 1);
    crierd_stop(&crierd);
}
END_TEST

START_TEST(version_and_help)
{
    crierd_spawn(&crierd, "--version");
    ck_assert_int_eq(crierd_wait(&crierd), 0);
    crierd_spawn(&crierd, "--help");
    ck_assert_int_eq(crierd_wait(&crierd), 0);
}
END_TEST

START_TEST(ipv6)
{
    crierd_start(&crierd, "--listen [::1]:0");
    crierd_wait_log(&crierd, "listening on http://[::1]:");
    crierd_stop(&crierd);
}
END_TEST

/* ---- the end ---------------------------------------------------------- */

static void open_stream(struct client *client, const char *target)
{
    client_connect(client, crierd.port);
    ck_assert_int_eq(client_request(client, "GET", target, "", NULL), 200);
}

static const int signals[] = {SIGTERM, SIGINT, SIGHUP};

START_TEST(streams_get_a_goodbye)
{
    struct client clients[8];
    unsigned retry[8];
    bool differ = false;
    char *frame;
    int i;

    crierd_start(&crierd, "--log-level debug");
    for (i = 0; i < 8; i++) {
        open_stream(&clients[i], i % 2 == 0 ? "/events" : "/chat?user=x");
        free(client_frame(&clients[i]));
    }
    crierd_stop_by(&crierd, signals[_i]);
    for (i = 0; i < 8; i++) {
        frame = client_until(&clients[i], "retry: ");
        ck_assert_int_eq(sscanf(frame, "retry: %u", &retry[i]), 1);
        ck_assert_uint_ge(retry[i], 1000);
        ck_assert_uint_le(retry[i], 5000);
        differ |= retry[i] != retry[0];
        free(frame);
        ck_assert_ptr_null(client_frame(&clients[i]));
        client_close(&clients[i]);
    }
    ck_assert_msg(differ, "all are to return at the same moment");
}
END_TEST

/* A chat in which all leave in the same moment, each telling the others: what
 * the shards owe each other then must not outlive what it is about. */
START_TEST(a_full_chat_ends_cleanly)
{
    struct client clients[40];
    char target[32];
    int i;

    crierd_start(&crierd, "--threads 4");
    for (i = 0; i < 40; i++) {
        snprintf(target, sizeof target, "/chat?user=%d", i);
        open_stream(&clients[i], target);
        free(client_frame(&clients[i]));
    }
    crierd_stop(&crierd);
    for (i = 0; i < 40; i++) {
        free(client_until(&clients[i], "retry: "));
        client_close(&clients[i]);
    }
}
END_TEST

/* ---- limits ----------------------------------------------------------- */

START_TEST(a_client_too_many_is_told_so)
{
    struct client clients[3], more;
    char *body;
    int i;

    crierd_start(&crierd, "--max-clients 3 --log-level debug");
    for (i = 0; i < 3; i++) {
        open_stream(&clients[i], "/events");
        client_expect(&clients[i], "data: connected");
    }
    client_connect(&more, crierd.port);
    ck_assert_int_eq(client_request(&more, "GET", "/events", "", NULL), 503);
    ck_assert_str_ne(client_header(&more, "Retry-After"), "");
    body = client_body(&more);
    ck_assert_ptr_nonnull(strstr(body, "as many clients as it takes"));
    free(body);
    ck_assert_int_eq(client_request(&more, "GET", "/chat?user=x", "", NULL),
                     503);
    free(client_body(&more));
    ck_assert_int_eq(client_request(&more, "HEAD", "/chat?user=x", "", NULL),
                     503);
    /* The old ones go on. */
    ck_assert_int_eq(client_request(&more, "POST", "/events", "", "hello"),
                     200);
    free(client_body(&more));
    for (i = 0; i < 3; i++)
        client_expect_event(&clients[i], "data: hello");
    /* And when one has gone, there is room. */
    client_close(&clients[0]);
    crierd_wait_log(&crierd, "stream /events ended: client closed");
    while (client_request(&more, "GET", "/events", "", NULL) == 503)
        free(client_body(&more));
    client_expect(&more, "data: connected");
    client_close(&more);
    client_close(&clients[1]);
    client_close(&clients[2]);
    crierd_stop(&crierd);
}
END_TEST

START_TEST(the_file_limit_is_told)
{
    crierd_start(&crierd, "--max-clients 9999999");
    ck_assert(crierd_logged(&crierd, "info    open-file limit "));
    ck_assert(crierd_logged(&crierd, "clients, not 9999999"));
    crierd_stop(&crierd);
}
END_TEST

/* The largest size of a file that crierd may write, as by `ulimit -f`. */
static void limit_file_size(rlim_t size)
{
    const struct rlimit limit = {size, RLIM_INFINITY};

    ck_assert_int_eq(prlimit(crierd.pid, RLIMIT_FSIZE, &limit, NULL), 0);
}

/* Publishes until the journal refuses it or MOST have been taken. Returns the last
 * status. */
static int publish_much(int most)
{
    char *body = calloc(1, 16385);
    int status = 200;

    memset(body, 'x', 16384);
    while (status == 200 && most-- > 0)
        status = fetch(crierd.port, "POST", "/topics/x", "", body, NULL);
    free(body);
    return status;
}

/* A journal's file that may not grow is a full disk: no signal ends crierd, and when the
 * file may grow again, all is as before. */
START_TEST(a_journal_at_its_limit)
{
    char options[SCRATCH_SIZE + 40];
    struct client stream;
    uint64_t begun;
    char *answer;

    scratch_make();
    snprintf(options, sizeof options, "--journal sqlite:%s/journal", scratch);
    crierd_start(&crierd, options);
    open_stream(&stream, "/topics/y");
    limit_file_size(400000);
    ck_assert_int_eq(publish_much(100), 507);
    ck_assert_int_eq(fetch(crierd.port, "POST", "/topics/x", "", "small",
                           &answer),
                     507);
    ck_assert_ptr_nonnull(strstr(answer, "the disk of the journal is full"));
    free(answer);
    limit_file_size(RLIM_INFINITY);
    begun = crier_now();
    while (publish_much(1) != 200)
        ck_assert_uint_lt(crier_now() - begun, (uint64_t)PATIENCE);
    ck_assert_int_eq(
        fetch(crierd.port, "POST", "/topics/y", "", "hello", NULL), 200);
    client_expect_event(&stream, "data: hello");
    limit_file_size(400000);
    ck_assert_int_eq(publish_much(100), 507);
    crierd_stop(&crierd);
    free(client_until(&stream, "retry: "));
    client_close(&stream);
    scratch_remove();
}
END_TEST

/* The number of descriptors crierd has open. */
static int open_files(void)
{
    char path[64];
    int count = 0;
    DIR *dir;

    snprintf(path, sizeof path, "/proc/%d/fd", (int)crierd.pid);
    dir = opendir(path);
    ck_assert_ptr_nonnull(dir);
    while (readdir(dir) != NULL)
        count++;
    closedir(dir);
    return count;
}

/* An idle connection must not keep MHD from closing those of streams that have
 * ended, whoever ended them: see transport.c, finish. */
START_TEST(ended_streams_give_their_sockets_back)
{
    struct client idle, clients[20];
    uint64_t begun;
    int before, i;

    crierd_start(&crierd, "--threads 1");
    client_connect(&idle, crierd.port);
    ck_assert_int_eq(client_request(&idle, "GET", "/healthz", "", NULL), 200);
    free(client_body(&idle));
    before = open_files();
    for (i = 0; i < 20; i++) {
        open_stream(&clients[i], "/chat?user=ada");
        free(client_frame(&clients[i]));
    }
    ck_assert_int_ge(open_files(), before + 20);
    if (_i == 0)
        ck_assert_int_eq(fetch(crierd.port, "DELETE", "/users/ada", "", NULL,
                               NULL),
                         204);
    for (i = 0; i < 20; i++) {
        if (_i == 0)
            client_expect_end(&clients[i]);
        client_close(&clients[i]);
    }
    begun = crier_now();
    while (open_files() > before + 1 &&
           crier_now() - begun < (uint64_t)PATIENCE / 2)
        fetch(crierd.port, "GET", "/healthz", "", NULL, NULL);
    ck_assert_int_le(open_files(), before + 1); /* 1: of the last fetch */
    client_close(&idle);
    crierd_stop(&crierd);
}
END_TEST

/* ---- log and signals -------------------------------------------------- */

/* The client's own port. */
static int port_of(const struct client *client)
{
    struct sockaddr_in address;
    socklen_t length = sizeof address;

    ck_assert_int_eq(
        getsockname(client->fd, (struct sockaddr *)&address, &length), 0);
    return ntohs(address.sin_port);
}

START_TEST(a_request_is_one_line)
{
    struct client client;
    char peer[48];

    crierd_start(&crierd, "--log-level debug");
    fetch(crierd.port, "GET", "/healthz?secret=1", "", NULL, NULL);
    crierd_wait_log(&crierd, "info    GET /healthz 200 ");
    fetch(crierd.port, "POST", "/nope%0Aforged", "", "", NULL);
    crierd_wait_log(&crierd, "info    POST /nope%0Aforged 404 ");
    fetch(crierd.port, "GET", "/\xc2\x9b[31m\\", "", NULL, NULL);
    crierd_wait_log(&crierd, "info    GET /\\xc2\\x9b[31m\\\\ 404 ");
    open_stream(&client, "/ticks");
    crierd_wait_log(&crierd, "info    GET /ticks 200 ");
    snprintf(peer, sizeof peer, " ms 127.0.0.1:%d -\n", port_of(&client));
    crierd_wait_log(&crierd, peer);
    client_close(&client);
    crierd_wait_log(&crierd, "debug   stream /ticks ended: client closed the "
                             "connection");
    ck_assert(!crierd_logged(&crierd, "secret"));
    crierd_stop(&crierd);
}
END_TEST

START_TEST(quiet_when_told_so)
{
    crierd_start(&crierd, "--log-level info");
    fetch(crierd.port, "GET", "/healthz", "", NULL, NULL);
    crierd_wait_log(&crierd, "GET /healthz");
    ck_assert(!crierd_logged(&crierd, "debug"));
    crierd_stop(&crierd);
}
END_TEST

START_TEST(sigpipe_does_not_kill)
{
    struct client client;
    int i;

    crierd_start(&crierd, "");
    ck_assert_int_eq(kill(crierd.pid, SIGPIPE), 0);
    for (i = 0; i < 50; i++) {
        open_stream(&client, "/ticks?interval=10");
        client_expect(&client, "data: 1");
        client_reset(&client);
    }
    ck_assert_int_eq(fetch(crierd.port, "GET", "/healthz", "", NULL, NULL),
                     200);
    crierd_stop(&crierd);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("life");
    TCase *c = add_case(s, "life");

    tcase_add_loop_test(c, a_bad_start_says_why, 0,
                        (int)(sizeof starts / sizeof starts[0]));
    tcase_add_test(c, a_port_in_use_says_so);
    tcase_add_test(c, version_and_help);
    tcase_add_test(c, ipv6);
    tcase_add_loop_test(c, streams_get_a_goodbye, 0, 3);
    tcase_add_loop_test(c, a_full_chat_ends_cleanly, 0, 10);
    tcase_add_test(c, a_client_too_many_is_told_so);
    tcase_add_test(c, the_file_limit_is_told);
    tcase_add_test(c, a_journal_at_its_limit);
    tcase_add_loop_test(c, ended_streams_give_their_sockets_back, 0, 2);
    tcase_add_test(c, a_request_is_one_line);
    tcase_add_test(c, quiet_when_told_so);
    tcase_add_test(c, sigpipe_does_not_kill);
    return s;
}

RUN_SUITE(suite)
