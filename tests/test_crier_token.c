/*
 * crier token: makes tokens and hashes, and says what a token says. Tokens that it cannot
 * make, such as expired ones, are written here as they are; all are signed with SECRET.
 */
#include <config.h>

#include "support/command.h"
#include "support/crierd.h"
#include "support/foreign.h"
#include "support/runner.h"
#include "support/scratch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECRET "a-secret-of-at-least-32-characters"
#define OTHER "another-secret-of-32-characters-or-more"

/* {"exp":1000000000,"nbf":999999999,"mercure":{"publish":["a"]}} */
#define EXPIRED                                                                        \
    "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjEwMDAwMDAwMDAsIm5iZiI6OTk5OTk5OTk5LCJtZXJjdXJlIjp" \
    "7InB1Ymxpc2giOlsiYSJdfX0.f9k6ln7DqGC7aNAWV852Ka-Vj1mK19UjLnzGaIXDStU"

/* {"nbf":99999999999,"mercure":{"publish":["a"]}} */
#define NOT_YET                                                                        \
    "eyJhbGciOiJIUzI1NiJ9.eyJuYmYiOjk5OTk5OTk5OTk5LCJtZXJjdXJlIjp7InB1Ymxpc2giOlsiYSJ" \
    "dfX0.vARZQPrVi-bYYMDpJ7Aj7UWADvD5rRm8cu3JVYuPC2Y"

/* The kid is an escape sequence, and a topic has U+202E and U+009B in it:
 * {"mercure":{"publish":["...","log/ *"],"subscribe":"a"}} */
#define HARMFUL                                                                        \
    "eyJhbGciOiJIUzI1NiIsImtpZCI6Ilx1MDAxYlszMW0ifQ.eyJtZXJjdXJlIjp7InB1Ymxpc2giOlsi4" \
    "oCueMKbMW0iLCJsb2cvKiJdLCJzdWJzY3JpYmUiOiJhIn19.8b0GNr8HXXYfl6bPE0eatUrrahHnRJft" \
    "pMgIiQOHYI0"

/* {"exp":"soon","nbf":-1,"authorization_details":[a Mercure detail that grants
 * subscribing to https://example.com/:id (urlpattern) and b; one of another type]} */
#define DETAILS                                                                        \
    "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOiJzb29uIiwibmJmIjotMSwiYXV0aG9yaXphdGlvbl9kZXRhaWx" \
    "zIjpbeyJ0eXBlIjoiaHR0cHM6Ly9tZXJjdXJlLnJvY2tzL2F1dGhvcml6YXRpb24tZGV0YWlsIiwiYWN" \
    "0aW9ucyI6WyJzdWJzY3JpYmUiXSwidG9waWNzIjpbeyJtYXRjaCI6Imh0dHBzOi8vZXhhbXBsZS5jb20" \
    "vOmlkIiwibWF0Y2hfdHlwZSI6InVybHBhdHRlcm4ifSx7Im1hdGNoIjoiYiJ9XX0seyJ0eXBlIjoib3R" \
    "oZXIiLCJhY3Rpb25zIjpbInB1Ymxpc2giXSwidG9waWNzIjpbeyJtYXRjaCI6Im5vIn1dfV19.GYUs3t" \
    "r8uS9eeA5wv2LR3qZBM-EFjcVRCrSmzMsUvj8"

/* [1] */
#define NO_OBJECT "eyJhbGciOiJIUzI1NiJ9.WzFd.fNBAO3uYJKIjMIfvzTM2zgwb6_THvVlHkVdgpnfv_xU"

/* The private key of RFC 8037, appendix A.1. */
#define ED25519_PUBLIC                                                                 \
    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"ed\","                              \
    "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\""
#define ED25519_PRIVATE                                                                \
    ED25519_PUBLIC ",\"d\":\"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A\"}"

static void setup(void)
{
    scratch_make();
    command_environment(0);
    setenv("CRIER_KEY", SECRET, 1);
}

static void teardown(void)
{
    scratch_remove();
}

