/*
 * The rule about NULL in crier.h, for every public function and every pointer it
 * takes. The functions that are tested are held against those that the headers
 * declare, so none is forgotten.
 */
#include <config.h>

#include "crier_client.h"
#include "crier_server.h"
#include "support/client.h"
#include "support/runner.h"
#include "support/site.h"

#include <errno.h>
#include <string.h>

static struct site site;
static struct crier_hub *hub;
static struct crier_broadcaster *broadcaster;
static struct crier_stream *stream;
static struct crier_event *event;
static struct crier_frame *frame;

/* ---- what has a rule of its own ---------------------------------------- */

/* Those that accept NULL and do nothing, or return it. */
static void give_back(void)
{
    crier_event_free(NULL);
    crier_grants_unref(NULL);
    ck_assert_ptr_null(crier_grants_ref(NULL));
    ck_assert(!crier_grants_match(NULL, "a"));
    ck_assert(!crier_grants_cover(NULL, &(struct crier_selector){.text = "a"}));
    ck_assert(!crier_grants_cover_text(NULL, "a"));
    ck_assert_ptr_null(crier_grants_text(NULL, 0));
    crier_event_reset(NULL);
    ck_assert_ptr_null(crier_frame_ref(NULL));
    crier_frame_unref(NULL);
    crier_reply_free(NULL);
    crier_shards_free(NULL);
    ck_assert_ptr_null(crier_stream_ref(NULL));
    crier_stream_unref(NULL);
    crier_stream_close(NULL);
    crier_stream_wake(NULL, 0);
    crier_stream_notify(NULL);
    ck_assert_uint_eq(crier_stream_sent(NULL), 0);
    crier_broadcaster_free(NULL);
    crier_journal_free(NULL);
    crier_hub_close(NULL);
    crier_hub_free(NULL);
    crier_parser_free(NULL);
    crier_parser_begin(NULL);
    crier_utf8_repair(NULL);
    crier_subscribe_start(NULL, "1", NULL, NULL);
    crier_server_stop(NULL);
    crier_server_completed(NULL, NULL, NULL, MHD_REQUEST_TERMINATED_COMPLETED_OK);
    crier_client_free(NULL);
    crier_client_restart(NULL);
    crier_client_close(NULL);
    crier_publisher_free(NULL);
}

/* Those that take no pointer, or whose only one is written to. */
static void take_none(void)
{
    (void)crier_error_text(0);
    (void)crier_reason_text(CRIER_REASON_APP);
    (void)crier_version();
    (void)crier_now();
    crier_event_free(crier_event_new());
    crier_reply_free(crier_reply_new());
}

static void give_counts(void)
{
    crier_shards_set_max_streams(NULL, 1);
    ck_assert_uint_eq(crier_shards_count(NULL), 0);
    ck_assert_uint_eq(crier_shards_silent(NULL), 0);
    ck_assert_uint_eq(crier_shards_drain(NULL, 0, 0, 0), 0);
    ck_assert_uint_eq(crier_broadcaster_count(NULL), 0);
    ck_assert_uint_eq(crier_broadcaster_count_of(NULL, "a"), 0);
    ck_assert_uint_eq(crier_broadcaster_count_of(broadcaster, NULL), 0);
    ck_assert_uint_eq(crier_hub_count(NULL, "a"), 0);
    ck_assert_uint_eq(crier_hub_count(hub, NULL), 0);
    ck_assert_int_eq(crier_client_fd(NULL), -1);
    ck_assert_str_eq(crier_parser_id(NULL), "");
    ck_assert(crier_utf8_valid(NULL, 0));
    ck_assert(!crier_utf8_valid(NULL, 1));
    ck_assert(!crier_id_valid(NULL, 1));
    ck_assert(!crier_topic_valid(NULL, 1));
    ck_assert(!crier_is_event_source(NULL, NULL, NULL));
    ck_assert_uint_eq(crier_error_status(CRIER_ERR_TOPIC, NULL, NULL, 100),
                      400);
}

