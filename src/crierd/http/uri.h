#ifndef CRIERD_URI_H
#define CRIERD_URI_H

#include <stddef.h>

/* No route has more segments, and no request more parameters. */
#define URI_SEGMENTS_MAX 32
#define URI_PARAMETERS_MAX 32

/* A decoded piece of a request target; NUL-terminated, and without a NUL
 * inside. */
struct uri_text {
    char *bytes;
    size_t length;
};

struct uri_parameter {
    struct uri_text name;
    struct uri_text value;
};

/* A request target, taken apart. /a/b has the segments "a" and "b", / has one
 * empty segment, and so has the end of /a/. */
struct uri {
    char *memory; /* what all the texts point into */
    struct uri_text segments[URI_SEGMENTS_MAX];
    size_t segment_count;
    struct uri_text rest; /* all but the first segment, with slashes between */
    struct uri_parameter parameters[URI_PARAMETERS_MAX];
    size_t parameter_count;
};

extern const char uri_no_memory[];

/* Takes TARGET apart: the origin-form (/path?query) or the absolute-form
 * (http://host/path?query) of RFC 9112 section 3.2. The path is split at '/'
 * first and percent-decoded then, so that an encoded slash stays inside its
 * segment; in the query '+' is a space. Returns NULL and fills URI, or a text
 * that names the mistake, constant, and URI holds nothing; uri_no_memory when
 * memory is short, which is no mistake. */
const char *uri_parse(struct uri *uri, const char *target);

/* Frees what URI holds. */
void uri_done(struct uri *uri);

/* The value of the last parameter called NAME, or NULL. (A client that adds its own
 * parameter to a URL appends it.) Borrowed from URI. */
const struct uri_text *uri_parameter(const struct uri *uri, const char *name);

/* The same for a parameter that has two names. */
const struct uri_text *uri_parameter_of_two(const struct uri *uri,
                                            const char *name,
                                            const char *other);

#endif
