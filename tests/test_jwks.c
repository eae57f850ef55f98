/*
 * JWK sets that crierd fetches: from a server of the test, whose responses are written
 * here, and from files. The clock is moved on where a minute must pass.
 */
#include <config.h>

#include "base/jose.h"
#include "crierd/auth/auth.h"
#include "crierd/auth/jwks.h"
#include "crierd/config/conf.h"
#include "crierd/config/load.h"
#include "support/foreign.h"
#include "support/keys.h"
#include "support/runner.h"
#include "support/scratch.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MINUTE ((uint64_t)60 * 1000)
#define SET(keys) "{\"keys\":[" keys "]}"

static struct foreign server;
static struct conf *conf;
static struct auth *auth;

/* ---- the clock -------------------------------------------------------- */

/* The names that the linker's --wrap gives it. */
uint64_t __real_crier_now(void);
uint64_t __wrap_crier_now(void);

static atomic_uint_least64_t skipped;

uint64_t __wrap_crier_now(void)
{
    return __real_crier_now() + atomic_load(&skipped);
}

/* ---- helpers ---------------------------------------------------------- */

static void print_mistake(const char *text)
{
    fprintf(stderr, "%s\n", text);
}

/* Opens or reloads `auth` with SOURCE and further arguments. */
static void configure(const char *source, const char *option, const char *value)
{
    char *argv[] = {(char *)"crierd", (char *)"--jwks", (char *)source,
                    (char *)option, (char *)value, NULL};
    struct conf *old = conf;

    ck_assert_int_eq(load_conf(option != NULL ? 5 : 3, argv, print_mistake, &conf),
                     LOAD_RUN);
    if (auth == NULL)
        auth = auth_open(conf);
    else
        ck_assert(auth_reload(auth, conf));
    ck_assert_ptr_nonnull(auth);
    conf_unref(old);
}

static const char *server_url(void)
{
    static char url[96];

    snprintf(url, sizeof url, "%s/jwks", server.url);
    return url;
}

static void set_up(void)
{
    scratch_make();
    foreign_start(&server);
}

static void tear_down(void)
{
    auth_close(auth);
    auth = NULL;
    conf_unref(conf);
    conf = NULL;
    foreign_stop(&server);
    scratch_remove();
}

/* A token of KEY, a JWK, for ALG. */
static char *sign_with(const char *alg, const char *key)
{
    struct jose_keys keys = {0};
    char why[JOSE_WHY_SIZE] = "", *token;
    enum jose_alg found;

    ck_assert(jose_alg_find(alg, &found));
    ck_assert_int_eq(jose_read_keys(&keys, &found, key, strlen(key), why), 0);
    token = jose_sign(keys.list[0], "JWT", NULL, "{\"sub\":\"me\"}", 12);
    jose_keys_done(&keys);
    return token;
}

static enum auth_result verify_once(const char *token)
{
    struct identity *identity = NULL;
    enum auth_result result = auth_verify(auth, token, strlen(token), &identity);

    if (result == AUTH_OK)
        identity_unref(identity);
    return result;
}

/* Asks until the result is neither NOT nor AUTH_BUSY, and returns it. */
static enum auth_result result_after(const char *alg, const char *key,
                                     enum auth_result not)
{
    char *token = sign_with(alg, key);
    enum auth_result result;

    do {
        sched_yield();
        result = verify_once(token);
    } while (result == not || result == AUTH_BUSY);
    free(token);
    return result;
}

/* ---- from a server ---------------------------------------------------- */

