/* Programs that take things apart in the wrong order, or give back what they do not
 * hold: what can be noticed ends in a message, and in nothing worse. */
#include <config.h>

#include "crier_server.h"
#include "libcrier/stream/shards.h"
#include "support/client.h"
#include "support/runner.h"
#include "support/scratch.h"
#include "support/site.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct site site;
static struct crier_hub *hub;
static struct crier_stream *stream; /* the newest, a reference */
static struct crier_stream_options options;
static struct signal_box closed, called;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char mistakes[2000]; /* a line each */

static void note_mistake(void *closure, const char *text)
{
    size_t length;

    ck_assert_ptr_eq(closure, &site);
    pthread_mutex_lock(&lock);
    length = strlen(mistakes);
    snprintf(mistakes + length, sizeof mistakes - length, "%s\n", text);
    pthread_mutex_unlock(&lock);
}

static void expect_mistake(const char *text)
{
    pthread_mutex_lock(&lock);
    ck_assert_msg(strstr(mistakes, text) != NULL, "no '%s' in: %s", text,
                  mistakes);
    pthread_mutex_unlock(&lock);
}

static enum MHD_Result answer(struct site *of,
                              struct MHD_Connection *connection,
                              const char *path)
{
    const struct crier_subscribe_options follow = {.topics = "a"};
    struct MHD_Response *response;

    (void)path;
    ck_assert_int_eq(crier_stream_new(of->shards, connection, &options,
                                      &stream, &response),
                     0);
    if (hub != NULL)
        ck_assert_int_eq(crier_hub_subscribe(hub, stream, &follow), 0);
    return site_queue(connection, response);
}

static void start_with(void (*log)(void *closure, const char *mistake))
{
    const struct crier_shards_options logged = {.log = log,
                                                .log_closure = &site};

    box_init(&closed);
    box_init(&called);
    mistakes[0] = '\0';
    hub = NULL;
    stream = NULL;
    options = (struct crier_stream_options){
        .keep_alive = CRIER_NEVER,
        .on_closed = box_closed,
        .closure = &closed,
    };
    site = (struct site){.answer = answer};
    site_start(&site, &logged);
}

static void setup(void)
{
    start_with(note_mistake);
}

static void teardown(void)
{
    box_done(&closed);
    box_done(&called);
}

static void make_hub(struct crier_journal *journal)
{
    ck_assert_int_eq(crier_hub_new(site.shards, journal, NULL, &hub), 0);
}

static void make_hub_in_memory(void)
{
    struct crier_journal *journal;

    ck_assert_int_eq(crier_journal_memory(NULL, &journal), 0);
    make_hub(journal);
}

static void make_hub_in_file(void)
{
    struct crier_journal *journal;
    char path[100];

    scratch_make();
    snprintf(path, sizeof path, "%s/journal", scratch);
    ck_assert_int_eq(crier_journal_sqlite(path, NULL, &journal, NULL, 0), 0);
    make_hub(journal);
}

static void open_stream(struct client *client)
{
    client_connect(client, site.port);
    ck_assert_int_eq(client_request(client, "GET", "/", "", NULL), 200);
}

static void publish(unsigned times)
{
    struct crier_event *event = crier_event_new();

    ck_assert_ptr_nonnull(event);
    ck_assert_int_eq(crier_event_text(event, "x"), 0);
    while (times-- > 0)
        ck_assert_int_eq(crier_hub_publish(hub, "a", event, NULL), 0);
    crier_event_free(event);
}

/* ---- shards ----------------------------------------------------------- */

START_TEST(shards_with_a_stream_are_not_freed)
{
    struct client client;

    open_stream(&client);
    crier_stream_unref(stream);
    crier_shards_free(site.shards);
    expect_mistake("crier_shards_free() with 1 streams open");
    box_wait(&closed, 1);
    client_expect_end(&client);
    client_close(&client);
    site_stop_drained(&site);
}
END_TEST

START_TEST(nor_without_a_log)
{
    struct client client;

    site_stop(&site);
    start_with(NULL);
    open_stream(&client);
    crier_stream_unref(stream);
    crier_shards_free(site.shards);
    client_close(&client);
    site_stop_drained(&site);
}
END_TEST

/* drain has waited already */
START_TEST(what_does_not_end_is_not_waited_for_twice)
{
    crier__shards_owe(site.shards);
    atomic_store(&site.shards->cut, true);
    crier_shards_free(site.shards);
    expect_mistake("crier_shards_free() with 1 streams open");
    crier__shards_settle(site.shards);
    site_stop(&site);
}
END_TEST

