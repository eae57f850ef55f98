/*
 * Many clients: each receives every broadcast, once, in order, while others connect and
 * leave. Ten thousand of them, or as many as the open-file limit allows, or a tenth of
 * that with a sanitizer.
 */
#include <config.h>

#include "crierd/net/descriptors.h"
#include "support/client.h"
#include "support/crierd.h"
#include "support/runner.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define CLIENTS 10000
#define BROADCASTS 100

static struct crierd crierd;
static atomic_bool churning;

static size_t how_many(void)
{
    size_t limit = descriptors_raise_limit();
    size_t clients = crierd_is_slow() ? CLIENTS / 10 : CLIENTS;

    if (limit < clients + clients / 4 + 200) {
        clients = (limit - 200) / 5 * 4;
        printf("The open-file limit of %zu allows %zu clients only.\n", limit, clients);
    }
    return clients;
}

/* Clients that connect and leave all the time. */
static void *churn(void *unused)
{
    struct client client;

    (void)unused;
    while (atomic_load(&churning)) {
        client_connect(&client, crierd.port);
        ck_assert_int_eq(client_request(&client, "GET", "/events", "", NULL),
                         200);
        client_expect(&client, "data: connected");
        client_reset(&client);
    }
    return NULL;
}

/* COUNT clients that follow /events and have been greeted. To be freed. */
static struct client *connect_all(size_t count)
{
    struct client *clients = calloc(count, sizeof *clients);
    size_t i;

    for (i = 0; i < count; i++) {
        client_connect(&clients[i], crierd.port);
        client_send(&clients[i],
                    "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n");
    }
    for (i = 0; i < count; i++) {
        ck_assert_int_eq(client_head(&clients[i]), 200);
        client_expect(&clients[i], "data: connected");
    }
    return clients;
}

START_TEST(each_hears_everything)
{
    struct client *clients, publisher;
    size_t count = how_many(), i;
    char text[128];
    pthread_t thread;
    int n;

    crierd_start(&crierd, "");
    clients = connect_all(count);
    atomic_store(&churning, true);
    pthread_create(&thread, NULL, churn, NULL);
    client_connect(&publisher, crierd.port);
    for (n = 0; n < BROADCASTS; n++) {
        snprintf(text, sizeof text, "%d of many, and some more text", n);
        ck_assert_int_eq(
            client_request(&publisher, "POST", "/events", "", text), 200);
        free(client_body(&publisher));
    }
    for (i = 0; i < count; i++)
        for (n = 0; n < BROADCASTS; n++) {
            snprintf(text, sizeof text, "data: %d of many, and some more text",
                     n);
            client_expect_event(&clients[i], text);
        }
    atomic_store(&churning, false);
    pthread_join(thread, NULL);
    client_close(&publisher);
    for (i = 0; i < count; i++)
        client_reset(&clients[i]);
    free(clients);
    crierd_stop(&crierd);
}
END_TEST

/* As many streams end in time at a graceful shutdown. */
START_TEST(each_is_told_goodbye)
{
    size_t count = how_many() / 2, i;
    struct client *clients;

    crierd_start(&crierd, "");
    clients = connect_all(count);
    crierd_stop(&crierd);
    for (i = 0; i < count; i++) {
        free(client_until(&clients[i], "retry: "));
        ck_assert_ptr_null(client_frame(&clients[i]));
        client_close(&clients[i]);
    }
    free(clients);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("many");
    TCase *c = add_case(s, "many");

    tcase_add_test(c, each_hears_everything);
    tcase_add_test(c, each_is_told_goodbye);
    return s;
}

RUN_SUITE(suite)
