/*
 * Starts the real crierd again and again with one failing allocation, of its own or of
 * the libraries below it, each time a later one. Each time crierd either refuses to
 * start, with a message and status 1, or handles the same requests: it responds to each
 * as usual, or with 503, or it closes the connection; and when a request is repeated,
 * it responds as usual. A subscriber receives every acknowledged update once and in
 * order, and the journal has it afterwards. crierd ends in time with status 0. A
 * sanitizer or valgrind checks more.
 *
 * Threads change the order of allocations, so repetitions test different failures.
 *
 * The test goes on for SWEEP ms (longer with `make oom`), with numbers spread evenly
 * from the first allocation to the last, or until each failed once. It prints what it
 * did. CRIER_OOM_AT=N tests only the N-th.
 */
#include <config.h>

#include "crier.h"
#include "support/client.h"
#include "support/crierd.h"
#include "support/oomed.h"
#include "support/runner.h"
#include "support/scratch.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UPDATES 16
#define SWEEP 4000 /* ms */

static struct crierd crierd;
static char journal[128]; /* the option */
static char updates[UPDATES][8]; /* the ids of those that were acknowledged */
static int update_count;
static bool refused; /* a request was, which is made again */

static void setup(void)
{
    scratch_make();
}

static void teardown(void)
{
    scratch_remove();
}

/* ---- requests --------------------------------------------------------- */

/* The other status of a request whose first try may have succeeded. */
static int other_status;

/* Sends a request, at most twice, until its response has the status WANTED. */
static void ask(struct client *client, int wanted, const char *method,
                const char *target, const char *headers, const char *body)
{
    int status, times;

    for (times = 0;; times++) {
        ck_assert_msg(client_try_connect(client, crierd.port),
                      "nobody listens any more");
        client->torn = true;
        status = client_request(client, method, target, headers, body);
        if (status == wanted || (times == 1 && other_status == status && status != 0))
            return;
        ck_assert_msg(status == 0 || status == 503, "%s %s: %d", method,
                      target, status);
        ck_assert_msg(times == 0, "%s %s: %d again", method, target, status);
        refused = true;
        client_close(client);
    }
}

/* The same, and reads the body of the response. */
static void expect(int wanted, const char *method, const char *target,
                   const char *headers, const char *body)
{
    struct client client;

    ask(&client, wanted, method, target, headers, body);
    if (wanted != 204)
        free(client_body(&client));
    client_close(&client);
}

/* Publishes one or more updates with the ids in the list IDS. */
static void publish(const char *ids, const char *target, const char *headers,
                    const char *body)
{
    char list[64], *rest = list, *id;

    expect(200, "POST", target, headers, body);
    snprintf(list, sizeof list, "%s", ids);
    while ((id = strsep(&rest, ",")) != NULL) {
        ck_assert_int_lt(update_count, UPDATES);
        snprintf(updates[update_count++], sizeof updates[0], "%s", id);
    }
}

/* Opens a stream and closes it. */
static void visit(const char *target)
{
    struct client client;

    ask(&client, 200, "GET", target, "", NULL);
    client_close(&client);
}

/* ---- a subscriber ------------------------------------------------------- */

static struct client subscriber;
static char last_id[256];
static int received;

static void open_stream(void)
{
    char headers[300];

    snprintf(headers, sizeof headers, "Last-Event-ID: %s\r\n", last_id);
    ask(&subscriber, 200, "GET", "/topics/a?since=all",
        last_id[0] != '\0' ? headers : "", NULL);
}

/* Records that the update ID arrived. When a bulk request fails, updates after the one
 * that failed may be stored before it is, see crierd(8). */
static void take(const char *id)
{
    char now[sizeof updates[0]];
    int i;

    for (i = received; strcmp(updates[i], id) != 0; i++)
        ck_assert_msg(i + 1 < update_count, "'%s' has come: once more?", id);
    ck_assert_msg(i == received || refused, "'%s' instead of '%s'", id,
                  updates[received]);
    memcpy(now, updates[i], sizeof now);
    memcpy(updates[i], updates[received], sizeof now);
    memcpy(updates[received++], now, sizeof now);
}

/* Reads until all acknowledged updates have arrived, in order. */
static void catch_up(void)
{
    char id[256], *frame;

    while (received < update_count) {
        frame = client_event(&subscriber, id);
        if (frame == NULL) {
            client_close(&subscriber);
            open_stream();
            continue;
        }
        if (id[0] != '\0') {
            take(id);
            snprintf(last_id, sizeof last_id, "%s", id);
        }
        free(frame);
    }
}

/* ---- one time --------------------------------------------------------- */

