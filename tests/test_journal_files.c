/*
 * Which files the journal takes for its own: others are refused, and stay as
 * they are to the last byte. So does a file that is without its log.
 *
 * A crash is what it leaves: the bytes of the file, its log and PATH-lock, read while the
 * journal is open and written back to the same inodes after it was closed.
 */
#include <config.h>

#include "support/journals.h"
#include "support/runner.h"
#include "libcrier/journal/sqlite/sqlite_check.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define ck_reads(given, wanted) ck_assert_str_eq(given, wanted)

static char *read_file(const char *name, size_t *length)
{
    char *bytes = malloc(4 * 1024 * 1024);
    int file = open(name, O_RDONLY);
    ssize_t got;

    ck_assert_int_ge(file, 0);
    got = read(file, bytes, 4 * 1024 * 1024);
    ck_assert_int_ge(got, 0);
    close(file);
    *length = (size_t)got;
    return bytes;
}

static void write_file(const char *name, const char *bytes, size_t length)
{
    int file = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    ck_assert_int_ge(file, 0);
    ck_assert_int_eq(write(file, bytes, length), (ssize_t)length);
    close(file);
}

/* The journal of this test is to be in memory where that is possible, so that nothing waits
 * for a disk. */
static void avoid_disk(void)
{
    if (access("/dev/shm", W_OK) == 0)
        journal_parent = "/dev/shm";
}

/* Asserts that opening fails with ERROR, and leaves the file as it is. */
static void assert_refused(int error)
{
    size_t before, after_;
    char *old = read_file(journal_path(), &before), *new;

    ck_assert_int_eq(journal_open(NULL), error);
    new = read_file(journal_path(), &after_);
    ck_assert_uint_eq(before, after_);
    ck_assert(memcmp(old, new, before) == 0);
    free(old);
    free(new);
}

START_TEST(not_a_database)
{
    static const char text[] = "Dear diary,\n";
    char zeros[4096] = "";

    write_file(journal_path(), text, strlen(text));
    assert_refused(CRIER_ERR_DAMAGED);
    write_file(journal_path(), zeros, sizeof zeros);
    assert_refused(CRIER_ERR_DAMAGED);
    write_file(journal_path(), "SQLite format 3", 16);
    assert_refused(CRIER_ERR_DAMAGED);
    write_file(journal_path(), "", 0); /* as mktemp makes it */
    ck_assert_int_eq(journal_open(NULL), 0);
    append("a", "1");
    journal_end();
}
END_TEST

START_TEST(somebody_elses_database)
{
    journal_sql(journal_path(), "CREATE TABLE t (x); INSERT INTO t VALUES (1)");
    assert_refused(CRIER_ERR_DAMAGED);
    journal_sql(journal_path(), "PRAGMA application_id = 77");
    assert_refused(CRIER_ERR_DAMAGED);
    journal_sql(journal_path(), "DROP TABLE t; VACUUM");
    assert_refused(CRIER_ERR_DAMAGED);
    journal_sql(journal_path(), "PRAGMA application_id = 1131571557;"
                            "CREATE TABLE u (x); PRAGMA user_version = 99");
    assert_refused(CRIER_ERR_DAMAGED);
    journal_sql(journal_path(), "PRAGMA user_version = 1");
    assert_refused(CRIER_ERR_DAMAGED); /* our tables are missing */
    journal_end();
}
END_TEST

START_TEST(damaged)
{
    size_t length, i;
    char *bytes;

    avoid_disk();
    ck_assert_int_eq(journal_open(NULL), 0);
    append_many("a,b", 0, 1000);
    journal_close();
    bytes = read_file(journal_path(), &length);
    ck_assert_uint_gt(length, 40000);
    for (i = 8192; i < 30000; i++)
        bytes[i] = (char)~bytes[i];
    write_file(journal_path(), bytes, length);
    assert_refused(CRIER_ERR_DAMAGED);
    for (i = 8192; i < 30000; i++)
        bytes[i] = (char)~bytes[i];
    write_file(journal_path(), bytes, length / 2); /* cut off */
    assert_refused(CRIER_ERR_DAMAGED);
    write_file(journal_path(), bytes, length);
    ck_assert_int_eq(journal_open(NULL), 0);
    free(bytes);
    journal_end();
}
END_TEST

START_TEST(one_at_a_time)
{
    struct crier_journal *first;
    char reason[256] = "", other[128];

    ck_assert_int_eq(journal_open(NULL), 0);
    append("a", "1");
    first = journal;
    ck_assert_int_eq(crier_journal_sqlite(journal_path(), NULL, &journal,
                                          reason, sizeof reason),
                     CRIER_ERR_IN_USE);
    ck_assert_ptr_nonnull(strstr(reason, "-lock"));
    snprintf(other, sizeof other, "%s/link", journal_dir);
    ck_assert_int_eq(symlink(journal_path(), other), 0);
    ck_assert_int_eq(crier_journal_sqlite(other, NULL, &journal, NULL, 0),
                     CRIER_ERR_IN_USE);
    journal = first;
    append("a", "2");
    journal_close();
    ck_assert_int_eq(journal_open(NULL), 0);
    ck_reads(all("a"), " 1 2");
    journal_end();
}
END_TEST