START_TEST(keys_are_fetched)
{
    const struct foreign_request *request;

    foreign_answer(&server, "200 OK", "", SET(KEY_RSA "," KEY_ED25519));
    configure(server_url(), NULL, NULL);
    ck_assert_int_eq(result_after("RS256", KEY_RSA, AUTH_BUSY), AUTH_OK);
    ck_assert_int_eq(result_after("EdDSA", KEY_ED25519, AUTH_BUSY), AUTH_OK);
    ck_assert_int_eq(result_after("RS512", KEY_RSA, AUTH_BUSY), AUTH_KEY);
    ck_assert_int_eq(result_after("ES256", KEY_P256, AUTH_BUSY), AUTH_KEY);
    request = foreign_request(&server, 0);
    ck_assert_str_eq(request->method, "GET");
    ck_assert_str_eq(request->target, "/jwks");
    ck_assert_uint_eq(foreign_requests(&server), 1);
}
END_TEST

/* Until the first response a token with an unknown key is neither right nor wrong. Keys of
 * the configuration work meanwhile. */
START_TEST(before_the_first_response)
{
    char *token = sign_with("RS256", KEY_RSA);

    configure(server_url(), "--jwt-key", "HS256:" KEY_SECRET);
    foreign_request(&server, 0);
    ck_assert_int_eq(verify_once(token), AUTH_BUSY);
    free(token);
    ck_assert_int_eq(result_after("HS256", KEY_SECRET, AUTH_BUSY), AUTH_OK);
    foreign_answer(&server, "200 OK", "", SET(KEY_RSA));
    ck_assert_int_eq(result_after("RS256", KEY_RSA, AUTH_BUSY), AUTH_OK);
    ck_assert_int_eq(result_after("HS256", KEY_SECRET, AUTH_BUSY), AUTH_OK);
}
END_TEST

/* crierd does not wait for a server when it stops. */
START_TEST(the_end_during_a_fetch)
{
    uint64_t begun = crier_now();

    configure(server_url(), NULL, NULL);
    foreign_request(&server, 0);
    auth_close(auth);
    auth = NULL;
    ck_assert_uint_lt(crier_now() - begun, 15000);
}
END_TEST

/* An unknown key makes crierd ask again, at most once a minute; the keys change. */
START_TEST(an_unknown_key)
{
    char *token = sign_with("ES256", KEY_P256);
    int i;

    foreign_answer(&server, "200 OK", "Cache-Control: max-age=86400\r\n",
                   SET(KEY_RSA));
    configure(server_url(), NULL, NULL);
    ck_assert_int_eq(result_after("RS256", KEY_RSA, AUTH_BUSY), AUTH_OK);
    for (i = 0; i < 1000; i++)
        ck_assert_int_eq(verify_once(token), AUTH_KEY);
    ck_assert_uint_eq(foreign_requests(&server), 1);
    atomic_fetch_add(&skipped, MINUTE);
    foreign_answer(&server, "200 OK", "", SET(KEY_P256));
    ck_assert_int_eq(result_after("ES256", KEY_P256, AUTH_KEY), AUTH_OK);
    ck_assert_int_eq(result_after("RS256", KEY_RSA, AUTH_BUSY), AUTH_KEY);
    ck_assert_uint_eq(foreign_requests(&server), 2);
    free(token);
}
END_TEST

static char large[JOSE_TEXT_MAX + 1024];

static const struct {
    const char *status, *headers, *body; /* NULL: one that is too large */
} failures[] = {
    {"500 Internal Server Error", "", SET(KEY_P256)},
    {"404 Not Found", "", SET(KEY_P256)},
    {"204 No Content", "", ""},
    {"302 Found", "Location: /elsewhere\r\n", SET(KEY_P256)},
    {"200 OK", "", ""},
    {"200 OK", "", "{"},
    {"200 OK", "", "<html>"},
    {"200 OK", "", SET("")},
    {"200 OK", "", SET("{\"kty\":\"oct\",\"alg\":\"HS256\",\"k\":"
                       "\"IUNoYW5nZVRoaXNNZXJjdXJlSHViSldUU2VjcmV0S2V5IQ\"}")},
    {"200 OK", "", NULL},
};

#define FAILURES ((int)(sizeof failures / sizeof failures[0]))

