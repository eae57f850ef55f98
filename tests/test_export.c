/*
 * A journal moves to another crierd: from memory to a file or to Redis and back into memory,
 * with every field of every update; with interruptions of both the export and the import; and what an
 * import refuses.
 */
#include <config.h>

#include "crier.h"
#include "support/command.h"
#include "support/crierd.h"
#include "support/foreign.h"
#include "support/jwt.h"
#include "support/redis_server.h"
#include "support/runner.h"
#include "support/scratch.h"
#include "support/topics.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECRET "0123456789abcdef0123456789abcdef"
#define KEY "--jwt-key HS256:" SECRET " --demo off "
#define MANY 2500 /* updates: several requests of an import */

static struct crierd from, to;
static char *admin, bearer[1024]; /* a token, and its header field */
static char file[SCRATCH_SIZE + 8], url[32];
static struct redis_server redis;

/* Starts both; TO has the journal JOURNAL. */
static void start_both(const char *journal)
{
    char options[256];

    snprintf(options, sizeof options, KEY "--journal %s", journal);
    snprintf(file, sizeof file, "%s/file", scratch);
    admin = jwt_make(SECRET, "{\"mercure\":{\"publish\":[\"*\"],\"subscribe\":[\"*\"]},"
                             "\"crier\":{\"admin\":true}}");
    snprintf(bearer, sizeof bearer, "Authorization: Bearer %s\r\n", admin);
    crierd_start(&from, KEY);
    crierd_start(&to, options);
    command_environment(from.port);
    setenv("CRIER_TOKEN", admin, 1);
    snprintf(url, sizeof url, "http://127.0.0.1:%d", to.port);
}

static void setup(void)
{
    char journal[SCRATCH_SIZE + 16];

    scratch_make();
    snprintf(journal, sizeof journal, "sqlite:%s/journal", scratch);
    start_both(journal);
}

static void setup_redis(void)
{
    char *server, journal[128];

    scratch_make();
    redis_start(&redis, NULL);
    server = redis_url(&redis);
    snprintf(journal, sizeof journal, "%s?" REDIS_PATIENCE, server);
    free(server);
    start_both(journal);
}

static void teardown(void)
{
    crierd_stop(&from);
    crierd_stop(&to);
    if (redis.pid != 0)
        redis_remove(&redis);
    free(admin);
    scratch_remove();
}

/* ---- tools -------------------------------------------------------------- */

/* Publishes LENGTH bytes of BODY with the more HEADERS on FROM. */
static void publish(const char *target, const char *headers, const char *body,
                    size_t length)
{
    struct client client;
    char head[2048];
    int count = snprintf(head, sizeof head,
                         "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n%s%s\r\n",
                         target, length, bearer, headers);

    ck_assert_int_lt(count, (int)sizeof head);
    client_connect(&client, from.port);
    client_send_bytes(&client, head, (size_t)count);
    client_send_bytes(&client, body, length);
    ck_assert_int_eq(client_head(&client), 200);
    client_close(&client);
}

static void put(const char *target, const char *body)
{
    publish(target, "", body, strlen(body));
}

static void put_many(int count)
{
    char *body = malloc((size_t)count * 40), *at = body;
    int i;

    for (i = 0; i < count; i++)
        at += snprintf(at, 40, "id: n%d\ndata: %d\n\n", i, i);
    publish("/topics/many", "Content-Type: text/event-stream\r\n", body,
            (size_t)(at - body));
    free(body);
}

/* Returns what "http://127.0.0.1:PORT" is; valid until the next call. */
static const char *url_of(int port)
{
    static char text[32];

    snprintf(text, sizeof text, "http://127.0.0.1:%d", port);
    return text;
}

