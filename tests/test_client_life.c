/*
 * The life of a client: begun again and closed from anywhere, on any thread and in
 * every state, and freed in every state.
 */
#include <config.h>

#include "support/client.h"
#include "support/client_fixture.h"
#include "support/site.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define MINUTE 60000

/* Streams TEXT and stays there. */
static void stream(const char *text)
{
    foreign_stream(&server);
    foreign_say(&server, "%s", text);
    foreign_hold(&server);
}

/* The Last-Event-ID of request N. */
static const char *begun_after(size_t n)
{
    return foreign_header(foreign_request(&server, n), "Last-Event-ID");
}

/* ---- crier_client_run() ----------------------------------------------- */

/* A run of a client, its messages, and what its callbacks do. */
struct run {
    struct crier_client *client;
    pthread_t thread;
    int result;
    struct signal_box told;
    char log[4096];    /* the thread's, until it is joined */
    const char *close;   /* the entry of the log that has it close */
    const char *restart; /* and that has it begin again, once */
};

static void note(struct run *run, const char *what,
                 const struct crier_message *message)
{
    size_t length = strlen(run->log);
    char *entry = run->log + length;

    snprintf(entry, sizeof run->log - length, "%s%s;", what,
             message != NULL ? message->data : "");
    if (run->close != NULL && strcmp(entry, run->close) == 0)
        crier_client_close(run->client);
    if (run->restart != NULL && strcmp(entry, run->restart) == 0) {
        crier_client_restart(run->client);
        run->restart = NULL; /* once */
    }
    box_put(&run->told, 0);
}

static void on_open(void *closure, struct crier_client *of)
{
    ck_assert_ptr_eq(of, ((struct run *)closure)->client);
    note(closure, "open", NULL);
}

static void on_event(void *closure, struct crier_client *of,
                     const struct crier_message *message)
{
    ck_assert_ptr_eq(of, ((struct run *)closure)->client);
    ck_assert_int_eq(message->kind, CRIER_EVENT);
    note(closure, "event ", message);
}

static void on_comment(void *closure, struct crier_client *of,
                       const struct crier_message *message)
{
    ck_assert_ptr_eq(of, ((struct run *)closure)->client);
    ck_assert_int_eq(message->kind, CRIER_COMMENT);
    note(closure, "comment ", message);
}

static void on_error(void *closure, struct crier_client *of,
                     const struct crier_message *message)
{
    ck_assert_ptr_eq(of, ((struct run *)closure)->client);
    ck_assert_int_eq(message->kind, CRIER_ERROR);
    note(closure, "error", message);
}

static void on_closed(void *closure, struct crier_client *of,
                      const struct crier_message *message)
{
    ck_assert_ptr_eq(of, ((struct run *)closure)->client);
    ck_assert_int_eq(message->kind, CRIER_CLOSED);
    note(closure, "closed", message);
}

static void *run_there(void *closure)
{
    struct run *run = closure;
    const struct crier_client_callbacks callbacks = {
        on_open, on_event, on_comment, on_error, on_closed, run};

    run->result = crier_client_run(run->client, &callbacks);
    return NULL;
}

static void run_start(struct run *run)
{
    box_init(&run->told);
    ck_assert_int_eq(pthread_create(&run->thread, NULL, run_there, run), 0);
}

static void run_join(struct run *run)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 1 + PATIENCE / 1000;
    ck_assert_int_eq(pthread_timedjoin_np(run->thread, NULL, &until), 0);
}

static void run_to_its_end(struct run *run)
{
    run_start(run);
    run_join(run);
}

START_TEST(a_run_tells_everything)
{
    struct run run = {.close = "event last;"};

    foreign_stream(&server);
    foreign_say(&server, ":a\ndata: b\n\n");
    foreign_close(&server);
    stream("data: last\n\ndata: too late\n\n");
    start();
    run.client = client;
    run_to_its_end(&run);
    ck_assert_int_eq(run.result, 0);
    ck_assert_str_eq(run.log, "open;comment a;event b;error;open;"
                              "event last;closed;");
    run_to_its_end(&run);
    ck_assert_int_eq(run.result, CRIER_ERR_CLOSED);
    foreign_wait_left(&server, 1);
}
END_TEST

START_TEST(a_run_ends_with_the_error)
{
    const struct crier_client_callbacks nothing = {0};

    foreign_stream(&server);
    foreign_say(&server, ":a\ndata: b\n\n");
    foreign_close(&server);
    foreign_answer(&server, "204 No Content", "", "");
    start();
    ck_assert_int_eq(crier_client_run(client, &nothing), CRIER_ERR_NO_CONTENT);
}
END_TEST

