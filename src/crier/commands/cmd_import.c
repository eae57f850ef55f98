/*
 * crier import: publishes the updates of an export.
 *
 * The lines go to the server as they are, in requests of bounded size, one after the
 * other; the server checks them. It skips those that it has already, so a request whose
 * response is lost is sent again, and so is all of the file by another import.
 */
#include <config.h>

#include "cmd_import.h"

#include "base/curl.h"
#include "crier/cli/help.h"
#include "crier/cli/note.h"
#include "crier/cli/options.h"
#include "crier/cli/printable.h"
#include "crier.h"
#include "http_request.h"
#include "pub_input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DAYS_MAX ((uint64_t)36500 * 24 * 3600 * 1000)
#define TIMEOUT_DEFAULT 30000

/* The largest line. */
#define LINE_MAX_BYTES ((size_t)256 * 1024 * 1024)

/* A request has at most so many lines, and so many bytes, unless one line has more. */
#define BATCH_LINES 1000
#define BATCH_BYTES ((size_t)512 * 1024)

/* Between two attempts, in ms. */
#define RETRY_MIN 250
#define RETRY_MAX 5000

/* What the command line asks for, and how far it has come. */
struct import {
    const char *file; /* NULL: standard input */
    uint64_t timeout; /* ms; UINT64_MAX: for ever */
    struct pub_input input;
    struct text batch;   /* the lines of the next request */
    size_t lines;        /* how many */
    size_t sent;         /* lines before these */
    json_int_t imported, skipped, adjusted;
};

enum { OPT_TIMEOUT = OPTIONS_OWN };

static const struct option option_table[] = {
    {"timeout", required_argument, NULL, OPT_TIMEOUT},
    OPTIONS_COMMON,
};

static enum options_result set_import_option(void *closure, struct options *options,
                                             int code, char *value)
{
    struct import *import = closure;
    enum options_result result = OPTIONS_RUN;

    (void)options;
    if (code == OPT_TIMEOUT) {
        result = options_read_time("--timeout", value, 0, DAYS_MAX,
                                   "a time, such as 500ms, 10s or 2h, or 0",
                                   &import->timeout);
        if (import->timeout == 0)
            import->timeout = UINT64_MAX;
    } else if (import->file != NULL) {
        result = options_report("unexpected argument '%s'", value);
    } else {
        import->file = value;
    }
    return result;
}

/* ---- a request ------------------------------------------------------------ */

/* Adds what the server says of a batch to the counts. */
static void count_batch(struct import *import, const json_t *body)
{
    import->imported += json_integer_value(json_object_get(body, "imported"));
    import->skipped += json_integer_value(json_object_get(body, "skipped"));
    import->adjusted += json_integer_value(json_object_get(body, "adjusted"));
}

/* Reports a refusal. Where it is about a line of the batch, names the line of the file. */
static void report_refusal(const struct import *import, const struct options *options,
                           const struct http_result *result)
{
    json_int_t line = json_integer_value(json_object_get(result->body, "line"));
    const char *detail = http_get_text(result->body, "detail");
    const char *wrong = strstr(detail, ": ");

    if (line > 0 && wrong != NULL)
        note_error("%s, line %zu: %s", import->file != NULL ? import->file : "-",
                   import->sent + (size_t)line, wrong + 2);
    else
        note_error("%s: %s", options->server, result->reason);
}

/* Waits for MILLISECONDS. */
static void wait_for(uint64_t milliseconds)
{
    struct timespec time = {.tv_sec = (time_t)(milliseconds / 1000),
                            .tv_nsec = (long)(milliseconds % 1000) * 1000000};

    while (nanosleep(&time, &time) != 0 && errno == EINTR)
        ;
}

/* Waits before the next attempt after FAILURES failed ones, the first of which began at
 * BEGAN. False when there is no time left. */
static bool wait_to_retry(const struct import *import, const struct options *options,
                          const char *reason, uint64_t began, unsigned failures)
{
    uint64_t spent = crier_now() - began;
    uint64_t wait = crier__backoff(RETRY_MIN, RETRY_MAX, failures);
    struct text text = {0};

    if (spent >= import->timeout)
        return false;
    if (wait > import->timeout - spent)
        wait = import->timeout - spent;
    text_add_seconds(&text, wait);
    note("%s: %s; retrying in %s", options->server, reason, text.bytes);
    text_done(&text);
    wait_for(wait);
    return true;
}

