/* GET /config of a real crierd: each value with its origin, no secret, what a reload
 * changes, and who may have it. Which secrets a journal's URL has is test_conf.c's. */
#include <config.h>

#include "support/client.h"
#include "support/crierd.h"
#include "support/jwt.h"
#include "support/runner.h"
#include "support/scratch.h"
#include "support/topics.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECRET "a-secret-of-the-tests-long-enough-for-HS256"

static struct crierd crierd;

static const char conf[] = "# one\n"
                           "retain-age = 30d\n"
                           "cors-origin = https://a.example\n"
                           "cors-origin = https://b.example\n"
                           "[retain-topic]\n"
                           "topic = log/*\n"
                           "count = 5\n"
                           "age = 1h\n"
                           "[key main]\n"
                           "algorithm = HS256\n"
                           "secret = " SECRET "\n";

static char admin[1024], other[1024]; /* fields */

static void make_field(char field[1024], const char *claims)
{
    char *token = jwt_make(SECRET, claims);

    snprintf(field, 1024, "Authorization: Bearer %s\r\n", token);
    free(token);
}

/* Starts crierd with the configuration file and OPTIONS. */
static void start(const char *options)
{
    char words[512];

    scratch_make();
    scratch_write("crierd.conf", conf);
    make_field(admin, "{\"crier\":{\"admin\":true}}");
    make_field(other, "{\"mercure\":{\"publish\":[\"*\"],\"subscribe\":[\"*\"]}}");
    snprintf(words, sizeof words, "--config %s/crierd.conf %s", scratch, options);
    crierd_start(&crierd, words);
    topics_port = crierd.port;
}

static void stop(void)
{
    crierd_stop(&crierd);
    scratch_remove();
}

/* The option NAME of CONFIG. */
static const json_t *find_option(const json_t *config, const char *name)
{
    const json_t *option;
    size_t i;

    json_array_foreach (json_object_get(config, "options"), i, option)
        if (strcmp(json_text(option, "name"), name) == 0)
            return option;
    ck_abort_msg("no option %s", name);
}

/* Fails unless the option NAME of CONFIG has VALUE, JSON, and ORIGIN. */
static void expect(const json_t *config, const char *name, const char *value,
                   const char *origin)
{
    const json_t *option = find_option(config, name);
    json_t *wanted = json_loads(value, JSON_DECODE_ANY, NULL);
    char *text = json_dumps(option, 0);

    ck_assert_msg(json_equal(json_object_get(option, "value"), wanted), "%s", text);
    ck_assert_msg(strcmp(json_text(option, "origin"), origin) == 0, "%s", text);
    free(text);
    json_decref(wanted);
}

static json_t *ask(void)
{
    return topics_get_json("/config", admin);
}

START_TEST(each_value_has_its_origin)
{
    char origin[192];
    json_t *config;

    setenv("CRIERD_STALL_TIMEOUT", "20s", 1);
    start("--presence a,b --max-clients 50");
    unsetenv("CRIERD_STALL_TIMEOUT");
    config = ask();
    expect(config, "presence", "\"a,b\"", "command line");
    expect(config, "max-clients", "\"50\"", "command line");
    expect(config, "stall-timeout", "\"20s\"", "CRIERD_STALL_TIMEOUT");
    snprintf(origin, sizeof origin, "%s/crierd.conf:2", scratch);
    expect(config, "retain-age", "\"30d\"", origin);
    expect(config, "log-level", "\"info\"", "default");
    expect(config, "retain-bytes", "null", "default");
    expect(config, "demo", "\"off\"", "default");
    expect(config, "publish-origin", "null", "default");
    snprintf(origin, sizeof origin, "%s/crierd.conf:4", scratch);
    expect(config, "cors-origin", "[\"https://a.example\",\"https://b.example\"]", origin);
    snprintf(origin, sizeof origin, "%s/crierd.conf:5", scratch);
    expect(config, "retain-topic", "[\"log/*:count=5,age=1h\"]", origin);
    ck_assert_ptr_null(json_object_get(find_option(config, "presence"), "secret"));
    json_decref(config);
    stop();
}
END_TEST

START_TEST(no_secret_is_shown)
{
    json_t *config;
    char *body;

    start("--jwt-key HS256:" SECRET "2");
    body = topics_get("/config", admin);
    ck_assert_ptr_null(strstr(body, "secret-of-the-tests"));
    config = json_loads(body, 0, NULL);
    expect(config, "jwt-key", "[\"HS256:...\"]", "command line");
    ck_assert(json_is_true(json_object_get(find_option(config, "jwt-key"), "secret")));
    json_decref(config);
    free(body);
    stop();
}
END_TEST

START_TEST(a_reload_changes_it)
{
    char origin[192], text[sizeof conf + 64];
    json_t *config;

    start("");
    snprintf(text, sizeof text, "ping-interval = 7s\nthreads = 7\n%s", conf);
    scratch_write("crierd.conf", text);
    kill(crierd.pid, SIGHUP);
    crierd_wait_log(&crierd, "the configuration was reloaded");
    config = ask();
    snprintf(origin, sizeof origin, "%s/crierd.conf:1", scratch);
    expect(config, "ping-interval", "\"7s\"", origin);
    ck_assert_str_eq(json_text(find_option(config, "threads"), "origin"), "default");
    json_decref(config);
    stop();
}
END_TEST

START_TEST(a_name_that_is_no_text)
{
    json_t *config;

    start("--data \xff" "place\xc3\xa9");
    config = ask();
    expect(config, "data", "\"?place??\"", "command line");
    json_decref(config);
    stop();
}
END_TEST

START_TEST(it_is_for_admins)
{
    start("--anonymous all");
    ck_assert_int_eq(fetch(crierd.port, "GET", "/config", "", NULL, NULL), 401);
    ck_assert_int_eq(fetch(crierd.port, "GET", "/config", other, NULL, NULL), 403);
    ck_assert_int_eq(fetch(crierd.port, "HEAD", "/config", admin, NULL, NULL), 200);
    ck_assert_int_eq(fetch(crierd.port, "POST", "/config", admin, "x", NULL), 405);
    stop();
    crierd_start(&crierd, "");
    ck_assert_int_eq(fetch(crierd.port, "GET", "/config", "", NULL, NULL), 200);
    crierd_stop(&crierd);
    crierd_start(&crierd, "--anonymous subscribe");
    ck_assert_int_eq(fetch(crierd.port, "GET", "/config", "", NULL, NULL), 401);
    crierd_stop(&crierd);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("config");
    TCase *c = add_case(s, "config");

    tcase_add_test(c, each_value_has_its_origin);
    tcase_add_test(c, no_secret_is_shown);
    tcase_add_test(c, a_reload_changes_it);
    tcase_add_test(c, a_name_that_is_no_text);
    tcase_add_test(c, it_is_for_admins);
    return s;
}

RUN_SUITE(suite)
