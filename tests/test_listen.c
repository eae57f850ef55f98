/*
 * What crierd listens on: several addresses, unix sockets and their files, sockets that it
 * inherits, the PROXY protocol, and what is there on listeners for administration.
 */
#include <config.h>

#include "crier.h"
#include "support/certificate.h"
#include "support/client.h"
#include "support/crierd.h"
#include "support/heir.h"
#include "support/runner.h"
#include "support/scratch.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static struct crierd crierd;
static char path[SCRATCH_SIZE + 16]; /* of a unix socket */

static void make_scratch(void)
{
    scratch_make();
    snprintf(path, sizeof path, "%s/socket", scratch);
}

/* The path of the socket between BEFORE and BEHIND. */
static const char *with_path(const char *before, const char *behind)
{
    static char text[512];

    snprintf(text, sizeof text, "%s%s%s", before, path, behind);
    return text;
}

/* ---- sockets ---------------------------------------------------------- */

static struct sockaddr_un local_address(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    return address;
}

/* A unix socket bound to the path, which listens if LISTENS. */
static int bind_local(bool listens)
{
    const struct sockaddr_un address = local_address();
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_eq(
        bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listens ? listen(fd, 16) : 0, 0);
    return fd;
}

static void connect_local(struct client *client)
{
    const struct sockaddr_un address = local_address();

    memset(client, 0, sizeof *client);
    client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(client->fd, (const struct sockaddr *)&address,
                             sizeof address),
                     0);
    client->bytes = calloc(1, 1);
}

/* The port in the line of the log that ends with END. */
static int port_of(const char *end)
{
    char *line, *at, *next;
    int port = 0;

    crierd_wait_log(&crierd, end);
    fetch(crierd.port, "GET", "/healthz", "", NULL, NULL); /* the line is complete */
    pthread_mutex_lock(&crierd.lock);
    line = at = strdup(crierd.log);
    pthread_mutex_unlock(&crierd.lock);
    while ((next = strsep(&at, "\n")) != NULL)
        if (strlen(next) >= strlen(end) &&
            strcmp(next + strlen(next) - strlen(end), end) == 0)
            port = (int)strtol(strrchr(next, ':') + 1, NULL, 10);
    free(line);
    ck_assert_int_gt(port, 0);
    return port;
}

/* ---- several ---------------------------------------------------------- */

static void publish_three(struct client *client)
{
    int i;

    client_send(client, "POST /topics/t HTTP/1.1\r\nHost: x\r\n"
                        "Content-Length: 1\r\n\r\n1"
                        "POST /topics/t HTTP/1.1\r\nHost: x\r\n"
                        "Content-Length: 1\r\n\r\n2"
                        "POST /topics/t HTTP/1.1\r\nHost: x\r\n"
                        "Content-Length: 1\r\n\r\n3");
    for (i = 0; i < 3; i++) {
        ck_assert_int_eq(client_head(client), 200);
        free(client_body(client));
    }
}

/* Streams and a pipeline, by either way; both see the same. */
START_TEST(several)
{
    struct client network, local, publisher;
    struct stat status;

    make_scratch();
    crierd_start(&crierd, with_path("--listen unix:", ",mode=0600 --threads 2"));
    crierd_wait_log(&crierd, with_path("listening on unix:", ""));
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_int_eq(status.st_mode & 07777, 0600);
    client_connect(&network, crierd.port);
    connect_local(&local);
    connect_local(&publisher);
    ck_assert_int_eq(client_request(&network, "GET", "/topics/t", "", NULL), 200);
    ck_assert_int_eq(client_request(&local, "GET", "/topics/t", "", NULL), 200);
    publish_three(&publisher);
    client_expect_event(&network, "data: 1");
    client_expect_event(&local, "data: 1");
    client_expect_event(&local, "data: 2");
    client_expect_event(&local, "data: 3");
    crierd_wait_log(&crierd, " unix");
    client_close(&network);
    client_close(&local);
    client_close(&publisher);
    crierd_stop(&crierd);
    ck_assert_int_ne(access(path, F_OK), 0);
    scratch_remove();
}
END_TEST

/* A name with several addresses has one port. */
START_TEST(a_name)
{
    char first[64], *second;
    struct client client;

    crierd_start(&crierd, "--listen localhost:0 --listen 127.0.0.1:0");
    crierd_wait_lines(&crierd, "listening on http://", 3);
    pthread_mutex_lock(&crierd.lock);
    second = strstr(crierd.log, "http://[::1]:");
    snprintf(first, sizeof first, "http://127.0.0.1:%ld/",
             second != NULL ? strtol(second + 13, NULL, 10) : (long)crierd.port);
    ck_assert_ptr_nonnull(strstr(crierd.log, first));
    pthread_mutex_unlock(&crierd.lock);
    client_connect(&client, atoi(strrchr(first, ':') + 1));
    ck_assert_int_eq(client_request(&client, "GET", "/healthz", "", NULL), 200);
    client_close(&client);
    crierd_stop(&crierd);
}
END_TEST