static void use_topics(void)
{
    static const char many[] = "id: 4\ndata: four\n\nid: 5\ndata: f\xc3\xbcnf\n"
                               "event: e\n\nid: 6\ndata: six\n\n";

    publish("1", "/topics/a?id=1&dedupe=1", "", "one");
    open_stream();
    publish("2", "/topics/a,b?id=2&dedupe=1&event=e", "", "zw\xc3\xb6lf");
    publish("3", "/topics/a?id=3&dedupe=1",
            "Content-Type: application/json\r\n", "{\"a\": [3, \"\xc3\xa4\"]}");
    publish("4,5,6", "/topics/a?dedupe=1",
            "Content-Type: text/event-stream\r\n", many);
    catch_up();
    expect(200, "GET", "/topics", "", NULL);
    expect(200, "GET", "/topics/a", "Accept: application/json\r\n", NULL);
    expect(200, "GET", "/topics/a,b?poll=1&since=all&format=json", "", NULL);
    expect(200, "GET", "/topics/b?poll=1&since=1h&format=full", "", NULL);
    expect(200, "GET", "/topics/a?poll=1&lastEventID=1&format=raw", "", NULL);
    visit("/topics/p?since=2");
    other_status = 404;
    expect(204, "DELETE", "/topics/b", "", NULL);
    other_status = 0;
    publish("7", "/topics/a?id=7&dedupe=1", "", "seven");
    catch_up();
    client_close(&subscriber);
}

static void use_mercure(void)
{
    visit("/.well-known/mercure?topic=m/{x}&match_urlpattern=/n/:x&lastEventID=1");
    visit("/.well-known/mercure?match=m");
    expect(200, "POST", "/.well-known/mercure",
           "Content-Type: application/x-www-form-urlencoded\r\n",
           "topic=m/1&topic=n/1&data=x&id=1&type=t");
    expect(401, "GET", "/.well-known/mercure/subscriptions", "", NULL);
}

static void use_demos(void)
{
    struct client chat;

    expect(200, "GET", "/", "", NULL);
    /* A report of a subscription may be what the journal could not write; it is failing
     * until it has written something else. */
    other_status = 503;
    expect(200, "GET", "/healthz", "", NULL);
    other_status = 0;
    expect(200, "GET", "/identity", "", NULL);
    expect(200, "GET", "/config", "", NULL);
    visit("/topics/$stats");
    ask(&chat, 200, "GET", "/chat?user=z%C3%B6", "", NULL);
    expect(200, "GET", "/users", "", NULL);
    client_close(&chat);
    visit("/ticks");
    visit("/events");
    visit("/updates");
    visit("/quotes");
    visit("/tokens?prompt=hell%C3%B6");
    expect(404, "GET", "/n%C3%B6", "", NULL);
}

/* Checks that a stream that was opened when memory was short is complete. */
static void check_journal(void)
{
    crierd_start(&crierd, journal);
    received = 0;
    last_id[0] = '\0';
    open_stream();
    catch_up();
    client_close(&subscriber);
    crierd_stop(&crierd);
}

/* Returns the number of crierd's allocations when the N-th fails (0: none). */
static unsigned long once(const char *of, unsigned long n)
{
    unsigned long count;
    bool listens;
    int status;

    update_count = received = 0;
    refused = false;
    last_id[0] = '\0';
    snprintf(journal, sizeof journal, "--threads 2 --presence p "
             "--subscriptions on --journal sqlite:%s/%lu", scratch, n);
    oomed_begin(of, n);
    listens = crierd_try_start(&crierd, journal, &status);
    if (listens) {
        use_topics();
        use_mercure();
        use_demos();
        crierd_stop(&crierd);
    } else {
        ck_assert_int_eq(status, 1);
    }
    count = oomed_end();
    if (listens)
        check_journal();
    return count;
}

static const char *const whose[] = {"program", "libraries"};

START_TEST(each_allocation_fails_once)
{
    const char *at = getenv("CRIER_OOM_AT");
    unsigned long count, turn = 0, n;
    uint64_t until;

    if (at != NULL) {
        once(whose[_i], strtoul(at, NULL, 10));
        return;
    }
    count = once(whose[_i], 0);
    until = crier_now() + oomed_time(SWEEP);
    while (turn < count && crier_now() < until) {
        n = oomed_number(turn++, count);
        printf("CRIER_OOM_AT=%lu (%s)\n", n, whose[_i]);
        fflush(stdout);
        once(whose[_i], n);
    }
    printf("%lu of %lu allocations (%s) failed\n", turn, count, whose[_i]);
    fflush(stdout);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("oom crierd");
    TCase *c = add_case(s, "oom");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_set_timeout(c, 120 + (double)oomed_time(SWEEP) / 1000);
    tcase_add_loop_test(c, each_allocation_fails_once, 0, 2);
    return s;
}

RUN_SUITE_IF(suite, OOMED_CAN_RUN, OOMED_WHY_NOT)