START_TEST(a_callback_may_close)
{
    static const char *const cases[][2] = {
        {"open;", "open;closed;"},
        {"comment a;", "open;comment a;closed;"},
        {"event b;", "open;comment a;event b;closed;"},
        {"error;", "open;comment a;event b;error;closed;"},
    };
    struct run run = {.close = cases[_i][0]};

    foreign_stream(&server);
    foreign_say(&server, ":a\ndata: b\n\n");
    foreign_close(&server);
    start();
    run.client = client;
    run_to_its_end(&run);
    ck_assert_int_eq(run.result, 0);
    ck_assert_str_eq(run.log, cases[_i][1]);
}
END_TEST

/* Bytes that were received but not returned as a message come again in the next
 * stream, if at all. */
START_TEST(a_callback_may_restart)
{
    static const char *const cases[][2] = {
        {"open;", "0"}, {"comment a;", "0"}, {"event b;", "1"}};
    struct run run = {.restart = cases[_i][0], .close = "event last;"};

    options.last_event_id = "0";
    options.retry = UINT32_MAX;
    stream(":a\nid: 1\ndata: b\n\nid: 2\ndata: c\n\n");
    stream("data: last\n\n");
    start();
    run.client = client;
    run_to_its_end(&run);
    ck_assert_ptr_null(strstr(run.log, "event c;"));
    ck_assert_ptr_null(strstr(run.log, "error;"));
    ck_assert_ptr_nonnull(strstr(run.log, ";open;event last;closed;"));
    ck_assert_str_eq(begun_after(1), cases[_i][1]);
    foreign_wait_left(&server, 2);
}
END_TEST

START_TEST(a_restart_ends_the_wait)
{
    struct run run = {.restart = "error;", .close = "event last;"};

    options.retry = UINT32_MAX;
    foreign_close(&server);
    stream("data: last\n\n");
    start();
    run.client = client;
    run_to_its_end(&run);
    ck_assert_str_eq(run.log, "error;open;event last;closed;");
}
END_TEST

/* ---- from another thread ---------------------------------------------- */

START_TEST(another_thread_may_restart_and_close)
{
    struct run run = {0};

    options.retry = UINT32_MAX;
    stream("id: 1\ndata: a\n\nid: 2\ndata: half");
    stream("data: b\n\n");
    start();
    run.client = client;
    run_start(&run);
    box_wait(&run.told, 2);
    crier_client_restart(client);
    box_wait(&run.told, 4);
    ck_assert_str_eq(begun_after(1), "1");
    crier_client_close(client);
    run_join(&run);
    ck_assert_int_eq(run.result, 0);
    ck_assert_str_eq(run.log, "open;event a;open;event b;closed;");
    foreign_wait_left(&server, 2);
}
END_TEST

#define RESTARTS 50

START_TEST(many_restarts)
{
    struct run run = {0};
    int told, i;

    for (i = 0; i <= RESTARTS; i++)
        stream("data: a\n\n");
    start();
    run.client = client;
    run_start(&run);
    for (i = 0; i < RESTARTS; i++) {
        told = box_count(&run.told);
        crier_client_restart(client);
        if (i % 3 == 0)
            box_wait(&run.told, told + 1);
    }
    crier_client_close(client);
    crier_client_restart(client);
    run_join(&run);
    ck_assert_int_eq(run.result, 0);
    ck_assert_ptr_null(strstr(run.log, "error;"));
}
END_TEST

START_TEST(two_clients_at_once)
{
    struct foreign servers[2];
    struct run runs[2] = {{.close = "event 199;"}, {.close = "event 199;"}};
    int i, j;

    for (i = 0; i < 2; i++) {
        foreign_start(&servers[i]);
        for (j = 0; j < 200; j++) {
            if (j % 20 == 0)
                foreign_stream(&servers[i]);
            foreign_say(&servers[i], "id: %d\ndata: %d\n\n", j, j);
            if (j % 20 == 19)
                foreign_close(&servers[i]);
        }
        options.url = servers[i].url;
        ck_assert_int_eq(crier_client_new(&options, &runs[i].client), 0);
    }
    for (i = 0; i < 2; i++)
        run_start(&runs[i]);
    for (i = 0; i < 2; i++) {
        run_join(&runs[i]);
        ck_assert_int_eq(runs[i].result, 0);
        ck_assert_str_eq(foreign_header(foreign_request(&servers[i], 9),
                                        "Last-Event-ID"),
                         "179");
        crier_client_free(runs[i].client);
        foreign_stop(&servers[i]);
    }
    ck_assert_str_eq(runs[0].log, runs[1].log);
}
END_TEST

/* ---- in every state --------------------------------------------------- */

enum { NEW, CONNECTING, OPEN, HALF_TOLD, FULL, WAITING, STATES };

