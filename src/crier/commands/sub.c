/*
 * crier sub: its command line, and what must be there before the loop begins.
 */
#include <config.h>

#include "sub.h"

#include "exec.h"
#include "sub_loop.h"
#include "crier/cli/help.h"
#include "crier/cli/note.h"
#include "crier/cli/signals.h"
#include "state.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#define DAYS_MAX ((uint64_t)36500 * 24 * 3600 * 1000)
#define COUNT_MAX UINT64_C(1000000000000)

enum {
    OPT_SINCE = CONF_OWN,
    OPT_LAST_ID,
    OPT_ONCE,
    OPT_STATE,
    OPT_COUNT,
    OPT_TIMEOUT,
    OPT_EVENT,
    OPT_JSON,
    OPT_EXEC,
    OPT_METHOD,
    OPT_DATA,
    OPT_RETRY,
    OPT_RECONNECT,
    OPT_NO_RECONNECT
};

static const struct option options[] = {
    {"since", required_argument, NULL, OPT_SINCE},
    {"last-event-id", required_argument, NULL, OPT_LAST_ID},
    {"once", no_argument, NULL, OPT_ONCE},
    {"state", required_argument, NULL, OPT_STATE},
    {"count", required_argument, NULL, OPT_COUNT},
    {"timeout", required_argument, NULL, OPT_TIMEOUT},
    {"event", required_argument, NULL, OPT_EVENT},
    {"json", no_argument, NULL, OPT_JSON},
    {"exec", required_argument, NULL, OPT_EXEC},
    {"method", required_argument, NULL, OPT_METHOD},
    {"data", required_argument, NULL, OPT_DATA},
    {"retry", required_argument, NULL, OPT_RETRY},
    {"reconnect", no_argument, NULL, OPT_RECONNECT},
    {"no-reconnect", no_argument, NULL, OPT_NO_RECONNECT},
    CONF_OPTIONS,
};

/* Takes a text that must not be empty. */
static enum conf_result set_text(const char *option, const char *value,
                                 const char **text)
{
    *text = value;
    return value[0] != '\0' ? CONF_RUN : conf_mistake("%s is empty", option);
}

static enum conf_result add_type(struct sub *sub, const char *type)
{
    if (sub->type_count == SUB_TYPES_MAX)
        return conf_mistake("--event is given more than %d times",
                            SUB_TYPES_MAX);
    return set_text("--event", type, &sub->types[sub->type_count++]);
}

/* The server takes what is no number and no time for an id. */
static enum conf_result set_since(struct sub *sub, const char *when)
{
    static const char digits[] = "0123456789";
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    static const char *const units[] = {"", "ms", "s", "m", "h", "d"};
    const char *number = when + (when[0] == '-'), *unit;
    size_t i;

    unit = number + strspn(number, digits);
    if (unit == number || unit[strspn(unit, letters)] != '\0')
        return set_text("--since", when, &sub->since);
    for (i = 0; number == when && i < sizeof units / sizeof units[0]; i++)
        if (strcmp(unit, units[i]) == 0)
            return set_text("--since", when, &sub->since);
    return conf_mistake("--since '%s' is not all, a number or a TIME; "
                        "an id that looks like this is given by "
                        "--last-event-id",
                        when);
}

static enum conf_result set(void *closure, struct conf *conf, int code,
                            char *value)
{
    struct sub *sub = closure;

    (void)conf;
    switch (code) {
    case CONF_ARGUMENT:
        return set_text("a topic", value, &sub->names[sub->name_count++]);
    case OPT_SINCE:
        return set_since(sub, value);
    case OPT_LAST_ID:
        return set_text("--last-event-id", value, &sub->last_id);
    case OPT_ONCE:
        sub->once = true;
        return CONF_RUN;
    case OPT_STATE:
        return set_text("--state", value, &sub->state);
    case OPT_COUNT:
        return conf_number("--count", value, 1, COUNT_MAX, &sub->count);
    case OPT_TIMEOUT:
        return conf_time("--timeout", value, 1, DAYS_MAX,
                         "a time, such as 500ms, 10s or 2h; "
                         "without the option there is no end",
                         &sub->timeout);
    case OPT_EVENT:
        return add_type(sub, value);
    case OPT_JSON:
        sub->json = true;
        return CONF_RUN;
    case OPT_EXEC:
        return set_text("--exec", value, &(const char *){NULL}) == CONF_RUN
                   ? CONF_REST
                   : CONF_BAD;
    case OPT_METHOD:
        return set_text("--method", value, &sub->method);
    case OPT_DATA:
        sub->body = value;
        return CONF_RUN;
    case OPT_RECONNECT:
        sub->reconnect = CRIER_RECONNECT_ALWAYS;
        return CONF_RUN;
    case OPT_NO_RECONNECT:
        sub->reconnect = CRIER_RECONNECT_NEVER;
        return CONF_RUN;
    default: /* OPT_RETRY */
        return conf_time("--retry", value, 10, 86400000,
                         "a time from 10ms to 24h", &sub->retry);
    }
}

