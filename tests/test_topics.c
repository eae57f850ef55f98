/* Topics over HTTP: publish, follow, resume, list, forget, presence, and what is
 * refused. */
#include <config.h>

#include "support/client.h"
#include "support/crierd.h"
#include "support/runner.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static struct crierd crierd;
static int port; /* of the crierd that is asked */

static void setup(void)
{
    crierd_start(&crierd, "--presence room,a/b");
    port = crierd.port;
}

static void teardown(void)
{
    crierd_stop(&crierd);
}

/* ---- helpers ---------------------------------------------------------- */

/* Publishes BODY to TARGET with HEADERS, fails unless STATUS is the answer's, and
 * returns it as JSON. */
static json_t *publish(const char *target, const char *headers,
                       const char *body, int status)
{
    char *answer;
    int got = fetch(port, "POST", target, headers, body, &answer);
    json_t *json = json_loads(answer, 0, NULL);

    ck_assert_msg(got == status, "%d for %s: %s", got, target, answer);
    ck_assert_msg(json != NULL, "%s", answer);
    free(answer);
    return json;
}

static void put(const char *target, const char *body)
{
    json_decref(publish(target, "", body, 200));
}

static const char *text_of(const json_t *json, const char *key)
{
    const char *text = json_string_value(json_object_get(json, key));

    ck_assert_msg(text != NULL, "no %s", key);
    return text;
}

static json_int_t number_of(const json_t *json, const char *key)
{
    ck_assert_msg(json_is_integer(json_object_get(json, key)), "no %s", key);
    return json_integer_value(json_object_get(json, key));
}

/* The body of GET TARGET, which must be answered with 200. To be freed. */
static char *get(const char *target, const char *headers)
{
    char *answer;

    ck_assert_int_eq(
        fetch(port, "GET", target, headers, NULL, &answer), 200);
    return answer;
}

static json_t *get_json(const char *target, const char *headers)
{
    char *answer = get(target, headers);
    json_t *json = json_loads(answer, 0, NULL);

    ck_assert_msg(json != NULL, "%s", answer);
    free(answer);
    return json;
}

/* Fails unless what is held at TARGET (with ?...) are the events with the data
 * EXPECTED, each followed by a space. */
