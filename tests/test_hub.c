/* The hub as a library: what it refuses, what it does when memory is short, and
 * that it can be closed at any time. */
#include <config.h>

#include "support/client.h"
#include "support/oom.h"
#include "support/runner.h"
#include "support/site.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct site site;
static struct crier_hub *hub;
static struct crier_subscribe_options follow;
static struct crier_stream_options options;
static struct crier_stream *stream; /* the newest, a reference */
static struct signal_box closed, blocked, released, reported;
static bool closing; /* the hub is closed right after the next follow */
static bool waiting; /* its stream is, the shard is released, and the response waits for the
                        report */
static bool changing; /* its topics are changed, and the shard is released */
static long oom;     /* of the next follow */
static long shard_oom; /* of the shard, once it is released */
static int follow_error;

static enum MHD_Result answer(struct site *of,
                              struct MHD_Connection *connection,
                              const char *path)
{
    struct MHD_Response *response;

    (void)path;
    crier_stream_unref(stream);
    ck_assert_int_eq(crier_stream_new(of->shards, connection, &options,
                                      &stream, &response),
                     0);
    oom_after(oom);
    follow_error = crier_hub_subscribe(hub, stream, &follow);
    oom_never();
    if (closing)
        crier_hub_close(hub);
    if (changing) {
        ck_assert_int_eq(crier_hub_change(hub, stream, "b"), 0);
        box_put(&released, 0);
    }
    if (waiting) {
        crier_stream_close(stream);
        box_put(&released, 0);
        box_wait(&reported, 1);
    }
    return site_queue(connection, response);
}

static void setup(void)
{
    const struct crier_hub_options presence = {.presence = "p"};
    struct crier_journal *journal;

    box_init(&closed);
    box_init(&blocked);
    box_init(&released);
    box_init(&reported);
    closing = waiting = changing = false;
    oom = shard_oom = 0;
    stream = NULL;
    memset(&follow, 0, sizeof follow);
    follow.topics = "a";
    memset(&options, 0, sizeof options);
    options.on_closed = box_closed;
    options.closure = &closed;
    memset(&site, 0, sizeof site);
    site.answer = answer;
    site_start(&site, &(struct crier_shards_options){.threads = 2});
    ck_assert_int_eq(crier_journal_memory(NULL, &journal), 0);
    ck_assert_int_eq(crier_hub_new(site.shards, journal, &presence, &hub), 0);
}

static void teardown(void)
{
    crier_hub_close(hub);
    crier_stream_unref(stream);
    site_stop(&site);
    crier_hub_free(hub);
    box_done(&closed);
    box_done(&blocked);
    box_done(&released);
    box_done(&reported);
}

static void open_stream(struct client *client)
{
    client_connect(client, site.port);
    ck_assert_int_eq(client_request(client, "GET", "/", "", NULL), 200);
}

static int result; /* of the last publication */
static char reason[128];

static void on_done(void *closure, const struct crier_receipt *receipt)
{
    (void)closure;
    result = receipt->error;
    snprintf(reason, sizeof reason, "%s", receipt->reason);
}

static int64_t published_time; /* that of the last one */

static void note_time(void *closure, const struct crier_receipt *receipt)
{
    published_time = receipt->time;
    on_done(closure, receipt);
}

/* Publishes TEXT with ID (or NULL), and the TIME that it has in another journal, or 0: the
 * error, wherever it came from. */
static int publish_at(const char *topics, const char *id, const char *text, int64_t time)
{
    const struct crier_publish_options done = {.time = time, .on_done = note_time};
    struct crier_event *event = crier_event_new();
    long after = oom;
    int error;

    ck_assert_ptr_nonnull(event);
    crier_event_text(event, text);
    if (id != NULL)
        crier_event_id(event, id, strlen(id));
    result = 0;
    oom_after(after);
    error = crier_hub_publish(hub, topics, event, &done);
    oom_never();
    crier_event_free(event);
    return error != 0 ? error : result;
}

static int publish(const char *topics, const char *id, const char *text)
{
    return publish_at(topics, id, text, 0);
}

/* ---- refusals --------------------------------------------------------- */

START_TEST(what_is_wrong_is_refused)
{
    char id[258];

    memset(id, 'x', 256);
    id[256] = '\0';
    ck_assert_int_eq(publish("", NULL, "x"), CRIER_ERR_TOPIC);
    ck_assert_int_eq(publish("a,*", NULL, "x"), CRIER_ERR_TOPIC);
    ck_assert_int_eq(publish("a", "", "x"), CRIER_ERR_ID);
    ck_assert_int_eq(publish("a", "#x", "x"), CRIER_ERR_ID);
    ck_assert_int_eq(publish("a", " ", "x"), CRIER_ERR_ID);
    ck_assert_int_eq(publish("a", "\tx", "x"), CRIER_ERR_ID);
    ck_assert_int_eq(publish("a", "x ", "x"), CRIER_ERR_ID);
    ck_assert_int_eq(publish("a", "x\001y", "x"), CRIER_ERR_ID);
    ck_assert_int_eq(publish("a", "x\x7f", "x"), CRIER_ERR_ID);
    ck_assert_int_eq(publish("a", "x y", "x"), 0);
    ck_assert_int_eq(publish("a", id, "x"), CRIER_ERR_ID);
    id[255] = '\0';
    ck_assert_int_eq(publish("a", id, "x"), 0);
    ck_assert_int_eq(publish("a", id, "x"), CRIER_ERR_EXISTS);
    ck_assert_str_eq(reason, crier_error_text(CRIER_ERR_EXISTS));
    ck_assert_int_eq(publish("a", NULL, "\xff"), CRIER_ERR_UTF8);
}
END_TEST

