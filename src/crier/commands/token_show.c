/*
 * crier token show: prints what a token says. Anybody can read a token, but only a key
 * shows whether it is genuine. So the claims are printed in either case, and the last
 * line says whether the signature was checked, and is right.
 *
 * A token comes from anywhere: nothing of it reaches the terminal unescaped.
 */
#include <config.h>

#include "token_show.h"

#include "base/json_read.h"
#include "crier/cli/help.h"
#include "crier/cli/note.h"
#include "crier/cli/options.h"
#include "crier/cli/print.h"
#include "token_input.h"
#include "token_key.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The width of the names in front of what is shown. */
#define NAME_WIDTH 15

/* The type of Mercure's authorization details (RFC 9396). */
#define DETAIL_TYPE "https://mercure.rocks/authorization-detail"

/* The command line, and the token. */
struct shown_token {
    const char *word; /* NULL for standard input */
    const char *key;
    struct jose_keys keys;
    struct jose_jws jws;
    json_t *claims; /* NULL if they are no JSON object */
    double now;     /* seconds since 1970 */
    struct text text;
};

enum { OPT_KEY = OPTIONS_OWN };

static const struct option option_table[] = {
    {"key", required_argument, NULL, OPT_KEY},
    OPTIONS_HELP,
};

static enum options_result set_show_option(void *closure, struct options *options,
                                           int code, char *value)
{
    struct shown_token *shown = closure;

    (void)options;
    if (code == OPT_KEY) {
        shown->key = value;
        return OPTIONS_RUN;
    }
    if (shown->word != NULL)
        return options_report("unexpected argument; a token is one word");
    shown->word = value;
    return OPTIONS_RUN;
}

/* ---- parts -------------------------------------------------------------- */

/* Begins a line with NAME. */
static void begin_shown_line(struct text *text, const char *name)
{
    text_add_string(text, name);
    text_add_spaces(text, NAME_WIDTH - strlen(name));
}

static void add_shown_line(struct text *text, const char *name, const char *value)
{
    begin_shown_line(text, name);
    text_add_string(text, value);
    text_add_string(text, "\n");
}

static void add_object(struct text *text, const char *title, const json_t *object)
{
    char *dumped = json_dumps(object, JSON_INDENT(2));

    text_add_string(text, title);
    text_add_string(text, " ");
    if (dumped != NULL)
        text_add_printable(text, dumped, strlen(dumped), "\n");
    text_add_string(text, "\n");
    free(dumped);
}

/* Appends the claim NAME, a time, under TITLE: when it is, and how far from now. A time
 * that is over is called OVER. */
static void add_time(struct shown_token *shown, const char *name, const char *title,
                     const char *over)
{
    const json_t *claim = json_object_get(shown->claims, name);
    double seconds = json_number_value(claim);
    struct text *text = &shown->text;
    char date[64];
    struct tm parts;
    time_t when;

    if (claim == NULL)
        return;
    if (!json_is_number(claim) || seconds < 0 || seconds > 1e11) {
        add_shown_line(text, title, "not a time");
        return;
    }
    when = (time_t)seconds;
    gmtime_r(&when, &parts);
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ, ", &parts);
    begin_shown_line(text, title);
    text_add_string(text, date);
    text_add_string(text, seconds > shown->now ? "in " : over);
    text_add_age(text, seconds > shown->now ? seconds - shown->now
                                            : shown->now - seconds);
    text_add_string(text, seconds > shown->now ? "\n" : " ago\n");
}

/* ---- grants ------------------------------------------------------------- */

/* Returns what the SELECTOR of a grant means, or "" for a topic. */
static const char *describe_selector(const char *selector)
{
    const char *brace = strchr(selector, '{');

    if (strcmp(selector, "*") == 0)
        return " (all topics but those that begin with $)";
    if (brace != NULL && strchr(brace, '}') != NULL)
        return " (URI template)";
    return selector[0] != '\0' && selector[strlen(selector) - 1] == '*'
               ? " (topics that begin so)"
               : "";
}

/* Appends a line for SELECTOR, the *COUNT-th one, under TITLE if that is the first. */
static void add_selector(struct text *text, const char *title, size_t *count,
                         const char *selector, const char *meaning)
{
    begin_shown_line(text, *count == 0 ? title : "");
    text_add_printable(text, selector, strlen(selector), NULL);
    text_add_printable(text, meaning, strlen(meaning), NULL);
    text_add_string(text, "\n");
    ++*count;
}

