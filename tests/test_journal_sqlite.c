/*
 * The journal in a file: what must survive restarts and kill -9, and what
 * happens when the disk is full or somebody has the file locked.
 */
#include <config.h>

#include "support/journals.h"
#include "support/runner.h"
#include "support/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ck_reads(given, wanted) ck_assert_str_eq(given, wanted)

/* ---- restarts --------------------------------------------------------- */

START_TEST(everything_is_there_again)
{
    const struct crier_topic_retention topics[] = {{"a", {.count = 2}}};
    const struct crier_journal_options options = {.topics = topics,
                                                  .topic_count = 1};
    char epoch[CRIER__EPOCH_SIZE], second[CRIER__ID_SIZE];
    uint64_t last;

    ck_assert_int_eq(journal_open(&options), 0);
    strcpy(epoch, journal->epoch);
    append("a", "1");
    append("a", "2");
    strcpy(second, appended_id);
    append_id("a,b", "given", "3");
    append("a", "4");
    append("c", "5");
    ck_assert_int_eq(forget("c"), 0);
    last = journal->ops->last(journal);
    journal_close();
    ck_assert_int_eq(journal_open(&options), 0);
    ck_assert_str_eq(journal->epoch, epoch);
    ck_assert_uint_eq(journal->ops->last(journal), last);
    ck_reads(all("*"), " 3 4");
    ck_reads(since_id(second, "a"), " 3 4");
    ck_reads(after(1, "a"), "gap 3 4");
    ck_reads(after(4, "c"), "gap");
    ck_reads(since_id("given", "a"), " 4");
    ck_reads(since_id("given", "*"), "gap 4");
    ck_assert_int_eq(try_append("d", "given", "6"), CRIER_ERR_EXISTS);
    ck_assert_uint_gt(append("a", "6"), last);
    ck_reads(all("a"), " 4 6");
    ck_reads(list("*,$*", "", 9), " a:2 b:1");
    journal_close();
    /* Nothing needs to be held for the positions to go on. */
    ck_assert_int_eq(journal_open(&options), 0);
    last = journal->ops->last(journal);
    ck_assert_int_eq(forget("a"), 0);
    ck_assert_int_eq(forget("b"), 0);
    journal_close();
    ck_assert_int_eq(journal_open(&options), 0);
    ck_assert_uint_gt(append("a", "7"), last);
    journal_end();
}
END_TEST

START_TEST(what_was_forgotten_stays_so)
{
    ck_assert_int_eq(journal_open(NULL), 0);
    append_many("a", 0, 3000);
    append("b", "b");
    append_id("a", "given", "x");
    ck_assert_int_eq(forget("a"), 0);
    journal_close();
    ck_assert_int_eq(journal_open(NULL), 0);
    ck_reads(all("*"), " b");
    append_id("a", "given", "y");
    ck_reads(all("*"), " b y");
    while (journal_sql(journal_path(), "SELECT count(*) FROM entries") != 2)
        sched_yield();
    ck_assert_int_eq(
        journal_sql(journal_path(), "SELECT count(*) FROM updates"), 2);
    journal_end();
}
END_TEST

START_TEST(other_options_than_the_last_time)
{
    const struct crier_topic_retention topics[] = {{"a", {.count = 3}}};
    const struct crier_journal_options fewer = {.topics = topics,
                                                .topic_count = 1};
    const struct crier_journal_options few = {.retention.count = 4};
    const struct crier_journal_options young = {.retention.age = MINUTE};
    int64_t time;

    ck_assert_int_eq(journal_open(NULL), 0);
    append_many("a", 0, 2000);
    append_many("b", 2000, 2000);
    journal_close();
    ck_assert_int_eq(journal_open(&fewer), 0);
    while (strcmp(all("a"), " 1997 1998 1999") != 0)
        sched_yield();
    journal_close();
    ck_assert_int_eq(journal_open(&few), 0);
    while (strcmp(all("*"), " 3996 3997 3998 3999") != 0)
        sched_yield();
    time = crier__journal_time(0);
    journal_close();
    pass(time + MINUTE);
    ck_assert_int_eq(journal_open(&young), 0);
    ck_reads(all("*"), "");
    journal_end();
}
END_TEST

