/*
 * What libmicrohttpd 0.9.75 does not report of the lines of a head. It has ways of its own
 * to read them, and the fields that it reports show no trace of them:
 *
 *   - a line that begins with white space (RFC 9112 section 5.2) becomes a field: what it
 *     continues is appended to the name before it;
 *   - a line that begins with a colon ends the head;
 *   - a NUL ends a name, a value or the target;
 *   - LF ends a line, with CR before it or without;
 *   - white space behind a value is part of it (which is cut off here).
 *
 * But the head is still in its memory, with NULs where words and lines ended. So what it
 * reports must be all that is there: the version behind the target, each name two bytes
 * behind the end of the line before, each value behind its name, and the end of the head
 * behind the last. (A colon alone and an end of LF look like an end of CR LF; a proxy that
 * passes a head on writes CR LF.)
 *
 * 1.0 refuses all this by itself, with level 1 of its client discipline (mhd.c), and keeps
 * the lines elsewhere. This file can go when 0.9.75 is not supported any more.
 */
#include <config.h>

#include "lines.h"

#include "mhd.h"

#include <string.h>

/* What ends the last field, and then the head: CR LF, twice. */
#define END 4

bool lines_first_is_sound(const char *method, const char *target,
                          const char *version)
{
    return !mhd_is_old() ||
           version == method + strlen(method) + 1 + strlen(target) + 1;
}

void lines_begin(struct lines *lines, struct MHD_Connection *connection,
                 const char *method, const char *version)
{
    const union MHD_ConnectionInfo *head = MHD_get_connection_info(
        connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);

    *lines = (struct lines){0};
    if (head == NULL || !mhd_is_old())
        return;
    lines->last = version + strlen(version);
    lines->end = method + head->header_size;
}

void lines_see(struct lines *lines, const char *name, const char *value)
{
    const char *behind;

    if (lines->last == NULL)
        return;
    behind = name + strlen(name) + 1;
    if (lines->last[1] == '\0' && name == lines->last + 2 &&
        value == behind + strspn(behind, " \t"))
        lines->last = value + strlen(value);
    else
        lines->odd = true;
}

void lines_cut_blanks(const char *value)
{
    /* It is in libmicrohttpd's memory for the connection, which can be written to. */
    char *end = (char *)value + strlen(value);

    while (end > value && strchr(" \t", end[-1]) != NULL)
        *--end = '\0';
}

void lines_end(struct lines *lines)
{
    static const char nothing[END];

    if (lines->last != NULL && (lines->end - lines->last != END ||
                                memcmp(lines->last, nothing, END) != 0))
        lines->odd = true;
}
