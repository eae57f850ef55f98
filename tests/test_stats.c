/* GET /topics/$stats of a real crierd: the history is there at once, each second is in the
 * stream once, the numbers follow what happens; who may have it; how it ends. And the
 * percentiles of a window (metrics/window.h). */
#include <config.h>

#include "base/clock.h"
#include "crierd/metrics/window.h"
#include "support/client.h"
#include "support/crierd.h"
#include "support/jwt.h"
#include "support/redis_server.h"
#include "support/runner.h"
#include "support/scratch.h"
#include "support/topics.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define STATS "/topics/$stats"
#define SECRET "a secret of the tests, which is long enough for HS256"

/* ---- percentiles ------------------------------------------------------- */

static const uint64_t bounds[] = {100, 200, 1000};

static struct crier_histogram histogram;
static struct window window;

/* Counts COUNT values in the bucket NUMBER, and takes a sample. */
static void count_values(unsigned number, uint64_t count)
{
    histogram.bound_count = 3;
    histogram.bounds = bounds;
    histogram.counts[number] += count;
    window_sample(&window, &histogram);
}

START_TEST(percentiles_are_linear_within_a_bucket)
{
    count_values(0, 0);
    ck_assert(!window.known);
    count_values(1, 100); /* 100 to 200 */
    ck_assert(window.known);
    ck_assert_uint_eq(window.p50, 150);
    ck_assert_uint_eq(window.p99, 199);
    count_values(2, 100); /* 200 to 1000: half of all */
    ck_assert_uint_eq(window.p50, 200);
    ck_assert_uint_eq(window.p99, 984);
    count_values(3, 1000); /* beyond the last bound nothing is known */
    ck_assert_uint_eq(window.p50, 1000);
    ck_assert_uint_eq(window.p99, 1000);
}
END_TEST

START_TEST(a_window_forgets)
{
    unsigned i;

    count_values(0, 10);
    for (i = 1; i < WINDOW_SAMPLES; i++)
        count_values(1, 0);
    ck_assert_uint_eq(window.p50, 50);
    count_values(1, 10); /* the first values leave */
    ck_assert_uint_eq(window.p50, 150);
    for (i = 0; i < 2 * WINDOW_SAMPLES; i++)
        count_values(1, 0); /* without values the last ones stay */
    ck_assert(window.known);
    ck_assert_uint_eq(window.p50, 150);
}
END_TEST

/* ---- the stream -------------------------------------------------------- */

static struct crierd crierd;

static void start(const char *options)
{
    crierd_start(&crierd, options);
    topics_port = crierd.port;
}

/* Reads the next event, which must be of TYPE and without an id, as JSON. */
static json_t *read_event(struct client *client, const char *type)
{
    char *frame = client_any_frame(client), wanted[64];
    size_t length;
    json_t *data;

    length = (size_t)snprintf(wanted, sizeof wanted, "event: %s\ndata: ", type);
    ck_assert_msg(strncmp(frame, wanted, length) == 0, "%s", frame);
    data = json_loads(frame + length, 0, NULL);
    ck_assert_msg(data != NULL, "%s", frame);
    free(frame);
    return data;
}

/* Opens a stream and returns its history. */
static json_t *open_stats(struct client *client, const char *headers)
{
    topics_subscribe(client, STATS, headers);
    ck_assert_str_eq(client_header(client, "Content-Type"), "text/event-stream");
    return read_event(client, "history");
}

static json_int_t number_at(const json_t *json, const char *key, const char *member)
{
    return json_number(json_object_get(json, key), member);
}

/* The sum of COLUMN in HISTORY. */
static json_int_t sum_rows(const json_t *history, size_t column)
{
    const json_t *row;
    json_int_t sum = 0;
    size_t i;

    json_array_foreach (json_object_get(history, "rows"), i, row)
        sum += json_integer_value(json_array_get(row, column));
    return sum;
}

