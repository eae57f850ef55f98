#ifndef CRIERD_URI_H
#define CRIERD_URI_H

#include <stddef.h>

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

/* A request target, split up. /a/b has the segments "a" and "b", / has one empty
 * segment, and so has the end of /a/. There may be as many segments and parameters as
 * the target has room for. */
struct uri {
    void *memory; /* holds all that follows */
    struct uri_text *segments;
    size_t segment_count;
    struct uri_text rest; /* all but the first segment, with slashes between */
    struct uri_parameter *parameters;
    size_t parameter_count;
};

extern const char uri_no_memory[];

/* Splits TARGET: the origin-form (/path?query) or the absolute-form
 * (http://host/path?query) of RFC 9112 section 3.2. The path is split at '/' first and
 * percent-decoded after that, so that an encoded slash stays inside its segment; in the
 * query '+' is a space. Returns NULL and fills URI; or a constant text that names the
 * mistake, and URI holds nothing: uri_no_memory when memory is short, which is no
 * mistake of the client's. */
const char *uri_parse(struct uri *uri, const char *target);

/* Frees what URI holds. */
void uri_done(struct uri *uri);

/* The value of the first parameter called NAME from the index *AT on, or NULL; *AT is
 * set behind it. With *AT first set to 0, a loop gets all values in the order of the
 * query. Borrowed from URI, as below. */
const struct uri_text *uri_parameter_next(const struct uri *uri,
                                          const char *name, size_t *at);

/* The value of the last parameter called NAME, or NULL. (A client that adds its own
 * parameter to a URL appends it.) */
const struct uri_text *uri_parameter(const struct uri *uri, const char *name);

/* The same for a parameter that has two names. */
const struct uri_text *uri_parameter_of_two(const struct uri *uri,
                                            const char *name,
                                            const char *other);

#endif
