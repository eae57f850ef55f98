/*
 * A line of the log that is being written: what text and JSON have in common.
 */
#include <config.h>

#include "log_line.h"

void log_line_number(struct log_line *line, uint64_t number)
{
    char digits[20];
    size_t at = sizeof digits;

    do
        digits[--at] = (char)('0' + number % 10);
    while ((number /= 10) != 0);
    log_line_add(line, digits + at, sizeof digits - at);
}

void log_line_end(struct log_line *line)
{
    if (line->json)
        line->bytes[line->length++] = '}';
    line->bytes[line->length++] = '\n';
}
