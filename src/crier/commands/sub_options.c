/*
 * The command line of `crier sub`.
 */
#include <config.h>

#include "sub_options.h"

#include "base/curl.h"
#include "crier/cli/help.h"
#include "crier/cli/note.h"

#include <stdlib.h>
#include <string.h>

#define DAYS_MAX ((uint64_t)36500 * 24 * 3600 * 1000)
#define COUNT_MAX UINT64_C(1000000000000)

enum {
    OPT_SINCE = OPTIONS_OWN,
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

static const struct option option_table[] = {
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
    OPTIONS_COMMON,
};

/* Stores VALUE, which must not be empty. */
static enum options_result set_text(const char *option, const char *value,
                                    const char **text)
{
    *text = value;
    return value[0] != '\0' ? OPTIONS_RUN : options_report("%s is empty", option);
}

static enum options_result add_type(struct sub_options *sub, const char *type)
{
    if (sub->type_count == SUB_TYPES_MAX)
        return options_report("--event is given more than %d times", SUB_TYPES_MAX);
    return set_text("--event", type, &sub->types[sub->type_count++]);
}

/* The server takes anything but a number or a time for an id. */
static enum options_result set_since(struct sub_options *sub, const char *when)
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
    return options_report("--since '%s' is not all, a number or a TIME; "
                          "an id that looks like this is given by "
                          "--last-event-id",
                          when);
}

static enum options_result set_last_id(struct sub_options *sub, const char *id)
{
    if (!crier__http_value_fits(id))
        return options_report("--last-event-id '%s' cannot be sent: it begins or ends "
                              "with white space, or holds a control character",
                              id);
    return set_text("--last-event-id", id, &sub->last_id);
}

static enum options_result set_sub_option(void *closure, struct options *options,
                                          int code, char *value)
{
    struct sub_options *sub = closure;

    (void)options;
    switch (code) {
    case OPTIONS_ARGUMENT:
        return set_text("a topic", value, &sub->names[sub->name_count++]);
    case OPT_SINCE:
        return set_since(sub, value);
    case OPT_LAST_ID:
        return set_last_id(sub, value);
    case OPT_ONCE:
        sub->once = true;
        return OPTIONS_RUN;
    case OPT_STATE:
        return set_text("--state", value, &sub->state);
    case OPT_COUNT:
        return options_read_number("--count", value, 1, COUNT_MAX, &sub->count);
    case OPT_TIMEOUT:
        return options_read_time("--timeout", value, 1, DAYS_MAX,
                                 "a time, such as 500ms, 10s or 2h; "
                                 "without the option there is no end",
                                 &sub->timeout);
    case OPT_EVENT:
        return add_type(sub, value);
    case OPT_JSON:
        sub->json = true;
        return OPTIONS_RUN;
    case OPT_EXEC:
        return set_text("--exec", value, &(const char *){NULL}) == OPTIONS_RUN
                   ? OPTIONS_REST
                   : OPTIONS_BAD;
    case OPT_METHOD:
        return set_text("--method", value, &sub->method);
    case OPT_DATA:
        sub->body = value;
        return OPTIONS_RUN;
    case OPT_RECONNECT:
        sub->reconnect = CRIER_RECONNECT_ALWAYS;
        return OPTIONS_RUN;
    case OPT_NO_RECONNECT:
        sub->reconnect = CRIER_RECONNECT_NEVER;
        return OPTIONS_RUN;
    default: /* OPT_RETRY */
        return options_read_time("--retry", value, 10, 86400000,
                                 "a time from 10ms to 24h", &sub->retry);
    }
}

/* Checks that the options fit together. */
static enum options_result check_sub_options(struct sub_options *sub)
{
    size_t i;

    for (i = 0; i < sub->name_count; i++)
        if (strstr(sub->names[i], "://") != NULL)
            sub->url = sub->names[i];
    if (sub->url != NULL && sub->name_count > 1)
        return options_reject_url("the URL", sub->url,
                                  "alone: it goes without other arguments");
    if (sub->url != NULL && !curl_strnequal(sub->url, "http://", 7) &&
        !curl_strnequal(sub->url, "https://", 8))
        return options_reject_url("the URL", sub->url, "one of http or https");
    if (sub->url != NULL && (sub->since != NULL || sub->once))
        return options_report("%s is for topics; a URL has it as %s",
                              sub->once ? "--once" : "--since",
                              sub->once ? "?poll=1" : "?since=");
    if (sub->url == NULL && (sub->method != NULL || sub->body != NULL))
        return options_report("%s is for a URL, not for topics",
                              sub->method != NULL ? "--method" : "--data");
    if (sub->json && sub->exec != NULL)
        return options_report("--json and --exec exclude each other");
    return OPTIONS_RUN;
}

static bool begins_with(const char *text, const char *begin)
{
    return curl_strnequal(text, begin, strlen(begin));
}

/* Returns whether NAME looks like a URL without its scheme. */
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

void sub_options_note_urls(const struct sub_options *sub)
{
    const char *at;
    size_t i;

    for (i = 0; i < sub->name_count && sub->url == NULL; i++) {
        if (is_like_url(sub->names[i])) {
            at = strrchr(sub->names[i], '@'); /* what is before it may be a password */
            note("subscribing to the topic '%s'; a URL begins with http://",
                 at != NULL ? at + 1 : sub->names[i]);
            return;
        }
    }
}

enum options_result sub_options_parse(struct sub_options *sub, struct options *options,
                                      int argc, char **argv)
{
    const struct options_command command = {.help = help_sub,
                                            .table = option_table,
                                            .set = set_sub_option,
                                            .closure = sub};
    enum options_result result;

    *sub = (struct sub_options){.names = calloc((size_t)argc, sizeof *sub->names)};
    if (sub->names == NULL) {
        note_error("out of memory");
        exit(EXIT_FAILURE);
    }
    result = options_parse(options, &command, argc, argv);
    sub->exec = options->rest;
    return result == OPTIONS_RUN ? check_sub_options(sub) : result;
}

void sub_options_done(struct sub_options *sub) { free(sub->names); }
