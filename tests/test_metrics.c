/*
 * GET /metrics, /healthz and /readyz of a real crierd: each metric moves when what it counts
 * happens, and by how much; the format; who may see what. The manual page, the dashboard and
 * the alert rules name no other metrics than there are, and the manual page names all.
 */
#include <config.h>

#include "support/client.h"
#include "support/crierd.h"
#include "support/jwt.h"
#include "support/port.h"
#include "support/runner.h"
#include "support/scratch.h"
#include "support/topics.h"

#include <ctype.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECRET "a-secret-of-32-bytes-or-some-more"
#define STREAMS 20
#define UPDATES 200
#define SERIES_MAX 500
#define NAME_MAX_BYTES 200

static struct crierd crierd;
static struct client stream, asking;
static bool is_open; /* stream */

/* ---- reading the format ------------------------------------------------ */

struct series {
    char name[NAME_MAX_BYTES]; /* with its labels */
    double value;
};

struct metrics {
    struct series series[SERIES_MAX];
    size_t count;
};

/* What a text in the format is about at one of its lines. */
struct place {
    char metric[NAME_MAX_BYTES], type[16];
    bool typed;
    double bucket; /* the last one of a histogram; -1: none */
};

static size_t name_length(const char *text)
{
    size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyz_0123456789");

    ck_assert_msg(length != 0 && !isdigit((unsigned char)text[0]), "%s", text);
    return length;
}

static void read_comment(const char *line, struct place *place,
                         const struct metrics *metrics)
{
    bool help = strncmp(line, "# HELP ", 7) == 0;
    size_t length, i;

    ck_assert_msg(help || strncmp(line, "# TYPE ", 7) == 0, "%s", line);
    line += 7;
    length = name_length(line);
    ck_assert_msg(line[length] == ' ' && line[length + 1] != '\0', "%s", line);
    if (!help) { /* behind the help of the same metric */
        ck_assert(!place->typed && strncmp(line, place->metric, length) == 0 &&
                  place->metric[length] == '\0');
        place->typed = true;
        snprintf(place->type, sizeof place->type, "%s", line + length + 1);
        ck_assert(strcmp(place->type, "counter") == 0 ||
                  strcmp(place->type, "gauge") == 0 ||
                  strcmp(place->type, "histogram") == 0);
        return;
    }
    for (i = 0; i < metrics->count; i++) /* each metric once */
        ck_assert_msg(strncmp(metrics->series[i].name, line, length) != 0 ||
                          strchr("{", metrics->series[i].name[length]) == NULL,
                      "%s comes twice", line);
    snprintf(place->metric, sizeof place->metric, "%.*s", (int)length, line);
    place->typed = false;
    place->bucket = -1;
}

/* Reads labels from TEXT, which begins with a brace; returns what follows them. */
static const char *pass_labels(const char *text)
{
    do {
        text++;
        text += name_length(text);
        ck_assert_msg(strncmp(text, "=\"", 2) == 0, "%s", text);
        for (text += 2; *text != '"'; text++) {
            ck_assert_msg(*text != '\0', "a label without an end");
            if (*text == '\\') {
                text++;
                ck_assert_msg(*text != '\0' && strchr("\\\"n", *text) != NULL, "%s", text);
            }
        }
        text++;
    } while (*text == ',');
    ck_assert_msg(*text == '}', "%s", text);
    return text + 1;
}

/* Checks a value of a histogram with what follows its name, SUFFIX. */
static void check_histogram(struct place *place, const char *suffix, double value)
{
    if (strncmp(suffix, "_bucket{le=\"", 12) == 0) {
        ck_assert_msg(value >= place->bucket, "%s: not cumulative", place->metric);
        place->bucket = value;
    } else if (strcmp(suffix, "_count") == 0) {
        ck_assert_msg(value == place->bucket, "%s: the last bucket is not the count",
                      place->metric);
    } else {
        ck_assert_str_eq(suffix, "_sum");
    }
}