/* A hard link, or a file mounted twice: two names, and no way to tell that from them. */
START_TEST(one_at_a_time_by_any_name)
{
    char other[128], lock[160], reason[256] = "";
    struct crier_journal *first;

    ck_assert_int_eq(journal_open(NULL), 0);
    append("a", "1");
    first = journal;
    snprintf(other, sizeof other, "%s/other", journal_dir);
    ck_assert_int_eq(link(journal_path(), other), 0);
    ck_assert_int_eq(crier_journal_sqlite(other, NULL, &journal, reason,
                                          sizeof reason),
                     CRIER_ERR_SEPARATED);
    ck_assert_ptr_nonnull(strstr(reason, "hard link"));
    snprintf(lock, sizeof lock, "%s-lock", other);
    ck_assert_int_ne(access(lock, F_OK), 0); /* the next try is refused, too */
    write_file(lock, "", 0);
    ck_assert_int_eq(crier_journal_sqlite(other, NULL, &journal, reason,
                                          sizeof reason),
                     CRIER_ERR_IN_USE);
    ck_assert_ptr_nonnull(strstr(reason, "in this process"));
    ck_assert_int_eq(unlink(lock), 0);
    journal = first;
    append("a", "2");
    journal_close();
    ck_assert_int_eq(crier_journal_sqlite(other, NULL, &journal, NULL, 0),
                     CRIER_ERR_SEPARATED); /* its log might be beside the first */
    ck_assert_int_eq(journal_open(NULL), 0);
    ck_reads(all("a"), " 1 2");
    journal_end();
}
END_TEST

/* Whether a lock of SQLite's is on the open FILE, where SQLite keeps its shared ones. */
static bool sqlite_has_lock(int file)
{
    struct flock lock = {.l_type = F_WRLCK,
                         .l_whence = SEEK_SET,
                         .l_start = 0x40000002,
                         .l_len = 510};

    ck_assert_int_eq(fcntl(file, F_OFD_GETLK, &lock), 0);
    return lock.l_type != F_UNLCK;
}

/* By SQLite's locks, a program that makes a backup knows that it is not the only one
 * and has to leave the log alone. */
START_TEST(a_refusal_leaves_the_locks_of_sqlite)
{
    char other[128], lock[160];
    struct crier_journal *first;
    int file;

    ck_assert_int_eq(journal_open(NULL), 0);
    append("a", "1");
    first = journal;
    file = open(journal_path(), O_RDWR); /* closing it would drop the locks */
    ck_assert(sqlite_has_lock(file));
    snprintf(other, sizeof other, "%s/other", journal_dir);
    ck_assert_int_eq(link(journal_path(), other), 0);
    snprintf(lock, sizeof lock, "%s-lock", other);
    write_file(lock, "", 0);
    ck_assert_int_eq(crier_journal_sqlite(other, NULL, &journal, NULL, 0),
                     CRIER_ERR_IN_USE);
    ck_assert(sqlite_has_lock(file));
    journal = first;
    journal_close();
    close(file);
    journal_end();
}
END_TEST

static int try_path(const char *path)
{
    struct crier_journal *made;
    char reason[256] = "", few[4];
    int error = crier_journal_sqlite(path, NULL, &made, reason, sizeof reason);

    if (error == 0) {
        crier_journal_free(made);
    } else {
        ck_assert(error == CRIER_ERR_INVALID || reason[0] != '\0');
        ck_assert_int_eq(
            crier_journal_sqlite(path, NULL, &made, few, sizeof few), error);
        ck_assert_int_eq(crier_journal_sqlite(path, NULL, &made, NULL, 0),
                         error);
    }
    return error;
}