/* The keys stay while the server has none. */
START_TEST(failures_keep_the_keys)
{
    const char *body = failures[_i].body;

    memset(large, ' ', sizeof large - 1);
    memcpy(large, SET(KEY_P256), strlen(SET(KEY_P256)));
    foreign_answer(&server, "200 OK", "", SET(KEY_RSA));
    foreign_answer(&server, failures[_i].status, failures[_i].headers,
                   body != NULL ? body : large);
    foreign_answer(&server, "200 OK", "", SET(KEY_ED25519));
    configure(server_url(), NULL, NULL);
    ck_assert_int_eq(result_after("RS256", KEY_RSA, AUTH_BUSY), AUTH_OK);
    atomic_fetch_add(&skipped, MINUTE);
    ck_assert_int_eq(result_after("ES256", KEY_P256, AUTH_BUSY), AUTH_KEY);
    foreign_request(&server, 1);
    ck_assert_int_eq(result_after("ES256", KEY_P256, AUTH_BUSY), AUTH_KEY);
    ck_assert_int_eq(result_after("RS256", KEY_RSA, AUTH_BUSY), AUTH_OK);
    ck_assert_int_eq(result_after("HS256", KEY_SECRET, AUTH_BUSY), AUTH_KEY);
    atomic_fetch_add(&skipped, MINUTE);
    ck_assert_int_eq(result_after("EdDSA", KEY_ED25519, AUTH_KEY), AUTH_OK);
    ck_assert_uint_eq(foreign_requests(&server), 3);
}
END_TEST

START_TEST(a_server_that_is_away)
{
    char url[96];

    snprintf(url, sizeof url, "%s", server_url());
    foreign_answer(&server, "200 OK", "", SET(KEY_RSA));
    configure(url, NULL, NULL);
    ck_assert_int_eq(result_after("RS256", KEY_RSA, AUTH_BUSY), AUTH_OK);
    foreign_stop(&server);
    atomic_fetch_add(&skipped, MINUTE);
    ck_assert_int_eq(result_after("ES256", KEY_P256, AUTH_BUSY), AUTH_KEY);
    ck_assert_int_eq(result_after("RS256", KEY_RSA, AUTH_BUSY), AUTH_OK);
    foreign_start(&server);
}
END_TEST

START_TEST(a_reload_changes_the_source)
{
    char other[100];

    foreign_answer(&server, "200 OK", "", SET(KEY_RSA));
    foreign_answer(&server, "200 OK", "", SET(KEY_P256));
    configure(server_url(), NULL, NULL);
    ck_assert_int_eq(result_after("RS256", KEY_RSA, AUTH_BUSY), AUTH_OK);
    configure(server_url(), "--jwt-key", "HS256:" KEY_SECRET);
    ck_assert_int_eq(result_after("RS256", KEY_RSA, AUTH_BUSY), AUTH_OK);
    ck_assert_int_eq(result_after("HS256", KEY_SECRET, AUTH_BUSY), AUTH_OK);
    ck_assert_uint_eq(foreign_requests(&server), 1);
    snprintf(other, sizeof other, "%s2", server_url());
    configure(other, NULL, NULL);
    ck_assert_int_eq(result_after("ES256", KEY_P256, AUTH_BUSY), AUTH_OK);
    ck_assert_int_eq(result_after("RS256", KEY_RSA, AUTH_BUSY), AUTH_KEY);
    ck_assert_str_eq(foreign_request(&server, 1)->target, "/jwks2");
}
END_TEST

/* ---- from a file ------------------------------------------------------ */

static void write_set(const char *path, const char *text)
{
    FILE *to = fopen(path, "w");

    ck_assert_ptr_nonnull(to);
    fputs(text, to);
    ck_assert_int_eq(fclose(to), 0);
}

