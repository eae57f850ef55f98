/* The hub of the Mercure protocol, where everybody may do everything. */
#include <config.h>

#include "support/client.h"
#include "support/fixture.h"
#include "support/runner.h"

#include <stdio.h>
#include <string.h>

#define HUB "/.well-known/mercure"
#define FORM "Content-Type: application/x-www-form-urlencoded\r\n"
#define COUNT(array) ((int)(sizeof(array) / sizeof(array)[0]))

/* Publishes the form BODY; the response must have STATUS. Returns its body, new. */
static char *post_form(const char *body, int status)
{
    char *answer;
    int got = fetch(topics_port, "POST", HUB, FORM, body, &answer);

    ck_assert_msg(got == status, "%d for %s: %s", got, body, answer);
    return answer;
}

/* Publishes the form BODY, and copies the update's id to ID unless that is NULL. */
static void publish_form(const char *body, char id[256])
{
    char *answer = post_form(body, 200);

    if (id != NULL)
        snprintf(id, 256, "%s", answer);
    free(answer);
}

/* Opens a stream of the hub with the parameters QUERY. */
static void open_stream(struct client *client, const char *query,
                        const char *headers)
{
    char target[4096];

    snprintf(target, sizeof target, HUB "?%s", query);
    topics_subscribe(client, target, headers);
}

/* ---- publishing ------------------------------------------------------- */

START_TEST(an_update_has_the_fields_of_the_form)
{
    struct client client, other;
    char id[256];

    open_stream(&client, "topic=a", "");
    topics_subscribe(&other, "/topics/b", "");
    publish_form("topic=a&topic=b&data=one%0Atwo%0D%0Athree&id=my-1&type=greeting"
                 "&retry=1500&unknown=x&data=ignored",
                 id);
    ck_assert_str_eq(id, "my-1");
    client_expect(&client, "id: my-1\nevent: greeting\nretry: 1500\ndata: one\n"
                           "data: two\ndata: three");
    client_expect(&other, "id: my-1\nevent: greeting\nretry: 1500\ndata: one\n"
                          "data: two\ndata: three");
    publish_form("topic=a&id=&type=&retry=", NULL);
    client_expect_event(&client, "data:");
    publish_form("data=1&topic=https%3A%2F%2Fexample.com%2Fa%2Cb&topic=a", NULL);
    client_expect_event(&client, "data: 1");
    client_close(&client);
    client_close(&other);
}
END_TEST

START_TEST(the_response_is_the_id)
{
    struct client client, stream;
    char *body, id[256];

    open_stream(&stream, "topic=a", "");
    client_connect(&client, topics_port);
    ck_assert_int_eq(client_request(&client, "POST", HUB, FORM, "topic=a&data=x"),
                     200);
    ck_assert_str_eq(client_header(&client, "Content-Type"),
                     "text/plain; charset=utf-8");
    body = client_body(&client);
    free(client_event(&stream, id));
    ck_assert_str_eq(body, id); /* without a line end */
    free(body);
    client_close(&client);
    client_close(&stream);
}
END_TEST

START_TEST(an_id_may_be_given_again)
{
    struct client client;
    char id[256], *event;

    publish_form("topic=a&data=1&id=same", NULL);
    open_stream(&client, "topic=a&lastEventID=earliest", "");
    client_expect(&client, "id: same\ndata: 1");
    publish_form("topic=a&data=2&id=same", id);
    ck_assert_int_eq(id[0], '#'); /* the journal's own */
    event = client_event(&client, id);
    ck_assert_str_eq(event, "data: 2");
    free(event);
    client_close(&client);
}
END_TEST

/* What becomes of the update without its id is the response. */
START_TEST(an_id_that_is_given_again_may_be_refused_elsewhere)
{
    char *answer;

    publish_form("topic=a&data=1&id=same", NULL);
    json_decref(topics_publish("/topics/b?last=1", "", "the end", 200));
    answer = post_form("topic=b&data=2&id=same", 409);
    ck_assert_msg(strstr(answer, "the topic has ended") != NULL, "%s", answer);
    free(answer);
    publish_form("topic=a&data=3&id=same", NULL); /* it serves on */
}
END_TEST

START_TEST(updates_come_from_topics_too)
{
    struct client client;

    open_stream(&client, "topic=a&match=b", "");
    topics_put("/topics/a", "1");
    topics_put("/topics/b", "2");
    topics_put("/topics/a,b", "3"); /* once */
    publish_form("topic=b&data=4", NULL);
    client_expect_event(&client, "data: 1");
    client_expect_event(&client, "data: 2");
    client_expect_event(&client, "data: 3");
    client_expect_event(&client, "data: 4");
    client_close(&client);
}
END_TEST

