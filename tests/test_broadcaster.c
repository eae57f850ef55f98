/*
 * The broadcaster in the cases that implementations get wrong: members that join during
 * a sweep, leave during a broadcast, or stall must not affect the others.
 */
#include <config.h>

#include "support/client.h"
#include "support/runner.h"
#include "support/site.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static struct crier_broadcaster *broadcaster;
static struct crier_broadcaster_options ping;
static struct crier_stream_options options;
static struct signal_box joined, closed;
static struct crier_stream *last; /* the newest stream, a reference */
static const char *hello;
static struct site site;

/* Joins under the name that the path gives, "/" for none. */
static enum MHD_Result answer(struct site *of,
                              struct MHD_Connection *connection,
                              const char *path)
{
    struct MHD_Response *response;
    struct crier_stream *stream;
    struct crier_frame *first = hello != NULL ? frame_of(hello) : NULL;
    enum MHD_Result result;

    ck_assert_int_eq(crier_stream_new(of->shards, connection, &options,
                                      &stream, &response),
                     0);
    ck_assert_int_eq(crier_broadcaster_join(broadcaster, stream,
                                            path[1] != '\0' ? path + 1 : NULL,
                                            first),
                     0);
    ck_assert_int_eq(crier_broadcaster_join(broadcaster, stream, NULL, NULL),
                     CRIER_ERR_JOINED);
    crier_frame_unref(first);
    result = site_queue(connection, response);
    crier_stream_unref(last);
    last = stream;
    box_put(&joined, 0);
    return result;
}

static void start(uint32_t ping_interval)
{
    const struct crier_shards_options shards = {.threads = 3};

    box_init(&joined);
    box_init(&closed);
    last = NULL;
    hello = "connected";
    memset(&options, 0, sizeof options);
    options.on_closed = box_closed;
    options.closure = &closed;
    ping.ping = ping_interval;
    site = (struct site){.answer = answer};
    site_start(&site, &shards);
    ck_assert_int_eq(crier_broadcaster_new(site.shards, &ping, &broadcaster),
                     0);
}

static void stop(void)
{
    crier_shards_drain(site.shards, 0, 0, PATIENCE);
    crier_stream_unref(last);
    MHD_stop_daemon(site.daemon);
    ck_assert_uint_eq(crier_broadcaster_count(broadcaster), 0);
    crier_broadcaster_free(broadcaster);
    crier_shards_free(site.shards);
    box_done(&joined);
    box_done(&closed);
}

static void join(struct client *client, const char *path)
{
    client_connect(client, site.port);
    ck_assert_int_eq(client_request(client, "GET", path, "", NULL), 200);
}

static long send_text(const char *text)
{
    struct crier_frame *frame = frame_of(text);
    long sent = crier_broadcaster_send(broadcaster, frame);

    crier_frame_unref(frame);
    return sent;
}

static long send_number(int number)
{
    char text[32];

    snprintf(text, sizeof text, "%d", number);
    return send_text(text);
}

static long send_to(const char *name, const char *text)
{
    struct crier_frame *frame = frame_of(text);
    long sent = crier_broadcaster_send_to(broadcaster, name, frame);

    crier_frame_unref(frame);
    return sent;
}

START_TEST(all_hear_it_in_order_after_hello)
{
    struct client clients[7];
    char wanted[32];
    int i, n;

    start(CRIER_NEVER);
    ck_assert_int_eq(send_text("to nobody"), 0);
    for (i = 0; i < 7; i++)
        join(&clients[i], "/");
    box_wait(&joined, 7);
    ck_assert_uint_eq(crier_broadcaster_count(broadcaster), 7);
    for (n = 0; n < 200; n++)
        ck_assert_int_eq(send_number(n), 7);
    for (i = 0; i < 7; i++) {
        client_expect(&clients[i], "data: connected");
        for (n = 0; n < 200; n++) {
            snprintf(wanted, sizeof wanted, "data: %d", n);
            client_expect(&clients[i], wanted);
        }
        client_close(&clients[i]);
    }
    stop();
}
END_TEST

