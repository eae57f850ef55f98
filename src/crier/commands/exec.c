/*
 * --exec: runs a process for each event, with the event in its environment and its data
 * on standard input.
 *
 * Standard input is a file in memory (memfd_create(2)). A pipe would have to be fed
 * while the command runs, and watched for a command that does not read. The file has no
 * name and disappears with the process.
 *
 * An environment string cannot contain a NUL or be longer than 128 KiB. A variable that
 * would is left out; the data are on standard input anyway.
 *
 * If SIGCHLD was ignored when crier started, no child would leave an exit status. So
 * crier resets it to the default, and does not restore it for the command: the command
 * could exit before crier has reset it again, and POSIX does not say whether a program
 * inherits an ignored SIGCHLD at all.
 *
 * While the command runs, signals that would end crier are forwarded to it: a service
 * manager that signals crier alone also means the command. A signal from a terminal has
 * already reached the command, which is in the same process group. (One that another
 * process sent to the whole group cannot be distinguished, and reaches the command
 * twice.)
 *
 * The command gets the other signals as crier got them, and of the descriptors the
 * first three and those that crier inherited: 3>file is meant for the command. Not
 * every linked library opens its descriptors with close-on-exec, so before each start
 * all others get that flag, by the list in /proc. No other thread of crier opens
 * descriptors meanwhile (libcurl's resolver has a socket pair, which is open already).
 */
#include <config.h>

#include "exec.h"

#include "crier/cli/note.h"
#include "crier/cli/printable.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* Linux's MAX_ARG_STRLEN, including the NUL. */
#define VARIABLE_MAX ((size_t)128 * 1024)

/* ---- descriptors -------------------------------------------------------- */

static bool is_inherited(const struct exec *exec, int fd)
{
    size_t i;

    for (i = 0; i < exec->inherited_count; i++)
        if (exec->inherited[i] == fd)
            return true;
    return false;
}

/* Calls LOOK for each open descriptor but the first three. */
static void for_each_descriptor(struct exec *exec,
                                void (*look)(struct exec *exec, int fd))
{
    DIR *list = opendir("/proc/self/fd");
    struct dirent *entry;
    int fd;

    if (list == NULL)
        return;
    while ((entry = readdir(list)) != NULL) {
        fd = (int)strtol(entry->d_name, NULL, 10);
        if (fd > STDERR_FILENO && fd != dirfd(list))
            look(exec, fd);
    }
    closedir(list);
}

static void remember_inherited(struct exec *exec, int fd)
{
    size_t size = (exec->inherited_count + 1) * sizeof(int);
    int *more = realloc(exec->inherited, size);

    if (more == NULL)
        return; /* then the command does not inherit this one */
    exec->inherited = more;
    exec->inherited[exec->inherited_count++] = fd;
}

