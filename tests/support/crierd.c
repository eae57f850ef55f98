#include <config.h>

#include "crierd.h"

#include "client.h"
#include "crier.h"
#include "spawn.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WORDS_MAX 64

/* The room for the log at first, in bytes. */
#define LOG_SIZE ((size_t)64 * 1024)

/* A graceful shutdown that takes longer, in ms, waits for what it must not wait for:
 * connections that are idle for 30 s, for example. That it takes no longer than crierd
 * promises is tested where nothing else runs (test_stop). */
#define STOP_TIME 15000

bool crierd_is_slow(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return true;
#else
    return getenv("CRIERD_WRAPPER") != NULL;
#endif
}

/* Makes room in the log of CRIERD for MORE bytes and a NUL; under its lock. */
static void grow_log(struct crierd *crierd, size_t more)
{
    size_t capacity = crierd->capacity;

    while (crierd->length + more >= capacity)
        capacity *= 2;
    if (capacity == crierd->capacity)
        return;
    crierd->log = mremap(crierd->log, crierd->capacity, capacity, MREMAP_MAYMOVE);
    if (crierd->log == MAP_FAILED)
        abort();
    crierd->capacity = capacity;
}

/* Reads the log. Where tests share a crierd, check forks a process for each test while this
 * runs: it must not hold a lock of malloc() then, on which the child would wait for ever. So
 * the log is mapped memory. */
static void *read_log(void *argument)
{
    struct crierd *crierd = argument;
    char block[4096];
    ssize_t got;

    while ((got = read(crierd->log_end, block, sizeof block)) > 0) {
        pthread_mutex_lock(&crierd->lock);
        grow_log(crierd, (size_t)got);
        memcpy(crierd->log + crierd->length, block, (size_t)got);
        crierd->length += (size_t)got;
        crierd->log[crierd->length] = '\0';
        pthread_cond_broadcast(&crierd->more);
        pthread_mutex_unlock(&crierd->lock);
    }
    pthread_mutex_lock(&crierd->lock);
    crierd->ended = true;
    pthread_cond_broadcast(&crierd->more);
    pthread_mutex_unlock(&crierd->lock);
    return NULL;
}

/* Appends the words of TEXT, which it overwrites, to WORDS. */
static void add_words(char **words, char *text)
{
    size_t count = 0;
    char *word;

    while (words[count] != NULL)
        count++;
    while ((word = strsep(&text, " ")) != NULL)
        if (*word != '\0') {
            ck_assert_uint_lt(count, WORDS_MAX - 1);
            words[count++] = word;
        }
}

static char *copy_of_env(const char *name)
{
    const char *value = getenv(name);

    return strdup(value != NULL ? value : "");
}

void crierd_spawn(struct crierd *crierd, const char *options)
{
    char *words[WORDS_MAX] = {NULL};
    char *wrapper = copy_of_env("CRIERD_WRAPPER");
    char *program = copy_of_env("CRIERD"), *rest = strdup(options);
    struct spawn spawn = {.words = (const char *const *)words};
    int ends[2], error;

    ck_assert_msg(*program != '\0', "CRIERD is not set: run make check");
    memset(crierd, 0, sizeof *crierd);
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    add_words(words, wrapper);
    add_words(words, program);
    add_words(words, rest);
    spawn.files[STDERR_FILENO] = ends[1];
    error = spawn_program(&spawn, &crierd->pid);
    ck_assert_msg(error == 0, "%s: %s", words[0], strerror(-error));
    close(ends[1]);
    free(wrapper);
    free(program);
    free(rest);
    crierd->log_end = ends[0];
    crierd->capacity = LOG_SIZE;
    crierd->log = mmap(NULL, LOG_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                       0);
    ck_assert_ptr_ne(crierd->log, MAP_FAILED);
    pthread_mutex_init(&crierd->lock, NULL);
    pthread_cond_init(&crierd->more, NULL);
    pthread_create(&crierd->reader, NULL, read_log, crierd);
}

/* Waits until the log contains TEXT, or ends. Returns whether it contains TEXT. */
static bool wait_log(struct crierd *crierd, const char *text)
{
    struct timespec until;
    int error = 0;
    bool logged;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE / 1000;
    pthread_mutex_lock(&crierd->lock);
    while (strstr(crierd->log, text) == NULL && !crierd->ended && error == 0)
        error = pthread_cond_timedwait(&crierd->more, &crierd->lock, &until);
    logged = strstr(crierd->log, text) != NULL;
    ck_assert_msg(logged || error == 0, "the log never said '%s', only:\n%s",
                  text, crierd->log);
    pthread_mutex_unlock(&crierd->lock);
    return logged;
}