START_TEST(names_and_single_streams)
{
    struct client ada1, ada2, bob;
    struct crier_frame *frame;

    start(CRIER_NEVER);
    hello = NULL;
    join(&ada1, "/ada");
    join(&ada2, "/ada");
    join(&bob, "/bob");
    box_wait(&joined, 3);
    ck_assert_uint_eq(crier_broadcaster_count_of(broadcaster, "ada"), 2);
    ck_assert_uint_eq(crier_broadcaster_count_of(broadcaster, "eve"), 0);
    ck_assert_int_eq(send_to("ada", "for ada"), 2);
    ck_assert_int_eq(send_to("eve", "for eve"), 0);
    frame = frame_of("for one stream");
    ck_assert_int_eq(crier_stream_send(last, frame), 0);
    crier_frame_unref(frame);
    ck_assert_int_eq(send_text("for all"), 3);
    client_expect(&ada1, "data: for ada");
    client_expect(&ada1, "data: for all");
    client_expect(&ada2, "data: for ada");
    client_expect(&ada2, "data: for all");
    client_expect(&bob, "data: for one stream");
    client_expect(&bob, "data: for all");
    client_close(&ada1);
    client_close(&ada2);
    box_wait(&closed, 2);
    ck_assert_uint_eq(crier_broadcaster_count_of(broadcaster, "ada"), 0);
    ck_assert_uint_eq(crier_broadcaster_count(broadcaster), 1);
    client_close(&bob);
    stop();
}
END_TEST

/* The list is left before on_closed runs, and without waiting for a ping. */
START_TEST(who_leaves_is_off_the_list_at_once)
{
    struct client client;

    start(CRIER_NEVER);
    join(&client, "/");
    box_wait(&joined, 1);
    client_close(&client);
    ck_assert_int_eq(box_wait(&closed, 1), CRIER_REASON_LEFT);
    ck_assert_uint_eq(crier_broadcaster_count(broadcaster), 0);
    stop();
}
END_TEST

START_TEST(a_stream_leaves_the_list)
{
    struct crier_broadcaster *other;
    struct crier_frame *first = frame_of("joined again");
    struct client client;

    start(CRIER_NEVER);
    ck_assert_int_eq(crier_broadcaster_new(site.shards, &ping, &other), 0);
    join(&client, "/ada");
    box_wait(&joined, 1);
    ck_assert_int_eq(crier_broadcaster_leave(other, last),
                     CRIER_ERR_NOT_JOINED);
    ck_assert_int_eq(send_text("before"), 1);
    ck_assert_int_eq(crier_broadcaster_leave(broadcaster, last), 0);
    ck_assert_int_eq(crier_broadcaster_leave(broadcaster, last),
                     CRIER_ERR_NOT_JOINED);
    send_text("after");
    send_to("ada", "after, by name");
    ck_assert_int_eq(crier_broadcaster_join(other, last, NULL, NULL), 0);
    send_to("ada", "on another list");
    ck_assert_int_eq(crier_broadcaster_leave(other, last), 0);
    ck_assert_int_eq(
        crier_broadcaster_join(broadcaster, last, "bob", first), 0);
    send_to("ada", "under another name");
    ck_assert_int_ge(send_to("bob", "to bob"), 1);
    client_expect(&client, "data: connected");
    client_expect(&client, "data: before");
    client_expect(&client, "data: joined again");
    client_expect(&client, "data: to bob");
    ck_assert_uint_eq(crier_broadcaster_count(broadcaster), 1);
    ck_assert_uint_eq(crier_broadcaster_count_of(broadcaster, "ada"), 0);
    ck_assert_uint_eq(crier_broadcaster_count(other), 0);
    client_close(&client);
    box_wait(&closed, 1);
    ck_assert_int_eq(crier_broadcaster_leave(broadcaster, last), 0);
    crier_frame_unref(first);
    crier_broadcaster_free(other);
    stop();
}
END_TEST

/* Streams leave and join again while others broadcast: each hears, between a hello and
 * its leaving, all numbers that there are. */