static void close_on_exec(struct exec *exec, int fd)
{
    if (!is_inherited(exec, fd))
        fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* ---- environment -------------------------------------------------------- */

/* Returns a new "NAME=VALUE" with LENGTH bytes of value, or NULL if it does not fit. */
static char *make_variable(const char *name, const char *value, size_t length)
{
    struct text text = {0};

    if (strlen(name) + 1 + length + 1 > VARIABLE_MAX ||
        memchr(value, '\0', length) != NULL)
        return NULL;
    text_add_string(&text, name);
    text_add_string(&text, "=");
    text_add(&text, value, length);
    return text.bytes;
}

/* Returns whether ENTRY is one of the variables that describe the event. */
static bool is_event_variable(const char *entry)
{
    static const char *const names[] = {
        "CRIER_ID=", "CRIER_EVENT=", "CRIER_TOPIC=", "CRIER_DATA="};
    size_t i;

    for (i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strncmp(entry, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

/* Returns a new environment for MESSAGE, or NULL. The caller also frees its first *OWN
 * entries. */
static char **make_environment(const struct crier_message *message, size_t *own)
{
    const char *topics = message->topics != NULL ? message->topics : "";
    const char *id = message->has_id ? message->id : "";
    char *variables[] = {
        make_variable("CRIER_ID", id, strlen(id)),
        make_variable("CRIER_EVENT", message->type, message->type_length),
        make_variable("CRIER_TOPIC", topics, strlen(topics)),
        make_variable("CRIER_DATA", message->data, message->length),
    };
    size_t count = 0, i;
    char **entries;

    while (environ[count] != NULL)
        count++;
    entries = calloc(count + 5, sizeof *entries);
    *own = 0;
    for (i = 0; i < 4; i++) {
        if (entries == NULL)
            free(variables[i]);
        else if (variables[i] != NULL)
            entries[(*own)++] = variables[i];
    }
    for (count = *own, i = 0; entries != NULL && environ[i] != NULL; i++)
        if (!is_event_variable(environ[i]))
            entries[count++] = environ[i];
    return entries;
}

static void free_environment(char **entries, size_t own)
{
    while (own > 0)
        free(entries[--own]);
    free(entries);
}

/* ---- running ------------------------------------------------------------ */

/* Returns a new file in memory with the LENGTH bytes at BYTES, positioned at its start;
 * -1 with errno. */
static int make_input(const char *bytes, size_t length)
{
    int file = memfd_create("event", MFD_CLOEXEC), error;
    size_t done = 0;
    ssize_t written;

    if (file < 0)
        return -1;
    while (done < length) {
        written = write(file, bytes + done, length - done);
        if (written < 0)
            goto failed;
        done += (size_t)written;
    }
    if (lseek(file, 0, SEEK_SET) == 0)
        return file;
failed:
    error = errno;
    close(file);
    errno = error;
    return -1;
}

/* Starts the command. Returns 0 or an errno. */
static int spawn_command(const struct exec *exec, int input, char **environment,
                         pid_t *process)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t defaults;
    int error;

    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_adddup2(&files, input, STDIN_FILENO);
    sigemptyset(&defaults);
    signals_add_ignored(&defaults);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setsigmask(&attributes, &exec->signals->old);
    posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    error = posix_spawnp(process, exec->argv[0], &files, &attributes, exec->argv,
                         environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return error;
}

/* Starts the command for MESSAGE. Returns false after reporting an error. */
static bool start_for_event(const struct exec *exec,
                            const struct crier_message *message, pid_t *process)
{
    size_t own = 0;
    char **environment = make_environment(message, &own);
    int input = make_input(message->data, message->length), error;

    if (environment == NULL)
        error = ENOMEM;
    else
        error = input < 0 ? errno : spawn_command(exec, input, environment, process);
    if (environment != NULL)
        free_environment(environment, own);
    if (input >= 0)
        close(input);
    if (error != 0)
        note_error("cannot run '%s': %s", exec->argv[0], strerror(error));
    return error == 0;
}

void exec_init(struct exec *exec)
{
    struct sigaction action = {.sa_handler = SIG_DFL};

    *exec = (struct exec){0};
    sigaction(SIGCHLD, &action, NULL);
    for_each_descriptor(exec, remember_inherited);
}

/* Forwards pending signals to PROCESS, except those that it received itself. Returns
 * whether there were any. All are read first, so that a signal that somebody sends
 * because of what PROCESS does counts as another one. */
static bool pass_signals(struct signals *signals, pid_t process)
{
    bool by_kernel, shared = getpgid(process) == getpgrp();
    int numbers[NSIG], number;
    size_t count = 0, i;

    while (count < NSIG && (number = signals_take(signals, &by_kernel)) != 0)
        numbers[count++] = by_kernel && shared ? 0 : number;
    for (i = 0; i < count; i++)
        kill(process, numbers[i]); /* 0 sends no signal */
    return count != 0;
}

/* Waits until PROCESS exits or a second signal arrives. Returns 0 with the status of
 * waitpid() in *RESULT, -ECANCELED for the signal, or -errno. */
static int wait_for_exit(struct signals *signals, pid_t process, int *result)
{
    struct pollfd polled[] = {{.fd = signals->fd, .events = POLLIN},
                              {.fd = signals->child, .events = POLLIN}};
    unsigned times = 0;
    pid_t ended;

    for (;;) {
        signals_take_child(signals); /* a SIGCHLD after this wakes poll() */
        ended = waitpid(process, result, WNOHANG);
        if (ended == process)
            return 0;
        if (ended < 0)
            return -errno;
        if (pass_signals(signals, process) && ++times == 2)
            return -ECANCELED;
        poll(polled, 2, -1);
    }
}

int exec_run(struct exec *exec, const struct crier_message *message)
{
    pid_t process;
    int result = -1, error;

    for_each_descriptor(exec, close_on_exec);
    if (!start_for_event(exec, message, &process))
        return -1;
    error = wait_for_exit(exec->signals, process, &result);
    if (error == 0)
        return result;
    if (error == -ECANCELED)
        note_error("%s is still running; not waiting for it", exec->argv[0]);
    else
        note_error("cannot wait for '%s': %s", exec->argv[0], strerror(-error));
    return -1;
}

void exec_done(struct exec *exec) { free(exec->inherited); }
