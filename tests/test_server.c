/* A small server, its requests, and the response that waits for a journal. */
#include <config.h>

#include "crier_server.h"
#include "support/certificate.h"
#include "support/client.h"
#include "support/oom.h"
#include "support/runner.h"
#include "support/scratch.h"
#include "support/site.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct crier_server server;
static int port;
static struct signal_box entered, left; /* on_done; the end of a stop */
static long oom;

/* ---- the program ------------------------------------------------------ */

static atomic_bool held;          /* on_done waits */
static struct signal_box release; /* for this */

static void hold(void *closure, const struct crier_receipt *receipt)
{
    (void)closure;
    box_put(&entered, receipt->error);
    if (atomic_load(&held))
        box_wait(&release, 1);
}

static enum MHD_Result publish_as_told(struct crier_request *request)
{
    const struct crier_publish_options options = {
        .dedupe = strcmp(request->path, "/again") == 0,
        .on_done = hold,
    };
    struct crier_event *event = NULL;
    enum MHD_Result result;

    if (options.dedupe || strcmp(request->path, "/once") == 0) {
        event = crier_event_new();
        ck_assert_ptr_nonnull(event);
        crier_event_id(event, "same", 4);
        crier_event_text(event, "instead");
    }
    oom_after(oom);
    result = crier_request_publish(request, server.hub, request->path + 1,
                                   event, &options);
    oom_never();
    crier_event_free(event);
    return result;
}

static enum MHD_Result answer(struct crier_request *request)
{
    const struct crier_subscribe_options subscription = {.topics = request->path + 1};

    ck_assert_ptr_eq(request->server, &server);
    ck_assert_int_eq(request->body[request->length], '\0');
    if (strcmp(request->path, "/echo") == 0)
        return crier_status_respond(request->connection, MHD_HTTP_OK,
                                    "%s %zu %.10s", request->method,
                                    request->length, request->body);
    if (strcmp(request->path, "/path/") == 0 || request->path[0] != '/')
        return crier_status_respond(request->connection, MHD_HTTP_OK, "%s",
                                    request->path);
    if (strcmp(request->path, "/silent") == 0)
        return MHD_YES;
    if (strcmp(request->path, "/twice") == 0) {
        publish_as_told(request);
        return publish_as_told(request);
    }
    if (strcmp(request->method, "POST") == 0)
        return publish_as_told(request);
    return crier_hub_respond(server.hub, request->connection, &subscription, NULL);
}

static int port_of(const char *url)
{
    return (int)strtol(strrchr(url, ':') + 1, NULL, 10);
}

/* Starts the server over JOURNAL, where there is one. */
static void start(struct crier_journal *journal)
{
    if (journal != NULL) {
        ck_assert_int_eq(crier_shards_new(NULL, &server.shards), 0);
        ck_assert_int_eq(
            crier_hub_new(server.shards, journal, NULL, &server.hub), 0);
    }
    ck_assert_int_eq(crier_server_start(&server), 0);
    port = port_of(server.url);
    ck_assert_int_gt(port, 0);
}

static void start_memory(void)
{
    struct crier_journal *journal;

    ck_assert_int_eq(crier_journal_memory(NULL, &journal), 0);
    start(journal);
}

static void start_sqlite(void)
{
    struct crier_journal *journal;
    char path[100];

    scratch_make();
    snprintf(path, sizeof path, "%s/journal", scratch);
    ck_assert_int_eq(crier_journal_sqlite(path, NULL, &journal, NULL, 0), 0);
    start(journal);
}

static void stop_sqlite(void)
{
    crier_server_stop(&server);
    scratch_remove();
}

static void setup(void)
{
    box_init(&entered);
    box_init(&left);
    box_init(&release);
    oom = 0;
    atomic_store(&held, false);
    server = (struct crier_server){.port = "0", .handle = answer};
}

static void teardown(void)
{
    box_done(&entered);
    box_done(&left);
    box_done(&release);
}

/* Fails unless the response to a request has STATUS and BODY. */
static void expect(const char *method, const char *target, const char *sent,
                   int status, const char *body)
{
    char *got;

    ck_assert_int_eq(fetch(port, method, target, "", sent, &got), status);
    ck_assert_msg(strstr(got, body) != NULL, "not '%s' but: %s", body, got);
    free(got);
}

