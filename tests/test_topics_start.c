/* How a stream of topics begins: its first bytes, and the id from which a client can
 * resume, in them and in the response. */
#include <config.h>

#include "support/fixture.h"
#include "support/client.h"
#include "support/runner.h"

#include <string.h>

/* What HTML and Fetch make a browser's EventSource send. */
#define ACCEPT "Accept: text/event-stream\r\n"
#define NO_CACHE "Cache-Control: no-cache\r\n"
#define MOZILLA "User-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n"
#define BROWSER ACCEPT NO_CACHE MOZILLA

/* Reads a block that has only an id, and writes that to ID. */
static void expect_id(struct client *client, char id[256])
{
    char *line = client_line(client);

    ck_assert_ptr_nonnull(line);
    ck_assert_msg(strncmp(line, "id: ", 4) == 0, "'%s' is not an id", line);
    snprintf(id, 256, "%s", line + 4);
    free(line);
    client_expect_line(client, "");
}

/* ID must be one of the journal's own at POSITION. */
static void check_position(const char *id, unsigned long position)
{
    char end[32];

    snprintf(end, sizeof end, "-%lu", position);
    ck_assert_int_eq(id[0], '#');
    ck_assert_ptr_nonnull(strrchr(id, '-'));
    ck_assert_str_eq(strrchr(id, '-'), end);
}

/* The client gets a block with the id of POSITION alone. */
static void expect_position(struct client *client, unsigned long position)
{
    char id[256];

    expect_id(client, id);
    check_position(id, position);
}

/* The client gets the event that begins the stream of an EventSource, with the id of
 * POSITION. */
static void expect_start(struct client *client, unsigned long position)
{
    char *line = client_line(client);

    ck_assert_int_eq(strncmp(line, "id: ", 4), 0);
    check_position(line + 4, position);
    free(line);
    client_expect_line(client, "event: crier-start");
    client_expect_line(client, "data");
    client_expect_line(client, "");
}

/* Resumes at TARGET after ID. */
static void resume_after(struct client *client, const char *target,
                         const char *id)
{
    char header[300];

    snprintf(header, sizeof header, "Last-Event-ID: %s\r\n", id);
    topics_subscribe(client, target, header);
}

/* ---- the first bytes -------------------------------------------------- */

static const struct {
    const char *target, *headers;
    const char *first; /* the first line; "id": a block with an id; "event": one as an event */
} starts[] = {
    {"/topics/a", "", ":"},
    {"/topics/a", ACCEPT NO_CACHE, ":"},
    {"/topics/a", ACCEPT MOZILLA, ":"},
    {"/topics/a", NO_CACHE MOZILLA, ":"},
    {"/topics/a", "Accept: text/event-stream, */*\r\n" NO_CACHE MOZILLA, ":"},
    {"/topics/a", ACCEPT "Cache-Control: max-age=0\r\n" MOZILLA, ":"},
    {"/topics/a", ACCEPT NO_CACHE "User-Agent: undici\r\n", ":"},
    {"/topics/a?start=comment", BROWSER, ":"},
    {"/topics/a?start=id&start=comment", "", ":"},
    {"/topics/a", BROWSER, "event"},
    {"/topics/*", BROWSER, "event"},
    {"/topics/a", "accept: TEXT/event-stream\r\ncache-control: No-Cache\r\n"
                  "user-agent: Mozilla/5.0\r\n", "event"},
    {"/topics/a?start=id", "", "id"},
    {"/topics/a?start=comment&start=id", "", "id"},
    {"/topics/a?format=full", "", ":"},
    {"/topics/a?format=full&start=id", "", "id"},
    {"/topics/a?format=json", BROWSER, ""},
    {"/topics/a?format=raw", "", ""},
    {"/topics/a?since=all", BROWSER, ":"}, /* the journal is asked first */
    {"/events", "", ":"},
    {"/events", BROWSER, "event"},
    {"/chat?user=ada", "", ":"},
    {"/chat?user=ada", BROWSER, ":"}, /* likewise */
    {"/ticks", BROWSER, ":"},
    {"/sse", "", ":"},
    {"/tokens?prompt=x", "", ":"},
    {"/quotes", "", ":"},
};

START_TEST(a_stream_begins_with_bytes)
{
    struct client client;

    topics_subscribe(&client, starts[_i].target, starts[_i].headers);
    if (strcmp(starts[_i].first, "id") == 0)
        expect_position(&client, 0);
    else if (strcmp(starts[_i].first, "event") == 0)
        expect_start(&client, 0);
    else
        client_expect_line(&client, starts[_i].first);
    client_close(&client);
}
END_TEST

