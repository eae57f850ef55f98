/*
 * Streams in a libmicrohttpd program of the test's own: that frames arrive at
 * once, whole and in order, whichever way they take.
 */
#include <config.h>

#include "libcrier/stream/shards.h"
#include "libcrier/stream/stream.h"
#include "support/runner.h"
#include "support/stream_site.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>

START_TEST(headers_and_frames_come)
{
    struct client client;

    open_stream(&client); /* the head came, with nothing sent yet */
    ck_assert_str_eq(client_header(&client, "Content-Type"),
                     "text/event-stream");
    ck_assert_str_eq(client_header(&client, "Cache-Control"),
                     "no-cache, no-transform");
    ck_assert_str_eq(client_header(&client, "X-Accel-Buffering"), "no");
    ck_assert_str_eq(client_header(&client, "Transfer-Encoding"), "");
    ck_assert_str_eq(client_header(&client, "Content-Length"), "");
    send_text("one");
    client_expect(&client, "data: one");
    send_text("two");
    client_expect(&client, "data: two");
    ck_assert_uint_eq(crier_stream_sent(stream),
                      strlen(":\n" "data: one\n\n" "data: two\n\n"));
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

/* ---- which thread ----------------------------------------------------- */

#define SHARDS 4
#define NEAR 300

static struct client near[NEAR];

/* Opens a stream near TEXT. Its shard. */
static unsigned open_near(struct client *client, const char *text)
{
    int before = box_count(&opened);

    options.affinity = text;
    crier_stream_unref(stream);
    client_connect(client, site.port);
    ck_assert_int_eq(client_request(client, "GET", "/", "", NULL), 200);
    box_wait(&opened, before + 1);
    return stream->shard->index;
}

/* The most and the least that a shard has. */
static void look_at_loads(size_t *most, size_t *least)
{
    size_t load;
    int i;

    for (*most = 0, *least = SIZE_MAX, i = 0; i < SHARDS; i++) {
        load = atomic_load(&site.shards->shards[i].load);
        *most = load > *most ? load : *most;
        *least = load < *least ? load : *least;
    }
}

START_TEST(those_near_each_other_share_a_thread)
{
    unsigned shard = 0, seen = 0;
    size_t most, least;
    char text[8];
    int i;

    site_stop(&site);
    site_start(&site, &(struct crier_shards_options){.threads = SHARDS});
    for (i = 0; i < 60; i++) { /* five each of twelve */
        snprintf(text, sizeof text, "%d", i / 5);
        if (i % 5 == 0)
            shard = open_near(&near[i], text);
        else
            ck_assert_uint_eq(open_near(&near[i], text), shard);
        seen |= 1u << shard;
    }
    ck_assert_uint_eq(seen, (1u << SHARDS) - 1);
    for (; i < NEAR; i++) /* and many of one */
        open_near(&near[i], "one");
    look_at_loads(&most, &least);
    ck_assert_uint_le(most, least + 65);
    ck_assert_uint_gt(most, least + 1);
    for (i = 0; i < NEAR; i++)
        client_close(&near[i]);
    box_wait(&closed, NEAR);
    crier_stream_unref(stream);
    crier_shards_drain(site.shards, 0, 0, PATIENCE);
    while (crier_shards_count(site.shards) != 0) /* MHD lets go of the last ones */
        sched_yield();
    look_at_loads(&most, &least);
    ck_assert_uint_eq(most, 0);
    site_stop_drained(&site);
}
END_TEST

START_TEST(others_take_turns)
{
    size_t most, least;
    int i;

    site_stop(&site);
    site_start(&site, &(struct crier_shards_options){.threads = SHARDS});
    for (i = 0; i < 4 * SHARDS; i++)
        open_near(&near[i], NULL);
    look_at_loads(&most, &least);
    ck_assert_uint_eq(most, 4);
    ck_assert_uint_eq(least, 4);
    for (i = 0; i < 4 * SHARDS; i++)
        client_close(&near[i]);
    finish();
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
        while (error == CRIER_ERR_MAX_PENDING);
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
        frame = client_any_frame(&client);
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

/* Frames far larger than what the kernel takes at once go half by the shard's
 * own sends and half by the content reader: not a byte may be lost between. */
START_TEST(large_frames_arrive_whole)
{
    const size_t sizes[] = {100, 3000000, 1, 700000, 64000, 2000000, 10};
    const size_t count = sizeof sizes / sizeof sizes[0];
    struct client client;
    char *text, *frame;
    unsigned i;

    open_small_stream(&client, 100000000);
    for (i = 0; i < count; i++) {
        text = long_text(sizes[i], i);
        send_text(text);
        free(text);
    }
    for (i = 0; i < count; i++) {
        text = long_text(sizes[i], i);
        frame = client_any_frame(&client);
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

/* The same where a frame is sent at once, not from the list of those that wait. */
START_TEST(large_broadcasts_arrive_whole)
{
    const struct crier_broadcaster_options never = {.ping = CRIER_NEVER};
    struct crier_broadcaster *broadcaster;
    struct crier_frame *large;
    struct client client;
    char *text, *frame;
    unsigned i;

    ck_assert_int_eq(
        crier_broadcaster_new(site.shards, &never, &broadcaster), 0);
    open_stream(&client);
    ck_assert_int_eq(
        crier_broadcaster_join(broadcaster, stream, NULL, NULL), 0);
    for (i = 0; i < 4; i++) {
        text = long_text(3000000, i);
        large = frame_of(text);
        ck_assert_int_eq(crier_broadcaster_send(broadcaster, large), 1);
        crier_frame_unref(large);
        frame = client_frame(&client);
        ck_assert_uint_eq(strlen(frame), 6 + strlen(text));
        ck_assert_str_eq(frame + 6, text);
        free(frame);
        free(text);
    }
    client_close(&client);
    crier_stream_unref(stream);
    crier_shards_drain(site.shards, 0, 0, PATIENCE);
    crier_broadcaster_free(broadcaster);
    site_stop_drained(&site);
}
END_TEST

static int try_send(const char *text)
{
    struct crier_frame *frame = frame_of(text);
    int error = crier_stream_send(stream, frame);

    crier_frame_unref(frame);
    return error;
}

START_TEST(a_full_stream_refuses_and_loses_nothing)
{
    struct client client;
    char *text, *got;
    int sent = 0, i, error;

    open_small_stream(&client, 50000);
    for (;;) {
        ck_assert_int_lt(sent, 100000);
        text = long_text(5000, (unsigned)sent);
        error = try_send(text);
        free(text);
        if (error != 0)
            break;
        sent++;
    }
    ck_assert_int_eq(error, CRIER_ERR_MAX_PENDING);
    ck_assert_int_ge(sent, 10);
    for (i = 0; i < sent; i++) {
        text = long_text(5000, (unsigned)i);
        got = client_any_frame(&client);
        ck_assert_str_eq(got + 6, text);
        free(got);
        free(text);
    }
    while ((error = try_send("room again")) == CRIER_ERR_MAX_PENDING)
        sched_yield(); /* it need not know yet what has come */
    ck_assert_int_eq(error, 0);
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

/* Sends frames every 20 ms for longer than the keep-alive: no comment is sent between
 * them, and one is when they stop. */
START_TEST(frames_put_the_keep_alive_off)
{
    struct client client;
    int i;

    ticks = 0;
    options.keep_alive = 1000;
    options.keep_alive_text = "still here";
    options.on_wake = tick;
    open_stream(&client);
    client_expect_line(&client, ": still here"); /* it begins with that */
    for (i = 0; i < TICKS; i++)
        client_expect(&client, "data: tick");
    client_expect_line(&client, ": still here");
    client_expect_line(&client, ": still here");
    client_close(&client);
    finish();
}
END_TEST

/* The shard's thread sets the timer before it calls this. */
static void look_at_timer(void *closure, struct crier_stream *of)
{
    uint64_t check = of->transport.last_sent + options.keep_alive / 4 * 3;
    uint64_t due = of->alive.when;

    (void)closure;
    ck_assert_uint_ge(due, check);
    ck_assert_uint_lt(due, of->shard->now + options.keep_alive / 4 * 3 + 100);
    ck_assert_uint_eq(due % 100, 0);
    box_put(&woken, 0);
}

/* One waking of the thread does for all that are due within 100 ms, the check on the
 * client first. */
START_TEST(keep_alives_come_together)
{
    struct client client;

    options.keep_alive = 25600;
    options.on_wake = look_at_timer;
    open_stream(&client);
    box_wait(&woken, 1);
    client_close(&client);
    finish();
}
END_TEST

START_TEST(keep_alive_is_empty_by_default)
{
    struct client client;

    options.keep_alive = 10;
    open_stream(&client);
    client_expect_line(&client, ":"); /* it begins with that */
    client_expect_line(&client, ":");
    client_expect_line(&client, ":");
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

/* A stream without times of its own gets new ones while it is open; one that has some
 * keeps them. */
START_TEST(times_change_while_streams_are_open)
{
    struct client client, own;

    options.keep_alive = 3600000;
    open_stream(&own);
    crier_stream_unref(stream);
    options.keep_alive = 0;
    ck_assert_int_eq(crier_shards_set_times(site.shards, 3600000, 0), 0);
    open_stream(&client);
    client_expect_line(&client, ":"); /* it begins with that */
    client_expect_line(&own, ":");
    ck_assert_int_eq(crier_shards_set_times(site.shards, 10, 0), 0);
    client_expect_line(&client, ":");
    client_expect_line(&client, ":");
    ck_assert_int_eq(crier_shards_set_times(site.shards, 9, 0),
                     CRIER_ERR_INVALID);
    ck_assert_int_eq(crier_shards_set_times(site.shards, 0, 9),
                     CRIER_ERR_INVALID);
    ck_assert(!client_has(&own, 0));
    client_close(&client);
    client_close(&own);
    finish();
}
END_TEST

START_TEST(the_number_of_streams_changes)
{
    struct client client, refused;

    crier_shards_set_max_streams(site.shards, 1);
    open_stream(&client);
    client_connect(&refused, site.port);
    ck_assert_int_eq(client_request(&refused, "GET", "/", "", NULL), 503);
    ck_assert_int_eq(last_error, CRIER_ERR_MAX_STREAMS);
    client_close(&refused);
    crier_shards_set_max_streams(site.shards, 0);
    crier_stream_unref(stream);
    open_stream(&refused);
    client_close(&refused);
    client_close(&client);
    finish();
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
    tcase_add_test(c, those_near_each_other_share_a_thread);
    tcase_add_test(c, others_take_turns);
    tcase_add_test(c, threads_keep_their_order);
    tcase_add_test(c, large_frames_arrive_whole);
    tcase_add_test(c, large_broadcasts_arrive_whole);
    tcase_add_test(c, a_full_stream_refuses_and_loses_nothing);
    tcase_add_test(c, frames_put_the_keep_alive_off);
    tcase_add_test(c, keep_alives_come_together);
    tcase_add_test(c, keep_alive_is_empty_by_default);
    tcase_add_test(c, times_change_while_streams_are_open);
    tcase_add_test(c, the_number_of_streams_changes);
    tcase_add_test(c, a_keep_alive_too_short_is_refused);
    return s;
}

RUN_SUITE(suite)
