/* Who may do what: tokens and grants, end to end, over every way in and through both
 * carriers. Most of it is attempts that must fail. What a token may look like inside is
 * test_auth.c's; what pages of other origins may do without one, test_cors.c's. */
#include <config.h>

#include "crier.h"
#include "support/client.h"
#include "support/crierd.h"
#include "support/jwt.h"
#include "support/runner.h"
#include "support/scratch.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define COUNT(cases) (int)(sizeof cases / sizeof cases[0])

#define SECRET "a secret of the tests, which is long enough for HS256"
#define PARTNER "the secret of a partner, which is long enough for HS256"
#define PUBLISHER "a secret for publishers, which is long enough for HS256"
#define AUDIENCE "https://crier.example"
#define ISSUER "https://partner.example"

/* Whose private key nobody has. */
#define RSA                                                                   \
    "-----BEGIN PUBLIC KEY-----\n"                                            \
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAt0MG9/1YDecWCf7vXxx4\n"      \
    "JhD3z9HtXRNFUQNC4CGpEDvieuv0aTkbKizSRqu36YDca1HHABOmongmcHIW6LDS\n"      \
    "hfjTI/H9LRkIn+7XXGOTcMRE1aoUlIAWW7UP6JtfqoVVwswrSiOOYtfFKAuKtqlc\n"      \
    "1ef6QWbBayrOm2vywYnidpRI4ORWEV+oQkLZV2w4ZDKopY94ST9qq9wTuUDvASdc\n"      \
    "ukXlfxiXG4unVvqB0BWpZbC/71E205afOe2cls7w0M1It1/wqjmw3JNWWHcnBvCT\n"      \
    "oLp2JSJlCxLz1ep4dI/aZ9UeLuFbkCtARS6e7nNsBoOMLChxL+ZEveQJrhDGOGdl\n"      \
    "5QIDAQAB\n"                                                              \
    "-----END PUBLIC KEY-----\n"

/* sha256 of "robot-token". */
#define ROBOT "robot-token"
#define ROBOT_HASH                                                            \
    "c695a47faa4355012282e5937c59c7cfa15c0adcf8967b75d528925437614256"

static const char conf[] =
    "demo = on\n"
    "public-url = " AUDIENCE "\n"
    "[key main]\n"
    "algorithm = HS256\n"
    "secret = " SECRET "\n"
    "[key partner]\n"
    "algorithm = HS256\n"
    "secret = " PARTNER "\n"
    "issuer = " ISSUER "\n"
    "[key publisher]\n"
    "algorithm = HS256\n"
    "secret = " PUBLISHER "\n"
    "use = publish\n"
    "[token robot]\n"
    "hash = sha256:" ROBOT_HASH "\n"
    "publish = robots/*\n"
    "subscribe = robots/*\n";

static struct crierd crierd;

/* Writes a file NAME, which begins with FIRST, to the scratch directory. */
static void write_file(const char *name, const char *first, const char *rest)
{
    char path[128];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", scratch, name);
    file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(first, file);
    fputs(rest, file);
    ck_assert_int_eq(fclose(file), 0);
}

/* Starts crierd with LINES before the configuration, and OPTIONS. */
static void start_with(const char *lines, const char *options)
{
    char text[512];

    scratch_make();
    write_file("rsa.pem", RSA, "");
    snprintf(text, sizeof text, "%sjwt-key = RS256:@%s/rsa.pem\n", lines, scratch);
    write_file("crierd.conf", text, conf);
    snprintf(text, sizeof text, "--config %s/crierd.conf %s", scratch, options);
    crierd_start(&crierd, text);
}

static void setup_closed(void)
{
    start_with("presence = a\n", "");
}

static void setup_debug(void)
{
    start_with("", "--log-level debug");
}

static void setup_readers(void)
{
    start_with("anonymous = subscribe\n", "");
}

static void setup_pages(void)
{
    start_with("cors-origin = https://friend.example\n"
               "publish-origin = https://publisher.example\n"
               "auth-cookie = ticket\n",
               "");
}

static void setup_no_query(void)
{
    start_with("query-token = off\n", "");
}

static void teardown(void)
{
    crierd_stop(&crierd);
    scratch_remove();
}

/* ---- tokens ------------------------------------------------------------ */

/* Returns a new token of SECRET with MEMBERS, which end with a comma, and the claim
 * `mercure`. */
static char *token_of(const char *secret, const char *members,
                      const char *mercure)
{
    char claims[1024];

    snprintf(claims, sizeof claims,
             "{%s\"aud\":\"" AUDIENCE "\",\"sub\":\"ada\",\"mercure\":%s}",
             members, mercure);
    return jwt_make(secret, claims);
}

/* Returns a new token that grants PUBLISH and SUBSCRIBE, lists as in JSON. */
static char *grant(const char *publish, const char *subscribe)
{
    char mercure[512], members[64];

    snprintf(members, sizeof members, "\"exp\":%lld,", (long long)time(NULL) + 600);
    snprintf(mercure, sizeof mercure, "{\"publish\":[%s],\"subscribe\":[%s]}",
             publish, subscribe);
    return token_of(SECRET, members, mercure);
}

#define ALL "{\"publish\":[\"*\"],\"subscribe\":[\"*\"]}"

static char *make_giant(void)
{
    char *token = grant("\"*\"", "\"*\""), *giant = calloc(1, 10000);

    snprintf(giant, 10000, "%.*s%0*d%s", (int)(strrchr(token, '.') - token), token,
             8300, 0, strrchr(token, '.'));
    free(token);
    return giant;
}

