#ifndef CRIERD_LOG_LINE_H
#define CRIERD_LOG_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The most bytes of a line, with its time, level and newline. */
#define LOG_LINE_SIZE 1088

/* How much of a subject is logged, in bytes of the line. */
#define LOG_SUBJECT_SIZE 96

/* A line that is being written. */
struct log_line {
    size_t length;
    bool json;
    char bytes[LOG_LINE_SIZE];
};

/* What always has room: the end of a line. */
#define LOG_LINE_END 8

/* Adds LENGTH bytes as they are, or nothing where there is no room for them. */
static inline void log_line_add(struct log_line *line, const char *bytes, size_t length)
{
    if (line->length + length > LOG_LINE_SIZE - LOG_LINE_END)
        return;
    memcpy(line->bytes + line->length, bytes, length);
    line->length += length;
}

static inline void log_line_add_text(struct log_line *line, const char *text)
{
    log_line_add(line, text, strlen(text));
}

/* Adds NUMBER in decimal digits. */
void log_line_number(struct log_line *line, uint64_t number);

/* Ends LINE with what its format wants and a newline. */
void log_line_end(struct log_line *line);

#endif
