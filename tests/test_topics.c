/* Topics over HTTP: publishing, subscribing, all formats, and refusals. */
#include <config.h>

#include "support/client.h"
#include "support/fixture.h"
#include "support/runner.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

/* ---- publish and subscribe -------------------------------------------- */

START_TEST(subscribers_receive_updates)
{
    struct client one, both, all, other;
    json_t *receipt;
    char id[256], *event;

    topics_subscribe(&one, "/topics/a", "");
    topics_subscribe(&both, "/topics/a,b", "");
    topics_subscribe(&all, "/topics/*", "");
    topics_subscribe(&other, "/topics/c", "");
    receipt = topics_publish("/topics/a", "", "hello\nyou", 200);
    ck_assert_int_eq(json_number(receipt, "subscribers"), 3);
    ck_assert_int_gt(json_number(receipt, "position"), 0);
    ck_assert_uint_eq(json_array_size(json_object_get(receipt, "topics")), 1);
    event = client_event(&one, id);
    ck_assert_str_eq(event, "data: hello\ndata: you");
    ck_assert_str_eq(id, json_text(receipt, "id"));
    ck_assert_int_eq(id[0], '#');
    free(event);
    json_decref(receipt);
    client_expect_event(&both, "data: hello\ndata: you");
    client_expect_event(&all, "data: hello\ndata: you");
    topics_put("/topics/b", "2");
    topics_put("/topics/a,b,c", "3"); /* once to each, however many topics */
    topics_put("/topics/a,c", "4");
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

START_TEST(a_template_is_a_selector)
{
    struct client book, any, lists;

    topics_subscribe(&book, "/topics/book%2F%7Bid%7D", "");
    topics_subscribe(&any, "/topics/%7B+x%7D,$presence/%7Bx%7D", "");
    topics_subscribe(&lists, "/topics/a,list%7B%3Fx,y%7D", "");
    topics_put("/topics/book%2F1", "1");
    topics_put("/topics/book%2F1%2F2", "2");
    topics_put("/topics/book%2F3", "3");
    topics_put("/topics/list%3Fy=2", "4");
    topics_put("/topics/a", "5");
    topics_put("/topics/book%2F%7Bid%7D", "6");
    client_expect_event(&book, "data: 1");
    client_expect_event(&book, "data: 3");
    client_expect_event(&book, "data: 6");
    client_expect_event(&any, "data: 1");
    client_expect_event(&any, "data: 2");
    client_expect_event(&any, "data: 3");
    client_expect_event(&any, "data: 4");
    client_expect_event(&any, "data: 5");
    client_expect_event(&lists, "data: 4");
    client_expect_event(&lists, "data: 5");
    client_close(&book);
    client_close(&any);
    client_close(&lists);
}
END_TEST

START_TEST(an_event_has_its_fields)
{
    struct client client;

    topics_subscribe(&client, "/topics/a", "");
    topics_put("/topics/a?event=greeting&id=my-1&retry=1500", "x");
    client_expect(&client, "id: my-1\nevent: greeting\nretry: 1500\ndata: x");
    json_decref(topics_publish("/topics/a",
                        "Event-Type: bye\r\nEvent-ID: my-2\r\n"
                        "Event-Retry: 7\r\n",
                        "", 200));
    client_expect(&client, "id: my-2\nevent: bye\nretry: 7\ndata:");
    json_decref(topics_publish("/topics/a",
                        "Content-Type: application/json; charset=utf-8\r\n",
                        "{ \"n\" : 1.10,\n \"big\":12345678901234567890123,"
                        "\"t\":\"a b\\\" c\" }",
                        200));
    client_expect_event(&client, "data: {\"n\":1.10,\"big\":"
                                 "12345678901234567890123,\"t\":\"a b\\\" c\"}");
    json_decref(topics_publish("/topics/a", "Content-Type: text/plain\r\n", "{ }",
                        200));
    client_expect_event(&client, "data: { }");
    client_close(&client);
}
END_TEST

START_TEST(a_nul_is_no_json)
{
    struct client client;
    char *answer;

    client_connect(&client, topics_port);
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

    topics_subscribe(&client, "/topics/a%2Fb%20%C3%A9", "");
    topics_put("/topics/a/b%20%c3%a9", "x");
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
    {"POST", "/topics/", "", "x", 404, "nothing at this path"},
    {"GET", "/topics/%7Ba%7D%7Bb%7D%7Bc%7D%7Bd%7D%7Be%7D%7Bf%7D%7Bg%7D%7Bh%7D%7Bi%7D%7Bj%7D%7Bk%7D",
     "", NULL, 400, "URI template"},
    {"GET", "/topics?match=%7Ba%7D,%7Bb%7D,%7Bc%7D,%7Bd%7D,%7Be%7D", "", NULL, 400,
     "topics"},
    {"GET", "/topics/$a%7Bb%7D", "", NULL, 403, "are reserved"},
    {"GET", "/topics/%7Ba,$b%7D", "", NULL, 403, "are reserved"},
    {"POST", "/topics", "", "x", 405, "GET"},
    {"POST", "/topics/$mine", "", "x", 403, "are reserved"},
    {"POST", "/topics/a,$presence/a", "", "x", 403, "are reserved"},
    {"GET", "/topics/$chat", "", NULL, 403, "are reserved"},
    {"GET", "/topics/a,$chat/to/bob", "", NULL, 403, "are reserved"},
    {"GET", "/topics?match=$chat*", "", NULL, 403, "are reserved"},
    {"DELETE", "/topics/$presence/a", "", NULL, 403, "are reserved"},
    {"POST", "/topics/a", "", "\xff", 400, "UTF-8"},
    {"POST", "/topics/a?event=a%0Ab", "", "x", 400, "CR or LF"},
    {"POST", "/topics/a?id=a%0Ab", "", "x", 400, "CR or LF"},
    {"POST", "/topics/a?id=%23x-1", "", "x", 400, "'#'"},
    {"POST", "/topics/a?id=", "", "x", 400, "1 to 255 bytes"},
    {"POST", "/topics/a?id=%20", "", "x", 400, "with a space"},
    {"POST", "/topics/a?id=%20x", "", "x", 400, "with a space"},
    {"POST", "/topics/a?id=x%20", "", "x", 400, "with a space"},
    {"POST", "/topics/a?id=x%09", "", "x", 400, "control character"},
    {"POST", "/topics/a?id=a%01b", "", "x", 400, "control character"},
    {"POST", "/topics/a?id=a%7f", "", "x", 400, "control character"},
    {"POST", "/topics/a?retry=soon", "", "x", 400, "retry"},
    {"POST", "/topics/a?retry=2147483648", "", "x", 400,
     "from 0 to 2147483647"},
    {"POST", "/topics/a", "Content-Type: application/json\r\n", "{\"a\":}",
     400, "line 1, column 6"},
    {"POST", "/topics/a", "Content-Type: application/json\r\n", "", 400,
     "not JSON"},
    {"GET", "/topics/room", "Sec-Fetch-Site: cross-site\r\n", NULL, 403,
     "another origin"}, /* it would change presence */
    {"POST", "/topics/a", "Sec-Fetch-Site: cross-site\r\n", "x", 403,
     "another origin"},
    {"DELETE", "/topics/a", "Origin: http://evil.example\r\n", NULL, 403,
     "another origin"},
    {"GET", "/topics/a?format=xml", "", NULL, 400, "sse, full, json or raw"},
    {"GET", "/topics?limit=0", "", NULL, 400, "1 to 1000"},
    {"DELETE", "/topics/nothing", "", NULL, 404, "no such topic"},
    {"DELETE", "/topics/a,b", "", NULL, 400, "topic"},
    {"GET", "/topics/nothing", "Accept: application/json\r\n", NULL, 404,
     "no such topic"},
};

START_TEST(mistakes_are_named)
{
    char *answer;
    int status = fetch(topics_port, refusals[_i].method, refusals[_i].target,
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
    topics_put(target, "the longest");
    strcat(target, "x");
    ck_assert_int_eq(fetch(topics_port, "POST", target, "", "x", NULL), 400);
    strcpy(target, "/topics/0");
    for (i = 1; i < 100; i++)
        sprintf(target + strlen(target), ",%d", i);
    topics_put(target, "a hundred");
    topics_hold(target, "", "a hundred ");
    strcat(target, ",100");
    ck_assert_int_eq(fetch(topics_port, "POST", target, "", "x", &answer),
                     400);
    ck_assert_ptr_nonnull(strstr(answer, "more than 100 topics"));
    free(answer);
    ck_assert_int_eq(fetch(topics_port, "GET", target, "", NULL, NULL), 400);
}
END_TEST

/* ---- formats ---------------------------------------------------------- */

START_TEST(formats_have_the_same_updates)
{
    struct client json, raw, accept;
    char *line;
    json_t *object;

    topics_subscribe(&json, "/topics/a?format=json", "");
    ck_assert_str_eq(client_header(&json, "Content-Type"),
                     "application/x-ndjson");
    topics_subscribe(&accept, "/topics/a", "Accept: application/x-ndjson\r\n");
    ck_assert_str_eq(client_header(&accept, "Content-Type"),
                     "application/x-ndjson");
    topics_subscribe(&raw, "/topics/a?format=raw", "");
    ck_assert_str_eq(client_header(&raw, "Content-Type"),
                     "text/plain; charset=utf-8");
    client_expect_line(&json, ""); /* as all streams, they begin with bytes */
    client_expect_line(&accept, "");
    client_expect_line(&raw, "");
    topics_put("/topics/a,b?event=e&retry=5&id=i", "x\ny\n");
    line = client_bytes(&raw, 5);
    ck_assert_str_eq(line, "x\ny\n\n");
    free(line);
    line = client_line(&json);
    object = json_loads(line, 0, NULL);
    ck_assert_msg(object != NULL, "%s", line);
    free(line);
    ck_assert_str_eq(json_text(object, "id"), "i");
    ck_assert_str_eq(json_text(object, "event"), "e");
    ck_assert_str_eq(json_text(object, "data"), "x\ny\n");
    ck_assert_int_eq(json_number(object, "retry"), 5);
    ck_assert_uint_eq(json_array_size(json_object_get(object, "topics")), 2);
    ck_assert_uint_eq(strlen(json_text(object, "time")), 24);
    json_decref(object);
    line = client_line(&accept);
    ck_assert_ptr_nonnull(strstr(line, "\"data\":\"x\\ny\\n\"}"));
    free(line);
    client_close(&json);
    client_close(&accept);
    client_close(&raw);
    topics_subscribe(&json, "/topics/a?format=json&lastEventID=none", "");
    client_expect_line(&json, "");
    line = client_line(&json);
    ck_assert_str_eq(line, "{\"event\":\"gap\",\"data\":{\"requested\":"
                           "\"none\",\"oldest\":\"i\"}}");
    free(line);
    client_close(&json);
}
END_TEST

/* Reads a frame of the format "full" with the topics TOPICS, and fails unless REST follows
 * its two additional fields. */
static void expect_full(struct client *client, const char *topics,
                        const char *rest)
{
    char *frame = client_frame(client), wanted[64];
    int year, length = 0;
    size_t own;

    ck_assert_ptr_nonnull(frame);
    snprintf(wanted, sizeof wanted, "topics: %s\ntime: ", topics);
    own = strlen(wanted);
    ck_assert_msg(strncmp(frame, wanted, own) == 0, "%s", frame);
    ck_assert_int_eq(sscanf(frame + own, "%4d-%*2d-%*2dT%*2d:%*2d:%*2d.%*3dZ%n",
                            &year, &length),
                     1);
    ck_assert_int_eq(length, 24);
    ck_assert_int_gt(year, 2025);
    ck_assert_str_eq(frame + own + 24, rest);
    free(frame);
}

START_TEST(the_full_format_adds_fields)
{
    struct crierd other;
    struct client client, past;
    char *gap;

    crierd_start(&other, "--ping-interval 100ms");
    topics_port = other.port;
    topics_subscribe(&client, "/topics/a?format=full&lastEventID=none", "");
    ck_assert_str_eq(client_header(&client, "Content-Type"),
                     "text/event-stream");
    gap = client_until(&client, "gap"); /* a ping may come first */
    ck_assert_str_eq(gap, "event: gap\ndata: "
                          "{\"requested\":\"none\",\"oldest\":null}");
    free(gap);
    client_expect_line(&client, ":");
    client_expect_line(&client, ":");
    topics_put("/topics/a,b?event=e&retry=5&id=i", "x\ny\n");
    topics_subscribe(&past, "/topics/*?format=full&poll=1", "");
    free(client_until(&past, "data: x"));
    client_expect(&past, ": end"); /* and so it is all */
    ck_assert_ptr_null(client_frame(&past));
    client_close(&past);
    topics_subscribe(&past, "/topics/*?format=full&poll=1", "");
    expect_full(&past, "a,b", "\nid: i\nevent: e\nretry: 5\n"
                              "data: x\ndata: y\ndata:");
    client_close(&past);
    client_close(&client);
    topics_subscribe(&client, "/topics/*?format=full", "");
    topics_put("/topics/c?id=j", ""); /* live, and not kept yet */
    expect_full(&client, "c", "\nid: j\ndata:");
    client_connect(&past, topics_port);
    ck_assert_int_eq(
        client_request(&past, "HEAD", "/topics/a?format=full", "", NULL), 200);
    ck_assert_str_eq(client_header(&past, "Content-Type"),
                     "text/event-stream");
    client_close(&past);
    crierd_stop(&other);
    free(client_until(&client, "retry: "));
    client_expect_end(&client);
    client_close(&client);
}
END_TEST

/* ---- limits ----------------------------------------------------------- */

START_TEST(limits_have_errors_of_their_own)
{
    struct crierd other;
    char *large = malloc(40001), target[64], *answer;
    struct client client;
    int i;

    memset(large, 'x', 40000);
    large[40000] = '\0';
    crierd_start(&other, "--max-update 30K --retain-bytes 20K "
                          "--max-topics 100");
    topics_port = other.port;
    ck_assert_int_eq(
        fetch(topics_port, "POST", "/topics/a", "", large, &answer), 413);
    ck_assert_ptr_nonnull(strstr(answer, "30720 bytes"));
    free(answer);
    large[25000] = '\0';
    ck_assert_int_eq(
        fetch(topics_port, "POST", "/topics/a", "", large, &answer), 413);
    ck_assert_ptr_nonnull(strstr(answer, "than the retention of the journal"));
    free(answer);
    free(large);
    for (i = 0; i < 100; i++) {
        snprintf(target, sizeof target, "/topics/t%d", i);
        topics_put(target, "x");
    }
    ck_assert_int_eq(
        fetch(topics_port, "POST", "/topics/t100", "", "x", &answer), 507);
    ck_assert_ptr_nonnull(strstr(answer, "too many topics"));
    free(answer);
    ck_assert_int_eq(
        fetch(topics_port, "DELETE", "/topics/t7", "", NULL, NULL), 204);
    topics_put("/topics/t100", "x");
    client_connect(&client, topics_port);
    client_close(&client);
    crierd_stop(&other);
}
END_TEST

START_TEST(an_update_of_a_mebibyte_arrives)
{
    size_t length = 1024 * 1024;
    char *large = malloc(length + 1), *event;
    struct client client;

    memset(large, 'x', length);
    large[length] = '\0';
    topics_subscribe(&client, "/topics/a", "");
    topics_put("/topics/a", large);
    event = client_event(&client, NULL);
    ck_assert_uint_eq(strlen(event), length + 6);
    ck_assert_str_eq(event + 6, large);
    free(event);
    client_close(&client);
    ck_assert_int_eq(
        fetch(topics_port, "POST", "/events", "", large, NULL), 413);
    free(large);
}
END_TEST

START_TEST(a_client_that_reads_nothing_is_disconnected)
{
    struct crierd other;
    struct client silent, reader;
    char *large = malloc(200001);
    int i;

    memset(large, 'x', 200000);
    large[200000] = '\0';
    crierd_start(&other, "--stall-timeout 300ms --log-level debug");
    topics_port = other.port;
    client_connect_small(&silent, topics_port, 4096);
    ck_assert_int_eq(
        client_request(&silent, "GET", "/topics/a", "", NULL), 200);
    topics_subscribe(&reader, "/topics/a", "");
    for (i = 0; i < 5; i++) {
        topics_put("/topics/a", large);
        free(client_frame(&reader));
    }
    crierd_wait_log(&other,
                    "stream /topics/a ended: client reads too slowly");
    topics_put("/topics/a", "still there");
    client_expect_event(&reader, "data: still there");
    free(large);
    client_close(&silent);
    client_close(&reader);
    crierd_stop(&other);
}
END_TEST

START_TEST(health_includes_the_journal)
{
    json_t *health, *journal;

    topics_put("/topics/a", "1");
    health = topics_get_json("/healthz", "");
    ck_assert_str_eq(json_text(health, "status"), "ok");
    journal = json_object_get(health, "journal");
    ck_assert_str_eq(json_text(journal, "type"), "memory");
    ck_assert_int_eq(json_number(journal, "published"), 1);
    json_decref(health);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("topics");
    TCase *c = add_case(s, "topics");

    tcase_add_checked_fixture(c, fixture_presence, fixture_end);
    tcase_add_test(c, subscribers_receive_updates);
    tcase_add_test(c, a_template_is_a_selector);
    tcase_add_test(c, an_event_has_its_fields);
    tcase_add_test(c, a_nul_is_no_json);
    tcase_add_test(c, names_are_percent_decoded);
    tcase_add_loop_test(c, mistakes_are_named, 0,
                        (int)(sizeof refusals / sizeof refusals[0]));
    tcase_add_test(c, long_names_and_long_lists_are_refused);
    tcase_add_test(c, formats_have_the_same_updates);
    tcase_add_test(c, the_full_format_adds_fields);
    tcase_add_test(c, limits_have_errors_of_their_own);
    tcase_add_test(c, an_update_of_a_mebibyte_arrives);
    tcase_add_test(c, a_client_that_reads_nothing_is_disconnected);
    tcase_add_test(c, health_includes_the_journal);
    return s;
}

RUN_SUITE(suite)