/* Returns a new token that is wrong in the way NUMBER; NULL: there is none. */
static char *make_wrong(int number)
{
    char *right = grant("\"*\"", "\"*\""), *wrong = NULL;
    long long now = time(NULL);
    char members[128];

    switch (number) {
    case 0: /* a key that crierd does not have */
        wrong = token_of("some other secret, which is long enough for HS256", "",
                         ALL);
        break;
    case 1:
        wrong = jwt_rename(right, "none");
        break;
    case 2: /* signed with the text of a public key */
        wrong = token_of(RSA, "", ALL);
        break;
    case 3:
        wrong = jwt_rename(right, "HS512");
        break;
    case 4:
        wrong = jwt_rename(right, "RS256");
        break;
    case 5:
        snprintf(members, sizeof members, "\"exp\":%lld,", now - 600);
        wrong = token_of(SECRET, members, ALL);
        break;
    case 6:
        snprintf(members, sizeof members, "\"nbf\":%lld,", now + 600);
        wrong = token_of(SECRET, members, ALL);
        break;
    case 7:
        wrong = jwt_make(SECRET, "{\"aud\":\"https://other.example\",\"mercure\":" ALL
                                 "}");
        break;
    case 8: /* the partner's key is for the partner's tokens */
        wrong = token_of(PARTNER, "\"iss\":\"https://other.example\",", ALL);
        break;
    case 9:
        wrong = token_of(PARTNER, "", ALL);
        break;
    case 10:
        wrong = make_giant();
        break;
    case 11:
        wrong = strdup("robot-tokem");
        break;
    case 12:
        wrong = strdup(right);
        wrong[strlen(wrong) - 1] = '\0';
        break;
    case 13:
        wrong = jwt_make(SECRET, "{\"aud\":\"" AUDIENCE "\",\"mercure\":3}");
        break;
    default:
        break;
    }
    free(right);
    return wrong;
}

/* ---- the ways in ------------------------------------------------------- */

enum kind { PUBLISHES, SUBSCRIBES };

static const struct {
    enum kind kind;
    const char *method, *target, *headers, *body;
    bool all; /* needs grants of all topics */
} ways[] = {
    {PUBLISHES, "POST", "/topics/a", "", "x", false},
    {PUBLISHES, "POST", "/topics/a", "Connection: close\r\n", "x", false},
    {PUBLISHES, "POST", "/topics/a?private=1", "", "x", false},
    {PUBLISHES, "POST", "/topics/a", "Content-Type: text/event-stream\r\n",
     "data: x\n\n", false},
    {PUBLISHES, "POST", "/topics/a", "Content-Type: application/json\r\n", "1",
     false},
    {PUBLISHES, "DELETE", "/topics/a", "", NULL, false},
    {SUBSCRIBES, "GET", "/topics/a", "", NULL, false},
    {SUBSCRIBES, "HEAD", "/topics/a", "", NULL, false},
    {SUBSCRIBES, "GET", "/topics/a?poll=1", "", NULL, false},
    {SUBSCRIBES, "GET", "/topics/a?since=all", "", NULL, false},
    {SUBSCRIBES, "GET", "/topics/a?format=json", "", NULL, false},
    {SUBSCRIBES, "GET", "/topics/a?format=raw", "", NULL, false},
    {SUBSCRIBES, "GET", "/topics/a?format=full", "", NULL, false},
    {SUBSCRIBES, "GET", "/topics/a", "Last-Event-ID: x\r\n", NULL, false},
    {SUBSCRIBES, "GET", "/topics/a", "Accept: application/json\r\n", NULL, false},
    {SUBSCRIBES, "GET", "/topics/a*", "", NULL, true},
    {SUBSCRIBES, "GET", "/topics/*", "", NULL, true},
    {SUBSCRIBES, "GET", "/topics/a,b", "", NULL, true},
    {SUBSCRIBES, "GET", "/topics/a*", "Accept: application/json\r\n", NULL, true},
    {SUBSCRIBES, "GET", "/ticks", "", NULL, true},
    {SUBSCRIBES, "GET", "/sse", "", NULL, true},
    {SUBSCRIBES, "GET", "/events", "", NULL, true},
    {SUBSCRIBES, "GET", "/chat?user=ada", "", NULL, true},
    {SUBSCRIBES, "GET", "/users", "", NULL, true},
    {SUBSCRIBES, "GET", "/tokens?prompt=x", "", NULL, true},
    {SUBSCRIBES, "GET", "/quotes", "", NULL, true},
    {PUBLISHES, "POST", "/events", "", "x", true},
    {PUBLISHES, "GET", "/events/x", "", NULL, true},
    {PUBLISHES, "POST", "/users/ada", "", "", true},
    {PUBLISHES, "DELETE", "/users/ada", "", NULL, true},
    {PUBLISHES, "POST", "/chat", "", "{\"user\":\"a\",\"text\":\"b\"}", true},
};

/* Goes the way NUMBER with HEADERS as well, on CLIENT, which is connected. Returns the
 * status. */
static int go(struct client *client, int number, const char *headers)
{
    char *both = malloc(strlen(headers) + 256);
    int status;

    sprintf(both, "%s%s", ways[number].headers, headers);
    client_connect(client, crierd.port);
    status = client_request(client, ways[number].method, ways[number].target,
                            both, ways[number].body);
    free(both);
    return status;
}

/* The same with TOKEN in Authorization. */
static int go_with(struct client *client, int number, const char *token)
{
    char *header = malloc(strlen(token) + 64);
    int status;

    sprintf(header, "Authorization: Bearer %s\r\n", token);
    status = go(client, number, header);
    free(header);
    return status;
}

