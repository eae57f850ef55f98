/* What the table of options looks like to people: --help and --dump-config. */
#include <config.h>

#include "print.h"

#include "backend.h"
#include "keyring.h"
#include "retain.h"

#include <stdlib.h>
#include <string.h>

/* ---- --help ----------------------------------------------------------- */

#define WIDTH 79
#define COLUMN 26 /* where the descriptions begin */

void print_argument(const struct option_row *row, char *text, size_t size)
{
    if (row->type == OPTION_JOURNAL)
        backend_print_choices(text, size, "|");
    else
        snprintf(text, size, "%s", row->argument != NULL ? row->argument : "");
}

/* Writes TEXT from the column AT on, and further lines from COLUMN on. */
static void print_wrapped(const char *text, size_t at, size_t column, FILE *to)
{
    size_t length;

    while (*text != '\0') {
        length = strcspn(text, " ");
        if (at + 1 + length > WIDTH && at > column) {
            fprintf(to, "\n%*s", (int)column, "");
            at = column;
        } else if (at > column) {
            fputc(' ', to);
            at++;
        }
        at += (size_t)fprintf(to, "%.*s", (int)length, text);
        text += length;
        text += *text == ' ';
    }
    fputc('\n', to);
}

static void print_row(const struct option_row *row, FILE *to)
{
    const char *preset =
        row->preset_text != NULL ? row->preset_text : row->preset;
    char argument[64], text[512];
    size_t at;

    print_argument(row, argument, sizeof argument);
    at = (size_t)fprintf(to, "  --%s%s%s", row->name,
                         argument[0] != '\0' ? " " : "", argument);
    if (at + 2 > COLUMN) {
        fputc('\n', to);
        at = 0;
    }
    fprintf(to, "%*s", (int)(COLUMN - at), "");
    if (preset != NULL)
        snprintf(text, sizeof text, "%s (default: %s)", row->help, preset);
    else
        snprintf(text, sizeof text, "%s", row->help);
    print_wrapped(text, COLUMN, COLUMN, to);
}

/* Names the settings that need a restart. */
static void print_fixed(FILE *to)
{
    char text[1024] = "It changes all options but";
    size_t at = strlen(text), i;

    for (i = 0; i < option_count && at < sizeof text; i++)
        if (option_rows[i].type != OPTION_ACTION && !option_rows[i].reload)
            at += (size_t)snprintf(text + at, sizeof text - at, " --%s,",
                                   option_rows[i].name);
    if (at < sizeof text)
        snprintf(text + at, sizeof text - at, " which need a restart.");
    print_wrapped(text, 0, 0, to);
}

void print_help(FILE *to)
{
    unsigned group;
    size_t i;

    fputs("Usage: crierd [OPTION]...\n"
          "Serve live event streams (Server-Sent Events).\n",
          to);
    for (group = 0; group < GROUPS; group++) {
        fprintf(to, "\n%s:\n", option_groups[group]);
        for (i = 0; i < option_count; i++)
            if (option_rows[i].group == group)
                print_row(&option_rows[i], to);
    }
    fputs("\nTIME is a number with ms, s, m, h or d; without a unit it means "
          "seconds.\n"
          "SIZE is a number of bytes, or with K, M or G.\n"
          "\n"
          "Each option can also be set by NAME = VALUE in the file of --config, "
          "or by a\n"
          "variable such as CRIERD_RETAIN_COUNT. The command line takes "
          "precedence over\n"
          "variables, and variables over the file. SIGHUP reads the file "
          "again.\n",
          to);
    print_fixed(to);
    fputs("See crierd(8).\n", to);
}

/* ---- --dump-config ---------------------------------------------------- */

/* What a line of a file can hold, NAME = included. */
#define LINE_LIMIT 8191

