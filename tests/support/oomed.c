#include <config.h>

#include "oomed.h"

#include "oom_plan.h"
#include "preload.h"

#include <stdio.h>

static struct oom_told *told;

static int file = -1; /* the memory file that holds *told */

static void make_file(void)
{
    void *at;

    file = memfd_create("told", MFD_CLOEXEC);
    ck_assert_int_ge(file, 0);
    ck_assert_int_eq(ftruncate(file, sizeof *told), 0);
    at = mmap(NULL, sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED, file,
              0);
    ck_assert_ptr_ne(at, MAP_FAILED);
    told = at;
}

void oomed_begin(const char *of, unsigned long n)
{
    char path[64], number[32];

    make_file();
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)getpid(), file);
    snprintf(number, sizeof number, "%lu", n);
    setenv("CRIER_OOM_OF", of, 1);
    setenv("CRIER_OOM", number, 1);
    setenv("CRIER_OOM_TOLD", path, 1);
    if (strcmp(of, "tested") != 0) /* oom.c is in the program */
        preload(getenv("OOM"));
}

unsigned long oomed_end(void)
{
    unsigned long most = atomic_load(&told->most);

    munmap(told, sizeof *told);
    close(file);
    unsetenv("LD_PRELOAD");
    return most;
}

uint64_t oomed_time(uint64_t usual)
{
    const char *seconds = getenv("CRIER_OOM_SECONDS");

    return seconds != NULL ? 1000 * (uint64_t)strtoull(seconds, NULL, 10)
                           : usual;
}

/* Returns a number near the golden section of COUNT that has no divisor in common with
 * it: its multiples reach every number. */
static unsigned long choose_step(unsigned long count)
{
    unsigned long step = (unsigned long)((double)count * 0.618) + 1;
    unsigned long a, b, rest;

    for (;; step++) {
        for (a = step, b = count; b != 0; a = b, b = rest)
            rest = a % b;
        if (a == 1)
            return step;
    }
}

unsigned long oomed_number(unsigned long turn, unsigned long count)
{
    return turn * choose_step(count) % count + 1;
}
