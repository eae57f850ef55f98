/*
 * The configuration file: NAME = VALUE with the names of the long options, and sections
 * [retain-topic] for the entries of that list.
 */
#include <config.h>

#include "file.h"

#include "base/ini_file.h"
#include "retain.h"

#include <errno.h>
#include <string.h>

#define RETAIN_SECTION "retain-topic"

struct reader {
    const char *path;
    struct conf *conf;
    struct mistakes *mistakes;

    /* The entry of the list that is being read. */
    int entry; /* the line of its section; 0: none */
    char topic[256];
    struct crier_retention retention;
};

/* ---- [retain-topic] --------------------------------------------------- */

/* Adds the entry that has been read to the list. */
static void end_entry(struct reader *reader)
{
    const struct option_row *row = option_find(RETAIN_SECTION);
    struct conf_source *source = &reader->conf->sources[option_index(row)];
    const struct crier_retention *keep = &reader->retention;

    if (reader->entry == 0)
        return;
    if (source->origin != CONF_FILE)
        retain_clear(reader->conf);
    if (reader->topic[0] == '\0')
        mistakes_add(reader->mistakes, "%s:%d: [%s] without a topic",
                     reader->path, reader->entry, RETAIN_SECTION);
    else if (keep->count == 0 && keep->bytes == 0 && keep->age == 0)
        mistakes_add(reader->mistakes,
                     "%s:%d: [%s] without a count, bytes or age", reader->path,
                     reader->entry, RETAIN_SECTION);
    else if (retain_add(reader->conf, reader->topic, strlen(reader->topic),
                        keep) == -E2BIG)
        mistakes_add(reader->mistakes, "%s:%d: [%s] more than %d times",
                     reader->path, reader->entry, RETAIN_SECTION,
                     CONF_TOPICS_MAX);
    *source = (struct conf_source){CONF_FILE, (unsigned)reader->entry};
    reader->entry = 0;
}

static void begin_entry(struct reader *reader, int line)
{
    end_entry(reader);
    reader->entry = line;
    reader->topic[0] = '\0';
    reader->retention = (struct crier_retention){0};
}

static const char *set_topic(struct reader *reader, const char *topic)
{
    size_t length = strlen(topic);

    if (!retain_is_topic(topic, length) || length >= sizeof reader->topic)
        return "a topic, or the beginning of topics and '*'";
    memcpy(reader->topic, topic, length + 1);
    return NULL;
}

/* Takes a key of the section, which is one of the list's. */
static void read_limit(struct reader *reader, const struct ini_entry *entry)
{
    const char *wanted;

    if (reader->entry != entry->section_line)
        begin_entry(reader, entry->section_line);
    if (strcmp(entry->key, "topic") == 0)
        wanted = set_topic(reader, entry->value);
    else
        wanted = retain_set_limit(&reader->retention, entry->key, entry->value);
    if (wanted == NULL)
        return;
    if (wanted[0] == '\0')
        mistakes_add(reader->mistakes,
                     "%s:%d: [%s] has no key '%s'; it has topic, count, bytes "
                     "and age",
                     reader->path, entry->line, RETAIN_SECTION, entry->key);
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
    else if (strcmp(entry->section, RETAIN_SECTION) == 0)
        read_limit(reader, entry);
    else
        mistakes_add(reader->mistakes,
                     "%s:%d: '%s' is in an unknown section [%s]; the only one "
                     "is [%s]",
                     reader->path, entry->line, entry->key, entry->section,
                     RETAIN_SECTION);
    return true;
}

void file_read(const char *path, struct conf *conf, struct mistakes *mistakes)
{
    struct reader reader = {.path = path, .conf = conf, .mistakes = mistakes};
    FILE *file = fopen(path, "re");
    const char *wrong;
    int line;

    if (file == NULL) {
        mistakes_add(mistakes, "%s: %s", path, strerror(errno));
        return;
    }
    wrong = ini_file_read(file, read_pair, &reader, &line);
    if (line < 0)
        mistakes_add(mistakes, "%s: %s: %s", path, wrong, strerror(errno));
    else if (wrong != NULL)
        mistakes_add(mistakes, "%s:%d: %s", path, line, wrong);
    fclose(file);
    end_entry(&reader);
}