/* Held updates and the end of the stream arrive at once. */
START_TEST(a_poll_begins_with_held_updates)
{
    static const char *const formats[] = {"sse", "json", "raw"};
    struct client client;
    char target[64], *body;
    size_t i;

    for (i = 0; i < 3; i++) {
        snprintf(target, sizeof target, "/topics/a?poll=1&format=%s",
                 formats[i]);
        body = topics_get(target, "");
        ck_assert_str_eq(body, "");
        free(body);
    }
    topics_subscribe(&client, "/topics/a?poll=1", BROWSER);
    expect_start(&client, 0);
    client_expect_end(&client);
    client_close(&client);
    topics_put("/topics/a?id=1", "x");
    body = topics_get("/topics/a?poll=1", "");
    ck_assert_str_eq(body, "id: 1\ndata: x\n\n");
    free(body);
    body = topics_get("/topics/a?poll=1&format=raw", "");
    ck_assert_str_eq(body, "x\n");
    free(body);
    body = topics_get("/topics/a?poll=1&start=id", "");
    ck_assert_str_eq(body, "id: 1\ndata: x\n\n");
    free(body);
}
END_TEST

static const struct {
    const char *target, *says;
} mistakes[] = {
    {"/topics/a?start=", "start is not id or comment"},
    {"/topics/a?start=now", "start is not id or comment"},
    {"/events?start=now", "start is not id or comment"},
    {"/chat?user=ada&start=now", "start is not id or comment"},
    {"/topics/a?start=id&format=json", "start=id requires format=sse or full"},
    {"/topics/a?start=id&format=raw", "start=id requires format=sse or full"},
};

START_TEST(a_wrong_start_is_named)
{
    char *answer;

    ck_assert_int_eq(
        fetch(topics_port, "GET", mistakes[_i].target, "", NULL, &answer),
        400);
    ck_assert_msg(strstr(answer, mistakes[_i].says) != NULL, "%s", answer);
    free(answer);
}
END_TEST

/* ---- where it begins -------------------------------------------------- */

/* A client that is cut off before its first update loses nothing, however it learned
 * where its stream begins. */
START_TEST(a_client_cut_off_early_loses_nothing)
{
    struct client client;
    char id[256], field[256];

    topics_put("/topics/a", "before");
    topics_subscribe(&client, "/topics/a?start=id", "");
    expect_id(&client, id);
    snprintf(field, sizeof field, "%s",
             client_header(&client, "Last-Event-ID"));
    ck_assert_str_eq(field, id);
    client_reset(&client);
    topics_put("/topics/a", "between");
    topics_put("/topics/b", "elsewhere");
    resume_after(&client, "/topics/a", id);
    client_expect_event(&client, "data: between");
    topics_put("/topics/a", "after");
    client_expect_event(&client, "data: after");
    client_close(&client);
}
END_TEST

/* Responses of all formats have the field, with and without an id in the body. */
START_TEST(the_response_says_where_it_begins)
{
    static const char *const targets[] = {
        "/topics/a", "/topics/a?format=json", "/topics/a?format=raw",
        "/topics/a?poll=1&since=0x", "/events"};
    struct client client;
    json_t *receipt = topics_publish("/topics/a", "", "1", 200);
    size_t i;

    for (i = 0; i < 3; i++) {
        topics_subscribe(&client, targets[i], "");
        ck_assert_str_eq(client_header(&client, "Last-Event-ID"),
                         json_text(receipt, "id"));
        client_close(&client);
    }
    topics_subscribe(&client, targets[3], "");
    ck_assert_str_eq(client_header(&client, "Last-Event-ID"), "0x");
    client_close(&client);
    topics_subscribe(&client, targets[4], "");
    ck_assert_str_eq(client_header(&client, "Last-Event-ID"),
                     json_text(receipt, "id"));
    client_close(&client);
    json_decref(receipt);
}
END_TEST

/* If the journal has to be read first, the response lacks the field. The id follows when
 * there is no update that has one, and never before a gap. */
