/*
 * The journal's file before SQLite opens it: is it ours, and is it free?
 *
 * A path given by mistake must not cost anybody a file. So a file that exists is
 * first read without SQLite: one that is neither empty nor an SQLite database with
 * our application id is refused before SQLite has touched it (which would recover
 * and checkpoint somebody else's database).
 *
 * One process at a time. Two locks see to it, and the kernel releases both when the
 * process dies, however that happens:
 *
 *   - an flock() on PATH-lock, which outlives a file that is renamed or replaced.
 *     PATH-lock is never removed, since a process could remove another one's.
 *   - an open file description lock on one byte of the file itself, far behind the
 *     bytes that SQLite locks. It holds whatever name leads to the file: a hard
 *     link, or a file that is mounted in two containers.
 *
 * SQLite's own locks last for a transaction only, and its exclusive mode would keep
 * out programs that make a backup, which neither of these two does.
 *
 * SQLite keeps its log (PATH-wal) beside the name that it was given. By another name
 * of the same file the log would not be found, and the updates in it would be lost.
 * So a file with several names (hard links) opens only by a name that it was opened by
 * before: one that has a PATH-lock. sqlite_mark.c sees to all other ways in which a file
 * and its log are separated.
 *
 * Closing any descriptor of a file drops all POSIX locks that the process has on it,
 * SQLite's included. So a file that this process has open is never opened here a
 * second time: `claims` lists the open ones. Its lock is taken alone.
 */
#include <config.h>

#include "sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utlist.h>

/* Where an SQLite database has its application id. */
#define APPLICATION_AT 68
#define HEADER 100

/* The byte that is locked: no file is as long, and SQLite locks bytes at 1 GiB. */
#define LOCKED_BYTE ((off_t)1 << 62)

/* The files that this process has open. */
static struct crier__sqlite_claim *claims;
static pthread_mutex_t claims_lock = PTHREAD_MUTEX_INITIALIZER;

int crier__sqlite_fail(char reason[256], const char *file)
{
    int error = -errno;

    snprintf(reason, 256, "%.200s: %s", file, crier_error_text(error));
    return error;
}

static int refuse_file(char reason[256], const char *why)
{
    snprintf(reason, 256, "%s", why);
    return CRIER_ERR_DAMAGED;
}

/* ---- the locks -------------------------------------------------------- */

static int lock_name(struct crier__sqlite_claim *claim, const char *lock_path,
                     char reason[256])
{
    int error;

    claim->lock_file = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (claim->lock_file < 0)
        return crier__sqlite_fail(reason, lock_path);
    if (flock(claim->lock_file, LOCK_EX | LOCK_NB) == 0)
        return 0;
    error = crier__sqlite_fail(reason, lock_path);
    if (error != -EWOULDBLOCK)
        return error;
    snprintf(reason, 256, "%.200s is locked", lock_path);
    return CRIER_ERR_IN_USE;
}

static int lock_file(struct crier__sqlite_claim *claim, const char *path,
                     char reason[256])
{
    struct flock lock = {.l_type = F_WRLCK,
                         .l_whence = SEEK_SET,
                         .l_start = LOCKED_BYTE,
                         .l_len = 1};

    if (fcntl(claim->file, F_OFD_SETLK, &lock) == 0)
        return 0;
    if (errno != EAGAIN && errno != EACCES)
        return crier__sqlite_fail(reason, path);
    snprintf(reason, 256, "%.200s is locked, maybe under another name", path);
    return CRIER_ERR_IN_USE;
}

/* Enters the file of STATUS, which PATH leads to, in the list of open ones. */
static int enter_claim(struct crier__sqlite_claim *claim,
                       const struct stat *status, const char *path,
                       char reason[256])
{
    struct crier__sqlite_claim *other;

    pthread_mutex_lock(&claims_lock);
    DL_FOREACH (claims, other)
        if (other->device == status->st_dev && other->inode == status->st_ino)
            break;
    claim->entered = other == NULL;
    if (claim->entered) {
        claim->device = status->st_dev;
        claim->inode = status->st_ino;
        DL_APPEND(claims, claim);
    }
    pthread_mutex_unlock(&claims_lock);
    if (claim->entered)
        return 0;
    snprintf(reason, 256, "%.200s is open in this process already", path);
    return CRIER_ERR_IN_USE;
}