/* The export of the crierd on PORT, new: its lines without "position". */
static char *export_of(int port)
{
    char *text, *line, *rest, *all, *dumped;
    size_t size;
    FILE *stream = open_memstream(&all, &size);
    json_t *update;

    ck_assert_int_eq(fetch(port, "GET", "/export", bearer, NULL, &text), 200);
    for (rest = text; (line = strsep(&rest, "\n")) != NULL;) {
        if (line[0] == '\0')
            continue;
        update = json_loads(line, JSON_ALLOW_NUL, NULL);
        ck_assert_ptr_nonnull(update);
        json_object_del(update, "position");
        dumped = json_dumps(update, JSON_COMPACT);
        fprintf(stream, "%s\n", dumped);
        free(dumped);
        json_decref(update);
    }
    free(text);
    fclose(stream);
    return all;
}

/* Fails unless both crierd hold the same. */
static void expect_same(void)
{
    char *one = export_of(from.port), *other = export_of(to.port);

    ck_assert_ptr_nonnull(strstr(one, "{\"event\":\"end\"}\n"));
    ck_assert_str_eq(one, other);
    free(one);
    free(other);
}

/* Imports BODY into TO, which must respond with STATUS; its JSON, new. */
static json_t *import(const char *body, int status)
{
    json_t *answer;
    char *text;

    ck_assert_int_eq(fetch(to.port, "POST", "/import", bearer, body, &text), status);
    answer = json_loads(text, 0, NULL);
    ck_assert_ptr_nonnull(answer);
    free(text);
    return answer;
}

/* The same, with these counts in the response. */
static void imports(const char *body, int imported, int skipped, int adjusted)
{
    json_t *answer = import(body, 200);

    ck_assert_int_eq(json_number(answer, "imported"), imported);
    ck_assert_int_eq(json_number(answer, "skipped"), skipped);
    ck_assert_int_eq(json_number(answer, "adjusted"), adjusted);
    json_decref(answer);
}

/* Returns the bytes of the file, new, and their number. */
static char *read_file(size_t *length)
{
    FILE *stream = fopen(file, "re");
    struct stat status;
    char *bytes;

    ck_assert_ptr_nonnull(stream);
    ck_assert_int_eq(fstat(fileno(stream), &status), 0);
    *length = (size_t)status.st_size;
    bytes = calloc(1, *length + 1);
    ck_assert_uint_eq(fread(bytes, 1, *length, stream), *length);
    fclose(stream);
    return bytes;
}

static void write_file(const char *bytes, size_t length)
{
    FILE *stream = fopen(file, "we");

    ck_assert_ptr_nonnull(stream);
    ck_assert_uint_eq(fwrite(bytes, 1, length, stream), length);
    ck_assert_int_eq(fclose(stream), 0);
}

/* ---- all kinds of updates ------------------------------------------------ */

static void put_every_kind(void)
{
    static const char form[] = "Content-Type: application/x-www-form-urlencoded\r\n";
    static const char nul[] = "a\0b\x01\x7f\tc";
    static const char mercure[] = "topic=https://x/a,b&topic=https://x/c&data=comma";
    char topics[2000] = "/topics/t0", *large = malloc(1000000);
    size_t i, at = strlen(topics);

    for (i = 1; i < 100; i++)
        at += (size_t)snprintf(topics + at, sizeof topics - at, ",t%zu", i);
    for (i = 0; i < 1000000; i++)
        large[i] = "\"\\x\xc3\xa9"[i % 5];
    put("/topics/a", "plain");
    put("/topics/a", "");
    put("/topics/a,b?event=type&retry=0&id=my+id", "two\nlines\n\n");
    put("/topics/a?id=%C3%A9&retry=2147483647", "\xf0\x9f\x98\x80 \xe2\x80\xa8 \xc2\x85");
    publish("/topics/a", "", nul, sizeof nul - 1);
    put(topics, "many topics");
    put("/topics/b?private=1", "secret");
    publish("/.well-known/mercure", form, mercure, strlen(mercure));
    publish("/topics/big", "", large, 1000000);
    memset(large, 1, 1000000); /* a line of 6 MB */
    publish("/topics/big", "", large, 1000000);
    put("/topics/b,c?last=1&private=1", "the end");
    free(large);
}