static bool challenges(struct client *client, const char *error)
{
    const char *challenge = client_header(client, "WWW-Authenticate");

    if (strncmp(challenge, "Bearer realm=\"", 14) != 0)
        return false;
    return error == NULL ? strstr(challenge, "error") == NULL
                         : strstr(challenge, error) != NULL;
}

/* What only an admin may do. */
static const struct {
    const char *method, *target, *body;
} admin_ways[] = {
    {"GET", "/export", NULL},          {"HEAD", "/export", NULL},
    {"POST", "/import", "\n"},         {"GET", "/topics/$stats", NULL},
    {"HEAD", "/topics/$stats", NULL},  {"GET", "/topics/%24stats?since=all", NULL},
    {"GET", "/config", NULL},          {"HEAD", "/config", NULL},
};

/* Goes the admin's way NUMBER with TOKEN, which is freed; NULL: without one. Returns the
 * status. */
static int go_as_admin(int number, char *token)
{
    char header[2048] = "";
    struct client client;
    int status;

    if (token != NULL)
        snprintf(header, sizeof header, "Authorization: Bearer %s\r\n", token);
    free(token);
    client_connect(&client, crierd.port);
    status = client_request(&client, admin_ways[number].method,
                            admin_ways[number].target, header, admin_ways[number].body);
    client_close(&client);
    return status;
}

START_TEST(an_admin_alone)
{
    static const char admin[] = "\"crier\":{\"admin\":true},";

    ck_assert_int_eq(go_as_admin(_i, NULL), 401);
    ck_assert_int_eq(go_as_admin(_i, make_wrong(0)), 401);
    ck_assert_int_eq(go_as_admin(_i, make_wrong(5)), 401);
    ck_assert_int_eq(go_as_admin(_i, grant("\"*\",\"$stats\"", "\"*\",\"$stats\"")), 403);
    ck_assert_int_eq(go_as_admin(_i, strdup(ROBOT)), 403);
    /* A key for publishers makes no admin. */
    ck_assert_int_eq(go_as_admin(_i, token_of(PUBLISHER, admin, ALL)), 403);
    ck_assert_int_eq(go_as_admin(_i, token_of(SECRET, admin, "{}")), 200);
}
END_TEST

START_TEST(no_way_in_without_a_token)
{
    struct client client;
    char *body;

    ck_assert_int_eq(go(&client, _i, ""), 401);
    ck_assert(challenges(&client, NULL));
    if (strcmp(ways[_i].method, "HEAD") != 0) {
        ck_assert_str_eq(client_header(&client, "Content-Type"),
                         "application/problem+json");
        body = client_body(&client);
        ck_assert_ptr_nonnull(strstr(body, "\"status\":401"));
        free(body);
    }
    client_close(&client);
    /* That of another scheme is none. */
    ck_assert_int_eq(go(&client, _i, "Authorization: Basic YTpi\r\n"), 401);
    ck_assert(challenges(&client, NULL));
    client_close(&client);
}
END_TEST

START_TEST(no_way_in_with_a_wrong_token)
{
    struct client client;
    char *token;
    int i;

    for (i = 0; (token = make_wrong(i)) != NULL; i++) {
        ck_assert_msg(go_with(&client, _i, token) == 401, "wrong token %d: %s", i,
                      client.head);
        ck_assert(challenges(&client, "error=\"invalid_token\""));
        ck_assert_ptr_null(strstr(client.head, token));
        client_close(&client);
        free(token);
    }
    ck_assert_int_gt(i, 10);
}
END_TEST

START_TEST(no_way_in_with_too_little)
{
    const char *const lists[] = {
        "",          "\"b\"",      "\"a/\"",    "\"a/*\"", "\"A\"",
        "\"aa\"",    "\"$*\"",     "\"%61\"",   "\"a,b\"", "\"http://x/{id}\"",
        "\"b*\"",    "\"\\u0430\"",
    };
    bool publishes = ways[_i].kind == PUBLISHES;
    struct client client;
    char *token;
    int i;

    for (i = 0; i < COUNT(lists); i++) {
        /* All of the other kind does not help. */
        token = publishes ? grant(lists[i], "\"*\"") : grant("\"*\"", lists[i]);
        ck_assert_msg(go_with(&client, _i, token) == 403, "grants %s: %s", lists[i],
                      client.head);
        ck_assert(challenges(&client, "error=\"insufficient_scope\""));
        client_close(&client);
        free(token);
    }
    if (ways[_i].all) { /* one topic's are not all */
        token = grant("\"a\"", "\"a\"");
        ck_assert_int_eq(go_with(&client, _i, token), 403);
        client_close(&client);
        free(token);
    }
    ck_assert_int_eq(go_with(&client, _i, ROBOT), 403);
    client_close(&client);
}
END_TEST

START_TEST(no_way_in_with_a_key_for_another_use)
{
    char *token = token_of(PUBLISHER, "", ALL);
    struct client client;
    int status = go_with(&client, _i, token);

    if (ways[_i].kind == SUBSCRIBES)
        ck_assert_int_eq(status, 403);
    else /* there may be nothing to delete */
        ck_assert(status / 100 == 2 || status == 404);
    client_close(&client);
    free(token);
}
END_TEST