/* With a time of another journal, its ids are names; those of this one are taken. */
START_TEST(updates_of_another_journal)
{
    struct crier_status status;
    char id[257];

    ck_assert_int_eq(publish_at("a", "#other-7", "x", 1000), 0);
    ck_assert_int_eq(published_time, 1000);
    ck_assert_int_eq(publish_at("a", "#other-7", "x", 1000), CRIER_ERR_EXISTS);
    ck_assert_int_eq(publish_at("a", "y", "y", 999), 0);
    ck_assert_int_eq(published_time, 1000);
    ck_assert_int_eq(publish_at("a", "#", "x", 1000), CRIER_ERR_ID);
    ck_assert_int_eq(publish_at("a", "# x", "x", 1000), CRIER_ERR_ID);
    ck_assert_int_eq(publish_at("a", "##", "x", 1000), CRIER_ERR_ID);
    memset(id, '#', 1);
    memset(id + 1, 'x', 255);
    id[256] = '\0';
    ck_assert_int_eq(publish_at("a", id, "x", 1000), CRIER_ERR_ID);
    id[255] = '\0';
    ck_assert_int_eq(publish_at("a", id, "x", 1000), 0);
    ck_assert_int_eq(publish("a", "#other-8", "x"), CRIER_ERR_ID);
    crier_hub_status(hub, &status);
    ck_assert_int_eq(publish_at("a", status.newest, "x", 1000), CRIER_ERR_EXISTS);
}
END_TEST

/* The last line of what is held, in JSON, where that is wanted. */
START_TEST(the_end_as_json)
{
    struct client client;
    char *body;

    options.format = CRIER_FORMAT_JSON;
    follow.since = CRIER_SINCE_ALL;
    follow.once = true;
    follow.end_line = _i == 0;
    ck_assert_int_eq(publish_at("a", "1", "x", 1000), 0);
    open_stream(&client);
    body = client_body(&client);
    ck_assert_str_eq(body,
                     _i == 0 ? "{\"id\":\"1\",\"position\":1,\"time\":\"1970-01-01T00:00:01."
                               "000Z\",\"topics\":[\"a\"],\"data\":\"x\"}\n"
                               "{\"event\":\"end\"}\n"
                             : "{\"id\":\"1\",\"position\":1,\"time\":\"1970-01-01T00:00:01."
                               "000Z\",\"topics\":[\"a\"],\"data\":\"x\"}\n");
    free(body);
    client_close(&client);
}
END_TEST

START_TEST(a_stream_follows_once)
{
    struct client client;

    open_stream(&client);
    ck_assert_int_eq(follow_error, 0);
    ck_assert_int_eq(crier_hub_subscribe(hub, stream, &follow), CRIER_ERR_JOINED);
    ck_assert_uint_eq(crier_hub_count(hub, "a"), 1);
    client_close(&client);
    ck_assert_int_eq(box_wait(&closed, 1), CRIER_REASON_LEFT);
    ck_assert_uint_eq(crier_hub_count(hub, "a"), 0);
}
END_TEST

START_TEST(wrong_wishes_are_refused)
{
    struct client client;

    follow.topics = "a,,b";
    open_stream(&client);
    ck_assert_int_eq(follow_error, CRIER_ERR_TOPIC);
    follow.topics = "a*b";
    ck_assert_int_eq(crier_hub_subscribe(hub, stream, &follow), CRIER_ERR_TOPIC);
    follow.topics = "a";
    follow.live = "b,**";
    ck_assert_int_eq(crier_hub_subscribe(hub, stream, &follow), CRIER_ERR_TOPIC);
    follow.live = NULL;
    follow.topics = "*";
    follow.since = (enum crier_since)5;
    ck_assert_int_eq(crier_hub_subscribe(hub, stream, &follow),
                     CRIER_ERR_INVALID);
    follow.since = CRIER_SINCE_ID;
    ck_assert_int_eq(crier_hub_subscribe(hub, stream, &follow), CRIER_ERR_NULL);
    follow.id = "x"; /* after all these it can still follow */
    ck_assert_int_eq(crier_hub_subscribe(hub, stream, &follow), 0);
    client_expect(&client,
                  "event: gap\ndata: {\"requested\":\"x\",\"oldest\":null}");
    client_close(&client);
}
END_TEST

/* ---- following -------------------------------------------------------- */

