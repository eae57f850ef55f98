/*
 * Streams in a libmicrohttpd program of the test's own: that frames arrive at
 * once, whole and in order, whichever way they take, and that every end is
 * noticed.
 */
#include <config.h>

#include "support/client.h"
#include "support/oom.h"
#include "support/runner.h"
#include "support/site.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

/* One stream at a time, kept for the test. */
static struct crier_stream *stream;
static struct crier_stream_options options;
static struct signal_box opened, closed, woken;
static int last_error;
static long oom; /* for the next stream: its so-manieth allocation fails */
static bool headers_fail;

/* What the linker's --wrap makes of the name. */
enum MHD_Result __real_MHD_add_response_header(struct MHD_Response *response,
                                               const char *name,
                                               const char *value);
enum MHD_Result __wrap_MHD_add_response_header(struct MHD_Response *response,
                                               const char *name,
                                               const char *value);

enum MHD_Result __wrap_MHD_add_response_header(struct MHD_Response *response,
                                               const char *name,
                                               const char *value)
{
    return headers_fail
               ? MHD_NO
               : __real_MHD_add_response_header(response, name, value);
}

static void on_wake(void *closure, struct crier_stream *of)
{
    (void)closure;
    (void)of;
    box_put(&woken, 0);
}

static void on_closed(void *closure, struct crier_stream *ended,
                      enum crier_reason reason)
{
    (void)closure;
    (void)ended;
    box_put(&closed, (int)reason);
}

static enum MHD_Result answer(struct site *site,
                              struct MHD_Connection *connection,
                              const char *path)
{
    struct MHD_Response *response;
    enum MHD_Result result;

    if (strcmp(path, "/refused") == 0) {
        ck_assert_int_eq(crier_stream_new(site->shards, connection, &options,
                                          &stream, &response),
                         0);
        MHD_destroy_response(response);
        return site_status(connection, 418);
    }
    oom_after(oom);
    last_error = crier_stream_new(site->shards, connection, &options, &stream,
                                  &response);
    oom_never();
    if (last_error != 0)
        return site_status(connection, 503);
    result = site_queue(connection, response);
    box_put(&opened, 0);
    return result;
}

static struct site site;

static void setup(void)
{
    box_init(&opened);
    box_init(&closed);
    box_init(&woken);
    oom = 0;
    headers_fail = false;
    memset(&options, 0, sizeof options);
    options.on_closed = on_closed;
    options.keep_alive = CRIER_NEVER;
    memset(&site, 0, sizeof site);
    site.answer = answer;
    site_start(&site, NULL);
}

static void teardown(void)
{
    box_done(&opened);
    box_done(&closed);
    box_done(&woken);
}

/* Opens a stream and reads its head. */
static void open_stream(struct client *client)
{
    client_connect(client, site.port);
    ck_assert_int_eq(client_request(client, "GET", "/", "", NULL), 200);
    box_wait(&opened, 1);
}

static void send_text(const char *text)
{
    struct crier_frame *frame = frame_of(text);

    ck_assert_int_eq(crier_stream_send(stream, frame), 0);
    crier_frame_unref(frame);
}

static void finish(void)
{
    crier_stream_unref(stream);
    site_stop(&site);
}

START_TEST(headers_and_frames_come)
{
    struct client client;

    open_stream(&client); /* the head came, with nothing sent yet */
    ck_assert_str_eq(client_header(&client, "Content-Type"),
                     "text/event-stream");
    ck_assert_str_eq(client_header(&client, "Cache-Control"), "no-cache");
    ck_assert_str_eq(client_header(&client, "X-Accel-Buffering"), "no");
    ck_assert_str_eq(client_header(&client, "Transfer-Encoding"), "");
    ck_assert_str_eq(client_header(&client, "Content-Length"), "");
    send_text("one");
    client_expect(&client, "data: one");
    send_text("two");
    client_expect(&client, "data: two");
    client_close(&client);
    finish();
}
END_TEST