/* The status of a HEAD. */
static int fetch_head(int to, const char *target)
{
    struct client client;
    int status;

    client_connect(&client, to);
    status = client_request(&client, "HEAD", target, "", NULL);
    client_close(&client);
    return status;
}

/* ---- start and stop --------------------------------------------------- */

START_TEST(it_starts_and_stops_again)
{
    int i;

    for (i = 0; i < 2; i++) {
        start_memory();
        ck_assert_int_eq(strncmp(server.url, "http://127.0.0.1:", 17), 0);
        expect("GET", "/echo", NULL, 200, "GET 0 \n");
        crier_server_stop(&server);
        ck_assert_ptr_null(server.daemon);
        ck_assert_ptr_null(server.shards);
        ck_assert_ptr_null(server.hub);
    }
    crier_server_stop(&server);
    crier_server_stop(NULL);
}
END_TEST

START_TEST(what_is_no_place_is_refused)
{
    static const char *const ports[] = {"", "x", "65536", "-1", " 1", "1 ",
                                        "100000", "http", "0x10"};
    size_t i;

    for (i = 0; i < sizeof ports / sizeof ports[0]; i++) {
        server.port = ports[i];
        ck_assert_int_eq(crier_server_start(&server), CRIER_ERR_INVALID);
    }
    server.port = "0";
    server.address = "localhost";
    ck_assert_int_eq(crier_server_start(&server), CRIER_ERR_INVALID);
    server.address = "192.0.2.1"; /* RFC 5737: nobody's */
    ck_assert_int_eq(crier_server_start(&server), -EADDRNOTAVAIL);
    server.address = NULL;
    server.handle = NULL;
    ck_assert_int_eq(crier_server_start(&server), CRIER_ERR_NULL);
    ck_assert_ptr_null(server.shards);
    ck_assert_ptr_null(server.daemon);
}
END_TEST

START_TEST(a_taken_port_is_told)
{
    struct crier_server second = {.handle = answer};
    char taken[16];

    start(NULL);
    snprintf(taken, sizeof taken, "%d", port);
    second.port = taken;
    ck_assert_int_eq(crier_server_start(&second), -EADDRINUSE);
    ck_assert_ptr_null(second.shards);
    crier_server_stop(&second);
    crier_server_stop(&server);
}
END_TEST

START_TEST(an_address_may_be_named)
{
    server.address = "0.0.0.0";
    start(NULL);
    ck_assert_int_eq(strncmp(server.url, "http://0.0.0.0:", 15), 0);
    expect("GET", "/echo", NULL, 200, "GET");
    crier_server_stop(&server);
}
END_TEST

START_TEST(flags_and_options_are_handed_on)
{
    struct sockaddr_in where = {.sin_family = AF_INET,
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct MHD_OptionItem options[] = {
        {MHD_OPTION_SOCK_ADDR, 0, &where},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)key},
        {MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)certificate},
        {MHD_OPTION_THREAD_POOL_SIZE, 2, NULL},
        {MHD_OPTION_END, 0, NULL},
    };

    server.options = options;
    server.port = NULL;
    start(NULL);
    expect("GET", "/echo", NULL, 200, "GET");
    crier_server_stop(&server);
    if (MHD_is_feature_supported(MHD_FEATURE_TLS) == MHD_YES) {
        server.flags = MHD_USE_TLS;
        start(NULL);
        ck_assert_int_eq(strncmp(server.url, "https://127.0.0.1:", 18), 0);
        crier_server_stop(&server);
    }
}
END_TEST

START_TEST(bad_options_are_refused)
{
    const struct MHD_OptionItem options[] = {
        {MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)"no key"},
        {MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)"no certificate"},
        {MHD_OPTION_END, 0, NULL},
    };

    server.flags = MHD_USE_TLS;
    server.options = options;
    ck_assert_int_eq(crier_server_start(&server), CRIER_ERR_START);
    ck_assert_ptr_null(server.shards);
}
END_TEST

