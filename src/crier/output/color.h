#ifndef CRIER_COLOR_H
#define CRIER_COLOR_H

#include "crier/cli/printable.h"

#include <stdbool.h>

/* Kinds of colored text: X(name, code). */
#define COLOR_KINDS(X)                                                                 \
    X(COLOR_TIME, "2")                                                                 \
    X(COLOR_TOPIC, "36")                                                               \
    X(COLOR_TYPE, "35")                                                                \
    X(COLOR_KEY, "34")                                                                 \
    X(COLOR_STRING, "32")                                                              \
    X(COLOR_NUMBER, "33")                                                              \
    X(COLOR_WORD, "35")

enum color {
#define COLOR_ENUM(name, code) name,
    COLOR_KINDS(COLOR_ENUM)
#undef COLOR_ENUM
};

/* Layout of JSON. */
struct json_layout {
    size_t indent; /* columns before each line but the first */
    size_t first;  /* columns already used on the first line */
    size_t width;  /* columns of the terminal */
    bool colors;
};

/* Appends LENGTH bytes, escaped for a terminal (text_add_printable()); in COLOR if
 * COLORS is set. */
void color_add_text(struct text *text, enum color color, bool colors, const char *bytes,
                    size_t length);

/* Appends the JSON object or array at BYTES, escaped for a terminal: on one line if it
 * fits, otherwise indented. Tokens are copied unchanged. Returns false, and appends
 * nothing, if the bytes are not JSON. */
bool color_add_json(struct text *text, const struct json_layout *layout,
                    const char *bytes, size_t length);

#endif
