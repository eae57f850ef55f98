/*
 * Lines of the log as JSON (RFC 8259): an object, without white space, whose members
 * crierd(8) names. Texts are ASCII: every other character is \uXXXX, so that no control
 * character of Unicode reaches a terminal, and what is not UTF-8 is U+FFFD. A line that is
 * too long is cut inside a text, and is JSON all the same: a text is written only as far as
 * there is room for its end and for that of the line.
 */
#include <config.h>

#include "log_json.h"

#include "base/utf8.h"

#include <stdio.h>
#include <string.h>

/* The longest form of a character: a surrogate pair. */
#define CHARACTER_SIZE 12

/* What the texts of a line take at most, but for the path, which is the last one. */
#define METHOD_SIZE 40
#define CLIENT_SIZE 80

/* Writes the UTF-16 code UNIT to TO, as \uXXXX. */
static char *write_unit(char *to, uint32_t unit)
{
    static const char hex[] = "0123456789abcdef";

    *to++ = '\\';
    *to++ = 'u';
    *to++ = hex[unit >> 12 & 15];
    *to++ = hex[unit >> 8 & 15];
    *to++ = hex[unit >> 4 & 15];
    *to++ = hex[unit & 15];
    return to;
}

/* Writes CHARACTER to TO, and returns the place behind it. */
static char *write_character(char *to, uint32_t character)
{
    if (character >= 0x10000) {
        to = write_unit(to, 0xd800 + ((character - 0x10000) >> 10));
        return write_unit(to, 0xdc00 + ((character - 0x10000) & 0x3ff));
    }
    if (character < 0x20 || character >= 0x7f)
        return write_unit(to, character);
    if (character == '"' || character == '\\')
        *to++ = '\\';
    *to++ = (char)character;
    return to;
}

void log_json_text(struct log_line *line, const char *key, const char *text,
                   size_t length, size_t room)
{
    const unsigned char *at = (const unsigned char *)text, *end = at + length;
    const unsigned char *valid = at + crier__utf8_prefix(text, length);
    char *to, *last;

    log_line_add_text(line, ",\"");
    log_line_add_text(line, key);
    log_line_add_text(line, "\":\"");
    to = line->bytes + line->length;
    last = line->bytes + LOG_LINE_SIZE - LOG_LINE_END;
    if (room < (size_t)(last - to))
        last = to + room;
    while (at < end && to + CHARACTER_SIZE < last) {
        if (at < valid) {
            to = write_character(to, crier__utf8_next(&at));
            continue;
        }
        to = write_character(to, 0xfffd);
        at += crier__utf8_broken((const char *)at, (size_t)(end - at));
        valid = at + crier__utf8_prefix((const char *)at, (size_t)(end - at));
    }
    *to++ = '"';
    line->length = (size_t)(to - line->bytes);
}

static void add_number(struct log_line *line, const char *key, uint64_t number)
{
    log_line_add_text(line, ",\"");
    log_line_add_text(line, key);
    log_line_add_text(line, "\":");
    log_line_number(line, number);
}

/* Adds MICROSECONDS as seconds. */
static void add_seconds(struct log_line *line, uint64_t microseconds)
{
    char fraction[8];

    add_number(line, "seconds", microseconds / 1000000);
    snprintf(fraction, sizeof fraction, ".%06u", (unsigned)(microseconds % 1000000));
    log_line_add_text(line, fraction);
}

void log_json_access(struct log_line *line, const struct log_access *access)
{
    if (access->reason != NULL) {
        log_line_add_text(line, ",\"event\":\"stream_end\"");
        log_json_text(line, "reason", access->reason, strlen(access->reason),
                      LOG_LINE_SIZE);
    } else {
        log_line_add_text(line, ",\"event\":\"request\"");
        log_json_text(line, "method", access->method, strlen(access->method),
                      METHOD_SIZE);
        add_number(line, "status", access->status);
    }
    add_number(line, "bytes", access->bytes);
    if (access->client != NULL) {
        add_seconds(line, access->time);
        log_json_text(line, "client", access->client, strlen(access->client),
                      CLIENT_SIZE);
    }
    if (access->subject != NULL)
        log_json_text(line, "subject", access->subject, strlen(access->subject),
                      LOG_SUBJECT_SIZE);
    else
        log_line_add_text(line, ",\"subject\":null");
    log_json_text(line, "path", access->path, access->path_length, LOG_LINE_SIZE);
}
