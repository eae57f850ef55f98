#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* libFuzzer's name for one run of a target: reads the SIZE bytes at INPUT, aborts
 * when something is wrong, and returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

/* What a target finds wrong. */
#define MUST(condition)                                                       \
    do {                                                                      \
        if (!(condition)) {                                                   \
            fprintf(stderr, "%s:%d: this must hold: %s\n", __FILE__,          \
                    __LINE__, #condition);                                    \
            abort();                                                          \
        }                                                                     \
    } while (0)

#endif