START_TEST(a_file_is_read_again)
{
    char path[SCRATCH_SIZE + 8];

    snprintf(path, sizeof path, "%s/set", scratch);
    write_set(path, SET(KEY_RSA));
    configure(path, NULL, NULL);
    ck_assert_int_eq(result_after("RS256", KEY_RSA, AUTH_BUSY), AUTH_OK);
    write_set(path, SET(KEY_P384 "," KEY_P521));
    atomic_fetch_add(&skipped, MINUTE);
    ck_assert_int_eq(result_after("ES384", KEY_P384, AUTH_KEY), AUTH_OK);
    ck_assert_int_eq(result_after("ES512", KEY_P521, AUTH_BUSY), AUTH_OK);
    ck_assert_int_eq(result_after("RS256", KEY_RSA, AUTH_BUSY), AUTH_KEY);
}
END_TEST

static atomic_uint offers;

/* Has no memory for the first keys. */
static bool take_second(void *closure, const struct jwks *jwks, struct jose_keys *keys)
{
    (void)closure;
    (void)jwks;
    jose_keys_done(keys);
    return atomic_fetch_add(&offers, 1) != 0;
}

/* Keys for which there was no memory are handed over again, though the file is the same;
 * those that were taken are not. */
START_TEST(keys_that_were_not_taken)
{
    char path[300];
    struct jwks *jwks;

    snprintf(path, sizeof path, "%s/jwks", scratch);
    write_set(path, SET(KEY_RSA));
    atomic_store(&offers, 0);
    jwks = jwks_open(path, take_second, NULL);
    ck_assert_ptr_nonnull(jwks);
    while (atomic_load(&offers) < 2) {
        atomic_fetch_add(&skipped, MINUTE);
        jwks_want(jwks);
        sched_yield();
    }
    jwks_close(jwks);
    ck_assert_uint_eq(atomic_load(&offers), 2);
}
END_TEST

/* Its reader would wait for a writer for ever, and jwks_close() for its reader. */
START_TEST(a_pipe_is_not_waited_for)
{
    char path[SCRATCH_SIZE + 8];
    struct jwks *jwks;

    snprintf(path, sizeof path, "%s/set", scratch);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    atomic_store(&offers, 0);
    jwks = jwks_open(path, take_second, NULL);
    ck_assert_ptr_nonnull(jwks);
    jwks_close(jwks);
    ck_assert_uint_eq(atomic_load(&offers), 0);
}
END_TEST

/* ---- how long it is used ---------------------------------------------- */

static const struct {
    const char *field;
    uint64_t seconds;
} lifetimes[] = {
    {NULL, 3600},
    {"", 3600},
    {"public", 3600},
    {"max-age=600", 600},
    {"public, max-age=7200, must-revalidate", 7200},
    {"Max-Age=600", 600},
    {"max-age=0", 60},
    {"max-age=59", 60},
    {"max-age=86401", 86400},
    {"max-age=99999999999999999999999999", 86400},
    {"max-age=", 60},
    {"max-age=-1", 60},
    {"x-max-age=600", 3600},
    {"s-maxage=600", 3600},
    {"no-store", 60},
    {"public,no-cache, max-age=600", 60},
};

#define LIFETIMES ((int)(sizeof lifetimes / sizeof lifetimes[0]))

START_TEST(lifetimes_are_bounded)
{
    ck_assert_uint_eq(jwks_lifetime(lifetimes[_i].field),
                      lifetimes[_i].seconds * 1000);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("jwks");
    TCase *tcase = add_case(suite, "jwks");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, keys_are_fetched);
    tcase_add_test(tcase, before_the_first_response);
    tcase_add_test(tcase, the_end_during_a_fetch);
    tcase_add_test(tcase, an_unknown_key);
    tcase_add_loop_test(tcase, failures_keep_the_keys, 0, FAILURES);
    tcase_add_test(tcase, a_server_that_is_away);
    tcase_add_test(tcase, a_reload_changes_the_source);
    tcase_add_test(tcase, a_file_is_read_again);
    tcase_add_test(tcase, keys_that_were_not_taken);
    tcase_add_test(tcase, a_pipe_is_not_waited_for);
    tcase_add_loop_test(tcase, lifetimes_are_bounded, 0, LIFETIMES);
    return suite;
}

RUN_SUITE(make_suite)