START_TEST(hello_then_the_past_then_what_is_new)
{
    struct client client;

    ck_assert_int_eq(publish("a", "1", "past"), 0);
    ck_assert_int_eq(publish("l", "2", "not wanted"), 0);
    follow.live = "l,a";
    follow.since = CRIER_SINCE_ALL;
    follow.hello = frame_of("hello");
    open_stream(&client);
    crier_frame_unref(follow.hello);
    client_expect(&client, "data: hello");
    client_expect(&client, "id: 1\ndata: past");
    ck_assert_int_eq(publish("l,a", "3", "new"), 0);
    client_expect(&client, "id: 3\ndata: new");
    ck_assert_int_eq(publish("l", "4", "newer"), 0);
    client_expect(&client, "id: 4\ndata: newer");
    client_close(&client);
}
END_TEST

START_TEST(once_ends_after_what_is_held)
{
    struct client client;

    ck_assert_int_eq(publish("a", "1", "one"), 0);
    follow.since = CRIER_SINCE_ALL;
    follow.once = true;
    open_stream(&client);
    ck_assert_int_eq(follow_error, 0);
    client_expect(&client, "id: 1\ndata: one");
    client_expect_end(&client);
    client_close(&client);
    ck_assert_int_eq(box_wait(&closed, 1), CRIER_REASON_APP);
    follow.since = CRIER_SINCE_NOW;
    open_stream(&client);
    ck_assert_int_eq(follow_error, 0);
    client_expect_end(&client);
    client_close(&client);
}
END_TEST

/* A stream that is closed while it reads a long past does not read on. */
START_TEST(a_closed_stream_reads_no_more)
{
    char *large = malloc(10001), *frame;
    struct client client;
    int i, seen = 0;

    memset(large, 'x', 10000);
    large[10000] = '\0';
    for (i = 0; i < 500; i++)
        ck_assert_int_eq(publish("a", NULL, large), 0);
    free(large);
    follow.since = CRIER_SINCE_ALL;
    open_stream(&client);
    free(client_frame(&client));
    crier_stream_close(stream);
    while ((frame = client_frame(&client)) != NULL) {
        free(frame);
        seen++;
    }
    ck_assert_int_lt(seen, 499);
    client_close(&client);
    ck_assert_int_eq(box_wait(&closed, 1), CRIER_REASON_APP);
}
END_TEST

/* ---- changing topics -------------------------------------------------- */

/* ---- selectors -------------------------------------------------------- */

static void on_names(void *closure, const struct crier_receipt *receipt)
{
    ck_assert_int_eq(receipt->error, 0);
    ck_assert_uint_eq(receipt->topic_count, 2);
    ck_assert_str_eq(receipt->topics[0], "http://x/a,b");
    ck_assert_str_eq(receipt->topics[1], "c");
    *(size_t *)closure = receipt->subscribers;
}

/* An IRI may hold a comma, so a program may give names in an array. */
START_TEST(a_name_may_hold_a_comma)
{
    static const char *const topics[] = {"http://x/a,b", "c", "c"};
    static const char *const wrong[] = {"a,*"};
    static const struct crier_selector with_comma = {.text = "http://x/a,b"};
    size_t subscribers = 0;
    const struct crier_publish_options done = {.on_done = on_names,
                                               .closure = &subscribers};
    struct crier_event *event = crier_event_new();
    struct client client;

    crier_event_text(event, "x");
    follow.topics = NULL;
    follow.selectors = &with_comma;
    follow.selector_count = 1;
    options.format = CRIER_FORMAT_FULL;
    open_stream(&client);
    ck_assert_int_eq(follow_error, 0);
    ck_assert_uint_eq(crier_hub_count(hub, "http://x/a,b"), 1);
    ck_assert_int_eq(crier_hub_publish_to(hub, topics, 3, event, &done), 0);
    ck_assert_uint_eq(subscribers, 1);
    free(client_until(&client, "topics: http://x/a%2Cb,c\n"));
    ck_assert_int_eq(crier_hub_publish_to(hub, wrong, 1, event, NULL),
                     CRIER_ERR_TOPIC);
    ck_assert_int_eq(crier_hub_publish_to(hub, topics, 0, event, NULL),
                     CRIER_ERR_TOPIC);
    client_close(&client);
    crier_event_free(event);
}
END_TEST

static void on_count(void *closure, const struct crier_receipt *receipt)
{
    *(size_t *)closure = receipt->subscribers;
}

/* To how many an update of TOPICS goes. */
static size_t count_of(const char *topics)
{
    size_t subscribers = SIZE_MAX;
    const struct crier_publish_options done = {.on_done = on_count,
                                               .closure = &subscribers};
    struct crier_event *event = crier_event_new();

    crier_event_text(event, topics);
    ck_assert_int_eq(crier_hub_publish(hub, topics, event, &done), 0);
    crier_event_free(event);
    return subscribers;
}

