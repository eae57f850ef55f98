/*
 * crier token: makes a token, and runs `token show` and `token hash`. It reaches no
 * server: whoever has the key makes tokens, and crierd believes them.
 *
 * A token expires unless `--expires never` is given. It has the claims that crierd(8)
 * describes, with grants in the form of Mercure 0.x, which other hubs understand, too.
 */
#include <config.h>

#include "cmd_token.h"

#include "base/json_read.h"
#include "crier/cli/help.h"
#include "crier/cli/note.h"
#include "crier/cli/options.h"
#include "crier/cli/print.h"
#include "token_hash.h"
#include "token_key.h"
#include "token_show.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DAYS_MAX ((uint64_t)36500 * 24 * 3600 * 1000)
#define EXPIRES_DEFAULT ((uint64_t)3600 * 1000)

/* What the command line asks for. */
struct token_options {
    json_t *claims;
    json_t *grants; /* "mercure" in CLAIMS; borrowed */
    const char *key;
    const char *id;   /* of the key, in UTF-8; NULL for its own */
    uint64_t expires; /* ms; UINT64_MAX for never */
};

enum {
    OPT_KEY = OPTIONS_OWN,
    OPT_PUBLISH,
    OPT_SUBSCRIBE,
    OPT_PAYLOAD,
    OPT_ADMIN,
    OPT_EXPIRES,
    OPT_SUBJECT,
    OPT_AUDIENCE,
    OPT_ISSUER,
    OPT_KID
};

static const struct option option_table[] = {
    {"key", required_argument, NULL, OPT_KEY},
    {"publish", required_argument, NULL, OPT_PUBLISH},
    {"subscribe", required_argument, NULL, OPT_SUBSCRIBE},
    {"payload", required_argument, NULL, OPT_PAYLOAD},
    {"admin", no_argument, NULL, OPT_ADMIN},
    {"expires", required_argument, NULL, OPT_EXPIRES},
    {"subject", required_argument, NULL, OPT_SUBJECT},
    {"audience", required_argument, NULL, OPT_AUDIENCE},
    {"issuer", required_argument, NULL, OPT_ISSUER},
    {"kid", required_argument, NULL, OPT_KID},
    OPTIONS_HELP,
};

/* ---- the command line --------------------------------------------------- */

static enum options_result report_memory(void)
{
    return options_report("out of memory");
}

/* Returns TEXT, the value of OPTION, as JSON, or NULL after reporting a mistake. */
static json_t *read_text(const char *option, const char *text)
{
    json_t *value = text[0] != '\0' ? json_string(text) : NULL;

    if (value == NULL)
        options_report(text[0] != '\0' ? "%s '%s' is not UTF-8" : "%s is empty", option,
                       text);
    return value;
}

static enum options_result set_claim(struct token_options *token, const char *option,
                                     const char *name, const char *text)
{
    json_t *value = read_text(option, text);

    if (value == NULL)
        return OPTIONS_BAD;
    return json_object_set_new(token->claims, name, value) == 0 ? OPTIONS_RUN
                                                                : report_memory();
}

/* Adds the SELECTOR of OPTION to the list NAME of the grants. */
static enum options_result add_grant(struct token_options *token, const char *option,
                                     const char *name, const char *selector)
{
    const struct crier_selector checked = {.text = selector};
    json_t *list = json_object_get(token->grants, name), *value;
    struct crier_grants *grants;
    int error = crier_grants_new(&checked, 1, &grants);

    if (error != 0)
        return options_report("%s '%s': %s", option, selector, crier_error_text(error));
    crier_grants_unref(grants);
    value = read_text(option, selector);
    if (value == NULL)
        return OPTIONS_BAD;
    if (list == NULL) {
        list = json_array();
        if (json_object_set_new(token->grants, name, list) != 0) {
            json_decref(value);
            return report_memory();
        }
    }
    return json_array_append_new(list, value) == 0 ? OPTIONS_RUN : report_memory();
}

static enum options_result set_payload(struct token_options *token, const char *text)
{
    json_t *payload =
        json_read(text, strlen(text), JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);

    if (payload == NULL)
        return options_reject("--payload", text, "JSON");
    return json_object_set_new(token->grants, "payload", payload) == 0
               ? OPTIONS_RUN
               : report_memory();
}

static enum options_result set_admin(struct token_options *token)
{
    json_t *crier = json_pack("{s:b}", "admin", 1);

    return json_object_set_new(token->claims, "crier", crier) == 0 ? OPTIONS_RUN
                                                                   : report_memory();
}

