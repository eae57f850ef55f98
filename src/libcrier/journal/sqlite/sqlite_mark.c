/*
 * The mark in the journal's file: do the file and its log belong together?
 *
 * SQLite keeps its log (PATH-wal) beside the name that it was given. After a crash, the
 * last updates are in the log alone. Three mistakes would lose them without a word: to
 * open the file by another name (it was moved, linked, or mounted elsewhere), where
 * there is no log; to put another state of the file in its place, over which SQLite
 * then replays the log of the first; and to begin a new file beside an old log, which
 * SQLite then deletes. All three are refused before anything is written to the file or
 * its log.
 *
 * The table "mark" has one row: a token, new at each opening ("NUMBER-RANDOM", where
 * NUMBER rises along the file's openings); whether the file is open or was closed in
 * good order; which file this is (inode and time of birth, or device where the file
 * system does not tell the latter), and its name. PATH-lock holds tokens, too: of the
 * states of the file that the log at PATH-wal may belong to.
 *
 * The mark is read from the file alone, as it is without its log; its token is M, and
 * "-" where there is none (a file that nobody has opened since it was made). Then
 *
 *   open by another name, where there is
 *   no file any more but its log            refuse: the file was moved without it
 *   M is in PATH-lock                       accept
 *   a log that is not empty
 *       PATH-lock has other tokens          refuse: it is the log of another state
 *       PATH-lock has no token              accept: both were moved or copied together
 *   no log
 *       closed                              accept: there was no log to lose
 *       open, but in another file           accept: a backup or a copy
 *       open, by this name, and PATH-lock
 *       has a later number                  accept: a backup copied into the file
 *       open otherwise                      refuse: the log is beside the former name
 *
 * A copy, accepted in the last three cases, may be older than what its journal gave out:
 * the positions that it goes on with have been given to other updates. So it begins a
 * new epoch, and every client that resumes receives a gap. (The journal cannot recognise a copy
 * that has lost nothing, and gives it a new epoch as well.)
 *
 * Opening then takes four steps, and the next start by the same name has to accept the
 * file wherever a crash comes between them:
 *
 *   1. PATH-lock gets M and T, the token of this opening.
 *   2. A transaction writes the mark with T.
 *   3. A checkpoint brings it into the file itself. (Until then M is in PATH-lock, from
 *      then on T is.)
 *   4. PATH-lock gets T alone.
 *
 * A start waits for no more of this to be on the disk than that order needs: step 1, and
 * what the checkpoint itself waits for.
 *
 * When another program's long read holds the checkpoint up, step 4 is left out.
 *
 * Closing moves the whole log into the file first and marks it closed only then. By one
 * checkpoint for both, a crash in the midst of it could leave a file that says it was
 * closed while updates are still in the log.
 *
 * The log itself cannot say what it belongs to: SQLite begins it anew after checkpoints.
 * So a backup of the present opening that is copied over the file, with the log of a
 * crash left beside it, is not found out here; crierd(8) says to take the log away.
 */
#include <config.h>

#include "sqlite.h"

#include "base/random.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NO_TOKEN "-"

/* PATH-lock holds two tokens, which may be the same, in fields of a fixed width: so one
 * write replaces them. */
#define LOCK_FORMAT "%-31s %-31s\n"
#define LOCK_LENGTH 64

/* Which file it is. A file system gives an inode's number again, and a device may have
 * another number after the next boot; the time of birth (ns, 0: unknown) is not given
 * twice. */
struct identity {
    int64_t device, inode, birth;
};

struct mark {
    char token[CRIER__SQLITE_TOKEN_SIZE];
    bool open;
    struct identity identity;
    char path[PATH_MAX];
};

/* The tokens of PATH-lock. */
struct lock_tokens {
    bool any;
    char token[2][CRIER__SQLITE_TOKEN_SIZE];
};

/* ---- what there is ---------------------------------------------------- */

static int identify_file(int file, struct identity *identity)
{
    struct statx status;

    if (statx(file, "", AT_EMPTY_PATH, STATX_INO | STATX_BTIME, &status) != 0)
        return -errno;
    identity->device =
        (int64_t)status.stx_dev_major << 32 | status.stx_dev_minor;
    identity->inode = (int64_t)status.stx_ino;
    identity->birth = 0;
    if (status.stx_mask & STATX_BTIME)
        identity->birth = status.stx_btime.tv_sec * INT64_C(1000000000) +
                          status.stx_btime.tv_nsec;
    return 0;
}