void crierd_wait_log(struct crierd *crierd, const char *text)
{
    ck_assert_msg(wait_log(crierd, text), "the log ended before '%s':\n%s",
                  text, crierd->log);
}

/* How often the log contains TEXT; the caller holds the lock. */
static int count_lines(const struct crierd *crierd, const char *text)
{
    const char *at;
    int found = 0;

    for (at = crierd->log; (at = strstr(at, text)) != NULL; at++)
        found++;
    return found;
}

void crierd_wait_lines(struct crierd *crierd, const char *text, int count)
{
    int found;

    pthread_mutex_lock(&crierd->lock);
    while ((found = count_lines(crierd, text)) < count && !crierd->ended)
        pthread_cond_wait(&crierd->more, &crierd->lock);
    pthread_mutex_unlock(&crierd->lock);
    ck_assert_int_ge(found, count);
}

bool crierd_logged(struct crierd *crierd, const char *text)
{
    bool logged;

    pthread_mutex_lock(&crierd->lock);
    logged = strstr(crierd->log, text) != NULL;
    pthread_mutex_unlock(&crierd->lock);
    return logged;
}

static void clean_up(struct crierd *crierd)
{
    munmap(crierd->log, crierd->capacity);
    pthread_mutex_destroy(&crierd->lock);
    pthread_cond_destroy(&crierd->more);
}

/* Waits for the end of the process and of its log. */
static int reap(struct crierd *crierd)
{
    int status;

    ck_assert_int_eq(waitpid(crierd->pid, &status, 0), crierd->pid);
    pthread_join(crierd->reader, NULL);
    close(crierd->log_end);
    return status;
}

void crierd_kill(struct crierd *crierd)
{
    ck_assert_int_eq(kill(crierd->pid, SIGKILL), 0);
    ck_assert(WIFSIGNALED(reap(crierd)));
    clean_up(crierd);
}

/* Waits until it ends, and prints the log unless it exits with ALLOWED or 0. */
static int wait_for_end(struct crierd *crierd, int allowed)
{
    int status = reap(crierd);

    if (!WIFEXITED(status) || (WEXITSTATUS(status) != allowed &&
                               WEXITSTATUS(status) != 0))
        fprintf(stderr, "crierd's log:\n%s", crierd->log);
    clean_up(crierd);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int crierd_wait(struct crierd *crierd)
{
    return wait_for_end(crierd, 0);
}

/* ---- listening -------------------------------------------------------- */

/* Starts crierd on PORT; 0: a free one. */
static bool try_start_on(struct crierd *crierd, int port, const char *options,
                         int *status)
{
    static const char listening[] = "listening on http://";
    char *all, *colon;

    ck_assert_int_gt(asprintf(&all,
                              "--listen 127.0.0.1:%d --www %s --data %s %s",
                              port, getenv("WWW"), getenv("DATA"), options),
                     0);
    crierd_spawn(crierd, all);
    free(all);
    if (!wait_log(crierd, listening)) {
        ck_assert_uint_gt(crierd->length, 0);
        *status = wait_for_end(crierd, EXIT_FAILURE);
        return false;
    }
    pthread_mutex_lock(&crierd->lock);
    colon = strstr(crierd->log, listening) + strlen(listening);
    if (*colon == '[')
        colon = strchr(colon, ']');
    crierd->port = (int)strtol(strchr(colon, ':') + 1, NULL, 10);
    pthread_mutex_unlock(&crierd->lock);
    ck_assert_int_gt(crierd->port, 0);
    return true;
}

bool crierd_try_start(struct crierd *crierd, const char *options, int *status)
{
    return try_start_on(crierd, 0, options, status);
}

void crierd_start(struct crierd *crierd, const char *options)
{
    crierd_start_on(crierd, 0, options);
}

void crierd_start_on(struct crierd *crierd, int port, const char *options)
{
    int status;

    ck_assert(try_start_on(crierd, port, options, &status));
}

void crierd_stop_by(struct crierd *crierd, int signal)
{
    uint64_t begun = crier_now();

    ck_assert_int_eq(kill(crierd->pid, signal), 0);
    ck_assert_int_eq(crierd_wait(crierd), 0);
    ck_assert_uint_lt(crier_now() - begun,
                      crierd_is_slow() ? PATIENCE : STOP_TIME);
}

void crierd_stop(struct crierd *crierd)
{
    crierd_stop_by(crierd, SIGTERM);
}
