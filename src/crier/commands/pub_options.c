/*
 * The command line of `crier pub`, and what its two ways to publish share: the options
 * of the publisher, and the exit status for each of its errors.
 */
#include <config.h>

#include "pub_options.h"

#include "crier/cli/help.h"
#include "crier/cli/note.h"
#include "crier/cli/printable.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DAYS_MAX ((uint64_t)36500 * 24 * 3600 * 1000)
#define TIMEOUT_DEFAULT 30000

enum {
    OPT_EVENT = OPTIONS_OWN,
    OPT_ID,
    OPT_RETRY,
    OPT_JSON,
    OPT_LINES,
    OPT_DEDUPE,
    OPT_PRIVATE,
    OPT_LAST,
    OPT_TIMEOUT
};

static const struct option option_table[] = {
    {"event", required_argument, NULL, OPT_EVENT},
    {"id", required_argument, NULL, OPT_ID},
    {"retry", required_argument, NULL, OPT_RETRY},
    {"json", no_argument, NULL, OPT_JSON},
    {"lines", no_argument, NULL, OPT_LINES},
    {"dedupe", no_argument, NULL, OPT_DEDUPE},
    {"private", no_argument, NULL, OPT_PRIVATE},
    {"last", no_argument, NULL, OPT_LAST},
    {"timeout", required_argument, NULL, OPT_TIMEOUT},
    OPTIONS_COMMON,
};

static enum options_result set_timeout(struct pub_options *pub, const char *value)
{
    enum options_result result =
        options_read_time("--timeout", value, 0, DAYS_MAX,
                          "a time, such as 500ms, 10s or 2h, or 0", &pub->timeout);

    if (pub->timeout == 0)
        pub->timeout = UINT64_MAX;
    return result;
}

static enum options_result set_pub_option(void *closure, struct options *options,
                                          int code, char *value)
{
    struct pub_options *pub = closure;

    (void)options;
    switch (code) {
    case OPTIONS_ARGUMENT:
        if (pub->topics == NULL)
            pub->topics = value;
        else
            pub->words[pub->word_count++] = value;
        return OPTIONS_RUN;
    case OPT_EVENT:
        pub->type = value;
        return OPTIONS_RUN;
    case OPT_ID:
        pub->id = value;
        return OPTIONS_RUN;
    case OPT_RETRY:
        pub->with_retry = true;
        return options_read_time("--retry", value, 0, CRIER_RETRY_MAX,
                                 "a time up to 24 days, such as 500ms or 10s",
                                 &pub->retry);
    case OPT_JSON:
        pub->json = true;
        return OPTIONS_RUN;
    case OPT_LINES:
        pub->lines = true;
        return OPTIONS_RUN;
    case OPT_DEDUPE:
        pub->dedupe = true;
        return OPTIONS_RUN;
    case OPT_PRIVATE:
        pub->is_private = true;
        return OPTIONS_RUN;
    case OPT_LAST:
        pub->last = true;
        return OPTIONS_RUN;
    default: /* OPT_TIMEOUT */
        return set_timeout(pub, value);
    }
}

/* Checks that the options fit together. */
static enum options_result check_pub_options(const struct options *options,
                                             const struct pub_options *pub)
{
    bool is_dash = pub->word_count == 1 && strcmp(pub->words[0], "-") == 0;
    const char *type = options_find_header(options, "Content-Type");

    if (pub->topics == NULL)
        return options_report("missing topic (crier pub --help)");
    if (pub->json && pub->lines)
        return options_report("--json and --lines exclude each other");
    if (pub->json && pub->word_count == 0)
        return options_report("--json needs KEY=VALUE");
    if (!pub->json && pub->word_count > 1)
        return options_report("unexpected argument '%s'", pub->words[1]);
    if (pub->lines && pub->word_count != 0 && !is_dash)
        return options_report("--lines reads standard input; "
                              "unexpected argument '%s'",
                              pub->words[0]);
    if (pub->lines && pub->id != NULL)
        return options_report("--id is for one update, not for --lines");
    if (pub->dedupe && pub->id == NULL)
        return options_report("--dedupe needs an --id");
    if (type != NULL) /* crierd would not read the data as crier writes them */
        return options_report("--header '%s' is not for pub: data are text, or "
                              "an object with --json",
                              type);
    return OPTIONS_RUN;
}

enum options_result pub_options_parse(struct pub_options *pub, struct options *options,
                                      int argc, char **argv)
{
    const struct options_command command = {.help = help_pub,
                                            .table = option_table,
                                            .set = set_pub_option,
                                            .closure = pub};
    enum options_result result;

    *pub = (struct pub_options){.words = calloc((size_t)argc, sizeof *pub->words),
                                .timeout = TIMEOUT_DEFAULT};
    if (pub->words == NULL) {
        note_error("out of memory");
        exit(EXIT_FAILURE);
    }
    result = options_parse(options, &command, argc, argv);
    return result == OPTIONS_RUN ? check_pub_options(options, pub) : result;
}

void pub_options_done(struct pub_options *pub) { free(pub->words); }

/* ---- publishing --------------------------------------------------------- */

static void note_retry(void *closure, const char *reason, uint64_t retry)
{
    const struct options *options = closure;
    struct text wait = {0};

    text_add_seconds(&wait, retry);
    note("%s: %s; retrying in %s", options->server, reason, wait.bytes);
    text_done(&wait);
}

void pub_options_for_publisher(const struct options *options,
                               const struct pub_options *pub,
                               struct crier_publisher_options *publisher)
{
    *publisher = (struct crier_publisher_options){
        .server = options->server,
        .topics = pub->topics,
        .timeout = pub->timeout,
        .strict = pub->id != NULL && !pub->dedupe,
        .is_private = pub->is_private,
        .last = pub->last,
        .on_retry = note_retry,
        .closure = (void *)options,
    };
    options_get_http(options, false, &publisher->http);
}

int pub_options_report(const struct options *options, const struct pub_options *pub,
                       int error, const char *reason)
{
    switch (error) {
    case CRIER_ERR_URL:
        note_error("%s: %s", options->server, reason);
        return EXIT_USAGE;
    case CRIER_ERR_TOPIC:
    case CRIER_ERR_MANY_TOPICS:
        note_error("'%s': %s", pub->topics, reason);
        return EXIT_USAGE;
    case CRIER_ERR_INVALID: /* only the command line can cause these */
    case CRIER_ERR_ID:
    case CRIER_ERR_NEWLINE:
        note_error("%s", reason);
        return EXIT_USAGE;
    case -ETIMEDOUT:
        note_error("%s: %s; timed out", options->server, reason);
        return EXIT_TIME;
    case CRIER_ERR_EXISTS:
    case CRIER_ERR_TOPIC_ENDED:
    case CRIER_ERR_STATUS:
    case CRIER_ERR_ENCODING:
        note_error("%s: %s", options->server, reason);
        return EXIT_FAILURE;
    default:
        note_error("%s", reason);
        return EXIT_FAILURE;
    }
}