/* The time of a history's last row, in ms. */
static json_int_t last_time(const json_t *history)
{
    const json_t *rows = json_object_get(history, "rows");

    ck_assert_uint_ne(json_array_size(rows), 0);
    return json_integer_value(
        json_array_get(json_array_get(rows, json_array_size(rows) - 1), 0));
}

/* Reads events until so many publications were ACCEPTED and each was delivered, which is
 * counted behind that, and returns the last event. *RATED is the sum of their rates. */
static json_t *read_until(struct client *client, json_int_t accepted, json_int_t *rated)
{
    json_t *event;

    for (*rated = 0;;) {
        event = read_event(client, "stats");
        *rated += number_at(event, "rates", "publishes");
        if (number_at(event, "publishes", "accepted") >= accepted &&
            json_number(event, "deliveries") >= accepted)
            return event;
        json_decref(event);
    }
}

START_TEST(rows_follow_what_happens)
{
    static const char *const columns[] = {"time", "clients", "publishes", "deliveries",
                                          "gaps", "slow",    "backlog",   "resident"};
    struct client first, second, reader;
    json_t *history, *event, *list;
    json_int_t rated;
    char last[CRIER__CLOCK_TEXT_SIZE];
    size_t i;

    start("--demo off");
    history = open_stats(&first, "");
    ck_assert_int_eq(json_number(history, "interval"), 1000);
    list = json_object_get(history, "columns");
    ck_assert_uint_eq(json_array_size(list), 8);
    for (i = 0; i < 8; i++)
        ck_assert_str_eq(json_string_value(json_array_get(list, i)), columns[i]);
    ck_assert(json_is_array(json_object_get(history, "rows")));
    json_decref(history);
    topics_subscribe(&reader, "/topics/a", "");
    for (i = 0; i < 5; i++)
        topics_put("/topics/a", "x");
    event = read_until(&first, 5, &rated);
    ck_assert_int_eq(rated, 5);
    ck_assert_int_eq(number_at(event, "clients", "open"), 2);
    ck_assert_int_eq(number_at(event, "clients", "topics"), 1);
    json_decref(event);
    /* The next stream has in its history what the first one was sent. */
    history = open_stats(&second, "");
    ck_assert_int_eq(sum_rows(history, 2), 5);
    ck_assert_int_ge(sum_rows(history, 3), 5);
    ck_assert_int_ge(sum_rows(history, 1), 2);
    ck_assert_int_gt(sum_rows(history, 7), 0);
    /* and then events behind it: each second is there once. */
    crier__clock_text(last_time(history), last);
    event = read_event(&second, "stats");
    ck_assert_str_gt(json_text(event, "time"), last);
    json_decref(event);
    json_decref(history);
    client_close(&first);
    client_close(&second);
    client_close(&reader);
    crierd_stop(&crierd);
}
END_TEST

/* The objects in an event, with those of their members that are integers. */
#define NUMBERS(name, ...) {name, (const char *const[]){__VA_ARGS__, NULL}}

static const struct {
    const char *name;
    const char *const *members;
} objects[] = {
    NUMBERS("clients", "open", "max", "topics", "opened"),
    NUMBERS("publishes", "accepted", "duplicate", "refused", "backlog", "failed"),
    NUMBERS("rates", "publishes", "deliveries", "bytes", "gaps"),
    NUMBERS("latency", "p50", "p99"),
    NUMBERS("journal", "updates", "bytes", "topics", "failures", "damaged"),
    NUMBERS("backlog", "bytes", "max"),
    NUMBERS("memory", "resident", "virtual"),
    NUMBERS("descriptors", "open", "max"),
    NUMBERS("connections", "waiting", "http", "pipeline"),
};

static const char *const numbers[] = {"uptime", "configured", "deliveries", "bytes",
                                      "gaps",   "lagged",     "slow",       "cpu"};