static void read_value(const char *line, struct place *place,
                       struct metrics *metrics)
{
    struct series *series = &metrics->series[metrics->count];
    size_t length = strlen(place->metric), i;
    const char *end = line + name_length(line);
    bool counter = strcmp(place->type, "counter") == 0;
    char *rest;

    ck_assert_msg(place->typed && strncmp(line, place->metric, length) == 0, "%s", line);
    ck_assert_msg(counter == (length > 6 && strcmp(place->metric + length - 6,
                                                   "_total") == 0),
                  "%s", line);
    if (*end == '{')
        end = pass_labels(end);
    ck_assert_msg(*end == ' ', "%s", line);
    ck_assert_uint_lt(metrics->count, SERIES_MAX);
    snprintf(series->name, sizeof series->name, "%.*s", (int)(end - line), line);
    series->value = strtod(end + 1, &rest);
    ck_assert_msg(*rest == '\0' && rest != end + 1 && series->value >= 0, "%s", line);
    for (i = 0; i < metrics->count; i++)
        ck_assert_str_ne(metrics->series[i].name, series->name);
    metrics->count++;
    if (strcmp(place->type, "histogram") == 0)
        check_histogram(place, series->name + length, series->value);
    else
        ck_assert_msg(series->name[length] == '\0' || series->name[length] == '{',
                      "%s", line);
}

static void read_format(char *text, struct metrics *metrics)
{
    struct place place = {.typed = false};
    char *line, *next;

    metrics->count = 0;
    for (line = text; *line != '\0'; line = next) {
        next = strchr(line, '\n');
        ck_assert_msg(next != NULL, "the last line has no end");
        *next++ = '\0';
        if (*line == '#')
            read_comment(line, &place, metrics);
        else
            read_value(line, &place, metrics);
    }
}

/* Reads all metrics, by a connection that stays. */
static void scrape(struct metrics *metrics)
{
    char *body;

    ck_assert_int_eq(client_request(&asking, "GET", "/metrics", "", NULL), 200);
    ck_assert_str_eq(client_header(&asking, "Content-Type"),
                     "text/plain; version=0.0.4; charset=utf-8");
    body = client_body(&asking);
    read_format(body, metrics);
    free(body);
}

static double value_of(const struct metrics *metrics, const char *name)
{
    size_t i;

    for (i = 0; i < metrics->count; i++)
        if (strcmp(metrics->series[i].name, name) == 0)
            return metrics->series[i].value;
    ck_abort_msg("there is no %s", name);
    return 0;
}

/* ---- crierd ------------------------------------------------------------ */

static void start(const char *options)
{
    crierd_start(&crierd, options);
    topics_port = crierd.port;
    client_connect(&asking, crierd.port);
}

static void stop(void)
{
    client_close(&asking);
    crierd_stop(&crierd);
}

static int post(const char *target, const char *headers, const char *body)
{
    return fetch(crierd.port, "POST", target, headers, body, NULL);
}

static int get(const char *target, const char *headers)
{
    return fetch(crierd.port, "GET", target, headers, NULL, NULL);
}

/* ---- what moves what --------------------------------------------------- */

static void publish(void)
{
    ck_assert_int_eq(post("/topics/a", "", "hello"), 200);
}

static void publish_with_id(void)
{
    ck_assert_int_eq(post("/topics/a?id=x", "", "hello"), 200);
}

static void publish_again(void)
{
    ck_assert_int_eq(post("/topics/a?id=x&dedupe=1", "", "hello"), 200);
}

static void publish_taken(void)
{
    ck_assert_int_eq(post("/topics/a?id=x", "", "hello"), 409);
}

static void publish_bulk(void)
{
    ck_assert_int_eq(post("/topics/a", "Content-Type: text/event-stream\r\n",
                          "data: 1\n\ndata: 2\n\n"),
                     200);
}

static void connect_stream(void)
{
    client_connect(&stream, crierd.port);
    is_open = true;
}

static void leave(void)
{
    client_close(&stream);
    is_open = false;
}