static void *leave_and_join(void *unused)
{
    struct crier_frame *first = frame_of("again");
    int i;

    (void)unused;
    for (i = 0; i < 300; i++) {
        ck_assert_int_eq(crier_broadcaster_leave(broadcaster, last), 0);
        ck_assert_int_eq(
            crier_broadcaster_join(broadcaster, last, NULL, first), 0);
    }
    crier_frame_unref(first);
    return NULL;
}

START_TEST(nothing_is_lost_between_joining_and_leaving)
{
    int i, before = -1, number;
    struct client client;
    pthread_t thread;
    char *frame;

    start(CRIER_NEVER);
    options.max_pending = 10000000;
    join(&client, "/");
    box_wait(&joined, 1);
    pthread_create(&thread, NULL, leave_and_join, NULL);
    for (i = 0; i < 3000; i++)
        ck_assert_int_ge(send_number(i), 0);
    pthread_join(thread, NULL);
    ck_assert_int_ge(send_number(i), 1);
    for (number = 0; number != i;) {
        frame = client_any_frame(&client);
        if (sscanf(frame, "data: %d", &number) != 1) {
            before = -1; /* hello: it may have missed some */
        } else {
            ck_assert(before < 0 || number == before + 1);
            before = number;
        }
        free(frame);
    }
    client_close(&client);
    stop();
}
END_TEST

START_TEST(pings_are_comments)
{
    struct client client;

    start(10);
    join(&client, "/");
    client_expect(&client, "data: connected");
    client_expect_line(&client, ":");
    client_expect_line(&client, ":");
    client_close(&client);
    stop();
}
END_TEST

/* ---- under load ------------------------------------------------------- */

static atomic_bool publishing;
static atomic_int published;

static void *publisher(void *unused)
{
    int n = 0;

    (void)unused;
    while (atomic_load(&publishing)) {
        ck_assert_int_ge(send_number(n++), 0);
        atomic_store(&published, n);
        sched_yield();
    }
    ck_assert_int_ge(send_text("the end"), 0);
    return NULL;
}

/* Waits until more than COUNT are published. */
static void wait_published(int count)
{
    while (atomic_load(&published) <= count)
        sched_yield();
}

/* Takes frames up to "the end": the hello first, then numbers that follow each
 * other without a gap or a repetition, the first of them at most FIRST. */
static void expect_unbroken(struct client *client, int first)
{
    int next = -1, number;
    char *frame;

    client_expect(client, "data: connected");
    for (;;) {
        frame = client_frame(client);
        ck_assert_msg(frame != NULL, "cut off after %d", next);
        if (strcmp(frame, "data: the end") == 0)
            break;
        if (strcmp(frame, ":") != 0) {
            ck_assert_msg(sscanf(frame, "data: %d", &number) == 1, "'%s'",
                          frame);
            ck_assert_msg(next < 0 ? number <= first : number == next,
                          "%d came after %d", number,
                          next < 0 ? first : next - 1);
            next = number + 1;
        }
        free(frame);
    }
    ck_assert_int_ge(next, 0);
    free(frame);
}

#define JOINERS 150

/* Clients join all the time while everybody is pinged every 10 ms and a
 * publisher publishes: each of them hears everything from its joining on. */
START_TEST(nobody_is_lost_while_joining)
{
    struct client clients[JOINERS];
    int first[JOINERS], i;
    pthread_t thread;

    start(10);
    options.max_pending = 100000000; /* they read at the end only */
    atomic_store(&published, 0);
    atomic_store(&publishing, true);
    pthread_create(&thread, NULL, publisher, NULL);
    for (i = 0; i < JOINERS; i++) {
        join(&clients[i], "/");
        /* It has joined; of these, one may be on its way already. */
        first[i] = atomic_load(&published) + 1;
    }
    wait_published(first[JOINERS - 1]);
    atomic_store(&publishing, false);
    pthread_join(thread, NULL);
    ck_assert_uint_eq(crier_broadcaster_count(broadcaster), JOINERS);
    for (i = 0; i < JOINERS; i++) {
        expect_unbroken(&clients[i], first[i]);
        client_close(&clients[i]);
    }
    stop();
}
END_TEST