static const struct {
    const char *body;
    int status;
    const char *says;
} forms[] = {
    {"", 400, "no topic"},
    {"data=x", 400, "no topic"},
    {"topic=", 400, "topic is empty"},
    {"topic=a%00b", 400, "control"},
    {"topic=a%0Ab", 400, "control"},
    {"topic=a%C2%85", 400, "control"},
    {"topic=a%E2%80%AEb", 400, "format"},
    {"topic=%FF", 400, "UTF-8"},
    {"topic=*", 400, "'*'"},
    {"topic=a*b", 400, "'*'"},
    {"topic=$mine", 403, "reserved"},
    {"topic=$presence/a", 403, "reserved"},
    {"topic=a&topic=/.well-known/mercure", 400, "reserved"},
    {"topic=https://x/.well-known/%256Dercure/subscriptions/a", 400, "reserved"},
    {"topic=mercure/subscriptions/a/b", 400, "reserved"},
    {"topic=a&data=%FF", 400, "UTF-8"},
    {"topic=a&id=%23x", 400, "'#'"},
    {"topic=a&id=earliest", 400, "earliest"},
    {"topic=a&id=a%0Ab", 400, "control"},
    {"topic=a&id=a%E2%80%8Bb", 400, "format"},
    {"topic=a&id=+x", 400, "space"},
    {"topic=a&type=a%0Ab", 400, "control"},
    {"topic=a&type=mercure", 400, "reserved"},
    {"topic=a&private=on", 400, "no key and no token"},
    {"topic=a&private", 400, "no key and no token"},
    {"topic=a&retry=soon", 400, "retry"},
    {"topic=a&retry=-1", 400, "retry"},
    {"topic=a&retry=1%00", 400, "retry"},
    {"topic=a&retry=2147483648", 400, "retry"},
};

START_TEST(mistakes_in_forms_are_named)
{
    char *answer = post_form(forms[_i].body, forms[_i].status);

    ck_assert_msg(strstr(answer, forms[_i].says) != NULL, "'%s': %s",
                  forms[_i].body, answer);
    free(answer);
}
END_TEST

START_TEST(forms_have_limits)
{
    char form[2048] = "topic=a&id=";
    int i;

    memset(form + strlen(form), 'x', 256);
    free(post_form(form, 413));
    form[11 + 255] = '\0';
    publish_form(form, NULL);
    memset(form, 0, sizeof form);
    strcpy(form, "topic=");
    memset(form + 6, 'x', 256);
    free(post_form(form, 413));
    form[6 + 255] = '\0';
    publish_form(form, NULL);
    strcpy(form, "topic=0");
    for (i = 1; i < 100; i++)
        snprintf(form + strlen(form), 20, "&topic=%d", i);
    publish_form(form, NULL);
    strcat(form, "&topic=x");
    free(post_form(form, 413));
}
END_TEST

START_TEST(a_body_has_its_type_and_size)
{
    static char large[70 * 1024];
    char *answer;

    ck_assert_int_eq(fetch(topics_port, "POST", HUB, "", "topic=a", NULL), 415);
    ck_assert_int_eq(fetch(topics_port, "POST", HUB,
                           "Content-Type: multipart/form-data; boundary=x\r\n",
                           "topic=a", NULL),
                     415);
    ck_assert_int_eq(fetch(topics_port, "POST", HUB,
                           "Content-Type: application/x-www-form-urlencoded;"
                           "charset=UTF-8\r\n",
                           "topic=a", NULL),
                     200);
    memset(large, 'x', sizeof large - 1);
    memcpy(large, "topic=a&data=", 13);
    ck_assert_int_eq(fetch(topics_port, "POST", HUB, FORM, large, &answer), 413);
    free(answer);
    ck_assert_int_eq(fetch(topics_port, "DELETE", HUB, "", NULL, NULL), 405);
}
END_TEST

