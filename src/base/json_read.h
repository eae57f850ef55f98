/*
 * How JSON from others is read. jansson parses, writes and frees values by recursion
 * and accepts 2,048 levels, for which it needs 630 KB of stack: more than many threads
 * have. So this bounds the nesting before jansson reads the text.
 */
#ifndef JSON_READ_H
#define JSON_READ_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* How many arrays and objects may be open at once. jansson takes 47 KB of stack for so
 * many. */
#define JSON_DEPTH_MAX 128

/* Whether the text opens more than JSON_DEPTH_MAX arrays and objects at once. Where it
 * is not JSON, the count may be wrong, but only behind the first mistake, at which
 * jansson stops. */
static inline bool json_is_too_deep(const char *text, size_t length)
{
    bool quoted = false;
    size_t depth = 0, i;

    for (i = 0; i < length; i++) {
        if (quoted && text[i] == '\\')
            i++;
        else if (text[i] == '"')
            quoted = !quoted;
        else if (quoted)
            continue;
        else if (text[i] == '[' || text[i] == '{')
            depth++;
        else if ((text[i] == ']' || text[i] == '}') && depth != 0)
            depth--;
        if (depth > JSON_DEPTH_MAX)
            return true;
    }
    return false;
}

/* As json_loadb() (new value, or NULL with *ERROR, which may be NULL), but text that is
 * nested too deep is refused with the code json_error_stack_overflow. */
static inline json_t *json_read(const char *text, size_t length, size_t flags,
                                json_error_t *error)
{
    if (!json_is_too_deep(text, length))
        return json_loadb(text, length, flags, error);
    if (error != NULL) {
        *error = (json_error_t){.line = -1, .column = -1};
        snprintf(error->text, sizeof error->text,
                 "arrays and objects are nested more than %d deep",
                 JSON_DEPTH_MAX);
        error->text[JSON_ERROR_TEXT_LENGTH - 1] =
            (char)json_error_stack_overflow;
    }
    return NULL;
}

#endif