/* Heads that come byte by byte take the kernel's memory for a unix socket many times as fast
 * as that for TCP. */
START_TEST(small_pieces)
{
    static const char head[] =
        "GET /healthz HTTP/1.1\r\nHost: x\r\nX: ";
    struct client client;
    size_t i;

    make_scratch();
    crierd_start(&crierd, with_path("--listen unix:", ""));
    connect_local(&client);
    for (i = 0; i < sizeof head - 1; i++)
        client_send_bytes(&client, head + i, 1);
    for (i = 0; i < 1000; i++)
        client_send_bytes(&client, "x", 1);
    client_send(&client, "\r\n\r\n");
    ck_assert_int_eq(client_head(&client), 200);
    client_close(&client);
    connect_local(&client);
    client_send(&client, "POST /topics/t HTTP/1.1\r\nHost: x\r\n"
                         "Content-Length: 1000\r\n\r\n");
    for (i = 0; i < 1000; i++)
        client_send_bytes(&client, "x", 1);
    ck_assert_int_eq(client_head(&client), 200);
    client_close(&client);
    crierd_stop(&crierd);
    scratch_remove();
}
END_TEST

/* ---- the file of a unix socket ---------------------------------------- */

START_TEST(a_stale_socket_is_replaced)
{
    struct client client;

    make_scratch();
    close(bind_local(true));
    crierd_start(&crierd, with_path("--listen unix:", ""));
    crierd_wait_log(&crierd, with_path("listening on unix:", ""));
    connect_local(&client);
    ck_assert_int_eq(client_request(&client, "GET", "/healthz", "", NULL), 200);
    client_close(&client);
    crierd_stop(&crierd);
    scratch_remove();
}
END_TEST

static void expect_refusal(const char *options, int status, const char *says)
{
    crierd_spawn(&crierd, options);
    crierd_wait_log(&crierd, says);
    ck_assert_int_eq(crierd_wait(&crierd), status);
}

START_TEST(a_socket_in_use_is_left)
{
    int fd;

    make_scratch();
    fd = bind_local(true);
    expect_refusal(with_path("--listen unix:", ""), 1, "Address already in use");
    ck_assert_int_eq(access(path, F_OK), 0);
    close(fd);
    scratch_remove();
}
END_TEST

START_TEST(another_file_is_left)
{
    make_scratch();
    ck_assert_int_eq(fclose(fopen(path, "w")), 0);
    expect_refusal(with_path("--listen unix:", ""), 1,
                   "there is a file that is no socket");
    ck_assert_int_eq(access(path, F_OK), 0);
    expect_refusal("--listen unix:/nowhere/at/all", 1,
                   "cannot listen on unix:/nowhere/at/all: No such file");
    expect_refusal(with_path("--listen unix:", "2,group=no-such-group"), 1,
                   "there is no such group");
    scratch_remove();
}
END_TEST

/* At the end crierd removes its own file and no other. */
START_TEST(a_file_of_others_stays)
{
    int fd;

    make_scratch();
    crierd_start(&crierd, with_path("--listen unix:", ""));
    crierd_wait_log(&crierd, with_path("listening on unix:", ""));
    ck_assert_int_eq(unlink(path), 0);
    fd = bind_local(true);
    crierd_stop(&crierd);
    ck_assert_int_eq(access(path, F_OK), 0);
    close(fd);
    scratch_remove();
}
END_TEST

/* ---- the PROXY protocol ----------------------------------------------- */

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"

static const struct {
    const char *header;
    size_t length;
    const char *peer; /* as the log has it */
} proxied[] = {
    {"PROXY TCP4 192.0.2.7 203.0.113.2 56324 443\r\n", 0, " 192.0.2.7:56324"},
    {"PROXY TCP6 2001:db8::7 2001:db8::2 56324 443\r\n", 0,
     " [2001:db8::7]:56324"},
    {"PROXY UNKNOWN\r\n", 0, " 127.0.0.1:"},
    {SIGNATURE "\x21\x11\0\x0c\xc0\0\2\10\xcb\0\161\2\xdc\4\1\273", 28,
     " 192.0.2.8:56324"},
    {SIGNATURE "\x20\0\0\3\4\0\0", 19, " 127.0.0.1:"},
};

/* Sends the header in one piece, or byte by byte. */
static void send_header(struct client *client, int i, bool pieces)
{
    const char *header = proxied[i].header;
    size_t length = proxied[i].length != 0 ? proxied[i].length : strlen(header);
    size_t size = pieces ? 1 : length, at;

    for (at = 0; at < length; at += size)
        client_send_bytes(client, header + at, size);
}

