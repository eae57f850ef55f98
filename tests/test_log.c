/*
 * crierd's log on a standard error that takes no bytes, and its first three
 * descriptors. The log belongs to the operator: whatever happens to it, crierd responds
 * to requests, and SIGTERM ends it in time.
 */
#include <config.h>

#include "crier.h"
#include "support/client.h"
#include "support/crierd.h"
#include "support/runner.h"
#include "support/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

/* More bytes than crierd keeps of its log, in lines of about so many bytes each. */
#define LINE 900
#define MANY 2600

/* Requests whose lines fit there. */
#define FEW 200

/* See support/crierd.c. */
#define STOP_TIME 15000

extern char **environ;

static pid_t pid;
static int reserved = -1, port;

/* ---- crierd with given descriptors -------------------------------------- */

/* Chooses a port and keeps others from getting it: a second socket can bind it only by
 * name, as crierd does. */
static void reserve_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int on = 1;

    reserved = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(reserved, 0);
    setsockopt(reserved, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    ck_assert_int_eq(
        bind(reserved, (struct sockaddr *)&address, sizeof address), 0);
    getsockname(reserved, (struct sockaddr *)&address, &length);
    port = ntohs(address.sin_port);
}

/* Runs crierd with WORDS, with STANDARD as its descriptors 0 to 2; -1 is a closed
 * one. */
static void spawn(char *const *words, const int *standard)
{
    posix_spawn_file_actions_t actions;
    int i;

    posix_spawn_file_actions_init(&actions);
    for (i = 0; i < 3; i++)
        if (standard[i] >= 0)
            posix_spawn_file_actions_adddup2(&actions, standard[i], i);
        else
            posix_spawn_file_actions_addclose(&actions, i);
    ck_assert_msg(getenv("CRIERD") != NULL, "CRIERD is not set: run make check");
    ck_assert_int_eq(posix_spawn(&pid, getenv("CRIERD"), &actions, NULL, words,
                                 environ),
                     0);
    posix_spawn_file_actions_destroy(&actions);
}

/* Starts crierd with STANDARD, and OPTION (a word or NULL), and waits until it
 * responds. */
static void start(const int *standard, const char *option)
{
    char address[32];
    char *words[] = {(char *)"crierd",  (char *)"--listen",
                     address,           (char *)"--www",
                     getenv("WWW"),     (char *)"--data",
                     getenv("DATA"),    (char *)"--threads",
                     (char *)"2",       (char *)option,
                     NULL};
    struct client client;
    uint64_t begun = crier_now();

    reserve_port();
    snprintf(address, sizeof address, "127.0.0.1:%d", port);
    spawn(words, standard);
    while (!client_try_connect(&client, port))
        ck_assert_uint_lt(crier_now() - begun, (uint64_t)PATIENCE);
    ck_assert_int_eq(client_request(&client, "GET", "/healthz", "", NULL), 200);
    client_close(&client);
}

/* Starts crierd with FD as its standard error. */
static void start_on(int fd)
{
    const int standard[] = {STDIN_FILENO, STDOUT_FILENO, fd};

    start(standard, NULL);
}

