/*
 * Colors, and JSON laid out for people with each kind of token in its color.
 *
 * jansson only checks that the text is JSON. Its own output would be another text with
 * the same meaning (1.10 becomes 1.1000000000000001), and people want to see what was
 * sent. So the tokens are copied, and only the white space between them changes.
 *
 * Beyond a certain depth everything stays on one line, because indentation makes nested
 * brackets longer by their depth.
 */
#include <config.h>

#include "color.h"

#include "base/json_read.h"

#include <ctype.h>
#include <jansson.h>
#include <string.h>

/* Longer texts are not parsed. */
#define JSON_MAX ((size_t)1024 * 1024)

#define DEPTH_MAX 8

static const char *const codes[] = {
#define COLOR_CODE(name, code) [name] = "\033[" code "m",
    COLOR_KINDS(COLOR_CODE)
#undef COLOR_CODE
};

static const char plain[] = "\033[0m";

void color_add_text(struct text *text, enum color color, bool colors, const char *bytes,
                    size_t length)
{
    if (colors)
        text_add_string(text, codes[color]);
    text_add_printable(text, bytes, length, NULL);
    if (colors)
        text_add_string(text, plain);
}

/* ---- JSON --------------------------------------------------------------- */

struct walk {
    struct text *to;
    const char *at, *end;
    const struct json_layout *layout;
    bool one_line;
    size_t depth;
    size_t columns; /* used on this line, counted in bytes */
};

static void skip_white(struct walk *walk)
{
    while (walk->at < walk->end && strchr(" \t\r\n", *walk->at) != NULL)
        walk->at++;
}

static void put_plain(struct walk *walk, const char *string)
{
    text_add_string(walk->to, string);
    walk->columns += strlen(string);
}

static void put_colored(struct walk *walk, enum color color, size_t length)
{
    if (walk->layout->colors)
        text_add_string(walk->to, codes[color]);
    text_add_printable_json(walk->to, walk->at, length);
    if (walk->layout->colors)
        text_add_string(walk->to, plain);
    walk->at += length;
    walk->columns += length;
}

/* Starts a new line, or appends INSTEAD where everything is on one line. */
static void break_line(struct walk *walk, const char *instead)
{
    if (walk->one_line || walk->depth > DEPTH_MAX) {
        put_plain(walk, instead);
        return;
    }
    text_add_string(walk->to, "\n");
    text_add_spaces(walk->to, walk->layout->indent + 2 * walk->depth);
}

static void walk_string(struct walk *walk)
{
    const char *end = walk->at + 1;
    struct walk after = *walk;

    while (end < walk->end && *end != '"')
        end += *end == '\\' && end + 1 < walk->end ? 2 : 1;
    if (end < walk->end)
        end++;
    after.at = end;
    skip_white(&after);
    put_colored(walk,
                after.at < walk->end && *after.at == ':' ? COLOR_KEY : COLOR_STRING,
                (size_t)(end - walk->at));
}

static void walk_other(struct walk *walk)
{
    const char *end = walk->at;

    while (end < walk->end && strchr(" \t\r\n,:[]{}\"", *end) == NULL)
        end++;
    put_colored(walk, isalpha((unsigned char)*walk->at) ? COLOR_WORD : COLOR_NUMBER,
                (size_t)(end - walk->at));
}

static void walk_open(struct walk *walk)
{
    const char bracket[] = {*walk->at++, '\0'};

    put_plain(walk, bracket);
    skip_white(walk);
    walk->depth++;
    if (walk->at < walk->end && (*walk->at == '}' || *walk->at == ']'))
        return;
    break_line(walk, "");
}

static void walk_close(struct walk *walk)
{
    const char bracket[] = {*walk->at++, '\0'};
    char before = walk->to->bytes[walk->to->length - 1];

    /* stays on the line if the value is empty, or everything is on one line */
    if (before == '{' || before == '[' || walk->depth > DEPTH_MAX) {
        walk->depth--;
    } else {
        walk->depth--;
        break_line(walk, "");
    }
    put_plain(walk, bracket);
}

static void walk_token(struct walk *walk)
{
    switch (*walk->at) {
    case '{':
    case '[':
        walk_open(walk);
        break;
    case '}':
    case ']':
        walk_close(walk);
        break;
    case ',':
        walk->at++;
        put_plain(walk, ",");
        break_line(walk, " ");
        break;
    case ':':
        walk->at++;
        put_plain(walk, ": ");
        break;
    case '"':
        walk_string(walk);
        break;
    default:
        walk_other(walk);
    }
    skip_white(walk);
}

static bool is_json(const char *bytes, size_t length)
{
    size_t space = 0;
    json_t *value;

    while (space < length && strchr(" \t\r\n", bytes[space]) != NULL)
        space++;
    /* jansson accepts some NULs as white space */
    if (space == length || (bytes[space] != '{' && bytes[space] != '[') ||
        length > JSON_MAX || memchr(bytes, '\0', length) != NULL)
        return false;
    value = json_read(bytes, length, JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, NULL);
    json_decref(value);
    return value != NULL;
}

bool color_add_json(struct text *text, const struct json_layout *layout,
                    const char *bytes, size_t length)
{
    struct walk walk = {.to = text,
                        .at = bytes,
                        .end = bytes + length,
                        .layout = layout,
                        .one_line = true,
                        .columns = layout->first};
    size_t before = text->length;
    struct walk again = walk;

    if (!is_json(bytes, length))
        return false;
    skip_white(&walk);
    while (walk.at < walk.end && walk.columns <= layout->width)
        walk_token(&walk);
    if (walk.columns <= layout->width)
        return true;
    text->length = before;
    again.one_line = false;
    skip_white(&again);
    while (again.at < again.end)
        walk_token(&again);
    return true;
}