/* What has matched a topic is remembered; patterns that come and go must be seen. */
START_TEST(prefixes_come_and_go)
{
    struct client one, two, three;

    follow.topics = "log/*";
    open_stream(&one);
    ck_assert_uint_eq(count_of("log/a"), 1);
    ck_assert_uint_eq(count_of("log/a"), 1);
    ck_assert_uint_eq(count_of("log/a,log/b"), 1); /* one selector, once */
    ck_assert_uint_eq(count_of("lo"), 0);
    follow.topics = "lo*,log/a";
    open_stream(&two);
    ck_assert_uint_eq(count_of("log/a"), 3);
    ck_assert_uint_eq(count_of("log/b"), 2);
    ck_assert_uint_eq(count_of("lo"), 1);
    follow.topics = "*";
    open_stream(&three);
    ck_assert_uint_eq(count_of("log/a"), 4);
    ck_assert_uint_eq(count_of("x,log/b"), 3);
    ck_assert_uint_eq(crier_hub_count(hub, "log/*"), 1);
    ck_assert_uint_eq(crier_hub_count(hub, "log/a"), 1);
    client_close(&one);
    box_wait(&closed, 1);
    ck_assert_uint_eq(count_of("log/a"), 3);
    ck_assert_uint_eq(crier_hub_count(hub, "log/*"), 0);
    client_close(&two);
    client_close(&three);
}
END_TEST

/* Kinds of one text are different selectors, and each finds what it matches. */
START_TEST(patterns_come_and_go)
{
    static const struct crier_selector kinds[] = {
        {.match = CRIER_MATCH_EXACT, .text = "http://x/{a}"},
        {.match = CRIER_MATCH_TEMPLATE, .text = "http://x/{a}"},
        {.match = CRIER_MATCH_URL_PATTERN, .text = "http://x/{a}"},
        {.match = CRIER_MATCH_URL_PATTERN, .text = "/{a}", .base = "http://x"},
        {.match = CRIER_MATCH_URL_PATTERN, .text = "/{a}", .base = "http://y"}};
    struct client clients[5], again;
    int i;

    follow.topics = NULL;
    follow.selector_count = 1;
    for (i = 0; i < 5; i++) {
        follow.selectors = &kinds[i];
        open_stream(&clients[i]);
        ck_assert_int_eq(follow_error, 0);
    }
    ck_assert_uint_eq(count_of("http://x/a"), 3); /* template and both of x */
    ck_assert_uint_eq(count_of("http://x/a"), 3);
    ck_assert_uint_eq(count_of("http://x/b"), 1);
    ck_assert_uint_eq(count_of("http://x/{a}"), 2); /* by name, and its own text */
    ck_assert_uint_eq(count_of("HTTP://Y/a"), 1);
    ck_assert_uint_eq(count_of("/a"), 2);
    ck_assert_uint_eq(count_of("http://x/a,http://x/b"), 3);
    follow.selectors = kinds;
    follow.selector_count = 5;
    open_stream(&again);
    ck_assert_uint_eq(count_of("http://x/a"), 6);
    ck_assert_uint_eq(crier_hub_count(hub, "http://x/{a}"), 2); /* as a template */
    client_close(&clients[1]);
    client_close(&clients[2]);
    box_wait(&closed, 2);
    ck_assert_uint_eq(count_of("http://x/a"), 4);
    ck_assert_uint_eq(count_of("http://x/b"), 1);
    for (i = 0; i < 5; i++)
        if (i != 1 && i != 2)
            client_close(&clients[i]);
    client_close(&again);
    box_wait(&closed, 6);
    ck_assert_uint_eq(count_of("http://x/a"), 0);
}
END_TEST

START_TEST(names_are_changed_to_a_template)
{
    struct client client;

    follow.topics = "log/a";
    open_stream(&client);
    ck_assert_int_eq(publish("log/a", NULL, "1"), 0);
    client_expect_event(&client, "data: 1");
    ck_assert_int_eq(crier_hub_change(hub, stream, "log/{x},{y,z}"), 0);
    ck_assert_int_eq(publish("log/b", NULL, "2"), 0);
    client_expect_event(&client, "data: 2");
    ck_assert_int_eq(publish("a,b", NULL, "3"), 0);
    client_expect_event(&client, "data: 3");
    ck_assert_int_eq(crier_hub_change(hub, stream, "log/{a,b"), 0);
    ck_assert_int_eq(publish("log/a", NULL, "4"), 0);
    ck_assert_int_eq(publish("b", NULL, "5"), 0);
    client_expect_event(&client, "data: 5");
    client_close(&client);
}
END_TEST

/* A prefix that covers what the stream had goes on where the stream is. */
START_TEST(names_are_changed_to_a_prefix)
{
    struct client client;

    follow.topics = "log/a";
    open_stream(&client);
    ck_assert_int_eq(publish("log/a", NULL, "1"), 0);
    client_expect_event(&client, "data: 1");
    ck_assert_int_eq(crier_hub_change(hub, stream, "log/*,x"), 0);
    ck_assert_int_eq(publish("log/b", NULL, "2"), 0);
    client_expect_event(&client, "data: 2");
    ck_assert_int_eq(crier_hub_change(hub, stream, "log/b"), 0);
    ck_assert_int_eq(publish("log/a", NULL, "3"), 0);
    ck_assert_int_eq(publish("log/b", NULL, "4"), 0);
    client_expect_event(&client, "data: 4");
    client_close(&client);
}
END_TEST