START_TEST(a_past_without_updates_ends_with_an_id)
{
    static const char *const targets[] = {
        "/topics/a?start=id&since=all", "/topics/a?start=id&since=10",
        "/topics/a?start=id&since=0", "/topics/a?start=id&since=90s"};
    struct client client;
    char id[256];
    size_t i;

    topics_put("/topics/b", "elsewhere");
    for (i = 0; i < 4; i++) {
        topics_subscribe(&client, targets[i], "");
        ck_assert_str_eq(client_header(&client, "Last-Event-ID"), "");
        client_expect_line(&client, ":");
        expect_position(&client, 1);
        client_close(&client);
    }
    topics_subscribe(&client, "/topics/a?start=id", "Last-Event-ID: unknown\r\n");
    ck_assert_str_eq(client_header(&client, "Last-Event-ID"), "unknown");
    client_expect(&client, "id: unknown");
    client_expect(&client, "event: gap\ndata: "
                           "{\"requested\":\"unknown\",\"oldest\":null}");
    expect_id(&client, id);
    client_close(&client);
    topics_put("/topics/a", "1");
    resume_after(&client, "/topics/a", id);
    client_expect_event(&client, "data: 1");
    client_close(&client);
    topics_subscribe(&client, "/topics/a?start=id&since=all", "");
    client_expect_event(&client, "data: 1"); /* which has an id itself */
    topics_put("/topics/a", "2");
    client_expect_event(&client, "data: 2");
    client_close(&client);
}
END_TEST

/* An id from a publisher may be evicted while its topic is quiet. */
START_TEST(resuming_without_news_gives_a_lasting_id)
{
    struct client client;

    topics_put("/topics/a?id=own", "1");
    topics_put("/topics/b", "2");
    resume_after(&client, "/topics/a?start=id", "own");
    client_expect(&client, "id: own");
    expect_position(&client, 2);
    client_close(&client);
}
END_TEST

/* An id that no field can carry is in no field. */
START_TEST(an_odd_id_smuggles_nothing)
{
    static const char *const ids[] = {"a%0Ab%0A%0Adata:%20x", "a%0D%0AX:%20y",
                                      "%20a", "a%20", "%7F", "a%09b"};
    struct client client;
    char target[128];
    size_t i;

    for (i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        snprintf(target, sizeof target, "/topics/a?start=id&lastEventID=%s",
                 ids[i]);
        topics_subscribe(&client, target, "");
        ck_assert_str_eq(client_header(&client, "Last-Event-ID"), "");
        ck_assert_str_eq(client_header(&client, "X"), "");
        client_expect_line(&client, ":");
        client_expect_line(&client, "event: gap");
        free(client_line(&client));
        client_expect_line(&client, "");
        expect_position(&client, 0);
        client_close(&client);
    }
}
END_TEST

/* ---- parameters ------------------------------------------------------- */

/* A client adds its own parameters at the end of a URL. */
START_TEST(of_a_parameter_given_twice_the_last_counts)
{
    topics_put("/topics/a?id=1", "1");
    topics_put("/topics/a?id=2", "2");
    topics_put("/topics/a?id=x&id=3", "3");
    topics_hold("/topics/a?lastEventId=1", "", "2 3 ");
    topics_hold("/topics/a?lastEventID=1&lastEventId=2", "", "3 ");
    topics_hold("/topics/a?lastEventId=2&lastEventID=1", "", "2 3 ");
    topics_hold("/topics/a?lastEventID=1&lastEventID=2", "", "3 ");
    topics_hold("/topics/a?lastEventID=2&lastEventID=&since=1", "", "3 ");
    topics_hold("/topics/a?since=all&since=1", "", "3 ");
    topics_hold("/topics/a?lastEventId=3", "Last-Event-ID: 2\r\n", "3 ");
    topics_hold("/topics/a?lasteventid=2", "", "1 2 3 ");
}
END_TEST

static void add_tests(TCase *c)
{
    tcase_add_loop_test(c, a_stream_begins_with_bytes, 0,
                        (int)(sizeof starts / sizeof starts[0]));
    tcase_add_test(c, a_poll_begins_with_held_updates);
    tcase_add_loop_test(c, a_wrong_start_is_named, 0,
                        (int)(sizeof mistakes / sizeof mistakes[0]));
    tcase_add_test(c, a_client_cut_off_early_loses_nothing);
    tcase_add_test(c, the_response_says_where_it_begins);
    tcase_add_test(c, a_past_without_updates_ends_with_an_id);
    tcase_add_test(c, resuming_without_news_gives_a_lasting_id);
    tcase_add_test(c, an_odd_id_smuggles_nothing);
    tcase_add_test(c, of_a_parameter_given_twice_the_last_counts);
}

static Suite *suite(void)
{
    Suite *s = suite_create("topics_start");
    TCase *memory = add_case(s, "memory"), *file = add_case(s, "file"), *redis;

    tcase_add_checked_fixture(memory, fixture_memory, fixture_end);
    add_tests(memory);
    tcase_add_checked_fixture(file, fixture_file, fixture_end);
    add_tests(file);
    if (redis_is_wanted()) {
        redis = add_case(s, "redis");
        tcase_add_checked_fixture(redis, fixture_redis, fixture_end);
        add_tests(redis);
    }
    return s;
}

RUN_SUITE(suite)