static void open_stream(const char *target)
{
    connect_stream();
    ck_assert_msg(client_request(&stream, "GET", target, "", NULL) == 200, "%s", target);
}

static void open_topics(void)
{
    open_stream("/topics/heard");
}

static void hear(void)
{
    ck_assert_int_eq(post("/topics/heard", "", "hello"), 200);
    client_expect_event(&stream, "data: hello");
}

static void open_mercure(void)
{
    open_stream("/.well-known/mercure?match=a");
}

static void open_stats(void)
{
    char *token = jwt_make(SECRET, "{\"crier\":{\"admin\":true}}"), header[1024];

    snprintf(header, sizeof header, "Authorization: Bearer %s\r\n", token);
    connect_stream();
    ck_assert_int_eq(client_request(&stream, "GET", "/topics/$stats", header, NULL), 200);
    free(token);
}

static void open_chat(void)
{
    open_stream("/chat?user=me");
}

static void open_events(void)
{
    open_stream("/events");
}

static void open_quotes(void)
{
    open_stream("/quotes");
}

static void open_ticks(void)
{
    open_stream("/ticks");
}

static void open_tokens(void)
{
    open_stream("/tokens?prompt=x");
}

static void ask_head(void)
{
    ck_assert_int_eq(fetch(crierd.port, "HEAD", "/topics/a", "", NULL, NULL), 200);
}

static void ask_nothing(void)
{
    ck_assert_int_eq(get("/nope", ""), 404);
}

static void send_garbage(void)
{
    struct client client;

    client_connect(&client, crierd.port);
    client_send(&client, "\x16\x03\x01");
    ck_assert_int_eq(client_head(&client), 400);
    client_close(&client);
}

static void wait_with_head(void)
{
    connect_stream();
    client_send(&stream, "GET /topics/a HTTP/1.1\r\n");
}

static void open_pipeline(void)
{
    connect_stream();
    ck_assert_int_eq(client_request(&stream, "POST", "/topics/a", "", "x"), 200);
}

static void present_token(const char *token, int status)
{
    char header[1024];

    snprintf(header, sizeof header, "Authorization: Bearer %s\r\n", token);
    ck_assert_int_eq(get("/topics", header), status);
}

static void present_good(void)
{
    char *token = jwt_make(SECRET, "{\"mercure\":{\"subscribe\":[\"*\"]}}");

    present_token(token, 200);
    present_token(token, 200);
    free(token);
}

static void present_foreign(void)
{
    char *token = jwt_make("another secret of 32 bytes or more", "{}");

    present_token(token, 401);
    free(token);
}

static void present_old(void)
{
    char *token = jwt_make(SECRET, "{\"exp\":1000000000}");

    present_token(token, 401);
    free(token);
}

static void present_nonsense(void)
{
    present_token("nonsense", 401);
}

static void resume_late(void)
{
    connect_stream();
    ck_assert_int_eq(client_request(&stream, "GET", "/topics/a",
                                    "Last-Event-ID: unknown\r\n", NULL),
                     200);
    free(client_until(&stream, "event: gap"));
    leave();
}

static void close_by_expiry(void)
{
    ck_assert_int_eq(post("/topics/ending?last=1", "", "the end"), 200);
    open_stream("/topics/ending?since=all");
    client_expect_end(&stream);
    leave();
}

#define CHANGES 6

