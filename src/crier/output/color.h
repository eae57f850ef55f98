#ifndef CRIER_COLOR_H
#define CRIER_COLOR_H

#include "crier/cli/printable.h"

#include <stdbool.h>

/* What is colored: X(name, code). */
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

/* How JSON is laid out. */
struct json_layout {
    size_t indent; /* columns before each line but the first */
    size_t first;  /* columns that are taken on the first line */
    size_t width;  /* columns of the terminal */
    bool colors;
};

/* Appends LENGTH bytes in a color, when COLOURS, and made harmless. */
void color_add_text(struct text *text, enum color color, bool colors, const char *bytes,
                    size_t length);

/* Appends the object or array of JSON in the LENGTH bytes at BYTES, made
 * harmless: on one line when it fits, else indented. Tokens stay as they are
 * written. False, with nothing done, when it is none. */
bool color_add_json(struct text *text, const struct json_layout *layout,
                    const char *bytes, size_t length);

#endif
