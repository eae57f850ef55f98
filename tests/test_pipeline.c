/*
 * Publishers with a connection of their own: many requests in flight, answered by a
 * pipeline (pipeline.c) as libmicrohttpd would answer them, and in order; with a journal
 * in memory and with one in a file. A request with the field "Trailer" is one that no
 * pipeline takes, and means nothing else to crierd.
 */
#include <config.h>

#include "support/fixture.h"
#include "support/client.h"
#include "support/runner.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#define OTHER "Trailer: x\r\n"
#define MANY 500

/* Appends a request to REQUESTS, a string. */
static void add(char **requests, const char *target, const char *headers,
                const char *body)
{
    char *more;
    int length = asprintf(&more,
                          "%sPOST %s HTTP/1.1\r\nHost: a\r\n%s"
                          "Content-Length: %zu\r\n\r\n%s",
                          *requests != NULL ? *requests : "", target, headers,
                          strlen(body), body);

    ck_assert_int_ge(length, 0);
    free(*requests);
    *requests = more;
}

static void send_off(struct client *client, char **requests)
{
    client_send_bytes(client, *requests, strlen(*requests));
    free(*requests);
    *requests = NULL;
}

/* Reads a response, which must have STATUS; returns its JSON, new. */
static json_t *answer(struct client *client, int status)
{
    int got = client_head(client);
    char *body = client_body(client);
    json_t *json = json_loads(body, 0, NULL);

    ck_assert_msg(got == status, "%d: %s", got, body);
    ck_assert_msg(json != NULL, "%s", body);
    free(body);
    return json;
}

/* Reads the response to a publish; its position must be POSITION. */
static void expect_published(struct client *client, json_int_t position)
{
    json_t *json = answer(client, 200);

    ck_assert_int_eq(json_number(json, "position"), position);
    json_decref(json);
}

static void expect_refused(struct client *client, int status)
{
    json_decref(answer(client, status));
}

/* ---- the same answers ------------------------------------------------- */

static const struct {
    const char *target, *headers, *body;
    int status;
} requests[] = {
    {"/topics/x", "", "hello", 200},
    {"/topics/x", "", "", 200},
    {"/topics/x", "", "two\nlines\r\nand\rmore", 200},
    {"/topics/x,y,z", "User-Agent: me\r\nAccept: */*\r\n", "x", 200},
    {"/topics/a/b%20c?event=e%20f&retry=7", "", "x", 200},
    {"/topics/%C3%A4%22", "", "x", 200},
    {"/topics/x", "Event-Type: e\r\nEvent-Retry: 5\r\n", "x", 200},
    {"/topics/x", "Content-Type: application/json\r\n", "{ \"a\" : [1] }",
     200},
    {"/topics/x", "Content-Type: application/json\r\n", "{", 400},
    {"/topics/x", "", "\xff", 400},
    {"/topics/x%", "", "x", 400},
    {"/topics/%00", "", "x", 400},
    {"/topics/", "", "x", 404},
    {"/topics/*", "", "x", 400},
    {"/topics/$x", "", "x", 403},
    {"/topics/x", "Event-Retry: no\r\n", "x", 400},
    {"/topics/x?id=%0A", "", "x", 400},
    {"/topics/x", "Origin: http://b\r\n", "x", 403},
    {"/topics/x", "Sec-Fetch-Site: cross-site\r\n", "x", 403},
    {"/topics/x", "Sec-Fetch-Site: same-origin\r\n", "x", 200},
};

#define REQUESTS (sizeof requests / sizeof requests[0])

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Returns, in new memory, the status, the header lines in alphabetical order without
 * Date and Connection (libmicrohttpd closes the connection when it refuses a request
 * before its body is read), and the body with the journal's numbers replaced. */
static char *canonical(struct client *client)
{
    char *lines[32], *at, *all, *body, *line, head[sizeof client->head];
    char *rest = head;
    size_t count = 0, size, i;
    FILE *out = open_memstream(&all, &size);

    client_head(client);
    memcpy(head, client->head, sizeof head);
    while ((line = strtok_r(rest, "\r\n", &rest)) != NULL && count < 32)
        if (strncasecmp(line, "Date:", 5) != 0 &&
            strncasecmp(line, "Connection:", 11) != 0)
            lines[count++] = line;
    qsort(lines + 1, count - 1, sizeof lines[0], compare);
    body = client_body(client);
    for (at = body; (at = strpbrk(at, "0123456789")) != NULL; at++)
        *at = '9';
    if ((at = strstr(body, "\"id\":\"#")) != NULL)
        memset(at, '9', strcspn(at, ","));
    for (i = 0; i < count; i++)
        fprintf(out, "%s\n", lines[i]);
    fprintf(out, "%s\n", body);
    fclose(out);
    free(body);
    return all;
}

