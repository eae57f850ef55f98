/*
 * Streams in programs that are not as careful as they should be, or that look
 * closely: what libmicrohttpd logs when clients leave, what a client sees when it does
 * not get all, responses that are never given back, sources that wait for room, and
 * on_wake for other threads.
 */
#include <config.h>

#include "support/runner.h"
#include "support/stream_site.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* ---- what libmicrohttpd logs ------------------------------------------- */

static struct signal_box logged;

static void log_line(void *closure, const char *format, va_list arguments)
{
    (void)closure;
    vprintf(format, arguments);
    box_put(&logged, 0);
}

static void restart_with_log(void)
{
    site_stop(&site);
    box_init(&logged);
    site.log = log_line;
    site_start(&site, NULL);
}

/* Opens a stream to a client that takes next to nothing, so that something waits. */
static void open_stalled(struct client *client)
{
    char *text = long_text(3000000, 1);

    open_small_stream(client, 100000000);
    send_text(text);
    free(text);
    free(client_bytes(client, 1000));
}

START_TEST(a_client_that_leaves_is_no_error)
{
    struct client client;

    restart_with_log();
    if (_i < 2)
        open_stream(&client);
    else
        open_stalled(&client);
    if (_i % 2 == 0)
        client_close(&client);
    else
        client_reset(&client);
    box_wait(&closed, 1);
    finish();
    ck_assert_int_eq(box_count(&logged), 0);
    box_done(&logged);
}
END_TEST

START_TEST(the_end_of_all_is_no_error)
{
    struct client client;

    restart_with_log();
    open_stream(&client);
    send_text("one");
    finish();
    client_expect(&client, "data: one");
    client_close(&client);
    ck_assert_int_eq(box_count(&logged), 0);
    box_done(&logged);
}
END_TEST

/* What was accepted for a client that is still there, and does not come, is an error
 * for that client, too: not the end of a body, which may be anywhere. */
START_TEST(a_client_sees_that_it_lacks_something)
{
    struct client client;
    char bytes[4096];
    ssize_t got;

    restart_with_log();
    if (_i == 0)
        options.stall_timeout = 50;
    open_stalled(&client);
    if (_i == 0)
        ck_assert_int_eq(box_wait(&closed, 1), CRIER_REASON_SLOW);
    else
        ck_assert_uint_eq(crier_shards_drain(site.shards, 0, 0, 50), 1);
    crier_stream_unref(stream);
    site_stop(&site);
    do
        got = recv(client.fd, bytes, sizeof bytes, 0);
    while (got > 0);
    ck_assert_int_eq(got, -1);
    ck_assert_int_eq(errno, ECONNRESET);
    client_close(&client);
    ck_assert_int_gt(box_count(&logged), 0);
    box_done(&logged);
}
END_TEST

/* ---- responses that are forgotten -------------------------------------- */

static int timed_out;

int __real_pthread_cond_timedwait(pthread_cond_t *condition,
                                  pthread_mutex_t *mutex,
                                  const struct timespec *until);
int __wrap_pthread_cond_timedwait(pthread_cond_t *condition,
                                  pthread_mutex_t *mutex,
                                  const struct timespec *until);

/* Counts the waits of libcrier that were in vain. */
int __wrap_pthread_cond_timedwait(pthread_cond_t *condition,
                                  pthread_mutex_t *mutex,
                                  const struct timespec *until)
{
    int error = __real_pthread_cond_timedwait(condition, mutex, until);

    if (error == ETIMEDOUT)
        timed_out++;
    return error;
}

static struct MHD_Response *forgotten;

static enum MHD_Result answer_and_forget(struct site *of,
                                         struct MHD_Connection *connection,
                                         const char *path)
{
    ck_assert_int_eq(crier_stream_new(of->shards, connection, &options,
                                      &stream, &forgotten),
                     0);
    if (strcmp(path, "/never") == 0)
        return MHD_NO;
    return MHD_queue_response(connection, MHD_HTTP_OK, forgotten);
}

static const struct forgetting {
    bool queued, left, closed;
    int waits;
} forgettings[] = {
    {.queued = true, .left = true, .waits = 0}, /* it is over */
    {.queued = true, .waits = 1},
    {.queued = true, .closed = true, .waits = 1},
    {.queued = false, .waits = 1},
};