/* Every other client leaves while broadcasts run; the rest receive everything. */
START_TEST(nobody_is_lost_while_others_leave)
{
    struct client clients[JOINERS];
    pthread_t thread;
    int i;

    start(10);
    options.max_pending = 100000000;
    for (i = 0; i < JOINERS; i++)
        join(&clients[i], "/");
    box_wait(&joined, JOINERS);
    atomic_store(&published, 0);
    atomic_store(&publishing, true);
    pthread_create(&thread, NULL, publisher, NULL);
    for (i = 0; i < JOINERS; i += 2) {
        if (i % 4 == 0)
            client_close(&clients[i]);
        else
            client_reset(&clients[i]);
        client_has(&clients[i + 1], PATIENCE);
    }
    box_wait(&closed, JOINERS / 2);
    ck_assert_uint_eq(crier_broadcaster_count(broadcaster), JOINERS / 2);
    wait_published(10); /* it may have got no turn before */
    atomic_store(&publishing, false);
    pthread_join(thread, NULL);
    for (i = 1; i < JOINERS; i += 2) {
        expect_unbroken(&clients[i], 0);
        client_close(&clients[i]);
    }
    stop();
}
END_TEST

/* One client reads nothing. Broadcasting goes on until crierd disconnects it: no send
 * waits for it, and the others receive everything. */
START_TEST(a_stalled_client_costs_only_itself)
{
    struct client stalled, clients[10];
    char text[20001];
    int sent = 0, i, n;

    memset(text, 'x', 20000);
    text[20000] = '\0';
    start(CRIER_NEVER);
    client_connect_small(&stalled, site.port, 4096);
    ck_assert_int_eq(client_request(&stalled, "GET", "/", "", NULL), 200);
    for (i = 0; i < 10; i++)
        join(&clients[i], "/");
    box_wait(&joined, 11);
    for (i = 0; i < 10; i++)
        client_expect(&clients[i], "data: connected");
    while (crier_broadcaster_count(broadcaster) == 11) {
        ck_assert_int_lt(sent++, 1000);
        ck_assert_int_ge(send_text(text), 10);
        for (i = 0; i < 10; i++) {
            char *frame = client_any_frame(&clients[i]);

            ck_assert_uint_eq(strlen(frame), 20006);
            free(frame);
        }
    }
    ck_assert_int_eq(box_wait(&closed, 1), CRIER_REASON_SLOW);
    /* Some 256 KiB waited for it, beside what the kernel held. */
    ck_assert_int_ge(sent, 256 * 1024 / 20100);
    for (n = 0; n < 3; n++)
        ck_assert_int_eq(send_number(n), 10);
    for (i = 0; i < 10; i++) {
        client_expect(&clients[i], "data: 0");
        client_expect(&clients[i], "data: 1");
        client_expect(&clients[i], "data: 2");
        client_close(&clients[i]);
    }
    client_close(&stalled);
    stop();
}
END_TEST

/* A burst larger than what may wait for one client ends no client that reads, because
 * the kernel takes bytes meanwhile. */
START_TEST(a_burst_ends_nobody_who_reads)
{
    struct client client;
    char text[1025];
    int round, i;

    memset(text, 'x', 1024);
    text[1024] = '\0';
    start(CRIER_NEVER);
    options.max_pending = 20000;
    join(&client, "/");
    client_expect(&client, "data: connected");
    for (round = 0; round < 20; round++) {
        for (i = 0; i < 60; i++) /* three times max_pending, one pass or two */
            ck_assert_int_eq(send_text(text), 1);
        for (i = 0; i < 60; i++)
            free(client_until(&client, "xxx"));
    }
    ck_assert_int_eq(box_count(&closed), 0);
    client_close(&client);
    stop();
}
END_TEST

