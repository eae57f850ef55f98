/* Whole responses, in an access handler of the test: they must be as HTTP and the
 * header file say, whatever goes wrong. */
#include <config.h>

#include "crier_server.h"
#include "support/client.h"
#include "support/oom.h"
#include "support/runner.h"
#include "support/site.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

static struct site site;
static struct crier_hub *hub;
static struct crier_broadcaster *broadcaster;
static struct crier_frame *hello;
static struct crier_subscribe_options subscription;
static struct crier_stream_options options;
static struct signal_box closed;
static long oom; /* of the next response */

/* ---- the site --------------------------------------------------------- */

static void send_state(void *closure, struct crier_stream *stream)
{
    unsigned long *state = closure;

    ck_assert_uint_eq((uintptr_t)state % sizeof(long double), 0);
    ck_assert_int_eq(crier_stream_printf(stream, "state", "%lu %lu", state[0],
                                         state[1]),
                     0);
    state[0]++;
    state[1] += 2;
    if (state[0] < 3)
        crier_stream_wake(stream, crier_now());
}

static enum MHD_Result answer_stream(struct MHD_Connection *connection)
{
    options.on_wake = send_state;
    return crier_stream_respond(site.shards, connection, &options);
}

static enum MHD_Result answer_broadcaster(struct MHD_Connection *connection)
{
    return crier_broadcaster_respond(broadcaster, connection, "ada", hello);
}

static enum MHD_Result answer_reply(struct MHD_Connection *connection,
                                    const char *type)
{
    struct crier_reply *reply = crier_reply_new();

    crier_reply_printf(reply, NULL, "%d", 1);
    crier_reply_printf(reply, type, "%s", "two");
    return crier_reply_respond(reply, connection);
}

static enum MHD_Result answer(struct site *of,
                              struct MHD_Connection *connection,
                              const char *path)
{
    enum MHD_Result result;

    (void)of;
    oom_after(oom);
    if (strcmp(path, "/stream") == 0)
        result = answer_stream(connection);
    else if (strcmp(path, "/broadcaster") == 0)
        result = answer_broadcaster(connection);
    else if (strcmp(path, "/hub") == 0)
        result = crier_hub_respond(hub, connection, &subscription, &options);
    else if (strcmp(path, "/reply") == 0)
        result = answer_reply(connection, "last");
    else if (strcmp(path, "/bad-reply") == 0)
        result = answer_reply(connection, "a\nb");
    else if (strcmp(path, "/no-reply") == 0)
        result = crier_reply_respond(NULL, connection);
    else if (strcmp(path, "/error") == 0)
        result = crier_error_respond(connection, CRIER_ERR_STORAGE_FULL,
                                     "4 of 4 GB");
    else
        result = crier_status_respond(connection, (unsigned)atoi(path + 1),
                                      "%s", path);
    oom_never();
    return result;
}

static void setup(void)
{
    struct crier_journal *journal;

    box_init(&closed);
    hello = frame_of("welcome");
    oom = 0;
    subscription = (struct crier_subscribe_options){.topics = "a"};
    options = (struct crier_stream_options){
        .keep_alive = CRIER_NEVER,
        .on_closed = box_closed,
        .closure = &closed,
    };
    site = (struct site){.answer = answer};
    site_start(&site, NULL);
    ck_assert_int_eq(crier_broadcaster_new(site.shards, NULL, &broadcaster),
                     0);
    ck_assert_int_eq(crier_journal_memory(NULL, &journal), 0);
    ck_assert_int_eq(crier_hub_new(site.shards, journal, NULL, &hub), 0);
}

static void teardown(void)
{
    crier_hub_close(hub);
    site_stop(&site);
    crier_broadcaster_free(broadcaster);
    crier_hub_free(hub);
    crier_frame_unref(hello);
    box_done(&closed);
}

/* The status of a GET, whose fields are kept in *CLIENT. */
static int get(struct client *client, const char *target, const char *headers)
{
    client_connect(client, site.port);
    return client_request(client, "GET", target, headers, NULL);
}

