/*
 * The configuration file: NAME = VALUE with the names of the long options, sections
 * [retain-topic] for the entries of that list, [key NAME] for keys and [token NAME] for
 * static tokens.
 */
#include <config.h>

#include "file.h"

#include "base/file.h"
#include "base/ini_file.h"
#include "keyring.h"
#include "retain.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RETAIN_SECTION "retain-topic"
#define SECTION_SIZE 64

struct reader {
    const char *path;
    struct conf *conf;
    struct mistakes *mistakes;

    /* The section that is being read. */
    const struct section *section; /* NULL: none */
    int line;                      /* where it begins */
    char head[SECTION_SIZE];       /* what is between the brackets */

    char topic[256];
    struct crier_retention retention;
    struct key_draft key;
    struct conf_token token;
};

/* A kind of section. */
struct section {
    const char *word;
    bool named;       /* a name follows the word */
    const char *keys; /* in words */

    /* Begins a section; NAME is behind the word. False when memory is short. */
    bool (*begin)(struct reader *reader, const char *name);

    /* Takes KEY = VALUE. Returns NULL, or what would be right; "" for an unknown key. */
    const char *(*set)(struct reader *reader, const char *key, const char *value);

    /* Adds what was read to the configuration. Errors as in keyring.h. */
    int (*end)(struct reader *reader, char *why, size_t size);
    int max;
};

/* ---- [retain-topic] --------------------------------------------------- */

static bool begin_retain(struct reader *reader, const char *name)
{
    (void)name;
    reader->topic[0] = '\0';
    reader->retention = (struct crier_retention){0};
    return true;
}

static const char *set_retain(struct reader *reader, const char *key,
                              const char *value)
{
    size_t length = strlen(value);

    if (strcmp(key, "topic") != 0)
        return retain_set_limit(&reader->retention, key, value);
    if (!retain_is_topic(value, length) || length >= sizeof reader->topic)
        return "a topic, or the beginning of topics and '*'";
    memcpy(reader->topic, value, length + 1);
    return NULL;
}

static int end_retain(struct reader *reader, char *why, size_t size)
{
    const struct option_row *row = option_find(RETAIN_SECTION);
    struct conf_source *source = &reader->conf->sources[option_index(row)];
    const struct crier_retention *keep = &reader->retention;

    if (source->origin != CONF_FILE)
        retain_clear(reader->conf);
    *source = (struct conf_source){CONF_FILE, (unsigned)reader->line};
    if (reader->topic[0] == '\0')
        snprintf(why, size, "without a topic");
    else if (keep->count == 0 && keep->bytes == 0 && keep->age == 0)
        snprintf(why, size, "without a count, bytes or age");
    else
        return retain_add(reader->conf, reader->topic, strlen(reader->topic), keep);
    return -EINVAL;
}

/* ---- [key NAME] ------------------------------------------------------- */

static bool begin_key(struct reader *reader, const char *name)
{
    reader->key.name = strdup(name);
    return reader->key.name != NULL;
}

static const char *set_key(struct reader *reader, const char *key,
                           const char *value)
{
    return keyring_set_key(&reader->key, key, value);
}

static int end_key_section(struct reader *reader, char *why, size_t size)
{
    int error = keyring_add_key(&reader->conf->keys, &reader->key, why, size);

    keyring_end_key(&reader->key);
    return error;
}

/* ---- [token NAME] ----------------------------------------------------- */

static bool begin_token(struct reader *reader, const char *name)
{
    reader->token.name = strdup(name);
    return reader->token.name != NULL;
}

static const char *set_token(struct reader *reader, const char *key,
                             const char *value)
{
    return keyring_set_token(&reader->token, key, value);
}

static int end_token_section(struct reader *reader, char *why, size_t size)
{
    int error = keyring_add_token(&reader->conf->tokens, &reader->token, why,
                                      size);

    keyring_end_token(&reader->token);
    return error;
}

/* ---- sections --------------------------------------------------------- */

static const struct section sections[] = {
    {RETAIN_SECTION, false, "topic, count, bytes and age", begin_retain, set_retain,
     end_retain, CONF_TOPICS_MAX},
    {"key", true, "algorithm, secret, file, issuer and use", begin_key, set_key,
     end_key_section, CONF_KEYS_MAX},
    {"token", true, "hash, publish, subscribe, expires and admin", begin_token,
     set_token, end_token_section, CONF_TOKENS_MAX},
};

/* The kind of the section HEAD, and in *NAME what follows its word; NULL when there is no
 * such section. */
static const struct section *find_section(const char *head, const char **name)
{
    const struct section *section;
    size_t i, length;

    for (i = 0; i < sizeof sections / sizeof sections[0]; i++) {
        section = &sections[i];
        length = strlen(section->word);
        if (strncmp(head, section->word, length) != 0)
            continue;
        *name = head + length + strspn(head + length, " ");
        if (section->named ? head[length] == ' ' && **name != '\0'
                           : head[length] == '\0')
            return section;
    }
    return NULL;
}