/* Whether all that was said goes together. */
static enum conf_result check(struct sub *sub)
{
    size_t i;

    for (i = 0; i < sub->name_count; i++)
        if (strstr(sub->names[i], "://") != NULL)
            sub->url = sub->names[i];
    if (sub->url != NULL && sub->name_count > 1)
        return conf_bad_url("the URL", sub->url,
                            "alone: it goes without other arguments");
    if (sub->url != NULL && !curl_strnequal(sub->url, "http://", 7) &&
        !curl_strnequal(sub->url, "https://", 8))
        return conf_bad_url("the URL", sub->url, "one of http or https");
    if (sub->url != NULL && (sub->since != NULL || sub->once))
        return conf_mistake("%s is for topics, not for a URL",
                            sub->once ? "--once" : "--since");
    if (sub->url == NULL && (sub->method != NULL || sub->body != NULL))
        return conf_mistake("%s is for a URL, not for topics",
                            sub->method != NULL ? "--method" : "--data");
    if (sub->json && sub->command != NULL)
        return conf_mistake("--json prints, and --exec does not: "
                            "one of them is too much");
    return CONF_RUN;
}

static bool begins_with(const char *text, const char *begin)
{
    return curl_strnequal(text, begin, strlen(begin));
}

/* Whether NAME may have been meant for a URL. */
static bool is_like_url(const char *name)
{
    const char *at = name;
    size_t digits;

    if (begins_with(name, "http:") || begins_with(name, "https:") ||
        begins_with(name, "localhost"))
        return true;
    while ((at = strchr(at, ':')) != NULL) { /* a port */
        digits = strspn(++at, "0123456789");
        if (digits != 0 && at[digits] == '/')
            return true;
    }
    return false;
}

/* A topic may have any name: so that is no mistake, but is told. */
static void note_names(const struct sub *sub)
{
    size_t i;

    for (i = 0; i < sub->name_count && sub->url == NULL; i++) {
        if (is_like_url(sub->names[i])) {
            note("following the topic '%s'; a URL begins with http://",
                 sub->names[i]);
            return;
        }
    }
}

static int run(const struct conf *conf, const struct sub *sub,
               struct command *command)
{
    struct signals signals;
    struct state state = {0};
    int status = EXIT_FAILURE, error = signals_open(&signals);

    note_names(sub);
    command->argv = sub->command;
    command->signals = &signals;
    if (error != 0)
        note_error("cannot watch for signals: %s", crier_error_text(error));
    else if (sub->state == NULL || state_open(&state, sub->state))
        status = follow(conf, sub, &signals, &state, command);
    state_close(&state);
    signals_close(&signals);
    return status;
}

int sub_run(int argc, char **argv)
{
    struct sub sub = {.names = calloc((size_t)argc, sizeof *sub.names)};
    const struct conf_command mine = {help_sub, options, set, &sub};
    struct command command;
    struct conf conf = {0};
    enum conf_result result;
    int status = EXIT_SUCCESS;

    if (sub.names == NULL) {
        note_error("out of memory");
        return EXIT_FAILURE;
    }
    command_init(&command);
    result = conf_parse(&conf, &mine, argc, argv);
    sub.command = conf.rest;
    if (result == CONF_RUN)
        result = check(&sub);
    if (result == CONF_BAD)
        status = EXIT_USAGE;
    else if (result == CONF_RUN)
        status = run(&conf, &sub, &command);
    command_done(&command);
    conf_done(&conf);
    free(sub.names);
    return status;
}
