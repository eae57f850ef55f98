/* The hub of the Mercure protocol with tokens: private updates, who subscribes, and the
 * description of the hub. */
#include <config.h>

#include "support/client.h"
#include "support/crierd.h"
#include "support/jwt.h"
#include "support/runner.h"
#include "support/topics.h"

#include <stdio.h>
#include <string.h>

#define HUB "/.well-known/mercure"
#define LIST HUB "/subscriptions"
#define FORM "Content-Type: application/x-www-form-urlencoded\r\n"
#define SECRET "!ChangeThisMercureHubJWTSecretKey!"
#define KEY "--jwt-key HS256:" SECRET

#define BOOK "https%3A%2F%2Fexample.com%2Fbooks%2F"

static struct crierd crierd;

/* Header fields with a token of 0.x that has CLAIM as its claim mercure. */
static const char *token(const char *claim)
{
    static char fields[2][4096];
    static int turn;
    char claims[2048], *text;

    turn = !turn;
    snprintf(claims, sizeof claims, "{\"mercure\":%s}", claim);
    text = jwt_make(SECRET, claims);
    snprintf(fields[turn], sizeof fields[turn], "Authorization: Bearer %s\r\n%s", text,
             FORM);
    free(text);
    return fields[turn];
}

/* The same with a token of 1.0 with the authorization DETAILS. */
static const char *access_token(const char *details)
{
    static char fields[4096];
    char claims[2048], *text;

    snprintf(claims, sizeof claims,
             "{\"iss\":\"https://issuer.example\",\"aud\":\"https://hub.example" HUB
             "\",\"exp\":4102444800,\"authorization_details\":[%s]}",
             details);
    text = jwt_make_access(SECRET, claims);
    snprintf(fields, sizeof fields, "Authorization: Bearer %s\r\n%s", text, FORM);
    free(text);
    return fields;
}

/* An authorization detail of 1.0. */
#define DETAIL(action, topics, more)                                          \
    "{\"type\":\"https://mercure.rocks/authorization-detail\","               \
    "\"actions\":[\"" action "\"],\"topics\":[" topics "]" more "}"

static const char all[] = "{\"publish\":[\"*\"],\"subscribe\":[\"*\"]}";

static void publish_form(const char *body, const char *claim, int status)
{
    char *answer;
    int got = fetch(crierd.port, "POST", HUB, token(claim), body, &answer);

    ck_assert_msg(got == status, "%d for %s: %s", got, body, answer);
    free(answer);
}

static void open_stream(struct client *client, const char *query,
                        const char *headers)
{
    char target[2048];

    snprintf(target, sizeof target, HUB "?%s", query);
    topics_subscribe(client, target, headers);
}

/* ---- private updates -------------------------------------------------- */

START_TEST(private_updates_need_a_grant)
{
    struct client anonymous, granted, other, current;

    open_stream(&anonymous, "topic=*", "");
    open_stream(&granted, "topic=https://example.com/books/{id}",
                token("{\"subscribe\":[\"https://example.com/books/{id}\"]}"));
    open_stream(&other, "topic=https://example.com/books/{id}",
                token("{\"subscribe\":[\"https://example.com/books/2\"]}"));
    open_stream(&current, "match_urlpattern=https://example.com/books/:id",
                access_token(DETAIL("subscribe",
                                    "{\"match\":\"https://example.com/books/*\","
                                    "\"match_type\":\"urlpattern\"}",
                                    "")));
    publish_form("topic=" BOOK "1&data=secret&private=on", all, 200);
    publish_form("topic=" BOOK "1&data=empty&private", all, 200);
    publish_form("topic=" BOOK "1&data=public", all, 200);
    client_expect_event(&anonymous, "data: public");
    client_expect_event(&granted, "data: secret");
    client_expect_event(&granted, "data: empty");
    client_expect_event(&granted, "data: public");
    client_expect_event(&other, "data: public");
    client_expect_event(&current, "data: secret");
    client_close(&anonymous);
    client_close(&granted);
    client_close(&other);
    client_close(&current);
}
END_TEST

