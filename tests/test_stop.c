/*
 * How long crierd takes to end: no longer than it promises, whatever clients or other
 * processes do. Of several tries one may be slow for other reasons; not all.
 */
#include <config.h>

#include "crier.h"
#include "support/client.h"
#include "support/fixture.h"
#include "support/runner.h"

#include <signal.h>
#include <sqlite3.h>
#include <string.h>

#define TRIES 3

/* What crierd promises, in ms. */
#define STOP_TIME 2000

/* Ends crierd. Returns whether it took no longer than it promises. */
static bool ends_in_time(void)
{
    uint64_t begun = crier_now();

    crierd_stop(&crierd);
    return crierd_is_slow() || crier_now() - begun < STOP_TIME;
}

/* Fails unless TRY holds in one of some tries. */
static void expect_once(bool (*try)(void))
{
    int i;

    for (i = 0; i < TRIES; i++)
        if (try())
            return;
    ck_abort_msg("crierd never ended within %d ms", STOP_TIME);
}

/* Clients that take nothing, half a request, an idle connection. */
static bool try_with_clients(void)
{
    struct client stalled, half, idle;
    char *large = malloc(60001);
    bool in_time;
    int i;

    memset(large, 'x', 60000);
    large[60000] = '\0';
    fixture_start("");
    client_connect_small(&stalled, crierd.port, 4096);
    ck_assert_int_eq(client_request(&stalled, "GET", "/events", "", NULL), 200);
    client_connect(&half, crierd.port);
    client_send(&half, "POST /events HTTP/1.1\r\nHost: x\r\n"
                       "Content-Length: 10\r\n\r\nhalf");
    client_connect(&idle, crierd.port);
    ck_assert_int_eq(client_request(&idle, "GET", "/healthz", "", NULL), 200);
    for (i = 0; i < 4; i++)
        ck_assert_int_eq(fetch(crierd.port, "POST", "/events", "", large, NULL), 200);
    in_time = ends_in_time();
    client_close(&stalled);
    client_close(&half);
    client_close(&idle);
    free(large);
    return in_time;
}

START_TEST(no_client_holds_it_up)
{
    expect_once(try_with_clients);
}
END_TEST

/* Another process has locked the journal's file, and publishers wait. */
static bool try_with_lock(void)
{
    struct client publishers[20];
    char path[SCRATCH_SIZE + 16];
    sqlite3 *other;
    bool in_time;
    int i;

    fixture_start(journal_option);
    snprintf(path, sizeof path, "%s/journal", scratch);
    ck_assert_int_eq(sqlite3_open(path, &other), SQLITE_OK);
    sqlite3_busy_timeout(other, PATIENCE); /* crierd may be writing */
    ck_assert_int_eq(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    for (i = 0; i < 20; i++) {
        client_connect(&publishers[i], crierd.port);
        publishers[i].torn = true;
        client_send(&publishers[i], "POST /topics/t HTTP/1.1\r\nHost: x\r\n"
                                    "Content-Length: 1\r\n\r\nx");
    }
    in_time = ends_in_time();
    for (i = 0; i < 20; i++) {
        ck_assert_int_ne(client_head(&publishers[i]), 200);
        client_close(&publishers[i]);
    }
    ck_assert_int_eq(sqlite3_close(other), SQLITE_OK);
    return in_time;
}

START_TEST(a_locked_journal_does_not_hold_it_up)
{
    expect_once(try_with_lock);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("stop");
    TCase *c = add_case(s, "stop");

    tcase_add_checked_fixture(c, fixture_scratch, scratch_remove);
    tcase_add_test(c, no_client_holds_it_up);
    tcase_add_test(c, a_locked_journal_does_not_hold_it_up);
    return s;
}

RUN_SUITE(suite)
