/*
 * How streams end, and what keeps one from beginning: every end is noticed, every
 * limit holds, and short memory leaves nothing behind.
 */
#include <config.h>

#include "libcrier/stream/shards.h"
#include "libcrier/stream/stream.h"
#include "support/runner.h"
#include "support/stream_site.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

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
    expect_left(_i != 0);
    finish();
}
END_TEST

/* The same while the connection is not parked but waits for room. */
START_TEST(a_stalled_client_that_leaves_is_noticed)
{
    struct client client;
    char *text = long_text(3000000, 1);

    open_small_stream(&client, 100000000);
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

    options.on_wake = count_wake;
    client_connect(&client, site.port);
    ck_assert_int_eq(client_request(&client, "GET", "/refused", "", NULL),
                     418);
    ck_assert_int_eq(box_wait(&closed, 1), CRIER_REASON_UNSENT);
    ck_assert_int_eq(box_count(&woken), 0);
    client_close(&client);
    finish();
}
END_TEST

START_TEST(a_head_request_has_no_stream)
{
    struct client client;

    options.on_wake = count_wake;
    client_connect(&client, site.port);
    client_send(&client, "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n");
    ck_assert_int_eq(client_head(&client), 200);
    ck_assert_int_eq(box_wait(&closed, 1), CRIER_REASON_UNSENT);
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
    ck_assert_int_eq(last_error, CRIER_ERR_MAX_STREAMS);
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

/* Whether there are pings or none, and also when its time has come before it begins. */
START_TEST(a_stream_ends_when_it_expires)
{
    const uint32_t pings[] = {CRIER_NEVER, 10, CRIER_NEVER};
    uint64_t expires = _i < 2 ? crier_now() + 300 : 1;
    struct crier_frame *frame = frame_of("in time");
    struct client client;
    char *got;

    options.keep_alive = pings[_i];
    options.expires = expires;
    open_stream(&client);
    if (_i < 2)
        (void)crier_stream_send(stream, frame); /* too late, if the machine is busy */
    crier_frame_unref(frame);
    got = client_frame(&client);
    if (got != NULL) {
        ck_assert_str_eq(got, "data: in time");
        ck_assert_ptr_null(client_frame(&client));
        free(got);
    }
    ck_assert_uint_ge(crier_now(), expires);
    ck_assert_int_eq(box_wait(&closed, 1), CRIER_REASON_EXPIRED);
    client_close(&client);
    finish();
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
    frame = client_any_frame(&client);
    ck_assert_int_eq(sscanf(frame, "retry: %u", &retry), 1);
    ck_assert_uint_ge(retry, 2000);
    ck_assert_uint_le(retry, 3000);
    free(frame);
    ck_assert_ptr_null(client_frame(&client));
    ck_assert_int_eq(box_wait(&closed, 1), CRIER_REASON_SHUTDOWN);
    client_connect(&late, site.port);
    ck_assert_int_eq(client_request(&late, "GET", "/", "", NULL), 503);
    ck_assert_int_eq(last_error, CRIER_ERR_DRAINING);
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

    open_small_stream(&client, 100000000);
    send_text(text);
    free(text);
    ck_assert_uint_eq(crier_shards_drain(site.shards, 0, 0, 50), 1);
    ck_assert_int_eq(box_wait(&closed, 1), CRIER_REASON_SHUTDOWN);
    client_close(&client);
    crier_stream_unref(stream);
    site_stop_drained(&site);
}
END_TEST

/* More than clients' timers take is what they take at most. */
START_TEST(drain_with_any_retry)
{
    struct client client;

    open_stream(&client);
    ck_assert_uint_eq(
        crier_shards_drain(site.shards, UINT32_MAX, UINT32_MAX, PATIENCE), 0);
    free(client_until(&client, "retry: 2147483647"));
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

static void *let_go_when_cut(void *unused)
{
    (void)unused;
    while (!atomic_load(&site.shards->cut))
        sched_yield();
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
    pthread_create(&thread, NULL, let_go_when_cut, NULL);
    ck_assert_uint_eq(crier_shards_drain(site.shards, 0, 0, 10), 1);
    pthread_join(thread, NULL);
    box_wait(&closed, 1);
    client_close(&client);
    crier_stream_unref(stream);
    site_stop_drained(&site);
    box_done(&in_handler);
    box_done(&drained);
}
END_TEST

static void *drain_site(void *unused)
{
    (void)unused;
    ck_assert_uint_eq(crier_shards_drain(site.shards, 0, 0, PATIENCE), 0);
    return NULL;
}

static void counted(struct crier__task *task)
{
    (void)task;
    box_put(&woken, 0);
}

/* A stream that is cut while its handler still runs says so afterwards. */
static enum MHD_Result answer_and_cut(struct site *of,
                                      struct MHD_Connection *connection,
                                      const char *path)
{
    static struct crier__task next = {.run = counted};
    struct crier_broadcaster *broadcaster;
    struct MHD_Response *response;
    struct crier_frame *frame;
    char *text = long_text(1000, 1);
    int i;

    (void)path;
    options.max_pending = 2000;
    ck_assert_int_eq(crier_broadcaster_new(of->shards, NULL, &broadcaster), 0);
    ck_assert_int_eq(crier_stream_new(of->shards, connection, &options,
                                      &stream, &response),
                     0);
    ck_assert_int_eq(crier_broadcaster_join(broadcaster, stream, NULL, NULL),
                     0);
    frame = frame_of(text);
    for (i = 0; i < 5; i++)
        ck_assert_int_eq(crier_broadcaster_send(broadcaster, frame), 1);
    while (crier_stream_send(stream, frame) != CRIER_ERR_CLOSED)
        sched_yield();
    crier__shard_post(stream->shard, &next);
    box_wait(&woken, 1); /* so the shard is past the cut */
    ck_assert_int_eq(box_count(&closed), 0);
    crier_frame_unref(frame);
    free(text);
    crier_broadcaster_free(broadcaster);
    return site_queue(connection, response);
}

START_TEST(cut_before_it_has_begun)
{
    struct client client;

    site.answer = answer_and_cut;
    options.on_wake = count_wake;
    client_connect(&client, site.port);
    client_send(&client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    ck_assert_int_eq(box_wait(&closed, 1), CRIER_REASON_SLOW);
    client_close(&client);
    finish();
    ck_assert_int_eq(box_count(&closed), 1);
    ck_assert_int_eq(box_count(&woken), 1); /* by counted() alone */
}
END_TEST

/* A client that reads receives all frames that the stream accepted, and the last line,
 * however much it is. */
START_TEST(drain_delivers_what_was_accepted)
{
    char *large[2] = {long_text(250000, 1), long_text(300000, 2)}, *frame;
    struct client client;
    pthread_t thread;
    int i;

    open_stream(&client);
    for (i = 0; i < 2; i++)
        send_text(large[i]);
    pthread_create(&thread, NULL, drain_site, NULL);
    for (i = 0; i < 2; i++) {
        frame = client_any_frame(&client);
        ck_assert_str_eq(frame + 6, large[i]);
        free(frame);
        free(large[i]);
    }
    free(client_until(&client, "retry: "));
    ck_assert_ptr_null(client_frame(&client));
    pthread_join(thread, NULL);
    ck_assert_int_eq(box_wait(&closed, 1), CRIER_REASON_SHUTDOWN);
    client_close(&client);
    crier_stream_unref(stream);
    site_stop_drained(&site);
}
END_TEST

/* Each allocation of a new stream fails once: the call returns an error, calls no
 * callback, and frees the stream's place. */
START_TEST(short_memory)
{
    struct client client;
    int status = 0;

    options.on_wake = count_wake;
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
    ck_assert_int_gt(oom, 2);
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
    options.on_wake = count_wake;
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
    ck_assert_int_eq(error, CRIER_ERR_MAX_BACKLOG);
    while (crier_stream_send(stream, frame) == CRIER_ERR_MAX_BACKLOG)
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
    int port;

    ck_assert_ptr_nonnull(daemon);
    port = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
    ck_assert_int_eq(fetch(port, "GET", "/", "", NULL, NULL), 500);
    ck_assert_int_eq(last_error, CRIER_ERR_DAEMON);
    MHD_stop_daemon(daemon);
    site_stop(&site);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("stream_end");
    TCase *c = add_case(s, "stream_end");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_loop_test(c, a_client_that_leaves_is_noticed_at_once, 0, 2);
    tcase_add_loop_test(c, a_stalled_client_that_leaves_is_noticed, 0, 2);
    tcase_add_test(c, a_response_never_queued_ends_the_stream);
    tcase_add_test(c, a_head_request_has_no_stream);
    tcase_add_test(c, the_limit_holds_and_frees_up);
    tcase_add_loop_test(c, a_stream_ends_when_it_expires, 0, 3);
    tcase_add_test(c, drain_says_goodbye);
    tcase_add_test(c, drain_cuts_off_who_does_not_listen);
    tcase_add_test(c, drain_with_any_retry);
    tcase_add_test(c, a_handler_that_outlasts_drain);
    tcase_add_test(c, cut_before_it_has_begun);
    tcase_add_test(c, drain_delivers_what_was_accepted);
    tcase_add_test(c, short_memory);
    tcase_add_test(c, headers_that_cannot_be_added);
    tcase_add_test(c, the_backlog_is_bounded);
    tcase_add_loop_test(c, a_daemon_that_is_unfit_is_refused, 0, 2);
    return s;
}

RUN_SUITE(suite)
