#ifndef CRIERD_MERCURE_FORM_H
#define CRIERD_MERCURE_FORM_H

#include <stdbool.h>
#include <stddef.h>

/* A body of the type application/x-www-form-urlencoded that is being read. */
struct mercure_form {
    char *memory;      /* a copy of the body, decoded in place */
    char *rest, *end; /* what is not read yet */
};

/* A field. Each text has a NUL behind its LENGTH bytes, and may hold others. Borrowed from
 * the form. */
struct mercure_field {
    const char *name, *value;
    size_t name_length, length;
};

/* Begins to read the LENGTH bytes at BODY (copied). False when memory is short. */
bool mercure_form_begin(struct mercure_form *form, const char *body,
                        size_t length);

/* Frees what FORM holds, its fields included. */
void mercure_form_end(struct mercure_form *form);

/* Reads the next field into *FIELD. False when there is none. */
bool mercure_form_next(struct mercure_form *form, struct mercure_field *field);

/* Whether FIELD is called NAME. */
bool mercure_field_is(const struct mercure_field *field, const char *name);

#endif