/* The detail of a problem, with STATUS. To be freed. */
static char *get_problem(const char *target, int status)
{
    struct client client;
    json_t *problem;
    char *body, *detail;

    ck_assert_int_eq(get(&client, target, ""), status);
    ck_assert_str_eq(client_header(&client, "Content-Type"),
                     "application/problem+json");
    ck_assert_str_eq(client_header(&client, "Retry-After"),
                     status == 503 ? "5" : "");
    body = client_body(&client);
    ck_assert_int_eq(body[strlen(body) - 1], '\n');
    problem = json_loads(body, 0, NULL);
    ck_assert_ptr_nonnull(problem);
    ck_assert_int_eq(json_integer_value(json_object_get(problem, "status")),
                     status);
    ck_assert_str_eq(json_string_value(json_object_get(problem, "type")),
                     "about:blank");
    ck_assert_ptr_nonnull(json_object_get(problem, "title"));
    ck_assert_ptr_nonnull(json_object_get(problem, "detail"));
    detail = strdup(json_string_value(json_object_get(problem, "detail")));
    json_decref(problem);
    free(body);
    client_close(&client);
    return detail;
}

static void expect_problem(const char *target, int status, const char *detail)
{
    char *text = get_problem(target, status);

    ck_assert_str_eq(text, detail);
    free(text);
}

/* Reads up to the event whose data is TEXT. */
static void expect_data(struct client *client, const char *text)
{
    char line[100];

    snprintf(line, sizeof line, "data: %s", text);
    free(client_until(client, line));
}

/* ---- texts and errors ------------------------------------------------- */

START_TEST(a_text_ends_with_its_line)
{
    struct client client;
    char *body;

    ck_assert_int_eq(get(&client, "/200%20fine", ""), 200);
    ck_assert_str_eq(client_header(&client, "Content-Type"),
                     "text/plain; charset=utf-8");
    body = client_body(&client);
    ck_assert_str_eq(body, "/200 fine\n");
    free(body);
    /* the connection goes on */
    ck_assert_int_eq(client_request(&client, "GET", "/404", "", NULL), 404);
    free(client_body(&client));
    ck_assert_int_eq(client_request(&client, "HEAD", "/404", "", NULL), 404);
    ck_assert_str_eq(client_header(&client, "Content-Type"),
                     "application/problem+json");
    client_close(&client);
}
END_TEST

START_TEST(a_problem_has_its_detail)
{
    char target[3100] = "/400", *detail;

    expect_problem("/404%22", 404, "/404\"");
    expect_problem("/503", 503, "/503");
    expect_problem("/400%c3%a4", 400, "/400\xc3\xa4");
    expect_problem("/400%ff%c3", 400, "/400??");
    /* as long as can be, escaped all over */
    memset(target + 4, 'x', 1100);
    target[1104] = '\0';
    detail = get_problem(target, 400);
    ck_assert_uint_eq(strlen(detail), 1023);
    free(detail);
}
END_TEST

START_TEST(an_error_has_its_status)
{
    static const struct {
        int error;
        unsigned status;
    } known[] = {
        {CRIER_ERR_MAX_STREAMS, 503},   {CRIER_ERR_CLOSED, 503},
        {CRIER_ERR_MAX_BACKLOG, 503},    {-ENOMEM, 503},
        {CRIER_ERR_UTF8, 400},    {CRIER_ERR_NEWLINE, 400},
        {CRIER_ERR_TOPIC, 400},   {CRIER_ERR_MANY_TOPICS, 400},
        {CRIER_ERR_ID, 400},      {CRIER_ERR_NO_TOPIC, 404},
        {CRIER_ERR_EXISTS, 409},  {CRIER_ERR_FRAME_SIZE, 413},
        {CRIER_ERR_UPDATE_SIZE, 413}, {CRIER_ERR_MAX_TOPICS, 507},
        {CRIER_ERR_STORAGE_FULL, 507}, {CRIER_ERR_STORAGE, 503},
        {CRIER_ERR_DAEMON, 500},  {CRIER_ERR_INVALID, 500},
        {-EIO, 500},              {1, 500},
    };
    char detail[200], brief[5];
    size_t i;

    for (i = 0; i < sizeof known / sizeof known[0]; i++) {
        ck_assert_uint_eq(crier_error_status(known[i].error, NULL, NULL, 0),
                          known[i].status);
        crier_error_status(known[i].error, "", detail, sizeof detail);
        ck_assert_uint_gt(strlen(detail), 10);
    }
    crier_error_status(-EIO, "the cable", detail, sizeof detail);
    ck_assert_str_eq(detail, "Input/output error: the cable");
    /* the same again says nothing more */
    crier_error_status(-EIO, crier_error_text(-EIO), detail, sizeof detail);
    ck_assert_str_eq(detail, "Input/output error");
    crier_error_status(-EIO, NULL, brief, sizeof brief);
    ck_assert_str_eq(brief, "Inpu");
    expect_problem("/error", 507,
                   "the disk of the journal is full: 4 of 4 GB");
}
END_TEST

