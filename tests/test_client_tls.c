/*
 * A client over TLS, with a stream of libcrier: which certificates it trusts, and that
 * it receives everything.
 */
#include <config.h>

#include "crier_client.h"
#include "support/certificate.h"
#include "support/client.h"
#include "support/runner.h"
#include "support/scratch.h"
#include "support/site.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#define LONG 3000000

static struct site site;
static struct crier_client *client;
static struct crier_client_options options;
static char url[64], file[128];

/* A stream with one short and one long event, which then ends. */
static enum MHD_Result answer(struct site *of,
                              struct MHD_Connection *connection,
                              const char *path)
{
    const struct crier_stream_options stream_options = {
        .max_pending = 2 * LONG, .keep_alive = CRIER_NEVER};
    struct MHD_Response *response;
    struct crier_stream *stream;
    struct crier_frame *frame;
    char *text = malloc(LONG + 1);
    int i;

    (void)path;
    memset(text, 'x', LONG);
    text[LONG] = '\0';
    ck_assert_int_eq(crier_stream_new(of->shards, connection, &stream_options,
                                      &stream, &response),
                     0);
    for (i = 0; i < 2; i++) {
        frame = frame_of(i == 0 ? "short" : text);
        ck_assert_int_eq(crier_stream_send(stream, frame), 0);
        crier_frame_unref(frame);
    }
    crier_stream_close(stream);
    crier_stream_unref(stream);
    free(text);
    return site_queue(connection, response);
}

static void setup(void)
{
    FILE *pem;

    scratch_make();
    snprintf(file, sizeof file, "%s/certificate.pem", scratch);
    pem = fopen(file, "w");
    fputs(certificate, pem);
    fclose(pem);
    site = (struct site){
        .answer = answer, .key = key, .certificate = certificate};
    site_start(&site, NULL);
    snprintf(url, sizeof url, "https://localhost:%d/", site.port);
    options = (struct crier_client_options){.url = url, .retry = 100};
}

static void teardown(void)
{
    crier_client_free(client);
    site_stop(&site);
    scratch_remove();
}

static void next(struct crier_message *message)
{
    struct pollfd poller = {.fd = crier_client_fd(client), .events = POLLIN};

    while (crier_client_next(client, message) == 0)
        ck_assert_int_eq(poll(&poller, 1, PATIENCE), 1);
}

static void expect_all(void)
{
    struct crier_message message;

    ck_assert_int_eq(crier_client_new(&options, &client), 0);
    next(&message);
    ck_assert_str_eq(message.reason, "");
    ck_assert_int_eq(message.kind, CRIER_OPEN);
    next(&message);
    ck_assert_int_eq(message.kind, CRIER_COMMENT); /* a stream begins with one */
    next(&message);
    ck_assert_str_eq(message.data, "short");
    next(&message);
    ck_assert_int_eq(message.kind, CRIER_EVENT);
    ck_assert_uint_eq(message.length, LONG);
    ck_assert_uint_eq(strspn(message.data, "x"), LONG);
    next(&message);
    ck_assert_int_eq(message.kind, CRIER_ERROR);
    ck_assert_int_eq(message.error, CRIER_ERR_ENDED);
}

static void expect_refusal(enum crier_kind kind)
{
    struct crier_message message;

    ck_assert_int_eq(crier_client_new(&options, &client), 0);
    next(&message);
    ck_assert_int_eq(message.kind, kind);
    ck_assert_int_eq(message.error, CRIER_ERR_CERTIFICATE);
    ck_assert_int_eq(message.status, 0);
    ck_assert_str_ne(message.reason, "");
}

START_TEST(who_is_trusted)
{
    options.http.ca_file = file;
    expect_all();
}
END_TEST

START_TEST(who_is_not)
{
    expect_refusal(CRIER_CLOSED);
}
END_TEST

START_TEST(who_is_not_but_may_be_some_day)
{
    options.persist = true;
    expect_refusal(CRIER_ERROR);
}
END_TEST

START_TEST(another_name)
{
    snprintf(url, sizeof url, "https://127.0.0.1:%d/", site.port);
    options.http.ca_file = file;
    expect_refusal(CRIER_CLOSED);
}
END_TEST

START_TEST(anybody)
{
    snprintf(url, sizeof url, "https://127.0.0.1:%d/", site.port);
    options.http.insecure = true;
    expect_all();
}
END_TEST

START_TEST(a_file_that_is_not_there)
{
    options.http.ca_file = "/nowhere/ca.pem";
    options.persist = true; /* which cannot help */
    expect_refusal(CRIER_CLOSED);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("client over TLS");
    TCase *c = add_case(s, "trust");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, who_is_trusted);
    tcase_add_test(c, who_is_not);
    tcase_add_test(c, who_is_not_but_may_be_some_day);
    tcase_add_test(c, another_name);
    tcase_add_test(c, anybody);
    tcase_add_test(c, a_file_that_is_not_there);
    return s;
}

RUN_SUITE_IF(suite, MHD_is_feature_supported(MHD_FEATURE_TLS) == MHD_YES,
             "a libmicrohttpd without TLS")
