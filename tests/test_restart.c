/*
 * A journal in a file, tested with the real crierd: every update exactly once across a
 * restart and a crash, with a thousand clients; and errors of the file, which crierd
 * reports and survives.
 */
#include <config.h>

#include "crier.h"
#include "crierd/net/descriptors.h"
#include "libcrier/journal/sqlite/sqlite.h"
#include "support/client.h"
#include "support/fixture.h"
#include "support/port.h"
#include "support/runner.h"

#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- restart ---------------------------------------------------------- */

static atomic_int acknowledged;
static int total;
static int restart_port; /* the same before and after */

/* Publishes until the status is 200, whatever happens to crierd. */
static void publish_surely(const char *target, const char *body)
{
    struct client client;
    int status = 0;

    while (status != 200) {
        if (!client_try_connect(&client, restart_port)) {
            usleep(1000); /* no event reports when a server listens again */
            continue;
        }
        client.torn = true;
        client_send(&client,
                    "POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                    "Content-Length: %zu\r\n\r\n%s",
                    target, strlen(body), body);
        status = client_head(&client);
        client_close(&client);
    }
}

static void *publish_with_retries(void *unused)
{
    char target[64], body[16];
    int i;

    (void)unused;
    for (i = 1; i <= total; i++) {
        snprintf(target, sizeof target, "/topics/t?id=u%d&dedupe=1", i);
        snprintf(body, sizeof body, "%d", i);
        publish_surely(target, body);
        atomic_store(&acknowledged, i);
    }
    return NULL;
}

struct listener {
    struct client client;
    int seen;
};

static void connect_listener(struct listener *listener)
{
    char id[64] = "";

    if (listener->seen != 0)
        snprintf(id, sizeof id, "Last-Event-ID: u%d\r\n", listener->seen);
    while (!client_try_connect(&listener->client, restart_port))
        usleep(1000);
    listener->client.torn = true;
    client_send(&listener->client,
                "GET /topics/t HTTP/1.1\r\nHost: x\r\n%s\r\n", id);
    if (client_head(&listener->client) != 200) { /* it is about to stop */
        client_close(&listener->client);
        connect_listener(listener);
    }
}

/* Has LISTENER see everything up to UNTIL, coming back as often as need be. */
static void listen_until(struct listener *listener, int until)
{
    char *frame, wanted[64];

    while (listener->seen < until) {
        frame = client_frame(&listener->client);
        if (frame == NULL) {
            client_close(&listener->client);
            connect_listener(listener);
            continue;
        }
        if (strncmp(frame, "id: ", 4) == 0) {
            listener->seen++;
            snprintf(wanted, sizeof wanted, "id: u%d\ndata: %d",
                     listener->seen, listener->seen);
            ck_assert_str_eq(frame, wanted);
        } else { /* a ping or the goodbye */
            ck_assert_msg(strncmp(frame, "retry: ", 7) == 0 ||
                              strcmp(frame, ":") == 0,
                          "%s", frame);
        }
        free(frame);
    }
}

/* A thousand, or a tenth of that. */
START_TEST(a_restart_loses_nothing)
{
    int count = crierd_is_slow() ? 100 : 1000, i, crash = _i, descriptor;
    struct listener *listeners = calloc((size_t)count, sizeof *listeners);
    char options[128], *held;
    pthread_t publisher;

    total = crierd_is_slow() ? 120 : 400;
    atomic_store(&acknowledged, 0);
    restart_port = port_hold(&descriptor);
    crierd_start_on(&crierd, restart_port, journal_option);
    for (i = 0; i < count; i++)
        connect_listener(&listeners[i]);
    pthread_create(&publisher, NULL, publish_with_retries, NULL);
    for (i = 0; i < count; i++)
        listen_until(&listeners[i], total / 4);
    if (crash) {
        crierd_kill(&crierd);
    } else {
        crierd_stop(&crierd);
    }
    crierd_start_on(&crierd, restart_port, journal_option);
    for (i = 0; i < count; i++)
        listen_until(&listeners[i], total);
    pthread_join(publisher, NULL);
    ck_assert_int_eq(
        fetch(restart_port, "GET", "/topics/t?since=u1&poll=1", "", NULL, &held),
        200);
    for (i = 2; i <= total; i++) {
        snprintf(options, sizeof options, "id: u%d\ndata: %d\n\n", i, i);
        ck_assert_ptr_eq(strstr(held, options), held);
        memmove(held, held + strlen(options),
                strlen(held + strlen(options)) + 1);
    }
    ck_assert_str_eq(held, "");
    free(held);
    for (i = 0; i < count; i++)
        client_reset(&listeners[i].client);
    free(listeners);
    crierd_stop(&crierd);
    close(descriptor);
}
END_TEST

static sqlite3_stmt *begin_row(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *row;

    ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &row, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(row), SQLITE_ROW);
    return row;
}

