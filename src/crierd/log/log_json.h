#ifndef CRIERD_LOG_JSON_H
#define CRIERD_LOG_JSON_H

#include "log_access.h"
#include "log_line.h"

/* Adds ,"KEY":"TEXT" with LENGTH bytes of TEXT, escaped as JSON in ASCII; what is not UTF-8
 * is U+FFFD. The string takes at most ROOM bytes of the line; what has no room is cut. */
void log_json_text(struct log_line *line, const char *key, const char *text,
                   size_t length, size_t room);

/* Adds ACCESS to LINE, which has been begun. */
void log_json_access(struct log_line *line, const struct log_access *access);

#endif