/* Drain ends when its time is up, and MHD can be stopped. */
START_TEST(drain_does_not_wait_for_a_forgotten_response)
{
    const struct forgetting *forgetting = &forgettings[_i];
    struct client client;

    site.answer = answer_and_forget;
    options.on_wake = count_wake;
    client_connect(&client, site.port);
    client_send(&client, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n",
                forgetting->queued ? "/" : "/never");
    if (forgetting->queued)
        ck_assert_int_eq(client_head(&client), 200);
    else
        ck_assert_ptr_null(client_line(&client));
    if (forgetting->left) {
        box_wait(&woken, 1); /* the shard watches the client */
        client_reset(&client);
        ck_assert_int_eq(box_wait(&closed, 1), CRIER_REASON_LEFT);
    }
    if (forgetting->closed)
        crier_stream_close(stream);
    if (forgetting->closed) /* but for the comment that it may have begun with */
        ck_assert_ptr_null(client_frame(&client));
    timed_out = 0;
    ck_assert_uint_eq(crier_shards_drain(site.shards, 0, 0,
                                         forgetting->left ? (uint32_t)PATIENCE
                                                          : 50),
                      (size_t)forgetting->waits);
    ck_assert_int_eq(timed_out, forgetting->waits);
    ck_assert_int_eq(box_count(&closed), forgetting->queued);
    MHD_stop_daemon(site.daemon);
    ck_assert_uint_eq(crier_shards_count(site.shards), 1);
    MHD_destroy_response(forgotten);
    box_wait(&closed, 1);
    crier_stream_unref(stream);
    crier_shards_free(site.shards);
    ck_assert_int_eq(box_count(&closed), 1);
    if (!forgetting->left)
        client_close(&client);
}
END_TEST

/* ---- room again --------------------------------------------------------- */

#define FRAMES 400

static struct signal_box roomed;

static void on_room(void *closure, struct crier_stream *of)
{
    (void)closure;
    (void)of;
    box_put(&roomed, 0);
}

/* Sends the N-th frame of 5000 bytes; when there is no room, as soon as there is. */
static void send_when_room(unsigned n)
{
    char *text = long_text(5000, n);
    struct crier_frame *frame = frame_of(text);
    int rooms = box_count(&roomed), error;

    while ((error = crier_stream_send(stream, frame)) == CRIER_ERR_MAX_PENDING)
        box_wait(&roomed, ++rooms);
    ck_assert_int_eq(error, 0);
    crier_frame_unref(frame);
    free(text);
}

static void *send_all(void *unused)
{
    unsigned n;

    (void)unused;
    for (n = 0; n < FRAMES; n++)
        send_when_room(n);
    return NULL;
}

static void expect_all(struct client *client)
{
    char *text, *got;
    unsigned n;

    for (n = 0; n < FRAMES; n++) {
        text = long_text(5000, n);
        got = client_any_frame(client);
        ck_assert_str_eq(got + strlen("data: "), text);
        free(got);
        free(text);
    }
}

START_TEST(a_source_waits_for_room)
{
    struct client client;
    pthread_t thread;

    box_init(&roomed);
    options.on_room = on_room;
    open_small_stream(&client, 50000);
    pthread_create(&thread, NULL, send_all, NULL);
    expect_all(&client);
    pthread_join(thread, NULL);
    ck_assert_int_gt(box_count(&roomed), 0);
    client_close(&client);
    finish();
    box_done(&roomed);
}
END_TEST

/* A stream refuses frames before its shard has it. */
static enum MHD_Result answer_and_fill(struct site *of,
                                       struct MHD_Connection *connection,
                                       const char *path)
{
    struct crier_frame *frame = frame_of("x");
    struct MHD_Response *response;
    int error;

    (void)path;
    ck_assert_int_eq(crier_stream_new(of->shards, connection, &options,
                                      &stream, &response),
                     0);
    while ((error = crier_stream_send(stream, frame)) == 0)
        continue;
    ck_assert_int_eq(error, CRIER_ERR_MAX_PENDING);
    crier_frame_unref(frame);
    return site_queue(connection, response);
}

