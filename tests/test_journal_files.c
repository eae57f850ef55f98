/*
 * Which files the journal takes for its own: others are refused, and stay as
 * they are to the last byte.
 */
#include <config.h>

#include "support/journals.h"
#include "support/runner.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
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
                     CRIER_ERR_IN_USE);
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
                     CRIER_ERR_IN_USE); /* its log might be beside the first */
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
    return suite;
}

RUN_SUITE(make_suite)
