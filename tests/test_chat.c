/* The chat, end to end: who receives which events, and who is here. */
#include <config.h>

#include "support/client.h"
#include "support/crierd.h"
#include "support/runner.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static struct crierd crierd;

static void setup(void)
{
    crierd_start(&crierd, "");
}

static void teardown(void)
{
    crierd_stop(&crierd);
}

static void expect(struct client *client, const char *type,
                   const char *members);

static void join(struct client *client, const char *name)
{
    char target[1024];

    snprintf(target, sizeof target, "/chat?user=%s", name);
    client_connect(client, crierd.port);
    ck_assert_int_eq(client_request(client, "GET", target, "", NULL), 200);
    ck_assert_str_eq(client_header(client, "Content-Type"),
                     "text/event-stream");
    expect(client, "welcome", "{}");
}

/* Reads the next event and fails unless its type is TYPE and each of the
 * members of the JSON object MEMBERS is in its data. */
static void expect(struct client *client, const char *type,
                   const char *members)
{
    char *frame = client_event(client, NULL), line[64];
    json_t *data, *wanted = json_loads(members, 0, NULL), *value;
    const char *key;

    ck_assert_ptr_nonnull(frame);
    ck_assert_ptr_nonnull(wanted);
    snprintf(line, sizeof line, "event: %s\ndata: ", type);
    ck_assert_msg(strncmp(frame, line, strlen(line)) == 0,
                  "no %s, but: %s", type, frame);
    data = json_loads(frame + strlen(line), 0, NULL);
    ck_assert_ptr_nonnull(data);
    json_object_foreach (wanted, key, value)
        ck_assert_msg(json_equal(json_object_get(data, key), value),
                      "not %s: %s", members, frame);
    json_decref(wanted);
    json_decref(data);
    free(frame);
}

static int post(const char *target, const char *body, char **answer)
{
    return fetch(crierd.port, "POST", target,
                 "Content-Type: application/json\r\n", body, answer);
}

START_TEST(all_see_who_joins_and_leaves)
{
    struct client ada, bob;

    join(&ada, "ada");
    expect(&ada, "users", "{\"users\":[\"ada\"]}");
    expect(&ada, "join",
           "{\"user\":\"ada\",\"text\":\"User ada connected to the chat.\"}");
    join(&bob, "bob");
    expect(&ada, "join",
           "{\"user\":\"bob\",\"text\":\"User bob connected to the chat.\"}");
    expect(&bob, "users", "{\"users\":[\"ada\",\"bob\"]}");
    expect(&bob, "join", "{\"user\":\"bob\"}");
    client_close(&bob);
    expect(&ada, "leave",
           "{\"user\":\"bob\",\"text\":\"User bob left the chat.\"}");
    client_close(&ada);
}
END_TEST

START_TEST(messages_reach_all_private_ones_only_one)
{
    struct client ada, bob, eve;
    char *answer;

    join(&ada, "ada");
    free(client_until(&ada, "connected"));
    join(&bob, "bob");
    free(client_until(&ada, "connected"));
    free(client_until(&bob, "connected"));
    join(&eve, "eve");
    free(client_until(&ada, "connected"));
    free(client_until(&bob, "connected"));
    free(client_until(&eve, "connected"));
    ck_assert_int_eq(post("/chat/bob",
                          "{\"user\":\"ada\",\"text\":\"psst <b>\"}",
                          &answer),
                     200);
    ck_assert_str_eq(answer, "{\"status\":\"sent\",\"clients\":1}\n");
    free(answer);
    ck_assert_int_eq(
        post("/chat", "{\"user\":\"ada\",\"text\":\"hello\\nall\"}", &answer),
        200);
    ck_assert_str_eq(answer, "{\"status\":\"sent\",\"clients\":3}\n");
    free(answer);
    expect(&bob, "private",
           "{\"user\":\"ada\",\"to\":\"bob\",\"text\":\"psst <b>\"}");
    expect(&ada, "message", "{\"user\":\"ada\",\"text\":\"hello\\nall\"}");
    expect(&bob, "message", "{\"user\":\"ada\",\"text\":\"hello\\nall\"}");
    expect(&eve, "message", "{\"user\":\"ada\",\"text\":\"hello\\nall\"}");
    client_close(&ada);
    client_close(&bob);
    client_close(&eve);
}
END_TEST