static void move_by_command(const char *words)
{
    struct command command;

    ck_assert_int_eq(command_run(&command, NULL, WORDS("export", "-q", "-o", file)), 0);
    ck_assert_str_eq(command.err.text, "");
    ck_assert_str_eq(command.out.text, "");
    command_done(&command);
    command_expect(0, "", words, NULL, WORDS("import", "--server", url, file));
}

START_TEST(every_field_arrives)
{
    struct crierd third;
    char *one, *other, *text;

    put_every_kind();
    move_by_command("imported 11 updates, skipped 0");
    expect_same();
    /* What is private, and what has ended, is so there, too. */
    topics_port = to.port;
    ck_assert_int_eq(fetch(to.port, "POST", "/topics/c", bearer, "more", NULL), 409);
    crierd_start(&third, KEY "--anonymous subscribe");
    command_expect(0, "", "imported 11 updates", NULL,
                   WORDS("import", "--server", url_of(third.port), file));
    one = export_of(from.port);
    other = export_of(third.port);
    ck_assert_str_eq(one, other);
    ck_assert_int_eq(fetch(third.port, "GET", "/topics/b?since=all&poll=1", "", NULL,
                           &text),
                     200);
    ck_assert_ptr_nonnull(strstr(text, "two"));
    ck_assert_ptr_null(strstr(text, "secret"));
    free(text);
    free(one);
    free(other);
    crierd_stop(&third);
}
END_TEST

/* Where all is open to everybody, private updates are not, and so no export is. */
START_TEST(an_admin_alone_exports)
{
    struct crierd third;

    crierd_start(&third, KEY "--anonymous all");
    ck_assert_int_eq(fetch(third.port, "GET", "/export", "", NULL, NULL), 401);
    ck_assert_int_eq(fetch(third.port, "HEAD", "/export", "", NULL, NULL), 401);
    ck_assert_int_eq(fetch(third.port, "POST", "/import", "", "\n", NULL), 401);
    ck_assert_int_eq(fetch(third.port, "GET", "/export", bearer, NULL, NULL), 200);
    crierd_stop(&third);
}
END_TEST

/* A client that has an id of the old journal goes on behind it. */
START_TEST(ids_of_the_old_journal_are_known)
{
    json_t *receipt;
    char headers[2048], *text, *id;

    ck_assert_int_eq(fetch(from.port, "POST", "/topics/a", bearer, "1", &text), 200);
    receipt = json_loads(text, 0, NULL);
    id = strdup(json_text(receipt, "id"));
    ck_assert_int_eq(id[0], '#');
    free(text);
    json_decref(receipt);
    put("/topics/a", "2");
    move_by_command("imported 2 updates");
    snprintf(headers, sizeof headers, "%sLast-Event-ID: %s\r\n", bearer, id);
    topics_port = to.port;
    topics_hold("/topics/a", headers, "2 ");
    /* A place without an update, however, is not known here. */
    snprintf(strrchr(id, '-'), 3, "-9");
    snprintf(headers, sizeof headers, "%sLast-Event-ID: %s\r\n", bearer, id);
    text = topics_get("/topics/a?poll=1", headers);
    ck_assert_ptr_eq(strstr(text, "event: gap\n"), text);
    ck_assert_ptr_nonnull(strstr(text, "data: 1\n"));
    free(text);
    free(id);
}
END_TEST

/* ---- interruptions ------------------------------------------------------- */

/* Whatever is left of a file, the next export completes it. */
START_TEST(an_export_that_was_cut_goes_on)
{
    static const double parts[] = {0, 0.00001, 0.0005, 0.3, 0.77, 0.99999, 1};
    char *whole, *again;
    size_t length, kept, i;

    put_many(MANY);
    put("/topics/a,b?private=1", "\xc3\xa9\n\n");
    command_expect(0, "", "exported 2501 updates", NULL, WORDS("export", "-o", file));
    whole = read_file(&length);
    for (i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        write_file(whole, (size_t)((double)length * parts[i]));
        command_expect(0, "", "exported ", NULL, WORDS("export", "--output", file));
        again = read_file(&kept);
        ck_assert_uint_eq(kept, length);
        ck_assert(memcmp(whole, again, length) == 0);
        free(again);
    }
    /* And what has been published since is added. */
    put("/topics/a?id=new", "x");
    command_expect(0, "", "exported 1 update\n", NULL, WORDS("export", "-o", file));
    again = read_file(&kept);
    ck_assert(memcmp(whole, again, length) == 0);
    ck_assert_ptr_nonnull(strstr(again + length, "{\"id\":\"new\","));
    free(again);
    command_expect(0, "", "exported 0 updates", NULL, WORDS("export", "--after", "new"));
    free(whole);
}
END_TEST