START_TEST(its_threads_take_no_signal)
{
    sigset_t hangup;
    int number;

    /* The one thread that does not block it would be ended by it. */
    start(NULL);
    sigemptyset(&hangup);
    sigaddset(&hangup, SIGHUP);
    ck_assert_int_eq(pthread_sigmask(SIG_BLOCK, &hangup, NULL), 0);
    ck_assert_int_eq(kill(getpid(), SIGHUP), 0);
    ck_assert_int_eq(sigwait(&hangup, &number), 0);
    expect("GET", "/echo", NULL, 200, "GET");
    crier_server_stop(&server);
}
END_TEST

START_TEST(streams_end_with_it)
{
    struct client client;
    char *frame;

    start_memory();
    client_connect(&client, port);
    ck_assert_int_eq(client_request(&client, "GET", "/a", "", NULL), 200);
    expect("POST", "/a", "hello", 200, "");
    free(client_until(&client, "data: hello"));
    crier_server_stop(&server);
    /* the goodbye may end without an empty line */
    while ((frame = client_line(&client)) != NULL) {
        if (strncmp(frame, "retry: ", 7) == 0)
            ck_assert(atoi(frame + 7) >= 1000 && atoi(frame + 7) <= 5000);
        free(frame);
    }
    client_close(&client);
}
END_TEST

/* ---- a daemon of the program's own ------------------------------------ */

static const struct {
    unsigned flags;
    const char *fault; /* NULL: none */
} daemons[] = {
    {MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, NULL},
    {MHD_USE_POLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, NULL},
    {MHD_USE_EPOLL_INTERNAL_THREAD, "lacks MHD_ALLOW_SUSPEND_RESUME"},
    {MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME,
     "lacks MHD_USE_INTERNAL_POLLING_THREAD"},
    {MHD_USE_EPOLL,
     "MHD_ALLOW_SUSPEND_RESUME and MHD_USE_INTERNAL_POLLING_THREAD"},
    {MHD_USE_POLL_INTERNAL_THREAD | MHD_USE_THREAD_PER_CONNECTION |
         MHD_ALLOW_SUSPEND_RESUME,
     "MHD_USE_THREAD_PER_CONNECTION"},
};

static struct MHD_Daemon *start_daemon(unsigned flags)
{
    struct sockaddr_in where = {.sin_family = AF_INET,
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct MHD_Daemon *daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, crier_server_handle, &server,
        MHD_OPTION_SOCK_ADDR, &where, MHD_OPTION_NOTIFY_COMPLETED,
        crier_server_completed, &server, MHD_OPTION_END);

    ck_assert_ptr_nonnull(daemon);
    port = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
    return daemon;
}

START_TEST(a_daemon_is_checked)
{
    struct MHD_Daemon *daemon = start_daemon(daemons[_i].flags);
    const char *reason = "untouched", *fault = daemons[_i].fault;

    ck_assert_int_eq(crier_daemon_check(daemon, &reason),
                     fault == NULL ? 0 : CRIER_ERR_DAEMON);
    ck_assert_int_eq(crier_daemon_check(daemon, NULL),
                     fault == NULL ? 0 : CRIER_ERR_DAEMON);
    if (fault == NULL)
        fault = "untouched";
    ck_assert_msg(strstr(reason, fault) != NULL, "not '%s' but: %s", fault,
                  reason);
    MHD_stop_daemon(daemon);
    ck_assert_int_eq(crier_daemon_check(NULL, &reason), CRIER_ERR_DAEMON);
    ck_assert_str_eq(reason, "the daemon was not started");
}
END_TEST

static char mistake[300];

static void note_mistake(void *closure, const char *text)
{
    (void)closure;
    snprintf(mistake, sizeof mistake, "%s", text);
}

START_TEST(an_unfit_daemon_is_named_to_the_client_and_the_log)
{
    const struct crier_shards_options options = {.log = note_mistake};
    struct crier_journal *journal;

    ck_assert_int_eq(crier_shards_new(&options, &server.shards), 0);
    ck_assert_int_eq(crier_journal_memory(NULL, &journal), 0);
    ck_assert_int_eq(crier_hub_new(server.shards, journal, NULL, &server.hub),
                     0);
    server.daemon = start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD);
    expect("POST", "/a", "x", 500, "lacks MHD_ALLOW_SUSPEND_RESUME");
    expect("GET", "/a", NULL, 500, "MHD_ALLOW_SUSPEND_RESUME");
    ck_assert_str_eq(mistake, "crier_stream_new(): the daemon lacks "
                              "MHD_ALLOW_SUSPEND_RESUME");
    crier_server_stop(&server);
}
END_TEST