static bool is_same_file(const struct identity *one,
                         const struct identity *other)
{
    if (one->inode != other->inode)
        return false;
    return one->birth != 0 && other->birth != 0
               ? one->birth == other->birth
               : one->device == other->device;
}

static void read_lock(int lock_file, struct lock_tokens *tokens)
{
    char text[LOCK_LENGTH + 1] = "";

    if (pread(lock_file, text, LOCK_LENGTH, 0) != LOCK_LENGTH)
        text[0] = '\0';
    tokens->any =
        sscanf(text, "%31s %31s", tokens->token[0], tokens->token[1]) == 2;
}

static bool lock_has(const struct lock_tokens *tokens, const char *token)
{
    return tokens->any && (strcmp(tokens->token[0], token) == 0 ||
                           strcmp(tokens->token[1], token) == 0);
}

/* Returns how often the file had been opened when it got TOKEN. */
static uint64_t token_number(const char *token)
{
    return strtoull(token, NULL, 10); /* NO_TOKEN: 0 */
}

static uint64_t lock_number(const struct lock_tokens *tokens)
{
    uint64_t one, other;

    if (!tokens->any)
        return 0;
    one = token_number(tokens->token[0]);
    other = token_number(tokens->token[1]);
    return one > other ? one : other;
}

/* ---- reading the mark ------------------------------------------------- */

/* Whether the database has the table. */
static bool has_table(struct crier__sql *sql)
{
    sqlite3_stmt *row = crier__sql_other(
        sql, "SELECT 1 FROM sqlite_master WHERE type = 'table' AND "
             "name = 'mark'");
    bool found = crier__sql_row(sql, row);

    sqlite3_finalize(row);
    return found;
}

static void read_row(struct crier__sql *sql, struct mark *mark)
{
    sqlite3_stmt *row = crier__sql_other(
        sql, "SELECT token, open, device, inode, birth, path FROM mark");

    if (crier__sql_row(sql, row)) {
        crier__sql_text(row, 0, mark->token, sizeof mark->token);
        mark->open = sqlite3_column_int(row, 1) != 0;
        mark->identity.device = sqlite3_column_int64(row, 2);
        mark->identity.inode = sqlite3_column_int64(row, 3);
        mark->identity.birth = sqlite3_column_int64(row, 4);
        crier__sql_text(row, 5, mark->path, sizeof mark->path);
    }
    sqlite3_finalize(row);
    if (mark->token[0] == '\0' ||
        mark->token[strspn(mark->token, "0123456789abcdefghijklmnopqrstuvwxyz-")] !=
            '\0')
        memcpy(mark->token, NO_TOKEN, sizeof NO_TOKEN); /* somebody has edited it */
}

/* Reads the mark of the file PATH without its log. Sets *READABLE to false when it
 * cannot be read, which is so while a checkpoint is half done. */
static int read_mark(const char *path, struct mark *mark, bool *readable,
                     char reason[256])
{
    struct crier__sql sql = {0};
    int error = crier__sql_open_reader(&sql, path, NULL, 0, true);

    memset(mark, 0, sizeof *mark);
    memcpy(mark->token, NO_TOKEN, sizeof NO_TOKEN);
    if (error == 0 && has_table(&sql))
        read_row(&sql, mark);
    *readable = sql.error == 0;
    if (error == 0 && sql.error != 0 && !sql.damaged) {
        error = sql.error;
        snprintf(reason, 256, "%s", sql.reason);
    }
    crier__sql_close(&sql);
    return error;
}

/* ---- the decision ----------------------------------------------------- */

static int report_former(const struct mark *mark, char reason[256])
{
    snprintf(reason, 256, "it was not closed as %.120s, beside which its log is: "
             "open it by that name, or move that name's -wal and -lock along",
             mark->path);
    return CRIER_ERR_SEPARATED;
}

/* Refuses a file that was moved, with or without its PATH-lock, from beside a log that is
 * still there. One that was copied from where the original still is has lost nothing. */
static int check_former(const struct mark *mark, char reason[256])
{
    int found;

    if (access(mark->path, F_OK) == 0)
        return 0;
    found = crier__sqlite_find_log(mark->path, reason);
    if (found <= 0)
        return found;
    return report_former(mark, reason);
}