static void give_structs(void)
{
    struct crier_progress progress = {.added = 1};
    struct crier_status status = {.published = 1};
    struct crier_shards_counts shards = {.deliveries = 1};
    struct crier_hub_counts statistics = {.published = 1};
    struct crier_node node;
    size_t length = 1;

    ck_assert_ptr_null(crier_frame_bytes(NULL, &length));
    ck_assert_uint_eq(length, 0);
    ck_assert_ptr_nonnull(crier_frame_bytes(frame, NULL));
    crier_publisher_progress(NULL, &progress);
    ck_assert_uint_eq(progress.added, 0);
    crier_publisher_progress(NULL, NULL);
    crier_hub_status(NULL, &status);
    ck_assert_int_eq(status.error, CRIER_ERR_NULL);
    ck_assert_uint_eq(status.published, 0);
    crier_hub_status(hub, NULL);
    crier_shards_statistics(NULL, &shards);
    ck_assert_uint_eq(shards.deliveries, 0);
    crier_shards_statistics(site.shards, NULL);
    crier_hub_statistics(NULL, &statistics);
    ck_assert_uint_eq(statistics.published, 0);
    crier_hub_statistics(hub, NULL);
    ck_assert_uint_eq(crier_hub_nodes(NULL, &node, 1), 0);
    ck_assert_uint_eq(crier_hub_nodes(hub, NULL, 1), 0);
    ck_assert_ptr_null(crier_receipt_text(NULL));
}

/* ---- what is refused --------------------------------------------------- */

#define REFUSED(call) ck_assert_int_eq(call, CRIER_ERR_NULL)

static void refuse_for_events(void)
{
    struct crier_reply *reply = crier_reply_new();
    struct MHD_Response *response;
    json_t *value = json_true();
    struct crier_frame *made;

    REFUSED(crier_event_data(NULL, "x", 1));
    REFUSED(crier_event_text(NULL, "x"));
    REFUSED(crier_event_json(NULL, value));
    REFUSED(crier_event_type(NULL, "x"));
    REFUSED(crier_event_id(NULL, "x", 1));
    REFUSED(crier_event_retry(NULL, 1));
    REFUSED(crier_event_comment(NULL, "x"));
    REFUSED(crier_event_encode(NULL, &made));
    REFUSED(crier_event_encode(event, NULL));
    REFUSED(crier_frame_text(NULL, NULL, &made));
    REFUSED(crier_frame_text(NULL, "x", NULL));
    REFUSED(crier_frame_json(NULL, value, NULL));
    REFUSED(crier_frame_printf(NULL, NULL, "x"));
    ck_assert_int_eq(crier_reply_printf(NULL, NULL, "x"), -ENOMEM);
    REFUSED(crier_reply_add(NULL, event));
    REFUSED(crier_reply_add(reply, NULL));
    REFUSED(crier_reply_response(NULL, &response));
    REFUSED(crier_reply_response(reply, NULL));
    crier_reply_free(reply);
}

static void refuse_for_streams(void)
{
    struct crier_broadcaster *made;
    struct MHD_Response *response;
    struct crier_stream *opened;

    REFUSED(crier_shards_new(NULL, NULL));
    REFUSED(crier_shards_set_times(NULL, 0, 0));
    REFUSED(crier_stream_new(NULL, NULL, NULL, &opened, &response));
    REFUSED(crier_stream_new(site.shards, NULL, NULL, &opened, &response));
    REFUSED(crier_stream_send(NULL, frame));
    REFUSED(crier_stream_send(stream, NULL));
    REFUSED(crier_stream_printf(NULL, NULL, "x"));
    REFUSED(crier_broadcaster_new(NULL, NULL, &made));
    REFUSED(crier_broadcaster_new(site.shards, NULL, NULL));
    REFUSED(crier_broadcaster_join(NULL, stream, NULL, NULL));
    REFUSED(crier_broadcaster_join(broadcaster, NULL, NULL, NULL));
    REFUSED(crier_broadcaster_leave(NULL, stream));
    REFUSED(crier_broadcaster_leave(broadcaster, NULL));
    REFUSED(crier_broadcaster_send(NULL, frame));
    REFUSED(crier_broadcaster_send(broadcaster, NULL));
    REFUSED(crier_broadcaster_printf(NULL, NULL, "x"));
    REFUSED(crier_broadcaster_send_to(NULL, "a", frame));
    REFUSED(crier_broadcaster_send_to(broadcaster, NULL, frame));
    REFUSED(crier_broadcaster_send_to(broadcaster, "a", NULL));
}

