#ifndef TESTS_RUNNER_H
#define TESTS_RUNNER_H

#include <check.h>
#include <stdlib.h>

/* The main() of a test program: runs the suite that MAKE_SUITE() returns. */
#define RUN_SUITE(make_suite)                                                 \
    int main(void)                                                            \
    {                                                                         \
        SRunner *runner = srunner_create(make_suite());                       \
        int failed;                                                           \
                                                                              \
        srunner_run_all(runner, CK_NORMAL);                                   \
        failed = srunner_ntests_failed(runner);                               \
        srunner_free(runner);                                                 \
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;                     \
    }

/* A case named NAME in SUITE with a timeout that only a hang reaches. */
static inline TCase *add_case(Suite *suite, const char *name)
{
    TCase *tcase = tcase_create(name);

    tcase_set_timeout(tcase, 120);
    suite_add_tcase(suite, tcase);
    return tcase;
}

#endif