/* Writes TEXT to the file NAME in the scratch directory; its path is PATH. */
static void write_file(const char *name, const char *text, char path[128])
{
    FILE *file;

    snprintf(path, 128, "%s/%s", scratch, name);
    file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

/* Runs `crier WORDS...`, which must end with STATUS; what it prints is *OUT. */
static void run_for(int status, const char *input, const char *const *words, char **out)
{
    struct command command;
    int got = command_run(&command, input, words);

    ck_assert_msg(got == status, "status %d: %s%s", got, command.out.text,
                  command.err.text);
    *out = strdup(command.out.text);
    command_done(&command);
}

/* Fails unless TEXT contains each of LINES, a list ended by NULL. */
static void check_lines(const char *text, const char *const *lines)
{
    for (; *lines != NULL; lines++)
        ck_assert_msg(strstr(text, *lines) != NULL, "no '%s' in: %s", *lines, text);
}

/* Returns the number behind NAME in TEXT. */
static long long find_number(const char *text, const char *name)
{
    const char *at = strstr(text, name);

    ck_assert_msg(at != NULL, "no %s in: %s", name, text);
    return strtoll(at + strlen(name), NULL, 10);
}

/* ---- tokens ------------------------------------------------------------- */

START_TEST(a_token_says_what_was_asked_for)
{
    char *token, *shown;

    run_for(0, NULL,
            WORDS("token", "--publish", "log/*", "--publish", "news", "--subscribe", "*",
                  "--subscribe", "https://example.com/{id}", "--subject", "ann",
                  "--audience", "https://hub.example", "--issuer", "me", "--kid", "k1",
                  "--payload", "{\"user\":[1]}", "--admin"),
            &token);
    ck_assert_uint_eq(strcspn(token, " \n"), strlen(token) - 1); /* it alone */
    run_for(0, token, WORDS("token", "show"), &shown);
    check_lines(
        shown,
        WORDS("\"alg\": \"HS256\"", "\"typ\": \"JWT\"", "\"kid\": \"k1\"",
              "\"sub\": \"ann\"", "\"aud\": \"https://hub.example\"", "\"iss\": \"me\"",
              "\"user\": [", "\nmay publish    log/* (topics that begin so)\n",
              "\n               news\n",
              "\nmay subscribe  * (all topics but those that begin with $)\n",
              "\n               https://example.com/{id} (URI template)\n",
              "\nadmin          yes\n", "\nsignature      right\n", "\nissued         20", " ago\n"));
    ck_assert_int_eq(find_number(shown, "\"exp\": ") - find_number(shown, "\"iat\": "),
                     3600);
    free(token);
    free(shown);
}
END_TEST

START_TEST(it_expires_as_asked)
{
    char *token, *shown;

    run_for(0, NULL, WORDS("token", "--publish=a", "--expires", "30d"), &token);
    run_for(0, token, WORDS("token", "show", "-"), &shown);
    ck_assert_int_eq(find_number(shown, "\"exp\": ") - find_number(shown, "\"iat\": "),
                     30 * 86400);
    check_lines(shown, WORDS("\nmay subscribe  nothing\n"));
    free(token);
    free(shown);
    run_for(0, NULL, WORDS("token", "--subscribe=a", "--expires", "never"), &token);
    run_for(0, token, WORDS("token", "show"), &shown);
    ck_assert_ptr_null(strstr(shown, "\"exp\""));
    check_lines(shown, WORDS("\nexpires        never\n", "\nmay publish    nothing\n"));
    free(token);
    free(shown);
}
END_TEST

/* From the command line, which takes precedence, and from files. */
START_TEST(a_key_is_of_many_kinds)
{
    char secret[128], key[128], public[128], words[4][200];
    char *token;

    write_file("secret", OTHER "\n", secret);
    write_file("private.jwk", ED25519_PRIVATE, key);
    write_file("public.jwk", ED25519_PUBLIC "}", public);
    snprintf(words[0], 200, "HS512:@%s", secret);
    snprintf(words[1], 200, "@%s", secret);
    snprintf(words[2], 200, "EdDSA:@%s", key);
    snprintf(words[3], 200, "EdDSA:@%s", public);

    run_for(0, NULL, WORDS("token", "--publish=a", "--key", words[1]), &token);
    command_expect(0, NULL, "", token, WORDS("token", "show", "--key", OTHER));
    command_expect(0, NULL, "", token, WORDS("token", "show", "--key", "HS256:" OTHER));
    command_expect(1, NULL, "", token, WORDS("token", "show"));
    command_expect(1, NULL, "", token, WORDS("token", "show", "--key", words[3]));
    free(token);
    run_for(2, NULL, WORDS("token", "--publish=a", "--key", words[0]), &token);
    free(token); /* it is too short for HS512 */
    run_for(0, NULL, WORDS("token", "--publish=a", "--key", words[2]), &token);
    command_expect(0, NULL, "", token, WORDS("token", "show", "--key", words[3]));
    command_expect(1, NULL, "", token, WORDS("token", "show"));
    free(token);
    command_expect(1, "", "the key cannot sign", NULL,
                   WORDS("token", "--publish=a", "--key", words[3]));
}
END_TEST

static const struct {
    const char *words[6];
    const char *says;
} mistakes[] = {
    {{"token"}, "the token would grant nothing"},
    {{"token", "--payload=1"}, "the token would grant nothing"},
    {{"token", "--publish=a", "x"}, "unexpected argument 'x' (known: show, hash)"},
    {{"token", "-k"}, "unknown option '-k'"},
    {{"token", "--server=x"}, "unknown option '--server'"},
    {{"token", "--publish="}, "--publish '': a topic is not"},
    {{"token", "--subscribe", "a*b"}, "--subscribe 'a*b': a topic is not"},
    {{"token", "--publish=a", "--payload", "{"}, "--payload '{' is not JSON"},
    {{"token", "--publish=a", "--expires", "0"}, "--expires '0' is not a time of"},
    {{"token", "--publish=a", "--expires", "soon"}, "or never"},
    {{"token", "--publish=a", "--subject", "\xff"}, "--subject '\\xff' is not UTF-8"},
    {{"token", "--publish=a", "--kid", "\xff"}, "--kid '\\xff' is not UTF-8"},
    {{"token", "--publish=a", "--issuer="}, "--issuer is empty"},
    {{"token", "--publish=a", "--key=short"}, "--key cannot be used: a secret for HS256"},
    {{"token", "--publish=a", "--key=HS257:" OTHER}, "--key begins with no algorithm"},
    {{"token", "--publish=a", "--key=none:" OTHER}, "--key begins with no algorithm"},
    {{"token", "--publish=a", "--key=RS256:" OTHER}, "give it as @FILE"},
    {{"token", "--publish=a", "--key=@/none"}, "cannot open /none: No such file"},
    {{"token", "show", "a", "b"}, "unexpected argument"},
    {{"token", "show", "--publish=a"}, "unknown option '--publish'"},
    {{"token", "hash", "a", "b"}, "unexpected argument"},
};

START_TEST(mistakes_are_named_and_no_secrets)
{
    struct command command;

    ck_assert_int_eq(command_run(&command, NULL, mistakes[_i].words), 2);
    ck_assert_str_eq(command.out.text, "");
    ck_assert_msg(strstr(command.err.text, mistakes[_i].says) != NULL,
                  "'%s' does not say '%s'", command.err.text, mistakes[_i].says);
    ck_assert_ptr_null(strstr(command.err.text, OTHER));
    command_done(&command);
}
END_TEST

START_TEST(a_key_is_needed)
{
    setenv("CRIER_KEY", "", 1);
    command_expect(2, "", "missing key: set $CRIER_KEY, or give --key", NULL,
                   WORDS("token", "--publish=a"));
    setenv("CRIER_KEY", "short", 1);
    command_expect(2, "", "$CRIER_KEY cannot be used", NULL,
                   WORDS("token", "--publish=a"));
}
END_TEST

/* ---- what a token says --------------------------------------------------- */

START_TEST(a_token_without_a_key_is_only_shown)
{
    char *shown;

    unsetenv("CRIER_KEY");
    run_for(0, NULL, WORDS("token", "show", EXPIRED), &shown);
    check_lines(shown, WORDS("\nvalid from     2001-09-09T01:46:39Z, ",
                             "\nexpires        2001-09-09T01:46:40Z, expired ", " d ago\n",
                             "\nsignature      not checked, since there is no key\n"));
    free(shown);
}
END_TEST

START_TEST(a_token_that_does_not_count_is_a_failure)
{
    char *shown;

    run_for(1, EXPIRED "\n", WORDS("token", "show"), &shown);
    check_lines(shown, WORDS(", expired ", "\nsignature      right\n"));
    free(shown);
    run_for(1, NOT_YET, WORDS("token", "show"), &shown);
    check_lines(shown, WORDS("\nvalid from     5138-11-16T09:46:39Z, in ",
                             "\nexpires        never\n", "\nsignature      right\n"));
    free(shown);
    run_for(1, EXPIRED, WORDS("token", "show", "--key", OTHER), &shown);
    check_lines(shown, WORDS("\nsignature      WRONG: the key did not sign this token\n"));
    free(shown);
    run_for(1, NO_OBJECT, WORDS("token", "show"), &shown);
    check_lines(shown, WORDS("\nclaims         not a JSON object\n"));
    free(shown);
}
END_TEST

START_TEST(a_token_controls_no_terminal)
{
    char *shown;

    run_for(0, HARMFUL, WORDS("token", "show"), &shown);
    check_lines(shown, WORDS("\nmay publish    \\u202ex\\x9b1m\n", "\\u001B[31m",
                             "\n               log/* (topics that begin so)\n",
                             "\nmay subscribe  nothing\n"));
    ck_assert_ptr_null(strchr(shown, '\033'));
    ck_assert_ptr_null(strstr(shown, "\xc2\x9b"));
    ck_assert_ptr_null(strstr(shown, "\xe2\x80\xae"));
    free(shown);
}
END_TEST

START_TEST(details_of_authorization_are_grants)
{
    char *shown;

    run_for(1, DETAILS, WORDS("token", "show"), &shown);
    check_lines(shown, WORDS("\nvalid from     not a time\n", "\nexpires        not a time\n",
                             "\nmay publish    nothing\n",
                             "\nmay subscribe  https://example.com/:id (urlpattern)\n"
                             "               b (exact)\n"));
    free(shown);
}
END_TEST

START_TEST(what_is_no_token_is_not_shown)
{
    static const char *const inputs[] = {"a", "a.b.c", "e30.e30.", "..", "e30.e30",
                                         "e30.e30.!!"};

    command_expect(1, "", "this is not a JWT", inputs[_i], WORDS("token", "show"));
    command_expect(1, "", "there is no token", " \n", WORDS("token", "show", "-"));
}
END_TEST

/* ---- static tokens ------------------------------------------------------- */

START_TEST(a_static_token_has_a_hash)
{
    /* as sha256sum has it */
    static const char hash[] =
        "hash = sha256:"
        "f39dac6cbaba535e2c207cd0cd8f154974223c848f727f98b3564cea569b41cf\n";

    command_expect(0, hash, "", NULL, WORDS("token", "hash", "abcdefghijklmnop"));
    command_expect(0, hash, "", "abcdefghijklmnop\n", WORDS("token", "hash", "-"));
    command_expect(1, "", "too easy to guess", NULL, WORDS("token", "hash", "short"));
    command_expect(1, "", "a token has only letters", NULL,
                   WORDS("token", "hash", "abcdefghijklmn op"));
    command_expect(1, "", "there is no token", "", WORDS("token", "hash", "-"));
}
END_TEST

START_TEST(a_made_one_is_new)
{
    char *first, *second, *hash, token[100];

    run_for(0, NULL, WORDS("token", "hash"), &first);
    run_for(0, NULL, WORDS("token", "hash"), &second);
    ck_assert_str_ne(first, second);
    ck_assert_int_eq(sscanf(first, "token = %99s\n", token), 1);
    hash = strstr(first, "hash = ");
    ck_assert_ptr_nonnull(hash);
    command_expect(0, hash, "", token, WORDS("token", "hash", "-"));
    free(first);
    free(second);
}
END_TEST

/* ---- --token-file -------------------------------------------------------- */

START_TEST(a_token_comes_from_a_file)
{
    char path[128], empty[128], missing[160];
    struct foreign server;

    write_file("token", "from-a-file\nsecond line\n", path);
    write_file("empty", "\n", empty);
    snprintf(missing, sizeof missing, "%s/missing", scratch);
    foreign_start(&server);
    foreign_answer(&server, "200 OK", "", "{\"status\":\"ok\"}");
    setenv("CRIER_TOKEN", "of-the-environment", 1);
    command_expect(0, NULL, "", NULL,
                   WORDS("ping", "--token-file", path, "--server", server.url));
    ck_assert_str_eq(foreign_header(foreign_request(&server, 0), "Authorization"),
                     "Bearer from-a-file");
    command_expect(2, "", "/empty is empty", NULL, WORDS("ping", "--token-file", empty));
    command_expect(2, "", "cannot open ", NULL, WORDS("ping", "--token-file", missing));
    command_expect(2, "", "cannot read ", NULL, WORDS("ping", "--token-file", scratch));
    foreign_stop(&server);
}
END_TEST

/* Another port is another server, too. */
START_TEST(a_token_is_not_sent_where_a_redirect_leads)
{
    const char *const *words[] = {
        WORDS("sub", "news", "--token", "for-the-first"),
        WORDS("pub", "news", "x", "--token", "for-the-first"),
        WORDS("topics", "--token", "for-the-first"),
        WORDS("ping", "--token", "for-the-first"),
    };
    struct foreign first, second;

    foreign_start(&first);
    foreign_start(&second);
    foreign_say(&first,
                "HTTP/1.1 307 Temporary Redirect\r\nContent-Length: 0\r\n"
                "Location: %s/\r\n\r\n",
                second.url);
    foreign_keep(&first);
    foreign_answer(&second, "404 Not Found", "", "");
    setenv("CRIER_SERVER", first.url, 1);
    command_expect(1, "", "404", NULL, words[_i]);
    ck_assert_str_eq(foreign_header(foreign_request(&first, 0), "Authorization"),
                     "Bearer for-the-first");
    ck_assert(!foreign_has(foreign_request(&second, 0), "Authorization"));
    foreign_stop(&first);
    foreign_stop(&second);
}
END_TEST

/* The server says why a token does not count; asking again would not help. */
START_TEST(a_refused_token_ends_it)
{
    static const char *const statuses[] = {"401 Unauthorized", "403 Forbidden"};
    struct foreign server;

    foreign_start(&server);
    foreign_answer(&server, statuses[_i], "Content-Type: application/problem+json\r\n",
                   "{\"detail\":\"the token has expired\"}");
    command_expect(1, "", _i == 0 ? ": 401: the token has expired\n"
                                  : ": 403: the token has expired\n",
                   NULL, WORDS("sub", "news", "--token=x", "--server", server.url));
    foreign_stop(&server);
}
END_TEST

/* ---- with crierd --------------------------------------------------------- */

/* Starts crierd with OPTIONS, which has a key or a static token; it is what crier
 * reaches. */
static void start_crierd(struct crierd *crierd, const char *options)
{
    char url[64];

    crierd_start(crierd, options);
    snprintf(url, sizeof url, "http://127.0.0.1:%d", crierd->port);
    setenv("CRIER_SERVER", url, 1);
}

/* Makes a token by WORDS and puts it into $CRIER_TOKEN. */
static void use_token(const char *const *words)
{
    char *token;

    run_for(0, NULL, words, &token);
    token[strcspn(token, "\n")] = '\0';
    setenv("CRIER_TOKEN", token, 1);
    free(token);
}

START_TEST(a_made_token_is_believed)
{
    struct crierd crierd;

    start_crierd(&crierd, "--jwt-key HS256:" SECRET);
    command_expect(1, "", ": 401: ", NULL, WORDS("pub", "-q", "news", "x"));
    use_token(WORDS("token", "--publish", "news"));
    command_expect(0, "", "", NULL, WORDS("pub", "-q", "news", "x"));
    command_expect(1, "", ": 403: ", NULL, WORDS("pub", "-q", "other", "x"));
    command_expect(1, "", ": 403: ", NULL, WORDS("sub", "news", "--once"));
    use_token(WORDS("token", "--subscribe", "news"));
    command_expect(0, "x\n", NULL, NULL, WORDS("sub", "news", "--once"));
    command_expect(1, "", ": 403: ", NULL, WORDS("pub", "-q", "news", "x"));
    use_token(WORDS("token", "--subscribe", "news", "--key", OTHER));
    command_expect(1, "", ": 401: no key verifies the token", NULL,
                   WORDS("sub", "news", "--once"));
    crierd_stop(&crierd);
}
END_TEST

/* The stream ends with its token, and the next request is refused for good. */
START_TEST(a_subscription_ends_with_its_token)
{
    struct crierd crierd;

    start_crierd(&crierd, "--jwt-key HS256:" SECRET);
    use_token(WORDS("token", "--subscribe", "news", "--expires", "2s"));
    command_expect(1, "", ": 401: the token has expired\n", NULL,
                   WORDS("sub", "news", "--retry", "10ms"));
    crierd_stop(&crierd);
}
END_TEST

START_TEST(a_hash_sets_a_static_token_up)
{
    char path[128], options[160], text[400], *made, *hash;
    struct crierd crierd;

    run_for(0, NULL, WORDS("token", "hash"), &made);
    hash = strstr(made, "hash = ");
    snprintf(text, sizeof text, "[token sensors]\n%spublish = sensors/*\n", hash);
    write_file("crierd.conf", text, path);
    snprintf(options, sizeof options, "--config %s", path);
    start_crierd(&crierd, options);
    made[strcspn(made, "\n")] = '\0';
    setenv("CRIER_TOKEN", made + strlen("token = "), 1);
    command_expect(0, "", "", NULL, WORDS("pub", "-q", "sensors/1", "21"));
    command_expect(1, "", ": 403: ", NULL, WORDS("pub", "-q", "news", "x"));
    free(made);
    crierd_stop(&crierd);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("crier, tokens");
    TCase *c = add_case(s, "tokens");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, a_token_says_what_was_asked_for);
    tcase_add_test(c, it_expires_as_asked);
    tcase_add_test(c, a_key_is_of_many_kinds);
    tcase_add_loop_test(c, mistakes_are_named_and_no_secrets, 0,
                        (int)(sizeof mistakes / sizeof mistakes[0]));
    tcase_add_test(c, a_key_is_needed);
    tcase_add_test(c, a_token_without_a_key_is_only_shown);
    tcase_add_test(c, a_token_that_does_not_count_is_a_failure);
    tcase_add_test(c, a_token_controls_no_terminal);
    tcase_add_test(c, details_of_authorization_are_grants);
    tcase_add_loop_test(c, what_is_no_token_is_not_shown, 0, 6);
    tcase_add_test(c, a_static_token_has_a_hash);
    tcase_add_test(c, a_made_one_is_new);
    tcase_add_test(c, a_token_comes_from_a_file);
    tcase_add_loop_test(c, a_token_is_not_sent_where_a_redirect_leads, 0, 4);
    tcase_add_loop_test(c, a_refused_token_ends_it, 0, 2);
    tcase_add_test(c, a_made_token_is_believed);
    tcase_add_test(c, a_subscription_ends_with_its_token);
    tcase_add_test(c, a_hash_sets_a_static_token_up);
    return s;
}

RUN_SUITE(suite)