static const struct {
    const char *content, *words[6], *says;
} foreign_files[] = {
    {"hello", {"export", "-o", file}, "is not empty, and no export"},
    {"{\"a\":1}\n", {"export", "-o", file}, "is not empty, and no export"},
    {"{\"id\":\"none\"}\n", {"export", "-o", file}, "does not hold all that came after"},
    {"{\"id\":\"n1\"}\n", {"export", "-o", file, "--after", "x"}, "--after is for a new file"},
};

START_TEST(other_files_are_left_alone)
{
    char *content;
    size_t length;

    put_many(10);
    write_file(foreign_files[_i].content, strlen(foreign_files[_i].content));
    command_expect(1, "", foreign_files[_i].says, NULL, foreign_files[_i].words);
    content = read_file(&length);
    ck_assert_str_eq(content, foreign_files[_i].content);
    free(content);
}
END_TEST

/* A body that ends with its connection and not with the line of the end is not all. */
START_TEST(an_export_that_breaks_off)
{
    struct foreign server;
    char *content;
    size_t length;

    foreign_start(&server);
    foreign_say(&server, "HTTP/1.1 200 OK\r\n\r\n{\"id\":\"1\"}\n\n{\"id\":\"2");
    foreign_close(&server);
    command_expect(1, "", "the response broke off", NULL,
                   WORDS("export", "--server", server.url, "-o", file));
    content = read_file(&length);
    ck_assert_str_eq(content, "{\"id\":\"1\"}\n");
    free(content);
    foreign_answer(&server, "200 OK", "",
                   "{\"id\":\"2\"}\n{\"event\":\"gap\",\"data\":{}}\n{\"event\":\"end\"}\n");
    command_expect(0, "", "have expired before they were exported", NULL,
                   WORDS("export", "--server", server.url, "-o", file));
    ck_assert_str_eq(foreign_request(&server, 1)->target, "/export?after=1");
    content = read_file(&length);
    ck_assert_str_eq(content, "{\"id\":\"1\"}\n{\"id\":\"2\"}\n");
    free(content);
    foreign_answer(&server, "200 OK", "", "<html>\n");
    command_expect(1, "", "this is not a response of crierd", NULL,
                   WORDS("export", "--server", server.url));
    foreign_stop(&server);
}
END_TEST

/* Of an import that is killed, what has arrived is skipped by the next one. */
START_TEST(an_import_that_was_killed_goes_on)
{
    struct command command;
    char *whole, *at;
    size_t length;
    int i;

    put_many(MANY);
    command_expect(0, "", "", NULL, WORDS("export", "-q", "-o", file));
    whole = read_file(&length);
    for (at = whole, i = 0; i < MANY / 2; i++)
        at = strchr(at, '\n') + 1;
    *at = '\0';
    command_start(&command, 0, WORDS("import", "--server", url));
    command_write(&command, whole); /* one request, and the beginning of another */
    crierd_wait_log(&to, "POST /import 200 ");
    ck_assert_int_eq(command_stop(&command, SIGKILL), -SIGKILL);
    command_done(&command);
    command_expect(0, "", "imported 1500 updates, skipped 1000 that the server has\n",
                   NULL, WORDS("import", "--server", url, file));
    expect_same();
    command_expect(0, "", "imported 0 updates, skipped 2500 ", NULL,
                   WORDS("import", "--server", url, file));
    expect_same();
    free(whole);
}
END_TEST