START_TEST(a_daemon_of_the_program_is_stopped_too)
{
    struct crier_journal *journal;
    struct client client;

    ck_assert_int_eq(crier_shards_new(NULL, &server.shards), 0);
    ck_assert_int_eq(crier_journal_memory(NULL, &journal), 0);
    ck_assert_int_eq(crier_hub_new(server.shards, journal, NULL, &server.hub),
                     0);
    server.daemon = start_daemon(daemons[0].flags);
    client_connect(&client, port);
    ck_assert_int_eq(client_request(&client, "GET", "/a", "", NULL), 200);
    expect("POST", "/a", "x", 200, "\"subscribers\":1");
    free(client_until(&client, "data: x"));
    crier_server_stop(&server);
    client_expect_end(&client);
    client_close(&client);
}
END_TEST

START_TEST(an_unfit_server_does_not_start)
{
    server.flags = MHD_USE_THREAD_PER_CONNECTION;
    ck_assert_int_lt(crier_server_start(&server), 0);
    ck_assert_ptr_null(server.daemon);
    ck_assert_ptr_null(server.shards);
}
END_TEST

/* ---- requests --------------------------------------------------------- */

START_TEST(a_body_is_whole)
{
    struct client client;
    char *large = malloc(200001);
    int i;

    server.max_body = 100000;
    start(NULL);
    client_connect(&client, port);
    client_send(&client, "POST /echo HTTP/1.1\r\nHost: x\r\n"
                         "Content-Length: 5\r\n\r\n");
    for (i = 0; i < 5; i++)
        client_send(&client, "%d", i);
    ck_assert_int_eq(client_head(&client), 200);
    large[0] = '\0';
    free(client_body(&client));
    client_send(&client, "POST /echo HTTP/1.1\r\nHost: x\r\n"
                         "Transfer-Encoding: chunked\r\n\r\n"
                         "3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n");
    ck_assert_int_eq(client_head(&client), 200);
    {
        char *body = client_body(&client);

        ck_assert_str_eq(body, "POST 7 abcdefg\n");
        free(body);
    }
    memset(large, 'x', 200000);
    large[100000] = '\0';
    ck_assert_int_eq(client_request(&client, "POST", "/echo", "", large), 200);
    free(client_body(&client));
    /* one too many, and the connection still goes on */
    large[100000] = 'x';
    large[100001] = '\0';
    ck_assert_int_eq(client_request(&client, "POST", "/echo", "", large), 413);
    ck_assert_str_eq(client_header(&client, "Content-Type"),
                     "application/problem+json");
    free(client_body(&client));
    ck_assert_int_eq(client_request(&client, "GET", "/echo", "", NULL), 200);
    client_close(&client);
    free(large);
    crier_server_stop(&server);
}
END_TEST

START_TEST(too_large_a_body_is_refused_early)
{
    struct client client;

    start(NULL);
    client_connect(&client, port);
    client_send(&client, "POST /echo HTTP/1.1\r\nHost: x\r\n"
                         "Expect: 100-continue\r\nContent-Length: 65537\r\n\r\n");
    ck_assert_int_eq(client_head(&client), 413);
    client_close(&client);
    client_connect(&client, port);
    client_send(&client, "POST /echo HTTP/1.1\r\nHost: x\r\n"
                         "Content-Length: 9999999999\r\n\r\n");
    ck_assert_int_eq(client_head(&client), 413);
    client_close(&client);
    crier_server_stop(&server);
}
END_TEST

START_TEST(an_endless_body_is_cut_off)
{
    char chunk[9000];
    struct client client;
    int i;

    memset(chunk, 'x', sizeof chunk);
    start(NULL);
    client_connect(&client, port);
    client.torn = true;
    client_send(&client, "POST /echo HTTP/1.1\r\nHost: x\r\n"
                         "Transfer-Encoding: chunked\r\n\r\n");
    for (i = 0; i < 64 * 1024 / 4096; i++) {
        client_send(&client, "1000\r\n");
        client_send_bytes(&client, chunk, 4096);
        client_send(&client, "\r\n");
    }
    ck_assert(!client_has(&client, 50));
    for (i = 0; i < 300 && !client_has(&client, 0); i++) {
        client_send(&client, "1000\r\n");
        client_send_bytes(&client, chunk, 4096);
        client_send(&client, "\r\n");
    }
    ck_assert_int_eq(client_head(&client), 0);
    client_close(&client);
    crier_server_stop(&server);
}
END_TEST

