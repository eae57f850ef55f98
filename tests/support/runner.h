#ifndef TESTS_RUNNER_H
#define TESTS_RUNNER_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

/* Automake's exit status for a test that was skipped. */
#define EXIT_SKIPPED 77

/* Runs SUITE. Returns the exit status of a test program. */
static inline int run_suite(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    int failed;

    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* The main() of a test program: runs the suite that MAKE_SUITE() returns if
 * CONDITION holds, and otherwise says that it is skipped, and why. */
#define RUN_SUITE_IF(make_suite, condition, why_not)                          \
    int main(void)                                                            \
    {                                                                         \
        if (!(condition)) {                                                   \
            printf("SKIPPED: %s\n", why_not);                                 \
            return EXIT_SKIPPED;                                              \
        }                                                                     \
        return run_suite(make_suite());                                       \
    }

#define RUN_SUITE(make_suite) RUN_SUITE_IF(make_suite, 1, "")

/* A case named NAME in SUITE with a timeout that only a hang reaches. */
static inline TCase *add_case(Suite *suite, const char *name)
{
    TCase *tcase = tcase_create(name);

    tcase_set_timeout(tcase, 300);
    suite_add_tcase(suite, tcase);
    return tcase;
}

#endif
