/* GET /identity: who crierd takes a client for, and what that may do, for each way in which
 * access is configured and each kind of token. That crierd then does what it says is
 * test_policy.c's. */
#include <config.h>

#include "support/client.h"
#include "support/crierd.h"
#include "support/jwt.h"
#include "support/runner.h"
#include "support/scratch.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(cases) (int)(sizeof cases / sizeof cases[0])

#define SECRET "a secret of the tests, which is long enough for HS256"
#define PUBLISHER "a secret for publishers, which is long enough for HS256"

/* sha256 of "robot-token" and of "operator-token", and of "old-token", which has
 * expired. */
#define ROBOT_HASH "c695a47faa4355012282e5937c59c7cfa15c0adcf8967b75d528925437614256"
#define OPERATOR_HASH "0850123315d21ab90f4f7236408a52ef6dbd6a02a6550e5c10dc73f4d993680e"
#define OLD_HASH "9bdf10a691a1cfda89d9ff66629d1609ab176cec9b6a3146a8929f28937a9fce"

static const char conf[] =
    "demo = on\n"
    "presence = rooms/*,lobby\n"
    "subscriptions = on\n"
    "max-update = 64K\n"
    "public-url = https://crier.example\n"
    "[key main]\n"
    "algorithm = HS256\n"
    "secret = " SECRET "\n"
    "[key publisher]\n"
    "algorithm = HS256\n"
    "secret = " PUBLISHER "\n"
    "use = publish\n"
    "[token robot]\n"
    "hash = sha256:" ROBOT_HASH "\n"
    "publish = robots/*\n"
    "subscribe = robots/*,news\n"
    "expires = 2099-01-31\n"
    "[token operator]\n"
    "hash = sha256:" OPERATOR_HASH "\n"
    "admin = on\n"
    "[token old]\n"
    "hash = sha256:" OLD_HASH "\n"
    "publish = *\n"
    "expires = 2020-01-31\n";

static struct crierd crierd;

/* ---- reading ----------------------------------------------------------- */

/* Asks with HEADERS. Returns the status, and the response as JSON in *VALUE. */
static int ask(const char *headers, json_t **value)
{
    char *body;
    int status = fetch(crierd.port, "GET", "/identity", headers, NULL, &body);

    *value = json_loads(body, 0, NULL);
    ck_assert_msg(*value != NULL, "%s", body);
    free(body);
    return status;
}

/* Fails unless the response to a request with HEADERS has the members of WANTED, JSON, as
 * they are there. */
static void expect(const char *headers, const char *wanted)
{
    json_t *value, *members = json_loads(wanted, 0, NULL), *member;
    const char *name;
    char *text;

    ck_assert_msg(members != NULL, "%s", wanted);
    ck_assert_int_eq(ask(headers, &value), 200);
    text = json_dumps(value, JSON_COMPACT);
    json_object_foreach (members, name, member)
        ck_assert_msg(json_equal(json_object_get(value, name), member), "%s of %s", name,
                      text);
    free(text);
    json_decref(members);
    json_decref(value);
}

/* The field with TOKEN, until the next call. */
static const char *bearer(const char *token)
{
    static char field[4096];

    snprintf(field, sizeof field, "Authorization: Bearer %s\r\n", token);
    return field;
}

/* The same with a JWT of SECRET and CLAIMS. */
static const char *claim(const char *secret, const char *claims, bool access)
{
    char *token = access ? jwt_make_access(secret, claims) : jwt_make(secret, claims);
    const char *field = bearer(token);

    free(token);
    return field;
}

/* ---- without keys ------------------------------------------------------ */

#define MAY(publish, subscribe, admin)                                                 \
    "\"may\":{\"publish\":" publish ",\"subscribe\":" subscribe ",\"admin\":" admin "}"

static const struct {
    const char *options, *wanted;
} opens[] = {
    {"--demo on", "{\"anonymous\":\"all\",\"tokens\":false,\"identity\":null,"
                  "\"demo\":true,\"presence\":[],\"subscriptions\":false,"
                  "\"max_update\":1048576," MAY("true", "true", "true") "}"},
    {"--demo off --anonymous publish",
     "{\"anonymous\":\"publish\",\"demo\":false," MAY("true", "false", "false") "}"},
    {"--anonymous subscribe",
     "{\"anonymous\":\"subscribe\"," MAY("false", "true", "false") "}"},
    {"--anonymous none", "{\"anonymous\":\"none\"," MAY("false", "false", "false") "}"},
    {"--anonymous all --jwt-key HS256:" "0123456789abcdef0123456789abcdef",
     "{\"anonymous\":\"all\",\"tokens\":true,\"identity\":null,"
     MAY("true", "true", "false") "}"},
};

START_TEST(what_anybody_may)
{
    json_t *value;

    crierd_start(&crierd, opens[_i].options);
    expect("", opens[_i].wanted);
    ck_assert_int_eq(ask("", &value), 200);
    ck_assert_str_ne(json_string_value(json_object_get(value, "version")), "");
    ck_assert_uint_eq(json_object_size(value), 9);
    json_decref(value);
    crierd_stop(&crierd);
}
END_TEST

/* ---- with tokens ------------------------------------------------------- */

static void setup(void)
{
    char options[192];

    scratch_make();
    scratch_write("crierd.conf", conf);
    snprintf(options, sizeof options, "--config %s/crierd.conf", scratch);
    crierd_start(&crierd, options);
}

static void teardown(void)
{
    crierd_stop(&crierd);
    scratch_remove();
}

