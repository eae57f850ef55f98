/*
 * The file of --state: the last id and LF; empty if there is none. A new file is
 * written beside the old one, synced, and renamed over it. So the file always contains
 * one whole id that was printed, and after a crash events can only be repeated.
 *
 * A sync for each event would slow down a fast stream. The first id after a quiet
 * second is saved at once, later ones in the same second together.
 *
 * Two processes with one file would overwrite each other's ids. The lock is on a
 * separate file, PATH-lock, which is never removed: PATH itself is replaced, and a lock
 * on a replaced file protects nothing.
 */
#include <config.h>

#include "state.h"

#include "base/curl.h"
#include "crier_client.h"
#include "crier/cli/note.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Minimum time between two writes, in ms. */
#define SAVE_INTERVAL 1000

/* Longest id that a request can carry. */
#define ID_MAX 65536

static bool report_trouble(const struct state *state, const char *what)
{
    note_error("cannot %s the state file %s: %s", what, state->path, strerror(errno));
    return false;
}

/* Returns a new string of PATH and ENDING. */
static char *make_path(const char *path, const char *ending)
{
    struct text text = {0};

    text_add_string(&text, path);
    text_add_string(&text, ending);
    return text.bytes;
}

/* ---- opening ------------------------------------------------------------ */

/* Creates the file if it does not exist; also the target of a dangling symbolic link. */
static bool make_file(const char *path)
{
    int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);

    if (file >= 0)
        close(file);
    return file >= 0;
}

/* Resolves symbolic links, so that a link stays one, and refuses to replace what is not
 * a regular file. */
static bool find_file(struct state *state, const char *path)
{
    struct stat status;

    state->path = realpath(path, NULL);
    if (state->path == NULL && errno == ENOENT && make_file(path))
        state->path = realpath(path, NULL);
    if (state->path == NULL) {
        state->path = make_path(path, "");
        return report_trouble(state, "find");
    }
    if (stat(state->path, &status) == 0 && S_ISREG(status.st_mode))
        return true;
    note_error("the state file %s is not a regular file", state->path);
    return false;
}

static bool take_lock(struct state *state)
{
    char *name = make_path(state->path, "-lock");

    state->lock = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    free(name);
    if (state->lock < 0)
        return report_trouble(state, "lock");
    if (flock(state->lock, LOCK_EX | LOCK_NB) == 0)
        return true;
    if (errno != EWOULDBLOCK)
        return report_trouble(state, "lock");
    note_error("another crier uses the state file %s", state->path);
    return false;
}

/* Returns whether a client accepts ID. */
static bool is_id(const char *id)
{
    struct crier_parser *parser = NULL;
    bool ok =
        crier_parser_new(NULL, &parser) == 0 && crier_parser_set_id(parser, id) == 0;

    crier_parser_free(parser);
    return ok;
}

/* Parses the contents of the file. */
static bool parse_id(struct state *state, const char *bytes, size_t length)
{
    const char *end = memchr(bytes, '\n', length);
    size_t id = end != NULL ? (size_t)(end - bytes) : length;

    text_add(&state->id, bytes, id);
    if (length <= ID_MAX && id + (end != NULL) == length &&
        memchr(bytes, '\0', id) == NULL && is_id(state->id.bytes) &&
        crier__http_value_fits(state->id.bytes))
        return true;
    note_error("the state file %s does not contain an id", state->path);
    return false;
}

static bool read_id(struct state *state)
{
    FILE *file = fopen(state->path, "re");
    char *bytes;
    size_t length;
    bool ok;

    if (file == NULL)
        return errno == ENOENT || report_trouble(state, "read");
    bytes = malloc(ID_MAX + 1);
    if (bytes == NULL) {
        fclose(file);
        return report_trouble(state, "read");
    }
    length = fread(bytes, 1, ID_MAX + 1, file);
    if (ferror(file))
        ok = report_trouble(state, "read");
    else
        ok = parse_id(state, bytes, length);
    free(bytes);
    fclose(file);
    return ok;
}

bool state_open(struct state *state, const char *path)
{
    *state = (struct state){.lock = -1};
    text_add(&state->id, "", 0);
    /* long ago, so that the first id is saved at once */
    state->saved = crier_now() - SAVE_INTERVAL;
    return find_file(state, path) && take_lock(state) && read_id(state);
}

/* ---- saving ------------------------------------------------------------- */

void state_set_id(struct state *state, const char *id)
{
    if (state->path == NULL || strcmp(state->id.bytes, id) == 0)
        return;
    text_clear(&state->id);
    text_add_string(&state->id, id);
    state->changed = true;
}

/* Opens a new file NAME with the permissions of PATH. Returns NULL with errno on
 * failure. */
static FILE *open_new_file(const char *name, const char *path)
{
    struct stat old;
    FILE *file;
    int fd;

    unlink(name);
    fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return NULL;
    if (stat(path, &old) == 0)
        fchmod(fd, old.st_mode & 07777);
    file = fdopen(fd, "w");
    if (file == NULL)
        close(fd);
    return file;
}

/* Writes ID to the file NAME, which is to replace PATH. Returns 0, or -1 with errno. */
static int write_file(const char *name, const char *path, const struct text *id)
{
    FILE *file = open_new_file(name, path);
    int error = 0;

    if (file == NULL)
        return -1;
    if ((id->length != 0 && fprintf(file, "%s\n", id->bytes) < 0) ||
        fflush(file) != 0 || fsync(fileno(file)) != 0)
        error = errno;
    if (fclose(file) != 0 && error == 0)
        error = errno;
    errno = error;
    return error != 0 ? -1 : 0;
}

bool state_save(struct state *state, bool now)
{
    char *name;
    bool ok;

    if (!state->changed || (!now && state_save_delay(state) > 0))
        return true;
    name = make_path(state->path, "-new");
    ok = write_file(name, state->path, &state->id) == 0 &&
         rename(name, state->path) == 0;
    if (!ok)
        report_trouble(state, "write");
    free(name);
    state->saved = crier_now();
    state->changed = false;
    return ok;
}

int state_save_delay(const struct state *state)
{
    uint64_t since = crier_now() - state->saved;

    if (!state->changed)
        return -1;
    return since < SAVE_INTERVAL ? (int)(SAVE_INTERVAL - since) : 0;
}

void state_close(struct state *state)
{
    if (state->path == NULL)
        return;
    if (state->lock >= 0)
        close(state->lock);
    free(state->path);
    text_done(&state->id);
}