/* A server that is busy, and a response that is lost. */
START_TEST(an_import_tries_again)
{
    static const char done[] = "{\"imported\":1,\"skipped\":0,\"adjusted\":1}";
    struct foreign server;

    foreign_start(&server);
    foreign_answer(&server, "503 Service Unavailable", "", "{\"detail\":\"busy\"}");
    foreign_close(&server);
    foreign_answer(&server, "200 OK", "", done);
    command_expect(0, "", "1 of them have another time", "line\n",
                   WORDS("import", "--server", server.url));
    ck_assert_str_eq(foreign_request(&server, 2)->body, "line\n");
    foreign_answer(&server, "503 Service Unavailable", "", "{\"detail\":\"busy\"}");
    command_expect(1, "", "busy", "line\n",
                   WORDS("import", "--timeout", "1ms", "--server", server.url));
    foreign_stop(&server);
}
END_TEST

/* ---- what an import refuses ------------------------------------------------ */

#define TIME "\"time\":\"2026-01-31T23:59:59.999Z\""
#define GOOD "{\"id\":\"good\",\"topics\":[\"a\"]," TIME ",\"data\":\"x\"}\n"

static const struct {
    const char *line, *says;
} wrong_lines[] = {
    {"x", "it is not JSON"},
    {"[]", "it is not an object"},
    {"{\"id\":\"1\"", "it is not JSON"},
    {"{\"id\":\"1\",\"id\":\"1\"}", "it is not JSON: duplicate"},
    {"{\"topics\":[\"a\"]," TIME ",\"data\":\"\"}", "id is missing"},
    {"{\"id\":1,\"topics\":[\"a\"]," TIME ",\"data\":\"\"}", "id is not one line"},
    {"{\"id\":\"\",\"topics\":[\"a\"]," TIME ",\"data\":\"\"}", "id is not valid"},
    {"{\"id\":\"#\",\"topics\":[\"a\"]," TIME ",\"data\":\"\"}", "id is not valid"},
    {"{\"id\":\"a\\u0000\",\"topics\":[\"a\"]," TIME ",\"data\":\"\"}", "id is not one line"},
    {"{\"id\":\"a\\u0007\",\"topics\":[\"a\"]," TIME ",\"data\":\"\"}", "id is not valid"},
    {"{\"id\":\"1\"," TIME ",\"data\":\"\"}", "topics is not an array"},
    {"{\"id\":\"1\",\"topics\":[]," TIME ",\"data\":\"\"}", "topics is not an array"},
    {"{\"id\":\"1\",\"topics\":[1]," TIME ",\"data\":\"\"}", "topics: "},
    {"{\"id\":\"1\",\"topics\":[\"a*\"]," TIME ",\"data\":\"\"}", "topics: "},
    {"{\"id\":\"1\",\"topics\":[\"a\"],\"data\":\"\"}", "time is missing"},
    {"{\"id\":\"1\",\"topics\":[\"a\"],\"time\":\"2026-02-30T00:00:00.000Z\",\"data\":\"\"}", "time is not"},
    {"{\"id\":\"1\",\"topics\":[\"a\"],\"time\":\"2026-01-30T00:00:00Z\",\"data\":\"\"}", "time is not"},
    {"{\"id\":\"1\",\"topics\":[\"a\"],\"time\":\"1969-01-30T00:00:00.000Z\",\"data\":\"\"}", "time is not"},
    {"{\"id\":\"1\",\"topics\":[\"a\"]," TIME "}", "data is not a text"},
    {"{\"id\":\"1\",\"topics\":[\"a\"]," TIME ",\"data\":{}}", "data is not a text"},
    {"{\"id\":\"1\",\"topics\":[\"a\"]," TIME ",\"data\":\"\",\"event\":\"a\\nb\"}", "event is not one line"},
    {"{\"id\":\"1\",\"topics\":[\"a\"]," TIME ",\"data\":\"\",\"retry\":-1}", "retry is not a number"},
    {"{\"id\":\"1\",\"topics\":[\"a\"]," TIME ",\"data\":\"\",\"private\":1}", "private is not true or false"},
    {"{\"id\":\"1\",\"topics\":[\"a\"]," TIME ",\"data\":\"\",\"last\":\"\"}", "last is not true or false"},
    {"{\"id\":\"1\",\"topics\":[\"a\"]," TIME ",\"data\":\"\",\"tpic\":\"\"}", "an update has no 'tpic'"},
    {"{\"id\":\"1\",\"topics\":[\"a\"]," TIME ",\"data\":\"\",\" id\":\"\"}", "an update has no ' id'"},
    {"{\"id\":\"1\",\"topics\":[\"a\"]," TIME ",\"data\":\"\",\"id position\":\"\"}", "an update has no 'id position'"},
    {"{\"id\":\"1\",\"topics\":[\"a\"]," TIME ",\"data\":\"\",\"\":\"\"}", "an update has no ''"},
};