START_TEST(topics_are_changed)
{
    struct client client;

    open_stream(&client);
    ck_assert_int_eq(publish("a", "1", "a"), 0);
    ck_assert_int_eq(publish("b", "2", "before it is followed"), 0);
    ck_assert_int_eq(crier_hub_change(hub, stream, "b,c"), 0);
    ck_assert_int_eq(publish("a", "3", "not followed any more"), 0);
    ck_assert_int_eq(publish("c", "4", "c"), 0);
    ck_assert_int_eq(crier_hub_change(hub, stream, "c"), 0);
    ck_assert_int_eq(crier_hub_change(hub, stream, "a,c"), 0);
    ck_assert_int_eq(publish("c,a", "5", "both"), 0);
    ck_assert_int_eq(crier_hub_change(hub, stream, "*"), 0);
    ck_assert_int_eq(publish("d", "6", "any"), 0);
    ck_assert_int_eq(crier_hub_change(hub, stream, "d"), 0);
    ck_assert_int_eq(publish("c", "7", "not any"), 0);
    ck_assert_int_eq(publish("d", "8", "d"), 0);
    client_expect(&client, "id: 1\ndata: a");
    client_expect(&client, "id: 4\ndata: c");
    client_expect(&client, "id: 5\ndata: both");
    client_expect(&client, "id: 6\ndata: any");
    client_expect(&client, "id: 8\ndata: d");
    ck_assert_uint_eq(crier_hub_count(hub, "a"), 0);
    ck_assert_uint_eq(crier_hub_count(hub, "*"), 0);
    ck_assert_uint_eq(crier_hub_count(hub, "d"), 1);
    client_close(&client);
    ck_assert_int_eq(box_wait(&closed, 1), CRIER_REASON_LEFT);
    ck_assert_uint_eq(crier_hub_count(hub, "d"), 0);
}
END_TEST

/* The handler changes them before the shard knows of the stream. */
static enum MHD_Result answer_and_change(struct site *of,
                                         struct MHD_Connection *connection,
                                         const char *path)
{
    enum MHD_Result queued = answer(of, connection, path);

    ck_assert_int_eq(publish("b", "1", "b"), 0);
    ck_assert_int_eq(crier_hub_change(hub, stream, "b,c"), 0);
    ck_assert_int_eq(publish("a,b", "2", "b, too"), 0);
    ck_assert_int_eq(crier_hub_change(hub, stream, "c"), 0);
    ck_assert_int_eq(publish("b", "3", "b"), 0);
    ck_assert_int_eq(publish("c", "4", "c"), 0);
    return queued;
}

START_TEST(topics_are_changed_at_once)
{
    struct client client;
    char *frame;

    site.answer = answer_and_change;
    open_stream(&client);
    frame = client_frame(&client);
    if (strstr(frame, "id: 2") != NULL) { /* it may have come in time */
        free(frame);
        frame = client_frame(&client);
    }
    ck_assert_str_eq(frame, "id: 4\ndata: c");
    free(frame);
    client_close(&client);
    ck_assert_int_eq(box_wait(&closed, 1), CRIER_REASON_LEFT);
    ck_assert_uint_eq(crier_hub_count(hub, "b"), 0);
}
END_TEST

static struct signal_box go_on;

static void block(void *closure, struct crier_stream *of)
{
    (void)closure;
    (void)of;
    box_wait(&go_on, 1);
}

/* A client that is to get an id gets one, also when the topics change before the journal
 * has answered: a shard that is busy until then sees to that. */
static enum MHD_Result answer_and_turn(struct site *of,
                                       struct MHD_Connection *connection,
                                       const char *path)
{
    enum MHD_Result queued = answer(of, connection, path);

    ck_assert_int_eq(crier_hub_change(hub, stream, "b"), 0);
    box_put(&go_on, 0);
    return queued;
}

START_TEST(an_id_to_begin_with_is_not_forgotten)
{
    struct client client, blocking;

    box_init(&go_on);
    options.affinity = "a";
    options.on_wake = block;
    open_stream(&blocking);
    options.on_wake = NULL;
    site.answer = answer_and_turn;
    follow.since = CRIER_SINCE_ALL;
    follow.start = CRIER_START_ID;
    open_stream(&client);
    free(client_until(&client, "id: #"));
    client_close(&client);
    client_close(&blocking);
    box_wait(&closed, 2);
    box_done(&go_on);
}
END_TEST

/* A stream that is behind keeps what it follows on, has the rest from the change on,
 * and with "*" all from where it is. */
static const struct {
    const char *topics;
    bool past; /* of the topic that is new */
} behind[] = {{"a,b", false}, {"*", true}};