START_TEST(no_way_leads_to_the_hubs_own_topics)
{
    static const char *const targets[] = {
        "/topics/%2F.well-known%2Fmercure%2Fsubscriptions%2Fa%2Fb",
        "/topics/a,mercure%2Fsubscriptions%2Fa",
        "/topics//.well-known/mercure/subscriptions/a",
        "/topics/https:%2F%2Fx%2F.well-known%2F%256Dercure%2Fsubscriptions%2Fa",
    };
    size_t i;

    for (i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        if (i != 2) /* an empty segment is no topic */
            ck_assert_int_eq(fetch(topics_port, "POST", targets[i], "", "x", NULL),
                             403);
        ck_assert_int_ne(fetch(topics_port, "DELETE", targets[i], "", NULL, NULL),
                         204);
    }
    ck_assert_int_eq(
        fetch(topics_port, "POST", "/topics/a?event=mercure", "", "x", NULL), 400);
    ck_assert_int_eq(fetch(topics_port, "POST", "/topics/a",
                           "Content-Type: text/event-stream\r\n",
                           "data: x\n\nevent: mercure\ndata: y\n\n", NULL),
                     400);
    topics_put("/topics/mercure", "the metal");
    topics_put("/topics/%23mercure", "a channel");
}
END_TEST

/* ---- subscribing ------------------------------------------------------ */

static const struct {
    const char *query;
    int status;
    const char *says;
} queries[] = {
    {"", 400, "topic="},
    {"?data=x", 400, "topic="},
    {"?topic=", 400, "1 to 1024"},
    {"?topic=a%0Ab", 400, "control"},
    {"?topic=%FF", 400, "UTF-8"},
    {"?match=a%E2%80%8Bb", 400, "format"},
    {"?topic=$chat/to/bob", 403, "reserved"},
    {"?match=$chat/to/bob", 403, "reserved"},
    {"?match=a&Match=b", 400, "no parameter Match"},
    {"?match=a&matchURLPattern=b", 400, "no parameter matchURLPattern"},
    {"?match=a&match_regexp=b", 400, "no parameter match_regexp"},
    {"?topic=a&matches=b", 400, "no parameter matches"},
    {"?match_urlpattern=/(unclosed", 400, "URL pattern"},
    {"?topic=a&start=sometimes", 400, "start"},
};

START_TEST(mistakes_in_queries_are_named)
{
    char target[256], *answer;

    snprintf(target, sizeof target, HUB "%s", queries[_i].query);
    ck_assert_msg(fetch(topics_port, "GET", target, "", NULL, &answer) ==
                      queries[_i].status,
                  "%s: %s", target, answer);
    ck_assert_msg(strstr(answer, queries[_i].says) != NULL, "%s: %s", target,
                  answer);
    free(answer);
}
END_TEST

START_TEST(selectors_have_limits)
{
    char query[4096] = "topic=0", target[4200];
    struct client client;
    int i;

    for (i = 1; i < 100; i++)
        snprintf(query + strlen(query), 20, "&topic=%d", i);
    strcat(query, "&topic=99"); /* twice */
    open_stream(&client, query, "");
    client_close(&client);
    snprintf(target, sizeof target, HUB "?%s&match=99", query);
    ck_assert_int_eq(fetch(topics_port, "GET", target, "", NULL, NULL), 400);
    strcpy(query, "topic=");
    memset(query + 6, 'x', 1025);
    query[6 + 1025] = '\0';
    snprintf(target, sizeof target, HUB "?%s", query);
    ck_assert_int_eq(fetch(topics_port, "GET", target, "", NULL, NULL), 400);
}
END_TEST

/* A stream by a selector; it gets the update to one topic and not that to another. */
static const struct {
    const char *query, *topic, *other;
} selections[] = {
    {"topic=plain", "plain", "plainer"},
    {"topic=x&topic=y", "y", "z"},
    {"topic=https://example.com/books/{id}", "https://example.com/books/1",
     "https://example.com/books/1/2"},
    {"topic=https://example.com/books/{id}", "https://example.com/books/{id}",
     "https://example.com/book/1"},
    {"topic=https://example.com/a,b", "https://example.com/a,b",
     "https://example.com/a"},
    {"topic=*", "anything", NULL},
    {"match=https://example.com/{id}", "https://example.com/{id}",
     "https://example.com/1"},
    {"match_exact=a", "a", "b"},
    {"match=*", "anything", NULL},
    {"match_urlpattern=*", "anything", NULL},
    {"match_urlpattern=https://example.com/books/:id",
     "https://example.com/books/7", "https://example.com/books/7/8"},
    {"match_urlpattern=/relative/:id", "/relative/1", "/relative/1/2"},
};