/* Nothing of a request with such a line is imported, and the line is named. */
START_TEST(a_wrong_line_is_named)
{
    char body[2048], wanted[32];
    json_t *answer;

    snprintf(body, sizeof body, "%s\n%s\n", GOOD, wrong_lines[_i].line);
    answer = import(body, 400);
    snprintf(wanted, sizeof wanted, "line 3: ");
    ck_assert_ptr_eq(strstr(json_text(answer, "detail"), wanted),
                     json_text(answer, "detail"));
    ck_assert_msg(strstr(json_text(answer, "detail"), wrong_lines[_i].says) != NULL,
                  "%s", json_text(answer, "detail"));
    ck_assert_int_eq(json_number(answer, "line"), 3);
    json_decref(answer);
    topics_port = to.port;
    topics_hold("/topics/a", bearer, "");
    write_file(body, strlen(body));
    command_expect(1, "", "file, line 3: ", NULL, WORDS("import", "--server", url, file));
}
END_TEST

/* What only the journal can refuse ends an import behind what came before. */
START_TEST(what_the_journal_refuses)
{
    json_t *answer;

    imports(GOOD "{\"event\":\"gap\",\"data\":{}}\n\r\n{\"event\":\"end\"}\n", 1, 0, 0);
    answer = import("{\"id\":\"1\",\"topics\":[\"a\"]," TIME ",\"data\":\"\",\"last\":true}\n"
                    GOOD
                    "{\"id\":\"good\",\"topics\":[\"b\"]," TIME ",\"data\":\"\"}\n", 409);
    ck_assert_int_eq(json_number(answer, "line"), 3);
    ck_assert_int_eq(json_number(answer, "imported"), 1);
    json_decref(answer);
    answer = import("{\"id\":\"2\",\"topics\":[\"a\"]," TIME ",\"data\":\"\"}\n", 409);
    ck_assert_ptr_nonnull(strstr(json_text(answer, "detail"), "line 1: the topic has ended"));
    json_decref(answer);
}
END_TEST

START_TEST(what_is_crierds_own_is_skipped)
{
    imports("{\"id\":\"1\",\"topics\":[\"$presence/a\"]," TIME ",\"data\":\"\"}\n"
            "{\"id\":\"2\",\"topics\":[\"/.well-known/mercure/subscriptions/x/y\"]," TIME
            ",\"data\":\"\"}\n"
            "{\"id\":\"3\",\"topics\":[\"a\"]," TIME ",\"event\":\"mercure\",\"data\":\"\"}\n"
            GOOD, 1, 3, 0);
}
END_TEST

/* What a journal has published itself is not published again, not even when it is gone. */
START_TEST(its_own_updates_are_skipped)
{
    char *text;

    put("/topics/a", "1");
    text = export_of(from.port);
    command_expect(0, "", "imported 0 updates, skipped 1 ", text, WORDS("import"));
    ck_assert_int_eq(fetch(from.port, "DELETE", "/topics/a", bearer, NULL, NULL), 204);
    command_expect(0, "", "imported 0 updates, skipped 1 ", text, WORDS("import"));
    free(text);
}
END_TEST

