#include <config.h>

#include "scratch.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char scratch[] = "/tmp/crier-test-XXXXXX";

void scratch_make(void)
{
    memset(scratch + sizeof scratch - 7, 'X', 6);
    ck_assert_ptr_nonnull(mkdtemp(scratch));
}

void scratch_remove(void)
{
    char command[64];

    snprintf(command, sizeof command, "rm -r %s", scratch);
    ck_assert_int_eq(system(command), 0);
}
