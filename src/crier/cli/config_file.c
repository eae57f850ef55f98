/*
 * The config file: lines "name = value", and comments after '#' at the begin
 * of a line. Names are those of the options. A value is what is left when
 * white space at both ends is taken off; there are no quotes, so there is
 * nothing to escape. What is not understood is a mistake and not passed over:
 * a token under a misspelt name would be missing without a word.
 */
#include <config.h>

#include "config_file.h"

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

static char *trim_white(char *text)
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

static char **find_value(struct config_file *config, const char *name)
{
    const struct {
        const char *name;
        char **value;
    } all[] = {{"server", &config->server},
               {"token", &config->token},
               {"cacert", &config->ca_file},
               {"cert", &config->cert_file},
               {"key", &config->key_file}};
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
static const char *take_line(struct config_file *config, char *line, const char **name)
{
    char *equals, *value, **to;

    line = trim_white(line);
    *name = NULL;
    if (line[0] == '\0' || line[0] == '#')
        return NULL;
    equals = strchr(line, '=');
    if (equals == NULL)
        return "is not NAME = VALUE";
    *equals = '\0';
    line = trim_white(line);
    if (is_word(line))
        *name = line;
    to = find_value(config, line);
    if (to == NULL)
        return "is not server, token, cacert, cert or key";
    if (*to != NULL)
        return "is there twice";
    value = trim_white(equals + 1);
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

static bool read_lines(struct config_file *config, FILE *file)
{
    char line[LINE_SIZE];
    const char *wrong, *name;
    bool more = true;
    int number;

    for (number = 1; more; number++) {
        wrong = read_line(file, line, &more);
        if (wrong != NULL) {
            note_error("%s:%d: %s", config->path, number, wrong);
            return false;
        }
        wrong = take_line(config, line, &name);
        if (wrong != NULL) {
            note_error("%s:%d: %s%s%s %s", config->path, number,
                       name != NULL ? "'" : "", name != NULL ? name : "the line",
                       name != NULL ? "'" : "", wrong);
            return false;
        }
        if (config->server != NULL && config->server_line == 0)
            config->server_line = number;
        if (config->token != NULL && config->token_line == 0)
            config->token_line = number;
    }
    if (!ferror(file))
        return true;
    note_error("cannot read %s: %s", config->path, strerror(errno));
    return false;
}

bool config_file_read(struct config_file *config)
{
    FILE *file;
    bool well;

    *config = (struct config_file){.path = find_path()};
    if (config->path == NULL)
        return true;
    file = fopen(config->path, "re");
    if (file == NULL) {
        if (errno == ENOENT || errno == ENOTDIR)
            return true;
        note_error("cannot read %s: %s", config->path, strerror(errno));
        return false;
    }
    well = read_lines(config, file);
    fclose(file);
    return well;
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
