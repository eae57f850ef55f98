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

static int open_redis(const char *argument,
                      const struct crier_journal_options *options,
                      struct crier_journal **journal, char *reason, size_t size)
{
    reason[0] = '\0';
    return crier_journal_redis(argument, options, journal, reason, size);
}

static const struct backend backends[] = {
    {"memory", NULL, BACKEND_MEMORY, false, open_memory},
    {"sqlite", "PATH", BACKEND_FILE, false, open_sqlite},
    {"redis", "//HOST", BACKEND_SERVER, false, open_redis},
    {"redis+unix", "/PATH", BACKEND_SERVER, true, open_redis},
    {"valkey", "//HOST", BACKEND_SERVER, true, open_redis},
    {"valkey+unix", "/PATH", BACKEND_SERVER, true, open_redis},
};

#define BACKENDS (sizeof backends / sizeof backends[0])

/* Whether ARGUMENT, what stands behind a colon or NULL, is what BACKEND needs. */
static bool argument_fits(const struct backend *backend, const char *argument)
{
    if (backend->argument == NULL)
        return argument == NULL;
    return argument != NULL && argument[0] != '\0';
}

/* The backend whose scheme is the LENGTH bytes at SCHEME, or NULL. */
static const struct backend *find_scheme(const char *scheme, size_t length)
{
    size_t i;

    for (i = 0; i < BACKENDS; i++)
        if (strlen(backends[i].scheme) == length &&
            memcmp(backends[i].scheme, scheme, length) == 0)
            return &backends[i];
    return NULL;
}

const struct backend *backend_find(const char *value, const char **argument)
{
    size_t length = strcspn(value, ":");
    const struct backend *backend = find_scheme(value, length);

    *argument = value[length] == ':' ? value + length + 1 : NULL;
    if (backend == NULL || !argument_fits(backend, *argument))
        return NULL;
    if (backend->place == BACKEND_SERVER)
        *argument = value;
    return backend;
}

bool backend_check(const char *value, char *why, size_t size)
{
    const char *argument;
    const struct backend *backend = backend_find(value, &argument);
    int error;

    if (backend == NULL) {
        size_t length = (size_t)snprintf(why, size, "not ");

        backend_print_choices(why + length, size - length, " or ");
        return false;
    }
    if (backend->place != BACKEND_SERVER)
        return true;
    error = crier_journal_redis_check(argument, NULL, 0, why, size);
    if (error != 0 && why[0] == '\0')
        snprintf(why, size, "%s", crier_error_text(error));
    return error == 0;
}

/* Whether VALUE, a URL, may have a password: in front of the host, or as a parameter. */
static bool may_be_secret(const char *value)
{
    return strchr(value, '@') != NULL || strstr(value, "password=") != NULL;
}

void backend_show(const char *value, char text[BACKEND_TEXT_SIZE])
{
    const char *argument;

    if (backend_find(value, &argument)->place == BACKEND_SERVER && may_be_secret(value))
        (void)crier_journal_redis_check(argument, text, BACKEND_TEXT_SIZE, NULL, 0);
    else
        snprintf(text, BACKEND_TEXT_SIZE, "%s", value);
}

void backend_print_choices(char *text, size_t size, const char *conjunction)
{
    const struct backend *backend;
    size_t at = 0, i;

    text[0] = '\0';
    for (i = 0; i < BACKENDS && at < size; i++) {
        backend = &backends[i];
        if (!backend->alias)
            at += (size_t)snprintf(text + at, size - at, "%s%s%s%s",
                                   i == 0 ? "" : conjunction, backend->scheme,
                                   backend->argument != NULL ? ":" : "",
                                   backend->argument != NULL ? backend->argument : "");
    }
}