/* ---- the file --------------------------------------------------------- */

/* Whether the open FILE may be ours, by its first bytes. */
static int check_header(int file, const char *path, char reason[256])
{
    unsigned char header[HEADER];
    ssize_t length = pread(file, header, sizeof header, 0);
    uint32_t application;

    if (length == 0)
        return 0;
    if (length < 0)
        return crier__sqlite_fail(reason, path);
    if (length < (ssize_t)sizeof header ||
        memcmp(header, "SQLite format 3", 16) != 0)
        return refuse_file(reason, "file is not a database");
    application = (uint32_t)header[APPLICATION_AT] << 24 |
                  (uint32_t)header[APPLICATION_AT + 1] << 16 |
                  (uint32_t)header[APPLICATION_AT + 2] << 8 |
                  header[APPLICATION_AT + 3];
    if (application != CRIER__SQLITE_APPLICATION)
        return refuse_file(reason, "a database of another program");
    return 0;
}

int crier__sqlite_find_log(const char *path, char reason[256])
{
    struct stat status;
    char *log;
    int found;

    if (asprintf(&log, "%s-wal", path) < 0)
        return -ENOMEM;
    if (stat(log, &status) == 0)
        found = status.st_size > 0;
    else
        found = errno == ENOENT ? 0 : crier__sqlite_fail(reason, log);
    free(log);
    return found;
}

/* Checks that there is no log beside PATH, where a new file is to be made: SQLite would
 * delete it. */
static int check_new(const char *path, char reason[256])
{
    int found = crier__sqlite_find_log(path, reason);

    if (found <= 0)
        return found;
    snprintf(reason, 256, "%.150s-wal is the log of a file that is not there: "
             "move that file back, or the log away", path);
    return CRIER_ERR_SEPARATED;
}

/* Checks what can be known of PATH before it is opened or anything is created. */
static int check_names(const char *path, const char *lock_path,
                       char reason[256])
{
    struct stat status;

    if (stat(path, &status) != 0)
        return errno == ENOENT ? check_new(path, reason)
                               : crier__sqlite_fail(reason, path);
    if (!S_ISREG(status.st_mode))
        return refuse_file(reason, "not a regular file");
    if (status.st_size == 0)
        return check_new(path, reason);
    if (status.st_nlink < 2 || access(lock_path, F_OK) == 0)
        return 0;
    snprintf(reason, 256, "%.150s has another name (a hard link), beside which its "
             "log may be: open it by that name", path);
    return CRIER_ERR_SEPARATED;
}

/* Opens PATH, and makes an empty file of it where there is none. */
static int open_file(struct crier__sqlite_claim *claim, const char *path,
                     char reason[256])
{
    struct stat status;
    int error = 0;

    if (stat(path, &status) == 0)
        error = enter_claim(claim, &status, path, reason);
    if (error != 0)
        return error;
    claim->file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0644);
    if (claim->file < 0 || fstat(claim->file, &status) != 0)
        return crier__sqlite_fail(reason, path);
    return claim->entered ? 0 : enter_claim(claim, &status, path, reason);
}

int crier__sqlite_claim(struct crier__sqlite_claim *claim, const char *path,
                        char reason[256])
{
    char *lock_path;
    int error;

    if (asprintf(&lock_path, "%s-lock", path) < 0)
        return -ENOMEM;
    error = check_names(path, lock_path, reason);
    if (error == 0)
        error = lock_name(claim, lock_path, reason);
    if (error == 0)
        error = open_file(claim, path, reason);
    if (error == 0)
        error = lock_file(claim, path, reason);
    if (error == 0)
        error = check_header(claim->file, path, reason);
    free(lock_path);
    return error;
}

bool crier__sqlite_is_claimed(const struct crier__sqlite_claim *claim,
                              const char *path)
{
    struct stat now;

    return stat(path, &now) == 0 && now.st_ino == claim->inode &&
           now.st_dev == claim->device;
}

void crier__sqlite_unclaim(struct crier__sqlite_claim *claim)
{
    if (claim->file >= 0)
        close(claim->file);
    if (claim->lock_file >= 0)
        close(claim->lock_file);
    if (!claim->entered)
        return;
    pthread_mutex_lock(&claims_lock);
    DL_DELETE(claims, claim);
    pthread_mutex_unlock(&claims_lock);
}
