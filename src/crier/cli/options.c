/*
 * The config file: lines "name = value", and comments after '#' at the begin
 * of a line. Names are those of the options. A value is what is left when
 * white space at both ends is taken off; there are no quotes, so there is
 * nothing to escape. What is not understood is a mistake and not passed over:
 * a token under a misspelt name would be missing without a word.
 */
#include <config.h>

#include "options.h"

#include "note.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_SIZE 8192

/* The path, or NULL when there is no such place. */
static char *find_path(void)
{
    const char *config = getenv("XDG_CONFIG_HOME");
    const char *home = getenv("HOME");
    char *path;
    int length;

    /* The XDG specification has relative paths ignored. */
    if (config != NULL && config[0] == '/')
        length = asprintf(&path, "%s/crier/config", config);
    else if (home != NULL && home[0] != '\0')
        length = asprintf(&path, "%s/.config/crier/config", home);
    else
        return NULL;
    return length < 0 ? NULL : path;
}

static char *trim(char *text)
{
    static const char white[] = " \t\r\n";
    char *end;

    text += strspn(text, white);
    end = text + strlen(text);
    while (end > text && strchr(white, end[-1]) != NULL)
        end--;
    *end = '\0';
    return text;
}

static char **find(struct settings *settings, const char *name)
{
    const struct {
        const char *name;
        char **value;
    } all[] = {{"server", &settings->server},
               {"token", &settings->token},
               {"cacert", &settings->ca_file},
               {"cert", &settings->cert_file},
               {"key", &settings->key_file}};
    size_t i;

    for (i = 0; i < sizeof all / sizeof all[0]; i++)
        if (strcmp(name, all[i].name) == 0)
            return all[i].value;
    return NULL;
}

/* Whether NAME, which is none of ours, may be shown: it looks like a word, and not like
 * a token that somebody forgot to name. */
static bool is_word(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ-_";

    return strlen(name) <= 20 && name[strspn(name, letters)] == '\0';
}

/* Takes up one line. What is wrong with it, or NULL; *NAME is what that is
 * about, or NULL where that is not to be shown. */
static const char *take(struct settings *settings, char *line,
                        const char **name)
{
    char *equals, *value, **to;

    line = trim(line);
    *name = NULL;
    if (line[0] == '\0' || line[0] == '#')
        return NULL;
    equals = strchr(line, '=');
    if (equals == NULL)
        return "is not NAME = VALUE";
    *equals = '\0';
    line = trim(line);
    if (is_word(line))
        *name = line;
    to = find(settings, line);
    if (to == NULL)
        return "is not server, token, cacert, cert or key";
    if (*to != NULL)
        return "is there twice";
    value = trim(equals + 1);
    if (value[0] == '\0')
        return "has no value";
    *to = strdup(value);
    return *to == NULL ? "finds no memory" : NULL;
}

/* Reads the next line, without its LF, into LINE. What is wrong with it, or
 * NULL; *MORE is whether there was one. (fgets() would not tell of a NUL, and
 * getline() has no maximum.) */
static const char *read_line(FILE *file, char line[LINE_SIZE], bool *more)
{
    size_t length = 0;
    int c;

    while ((c = getc(file)) != EOF && c != '\n') {
        if (c == '\0')
            return "there is a NUL in the line";
        if (length == LINE_SIZE - 1)
            return "the line is too long";
        line[length++] = (char)c;
    }
    line[length] = '\0';
    *more = c != EOF || length != 0;
    return NULL;
}

static bool read_lines(struct settings *settings, FILE *file)
{
    char line[LINE_SIZE];
    const char *wrong, *name;
    bool more = true;
    int number;

    for (number = 1; more; number++) {
        wrong = read_line(file, line, &more);
        if (wrong != NULL) {
            note_error("%s:%d: %s", settings->path, number, wrong);
            return false;
        }
        wrong = take(settings, line, &name);
        if (wrong != NULL) {
            note_error("%s:%d: %s%s%s %s", settings->path, number,
                       name != NULL ? "'" : "",
                       name != NULL ? name : "the line",
                       name != NULL ? "'" : "", wrong);
            return false;
        }
        if (settings->server != NULL && settings->server_line == 0)
            settings->server_line = number;
        if (settings->token != NULL && settings->token_line == 0)
            settings->token_line = number;
    }
    if (!ferror(file))
        return true;
    note_error("cannot read %s: %s", settings->path, strerror(errno));
    return false;
}

bool settings_read(struct settings *settings)
{
    FILE *file;
    bool well;

    *settings = (struct settings){.path = find_path()};
    if (settings->path == NULL)
        return true;
    file = fopen(settings->path, "re");
    if (file == NULL) {
        if (errno == ENOENT || errno == ENOTDIR)
            return true;
        note_error("cannot read %s: %s", settings->path, strerror(errno));
        return false;
    }
    well = read_lines(settings, file);
    fclose(file);
    return well;
}

void settings_done(struct settings *settings)
{
    free(settings->path);
    free(settings->server);
    free(settings->token);
    free(settings->ca_file);
    free(settings->cert_file);
    free(settings->key_file);
    *settings = (struct settings){0};
}