START_TEST(a_selector_selects)
{
    char query[256], form[256];
    struct client client;

    snprintf(query, sizeof query, "%s", selections[_i].query);
    open_stream(&client, query, "");
    if (selections[_i].other != NULL) {
        snprintf(form, sizeof form, "topic=%s&data=no", selections[_i].other);
        publish_form(form, NULL);
    }
    snprintf(form, sizeof form, "topic=%s&data=yes", selections[_i].topic);
    publish_form(form, NULL);
    client_expect_event(&client, "data: yes");
    client_close(&client);
}
END_TEST

START_TEST(no_pattern_reaches_the_names_of_the_program)
{
    static const char *const wide[] = {"topic=*", "topic={%2Bx}", "match=*",
                                       "match_urlpattern=*", "match_urlpattern=/*",
                                       "match_urlpattern=http://*/*"};
    struct client clients[COUNT(wide)], named, subscriber;
    int i;

    for (i = 0; i < COUNT(wide); i++)
        open_stream(&clients[i], wide[i], "");
    open_stream(&named, "topic=$presence/{x}", "");
    topics_subscribe(&subscriber, "/topics/room", ""); /* which presence reports */
    free(client_until(&named, "event: join"));
    publish_form("topic=a&data=seen", NULL);
    for (i = 0; i < COUNT(wide); i++) {
        client_expect_event(&clients[i], "data: seen");
        client_close(&clients[i]);
    }
    client_close(&named);
    client_close(&subscriber);
}
END_TEST

/* ---- where a stream begins -------------------------------------------- */

/* Opens a stream and fails unless the response field FIELD is VALUE. */
static void expect_begin(struct client *client, const char *query,
                         const char *headers, const char *field,
                         const char *value)
{
    open_stream(client, query, headers);
    ck_assert_msg(strcmp(client_header(client, field), value) == 0, "%s: %s is %s",
                  query, field, client_header(client, field));
}

START_TEST(a_stream_resumes)
{
    struct client client;
    char id[256], query[512], header[512];

    publish_form("topic=a&data=1&id=one", NULL);
    publish_form("topic=a&data=2", id);
    publish_form("topic=a&data=3", NULL);
    expect_begin(&client, "topic=a&lastEventID=one", "", "Last-Event-ID", "one");
    client_expect_event(&client, "data: 2");
    client_expect_event(&client, "data: 3");
    client_close(&client);
    snprintf(query, sizeof query, "match=a&last_event_id=%%23%s", id + 1);
    expect_begin(&client, query, "", "Mercure-Last-Event-ID", id);
    ck_assert_str_eq(client_header(&client, "Last-Event-ID"), "");
    client_expect_event(&client, "data: 3");
    client_close(&client);
    /* The header is newer than the query. */
    snprintf(header, sizeof header, "Last-Event-ID: %s\r\n", id);
    expect_begin(&client, "topic=a&lastEventID=one", header, "Last-Event-ID", id);
    client_expect_event(&client, "data: 3");
    client_close(&client);
}
END_TEST

START_TEST(earliest_is_all_that_is_held)
{
    struct client client;

    expect_begin(&client, "topic=a&lastEventID=earliest", "", "Last-Event-ID",
                 "earliest");
    client_close(&client);
    publish_form("topic=a&data=1&id=one", NULL);
    publish_form("topic=a&data=2&id=two", NULL);
    expect_begin(&client, "topic=a&lastEventID=earliest", "", "Last-Event-ID",
                 "earliest");
    client_expect(&client, "id: one\ndata: 1");
    client_expect(&client, "id: two\ndata: 2");
    client_close(&client);
    expect_begin(&client, "match=a", "Last-Event-ID: earliest\r\n",
                 "Mercure-Last-Event-ID", "earliest");
    client_expect(&client, "id: one\ndata: 1");
    client_close(&client);
}
END_TEST

START_TEST(an_unknown_id_is_reported)
{
    struct client client;

    expect_begin(&client, "topic=a&lastEventID=never", "", "Last-Event-ID",
                 "earliest");
    client_close(&client);
    publish_form("topic=a&data=1&id=one", NULL);
    expect_begin(&client, "topic=a&lastEventID=never", "", "Last-Event-ID",
                 "earliest");
    free(client_until(&client, "event: gap"));
    client_expect(&client, "id: one\ndata: 1");
    client_close(&client);
    expect_begin(&client, "match=a&last_event_id=a%0Ab", "",
                 "Mercure-Last-Event-ID", "earliest");
    client_close(&client);
}
END_TEST