static const struct {
    const char *what;
    void (*act)(void);
    struct {
        const char *name;
        double by;
    } changes[CHANGES];
} actions[] = {
    {"publish", publish,
     {{"crier_publishes_total{result=\"accepted\"}", 1},
      {"crier_updates_published_total", 1},
      {"crier_journal_updates", 1},
      {"crier_journal_topics", 1},
      {"crier_connections_accepted_total", 1}}},
    {"publish with an id", publish_with_id,
     {{"crier_publishes_total{result=\"accepted\"}", 1},
      {"crier_journal_topics", 0}}},
    {"a duplicate", publish_again,
     {{"crier_publishes_total{result=\"duplicate\"}", 1},
      {"crier_publishes_total{result=\"accepted\"}", 0},
      {"crier_updates_published_total", 0}}},
    {"a taken id", publish_taken,
     {{"crier_publishes_total{result=\"refused\"}", 1},
      {"crier_http_responses_total{class=\"4xx\"}", 1}}},
    {"many in one request", publish_bulk,
     {{"crier_publishes_total{result=\"accepted\"}", 2}}},
    {"a stream", open_topics,
     {{"crier_streams_open{kind=\"topics\"}", 1},
      {"crier_streams_opened_total{kind=\"topics\"}", 1},
      {"crier_connections{state=\"http\"}", 1},
      {"process_open_fds", 1}}},
    {"a delivery", hear,
     {{"crier_deliveries_total", 1}, {"crier_publish_to_send_seconds_count", 1}}},
    {"its end", leave,
     {{"crier_streams_open{kind=\"topics\"}", -1},
      {"crier_streams_ended_total{reason=\"left\"}", 1},
      {"crier_connections{state=\"http\"}", -1}}},
    {"Mercure", open_mercure, {{"crier_streams_open{kind=\"mercure\"}", 1}}},
    {"its end", leave, {{"crier_streams_open{kind=\"mercure\"}", -1}}},
    {"the statistics", open_stats, {{"crier_streams_open{kind=\"stats\"}", 1}}},
    {"its end", leave, {{"crier_streams_open{kind=\"stats\"}", -1}}},
    {"the chat", open_chat, {{"crier_streams_open{kind=\"chat\"}", 1}}},
    {"its end", leave, {{"crier_streams_open{kind=\"chat\"}", -1}}},
    {"events", open_events, {{"crier_streams_open{kind=\"events\"}", 1}}},
    {"its end", leave, {{"crier_streams_open{kind=\"events\"}", -1}}},
    {"quotes", open_quotes, {{"crier_streams_open{kind=\"quotes\"}", 1}}},
    {"its end", leave, {{"crier_streams_open{kind=\"quotes\"}", -1}}},
    {"ticks", open_ticks, {{"crier_streams_open{kind=\"ticks\"}", 1}}},
    {"its end", leave, {{"crier_streams_open{kind=\"ticks\"}", -1}}},
    {"tokens", open_tokens, {{"crier_streams_open{kind=\"tokens\"}", 1}}},
    {"its end", leave, {{"crier_streams_open{kind=\"tokens\"}", -1}}},
    {"HEAD of a stream", ask_head,
     {{"crier_streams_ended_total{reason=\"unsent\"}", 1},
      {"crier_streams_open{kind=\"topics\"}", 0}}},
    {"404", ask_nothing, {{"crier_http_responses_total{class=\"4xx\"}", 1}}},
    {"a bad head", send_garbage,
     {{"crier_connections_refused_total{reason=\"bad-request\"}", 1}}},
    {"half a head", wait_with_head, {{"crier_connections{state=\"waiting\"}", 1}}},
    {"its end", leave, {{"crier_connections{state=\"waiting\"}", -1}}},
    {"a pipeline", open_pipeline, {{"crier_connections{state=\"pipeline\"}", 1}}},
    {"its end", leave, {{"crier_connections{state=\"pipeline\"}", -1}}},
    {"a token, twice", present_good, {{"crier_tokens_verified_total", 2}}},
    {"a foreign token", present_foreign,
     {{"crier_tokens_refused_total{reason=\"key\"}", 1}}},
    {"an old token", present_old,
     {{"crier_tokens_refused_total{reason=\"expired\"}", 1}}},
    {"no token", present_nonsense,
     {{"crier_tokens_refused_total{reason=\"malformed\"}", 1}}},
    {"a gap", resume_late, {{"crier_gaps_total", 1}}},
    {"the end of a topic", close_by_expiry,
     {{"crier_streams_ended_total{reason=\"ended\"}", 1},
      {"crier_deliveries_total", 1}}},
};