START_TEST(a_grant_for_one_of_the_topics_will_do)
{
    struct client client, past;
    const char *claim =
        "{\"subscribe\":[\"https://example.com/users/foo/{?topic}\"]}";

    open_stream(&client, "topic=https://example.com/books/{id}", token(claim));
    publish_form("topic=" BOOK "2&data=2&private=on", all, 200);
    publish_form("topic=" BOOK "1&topic=https%3A%2F%2Fexample.com%2Fusers%2Ffoo%2F"
                 "%3Ftopic%3Dhttps%253A%252F%252Fexample.com%252Fbooks%252F1"
                 "&data=1&private=on",
                 all, 200);
    client_expect_event(&client, "data: 1");
    open_stream(&past, "topic=https://example.com/books/{id}&lastEventID=earliest",
                token(claim));
    client_expect_event(&past, "data: 1");
    client_close(&client);
    client_close(&past);
}
END_TEST

START_TEST(publishing_needs_a_grant_for_every_topic)
{
    struct client client;
    char *answer;

    client_connect(&client, crierd.port);
    ck_assert_int_eq(client_request(&client, "POST", HUB, FORM, "topic=a&data=x"),
                     401);
    ck_assert_ptr_nonnull(strstr(client_header(&client, "WWW-Authenticate"),
                                 "Bearer"));
    ck_assert_ptr_nonnull(
        strstr(client_header(&client, "WWW-Authenticate"),
               "resource_metadata=\"https://hub.example"
               "/.well-known/oauth-protected-resource/.well-known/mercure\""));
    client_close(&client);
    publish_form("topic=a&topic=b&data=x", "{\"publish\":[\"a\"]}", 403);
    publish_form("topic=a&data=x", "{\"publish\":[\"a\"]}", 200);
    publish_form("topic=a&data=x", "{\"publish\":[]}", 403);
    publish_form("topic=a&data=x", "{\"subscribe\":[\"*\"]}", 403);
    publish_form("topic=" BOOK "1", "{\"publish\":[\"https://example.com/books/{id}\"]}",
                 200);
    publish_form("topic=" BOOK "1%2F2",
                 "{\"publish\":[\"https://example.com/books/{id}\"]}", 403);
    ck_assert_int_eq(
        fetch(crierd.port, "POST", HUB,
              access_token(DETAIL("publish", "{\"match\":\"a\"}", "")),
              "topic=a&topic=b", &answer),
        403);
    free(answer);
    ck_assert_int_eq(fetch(crierd.port, "POST", HUB,
                           access_token(DETAIL("publish", "{\"match\":\"a\"}", "")),
                           "topic=a", NULL),
                     200);
}
END_TEST

START_TEST(subscribing_needs_a_grant_where_nobody_may)
{
    const char *pattern = access_token(
        DETAIL("subscribe", "{\"match\":\"/b/:id\",\"match_type\":\"urlpattern\"}", ""));

    ck_assert_int_eq(
        fetch(crierd.port, "HEAD", HUB "?match_urlpattern=/b/:id", pattern, NULL, NULL),
        200);
    ck_assert_int_eq(fetch(crierd.port, "HEAD", HUB "?match=/b/1", pattern, NULL, NULL),
                     200);
    ck_assert_int_eq(
        fetch(crierd.port, "HEAD", HUB "?match=https://hub.example/b/1", pattern, NULL,
              NULL),
        200);
    ck_assert_int_eq(fetch(crierd.port, "GET", HUB "?match_urlpattern=/:x/:id", pattern,
                           NULL, NULL),
                     403);
    ck_assert_int_eq(fetch(crierd.port, "GET", HUB "?match=/b/1/2", pattern, NULL, NULL),
                     403);
    ck_assert_int_eq(fetch(crierd.port, "GET", HUB "?topic=a", "", NULL, NULL), 401);
    ck_assert_int_eq(fetch(crierd.port, "GET", HUB "?topic=a",
                           token("{\"publish\":[\"*\"]}"), NULL, NULL),
                     403);
    ck_assert_int_eq(fetch(crierd.port, "GET", HUB "?topic=a&topic=b",
                           token("{\"subscribe\":[\"a\"]}"), NULL, NULL),
                     403);
    ck_assert_int_eq(fetch(crierd.port, "HEAD", HUB "?topic=a",
                           token("{\"subscribe\":[\"a\"]}"), NULL, NULL),
                     200);
}
END_TEST

/* ---- who subscribes --------------------------------------------------- */

/* Reads the data of the next event of CLIENT as JSON. TYPE: that of the event, or NULL. */
static json_t *expect_report(struct client *client, const char *type)
{
    char *event = client_event(client, NULL), *data = strstr(event, "data: ");
    char line[64];
    json_t *json;

    ck_assert_ptr_nonnull(event);
    snprintf(line, sizeof line, "event: %s\n", type != NULL ? type : "");
    ck_assert_msg((strncmp(event, line, strlen(line)) == 0) == (type != NULL), "%s",
                  event);
    ck_assert_msg(data != NULL, "%s", event);
    json = json_loads(data + 6, 0, NULL);
    ck_assert_msg(json != NULL, "%s", data);
    free(event);
    return json;
}

