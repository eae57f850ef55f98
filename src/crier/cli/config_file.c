/*
 * The configuration file: "NAME = VALUE" lines, with the names of the long options. An
 * unknown name is an error: ignoring it would silently drop a token under a misspelt
 * name. Messages never show what may be a token.
 */
#include <config.h>

#include "config_file.h"

#include "base/ini_file.h"
#include "note.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Returns the path, or NULL if neither variable is usable. */
static char *find_path(void)
{
    const char *config = getenv("XDG_CONFIG_HOME");
    const char *home = getenv("HOME");
    char *path;
    int length;

    /* The XDG specification says to ignore relative paths. */
    if (config != NULL && config[0] == '/')
        length = asprintf(&path, "%s/crier/config", config);
    else if (home != NULL && home[0] != '\0')
        length = asprintf(&path, "%s/.config/crier/config", home);
    else
        return NULL;
    return length < 0 ? NULL : path;
}

/* A name, with its place in struct config_file. */
struct setting {
    const char *name;
    char **value;
    int *line; /* NULL if no message names the line */
};

/* Finds NAME in CONFIG. Returns false if there is no such name. */
static bool find_setting(struct config_file *config, const char *name,
                         struct setting *setting)
{
    const struct setting all[] = {{"server", &config->server, &config->server_line},
                                  {"token", &config->token, &config->token_line},
                                  {"cacert", &config->ca_file, NULL},
                                  {"cert", &config->cert_file, NULL},
                                  {"key", &config->key_file, NULL}};
    size_t i;

    for (i = 0; i < sizeof all / sizeof all[0]; i++)
        if (strcmp(name, all[i].name) == 0) {
            *setting = all[i];
            return true;
        }
    return false;
}

/* Returns whether the unknown NAME may be printed: it looks like a word, and not like a
 * token whose name is missing. */
static bool is_word(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ-_";

    return strlen(name) <= 20 && name[strspn(name, letters)] == '\0';
}

/* Reports a mistake in LINE. Returns false. */
static bool report_mistake(const struct config_file *config, int line, const char *name,
                           const char *mistake)
{
    bool shown = is_word(name);

    note_error("%s:%d: %s%s%s %s", config->path, line, shown ? "'" : "",
               shown ? name : "the line", shown ? "'" : "", mistake);
    return false;
}

/* Stores one entry of the file. Callback of ini_file_read(). */
static bool take_setting(void *closure, const struct ini_entry *entry)
{
    struct config_file *config = closure;
    struct setting setting;

    config->has_mistake = true;
    if (entry->section[0] != '\0')
        return report_mistake(config, entry->line, entry->key,
                              "is in a section; this file has none");
    if (!find_setting(config, entry->key, &setting))
        return report_mistake(config, entry->line, entry->key,
                              "is not server, token, cacert, cert or key");
    if (*setting.value != NULL)
        return report_mistake(config, entry->line, entry->key, "is given twice");
    if (entry->value[0] == '\0')
        return report_mistake(config, entry->line, entry->key, "has no value");
    *setting.value = strdup(entry->value);
    if (*setting.value == NULL)
        return report_mistake(config, entry->line, entry->key,
                              "does not fit in memory");
    if (setting.line != NULL)
        *setting.line = entry->line;
    config->has_mistake = false;
    return true;
}

static bool report_unreadable(const struct config_file *config)
{
    note_error("cannot read %s: %s", config->path, strerror(errno));
    return false;
}

bool config_file_read(struct config_file *config)
{
    const char *wrong;
    FILE *file;
    int line;

    *config = (struct config_file){.path = find_path()};
    if (config->path == NULL)
        return true;
    file = fopen(config->path, "re");
    if (file == NULL)
        return errno == ENOENT || errno == ENOTDIR || report_unreadable(config);
    wrong = ini_file_read(file, take_setting, config, &line);
    if (wrong != NULL && line < 0)
        report_unreadable(config);
    else if (wrong != NULL)
        note_error("%s:%d: the line %s", config->path, line, wrong);
    fclose(file);
    return wrong == NULL && !config->has_mistake;
}

void config_file_done(struct config_file *config)
{
    free(config->path);
    free(config->server);
    free(config->token);
    free(config->ca_file);
    free(config->cert_file);
    free(config->key_file);
    *config = (struct config_file){0};
}