static int check_log(const char *path, const struct lock_tokens *tokens,
                     char reason[256])
{
    if (!tokens->any)
        return 0;
    snprintf(reason, 256, "%.120s-wal is the log of another file, or of another "
             "state of this one: move it away, or the -lock if they do belong "
             "together", path);
    return CRIER_ERR_SEPARATED;
}

/* Sets *COPY to whether the file is a copy. */
static int check_no_log(const char *path, int file, const struct mark *mark,
                        const struct lock_tokens *tokens, bool *copy,
                        char reason[256])
{
    struct identity identity;
    int error = identify_file(file, &identity);

    if (error != 0)
        return error;
    *copy = strcmp(mark->token, NO_TOKEN) != 0 &&
            (!is_same_file(&mark->identity, &identity) ||
             token_number(mark->token) < lock_number(tokens));
    if (!mark->open || !is_same_file(&mark->identity, &identity))
        return 0;
    if (strcmp(mark->path, path) == 0 && *copy)
        return 0;
    return report_former(mark, reason);
}

int crier__sqlite_check_mark(struct crier__sqlite *sqlite, const char *path,
                             char reason[256])
{
    struct crier__sqlite_claim *claim = &sqlite->claim;
    struct lock_tokens tokens;
    struct mark mark;
    bool readable;
    int error, found;

    memcpy(sqlite->token, NO_TOKEN, sizeof NO_TOKEN);
    read_lock(claim->lock_file, &tokens);
    sqlite->openings = lock_number(&tokens);
    sqlite->lock_is_new = !tokens.any;
    if (lseek(claim->file, 0, SEEK_END) == 0)
        return 0;
    error = read_mark(path, &mark, &readable, reason);
    sqlite->crashed = !readable || mark.open ||
                      strcmp(mark.token, NO_TOKEN) == 0;
    if (error != 0 || !readable)
        return error;
    memcpy(sqlite->token, mark.token, sizeof mark.token);
    if (token_number(mark.token) > sqlite->openings)
        sqlite->openings = token_number(mark.token);
    found = crier__sqlite_find_log(path, reason);
    if (found < 0)
        return found;
    if (found == 0 && mark.open && strcmp(mark.path, path) != 0 &&
        (error = check_former(&mark, reason)) != 0)
        return error;
    if (lock_has(&tokens, mark.token))
        return 0;
    return found > 0 ? check_log(path, &tokens, reason)
                     : check_no_log(path, claim->file, &mark, &tokens,
                                    &sqlite->restored, reason);
}

/* ---- writing the mark ------------------------------------------------- */

/* Has the disk know that PATH-lock is there. */
static int sync_directory(const char *path)
{
    char *name = strdup(path);
    int directory, error = 0;

    if (name == NULL)
        return -ENOMEM;
    strrchr(name, '/')[1] = '\0';
    directory = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(name);
    if (directory < 0)
        return -errno;
    if (fsync(directory) != 0 && errno != EINVAL) /* some cannot do that */
        error = -errno;
    close(directory);
    return error;
}

/* Writes both tokens to PATH-lock. */
static int write_lock(const struct crier__sqlite *sqlite, const char *one,
                      const char *other)
{
    char text[LOCK_LENGTH + 1];
    ssize_t length;

    snprintf(text, sizeof text, LOCK_FORMAT, one, other);
    length = pwrite(sqlite->claim.lock_file, text, LOCK_LENGTH, 0);
    if (length == LOCK_LENGTH)
        return 0;
    return length < 0 ? -errno : -ENOSPC;
}

/* Has the disk know what PATH-lock holds. */
static int sync_lock(const struct crier__sqlite *sqlite)
{
    if (fsync(sqlite->claim.lock_file) != 0)
        return -errno;
    return sqlite->lock_is_new ? sync_directory(sqlite->name) : 0;
}

/* Writes into REASON what ERROR (-errno) of PATH-lock means; returns the journal's
 * error. */
static int fail_lock(int error, char reason[256])
{
    snprintf(reason, 256, "its -lock: %s", crier_error_text(error));
    return error == -ENOSPC || error == -EDQUOT || error == -EFBIG
               ? CRIER_ERR_STORAGE_FULL
               : error;
}

/* Writes the mark, the epoch and the time of the last check into the log; the checkpoint
 * that follows writes them to the file. Returns -ENOMEM or the writer's error. */
