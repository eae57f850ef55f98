/*
 * Runs the unit tests with failing allocations: each program again and again, and each
 * time another one of its allocations fails, once (support/oom_plan.h), either of the
 * code that is tested or of the libraries below it. No run may end by a signal, with a
 * sanitizer's report or with a leak, and each run must end.
 *
 * The results of the tests do not count: most checks fail when a call returns an error.
 * check runs each test in a process of its own, and a test that fails ends its process
 * at once, without a check for leaks, since it did not free anything. So the address
 * sanitizer finds leaks only in tests that go on after the failure, which includes the
 * tests of exactly that. test_oom_crierd checks that acknowledged updates are kept.
 *
 * The N-th allocation fails in every test of the program in the same run. Threads make
 * it a different allocation from time to time. Each program is run for SWEEP ms, with
 * numbers spread evenly from the first allocation to the last. A program of which a
 * single run takes LONG is left out. The test prints both. `make oom` leaves none out,
 * and takes longer.
 *
 * CRIER_OOM=N CRIER_OOM_OF=tested tests/test_hub does one such run by hand.
 */
#include <config.h>

#include "crier.h"
#include "support/oomed.h"
#include "support/runner.h"
#include "support/scratch.h"
#include "support/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SWEEP 300   /* ms */
#define LONG 1000    /* ms */
#define HANG 300000   /* ms; a test's own time is up long before */
#define JOBS 2
#define PROGRAMS_MAX 128

static const char *const whose[] = {"tested", "libraries"};

static int long_run; /* ms: who takes longer for a run is left out */
static char *programs[PROGRAMS_MAX];
static int program_count;

/* A run of a program. */
struct run {
    unsigned long n; /* 0: nobody runs here */
    pid_t pid;
    int handle; /* to be polled */
    uint64_t until;
    char log[64]; /* what it says */
};

static const char *program; /* the one that is swept */
static struct run runs[JOBS];
static unsigned long finished, with_failures;

/* ---- one run ---------------------------------------------------------- */

/* Starts the program in a process group of its own, because check kills the whole group
 * when it is killed. */