/* ---- replies ---------------------------------------------------------- */

START_TEST(a_reply_or_its_error)
{
    struct client client;
    char *body;

    ck_assert_int_eq(get(&client, "/reply", ""), 200);
    ck_assert_str_eq(client_header(&client, "Content-Type"),
                     "text/event-stream");
    body = client_body(&client);
    ck_assert_str_eq(body, "data: 1\n\nevent: last\ndata: two\n\n");
    free(body);
    client_close(&client);
    expect_problem("/bad-reply", 400, crier_error_text(CRIER_ERR_NEWLINE));
    expect_problem("/no-reply", 503, "the server is short of memory");
}
END_TEST

START_TEST(a_reply_without_memory_is_refused)
{
    struct client client;
    int status = 0;

    for (oom = 1; status != 200; oom++) {
        ck_assert_int_lt(oom, 100);
        status = get(&client, "/reply", "");
        ck_assert(status == 200 || status == 503);
        client_close(&client);
    }
    ck_assert_int_gt(oom, 2);
}
END_TEST

START_TEST(a_reply_keeps_its_first_error)
{
    struct crier_reply *reply = crier_reply_new();

    ck_assert_ptr_nonnull(reply);
    ck_assert_int_eq(crier_reply_printf(NULL, NULL, "x"), -ENOMEM);
    ck_assert_int_eq(crier_reply_printf(reply, NULL, "\xff"), CRIER_ERR_UTF8);
    ck_assert_int_eq(crier_reply_printf(reply, "\n", "x"), CRIER_ERR_NEWLINE);
    ck_assert_int_eq(crier_reply_printf(reply, NULL, "%*s", 20000000, ""),
                     CRIER_ERR_FRAME_SIZE);
    ck_assert_int_eq(crier_reply_printf(reply, NULL, "x"), 0);
    crier_reply_free(reply);
}
END_TEST

/* ---- streams ---------------------------------------------------------- */

START_TEST(a_stream_brings_its_state)
{
    struct client client;

    options.on_closed = NULL;
    options.closure = NULL;
    options.state = 3 * sizeof(unsigned long);
    ck_assert_int_eq(get(&client, "/stream", ""), 200);
    expect_data(&client, "0 0");
    expect_data(&client, "1 2");
    expect_data(&client, "2 4");
    client_close(&client);
}
END_TEST

START_TEST(state_has_its_bounds)
{
    options.state = 8;
    expect_problem("/stream", 500, crier_error_text(CRIER_ERR_INVALID));
    options.closure = NULL;
    options.state = 64 * 1024 + 1;
    expect_problem("/stream", 500, crier_error_text(CRIER_ERR_INVALID));
    ck_assert_uint_eq(crier_shards_count(site.shards), 0);
    ck_assert_int_eq(box_count(&closed), 0);
}
END_TEST

START_TEST(head_gets_the_headers)
{
    static const char *const targets[] = {"/stream", "/broadcaster", "/hub",
                                          "/reply"};
    struct client client;

    options.closure = NULL;
    options.on_closed = NULL;
    client_connect(&client, site.port);
    ck_assert_int_eq(client_request(&client, "HEAD", targets[_i], "", NULL),
                     200);
    ck_assert_str_eq(client_header(&client, "Content-Type"),
                     "text/event-stream");
    client_close(&client);
}
END_TEST

