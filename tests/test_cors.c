/* Pages of other origins: what --cors-origin and --publish-origin let them read and do,
 * end to end, by both carriers. Requests without a token only; for those with one see
 * test_policy.c. */
#include <config.h>

#include "crier.h"
#include "support/client.h"
#include "support/crierd.h"
#include "support/runner.h"
#include "support/scratch.h"
#include "support/topics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRIEND "Origin: https://friend.example\r\n"
#define STRANGER "Origin: https://stranger.example\r\n"
#define FOREIGN "Sec-Fetch-Site: cross-site\r\n"

/* As long as an origin may be that is named. */
#define SIXTY "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx."
#define LONG "https://" SIXTY SIXTY SIXTY "example"

static struct crierd crierd;

static void setup_named(void)
{
    crierd_start(&crierd, "--cors-origin https://friend.example "
                          "--cors-origin " LONG " "
                          "--publish-origin https://publisher.example");
}

static void setup_any(void)
{
    crierd_start(&crierd, "--cors-origin *");
}

static void setup_both(void)
{
    crierd_start(&crierd,
                 "--cors-origin * --cors-origin https://friend.example "
                 "--presence room");
}

static void setup_file(void)
{
    char options[256];

    scratch_make();
    snprintf(options, sizeof options,
             "--journal sqlite:%s/journal --cors-origin https://friend.example "
             "--publish-origin https://friend.example",
             scratch);
    crierd_start(&crierd, options);
}

static void teardown_file(void)
{
    crierd_stop(&crierd);
    scratch_remove();
}

static void setup_none(void)
{
    crierd_start(&crierd, "");
}

static void teardown(void)
{
    crierd_stop(&crierd);
}

/* Fails unless the last response lets a page read it: ORIGIN is what
 * Access-Control-Allow-Origin says. "" for none. */
static void expect_fields(struct client *client, const char *origin,
                          const char *credentials, const char *vary)
{
    ck_assert_str_eq(client_header(client, "Access-Control-Allow-Origin"),
                     origin);
    ck_assert_str_eq(client_header(client, "Access-Control-Allow-Credentials"),
                     credentials);
    ck_assert_str_eq(client_header(client, "Vary"), vary);
}

/* Everything that can be asked, with the status of the response to a stranger who asks
 * for it without a page. */
static const struct {
    const char *method, *target, *headers, *body;
    int status;
    bool stream;
} requests[] = {
    {"GET", "/healthz", "", NULL, 200, false},
    {"GET", "/", "", NULL, 200, false},
    {"GET", "/nothing/here", "", NULL, 404, false},
    {"PUT", "/topics/a", "", NULL, 405, false},
    {"GET", "/topics/%", "", NULL, 400, false},
    {"GET", "/topics", "", NULL, 200, false},
    {"GET", "/topics/a?format=x", "", NULL, 400, false},
    {"GET", "/topics/a", "", NULL, 200, true},
    {"GET", "/topics/a?format=json", "", NULL, 200, true},
    {"GET", "/topics/none", "Accept: application/json\r\n", NULL, 404, false},
    {"GET", "/topics/a?poll=1", "", NULL, 200, true},
    {"GET", "/ticks", "", NULL, 200, true},
    {"GET", "/updates", "", NULL, 200, false},
    {"GET", "/topics/a", "Authorization: Bearer\r\n", NULL, 400, false},
    {"GET", "/topics/a", "Authorization: Bearer x\r\n", NULL, 401, false},
    {"POST", "/topics/a", "Authorization: Bearer x\r\n", "x", 401, false},
    {"POST", "/topics/a", "Content-Type: text/event-stream\r\n", "x", 400, false},
};

#define REQUESTS (int)(sizeof requests / sizeof requests[0])

/* Sends request NUMBER with ORIGIN as well, and reads the head of the response. */
static void ask(struct client *client, int number, const char *origin, int status)
{
    char headers[512];

    snprintf(headers, sizeof headers, "%s%s", requests[number].headers, origin);
    client_connect(client, crierd.port);
    ck_assert_int_eq(client_request(client, requests[number].method,
                                    requests[number].target, headers,
                                    requests[number].body),
                     status);
}