/* What is published last is still on its way when everything ends. */
START_TEST(freed_while_something_is_on_its_way)
{
    struct client clients[20];
    int i;

    start(CRIER_NEVER);
    for (i = 0; i < 20; i++)
        join(&clients[i], "/");
    box_wait(&joined, 20);
    for (i = 0; i < 20; i++)
        client_close(&clients[i]);
    for (i = 0; i < 200; i++)
        ck_assert_int_ge(send_number(i), 0);
    crier_broadcaster_free(broadcaster);
    ck_assert_uint_eq(crier_shards_drain(site.shards, 0, 0, PATIENCE), 0);
    crier_stream_unref(last);
    site_stop_drained(&site);
}
END_TEST

START_TEST(streams_of_other_shards_are_refused)
{
    struct crier_broadcaster *other;
    struct crier_shards *shards;
    struct client client;

    start(CRIER_NEVER);
    ck_assert_int_eq(crier_shards_new(NULL, &shards), 0);
    ck_assert_int_eq(crier_broadcaster_new(shards, NULL, &other), 0);
    join(&client, "/");
    box_wait(&joined, 1);
    ck_assert_int_eq(crier_broadcaster_join(other, last, NULL, NULL),
                     CRIER_ERR_OTHER_SHARDS);
    crier_broadcaster_free(other);
    crier_shards_free(shards);
    client_close(&client);
    stop();
}
END_TEST

/* Some publishers at once: every client hears the same order. */
#define PUBLISHERS 3
#define EACH 3000

static pthread_barrier_t together;

static void *numbered_publisher(void *which)
{
    int i;

    pthread_barrier_wait(&together);
    for (i = 0; i < EACH; i++)
        ck_assert_int_ge(send_number((int)(intptr_t)which * EACH + i), 0);
    return NULL;
}

START_TEST(all_hear_the_same_order)
{
    struct client clients[6];
    pthread_t threads[PUBLISHERS];
    char **frames = calloc(PUBLISHERS * EACH, sizeof *frames), *frame;
    int i, n;

    start(CRIER_NEVER);
    hello = NULL;
    options.max_pending = 100000000;
    for (i = 0; i < 6; i++)
        join(&clients[i], "/");
    box_wait(&joined, 6);
    pthread_barrier_init(&together, NULL, PUBLISHERS);
    for (i = 0; i < PUBLISHERS; i++)
        pthread_create(&threads[i], NULL, numbered_publisher,
                       (void *)(intptr_t)i);
    for (n = 0; n < PUBLISHERS * EACH; n++)
        frames[n] = client_any_frame(&clients[0]);
    for (i = 1; i < 6; i++)
        for (n = 0; n < PUBLISHERS * EACH; n++) {
            frame = client_any_frame(&clients[i]);
            ck_assert_str_eq(frame, frames[n]);
            free(frame);
        }
    for (n = 0; n < PUBLISHERS * EACH; n++)
        free(frames[n]);
    free(frames);
    for (i = 0; i < PUBLISHERS; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&together);
    for (i = 0; i < 6; i++)
        client_close(&clients[i]);
    stop();
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("broadcaster");
    TCase *c = add_case(s, "broadcaster");

    tcase_add_test(c, all_hear_it_in_order_after_hello);
    tcase_add_test(c, names_and_single_streams);
    tcase_add_test(c, who_leaves_is_off_the_list_at_once);
    tcase_add_test(c, a_stream_leaves_the_list);
    tcase_add_test(c, nothing_is_lost_between_joining_and_leaving);
    tcase_add_test(c, pings_are_comments);
    tcase_add_test(c, nobody_is_lost_while_joining);
    tcase_add_test(c, nobody_is_lost_while_others_leave);
    tcase_add_test(c, a_stalled_client_costs_only_itself);
    tcase_add_test(c, a_burst_ends_nobody_who_reads);
    tcase_add_test(c, freed_while_something_is_on_its_way);
    tcase_add_test(c, streams_of_other_shards_are_refused);
    tcase_add_test(c, all_hear_the_same_order);
    return s;
}

RUN_SUITE(suite)