START_TEST(a_member_is_greeted)
{
    struct client client;

    ck_assert_int_eq(get(&client, "/broadcaster", ""), 200);
    expect_data(&client, "welcome");
    ck_assert_uint_eq(crier_broadcaster_count_of(broadcaster, "ada"), 1);
    ck_assert_int_eq(crier_broadcaster_printf(broadcaster, "t", "%d of %s", 1,
                                              "all"),
                     1);
    expect_data(&client, "1 of all");
    ck_assert_int_eq(crier_broadcaster_printf(broadcaster, "\r", "x"),
                     CRIER_ERR_NEWLINE);
    client_close(&client);
}
END_TEST

START_TEST(who_comes_at_the_end_is_refused)
{
    ck_assert_uint_eq(crier_shards_drain(site.shards, 0, 0, PATIENCE), 0);
    expect_problem("/stream", 503, "the server is shutting down");
    expect_problem("/broadcaster", 503, "the server is shutting down");
    expect_problem("/hub", 503, "the server is shutting down");
}
END_TEST

START_TEST(a_closed_hub_refuses)
{
    crier_hub_close(hub);
    expect_problem("/hub", 503, "the server is shutting down");
    ck_assert_int_eq(box_wait(&closed, 1), CRIER_REASON_UNSENT);
}
END_TEST

START_TEST(streams_without_memory_are_refused)
{
    static const char *const targets[] = {"/broadcaster", "/hub",
                                          "/hub?start=id"};
    struct client client;
    int status = 0;

    for (oom = 1; status != 200; oom++) {
        ck_assert_int_lt(oom, 100);
        status = get(&client, targets[_i], "");
        ck_assert(status == 200 || status == 503);
        client_close(&client);
    }
    ck_assert_int_gt(oom, 2);
}
END_TEST

/* ---- subscriptions ---------------------------------------------------- */

static void publish(const char *id)
{
    struct crier_event *event = crier_event_new();

    ck_assert_ptr_nonnull(event);
    crier_event_text(event, id);
    crier_event_id(event, id, strlen(id));
    ck_assert_int_eq(crier_hub_publish(hub, "a", event, NULL), 0);
    crier_event_free(event);
}

static const struct {
    const char *query, *field, *first;
} starts[] = {
    {"", "", "live"},
    {"?lastEventID=one", "", "two"},
    {"?lastEventId=one", "", "two"},
    {"?lastEventID=one&lastEventId=two", "", "three"},
    {"?lastEventId=two&lastEventID=one", "", "two"},
    {"?lastEventID=one&lastEventID=two", "", "three"},
    {"?lastEventID=one", "two", "three"},
    {"?lastEventID=", "one", "two"},
    {"?lastEventID&since=all", "", "one"},
    {"?since=all", "", "one"},
    {"?since=2", "", "two"},
    {"?since=2&since=1", "", "three"},
    {"?since=1d", "", "one"},
    {"?since=one", "", "two"},
    {"?since=all", "two", "three"},
    {"?since=", "", "live"},
    {"?SINCE=all&lasteventid=one", "", "live"},
};

START_TEST(it_begins_where_the_request_says)
{
    struct client client;
    char target[100], field[100] = "";

    publish("one");
    publish("two");
    publish("three");
    snprintf(target, sizeof target, "/hub%s", starts[_i].query);
    if (starts[_i].field[0] != '\0')
        snprintf(field, sizeof field, "Last-Event-ID: %s\r\n",
                 starts[_i].field);
    ck_assert_int_eq(get(&client, target, field), 200);
    if (strcmp(starts[_i].first, "live") == 0)
        publish("live");
    for (;;) {
        char *frame = client_any_frame(&client);
        char *data = strstr(frame, "data: ");

        if (data != NULL)
            ck_assert_str_eq(data + 6, starts[_i].first);
        free(frame);
        if (data != NULL)
            break;
    }
    client_close(&client);
}
END_TEST

#define BROWSER                                                               \
    "Accept: text/event-stream\r\nCache-Control: no-cache\r\n"                 \
    "User-Agent: Mozilla/5.0\r\n"

