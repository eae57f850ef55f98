/*
 * The check of the whole file: is every row what was written, and do the tables agree?
 *
 * A start does not read the updates, and a reader finds only the damage that it meets. So a
 * thread checks the whole file after each start that follows a crash, and else once a week
 * (the row of the table "journal" has when it was last found sound). `crierd
 * --check-journal` does the same at once.
 *
 * The check is a walk through three tables: each update with what its topics, the lists
 * and the index of ids have of it; then the entries, and then the lists, each chain from
 * its beginning to its end, with the updates that they name. It goes in slices of about
 * 2 ms, each a read transaction of its own: a long one would keep SQLite from emptying its
 * log. Between two slices the file may change. So a slice compares only what is true of one
 * moment, and begins behind the row that the last one has ended with, whether or not that
 * is still there.
 *
 * The thread rests four times as long as it has worked. A low priority (SCHED_IDLE) was
 * rejected: a thread that is preempted while it holds a lock of SQLite's or malloc's would
 * then hold up the writer. PRAGMA integrity_check was rejected, since it is one transaction
 * and cannot stop and go on.
 */
#include <config.h>

#include "sqlite_check.h"

#include "base/clock.h"
#include "base/cond.h"
#include "base/thread.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ms */
#define SLICE 2
#define RESTS 4
#define WEEK ((int64_t)7 * 24 * 3600 * 1000)
#define HOUR ((uint64_t)3600 * 1000)

enum statement {
    CHECK_BEGIN,
    CHECK_COMMIT,
    CHECK_TOTALS,
    CHECK_UPDATES,
    CHECK_UPDATE,
    CHECK_ID,
    CHECK_TOPIC,
    CHECK_ROW,
    CHECK_ENTRY,
    CHECK_ENTRIES,
    CHECK_LIST,
    CHECK_LISTS,
    CHECK_STATEMENTS
};

static const char *const texts[] = {
    [CHECK_BEGIN] = "BEGIN",
    [CHECK_COMMIT] = "COMMIT",
    [CHECK_TOTALS] = "SELECT " CRIER__SQLITE_TOTALS " FROM journal",
    [CHECK_UPDATES] = "SELECT " CRIER__SQLITE_HEAD ", body_sum, body, holds "
                      "FROM updates WHERE position > ?1 ORDER BY position",
    [CHECK_UPDATE] = "SELECT 1 FROM updates WHERE position = ?1",
    [CHECK_ID] = "SELECT position FROM updates WHERE id = ?1",
    [CHECK_TOPIC] = "SELECT " CRIER__SQLITE_TOPIC " FROM topics "
                    "WHERE name = ?1",
    [CHECK_ROW] = "SELECT " CRIER__SQLITE_TOPIC " FROM topics "
                  "WHERE topic = ?1",
    [CHECK_ENTRY] = "SELECT 1 FROM entries WHERE topic = ?1 AND position = ?2",
    [CHECK_ENTRIES] = "SELECT topic, position, prev FROM entries "
                      "WHERE (topic, position) > (?1, ?2) "
                      "ORDER BY topic, position",
    [CHECK_LIST] = "SELECT 1 FROM lists WHERE list = ?1 AND position = ?2",
    [CHECK_LISTS] = "SELECT list, position, prev FROM lists "
                    "WHERE (list, position) > (?1, ?2) ORDER BY list, position",
};

/* The parts of the check, in their order. */
enum part { PART_UPDATES, PART_ENTRIES, PART_LISTS, PARTS };

int crier__check_open(struct crier__check *check, const char *path, bool alone)
{
    int error;

    memset(check, 0, sizeof *check);
    error = crier__sql_open_reader(&check->sql, path, texts, CHECK_STATEMENTS,
                                   alone);
    if (error == 0)
        error = crier__sql_prepare(&check->sql);
    return error;
}

void crier__check_close(struct crier__check *check)
{
    crier__sql_close(&check->sql);
}

/* Notes that something is wrong with what is at POSITION. */
static void report_damage(struct crier__check *check, uint64_t position,
                          const char *what)
{
    if (check->damage[0] == '\0')
        snprintf(check->damage, sizeof check->damage, "position %llu: %s",
                 (unsigned long long)position, what);
}

