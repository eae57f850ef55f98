/*
 * Configuration files, by libinih.
 *
 * libinih, as distributions build it, has lines of at most 200 bytes and does not tell
 * its handler the line number; but it takes any function for fgets(). The one here counts
 * lines, and hands over a longer line in pieces: the second and further ones begin with
 * white space, so that libinih takes them for a value that continues on the next line and
 * calls its handler again with the same key. White space at the start of a line of the
 * file is removed, so that indentation has no meaning. An entry is complete, and goes to
 * the caller, when the next line is asked for.
 *
 * Rejected: the global variables of Debian's libinih that set the length of a line. Other
 * distributions do not have them.
 */
#include <config.h>

#include "ini_file.h"

#include <ini.h>
#include <stdlib.h>
#include <string.h>

#define LINE_SIZE 8192
#define WHITE " \t\r"
#define MARK "\xef\xbb\xbf"

/* libinih cuts longer keys and sections off. */
#define NAME_MAX_LENGTH 48

struct reader {
    FILE *file;
    ini_handler_fn *handle;
    void *closure;

    int number;           /* of the line in TEXT, from 1 */
    int section_number;   /* of the line with the last [SECTION], or 0 */
    char text[LINE_SIZE]; /* the line, without white space at its start */
    size_t length;
    size_t done;   /* bytes that libinih has */
    size_t pieces; /* that they were */

    bool has_entry; /* libinih found one in this line */
    char section[NAME_MAX_LENGTH + 2], key[NAME_MAX_LENGTH + 2];
    char value[LINE_SIZE];

    bool stopped;      /* by the caller's handler */
    const char *wrong; /* with line NUMBER, or NULL */
};

/* ---- lines ------------------------------------------------------------ */

/* Removes what is not part of the entry in READER's line: a byte order mark at the start
 * of the file, white space at the line's start, and a comment at its end. */
static void strip_line(struct reader *reader)
{
    size_t mark = 0, white, i;

    if (reader->number == 1 && strncmp(reader->text, MARK, strlen(MARK)) == 0)
        mark = strlen(MARK);
    white = mark + strspn(reader->text + mark, WHITE);

    reader->length -= white;
    memmove(reader->text, reader->text + white, reader->length + 1);
    for (i = 1; i < reader->length; i++) {
        if (reader->text[i] == ';' && strchr(WHITE, reader->text[i - 1]) != NULL) {
            reader->length = i;
            reader->text[i] = '\0';
        }
    }
}

/* Reads the next line into READER. False at the end of the file, or when the line is
 * wrong. */
static bool read_ini_line(struct reader *reader)
{
    int c;

    reader->length = reader->done = reader->pieces = 0;
    reader->number++;
    while ((c = getc(reader->file)) != EOF && c != '\n') {
        if (c == '\0')
            reader->wrong = "contains a NUL";
        else if (reader->length == LINE_SIZE - 1)
            reader->wrong = "is too long";
        if (reader->wrong != NULL)
            return false;
        reader->text[reader->length++] = (char)c;
    }
    reader->text[reader->length] = '\0';
    strip_line(reader);
    if (reader->text[0] == '[')
        reader->section_number = reader->number;
    return c != EOF || reader->length != 0;
}

/* Whether the line, which libinih has found no entry in, is wrong. */
static bool needs_entry(const struct reader *reader)
{
    switch (reader->text[0]) {
    case '\0':
    case '#':
    case ';':
        return false;
    case '[':
        return strchr(reader->text, ']') == NULL;
    default:
        return true;
    }
}

/* Ends the line that libinih has now: calls the caller's handler for its entry. False
 * when there is nothing more to read. */
static bool finish_line(struct reader *reader)
{
    const struct ini_entry entry = {reader->section, reader->key, reader->value,
                                    reader->number, reader->section_number};

    if (reader->number == 0)
        return true;
    if (!reader->has_entry) {
        if (needs_entry(reader))
            reader->wrong = "is not NAME = VALUE";
        return reader->wrong == NULL;
    }
    reader->has_entry = false;
    if (strlen(reader->key) > NAME_MAX_LENGTH ||
        strlen(reader->section) > NAME_MAX_LENGTH)
        reader->wrong = "has too long a name";
    else
        reader->stopped = !reader->handle(reader->closure, &entry);
    return reader->wrong == NULL && !reader->stopped;
}

/* How many of the COUNT bytes at TEXT can be a piece of at most MAX bytes: neither side
 * of the cut may be white, and the rest must not look like a comment. 0 when there is no
 * such place. */
static size_t piece_length(const char *text, size_t count, size_t max)
{
    if (count <= max)
        return count;
    while (max > 0 && (strchr(WHITE, text[max - 1]) != NULL ||
                       strchr(WHITE ";#", text[max]) != NULL))
        max--;
    return max;
}

/* Writes the next piece of the file to PIECE, of SIZE bytes, as fgets() does. */
static char *read_piece(char *piece, int size, void *closure)
{
    struct reader *reader = closure;
    size_t lead = 0, length;

    if (reader->wrong != NULL || reader->stopped)
        return NULL;
    if (reader->done == reader->length) {
        if (!finish_line(reader) || !read_ini_line(reader))
            return NULL;
    } else {
        piece[lead++] = ' ';
    }
    length = piece_length(reader->text + reader->done, reader->length - reader->done,
                          (size_t)size - lead - 2);
    if (length == 0 && reader->length != 0) {
        reader->wrong = "is too long";
        return NULL;
    }
    memcpy(piece + lead, reader->text + reader->done, length);
    memcpy(piece + lead + length, "\n", 2); /* and the NUL */
    reader->done += length;
    reader->pieces++;
    return piece;
}

/* ---- entries ---------------------------------------------------------- */

/* libinih's handler: keeps an entry, or appends to its value. */
static int keep_entry(void *closure, const char *section, const char *key,
                      const char *value)
{
    struct reader *reader = closure;
    size_t length = 0;

    if (reader->pieces > 1 && !reader->has_entry)
        return 1; /* the rest of a line without a key */
    if (reader->has_entry)
        length = strlen(reader->value);
    snprintf(reader->section, sizeof reader->section, "%s", section);
    snprintf(reader->key, sizeof reader->key, "%s", key);
    snprintf(reader->value + length, sizeof reader->value - length, "%s", value);
    reader->has_entry = true;
    return 1;
}

const char *ini_file_read(FILE *file, ini_handler_fn *handle, void *closure, int *line)
{
    struct reader *reader = calloc(1, sizeof *reader);
    const char *wrong;

    *line = -1;
    if (reader == NULL)
        return "cannot be read";
    reader->file = file;
    reader->handle = handle;
    reader->closure = closure;
    if (ini_parse_stream(read_piece, reader, keep_entry, reader) < 0 || ferror(file)) {
        wrong = "cannot be read";
    } else {
        *line = reader->wrong != NULL ? reader->number : 0;
        wrong = reader->wrong;
    }
    free(reader);
    return wrong;
}