START_TEST(a_path_is_decoded)
{
    struct client client;
    char *body;

    start(NULL);
    expect("GET", "/p%61th%2f?x=1", NULL, 200, "/path/\n");
    client_connect(&client, port);
    client_send(&client, "GET * HTTP/1.1\r\nHost: x\r\n\r\n");
    ck_assert_int_eq(client_head(&client), 200);
    body = client_body(&client);
    ck_assert_str_eq(body, "*\n");
    free(body);
    client_close(&client);
    crier_server_stop(&server);
}
END_TEST

START_TEST(a_silent_handler_is_answered_for)
{
    start(NULL);
    expect("POST", "/silent", "x", 500, "the handler has sent no response");
    crier_server_stop(&server);
}
END_TEST

/* The client closes the connection before its body is complete: nothing leaks. */
START_TEST(a_body_may_break_off)
{
    struct client client;

    start(NULL);
    client_connect(&client, port);
    client_send(&client, "POST /echo HTTP/1.1\r\nHost: x\r\n"
                         "Content-Length: 5\r\n\r\nab");
    client_close(&client);
    expect("GET", "/echo", NULL, 200, "");
    crier_server_stop(&server);
}
END_TEST

/* ---- publishing ------------------------------------------------------- */

START_TEST(a_publication_is_answered)
{
    start_memory();
    expect("POST", "/a", "hello", 200, "{\"id\":\"#");
    expect("POST", "/a,b", "hello", 200, "\"topics\":[\"a\",\"b\"]");
    expect("POST", "/", "hello", 400, "a topic is not UTF-8");
    expect("POST", "/a", "\xff", 400, "not valid UTF-8");
    expect("POST", "/again", "ignored", 200, "{\"id\":\"same\"");
    expect("POST", "/again", "ignored", 200, "\"duplicate\":true");
    ck_assert_int_eq(box_count(&entered), 4);
    crier_hub_close(server.hub);
    expect("POST", "/a", "late", 503, "shutting down");
    crier_server_stop(&server);
}
END_TEST

START_TEST(what_the_journal_refuses_is_told)
{
    start_sqlite();
    expect("POST", "/once", "", 200, "{\"id\":\"same\"");
    expect("POST", "/once", "", 409, "an update with this id already exists");
    ck_assert_int_eq(box_wait(&entered, 2), CRIER_ERR_EXISTS);
    stop_sqlite();
}
END_TEST

START_TEST(a_file_answers_later)
{
    int i;

    start_sqlite();
    for (i = 0; i < 20; i++)
        expect("POST", "/a", "hello", 200, "{\"id\":\"#");
    expect("POST", "/again", "", 200, "{\"id\":\"same\"");
    expect("POST", "/again", "", 200, "\"duplicate\":true");
    stop_sqlite();
}
END_TEST

/* Sends a publication whose on_done waits. */
static void publish_held(struct client *client)
{
    atomic_store(&held, true);
    client_connect(client, port);
    client_send(client, "POST /a HTTP/1.1\r\nHost: x\r\n"
                        "Content-Length: 1\r\n\r\nx");
    box_wait(&entered, 1);
}

START_TEST(a_client_may_leave_meanwhile)
{
    struct client client;

    start_sqlite();
    publish_held(&client);
    client_close(&client);
    atomic_store(&held, false);
    box_put(&release, 0);
    expect("POST", "/a", "next", 200, "\"position\":2");
    stop_sqlite();
}
END_TEST

static void *stop_it(void *closure)
{
    (void)closure;
    crier_server_stop(&server);
    box_put(&left, 0);
    return NULL;
}