static void expect_member(const json_t *json, const char *name, const char *value)
{
    ck_assert_str_eq(json_text(json, name), value);
}

/* Lists TARGET with the rights of everything. */
static json_t *list_subscriptions(const char *target, const char *accept,
                                  const char *type)
{
    struct client client;
    char headers[4096], *body;
    json_t *json;

    snprintf(headers, sizeof headers, "%s%s", token(all), accept);
    client_connect(&client, crierd.port);
    ck_assert_int_eq(client_request(&client, "GET", target, headers, NULL), 200);
    ck_assert_str_eq(client_header(&client, "Content-Type"), type);
    ck_assert_ptr_nonnull(strstr(client_header(&client, "Link"),
                                 "</.well-known/mercure>; rel=\"mercure\""));
    body = client_body(&client);
    json = json_loads(body, 0, NULL);
    ck_assert_msg(json != NULL, "%s", body);
    free(body);
    client_close(&client);
    return json;
}

#define SELECTOR "https%3A%2F%2Fexample.com%2F%7Bid%7D"

START_TEST(a_subscription_is_reported)
{
    struct client watcher, anonymous, client;
    char id[512];
    json_t *report;

    open_stream(&anonymous, "topic=*", "");
    open_stream(&watcher, "topic=" LIST "{/topic}{/subscriber}",
                token("{\"subscribe\":[\"" LIST "{/topic}{/subscriber}\"]}"));
    json_decref(expect_report(&watcher, NULL)); /* its own */
    open_stream(&client, "topic=https://example.com/{id}",
                token("{\"subscribe\":[],\"payload\":{\"user\":\"kim\"}}"));
    report = expect_report(&watcher, NULL);
    expect_member(report, "@context", "https://mercure.rocks/");
    expect_member(report, "type", "Subscription");
    expect_member(report, "topic", "https://example.com/{id}");
    ck_assert(json_is_true(json_object_get(report, "active")));
    expect_member(json_object_get(report, "payload"), "user", "kim");
    ck_assert_int_eq(strncmp(json_text(report, "subscriber"), "urn:uuid:", 9), 0);
    snprintf(id, sizeof id, "%s/urn%%3Auuid%%3A%s", LIST "/" SELECTOR,
             json_text(report, "subscriber") + 9);
    expect_member(report, "id", id);
    json_decref(report);
    client_close(&client);
    report = expect_report(&watcher, NULL);
    expect_member(report, "id", id);
    ck_assert(json_is_false(json_object_get(report, "active")));
    json_decref(report);
    publish_form("topic=a&data=public", all, 200);
    client_expect_event(&anonymous, "data: public"); /* and no report */
    client_close(&anonymous);
    client_close(&watcher);
}
END_TEST

START_TEST(a_subscription_of_the_next_version_is_reported)
{
    struct client watcher, client;
    char id[512];
    json_t *report;

    open_stream(&watcher,
                "match_urlpattern=" LIST "/:match_type/:match/:subscriber",
                access_token(DETAIL("subscribe",
                                    "{\"match\":\"" LIST
                                    "/:type/:match/:subscriber\","
                                    "\"match_type\":\"urlpattern\"}",
                                    "")));
    json_decref(expect_report(&watcher, "mercure")); /* its own */
    open_stream(&client, "match=https://example.com/{id}&match_urlpattern=/b/:id",
                access_token(
                    DETAIL("subscribe", "{\"match\":\"https://example.com/{id}\"}",
                           ",\"payload\":{\"n\":1}") ","
                    DETAIL("subscribe", "{\"match\":\"*\"}",
                           ",\"payload\":{\"n\":2}")));
    report = expect_report(&watcher, "mercure");
    expect_member(report, "type", "subscription");
    expect_member(report, "match", "https://example.com/{id}");
    expect_member(report, "match_type", "exact");
    ck_assert_ptr_null(json_object_get(report, "@context"));
    ck_assert_int_eq(json_number(json_object_get(report, "payload"), "n"), 1);
    snprintf(id, sizeof id, "%s/urn%%3Auuid%%3A%s", LIST "/exact/" SELECTOR,
             json_text(report, "subscriber") + 9);
    expect_member(report, "id", id);
    json_decref(report);
    report = expect_report(&watcher, "mercure");
    expect_member(report, "match", "/b/:id");
    expect_member(report, "match_type", "urlpattern");
    ck_assert_int_eq(json_number(json_object_get(report, "payload"), "n"), 2);
    json_decref(report);
    client_close(&client);
    json_decref(expect_report(&watcher, "mercure"));
    json_decref(expect_report(&watcher, "mercure"));
    client_close(&watcher);
}
END_TEST

