/*
 * crier export: writes the updates of a server, one a line, to a file or to standard
 * output.
 *
 * Only whole lines are written, and only those of updates. So the last line of a file says
 * where an export was interrupted, whatever ended it, and the next one goes on behind the
 * update in that line. A file whose beginning does not look like an export is left alone.
 *
 * The server ends an export with a line of its own. Without it the connection has broken,
 * and the export is not complete.
 *
 * A server that does not hold everything after the update that the export is to go on
 * behind says so by a gap, and begins with the first update that it has. What would be
 * missing in the file, or in it twice, cannot be known then, so nothing is written.
 */
#include <config.h>

#include "cmd_export.h"

#include "base/json_read.h"
#include "crier/cli/help.h"
#include "crier/cli/note.h"
#include "crier/cli/options.h"
#include "crier/cli/printable.h"
#include "http_request.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The largest line. */
#define LINE_MAX_BYTES ((size_t)256 * 1024 * 1024)

/* How a file is read from its end. */
#define BLOCK 65536

#define END_LINE "{\"event\":\"end\"}"
#define GAP_LINE "{\"event\":\"gap\","
#define UPDATE_LINE "{\"id\":"

/* What the command line asks for, and how far it has come. */
struct export {
    const char *file;  /* NULL: standard output */
    const char *after; /* the id after which it begins, or NULL */
    struct text id;    /* what `after` is where FILE says so */
    int fd;
    struct text line;    /* one that has not come as a whole yet */
    struct text updates; /* whole lines to be written */
    size_t count;        /* updates written */
    bool ended;          /* the server has sent everything */
    bool failed;         /* and why has been reported */
};

enum { OPT_OUTPUT = OPTIONS_OWN, OPT_AFTER };

static const struct option option_table[] = {
    {"output", required_argument, NULL, OPT_OUTPUT},
    {"after", required_argument, NULL, OPT_AFTER},
    OPTIONS_COMMON,
};

static enum options_result set_export_option(void *closure, struct options *options,
                                             int code, char *value)
{
    struct export *export = closure;

    (void)options;
    switch (code) {
    case OPTIONS_ARGUMENT:
        return options_report("unexpected argument '%s'", value);
    case OPT_AFTER:
        export->after = value;
        return OPTIONS_RUN;
    default: /* OPT_OUTPUT, or 'o' */
        export->file = strcmp(value, "-") != 0 ? value : NULL;
        return OPTIONS_RUN;
    }
}

/* ---- the file ------------------------------------------------------------ */

/* Reports that FILE cannot be used because of ERROR (errno). Returns false. */
static bool report_file(const struct export *export, const char *what, int error)
{
    note_error("cannot %s %s: %s", what,
               export->file != NULL ? export->file : "standard output", strerror(error));
    return false;
}