static void take_apart(void *closure, struct crier_stream *of)
{
    struct crier_server server = {.shards = site.shards,
                                  .daemon = site.daemon};

    (void)closure;
    (void)of;
    ck_assert_uint_eq(crier_shards_drain(site.shards, 0, 0, PATIENCE), 1);
    expect_mistake("crier_shards_drain() in a callback");
    crier_shards_free(site.shards);
    expect_mistake("crier_shards_free() in a callback");
    crier_server_stop(&server);
    ck_assert_ptr_eq(server.shards, site.shards);
    expect_mistake("crier_server_stop() in a callback");
    box_put(&called, 0);
}

START_TEST(nothing_is_taken_apart_in_a_callback)
{
    struct client client;

    options.on_wake = take_apart;
    open_stream(&client);
    box_wait(&called, 1);
    crier_stream_unref(stream);
    ck_assert_int_eq(box_count(&closed), 0);
    client_close(&client);
    site_stop(&site);
}
END_TEST

/* ---- hubs ------------------------------------------------------------- */

START_TEST(a_hub_is_closed_if_nobody_did)
{
    struct client client;

    make_hub_in_file();
    open_stream(&client);
    publish(100);
    free(client_until(&client, "data: x"));
    crier_stream_unref(stream);
    publish(1000); /* which are on their way */
    crier_shards_drain(site.shards, 0, 0, PATIENCE);
    MHD_stop_daemon(site.daemon);
    crier_shards_free(site.shards);
    expect_mistake("crier_shards_free() before crier_hub_close()");
    crier_hub_free(hub);
    client_close(&client);
    scratch_remove();
}
END_TEST

START_TEST(a_hub_that_is_freed_first_waits_for_the_shards)
{
    struct client client;

    if (_i == 0)
        make_hub_in_memory();
    else
        make_hub_in_file();
    open_stream(&client);
    publish(100);
    crier_hub_free(hub);
    expect_mistake("crier_hub_free() before crier_shards_free()");
    crier_stream_unref(stream);
    crier_shards_drain(site.shards, 0, 0, PATIENCE);
    client_expect_end(&client);
    client_close(&client);
    MHD_stop_daemon(site.daemon);
    crier_shards_free(site.shards);
    ck_assert_int_eq(box_count(&closed), 1);
    if (_i != 0)
        scratch_remove();
}
END_TEST

START_TEST(the_right_order_is_no_mistake)
{
    struct crier_server server = {.shards = site.shards,
                                  .daemon = site.daemon};
    struct client client;

    make_hub_in_memory();
    server.hub = hub;
    open_stream(&client);
    publish(1);
    crier_stream_ref(stream);
    crier_stream_unref(stream);
    crier_stream_unref(stream);
    crier_server_stop(&server);
    client_close(&client);
    ck_assert_str_eq(mistakes, "");
}
END_TEST

/* ---- streams ---------------------------------------------------------- */

START_TEST(a_stream_is_given_back_once)
{
    struct crier_frame *frame = frame_of("still there");
    struct client client;
    int i;

    open_stream(&client);
    for (i = 0; i < 5; i++)
        crier_stream_unref(stream);
    expect_mistake("crier_stream_unref() of a stream that the program does "
                   "not hold");
    ck_assert_int_eq(crier_stream_send(stream, frame), 0);
    crier_frame_unref(frame);
    free(client_until(&client, "data: still there"));
    client_close(&client);
    ck_assert_int_eq(box_wait(&closed, 1), CRIER_REASON_LEFT);
    site_stop(&site);
}
END_TEST

/* In a callback a program may take a reference where it holds none. */
static void take_reference(void *closure, struct crier_stream *of)
{
    (void)closure;
    if (box_count(&called) == 0) {
        crier_stream_ref(of);
        crier_stream_unref(of);
        crier_stream_ref(of);
    }
    box_put(&called, 0);
}

START_TEST(a_reference_may_be_taken_again)
{
    struct client client;

    options.on_wake = take_reference;
    open_stream(&client);
    box_wait(&called, 1);
    crier_stream_unref(stream);
    client_close(&client);
    ck_assert_int_eq(box_wait(&closed, 1), CRIER_REASON_LEFT);
    site_stop(&site);
    ck_assert_str_eq(mistakes, "");
    crier_stream_unref(stream); /* that of the callback, after the end */
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("misuse");
    TCase *tcase = add_case(suite, "misuse");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, shards_with_a_stream_are_not_freed);
    tcase_add_test(tcase, nor_without_a_log);
    tcase_add_test(tcase, what_does_not_end_is_not_waited_for_twice);
    tcase_add_test(tcase, nothing_is_taken_apart_in_a_callback);
    tcase_add_test(tcase, a_hub_is_closed_if_nobody_did);
    tcase_add_loop_test(tcase, a_hub_that_is_freed_first_waits_for_the_shards,
                        0, 2);
    tcase_add_test(tcase, the_right_order_is_no_mistake);
    tcase_add_test(tcase, a_stream_is_given_back_once);
    tcase_add_test(tcase, a_reference_may_be_taken_again);
    return suite;
}

RUN_SUITE(make_suite)