START_TEST(subscriptions_are_listed)
{
    struct client one, two;
    json_t *list, *found, *single;
    char target[512];

    open_stream(&one, "topic=https://example.com/{id}&topic=b", "");
    open_stream(&two, "topic=b&match=c", "");
    list = list_subscriptions(LIST, "", "application/ld+json");
    expect_member(list, "@context", "https://mercure.rocks/");
    expect_member(list, "id", LIST);
    expect_member(list, "type", "Subscriptions");
    ck_assert_int_eq(json_text(list, "lastEventID")[0], '#');
    ck_assert_uint_eq(json_array_size(json_object_get(list, "subscriptions")), 3);
    json_decref(list);
    list = list_subscriptions(LIST "/" SELECTOR, "", "application/ld+json");
    expect_member(list, "id", LIST "/" SELECTOR);
    found = json_object_get(list, "subscriptions");
    ck_assert_uint_eq(json_array_size(found), 1);
    expect_member(json_array_get(found, 0), "topic", "https://example.com/{id}");
    snprintf(target, sizeof target, "%s", json_text(json_array_get(found, 0), "id"));
    json_decref(list);
    single = list_subscriptions(target, "", "application/ld+json");
    expect_member(single, "id", target);
    expect_member(single, "type", "Subscription");
    expect_member(single, "@context", "https://mercure.rocks/");
    ck_assert_int_eq(json_text(single, "lastEventID")[0], '#');
    json_decref(single);
    list = list_subscriptions(LIST, "Accept: application/json\r\n",
                              "application/json");
    expect_member(list, "type", "subscriptions");
    ck_assert_uint_eq(json_array_size(json_object_get(list, "subscriptions")), 1);
    json_decref(list);
    list = list_subscriptions(LIST "/exact/c", "", "application/json");
    expect_member(list, "id", LIST "/exact/c");
    ck_assert_uint_eq(json_array_size(json_object_get(list, "subscriptions")), 1);
    json_decref(list);
    client_close(&one);
    client_close(&two);
}
END_TEST

#define CROWD 20

START_TEST(each_beginning_is_reported_once_and_so_is_each_end)
{
    struct client clients[CROWD], watcher;
    int active = 0, ended = 0, i;
    json_t *report, *list;

    open_stream(&watcher, "topic=" LIST "{/topic}{/subscriber}", token(all));
    json_decref(expect_report(&watcher, NULL)); /* its own */
    for (i = 0; i < CROWD; i++)
        open_stream(&clients[i], "topic=a&topic=b", "");
    for (i = 0; i < CROWD; i++)
        client_close(&clients[i]);
    for (i = 0; i < 4 * CROWD; i++) {
        report = expect_report(&watcher, NULL);
        if (json_is_true(json_object_get(report, "active")))
            active++;
        else
            ended++;
        json_decref(report);
    }
    ck_assert_int_eq(active, 2 * CROWD);
    ck_assert_int_eq(ended, 2 * CROWD);
    list = list_subscriptions(LIST, "", "application/ld+json");
    ck_assert_uint_eq(json_array_size(json_object_get(list, "subscriptions")), 1);
    json_decref(list);
    client_close(&watcher);
}
END_TEST

START_TEST(a_list_says_where_to_go_on)
{
    struct client client, watcher;
    json_t *list = list_subscriptions(LIST, "", "application/ld+json"), *report;
    char query[512];

    expect_member(list, "lastEventID", "earliest"); /* nothing was published yet */
    json_decref(list);
    publish_form("topic=x", all, 200);
    list = list_subscriptions(LIST, "", "application/ld+json");
    open_stream(&client, "topic=b", "");
    snprintf(query, sizeof query, "topic=" LIST "{/topic}{/subscriber}&lastEventID=%%23%s",
             json_text(list, "lastEventID") + 1);
    open_stream(&watcher, query, token(all));
    report = expect_report(&watcher, NULL);
    expect_member(report, "topic", "b");
    json_decref(report);
    json_decref(list);
    client_close(&client);
    client_close(&watcher);
}
END_TEST

