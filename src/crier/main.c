/*
 * crier: finds the command and runs it. Each command has a file in commands/; the
 * options that all of them take are in cli/options.c.
 */
#include <config.h>

#include "crier.h"
#include "crier/cli/help.h"
#include "crier/cli/note.h"
#include "crier/cli/options.h"
#include "crier/cli/print.h"
#include "crier/cli/signals.h"
#include "crier/commands/cmd_export.h"
#include "crier/commands/cmd_import.h"
#include "crier/commands/cmd_ping.h"
#include "crier/commands/cmd_token.h"
#include "crier/commands/cmd_topics.h"
#include "crier/commands/pub.h"
#include "crier/commands/sub.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *name;
    int (*run_command)(int argc, char **argv);
    const char *help;
} commands[] = {
    {"sub", sub_run, help_sub},
    {"pub", pub_run, help_pub},
    {"topics", topics_run, help_topics},
    {"export", export_run, help_export},
    {"import", import_run, help_import},
    {"ping", ping_run, help_ping},
    {"token", token_run, help_token},
};

#define COMMANDS (sizeof commands / sizeof commands[0])

/* Returns the index of the command NAME, or COMMANDS if there is none. */
static size_t find_command(const char *name)
{
    size_t i = 0;

    while (i < COMMANDS && strcmp(commands[i].name, name) != 0)
        i++;
    return i;
}

static int report_unknown(const char *name)
{
    note_error("unknown command '%s' (known: sub, pub, topics, export, import, ping, "
               "token, help)", name);
    return EXIT_USAGE;
}

static int run_help(int argc, char **argv)
{
    size_t i;

    if (argc > 3) {
        note_error("unexpected argument '%s'", argv[3]);
        return EXIT_USAGE;
    }
    i = argc > 2 ? find_command(argv[2]) : COMMANDS;
    if (argc > 2 && i == COMMANDS)
        return report_unknown(argv[2]);
    print_text("%s", i < COMMANDS ? commands[i].help : help_crier);
    return EXIT_SUCCESS;
}

static int print_version(void)
{
    print_text("crier %s (%s, jansson %s)\n", crier_version(), curl_version(),
               jansson_version_str());
    return EXIT_SUCCESS;
}

/* The caller may have closed descriptors 0, 1 or 2. Opens /dev/null in their place, so
 * that no socket gets one of these numbers. It is opened in the wrong direction, so
 * that reading from it or writing to it fails instead of seeming to succeed. */
static bool fill_first_files(void)
{
    int fd;

    for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 &&
            open("/dev/null", (fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) | O_CLOEXEC) !=
                fd)
            return false;
    return true;
}

/* libcurl decodes non-ASCII host names (IDN) by the character set of the locale, so
 * only LC_CTYPE is set. If the locale does not name a character set, as in a cron job,
 * UTF-8 is used. */
static void set_characters(void)
{
    const char *name;

    if ((curl_version_info(CURLVERSION_NOW)->features & CURL_VERSION_IDN) == 0)
        return;
    name = setlocale(LC_CTYPE, "");
    if (name == NULL || strcmp(name, "C") == 0 || strcmp(name, "POSIX") == 0)
        setlocale(LC_CTYPE, "C.UTF-8");
}

static int run_command(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    size_t i = find_command(name);

    if (i < COMMANDS)
        return commands[i].run_command(argc - 1, argv + 1);
    if (strcmp(name, "help") == 0 || strcmp(name, "--help") == 0)
        return run_help(argc, argv);
    if (strcmp(name, "--version") == 0)
        return print_version();
    if (name[0] == '\0') {
        note_error("missing command: sub, pub, topics, export, import, ping or token "
                   "(crier --help)");
        return EXIT_USAGE;
    }
    return report_unknown(name);
}

int main(int argc, char **argv)
{
    if (!fill_first_files()) {
        note_error("cannot open /dev/null: %s", strerror(errno));
        return EXIT_FAILURE;
    }
    signals_ignore();
    set_characters();
    return print_finish(run_command(argc, argv));
}
