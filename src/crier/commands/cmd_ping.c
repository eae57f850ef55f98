/*
 * crier ping: requests /healthz and prints the result on one line.
 */
#include <config.h>

#include "cmd_ping.h"

#include "crier/cli/help.h"
#include "crier/cli/note.h"
#include "crier/cli/options.h"
#include "crier/cli/print.h"
#include "crier/cli/printable.h"
#include "crier/cli/secret.h"
#include "http_request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_DEFAULT 5000

enum { OPT_TIMEOUT = OPTIONS_OWN };

static const struct option option_table[] = {
    {"timeout", required_argument, NULL, OPT_TIMEOUT},
    OPTIONS_COMMON,
};

static enum options_result set_ping_option(void *closure, struct options *options,
                                           int code, char *value)
{
    (void)options;
    if (code != OPT_TIMEOUT)
        return options_report("unexpected argument '%s'", value);
    return options_read_time("--timeout", value, 1, 86400000, "a time from 1ms to 24h",
                             closure);
}

/* Formats what RESPONSE says into *SAID, new, with AGE, the text of its uptime. A crierd
 * tells nothing but its status unless it is asked from where its operator asks. Returns the
 * same as asprintf(). */
static int describe_health(const struct options *options,
                           const struct http_response *response, const char *age,
                           char **said)
{
    const json_t *journal = json_object_get(response->body, "journal");
    const char *status = http_get_text(response->body, "status");
    const char *reason = http_get_text(journal, "reason");
    json_int_t clients = json_integer_value(json_object_get(response->body, "clients"));

    if (strcmp(status, "ok") == 0)
        status = "healthy";
    if (journal == NULL)
        return asprintf(said, "%s is %s, %.1f ms", options->server, status,
                        response->time);
    return asprintf(said,
                    "%s is %s: crierd %s, up %s, %" JSON_INTEGER_FORMAT
                    " client%s, journal %s%s%s, %.1f ms",
                    options->server, status, http_get_text(response->body, "version"), age,
                    clients, clients == 1 ? "" : "s", http_get_text(journal, "type"),
                    reason[0] != '\0' ? ": " : "", reason, response->time);
}

/* Prints the server's health. Returns the exit status. */
static int report_health(const struct options *options,
                         const struct http_response *response)
{
    const char *status = http_get_text(response->body, "status");
    bool ok = strcmp(status, "ok") == 0;
    struct text age = {0}, line = {0};
    char *said;

    if (status[0] == '\0') {
        note_error("%s: this is not a response of crierd", options->server);
        return EXIT_FAILURE;
    }
    text_add_age(&age, json_number_value(json_object_get(response->body, "uptime")));
    if (describe_health(options, response, age.bytes, &said) < 0) {
        note_error("out of memory");
        text_done(&age);
        return EXIT_FAILURE;
    }
    text_add_printable(&line, said, strlen(said), NULL);
    secret_hide(line.bytes);
    free(said);
    if (!ok)
        note_error("%s", line.bytes);
    else if (!options->quiet)
        print_text("%s\n", line.bytes);
    text_done(&age);
    text_done(&line);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Requests the server's health. Returns the exit status. */
static int request_health(void *closure, const struct options *options)
{
    const uint64_t *timeout = closure;
    struct http_response response;
    int status;

    if (!http_get(options, "/healthz", (uint32_t)*timeout, &response))
        return EXIT_FAILURE;
    status = report_health(options, &response);
    json_decref(response.body);
    return status;
}

int ping_run(int argc, char **argv)
{
    uint64_t timeout = TIMEOUT_DEFAULT;
    const struct options_command mine = {.help = help_ping,
                                         .table = option_table,
                                         .set = set_ping_option,
                                         .run = request_health,
                                         .closure = &timeout};

    return options_run(&mine, argc, argv);
}
