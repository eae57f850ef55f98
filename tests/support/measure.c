#include <config.h>

#include "measure.h"

#include "client.h"
#include "crier.h"
#include "scratch.h"
#include "spawn.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WORDS_MAX 40

static char log_path[64];

void measure_set_up(void)
{
    scratch_make();
    snprintf(log_path, sizeof log_path, "%s/log", scratch);
    ck_assert_int_eq(setenv("TMPDIR", scratch, 1), 0);
    ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
}

const char *measure_log(void)
{
    return log_path;
}

char *measure_contents(const char *path)
{
    char *text = calloc(1, 65536);
    FILE *file = fopen(path, "re");

    ck_assert_ptr_nonnull(file);
    ck_assert_uint_lt(fread(text, 1, 65535, file), 65535);
    fclose(file);
    return text;
}

pid_t measure_start(const char *const *words, const char *const *more)
{
    const char *all[WORDS_MAX] = {NULL};
    int log = open(log_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    struct spawn spawn = {.words = all, .files = {0, log, log}};
    size_t count = 0;
    pid_t pid = 0;

    ck_assert_msg(words[0] != NULL, "the program is not set: run make check");
    while (*words != NULL && count < WORDS_MAX - 1)
        all[count++] = *words++;
    while (*more != NULL && count < WORDS_MAX - 1)
        all[count++] = *more++;
    ck_assert_int_ge(log, 0);
    ck_assert_int_eq(spawn_program(&spawn, &pid), 0);
    close(log);
    return pid;
}

void measure_wait_log(const char *text)
{
    uint64_t begun = crier_now();
    bool said = false;
    char *log;

    while (!said) {
        ck_assert_uint_lt(crier_now() - begun, PATIENCE);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        if (access(log_path, F_OK) != 0)
            continue;
        log = measure_contents(log_path);
        said = strstr(log, text) != NULL;
        free(log);
    }
}

/* Waits until this process has no child, not even one that it inherited. */
static void wait_for_rest(void)
{
    uint64_t begun = crier_now();

    while (waitpid(-1, NULL, WNOHANG) >= 0) {
        ck_assert_uint_lt(crier_now() - begun, PATIENCE);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    ck_assert_int_eq(errno, ECHILD);
}

void measure_kill(pid_t pid)
{
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    wait_for_rest();
}

/* How much of the end of a log is shown: check takes no longer messages. */
#define SHOWN 3000

void measure_expect(pid_t pid, int status, const char *text)
{
    char command[128], *log, *end;
    int ended;

    ck_assert_int_eq(waitpid(pid, &ended, 0), pid);
    log = measure_contents(log_path);
    end = strlen(log) > SHOWN ? log + strlen(log) - SHOWN : log;
    ck_assert_msg(WIFEXITED(ended) && WEXITSTATUS(ended) == status &&
                      strstr(log, text) != NULL,
                  "status %x and no '%s' in:\n%s", ended, text, end);
    free(log);
    wait_for_rest(); /* processes that were killed with it may still be ending */
    snprintf(command, sizeof command, "! ls -d %s/crier-bench-* 2>/dev/null",
             scratch);
    ck_assert_int_eq(system(command), 0);
}