/* Without care the kernel holds the end of what went through MHD back for 200
 * ms. One of several tries may be slow for other reasons; not all. */
START_TEST(nothing_is_held_back)
{
    uint64_t begun, took, least = UINT64_MAX;
    struct client client;
    int i;

    for (i = 0; i < 5; i++) {
        client_connect(&client, site.port);
        begun = crier_now();
        ck_assert_int_eq(client_request(&client, "GET", "/", "", NULL), 200);
        box_wait(&opened, i + 1);
        send_text("prompt");
        client_expect(&client, "data: prompt");
        took = crier_now() - begun;
        if (took < least)
            least = took;
        client_close(&client);
        crier_stream_unref(stream);
    }
    ck_assert_uint_lt(least, 150);
    site_stop(&site);
}
END_TEST

START_TEST(http_1_0_clients_too)
{
    struct client client;

    client_connect(&client, site.port);
    client_send(&client, "GET / HTTP/1.0\r\n\r\n");
    ck_assert_int_eq(client_head(&client), 200);
    box_wait(&opened, 1);
    send_text("old");
    client_expect(&client, "data: old");
    crier_stream_close(stream);
    client_expect_end(&client);
    client_close(&client);
    finish();
}
END_TEST

START_TEST(close_ends_after_what_was_sent)
{
    struct client client;
    int i;
    char text[32];

    open_stream(&client);
    for (i = 0; i < 500; i++) {
        snprintf(text, sizeof text, "%d", i);
        send_text(text);
    }
    crier_stream_close(stream);
    crier_stream_close(stream);
    for (i = 0; i < 500; i++) {
        snprintf(text, sizeof text, "data: %d", i);
        client_expect(&client, text);
    }
    ck_assert_ptr_null(client_frame(&client));
    ck_assert_int_eq(box_wait(&closed, 1), CRIER_REASON_APP);
    {
        struct crier_frame *frame = frame_of("late");

        ck_assert_int_eq(crier_stream_send(stream, frame), CRIER_ERR_CLOSED);
        crier_frame_unref(frame);
    }
    client_close(&client);
    finish();
    ck_assert_int_eq(box_count(&closed), 1);
}
END_TEST

/* ---- many threads ----------------------------------------------------- */

#define SENDERS 4
#define EACH 300

static void *sender(void *number)
{
    struct crier_frame *frame;
    char text[32];
    int i, error;

    for (i = 0; i < EACH; i++) {
        snprintf(text, sizeof text, "%d %d", (int)(intptr_t)number, i);
        frame = frame_of(text);
        do
            error = crier_stream_send(stream, frame);
        while (error == CRIER_ERR_FULL);
        ck_assert_int_eq(error, 0);
        crier_frame_unref(frame);
    }
    return NULL;
}

START_TEST(threads_keep_their_order)
{
    pthread_t threads[SENDERS];
    struct client client;
    int next[SENDERS] = {0}, who, which, i;
    char *frame;

    open_stream(&client);
    for (i = 0; i < SENDERS; i++)
        pthread_create(&threads[i], NULL, sender, (void *)(intptr_t)i);
    for (i = 0; i < SENDERS * EACH; i++) {
        frame = client_frame(&client);
        ck_assert_int_eq(sscanf(frame, "data: %d %d", &who, &which), 2);
        ck_assert_int_eq(which, next[who]);
        next[who]++;
        free(frame);
    }
    for (i = 0; i < SENDERS; i++)
        pthread_join(threads[i], NULL);
    client_close(&client);
    finish();
}
END_TEST

/* ---- slow clients ----------------------------------------------------- */

/* A text of LENGTH bytes that differs everywhere. To be freed. */
static char *long_text(size_t length, unsigned seed)
{
    char *text = malloc(length + 1);
    size_t i;

    for (i = 0; i < length; i++)
        text[i] = (char)('!' + (i * 31 + i / 251 + seed) % 90);
    text[length] = '\0';
    return text;
}

/* Frames far larger than what the kernel takes at once go half by the shard's
 * own sends and half by the content reader: not a byte may be lost between. */
