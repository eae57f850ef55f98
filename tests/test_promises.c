/*
 * What Crier promises its users, tested with the real crierd: order and completeness
 * while many publish, bounded memory while clients read nothing, and a gap event for
 * clients that the journal left behind.
 */
#include <config.h>

#include "crier.h"
#include "support/client.h"
#include "support/fixture.h"
#include "support/runner.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- one order, nothing lost ------------------------------------------ */

#define PUBLISHERS 10
#define SUBSCRIBERS 30

static int each; /* publisher's updates */

static void *publish_many(void *closure)
{
    const char *name = closure;
    struct client client;
    char target[64], body[64];
    int i;

    client_connect(&client, crierd.port);
    for (i = 0; i < each; i++) {
        snprintf(target, sizeof target, "/topics/t%s", i % 3 ? "" : ",other");
        snprintf(body, sizeof body, "%s %d", name, i);
        ck_assert_int_eq(client_request(&client, "POST", target, "", body),
                         200);
        free(client_body(&client));
    }
    client_close(&client);
    return NULL;
}

/* Reads from CLIENT what is in ALL, from the first frame that it gives on, up to
 * the end of ALL. */
static void compare(struct client *client, const char *all)
{
    char *frame = client_frame(client);
    const char *at = strstr(all, frame);

    ck_assert_msg(at != NULL, "'%s' is not held", frame);
    for (;;) {
        ck_assert_msg(strncmp(at, frame, strlen(frame)) == 0,
                      "'%s' came out of order", frame);
        at += strlen(frame) + 2;
        free(frame);
        if (*at == '\0')
            return;
        frame = client_frame(client);
    }
}

START_TEST(all_see_one_order_while_ten_publish)
{
    static const char *const names[PUBLISHERS] = {"a", "b", "c", "d", "e",
                                                  "f", "g", "h", "i", "j"};
    struct client subscribers[SUBSCRIBERS];
    pthread_t publishers[PUBLISHERS];
    char *all;
    int i, frames = 0;

    each = crierd_is_slow() ? 60 : 300;
    fixture_start(fixture_option(_i));
    for (i = 0; i < PUBLISHERS; i++)
        pthread_create(&publishers[i], NULL, publish_many, (void *)names[i]);
    /* They connect while the publishers write; some read all, some from then on. */
    for (i = 0; i < SUBSCRIBERS; i++)
        topics_subscribe(&subscribers[i],
                         i % 2 ? "/topics/t" : "/topics/t,other?since=all", "");
    for (i = 0; i < PUBLISHERS; i++)
        pthread_join(publishers[i], NULL);
    ck_assert_int_eq(
        fetch(crierd.port, "POST", "/topics/t", "", "the last", NULL), 200);
    ck_assert_int_eq(
        fetch(crierd.port, "GET", "/topics/t?poll=1", "", NULL, &all), 200);
    for (i = 0; all[i] != '\0'; i++)
        frames += all[i] == '\n' && all[i + 1] == '\n';
    ck_assert_int_eq(frames, PUBLISHERS * each + 1);
    for (i = 0; i < SUBSCRIBERS; i++) {
        compare(&subscribers[i], all);
        client_close(&subscribers[i]);
    }
    free(all);
    crierd_stop(&crierd);
}
END_TEST

/* ---- clients that take nothing ---------------------------------------- */

/* The memory of crierd that is its own, in KiB. */
static long memory(void)
{
    char path[64], line[256];
    long kilobytes = -1;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/status", (int)crierd.pid);
    file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "RssAnon: %ld", &kilobytes) == 1)
            break;
    fclose(file);
    ck_assert_int_gt(kilobytes, 0);
    return kilobytes;
}

START_TEST(clients_that_take_nothing_cost_little)
{
    int updates = crierd_is_slow() ? 600 : 12000, i;
    struct client silent[100], healthy, publisher;
    char text[4097], *frame;
    long before;

    fixture_start("--stall-timeout 1h");
    before = memory();
    for (i = 0; i < 100; i++) {
        client_connect_small(&silent[i], crierd.port, 4096);
        ck_assert_int_eq(
            client_request(&silent[i], "GET", "/topics/t", "", NULL), 200);
    }
    topics_subscribe(&healthy, "/topics/t", "");
    client_connect(&publisher, crierd.port);
    memset(text, 'x', 4096);
    text[4096] = '\0';
    for (i = 0; i < updates; i++) {
        text[sprintf(text, "%d", i)] = ' ';
        ck_assert_int_eq(
            client_request(&publisher, "POST", "/topics/t", "", text), 200);
        free(client_body(&publisher));
        frame = client_event(&healthy, NULL);
        ck_assert_int_eq(atoi(frame + 6), i);
        free(frame);
    }
    if (!crierd_is_slow()) /* a sanitizer's own memory says nothing */
        ck_assert_int_lt(memory() - before, 32 * 1024);
    client_close(&publisher);
    client_close(&healthy);
    for (i = 0; i < 100; i++)
        client_reset(&silent[i]);
    crierd_stop(&crierd);
}
END_TEST

