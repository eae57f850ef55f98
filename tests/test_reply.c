/* The reply builder: a finite list of events as one response. */
#include <config.h>

#include "support/client.h"
#include "support/oom.h"
#include "support/runner.h"
#include "support/site.h"

#include <errno.h>
#include <string.h>

static void add(struct crier_reply *reply, const char *type, const char *text)
{
    struct crier_event *event = crier_event_new();

    ck_assert_ptr_nonnull(event);
    if (type != NULL)
        crier_event_type(event, type);
    crier_event_text(event, text);
    ck_assert_int_eq(crier_reply_add(reply, event), 0);
    crier_event_free(event);
}

static enum MHD_Result answer(struct site *site,
                              struct MHD_Connection *connection,
                              const char *path)
{
    struct MHD_Response *response;

    (void)path;
    ck_assert_int_eq(crier_reply_response(site->closure, &response), 0);
    return site_queue(connection, response);
}

START_TEST(a_complete_response)
{
    struct crier_reply *reply = crier_reply_new();
    struct site site = {.answer = answer, .closure = reply};
    struct client client;
    char *body;
    int i;

    ck_assert_ptr_nonnull(reply);
    site_start(&site, NULL);
    add(reply, "connected", "ready");
    add(reply, NULL, "two\nlines");
    client_connect(&client, site.port);
    for (i = 0; i < 2; i++) { /* the same reply answers many */
        ck_assert_int_eq(client_request(&client, "GET", "/", "", NULL), 200);
        ck_assert_str_eq(client_header(&client, "Content-Type"),
                         "text/event-stream");
        ck_assert_str_eq(client_header(&client, "Cache-Control"),
                     "no-cache, no-transform");
        ck_assert_str_eq(client_header(&client, "X-Accel-Buffering"), "no");
        ck_assert_str_eq(client_header(&client, "Content-Length"), "53");
        body = client_body(&client);
        ck_assert_str_eq(body, "event: connected\ndata: ready\n\n"
                               "data: two\ndata: lines\n\n");
        free(body);
    }
    client_close(&client);
    site_stop(&site);
    crier_reply_free(reply);
}
END_TEST

START_TEST(an_empty_one)
{
    struct crier_reply *reply = crier_reply_new();
    struct site site = {.answer = answer, .closure = reply};
    char *body;

    ck_assert_ptr_nonnull(reply);
    site_start(&site, NULL);
    ck_assert_int_eq(fetch(site.port, "GET", "/", "", NULL, &body), 200);
    ck_assert_str_eq(body, "");
    free(body);
    site_stop(&site);
    crier_reply_free(reply);
}
END_TEST

START_TEST(a_refused_event_leaves_it_as_it_was)
{
    struct crier_reply *reply = crier_reply_new();
    struct crier_event *event = crier_event_new();
    struct site site = {.answer = answer, .closure = reply};
    char *body, *large = malloc(9 * 1024 * 1024);

    ck_assert_ptr_nonnull(reply);
    ck_assert_ptr_nonnull(event);
    add(reply, NULL, "kept");
    ck_assert_int_eq(crier_reply_add(reply, event), CRIER_ERR_EMPTY);
    crier_event_text(event, "\xff");
    ck_assert_int_eq(crier_reply_add(reply, event), CRIER_ERR_UTF8);
    crier_event_reset(event);
    memset(large, 'x', 9 * 1024 * 1024);
    crier_event_data(event, large, 9 * 1024 * 1024);
    ck_assert_int_eq(crier_reply_add(reply, event), 0);
    ck_assert_int_eq(crier_reply_add(reply, event), CRIER_ERR_FRAME_SIZE);
    crier_event_free(event);
    free(large);

    site_start(&site, NULL);
    ck_assert_int_eq(fetch(site.port, "GET", "/", "", NULL, &body), 200);
    ck_assert_uint_eq(strlen(body), 12 + 8 + 9 * 1024 * 1024);
    free(body);
    site_stop(&site);
    crier_reply_free(reply);
}
END_TEST

START_TEST(short_memory)
{
    struct crier_event *event = crier_event_new();
    long n;
    int error = -1;

    ck_assert_ptr_nonnull(event);
    ck_assert_int_eq(crier_event_text(event, "text"), 0);
    for (n = 1; error != 0; n++) {
        struct crier_reply *reply;

        ck_assert_int_lt(n, 100);
        oom_after(n);
        reply = crier_reply_new();
        error = reply != NULL ? crier_reply_add(reply, event) : -ENOMEM;
        oom_never();
        ck_assert(error == 0 || error == -ENOMEM);
        crier_reply_free(reply);
    }
    ck_assert_int_gt(n, 2);
    crier_event_free(event);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("reply");
    TCase *c = add_case(s, "reply");

    tcase_add_test(c, a_complete_response);
    tcase_add_test(c, an_empty_one);
    tcase_add_test(c, a_refused_event_leaves_it_as_it_was);
    tcase_add_test(c, short_memory);
    return s;
}

RUN_SUITE(suite)
