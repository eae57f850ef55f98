#ifndef CRIERD_LOG_H
#define CRIERD_LOG_H

#include "log_access.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

/* How lines are written. */
enum log_format { LOG_TEXT, LOG_JSON };

/* All lines are written in FORMAT from now on. Any thread. */
void log_set_format(enum log_format format);

/* Lines that matter less than LEVEL are dropped from now on. Any thread. */
void log_set_level(enum log_level level);

/* Whether lines of LEVEL are logged now. Any thread. */
bool log_wants(enum log_level level);

/* The level called NAME ("error", "warning", "info", "debug"; "err" and "warn" too; in
 * upper or lower case), or -1. */
int log_level_by_name(const char *name);

/* Whether standard error is the journal of systemd, which says by JOURNAL_STREAM which
 * file that is. Lines then begin with their priority. */
bool log_is_journal(void);

/* Starts the thread that writes the log. Until then, log_line() writes by itself and
 * waits for standard error. Returns false when the thread cannot be started. Before
 * any other thread starts. */
bool log_start(void);

/* Writes the lines that are left, but does not wait for standard error beyond DEADLINE
 * (crier_now()). After log_start(), as the last call to the log; the process is to end
 * soon, since the log's thread may still be blocked. */
void log_stop(uint64_t deadline);

/* Logs one line: the time, the level and the text, in which all but printable ASCII is
 * escaped. Longer than 1 KiB it is cut. Any thread; never waits for standard error:
 * a line for which there is no room is dropped, and the log says so when it can. */
void log_line(enum log_level level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* How many lines were dropped since the start, those included that the log has reported as
 * such. Any thread. */
uint64_t log_count_dropped(void);

void log_lines(enum log_level level, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

/* Logs ACCESS (borrowed) as one line, under the same conditions as log_line(). */
void log_access(enum log_level level, const struct log_access *access);

#endif