/* Journals are stolen when a hub is refused, too: ASan would see it. */
static void refuse_for_hubs(void)
{
    const struct crier_topic_retention nameless = {.topic = NULL};
    const struct crier_journal_options options[] = {
        {.topics = &nameless, .topic_count = 1}, {.topic_count = 1}};
    struct crier_subscribe_options follow = {.topics = NULL};
    struct crier_list_options list = {.topics = "*", .limit = 1};
    const char *const names[] = {"a", NULL};
    const struct crier_selector selectors[] = {{.text = "a"}, {.text = NULL}};
    struct crier_grants *grants;
    struct crier_journal *journal;
    struct crier_hub *made;
    int i;

    REFUSED(crier_journal_memory(NULL, NULL));
    REFUSED(crier_journal_sqlite(NULL, NULL, &journal, NULL, 0));
    REFUSED(crier_journal_redis(NULL, NULL, &journal, NULL, 0));
    REFUSED(crier_journal_redis("redis://127.0.0.1:1", NULL, NULL, NULL, 0));
    REFUSED(crier_journal_redis_check(NULL, NULL, 0, NULL, 0));
    REFUSED(crier_journal_check(NULL, NULL, 0));
    REFUSED(crier_journal_sqlite("/nowhere", NULL, NULL, NULL, 0));
    for (i = 0; i < 2; i++) {
        REFUSED(crier_journal_memory(&options[i], &journal));
        REFUSED(crier_journal_sqlite("/nowhere", &options[i], &journal, NULL,
                                     0));
    }
    REFUSED(crier_hub_new(site.shards, NULL, NULL, &made));
    ck_assert_int_eq(crier_journal_memory(NULL, &journal), 0);
    REFUSED(crier_hub_new(NULL, journal, NULL, &made));
    ck_assert_int_eq(crier_journal_memory(NULL, &journal), 0);
    REFUSED(crier_hub_new(site.shards, journal, NULL, NULL));
    REFUSED(crier_hub_set_slow(NULL, CRIER_SLOW_GAP));
    REFUSED(crier_hub_set_presence(NULL, "a"));
    REFUSED(crier_hub_share(NULL, "a"));
    crier_hub_unshare(NULL, "a");
    REFUSED(crier_hub_shared(NULL, NULL, NULL));
    REFUSED(crier_hub_set_retention(NULL, NULL));
    REFUSED(crier_hub_publish(NULL, "a", event, NULL));
    REFUSED(crier_hub_publish(hub, NULL, event, NULL));
    REFUSED(crier_hub_publish(hub, "a", NULL, NULL));
    REFUSED(crier_hub_publish_to(NULL, names, 1, event, NULL));
    REFUSED(crier_hub_publish_to(hub, NULL, 1, event, NULL));
    REFUSED(crier_hub_publish_to(hub, names, 2, event, NULL));
    REFUSED(crier_hub_publish_to(hub, names, 1, NULL, NULL));
    REFUSED(crier_grants_new(selectors, 1, NULL));
    REFUSED(crier_grants_new(NULL, 1, &grants));
    REFUSED(crier_grants_new(selectors, 2, &grants));
    REFUSED(crier_hub_subscribe(hub, stream, NULL));
    REFUSED(crier_hub_subscribe(hub, stream, &follow));
    follow.selector_count = 1;
    REFUSED(crier_hub_subscribe(hub, stream, &follow));
    follow.selectors = selectors;
    follow.selector_count = 2;
    REFUSED(crier_hub_subscribe(hub, stream, &follow));
    follow.selectors = NULL;
    follow.selector_count = 0;
    follow.topics = "a";
    REFUSED(crier_hub_can_subscribe(NULL, &follow));
    REFUSED(crier_hub_can_subscribe(hub, NULL));
    REFUSED(crier_hub_subscribe(NULL, stream, &follow));
    REFUSED(crier_hub_subscribe(hub, NULL, &follow));
    follow.since = CRIER_SINCE_ID;
    REFUSED(crier_hub_subscribe(hub, stream, &follow));
    REFUSED(crier_hub_change(NULL, stream, "a"));
    REFUSED(crier_hub_change(hub, NULL, "a"));
    REFUSED(crier_hub_change(hub, stream, NULL));
    REFUSED(crier_hub_list(NULL, &list, NULL, NULL));
    REFUSED(crier_hub_list(hub, NULL, NULL, NULL));
    list.topics = NULL;
    REFUSED(crier_hub_list(hub, &list, NULL, NULL));
    REFUSED(crier_hub_forget(NULL, "a", NULL, NULL));
    REFUSED(crier_hub_forget(hub, NULL, NULL, NULL));
}