START_TEST(paths)
{
    char path[128];

    journal_path();
    ck_assert_int_eq(chdir(journal_dir), 0);
    ck_assert_int_eq(try_path(""), CRIER_ERR_INVALID);
    ck_assert_int_eq(try_path(":memory:"), 0);
    ck_assert_int_eq(access(":memory:", F_OK), 0);
    ck_assert_int_eq(try_path("file:x?mode=memory"), 0);
    ck_assert_int_eq(access("file:x?mode=memory", F_OK), 0);
    ck_assert_int_eq(mkdir("directory", 0700), 0);
    ck_assert_int_eq(try_path("directory"), CRIER_ERR_DAMAGED);
    ck_assert_int_eq(try_path("nowhere/journal"), -ENOENT);
    ck_assert_int_eq(try_path(":memory:/journal"), -ENOTDIR);
    ck_assert_int_eq(try_path("/proc/journal"), -ENOENT);
    ck_assert_int_eq(mkfifo("fifo", 0600), 0);
    ck_assert_int_eq(try_path("fifo"), CRIER_ERR_DAMAGED);
    snprintf(path, sizeof path, "%s/plain", journal_dir);
    ck_assert_int_eq(try_path(path), 0);
    ck_assert_int_eq(chdir("/"), 0);
    journal_end();
}
END_TEST

#define NOBODY 65534

START_TEST(no_right_to_write)
{
    char lock[128];

    journal_path();
    if (geteuid() == 0 &&
        (chown(journal_dir, NOBODY, NOBODY) < 0 || seteuid(NOBODY) < 0)) {
        printf("SKIPPED: no_right_to_write: %s\n", strerror(errno));
        journal_end();
        return;
    }
    ck_assert_int_eq(journal_open(NULL), 0);
    journal_close();
    ck_assert_int_eq(chmod(journal_path(), 0400), 0);
    ck_assert_int_eq(journal_open(NULL), -EACCES);
    ck_assert_int_eq(chmod(journal_path(), 0), 0);
    ck_assert_int_eq(journal_open(NULL), -EACCES);
    snprintf(lock, sizeof lock, "%s-lock", journal_path());
    ck_assert_int_eq(unlink(lock), 0);
    ck_assert_int_eq(chmod(journal_dir, 0500), 0);
    ck_assert_int_eq(journal_open(NULL), -EACCES);
    ck_assert_int_eq(chmod(journal_dir, 0700), 0);
    ck_assert_int_eq(chmod(journal_path(), 0600), 0);
    ck_assert_int_eq(journal_open(NULL), 0);
    if (getuid() == 0)
        ck_assert_int_eq(seteuid(0), 0);
    journal_end();
}
END_TEST

/* ---- the file and its log --------------------------------------------- */

static const char *const ends[] = {"", "-wal", "-lock"};

/* What is on the disk; a negative length: no such file. */
struct state {
    char *bytes[3];
    ssize_t length[3];
};

static char elsewhere[128]; /* another name */

static const char *name_file(const char *path, const char *end)
{
    static char name[160];

    snprintf(name, sizeof name, "%s%s", path, end);
    return name;
}

static void save_state(struct state *state)
{
    int i, file;

    for (i = 0; i < 3; i++) {
        state->bytes[i] = malloc(1024 * 1024);
        state->length[i] = -1;
        file = open(name_file(journal_path(), ends[i]), O_RDONLY);
        if (file < 0)
            continue;
        state->length[i] = read(file, state->bytes[i], 1024 * 1024);
        ck_assert_int_ge(state->length[i], 0);
        close(file);
    }
}

static void restore_state(const struct state *state)
{
    int i;

    (void)unlink(name_file(journal_path(), "-shm"));
    for (i = 0; i < 3; i++)
        if (state->length[i] >= 0)
            write_file(name_file(journal_path(), ends[i]), state->bytes[i],
                       (size_t)state->length[i]);
        else
            (void)unlink(name_file(journal_path(), ends[i]));
}

static void free_state(struct state *state)
{
    int i;

    for (i = 0; i < 3; i++)
        free(state->bytes[i]);
}

/* Asserts that STATE is still on the disk, PATH-lock aside. */
static void assert_state(const struct state *state)
{
    struct state now;
    int i;

    save_state(&now);
    for (i = 0; i < 2; i++) {
        ck_assert_int_eq(now.length[i], state->length[i]);
        if (now.length[i] > 0)
            ck_assert(memcmp(now.bytes[i], state->bytes[i],
                             (size_t)now.length[i]) == 0);
    }
    free_state(&now);
}

/* Makes a journal with the updates 1, 2 and 3 in `a` that has crashed. */
static void make_crash(struct state *state)
{
    ck_assert_int_eq(journal_open(NULL), 0);
    append_many("a", 1, 3);
    save_state(state);
    journal_close();
    restore_state(state);
    snprintf(elsewhere, sizeof elsewhere, "%s/elsewhere", journal_dir);
}

static void move(const char *from, const char *to, const char *end)
{
    char name[160];

    snprintf(name, sizeof name, "%s%s", from, end);
    ck_assert_int_eq(rename(name, name_file(to, end)), 0);
}

/* Asserts that PATH is refused, for a reason that has WORDS. */
static void assert_separated(const char *path, const char *words)
{
    char reason[256] = "";

    ck_assert_int_eq(
        crier_journal_sqlite(path, NULL, &journal, reason, sizeof reason),
        CRIER_ERR_SEPARATED);
    ck_assert_msg(strstr(reason, words) != NULL, "%s", reason);
    journal = NULL;
}