/* Whether the statement WHICH finds a row for KEY and POSITION. */
static bool has_row(struct crier__check *check, unsigned which, int64_t key,
                    uint64_t position)
{
    sqlite3_stmt *row = crier__sql_begin(&check->sql, which, "iu", key, position);
    bool has = crier__sql_row(&check->sql, row);

    crier__sql_end(row);
    return has || check->sql.error != 0;
}

/* Whether the table has the update at POSITION. */
static bool has_update(struct crier__check *check, uint64_t position)
{
    sqlite3_stmt *row =
        crier__sql_begin(&check->sql, CHECK_UPDATE, "u", position);
    bool has = crier__sql_row(&check->sql, row);

    crier__sql_end(row);
    return has || check->sql.error != 0;
}

/* ---- updates ---------------------------------------------------------- */

/* Whether the topic of LENGTH bytes at NAME has the entry POSITION, which it must have
 * unless it has let go of it. */
static bool check_topic_entry(struct crier__check *check, const char *name,
                              size_t length, uint64_t position)
{
    sqlite3_stmt *row =
        crier__sql_begin(&check->sql, CHECK_TOPIC, "t", name, length);
    struct crier__sqlite_topic topic;
    bool has = false;

    if (!crier__sql_row(&check->sql, row))
        return false;
    if (crier__sqlite_read_topic(&check->sql, row, &topic)) {
        has = has_row(check, CHECK_ENTRY, topic.row, position);
        if (!has && position > topic.evicted)
            report_damage(check, position, "its topic has no entry of it");
    }
    crier__sql_end(row);
    return has;
}

static void check_names(struct crier__check *check,
                        const struct crier__sqlite_head *head, uint64_t holds)
{
    const char *topics = head->topics, *name;
    uint64_t entries = 0;
    size_t length;

    while ((name = crier__sqlite_next_name(&topics, &length)) != NULL)
        entries += check_topic_entry(check, name, length, head->position);
    if (entries != holds && check->sql.error == 0)
        report_damage(check, head->position, "another number of topics holds it");
}

static void check_id(struct crier__check *check,
                     const struct crier__sqlite_head *head)
{
    sqlite3_stmt *row = crier__sql_begin(&check->sql, CHECK_ID, "t", head->id,
                                         strlen(head->id));

    if ((!crier__sql_row(&check->sql, row) ||
         crier__sql_number(row, 0) != head->position) &&
        check->sql.error == 0)
        report_damage(check, head->position, "its id is not in the index");
    crier__sql_end(row);
}

static void check_update(struct crier__check *check, sqlite3_stmt *row)
{
    struct crier__sqlite_head head;
    const void *body = sqlite3_column_blob(row, 9);
    size_t length = (size_t)sqlite3_column_bytes(row, 9);
    bool sound = crier__sqlite_read_head(row, &head);

    check->position = head.position;
    if (!sound || crier__sqlite_sum_at(row, 8) !=
                      crier__sqlite_body_sum(head.position, body, length)) {
        report_damage(check, head.position, "the update is not what was written");
        return;
    }
    if (!has_row(check, CHECK_LIST, (int64_t)head.hidden, head.position))
        report_damage(check, head.position, "the update is in no list");
    check_names(check, &head, crier__sql_number(row, 10));
    if (head.id != NULL)
        check_id(check, &head);
}

/* ---- chains ----------------------------------------------------------- */

/* Reads the end of the chain KEY: its newest position, and up to which it holds nothing.
 * False when it is none. */
static bool read_chain(struct crier__check *check, int64_t key, uint64_t *newest,
                       uint64_t *dropped)
{
    bool entries = check->part == PART_ENTRIES;
    struct crier__sql *sql = &check->sql;
    sqlite3_stmt *row = entries ? crier__sql_begin(sql, CHECK_ROW, "i", key)
                                : crier__sql_begin(sql, CHECK_TOTALS, "");
    char epoch[CRIER__EPOCH_SIZE];
    struct crier__sqlite_topic topic;
    struct crier__totals totals;
    bool found = crier__sql_row(sql, row);

    if (found && entries && crier__sqlite_read_topic(sql, row, &topic)) {
        *newest = crier__sqlite_newest(&topic);
        *dropped = topic.evicted;
    } else if (found && !entries &&
               crier__sqlite_read_totals(sql, row, &totals, epoch)) {
        found = key == 0 || key == 1;
        *newest = found ? totals.lists[key].newest : 0;
        *dropped = found ? totals.lists[key].dropped : 0;
    }
    crier__sql_end(row);
    return found && sql->error == 0;
}