/* A client that received no response sends its message again. */
START_TEST(a_message_with_an_id_is_sent_once)
{
    static const char body[] =
        "{\"user\":\"ada\",\"text\":\"once\",\"id\":\"m1\"}";
    struct client ada;
    char *frame;

    join(&ada, "ada");
    free(client_until(&ada, "connected"));
    ck_assert_int_eq(post("/chat", body, NULL), 200);
    ck_assert_int_eq(post("/chat", body, NULL), 200);
    /* another user's, and one to another user, are other messages */
    ck_assert_int_eq(
        post("/chat", "{\"user\":\"bob\",\"text\":\"mine\",\"id\":\"m1\"}", NULL),
        200);
    ck_assert_int_eq(
        post("/chat/ada", "{\"user\":\"ada\",\"text\":\"self\",\"id\":\"m1\"}",
             NULL),
        200);
    ck_assert_int_eq(
        post("/chat", "{\"user\":\"ada\",\"text\":\"after\"}", NULL), 200);
    frame = client_until(&ada, "\"once\"");
    ck_assert_ptr_eq(strstr(frame, "id: chat-m1-"), frame);
    free(frame);
    expect(&ada, "message", "{\"text\":\"mine\"}");
    expect(&ada, "private", "{\"text\":\"self\"}");
    expect(&ada, "message", "{\"text\":\"after\"}");
    client_close(&ada);
}
END_TEST

START_TEST(two_streams_are_one_user)
{
    struct client ada, again, bob;

    join(&bob, "bob");
    free(client_until(&bob, "connected"));
    join(&ada, "ada");
    expect(&bob, "join", "{\"user\":\"ada\"}");
    join(&again, "ada");
    expect(&again, "users", "{\"users\":[\"ada\",\"bob\"]}");
    client_close(&ada);
    ck_assert_int_eq(
        post("/chat/ada", "{\"user\":\"bob\",\"text\":\"there?\"}", NULL),
        200);
    expect(&again, "private", "{\"text\":\"there?\"}");
    client_close(&again);
    expect(&bob, "leave", "{\"user\":\"ada\"}"); /* nothing in between */
    client_close(&bob);
}
END_TEST

START_TEST(users_are_listed_added_and_removed)
{
    struct client ada;
    char *answer;

    join(&ada, "ada");
    free(client_until(&ada, "connected"));
    ck_assert_int_eq(post("/users/zo%C3%AB", "", &answer), 201);
    ck_assert_str_eq(answer, "{\"user\":\"zo\xc3\xab\"}\n");
    free(answer);
    expect(&ada, "join", "{\"user\":\"zo\xc3\xab\"}");
    ck_assert_int_eq(post("/users/zo%C3%AB", "", NULL), 200);
    ck_assert_int_eq(
        fetch(crierd.port, "GET", "/users", "", NULL, &answer), 200);
    ck_assert_str_eq(answer, "ada\nzo\xc3\xab\n");
    free(answer);
    ck_assert_int_eq(fetch(crierd.port, "GET", "/users",
                           "Accept: application/json\r\n", NULL, &answer),
                     200);
    ck_assert_str_eq(answer, "{\"users\":[\"ada\",\"zo\xc3\xab\"]}\n");
    free(answer);
    ck_assert_int_eq(
        fetch(crierd.port, "DELETE", "/users/zo%C3%AB", "", NULL, NULL), 204);
    expect(&ada, "leave", "{\"user\":\"zo\xc3\xab\"}");
    ck_assert_int_eq(
        fetch(crierd.port, "DELETE", "/users/zo%C3%AB", "", NULL, NULL), 404);
    client_close(&ada);
}
END_TEST

START_TEST(a_removed_user_is_notified_and_closed)
{
    struct client ada, bob;

    join(&ada, "ada");
    free(client_until(&ada, "connected"));
    join(&bob, "bob");
    free(client_until(&bob, "bob connected"));
    free(client_until(&ada, "bob connected"));
    ck_assert_int_eq(
        fetch(crierd.port, "DELETE", "/users/bob", "", NULL, NULL), 204);
    expect(&bob, "removed", "{\"user\":\"bob\"}");
    ck_assert_ptr_null(client_frame(&bob));
    expect(&ada, "leave", "{\"user\":\"bob\"}");
    client_close(&ada);
    client_close(&bob);
}
END_TEST

/* An added user stays in the list when its stream ends, and the list that clients
 * derive from the events equals the server's. */
START_TEST(an_added_user_stays)
{
    struct client ada, bob;
    char *answer;

    join(&ada, "ada");
    free(client_until(&ada, "connected"));
    ck_assert_int_eq(post("/users/bob", "", NULL), 201);
    expect(&ada, "join", "{\"user\":\"bob\"}");
    join(&bob, "bob");
    expect(&ada, "join", "{\"user\":\"bob\"}");
    client_close(&bob);
    expect(&ada, "leave", "{\"user\":\"bob\",\"present\":true}");
    ck_assert_int_eq(
        fetch(crierd.port, "GET", "/users", "", NULL, &answer), 200);
    ck_assert_str_eq(answer, "ada\nbob\n");
    free(answer);
    client_close(&ada);
}
END_TEST