static int wait_for_exit(void)
{
    int status;

    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Ends crierd, which must not wait for the log, and serves until then. */
static void stop(void)
{
    struct client stream;
    uint64_t begun;

    client_connect(&stream, port);
    ck_assert_int_eq(client_request(&stream, "GET", "/topics/x", "", NULL),
                     200);
    begun = crier_now();
    ck_assert_int_eq(kill(pid, SIGTERM), 0);
    free(client_until(&stream, "retry: "));
    client_expect_end(&stream);
    ck_assert_int_eq(wait_for_exit(), 0);
    ck_assert_uint_lt(crier_now() - begun,
                      (uint64_t)(crierd_is_slow() ? PATIENCE : STOP_TIME));
    client_close(&stream);
    close(reserved);
}

/* Sends COUNT requests, the first of which has the number FIRST in its path. */
static void request(int first, int count)
{
    struct client client;
    char target[LINE];
    int i;

    client_connect(&client, port);
    for (i = first; i < first + count; i++) {
        memset(target, 'x', sizeof target);
        target[snprintf(target, sizeof target, "/%d/", i)] = 'x';
        target[sizeof target - 1] = '\0';
        ck_assert_int_eq(client_request(&client, "GET", target, "", NULL), 404);
        free(client_body(&client));
    }
    client_close(&client);
}

/* ---- what the log says -------------------------------------------------- */

/* Reads the lines of a log and follows what is in it. */
struct reader {
    FILE *file;
    int next;    /* the number of the request whose line must appear */
    int dropped; /* lines that are said to be dropped */
};

static struct reader reader_of(int fd)
{
    struct reader reader = {.file = fdopen(fd, "r")};

    ck_assert_ptr_nonnull(reader.file);
    return reader;
}

/* Takes a line, which must be whole. Returns whether there was one. */
static bool read_line(struct reader *reader)
{
    static const char format[] = "2026-11-27T00:00:00.000Z ";
    static const char says[] = "standard error did not accept them: ";
    char line[LINE + 200], *at;
    int number;

    if (fgets(line, sizeof line, reader->file) == NULL)
        return false;
    ck_assert_msg(strlen(line) > strlen(format) &&
                      line[strlen(line) - 1] == '\n' && line[4] == '-' &&
                      line[strlen(format) - 2] == 'Z',
                  "%s", line);
    at = strstr(line, says);
    if (at != NULL) {
        number = atoi(at + strlen(says));
        ck_assert_int_gt(number, 0);
        reader->dropped += number;
        reader->next += number;
    } else if (sscanf(line + strlen(format), "info GET /%d/", &number) == 1) {
        ck_assert_int_eq(number, reader->next);
        ck_assert_ptr_nonnull(strstr(line, "x 404 "));
        reader->next++;
    }
    return true;
}

static void read_until(struct reader *reader, int next)
{
    while (reader->next < next)
        ck_assert(read_line(reader));
    ck_assert_int_eq(reader->next, next);
}

static void make_pipe(int ends[2])
{
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    ck_assert_int_ge(fcntl(ends[1], F_SETPIPE_SZ, 4096), 0);
}

/* ---- standard error ----------------------------------------------------- */

/* crierd does not wait for a pipe that is not read. The log says how many lines are
 * missing, at their place. */
START_TEST(a_pipe_that_nobody_reads)
{
    struct reader reader;
    int ends[2];

    make_pipe(ends);
    start_on(ends[1]);
    close(ends[1]);
    request(0, MANY);
    reader = reader_of(ends[0]);
    read_until(&reader, MANY);
    ck_assert_int_gt(reader.dropped, 0);
    ck_assert_int_gt(MANY - reader.dropped, 1000); /* a MiB of them is kept */
    request(MANY, FEW); /* and all is as before */
    read_until(&reader, MANY + FEW);
    stop();
    fclose(reader.file);
}
END_TEST

START_TEST(sigterm_while_nobody_reads)
{
    int ends[2];

    make_pipe(ends);
    start_on(ends[1]);
    request(0, _i == 0 ? 50 : MANY);
    stop();
    close(ends[0]);
    close(ends[1]);
}
END_TEST

/* As by `crierd 2>&1 | head -1`. */
START_TEST(a_pipe_whose_reader_has_gone)
{
    struct reader reader;
    int ends[2];

    make_pipe(ends);
    start_on(ends[1]);
    close(ends[1]);
    reader = reader_of(ends[0]);
    ck_assert(read_line(&reader));
    fclose(reader.file);
    request(0, FEW);
    stop();
}
END_TEST

/* The flag is set by whoever shares the pipe: crierd waits all the same. */
START_TEST(a_pipe_that_does_not_block)
{
    struct reader reader;
    int ends[2];

    make_pipe(ends);
    ck_assert_int_eq(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    start_on(ends[1]);
    close(ends[1]);
    request(0, FEW);
    reader = reader_of(ends[0]);
    read_until(&reader, FEW);
    ck_assert_int_eq(reader.dropped, 0);
    stop();
    fclose(reader.file);
}
END_TEST

START_TEST(a_full_disk)
{
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    start_on(fd);
    request(0, FEW);
    stop();
    close(fd);
}
END_TEST

/* The largest size of a file that crierd may write. */
static void limit_file_size(rlim_t size)
{
    const struct rlimit limit = {size, RLIM_INFINITY};

    ck_assert_int_eq(prlimit(pid, RLIMIT_FSIZE, &limit, NULL), 0);
}

/* Waits until the file PATH has TEXT in its beginning. */
static void await_text(const char *path, const char *text)
{
    uint64_t begun = crier_now();
    char bytes[4096];
    size_t length;
    FILE *file;

    do {
        ck_assert_uint_lt(crier_now() - begun, (uint64_t)PATIENCE);
        file = fopen(path, "re");
        ck_assert_ptr_nonnull(file);
        length = fread(bytes, 1, sizeof bytes - 1, file);
        bytes[length] = '\0';
        fclose(file);
    } while (strstr(bytes, text) == NULL);
}

/* As by `ulimit -f`, and as on a disk that is full for a while: no signal ends crierd,
 * and once the file may grow again, the line that was cut is completed and the number
 * of the missing ones follows, whether or not there is something else to log. */
START_TEST(a_file_at_its_limit)
{
    char path[SCRATCH_SIZE + 8];
    struct reader reader;
    uint64_t begun;
    int fd;

    scratch_make();
    snprintf(path, sizeof path, "%s/log", scratch);
    fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    start_on(fd);
    await_text(path, "listening on"); /* it may be logged after a response */
    limit_file_size(10000);
    request(0, FEW);
    begun = crier_now();
    while (lseek(fd, 0, SEEK_END) < 10000)
        ck_assert_uint_lt(crier_now() - begun, (uint64_t)PATIENCE);
    request(FEW, FEW);
    limit_file_size(RLIM_INFINITY);
    if (_i == 0)
        request(2 * FEW, FEW);
    stop();
    lseek(fd, 0, SEEK_SET);
    reader = reader_of(fd);
    read_until(&reader, _i == 0 ? 3 * FEW : 2 * FEW);
    ck_assert_int_gt(reader.dropped, 0);
    fclose(reader.file);
    scratch_remove();
}
END_TEST

/* Takes all that a terminal has, without waiting. */
static void drain_terminal(int fd)
{
    struct pollfd wanted = {.fd = fd, .events = POLLIN};
    char text[4096];

    while (poll(&wanted, 1, 0) == 1 && read(fd, text, sizeof text) > 0)
        ;
}

/* As by Ctrl-S. */
START_TEST(a_stopped_terminal)
{
    int ours, its;

    ck_assert_int_eq(openpty(&ours, &its, NULL, NULL, NULL), 0);
    ck_assert_int_eq(fcntl(ours, F_SETFD, FD_CLOEXEC), 0);
    ck_assert_int_eq(fcntl(its, F_SETFD, FD_CLOEXEC), 0);
    start_on(its);
    drain_terminal(ours);
    ck_assert_int_eq(tcflow(its, TCOOFF), 0);
    request(0, FEW);
    if (_i == 0)
        close(its);
    stop();
    if (_i != 0)
        close(its);
    close(ours);
}
END_TEST

/* What does not go well at the start is said, but not waited for without end. */
START_TEST(a_bad_start_with_a_full_pipe)
{
    char *words[] = {(char *)"crierd",      (char *)"--listen",
                     (char *)"192.0.2.1:0", (char *)"--anonymous",
                     (char *)"all",         NULL};
    int ends[2], standard[] = {STDIN_FILENO, STDOUT_FILENO, 0};
    char block[4096] = "";

    make_pipe(ends);
    standard[2] = ends[1];
    ck_assert_int_eq(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    while (write(ends[1], block, sizeof block) > 0)
        ;
    ck_assert_int_eq(fcntl(ends[1], F_SETFL, 0), 0);
    spawn(words, standard);
    ck_assert_int_eq(wait_for_exit(), 1);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

/* ---- descriptors 0 to 2 ------------------------------------------------- */

/* Whether descriptor FD of crierd is /dev/null. */
static bool is_null(int fd)
{
    char path[64], target[64] = "";

    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, fd);
    ck_assert_int_gt(readlink(path, target, sizeof target - 1), 0);
    return strcmp(target, "/dev/null") == 0;
}

/* Nothing else gets the numbers of those that are closed, bit by bit of _i. */
START_TEST(closed_descriptors)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC), standard[3], i;
    char option[SCRATCH_SIZE + 40];

    ck_assert_int_ge(null, 3);
    for (i = 0; i < 3; i++)
        standard[i] = (_i & (1 << i)) != 0 ? -1 : null;
    scratch_make();
    snprintf(option, sizeof option, "--journal=sqlite:%s/journal", scratch);
    start(standard, option);
    for (i = 0; i < 3; i++)
        ck_assert_msg(is_null(i), "%d", i);
    ck_assert_int_eq(fetch(port, "POST", "/topics/x", "", "hello", NULL), 200);
    stop();
    start(standard, option); /* nobody has written into the journal */
    stop();
    close(null);
    scratch_remove();
}
END_TEST

static const struct {
    const char *option, *file; /* NULL: closed */
    int status;
} prints[] = {
    {"--version", "/dev/null", 0},
    {"--version", "/dev/full", 1},
    {"--version", NULL, 1},
    {"--help", "/dev/full", 1},
    {"--help", NULL, 1},
};

/* What was asked for and cannot be printed is a failure. */
START_TEST(what_is_printed)
{
    char *words[] = {(char *)"crierd", (char *)prints[_i].option, NULL};
    int standard[] = {STDIN_FILENO, -1, -1};

    if (prints[_i].file != NULL)
        standard[1] = open(prints[_i].file, O_WRONLY | O_CLOEXEC);
    spawn(words, standard);
    ck_assert_int_eq(wait_for_exit(), prints[_i].status);
}
END_TEST

/* Nor does crierd wait at its start for bytes from a pipe. */
START_TEST(a_pipe_among_the_data)
{
    char path[SCRATCH_SIZE + 20];
    char *words[] = {(char *)"crierd",      (char *)"--listen",
                     (char *)"127.0.0.1:0", (char *)"--www",
                     getenv("WWW"),         (char *)"--data",
                     NULL,                  NULL};
    const int standard[] = {-1, -1, -1};

    scratch_make();
    words[6] = scratch;
    snprintf(path, sizeof path, "%s/answers.txt", words[6]);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    spawn(words, standard);
    ck_assert_int_eq(wait_for_exit(), 1);
    scratch_remove();
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("log");
    TCase *c = add_case(s, "standard error");

    tcase_add_test(c, a_pipe_that_nobody_reads);
    tcase_add_loop_test(c, sigterm_while_nobody_reads, 0, 2);
    tcase_add_test(c, a_pipe_whose_reader_has_gone);
    tcase_add_test(c, a_pipe_that_does_not_block);
    tcase_add_test(c, a_full_disk);
    tcase_add_loop_test(c, a_file_at_its_limit, 0, 2);
    tcase_add_loop_test(c, a_stopped_terminal, 0, 2);
    tcase_add_test(c, a_bad_start_with_a_full_pipe);
    c = add_case(s, "descriptors 0 to 2");
    tcase_add_loop_test(c, closed_descriptors, 0, 8);
    tcase_add_loop_test(c, what_is_printed, 0,
                        (int)(sizeof prints / sizeof prints[0]));
    tcase_add_test(c, a_pipe_among_the_data);
    return s;
}

RUN_SUITE(suite)