static void print_origin(const struct conf *conf, const struct option_row *row,
                         FILE *to)
{
    const struct conf_source *source = &conf->sources[option_index(row)];
    char variable[OPTION_VARIABLE_SIZE];

    switch (source->origin) {
    case CONF_DEFAULT:
        fputs("# default", to);
        if (row->preset_text != NULL)
            fprintf(to, ": %s", row->preset_text);
        fputc('\n', to);
        break;
    case CONF_FILE:
        fprintf(to, "# %s:%u\n", conf->file, source->line);
        break;
    case CONF_ENVIRONMENT:
        option_variable(row, variable);
        fprintf(to, "# %s\n", variable);
        break;
    case CONF_COMMAND_LINE:
        fprintf(to, "# --%s\n", row->name);
        break;
    }
}

/* Whether a file can hold TEXT as the value of NAME. */
static bool is_writable(const char *name, const char *text)
{
    size_t length = strlen(text);

    return strlen(name) + 3 + length <= LINE_LIMIT && length != 0 &&
           strchr(" \t;", text[0]) == NULL &&
           strchr(" \t", text[length - 1]) == NULL &&
           strstr(text, " ;") == NULL && strstr(text, "\t;") == NULL &&
           strpbrk(text, "\n\r\v\f") == NULL;
}

/* Writes TEXT as ROW's value in CONF, of a list as one of its entries. */
static void print_assignment(const struct conf *conf, const struct option_row *row,
                             const char *text, FILE *to)
{
    if (text[0] == '\0')
        fprintf(to, "#%s =\n", row->name);
    else if (row->type == OPTION_KEY && option_hides(conf, row, text))
        fprintf(to, "# %s = %s is a secret, which is not shown\n", row->name,
                text);
    else if (option_hides(conf, row, text))
        fprintf(to, "# %s = %s, shown without its passwords\n", row->name, text);
    else if (is_writable(row->name, text))
        fprintf(to, "%s = %s\n", row->name, text);
    else
        fprintf(to, "# cannot be written in a file: %s\n", row->name);
}

static bool print_setting(const struct conf *conf,
                          const struct option_row *row, FILE *to)
{
    char *text = option_text(conf, row), *rest = text, *entry;

    if (text == NULL)
        return false;
    print_origin(conf, row, to);
    while (rest != NULL) {
        entry = option_is_list(row) ? strsep(&rest, "\n") : rest;
        print_assignment(conf, row, entry, to);
        if (entry == rest)
            rest = NULL;
    }
    free(text);
    return true;
}

/* Writes the list, which is at the end: whatever follows a section is part of it. */
static void print_list(const struct conf *conf, FILE *to)
{
    const struct option_row *row = option_find("retain-topic");
    size_t i;

    fputc('\n', to);
    print_origin(conf, row, to);
    for (i = 0; i < conf->topic_count; i++) {
        fprintf(to, "%s[%s]\n", i == 0 ? "" : "\n", row->name);
        if (is_writable("topic", conf->topics[i].topic))
            retain_print(&conf->topics[i], to);
        else
            fputs("# cannot be written in a file\n", to);
    }
}

/* Writes the sections of keys and static tokens. */
static void print_keyring(const struct conf *conf, FILE *to)
{
    size_t i;

    for (i = 0; i < conf->keys.count; i++) {
        fputc('\n', to);
        keyring_print_key_section(&conf->keys.list[i], to);
    }
    for (i = 0; i < conf->tokens.count; i++) {
        fputc('\n', to);
        keyring_print_token(&conf->tokens.list[i], to);
    }
}

bool print_dump(const struct conf *conf, FILE *to)
{
    unsigned group;
    size_t i;

    fprintf(to, "# The configuration of crierd %s\n", crier_version());
    for (group = 0; group < GROUPS; group++) {
        if (group == GROUP_GENERAL)
            continue;
        fprintf(to, "\n# %s\n\n", option_groups[group]);
        for (i = 0; i < option_count; i++)
            if (option_rows[i].group == group &&
                option_rows[i].type != OPTION_RETAIN &&
                !print_setting(conf, &option_rows[i], to))
                return false;
    }
    print_list(conf, to);
    print_keyring(conf, to);
    return true;
}
