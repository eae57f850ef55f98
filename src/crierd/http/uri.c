/*
 * Request targets. libmicrohttpd would decode them itself, but it turns %2F into a slash
 * that separates and %00 into the end of the text before crierd can look, and accepts
 * broken escapes. So crierd splits the raw target itself, in one copy that is decoded in
 * place (decoding never lengthens). One block of memory holds the copy and the lists of
 * its pieces; how many there can be is counted beforehand.
 */
#include <config.h>

#include "uri.h"

#include "base/number.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

const char uri_no_memory[] = "out of memory";

/* Decodes TEXT in place. NULL, or what is wrong with it. */
static const char *decode_text(struct uri_text *text, bool plus_is_space)
{
    const char *from = text->bytes, *end = text->bytes + text->length;
    char *to = text->bytes;
    int high, low;

    while (from < end) {
        if (*from == '%') {
            high = end - from > 2 ? crier__number_digit(from[1]) : -1;
            low = high >= 0 ? crier__number_digit(from[2]) : -1;
            if (low < 0)
                return "a % in the request target is not followed by two "
                       "hexadecimal digits";
            if (high == 0 && low == 0)
                return "the request target holds a NUL (%00)";
            *to++ = (char)(high * 16 + low);
            from += 3;
        } else {
            *to++ = plus_is_space && *from == '+' ? ' ' : *from;
            from++;
        }
    }
    text->length = (size_t)(to - text->bytes);
    text->bytes[text->length] = '\0';
    return NULL;
}

/* Cuts the piece before the first of the characters STOPS off *REST, which becomes NULL
 * behind the last piece. The terminating NUL takes the place of the separator. */
static struct uri_text cut_piece(char **rest, const char *stops)
{
    struct uri_text text = {*rest, strcspn(*rest, stops)};
    bool more = text.bytes[text.length] != '\0';

    text.bytes[text.length] = '\0';
    *rest = more ? text.bytes + text.length + 1 : NULL;
    return text;
}

static const char *parse_path(struct uri *uri, char *path)
{
    const char *wrong = NULL;

    while (path != NULL && wrong == NULL) {
        uri->segments[uri->segment_count] = cut_piece(&path, "/");
        wrong = decode_text(&uri->segments[uri->segment_count++], false);
    }
    return wrong;
}

/* Joins the segments but the first one at TO, which has room for them. */
static void join_rest(struct uri *uri, char *to)
{
    size_t i;

    uri->rest.bytes = to;
    for (i = 1; i < uri->segment_count; i++) {
        if (i > 1)
            *to++ = '/';
        memcpy(to, uri->segments[i].bytes, uri->segments[i].length);
        to += uri->segments[i].length;
    }
    *to = '\0';
    uri->rest.length = (size_t)(to - uri->rest.bytes);
}

static const char *parse_query(struct uri *uri, char *query)
{
    struct uri_parameter *parameter;
    const char *wrong = NULL;
    char *pair;

    while (query != NULL && wrong == NULL) {
        pair = cut_piece(&query, "&").bytes;
        if (*pair == '\0')
            continue;
        parameter = &uri->parameters[uri->parameter_count++];
        parameter->name = cut_piece(&pair, "=");
        parameter->value.bytes =
            pair != NULL ? pair
                         : parameter->name.bytes + parameter->name.length;
        parameter->value.length = strlen(parameter->value.bytes);
        wrong = decode_text(&parameter->name, true);
        if (wrong == NULL)
            wrong = decode_text(&parameter->value, true);
    }
    return wrong;
}

/* The path and query inside TARGET, behind the slash that a path begins with;
 * NULL when it has neither of the two forms. A URI without a path means "/". */
static char *skip_authority(char *target)
{
    char *rest;

    if (*target == '/')
        return target + 1;
    if (strncasecmp(target, "http://", 7) == 0)
        rest = target + 7;
    else if (strncasecmp(target, "https://", 8) == 0)
        rest = target + 8;
    else
        return NULL;
    rest += strcspn(rest, "/?");
    return *rest == '/' ? rest + 1 : rest;
}

static size_t count_character(const char *text, char wanted)
{
    size_t count = 0;

    while ((text = strchr(text, wanted)) != NULL) {
        count++;
        text++;
    }
    return count;
}

/* Gets memory for the pieces of TARGET, a text of SIZE bytes with its NUL. Returns the
 * place for the copy of it, with as much room behind it for the path's rest; NULL when
 * memory is short. */
static char *reserve_pieces(struct uri *uri, const char *target, size_t size)
{
    size_t parameters = count_character(target, '&') + 1;
    size_t segments = count_character(target, '/') + 1;

    uri->memory = malloc(parameters * sizeof uri->parameters[0] +
                         segments * sizeof uri->segments[0] + 2 * size);
    if (uri->memory == NULL)
        return NULL;
    uri->parameters = uri->memory;
    uri->segments = (struct uri_text *)(uri->parameters + parameters);
    return (char *)(uri->segments + segments);
}

const char *uri_parse(struct uri *uri, const char *target)
{
    size_t size = strlen(target) + 1;
    const char *wrong = "the request target must start with '/'";
    char *copy, *path, *query;

    *uri = (struct uri){0};
    copy = reserve_pieces(uri, target, size);
    if (copy == NULL)
        return uri_no_memory;
    memcpy(copy, target, size);
    path = skip_authority(copy);
    if (path != NULL) {
        query = strchr(path, '?');
        if (query != NULL)
            *query++ = '\0';
        wrong = parse_path(uri, path);
        if (wrong == NULL) {
            join_rest(uri, copy + size);
            wrong = parse_query(uri, query);
        }
    }
    if (wrong != NULL)
        uri_done(uri);
    return wrong;
}

void uri_done(struct uri *uri)
{
    free(uri->memory);
    *uri = (struct uri){0};
}

const struct uri_text *uri_parameter_next(const struct uri *uri,
                                          const char *name, size_t *at)
{
    const struct uri_parameter *parameter;

    while (*at < uri->parameter_count) {
        parameter = &uri->parameters[(*at)++];
        if (strcmp(parameter->name.bytes, name) == 0)
            return &parameter->value;
    }
    return NULL;
}

const struct uri_text *uri_parameter_of_two(const struct uri *uri,
                                            const char *name,
                                            const char *other)
{
    const struct uri_parameter *parameter;
    size_t i;

    for (i = uri->parameter_count; i > 0; i--) {
        parameter = &uri->parameters[i - 1];
        if (strcmp(parameter->name.bytes, name) == 0 ||
            strcmp(parameter->name.bytes, other) == 0)
            return &parameter->value;
    }
    return NULL;
}

const struct uri_text *uri_parameter(const struct uri *uri, const char *name)
{
    return uri_parameter_of_two(uri, name, name);
}
