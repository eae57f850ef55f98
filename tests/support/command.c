#include <config.h>

#include "command.h"

#include "client.h"
#include "scratch.h"
#include "spawn.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define WORDS_MAX 64

/* ---- output ----------------------------------------------------------- */

static void *read_output(void *closure)
{
    struct command_output *output = closure;
    char block[65536];
    ssize_t got;

    /* a terminal whose other end is closed gives EIO */
    while ((got = read(output->fd, block, sizeof block)) > 0) {
        pthread_mutex_lock(&output->lock);
        output->text = realloc(output->text, output->length + (size_t)got + 1);
        memcpy(output->text + output->length, block, (size_t)got);
        output->length += (size_t)got;
        output->text[output->length] = '\0';
        pthread_cond_broadcast(&output->more);
        pthread_mutex_unlock(&output->lock);
    }
    pthread_mutex_lock(&output->lock);
    output->ended = true;
    pthread_cond_broadcast(&output->more);
    pthread_mutex_unlock(&output->lock);
    return NULL;
}

static void output_start(struct command_output *output)
{
    ck_assert_int_eq(
        pthread_create(&output->reader, NULL, read_output, output), 0);
}

static void output_init(struct command_output *output, int fd, bool read)
{
    memset(output, 0, sizeof *output);
    output->fd = fd;
    output->text = calloc(1, 1);
    pthread_mutex_init(&output->lock, NULL);
    pthread_cond_init(&output->more, NULL);
    if (read)
        output_start(output);
}

static void output_done(struct command_output *output)
{
    free(output->text);
    pthread_mutex_destroy(&output->lock);
    pthread_cond_destroy(&output->more);
}

static bool is_there(const struct command_output *output, const char *text,
                     size_t lines)
{
    const char *at = output->text;

    if (text != NULL)
        return strstr(at, text) != NULL;
    for (; lines > 0 && (at = strchr(at, '\n')) != NULL; at++)
        lines--;
    return lines == 0;
}

static void wait_for(struct command_output *output, const char *text,
                     size_t lines)
{
    struct timespec until;
    int error = 0;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE / 1000;
    pthread_mutex_lock(&output->lock);
    while (!is_there(output, text, lines) && !output->ended && error == 0)
        error = pthread_cond_timedwait(&output->more, &output->lock, &until);
    ck_assert_msg(is_there(output, text, lines),
                  "it never printed '%s' (%zu lines), only:\n%s",
                  text != NULL ? text : "", lines, output->text);
    pthread_mutex_unlock(&output->lock);
}

void output_wait(struct command_output *output, const char *text)
{
    wait_for(output, text, 0);
}

void output_wait_lines(struct command_output *output, size_t lines)
{
    wait_for(output, NULL, lines);
}

bool output_has(struct command_output *output, const char *text)
{
    bool has;

    pthread_mutex_lock(&output->lock);
    has = strstr(output->text, text) != NULL;
    pthread_mutex_unlock(&output->lock);
    return has;
}

/* ---- the process ------------------------------------------------------ */

/* Makes both ends of a standard file of the command: a terminal, or a pipe to the
 * command or FROM it. */
static void make_file(bool terminal, bool from, int *ours, int *its)
{
    struct winsize size = {.ws_row = 24, .ws_col = 80};
    struct termios raw;
    int ends[2];

    if (terminal) {
        ck_assert_int_eq(openpty(ours, its, NULL, NULL, &size), 0);
        if (from) { /* the terminal does not change the output */
            tcgetattr(*its, &raw);
            cfmakeraw(&raw);
            tcsetattr(*its, TCSANOW, &raw);
        }
        fcntl(*ours, F_SETFD, FD_CLOEXEC);
        fcntl(*its, F_SETFD, FD_CLOEXEC);
        return;
    }
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    *ours = ends[from ? 0 : 1];
    *its = ends[from ? 1 : 0];
}

/* Replaces the descriptor FD by a file on a full disk. */
static void make_full(int fd)
{
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

    ck_assert_int_ge(full, 0);
    ck_assert_int_eq(dup3(full, fd, O_CLOEXEC), fd);
    close(full);
}

/* Starts the command with the descriptors FILES. */
static pid_t run_words(const char *const *words, const int files[3])
{
    const char *all[WORDS_MAX] = {NULL}, *wrapper = getenv("CRIERD_WRAPPER");
    char *front = strdup(wrapper != NULL ? wrapper : ""), *rest = front, *word;
    struct spawn spawn = {.words = all,
                          .files = {files[0], files[1], files[2]}};
    size_t count = 0;
    pid_t pid = 0;
    int error;

    while ((word = strsep(&rest, " ")) != NULL)
        if (*word != '\0')
            all[count++] = word;
    all[count++] = getenv("CRIER");
    for (; *words != NULL && count < WORDS_MAX - 1; words++)
        all[count++] = *words;
    error = spawn_program(&spawn, &pid);
    ck_assert_msg(error == 0, "%s: %s", all[0], strerror(-error));
    free(front);
    return pid;
}