START_TEST(without_a_token)
{
    expect("", "{\"anonymous\":\"none\",\"tokens\":true,\"identity\":null,\"demo\":true,"
               "\"presence\":[],\"subscriptions\":true,"
               "\"max_update\":65536," MAY("false", "false", "false") "}");
}
END_TEST

static const struct {
    const char *token, *wanted;
} static_tokens[] = {
    {"robot-token",
     "{\"identity\":{\"subject\":\"robot\",\"publish\":[\"robots/*\"],"
     "\"subscribe\":[\"robots/*\",\"news\"],\"admin\":false,"
     "\"expires\":\"2099-01-31T00:00:00Z\"},\"presence\":[\"rooms/*\",\"lobby\"],"
     MAY("true", "true", "false") "}"},
    {"operator-token",
     "{\"identity\":{\"subject\":\"operator\",\"publish\":[],\"subscribe\":[],"
     "\"admin\":true,\"expires\":null}," MAY("false", "false", "true") "}"},
};

START_TEST(of_a_static_token)
{
    expect(bearer(static_tokens[_i].token), static_tokens[_i].wanted);
}
END_TEST

#define DETAIL                                                                         \
    "{\"type\":\"https://mercure.rocks/authorization-detail\","                        \
    "\"actions\":[\"subscribe\"],\"topics\":[{\"match\":\"https://x.example/:id\","    \
    "\"match_type\":\"urlpattern\"},{\"match\":\"b\"}]}"

static const struct {
    const char *secret, *claims;
    bool access;
    const char *wanted;
} jwts[] = {
    {SECRET,
     "{\"sub\":\"ada\",\"exp\":4102444800,\"mercure\":{\"publish\":[\"a\",\"a\"],"
     "\"subscribe\":[\"log/{id}\",\"*\"],\"payload\":{\"x\":1}}}",
     false,
     "{\"identity\":{\"subject\":\"ada\",\"publish\":[\"a\"],"
     "\"subscribe\":[\"log/{id}\",\"*\"],\"admin\":false,"
     "\"expires\":\"2100-01-01T00:00:00Z\"}," MAY("true", "true", "false") "}"},
    {SECRET, "{\"mercure\":{\"subscribe\":[]}}", false,
     "{\"identity\":{\"subject\":null,\"publish\":[],\"subscribe\":[],\"admin\":false,"
     "\"expires\":null}," MAY("false", "false", "false") "}"},
    {SECRET, "{\"sub\":\"root\",\"crier\":{\"admin\":true}}", false,
     "{\"identity\":{\"subject\":\"root\",\"publish\":[],\"subscribe\":[],"
     "\"admin\":true,\"expires\":null}," MAY("false", "false", "true") "}"},
    {SECRET,
     "{\"iss\":\"https://issuer.example\",\"aud\":\"https://crier.example\","
     "\"exp\":4102444800,\"authorization_details\":[" DETAIL "]}",
     true,
     "{\"identity\":{\"subject\":null,\"publish\":[],"
     "\"subscribe\":[\"https://x.example/:id\",\"b\"],\"admin\":false,"
     "\"expires\":\"2100-01-01T00:00:00Z\"}," MAY("false", "true", "false") "}"},
    {PUBLISHER,
     "{\"mercure\":{\"publish\":[\"a\"],\"subscribe\":[\"a\"]},"
     "\"crier\":{\"admin\":true}}",
     false,
     "{\"identity\":{\"subject\":null,\"publish\":[\"a\"],\"subscribe\":[],"
     "\"admin\":false,\"expires\":null}," MAY("true", "false", "false") "}"},
};

START_TEST(of_a_jwt)
{
    expect(claim(jwts[_i].secret, jwts[_i].claims, jwts[_i].access), jwts[_i].wanted);
}
END_TEST

START_TEST(a_wrong_token_is_refused)
{
    static const char *const wrong[] = {"old-token", "robot-tokem"};
    json_t *value;
    size_t i;

    for (i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        ck_assert_int_eq(ask(bearer(wrong[i]), &value), 401);
        json_decref(value);
    }
    ck_assert_int_eq(ask(claim(SECRET, "{\"exp\":1577836800}", false), &value), 401);
    ck_assert_str_eq(json_string_value(json_object_get(value, "detail")),
                     "the token has expired");
    json_decref(value);
    ck_assert_int_eq(ask("Authorization: Bearer a\r\nAuthorization: Bearer b\r\n", &value),
                     400);
    json_decref(value);
}
END_TEST

START_TEST(other_methods)
{
    struct client client;

    client_connect(&client, crierd.port);
    ck_assert_int_eq(client_request(&client, "POST", "/identity", "", "x"), 405);
    ck_assert_str_eq(client_header(&client, "Allow"), "GET, HEAD, OPTIONS");
    client_close(&client);
    client_connect(&client, crierd.port);
    ck_assert_int_eq(client_request(&client, "HEAD", "/identity", "", NULL), 200);
    ck_assert_str_eq(client_header(&client, "Cache-Control"), "no-store");
    client_close(&client);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("access");
    TCase *c = add_case(s, "open");

    tcase_add_loop_test(c, what_anybody_may, 0, COUNT(opens));
    c = add_case(s, "tokens");
    tcase_add_unchecked_fixture(c, setup, teardown);
    tcase_add_test(c, without_a_token);
    tcase_add_loop_test(c, of_a_static_token, 0, COUNT(static_tokens));
    tcase_add_loop_test(c, of_a_jwt, 0, COUNT(jwts));
    tcase_add_test(c, a_wrong_token_is_refused);
    tcase_add_test(c, other_methods);
    return s;
}

RUN_SUITE(suite)