/* Asserts that PATH opens and holds TEXTS. */
static void assert_holds(const char *path, const char *texts)
{
    char reason[256] = "";

    ck_assert_msg(crier_journal_sqlite(path, NULL, &journal, reason,
                                       sizeof reason) == 0,
                  "%s", reason);
    ck_reads(all("a"), texts);
    journal_close();
}

/* The same while another journal is open. */
static void assert_holds_beside(const char *path, const char *texts)
{
    struct crier_journal *first = journal;

    assert_holds(path, texts);
    journal = first;
}

START_TEST(moved_without_its_log)
{
    struct state state;

    make_crash(&state);
    move(journal_path(), elsewhere, "");
    assert_separated(elsewhere, journal_path());
    ck_assert_int_ne(access(name_file(elsewhere, "-wal"), F_OK), 0);
    move(elsewhere, journal_path(), "");
    assert_state(&state);
    assert_holds(journal_path(), " 1 2 3");
    move(journal_path(), elsewhere, ""); /* it was closed now */
    assert_holds(elsewhere, " 1 2 3");
    free_state(&state);
    journal_end();
}
END_TEST

START_TEST(moved_with_its_log)
{
    struct state state;

    make_crash(&state);
    move(journal_path(), elsewhere, "");
    move(journal_path(), elsewhere, "-wal");
    assert_holds(elsewhere, " 1 2 3");
    ck_assert_int_eq(unlink(elsewhere), 0);
    restore_state(&state);
    move(journal_path(), elsewhere, "");
    move(journal_path(), elsewhere, "-wal");
    move(journal_path(), elsewhere, "-lock");
    assert_holds(elsewhere, " 1 2 3");
    free_state(&state);
    journal_end();
}
END_TEST

/* An empty log says as much as none; PATH-lock tells. */
START_TEST(moved_with_an_empty_log)
{
    struct state state;

    ck_assert_int_eq(journal_open(NULL), 0);
    append("a", "1");
    journal_close();
    ck_assert_int_eq(journal_open(NULL), 0);
    save_state(&state);
    journal_close();
    ck_assert_int_eq(state.length[1], 0);
    restore_state(&state);
    snprintf(elsewhere, sizeof elsewhere, "%s/elsewhere", journal_dir);
    move(journal_path(), elsewhere, "");
    assert_separated(elsewhere, journal_path());
    move(journal_path(), elsewhere, "-wal");
    move(journal_path(), elsewhere, "-lock");
    assert_holds(elsewhere, " 1");
    free_state(&state);
    journal_end();
}
END_TEST

/* Neither PATH-lock nor another inode hides that the log is beside the former name. */
START_TEST(moved_without_its_log_but_disguised)
{
    struct state state;

    make_crash(&state);
    move(journal_path(), elsewhere, "");
    if (_i == 0)
        move(journal_path(), elsewhere, "-lock");
    else /* as by a move to another file system */
        write_file(elsewhere, state.bytes[0], (size_t)state.length[0]);
    assert_separated(elsewhere, journal_path());
    move(journal_path(), elsewhere, "-wal");
    assert_holds(elsewhere, " 1 2 3");
    free_state(&state);
    journal_end();
}
END_TEST

/* The positions that a restored backup goes on with were given out before. */
START_TEST(a_restored_backup_has_a_new_epoch)
{
    char before[CRIER__EPOCH_SIZE];
    struct state backup;

    ck_assert_int_eq(journal_open(NULL), 0);
    append_many("a", 1, 3);
    strcpy(before, journal->epoch);
    journal_close();
    save_state(&backup);
    ck_assert_int_eq(journal_open(NULL), 0);
    append_many("a", 4, 2);
    ck_assert_str_eq(journal->epoch, before);
    journal_close();
    ck_assert_int_eq(journal_open(NULL), 0); /* an ordinary start has no new one */
    ck_assert_str_eq(journal->epoch, before);
    journal_close();
    if (_i == 0)
        ck_assert_int_eq(unlink(journal_path()), 0);
    write_file(journal_path(), backup.bytes[0], (size_t)backup.length[0]);
    ck_assert_int_eq(journal_open(NULL), 0);
    ck_assert_str_ne(journal->epoch, before);
    ck_reads(all("a"), " 1 2 3");
    strcpy(before, journal->epoch);
    journal_close();
    ck_assert_int_eq(journal_open(NULL), 0);
    ck_assert_str_eq(journal->epoch, before);
    journal_close();
    free_state(&backup);
    journal_end();
}
END_TEST