/* Adds the section that has been read to the configuration. */
static void end_section(struct reader *reader)
{
    const struct section *section = reader->section;
    char why[OPTION_WANTED_SIZE] = "";

    if (section == NULL)
        return;
    reader->section = NULL;
    switch (section->end(reader, why, sizeof why)) {
    case 0:
        break;
    case -EINVAL:
        mistakes_add(reader->mistakes, "%s:%d: [%s] %s", reader->path, reader->line,
                     reader->head, why);
        break;
    case -E2BIG:
        mistakes_add(reader->mistakes, "%s:%d: [%s] more than %d times",
                     reader->path, reader->line, section->word, section->max);
        break;
    default:
        mistakes_add_memory(reader->mistakes, reader->path);
        break;
    }
}

/* Begins ENTRY's section, unless it has begun. False after mistakes. */
static bool begin_section(struct reader *reader, const struct ini_entry *entry)
{
    const char *name = "";

    if (reader->section != NULL && reader->line == entry->section_line)
        return true;
    end_section(reader);
    reader->section = find_section(entry->section, &name);
    reader->line = entry->section_line;
    snprintf(reader->head, sizeof reader->head, "%s", entry->section);
    if (reader->section == NULL)
        mistakes_add(reader->mistakes,
                     "%s:%d: '%s' is in an unknown section [%s]; there are [%s], "
                     "[key NAME] and [token NAME]",
                     reader->path, entry->line, entry->key, entry->section,
                     RETAIN_SECTION);
    else if (reader->section->begin(reader, name))
        return true;
    else
        mistakes_add_memory(reader->mistakes, reader->path);
    reader->section = NULL;
    return false;
}

/* Whether the value of KEY may be a secret, at least by mistake. */
static bool is_secret_key(const char *key)
{
    return strcmp(key, "secret") == 0 || strcmp(key, "hash") == 0;
}

/* Takes an entry of a section. */
static void read_section(struct reader *reader, const struct ini_entry *entry)
{
    const char *wanted;

    if (!begin_section(reader, entry))
        return;
    wanted = reader->section->set(reader, entry->key, entry->value);
    if (wanted == NULL)
        return;
    if (wanted[0] == '\0')
        mistakes_add(reader->mistakes, "%s:%d: [%s] has no key '%s'; it has %s",
                     reader->path, entry->line, reader->head, entry->key,
                     reader->section->keys);
    else if (is_secret_key(entry->key))
        mistakes_add(reader->mistakes, "%s:%d: %s is not %s", reader->path,
                     entry->line, entry->key, wanted);
    else
        mistakes_add(reader->mistakes, "%s:%d: %s '%s' is not %s", reader->path,
                     entry->line, entry->key, entry->value, wanted);
}

/* ---- options ---------------------------------------------------------- */

static void refuse_key(struct reader *reader, const struct ini_entry *entry)
{
    const char *nearest = option_nearest(entry->key, true);

    mistakes_add(reader->mistakes, "%s:%d: unknown key '%s'%s%s%s",
                 reader->path, entry->line, entry->key,
                 nearest != NULL ? "; did you mean '" : "",
                 nearest != NULL ? nearest : "", nearest != NULL ? "'?" : "");
}

static void read_option(struct reader *reader, const struct ini_entry *entry)
{
    const struct option_row *row = option_find(entry->key);
    char label[1024];

    if (row == NULL) {
        refuse_key(reader, entry);
        return;
    }
    if (row->type == OPTION_ACTION) {
        mistakes_add(reader->mistakes,
                     "%s:%d: '%s' is for the command line, not for a file",
                     reader->path, entry->line, entry->key);
        return;
    }
    snprintf(label, sizeof label, "%s:%d: %s", reader->path, entry->line,
             entry->key);
    mistakes_assign(reader->mistakes, reader->conf, row,
                    (struct conf_source){CONF_FILE, (unsigned)entry->line},
                    label, entry->value);
}

/* Takes one KEY = VALUE of the file. */
static bool read_pair(void *closure, const struct ini_entry *entry)
{
    struct reader *reader = closure;

    if (entry->section[0] == '\0')
        read_option(reader, entry);
    else
        read_section(reader, entry);
    return true;
}

void file_read(const char *path, struct conf *conf, struct mistakes *mistakes)
{
    struct reader reader = {.path = path, .conf = conf, .mistakes = mistakes};
    char why[80];
    const char *wrong;
    FILE *file;
    int line;

    if (crier__file_open(path, &file, why, sizeof why) != 0) {
        mistakes_add(mistakes, "%s: %s", path, why);
        return;
    }
    wrong = ini_file_read(file, read_pair, &reader, &line);
    if (line < 0)
        mistakes_add(mistakes, "%s: %s: %s", path, wrong, strerror(errno));
    else if (wrong != NULL)
        mistakes_add(mistakes, "%s:%d: the line %s", path, line, wrong);
    fclose(file);
    end_section(&reader);
}
