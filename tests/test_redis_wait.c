/* A crierd that acknowledges an update only when a replica has it, of a Redis that has none:
 * publishing fails with the reason, /healthz says so, and the connection to Redis stays. */
#include <config.h>

#include "crier.h"
#include "support/client.h"
#include "support/crierd.h"
#include "support/redis_server.h"
#include "support/runner.h"
#include "support/topics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As many batches as may be on their way at a time: redis.h. */
#define PUBLISHERS 4

static struct redis_server redis;
static struct crierd crierd;

static void setup(void)
{
    char options[256], *url;

    redis_start(&redis, &(struct redis_options){.tcp = true});
    url = redis_url(&redis);
    /* The batches wait for their replicas one after another, all for 4/5 of the timeout,
     * which is longer than a script is given; a fifth is left to a busy Redis. */
    snprintf(options, sizeof options, "--journal %s?wait=1&timeout=15s", url);
    free(url);
    crierd_start(&crierd, options);
    topics_port = crierd.port;
}

static void teardown(void)
{
    crierd_stop(&crierd);
    redis_remove(&redis);
}

/* The value of the metric NAME. */
static int read_metric(const char *name)
{
    char line[128], *text, *at;
    int value;

    snprintf(line, sizeof line, "\n%s ", name);
    ck_assert_int_eq(fetch(crierd.port, "GET", "/metrics", "", NULL, &text), 200);
    at = strstr(text, line);
    ck_assert_msg(at != NULL, "no %s", name);
    value = atoi(at + strlen(line));
    free(text);
    return value;
}

START_TEST(too_few_replicas)
{
    struct client publishers[PUBLISHERS], other;
    char *body;
    uint64_t until;
    int i, connects = read_metric("crier_journal_connects_total");

    for (i = 0; i < PUBLISHERS; i++) {
        client_connect(&publishers[i], crierd.port);
        client_send(&publishers[i], "POST /topics/a HTTP/1.1\r\nHost: a\r\n"
                                    "Content-Length: 1\r\n\r\nx");
        /* It is to be in a batch of its own, while those before wait. */
        until = crier_now() + 300;
        while (read_metric("crier_journal_batches") < i + 1 && crier_now() < until)
            ;
    }
    /* A deletion is behind them all. */
    client_connect(&other, crierd.port);
    client_send(&other, "DELETE /topics/b HTTP/1.1\r\nHost: a\r\n\r\n");
    for (i = 0; i < PUBLISHERS; i++) {
        ck_assert_int_eq(client_head(&publishers[i]), 503);
        body = client_body(&publishers[i]);
        ck_assert_msg(strstr(body, "0 of 1 replicas") != NULL, "%s", body);
        free(body);
        client_close(&publishers[i]);
    }
    ck_assert_int_eq(client_head(&other), 404);
    client_close(&other);
    ck_assert_int_eq(read_metric("crier_journal_connects_total"), connects);
    ck_assert_int_eq(fetch(crierd.port, "GET", "/healthz", "", NULL, &body), 200);
    ck_assert_msg(strstr(body, "degraded") != NULL, "%s", body);
    ck_assert_msg(strstr(body, "0 of 1 replicas") != NULL, "%s", body);
    free(body);
}
END_TEST

START_TEST(a_replica_comes)
{
    struct redis_server replica;
    char *body;

    ck_assert_int_eq(fetch(crierd.port, "POST", "/topics/a", "", "x", NULL), 503);
    redis_start(&replica, &(struct redis_options){.tcp = true, .replica_of = &redis});
    while (fetch(crierd.port, "POST", "/topics/a", "", "x", NULL) != 200)
        ; /* each attempt waits for a replica; check's timeout ends a failing test */
    ck_assert_int_eq(fetch(crierd.port, "GET", "/healthz", "", NULL, &body), 200);
    ck_assert_msg(strstr(body, "\"status\":\"ok\"") != NULL, "%s", body);
    free(body);
    redis_remove(&replica);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("redis_wait");
    TCase *c = add_case(s, "redis_wait");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, too_few_replicas);
    tcase_add_test(c, a_replica_comes);
    return s;
}

RUN_SUITE(suite)