/* Stalls a client until the next update that it needs has expired. */
static void leave_behind(struct client *client)
{
    char *large = malloc(60001);
    int i;

    memset(large, 'x', 60000);
    large[60000] = '\0';
    client_connect_small(client, crierd.port, 4096);
    ck_assert_int_eq(client_request(client, "GET", "/topics/t", "", NULL),
                     200);
    for (i = 0; i < 30; i++)
        ck_assert_int_eq(
            fetch(crierd.port, "POST", "/topics/t", "", large, NULL), 200);
    free(large);
    for (i = 0; i < 5; i++)
        ck_assert_int_eq(
            fetch(crierd.port, "POST", "/topics/t", "", "new", NULL), 200);
}

START_TEST(who_is_left_behind_is_told)
{
    struct client client;
    char *frame;
    int i;

    fixture_start("--retain-count 5");
    leave_behind(&client);
    free(client_until(&client, "event: gap\ndata: {\"requested\":\"#"));
    for (i = 0; i < 5; i++)
        client_expect_event(&client, "data: new");
    ck_assert_int_eq(
        fetch(crierd.port, "POST", "/topics/t", "", "live", NULL), 200);
    client_expect_event(&client, "data: live");
    client_close(&client);
    ck_assert_int_eq(fetch(crierd.port, "GET", "/healthz", "", NULL, &frame),
                     200);
    ck_assert_ptr_nonnull(strstr(frame, "\"gaps\":1"));
    free(frame);
    crierd_stop(&crierd);
}
END_TEST

START_TEST(who_is_left_behind_is_ended_if_so_wanted)
{
    struct client client;
    char *frame;

    fixture_start("--retain-count 5 --slow-client disconnect "
                          "--log-level debug");
    leave_behind(&client);
    client.torn = true;
    while ((frame = client_frame(&client)) != NULL) {
        ck_assert_ptr_null(strstr(frame, "gap"));
        ck_assert_ptr_null(strstr(frame, "new"));
        free(frame);
    }
    crierd_wait_log(&crierd, " ended: client reads too slowly");
    client_close(&client);
    crierd_stop(&crierd);
}
END_TEST

/* One that reads slowly but steadily gets everything. Its kernel takes more only when it has
 * read half of what is there, which may be a while on a busy machine: that is no stall. */
START_TEST(a_slow_reader_gets_everything)
{
    const char *journal = fixture_option(_i);
    int updates = crierd_is_slow() ? 300 : 2000, i;
    char text[4097], options[sizeof journal_option + 32], *frame;
    struct client client;

    snprintf(options, sizeof options, "%s --stall-timeout 1h", journal);
    fixture_start(options);
    client_connect_small(&client, crierd.port, 65536);
    ck_assert_int_eq(client_request(&client, "GET", "/topics/t", "", NULL),
                     200);
    memset(text, 'x', 4096);
    text[4096] = '\0';
    for (i = 0; i < updates; i++) {
        text[sprintf(text, "%d", i)] = ' ';
        ck_assert_int_eq(
            fetch(crierd.port, "POST", "/topics/t", "", text, NULL), 200);
        if (i % 10 == 0) {
            frame = client_event(&client, NULL);
            ck_assert_int_eq(atoi(frame + 6), i / 10);
            free(frame);
        }
    }
    for (i = (updates + 9) / 10; i < updates; i++) {
        frame = client_event(&client, NULL);
        ck_assert_int_eq(atoi(frame + 6), i);
        free(frame);
    }
    client_close(&client);
    crierd_stop(&crierd);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("promises");
    TCase *c = add_case(s, "promises");

    tcase_add_checked_fixture(c, fixture_scratch, fixture_clean);
    tcase_add_loop_test(c, all_see_one_order_while_ten_publish, 0,
                        fixture_journals());
    tcase_add_test(c, clients_that_take_nothing_cost_little);
    tcase_add_test(c, who_is_left_behind_is_told);
    tcase_add_test(c, who_is_left_behind_is_ended_if_so_wanted);
    tcase_add_loop_test(c, a_slow_reader_gets_everything, 0,
                        fixture_journals());
    return s;
}

RUN_SUITE(suite)