START_TEST(a_hard_link_without_the_log)
{
    struct state state;

    make_crash(&state);
    ck_assert_int_eq(link(journal_path(), elsewhere), 0);
    write_file(name_file(elsewhere, "-lock"), "", 0);
    assert_separated(elsewhere, journal_path());
    assert_state(&state);
    assert_holds(journal_path(), " 1 2 3");
    assert_holds(elsewhere, " 1 2 3");
    free_state(&state);
    journal_end();
}
END_TEST

START_TEST(mounted_without_the_log)
{
    struct state state;

    make_crash(&state);
    write_file(elsewhere, "", 0);
    if (unshare(CLONE_NEWNS) < 0 ||
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount(journal_path(), elsewhere, "", MS_BIND, NULL) < 0) {
        printf("SKIPPED: mounted_without_the_log: %s\n", strerror(errno));
    } else {
        assert_separated(elsewhere, journal_path());
        assert_state(&state);
        assert_holds(journal_path(), " 1 2 3");
        assert_holds(elsewhere, " 1 2 3");
        ck_assert_int_eq(umount(elsewhere), 0);
    }
    free_state(&state);
    journal_end();
}
END_TEST

/* SQLite would replay the log of the crash over what came later. */
START_TEST(the_log_of_another_state)
{
    struct state crash, later;

    avoid_disk();
    make_crash(&crash);
    ck_assert_int_eq(journal_open(NULL), 0);
    append_many("a", 4, 300);
    journal_close();
    save_state(&later);
    restore_state(&crash);
    write_file(journal_path(), later.bytes[0], (size_t)later.length[0]);
    assert_separated(journal_path(), "-wal is the log of another");
    ck_assert_int_eq(unlink(name_file(journal_path(), "-wal")), 0);
    ck_assert_int_eq(journal_open(NULL), 0);
    list("a", "", 1);
    ck_assert_uint_eq(listed[0].count, 303);
    free_state(&crash);
    free_state(&later);
    journal_end();
}
END_TEST

/* SQLite deletes a log beside a new file. */
START_TEST(a_new_file_beside_a_log)
{
    struct state state;

    make_crash(&state);
    move(journal_path(), elsewhere, "");
    assert_separated(journal_path(), "-wal is the log of a file");
    ck_assert_int_ne(access(journal_path(), F_OK), 0);
    write_file(journal_path(), "", 0);
    assert_separated(journal_path(), "-wal is the log of a file");
    move(elsewhere, journal_path(), "");
    assert_state(&state);
    assert_holds(journal_path(), " 1 2 3");
    free_state(&state);
    journal_end();
}
END_TEST

static void copy_database(const char *from, const char *to)
{
    sqlite3 *source, *copy;
    sqlite3_backup *backup;

    ck_assert_int_eq(sqlite3_open(from, &source), SQLITE_OK);
    ck_assert_int_eq(sqlite3_open(to, &copy), SQLITE_OK);
    backup = sqlite3_backup_init(copy, "main", source, "main");
    ck_assert_int_eq(sqlite3_backup_step(backup, -1), SQLITE_DONE);
    ck_assert_int_eq(sqlite3_backup_finish(backup), SQLITE_OK);
    sqlite3_close(copy);
    sqlite3_close(source);
}

/* A backup made while the journal is open says so. */
START_TEST(a_backup_by_another_name)
{
    ck_assert_int_eq(journal_open(NULL), 0);
    append("a", "1");
    snprintf(elsewhere, sizeof elsewhere, "%s/elsewhere", journal_dir);
    copy_database(journal_path(), elsewhere);
    assert_holds_beside(elsewhere, " 1");
    journal_close();
    journal_end();
}
END_TEST

START_TEST(a_backup_in_the_place_of_the_file)
{
    char *bytes;
    size_t length;
    int i;

    ck_assert_int_eq(journal_open(NULL), 0);
    append("a", "1");
    snprintf(elsewhere, sizeof elsewhere, "%s/elsewhere", journal_dir);
    copy_database(journal_path(), elsewhere);
    append("a", "2");
    journal_close();
    bytes = read_file(elsewhere, &length);
    for (i = 0; i < 2; i++) { /* of the last opening, and of an older one */
        write_file(journal_path(), bytes, length); /* into the same inode */
        ck_assert_int_eq(journal_open(NULL), 0);
        ck_reads(all("a"), " 1");
        append("a", "3");
        journal_close();
    }
    move(elsewhere, journal_path(), "");
    ck_assert_int_eq(journal_open(NULL), 0);
    ck_reads(all("a"), " 1");
    free(bytes);
    journal_end();
}
END_TEST