/* Appends the topics of DETAIL if it grants ACTION. */
static void add_detail(struct text *text, const char *title, size_t *count,
                       const json_t *detail, const char *action)
{
    const char *type = json_string_value(json_object_get(detail, "type"));
    const json_t *actions = json_object_get(detail, "actions"), *topic;
    char meaning[40];
    const char *kind;
    bool granted = false;
    size_t i;

    for (i = 0; i < json_array_size(actions); i++) {
        kind = json_string_value(json_array_get(actions, i));
        granted = granted || (kind != NULL && strcmp(kind, action) == 0);
    }
    if (!granted || type == NULL || strcmp(type, DETAIL_TYPE) != 0)
        return;
    json_array_foreach (json_object_get(detail, "topics"), i, topic) {
        kind = json_string_value(json_object_get(topic, "match_type"));
        snprintf(meaning, sizeof meaning, " (%.30s)", kind != NULL ? kind : "exact");
        if (json_is_string(json_object_get(topic, "match")))
            add_selector(text, title, count,
                         json_string_value(json_object_get(topic, "match")), meaning);
    }
}

/* Appends what the claims grant for ACTION, of both versions of Mercure. */
static void add_grants(struct shown_token *shown, const char *title, const char *action)
{
    const json_t *mercure = json_object_get(shown->claims, "mercure");
    const json_t *details = json_object_get(shown->claims, "authorization_details");
    const json_t *item;
    size_t count = 0, i;

    json_array_foreach (json_object_get(mercure, action), i, item) {
        if (json_is_string(item))
            add_selector(&shown->text, title, &count, json_string_value(item),
                         describe_selector(json_string_value(item)));
    }
    json_array_foreach (details, i, item)
        add_detail(&shown->text, title, &count, item, action);
    if (count == 0)
        add_shown_line(&shown->text, title, "nothing");
}

/* ---- the token ---------------------------------------------------------- */

static bool is_verified(const struct shown_token *shown)
{
    bool verified = false;
    size_t i;

    for (i = 0; i < shown->keys.count && !verified; i++)
        verified = jose_jws_verify(&shown->jws, shown->keys.list[i]);
    return verified;
}

/* Returns whether the token counts now, as far as its times say. */
static bool is_current(const struct shown_token *shown)
{
    const json_t *expires = json_object_get(shown->claims, "exp");
    const json_t *begins = json_object_get(shown->claims, "nbf");

    if (expires != NULL &&
        (!json_is_number(expires) || json_number_value(expires) <= shown->now))
        return false;
    return begins == NULL ||
           (json_is_number(begins) && json_number_value(begins) <= shown->now);
}

static void add_claims(struct shown_token *shown)
{
    const json_t *crier = json_object_get(shown->claims, "crier");

    add_object(&shown->text, "claims", shown->claims);
    add_time(shown, "iat", "issued", "");
    add_time(shown, "nbf", "valid from", "");
    if (json_object_get(shown->claims, "exp") != NULL)
        add_time(shown, "exp", "expires", "expired ");
    else
        add_shown_line(&shown->text, "expires", "never");
    add_grants(shown, "may publish", "publish");
    add_grants(shown, "may subscribe", "subscribe");
    if (json_is_true(json_object_get(crier, "admin")))
        add_shown_line(&shown->text, "admin", "yes");
}

/* Prints the token. Returns the exit status. */
static int print_shown(struct shown_token *shown)
{
    bool verified = is_verified(shown);
    int status = EXIT_SUCCESS;

    add_object(&shown->text, "header", shown->jws.header);
    if (shown->claims != NULL)
        add_claims(shown);
    else
        add_shown_line(&shown->text, "claims", "not a JSON object");
    if (shown->keys.count == 0)
        add_shown_line(&shown->text, "signature", "not checked, since there is no key");
    else
        add_shown_line(&shown->text, "signature",
                       verified ? "right" : "WRONG: the key did not sign this token");
    if (shown->claims == NULL ||
        (shown->keys.count != 0 && !(verified && is_current(shown))))
        status = EXIT_FAILURE;
    print_bytes(shown->text.bytes, shown->text.length);
    return status;
}

/* Reads the token. Returns the exit status. */
static int show_token(void *closure, const struct options *options)
{
    struct shown_token *shown = closure;
    struct text token = {0};
    int status = EXIT_FAILURE;

    (void)options;
    if (token_key_read(shown->key, &shown->keys) != OPTIONS_RUN) {
        status = EXIT_USAGE;
    } else if (token_input_read(&token, shown->word)) {
        if (jose_jws_read(&shown->jws, token.bytes, token.length) == 0) {
            shown->claims = json_read(shown->jws.payload, shown->jws.payload_length,
                                      JSON_REJECT_DUPLICATES, NULL);
            if (!json_is_object(shown->claims)) {
                json_decref(shown->claims);
                shown->claims = NULL;
            }
            status = print_shown(shown);
        } else {
            note_error("this is not a JWT: a static token says nothing of itself");
        }
        jose_jws_done(&shown->jws);
    }
    text_done(&token);
    return status;
}

int token_show_run(int argc, char **argv)
{
    struct shown_token shown = {.now = (double)time(NULL)};
    const struct options_command mine = {.help = help_token,
                                         .table = option_table,
                                         .set = set_show_option,
                                         .run = show_token,
                                         .closure = &shown,
                                         .local = true};
    int status = options_run(&mine, argc, argv);

    json_decref(shown.claims);
    jose_keys_done(&shown.keys);
    text_done(&shown.text);
    return status;
}