void command_start(struct command *command, int files,
                   const char *const *words)
{
    int its[3], out, err, i;

    ck_assert_msg(getenv("CRIER") != NULL, "CRIER is not set: run make check");
    signal(SIGPIPE, SIG_IGN); /* the command need not read its input */
    make_file(files & COMMAND_IN_TERMINAL, false, &command->input, &its[0]);
    make_file(files & COMMAND_OUT_TERMINAL, true, &out, &its[1]);
    make_file(files & COMMAND_ERR_TERMINAL, true, &err, &its[2]);
    if (files & COMMAND_OUT_FULL)
        make_full(its[1]);
    command->pid = run_words(words, its);
    for (i = 0; i < 3; i++)
        close(its[i]);
    output_init(&command->out, out, !(files & COMMAND_OUT_UNREAD));
    output_init(&command->err, err, true);
}

void command_write(struct command *command, const char *text)
{
    size_t length = strlen(text);
    ssize_t written;

    while (length != 0) {
        written = write(command->input, text, length);
        if (written < 0 && errno == EPIPE)
            return;
        ck_assert_int_gt(written, 0);
        text += written;
        length -= (size_t)written;
    }
}

void command_close_input(struct command *command)
{
    if (command->input >= 0)
        close(command->input);
    command->input = -1;
}

void command_read(struct command *command) { output_start(&command->out); }

static bool has_ended(const struct command *command)
{
    siginfo_t information = {0};

    ck_assert_int_eq(waitid(P_PID, (id_t)command->pid, &information,
                            WEXITED | WNOWAIT | WNOHANG),
                     0);
    return information.si_pid != 0;
}

bool command_wait_full(const struct command *command)
{
    struct pollfd polled = {.events = POLLOUT};
    char path[64];
    bool ended = false;

    snprintf(path, sizeof path, "/proc/self/fd/%d", command->out.fd);
    polled.fd = open(path, O_WRONLY | O_CLOEXEC);
    ck_assert_int_ge(polled.fd, 0);
    while (!ended && poll(&polled, 1, 0) > 0) {
        ended = has_ended(command);
        sched_yield();
    }
    close(polled.fd);
    return !ended;
}

void command_wait_taken(const struct command *command)
{
    unsigned long long pending;
    char path[64], line[128];
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/status", (int)command->pid);
    do {
        sched_yield();
        file = fopen(path, "r");
        ck_assert_ptr_nonnull(file);
        pending = 0;
        while (fgets(line, sizeof line, file) != NULL)
            sscanf(line, "ShdPnd: %llx", &pending);
        fclose(file);
    } while (pending != 0);
}

void command_close_output(struct command *command)
{
    close(command->out.fd);
    command->out.fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

void command_wait_end(struct command *command)
{
    siginfo_t information;

    ck_assert_int_eq(waitid(P_PID, (id_t)command->pid, &information,
                            WEXITED | WNOWAIT),
                     0);
}

int command_wait(struct command *command)
{
    int status;

    ck_assert_int_eq(waitpid(command->pid, &status, 0), command->pid);
    pthread_join(command->out.reader, NULL);
    pthread_join(command->err.reader, NULL);
    command_close_input(command);
    close(command->out.fd);
    close(command->err.fd);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

int command_stop(struct command *command, int signal)
{
    ck_assert_int_eq(kill(command->pid, signal), 0);
    return command_wait(command);
}

void command_done(struct command *command)
{
    output_done(&command->out);
    output_done(&command->err);
}

int command_run(struct command *command, const char *input,
                const char *const *words)
{
    command_start(command, 0, words);
    if (input != NULL)
        command_write(command, input);
    command_close_input(command);
    return command_wait(command);
}

void command_expect(int status, const char *out, const char *err,
                    const char *input, const char *const *words)
{
    struct command command;
    int got = command_run(&command, input, words);

    ck_assert_msg(got == status, "status %d, not %d, and: %s", got, status,
                  command.err.text);
    if (out != NULL)
        ck_assert_str_eq(command.out.text, out);
    if (err != NULL)
        ck_assert_msg(*err == '\0' ? command.err.length == 0
                                   : strstr(command.err.text, err) != NULL,
                      "'%s' instead of '%s'", command.err.text, err);
    command_done(&command);
}

void command_environment(int server_port)
{
    char server[64];

    ck_assert_int_eq(setenv("HOME", scratch, 1), 0);
    setenv("TERM", "xterm", 1);
    setenv("TZ", "UTC", 1);
    setenv("no_proxy", "*", 1);
    unsetenv("XDG_CONFIG_HOME");
    unsetenv("CRIER_SERVER");
    unsetenv("CRIER_TOKEN");
    unsetenv("CRIER_KEY");
    unsetenv("NO_COLOR");
    if (server_port == 0)
        return;
    snprintf(server, sizeof server, "http://127.0.0.1:%d", server_port);
    setenv("CRIER_SERVER", server, 1);
}
