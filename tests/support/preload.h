#ifndef TESTS_PRELOAD_H
#define TESTS_PRELOAD_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Loads LIBRARY into the programs that are started from now on. The address sanitizer
 * refuses to run behind another library unless its option allows it. */
static inline void preload(const char *library)
{
    static const char option[] = "verify_asan_link_order=0:";
    const char *old = getenv("ASAN_OPTIONS");
    char options[512];

    ck_assert_msg(library != NULL, "a library is not set: run make check");
    if (old == NULL || strstr(old, option) == NULL) {
        snprintf(options, sizeof options, "%s%s", option,
                 old != NULL ? old : "");
        setenv("ASAN_OPTIONS", options, 1);
    }
    setenv("LD_PRELOAD", library, 1);
}

#endif