START_TEST(there_is_room_once_the_headers_are_out)
{
    struct client client;

    box_init(&roomed);
    options.on_room = on_room;
    options.max_pending = 1000;
    site.answer = answer_and_fill;
    client_connect(&client, site.port);
    ck_assert_int_eq(client_request(&client, "GET", "/", "", NULL), 200);
    box_wait(&roomed, 1);
    client_close(&client);
    box_wait(&closed, 1);
    finish();
    ck_assert_int_eq(box_count(&roomed), 1);
    box_done(&roomed);
}
END_TEST

START_TEST(nobody_waits_for_room_of_a_closed_stream)
{
    struct client client;
    struct crier_frame *frame = frame_of("x");
    char *text = long_text(3000000, 1);

    box_init(&roomed);
    options.on_room = on_room;
    open_small_stream(&client, 1000);
    send_text(text);
    ck_assert_int_eq(crier_stream_send(stream, frame), CRIER_ERR_MAX_PENDING);
    crier_stream_close(stream);
    ck_assert_int_eq(crier_stream_send(stream, frame), CRIER_ERR_CLOSED);
    free(client_body(&client));
    ck_assert_int_eq(box_wait(&closed, 1), CRIER_REASON_APP);
    client_close(&client);
    finish();
    ck_assert_int_eq(box_count(&roomed), 0);
    crier_frame_unref(frame);
    free(text);
    box_done(&roomed);
}
END_TEST

/* ---- on_wake for other threads ------------------------------------------ */

static pthread_t woken_by;
static bool elsewhere;

static void note_thread(void *closure, struct crier_stream *of)
{
    (void)closure;
    (void)of;
    if (box_count(&woken) == 0)
        woken_by = pthread_self();
    else if (!pthread_equal(woken_by, pthread_self()))
        elsewhere = true;
    box_put(&woken, 0);
}

static void *notify_often(void *unused)
{
    int i;

    (void)unused;
    for (i = 0; i < 1000; i++)
        crier_stream_notify(stream);
    return NULL;
}

static enum MHD_Result answer_and_notify(struct site *of,
                                         struct MHD_Connection *connection,
                                         const char *path)
{
    struct MHD_Response *response;

    (void)path;
    ck_assert_int_eq(crier_stream_new(of->shards, connection, &options,
                                      &stream, &response),
                     0);
    crier_stream_notify(stream);
    ck_assert_int_eq(box_count(&woken), 0);
    return site_queue(connection, response);
}

START_TEST(on_wake_runs_when_it_is_wanted)
{
    struct client client;
    pthread_t threads[3];
    int i, count;

    options.on_wake = note_thread;
    site.answer = answer_and_notify;
    client_connect(&client, site.port);
    ck_assert_int_eq(client_request(&client, "GET", "/", "", NULL), 200);
    box_wait(&woken, 1);
    for (i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, notify_often, NULL);
    for (i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    /* However many were one, the last is not forgotten. */
    for (i = 0; i < 100; i++) {
        count = box_count(&woken);
        crier_stream_notify(stream);
        box_wait(&woken, count + 1);
    }
    client_close(&client);
    box_wait(&closed, 1);
    count = box_count(&woken);
    crier_stream_notify(stream);
    finish();
    ck_assert_int_eq(box_count(&woken), count);
    ck_assert(!elsewhere);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("stream_edge");
    TCase *c = add_case(s, "stream_edge");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_loop_test(c, a_client_that_leaves_is_no_error, 0, 4);
    tcase_add_test(c, the_end_of_all_is_no_error);
    tcase_add_loop_test(c, a_client_sees_that_it_lacks_something, 0, 2);
    tcase_add_loop_test(c, drain_does_not_wait_for_a_forgotten_response, 0,
                        sizeof forgettings / sizeof forgettings[0]);
    tcase_add_test(c, a_source_waits_for_room);
    tcase_add_test(c, there_is_room_once_the_headers_are_out);
    tcase_add_test(c, nobody_waits_for_room_of_a_closed_stream);
    tcase_add_test(c, on_wake_runs_when_it_is_wanted);
    return s;
}

RUN_SUITE(suite)