/* Of two openings by one name in two places, the later has the log. */
START_TEST(the_same_name_in_another_place)
{
    struct state state;
    char lock[65];

    make_crash(&state);
    ck_assert_int_eq(unlink(name_file(journal_path(), "-wal")), 0);
    snprintf(lock, sizeof lock, "%-31s %-31s\n", "0-x", "0-x");
    write_file(name_file(journal_path(), "-lock"), lock, 64);
    assert_separated(journal_path(), journal_path());
    snprintf(lock, sizeof lock, "%-31s %-31s\n", "8-x", "9-x");
    write_file(name_file(journal_path(), "-lock"), lock, 64);
    ck_assert_int_eq(journal_open(NULL), 0);
    free_state(&state);
    journal_end();
}
END_TEST

START_TEST(a_file_without_a_mark)
{
    struct state state;

    ck_assert_int_eq(journal_open(NULL), 0);
    append("a", "1");
    journal_close();
    journal_sql(journal_path(), "DROP TABLE mark");
    save_state(&state);
    assert_holds(journal_path(), " 1");
    restore_state(&state);
    write_file(name_file(journal_path(), "-wal"), "x", 1);
    assert_separated(journal_path(), "-wal is the log of another");
    ck_assert_int_eq(unlink(name_file(journal_path(), "-lock")), 0);
    assert_holds(journal_path(), " 1"); /* SQLite takes that for an empty log */
    free_state(&state);
    journal_end();
}
END_TEST

/* ---- wrong bytes ------------------------------------------------------ */

#define UPDATES 1200
#define FLIPS 60

/* The updates that were published: their data is their number. */
static bool in_topic(int number, int topic)
{
    return topic == 0 || number % 5 == topic - 1;
}

static void publish_many(void)
{
    char text_[80], topics[16], id[16];
    int i;

    for (i = 0; i < UPDATES; i++) {
        snprintf(topics, sizeof topics, "all,t%d", i % 5 + 1);
        snprintf(id, sizeof id, "id%d", i);
        snprintf(text_, sizeof text_, "%d", i);
        append_id(topics, i % 3 == 0 ? id : NULL, text_);
    }
}

/* The first number from NEXT up to END that the topic has; END when there is none. */
static int next_in_topic(int next, int end, int topic)
{
    while (next < end && !in_topic(next, topic))
        next++;
    return next;
}

/* Asserts that TEXTS are numbers of the topic that rise, and that none is left out but
 * where there is a gap. */
static void assert_replay(const char *texts, int topic)
{
    int next = 0, number, length, missing = -1;
    bool gap = false, good = true;
    const char *rest = texts;

    while (good) {
        if (strncmp(rest, "gap", 3) == 0 || strncmp(rest, " gap", 4) == 0) {
            gap = true;
            rest += rest[0] == ' ' ? 4 : 3;
            continue;
        }
        if (sscanf(rest, " %d%n", &number, &length) != 1)
            number = UPDATES, length = 0;
        if (!gap && next_in_topic(next, number, topic) < number)
            missing = next_in_topic(next, number, topic);
        if (length == 0)
            break;
        good = missing < 0 && number >= next && number < UPDATES &&
               in_topic(number, topic);
        rest += length;
        next = number + 1;
        gap = false;
    }
    ck_assert_msg(good && missing < 0 && *rest == '\0', "%d is missing, or at \"%.40s\"",
                  missing, rest);
}

static void replay(const char *topics, int topic)
{
    const char *texts = all(topics);

    if (answer.error == 0)
        assert_replay(texts, topic);
    else /* the journal says that it cannot be read */
        ck_assert_int_eq(answer.error, CRIER_ERR_STORAGE);
}

/* One byte of the file is wrong: all that is read is what was published, and what is
 * missing has a gap in its place. Or the journal is refused, or says that it fails. */
START_TEST(a_wrong_byte)
{
    unsigned short state[3] = {(unsigned short)_i, 16, 4};
    unsigned opened = 0, gaps = 0, i;
    size_t length, at;
    char *bytes, old;

    avoid_disk();
    ck_assert_int_eq(journal_open(NULL), 0);
    publish_many();
    journal_close();
    bytes = read_file(journal_path(), &length);
    may_fail = true;
    for (i = 0; i < FLIPS; i++) {
        at = (size_t)nrand48(state) % length;
        if (i % 4 == 0) /* the heads of pages are few, and matter most */
            at = at / 4096 * 4096 + at % 64;
        old = bytes[at];
        bytes[at] = (char)(old ^ (i % 3 == 0 ? 0xff : 1 << nrand48(state) % 8));
        write_file(journal_path(), bytes, length);
        (void)unlink(name_file(journal_path(), "-lock"));
        if (journal_open(NULL) == 0) {
            opened++;
            replay("all", 0);
            replay("*", 0);
            replay("t2", 2);
            replay("t*", 0);
            gaps += atomic_load(&journal->damaged) != 0;
            journal_close();
        }
        bytes[at] = old;
    }
    may_fail = false;
    ck_assert_uint_gt(opened, FLIPS / 2);
    ck_assert_uint_gt(gaps, FLIPS / 4);
    free(bytes);
    journal_end();
}
END_TEST