static void holds(const char *target, const char *headers,
                  const char *expected)
{
    char with[1024], *body, *line, *rest, text[4096] = "";

    snprintf(with, sizeof with, "%s%cpoll=1", target,
             strchr(target, '?') != NULL ? '&' : '?');
    body = get(with, headers);
    for (line = strtok_r(body, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        if (strcmp(line, "event: gap") == 0)
            strcat(text, "GAP:");
        else if (strncmp(line, "data: ", 6) == 0)
            strcat(strcat(text, line + 6), " ");
    }
    ck_assert_msg(strcmp(text, expected) == 0, "%s holds '%s', not '%s'",
                  target, text, expected);
    free(body);
}

static void follow(struct client *client, const char *target,
                   const char *headers)
{
    client_connect(client, port);
    ck_assert_int_eq(client_request(client, "GET", target, headers, NULL),
                     200);
}

/* ---- publish and follow ----------------------------------------------- */

START_TEST(what_is_published_is_heard)
{
    struct client one, both, all, other;
    json_t *receipt;
    char id[256], *event;

    follow(&one, "/topics/a", "");
    follow(&both, "/topics/a,b", "");
    follow(&all, "/topics/*", "");
    follow(&other, "/topics/c", "");
    receipt = publish("/topics/a", "", "hello\nyou", 200);
    ck_assert_int_eq(number_of(receipt, "subscribers"), 3);
    ck_assert_int_gt(number_of(receipt, "position"), 0);
    ck_assert_uint_eq(json_array_size(json_object_get(receipt, "topics")), 1);
    event = client_event(&one, id);
    ck_assert_str_eq(event, "data: hello\ndata: you");
    ck_assert_str_eq(id, text_of(receipt, "id"));
    ck_assert_int_eq(id[0], '#');
    free(event);
    json_decref(receipt);
    client_expect_event(&both, "data: hello\ndata: you");
    client_expect_event(&all, "data: hello\ndata: you");
    put("/topics/b", "2");
    put("/topics/a,b,c", "3"); /* once to each, however many topics */
    put("/topics/a,c", "4");
    client_expect_event(&one, "data: 3");
    client_expect_event(&one, "data: 4");
    client_expect_event(&both, "data: 2");
    client_expect_event(&both, "data: 3");
    client_expect_event(&both, "data: 4");
    client_expect_event(&all, "data: 2");
    client_expect_event(&all, "data: 3");
    client_expect_event(&all, "data: 4");
    client_expect_event(&other, "data: 3");
    client_expect_event(&other, "data: 4");
    client_close(&one);
    client_close(&both);
    client_close(&all);
    client_close(&other);
}
END_TEST

START_TEST(an_event_has_its_fields)
{
    struct client client;

    follow(&client, "/topics/a", "");
    put("/topics/a?event=greeting&id=my-1&retry=1500", "x");
    client_expect(&client, "id: my-1\nevent: greeting\nretry: 1500\ndata: x");
    json_decref(publish("/topics/a",
                        "Event-Type: bye\r\nEvent-ID: my-2\r\n"
                        "Event-Retry: 7\r\n",
                        "", 200));
    client_expect(&client, "id: my-2\nevent: bye\nretry: 7\ndata:");
    json_decref(publish("/topics/a",
                        "Content-Type: application/json; charset=utf-8\r\n",
                        "{ \"n\" : 1.10,\n \"big\":12345678901234567890123,"
                        "\"t\":\"a b\\\" c\" }",
                        200));
    client_expect_event(&client, "data: {\"n\":1.10,\"big\":"
                                 "12345678901234567890123,\"t\":\"a b\\\" c\"}");
    json_decref(publish("/topics/a", "Content-Type: text/plain\r\n", "{ }",
                        200));
    client_expect_event(&client, "data: { }");
    client_close(&client);
}
END_TEST

START_TEST(a_nul_is_no_json)
{
    struct client client;
    char *answer;

    client_connect(&client, port);
    client_send(&client, "POST /topics/a HTTP/1.1\r\nHost: x\r\n"
                         "Content-Type: application/json\r\n"
                         "Content-Length: 5\r\n\r\n");
    client_send_bytes(&client, "[1\0,]", 5);
    ck_assert_int_eq(client_head(&client), 400);
    answer = client_body(&client);
    ck_assert_ptr_nonnull(strstr(answer, "NUL"));
    free(answer);
    client_close(&client);
}
END_TEST

START_TEST(names_are_percent_decoded)
{
    struct client client;

    follow(&client, "/topics/a%2Fb%20%C3%A9", "");
    put("/topics/a/b%20%c3%a9", "x");
    client_expect_event(&client, "data: x");
    client_close(&client);
}
END_TEST

static const struct {
    const char *method, *target, *headers, *body;
    int status;
    const char *says;
} refusals[] = {
    {"POST", "/topics/a%00", "", "x", 400, "NUL"},
    {"POST", "/topics/a%0A", "", "x", 400, "control characters"},
    {"POST", "/topics/a%C2%85", "", "x", 400, "control characters"},
    {"POST", "/topics/%FF", "", "x", 400, "UTF-8"},
    {"POST", "/topics/*", "", "x", 400, "'*'"},
    {"POST", "/topics/a,,b", "", "x", 400, "1 to 255 bytes"},
    {"POST", "/topics/", "", "x", 405, "GET"},
    {"POST", "/topics", "", "x", 405, "GET"},
    {"POST", "/topics/$mine", "", "x", 403, "Crier's own"},
    {"POST", "/topics/a,$presence/a", "", "x", 403, "Crier's own"},
    {"GET", "/topics/$chat", "", NULL, 403, "Crier's own"},
    {"GET", "/topics/a,$chat/to/bob", "", NULL, 403, "Crier's own"},
    {"GET", "/topics?prefix=$chat", "", NULL, 403, "Crier's own"},
    {"DELETE", "/topics/$presence/a", "", NULL, 403, "Crier's own"},
    {"POST", "/topics/a", "", "\xff", 400, "UTF-8"},
    {"POST", "/topics/a?event=a%0Ab", "", "x", 400, "CR or LF"},
    {"POST", "/topics/a?id=a%0Ab", "", "x", 400, "CR or LF"},
    {"POST", "/topics/a?id=%23x-1", "", "x", 400, "'#'"},
    {"POST", "/topics/a?id=", "", "x", 400, "1 to 255 bytes"},
    {"POST", "/topics/a?retry=soon", "", "x", 400, "retry"},
    {"POST", "/topics/a", "Content-Type: application/json\r\n", "{\"a\":}",
     400, "line 1, column 6"},
    {"POST", "/topics/a", "Content-Type: application/json\r\n", "", 400,
     "not JSON"},
    {"GET", "/topics/room", "Sec-Fetch-Site: cross-site\r\n", NULL, 403,
     "another origin"}, /* it would be told as presence */
    {"POST", "/topics/a", "Sec-Fetch-Site: cross-site\r\n", "x", 403,
     "another origin"},
    {"DELETE", "/topics/a", "Origin: http://evil.example\r\n", NULL, 403,
     "another origin"},
    {"GET", "/topics/a?format=xml", "", NULL, 400, "sse, json or raw"},
    {"GET", "/topics?limit=0", "", NULL, 400, "1 to 1000"},
    {"DELETE", "/topics/nothing", "", NULL, 404, "no such topic"},
    {"DELETE", "/topics/a,b", "", NULL, 400, "topic"},
    {"GET", "/topics/a,b", "Accept: application/json\r\n", NULL, 400,
     "topic"},
    {"GET", "/topics/nothing", "Accept: application/json\r\n", NULL, 404,
     "no such topic"},
};

START_TEST(mistakes_are_named)
{
    char *answer;
    int status = fetch(port, refusals[_i].method, refusals[_i].target,
                       refusals[_i].headers, refusals[_i].body, &answer);

    ck_assert_msg(status == refusals[_i].status, "%d for %s: %s", status,
                  refusals[_i].target, answer);
    ck_assert_msg(strstr(answer, refusals[_i].says) != NULL, "'%s'", answer);
    free(answer);
}
END_TEST

START_TEST(long_names_and_long_lists_are_refused)
{
    char target[4096] = "/topics/", *answer;
    int i;

    memset(target + 8, 'x', 255);
    target[8 + 255] = '\0';
    put(target, "the longest");
    strcat(target, "x");
    ck_assert_int_eq(fetch(port, "POST", target, "", "x", NULL), 400);
    strcpy(target, "/topics/0");
    for (i = 1; i < 100; i++)
        sprintf(target + strlen(target), ",%d", i);
    put(target, "a hundred");
    holds(target, "", "a hundred ");
    strcat(target, ",100");
    ck_assert_int_eq(fetch(port, "POST", target, "", "x", &answer),
                     400);
    ck_assert_ptr_nonnull(strstr(answer, "more than 100 topics"));
    free(answer);
    ck_assert_int_eq(fetch(port, "GET", target, "", NULL, NULL), 400);
}
END_TEST

/* ---- the past --------------------------------------------------------- */

START_TEST(the_past_can_be_asked_for)
{
    struct client client;
    json_t *receipt;
    char target[256], header[300];
    int i;

    for (i = 1; i <= 5; i++) {
        snprintf(target, sizeof target, "/topics/%s?id=n%d",
                 i % 2 ? "odd" : "even", i);
        snprintf(header, sizeof header, "%d", i);
        put(target, header);
    }
    receipt = publish("/topics/odd", "", "7", 200);
    put("/topics/odd", "9");
    holds("/topics/odd", "", "1 3 5 7 9 ");
    holds("/topics/odd,even", "", "1 2 3 4 5 7 9 ");
    holds("/topics/*", "", "1 2 3 4 5 7 9 ");
    holds("/topics/*?since=all", "", "1 2 3 4 5 7 9 ");
    holds("/topics/odd?since=2", "", "7 9 ");
    holds("/topics/odd,even?since=4", "", "4 5 7 9 ");
    holds("/topics/odd?since=100", "", "1 3 5 7 9 ");
    holds("/topics/odd?since=0", "", "");
    holds("/topics/odd?since=10m", "", "1 3 5 7 9 ");
    holds("/topics/odd?since=n3", "", "5 7 9 ");
    holds("/topics/odd,even?lastEventID=n4", "", "5 7 9 ");
    holds("/topics/odd?since=all", "Last-Event-ID: n5\r\n", "7 9 ");
    holds("/topics/odd?since=all", "Last-Event-ID: n4\r\n", "5 7 9 ");
    snprintf(header, sizeof header, "Last-Event-ID: %s\r\n",
             text_of(receipt, "id"));
    holds("/topics/odd", header, "9 ");
    json_decref(receipt);
    follow(&client, "/topics/odd?since=1", "");
    client_expect_event(&client, "data: 9");
    put("/topics/odd", "11");
    client_expect_event(&client, "data: 11");
    client_close(&client);
    follow(&client, "/topics/odd", "");
    put("/topics/odd", "13"); /* without asking, only what is new */
    client_expect_event(&client, "data: 13");
    client_close(&client);
}
END_TEST

START_TEST(an_unknown_id_is_a_gap)
{
    struct client client;
    json_t *receipt;
    char *frame, wanted[600];

    receipt = publish("/topics/a", "", "1", 200);
    put("/topics/a", "2");
    follow(&client, "/topics/a", "Last-Event-ID: no \"such\" id\r\n");
    frame = client_frame(&client);
    snprintf(wanted, sizeof wanted,
             "event: gap\ndata: {\"requested\":\"no \\\"such\\\" id\","
             "\"oldest\":\"%s\"}",
             text_of(receipt, "id"));
    ck_assert_str_eq(frame, wanted);
    free(frame);
    json_decref(receipt);
    client_expect_event(&client, "data: 1");
    client_expect_event(&client, "data: 2");
    put("/topics/a", "3");
    client_expect_event(&client, "data: 3");
    client_close(&client);
    follow(&client, "/topics/empty?lastEventID=x", "");
    client_expect(&client,
                  "event: gap\ndata: {\"requested\":\"x\",\"oldest\":null}");
    client_close(&client);
    holds("/topics/empty", "Last-Event-ID: #zzzzzzzz-1\r\n", "GAP:{\"requested\":"
          "\"#zzzzzzzz-1\",\"oldest\":null} ");
}
END_TEST

/* Ids that no update can have are unknown, and told in a form that is text. */
START_TEST(an_odd_id_is_a_gap)
{
    char id[257], target[512];
    struct client client;

    memset(id, 'a', 256);
    id[255] = '\0'; /* the longest */
    snprintf(target, sizeof target, "/topics/a?id=%s", id);
    put(target, "1");
    put("/topics/a", "2");
    snprintf(target, sizeof target, "/topics/a?since=%s", id);
    holds(target, "", "2 ");
    id[255] = 'a';
    id[256] = '\0';
    snprintf(target, sizeof target, "/topics/a?lastEventID=%s", id);
    follow(&client, target, "");
    free(client_until(&client, "event: gap\ndata: {\"requested\":\"#?aaa"));
    client_close(&client);
    follow(&client, "/topics/none", "Last-Event-ID: \xff" "x\r\n");
    client_expect(&client, "event: gap\ndata: {\"requested\":\"#??x\","
                           "\"oldest\":null}");
    client_close(&client);
}
END_TEST

START_TEST(what_is_let_go_is_a_gap)
{
    struct crierd other;
    char target[64], header[64];
    int i;

    crierd_start(&other, "--retain-count 5 --retain-topic few*:count=2");
    port = other.port;
    for (i = 1; i <= 8; i++) {
        snprintf(target, sizeof target, "/topics/many?id=m%d", i);
        snprintf(header, sizeof header, "%d", i);
        put(target, header);
    }
    holds("/topics/many", "", "4 5 6 7 8 ");
    holds("/topics/many", "Last-Event-ID: m4\r\n", "5 6 7 8 ");
    holds("/topics/many", "Last-Event-ID: m2\r\n",
          "GAP:{\"requested\":\"m2\",\"oldest\":\"m4\"} 4 5 6 7 8 ");
    for (i = 1; i <= 3; i++) {
        snprintf(target, sizeof target, "/topics/few/x?id=f%d", i);
        snprintf(header, sizeof header, "f%d", i);
        put(target, header);
    }
    holds("/topics/few/x", "", "f2 f3 ");
    holds("/topics/*", "", "6 7 8 f2 f3 ");
    holds("/topics/few/x?since=f2", "", "f3 ");
    crierd_stop(&other);
}
END_TEST

START_TEST(a_repeated_id_is_refused_or_nothing_new)
{
    struct client client;
    json_t *first, *again;

    follow(&client, "/topics/a,b", "");
    first = publish("/topics/a?id=once", "", "1", 200);
    again = publish("/topics/b?id=once", "", "2", 409);
    json_decref(again);
    again = publish("/topics/a?id=once&dedupe=1", "", "3", 200);
    ck_assert_str_eq(text_of(again, "id"), "once");
    ck_assert_int_eq(number_of(again, "position"),
                     number_of(first, "position"));
    ck_assert(json_is_true(json_object_get(again, "duplicate")));
    ck_assert_ptr_null(json_object_get(first, "duplicate"));
    json_decref(first);
    json_decref(again);
    put("/topics/a?id=twice&dedupe=1", "4");
    client_expect(&client, "id: once\ndata: 1");
    client_expect(&client, "id: twice\ndata: 4");
    client_close(&client);
    holds("/topics/a,b", "", "1 4 ");
}
END_TEST

/* ---- forms ------------------------------------------------------------ */

START_TEST(other_forms_are_the_same_stream)
{
    struct client json, raw, accept;
    char *line;
    json_t *object;

    follow(&json, "/topics/a?format=json", "");
    ck_assert_str_eq(client_header(&json, "Content-Type"),
                     "application/x-ndjson");
    follow(&accept, "/topics/a", "Accept: application/x-ndjson\r\n");
    ck_assert_str_eq(client_header(&accept, "Content-Type"),
                     "application/x-ndjson");
    follow(&raw, "/topics/a?format=raw", "");
    ck_assert_str_eq(client_header(&raw, "Content-Type"),
                     "text/plain; charset=utf-8");
    put("/topics/a,b?event=e&retry=5&id=i", "x\ny\n");
    line = client_bytes(&raw, 5);
    ck_assert_str_eq(line, "x\ny\n\n");
    free(line);
    line = client_line(&json);
    object = json_loads(line, 0, NULL);
    ck_assert_msg(object != NULL, "%s", line);
    free(line);
    ck_assert_str_eq(text_of(object, "id"), "i");
    ck_assert_str_eq(text_of(object, "event"), "e");
    ck_assert_str_eq(text_of(object, "data"), "x\ny\n");
    ck_assert_int_eq(number_of(object, "retry"), 5);
    ck_assert_uint_eq(json_array_size(json_object_get(object, "topics")), 2);
    ck_assert_uint_eq(strlen(text_of(object, "time")), 24);
    json_decref(object);
    line = client_line(&accept);
    ck_assert_ptr_nonnull(strstr(line, "\"data\":\"x\\ny\\n\"}"));
    free(line);
    client_close(&json);
    client_close(&accept);
    client_close(&raw);
    follow(&json, "/topics/a?format=json&lastEventID=none", "");
    line = client_line(&json);
    ck_assert_str_eq(line, "{\"event\":\"gap\",\"data\":{\"requested\":"
                           "\"none\",\"oldest\":\"i\"}}");
    free(line);
    client_close(&json);
}
END_TEST

/* ---- what there is ---------------------------------------------------- */

/* The names in the list at TARGET, each followed by a space, and the next one. */
static void lists(const char *target, const char *expected)
{
    json_t *list = get_json(target, ""), *topic;
    char text[1024] = "";
    size_t i;

    json_array_foreach (json_object_get(list, "topics"), i, topic)
        strcat(strcat(text, text_of(topic, "topic")), " ");
    if (json_is_string(json_object_get(list, "next")))
        strcat(strcat(text, "> "), text_of(list, "next"));
    ck_assert_str_eq(text, expected);
    json_decref(list);
}

START_TEST(topics_are_listed)
{
    struct client client;
    json_t *topic;

    lists("/topics", "");
    put("/topics/b?id=b1", "x");
    put("/topics/a,b?id=b2", "x");
    put("/topics/c", "x");
    follow(&client, "/topics/b,bb", "");
    lists("/topics", "a b bb c ");
    lists("/topics?limit=2", "a b > b");
    lists("/topics?limit=2&after=b", "bb c > c");
    lists("/topics?limit=2&after=c", "");
    lists("/topics?prefix=b", "b bb ");
    topic = get_json("/topics/b", "Accept: application/json\r\n");
    ck_assert_int_eq(number_of(topic, "messages"), 2);
    ck_assert_int_eq(number_of(topic, "subscribers"), 1);
    ck_assert_int_gt(number_of(topic, "bytes"), 0);
    ck_assert_str_eq(text_of(topic, "first"), "b1");
    ck_assert_str_eq(text_of(topic, "last"), "b2");
    ck_assert_uint_eq(strlen(text_of(topic, "time")), 24);
    json_decref(topic);
    topic = get_json("/topics/bb", "Accept: application/json\r\n");
    ck_assert_int_eq(number_of(topic, "messages"), 0);
    ck_assert_int_eq(number_of(topic, "subscribers"), 1);
    ck_assert(json_is_null(json_object_get(topic, "last")));
    json_decref(topic);
    client_close(&client);
}
END_TEST

START_TEST(a_topic_is_forgotten)
{
    struct client client;

    put("/topics/a?id=1a", "1");
    put("/topics/a,b?id=2a", "2");
    follow(&client, "/topics/a", "");
    ck_assert_int_eq(fetch(port, "DELETE", "/topics/a", "", NULL, NULL),
                     204);
    holds("/topics/a", "", "");
    holds("/topics/b", "", "2 ");
    holds("/topics/*", "", "2 ");
    lists("/topics?prefix=b", "b ");
    put("/topics/a?id=1a", "3"); /* the id is free again */
    client_expect(&client, "id: 1a\ndata: 3");
    holds("/topics/a,b", "Last-Event-ID: 2a\r\n", "3 ");
    client_close(&client);
}
END_TEST

START_TEST(presence_is_told)
{
    struct client watcher, one, two;

    follow(&watcher, "/topics/$presence/room,$presence/a/b", "");
    follow(&one, "/topics/room,other", "");
    client_expect_event(&watcher, "event: join\ndata: {\"topic\":\"room\","
                                  "\"count\":1}");
    follow(&two, "/topics/a/b,room", "");
    client_expect_event(&watcher, "event: join\ndata: {\"topic\":\"a/b\","
                                  "\"count\":1}");
    client_expect_event(&watcher, "event: join\ndata: {\"topic\":\"room\","
                                  "\"count\":2}");
    client_close(&one);
    client_expect_event(&watcher, "event: leave\ndata: {\"topic\":\"room\","
                                  "\"count\":1}");
    free(get("/topics/room?poll=1", "")); /* one that only looks is not told */
    client_close(&two);
    free(client_until(&watcher, "event: leave\ndata: {\"topic\":\"room\","
                                "\"count\":0}"));
    client_close(&watcher);
    holds("/topics/*", "", "");
    lists("/topics", "");
    lists("/topics?prefix=$presence/", "$presence/a/b $presence/room ");
}
END_TEST

/* ---- limits ----------------------------------------------------------- */

START_TEST(limits_are_refusals_of_their_own)
{
    struct crierd other;
    char *large = malloc(40001), target[64], *answer;
    struct client client;
    int i;

    memset(large, 'x', 40000);
    large[40000] = '\0';
    crierd_start(&other, "--max-message 30K --retain-bytes 20K "
                          "--max-topics 100");
    port = other.port;
    ck_assert_int_eq(
        fetch(port, "POST", "/topics/a", "", large, &answer), 413);
    ck_assert_ptr_nonnull(strstr(answer, "30720 bytes"));
    free(answer);
    large[25000] = '\0';
    ck_assert_int_eq(
        fetch(port, "POST", "/topics/a", "", large, &answer), 413);
    ck_assert_ptr_nonnull(strstr(answer, "than all that the journal may hold"));
    free(answer);
    free(large);
    for (i = 0; i < 100; i++) {
        snprintf(target, sizeof target, "/topics/t%d", i);
        put(target, "x");
    }
    ck_assert_int_eq(
        fetch(port, "POST", "/topics/t100", "", "x", &answer), 507);
    ck_assert_ptr_nonnull(strstr(answer, "as many topics as it may"));
    free(answer);
    ck_assert_int_eq(
        fetch(port, "DELETE", "/topics/t7", "", NULL, NULL), 204);
    put("/topics/t100", "x");
    client_connect(&client, port);
    client_close(&client);
    crierd_stop(&other);
}
END_TEST

START_TEST(a_message_of_a_mebibyte_goes_through)
{
    size_t length = 1024 * 1024;
    char *large = malloc(length + 1), *event;
    struct client client;

    memset(large, 'x', length);
    large[length] = '\0';
    follow(&client, "/topics/a", "");
    put("/topics/a", large);
    event = client_event(&client, NULL);
    ck_assert_uint_eq(strlen(event), length + 6);
    ck_assert_str_eq(event + 6, large);
    free(event);
    client_close(&client);
    ck_assert_int_eq(
        fetch(port, "POST", "/events", "", large, NULL), 413);
    free(large);
}
END_TEST

START_TEST(who_takes_nothing_at_all_is_ended)
{
    struct crierd other;
    struct client silent, reader;
    char *large = malloc(200001);
    int i;

    memset(large, 'x', 200000);
    large[200000] = '\0';
    crierd_start(&other, "--stall-timeout 300ms --log-level debug");
    port = other.port;
    client_connect_small(&silent, port, 4096);
    ck_assert_int_eq(
        client_request(&silent, "GET", "/topics/a", "", NULL), 200);
    follow(&reader, "/topics/a", "");
    for (i = 0; i < 5; i++) {
        put("/topics/a", large);
        free(client_frame(&reader));
    }
    crierd_wait_log(&other,
                    "stream /topics ended: client reads too slowly");
    put("/topics/a", "still there");
    client_expect_event(&reader, "data: still there");
    free(large);
    client_close(&silent);
    client_close(&reader);
    crierd_stop(&other);
}
END_TEST

START_TEST(health_tells_of_the_journal)
{
    json_t *health, *journal;

    put("/topics/a", "1");
    health = get_json("/healthz", "");
    ck_assert_str_eq(text_of(health, "status"), "ok");
    journal = json_object_get(health, "journal");
    ck_assert_str_eq(text_of(journal, "type"), "memory");
    ck_assert_int_eq(number_of(journal, "published"), 1);
    json_decref(health);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("topics");
    TCase *c = add_case(s, "topics");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, what_is_published_is_heard);
    tcase_add_test(c, an_event_has_its_fields);
    tcase_add_test(c, a_nul_is_no_json);
    tcase_add_test(c, names_are_percent_decoded);
    tcase_add_loop_test(c, mistakes_are_named, 0,
                        (int)(sizeof refusals / sizeof refusals[0]));
    tcase_add_test(c, long_names_and_long_lists_are_refused);
    tcase_add_test(c, the_past_can_be_asked_for);
    tcase_add_test(c, an_unknown_id_is_a_gap);
    tcase_add_test(c, an_odd_id_is_a_gap);
    tcase_add_test(c, what_is_let_go_is_a_gap);
    tcase_add_test(c, a_repeated_id_is_refused_or_nothing_new);
    tcase_add_test(c, other_forms_are_the_same_stream);
    tcase_add_test(c, topics_are_listed);
    tcase_add_test(c, a_topic_is_forgotten);
    tcase_add_test(c, presence_is_told);
    tcase_add_test(c, limits_are_refusals_of_their_own);
    tcase_add_test(c, a_message_of_a_mebibyte_goes_through);
    tcase_add_test(c, who_takes_nothing_at_all_is_ended);
    tcase_add_test(c, health_tells_of_the_journal);
    return s;
}

RUN_SUITE(suite)