/* Reads LENGTH bytes at OFFSET of the file into TO. Returns false after reporting why. */
static bool read_bytes(const struct export *export, char *to, size_t length,
                       off_t offset)
{
    ssize_t got;

    while (length != 0) {
        got = pread(export->fd, to, length, offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return report_file(export, "read", got < 0 ? errno : EIO);
        to += got;
        length -= (size_t)got;
        offset += got;
    }
    return true;
}

/* Finds the last LF before END in the file; *AT is the offset behind it, or 0. Returns
 * false after reporting why. */
static bool find_line_begin(const struct export *export, off_t end, off_t *at)
{
    char block[BLOCK];
    const char *found;
    size_t length;

    for (*at = end; *at > 0; *at -= (off_t)length) {
        length = *at < BLOCK ? (size_t)*at : BLOCK;
        if (!read_bytes(export, block, length, *at - (off_t)length))
            return false;
        found = memrchr(block, '\n', length);
        if (found != NULL) {
            *at -= (off_t)length - (found - block) - 1;
            return true;
        }
    }
    return true;
}

/* Reports that the file is none that an export has written. Returns false. */
static bool report_foreign(const struct export *export)
{
    note_error("%s is not empty, and no export: it is left as it is", export->file);
    return false;
}

/* Reads the id of the update in the line from BEGIN to END of the file. Returns false
 * after reporting why. */
static bool read_line_id(struct export *export, off_t begin, off_t end)
{
    size_t length = (size_t)(end - begin);
    json_t *update = NULL;
    const char *id;
    char *line;
    bool ok;

    if (length > LINE_MAX_BYTES)
        return report_foreign(export);
    line = malloc(length);
    if (line == NULL)
        return report_file(export, "read", ENOMEM);
    ok = read_bytes(export, line, length, begin);
    if (ok)
        update = json_read(line, length, JSON_ALLOW_NUL, NULL);
    id = json_string_value(json_object_get(update, "id"));
    if (id != NULL)
        text_add_string(&export->id, id);
    else if (ok)
        ok = report_foreign(export);
    json_decref(update);
    free(line);
    return ok;
}

/* Whether the file, without a whole line in its SIZE bytes, may be that of an export. */
static bool check_beginning(const struct export *export, off_t size)
{
    char begin[sizeof UPDATE_LINE - 1];
    size_t length = size < (off_t)sizeof begin ? (size_t)size : sizeof begin;

    if (!read_bytes(export, begin, length, 0))
        return false;
    return memcmp(begin, UPDATE_LINE, length) == 0 || report_foreign(export);
}

/* Removes what is behind the last whole line of the file of SIZE bytes, and makes the
 * export go on behind its update. Returns false after reporting why. */
static bool resume_file(struct export *export, off_t size)
{
    off_t end, begin;

    if (export->after != NULL) {
        note_error("--after is for a new file, and %s has updates", export->file);
        return false;
    }
    if (!find_line_begin(export, size, &end))
        return false;
    if (end == 0 ? !check_beginning(export, size)
                 : !find_line_begin(export, end - 1, &begin) ||
                       !read_line_id(export, begin, end))
        return false;
    if (ftruncate(export->fd, end) != 0 || lseek(export->fd, end, SEEK_SET) < 0)
        return report_file(export, "write to", errno);
    if (end != 0)
        export->after = export->id.bytes;
    return true;
}

/* Opens the file. Returns false after reporting why. */
static bool open_file(struct export *export, const struct options *options)
{
    struct stat status;

    export->fd = STDOUT_FILENO;
    if (export->file == NULL)
        return true;
    export->fd = open(export->file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
    if (export->fd < 0 || fstat(export->fd, &status) != 0)
        return report_file(export, "open", errno);
    if (!S_ISREG(status.st_mode) || status.st_size == 0)
        return true;
    if (!resume_file(export, status.st_size))
        return false;
    if (export->after != NULL && !options->quiet)
        note("%s: going on after '%s'", export->file, export->after);
    return true;
}

/* Closes the file, whose bytes are then on the disk. Returns false after reporting why. */
static bool close_file(struct export *export)
{
    if (export->file == NULL || export->fd < 0)
        return true;
    if (fsync(export->fd) != 0 && errno != EINVAL && errno != EROFS)
        return report_file(export, "write to", errno);
    return close(export->fd) == 0 || report_file(export, "write to", errno);
}

/* Writes the whole lines. Returns false after reporting why. */
static bool write_updates(struct export *export)
{
    const char *at = export->updates.bytes;
    size_t left = export->updates.length;
    ssize_t done;

    while (left != 0) {
        done = write(export->fd, at, left);
        if (done < 0 && errno != EINTR) {
            export->failed = true;
            return report_file(export, "write to", errno);
        }
        if (done > 0) {
            at += done;
            left -= (size_t)done;
        }
    }
    text_clear(&export->updates);
    return true;
}

/* ---- the lines ----------------------------------------------------------- */

/* Takes a gap. Returns false after reporting why the export must end. */
static bool take_gap(struct export *export)
{
    if (export->after != NULL && export->count == 0) {
        note_error("the server does not hold all that came after '%s' (any more): export "
                   "to a new file",
                   export->after);
        export->failed = true;
        return false;
    }
    note_error("updates have expired before they were exported");
    return true;
}

static bool begins_with(const char *line, size_t length, const char *begin)
{
    return length >= strlen(begin) && memcmp(line, begin, strlen(begin)) == 0;
}

/* Takes a line of LENGTH bytes, without its LF. Returns false after reporting why the
 * export must end. */
static bool take_line(struct export *export, const char *line, size_t length)
{
    if (length == 0) /* a keep-alive */
        return true;
    if (begins_with(line, length, UPDATE_LINE) && !export->ended) {
        text_add(&export->updates, line, length);
        text_add(&export->updates, "\n", 1);
        export->count++;
        return true;
    }
    if (begins_with(line, length, GAP_LINE))
        return take_gap(export);
    export->ended = begins_with(line, length, END_LINE);
    if (export->ended)
        return true;
    note_error("this is not a response of crierd");
    export->failed = true;
    return false;
}

/* Takes a piece of the body: the `take` of http_stream(). */
static bool take_piece(void *closure, const char *bytes, size_t length)
{
    struct export *export = closure;
    const char *end = bytes + length, *stop;
    bool ok = true;

    while (ok && (stop = memchr(bytes, '\n', (size_t)(end - bytes))) != NULL) {
        text_add(&export->line, bytes, (size_t)(stop - bytes));
        ok = take_line(export, export->line.bytes, export->line.length);
        text_clear(&export->line);
        bytes = stop + 1;
    }
    if (!ok || !write_updates(export))
        return false;
    text_add(&export->line, bytes, (size_t)(end - bytes));
    return export->line.length <= LINE_MAX_BYTES;
}

/* ---- the command ---------------------------------------------------------- */

static const char *plural(size_t count) { return count == 1 ? "" : "s"; }

/* Requests the export, and reports what has become of it. Returns the exit status. */
static int request_export(struct export *export, const struct options *options)
{
    struct http_result result;
    struct text path = {0};

    text_add_string(&path, "/export");
    if (export->after != NULL) {
        text_add_string(&path, "?after=");
        text_add_url(&path, export->after, "");
    }
    http_stream(options, path.bytes, take_piece, export, &result);
    json_decref(result.body);
    text_done(&path);
    if (result.outcome == HTTP_DONE && export->ended) {
        if (!options->quiet)
            note("exported %zu update%s", export->count, plural(export->count));
        return EXIT_SUCCESS;
    }
    if (!export->failed)
        note_error("%s: %s", options->server,
                   result.outcome == HTTP_DONE ? "the response broke off" : result.reason);
    if (export->file != NULL && export->count != 0)
        note_error("interrupted after %zu update%s; the same command goes on behind them",
                   export->count, plural(export->count));
    return EXIT_FAILURE;
}

/* Exports. Returns the exit status. */
static int run_export(void *closure, const struct options *options)
{
    struct export *export = closure;
    int status = open_file(export, options) ? request_export(export, options)
                                            : EXIT_FAILURE;

    return close_file(export) ? status : EXIT_FAILURE;
}

int export_run(int argc, char **argv)
{
    struct export export = {.fd = -1};
    const struct options_command mine = {.help = help_export,
                                         .table = option_table,
                                         .set = set_export_option,
                                         .run = run_export,
                                         .closure = &export,
                                         .letters = "o:"};
    int status = options_run(&mine, argc, argv);

    text_done(&export.id);
    text_done(&export.line);
    text_done(&export.updates);
    return status;
}