/* Times are kept as far as they rise, and are not ahead of the clock. */
START_TEST(times_rise)
{
    char *text;

    imports("{\"id\":\"1\",\"topics\":[\"a\"],\"time\":\"2020-01-01T00:00:00.001Z\",\"data\":\"\"}\n"
            "{\"id\":\"2\",\"topics\":[\"a\"],\"time\":\"2025-01-01T00:00:00.002Z\",\"data\":\"\"}\n"
            "{\"id\":\"3\",\"topics\":[\"a\"],\"time\":\"2024-01-01T00:00:00.003Z\",\"data\":\"\"}\n"
            "{\"id\":\"4\",\"topics\":[\"a\"],\"time\":\"9999-01-01T00:00:00.004Z\",\"data\":\"\"}\n",
            4, 0, 2);
    text = export_of(to.port);
    ck_assert_ptr_nonnull(strstr(text, "{\"id\":\"1\",\"time\":\"2020-01-01T00:00:00.001Z\""));
    ck_assert_ptr_nonnull(strstr(text, "{\"id\":\"2\",\"time\":\"2025-01-01T00:00:00.002Z\""));
    ck_assert_ptr_nonnull(strstr(text, "{\"id\":\"3\",\"time\":\"2025-01-01T00:00:00.002Z\""));
    ck_assert_ptr_null(strstr(text, "9999"));
    free(text);
    /* Their age counts from these times. */
    topics_port = to.port;
    topics_hold("/topics/a?since=1h", bearer, "");
}
END_TEST

START_TEST(only_an_admin_may)
{
    static const char claims[] = "{\"mercure\":{\"publish\":[\"*\"],\"subscribe\":[\"*\"]}}";
    char *token = jwt_make(SECRET, claims), header[1024];

    snprintf(header, sizeof header, "Authorization: Bearer %s\r\n", token);
    ck_assert_int_eq(fetch(to.port, "GET", "/export", "", NULL, NULL), 401);
    ck_assert_int_eq(fetch(to.port, "POST", "/import", "", GOOD, NULL), 401);
    ck_assert_int_eq(fetch(to.port, "GET", "/export", header, NULL, NULL), 403);
    ck_assert_int_eq(fetch(to.port, "POST", "/import", header, GOOD, NULL), 403);
    ck_assert_int_eq(fetch(to.port, "HEAD", "/export", bearer, NULL, NULL), 200);
    free(token);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("export");
    TCase *c = add_case(s, "moves");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, every_field_arrives);
    tcase_add_test(c, an_admin_alone_exports);
    tcase_add_test(c, ids_of_the_old_journal_are_known);
    c = add_case(s, "interruptions");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, an_export_that_was_cut_goes_on);
    tcase_add_loop_test(c, other_files_are_left_alone, 0,
                        (int)(sizeof foreign_files / sizeof foreign_files[0]));
    tcase_add_test(c, an_export_that_breaks_off);
    tcase_add_test(c, an_import_that_was_killed_goes_on);
    tcase_add_test(c, an_import_tries_again);
    c = add_case(s, "wrong lines");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_loop_test(c, a_wrong_line_is_named, 0,
                        (int)(sizeof wrong_lines / sizeof wrong_lines[0]));
    tcase_add_test(c, only_an_admin_may);
    c = add_case(s, "refusals");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, what_the_journal_refuses);
    tcase_add_test(c, what_is_crierds_own_is_skipped);
    tcase_add_test(c, its_own_updates_are_skipped);
    tcase_add_test(c, times_rise);
    if (redis_is_wanted()) {
        c = add_case(s, "to Redis");
        tcase_add_checked_fixture(c, setup_redis, teardown);
        tcase_add_test(c, every_field_arrives);
        tcase_add_test(c, ids_of_the_old_journal_are_known);
        tcase_add_test(c, an_import_that_was_killed_goes_on);
        tcase_add_test(c, what_the_journal_refuses);
        tcase_add_test(c, times_rise);
    }
    return s;
}

RUN_SUITE(suite)
