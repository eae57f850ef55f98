#include <config.h>

#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The words in front of a program that gets a signal when its parent ends. Only a
 * process itself can request that signal, and keeps the request across exec; setpriv
 * requests it. The shell, whose $0 is the parent's id, checks whether the parent ended
 * before that. */
#define DEATH_WORDS 7
static const char still_there[] = "test \"$PPID\" = \"$0\" && exec \"$@\"";

/* Returns the words to run, in new memory; they borrow SIGNAL and PARENT. */
static const char **make_words(const struct spawn *spawn, const char *signal,
                               const char *parent)
{
    const char *const front[DEATH_WORDS] = {
        "setpriv", "--pdeathsig", signal, "sh", "-c", still_there, parent};
    size_t count = 0, length = 0, i;
    const char **words;

    while (spawn->words[count] != NULL)
        count++;
    words = calloc(count + DEATH_WORDS + 1, sizeof *words);
    if (words == NULL)
        return NULL;
    for (i = 0; spawn->death != 0 && i < DEATH_WORDS; i++)
        words[length++] = front[i];
    for (i = 0; i < count; i++)
        words[length++] = spawn->words[i];
    return words;
}

/* Returns 0 or an errno, like the functions of posix_spawn. */
static int set_files(posix_spawn_file_actions_t *actions, const int files[3])
{
    int error = 0, i;

    for (i = 0; i < 3 && error == 0; i++)
        if (files[i] != 0)
            error = posix_spawn_file_actions_adddup2(actions, files[i], i);
    return error;
}

static int set_attributes(posix_spawnattr_t *attributes, bool group)
{
    short flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
    static const int numbers[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE};
    sigset_t none, defaults;
    size_t i;

    sigemptyset(&none);
    sigemptyset(&defaults);
    for (i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        sigaddset(&defaults, numbers[i]); /* nohup ignores SIGHUP, for example */
    posix_spawnattr_setsigmask(attributes, &none);
    posix_spawnattr_setsigdefault(attributes, &defaults);
    if (group)
        flags |= POSIX_SPAWN_SETPGROUP; /* 0, its own, is the default */
    return posix_spawnattr_setflags(attributes, flags);
}

static int run_words(const struct spawn *spawn, const char **words, pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int error;

    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    error = set_files(&actions, spawn->files);
    if (error == 0)
        error = set_attributes(&attributes, spawn->group);
    if (error == 0)
        error = posix_spawnp(pid, words[0], &actions, &attributes,
                             (char *const *)words, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

int spawn_program(const struct spawn *spawn, pid_t *pid)
{
    const char *signal = sigabbrev_np(spawn->death);
    const char **words;
    char parent[16];
    int error;

    snprintf(parent, sizeof parent, "%d", (int)getpid());
    words = make_words(spawn, signal, parent);
    if (words == NULL)
        return -ENOMEM;
    error = run_words(spawn, words, pid);
    free(words);
    return -error;
}