START_TEST(what_is_old_leaves_the_file_by_itself)
{
    const struct crier_topic_retention topics[] = {{"a", {.age = 50}}};
    const struct crier_journal_options options = {.topics = topics,
                                                  .topic_count = 1};

    ck_assert_int_eq(journal_open(&options), 0);
    append_many("a", 0, 1500);
    append("a,b", "b");
    while (journal_sql(journal_path(), "SELECT count(*) FROM updates") != 1)
        sched_yield();
    ck_reads(all("*"), " b");
    ck_assert_int_eq(
        journal_sql(journal_path(),
                    "SELECT bytes = (SELECT sum(cost) FROM updates) "
                    "AND count = 1 FROM journal"),
        1);
    journal_end();
}
END_TEST

/* ---- kill -9 ---------------------------------------------------------- */

#define ROUNDS 8
#define MOST 20000
#define IN_FLIGHT 16

struct report {
    uint64_t position;
    int number;
};

struct flight {
    struct crier__append append;
    int number;
};

static sem_t room; /* for so many more at once */

static void report_append(struct crier__append *append_)
{
    struct flight *flight = (struct flight *)append_;
    struct report report = {.number = flight->number};

    if (append_->error != 0)
        _exit(3);
    report.position = append_->update->position;
    if (write(STDOUT_FILENO, &report, sizeof report) < 0)
        _exit(4);
    crier__update_unref(append_->update);
    free(flight);
    sem_post(&room);
}

static size_t to_nobody(void *closure, struct crier__update *update)
{
    (void)closure;
    (void)update;
    return 0;
}

/* Appends numbers from FIRST on to the journal PATH, and writes reports to standard
 * output, until it is killed. */
static void append_until_killed(const char *path, int first)
{
    struct crier__topics *topics;
    struct crier_frame *frame;
    struct flight *flight;
    char number[16];

    sem_init(&room, 0, IN_FLIGHT);
    if (crier__topics_parse("a,b", &topics) != 0 ||
        crier_journal_sqlite(path, NULL, &journal, NULL, 0) != 0)
        _exit(2);
    journal->yield = to_nobody;
    for (;;) {
        sem_wait(&room);
        flight = calloc(1, sizeof *flight);
        snprintf(number, sizeof number, "%d", first);
        crier_frame_text(NULL, number, &frame);
        flight->append.done = report_append;
        flight->append.update = crier__update_new(topics, NULL, frame);
        crier_frame_unref(frame);
        flight->number = first++;
        journal->ops->append(journal, &flight->append);
    }
}

/* Runs a child that is killed after WANTED reports; returns how many came in all. */
static int run_child(struct report *reports, int first, int wanted)
{
    char own[PATH_MAX] = "", number[16];
    const char *const words[] = {own, journal_path(), number, NULL};
    struct spawn spawn = {.words = words};
    int ends[2], count = 0, status;
    pid_t pid;

    ck_assert_int_gt(readlink("/proc/self/exe", own, sizeof own - 1), 0);
    snprintf(number, sizeof number, "%d", first);
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    spawn.files[1] = ends[1];
    ck_assert_int_eq(spawn_program(&spawn, &pid), 0);
    close(ends[1]);
    while (read(ends[0], &reports[count], sizeof *reports) == sizeof *reports)
        if (++count == wanted)
            kill(pid, SIGKILL);
        else if (count == MOST)
            break;
    close(ends[0]);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    ck_assert_int_ge(count, wanted);
    return count;
}

/* Asserts that the first COUNT of REPORTS are there, once and in order, and
 * returns the last number that there is. */
static int find_all(const struct report *reports, int count)
{
    const char *at = all("*");
    int i = 0, number, length, before = -1;

    while (sscanf(at, " %d%n", &number, &length) == 1) {
        at += length;
        ck_assert_int_gt(number, before);
        before = number;
        if (i < count && reports[i].number == number)
            i++;
    }
    ck_assert_int_eq(i, count);
    return before;
}

START_TEST(nothing_that_was_reported_is_lost)
{
    struct report *reports = calloc(MOST + 1, sizeof *reports);
    uint64_t highest = 0;
    int round, count = 0, begun = 0, first = 0;

    srand((unsigned)time(NULL));
    for (round = 0; round < ROUNDS; round++) {
        count += run_child(reports + count, first, 1 + rand() % 300);
        ck_assert_uint_gt(reports[begun].position, highest);
        for (; begun < count; begun++) {
            ck_assert_uint_gt(reports[begun].position, highest);
            highest = reports[begun].position;
        }
        ck_assert_int_eq(journal_open(NULL), 0);
        /* Some may be in that were not reported. */
        ck_assert_uint_ge(journal->ops->last(journal), highest);
        highest = journal->ops->last(journal);
        first = find_all(reports, count) + 1;
        ck_assert_str_eq(all("a"), all("b"));
        journal_close();
    }
    free(reports);
    journal_end();
}
END_TEST

