/*
 * crier topics: the list of topics. The server sends it in pages; each page is printed
 * on arrival, so column widths may differ between pages.
 */
#include <config.h>

#include "cmd_topics.h"

#include "crier/cli/help.h"
#include "crier/cli/options.h"
#include "crier/cli/print.h"
#include "crier/cli/printable.h"
#include "http_request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TIMEOUT 30000 /* ms */

#define PAGE "1000"

#define COLUMNS 7

/* What the command line asks for. */
struct topics {
    const char *match; /* selectors with commas between them */
    bool json;
    bool terminal;
};

enum { OPT_JSON = OPTIONS_OWN };

static const struct option option_table[] = {
    {"json", no_argument, NULL, OPT_JSON},
    OPTIONS_COMMON,
};

static enum options_result set_topics_option(void *closure, struct options *options,
                                             int code, char *value)
{
    struct topics *topics = closure;

    (void)options;
    if (code == OPT_JSON) {
        topics->json = true;
        return OPTIONS_RUN;
    }
    if (topics->match != NULL)
        return options_report("unexpected argument '%s'", value);
    topics->match = value;
    return OPTIONS_RUN;
}

/* ---- printing ----------------------------------------------------------- */

static const char *const names[COLUMNS] = {"topic",       "updates", "bytes",
                                           "subscribers", "last",    "time",
                                           "ended"};

static bool is_number(size_t column) { return column >= 1 && column <= 3; }

/* Appends LENGTH bytes for a pipe. Control characters are escaped, because a TAB ends a
 * column and an LF a line; ids may contain them, topic names cannot. */
static void add_exact(struct text *text, const char *bytes, size_t length)
{
    size_t i;

    for (i = 0; i < length; i++)
        if ((unsigned char)bytes[i] < ' ' || bytes[i] == 0x7f)
            text_add_printable(text, bytes + i, 1, NULL);
        else
            text_add(text, bytes + i, 1);
}

/* Appends a column of TOPIC, or "-" if it has no value. */
static void add_cell(struct text *text, const json_t *topic, size_t column,
                     bool terminal)
{
    const json_t *value = json_object_get(topic, names[column]);
    char number[32];

    if (json_is_string(value) && terminal) {
        text_add_printable(text, json_string_value(value), json_string_length(value),
                           NULL);
    } else if (json_is_string(value)) {
        add_exact(text, json_string_value(value), json_string_length(value));
    } else if (json_is_integer(value)) {
        snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT,
                 json_integer_value(value));
        text_add_string(text, number);
    } else if (json_is_true(value)) {
        text_add_string(text, "yes");
    } else {
        text_add_string(text, "-");
    }
}

/* Returns the number of columns that the bytes take on a terminal, one per character. */
static size_t count_columns(const char *bytes, size_t length)
{
    size_t width = 0, i;

    for (i = 0; i < length; i++)
        if (((unsigned char)bytes[i] & 0xc0) != 0x80)
            width++;
    return width;
}

/* Appends CELL, padded to WIDTH. */
static void add_padded(struct text *text, const char *cell, size_t column, size_t width)
{
    size_t own = count_columns(cell, strlen(cell));
    size_t spaces = own < width ? width - own : 0;

    if (is_number(column))
        text_add_spaces(text, spaces);
    text_add_string(text, cell);
    if (!is_number(column) && column != COLUMNS - 1)
        text_add_spaces(text, spaces);
    text_add_string(text, column != COLUMNS - 1 ? "  " : "\n");
}

static void add_table(struct text *text, const json_t *list, bool head)
{
    size_t widths[COLUMNS], column, i;
    struct text cell = {0};
    const json_t *topic;

    for (column = 0; column < COLUMNS; column++) {
        widths[column] = strlen(names[column]);
        json_array_foreach (list, i, topic) {
            text_clear(&cell);
            add_cell(&cell, topic, column, true);
            if (count_columns(cell.bytes, cell.length) > widths[column])
                widths[column] = count_columns(cell.bytes, cell.length);
        }
    }
    for (column = 0; head && column < COLUMNS; column++)
        add_padded(text, names[column], column, widths[column]);
    json_array_foreach (list, i, topic)
        for (column = 0; column < COLUMNS; column++) {
            text_clear(&cell);
            add_cell(&cell, topic, column, true);
            add_padded(text, cell.bytes, column, widths[column]);
        }
    text_done(&cell);
}

static int append_json(const char *bytes, size_t length, void *closure)
{
    text_add(closure, bytes, length);
    return 0;
}

static void add_plain(struct text *text, const json_t *topic)
{
    size_t column;

    for (column = 0; column < COLUMNS; column++) {
        if (column != 0)
            text_add_string(text, "\t");
        add_cell(text, topic, column, false);
    }
    text_add_string(text, "\n");
}

static void add_json(struct text *text, const json_t *topic, bool terminal)
{
    struct text line = {0};

    json_dump_callback(topic, append_json, &line, JSON_COMPACT);
    if (terminal)
        text_add_printable_json(text, line.bytes, line.length);
    else
        text_add(text, line.bytes, line.length);
    text_add_string(text, "\n");
    text_done(&line);
}

/* Prints a page. Returns false if that fails. */
static bool print_page(const struct topics *topics, const json_t *list, bool first)
{
    struct text text = {0};
    const json_t *topic;
    bool ok;
    size_t i;

    if (topics->terminal && !topics->json && json_array_size(list) != 0)
        add_table(&text, list, first);
    else
        json_array_foreach (list, i, topic) {
            if (topics->json)
                add_json(&text, topic, topics->terminal);
            else
                add_plain(&text, topic);
        }
    ok = print_bytes(text.bytes, text.length);
    text_done(&text);
    return ok;
}

/* ---- requests ----------------------------------------------------------- */

static int list_topics(void *closure, const struct options *options)
{
    const struct topics *topics = closure;
    struct http_response response = {0};
    struct text path = {0};
    int status = EXIT_SUCCESS;
    bool more = true, first = true;
    const char *next = "";

    while (more) {
        text_clear(&path);
        text_add_string(&path, "/topics?limit=" PAGE "&match=");
        text_add_url(&path, topics->match != NULL ? topics->match : "*", "");
        text_add_string(&path, "&after=");
        text_add_url(&path, next, "");
        json_decref(response.body);
        response.body = NULL;
        if (!http_get(options, path.bytes, TIMEOUT, &response)) {
            status = EXIT_FAILURE;
            break;
        }
        if (!print_page(topics, json_object_get(response.body, "topics"), first))
            break; /* print_finish() reports the error */
        next = http_get_text(response.body, "next");
        more = next[0] != '\0';
        first = false;
    }
    json_decref(response.body);
    text_done(&path);
    return status;
}

int topics_run(int argc, char **argv)
{
    struct topics topics = {.terminal = isatty(STDOUT_FILENO)};
    const struct options_command mine = {.help = help_topics,
                                         .table = option_table,
                                         .set = set_topics_option,
                                         .run = list_topics,
                                         .closure = &topics};

    return options_run(&mine, argc, argv);
}