static const struct {
    const char *query, *fields;
    enum crier_start start;
} beginnings[] = {
    {"", "", CRIER_START_COMMENT},
    {"", BROWSER, CRIER_START_EVENT},
    {"?start=id", "", CRIER_START_ID},
    {"?start=id", BROWSER, CRIER_START_ID},
    {"?start=comment", BROWSER, CRIER_START_COMMENT},
    {"?start=comment&start=id", "", CRIER_START_ID},
    {"?start=unknown", BROWSER, CRIER_START_EVENT},
};

/* A browser, and whoever asks for it, by the first bytes; all by the field. */
START_TEST(it_says_where_it_begins)
{
    struct client client;
    char target[100], wanted[300] = ":";

    publish("one");
    snprintf(target, sizeof target, "/hub%s", beginnings[_i].query);
    ck_assert_int_eq(get(&client, target, beginnings[_i].fields), 200);
    ck_assert_int_eq(client_header(&client, "Last-Event-ID")[0], '#');
    if (beginnings[_i].start != CRIER_START_COMMENT)
        snprintf(wanted, sizeof wanted, "id: %s",
                 client_header(&client, "Last-Event-ID"));
    client_expect_line(&client, wanted);
    if (beginnings[_i].start == CRIER_START_EVENT) {
        client_expect_line(&client, "event: crier-start");
        client_expect_line(&client, "data");
    }
    if (beginnings[_i].start != CRIER_START_COMMENT)
        client_expect_line(&client, "");
    client_close(&client);
}
END_TEST

START_TEST(who_is_a_browser)
{
    const char *accept = "text/event-stream", *cache = "no-cache";
    const char *agent = "Mozilla/5.0 (X11)";

    ck_assert(crier_is_event_source(accept, cache, agent));
    ck_assert(crier_is_event_source("Text/Event-Stream", "NO-CACHE", agent));
    ck_assert(!crier_is_event_source(NULL, cache, agent));
    ck_assert(!crier_is_event_source(accept, NULL, agent));
    ck_assert(!crier_is_event_source(accept, cache, NULL));
    ck_assert(!crier_is_event_source("*/*", cache, agent));
    ck_assert(!crier_is_event_source("text/event-stream,*/*", cache, agent));
    ck_assert(!crier_is_event_source(accept, "no-store", agent));
    ck_assert(!crier_is_event_source(accept, cache, "curl/8 Mozilla/5.0"));
}
END_TEST

START_TEST(the_program_says_where_others_begin)
{
    struct client client;

    publish("one");
    publish("two");
    subscription.since = CRIER_SINCE_ALL;
    ck_assert_int_eq(get(&client, "/hub", ""), 200);
    expect_data(&client, "one");
    client_close(&client);
    subscription.topics = "a,,b";
    expect_problem("/hub", 400, crier_error_text(CRIER_ERR_TOPIC));
    box_wait(&closed, 2);
}
END_TEST

START_TEST(since_is_read)
{
    static const struct {
        const char *text;
        enum crier_since since;
        uint64_t number;
    } known[] = {
        {"all", CRIER_SINCE_ALL, 0},
        {"0", CRIER_SINCE_LAST, 0},
        {"4294967295", CRIER_SINCE_LAST, 4294967295u},
        {"4294967296", CRIER_SINCE_ID, 0},
        {"99999999999999999999", CRIER_SINCE_ID, 0},
        {"500ms", CRIER_SINCE_TIME, 500},
        {"90s", CRIER_SINCE_TIME, 90000},
        {"5m", CRIER_SINCE_TIME, 300000},
        {"12h", CRIER_SINCE_TIME, 43200000},
        {"36500d", CRIER_SINCE_TIME, UINT64_C(36500) * 86400000},
        {"36501d", CRIER_SINCE_ID, 0},
        {"99999999999999999999s", CRIER_SINCE_ID, 0},
        {"9223372036854775807d", CRIER_SINCE_ID, 0},
        {"s", CRIER_SINCE_ID, 0},
        {" 1", CRIER_SINCE_ID, 0},
        {"-1", CRIER_SINCE_ID, 0},
        {"1 s", CRIER_SINCE_ID, 0},
        {"#e-1", CRIER_SINCE_ID, 0},
    };
    struct crier_subscribe_options start;
    size_t i;

    for (i = 0; i < sizeof known / sizeof known[0]; i++) {
        start = (struct crier_subscribe_options){.id = "old", .number = 7};
        crier_subscribe_start(&start, "", NULL, known[i].text);
        ck_assert_int_eq(start.since, known[i].since);
        ck_assert_uint_eq(start.number, known[i].number);
        ck_assert_ptr_eq(start.id, known[i].since == CRIER_SINCE_ID
                                       ? known[i].text
                                       : NULL);
    }
    start = (struct crier_subscribe_options){.since = CRIER_SINCE_LAST,
                                          .number = 7};
    crier_subscribe_start(&start, NULL, "", "");
    ck_assert_int_eq(start.since, CRIER_SINCE_LAST);
    ck_assert_uint_eq(start.number, 7);
}
END_TEST