START_TEST(a_stop_waits_for_the_answer)
{
    struct crier_event *nothing = crier_event_new();
    struct client client;
    pthread_t thread;

    ck_assert_ptr_nonnull(nothing);
    start_sqlite();
    publish_held(&client);
    ck_assert(!client_has(&client, 20));
    ck_assert_int_eq(pthread_create(&thread, NULL, stop_it, NULL), 0);
    /* the stop has begun when this is refused for another reason */
    while (crier_hub_publish(server.hub, "a", nothing, NULL) !=
           CRIER_ERR_HUB_CLOSED)
        continue;
    crier_event_free(nothing);
    ck_assert_int_eq(box_count(&left), 0);
    box_put(&release, 0);
    ck_assert_int_eq(client_head(&client), 200);
    box_wait(&left, 1);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    client_close(&client);
    scratch_remove();
}
END_TEST

static void *drain_it(void *closure)
{
    (void)closure;
    crier_shards_drain(server.shards, 0, 0, (uint32_t)PATIENCE);
    box_put(&left, 0);
    return NULL;
}

/* Also if the hub is not closed. */
START_TEST(a_drain_waits_for_the_answer)
{
    struct client client;
    pthread_t thread;

    start_sqlite();
    publish_held(&client);
    ck_assert_int_eq(pthread_create(&thread, NULL, drain_it, NULL), 0);
    /* from when it has begun, streams are refused */
    while (fetch_head(port, "/a") != 503)
        continue;
    ck_assert_int_eq(box_count(&left), 0);
    box_put(&release, 0);
    ck_assert_int_eq(client_head(&client), 200);
    box_wait(&left, 1);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    client_close(&client);
    stop_sqlite();
}
END_TEST

START_TEST(a_second_publication_of_a_request_is_refused)
{
    start_sqlite();
    expect("POST", "/twice", "x", 200, "\"position\":1");
    expect("POST", "/a", "x", 200, "\"position\":2");
    stop_sqlite();
}
END_TEST

START_TEST(short_memory_is_answered)
{
    char *body;
    int status = 0;

    start_sqlite();
    for (oom = 1; status != 200; oom++) {
        ck_assert_int_lt(oom, 50);
        status = fetch(port, "POST", "/a", "", "x", &body);
        ck_assert(status == 200 || status == 503);
        free(body);
    }
    ck_assert_int_gt(oom, 4);
    oom = 0;
    expect("POST", "/a", "x", 200, "");
    stop_sqlite();
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("server");
    TCase *tcase = add_case(suite, "server");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, it_starts_and_stops_again);
    tcase_add_test(tcase, what_is_no_place_is_refused);
    tcase_add_test(tcase, a_taken_port_is_told);
    tcase_add_test(tcase, an_address_may_be_named);
    tcase_add_test(tcase, flags_and_options_are_handed_on);
    tcase_add_test(tcase, bad_options_are_refused);
    tcase_add_test(tcase, its_threads_take_no_signal);
    tcase_add_test(tcase, streams_end_with_it);
    tcase_add_loop_test(tcase, a_daemon_is_checked, 0,
                        (int)(sizeof daemons / sizeof daemons[0]));
    tcase_add_test(tcase, an_unfit_daemon_is_named_to_the_client_and_the_log);
    tcase_add_test(tcase, a_daemon_of_the_program_is_stopped_too);
    tcase_add_test(tcase, an_unfit_server_does_not_start);
    tcase_add_test(tcase, a_body_is_whole);
    tcase_add_test(tcase, too_large_a_body_is_refused_early);
    tcase_add_test(tcase, an_endless_body_is_cut_off);
    tcase_add_test(tcase, a_path_is_decoded);
    tcase_add_test(tcase, a_silent_handler_is_answered_for);
    tcase_add_test(tcase, a_body_may_break_off);
    tcase_add_test(tcase, a_publication_is_answered);
    tcase_add_test(tcase, what_the_journal_refuses_is_told);
    tcase_add_test(tcase, a_file_answers_later);
    tcase_add_test(tcase, a_client_may_leave_meanwhile);
    tcase_add_test(tcase, a_stop_waits_for_the_answer);
    tcase_add_test(tcase, a_drain_waits_for_the_answer);
    tcase_add_test(tcase, a_second_publication_of_a_request_is_refused);
    tcase_add_test(tcase, short_memory_is_answered);
    return suite;
}

RUN_SUITE(make_suite)
