/*
 * The options as JSON, for GET /config: what --dump-config prints for people and files, for
 * pages. The texts of the values are the same, and so are the secrets that they leave out
 * (option_hides()).
 *
 * A text that is not UTF-8, as the name of a file may be, cannot be in JSON: a question mark
 * stands for each of its bytes beyond ASCII.
 */
#include <config.h>

#include "describe.h"

#include <stdlib.h>
#include <string.h>

/* A new text of TEXT. */
static json_t *make_json_text(const char *text)
{
    char *copy, *at;
    json_t *value = json_string(text);

    if (value != NULL || crier_utf8_valid(text, strlen(text)))
        return value;
    copy = strdup(text);
    for (at = copy; at != NULL && *at != '\0'; at++)
        if ((unsigned char)*at >= 0x80)
            *at = '?';
    value = copy != NULL ? json_string(copy) : NULL;
    free(copy);
    return value;
}

/* Where ROW's value in CONF comes from. */
static json_t *describe_origin(const struct conf *conf, const struct option_row *row)
{
    const struct conf_source *source = &conf->sources[option_index(row)];
    char variable[OPTION_VARIABLE_SIZE], *text = NULL;
    json_t *origin;

    switch (source->origin) {
    case CONF_DEFAULT:
        return json_string("default");
    case CONF_COMMAND_LINE:
        return json_string("command line");
    case CONF_ENVIRONMENT:
        option_variable(row, variable);
        return json_string(variable);
    default:
        if (asprintf(&text, "%s:%u", conf->file, source->line) < 0)
            return NULL;
        origin = make_json_text(text);
        free(text);
        return origin;
    }
}

/* A new list of the lines of TEXT, which is changed. */
static json_t *list_lines(char *text)
{
    json_t *list = json_array();
    char *line;

    while ((line = strsep(&text, "\n")) != NULL)
        if (json_array_append_new(list, make_json_text(line)) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

/* Whether one of the lines of TEXT, ROW's value in CONF, leaves out a secret; when memory is
 * short, it is not known, and the answer is yes. */
static bool hides_any(const struct conf *conf, const struct option_row *row,
                      const char *text)
{
    char *copy = strdup(text), *rest = copy, *line;
    bool hides = copy == NULL;

    while ((line = strsep(&rest, "\n")) != NULL)
        hides |= option_hides(conf, row, line);
    free(copy);
    return hides;
}

/* A new object about ROW, whose value in CONF is TEXT, which is changed. */
static json_t *describe_value(const struct conf *conf, const struct option_row *row,
                              char *text)
{
    bool hides = hides_any(conf, row, text);
    json_t *value = text[0] == '\0'         ? json_null()
                    : option_is_list(row) ? list_lines(text)
                                          : make_json_text(text);
    json_t *option = json_pack("{s:s, s:o, s:o}", "name", row->name, "value", value,
                               "origin", describe_origin(conf, row));

    if (hides && option != NULL &&
        json_object_set_new(option, "secret", json_true()) != 0) {
        json_decref(option);
        return NULL;
    }
    return option;
}

static json_t *describe_option(const struct conf *conf, const struct option_row *row)
{
    char *text = option_text(conf, row);
    json_t *option = text != NULL ? describe_value(conf, row, text) : NULL;

    free(text);
    return option;
}

json_t *describe_options(const struct conf *conf)
{
    json_t *list = json_array();
    size_t i;

    for (i = 0; i < option_count; i++)
        if (option_rows[i].type != OPTION_ACTION &&
            json_array_append_new(list, describe_option(conf, &option_rows[i])) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}