/* Whether what action I is to change has changed. */
static bool has_changed(size_t i, const struct metrics *before,
                        const struct metrics *after, bool tell)
{
    const char *name;
    bool well = true;
    double by;
    int j;

    for (j = 0; j < CHANGES && (name = actions[i].changes[j].name) != NULL; j++) {
        by = value_of(after, name) - value_of(before, name);
        if (fabs(by - actions[i].changes[j].by) > 1e-9) {
            well = false;
            if (tell)
                printf("%s: %s changed by %g\n", actions[i].what, name, by);
        }
    }
    return well;
}

static uint64_t clock_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* How many connections crierd has. */
static double count_connections(const struct metrics *metrics)
{
    return value_of(metrics, "crier_connections{state=\"waiting\"}") +
           value_of(metrics, "crier_connections{state=\"http\"}") +
           value_of(metrics, "crier_connections{state=\"pipeline\"}");
}

/* Reads all metrics once crierd has closed the connections that the test has closed. *OWN is
 * the lowest number of descriptors that it had besides connections. */
static void scrape_settled(struct metrics *metrics, double *own)
{
    uint64_t until = clock_ms() + (uint64_t)PATIENCE / 4;
    double connections = is_open ? 2 : 1; /* 1: this one */

    do
        scrape(metrics);
    while ((count_connections(metrics) != connections ||
            value_of(metrics, "process_open_fds") > *own + connections) &&
           clock_ms() < until);
    ck_assert_double_eq(count_connections(metrics), connections);
    *own = value_of(metrics, "process_open_fds") - connections;
}

START_TEST(test_actions)
{
    static struct metrics before, after;
    double own = INFINITY;
    uint64_t until;
    size_t i;

    start("--demo on --anonymous all --jwt-key HS256:" SECRET);
    for (i = 0; i < sizeof actions / sizeof actions[0]; i++) {
        scrape_settled(&before, &own);
        actions[i].act();
        until = clock_ms() + (uint64_t)PATIENCE / 4;
        do
            scrape(&after); /* what a client leaves ends a little later */
        while (!has_changed(i, &before, &after, false) && clock_ms() < until);
        ck_assert_msg(has_changed(i, &before, &after, true), "%s", actions[i].what);
    }
    stop();
}
END_TEST

/* Waits until NAME has VALUE. */
static void wait_for(const char *name, double value)
{
    static struct metrics metrics;
    uint64_t until = clock_ms() + (uint64_t)PATIENCE;

    do
        scrape(&metrics);
    while (value_of(&metrics, name) != value && clock_ms() < until);
    ck_assert_msg(value_of(&metrics, name) == value, "%s is %g and not %g", name,
                  value_of(&metrics, name), value);
}

/* What is counted for each stream and update, by several threads, adds up. */
START_TEST(test_sums)
{
    static struct client streams[STREAMS];
    static struct metrics metrics;
    char text[64];
    double bytes = 0;
    char *event;
    int i, j;

    start("--threads 2");
    for (i = 0; i < STREAMS; i++) {
        topics_subscribe(&streams[i], i % 2 == 0 ? "/topics/load" : "/topics/l*?format=json",
                         "");
        if (i % 2 != 0)
            client_expect_line(&streams[i], "");
    }
    for (j = 0; j < UPDATES; j++) {
        snprintf(text, sizeof text, "update %d", j);
        topics_put("/topics/load", text);
    }
    for (i = 0; i < STREAMS; i++)
        for (j = 0; j < UPDATES; j++) {
            event = i % 2 == 0 ? client_any_frame(&streams[i]) : client_line(&streams[i]);
            ck_assert_ptr_nonnull(event);
            bytes += (double)strlen(event) + (i % 2 == 0 ? 2 : 1);
            free(event);
        }
    /* A shard counts what it has sent. */
    wait_for("crier_deliveries_total", (double)STREAMS * UPDATES);
    scrape(&metrics);
    /* Each stream begins with a comment, or with an empty line. */
    ck_assert_double_ge(value_of(&metrics, "crier_streams_sent_bytes_total"), bytes);
    ck_assert_double_le(value_of(&metrics, "crier_streams_sent_bytes_total"),
                        bytes + STREAMS * 3.0);
    ck_assert_double_ge(value_of(&metrics, "crier_publish_to_send_seconds_count"), UPDATES);
    ck_assert_double_le(value_of(&metrics, "crier_publish_to_send_seconds_count"),
                        2.0 * UPDATES);
    for (i = 0; i < STREAMS; i++)
        client_close(&streams[i]);
    wait_for("crier_streams_open{kind=\"topics\"}", 0);
    wait_for("crier_backlog_bytes", 0);
    stop();
}
END_TEST