/* Brings a client, which began after the id 5, to the state STATE. */
static void come_to(int state)
{
    options.last_event_id = "5";
    options.retry = 60 * MINUTE;
    start();
    if (state == NEW)
        return;
    if (state == CONNECTING) {
        work_until_asked(1);
        foreign_hold(&server);
        return;
    }
    foreign_stream(&server);
    if (state == HALF_TOLD)
        foreign_say(&server, "id: 6\ndata: a\n\nid: 7\ndata: b\n\n");
    if (state == FULL)
        foreign_make(&server, make_event, 10000);
    if (state == WAITING)
        foreign_close(&server);
    else
        foreign_hold(&server);
    expect(CRIER_OPEN);
    if (state == HALF_TOLD)
        expect_event("a");
    if (state == FULL)
        expect_made(0, 10);
    if (state == WAITING)
        expect_error(CRIER_ERR_ENDED);
}

static bool is_readable(void)
{
    struct pollfd polled = {.fd = crier_client_fd(client), .events = POLLIN};

    return poll(&polled, 1, 0) > 0;
}

/* The held connection of a client in STATE is closed; some never had one. */
static void check_left(int state)
{
    if (state != NEW && state != WAITING && state != FULL)
        foreign_wait_left(&server, 1);
}

START_TEST(closed_in_every_state)
{
    struct crier_message message;

    come_to(_i);
    crier_client_close(client);
    wait_readable();
    message = expect_closed(0);
    ck_assert_str_eq(message.reason, "closed");
    ck_assert_str_eq(message.id, _i == HALF_TOLD ? "6" : _i == FULL ? "9"
                                                                    : "5");
    check_left(_i);
    ck_assert(!is_readable());
    crier_client_close(client);
    crier_client_restart(client);
    ck_assert_int_eq(crier_client_next(client, &message), CRIER_ERR_CLOSED);
    ck_assert(!is_readable());
    ck_assert_uint_le(foreign_requests(&server), _i == NEW ? 0 : 1);
}
END_TEST

START_TEST(begun_again_in_every_state)
{
    size_t before;

    come_to(_i);
    before = foreign_requests(&server);
    crier_client_restart(client);
    crier_client_restart(client);
    foreign_close(&server); /* the answer to what comes next */
    expect_error(CRIER_ERR_NETWORK);
    ck_assert_uint_eq(foreign_requests(&server), before + 1);
    ck_assert_str_eq(begun_after(before), _i == HALF_TOLD ? "6"
                                          : _i == FULL    ? "9"
                                                          : "5");
    check_left(_i);
}
END_TEST

/* After a restart the wait is the first one again. */
START_TEST(a_restart_resets_the_wait)
{
    struct crier_message message;
    int i;

    options.retry = MINUTE;
    options.retry_max = 1000 * MINUTE;
    start();
    for (i = 0; i < 6; i++) {
        foreign_close(&server);
        message = expect_error(CRIER_ERR_NETWORK);
        check_wait(message.retry, MINUTE << i % 3);
        if (i == 2)
            crier_client_restart(client);
        else
            skip(message.retry);
    }
}
END_TEST

START_TEST(freed_in_every_state)
{
    come_to(_i);
    crier_client_free(client);
    client = NULL;
    check_left(_i);
}
END_TEST

START_TEST(freed_with_an_order)
{
    come_to(OPEN);
    if (_i == 0)
        crier_client_close(client);
    else
        crier_client_restart(client);
    crier_client_free(client);
    crier_client_free(NULL);
    client = NULL;
    check_left(OPEN);
}
END_TEST

/* ---- all -------------------------------------------------------------- */

static Suite *suite(void)
{
    Suite *s = suite_create("client life");
    TCase *c = client_fixture_case(s, "run");

    tcase_add_test(c, a_run_tells_everything);
    tcase_add_test(c, a_run_ends_with_the_error);
    tcase_add_loop_test(c, a_callback_may_close, 0, 4);
    tcase_add_loop_test(c, a_callback_may_restart, 0, 3);
    tcase_add_test(c, a_restart_ends_the_wait);
    c = client_fixture_case(s, "threads");
    tcase_add_test(c, another_thread_may_restart_and_close);
    tcase_add_test(c, many_restarts);
    tcase_add_test(c, two_clients_at_once);
    c = client_fixture_case(s, "states");
    tcase_add_loop_test(c, closed_in_every_state, 0, STATES);
    tcase_add_loop_test(c, begun_again_in_every_state, 0, STATES);
    tcase_add_test(c, a_restart_resets_the_wait);
    tcase_add_loop_test(c, freed_in_every_state, 0, STATES);
    tcase_add_loop_test(c, freed_with_an_order, 0, 2);
    return s;
}

RUN_SUITE(suite)