static void start(struct run *run)
{
    int log = open(run->log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    const char *const words[] = {program, NULL};
    struct spawn spawn = {
        .words = words, .files = {0, log, log}, .group = true};
    char number[32];

    ck_assert_int_ge(log, 0);
    snprintf(number, sizeof number, "%lu", run->n);
    setenv("CRIER_OOM", number, 1);
    setenv("CK_MAX_MSG_SIZE", "20000", 1); /* with more check ends itself */
    ck_assert_int_eq(spawn_program(&spawn, &run->pid), 0);
    close(log);
}

static void begin(struct run *run, unsigned long n)
{
    run->n = n;
    snprintf(run->log, sizeof run->log, "%s/log%d", scratch,
             (int)(run - runs));
    run->until = crier_now() + HANG;
    start(run);
    run->handle = (int)syscall(SYS_pidfd_open, run->pid, 0);
    ck_assert_int_ge(run->handle, 0);
}

static char *read_log(const struct run *run)
{
    FILE *file = fopen(run->log, "r");
    char *text = NULL;
    size_t size = 0;

    ck_assert_ptr_nonnull(file);
    if (getdelim(&text, &size, EOF, file) < 0) {
        free(text);
        text = strdup("");
    }
    fclose(file);
    return text;
}

/* Whether LOG ends with an assertion of jansson (2.14) that memory was enough: that it could
 * copy a string, or take a byte back. That is a fault of jansson, which this test ignores. */
static bool is_of_jansson(const char *log)
{
    return strstr(log, "lex_scan_string: Assertion") != NULL ||
           strstr(log, "lex_unget_unsave: Assertion") != NULL;
}

/* Returns what is wrong with a run that ended with STATUS and printed LOG; NULL if
 * nothing is. check prints "E" for a test that crashed. The replay of a corpus may
 * abort itself when a condition does not hold; that is no crash. */
static const char *find_wrong(int status, const char *log)
{
    if (strstr(log, "Sanitizer") != NULL ||
        strstr(log, "runtime error:") != NULL)
        return "a sanitizer's report";
    if (strstr(log, ":E:") != NULL)
        return "a test ended as none may";
    if (WIFSIGNALED(status) && (WTERMSIG(status) != SIGABRT ||
                                (strstr(log, "this must hold:") == NULL &&
                                 !is_of_jansson(log))))
        return "a signal";
    if (WIFEXITED(status) && WEXITSTATUS(status) > 1)
        return "an exit status that is no test's";
    return NULL;
}

/* Judges a run that has ended. */
static void finish(struct run *run)
{
    const char *wrong;
    int status;
    char *log;

    ck_assert_int_eq(waitpid(run->pid, &status, 0), run->pid);
    close(run->handle);
    log = read_log(run);
    wrong = find_wrong(status, log);
    if (wrong == NULL && run->n == 0 && status != 0)
        wrong = "it fails without that, too";
    if (wrong != NULL)
        printf("%s\n", log);
    fflush(stdout);
    ck_assert_msg(wrong == NULL, "CRIER_OOM=%lu CRIER_OOM_OF=%s %s: %s", run->n,
                  getenv("CRIER_OOM_OF"), program, wrong);
    free(log);
    finished++;
    with_failures += status != 0;
    run->pid = 0;
}

/* Waits for a run to end. */
static struct run *wait_for_one(void)
{
    struct pollfd polled[JOBS];
    int i;

    for (i = 0; i < JOBS; i++)
        polled[i] = (struct pollfd){runs[i].pid != 0 ? runs[i].handle : -1,
                                    POLLIN, 0};
    ck_assert_msg(poll(polled, JOBS, HANG) > 0, "%s does not end", program);
    for (i = 0; polled[i].revents == 0; i++)
        continue;
    finish(&runs[i]);
    return &runs[i];
}

/* ---- all of a program ------------------------------------------------- */

static bool is_running(void)
{
    int i;

    for (i = 0; i < JOBS; i++)
        if (runs[i].pid != 0)
            return true;
    return false;
}

/* Runs the program once for each of COUNT allocations, as far as the time allows. */
static void sweep(unsigned long count)
{
    unsigned long begun = 0;
    uint64_t until = crier_now() + oomed_time(SWEEP);
    int i;

    while (begun < count && crier_now() < until) {
        for (i = 0; i < JOBS && runs[i].pid != 0; i++)
            continue;
        if (i == JOBS)
            i = (int)(wait_for_one() - runs);
        begin(&runs[i], oomed_number(begun++, count));
    }
    while (is_running())
        wait_for_one();
}

/* Runs the program without a failure. Returns the number of its allocations, or -1 if
 * the run took too long for a sweep and was killed. */
static long count_allocations(const char *of)
{
    struct pollfd ended = {.events = POLLIN};
    long count;

    oomed_begin(of, 0);
    begin(&runs[0], 0);
    ended.fd = runs[0].handle;
    if (poll(&ended, 1, long_run) == 1) {
        finish(&runs[0]);
        count = (long)oomed_end();
        printf("%s: %ld allocations (%s)\n", program, count, of);
        return count;
    }
    ck_assert_int_eq(kill(runs[0].pid, SIGTERM), 0);
    ck_assert_int_eq(waitpid(runs[0].pid, NULL, 0), runs[0].pid);
    close(runs[0].handle);
    oomed_end();
    printf("%s: left out, since a run takes more than %d ms\n", program, long_run);
    return -1;
}

static void sweep_program(void)
{
    size_t i;
    long count;

    for (i = 0; i < sizeof whose / sizeof whose[0]; i++) {
        unsetenv("CRIER_PATIENCE");
        unsetenv("CK_TIMEOUT_MULTIPLIER");
        count = count_allocations(whose[i]);
        if (count < 0)
            return;
        setenv("CRIER_PATIENCE", "1000", 1);
        setenv("CK_TIMEOUT_MULTIPLIER", "0.1", 1);
        finished = with_failures = 0;
        oomed_begin(whose[i], 0);
        sweep((unsigned long)count);
        oomed_end();
        printf("    %lu of them failed, and in %lu runs a test did\n", finished,
               with_failures);
    }
}

START_TEST(a_program)
{
    program = programs[_i];
    scratch_make();
    setenv("CRIER_SCRATCH", scratch, 1);
    setenv("CK_FORK", "yes", 1);
    sweep_program();
    fflush(stdout);
    unsetenv("CRIER_SCRATCH");
    scratch_remove();
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("oom");
    TCase *c = add_case(s, "oom");
    const char *list = getenv("OOM_PROGRAMS");
    char *rest = strdup(list != NULL ? list : ""), *word;

    long_run = oomed_time(0) != 0 ? HANG : LONG;
    while ((word = strsep(&rest, " ")) != NULL)
        if (word[0] != '\0' && program_count < PROGRAMS_MAX)
            programs[program_count++] = word;
    tcase_set_timeout(c, 1000.0 + 2 * (double)oomed_time(SWEEP) / 1000);
    tcase_add_loop_test(c, a_program, 0, program_count);
    return s;
}

RUN_SUITE_IF(suite, OOMED_CAN_RUN, OOMED_WHY_NOT)
