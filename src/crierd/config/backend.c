/*
 * The backends of the journal. A new one gets a line in the table; nothing else in
 * crierd knows which there are.
 */
#include <config.h>

#include "backend.h"

#include <stdio.h>
#include <string.h>

static int open_memory(const char *argument,
                       const struct crier_journal_options *options,
                       struct crier_journal **journal, char *reason, size_t size)
{
    (void)argument;
    (void)size;
    reason[0] = '\0';
    return crier_journal_memory(options, journal);
}

static int open_sqlite(const char *argument,
                       const struct crier_journal_options *options,
                       struct crier_journal **journal, char *reason, size_t size)
{
    reason[0] = '\0';
    return crier_journal_sqlite(argument, options, journal, reason, size);
}

static const struct backend backends[] = {
    {"memory", NULL, false, open_memory},
    {"sqlite", "PATH", true, open_sqlite},
};

#define BACKENDS (sizeof backends / sizeof backends[0])

/* Whether ARGUMENT, what stands behind a colon or NULL, is what BACKEND needs. */
static bool argument_fits(const struct backend *backend, const char *argument)
{
    if (backend->argument == NULL)
        return argument == NULL;
    return argument != NULL && argument[0] != '\0';
}

const struct backend *backend_find(const char *value, const char **argument)
{
    size_t length = strcspn(value, ":"), i;

    *argument = value[length] == ':' ? value + length + 1 : NULL;
    for (i = 0; i < BACKENDS; i++)
        if (strlen(backends[i].scheme) == length &&
            memcmp(backends[i].scheme, value, length) == 0)
            return argument_fits(&backends[i], *argument) ? &backends[i] : NULL;
    return NULL;
}

void backend_print_choices(char *text, size_t size, const char *conjunction)
{
    const struct backend *backend;
    size_t at = 0, i;

    text[0] = '\0';
    for (i = 0; i < BACKENDS && at < size; i++) {
        backend = &backends[i];
        at += (size_t)snprintf(text + at, size - at, "%s%s%s%s",
                               i == 0 ? "" : conjunction, backend->scheme,
                               backend->argument != NULL ? ":" : "",
                               backend->argument != NULL ? backend->argument
                                                         : "");
    }
}
