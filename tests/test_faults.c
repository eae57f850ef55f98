/*
 * The real crierd with system calls that fail at random (support/faults.h): it must not
 * crash, leak or hang, and every subscriber that reconnects must receive each
 * acknowledged update once and in order.
 *
 * CRIER_SEED=N repeats a failure that printed that seed, as far as threads allow.
 */
#include <config.h>

#include "crier.h"
#include "support/client.h"
#include "support/crierd.h"
#include "support/faults.h"
#include "support/runner.h"
#include "support/scratch.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PUBLISHERS 4
#define SUBSCRIBERS 8

static struct crierd crierd;
static struct faults *faults;
static char journal[64]; /* the option */
static int each;         /* publisher's updates */
static uint64_t deadline;

static void setup(void)
{
    scratch_make();
    snprintf(journal, sizeof journal, "--journal sqlite:%s/journal", scratch);
    each = crierd_is_slow() ? 150 : 400;
    faults = faults_begin();
}

static void teardown(void)
{
    faults_end(faults);
    scratch_remove();
}

/* One in so many calls fails. */
static void begin_faults(bool file)
{
    static const unsigned rates[FAULTS] = {
        [FAULT_ACCEPT] = 50,    [FAULT_SEND] = 20,      [FAULT_RECV] = 20,
        [FAULT_EPOLL_CTL] = 50, [FAULT_EPOLL_WAIT] = 20, [FAULT_READ] = 20,
        [FAULT_WRITE] = 50,     [FAULT_SYNC] = 10};
    const char *seed = getenv("CRIER_SEED");
    unsigned number = seed != NULL ? (unsigned)strtoul(seed, NULL, 10)
                                   : (unsigned)crier_now() + (unsigned)getpid();
    int i;

    printf("CRIER_SEED=%u\n", number);
    fflush(stdout);
    atomic_store(&faults->seed, number);
    for (i = 0; i < FAULTS; i++)
        if (file || i < FAULT_READ)
            atomic_store(&faults->one_in[i], rates[i]);
}

static void stop_faults(void)
{
    int i;

    for (i = 0; i < FAULTS; i++)
        atomic_store(&faults->one_in[i], 0);
}

/* ---- clients ---------------------------------------------------------- */

static void connect_to_crierd(struct client *client)
{
    while (!client_try_connect(client, crierd.port))
        ck_assert_msg(crier_now() < deadline, "nobody lets us in");
    client->torn = true;
}

/* Publishes until the status is 200. */
static void publish(const char *target, const char *body)
{
    struct client client;
    int status = 0;

    while (status != 200) {
        ck_assert_msg(crier_now() < deadline, "%s is answered with %d", target,
                      status);
        connect_to_crierd(&client);
        client_send(&client,
                    "POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                    "Content-Length: %zu\r\n\r\n%s",
                    target, strlen(body), body);
        status = client_head(&client);
        client_close(&client);
    }
}

static void *publish_all(void *closure)
{
    const char *name = closure;
    char target[64], body[32];
    int i;

    for (i = 1; i <= each; i++) {
        snprintf(target, sizeof target, "/topics/t?id=%s%d&dedupe=1", name, i);
        snprintf(body, sizeof body, "%s%d", name, i);
        publish(target, body);
    }
    return NULL;
}

struct subscriber {
    struct client client;
    bool open;
    char id[64];
    int seen[PUBLISHERS];
    int all;
};

static void subscribe_once(struct subscriber *subscriber)
{
    int status = 0;

    while (status != 200) {
        ck_assert_msg(crier_now() < deadline, "a subscriber gets %d", status);
        connect_to_crierd(&subscriber->client);
        client_send(&subscriber->client,
                    "GET /topics/t?since=all HTTP/1.1\r\nHost: x\r\n"
                    "%s%s\r\n\r\n",
                    subscriber->id[0] != '\0' ? "Last-Event-ID: " : "X: ",
                    subscriber->id[0] != '\0' ? subscriber->id : "x");
        status = client_head(&subscriber->client);
        if (status != 200)
            client_close(&subscriber->client);
    }
    subscriber->open = true;
}

/* Records FRAME, which must be the next one of its publisher. */
static void take(struct subscriber *subscriber, const char *frame)
{
    char wanted[160];
    int of;

    if (strncmp(frame, "id: ", 4) != 0) { /* a ping, or a goodbye */
        ck_assert_msg(frame[0] == ':' || strncmp(frame, "retry: ", 7) == 0,
                      "%s", frame);
        return;
    }
    of = frame[4] - 'a';
    ck_assert_msg(of >= 0 && of < PUBLISHERS, "%s", frame);
    subscriber->seen[of]++;
    subscriber->all++;
    snprintf(subscriber->id, sizeof subscriber->id, "%c%d", 'a' + of,
             subscriber->seen[of]);
    snprintf(wanted, sizeof wanted, "id: %s\ndata: %s", subscriber->id,
             subscriber->id);
    ck_assert_str_eq(frame, wanted);
}

static void *subscribe_to_all(void *closure)
{
    struct subscriber *subscriber = closure;
    char *frame;

    while (subscriber->all < PUBLISHERS * each) {
        if (!subscriber->open)
            subscribe_once(subscriber);
        frame = client_frame(&subscriber->client);
        if (frame == NULL) {
            client_close(&subscriber->client);
            subscriber->open = false;
            continue;
        }
        take(subscriber, frame);
        free(frame);
    }
    if (subscriber->open)
        client_close(&subscriber->client);
    return NULL;
}

/* ---- tests ------------------------------------------------------------ */

static void play(void)
{
    static const char *const names[PUBLISHERS] = {"a", "b", "c", "d"};
    static struct subscriber subscribers[SUBSCRIBERS];
    pthread_t threads[PUBLISHERS + SUBSCRIBERS];
    int i;

    memset(subscribers, 0, sizeof subscribers);
    deadline = crier_now() + 4 * (uint64_t)PATIENCE;
    for (i = 0; i < PUBLISHERS; i++)
        pthread_create(&threads[i], NULL, publish_all, (void *)names[i]);
    for (i = 0; i < SUBSCRIBERS; i++)
        pthread_create(&threads[PUBLISHERS + i], NULL, subscribe_to_all,
                       &subscribers[i]);
    for (i = 0; i < PUBLISHERS + SUBSCRIBERS; i++)
        pthread_join(threads[i], NULL);
}

/* Checks that the journal has every update once, and that crierd is healthy. */
static void check_all(void)
{
    uint64_t until = crier_now() + PATIENCE;
    struct subscriber again = {0};
    char *answer;
    bool well;

    subscribe_to_all(&again);
    do {
        (void)fetch(crierd.port, "GET", "/healthz", "", NULL, &answer);
        well = strstr(answer, "\"status\":\"ok\"") != NULL;
        ck_assert_msg(well || crier_now() < until, "%s", answer);
        free(answer);
    } while (!well);
}

START_TEST(nothing_is_lost)
{
    bool file = _i == 1;
    int i;

    crierd_start(&crierd, file ? journal : "");
    begin_faults(file);
    play();
    stop_faults();
    for (i = 0; i < FAULTS; i++)
        if (file || i < FAULT_READ)
            ck_assert_msg(atomic_load(&faults->failed[i]) > 0,
                          "fault %d has not been tried", i);
    check_all();
    crierd_stop(&crierd);
    if (!file)
        return;
    crierd_start(&crierd, journal);
    check_all();
    crierd_stop(&crierd);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("faults");
    TCase *c = add_case(s, "faults");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_loop_test(c, nothing_is_lost, 0, 2);
    return s;
}

RUN_SUITE(suite)
