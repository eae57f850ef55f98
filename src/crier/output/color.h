#ifndef CRIER_PAINT_H
#define CRIER_PAINT_H

#include "crier/cli/printable.h"

#include <stdbool.h>

/* What is coloured: X(name, code). */
#define PAINT_COLOURS(X)                                                      \
    X(PAINT_TIME, "2")                                                        \
    X(PAINT_TOPIC, "36")                                                      \
    X(PAINT_TYPE, "35")                                                       \
    X(PAINT_KEY, "34")                                                        \
    X(PAINT_STRING, "32")                                                     \
    X(PAINT_NUMBER, "33")                                                     \
    X(PAINT_WORD, "35")

enum paint {
#define PAINT_ENUM(name, code) name,
    PAINT_COLOURS(PAINT_ENUM)
#undef PAINT_ENUM
};

/* How JSON is laid out. */
struct paint_layout {
    size_t indent; /* columns before each line but the first */
    size_t first;  /* columns that are taken on the first line */
    size_t width;  /* columns of the terminal */
    bool colours;
};

/* Appends LENGTH bytes in a colour, when COLOURS, and made harmless. */
void paint_text(struct text *text, enum paint colour, bool colours,
                const char *bytes, size_t length);

/* Appends the object or array of JSON in the LENGTH bytes at BYTES, made
 * harmless: on one line when it fits, else indented. Tokens stay as they are
 * written. False, with nothing done, when it is none. */
bool paint_json(struct text *text, const struct paint_layout *layout,
                const char *bytes, size_t length);

#endif
