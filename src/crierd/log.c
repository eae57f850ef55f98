/*
 * The log: one line per happening on standard error, where systemd, a container
 * or a terminal picks it up. A line goes out in one write(), so lines of several
 * threads do not mix. What comes from outside can neither forge a line nor speak
 * to a terminal: every byte but printable ASCII is written as \xNN, and a
 * backslash as two.
 */
#include <config.h>

#include "log.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024

static const char *const names[] = {"error", "warning", "info", "debug"};
static enum log_level threshold = LOG_INFO;

void log_set_level(enum log_level level)
{
    threshold = level;
}

int log_level_by_name(const char *name)
{
    int level;

    for (level = LOG_ERROR; level <= LOG_DEBUG; level++)
        if (strcmp(name, names[level]) == 0)
            return level;
    return -1;
}

/* Copies TEXT to LINE, at most ROOM bytes, and returns how many. */
static size_t copy_visible(char *line, size_t room, const char *text)
{
    static const char hex[] = "0123456789abcdef";
    size_t at = 0;
    unsigned char c;

    for (; (c = (unsigned char)*text) != '\0' && at + 4 <= room; text++) {
        if (c == '\\')
            line[at++] = '\\';
        if (c >= 0x20 && c < 0x7f) {
            line[at++] = (char)c;
            continue;
        }
        line[at++] = '\\';
        line[at++] = 'x';
        line[at++] = hex[c >> 4];
        line[at++] = hex[c & 15];
    }
    return at;
}

void log_lines(enum log_level level, const char *format, va_list arguments)
{
    char text[LINE_MAX_BYTES], line[LINE_MAX_BYTES + 64];
    struct timespec now;
    struct tm utc;
    size_t at;

    if (level > threshold)
        return;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    at = strftime(line, sizeof line, "%Y-%m-%dT%H:%M:%S", &utc);
    at += (size_t)snprintf(line + at, sizeof line - at, ".%03ldZ %-7s ",
                           now.tv_nsec / 1000000, names[level]);
    vsnprintf(text, sizeof text, format, arguments);
    text[strcspn(text, "\n")] = '\0'; /* libmicrohttpd ends its lines */
    at += copy_visible(line + at, sizeof line - at - 1, text);
    line[at++] = '\n';
    /* There is nobody to tell when standard error is gone. */
    if (write(STDERR_FILENO, line, at) < 0)
        return;
}

void log_line(enum log_level level, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    log_lines(level, format, arguments);
    va_end(arguments);
}