/* The NUMBER-th name of 64 characters of four bytes each, percent-encoded. */
static void long_name(char *name, int number)
{
    int i;

    for (i = 0; i < 64; i++)
        name += snprintf(name, 13, "%%F0%%9F%%98%%%02X",
                        0x80 + (i == 0   ? number / 64
                                : i == 1 ? number % 64
                                         : 0));
}

/* A thousand long names are more than may wait in memory for one client; a user who joins
 * receives the whole list nevertheless. */
START_TEST(a_long_list_reaches_a_newcomer)
{
    struct client ada, poster, others[30];
    char target[1024] = "/users/", name[800], *frame;
    int i;

    client_connect(&poster, crierd.port);
    for (i = 0; i < 1000; i++) {
        long_name(target + 7, i);
        ck_assert_int_eq(client_request(&poster, "POST", target, "", ""), 201);
        free(client_body(&poster));
    }
    ck_assert_int_eq(client_request(&poster, "POST", "/users/more", "", ""),
                     507);
    client_close(&poster);
    for (i = 0; i < 30; i++) {
        long_name(name, 1000 + i);
        join(&others[i], name);
        free(client_until(&others[i], "event: join"));
    }
    join(&ada, "ada");
    frame = client_frame(&ada);
    ck_assert_uint_gt(strlen(frame), 256 * 1024);
    free(frame);
    expect(&ada, "join", "{\"user\":\"ada\"}");
    client_close(&ada);
    for (i = 0; i < 30; i++)
        client_close(&others[i]);
}
END_TEST

static void say(const char *target, const char *text)
{
    char body[128];

    snprintf(body, sizeof body, "{\"user\":\"ada\",\"text\":\"%s\"}", text);
    ck_assert_int_eq(post(target, body, NULL), 200);
}

/* A user who joins receives past messages, but no private ones of others. */
START_TEST(a_new_user_receives_the_last_fifty)
{
    struct client ada, bob, eve;
    char text[32], wanted[64], *frame;
    int i;

    join(&ada, "ada&echo=1");
    free(client_until(&ada, "User ada connected"));
    join(&bob, "b,o*b");
    free(client_until(&ada, "User b,o*b connected"));
    for (i = 0; i < 55; i++) {
        snprintf(text, sizeof text, "number %d", i);
        say("/chat", text);
    }
    say("/chat/b,o*b", "secret");
    frame = client_until(&ada, "secret"); /* she asked for what she says */
    ck_assert_ptr_nonnull(strstr(frame, "event: private"));
    free(frame);
    free(client_until(&bob, "secret"));
    client_close(&bob);
    free(client_until(&ada, "left the chat"));

    join(&eve, "eve");
    expect(&eve, "users", "{\"users\":[\"ada\",\"eve\"]}");
    for (i = 5; i < 55; i++) {
        snprintf(wanted, sizeof wanted, "{\"text\":\"number %d\"}", i);
        expect(&eve, "message", wanted);
    }
    expect(&eve, "join", "{\"user\":\"eve\"}");
    join(&bob, "b,o*b");
    expect(&bob, "users", "{\"users\":[\"ada\",\"b,o*b\",\"eve\"]}");
    for (i = 6; i < 55; i++) {
        snprintf(wanted, sizeof wanted, "{\"text\":\"number %d\"}", i);
        expect(&bob, "message", wanted);
    }
    expect(&bob, "private", "{\"text\":\"secret\"}");
    client_close(&ada);
    client_close(&eve);
    client_close(&bob);
}
END_TEST

START_TEST(a_reconnection_receives_what_it_missed)
{
    struct client ada;
    char id[256], header[300], *frame;

    join(&ada, "ada");
    free(client_until(&ada, "connected"));
    say("/chat", "one");
    frame = client_event(&ada, id);
    ck_assert_ptr_nonnull(strstr(frame, "one"));
    free(frame);
    client_close(&ada);
    say("/chat", "two");
    snprintf(header, sizeof header, "Last-Event-ID: %s\r\n", id);
    client_connect(&ada, crierd.port);
    ck_assert_int_eq(
        client_request(&ada, "GET", "/chat?user=ada", header, NULL), 200);
    expect(&ada, "welcome", "{\"user\":\"ada\"}");
    expect(&ada, "users", "{\"users\":[\"ada\"]}");
    expect(&ada, "message", "{\"text\":\"two\"}");
    client_close(&ada);
}
END_TEST

