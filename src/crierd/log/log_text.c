/*
 * Lines of the log as text. What comes from outside can neither forge a line nor control a
 * terminal: every byte but printable ASCII is written as \xNN, and a backslash as two.
 *
 * Each request has such a line, so it is put together without printf(), which would take
 * most of the time.
 */
#include <config.h>

#include "log_text.h"

#include <string.h>

#define METHOD_SIZE 40

/* What the rest of an access line has room for, behind its path. */
#define REST_SIZE 400

void log_text_add(struct log_line *line, const char *text, size_t length, size_t room)
{
    static const char hex[] = "0123456789abcdef";
    const char *end = text + length;
    size_t left = LOG_LINE_SIZE - LOG_LINE_END - line->length, at = 0;
    char *to = line->bytes + line->length;
    unsigned char c;

    if (room < left)
        left = room;
    for (; text < end && at + 4 <= left; text++) {
        c = (unsigned char)*text;
        if (c == '\\')
            to[at++] = '\\';
        if (c >= 0x20 && c < 0x7f) {
            to[at++] = (char)c;
            continue;
        }
        to[at++] = '\\';
        to[at++] = 'x';
        to[at++] = hex[c >> 4];
        to[at++] = hex[c & 15];
    }
    line->length += at;
}

static void add_outside(struct log_line *line, const char *text, size_t room)
{
    log_text_add(line, text, strlen(text), room);
}

/* Adds MICROSECONDS as milliseconds. */
static void add_time(struct log_line *line, uint64_t microseconds)
{
    log_line_number(line, microseconds / 1000);
    log_line_add_text(line, ".");
    log_line_number(line, microseconds / 100 % 10);
    log_line_add_text(line, " ms ");
}

/* Adds who the client is. */
static void add_client(struct log_line *line, const struct log_access *access)
{
    add_outside(line, access->client, LOG_LINE_SIZE);
    if (access->subject == NULL) {
        log_line_add_text(line, " -");
        return;
    }
    log_line_add_text(line, " '");
    add_outside(line, access->subject, LOG_SUBJECT_SIZE);
    log_line_add_text(line, "'");
}

void log_text_access(struct log_line *line, const struct log_access *access)
{
    size_t room;

    add_outside(line, access->reason != NULL ? "stream" : access->method, METHOD_SIZE);
    log_line_add_text(line, " ");
    room = LOG_LINE_SIZE - REST_SIZE - line->length;
    log_text_add(line, access->path, access->path_length, room);
    if (access->reason != NULL) {
        log_line_add_text(line, " ended: ");
        log_line_add_text(line, access->reason);
        log_line_add_text(line, ", ");
    } else {
        log_line_add_text(line, " ");
        log_line_number(line, access->status);
        log_line_add_text(line, " ");
    }
    log_line_number(line, access->bytes);
    log_line_add_text(line, " B");
    if (access->client == NULL)
        return;
    log_line_add_text(line, " ");
    add_time(line, access->time);
    add_client(line, access);
}