/* A client that does not read falls behind and catches up; or it is cut off, before it
 * falls behind where publishing is slow. */
START_TEST(test_slow_client)
{
    static const char *const options[] = {"--stall-timeout 1h", "--stall-timeout 300ms"};
    static char body[20001];
    struct metrics *metrics = malloc(sizeof *metrics);
    uint64_t until = clock_ms() + (uint64_t)PATIENCE;

    start(options[_i]);
    memset(body, 'x', sizeof body - 1);
    client_connect_small(&stream, crierd.port, 4096);
    ck_assert_int_eq(client_request(&stream, "GET", "/topics/a", "", NULL), 200);
    do {
        topics_put("/topics/a", body);
        scrape(metrics);
    } while (value_of(metrics, "crier_streams_lagged_total") == 0 &&
             value_of(metrics, "crier_streams_ended_total{reason=\"slow\"}") == 0 &&
             clock_ms() < until);
    if (_i == 0) {
        ck_assert_double_eq(value_of(metrics, "crier_streams_lagged_total"), 1);
        ck_assert_double_eq(value_of(metrics, "crier_streams_behind"), 1);
        topics_put("/topics/a", "the last");
        free(client_until(&stream, "the last"));
    } else {
        wait_for("crier_streams_ended_total{reason=\"slow\"}", 1);
    }
    wait_for("crier_streams_behind", 0);
    client_close(&stream);
    free(metrics);
    stop();
}
END_TEST

START_TEST(test_full)
{
    start("--max-clients 1");
    open_topics();
    ck_assert_int_eq(get("/topics/a", ""), 503);
    wait_for("crier_streams_refused_total", 1);
    wait_for("crier_streams_limit", 1);
    wait_for("crier_http_responses_total{class=\"5xx\"}", 1);
    client_close(&stream);
    stop();
}
END_TEST

START_TEST(test_reloads)
{
    char words[SCRATCH_SIZE + 32];

    scratch_write("conf", "ping-interval = 10s\n");
    snprintf(words, sizeof words, "--config %s/conf", scratch);
    start(words);
    wait_for("crier_config_last_reload_successful", 1);
    scratch_write("conf", "ping-interval = never\n");
    ck_assert_int_eq(kill(crierd.pid, SIGHUP), 0);
    wait_for("crier_config_reloads_total{result=\"failure\"}", 1);
    wait_for("crier_config_last_reload_successful", 0);
    scratch_write("conf", "ping-interval = 11s\n");
    ck_assert_int_eq(kill(crierd.pid, SIGHUP), 0);
    wait_for("crier_config_reloads_total{result=\"success\"}", 1);
    wait_for("crier_config_last_reload_successful", 1);
    stop();
}
END_TEST