static void wait_for_check(int wanted)
{
    while (atomic_load(&journal->check) != wanted)
        sched_yield();
}

/* After a crash, and not otherwise, the whole file is checked in the background. */
START_TEST(a_check_after_a_crash)
{
    struct state state;
    char reason[128] = "";

    avoid_disk();
    make_crash(&state);
    ck_assert_int_eq(journal_open(NULL), 0);
    wait_for_check(CRIER_CHECK_SOUND);
    while (journal_sql(journal_path(), "SELECT checked > 0 FROM journal") != 1)
        sched_yield();
    ck_assert_int_eq(crier_journal_check(journal_path(), NULL, 0), 0);
    free_state(&state);
    append_many("a,b", 4, 1500);
    journal_close();
    ck_assert_int_eq(crier_journal_check(journal_path(), NULL, 0), 0);
    ck_assert_int_ne(access(name_file(journal_path(), "-wal"), F_OK), 0);
    ck_assert_int_eq(journal_open(NULL), 0);
    ck_assert_int_eq(atomic_load(&journal->check), CRIER_CHECK_NONE);
    journal_close();
    journal_sql(journal_path(), "UPDATE mark SET open = 1");
    journal_sql(journal_path(),
                "UPDATE updates SET body = replace(body, '1', '2') "
                "WHERE position = 1000");
    ck_assert_int_eq(
        crier_journal_check(journal_path(), reason, sizeof reason),
        CRIER_ERR_DAMAGED);
    ck_assert_ptr_nonnull(strstr(reason, "position 1000"));
    ck_assert_int_eq(journal_open(NULL), 0);
    wait_for_check(CRIER_CHECK_DAMAGED);
    ck_assert_str_eq(journal->damage, reason);
    journal_end();
}
END_TEST

/* Checks what is behind POSITION of the chain KEY in PART of the check. */
static void check_behind(unsigned part, int64_t key, uint64_t position)
{
    struct crier__check check;

    ck_assert_int_eq(crier__check_open(&check, journal_path(), false), 0);
    check.part = part;
    check.key = key;
    check.position = position;
    while (crier__check_slice(&check))
        ;
    ck_assert_str_eq(check.damage, "");
    ck_assert(check.whole);
    crier__check_close(&check);
}

/* What the chains have lost between two slices is no damage. */
START_TEST(a_check_beside_evictions)
{
    enum { ENTRIES = 1, LISTS };

    ck_assert_int_eq(journal_open(NULL), 0);
    append_many("a", 1, 10);
    check_behind(ENTRIES, 1, 3);
    check_behind(LISTS, 0, 3);
    ck_assert_int_eq(forget("a"), 0);
    append_many("a", 11, 2);
    check_behind(ENTRIES, 1, 3);
    check_behind(LISTS, 0, 3);
    journal_end();
}
END_TEST

/* ---- a crash between the steps ---------------------------------------- */

#define STEPS 32
static struct state steps[STEPS];
static int step_count = STEPS; /* none is recorded */

static void record_step(void)
{
    if (step_count < STEPS)
        save_state(&steps[step_count++]);
}

int __real_fsync(int file);
int __wrap_fsync(int file);

int __wrap_fsync(int file)
{
    int result;

    record_step();
    result = __real_fsync(file);
    record_step();
    return result;
}

int __real_sqlite3_wal_checkpoint_v2(sqlite3 *db, const char *name, int mode,
                                     int *frames, int *done);
int __wrap_sqlite3_wal_checkpoint_v2(sqlite3 *db, const char *name, int mode,
                                     int *frames, int *done);

/* Records what a checkpoint leaves when it is cut off before the log is emptied, too. */
int __wrap_sqlite3_wal_checkpoint_v2(sqlite3 *db, const char *name, int mode,
                                     int *frames, int *done)
{
    int before = step_count, result;
    struct state half;

    record_step();
    result = __real_sqlite3_wal_checkpoint_v2(db, name, mode, frames, done);
    record_step();
    if (step_count >= STEPS)
        return result;
    half = steps[before];
    half.bytes[0] = malloc(1024 * 1024);
    half.length[0] = steps[before + 1].length[0];
    memcpy(half.bytes[0], steps[before + 1].bytes[0], (size_t)half.length[0]);
    half.bytes[1] = memcpy(malloc(1024 * 1024), half.bytes[1], 1024 * 1024);
    half.bytes[2] = memcpy(malloc(1024 * 1024), half.bytes[2], 1024 * 1024);
    steps[step_count++] = half;
    return result;
}

