#include <config.h>

#include "scratch.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

char scratch[SCRATCH_SIZE];

void scratch_make(void)
{
    const char *in = getenv("CRIER_SCRATCH");

    snprintf(scratch, sizeof scratch, "%s%s-XXXXXX",
             in != NULL ? in : "/tmp/crier-test", in != NULL ? "/t" : "");
    ck_assert_ptr_nonnull(mkdtemp(scratch));
}

void scratch_write(const char *name, const char *text)
{
    char path[SCRATCH_SIZE + 32];
    FILE *to;

    snprintf(path, sizeof path, "%s/%s", scratch, name);
    to = fopen(path, "we");
    ck_assert_ptr_nonnull(to);
    ck_assert_int_ge(fputs(text, to), 0);
    ck_assert_int_eq(fclose(to), 0);
}

void scratch_remove(void)
{
    char command[SCRATCH_SIZE + 16];

    snprintf(command, sizeof command, "rm -r %s", scratch);
    ck_assert_int_eq(system(command), 0);
}
