#ifndef TESTS_TEXT_H
#define TESTS_TEXT_H

#include <check.h>
#include <stdarg.h>
#include <stdio.h>

/* Formats as vprintf() does, into new memory, and stores the length in LENGTH. */
static inline char *text_format(const char *format, va_list arguments,
                                size_t *length)
{
    char *text;
    int count = vasprintf(&text, format, arguments);

    ck_assert_int_ge(count, 0);
    *length = (size_t)count;
    return text;
}

#endif