static void refuse_for_parsers(void)
{
    struct crier_message message;
    struct crier_parser *parser;
    const char *bytes = NULL;
    size_t length = 1;

    REFUSED(crier_parser_new(NULL, NULL));
    ck_assert_int_eq(crier_parser_new(NULL, &parser), 0);
    REFUSED(crier_parser_set_id(NULL, "x"));
    REFUSED(crier_parser_set_id(parser, NULL));
    REFUSED(crier_parser_next(parser, &bytes, &length, &message));
    bytes = "x";
    REFUSED(crier_parser_next(NULL, &bytes, &length, &message));
    REFUSED(crier_parser_next(parser, NULL, &length, &message));
    REFUSED(crier_parser_next(parser, &bytes, NULL, &message));
    REFUSED(crier_parser_next(parser, &bytes, &length, NULL));
    crier_parser_free(parser);
}

static void refuse_for_clients(void)
{
    const struct crier_client_options none = {.url = NULL},
                                      some = {.url = "http://127.0.0.1:1/"};
    struct crier_client_callbacks callbacks = {.on_event = NULL};
    struct crier_message message;
    struct crier_client *client;

    REFUSED(crier_client_new(NULL, &client));
    REFUSED(crier_client_new(&none, &client));
    REFUSED(crier_client_new(&some, NULL));
    ck_assert_int_eq(crier_client_new(&some, &client), 0);
    REFUSED(crier_client_set_url(NULL, "http://127.0.0.1/"));
    REFUSED(crier_client_set_url(client, NULL));
    REFUSED(crier_client_next(NULL, &message));
    REFUSED(crier_client_next(client, NULL));
    REFUSED(crier_client_run(NULL, &callbacks));
    REFUSED(crier_client_run(client, NULL));
    crier_client_free(client);
}

static void refuse_for_publishers(void)
{
    const struct crier_publisher_options none = {.topics = NULL},
                                         some = {.topics = "a"};
    struct crier_publisher *publisher;
    struct crier_published published;

    REFUSED(crier_publish(NULL, event, &published));
    ck_assert_str_eq(published.reason, crier_error_text(CRIER_ERR_NULL));
    REFUSED(crier_publish(&some, NULL, NULL));
    REFUSED(crier_publish(&none, event, NULL));
    REFUSED(crier_publisher_new(NULL, &publisher));
    REFUSED(crier_publisher_new(&none, &publisher));
    REFUSED(crier_publisher_new(&some, NULL));
    REFUSED(crier_publisher_add(NULL, event));
    REFUSED(crier_publisher_try(NULL, event));
    ck_assert_int_eq(crier_publisher_new(&some, &publisher), 0);
    REFUSED(crier_publisher_add(publisher, NULL));
    REFUSED(crier_publisher_try(publisher, NULL));
    crier_publisher_free(publisher);
    REFUSED(crier_publisher_finish(NULL, NULL));
}