/* A user who takes a removed name does not receive the private messages of the first one. */
START_TEST(private_messages_go_with_their_user)
{
    struct client bob, eve;

    join(&eve, "eve");
    join(&bob, "bob");
    free(client_until(&bob, "connected"));
    say("/chat/bob", "secret");
    free(client_until(&bob, "secret"));
    ck_assert_int_eq(
        fetch(crierd.port, "DELETE", "/users/bob", "", NULL, NULL), 204);
    client_expect_end(&bob);
    client_close(&bob);
    free(client_until(&eve, "User bob left"));
    join(&bob, "bob");
    expect(&bob, "users", "{\"users\":[\"bob\",\"eve\"]}");
    expect(&bob, "join", "{\"user\":\"bob\"}");
    client_close(&bob);
    client_close(&eve);
}
END_TEST

static const struct {
    const char *target, *body;
    int status;
    const char *says;
} mistakes[] = {
    {"/chat", "", 400, "not JSON: line 1, column 0"},
    {"/chat", "{\"user\":\"a\",\n\"text\":}", 400, "line 2, column 8"},
    {"/chat", "[]", 400, "user and text"},
    {"/chat", "{\"user\":\"a\"}", 400, "user and text"},
    {"/chat", "{\"user\":\"a\",\"text\":1}", 400, "user and text"},
    {"/chat", "{\"user\":\"a\",\"text\":\"\"}", 400, "text is blank"},
    {"/chat", "{\"user\":\"a\",\"text\":\" \\n\\u200b\\u00a0\"}", 400, "text is blank"},
    {"/chat", "{\"user\":\" \",\"text\":\"x\"}", 400, "one of them visible"},
    {"/chat", "{\"user\":\"\\u200b\",\"text\":\"x\"}", 400, "visible"},
    {"/chat", "{\"user\":\"a\\u202eb\",\"text\":\"x\"}", 400, "invisible"},
    {"/chat", "{\"user\":\"a\",\"text\":\"x\",\"id\":1}", 400, "id is not"},
    {"/chat", "{\"user\":\"a\",\"text\":\"x\",\"id\":\" \"}", 400, "id is not"},
    {"/chat", "{\"user\":\"\",\"text\":\"x\"}", 400, "1 to 64 characters"},
    {"/chat", "{\"user\":\"a\\u0007\",\"text\":\"x\"}", 400, "user is not"},
    {"/chat", "{\"user\":\"a\",\"user\":\"b\",\"text\":\"x\"}", 400,
     "duplicate"},
    {"/chat/nobody", "{\"user\":\"a\",\"text\":\"x\"}", 404, "no user of this name"},
    {"/chat/%07", "{\"user\":\"a\",\"text\":\"x\"}", 400, "in the path"},
    {"/users/%FF", "", 400, "in the path"},
    {"/chat", "{\"a\":\"\\\xc3\xa9\"}", 400, "not JSON"}, /* jansson quotes
                                                            half a character */
};

START_TEST(mistakes_are_named)
{
    char *answer;

    ck_assert_int_eq(post(mistakes[_i].target, mistakes[_i].body, &answer),
                     mistakes[_i].status);
    ck_assert_msg(strstr(answer, mistakes[_i].says) != NULL, "'%s'", answer);
    free(answer);
}
END_TEST

START_TEST(a_name_is_needed_to_join)
{
    char *answer;

    ck_assert_int_eq(fetch(crierd.port, "GET", "/chat", "", NULL, &answer),
                     400);
    ck_assert_ptr_nonnull(strstr(answer, "/chat?user=NAME"));
    free(answer);
    ck_assert_int_eq(
        fetch(crierd.port, "GET", "/chat?user=", "", NULL, NULL), 400);
    ck_assert_int_eq(
        fetch(crierd.port, "GET", "/chat?user=a%0Ab", "", NULL, NULL), 400);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("chat");
    TCase *c = add_case(s, "chat");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, all_see_who_joins_and_leaves);
    tcase_add_test(c, messages_reach_all_private_ones_only_one);
    tcase_add_test(c, a_message_with_an_id_is_sent_once);
    tcase_add_test(c, two_streams_are_one_user);
    tcase_add_test(c, users_are_listed_added_and_removed);
    tcase_add_test(c, a_removed_user_is_notified_and_closed);
    tcase_add_test(c, an_added_user_stays);
    tcase_add_test(c, a_long_list_reaches_a_newcomer);
    tcase_add_loop_test(c, mistakes_are_named, 0,
                        (int)(sizeof mistakes / sizeof mistakes[0]));
    tcase_add_test(c, a_new_user_receives_the_last_fifty);
    tcase_add_test(c, a_reconnection_receives_what_it_missed);
    tcase_add_test(c, private_messages_go_with_their_user);
    tcase_add_test(c, a_name_is_needed_to_join);
    return s;
}

RUN_SUITE(suite)