static enum options_result set_expires(struct token_options *token, const char *value)
{
    if (strcmp(value, "never") == 0) {
        token->expires = UINT64_MAX;
        return OPTIONS_RUN;
    }
    return options_read_time("--expires", value, 1000, DAYS_MAX,
                             "a time of at least 1s, such as 15m, 12h or 30d, or never",
                             &token->expires);
}

static enum options_result set_key_id(struct token_options *token, const char *id)
{
    json_t *value = read_text("--kid", id);

    json_decref(value);
    token->id = id;
    return value != NULL ? OPTIONS_RUN : OPTIONS_BAD;
}

static enum options_result set_token_option(void *closure, struct options *options,
                                            int code, char *value)
{
    struct token_options *token = closure;

    (void)options;
    switch (code) {
    case OPT_KEY:
        token->key = value;
        return OPTIONS_RUN;
    case OPT_PUBLISH:
        return add_grant(token, "--publish", "publish", value);
    case OPT_SUBSCRIBE:
        return add_grant(token, "--subscribe", "subscribe", value);
    case OPT_PAYLOAD:
        return set_payload(token, value);
    case OPT_ADMIN:
        return set_admin(token);
    case OPT_EXPIRES:
        return set_expires(token, value);
    case OPT_SUBJECT:
        return set_claim(token, "--subject", "sub", value);
    case OPT_AUDIENCE:
        return set_claim(token, "--audience", "aud", value);
    case OPT_ISSUER:
        return set_claim(token, "--issuer", "iss", value);
    case OPT_KID:
        return set_key_id(token, value);
    default: /* OPTIONS_ARGUMENT */
        return options_report("unexpected argument '%s' (known: show, hash)", value);
    }
}

/* Checks that the options fit together. */
static enum options_result check_token_options(const struct token_options *token)
{
    if (json_object_get(token->grants, "publish") == NULL &&
        json_object_get(token->grants, "subscribe") == NULL &&
        json_object_get(token->claims, "crier") == NULL)
        return options_report(
            "the token would grant nothing: give --publish, --subscribe or --admin");
    return OPTIONS_RUN;
}

/* ---- the token ---------------------------------------------------------- */

/* Sets the claims that are times. Returns whether memory sufficed. */
static bool set_times(const struct token_options *token)
{
    json_int_t now = (json_int_t)time(NULL);

    return json_object_set_new(token->claims, "iat", json_integer(now)) == 0 &&
           (token->expires == UINT64_MAX ||
            json_object_set_new(token->claims, "exp",
                                json_integer(now + (json_int_t)(token->expires / 1000))) ==
                0);
}

/* Signs the claims with one of KEYS and prints the token. Returns the exit status. */
static int print_token(const struct token_options *token, const struct jose_keys *keys)
{
    char *claims = set_times(token) ? json_dumps(token->claims, JSON_COMPACT) : NULL;
    char *text = NULL;
    size_t i;

    if (claims == NULL) {
        note_error("out of memory");
        return EXIT_FAILURE;
    }
    for (i = 0; i < keys->count && text == NULL; i++)
        text = jose_sign(keys->list[i], "JWT", token->id, claims, strlen(claims));
    if (text != NULL)
        print_text("%s\n", text);
    else
        note_error("the key cannot sign: a secret or a private key is needed");
    free(text);
    free(claims);
    return text != NULL ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Makes a token and prints it. Returns the exit status. */
static int make_token(void *closure, const struct options *options)
{
    const struct token_options *token = closure;
    struct jose_keys keys = {0};
    int status = EXIT_USAGE;

    (void)options;
    if (check_token_options(token) == OPTIONS_RUN &&
        token_key_read(token->key, &keys) == OPTIONS_RUN) {
        if (keys.count != 0)
            status = print_token(token, &keys);
        else
            note_error("missing key: set $CRIER_KEY, or give --key");
    }
    jose_keys_done(&keys);
    return status;
}

static int run_make(int argc, char **argv)
{
    struct token_options token = {
        .claims = json_object(), .grants = json_object(), .expires = EXPIRES_DEFAULT};
    const struct options_command mine = {.help = help_token,
                                         .table = option_table,
                                         .set = set_token_option,
                                         .run = make_token,
                                         .closure = &token,
                                         .local = true};
    int status = EXIT_USAGE;

    if (json_object_set_new(token.claims, "mercure", token.grants) != 0)
        report_memory();
    else
        status = options_run(&mine, argc, argv);
    json_decref(token.claims);
    return status;
}

int token_run(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "show") == 0)
        return token_show_run(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "hash") == 0)
        return token_hash_run(argc - 1, argv + 1);
    return run_make(argc, argv);
}