static int write_mark(struct crier__sqlite *sqlite, bool open)
{
    struct crier__sql *sql = &sqlite->writer;
    struct identity identity;
    char *text;
    int error = identify_file(sqlite->claim.file, &identity);

    if (error != 0)
        return error;
    text = sqlite3_mprintf(
        "PRAGMA synchronous = OFF;"
        "BEGIN IMMEDIATE;"
        "CREATE TABLE IF NOT EXISTS mark ("
        " token TEXT NOT NULL,"
        " open INTEGER NOT NULL,"
        " device INTEGER NOT NULL,"
        " inode INTEGER NOT NULL,"
        " birth INTEGER NOT NULL," /* ns since 1970; 0: unknown */
        " path TEXT NOT NULL);"
        "DELETE FROM mark;"
        "INSERT INTO mark VALUES (%Q, %d, %lld, %lld, %lld, %Q);"
        "UPDATE journal SET epoch = %Q, checked = %lld, sum = %lld;"
        "COMMIT;"
        "PRAGMA synchronous = FULL;",
        sqlite->token, open, (long long)identity.device,
        (long long)identity.inode, (long long)identity.birth, sqlite->name,
        sqlite->journal.epoch, (long long)sqlite->saved.checked,
        (long long)crier__sqlite_totals_sum(&sqlite->saved,
                                            sqlite->journal.epoch));
    if (text == NULL)
        return -ENOMEM;
    error = crier__sql_script(sql, text);
    sqlite3_free(text);
    if (sqlite3_get_autocommit(sql->db) == 0)
        sqlite3_exec(sql->db, "ROLLBACK", NULL, NULL, NULL);
    return error;
}

/* Moves the log into the file. Returns SQLite's code: SQLITE_BUSY when another program
 * reads what was there before. */
static int move_log(struct crier__sqlite *sqlite)
{
    return sqlite3_wal_checkpoint_v2(sqlite->writer.db, "main",
                                     SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
}

/* Gives the writer's failure on. */
static int fail_writer(const struct crier__sqlite *sqlite, int error,
                       char reason[256])
{
    const struct crier__sql *sql = &sqlite->writer;

    if (sql->error == 0)
        return error;
    snprintf(reason, 256, "%s", sql->reason);
    return sql->damaged ? CRIER_ERR_DAMAGED : sql->error;
}

/* Steps 3 and 4; see above. */
static int settle_mark(struct crier__sqlite *sqlite, char reason[256])
{
    int code = move_log(sqlite), error;

    if (code == SQLITE_BUSY)
        return 0;
    if (code == SQLITE_OK) {
        error = write_lock(sqlite, sqlite->token, sqlite->token);
        return error == 0 ? 0 : fail_lock(error, reason);
    }
    snprintf(reason, 256, "%s", sqlite3_errmsg(sqlite->writer.db));
    if (code == SQLITE_NOMEM)
        return -ENOMEM;
    return code == SQLITE_FULL ? CRIER_ERR_STORAGE_FULL : CRIER_ERR_STORAGE;
}

int crier__sqlite_mark_open(struct crier__sqlite *sqlite, char reason[256])
{
    char former[CRIER__SQLITE_TOKEN_SIZE], name[CRIER__RANDOM_NAME_SIZE];
    int error = crier__random_name(name);

    if (error != 0)
        return error;
    memcpy(former, sqlite->token, sizeof former);
    snprintf(sqlite->token, sizeof sqlite->token, "%" PRIu64 "-%s",
             sqlite->openings + 1, name);
    if (sqlite->restored)
        error = crier__random_name(sqlite->journal.own_epoch);
    if (error != 0)
        return error;
    error = write_lock(sqlite, former, sqlite->token);
    if (error == 0)
        error = sync_lock(sqlite);
    if (error != 0)
        return fail_lock(error, reason);
    error = write_mark(sqlite, true);
    if (error != 0)
        return fail_writer(sqlite, error, reason);
    sqlite->marked = true;
    return settle_mark(sqlite, reason);
}

void crier__sqlite_mark_closed(struct crier__sqlite *sqlite)
{
    crier__sql_clear(&sqlite->writer);
    if (crier__sqlite_is_claimed(&sqlite->claim, sqlite->name) &&
        move_log(sqlite) == SQLITE_OK && write_mark(sqlite, false) == 0)
        move_log(sqlite);
}