/* A journal in a file that cannot be written any more: crierd cannot do its job. */
START_TEST(test_journal)
{
    char path[SCRATCH_SIZE + 16], words[SCRATCH_SIZE + 64];
    char *body;

    snprintf(path, sizeof path, "%s/journal", scratch);
    snprintf(words, sizeof words, "--journal sqlite:%s", path);
    start(words);
    publish();
    wait_for("crier_journal_up{type=\"sqlite\"}", 1);
    wait_for("crier_journal_commit_seconds_count", 1);
    wait_for("crier_journal_commit_updates_sum", 1);
    wait_for("crier_journal_updates", 1);
    ck_assert_int_eq(fetch(crierd.port, "DELETE", "/topics/a", "", NULL, NULL), 204);
    wait_for("crier_journal_updates", 0);
    wait_for("crier_journal_oldest_age_seconds", 0);
    ck_assert_int_eq(get("/readyz", ""), 200);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(post("/topics/a", "", "x"), 503);
    wait_for("crier_publishes_total{result=\"failed\"}", 1);
    wait_for("crier_journal_up{type=\"sqlite\"}", 0);
    ck_assert_int_eq(fetch(crierd.port, "GET", "/healthz", "", NULL, &body), 503);
    ck_assert_ptr_nonnull(strstr(body, "\"status\":\"failing\""));
    ck_assert_ptr_nonnull(strstr(body, "removed or replaced"));
    free(body);
    ck_assert_int_eq(fetch(crierd.port, "GET", "/healthz", "Via: 1.1 x\r\n", NULL, &body),
                     503);
    ck_assert_str_eq(body, "failing\n");
    free(body);
    ck_assert_int_eq(fetch(crierd.port, "GET", "/readyz", "", NULL, &body), 503);
    ck_assert_str_eq(body, "failing\n");
    free(body);
    stop();
}
END_TEST

/* ---- who may see what -------------------------------------------------- */

/* Fields of a request that a proxy has handed on, or a page of another origin has made. */
static const char *const handed_on[] = {
    "Forwarded: for=192.0.2.1\r\n", "X-Forwarded-For: 127.0.0.1\r\n",
    "X-Forwarded-Host: a\r\n",      "X-Real-IP: 127.0.0.1\r\n",
    "Via: 1.1 a\r\n",               "Sec-Fetch-Site: cross-site\r\n",
    "X-Forwarded-Proto: https\r\n",
};

START_TEST(test_handed_on)
{
    char *body;

    start("");
    ck_assert_int_eq(get("/metrics", ""), 200);
    ck_assert_int_eq(fetch(crierd.port, "HEAD", "/metrics", "", NULL, NULL), 200);
    ck_assert_int_eq(fetch(crierd.port, "GET", "/metrics", handed_on[_i], NULL, &body), 403);
    ck_assert_ptr_nonnull(strstr(body, "--admin-listen"));
    free(body);
    ck_assert_int_eq(fetch(crierd.port, "GET", "/healthz", handed_on[_i], NULL, &body), 200);
    ck_assert_str_eq(body, "ok\n");
    free(body);
    ck_assert_int_eq(fetch(crierd.port, "GET", "/readyz", handed_on[_i], NULL, &body), 200);
    ck_assert_str_eq(body, "ready\n");
    free(body);
    stop();
}
END_TEST

/* With an admin listener, the metrics are there alone, and the details of the health. */
START_TEST(test_admin)
{
    char words[64], *body;
    int held, port = port_hold(&held);

    snprintf(words, sizeof words, "--admin-listen 127.0.0.1:%d", port);
    crierd_start(&crierd, words);
    ck_assert_int_eq(get("/metrics", ""), 404);
    ck_assert_int_eq(fetch(crierd.port, "GET", "/healthz", "", NULL, &body), 200);
    ck_assert_str_eq(body, "ok\n");
    free(body);
    ck_assert_int_eq(fetch(port, "GET", "/healthz", "", NULL, &body), 200);
    ck_assert_ptr_nonnull(strstr(body, "\"journal\":"));
    free(body);
    ck_assert_int_eq(fetch(port, "GET", "/readyz", "", NULL, NULL), 200);
    ck_assert_int_eq(fetch(port, "GET", "/metrics", "Via: 1.1 a\r\n", NULL, NULL), 200);
    crierd_stop(&crierd);
    close(held);
}
END_TEST

/* ---- the names --------------------------------------------------------- */

/* The file NAME in the directory that the environment calls VARIABLE, in new memory. */
static char *read_file(const char *variable, const char *name)
{
    const char *directory = getenv(variable);
    char path[1024], *text = calloc(1, 1024 * 1024);
    FILE *file;

    ck_assert_ptr_nonnull(directory);
    snprintf(path, sizeof path, "%s/%s", directory, name);
    file = fopen(path, "re");
    ck_assert_msg(file != NULL, "cannot open %s", path);
    ck_assert_uint_ne(fread(text, 1, 1024 * 1024 - 1, file), 0);
    fclose(file);
    return text;
}