START_TEST(no_way_in_with_two_credentials)
{
    char *token = grant("\"*\"", "\"*\""), *wrong = make_wrong(0);
    struct client client;
    char headers[4096];

    snprintf(headers, sizeof headers,
             "Authorization: Bearer %s\r\nAuthorization: Bearer %s\r\n", token,
             token);
    ck_assert_int_eq(go(&client, _i, headers), 400);
    ck_assert(challenges(&client, "error=\"invalid_request\""));
    client_close(&client);
    snprintf(headers, sizeof headers, "Authorization: Bearer %s, Bearer %s\r\n",
             token, token);
    ck_assert_int_eq(go(&client, _i, headers), 400);
    client_close(&client);
    snprintf(headers, sizeof headers, "Authorization: Bearer %s,%s\r\n", token,
             token);
    ck_assert_int_eq(go(&client, _i, headers), 400);
    client_close(&client);
    snprintf(headers, sizeof headers,
             "Authorization: Basic YTpi\r\nAuthorization: Bearer %s\r\n", token);
    ck_assert_int_eq(go(&client, _i, headers), 400);
    client_close(&client);
    ck_assert_int_eq(go(&client, _i, "Authorization: Bearer \r\n"), 400);
    client_close(&client);
    /* Where the header is wrong, a right cookie does not help. */
    snprintf(headers, sizeof headers,
             "Authorization: Bearer %s\r\n"
             "Cookie: mercureAuthorization=%s\r\nOrigin: http://localhost\r\n",
             wrong, token);
    ck_assert_int_eq(go(&client, _i, headers), 401);
    client_close(&client);
    free(wrong);
    free(token);
}
END_TEST

START_TEST(every_way_in_with_the_right_token)
{
    const char *topic = ways[_i].all ? "\"*\"" : "\"a\"";
    bool publishes = ways[_i].kind == PUBLISHES;
    char *token = publishes ? grant(topic, "") : grant("", topic);
    struct client client;
    int status = go_with(&client, _i, token);

    /* Nothing may be there to be described or deleted. */
    ck_assert_msg(status / 100 == 2 || status == 404, "%s", client.head);
    client_close(&client);
    free(token);
}
END_TEST

START_TEST(a_wrong_token_is_refused_where_none_is_needed)
{
    char *wrong = make_wrong(0);
    struct client client;

    if (ways[_i].kind == SUBSCRIBES) {
        ck_assert_int_ne(go(&client, _i, ""), 401);
        client_close(&client);
    }
    ck_assert_int_eq(go_with(&client, _i, wrong), 401);
    client_close(&client);
    free(wrong);
}
END_TEST

/* ---- which topics ------------------------------------------------------ */

static const struct {
    const char *grants; /* as a list in JSON */
    const char *target;
    int publish, subscribe;
} topics[] = {
    {"\"a\"", "/topics/a", 200, 200},
    {"\"a\"", "/topics/%61", 200, 200},
    {"\"a\"", "/topics/%2561", 403, 403},
    {"\"a\"", "/topics/a/b", 403, 403},
    {"\"a\"", "/topics/a%2fb", 403, 403},
    {"\"a\"", "/topics/a/", 403, 403},
    {"\"a\"", "/topics/a/%2e%2e/a", 403, 403},
    {"\"a\"", "/topics/b/../a", 403, 403},
    {"\"a\"", "/topics/%2e/a", 403, 403},
    {"\"a\"", "/topics/a,b", 403, 403},
    {"\"a\"", "/topics/a%2Cb", 403, 403},
    {"\"a\"", "/topics/b,a", 403, 403},
    {"\"a\",\"b\"", "/topics/a,b", 200, 200},
    {"\"a\",\"b\"", "/topics/a,b,c", 403, 403},
    {"\"a\"", "/topics/a*", 403, 403},
    {"\"a\"", "/topics/*", 403, 403},
    {"\"a\"", "/topics/a?topic=b", 200, 200},
    {"\"a/*\"", "/topics/a/b/c", 200, 200},
    {"\"a/*\"", "/topics/a%2Fb", 200, 200},
    {"\"a/*\"", "/topics/a/../b", 403, 200},
    {"\"a/*\"", "/topics/a/%2e%2e/b", 403, 200},
    {"\"a/*\"", "/topics/a/%252E./b", 403, 200},
    {"\"a/*\"", "/topics/a/.", 403, 200},
    {"\"a/*\"", "/topics/a/x%5C..%5Cb", 403, 200},
    {"\"a/*\"", "/topics/a/...", 200, 200},
    {"\"a/*\"", "/topics/a/.b", 200, 200},
    {"\"*\"", "/topics/a/../b", 200, 200},
    {"\"a/*\"", "/topics/a", 403, 403},
    {"\"a/*\"", "/topics/ab", 403, 403},
    {"\"a/*\"", "/topics/a/*", 400, 200},
    {"\"a/*\"", "/topics/a/b*", 400, 200},
    {"\"a/*\"", "/topics/a*", 403, 403},
    {"\"*\"", "/topics/a,b/c", 200, 200},
    {"\"*\"", "/topics/*", 400, 200},
    {"\"*\"", "/topics/$presence/a", 403, 403},
    {"\"*\"", "/topics/$presence/*", 403, 403},
    {"\"*\"", "/topics/$SYS", 403, 403},
    {"\"$presence/a\"", "/topics/$presence/a", 403, 200},
    {"\"$presence/*\"", "/topics/$presence/a", 403, 200},
    {"\"$*\"", "/topics/$SYS", 403, 403},
    {"\"/a/{id}\"", "/topics/%2Fa%2F7", 200, 200},
    {"\"/a/{id}\"", "/topics/%2Fa%2F7%2F8", 403, 403},
    {"\"/a/{id}\"", "/topics/%2Fa%2F*", 403, 403},
};