/* Without a connection there is nobody to answer. */
static void refuse_for_servers(void)
{
    const struct crier_subscribe_options follow = {.topics = "a"};
    struct crier_server server = {.handle = NULL};
    const char *reason;
    size_t length = 0;

    REFUSED(crier_server_start(NULL));
    REFUSED(crier_server_start(&server));
    ck_assert_int_eq(crier_daemon_check(NULL, &reason), CRIER_ERR_DAEMON);
    ck_assert_int_eq(crier_daemon_check(NULL, NULL), CRIER_ERR_DAEMON);
    ck_assert_int_eq(crier_status_respond(NULL, 200, "x"), MHD_NO);
    ck_assert_int_eq(crier_error_respond(NULL, -ENOMEM, NULL), MHD_NO);
    ck_assert_int_eq(crier_reply_respond(crier_reply_new(), NULL), MHD_NO);
    ck_assert_int_eq(crier_reply_respond(NULL, NULL), MHD_NO);
    ck_assert_int_eq(crier_stream_respond(site.shards, NULL, NULL), MHD_NO);
    ck_assert_int_eq(crier_broadcaster_respond(broadcaster, NULL, NULL, NULL),
                     MHD_NO);
    ck_assert_int_eq(crier_hub_respond(hub, NULL, &follow, NULL), MHD_NO);
    ck_assert_int_eq(crier_request_publish(NULL, hub, "a", NULL, NULL),
                     MHD_NO);
    ck_assert_int_eq(crier_server_handle(&server, NULL, "/", "GET", "", NULL,
                                         &length, NULL),
                     MHD_NO);
}

/* ---- the site ---------------------------------------------------------- */

static enum MHD_Result answer(struct site *of,
                              struct MHD_Connection *connection,
                              const char *path)
{
    struct MHD_Response *response;

    if (strcmp(path, "/stream") == 0)
        return crier_stream_respond(NULL, connection, NULL);
    if (strcmp(path, "/broadcaster") == 0)
        return crier_broadcaster_respond(NULL, connection, NULL, NULL);
    if (strcmp(path, "/hub") == 0)
        return crier_hub_respond(NULL, connection, NULL, NULL);
    if (strcmp(path, "/follow") == 0)
        return crier_hub_respond(hub, connection, NULL, NULL);
    REFUSED(crier_stream_new(of->shards, connection, NULL, NULL, &response));
    REFUSED(crier_stream_new(of->shards, connection, NULL, &stream, NULL));
    ck_assert_int_eq(crier_stream_new(of->shards, connection, NULL, &stream,
                                      &response),
                     0);
    return site_queue(connection, response);
}

static struct client client;

static void setup(void)
{
    struct crier_journal *journal;

    memset(&site, 0, sizeof site);
    site.answer = answer;
    site_start(&site, NULL);
    ck_assert_int_eq(crier_broadcaster_new(site.shards, NULL, &broadcaster),
                     0);
    ck_assert_int_eq(crier_journal_memory(NULL, &journal), 0);
    ck_assert_int_eq(crier_hub_new(site.shards, journal, NULL, &hub), 0);
    event = crier_event_new();
    ck_assert_int_eq(crier_event_text(event, "x"), 0);
    frame = frame_of("x");
    client_connect(&client, site.port);
    ck_assert_int_eq(client_request(&client, "GET", "/", "", NULL), 200);
}

static void teardown(void)
{
    client_close(&client);
    crier_stream_unref(stream);
    crier_frame_unref(frame);
    crier_event_free(event);
    crier_broadcaster_free(broadcaster);
    crier_hub_close(hub);
    site_stop(&site);
    crier_hub_free(hub);
}

static void (*const groups[])(void) = {
    give_back,          take_none,          give_counts,
    give_structs,       refuse_for_events,  refuse_for_streams,
    refuse_for_hubs,    refuse_for_parsers, refuse_for_clients,
    refuse_for_publishers, refuse_for_servers,
};

START_TEST(what_is_required_is_refused)
{
    groups[_i]();
}
END_TEST

START_TEST(a_request_is_answered)
{
    static const char *const paths[] = {"/stream", "/broadcaster", "/hub",
                                        "/follow"};
    char *body;

    ck_assert_int_eq(fetch(site.port, "GET", paths[_i], "", NULL, &body), 500);
    ck_assert_ptr_nonnull(strstr(body, crier_error_text(CRIER_ERR_NULL)));
    free(body);
}
END_TEST