START_TEST(one_that_is_behind_loses_nothing)
{
    bool old = false, new = false;
    struct client client;
    char *large, *frame;
    int i, next = 0;

    large = malloc(20001);
    memset(large, 'x', 20000);
    large[20000] = '\0';
    options.max_pending = 16 * 1024;
    client_connect_small(&client, site.port, 4096);
    ck_assert_int_eq(client_request(&client, "GET", "/", "", NULL), 200);
    for (i = 0; i < 50; i++)
        ck_assert_int_eq(publish("a", NULL, large), 0);
    ck_assert_int_eq(publish("b", NULL, "old"), 0);
    ck_assert_int_eq(crier_hub_change(hub, stream, behind[_i].topics), 0);
    ck_assert_int_eq(publish("b", NULL, "new"), 0);
    ck_assert_int_eq(publish("a", NULL, "end"), 0);
    do {
        frame = client_any_frame(&client);
        next += strstr(frame, "data: xxx") != NULL;
        old |= strstr(frame, "data: old") != NULL;
        new |= strstr(frame, "data: new") != NULL;
        i = strstr(frame, "data: end") != NULL;
        free(frame);
    } while (i == 0);
    ck_assert_int_eq(next, 50);
    ck_assert(new);
    ck_assert_int_eq(old, behind[_i].past);
    free(large);
    client_close(&client);
}
END_TEST

START_TEST(presence_tells_of_changes)
{
    struct client client, watcher;

    follow.topics = "$presence/p";
    open_stream(&watcher);
    follow.topics = "a";
    open_stream(&client);
    ck_assert_int_eq(crier_hub_change(hub, stream, "a,p"), 0);
    client_expect_event(&watcher,
                        "event: join\ndata: {\"topic\":\"p\",\"count\":1}");
    ck_assert_int_eq(crier_hub_change(hub, stream, "p,b"), 0); /* nothing new */
    ck_assert_int_eq(crier_hub_change(hub, stream, "b"), 0);
    client_expect_event(&watcher,
                        "event: leave\ndata: {\"topic\":\"p\",\"count\":0}");
    client_close(&client);
    client_close(&watcher);
}
END_TEST

START_TEST(wrong_changes_are_refused)
{
    struct client client;

    follow.topics = "a,,b";
    open_stream(&client);
    ck_assert_int_eq(crier_hub_change(hub, stream, "a"),
                     CRIER_ERR_NOT_JOINED);
    follow.topics = "a";
    ck_assert_int_eq(crier_hub_subscribe(hub, stream, &follow), 0);
    ck_assert_int_eq(crier_hub_change(hub, stream, "a,,b"), CRIER_ERR_TOPIC);
    ck_assert_int_eq(crier_hub_change(hub, stream, ""), CRIER_ERR_TOPIC);
    ck_assert_int_eq(publish("a", "1", "a"), 0);
    client_expect(&client, "id: 1\ndata: a");
    client_close(&client);
    box_wait(&closed, 1);
    ck_assert_int_eq(crier_hub_change(hub, stream, "a"), CRIER_ERR_CLOSED);
}
END_TEST

/* ---- memory ----------------------------------------------------------- */

/* The N-th allocation of a change fails: nothing has changed. */
START_TEST(short_memory_changes_nothing)
{
    struct client client;
    long n;
    int error = -ENOMEM;

    open_stream(&client);
    for (n = 1; error != 0; n++) {
        ck_assert_int_lt(n, 50);
        oom_after(n);
        error = crier_hub_change(hub, stream, "b,c{x}");
        oom_never();
        ck_assert(error == 0 || error == -ENOMEM);
        if (error != 0)
            ck_assert_int_eq(publish("a,b", NULL, "a"), 0);
        if (error != 0)
            client_expect_event(&client, "data: a");
    }
    ck_assert_int_gt(n, 4);
    ck_assert_int_eq(publish("a", NULL, "a"), 0);
    ck_assert_int_eq(publish("b", NULL, "b"), 0);
    client_expect_event(&client, "data: b");
    client_close(&client);
    box_wait(&closed, 1);
    ck_assert_uint_eq(crier_hub_count(hub, "a") + crier_hub_count(hub, "b"),
                      0);
}
END_TEST

/* The N-th allocation fails, for every N there is: what is refused is not
 * there, and what is not refused comes, in order. */
START_TEST(short_memory_loses_nothing)
{
    struct client client, all;
    int sent[200], count = 0, error = -ENOMEM, i;
    char text[32];

    open_stream(&client);
    follow.topics = "*";
    open_stream(&all);
    for (i = 0; error != 0 || i < 120; i++) {
        snprintf(text, sizeof text, "%d", i);
        oom = i % 60 + 1;
        error = publish(i % 3 == 0 ? "a,b" : "a", i % 4 == 0 ? text : NULL,
                        text);
        ck_assert_msg(error == 0 || error == -ENOMEM, "%d", error);
        if (error == 0)
            sent[count++] = i;
    }
    oom = 0;
    ck_assert_int_gt(count, 60);
    ck_assert_int_lt(count, i);
    for (i = 0; i < count; i++) {
        char *one = client_event(&client, NULL);
        char *other = client_event(&all, NULL);

        ck_assert(one != NULL && other != NULL);
        snprintf(text, sizeof text, "data: %d", sent[i]);
        ck_assert_str_eq(one, text);
        ck_assert_str_eq(other, text);
        free(one);
        free(other);
    }
    client_close(&client);
    client_close(&all);
}
END_TEST