static void change_file(sqlite3 *db, const char *format, long long number,
                        uint64_t sum)
{
    char *sql = sqlite3_mprintf(format, number, (long long)sum);

    ck_assert_int_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_free(sql);
}

/* Sets the times in the file PATH, which no process has open and which has one update, a
 * year ahead, as a clock that was ahead would have. */
static void set_times_ahead(const char *path)
{
    const int64_t year = INT64_C(31536000000);
    char epoch[CRIER__EPOCH_SIZE];
    struct crier__sqlite_head head;
    struct crier__totals totals;
    struct crier__sql sql = {0};
    sqlite3_stmt *row;
    uint64_t sum;
    sqlite3 *db;

    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    row = begin_row(db, "SELECT " CRIER__SQLITE_HEAD " FROM updates");
    ck_assert(crier__sqlite_read_head(row, &head));
    head.time += year;
    sum = crier__sqlite_head_sum(&head);
    sqlite3_finalize(row);
    change_file(db, "UPDATE updates SET time = %lld, sum = %lld", head.time, sum);
    row = begin_row(db, "SELECT " CRIER__SQLITE_TOTALS " FROM journal");
    ck_assert(crier__sqlite_read_totals(&sql, row, &totals, epoch));
    sqlite3_finalize(row);
    totals.time += year;
    change_file(db, "UPDATE journal SET time = %lld, sum = %lld", totals.time,
                crier__sqlite_totals_sum(&totals, epoch));
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

/* ---- trouble ---------------------------------------------------------- */

/* Waits until /healthz says STATUS. */
static void wait_for_health(const char *status)
{
    char wanted[64], *answer;
    uint64_t until = crier_now() + PATIENCE;
    bool there = false;
    int code;

    snprintf(wanted, sizeof wanted, "{\"status\":\"%s\"", status);
    while (!there) {
        ck_assert_msg(crier_now() < until, "health was never %s", status);
        code = fetch(crierd.port, "GET", "/healthz", "", NULL, &answer);
        there = strncmp(answer, wanted, strlen(wanted)) == 0;
        if (there)
            ck_assert_int_eq(code, strcmp(status, "failing") == 0 ? 503 : 200);
        free(answer);
    }
}

START_TEST(trouble_is_told_and_passes)
{
    struct client client, ticks;
    char path[64], *answer;
    sqlite3 *other;

    fixture_start(journal_option);
    topics_subscribe(&client, "/topics/t", "");
    topics_subscribe(&ticks, "/ticks?interval=50", "");
    snprintf(path, sizeof path, "%s/journal", scratch);
    ck_assert_int_eq(sqlite3_open(path, &other), SQLITE_OK);
    sqlite3_busy_timeout(other, PATIENCE); /* crierd may be writing */
    ck_assert_int_eq(
        sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    ck_assert_int_eq(
        fetch(crierd.port, "POST", "/topics/t", "", "1", &answer), 503);
    ck_assert_msg(strstr(answer, "locked") != NULL, "%s", answer);
    free(answer);
    wait_for_health("failing");
    free(client_frame(&ticks)); /* streams go on */
    free(client_frame(&ticks));
    ck_assert_int_eq(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL),
                     SQLITE_OK);
    ck_assert_int_eq(sqlite3_close(other), SQLITE_OK);
    wait_for_health("ok");
    ck_assert_int_eq(
        fetch(crierd.port, "POST", "/topics/t", "", "2", NULL), 200);
    client_expect_event(&client, "data: 2");
    client_close(&client);
    client_close(&ticks);
    crierd_stop(&crierd);
}
END_TEST

START_TEST(a_journal_without_a_name_is_trouble)
{
    char path[64], *answer;

    fixture_start(journal_option);
    ck_assert_int_eq(
        fetch(crierd.port, "POST", "/topics/t", "", "1", NULL), 200);
    snprintf(path, sizeof path, "%s/journal", scratch);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(
        fetch(crierd.port, "POST", "/topics/t", "", "2", &answer), 503);
    ck_assert_msg(strstr(answer, "removed or replaced") != NULL, "%s", answer);
    free(answer);
    wait_for_health("failing");
    crierd_wait_log(&crierd, "the journal fails");
    crierd_stop(&crierd);
}
END_TEST

/* What cannot be read is reported, and a poll does not wait for it: it is refused. */
START_TEST(an_unreadable_journal_is_trouble)
{
    char path[64], text[3001], *answer;
    int i;

    memset(text, 'x', 3000);
    text[3000] = '\0';
    fixture_start(journal_option);
    for (i = 0; i < 1000; i++) /* beyond what waits in the log */
        ck_assert_int_eq(
            fetch(crierd.port, "POST", "/topics/t", "", text, NULL), 200);
    snprintf(path, sizeof path, "%s/journal", scratch);
    ck_assert_int_eq(truncate(path, 0), 0);
    ck_assert_int_eq(fetch(crierd.port, "GET", "/topics/t?poll=1&since=all", "",
                           NULL, &answer),
                     503);
    ck_assert_msg(strstr(answer, "the journal cannot be read: ") != NULL, "%s",
                  answer);
    free(answer);
    wait_for_health("failing");
    crierd_stop(&crierd);
}
END_TEST

/* A file that a clock has written that was ahead: its updates grow old again, and the
 * operator can see why their times have changed. */
START_TEST(times_ahead_are_corrected_and_reported)
{
    char path[64], *answer;

    fixture_start(journal_option);
    ck_assert_int_eq(
        fetch(crierd.port, "POST", "/topics/t", "", "1", NULL), 200);
    crierd_stop(&crierd);
    snprintf(path, sizeof path, "%s/journal", scratch);
    set_times_ahead(path);
    fixture_start(journal_option);
    crierd_wait_log(&crierd, "the times of 1 updates that were ahead of it");
    ck_assert_int_eq(fetch(crierd.port, "GET", "/healthz", "", NULL, &answer),
                     200);
    ck_assert_msg(strstr(answer, "\"corrected\":1") != NULL, "%s", answer);
    free(answer);
    crierd_stop(&crierd);
}
END_TEST

/* Two names of one file, both of which it was opened by: two mounts are like that. */
START_TEST(one_file_is_not_for_two)
{
    char path[64], other[72], options[256];
    struct crierd second;
    int status;

    fixture_start(journal_option);
    snprintf(path, sizeof path, "%s/journal", scratch);
    snprintf(other, sizeof other, "%s/other", scratch);
    ck_assert_int_eq(link(path, other), 0);
    snprintf(options, sizeof options, "%s/other-lock", scratch);
    fclose(fopen(options, "w"));
    snprintf(options, sizeof options, "--journal sqlite:%s", other);
    ck_assert(!crierd_try_start(&second, options, &status));
    ck_assert_int_eq(status, 1);
    crierd_stop(&crierd);
}
END_TEST

START_TEST(a_damaged_journal_is_refused)
{
    char path[64], options[256];
    FILE *file;

    snprintf(path, sizeof path, "%s/journal", scratch);
    file = fopen(path, "w");
    fputs("This is no database, but somebody's dearest text.\n", file);
    fclose(file);
    snprintf(options, sizeof options, "--listen 127.0.0.1:0 --www %s --data %s %s",
             getenv("WWW"), getenv("DATA"), journal_option);
    crierd_spawn(&crierd, options);
    crierd_wait_log(&crierd, "not a Crier journal, or damaged");
    ck_assert_int_eq(crierd_wait(&crierd), 1);
    file = fopen(path, "r");
    ck_assert_ptr_nonnull(fgets(options, sizeof options, file));
    ck_assert_str_eq(options,
                     "This is no database, but somebody's dearest text.\n");
    fclose(file);
}
END_TEST

/* After a crash, the log is beside the former name. */
START_TEST(a_file_moved_after_a_crash_is_refused)
{
    char path[64], moved[72], options[256], *held;

    fixture_start(journal_option);
    ck_assert_int_eq(
        fetch(crierd.port, "POST", "/topics/t", "", "1", NULL), 200);
    crierd_kill(&crierd);
    snprintf(path, sizeof path, "%s/journal", scratch);
    snprintf(moved, sizeof moved, "%s/moved", scratch);
    ck_assert_int_eq(rename(path, moved), 0);
    snprintf(options, sizeof options,
             "--listen 127.0.0.1:0 --www %s --data %s --journal sqlite:%s",
             getenv("WWW"), getenv("DATA"), moved);
    crierd_spawn(&crierd, options);
    snprintf(options, sizeof options, "it was not closed as %s", path);
    crierd_wait_log(&crierd, options);
    ck_assert_int_eq(crierd_wait(&crierd), 1);
    ck_assert_int_eq(rename(moved, path), 0);
    fixture_start(journal_option);
    ck_assert_int_eq(fetch(crierd.port, "GET", "/topics/t?since=all&poll=1", "",
                           NULL, &held),
                     200);
    ck_assert_msg(strstr(held, "data: 1\n") != NULL, "%s", held);
    free(held);
    crierd_stop(&crierd);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("restart");
    TCase *c = add_case(s, "restart");

    tcase_add_checked_fixture(c, fixture_scratch, scratch_remove);
    tcase_add_loop_test(c, a_restart_loses_nothing, 0, 2);
    tcase_add_test(c, trouble_is_told_and_passes);
    tcase_add_test(c, a_journal_without_a_name_is_trouble);
    tcase_add_test(c, an_unreadable_journal_is_trouble);
    tcase_add_test(c, times_ahead_are_corrected_and_reported);
    tcase_add_test(c, one_file_is_not_for_two);
    tcase_add_test(c, a_damaged_journal_is_refused);
    tcase_add_test(c, a_file_moved_after_a_crash_is_refused);
    return s;
}

/* A thousand clients need these. */
RUN_SUITE_IF(suite, descriptors_raise_limit() >= 2048,
             "fewer than 2048 open files allowed")
