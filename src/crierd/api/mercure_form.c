/*
 * Forms: application/x-www-form-urlencoded as the URL standard parses it (section 5.1).
 * Nothing is a mistake there: a '%' that begins no escape stands for itself, and a field
 * without '=' has an empty value. What a value may hold is for the reader of the fields
 * to check.
 *
 * The body is copied once and decoded in place, since decoding never lengthens. The NUL of
 * each text takes the place of the separator behind it.
 */
#include <config.h>

#include "mercure_form.h"

#include "base/number.h"

#include <stdlib.h>
#include <string.h>

bool mercure_form_begin(struct mercure_form *form, const char *body,
                        size_t length)
{
    form->memory = form->rest = malloc(length + 1);
    if (form->memory == NULL)
        return false;
    form->end = form->memory + length;
    memcpy(form->memory, body, length);
    form->memory[length] = '\0';
    return true;
}

void mercure_form_end(struct mercure_form *form)
{
    free(form->memory);
    *form = (struct mercure_form){0};
}

/* Decodes the LENGTH bytes at TEXT in place, and ends them with a NUL. Returns their new
 * length. */
static size_t decode_value(char *text, size_t length)
{
    const char *from = text, *end = text + length;
    char *to = text;
    int high, low;

    while (from < end) {
        high = *from == '%' && end - from > 2 ? crier__number_digit(from[1]) : -1;
        low = high >= 0 ? crier__number_digit(from[2]) : -1;
        if (low >= 0) {
            *to++ = (char)(high * 16 + low);
            from += 3;
        } else {
            *to++ = *from == '+' ? ' ' : *from;
            from++;
        }
    }
    *to = '\0';
    return (size_t)(to - text);
}

bool mercure_form_next(struct mercure_form *form, struct mercure_field *field)
{
    char *pair, *stop, *value;

    do {
        pair = form->rest;
        if (pair >= form->end)
            return false;
        stop = memchr(pair, '&', (size_t)(form->end - pair));
        if (stop == NULL)
            stop = form->end;
        form->rest = stop + 1;
    } while (stop == pair);
    value = memchr(pair, '=', (size_t)(stop - pair));
    field->value = "";
    field->length = 0;
    if (value != NULL) {
        field->length = decode_value(value + 1, (size_t)(stop - value - 1));
        field->value = value + 1;
        stop = value;
    }
    field->name_length = decode_value(pair, (size_t)(stop - pair));
    field->name = pair;
    return true;
}

bool mercure_field_is(const struct mercure_field *field, const char *name)
{
    return field->name_length == strlen(name) &&
           memcmp(field->name, name, field->name_length) == 0;
}