START_TEST(an_event_has_the_state_of_the_server)
{
    struct client client, reader;
    char options[192];
    json_t *event, *journal, *list, *waiting;
    json_int_t rated;
    size_t i, j;

    scratch_make();
    snprintf(options, sizeof options,
             "--journal sqlite:%s/journal --retain-count 1000 --retain-age 1h "
             "--max-clients 77",
             scratch);
    start(options);
    json_decref(open_stats(&client, ""));
    topics_subscribe(&reader, "/topics/a", "");
    topics_put("/topics/a", "x");
    client_expect_event(&reader, "data: x"); /* so there is a latency */
    event = read_until(&client, 1, &rated);
    json_decref(event);
    event = read_event(&client, "stats");
    for (i = 0; i < sizeof objects / sizeof objects[0]; i++)
        for (j = 0; objects[i].members[j] != NULL; j++)
            ck_assert_int_ge(number_at(event, objects[i].name, objects[i].members[j]), 0);
    for (i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        ck_assert_msg(json_is_number(json_object_get(event, numbers[i])), "%s",
                      numbers[i]);
    ck_assert(json_is_false(json_object_get(event, "reload_failed")));
    ck_assert_ptr_null(json_object_get(event, "nodes"));
    list = json_object_get(json_object_get(event, "backlog"), "shards");
    ck_assert_uint_ne(json_array_size(list), 0);
    json_array_foreach (list, i, waiting)
        ck_assert_int_eq(json_integer_value(waiting), 0);
    ck_assert_int_eq(number_at(event, "clients", "max"), 77);
    ck_assert_int_eq(number_at(json_object_get(event, "clients"), "ended", "left"), 0);
    ck_assert_int_ge(json_number(event, "configured"), (time(NULL) - 3600) * 1000);
    journal = json_object_get(event, "journal");
    ck_assert_str_eq(json_text(journal, "type"), "sqlite");
    ck_assert_str_eq(json_text(journal, "status"), "ok");
    ck_assert_ptr_null(json_object_get(journal, "reason"));
    ck_assert_int_eq(json_number(journal, "updates"), 1);
    ck_assert_int_eq(number_at(journal, "limits", "count"), 1000);
    ck_assert_int_eq(number_at(journal, "limits", "bytes"), 1 << 30);
    ck_assert_int_eq(number_at(journal, "limits", "age"), 3600000);
    ck_assert_int_gt(number_at(journal, "commit", "p99"), 0);
    ck_assert_int_eq(json_text(journal, "oldest")[19], '.');
    ck_assert_str_ne(json_text(journal, "newest"), "");
    json_decref(event);
    client_close(&client);
    client_close(&reader);
    crierd_stop(&crierd);
    scratch_remove();
}
END_TEST

START_TEST(a_journal_without_anything)
{
    struct client client;
    json_t *event, *journal;

    start("--demo off");
    json_decref(open_stats(&client, ""));
    event = read_event(&client, "stats");
    ck_assert(json_is_null(json_object_get(event, "latency")));
    journal = json_object_get(event, "journal");
    ck_assert_str_eq(json_text(journal, "type"), "memory");
    ck_assert(json_is_null(json_object_get(journal, "commit")));
    ck_assert(json_is_null(json_object_get(journal, "oldest")));
    ck_assert(json_is_null(json_object_get(journal, "newest")));
    ck_assert(json_is_null(json_object_get(json_object_get(journal, "limits"), "age")));
    ck_assert_int_eq(number_at(journal, "limits", "count"), 100000);
    json_decref(event);
    client_close(&client);
    crierd_stop(&crierd);
}
END_TEST

/* The first node that EVENT lists which is the one that has sent it, or is not (SELF); NULL
 * for none. */
static const json_t *find_node(const json_t *event, bool self)
{
    const json_t *list = json_object_get(json_object_get(event, "nodes"), "list"), *node;
    size_t i;

    json_array_foreach (list, i, node)
        if (json_is_true(json_object_get(node, "self")) == self)
            return node;
    return NULL;
}

/* Reads events until COUNT nodes are counted and listed, and the last one has CLIENTS. */
static json_t *read_nodes(struct client *client, size_t count, json_int_t clients)
{
    const json_t *nodes, *list, *clients_of;
    json_t *event;

    for (;;) {
        event = read_event(client, "stats");
        nodes = json_object_get(event, "nodes");
        list = json_object_get(nodes, "list");
        clients_of = json_object_get(json_array_get(list, count - 1), "clients");
        if (json_array_size(list) == count &&
            json_number(nodes, "count") == (json_int_t)count &&
            json_integer_value(clients_of) == clients)
            return event;
        json_decref(event);
    }
}

START_TEST(a_shared_journal_has_nodes)
{
    struct redis_server redis;
    struct crierd other;
    struct client client, here, there;
    char options[192], host[65], *url;
    const json_t *self, *neighbour;
    json_t *event;

    redis_start(&redis, NULL);
    url = redis_url(&redis);
    snprintf(options, sizeof options, "--journal %s?" REDIS_PATIENCE, url);
    free(url);
    crierd_start(&other, options);
    start(options);
    topics_subscribe(&here, "/topics/a", "");
    json_decref(open_stats(&client, ""));
    client_connect(&there, other.port);
    ck_assert_int_eq(client_request(&there, "GET", "/topics/a", "", NULL), 200);
    topics_put("/topics/a", "x");
    client_expect_event(&there, "data: x");
    event = read_nodes(&client, 2, 1);
    ck_assert_str_eq(json_text(json_object_get(event, "journal"), "type"), "redis");
    ck_assert_int_eq(number_at(event, "journal", "updates"), 1);
    ck_assert_int_eq(number_at(json_object_get(event, "journal"), "limits", "count"),
                     1000000);
    self = find_node(event, true);
    neighbour = find_node(event, false);
    ck_assert_ptr_nonnull(self);
    ck_assert_ptr_nonnull(neighbour);
    ck_assert_int_eq(json_number(self, "clients"), 2);
    ck_assert_int_eq(gethostname(host, sizeof host), 0);
    ck_assert_str_eq(json_text(self, "host"), host);
    ck_assert_str_eq(json_text(neighbour, "host"), host);
    ck_assert_str_ne(json_text(self, "id"), json_text(neighbour, "id"));
    ck_assert_int_gt(json_number(neighbour, "pid"), 0);
    ck_assert_int_ne(json_number(neighbour, "pid"), json_number(self, "pid"));
    ck_assert_int_ge(json_number(neighbour, "seen"), 0);
    json_decref(event);
    /* One that dies leaves no message: it is not seen any more, and then counted out. */
    crierd_kill(&other);
    event = read_nodes(&client, 1, 2);
    ck_assert_ptr_null(find_node(event, false));
    json_decref(event);
    client_close(&client);
    client_close(&here);
    client_close(&there);
    crierd_stop(&crierd);
    redis_remove(&redis);
}
END_TEST

START_TEST(a_failed_reload_shows)
{
    struct client client;
    char options[192];
    json_t *event;
    bool failed;

    scratch_make();
    scratch_write("crierd.conf", "");
    snprintf(options, sizeof options, "--config %s/crierd.conf", scratch);
    start(options);
    json_decref(open_stats(&client, ""));
    scratch_write("crierd.conf", "nonsense = 1\n");
    kill(crierd.pid, SIGHUP);
    crierd_wait_log(&crierd, "stays as it was");
    do {
        event = read_event(&client, "stats");
        failed = json_is_true(json_object_get(event, "reload_failed"));
        json_decref(event);
    } while (!failed);
    client_close(&client);
    crierd_stop(&crierd);
    scratch_remove();
}
END_TEST

/* ---- who may have it, and how it ends ---------------------------------- */

/* The field with a token that grants everything and has MEMBERS, until the next call. */
static const char *make_token(const char *members)
{
    static char field[1024];
    char claims[512], *token;

    snprintf(claims, sizeof claims,
             "{%s\"mercure\":{\"publish\":[\"*\"],\"subscribe\":[\"*\",\"$stats\"]}}",
             members);
    token = jwt_make(SECRET, claims);
    snprintf(field, sizeof field, "Authorization: Bearer %s\r\n", token);
    free(token);
    return field;
}

#define ADMIN "\"crier\":{\"admin\":true},"

/* The stream ends with its token; on a busy machine it takes longer to open. */
static void expect_expiry(void)
{
    struct client client;
    char members[128];
    long long life;
    int status = 401;

    for (life = 2; status == 401; life *= 2) {
        snprintf(members, sizeof members, "\"exp\":%lld," ADMIN,
                 (long long)time(NULL) + life);
        client_connect(&client, crierd.port);
        status = client_request(&client, "GET", STATS, make_token(members), NULL);
        if (status == 401)
            client_close(&client);
    }
    ck_assert_int_eq(status, 200);
    json_decref(read_event(&client, "history"));
    client_expect_end(&client);
    client_close(&client);
}

START_TEST(it_is_for_admins)
{
    char members[128];

    start("--anonymous all --jwt-key HS256:0123456789abcdef0123456789abcdef");
    ck_assert_int_eq(fetch(crierd.port, "GET", STATS, "", NULL, NULL), 401);
    crierd_stop(&crierd);
    scratch_make();
    scratch_write("key", SECRET);
    snprintf(members, sizeof members, "--jwt-key HS256:@%s/key", scratch);
    start(members);
    ck_assert_int_eq(fetch(crierd.port, "GET", STATS, "", NULL, NULL), 401);
    ck_assert_int_eq(fetch(crierd.port, "HEAD", STATS, "", NULL, NULL), 401);
    ck_assert_int_eq(fetch(crierd.port, "GET", "/topics/%24stats", "", NULL, NULL), 401);
    ck_assert_int_eq(fetch(crierd.port, "GET", STATS, make_token(""), NULL, NULL), 403);
    ck_assert_int_eq(fetch(crierd.port, "GET", STATS,
                           make_token("\"exp\":1000000000," ADMIN), NULL, NULL),
                     401);
    ck_assert_int_eq(fetch(crierd.port, "HEAD", STATS, make_token(ADMIN), NULL, NULL), 200);
    ck_assert_int_eq(fetch(crierd.port, "PUT", STATS, make_token(ADMIN), "x", NULL), 405);
    ck_assert_int_eq(fetch(crierd.port, "POST", STATS, make_token(ADMIN), "x", NULL), 403);
    ck_assert_int_eq(fetch(crierd.port, "DELETE", STATS, make_token(ADMIN), NULL, NULL),
                     403);
    expect_expiry();
    crierd_stop(&crierd);
    scratch_remove();
}
END_TEST

START_TEST(it_ends_with_crierd)
{
    struct client client;
    char *frame;

    start("");
    json_decref(open_stats(&client, ""));
    json_decref(read_event(&client, "stats"));
    crierd_stop(&crierd);
    frame = client_until(&client, "retry: ");
    free(frame);
    client_expect_end(&client);
    client_close(&client);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("stats");
    TCase *c = add_case(s, "window");

    tcase_add_test(c, percentiles_are_linear_within_a_bucket);
    tcase_add_test(c, a_window_forgets);
    c = add_case(s, "stream");
    tcase_add_test(c, rows_follow_what_happens);
    tcase_add_test(c, an_event_has_the_state_of_the_server);
    tcase_add_test(c, a_journal_without_anything);
    tcase_add_test(c, a_shared_journal_has_nodes);
    tcase_add_test(c, a_failed_reload_shows);
    tcase_add_test(c, it_is_for_admins);
    tcase_add_test(c, it_ends_with_crierd);
    return s;
}

RUN_SUITE(suite)