/* The status of request NUMBER from a foreign page. */
static int status_of(int number)
{
    bool allowed = strstr(requests[number].headers, "Bearer") != NULL;

    return requests[number].body != NULL && !allowed ? 403
                                                     : requests[number].status;
}

START_TEST(a_named_origin_reads_everything)
{
    struct client client;

    ask(&client, _i, FRIEND, status_of(_i));
    expect_fields(&client, "https://friend.example", "true", "Origin");
    ck_assert_str_eq(
        client_header(&client, "Access-Control-Expose-Headers"),
        requests[_i].stream
            ? "Last-Event-ID, Mercure-Last-Event-ID"
            : "Allow, Last-Event-ID, Link, Location, Retry-After, "
              "WWW-Authenticate");
    client_close(&client);
}
END_TEST

START_TEST(no_other_origin_reads_anything)
{
    const char *const others[] = {
        STRANGER,
        "Origin: http://friend.example\r\n",
        "Origin: https://friend.example:444\r\n",
        "Origin: https://friend.example.evil.example\r\n",
        "Origin: https://evil-friend.example\r\n",
        "Origin: https://friend.example/\r\n",
        "Origin: null\r\n",
        "Origin: *\r\n",
        "Origin: \r\n",
        "",
    };
    struct client client;
    size_t i;

    for (i = 0; i < sizeof others / sizeof others[0]; i++) {
        bool page = others[i][0] != '\0' && requests[_i].body != NULL;
        /* A token that a page presents does not help where its origin is not named. */
        int status = page ? 403 : requests[_i].status;

        ask(&client, _i, others[i], status);
        expect_fields(&client, "", "", "Origin");
        client_close(&client);
    }
}
END_TEST

START_TEST(without_the_option_there_are_no_fields)
{
    struct client client;

    ask(&client, _i, FRIEND,
        requests[_i].body != NULL ? 403 : requests[_i].status);
    expect_fields(&client, "", "", "");
    ck_assert_ptr_null(strstr(client.head, "Access-Control"));
    client_close(&client);
}
END_TEST

START_TEST(all_origins_read_without_credentials)
{
    struct client client;

    ask(&client, _i, STRANGER, status_of(_i));
    expect_fields(&client, "*", "", "");
    client_close(&client);
    ask(&client, _i, "Origin: null\r\n", status_of(_i));
    expect_fields(&client, "*", "", "");
    client_close(&client);
}
END_TEST

START_TEST(a_named_origin_among_all_has_credentials)
{
    struct client client;

    ask(&client, 0, STRANGER, 200);
    expect_fields(&client, "*", "", "Origin");
    client_close(&client);
    ask(&client, 0, FRIEND, 200);
    expect_fields(&client, "https://friend.example", "true", "Origin");
    client_close(&client);
}
END_TEST

/* ---- OPTIONS ----------------------------------------------------------- */

static const struct {
    const char *target, *asked, *methods, *headers;
} preflights[] = {
    {"/topics/a", "authorization,content-type",
     "POST, GET, HEAD, DELETE, OPTIONS", "Authorization, Content-Type"},
    {"/topics/a", "last-event-id, cache-control", "", "Last-Event-ID, Cache-Control"},
    {"/topics/a", "x-evil,event-id,EVENT-ID,, event-type,event-retry", "",
     "Event-ID, Event-Type, Event-Retry"},
    {"/topics/a", "x-evil", "", ""},
    {"/topics", "authorization", "GET, HEAD, OPTIONS", "Authorization"},
    {"/healthz", "if-none-match", "GET, HEAD, OPTIONS", "If-None-Match"},
    {"/events", "", "GET, HEAD, POST, OPTIONS", ""},
    {"/index.html", "accept", "GET, HEAD, OPTIONS", "Accept"},
};