START_TEST(a_head_request_has_the_fields)
{
    struct client client;

    client_connect(&client, topics_port);
    ck_assert_int_eq(client_request(&client, "HEAD", HUB "?topic=a", "", NULL), 200);
    ck_assert_str_eq(client_header(&client, "Content-Type"), "text/event-stream");
    client_close(&client);
}
END_TEST

START_TEST(descriptions_link_to_the_hub)
{
    struct client client;

    topics_put("/topics/https:%2F%2Fexample.com%2F1", "x");
    topics_put("/topics/a%22b", "x");
    client_connect(&client, topics_port);
    ck_assert_int_eq(client_request(&client, "GET", "/topics", "", NULL), 200);
    ck_assert_str_eq(client_header(&client, "Link"), "<" HUB ">; rel=\"mercure\"");
    free(client_body(&client));
    ck_assert_int_eq(client_request(&client, "GET",
                                    "/topics/https:%2F%2Fexample.com%2F1",
                                    "Accept: application/json\r\n", NULL),
                     200);
    ck_assert_str_eq(client_header(&client, "Link"),
                     "<" HUB ">; rel=\"mercure\", "
                     "<https://example.com/1>; rel=\"self\"");
    free(client_body(&client));
    ck_assert_int_eq(client_request(&client, "GET", "/topics/a%22b",
                                    "Accept: application/json\r\n", NULL),
                     200);
    ck_assert_str_eq(client_header(&client, "Link"), "<" HUB ">; rel=\"mercure\"");
    client_close(&client);
}
END_TEST

START_TEST(subscriptions_are_off)
{
    char *answer;

    ck_assert_int_eq(fetch(topics_port, "GET", HUB "/subscriptions", "", NULL,
                           &answer),
                     404);
    ck_assert_ptr_nonnull(strstr(answer, "--subscriptions"));
    free(answer);
    ck_assert_int_eq(
        fetch(topics_port, "GET",
              "/.well-known/oauth-protected-resource/.well-known/mercure", "", NULL,
              NULL),
        404);
}
END_TEST

/* ---- the suite -------------------------------------------------------- */

static void start_small(void)
{
    fixture_scratch();
    fixture_start("--max-update 64K");
}

/* Adds the tests that depend on the journal. */
static void add_journal_tests(TCase *c)
{
    tcase_add_test(c, an_id_may_be_given_again);
    tcase_add_test(c, an_id_that_is_given_again_may_be_refused_elsewhere);
    tcase_add_test(c, a_stream_resumes);
    tcase_add_test(c, earliest_is_all_that_is_held);
    tcase_add_test(c, an_unknown_id_is_reported);
    tcase_add_loop_test(c, a_selector_selects, 0, COUNT(selections));
}

static Suite *suite(void)
{
    Suite *s = suite_create("mercure");
    TCase *c = add_case(s, "hub");

    tcase_add_checked_fixture(c, start_small, fixture_end);
    tcase_add_test(c, an_update_has_the_fields_of_the_form);
    tcase_add_test(c, the_response_is_the_id);
    tcase_add_test(c, updates_come_from_topics_too);
    tcase_add_loop_test(c, mistakes_in_forms_are_named, 0, COUNT(forms));
    tcase_add_test(c, forms_have_limits);
    tcase_add_test(c, a_body_has_its_type_and_size);
    tcase_add_test(c, no_way_leads_to_the_hubs_own_topics);
    tcase_add_loop_test(c, mistakes_in_queries_are_named, 0, COUNT(queries));
    tcase_add_test(c, selectors_have_limits);
    tcase_add_test(c, a_head_request_has_the_fields);
    tcase_add_test(c, descriptions_link_to_the_hub);
    tcase_add_test(c, subscriptions_are_off);
    c = add_case(s, "presence");
    tcase_add_checked_fixture(c, fixture_presence, fixture_end);
    tcase_add_test(c, no_pattern_reaches_the_names_of_the_program);
    c = add_case(s, "memory");
    tcase_add_checked_fixture(c, fixture_memory, fixture_end);
    add_journal_tests(c);
    c = add_case(s, "file");
    tcase_add_checked_fixture(c, fixture_file, fixture_end);
    add_journal_tests(c);
    if (redis_is_wanted()) {
        c = add_case(s, "redis");
        tcase_add_checked_fixture(c, fixture_redis, fixture_end);
        add_journal_tests(c);
    }
    return s;
}

RUN_SUITE(suite)
