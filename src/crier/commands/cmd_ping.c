/*
 * crier ping: asks /healthz, and says it in a line.
 */
#include <config.h>

#include "cmd_ping.h"

#include "http_get.h"
#include "crier/cli/config_file.h"
#include "crier/cli/help.h"
#include "crier/cli/note.h"
#include "crier/output/print.h"
#include "crier/cli/secret.h"
#include "crier/cli/printable.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_DEFAULT 5000

enum { OPT_TIMEOUT = CONF_OWN };

static const struct option options[] = {
    {"timeout", required_argument, NULL, OPT_TIMEOUT},
    CONF_OPTIONS,
};

static enum conf_result set(void *closure, struct conf *conf, int code,
                            char *value)
{
    (void)conf;
    if (code != OPT_TIMEOUT)
        return conf_mistake("unexpected argument '%s'", value);
    return conf_time("--timeout", value, 1, 86400000, "a time from 1ms to 24h",
                     closure);
}

/* Appends SECONDS in the largest unit of which they are at least one. */
static void add_age(struct text *text, double seconds)
{
    static const struct {
        const char *name;
        double seconds;
    } units[] = {{"d", 86400}, {"h", 3600}, {"min", 60}, {"s", 1}};
    char age[32];
    size_t i = 0;

    while (i < 3 && seconds < units[i].seconds)
        i++;
    snprintf(age, sizeof age, "%.0f %s",
             seconds < 0 || seconds > 1e12
                 ? 0
                 : (double)(long long)(seconds / units[i].seconds),
             units[i].name);
    text_puts(text, age);
}

/* Says how the server is. Returns the exit status. */
static int tell(const struct conf *conf, const struct answer *answer)
{
    const json_t *journal = json_object_get(answer->body, "journal");
    const char *status = ask_text(answer->body, "status");
    const char *reason = ask_text(journal, "reason");
    json_int_t clients =
        json_integer_value(json_object_get(answer->body, "clients"));
    bool well = strcmp(status, "ok") == 0;
    struct text age = {0}, line = {0};
    char *said;

    if (status[0] == '\0') {
        note_error("%s: the answer is not a crierd's", conf->server);
        return EXIT_FAILURE;
    }
    add_age(&age, json_number_value(json_object_get(answer->body, "uptime")));
    if (asprintf(&said,
                 "%s is %s: crierd %s, up %s, %" JSON_INTEGER_FORMAT
                 " client%s, journal %s%s%s, %.1f ms",
                 conf->server, well ? "well" : status,
                 ask_text(answer->body, "version"), age.bytes, clients,
                 clients == 1 ? "" : "s", ask_text(journal, "type"),
                 reason[0] != '\0' ? ": " : "", reason, answer->time) >= 0) {
        text_harmless(&line, said, strlen(said), NULL);
        secret_hide(line.bytes);
        free(said);
    }
    if (!well)
        note_error("%s", line.bytes);
    else if (!conf->quiet)
        print("%s\n", line.bytes);
    text_done(&age);
    text_done(&line);
    return well ? EXIT_SUCCESS : EXIT_FAILURE;
}

int ping_run(int argc, char **argv)
{
    uint64_t timeout = TIMEOUT_DEFAULT;
    const struct conf_command mine = {help_ping, options, set, &timeout};
    struct conf conf = {0};
    enum conf_result result = conf_parse(&conf, &mine, argc, argv);
    struct answer answer;
    int status = EXIT_SUCCESS;

    if (result == CONF_BAD) {
        status = EXIT_USAGE;
    } else if (result == CONF_RUN &&
               !ask(&conf, "/healthz", (uint32_t)timeout, &answer)) {
        status = EXIT_FAILURE;
    } else if (result == CONF_RUN) {
        status = tell(&conf, &answer);
        json_decref(answer.body);
    }
    conf_done(&conf);
    return status;
}