static void ask_preflight(struct client *client, int i, const char *origin)
{
    char headers[512];

    snprintf(headers, sizeof headers,
             "%sAccess-Control-Request-Method: POST\r\n"
             "Access-Control-Request-Headers: %s\r\n",
             origin, preflights[i].asked);
    client_connect(client, crierd.port);
    ck_assert_int_eq(client_request(client, "OPTIONS", preflights[i].target,
                                    headers, NULL),
                     204);
}

START_TEST(a_page_asks_before_it_sends)
{
    const char *const asked[] = {FRIEND, STRANGER};
    struct client client;
    const char *methods;
    int friend;

    for (friend = 0; friend < 2; friend++) {
        ask_preflight(&client, _i, asked[friend]);
        expect_fields(&client, friend == 0 ? "https://friend.example" : "",
                      friend == 0 ? "true" : "", "Origin");
        methods = client_header(&client, "Access-Control-Allow-Methods");
        ck_assert_str_eq(methods,
                         friend == 0 ? client_header(&client, "Allow") : "");
        ck_assert_str_eq(client_header(&client, "Access-Control-Allow-Headers"),
                         friend == 0 ? preflights[_i].headers : "");
        ck_assert_str_eq(client_header(&client, "Access-Control-Max-Age"),
                         friend == 0 ? "7200" : "");
        client_close(&client);
    }
}
END_TEST

START_TEST(options_without_a_page_are_as_before)
{
    struct client client;

    client_connect(&client, crierd.port);
    ck_assert_int_eq(client_request(&client, "OPTIONS", "/topics/a", FRIEND, NULL),
                     204);
    ck_assert_str_eq(client_header(&client, "Access-Control-Allow-Methods"), "");
    ck_assert_str_eq(client_header(&client, "Access-Control-Max-Age"), "");
    client_close(&client);
}
END_TEST

/* ---- what pages may change --------------------------------------------- */

static int publish_from(const char *origin, const char *more)
{
    char headers[256];

    snprintf(headers, sizeof headers, "%s%s", origin, more);
    return fetch(crierd.port, "POST", "/topics/a", headers, "x", NULL);
}

START_TEST(a_page_that_may_read_may_not_publish)
{
    const char *const carriers[] = {"", "Connection: close\r\n"};
    size_t i;

    for (i = 0; i < 2; i++) {
        ck_assert_int_eq(publish_from(FRIEND, carriers[i]), 403);
        ck_assert_int_eq(publish_from(FRIEND FOREIGN, carriers[i]), 403);
        ck_assert_int_eq(publish_from(STRANGER, carriers[i]), 403);
        ck_assert_int_eq(publish_from(FOREIGN, carriers[i]), 403);
        ck_assert_int_eq(publish_from("", carriers[i]), 200);
        ck_assert_int_eq(
            publish_from("Origin: https://publisher.example\r\n" FOREIGN,
                         carriers[i]),
            200);
        ck_assert_int_eq(publish_from("Origin: null\r\n", carriers[i]), 403);
    }
}
END_TEST

START_TEST(all_is_not_everybody_who_publishes)
{
    ck_assert_int_eq(publish_from(STRANGER FOREIGN, ""), 403);
    ck_assert_int_eq(publish_from("Origin: null\r\n", ""), 403);
}
END_TEST

/* With presence, subscribing is seen by others. */
START_TEST(pages_that_may_read_may_be_seen)
{
    const char *const origins[] = {FRIEND FOREIGN, STRANGER FOREIGN, FOREIGN};
    const int statuses[] = {200, 200, 403};
    struct client client;
    size_t i;

    for (i = 0; i < 3; i++) {
        client_connect(&client, crierd.port);
        ck_assert_int_eq(client_request(&client, "GET", "/topics/room",
                                        origins[i], NULL),
                         statuses[i]);
        client_close(&client);
    }
}
END_TEST

/* A journal in a file answers later, when a pipeline has forgotten the request's head. */
START_TEST(a_deferred_response_is_readable)
{
    const char *const headers[] = {FRIEND, FRIEND "Connection: close\r\n"};
    struct client client;

    client_connect(&client, crierd.port);
    ck_assert_int_eq(
        client_request(&client, "POST", "/topics/a", headers[_i], "x"), 200);
    expect_fields(&client, "https://friend.example", "true", "Origin");
    client_close(&client);
}
END_TEST