START_TEST(large_frames_arrive_whole)
{
    const size_t sizes[] = {100, 3000000, 1, 700000, 64000, 2000000, 10};
    const size_t count = sizeof sizes / sizeof sizes[0];
    struct client client;
    char *text, *frame;
    unsigned i;

    options.max_pending = 100000000;
    client_connect_small(&client, site.port, 4096);
    ck_assert_int_eq(client_request(&client, "GET", "/", "", NULL), 200);
    box_wait(&opened, 1);
    for (i = 0; i < count; i++) {
        text = long_text(sizes[i], i);
        send_text(text);
        free(text);
    }
    for (i = 0; i < count; i++) {
        text = long_text(sizes[i], i);
        frame = client_frame(&client);
        ck_assert_uint_eq(strlen(frame), 6 + sizes[i]);
        ck_assert_str_eq(frame + 6, text);
        free(frame);
        free(text);
    }
    send_text("and the socket is sent to again");
    client_expect(&client, "data: and the socket is sent to again");
    client_close(&client);
    finish();
}
END_TEST

START_TEST(a_full_stream_refuses_and_loses_nothing)
{
    struct crier_frame *frame;
    struct client client;
    char *text, *got;
    int sent = 0, i, error;

    options.max_pending = 50000;
    client_connect_small(&client, site.port, 4096);
    ck_assert_int_eq(client_request(&client, "GET", "/", "", NULL), 200);
    box_wait(&opened, 1);
    for (;;) {
        ck_assert_int_lt(sent, 100000);
        text = long_text(5000, (unsigned)sent);
        frame = frame_of(text);
        free(text);
        error = crier_stream_send(stream, frame);
        crier_frame_unref(frame);
        if (error != 0)
            break;
        sent++;
    }
    ck_assert_int_eq(error, CRIER_ERR_FULL);
    ck_assert_int_ge(sent, 10);
    for (i = 0; i < sent; i++) {
        text = long_text(5000, (unsigned)i);
        got = client_frame(&client);
        ck_assert_str_eq(got + 6, text);
        free(got);
        free(text);
    }
    send_text("room again");
    client_expect(&client, "data: room again");
    ck_assert_int_eq(box_count(&closed), 0);
    client_close(&client);
    finish();
}
END_TEST

/* ---- keep-alive ------------------------------------------------------- */

#define TICKS 60

static int ticks;

static void tick(void *closure, struct crier_stream *of)
{
    struct crier_frame *frame;

    (void)closure;
    if (ticks++ == TICKS)
        return;
    frame = frame_of("tick");
    ck_assert_int_eq(crier_stream_send(of, frame), 0);
    crier_frame_unref(frame);
    crier_stream_wake(of, crier_now() + 20);
}

/* Frames every 20 ms for longer than the keep-alive: no comment comes among
 * them, and one comes when they stop. */
START_TEST(frames_put_the_keep_alive_off)
{
    struct client client;
    int i;

    ticks = 0;
    options.keep_alive = 1000;
    options.keep_alive_text = "still here";
    options.on_wake = tick;
    open_stream(&client);
    for (i = 0; i < TICKS; i++)
        client_expect(&client, "data: tick");
    client_expect(&client, ": still here");
    client_expect(&client, ": still here");
    client_close(&client);
    finish();
}
END_TEST

START_TEST(keep_alive_is_empty_by_default)
{
    struct client client;

    options.keep_alive = 10;
    open_stream(&client);
    client_expect(&client, ":");
    client_close(&client);
    finish();
}
END_TEST

START_TEST(a_keep_alive_too_short_is_refused)
{
    struct client client;

    options.keep_alive = 9;
    client_connect(&client, site.port);
    ck_assert_int_eq(client_request(&client, "GET", "/", "", NULL), 503);
    ck_assert_int_eq(last_error, CRIER_ERR_INVALID);
    client_close(&client);
    site_stop(&site);
}
END_TEST

/* ---- ends ------------------------------------------------------------- */

