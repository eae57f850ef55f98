#ifndef CRIERD_LOG_TEXT_H
#define CRIERD_LOG_TEXT_H

#include "log_access.h"
#include "log_line.h"

/* Adds LENGTH bytes of TEXT, with every byte but printable ASCII as \xNN and a backslash as
 * two, at most ROOM bytes of the line. What has no room is cut. */
void log_text_add(struct log_line *line, const char *text, size_t length, size_t room);

/* Adds ACCESS to LINE, which has been begun. */
void log_text_access(struct log_line *line, const struct log_access *access);

#endif