/* Checks that the chain which the walk leaves ends where it must. */
static void check_chain_end(struct crier__check *check)
{
    uint64_t newest, dropped;

    if (check->position != 0 &&
        read_chain(check, check->key, &newest, &dropped) && newest > dropped &&
        newest > check->position)
        report_damage(check, newest, "the last entry is missing");
}

/* Whether PREV can be the position before POSITION in a chain that has evicted everything up
 * to DROPPED, and of which the walk has seen what it held up to SEEN. */
static bool may_follow(uint64_t position, uint64_t prev, uint64_t dropped,
                       uint64_t seen)
{
    return position <= dropped || prev <= dropped || prev <= seen;
}

/* Checks the next link of a chain. FIRST: it is the first of the slice, and the chain may
 * have lost its oldest entries since the last one. */
static void check_link(struct crier__check *check, sqlite3_stmt *row, bool first)
{
    int64_t key = sqlite3_column_int64(row, 0);
    uint64_t position = crier__sql_number(row, 1);
    uint64_t prev = crier__sql_number(row, 2), newest = 0, dropped = 0;
    bool begins = key != check->key || check->position == 0, follows;

    if (begins)
        check_chain_end(check);
    if (begins || first) {
        if (!read_chain(check, key, &newest, &dropped) && check->sql.error == 0)
            report_damage(check, position, "the entry is in no topic");
        follows = may_follow(position, prev, dropped, begins ? 0 : check->position);
    } else {
        follows = prev == check->position;
    }
    if (!follows)
        report_damage(check, position, "the entry before it is missing");
    if (!has_update(check, position))
        report_damage(check, position, "the update is missing");
    check->key = key;
    check->position = position;
}

/* ---- slices ----------------------------------------------------------- */

static sqlite3_stmt *begin_part(struct crier__check *check)
{
    static const unsigned statements[] = {CHECK_UPDATES, CHECK_ENTRIES,
                                          CHECK_LISTS};

    if (check->part == PART_UPDATES)
        return crier__sql_begin(&check->sql, CHECK_UPDATES, "u",
                                check->position);
    return crier__sql_begin(&check->sql, statements[check->part], "iu",
                            check->key, check->position);
}

/* Walks on through the part that the check is at, until UNTIL or its end. */
static void walk_part(struct crier__check *check, uint64_t until)
{
    sqlite3_stmt *row = begin_part(check);
    bool first = true;

    while (crier__sql_row(&check->sql, row)) {
        if (check->part == PART_UPDATES)
            check_update(check, row);
        else
            check_link(check, row, first);
        first = false;
        if (check->damage[0] != '\0' || crier_now() >= until) {
            crier__sql_end(row);
            return;
        }
    }
    if (check->sql.error != 0)
        return;
    if (check->part != PART_UPDATES)
        check_chain_end(check);
    check->part++;
    check->key = 0;
    check->position = 0;
    check->whole = check->part == PARTS;
}

bool crier__check_slice(struct crier__check *check)
{
    uint64_t until = crier_now() + SLICE;
    struct crier__sql *sql = &check->sql;

    crier__sql_run(sql, CHECK_BEGIN, "");
    walk_part(check, until);
    if (sql->damaged && check->damage[0] == '\0')
        snprintf(check->damage, sizeof check->damage, "%s", sql->reason);
    crier__sql_run(sql, CHECK_COMMIT, "");
    if (sqlite3_get_autocommit(sql->db) == 0)
        sqlite3_exec(sql->db, "ROLLBACK", NULL, NULL, NULL);
    return !check->whole && check->damage[0] == '\0' && sql->error == 0;
}

/* ---- the thread ------------------------------------------------------- */

/* Waits until UNTIL. Returns false when the thread is to end. */
static bool rest_until(struct crier__sqlite *sqlite, uint64_t until)
{
    bool go_on;

    pthread_mutex_lock(&sqlite->lock);
    while (!sqlite->stop_checking &&
           crier__cond_wait(&sqlite->to_check, &sqlite->lock, until))
        ;
    go_on = !sqlite->stop_checking;
    pthread_mutex_unlock(&sqlite->lock);
    return go_on;
}