/* There is no keep-alive here, so only the shard's own watch can notice. */
START_TEST(a_client_that_leaves_is_noticed_at_once)
{
    struct client client;

    open_stream(&client);
    ck_assert_uint_eq(crier_shards_count(site.shards), 1);
    if (_i == 0)
        client_close(&client);
    else
        client_reset(&client);
    ck_assert_int_eq(box_wait(&closed, 1), CRIER_REASON_LEFT);
    finish();
}
END_TEST

/* The same while the connection is not parked but waits for room. */
START_TEST(a_stalled_client_that_leaves_is_noticed)
{
    struct client client;
    char *text = long_text(3000000, 1);

    options.max_pending = 100000000;
    client_connect_small(&client, site.port, 4096);
    ck_assert_int_eq(client_request(&client, "GET", "/", "", NULL), 200);
    box_wait(&opened, 1);
    send_text(text);
    free(client_bytes(&client, 1000));
    if (_i == 0)
        client_close(&client);
    else
        client_reset(&client);
    box_wait(&closed, 1);
    free(text);
    finish();
}
END_TEST

START_TEST(a_response_never_queued_ends_the_stream)
{
    struct client client;

    options.on_wake = on_wake;
    client_connect(&client, site.port);
    ck_assert_int_eq(client_request(&client, "GET", "/refused", "", NULL),
                     418);
    ck_assert_int_eq(box_wait(&closed, 1), CRIER_REASON_TRANSPORT);
    ck_assert_int_eq(box_count(&woken), 0);
    client_close(&client);
    finish();
}
END_TEST

START_TEST(the_limit_holds_and_frees_up)
{
    const struct crier_shards_options limits = {.max_streams = 2};
    struct client clients[3];
    struct crier_stream *kept[3];
    int i;

    site_stop(&site);
    site_start(&site, &limits);
    for (i = 0; i < 2; i++) {
        client_connect(&clients[i], site.port);
        ck_assert_int_eq(client_request(&clients[i], "GET", "/", "", NULL),
                         200);
        box_wait(&opened, i + 1);
        kept[i] = stream;
    }
    client_connect(&clients[2], site.port);
    ck_assert_int_eq(client_request(&clients[2], "GET", "/", "", NULL), 503);
    ck_assert_int_eq(last_error, CRIER_ERR_LIMIT);
    client_close(&clients[0]);
    box_wait(&closed, 1);
    /* The place is free when MHD has let the connection go. */
    while (crier_shards_count(site.shards) > 1)
        sched_yield();
    ck_assert_int_eq(client_request(&clients[2], "GET", "/", "", NULL), 200);
    box_wait(&opened, 3);
    kept[2] = stream;
    client_close(&clients[1]);
    client_close(&clients[2]);
    for (i = 0; i < 3; i++)
        crier_stream_unref(kept[i]);
    site_stop(&site);
    ck_assert_int_eq(box_count(&closed), 3);
}
END_TEST

START_TEST(drain_says_goodbye)
{
    struct client client, late;
    unsigned retry;
    char *frame;

    open_stream(&client);
    send_text("last words");
    ck_assert_uint_eq(crier_shards_drain(site.shards, 2000, 3000, PATIENCE),
                      0);
    client_expect(&client, "data: last words");
    frame = client_frame(&client);
    ck_assert_int_eq(sscanf(frame, "retry: %u", &retry), 1);
    ck_assert_uint_ge(retry, 2000);
    ck_assert_uint_le(retry, 3000);
    free(frame);
    ck_assert_ptr_null(client_frame(&client));
    ck_assert_int_eq(box_wait(&closed, 1), CRIER_REASON_GOODBYE);
    client_connect(&late, site.port);
    ck_assert_int_eq(client_request(&late, "GET", "/", "", NULL), 503);
    ck_assert_int_eq(last_error, CRIER_ERR_CLOSED);
    client_close(&late);
    client_close(&client);
    crier_stream_unref(stream);
    site_stop_drained(&site);
}
END_TEST