/* The fields of a response must find room where its request had just room. */
START_TEST(a_head_of_any_size_gets_a_response)
{
    const char *const tokens[] = {"", "Authorization: Bearer x\r\n"};
    char headers[8192];
    struct client client;
    int size, i;

    for (size = 1; size < 6000; size++) {
        i = size % 2;
        snprintf(headers, sizeof headers,
                 "Origin: " LONG "\r\n%sX: %0*d\r\n", tokens[i], size, 0);
        client_connect(&client, crierd.port);
        ck_assert_int_eq(
            client_request(&client, "GET", "/topics/a", headers, NULL),
            i == 0 ? 200 : 401);
        expect_fields(&client, LONG, "true", "Origin");
        client_close(&client);
    }
}
END_TEST

/* A large body is not sent past libmicrohttpd, since it might not be sent whole. */
START_TEST(a_large_body_is_sent_whole_or_not_at_all)
{
    char headers[16384], target[300];
    unsigned refused = 0;
    struct client client;
    json_t *list;
    int size, status, i;
    char *body;

    topics_port = crierd.port;
    for (i = 0; i < 100; i++) {
        snprintf(target, sizeof target, "/topics/%0200d", i);
        topics_put(target, "x");
    }
    for (size = 9000; size < 12000; size += 50) {
        snprintf(headers, sizeof headers, FRIEND "X: %0*d\r\n", size, 0);
        client_connect(&client, crierd.port);
        status = client_request(&client, "GET", "/topics?limit=1000", headers, NULL);
        if (status == 200) {
            body = client_body(&client);
            list = json_loads(body, 0, NULL);
            ck_assert_uint_eq(json_array_size(json_object_get(list, "topics")), 100);
            json_decref(list);
            free(body);
        } else {
            ck_assert_int_eq(status, 431);
            refused += client_header(&client, "Access-Control-Allow-Origin")[0] != '\0';
        }
        client_close(&client);
    }
    ck_assert_uint_ne(refused, 0); /* by libmicrohttpd there are no fields */
}
END_TEST

static TCase *cors_case(Suite *suite, const char *name, void (*setup)(void))
{
    TCase *c = add_case(suite, name);

    tcase_add_checked_fixture(c, setup, teardown);
    return c;
}

static Suite *suite(void)
{
    Suite *s = suite_create("cors");
    TCase *c = cors_case(s, "named", setup_named);

    tcase_add_loop_test(c, a_named_origin_reads_everything, 0, REQUESTS);
    tcase_add_loop_test(c, no_other_origin_reads_anything, 0, REQUESTS);
    tcase_add_loop_test(c, a_page_asks_before_it_sends, 0,
                        (int)(sizeof preflights / sizeof preflights[0]));
    tcase_add_test(c, options_without_a_page_are_as_before);
    tcase_add_test(c, a_page_that_may_read_may_not_publish);
    tcase_add_test(c, a_head_of_any_size_gets_a_response);
    tcase_add_test(c, a_large_body_is_sent_whole_or_not_at_all);
    c = cors_case(s, "any", setup_any);
    tcase_add_loop_test(c, all_origins_read_without_credentials, 0, REQUESTS);
    tcase_add_test(c, all_is_not_everybody_who_publishes);
    c = cors_case(s, "both", setup_both);
    tcase_add_test(c, a_named_origin_among_all_has_credentials);
    tcase_add_test(c, pages_that_may_read_may_be_seen);
    c = cors_case(s, "none", setup_none);
    tcase_add_loop_test(c, without_the_option_there_are_no_fields, 0, REQUESTS);
    c = add_case(s, "file");
    tcase_add_checked_fixture(c, setup_file, teardown_file);
    tcase_add_loop_test(c, a_deferred_response_is_readable, 0, 2);
    return s;
}

RUN_SUITE(suite)
