#ifndef CRIERD_LINES_H
#define CRIERD_LINES_H

#include <microhttpd.h>
#include <stdbool.h>

/* Whether the head of a request is made of the lines that libmicrohttpd reports, and of
 * nothing else. */
struct lines {
    bool odd; /* it is not */
    const char
        *last; /* the end of the last one; NULL where that cannot be seen */
    const char *end; /* of the head */
};

/* Whether the first line of a head is a method, a target and a version, and nothing else.
 * METHOD and VERSION are libmicrohttpd's; TARGET is what was received, up to the first
 * NUL. */
bool lines_first_is_sound(const char *method, const char *target,
                          const char *version);

/* Prepares for the fields of CONNECTION's request, behind the first line with METHOD and
 * VERSION, which are libmicrohttpd's. */
void lines_begin(struct lines *lines, struct MHD_Connection *connection,
                 const char *method, const char *version);

/* The next field has NAME and VALUE, which are libmicrohttpd's ("" where that is NULL). */
void lines_see(struct lines *lines, const char *name, const char *value);

/* Cuts off the white space behind VALUE, which is libmicrohttpd's and was seen before:
 * it is no part of the value (RFC 9110, section 5.5). */
void lines_cut_blanks(const char *value);

/* There are no more fields. */
void lines_end(struct lines *lines);

#endif