/* Asserts that after a crash at each step the file opens by its name and holds TEXTS,
 * and by another name does so or is refused. */
static void assert_steps(const char *texts)
{
    int count = step_count, i, error;

    step_count = STEPS;
    for (i = 0; i < count; i++) {
        restore_state(&steps[i]);
        assert_holds(journal_path(), texts);
        restore_state(&steps[i]);
        move(journal_path(), elsewhere, "");
        error = crier_journal_sqlite(elsewhere, NULL, &journal, NULL, 0);
        if (error == 0) {
            ck_reads(all("a"), texts);
            journal_close();
        }
        ck_assert(error == 0 || error == CRIER_ERR_SEPARATED);
        move(elsewhere, journal_path(), "");
        (void)unlink(name_file(elsewhere, "-lock"));
        free_state(&steps[i]);
    }
}

START_TEST(a_crash_while_opening)
{
    struct state state;

    make_crash(&state);
    if (_i == 1) { /* moved together, without PATH-lock */
        ck_assert_int_eq(unlink(name_file(journal_path(), "-lock")), 0);
    } else if (_i == 2) {
        assert_holds(journal_path(), " 1 2 3"); /* closed */
    }
    step_count = 0;
    ck_assert_int_eq(journal_open(NULL), 0);
    ck_assert_int_ge(step_count, 5);
    ck_assert_int_lt(step_count, STEPS);
    journal_close();
    ck_assert_int_lt(step_count, STEPS);
    assert_steps(" 1 2 3");
    free_state(&state);
    journal_end();
}
END_TEST

START_TEST(a_crash_while_closing)
{
    ck_assert_int_eq(journal_open(NULL), 0);
    snprintf(elsewhere, sizeof elsewhere, "%s/elsewhere", journal_dir);
    append_many("a", 1, 3);
    step_count = 0;
    journal_close();
    ck_assert_int_ge(step_count, 6);
    ck_assert_int_lt(step_count, STEPS);
    assert_steps(" 1 2 3");
    journal_end();
}
END_TEST

/* Another program's long read holds the checkpoint up, and with it the mark. */
START_TEST(opened_while_somebody_reads)
{
    struct state state;
    sqlite3 *reader;

    ck_assert_int_eq(journal_open(NULL), 0);
    append("a", "1");
    journal_close();
    ck_assert_int_eq(sqlite3_open(journal_path(), &reader), SQLITE_OK);
    ck_assert_int_eq(
        sqlite3_exec(reader, "BEGIN; SELECT * FROM journal", NULL, NULL, NULL),
        SQLITE_OK);
    ck_assert_int_eq(journal_open(NULL), 0);
    append("a", "2");
    save_state(&state);
    sqlite3_close(reader);
    journal_close();
    restore_state(&state);
    assert_holds(journal_path(), " 1 2");
    free_state(&state);
    journal_end();
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("files of the journal");
    TCase *tcase = add_case(suite, "files");

    tcase_add_test(tcase, not_a_database);
    tcase_add_test(tcase, somebody_elses_database);
    tcase_add_test(tcase, damaged);
    tcase_add_test(tcase, one_at_a_time);
    tcase_add_test(tcase, one_at_a_time_by_any_name);
    tcase_add_test(tcase, a_refusal_leaves_the_locks_of_sqlite);
    tcase_add_test(tcase, paths);
    tcase_add_test(tcase, no_right_to_write);
    tcase = add_case(suite, "log");
    tcase_add_test(tcase, moved_without_its_log);
    tcase_add_test(tcase, moved_with_its_log);
    tcase_add_test(tcase, moved_with_an_empty_log);
    tcase_add_loop_test(tcase, moved_without_its_log_but_disguised, 0, 2);
    tcase_add_loop_test(tcase, a_restored_backup_has_a_new_epoch, 0, 2);
    tcase_add_test(tcase, a_hard_link_without_the_log);
    tcase_add_test(tcase, mounted_without_the_log);
    tcase_add_test(tcase, the_log_of_another_state);
    tcase_add_test(tcase, a_new_file_beside_a_log);
    tcase_add_test(tcase, a_backup_by_another_name);
    tcase_add_test(tcase, a_backup_in_the_place_of_the_file);
    tcase_add_test(tcase, the_same_name_in_another_place);
    tcase_add_test(tcase, a_file_without_a_mark);
    tcase_add_loop_test(tcase, a_wrong_byte, 0, 4);
    tcase_add_test(tcase, a_check_after_a_crash);
    tcase_add_test(tcase, a_check_beside_evictions);
    tcase_add_loop_test(tcase, a_crash_while_opening, 0, 3);
    tcase_add_test(tcase, a_crash_while_closing);
    tcase_add_test(tcase, opened_while_somebody_reads);
    return suite;
}

RUN_SUITE(make_suite)
