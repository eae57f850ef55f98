/*
 * crier topics: what there is. The server gives its list in pages; each is
 * printed when it has come, so the width of a column is that of its page.
 */
#include <config.h>

#include "cmd_topics.h"

#include "http_get.h"
#include "crier/cli/config_file.h"
#include "crier/cli/help.h"
#include "crier/output/print.h"
#include "crier/cli/printable.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TIMEOUT 30000 /* ms */

#define PAGE "1000"

#define COLUMNS 6

/* What is asked for. */
struct topics {
    const char *prefix;
    bool json;
    bool terminal;
};

enum { OPT_JSON = CONF_OWN };

static const struct option options[] = {
    {"json", no_argument, NULL, OPT_JSON},
    CONF_OPTIONS,
};

static enum conf_result set(void *closure, struct conf *conf, int code,
                            char *value)
{
    struct topics *topics = closure;

    (void)conf;
    if (code == OPT_JSON) {
        topics->json = true;
        return CONF_RUN;
    }
    if (topics->prefix != NULL)
        return conf_mistake("unexpected argument '%s'", value);
    topics->prefix = value;
    return CONF_RUN;
}

/* ---- printing --------------------------------------------------------- */

static const char *const names[COLUMNS] = {"topic",       "updates", "bytes",
                                           "subscribers", "last",     "time"};

static bool is_number(size_t column) { return column >= 1 && column <= 3; }

/* Appends LENGTH bytes for a pipe: as they are, but that control characters
 * are made harmless, since a TAB ends a column and an LF a line. A name has
 * none, an id may. */
static void add_exact(struct text *text, const char *bytes, size_t length)
{
    size_t i;

    for (i = 0; i < length; i++)
        if ((unsigned char)bytes[i] < ' ' || bytes[i] == 0x7f)
            text_harmless(text, bytes + i, 1, NULL);
        else
            text_add(text, bytes + i, 1);
}

/* Appends a column of TOPIC, and "-" where there is nothing. */
static void add_cell(struct text *text, const json_t *topic, size_t column,
                     bool terminal)
{
    const json_t *value = json_object_get(topic, names[column]);
    char number[32];

    if (json_is_string(value) && terminal) {
        text_harmless(text, json_string_value(value),
                      json_string_length(value), NULL);
    } else if (json_is_string(value)) {
        add_exact(text, json_string_value(value), json_string_length(value));
    } else if (json_is_integer(value)) {
        snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT,
                 json_integer_value(value));
        text_puts(text, number);
    } else {
        text_puts(text, "-");
    }
}

/* How many columns of a terminal the LENGTH bytes take, one for each
 * character. */
static size_t width_of(const char *bytes, size_t length)
{
    size_t width = 0, i;

    for (i = 0; i < length; i++)
        if (((unsigned char)bytes[i] & 0xc0) != 0x80)
            width++;
    return width;
}

/* Appends CELL in a column of WIDTH. */
static void add_padded(struct text *text, const char *cell, size_t column,
                       size_t width)
{
    size_t own = width_of(cell, strlen(cell));
    size_t spaces = own < width ? width - own : 0;

    if (is_number(column))
        text_spaces(text, spaces);
    text_puts(text, cell);
    if (!is_number(column) && column != COLUMNS - 1)
        text_spaces(text, spaces);
    text_puts(text, column != COLUMNS - 1 ? "  " : "\n");
}

static void add_table(struct text *text, const json_t *list, bool head)
{
    size_t widths[COLUMNS], column, i;
    struct text cell = {0};
    const json_t *topic;

    for (column = 0; column < COLUMNS; column++) {
        widths[column] = strlen(names[column]);
        json_array_foreach(list, i, topic)
        {
            text_clear(&cell);
            add_cell(&cell, topic, column, true);
            if (width_of(cell.bytes, cell.length) > widths[column])
                widths[column] = width_of(cell.bytes, cell.length);
        }
    }
    for (column = 0; head && column < COLUMNS; column++)
        add_padded(text, names[column], column, widths[column]);
    json_array_foreach(list, i, topic) for (column = 0; column < COLUMNS;
                                            column++)
    {
        text_clear(&cell);
        add_cell(&cell, topic, column, true);
        add_padded(text, cell.bytes, column, widths[column]);
    }
    text_done(&cell);
}

static int append(const char *bytes, size_t length, void *closure)
{
    text_add(closure, bytes, length);
    return 0;
}

static void add_plain(struct text *text, const json_t *topic)
{
    size_t column;

    for (column = 0; column < COLUMNS; column++) {
        if (column != 0)
            text_puts(text, "\t");
        add_cell(text, topic, column, false);
    }
    text_puts(text, "\n");
}

static void add_json(struct text *text, const json_t *topic, bool terminal)
{
    struct text line = {0};

    json_dump_callback(topic, append, &line, JSON_COMPACT);
    if (terminal)
        text_harmless_json(text, line.bytes, line.length);
    else
        text_add(text, line.bytes, line.length);
    text_puts(text, "\n");
    text_done(&line);
}

/* Prints a page. False when that is impossible. */
static bool print_page(const struct topics *topics, const json_t *list,
                       bool first)
{
    struct text text = {0};
    const json_t *topic;
    bool well;
    size_t i;

    if (topics->terminal && !topics->json && json_array_size(list) != 0)
        add_table(&text, list, first);
    else
        json_array_foreach(list, i, topic)
        {
            if (topics->json)
                add_json(&text, topic, topics->terminal);
            else
                add_plain(&text, topic);
        }
    well = print_bytes(text.bytes, text.length);
    text_done(&text);
    return well;
}

/* ---- asking ----------------------------------------------------------- */

static int run(const struct conf *conf, const struct topics *topics)
{
    struct answer answer = {0};
    struct text path = {0};
    int status = EXIT_SUCCESS;
    bool more = true, first = true;
    const char *next = "";

    while (more) {
        text_clear(&path);
        text_puts(&path, "/topics?limit=" PAGE "&prefix=");
        text_url(&path, topics->prefix != NULL ? topics->prefix : "", "");
        text_puts(&path, "&after=");
        text_url(&path, next, "");
        json_decref(answer.body);
        answer.body = NULL;
        if (!ask(conf, path.bytes, TIMEOUT, &answer)) {
            status = EXIT_FAILURE;
            break;
        }
        if (!print_page(topics, json_object_get(answer.body, "topics"), first))
            break; /* print_end() tells */
        next = ask_text(answer.body, "next");
        more = next[0] != '\0';
        first = false;
    }
    json_decref(answer.body);
    text_done(&path);
    return status;
}

int topics_run(int argc, char **argv)
{
    struct topics topics = {.terminal = isatty(STDOUT_FILENO)};
    const struct conf_command mine = {help_topics, options, set, &topics};
    struct conf conf = {0};
    enum conf_result result = conf_parse(&conf, &mine, argc, argv);
    int status = EXIT_SUCCESS;

    if (result == CONF_BAD)
        status = EXIT_USAGE;
    else if (result == CONF_RUN)
        status = run(&conf, &topics);
    conf_done(&conf);
    return status;
}