START_TEST(grants_are_of_topics)
{
    char *token = grant(topics[_i].grants, topics[_i].grants), headers[2048];
    const char *const more[] = {"", "Connection: close\r\n"};
    struct client client;
    int i;

    for (i = 0; i < 2; i++) {
        snprintf(headers, sizeof headers, "Authorization: Bearer %s\r\n%s", token,
                 more[i]);
        ck_assert_int_eq(fetch(crierd.port, "POST", topics[_i].target, headers,
                               "x", NULL),
                         topics[_i].publish);
        client_connect(&client, crierd.port);
        ck_assert_int_eq(client_request(&client, "GET", topics[_i].target, headers,
                                        NULL),
                         topics[_i].subscribe);
        client_close(&client);
    }
    free(token);
}
END_TEST

START_TEST(a_static_token_is_a_token)
{
    const char header[] = "Authorization: bearer " ROBOT "\r\n";

    ck_assert_int_eq(
        fetch(crierd.port, "POST", "/topics/robots/1", header, "x", NULL), 200);
    ck_assert_int_eq(fetch(crierd.port, "POST", "/topics/a", header, "x", NULL),
                     403);
    ck_assert_int_eq(fetch(crierd.port, "GET", "/topics/robots/*?poll=1", header,
                           NULL, NULL),
                     200);
}
END_TEST

/* The list names only what may be subscribed to. */
START_TEST(the_list_shows_what_is_granted)
{
    char *all = grant("\"*\"", "\"*\""), *one = grant("", "\"b\""), headers[2048];
    char *body;

    ck_assert_int_eq(fetch(crierd.port, "GET", "/topics", "", NULL, NULL), 401);
    snprintf(headers, sizeof headers, "Authorization: Bearer %s\r\n", all);
    ck_assert_int_eq(fetch(crierd.port, "POST", "/topics/a", headers, "x", NULL),
                     200);
    ck_assert_int_eq(fetch(crierd.port, "POST", "/topics/b", headers, "x", NULL),
                     200);
    ck_assert_int_eq(fetch(crierd.port, "GET", "/topics", headers, NULL, &body),
                     200);
    ck_assert_ptr_nonnull(strstr(body, "\"topic\":\"a\""));
    ck_assert_ptr_nonnull(strstr(body, "\"topic\":\"b\""));
    free(body);
    snprintf(headers, sizeof headers, "Authorization: Bearer %s\r\n", one);
    ck_assert_int_eq(fetch(crierd.port, "GET", "/topics", headers, NULL, &body),
                     200);
    ck_assert_ptr_null(strstr(body, "\"topic\":\"a\""));
    ck_assert_ptr_nonnull(strstr(body, "\"topic\":\"b\""));
    free(body);
    free(all);
    free(one);
}
END_TEST

START_TEST(what_is_open_stays_open)
{
    const char *const targets[] = {"/healthz", "/", "/index.html", "/updates"};
    char *wrong = make_wrong(5), headers[2048];
    int i;

    snprintf(headers, sizeof headers, "Cookie: mercureAuthorization=%s\r\n", wrong);
    for (i = 0; i < COUNT(targets); i++) {
        ck_assert_int_eq(fetch(crierd.port, "GET", targets[i], "", NULL, NULL),
                         200);
        ck_assert_int_eq(fetch(crierd.port, "GET", targets[i], headers, NULL, NULL),
                         200);
    }
    free(wrong);
}
END_TEST

/* ---- private updates --------------------------------------------------- */

static const char *const glances[] = {
    "/topics/p/1?poll=1",
    "/topics/p/1?poll=1&since=all",
    "/topics/p/1?poll=1&since=-5",
    "/topics/p/1?poll=1&format=json",
    "/topics/p/1?poll=1&format=raw",
    "/topics/p/1?poll=1&format=full",
    "/topics/p/*?poll=1",
    "/topics/*?poll=1",
    "/topics/p/1,p/2?poll=1",
};

/* Reads what GET TARGET yields with a token for LIST, or without one, up to the update
 * "open". Returns whether "hidden" came before it. */
static bool sees_hidden(const char *list, const char *target)
{
    char *token = list != NULL ? grant("", list) : NULL, headers[2048], *line;
    struct client client;
    bool hidden = false, open = false;

    snprintf(headers, sizeof headers, "Authorization: Bearer %s\r\n",
             token != NULL ? token : "");
    client_connect(&client, crierd.port);
    ck_assert_int_eq(client_request(&client, "GET", target,
                                    token != NULL ? headers : "", NULL),
                     200);
    while (!open) {
        line = client_line(&client);
        ck_assert_ptr_nonnull(line);
        hidden = hidden || strstr(line, "hidden") != NULL;
        open = strstr(line, "open") != NULL;
        free(line);
    }
    client_close(&client);
    free(token);
    return hidden;
}

/* With anonymous = subscribe: everybody gets what is public, and only grants what is
 * private. */
START_TEST(private_updates_are_for_grants)
{
    char *token = grant("\"*\"", ""), headers[2048];

    snprintf(headers, sizeof headers, "Authorization: Bearer %s\r\n", token);
    ck_assert_int_eq(fetch(crierd.port, "POST", "/topics/p/1?private=1", headers,
                           "hidden", NULL),
                     200);
    ck_assert_int_eq(fetch(crierd.port, "POST", "/topics/p/1", headers, "open",
                           NULL),
                     200);
    ck_assert(!sees_hidden(NULL, glances[_i]));
    ck_assert(!sees_hidden("\"p/2\",\"q/*\"", glances[_i]));
    ck_assert(sees_hidden("\"p/1\"", glances[_i]));
    ck_assert(sees_hidden("\"p/*\"", glances[_i]));
    ck_assert_int_eq(fetch(crierd.port, "DELETE", "/topics/p/1", headers, NULL,
                           NULL),
                     204);
    free(token);
}
END_TEST