/* Whether there is a series of the metric of LENGTH bytes at NAME. */
static bool has_metric(const struct metrics *metrics, const char *name, size_t length)
{
    size_t i;

    for (i = 0; i < metrics->count; i++)
        if (strncmp(metrics->series[i].name, name, length) == 0 &&
            (metrics->series[i].name[length] == '\0' ||
             metrics->series[i].name[length] == '{'))
            return true;
    return false;
}

/* Fails unless each name of a metric in TEXT is one. A manual page has the names of
 * histograms without a suffix. */
static size_t check_names(const struct metrics *metrics, const char *text, bool manual)
{
    static const char *const prefixes[] = {"crier_", "process_"};
    size_t count = 0, length, i;
    char histogram[NAME_MAX_BYTES];
    const char *at;

    for (i = 0; i < 2; i++)
        for (at = text; (at = strstr(at, prefixes[i])) != NULL; at += length) {
            length = name_length(at);
            if (at != text && (isalnum((unsigned char)at[-1]) || at[-1] == '_'))
                continue;
            snprintf(histogram, sizeof histogram, "%.*s_bucket", (int)length, at);
            ck_assert_msg(has_metric(metrics, at, length) ||
                              (manual && has_metric(metrics, histogram, length + 7)),
                          "there is no %.*s", (int)length, at);
            count++;
        }
    return count;
}

START_TEST(test_names)
{
    struct metrics *metrics = malloc(sizeof *metrics);
    char name[NAME_MAX_BYTES], *manual, *section, *end, *text;
    size_t i;

    start("");
    scrape(metrics);
    manual = read_file("DOC", "crierd.8");
    section = strstr(manual, "\n.SH METRICS\n");
    ck_assert_ptr_nonnull(section);
    end = strstr(section + 1, "\n.SH ");
    ck_assert_ptr_nonnull(end);
    *end = '\0';
    ck_assert_uint_ne(check_names(metrics, section, true), 0);
    for (i = 0; i < metrics->count; i++) {
        snprintf(name, sizeof name, "%s", metrics->series[i].name);
        name[strcspn(name, "{")] = '\0';
        end = strstr(name, "_bucket");
        if (end == NULL && strstr(name, "_seconds_sum") == NULL &&
            strstr(name, "_updates_sum") == NULL)
            end = strstr(name, "_seconds_count");
        if (end == NULL)
            end = strstr(name, "_updates_count");
        if (end == NULL)
            end = strstr(name, "_sum");
        if (end != NULL)
            *end = '\0';
        ck_assert_msg(strstr(section, name) != NULL, "%s is not in METRICS", name);
    }
    free(manual);
    text = read_file("DATA", "grafana-dashboard.json");
    ck_assert_uint_ge(check_names(metrics, text, false), 30);
    free(text);
    text = read_file("DATA", "crier-alerts.yml");
    ck_assert_uint_ge(check_names(metrics, text, false), 8);
    free(text);
    free(metrics);
    stop();
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("metrics");
    TCase *tcase = add_case(suite, "metrics");

    tcase_add_checked_fixture(tcase, scratch_make, scratch_remove);
    tcase_add_test(tcase, test_actions);
    tcase_add_test(tcase, test_sums);
    tcase_add_loop_test(tcase, test_slow_client, 0, 2);
    tcase_add_test(tcase, test_full);
    tcase_add_test(tcase, test_reloads);
    tcase_add_test(tcase, test_journal);
    tcase_add_loop_test(tcase, test_handed_on, 0,
                        sizeof handed_on / sizeof handed_on[0]);
    tcase_add_test(tcase, test_admin);
    tcase_add_test(tcase, test_names);
    return suite;
}

RUN_SUITE(make_suite)