START_TEST(a_pipeline_answers_like_libmicrohttpd)
{
    struct client pipeline, other;
    char *in_pipeline = NULL, *elsewhere = NULL, *headers, *a, *b;

    client_connect(&pipeline, crierd.port);
    client_connect(&other, crierd.port);
    ck_assert_int_ge(asprintf(&headers, "%s" OTHER, requests[_i].headers), 0);
    add(&in_pipeline, requests[_i].target, requests[_i].headers,
        requests[_i].body);
    add(&elsewhere, requests[_i].target, headers, requests[_i].body);
    send_off(&pipeline, &in_pipeline);
    a = canonical(&pipeline);
    send_off(&other, &elsewhere);
    b = canonical(&other);
    ck_assert_int_eq(atoi(strchr(a, ' ')), requests[_i].status);
    ck_assert_str_eq(a, b);
    free(a);
    free(b);
    free(headers);
    client_close(&pipeline);
    client_close(&other);
}
END_TEST

/* ---- many requests ---------------------------------------------------- */

/* As many as fit into the requests' positions, and each published once. */
static void expect_all(int count)
{
    char target[64], *held, *at;
    int i;

    snprintf(target, sizeof target, "/topics/x?poll=1&format=raw");
    held = topics_get(target, "");
    for (at = held, i = 0; i < count; i++) {
        ck_assert_int_eq(strtol(at, &at, 10), i);
        ck_assert_int_eq(*at++, '\n');
    }
    ck_assert_str_eq(at, "");
    free(held);
}

static void add_many(char **all, const char *target, int count)
{
    size_t size;
    FILE *out = open_memstream(all, &size);
    int i;

    for (i = 0; i < count; i++)
        fprintf(out,
                "POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n%05d",
                target, i);
    fclose(out);
}

START_TEST(answers_come_in_order)
{
    struct client client;
    char *all;
    int i;

    client_connect(&client, crierd.port);
    add_many(&all, "/topics/x", MANY);
    send_off(&client, &all);
    for (i = 1; i <= MANY; i++)
        expect_published(&client, i);
    client_close(&client);
    expect_all(MANY);
}
END_TEST

START_TEST(mistakes_are_answered_in_their_turn)
{
    struct client client;
    char *all = NULL;

    client_connect(&client, crierd.port);
    add(&all, "/topics/x", "", "1");
    add(&all, "/topics/$x", "", "2");
    add(&all, "/topics/x", "", "3");
    add(&all, "/topics/x", "", "\xff");
    add(&all, "/topics/x?id=me", "", "4");
    add(&all, "/topics/x?id=me", "", "5");
    add(&all, "/topics/x?id=me&dedupe=1", "", "6");
    add(&all, "/topics/x", "", "7");
    send_off(&client, &all);
    expect_published(&client, 1);
    expect_refused(&client, 403);
    expect_published(&client, 2);
    expect_refused(&client, 400);
    expect_published(&client, 3);
    expect_refused(&client, 409);
    expect_published(&client, 3);
    expect_published(&client, 4);
    client_close(&client);
    topics_hold("/topics/x?poll=1", "", "1 3 4 7 ");
}
END_TEST

START_TEST(byte_by_byte)
{
    struct client client;
    char *all = NULL, *at;

    client_connect(&client, crierd.port);
    add(&all, "/topics/x", "Event-Type: e\r\n", "one");
    add(&all, "/topics/x", "", "two");
    for (at = all; *at != '\0'; at++)
        client_send_bytes(&client, at, 1);
    free(all);
    expect_published(&client, 1);
    expect_published(&client, 2);
    client_close(&client);
}
END_TEST

/* A request that is not plain is answered after those before it, and libmicrohttpd has
 * the connection from then on. */