START_TEST(short_memory_refuses_a_subscriber_cleanly)
{
    struct client client;

    follow.topics = "a,p,t/{x}";
    follow.live = "l";
    follow.since = CRIER_SINCE_ID;
    follow.id = "x";
    for (oom = 1, follow_error = -ENOMEM; follow_error != 0; oom++) {
        open_stream(&client);
        ck_assert(follow_error == 0 || follow_error == -ENOMEM);
        ck_assert_uint_eq(crier_hub_count(hub, "p"), follow_error == 0);
        if (follow_error != 0) {
            client_close(&client);
            box_wait(&closed, (int)oom);
        }
    }
    ck_assert_int_gt(oom, 3);
    free(client_until(&client, "gap"));
    client_close(&client);
}
END_TEST

/* While a shard is busy its list grows to a limit; what does not fit comes from the
 * journal, in order. */
START_TEST(a_shard_that_is_behind_reads_on)
{
    struct client blockers[2], clients[2];
    char *large = malloc(100001), *frame;
    int i, n;

    box_init(&go_on);
    for (i = 0; i < 2; i++)
        open_stream(&clients[i]);
    follow.topics = "other";
    options.on_wake = block;
    for (i = 0; i < 2; i++)
        open_stream(&blockers[i]);
    memset(large, 'x', 100000);
    large[100000] = '\0';
    for (n = 0; n < 120; n++) { /* 12 MB */
        large[sprintf(large, "%d", n)] = ' ';
        ck_assert_int_eq(publish("a", NULL, large), 0);
    }
    free(large);
    box_put(&go_on, 0);
    for (i = 0; i < 2; i++) {
        for (n = 0; n < 120; n++) {
            frame = client_event(&clients[i], NULL);
            ck_assert_ptr_nonnull(frame);
            ck_assert_int_eq(atoi(frame + 6), n);
            free(frame);
        }
        client_close(&clients[i]);
        client_close(&blockers[i]);
    }
}
END_TEST

/* ---- closing ---------------------------------------------------------- */

static void listed(void *closure, int error, json_t *topics)
{
    *(int *)closure = error;
    json_decref(topics);
}

static void forgotten(void *closure, int error)
{
    *(int *)closure = error;
}

START_TEST(a_list_takes_few_patterns)
{
    struct crier_list_options asked = {.topics = "{a},{b},{c},{d},{e}",
                                       .limit = 1};

    ck_assert_int_eq(crier_hub_list(hub, &asked, NULL, NULL),
                     CRIER_ERR_MANY_TOPICS);
    asked.topics = "{a},{b},{c},{d},a*,b*,c,d";
    ck_assert_int_eq(crier_hub_list(hub, &asked, NULL, NULL), 0);
}
END_TEST

START_TEST(a_closed_hub_refuses_everything)
{
    const struct crier_list_options asked = {.topics = "*", .limit = 1};
    struct crier_status status;
    struct client client;
    int unused = 1;

    open_stream(&client);
    crier_hub_close(hub);
    crier_hub_close(hub);
    ck_assert_int_eq(publish("a", NULL, "x"), CRIER_ERR_HUB_CLOSED);
    ck_assert_int_eq(crier_hub_list(hub, &asked, listed, &unused),
                     CRIER_ERR_HUB_CLOSED);
    ck_assert_int_eq(crier_hub_forget(hub, "a", forgotten, &unused),
                     CRIER_ERR_HUB_CLOSED);
    ck_assert_int_eq(crier_hub_change(hub, stream, "b"), CRIER_ERR_HUB_CLOSED);
    ck_assert_int_eq(unused, 1);
    crier_hub_status(hub, &status);
    ck_assert_str_eq(status.journal, "memory");
    ck_assert_int_eq(status.error, 0);
    client_close(&client);
    open_stream(&client);
    ck_assert_int_eq(follow_error, CRIER_ERR_HUB_CLOSED);
    client_close(&client);
}
END_TEST

static void block_shard(void *closure, struct crier_stream *of)
{
    (void)closure;
    (void)of;
    box_put(&blocked, 0);
    box_wait(&released, 1);
    oom_after(shard_oom);
}

static void note_read(void *closure, int error, bool gap)
{
    (void)gap;
    box_put(closure, error);
}

/* A program that waits for the first read before it responds would wait for ever, with a
 * suspended connection, on which libmicrohttpd aborts. */
START_TEST(a_first_read_that_comes_too_late_is_reported)
{
    struct client blocker, client;

    options.affinity = "one shard";
    options.on_wake = block_shard;
    open_stream(&blocker);
    box_wait(&blocked, 1);
    options.on_wake = NULL;
    follow.since = CRIER_SINCE_ALL;
    follow.once = _i == 0;
    follow.on_read = note_read;
    follow.closure = &reported;
    closing = true;
    open_stream(&client);
    box_put(&released, 0);
    ck_assert_int_eq(box_wait(&reported, 1), CRIER_ERR_HUB_CLOSED);
    if (follow.once)
        client_expect_end(&client);
    client_close(&client);
    client_close(&blocker);
    crier_shards_drain(site.shards, 0, 0, PATIENCE);
    ck_assert_int_eq(box_count(&reported), 1);
}
END_TEST