/* Whether the batch that has come to RESULT is to be sent again; if so, waits until then.
 * BEGAN and FAILURES as for wait_to_retry(). */
static bool may_send_again(const struct import *import, const struct options *options,
                           const struct http_result *result, uint64_t began,
                           unsigned failures)
{
    return (result->outcome == HTTP_BUSY || result->outcome == HTTP_BROKEN) &&
           wait_to_retry(import, options, result->reason, began, failures);
}

/* Sends the batch until the server has taken it. Returns false after reporting why it has
 * not. */
static bool send_batch(struct import *import, const struct options *options)
{
    uint64_t began = crier_now();
    struct http_result result;
    unsigned failures = 0;
    bool again;

    do {
        http_post(options, "/import", "application/x-ndjson", import->batch.bytes,
                  import->batch.length, &result);
        count_batch(import, result.body);
        again = may_send_again(import, options, &result, began, failures++);
        if (result.outcome != HTTP_DONE && !again)
            report_refusal(import, options, &result);
        json_decref(result.body);
    } while (again);
    import->sent += import->lines;
    import->lines = 0;
    text_clear(&import->batch);
    return result.outcome == HTTP_DONE;
}

/* ---- the command ----------------------------------------------------------- */

/* Opens the file. Returns false after reporting why. */
static bool open_input(struct import *import)
{
    if (import->file == NULL || strcmp(import->file, "-") == 0) {
        import->file = NULL;
        return true;
    }
    import->input.fd = open(import->file, O_RDONLY | O_CLOEXEC);
    if (import->input.fd >= 0)
        return true;
    note_error("cannot open %s: %s", import->file, strerror(errno));
    return false;
}

/* Reports that the input cannot be read because of ERROR. Returns false. */
static bool report_input(const struct import *import, int error)
{
    const char *name = import->file != NULL ? import->file : "standard input";

    if (error == -EFBIG)
        note_error("%s, line %zu: it is too long", name, import->sent + import->lines + 1);
    else
        note_error("cannot read %s: %s", name, strerror(-error));
    return false;
}

/* Sends all lines of the input. Returns false after reporting why it has not. */
static bool send_lines(struct import *import, const struct options *options)
{
    const char *line;
    size_t length;
    int result;

    do {
        result = pub_input_read_line(&import->input, LINE_MAX_BYTES, &line, &length);
        if (import->lines != 0 &&
            (result != 1 || import->lines == BATCH_LINES ||
             import->batch.length + length > BATCH_BYTES) &&
            !send_batch(import, options))
            return false;
        if (result == 1) {
            text_add(&import->batch, line, length);
            text_add(&import->batch, "\n", 1);
            import->lines++;
        }
    } while (result == 1);
    return result == 0 || report_input(import, result);
}

/* Imports, and says what has become of it. Returns the exit status. */
static int run_import(void *closure, const struct options *options)
{
    struct import *import = closure;
    bool ok = open_input(import) && send_lines(import, options);

    if (!options->quiet && (ok || import->imported != 0))
        note("imported %" JSON_INTEGER_FORMAT " updates, skipped %" JSON_INTEGER_FORMAT
             " that the server has",
             import->imported, import->skipped);
    if (!options->quiet && import->adjusted != 0)
        note("%" JSON_INTEGER_FORMAT " of them have another time than they had: the "
             "server had newer updates, or its clock is behind",
             import->adjusted);
    if (!ok && import->imported != 0)
        note_error("interrupted; the same command goes on where it was");
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

int import_run(int argc, char **argv)
{
    struct import import = {.timeout = TIMEOUT_DEFAULT};
    const struct options_command mine = {.help = help_import,
                                         .table = option_table,
                                         .set = set_import_option,
                                         .run = run_import,
                                         .closure = &import};
    int status = options_run(&mine, argc, argv);

    if (import.input.fd > STDIN_FILENO)
        close(import.input.fd);
    pub_input_done(&import.input);
    text_done(&import.batch);
    return status;
}