/* Returns the body of GET TARGET, asked for as JSON, with a token that may subscribe to
 * LIST; or without a token where LIST is NULL. */
static char *list_with(const char *list, const char *target)
{
    char *token = list != NULL ? grant("", list) : NULL, headers[2048], *body;

    snprintf(headers, sizeof headers, "Accept: application/json\r\n%s%s%s",
             token != NULL ? "Authorization: Bearer " : "",
             token != NULL ? token : "", token != NULL ? "\r\n" : "");
    ck_assert_int_eq(fetch(crierd.port, "GET", target, headers, NULL, &body), 200);
    free(token);
    return body;
}

START_TEST(a_private_topic_is_not_listed)
{
    const char *const targets[] = {"/topics", "/topics?match=p*", "/topics/p/*"};
    char *token = grant("\"*\"", ""), headers[2048], *body;
    int i;

    snprintf(headers, sizeof headers, "Authorization: Bearer %s\r\n", token);
    ck_assert_int_eq(fetch(crierd.port, "POST", "/topics/p/secret?private=1",
                           headers, "hidden", NULL),
                     200);
    for (i = 0; i < COUNT(targets); i++) {
        body = list_with(NULL, targets[i]);
        ck_assert_ptr_null(strstr(body, "p/secret"));
        free(body);
        body = list_with("\"q\"", targets[i]);
        ck_assert_ptr_null(strstr(body, "p/secret"));
        free(body);
        body = list_with("\"p/*\"", targets[i]);
        ck_assert_ptr_nonnull(strstr(body, "p/secret"));
        free(body);
    }
    free(token);
}
END_TEST

/* Live streams, of a prefix. */
START_TEST(private_updates_are_streamed_to_grants)
{
    char *token = grant("\"*\"", "\"p/*\""), headers[2048], *frame;
    struct client with, without;

    snprintf(headers, sizeof headers, "Authorization: Bearer %s\r\n", token);
    client_connect(&with, crierd.port);
    ck_assert_int_eq(client_request(&with, "GET", "/topics/p/*", headers, NULL),
                     200);
    client_connect(&without, crierd.port);
    ck_assert_int_eq(client_request(&without, "GET", "/topics/p/*", "", NULL), 200);
    ck_assert_int_eq(fetch(crierd.port, "POST", "/topics/p/1?private=1", headers,
                           "hidden", NULL),
                     200);
    ck_assert_int_eq(fetch(crierd.port, "POST", "/topics/p/1", headers, "open",
                           NULL),
                     200);
    client_expect_event(&with, "data: hidden");
    client_expect_event(&with, "data: open");
    frame = client_event(&without, NULL);
    ck_assert_str_eq(frame, "data: open");
    free(frame);
    client_close(&with);
    client_close(&without);
    free(token);
}
END_TEST

/* ---- expiry ------------------------------------------------------------ */

static const char *const expiring[] = {
    "/topics/a", "/topics/a*?format=json", "/ticks", "/chat?user=ada", "/quotes",
    "/events",
};

/* Opens all with a token that ends at END, whose field it writes to HEADERS. Returns false
 * if that was too late. */
static bool open_expiring(struct client *clients, long long end, char headers[2048])
{
    char members[64], *token;
    bool open = true;
    int i, status;

    snprintf(members, sizeof members, "\"exp\":%lld,", end);
    token = token_of(SECRET, members, ALL);
    snprintf(headers, 2048, "Authorization: Bearer %s\r\n", token);
    free(token);
    for (i = 0; i < COUNT(expiring); i++) {
        client_connect(&clients[i], crierd.port);
        status = client_request(&clients[i], "GET", expiring[i], headers, NULL);
        ck_assert(status == 200 || (status == 401 && (long long)time(NULL) >= end));
        open &= status == 200;
    }
    for (i = 0; !open && i < COUNT(expiring); i++)
        client_close(&clients[i]);
    return open;
}

START_TEST(streams_end_with_their_token)
{
    struct client clients[COUNT(expiring)];
    char headers[2048], *line;
    long long life = 2, end;
    struct timespec now;
    int i;

    /* On a busy machine it takes longer to open them. */
    while (!open_expiring(clients, end = (long long)time(NULL) + life, headers))
        life *= 2;
    for (i = 0; i < COUNT(expiring); i++) {
        while ((line = client_line(&clients[i])) != NULL)
            free(line);
        clock_gettime(CLOCK_REALTIME, &now);
        ck_assert_int_ge(now.tv_sec, end);
        client_close(&clients[i]);
        ck_assert_int_eq(
            fetch(crierd.port, "GET", expiring[i], headers, NULL, NULL), 401);
    }
    crierd_wait_log(&crierd, "authorisation has expired");
}
END_TEST

/* ---- where the token is ------------------------------------------------ */