/* Updates that a shard has not taken up count where they wait, and there alone. */
START_TEST(what_waits_for_a_shard_is_counted)
{
    struct crier_hub_counts counts;
    struct client blocker;
    size_t most;

    options.affinity = "one shard";
    options.on_wake = block_shard;
    open_stream(&blocker);
    box_wait(&blocked, 1);
    ck_assert_int_eq(publish_at("a", NULL, "first", 0), 0);
    ck_assert_int_eq(publish_at("a", NULL, "last", 0), 0);
    ck_assert_int_eq(publish_at("nobody", NULL, "x", 0), 0);
    crier_hub_statistics(hub, &counts);
    ck_assert_uint_eq(counts.shards, 2);
    most = counts.waiting_at[counts.waiting_at[0] == 0];
    ck_assert_uint_gt(most, strlen("data: first") + strlen("data: last"));
    ck_assert_uint_eq(counts.waiting_at[0] + counts.waiting_at[1], most);
    box_put(&released, 0);
    client_expect_event(&blocker, "data: first");
    client_expect_event(&blocker, "data: last");
    crier_hub_statistics(hub, &counts);
    ck_assert_uint_eq(counts.waiting_at[0] + counts.waiting_at[1], 0);
    client_close(&blocker);
}
END_TEST

/* Whichever allocation of the shard fails: the program responds when the read is reported, and
 * its stream can end only then. Where memory is short for the read, it is tried again later,
 * when the stream has been closed. */
START_TEST(a_first_read_of_a_closed_stream_is_reported)
{
    struct client blocker, client;

    options.affinity = "one shard";
    options.on_wake = block_shard;
    shard_oom = _i + 1;
    open_stream(&blocker);
    box_wait(&blocked, 1);
    options.on_wake = NULL;
    follow.since = CRIER_SINCE_ALL;
    follow.once = true;
    follow.on_read = note_read;
    follow.closure = &reported;
    waiting = true;
    client_connect(&client, site.port);
    client_send(&client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    box_wait(&reported, 1);
    client_close(&client);
    client_close(&blocker);
    box_wait(&closed, 2);
    ck_assert_int_eq(box_count(&reported), 1);
}
END_TEST

/* Whichever allocation of the shard fails: the stream may have no place there then, in which
 * the subscriber of its new topics could follow. */
START_TEST(a_change_without_memory_for_the_stream)
{
    struct client blocker, client;

    options.affinity = "one shard";
    options.on_wake = block_shard;
    shard_oom = _i / 2 + 1;
    open_stream(&blocker);
    box_wait(&blocked, 1);
    options.on_wake = NULL;
    follow.on_read = _i % 2 != 0 ? note_read : NULL;
    follow.closure = &reported;
    changing = true;
    client_connect(&client, site.port);
    client_send(&client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    box_wait(&released, 1);
    client_close(&client);
    client_close(&blocker);
    box_wait(&closed, 2);
    ck_assert_int_eq(box_count(&reported), _i % 2);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("hub");
    TCase *c = add_case(s, "hub");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, what_is_wrong_is_refused);
    tcase_add_test(c, updates_of_another_journal);
    tcase_add_loop_test(c, the_end_as_json, 0, 2);
    tcase_add_test(c, a_stream_follows_once);
    tcase_add_test(c, wrong_wishes_are_refused);
    tcase_add_test(c, hello_then_the_past_then_what_is_new);
    tcase_add_test(c, once_ends_after_what_is_held);
    tcase_add_test(c, a_closed_stream_reads_no_more);
    tcase_add_test(c, topics_are_changed);
    tcase_add_test(c, a_name_may_hold_a_comma);
    tcase_add_test(c, prefixes_come_and_go);
    tcase_add_test(c, patterns_come_and_go);
    tcase_add_test(c, names_are_changed_to_a_template);
    tcase_add_test(c, names_are_changed_to_a_prefix);
    tcase_add_test(c, topics_are_changed_at_once);
    tcase_add_test(c, an_id_to_begin_with_is_not_forgotten);
    tcase_add_loop_test(c, one_that_is_behind_loses_nothing, 0, 2);
    tcase_add_test(c, presence_tells_of_changes);
    tcase_add_test(c, wrong_changes_are_refused);
    tcase_add_test(c, short_memory_changes_nothing);
    tcase_add_test(c, short_memory_loses_nothing);
    tcase_add_test(c, a_shard_that_is_behind_reads_on);
    tcase_add_test(c, short_memory_refuses_a_subscriber_cleanly);
    tcase_add_test(c, a_list_takes_few_patterns);
    tcase_add_test(c, a_closed_hub_refuses_everything);
    tcase_add_loop_test(c, a_first_read_that_comes_too_late_is_reported, 0, 2);
    tcase_add_test(c, what_waits_for_a_shard_is_counted);
    tcase_add_loop_test(c, a_first_read_of_a_closed_stream_is_reported, 0, 8);
    tcase_add_loop_test(c, a_change_without_memory_for_the_stream, 0, 12);
    return s;
}

RUN_SUITE(suite)