START_TEST(drain_cuts_off_who_does_not_listen)
{
    struct client client;
    char *text = long_text(3000000, 1);

    options.max_pending = 100000000;
    client_connect_small(&client, site.port, 4096);
    ck_assert_int_eq(client_request(&client, "GET", "/", "", NULL), 200);
    box_wait(&opened, 1);
    send_text(text);
    free(text);
    ck_assert_uint_eq(crier_shards_drain(site.shards, 0, 0, 50), 1);
    ck_assert_int_eq(box_wait(&closed, 1), CRIER_REASON_GOODBYE);
    ck_assert_uint_eq(crier_shards_count(site.shards), 0);
    client_close(&client);
    crier_stream_unref(stream);
    site_stop_drained(&site);
}
END_TEST

/* The widest range there is. */
START_TEST(drain_with_any_retry)
{
    struct client client;

    open_stream(&client);
    ck_assert_uint_eq(crier_shards_drain(site.shards, 0, UINT32_MAX, PATIENCE),
                      0);
    free(client_until(&client, "retry: "));
    client_close(&client);
    crier_stream_unref(stream);
    site_stop_drained(&site);
}
END_TEST

/* A handler that is still at it when the time of drain is over: its stream must
 * not be left suspended, for MHD_stop_daemon would abort. */
static struct signal_box in_handler, drained;

static enum MHD_Result answer_late(struct site *of,
                                   struct MHD_Connection *connection,
                                   const char *path)
{
    struct MHD_Response *response;

    (void)path;
    ck_assert_int_eq(crier_stream_new(of->shards, connection, &options,
                                      &stream, &response),
                     0);
    box_put(&in_handler, 0);
    box_wait(&drained, 1);
    return site_queue(connection, response);
}

static void *drain_shortly(void *unused)
{
    (void)unused;
    /* Wakes the handler once the cut is on its way. */
    while (crier_shards_count(site.shards) != 0 && box_count(&drained) == 0)
        box_put(&drained, 0);
    return NULL;
}