/* ---- trouble ---------------------------------------------------------- */

static void wait_until_well(void)
{
    char reason[128];

    while (journal->ops->status(journal, reason) != 0)
        sched_yield();
    ck_assert_str_eq(reason, "");
}

static void assert_trouble(int error, const char *words)
{
    char reason[128];

    ck_assert_int_eq(appended.error, error);
    if (strstr(appended.reason, words) == NULL)
        ck_abort_msg("\"%s\" without \"%s\"", appended.reason, words);
    ck_assert_int_eq(journal->ops->status(journal, reason), error);
    ck_assert_ptr_nonnull(strstr(reason, words));
}

/* Locks the journal's file. */
static sqlite3 *lock_out(void)
{
    sqlite3 *db;

    ck_assert_int_eq(sqlite3_open(journal_path(), &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 10000);
    ck_assert_int_eq(sqlite3_exec(db, "BEGIN EXCLUSIVE", NULL, NULL, NULL),
                     SQLITE_OK);
    return db;
}

static void let_in(sqlite3 *db)
{
    ck_assert_int_eq(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL),
                     SQLITE_OK);
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

START_TEST(locked_by_somebody)
{
    char reason[128];
    uint64_t last;
    sqlite3 *db;

    ck_assert_int_eq(journal_open(NULL), 0);
    append("a", "1");
    last = journal->ops->last(journal);
    ck_assert_int_eq(journal->ops->status(journal, reason), 0);
    db = lock_out();
    ck_assert_int_eq(try_append("a", "x", "2"), CRIER_ERR_STORAGE);
    assert_trouble(CRIER_ERR_STORAGE, "locked");
    ck_assert_int_eq(forget("a"), CRIER_ERR_STORAGE);
    ck_reads(all("a"), " 1");
    ck_assert_uint_eq(journal->ops->last(journal), last);
    let_in(db);
    wait_until_well();
    append_id("a", "x", "3");
    ck_reads(all("a"), " 1 3");
    journal_end();
}
END_TEST

/* Appends until that fails. Returns how many there are then. */
static int fill(int number)
{
    char *large = malloc(60001), text[16];

    memset(large, 'x', 60000);
    large[60000] = '\0';
    do {
        snprintf(text, sizeof text, "%d", number++);
        memcpy(large, text, strlen(text));
    } while (try_append("a", NULL, large) == 0);
    free(large);
    return number - 1;
}

static void assert_all_there(int count)
{
    page_bytes = 500000;
    all("a");
    page_bytes = 0;
    list("a*", "", 1);
    ck_assert_uint_eq(listed[0].count, (uint64_t)count);
}

START_TEST(disk_full)
{
    char other[128];
    int count, file;

    journal_path();
    if (unshare(CLONE_NEWNS) < 0 ||
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("none", journal_dir, "tmpfs", 0, "size=4m") < 0) {
        printf("SKIPPED: disk_full: no tmpfs can be mounted: %s\n",
               strerror(errno));
        journal_end();
        return;
    }
    ck_assert_int_eq(journal_open(NULL), 0);
    snprintf(other, sizeof other, "%s/other", journal_dir);
    file = open(other, O_CREAT | O_RDWR, 0600);
    ck_assert_int_eq(posix_fallocate(file, 0, 2 * 1024 * 1024), 0);
    count = fill(0);
    assert_trouble(CRIER_ERR_STORAGE_FULL, "full");
    assert_all_there(count);
    ck_assert_int_eq(ftruncate(file, 0), 0);
    close(file);
    wait_until_well();
    append("a", "more");
    assert_all_there(count + 1);
    journal_close();
    ck_assert_int_eq(journal_open(NULL), 0);
    assert_all_there(count + 1);
    journal_close();
    ck_assert_int_eq(umount(journal_dir), 0);
    journal_end();
}
END_TEST

START_TEST(file_too_large)
{
    struct rlimit limit, before;
    int count;

    ck_assert_int_eq(journal_open(NULL), 0);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    limit = before;
    limit.rlim_cur = 1024 * 1024;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    count = fill(0);
    assert_trouble(CRIER_ERR_STORAGE_FULL, "disk");
    assert_all_there(count);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    wait_until_well();
    append("a", "more");
    assert_all_there(count + 1);
    journal_close();
    ck_assert_int_eq(journal_open(NULL), 0);
    assert_all_there(count + 1);
    journal_end();
}
END_TEST

START_TEST(rows_that_somebody_has_spoilt)
{
    char reason[128];

    ck_assert_int_eq(journal_open(NULL), 0);
    append_many("a,b", 1, 8);
    journal_sql(journal_path(),
                "UPDATE updates SET body = x'' WHERE position = 1;"
                "UPDATE updates SET body = 'x' WHERE position = 2;"
                "UPDATE updates SET topics = '' WHERE position = 3;"
                "DELETE FROM updates WHERE position = 4;"
                "UPDATE updates SET flags = 1 WHERE position = 5;"
                "UPDATE updates SET time = time + 1 WHERE position = 6");
    ck_reads(all("a"), "gap 7 8"); /* those that are as they were */
    ck_reads(since(CRIER_SINCE_LAST, "*", 9), "gap 7 8");
    append("a", "9");
    ck_reads(all("a"), "gap 7 8 9");
    ck_assert_uint_ne(atomic_load(&journal->damaged), 0);
    ck_assert_int_eq(journal->ops->status(journal, reason), 0);
    journal_end();
}
END_TEST

/* A gap stands where the updates would, with all others before and behind it. */
START_TEST(a_gap_in_the_middle)
{
    static const char *const edits[] = {
        "DELETE FROM updates WHERE position = 3",
        "UPDATE updates SET body = replace(body, '3', '5') WHERE position = 3",
        "DELETE FROM entries WHERE position = 3; "
        "DELETE FROM lists WHERE position = 3"};

    ck_assert_int_eq(journal_open(NULL), 0);
    append_many("a,b", 1, 5);
    journal_sql(journal_path(), edits[_i]);
    ck_reads(all("a"), " 1 2 gap 4 5");
    ck_reads(all("b,c"), " 1 2 gap 4 5");
    ck_reads(all("*"), " 1 2 gap 4 5");
    ck_reads(after(2, "a"), "gap 4 5");
    ck_reads(after(3, "a"), " 4 5");
    journal_end();
}
END_TEST

/* What is missing at the end is a gap, too; and no topic gives what is another's. */
START_TEST(entries_that_lead_astray)
{
    ck_assert_int_eq(journal_open(NULL), 0);
    append_many("a", 1, 2);
    append_many("b", 3, 3);
    journal_sql(journal_path(),
                "DELETE FROM entries WHERE position = 5;"
                "DELETE FROM lists WHERE position = 5");
    ck_reads(all("b"), " 3 4 gap");
    ck_reads(all("*"), " 1 2 3 4 gap");
    append("b", "6");
    ck_reads(all("b"), " 3 4 gap 6");
    journal_sql(journal_path(),
                "UPDATE entries SET topic = 1 WHERE position = 4");
    ck_reads(all("a"), " 1 2");
    ck_reads(after(2, "a"), "");
    journal_sql(journal_path(),
                "UPDATE entries SET position = 5 WHERE position = 2");
    ck_reads(all("a"), " 1 gap");
    ck_reads(all("b"), " 3 gap 6");
    journal_end();
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("journal in SQLite");
    TCase *tcase = add_case(suite, "restarts");

    tcase_add_test(tcase, everything_is_there_again);
    tcase_add_test(tcase, what_was_forgotten_stays_so);
    tcase_add_test(tcase, other_options_than_the_last_time);
    tcase_add_test(tcase, what_is_old_leaves_the_file_by_itself);
    tcase_add_test(tcase, nothing_that_was_reported_is_lost);
    tcase = add_case(suite, "trouble");
    tcase_add_test(tcase, locked_by_somebody);
    tcase_add_test(tcase, disk_full);
    tcase_add_test(tcase, file_too_large);
    tcase_add_test(tcase, rows_that_somebody_has_spoilt);
    tcase_add_loop_test(tcase, a_gap_in_the_middle, 0, 3);
    tcase_add_test(tcase, entries_that_lead_astray);
    return suite;
}

/* With a path and a number it is the child of a test. */
int main(int argc, char **argv)
{
    if (argc == 3)
        append_until_killed(argv[1], (int)strtol(argv[2], NULL, 10));
    return run_suite(make_suite());
}