START_TEST(a_token_may_be_in_the_url)
{
    char *token = grant("\"a\"", "\"a\""), target[2048];

    snprintf(target, sizeof target, "/topics/a?poll=1&authorization=%s", token);
    ck_assert_int_eq(fetch(crierd.port, "GET", target, "", NULL, NULL), 200);
    crierd_wait_log(&crierd, "GET /topics/a 200");
    ck_assert(!crierd_logged(&crierd, token));
    ck_assert(!crierd_logged(&crierd, "authorization="));
    snprintf(target, sizeof target, "/topics/a?authorization=%s", token);
    ck_assert_int_eq(fetch(crierd.port, "POST", target, "", "x", NULL), 200);
    snprintf(target, sizeof target, "/topics/a?authorization=%s&authorization=%s",
             token, token);
    ck_assert_int_eq(fetch(crierd.port, "POST", target, "", "x", NULL), 400);
    ck_assert_int_eq(fetch(crierd.port, "GET", "/topics/a?authorization=x", "",
                           NULL, NULL),
                     401);
    free(token);
}
END_TEST

START_TEST(the_header_precedes_the_url)
{
    char *token = grant("\"a\"", "\"a\""), *wrong = make_wrong(0);
    char target[2048], headers[2048];

    snprintf(target, sizeof target, "/topics/a?poll=1&authorization=%s", wrong);
    snprintf(headers, sizeof headers, "Authorization: Bearer %s\r\n", token);
    ck_assert_int_eq(fetch(crierd.port, "GET", target, headers, NULL, NULL), 200);
    snprintf(target, sizeof target, "/topics/a?poll=1&authorization=%s", token);
    snprintf(headers, sizeof headers, "Authorization: Bearer %s\r\n", wrong);
    ck_assert_int_eq(fetch(crierd.port, "GET", target, headers, NULL, NULL), 401);
    /* and the URL the cookie */
    snprintf(headers, sizeof headers, "Cookie: mercureAuthorization=%s\r\n", wrong);
    ck_assert_int_eq(fetch(crierd.port, "GET", target, headers, NULL, NULL), 200);
    free(wrong);
    free(token);
}
END_TEST

START_TEST(no_token_is_in_the_url_where_that_is_off)
{
    char *token = grant("\"a\"", "\"a\""), target[2048];

    snprintf(target, sizeof target, "/topics/a?poll=1&authorization=%s", token);
    ck_assert_int_eq(fetch(crierd.port, "GET", target, "", NULL, NULL), 401);
    crierd_wait_log(&crierd, "GET /topics/a 401");
    ck_assert(!crierd_logged(&crierd, token));
    free(token);
}
END_TEST

#define HOST "Origin: http://localhost\r\n"
#define FOREIGN "Sec-Fetch-Site: cross-site\r\n"
#define FRIEND "Origin: https://friend.example\r\n" FOREIGN
#define STRANGER "Origin: https://stranger.example\r\n" FOREIGN
#define TRUSTED "Origin: https://publisher.example\r\n" FOREIGN

static const struct {
    const char *format; /* of the field with the token */
    const char *more;
    int publish, subscribe;
} presented[] = {
    {"Authorization: Bearer %s", "", 200, 200},
    {"Authorization: bEARER   %s", "", 200, 200},
    {"Authorization: Bearer %s", HOST, 200, 200},
    {"Authorization: Bearer %s", FRIEND, 200, 200},
    {"Authorization: Bearer %s", TRUSTED, 200, 200},
    {"Authorization: Bearer %s", STRANGER, 403, 200},
    {"Authorization: Bearer %s", FOREIGN, 403, 200},
    {"Authorization: Bearer %s", "Cookie: ticket=x\r\n", 200, 200},
    {"Cookie: ticket=%s", "", 403, 200},
    {"Cookie: ticket=%s", HOST, 200, 200},
    {"Cookie: ticket=%s", "Sec-Fetch-Site: same-origin\r\n", 200, 200},
    {"Cookie: ticket=%s", "Sec-Fetch-Site: same-site\r\n", 403, 200},
    {"Cookie: ticket=%s", TRUSTED, 200, 200},
    {"Cookie: ticket=%s", FRIEND, 403, 200},
    {"Cookie: ticket=%s", STRANGER, 403, 200},
    {"Cookie: ticket=%s", "Origin: null\r\n", 403, 200},
    {"Cookie: ticket=%s", "Authorization: Basic YTpi\r\n" FRIEND, 403, 200},
    {"Cookie: a=b; ticket=%s; c=d", HOST, 200, 200},
    {"Cookie: a=b;ticket=%s;c=d", HOST, 200, 200},
    {"Cookie: __Secure-mercure_access_token=%s", HOST, 200, 200},
    {"Cookie: ticket=x; __Secure-mercure_access_token=%s", HOST, 200, 200},
    {"Cookie: ticket=x; ticket=%s", HOST, 401, 401},
    {"Cookie: xticket=%s", HOST, 401, 401},
    {"Cookie: Ticket=%s", HOST, 401, 401},
    {"Cookie: ticket2=%s", HOST, 401, 401},
    {"Cookie: a=\"; ticket=x\"; b=%s", HOST, 401, 401},
    {"Cookie: mercureAuthorization=%s", HOST, 401, 401},
    {"Cookie: a=b\r\nCookie: ticket=%s", HOST, 200, 200},
};