START_TEST(other_requests_have_their_turn)
{
    struct client client;
    json_t *json;
    char *all = NULL;

    client_connect(&client, crierd.port);
    add(&all, "/topics/x", "", "1");
    add(&all, "/topics/x", "", "2");
    add(&all, "/topics/x", OTHER, "3");
    add(&all, "/topics/x", "", "4");
    send_off(&client, &all);
    client_send(&client, "GET /topics/x HTTP/1.1\r\nHost: a\r\n"
                         "Accept: application/json\r\n\r\n"
                         "GET /topics/x?since=all HTTP/1.1\r\nHost: a\r\n\r\n");
    for (int i = 1; i <= 4; i++)
        expect_published(&client, i);
    json = answer(&client, 200);
    ck_assert_str_eq(json_text(json, "topic"), "x");
    json_decref(json);
    ck_assert_int_eq(client_head(&client), 200);
    client_expect_event(&client, "data: 1");
    client_expect_event(&client, "data: 2");
    client_expect_event(&client, "data: 3");
    client_expect_event(&client, "data: 4");
    client_close(&client);
}
END_TEST

START_TEST(who_ends_its_sending_half_gets_all_answers)
{
    struct client client;
    char *all;
    int i;

    client_connect(&client, crierd.port);
    add_many(&all, "/topics/x", MANY);
    send_off(&client, &all);
    client_send(&client, "POST /topics/x HTTP/1.1\r\nHo"); /* no whole one */
    shutdown(client.fd, SHUT_WR);
    for (i = 1; i <= MANY; i++)
        expect_published(&client, i);
    ck_assert_ptr_null(client_line(&client));
    client_close(&client);
    expect_all(MANY);
}
END_TEST

/* A client that closes the connection without waiting for the responses harms nobody,
 * and the updates up to some point are published. */
START_TEST(who_goes_early)
{
    struct client client;
    char *all, *held, *at, target[64];
    int i, n;

    for (i = 0; i < 20; i++) {
        client_connect(&client, crierd.port);
        snprintf(target, sizeof target, "/topics/%02d", i);
        add_many(&all, target, MANY);
        send_off(&client, &all);
        if (i % 2 == 0)
            json_decref(answer(&client, 200));
        client_reset(&client);
    }
    topics_put("/topics/y", "still there");
    for (i = 0; i < 20; i++) {
        snprintf(target, sizeof target, "/topics/%02d?poll=1&format=raw", i);
        held = topics_get(target, "");
        for (at = held, n = 0; *at != '\0'; at += 6, n++)
            ck_assert_int_eq(strtol(at, NULL, 10), n);
        ck_assert(i % 2 == 1 || n > 0);
        free(held);
    }
}
END_TEST

/* Whether nothing can be sent for a while. */
static bool stands_still(struct client *client)
{
    struct pollfd wanted = {.fd = client->fd, .events = POLLOUT};

    return poll(&wanted, 1, 300) == 0;
}

/* Responses that the client does not read are not kept without end: the pipeline stops
 * reading, other connections are served, and every response is there once it is read. */
START_TEST(a_client_that_does_not_read_waits)
{
    static const char request[] = "POST /topics/x HTTP/1.1\r\nHost: a\r\n"
                                  "Content-Length: 1\r\n\r\nx";
    struct client client;
    int small = 64 * 1024;
    long sent = 0, i;
    size_t part = 0;
    ssize_t got;

    client_connect_small(&client, crierd.port, small);
    setsockopt(client.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    do {
        got = send(client.fd, request + part, sizeof request - 1 - part,
                   MSG_DONTWAIT | MSG_NOSIGNAL);
        part += got > 0 ? (size_t)got : 0;
        sent += part == sizeof request - 1;
        part %= sizeof request - 1;
        ck_assert_int_lt(sent, 100000);
        if (got < 0)
            topics_put("/topics/y", "others are served");
    } while (got > 0 || !stands_still(&client));
    for (i = 0; i < sent; i++)
        json_decref(answer(&client, 200));
    client_close(&client);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("pipeline");
    TCase *c;
    int i;

    for (i = 0; i < 2; i++) {
        c = add_case(s, i == 0 ? "memory" : "sqlite");
        tcase_add_checked_fixture(c, i == 0 ? fixture_memory : fixture_file,
                                  fixture_end);
        tcase_add_loop_test(c, a_pipeline_answers_like_libmicrohttpd, 0,
                            (int)REQUESTS);
        tcase_add_test(c, answers_come_in_order);
        tcase_add_test(c, mistakes_are_answered_in_their_turn);
        tcase_add_test(c, byte_by_byte);
        tcase_add_test(c, other_requests_have_their_turn);
        tcase_add_test(c, who_ends_its_sending_half_gets_all_answers);
        tcase_add_test(c, who_goes_early);
        tcase_add_test(c, a_client_that_does_not_read_waits);
    }
    return s;
}

RUN_SUITE(suite)