START_TEST(a_handler_that_outlasts_drain)
{
    struct client client;
    pthread_t thread;

    box_init(&in_handler);
    box_init(&drained);
    site.answer = answer_late;
    client_connect(&client, site.port);
    client_send(&client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    box_wait(&in_handler, 1);
    pthread_create(&thread, NULL, drain_shortly, NULL);
    ck_assert_uint_le(crier_shards_drain(site.shards, 0, 0, 0), 1);
    pthread_join(thread, NULL);
    ck_assert_uint_eq(crier_shards_count(site.shards), 0);
    box_wait(&closed, 1);
    client_close(&client);
    crier_stream_unref(stream);
    site_stop_drained(&site);
    box_done(&in_handler);
    box_done(&drained);
}
END_TEST

/* Every allocation of a new stream fails once: an error comes back, no callback
 * is called, and its place is free again. */
START_TEST(short_memory)
{
    struct client client;
    int status = 0;

    options.on_wake = on_wake;
    for (oom = 1; status != 200; oom++) {
        ck_assert_int_lt(oom, 50);
        client_connect(&client, site.port);
        status = client_request(&client, "GET", "/", "", NULL);
        if (status == 200)
            break;
        ck_assert_int_eq(last_error, -ENOMEM);
        ck_assert_uint_eq(crier_shards_count(site.shards), 0);
        client_close(&client);
    }
    ck_assert_int_gt(oom, 4);
    ck_assert_uint_eq(crier_shards_count(site.shards), 1);
    box_wait(&woken, 1);
    ck_assert_int_eq(box_count(&woken), 1);
    ck_assert_int_eq(box_count(&closed), 0);
    client_close(&client);
    finish();
    ck_assert_int_eq(box_count(&closed), 1);
}
END_TEST

START_TEST(headers_that_cannot_be_added)
{
    struct client client;

    headers_fail = true;
    options.on_wake = on_wake;
    client_connect(&client, site.port);
    ck_assert_int_eq(client_request(&client, "GET", "/", "", NULL), 503);
    ck_assert_int_eq(last_error, -ENOMEM);
    ck_assert_uint_eq(crier_shards_count(site.shards), 0);
    client_close(&client);
    ck_assert_uint_eq(site_stop(&site), 0);
    ck_assert_int_eq(box_count(&woken) + box_count(&closed), 0);
}
END_TEST

START_TEST(the_backlog_is_bounded)
{
    const struct crier_shards_options limits = {.max_backlog = 1};
    struct crier_frame *frame = frame_of("x");
    struct client client;
    int error = 0, i;

    site_stop(&site);
    site_start(&site, &limits);
    options.max_pending = 100000000;
    open_stream(&client);
    for (i = 0; i < 1000000 && error == 0; i++)
        error = crier_stream_send(stream, frame);
    ck_assert_int_eq(error, CRIER_ERR_BUSY);
    while (crier_stream_send(stream, frame) == CRIER_ERR_BUSY)
        sched_yield(); /* it passes */
    crier_frame_unref(frame);
    client_close(&client);
    finish();
}
END_TEST

static enum MHD_Result handle_plain(void *closure,
                                    struct MHD_Connection *connection,
                                    const char *url, const char *method,
                                    const char *version, const char *data,
                                    size_t *length, void **context)
{
    struct MHD_Response *response;

    (void)url;
    (void)method;
    (void)version;
    (void)data;
    (void)length;
    (void)context;
    last_error = crier_stream_new(((struct site *)closure)->shards,
                                  connection, NULL, &stream, &response);
    return site_status(connection, 500);
}

static const unsigned unfit[] = {
    MHD_USE_EPOLL_INTERNAL_THREAD,
    MHD_ALLOW_SUSPEND_RESUME | MHD_USE_INTERNAL_POLLING_THREAD |
        MHD_USE_THREAD_PER_CONNECTION,
};

START_TEST(a_daemon_that_is_unfit_is_refused)
{
    struct MHD_Daemon *daemon = MHD_start_daemon(
        unfit[_i], 0, NULL, NULL, handle_plain, &site, MHD_OPTION_END);
    int port = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port;

    ck_assert_int_eq(fetch(port, "GET", "/", "", NULL, NULL), 500);
    ck_assert_int_eq(last_error, CRIER_ERR_DAEMON);
    MHD_stop_daemon(daemon);
    site_stop(&site);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("stream");
    TCase *c = add_case(s, "stream");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, headers_and_frames_come);
    tcase_add_test(c, nothing_is_held_back);
    tcase_add_test(c, http_1_0_clients_too);
    tcase_add_test(c, close_ends_after_what_was_sent);
    tcase_add_test(c, threads_keep_their_order);
    tcase_add_test(c, large_frames_arrive_whole);
    tcase_add_test(c, a_full_stream_refuses_and_loses_nothing);
    tcase_add_test(c, frames_put_the_keep_alive_off);
    tcase_add_test(c, keep_alive_is_empty_by_default);
    tcase_add_test(c, a_keep_alive_too_short_is_refused);
    tcase_add_loop_test(c, a_client_that_leaves_is_noticed_at_once, 0, 2);
    tcase_add_loop_test(c, a_stalled_client_that_leaves_is_noticed, 0, 2);
    tcase_add_test(c, a_response_never_queued_ends_the_stream);
    tcase_add_test(c, the_limit_holds_and_frees_up);
    tcase_add_test(c, drain_says_goodbye);
    tcase_add_test(c, drain_cuts_off_who_does_not_listen);
    tcase_add_test(c, drain_with_any_retry);
    tcase_add_test(c, a_handler_that_outlasts_drain);
    tcase_add_test(c, short_memory);
    tcase_add_test(c, headers_that_cannot_be_added);
    tcase_add_test(c, the_backlog_is_bounded);
    tcase_add_loop_test(c, a_daemon_that_is_unfit_is_refused, 0, 2);
    return s;
}

RUN_SUITE(suite)