/* By libmicrohttpd and by a pipeline. */
START_TEST(the_peer_is_the_client)
{
    struct client client;
    char *answer;
    int port;

    crierd_start(&crierd, "--listen 127.0.0.1:0,proxy");
    port = port_of("(PROXY protocol)");
    client_connect(&client, port);
    send_header(&client, _i, false);
    ck_assert_int_eq(client_request(&client, "GET", "/healthz", "", NULL), 200);
    client_close(&client);
    crierd_wait_log(&crierd, proxied[_i].peer);
    client_connect(&client, port);
    send_header(&client, _i, true);
    ck_assert_int_eq(client_request(&client, "POST", "/topics/t", "", "x"), 200);
    free(client_body(&client));
    ck_assert_int_eq(client_request(&client, "POST", "/topics/t", "", "x"), 200);
    client_close(&client);
    crierd_wait_log(&crierd, "POST /topics/t");
    pthread_mutex_lock(&crierd.lock);
    answer = strstr(crierd.log, "POST /topics/t");
    ck_assert_ptr_nonnull(strstr(answer, proxied[_i].peer));
    pthread_mutex_unlock(&crierd.lock);
    crierd_stop(&crierd);
}
END_TEST

/* Without a header nothing is answered; and with one, where none belongs. */
START_TEST(no_header_and_one_too_many)
{
    struct client client;
    int port;

    crierd_start(&crierd, "--listen 127.0.0.1:0,proxy");
    port = port_of("(PROXY protocol)");
    client_connect(&client, port);
    client.torn = true;
    client_send(&client, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    ck_assert_int_eq(client_head(&client), 0);
    client_close(&client);
    client_connect(&client, crierd.port);
    client_send(&client, "PROXY TCP4 192.0.2.7 203.0.113.2 56324 443\r\n"
                         "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    ck_assert_int_eq(client_head(&client), 400);
    client_close(&client);
    client_connect(&client, port);
    client_send(&client, "PROXY TCP4 192.0.2.7 203.0.113.2 56324 443\r\n"
                         "PROXY TCP4 192.0.2.9 203.0.113.2 56324 443\r\n"
                         "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    ck_assert_int_eq(client_head(&client), 400);
    client_close(&client);
    crierd_stop(&crierd);
}
END_TEST

/* ---- TLS ------------------------------------------------------------- */

/* A client of plain HTTP learns what is spoken. */
START_TEST(plain_http_on_a_tls_listener)
{
    struct client client;
    char options[256], *body;
    int port;

    make_scratch();
    scratch_write("key", key);
    scratch_write("certificate", certificate);
    snprintf(options, sizeof options,
             "--tls-listen 127.0.0.1:0 --tls-cert %s/certificate --tls-key %s/key",
             scratch, scratch);
    crierd_start(&crierd, options);
    crierd_wait_log(&crierd, "listening on https://127.0.0.1:");
    fetch(crierd.port, "GET", "/healthz", "", NULL, NULL);
    pthread_mutex_lock(&crierd.lock);
    port = atoi(strstr(crierd.log, "https://127.0.0.1:") + 18);
    pthread_mutex_unlock(&crierd.lock);
    client_connect(&client, port);
    ck_assert_int_eq(client_request(&client, "GET", "/", "", NULL), 400);
    body = client_body(&client);
    ck_assert_ptr_nonnull(strstr(body, "https://"));
    free(body);
    client_close(&client);
    client_connect(&client, port);
    client.torn = true;
    client_send(&client, "\x80 something else");
    ck_assert_int_eq(client_head(&client), 0);
    client_close(&client);
    crierd_stop(&crierd);
    scratch_remove();
}
END_TEST

/* ---- administration --------------------------------------------------- */

START_TEST(administration)
{
    int port;

    crierd_start(&crierd, "--admin-listen 127.0.0.1:0 --admin-listen 127.0.0.1:0,proxy");
    port = port_of("/ (admin)");
    ck_assert_int_eq(fetch(port, "GET", "/healthz", "", NULL, NULL), 200);
    ck_assert_int_eq(fetch(port, "GET", "/", "", NULL, NULL), 404);
    ck_assert_int_eq(fetch(port, "GET", "/topics/t", "", NULL, NULL), 404);
    ck_assert_int_eq(fetch(port, "POST", "/topics/t", "", "x", NULL), 404);
    ck_assert_int_eq(fetch(port, "POST", "/healthz", "", "x", NULL), 405);
    ck_assert_int_eq(fetch(crierd.port, "POST", "/topics/t", "", "x", NULL), 200);
    ck_assert_int_gt(port_of("(admin) (PROXY protocol)"), 0);
    crierd_stop(&crierd);
}
END_TEST

/* ---- inherited sockets ------------------------------------------------ */

/* While no crierd runs, clients wait in the queues of the sockets, and the next one serves
 * them. */
START_TEST(a_restart_is_not_noticed)
{
    struct client network, local;
    int sockets[3], port, admin;

    make_scratch();
    sockets[0] = heir_listen(INADDR_LOOPBACK, &port);
    sockets[1] = bind_local(true);
    sockets[2] = heir_listen(INADDR_LOOPBACK, &admin);
    heir_hand_over(sockets, 3, "crierd.socket:proxy:admin", "$$");
    heir_spawn(&crierd, "");
    crierd_wait_log(&crierd, "(PROXY protocol) (inherited)");
    crierd_wait_log(&crierd, "(admin) (inherited)");
    ck_assert(!crierd_logged(&crierd, "127.0.0.1:8080"));
    ck_assert_int_eq(fetch(port, "GET", "/healthz", "", NULL, NULL), 200);
    ck_assert_int_eq(fetch(admin, "GET", "/healthz", "", NULL, NULL), 200);
    ck_assert_int_eq(fetch(admin, "GET", "/topics/t", "", NULL, NULL), 404);
    crierd_stop(&crierd);
    client_connect(&network, port);
    connect_local(&local);
    client_send(&network, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    client_send(&local, "PROXY TCP4 192.0.2.7 203.0.113.2 56324 443\r\n"
                        "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    heir_spawn(&crierd, "");
    ck_assert_int_eq(client_head(&network), 200);
    ck_assert_int_eq(client_head(&local), 200);
    crierd_wait_log(&crierd, " 192.0.2.7:56324");
    client_close(&network);
    client_close(&local);
    crierd_stop(&crierd);
    ck_assert_int_eq(access(path, F_OK), 0);
    close(sockets[0]);
    close(sockets[1]);
    close(sockets[2]);
    scratch_remove();
}
END_TEST

/* They are in addition to what the options ask for. */
START_TEST(not_in_place_of_options)
{
    int socket, port;

    make_scratch();
    socket = heir_listen(INADDR_LOOPBACK, &port);
    heir_hand_over(&socket, 1, "x", "$$");
    heir_spawn(&crierd, with_path("--listen unix:", ""));
    crierd_wait_log(&crierd, "(inherited)");
    crierd_wait_log(&crierd, with_path("listening on unix:", "\n"));
    crierd_stop(&crierd);
    heir_hand_over(&socket, 1, "x", "1"); /* another process' */
    heir_spawn(&crierd, "--listen 127.0.0.1:0");
    crierd_wait_log(&crierd, "listening on");
    ck_assert(!crierd_logged(&crierd, "(inherited)"));
    crierd_stop(&crierd);
    close(socket);
    scratch_remove();
}
END_TEST

static void expect_disinherited(int socket, const char *names, const char *says)
{
    heir_hand_over(&socket, 1, names, "$$");
    expect_refusal("", 1, says);
}

START_TEST(what_is_not_inherited)
{
    int port, all, file, datagrams, silent;

    make_scratch();
    all = heir_listen(INADDR_ANY, &port);
    expect_disinherited(all, "x", "can be reached from elsewhere, and there is no key");
    expect_disinherited(all, "tls-admin", "descriptor 3 (tls-admin): it has two kinds");
    file = open("/dev/null", O_RDONLY);
    expect_disinherited(file, "", "descriptor 3 (no name): it is not a socket");
    datagrams = socket(AF_INET, SOCK_DGRAM, 0);
    expect_disinherited(datagrams, "x", "it is not a TCP socket");
    silent = bind_local(false);
    expect_disinherited(silent, "x", "it does not listen");
    heir_hand_over(&all, 1, "x", "x");
    expect_refusal("", 1, "LISTEN_PID is not");
    close(all);
    close(file);
    close(datagrams);
    close(silent);
    scratch_remove();
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("listen");
    TCase *c = add_case(s, "listen");

    tcase_add_test(c, several);
    tcase_add_test(c, a_name);
    tcase_add_test(c, small_pieces);
    tcase_add_test(c, a_stale_socket_is_replaced);
    tcase_add_test(c, a_socket_in_use_is_left);
    tcase_add_test(c, another_file_is_left);
    tcase_add_test(c, a_file_of_others_stays);
    tcase_add_loop_test(c, the_peer_is_the_client, 0,
                        (int)(sizeof proxied / sizeof proxied[0]));
    tcase_add_test(c, no_header_and_one_too_many);
    tcase_add_test(c, plain_http_on_a_tls_listener);
    tcase_add_test(c, administration);
    tcase_add_test(c, a_restart_is_not_noticed);
    tcase_add_test(c, not_in_place_of_options);
    tcase_add_test(c, what_is_not_inherited);
    return s;
}

RUN_SUITE(suite)
