#ifndef CRIERD_LOG_H
#define CRIERD_LOG_H

#include <stdarg.h>

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

/* Lines below LEVEL are dropped from now on. Before any thread starts. */
void log_set_level(enum log_level level);

/* The level called NAME ("error", "warning", "info", "debug"), or -1. */
int log_level_by_name(const char *name);

/* Writes one line to standard error: the time, the level and the text, in which
 * all but printable ASCII is made visible. Longer than 1 KiB it is cut. Any thread;
 * lines do not mix. */
void log_line(enum log_level level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

void log_lines(enum log_level level, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

#endif