/* Checks the whole file. Returns false when the thread is to end. */
static bool check_whole(struct crier__sqlite *sqlite)
{
    struct crier_journal *journal = &sqlite->journal;
    struct crier__check check;
    bool go_on = true, more;
    uint64_t begun, now;

    atomic_store(&journal->check, CRIER_CHECK_RUNNING);
    more = crier__check_open(&check, sqlite->name, false) == 0;
    while (more && go_on) {
        begun = crier_now();
        more = crier__check_slice(&check);
        now = crier_now();
        go_on = rest_until(sqlite, now + RESTS * (now - begun));
    }
    if (check.damage[0] != '\0') {
        crier__journal_damage(journal, check.damage);
        atomic_store(&journal->check, CRIER_CHECK_DAMAGED);
    } else if (check.whole) {
        atomic_store(&sqlite->found_sound, crier__journal_time(0));
        atomic_store(&journal->check, CRIER_CHECK_SOUND);
    } else {
        atomic_store(&journal->check, CRIER_CHECK_NONE); /* tried again in an hour */
    }
    crier__check_close(&check);
    return go_on;
}

static void *run_checks(void *argument)
{
    struct crier__sqlite *sqlite = argument;
    int64_t checked = sqlite->saved_check;
    bool go_on = true;

    while (go_on) {
        if (crier__clock_real() - checked >= WEEK) {
            go_on = check_whole(sqlite);
            if (atomic_load(&sqlite->journal.check) != CRIER_CHECK_NONE)
                checked = crier__clock_real();
        }
        go_on = go_on && rest_until(sqlite, crier_now() + HOUR);
    }
    return NULL;
}

int crier__check_start(struct crier__sqlite *sqlite)
{
    int error;

    sqlite->saved_check = sqlite->saved.checked;
    error = crier__thread_start(&sqlite->checking, run_checks, sqlite);
    sqlite->checks = error == 0;
    return error;
}

void crier__check_end(struct crier__sqlite *sqlite)
{
    if (!sqlite->checks)
        return;
    pthread_mutex_lock(&sqlite->lock);
    sqlite->stop_checking = true;
    pthread_cond_signal(&sqlite->to_check);
    pthread_mutex_unlock(&sqlite->lock);
    pthread_join(sqlite->checking, NULL);
    sqlite->checks = false;
}

/* ---- on demand -------------------------------------------------------- */

/* Whether somebody has the file PATH open, or has crashed with it: there is a log. */
static bool has_log(const char *path)
{
    char *log;
    bool has;

    if (asprintf(&log, "%s-wal", path) < 0)
        return true;
    has = access(log, F_OK) == 0;
    free(log);
    return has;
}

/* Whether the file PATH is too short for a database. SQLite deletes a log beside one that
 * is empty, even if it only reads. */
static bool is_cut_off(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0 && S_ISREG(status.st_mode) &&
           status.st_size < 512;
}

/* Checks the file PATH, and writes what is wrong to DAMAGE. */
static int check_file_once(const char *path, bool alone, char damage[128])
{
    struct crier__check check;
    int error = crier__check_open(&check, path, alone);

    while (error == 0 && crier__check_slice(&check))
        ;
    if (error == 0)
        error = check.sql.error;
    if (error != -ENOMEM && (check.damage[0] != '\0' || check.sql.damaged))
        error = CRIER_ERR_DAMAGED;
    snprintf(damage, 128, "%s",
             check.damage[0] != '\0' ? check.damage : check.sql.reason);
    crier__check_close(&check);
    return error;
}

/* A file without a log is read without locks, so that none is made beside it. If somebody
 * opens it meanwhile, what was found may be wrong. */
int crier_journal_check(const char *path, char *reason, size_t size)
{
    char damage[128];
    bool alone;
    int error;

    if (path == NULL)
        return CRIER_ERR_NULL;
    alone = !has_log(path);
    if (is_cut_off(path)) {
        snprintf(damage, sizeof damage, "the file is too short for a journal");
        error = CRIER_ERR_DAMAGED;
    } else {
        error = check_file_once(path, alone, damage);
    }
    if (error != 0 && alone && has_log(path) && !is_cut_off(path))
        error = check_file_once(path, false, damage);
    if (reason != NULL && size != 0)
        snprintf(reason, size, "%s", damage);
    return error;
}