START_TEST(where_a_token_counts)
{
    char *token = grant("\"b\"", "\"b\""), field[2048], headers[4096];
    const char *const more[] = {"", "Connection: close\r\n"};
    struct client client;
    int i;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(field, sizeof field, presented[_i].format, token);
#pragma GCC diagnostic pop
    for (i = 0; i < 2; i++) {
        snprintf(headers, sizeof headers, "%s\r\n%s%s", field, presented[_i].more,
                 more[i]);
        ck_assert_int_eq(fetch(crierd.port, "POST", "/topics/b", headers, "x",
                               NULL),
                         presented[_i].publish);
        ck_assert_int_eq(fetch(crierd.port, "DELETE", "/topics/b", headers, NULL,
                               NULL),
                         presented[_i].publish == 200 ? 204
                                                      : presented[_i].publish);
        client_connect(&client, crierd.port);
        ck_assert_int_eq(client_request(&client, "GET", "/topics/b", headers, NULL),
                         presented[_i].subscribe);
        client_close(&client);
    }
    free(token);
}
END_TEST

/* ---- before the body --------------------------------------------------- */

START_TEST(a_body_is_not_waited_for)
{
    const char *const more[] = {"", "Connection: close\r\n"};
    char *right = grant("\"a\"", ""), *wrong = make_wrong(0), *body;
    struct client client;

    client_connect(&client, crierd.port);
    client_send(&client,
                "POST /topics/a HTTP/1.1\r\nHost: x\r\n%s"
                "Authorization: Bearer %s\r\nContent-Length: 10\r\n\r\nx",
                more[_i], wrong);
    /* A pipeline gives an idle connection away after 30 s, and then it is refused, too. */
    ck_assert(client_has(&client, 20000));
    ck_assert_int_eq(client_head(&client), 401);
    free(client_body(&client));
    client_close(&client);
    /* What came before on the same connection is answered first. */
    client_connect(&client, crierd.port);
    client_send(&client,
                "POST /topics/a HTTP/1.1\r\nHost: x\r\n"
                "Authorization: Bearer %s\r\nContent-Length: 1\r\n\r\ny"
                "POST /topics/b HTTP/1.1\r\nHost: x\r\n%s"
                "Authorization: Bearer %s\r\nContent-Length: 10\r\n\r\n",
                right, more[_i], right);
    ck_assert_int_eq(client_head(&client), 200);
    body = client_body(&client);
    ck_assert_ptr_nonnull(strstr(body, "\"id\""));
    free(body);
    ck_assert_int_eq(client_head(&client), 403);
    client_close(&client);
    free(right);
    free(wrong);
}
END_TEST

START_TEST(the_log_has_the_subject_and_no_token)
{
    char *token = grant("\"a\"", ""), headers[2048];

    snprintf(headers, sizeof headers, "Authorization: Bearer %s\r\n", token);
    ck_assert_int_eq(fetch(crierd.port, "POST", "/topics/a", headers, "x", NULL),
                     200);
    crierd_wait_log(&crierd, " 'ada'\n");
    ck_assert(!crierd_logged(&crierd, token));
    ck_assert(!crierd_logged(&crierd, strrchr(token, '.')));
    free(token);
}
END_TEST

/* A case of tests that have a crierd each, whose log they can read. */
static TCase *log_case(Suite *suite, const char *name, void (*setup)(void))
{
    TCase *c = add_case(suite, name);

    tcase_add_checked_fixture(c, setup, teardown);
    return c;
}

/* A case of tests that share one. */
static TCase *policy_case(Suite *suite, const char *name, void (*setup)(void))
{
    TCase *c = add_case(suite, name);

    tcase_add_unchecked_fixture(c, setup, teardown);
    return c;
}

static Suite *suite(void)
{
    Suite *s = suite_create("policy");
    TCase *c = policy_case(s, "closed", setup_closed);

    tcase_add_loop_test(c, no_way_in_without_a_token, 0, COUNT(ways));
    tcase_add_loop_test(c, no_way_in_with_a_wrong_token, 0, COUNT(ways));
    tcase_add_loop_test(c, no_way_in_with_too_little, 0, COUNT(ways));
    tcase_add_loop_test(c, no_way_in_with_a_key_for_another_use, 0, COUNT(ways));
    tcase_add_loop_test(c, no_way_in_with_two_credentials, 0, COUNT(ways));
    tcase_add_loop_test(c, every_way_in_with_the_right_token, 0, COUNT(ways));
    tcase_add_loop_test(c, grants_are_of_topics, 0, COUNT(topics));
    tcase_add_loop_test(c, an_admin_alone, 0, COUNT(admin_ways));
    tcase_add_test(c, a_static_token_is_a_token);
    tcase_add_test(c, the_list_shows_what_is_granted);
    tcase_add_test(c, what_is_open_stays_open);
    tcase_add_test(c, the_header_precedes_the_url);
    tcase_add_loop_test(c, a_body_is_not_waited_for, 0, 2);
    c = log_case(s, "log", setup_debug);
    tcase_add_test(c, a_token_may_be_in_the_url);
    tcase_add_test(c, the_log_has_the_subject_and_no_token);
    tcase_add_test(c, streams_end_with_their_token);
    c = policy_case(s, "readers", setup_readers);
    tcase_add_loop_test(c, a_wrong_token_is_refused_where_none_is_needed, 0,
                        COUNT(ways));
    tcase_add_loop_test(c, an_admin_alone, 0, COUNT(admin_ways));
    tcase_add_loop_test(c, private_updates_are_for_grants, 0, COUNT(glances));
    tcase_add_test(c, a_private_topic_is_not_listed);
    tcase_add_test(c, private_updates_are_streamed_to_grants);
    c = policy_case(s, "pages", setup_pages);
    tcase_add_loop_test(c, where_a_token_counts, 0, COUNT(presented));
    c = log_case(s, "no query", setup_no_query);
    tcase_add_test(c, no_token_is_in_the_url_where_that_is_off);
    return s;
}

RUN_SUITE(suite)
