/*
 * The configuration file: NAME = VALUE with the names of the long options, and sections
 * [retain-topic] for the entries of that list. libinih splits it up.
 *
 * The packages of libinih are built without the number of the line, with a line of 200
 * bytes, of which it makes two when it is longer, and with indented lines that continue
 * the one before. So it is given lines by a reader of ours, which counts them, reports
 * those that are too long, and takes the indentation away.
 */
#include <config.h>

#include "file.h"

#include "retain.h"

#include <errno.h>
#include <ini.h>
#include <string.h>

#define RETAIN_SECTION "retain-topic"

struct reader {
    FILE *stream;
    const char *path;
    struct conf *conf;
    struct mistakes *mistakes;
    unsigned line;    /* the last one that was read */
    unsigned section; /* the line of the last [ */

    /* The entry that is being read. */
    unsigned entry; /* the line of its section; 0: none */
    char topic[256];
    struct crier_retention retention;
};

/* ---- lines ------------------------------------------------------------ */

/* Reads one line without indentation and its end, up to SIZE bytes with a NUL. Returns
 * its length, SIZE or more when it was longer; -1 at the end of the file. */
static int read_line(struct reader *reader, char *line, int size)
{
    int length = 0, c;

    while ((c = getc(reader->stream)) != EOF && c != '\n') {
        if (length == 0 && (c == ' ' || c == '\t'))
            continue;
        if (c == '\0')
            c = '?';
        if (length + 1 < size)
            line[length] = (char)c;
        length++;
    }
    line[length < size ? length : size - 1] = '\0';
    return c == EOF && length == 0 ? -1 : length;
}

/* Gives libinih its next line; a reader as ini_parse_stream() wants it. */
static char *next_line(char *line, int size, void *stream)
{
    struct reader *reader = stream;
    int length = read_line(reader, line, size);

    if (length < 0)
        return NULL;
    reader->line++;
    if (length + 1 >= size) {
        mistakes_add(reader->mistakes, "%s:%u: longer than %d bytes",
                     reader->path, reader->line, size - 2);
        line[0] = '\0';
    }
    if (line[0] == '[')
        reader->section = reader->line;
    return line;
}

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
        mistakes_add(reader->mistakes, "%s:%u: [%s] without a topic",
                     reader->path, reader->entry, RETAIN_SECTION);
    else if (keep->count == 0 && keep->bytes == 0 && keep->age == 0)
        mistakes_add(reader->mistakes,
                     "%s:%u: [%s] without a count, bytes or age", reader->path,
                     reader->entry, RETAIN_SECTION);
    else if (retain_add(reader->conf, reader->topic, strlen(reader->topic),
                        keep) == -E2BIG)
        mistakes_add(reader->mistakes, "%s:%u: [%s] more than %d times",
                     reader->path, reader->entry, RETAIN_SECTION,
                     CONF_TOPICS_MAX);
    *source = (struct conf_source){CONF_FILE, reader->entry};
    reader->entry = 0;
}

static void begin_entry(struct reader *reader)
{
    end_entry(reader);
    reader->entry = reader->section;
    reader->topic[0] = '\0';
    reader->retention = (struct crier_retention){0};
}

static void read_entry(struct reader *reader, const char *key, const char *value)
{
    size_t length = strlen(value);
    const char *wanted;

    if (reader->entry != reader->section)
        begin_entry(reader);
    if (strcmp(key, "topic") == 0) {
        wanted = "a topic, or the beginning of topics and '*'";
        if (retain_is_topic(value, length) && length < sizeof reader->topic) {
            memcpy(reader->topic, value, length + 1);
            wanted = NULL;
        }
    } else {
        wanted = retain_set_limit(&reader->retention, key, value);
    }
    if (wanted == NULL)
        return;
    if (wanted[0] == '\0')
        mistakes_add(reader->mistakes,
                     "%s:%u: [%s] has no key '%s'; it has topic, count, bytes "
                     "and age",
                     reader->path, reader->line, RETAIN_SECTION, key);
    else
        mistakes_add(reader->mistakes, "%s:%u: %s '%s' is not %s", reader->path,
                     reader->line, key, value, wanted);
}

/* ---- options ---------------------------------------------------------- */

static void refuse_key(struct reader *reader, const char *key)
{
    const char *nearest = option_nearest(key, true);

    mistakes_add(reader->mistakes, "%s:%u: unknown key '%s'%s%s%s",
                 reader->path, reader->line, key,
                 nearest != NULL ? "; did you mean '" : "",
                 nearest != NULL ? nearest : "", nearest != NULL ? "'?" : "");
}

static void read_option(struct reader *reader, const char *key,
                        const char *value)
{
    const struct option_row *row = option_find(key);
    char label[1024];

    if (row == NULL) {
        refuse_key(reader, key);
        return;
    }
    if (row->type == OPTION_ACTION) {
        mistakes_add(reader->mistakes,
                     "%s:%u: '%s' is for the command line, not for a file",
                     reader->path, reader->line, key);
        return;
    }
    snprintf(label, sizeof label, "%s:%u: %s", reader->path, reader->line, key);
    mistakes_assign(reader->mistakes, reader->conf, row,
                    (struct conf_source){CONF_FILE, reader->line}, label, value);
}

/* Takes one KEY = VALUE of SECTION; a handler as ini_parse_stream() wants it. */
static int read_pair(void *user, const char *section, const char *key,
                     const char *value)
{
    struct reader *reader = user;

    if (section[0] == '\0')
        read_option(reader, key, value);
    else if (strcmp(section, RETAIN_SECTION) == 0)
        read_entry(reader, key, value);
    else
        mistakes_add(reader->mistakes,
                     "%s:%u: '%s' is in an unknown section [%s]; the only one "
                     "is [%s]",
                     reader->path, reader->line, key, section, RETAIN_SECTION);
    return 1; /* go on */
}

void file_read(const char *path, struct conf *conf, struct mistakes *mistakes)
{
    struct reader reader = {.path = path, .conf = conf, .mistakes = mistakes};
    int line;

    reader.stream = fopen(path, "re");
    if (reader.stream == NULL) {
        mistakes_add(mistakes, "%s: %s", path, strerror(errno));
        return;
    }
    line = ini_parse_stream(next_line, &reader, read_pair, &reader);
    if (ferror(reader.stream))
        mistakes_add(mistakes, "%s: cannot be read: %s", path, strerror(errno));
    else if (line > 0)
        mistakes_add(mistakes,
                     "%s:%d: not 'NAME = VALUE', a [section] or a # comment",
                     path, line);
    fclose(reader.stream);
    end_entry(&reader);
}