/* ---- what may be NULL -------------------------------------------------- */

START_TEST(a_setter_marks_the_event)
{
    struct crier_frame *made;

    ck_assert_int_eq(crier_event_type(event, NULL), 0);
    ck_assert_int_eq(crier_event_data(event, NULL, 0), 0);
    ck_assert_int_eq(crier_event_id(event, NULL, 0), 0);
    ck_assert_int_eq(crier_event_encode(event, &made), 0);
    crier_frame_unref(made);
    REFUSED(crier_event_data(event, NULL, 1));
    REFUSED(crier_event_encode(event, &made));
    crier_event_reset(event);
    REFUSED(crier_event_text(event, NULL));
    crier_event_reset(event);
    REFUSED(crier_event_id(event, NULL, 1));
    crier_event_reset(event);
    REFUSED(crier_event_comment(event, NULL));
    crier_event_reset(event);
    ck_assert_int_eq(crier_event_json(event, NULL), CRIER_ERR_JSON);
    ck_assert_int_eq(crier_frame_json(NULL, NULL, &made), CRIER_ERR_JSON);
}
END_TEST

START_TEST(callbacks_are_not_called)
{
    const struct crier_list_options list = {.topics = "a", .limit = 1};

    ck_assert_int_eq(crier_hub_publish(hub, "a", event, NULL), 0);
    ck_assert_int_eq(crier_hub_list(hub, &list, NULL, NULL), 0);
    ck_assert_int_eq(crier_hub_forget(hub, "a", NULL, NULL), 0);
}
END_TEST

/* ---- all of them ------------------------------------------------------- */

/* Reads the file at PATH. To be freed. */
static char *read_all(const char *path)
{
    FILE *file = fopen(path, "re");
    char *text = NULL;
    size_t room = 0;

    ck_assert_msg(file != NULL, "cannot read %s", path);
    ck_assert_int_gt(getdelim(&text, &room, '\0', file), 0);
    fclose(file);
    return text;
}

/* Whether TEXT calls the function NAME of LENGTH bytes. */
static bool calls(const char *text, const char *name, size_t length)
{
    const char *at = text;

    while ((at = strstr(at, "crier_")) != NULL) {
        if (strncmp(at, name, length) == 0 && at[length] == '(')
            return true;
        at += strlen("crier_");
    }
    return false;
}

static unsigned check_header(const char *path, const char *tested)
{
    char *text = read_all(path), *at = text;
    unsigned count = 0;
    size_t length;

    while ((at = strstr(at, "CRIER_API ")) != NULL) {
        at = strstr(at, "crier_");
        ck_assert_ptr_nonnull(at);
        while (at[strspn(at, "abcdefghijklmnopqrstuvwxyz_08")] != '(')
            at = strstr(at + 1, "crier_"); /* a type came first */
        length = strcspn(at, "(");
        ck_assert_msg(calls(tested, at, length), "%.*s is not tested",
                      (int)length, at);
        count++;
    }
    free(text);
    return count;
}

START_TEST(no_function_is_forgotten)
{
    char *tested = read_all(HEADERS "/../tests/test_null.c");

    ck_assert_uint_gt(check_header(HEADERS "/crier.h", tested), 50);
    ck_assert_uint_gt(check_header(HEADERS "/crier_client.h", tested), 15);
    ck_assert_uint_gt(check_header(HEADERS "/crier_server.h", tested), 10);
    free(tested);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("null");
    TCase *c = add_case(s, "null"), *all = add_case(s, "all");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_loop_test(c, what_is_required_is_refused, 0,
                        sizeof groups / sizeof groups[0]);
    tcase_add_loop_test(c, a_request_is_answered, 0, 4);
    tcase_add_test(c, a_setter_marks_the_event);
    tcase_add_test(c, callbacks_are_not_called);
    tcase_add_test(all, no_function_is_forgotten);
    return s;
}

RUN_SUITE(suite)