/* ---- formatted frames ------------------------------------------------- */

static void expect_frame(struct crier_frame *frame, const char *text)
{
    size_t length;
    const char *bytes = crier_frame_bytes(frame, &length);

    ck_assert_uint_eq(length, strlen(text));
    ck_assert_int_eq(memcmp(bytes, text, length), 0);
    crier_frame_unref(frame);
}

START_TEST(a_frame_is_formatted)
{
    char wide[400], wanted[420];
    struct crier_frame *frame;
    int width;

    ck_assert_int_eq(crier_frame_printf(&frame, "t", "%d\n%s", 1, "two"), 0);
    expect_frame(frame, "event: t\ndata: 1\ndata: two\n\n");
    for (width = 250; width < 260; width++) { /* about what is short */
        memset(wide, 'x', sizeof wide);
        wide[width] = '\0';
        ck_assert_int_eq(crier_frame_printf(&frame, NULL, "%s", wide), 0);
        snprintf(wanted, sizeof wanted, "data: %s\n\n", wide);
        expect_frame(frame, wanted);
    }
    ck_assert_int_eq(crier_frame_printf(&frame, NULL, "%c", 0), 0);
    crier_frame_unref(frame);
    ck_assert_int_eq(crier_frame_printf(&frame, NULL, "%s", "\xff"),
                     CRIER_ERR_UTF8);
    ck_assert_int_eq(crier_frame_printf(&frame, NULL, "%*s", 20000000, ""),
                     CRIER_ERR_FRAME_SIZE);
    ck_assert_int_eq(crier_frame_printf(&frame, NULL, "%lc", (wint_t)0x10ffff),
                     -EILSEQ); /* in the C locale */
    oom_after(1);
    ck_assert_int_eq(crier_frame_printf(&frame, NULL, "%300d", 1), -ENOMEM);
    oom_never();
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("respond");
    TCase *tcase = add_case(suite, "respond");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_text_ends_with_its_line);
    tcase_add_test(tcase, a_problem_has_its_detail);
    tcase_add_test(tcase, an_error_has_its_status);
    tcase_add_test(tcase, a_reply_or_its_error);
    tcase_add_test(tcase, a_reply_without_memory_is_refused);
    tcase_add_test(tcase, a_stream_brings_its_state);
    tcase_add_test(tcase, state_has_its_bounds);
    tcase_add_loop_test(tcase, head_gets_the_headers, 0, 4);
    tcase_add_test(tcase, a_member_is_greeted);
    tcase_add_test(tcase, who_comes_at_the_end_is_refused);
    tcase_add_test(tcase, a_closed_hub_refuses);
    tcase_add_loop_test(tcase, streams_without_memory_are_refused, 0, 3);
    tcase_add_loop_test(tcase, it_begins_where_the_request_says, 0,
                        (int)(sizeof starts / sizeof starts[0]));
    tcase_add_loop_test(tcase, it_says_where_it_begins, 0,
                        sizeof beginnings / sizeof *beginnings);
    tcase_add_test(tcase, who_is_a_browser);
    tcase_add_test(tcase, the_program_says_where_others_begin);
    tcase = add_case(suite, "texts");
    tcase_add_test(tcase, since_is_read);
    tcase_add_test(tcase, a_reply_keeps_its_first_error);
    tcase_add_test(tcase, a_frame_is_formatted);
    return suite;
}

RUN_SUITE(make_suite)