START_TEST(a_list_needs_a_grant)
{
    static const char *const paths[] = {LIST, LIST "/b", LIST "/exact/b",
                                        LIST "/b/urn%3Auuid%3Ax"};
    char claim[256];
    size_t i;

    for (i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        ck_assert_int_eq(fetch(crierd.port, "GET", paths[i], "", NULL, NULL), 401);
        ck_assert_int_eq(fetch(crierd.port, "GET", paths[i],
                               token("{\"publish\":[\"*\"],\"subscribe\":[\"b\"]}"),
                               NULL, NULL),
                         403);
        snprintf(claim, sizeof claim, "{\"subscribe\":[\"%s\"]}", paths[i]);
        ck_assert_int_eq(fetch(crierd.port, "GET", paths[i], token(claim), NULL, NULL),
                         i == 3 ? 404 : 200);
    }
    ck_assert_int_eq(fetch(crierd.port, "GET", LIST "/nope/b/c", token(all), NULL, NULL),
                     400);
    ck_assert_int_eq(fetch(crierd.port, "GET", LIST "/a/b/c/d", token(all), NULL, NULL),
                     404);
}
END_TEST

START_TEST(a_selector_that_cannot_be_reported_is_refused)
{
    char target[1024] = HUB "?topic=", *answer;

    memset(target + strlen(target), 'x', 170);
    ck_assert_int_eq(fetch(crierd.port, "HEAD", target, "", NULL, NULL), 200);
    memset(target + strlen(target), 'x', 1);
    ck_assert_int_eq(fetch(crierd.port, "GET", target, "", NULL, &answer), 400);
    ck_assert_ptr_nonnull(strstr(answer, "too long"));
    free(answer);
}
END_TEST

/* ---- the description -------------------------------------------------- */

START_TEST(the_hub_describes_itself)
{
    char *answer;
    json_t *json;

    ck_assert_int_eq(
        fetch(crierd.port, "GET",
              "/.well-known/oauth-protected-resource/.well-known/mercure", "", NULL,
              &answer),
        200);
    json = json_loads(answer, 0, NULL);
    ck_assert_msg(json != NULL, "%s", answer);
    expect_member(json, "resource", "https://hub.example/.well-known/mercure");
    expect_member(json, "mercure_cookie", "mercureAuthorization");
    ck_assert(json_is_true(json_object_get(json, "mercure_subscriptions")));
    ck_assert_str_eq(json_string_value(json_array_get(
                         json_object_get(json, "bearer_methods_supported"), 0)),
                     "header");
    json_decref(json);
    free(answer);
}
END_TEST

/* ---- the suite -------------------------------------------------------- */

static void start_with(const char *options)
{
    char text[512];

    snprintf(text, sizeof text, KEY " --public-url https://hub.example %s", options);
    crierd_start(&crierd, text);
    topics_port = crierd.port;
}

static void start_open(void)
{
    start_with("--anonymous subscribe");
}

static void start_closed(void)
{
    start_with("");
}

static void start_reporting(void)
{
    start_with("--anonymous subscribe --subscriptions on");
}

static void stop(void)
{
    crierd_stop(&crierd);
}

static Suite *suite(void)
{
    Suite *s = suite_create("mercure grants");
    TCase *c = add_case(s, "open");

    tcase_add_checked_fixture(c, start_open, stop);
    tcase_add_test(c, private_updates_need_a_grant);
    tcase_add_test(c, a_grant_for_one_of_the_topics_will_do);
    tcase_add_test(c, publishing_needs_a_grant_for_every_topic);
    c = add_case(s, "closed");
    tcase_add_checked_fixture(c, start_closed, stop);
    tcase_add_test(c, subscribing_needs_a_grant_where_nobody_may);
    c = add_case(s, "reporting");
    tcase_add_checked_fixture(c, start_reporting, stop);
    tcase_add_test(c, a_subscription_is_reported);
    tcase_add_test(c, a_subscription_of_the_next_version_is_reported);
    tcase_add_test(c, subscriptions_are_listed);
    tcase_add_test(c, each_beginning_is_reported_once_and_so_is_each_end);
    tcase_add_test(c, a_list_says_where_to_go_on);
    tcase_add_test(c, a_list_needs_a_grant);
    tcase_add_test(c, a_selector_that_cannot_be_reported_is_refused);
    tcase_add_test(c, the_hub_describes_itself);
    return s;
}

RUN_SUITE(suite)
