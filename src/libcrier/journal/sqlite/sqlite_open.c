/*
 * Opening the journal's file with SQLite: is it sound, and what does it hold?
 * sqlite_file.c has checked that it is ours and free, sqlite_mark.c that its log is beside
 * it.
 *
 * A new file is given its tables and our application id in one transaction before it
 * becomes a WAL database, so that the id is always found in the file itself. A file
 * that is damaged is never repaired: the check runs before anything is written, and
 * when it fails nothing is checkpointed.
 *
 * SQLite gives "", ":memory:" and (where the program has allowed URIs)
 * "file:..." a meaning of their own. With "./" in front they are names of
 * files. A file that exists goes by its real name, so that a symbolic link to it
 * finds the same lock and the same log.
 */
#include <config.h>

#include "sqlite.h"

#include "base/buffer.h"
#include "base/random.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORMAT 3

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)

static const char schema[] =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE journal ("
    " epoch TEXT NOT NULL,"
    " retention TEXT NOT NULL," /* the options when it was last opened */
    " last INTEGER NOT NULL,"
    " time INTEGER NOT NULL,"
    " evicted INTEGER NOT NULL,"
    " forgotten INTEGER NOT NULL,"
    " private INTEGER NOT NULL," /* the highest position of a private update, ever */
    " topics INTEGER NOT NULL,"
    " count INTEGER NOT NULL,"
    " bytes INTEGER NOT NULL);"
    "CREATE TABLE updates ("
    " position INTEGER PRIMARY KEY,"
    " time INTEGER NOT NULL," /* ms since 1970; never falls */
    " hidden INTEGER NOT NULL," /* not under * */
    " flags INTEGER NOT NULL," /* CRIER__SQLITE_PRIVATE, _LAST */
    " holds INTEGER NOT NULL," /* so many topics hold it */
    " cost INTEGER NOT NULL,"
    " id TEXT," /* of the publisher; NULL: #epoch-position */
    " topics TEXT NOT NULL," /* names, one on a line */
    " body BLOB NOT NULL);"
    "CREATE UNIQUE INDEX updates_id ON updates (id) WHERE id IS NOT NULL;"
    "CREATE INDEX updates_all ON updates (position) WHERE hidden = 0;"
    "CREATE TABLE topics ("
    " topic INTEGER PRIMARY KEY,"
    " name TEXT NOT NULL UNIQUE,"
    " count INTEGER NOT NULL,"
    " bytes INTEGER NOT NULL,"
    " evicted INTEGER NOT NULL," /* the highest position let go */
    " private INTEGER NOT NULL," /* the highest position of a private update, ever */
    " public INTEGER NOT NULL,"  /* likewise, of a public one */
    " due INTEGER," /* the time when it has something to let go */
    " ended INTEGER NOT NULL);" /* the position of its last update; 0: none */
    "CREATE INDEX topics_due ON topics (due) WHERE due IS NOT NULL;"
    "CREATE INDEX topics_spare ON topics (evicted)"
    " WHERE count = 0 AND due IS NULL;"
    "CREATE TABLE entries ("
    " topic INTEGER NOT NULL,"
    " position INTEGER NOT NULL,"
    " PRIMARY KEY (topic, position)) WITHOUT ROWID;"
    "PRAGMA application_id = " TEXT(CRIER__SQLITE_APPLICATION) ";"
    "PRAGMA user_version = " TEXT(FORMAT) ";";

static int refuse_file(char reason[256], const char *why)
{
    snprintf(reason, 256, "%s", why);
    return CRIER_ERR_DAMAGED;
}

/* Copies the reason of SQL's failure to REASON and returns its error. */
static int report_failure(const struct crier__sql *sql, char reason[256])
{
    snprintf(reason, 256, "%s", sql->reason);
    return sql->damaged ? CRIER_ERR_DAMAGED : sql->error;
}

/* ---- the database ----------------------------------------------------- */

/* Runs TEXT, a statement with one value, and copies that to NUMBER and COPY. */
static int query_one(struct crier__sql *sql, const char *text, int64_t *number,
                     char *copy, size_t size)
{
    sqlite3_stmt *statement = crier__sql_other(sql, text);

    *number = 0;
    copy[0] = '\0';
    if (crier__sql_row(sql, statement)) {
        *number = sqlite3_column_int64(statement, 0);
        crier__sql_text(statement, 0, copy, size);
    }
    sqlite3_finalize(statement);
    return sql->error;
}

static int create_database(struct crier__sqlite *sqlite, char reason[256])
{
    struct crier__sql *sql = &sqlite->writer;
    char epoch[CRIER__RANDOM_NAME_SIZE], *row;
    int error = crier__random_name(epoch);

    if (error != 0)
        return error;
    if (asprintf(&row,
                 "INSERT INTO journal VALUES ('%s', '', 0, 0, 0, 0, 0, 0, 0, 0);"
                 "COMMIT",
                 epoch) < 0)
        return -ENOMEM;
    crier__sql_script(sql, schema);
    crier__sql_script(sql, row);
    free(row);
    return sql->error != 0 ? report_failure(sql, reason) : 0;
}

/* What is true of a file that only journals have written to. The bounds of the numbers are
 * far below where sums overflow; no journal has a larger position or time. */
static const struct {
    const char *text, *why;
} senses[] = {
    {"SELECT count(*) = 4 FROM sqlite_master WHERE type = 'table' AND "
     "name IN ('journal', 'updates', 'topics', 'entries')",
     "a table is missing"},
    {"SELECT count(*) = 1 FROM journal",
     "the table journal has not just one row"},
    {"SELECT last BETWEEN 0 AND 1 << 62 AND evicted BETWEEN 0 AND last AND "
     "forgotten BETWEEN 0 AND last AND private BETWEEN 0 AND last AND "
     "time BETWEEN 0 AND 253402300799999 AND "
     "length(epoch) BETWEEN 1 AND 16 AND epoch NOT GLOB '*[^0-9a-z]*' "
     "FROM journal",
     "what the table journal says cannot be"},
    {"SELECT NOT EXISTS (SELECT 1 FROM topics WHERE "
     "typeof(evicted) <> 'integer' OR typeof(private) <> 'integer' OR "
     "typeof(public) <> 'integer' OR typeof(ended) <> 'integer' OR "
     "min(evicted, private, public, ended) < 0 OR "
     "max(evicted, private, public, ended) > (SELECT last FROM journal))",
     "what the table topics says cannot be"},
    {"SELECT NOT EXISTS (SELECT 1 FROM entries WHERE "
     "typeof(topic) <> 'integer' OR typeof(position) <> 'integer' OR "
     "position NOT BETWEEN 1 AND (SELECT last FROM journal))",
     "what the table entries says cannot be"},
    {"SELECT NOT EXISTS (SELECT 1 FROM topics AS t WHERE count <> "
     "(SELECT count(*) FROM entries AS e WHERE e.topic = t.topic AND "
     "e.position > t.evicted))",
     "the tables topics and entries do not agree"},
};

/* Whether what the tables say makes sense. */
static int check_sense(struct crier__sql *sql, char reason[256])
{
    int64_t yes;
    char text[8];
    size_t i;

    for (i = 0; i < sizeof senses / sizeof senses[0]; i++) {
        if (query_one(sql, senses[i].text, &yes, text, sizeof text) != 0)
            return report_failure(sql, reason);
        if (!yes)
            return refuse_file(reason, senses[i].why);
    }
    return 0;
}

/* Whether the database is ours and sound; makes one of an empty file. */
static int check_database(struct crier__sqlite *sqlite, char reason[256])
{
    struct crier__sql *sql = &sqlite->writer;
    char text[200];
    int64_t number;

    if (query_one(sql, "SELECT count(*) FROM sqlite_master", &number, text,
            sizeof text) != 0)
        return report_failure(sql, reason);
    if (number == 0)
        return create_database(sqlite, reason);
    if (query_one(sql, "PRAGMA application_id", &number, text, sizeof text) != 0)
        return report_failure(sql, reason);
    if (number != CRIER__SQLITE_APPLICATION)
        return refuse_file(reason, "a database of another program");
    if (query_one(sql, "PRAGMA user_version", &number, text, sizeof text) != 0)
        return report_failure(sql, reason);
    if (number != FORMAT) {
        snprintf(reason, 256, "its format is %" PRId64 " instead of %d",
                 number, FORMAT);
        return CRIER_ERR_DAMAGED;
    }
    /* quick_check is faster, but does not compare tables with their indices, and a search
     * would miss an entry in the wrong place. */
    if (query_one(sql, "PRAGMA integrity_check(1)", &number, text, sizeof text) != 0)
        return report_failure(sql, reason);
    if (strcmp(text, "ok") != 0) {
        for (char *end = text; (end = strchr(end, '\n')) != NULL;)
            *end = ' '; /* it says where in one line, and what in the next */
        return refuse_file(reason, text);
    }
    return check_sense(sql, reason);
}

/* Counts what is held, whatever the file says: with sums that are too high, each update
 * would be evicted as soon as it is published. The same pass checks each row. */
static int count_all(struct crier__sql *sql, struct crier__totals *totals,
                     char reason[256])
{
    sqlite3_stmt *row = crier__sql_other(
        sql, "SELECT count(*), sum(cost), (SELECT count(*) FROM topics), "
             "count(*) = 0 OR (min(position) > 0 AND min(time) >= 0 AND "
             "min(cost) >= 0 AND max(cost) < 1 << 32 AND "
             "min(flags) >= 0 AND max(flags) < 4 AND "
             "max(position) <= (SELECT last FROM journal) AND "
             "max(time) <= (SELECT time FROM journal)) FROM updates");
    bool sense = false;

    if (crier__sql_row(sql, row)) {
        totals->count = crier__sql_number(row, 0);
        totals->bytes = crier__sql_number(row, 1);
        totals->topics = crier__sql_number(row, 2);
        sense = crier__sql_number(row, 3) != 0;
    }
    sqlite3_finalize(row);
    if (sql->error != 0)
        return report_failure(sql, reason);
    return sense ? 0 : refuse_file(reason, "what the table updates says cannot be");
}

static int load_totals(struct crier__sqlite *sqlite, char reason[256])
{
    struct crier__sql *sql = &sqlite->reader;
    sqlite3_stmt *row = crier__sql_begin(sql, READ_TOTALS, "");
    struct crier__totals *totals = &sqlite->saved;
    int error;

    if (!crier__sql_row(sql, row))
        return sql->error != 0 ? report_failure(sql, reason)
                               : refuse_file(reason, "the table journal is empty");
    totals->last = crier__sql_number(row, 0);
    totals->evicted = crier__sql_number(row, 1);
    totals->forgotten = crier__sql_number(row, 2);
    totals->time = sqlite3_column_int64(row, 6);
    crier__sql_text(row, 7, sqlite->journal.epoch, CRIER__EPOCH_SIZE);
    totals->newest_private = crier__sql_number(row, 8);
    crier__sql_end(row);
    error = count_all(sql, totals, reason);
    if (error != 0)
        return error;
    sqlite->totals = *totals;
    sqlite->held = *totals;
    sqlite->position = totals->last;
    return 0;
}

/* Fills the set of the topics that have ended. */
static int load_ended(struct crier__sqlite *sqlite, char reason[256])
{
    struct crier__sql *sql = &sqlite->reader;
    sqlite3_stmt *row = crier__sql_other(
        sql, "SELECT name, u.position, u.time, u.id FROM topics AS t "
             "JOIN updates AS u ON u.position = t.ended "
             "WHERE t.ended > t.evicted");
    struct crier__ended ended;
    char name[CRIER__TOPIC_SIZE];
    size_t length;
    int error = 0;

    while (error == 0 && crier__sql_row(sql, row)) {
        length = crier__sql_text(row, 0, name, sizeof name);
        ended.position = crier__sql_number(row, 1);
        if (crier__sql_text(row, 3, ended.id, sizeof ended.id) == 0)
            crier__id_make(ended.id, sqlite->journal.epoch, ended.position);
        error = crier__ended_add(&sqlite->ended, name, length, &ended,
                                 sqlite3_column_int64(row, 2));
        sqlite->journal.ends = true;
    }
    sqlite3_finalize(row);
    crier__ended_commit(&sqlite->ended);
    return sql->error != 0 ? report_failure(sql, reason) : error;
}

/* ---- changed options ------------------------------------------------- */

static int describe_retention(struct crier__buffer *text, const char *topic,
                              const struct crier_retention *keep)
{
    char numbers[80];
    int length = snprintf(numbers, sizeof numbers, " %zu %zu %" PRIu64 "\n",
                          keep->count, keep->bytes, keep->age);
    int error = crier__buffer_add(text, topic, strlen(topic));

    return error != 0 ? error
                      : crier__buffer_add(text, numbers, (size_t)length);
}

/* Marks all topics for eviction when OPTIONS differ from those of the last opening. */
static int compare_options(struct crier__sqlite *sqlite,
                           const struct crier__buffer *options, char reason[256])
{
    struct crier__sql *sql = &sqlite->writer;
    sqlite3_stmt *row = crier__sql_begin(sql, WRITE_SAME, "t", options->bytes,
                                         options->length);

    if (crier__sql_row(sql, row)) {
        crier__sql_end(row);
        return 0;
    }
    if (crier__sqlite_begin(sqlite) == 0) {
        crier__sql_run(sql, WRITE_OPTIONS, "t", options->bytes,
                       options->length);
        crier__sql_run(sql, WRITE_ALL_DUE, "");
        crier__sqlite_commit(sqlite);
    }
    return sql->error != 0 ? report_failure(sql, reason) : 0;
}

/* Writes the journal's policy to TEXT. */
static int describe_policy(struct crier_journal *journal,
                           struct crier__buffer *text)
{
    const struct crier__policy *policy = &journal->policy;
    int error;
    size_t i;

    pthread_mutex_lock(&journal->policy_lock);
    error = describe_retention(text, "", &policy->retention);
    for (i = 0; i < policy->rule_count && error == 0; i++)
        error = describe_retention(text, policy->rules[i].pattern,
                         &policy->rules[i].retention);
    pthread_mutex_unlock(&journal->policy_lock);
    return error;
}

int crier__sqlite_adapt(struct crier__sqlite *sqlite, char reason[256])
{
    struct crier__buffer options = {0};
    int error = describe_policy(&sqlite->journal, &options);

    if (error == 0)
        error = compare_options(sqlite, &options, reason);
    crier__buffer_done(&options);
    return error;
}

/* ---- both ------------------------------------------------------------- */

static int set_up(struct crier__sqlite *sqlite, char reason[256])
{
    struct crier__sql *sql = &sqlite->writer;
    char mode[16];
    int64_t number;

    if (query_one(sql, "PRAGMA journal_mode = WAL", &number, mode, sizeof mode) != 0)
        return report_failure(sql, reason);
    if (strcmp(mode, "wal") != 0) { /* which needs memory that is shared */
        snprintf(reason, 256, "the file system does not allow WAL");
        return CRIER_ERR_STORAGE;
    }
    /* So the log's file shrinks again after a burst. */
    crier__sql_script(sql, "PRAGMA synchronous = FULL;"
                           "PRAGMA journal_size_limit = 67108864;");
    return sql->error != 0 ? report_failure(sql, reason) : 0;
}

static int open_writer(struct crier__sqlite *sqlite, const char *path,
                       char reason[256])
{
    struct crier__sql *sql = &sqlite->writer;
    int error;

    error = crier__sql_open(sql, path, crier__sqlite_writes, WRITE_STATEMENTS);
    if (error == -ENOMEM)
        return error;
    if (error != 0)
        return report_failure(sql, reason);
    if (sqlite3_db_readonly(sql->db, "main") == 1) {
        errno = EACCES;
        return crier__sqlite_fail(reason, path);
    }
    sqlite3_db_config(sql->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    error = check_database(sqlite, reason);
    if (error == 0 && crier__sql_prepare(sql) != 0)
        error = report_failure(sql, reason);
    return error;
}

static int open_reader(struct crier__sqlite *sqlite, const char *path,
                       char reason[256])
{
    struct crier__sql *sql = &sqlite->reader;
    int error;

    error = crier__sql_open(sql, path, crier__sqlite_reads, READ_STATEMENTS);
    if (error == -ENOMEM)
        return error;
    crier__sql_script(sql, "PRAGMA query_only = 1");
    if (crier__sql_prepare(sql) != 0)
        return report_failure(sql, reason);
    error = load_totals(sqlite, reason);
    return error != 0 ? error : load_ended(sqlite, reason);
}

int crier__sqlite_open(struct crier__sqlite *sqlite, const char *path,
                       char reason[256])
{
    char *name;
    int error;

    sqlite->claim = (struct crier__sqlite_claim)CRIER__SQLITE_NO_CLAIM;
    reason[0] = '\0';
    if (path[0] == '\0')
        return CRIER_ERR_INVALID;
    if (sqlite3_threadsafe() == 0) {
        snprintf(reason, 256, "this SQLite has been built without threads");
        return CRIER_ERR_STORAGE;
    }
    name = realpath(path, NULL);
    if (name == NULL &&
        asprintf(&name, "%s%s", path[0] == '/' ? "" : "./", path) < 0)
        return -ENOMEM;
    sqlite->name = name;
    error = crier__sqlite_claim(&sqlite->claim, name, reason);
    if (error == 0)
        error = crier__sqlite_check_mark(sqlite, name, reason);
    if (error == 0)
        error = open_writer(sqlite, name, reason);
    if (error == 0)
        error = open_reader(sqlite, name, reason);
    if (error == 0)
        error = set_up(sqlite, reason);
    if (error == 0 && !crier__sqlite_is_claimed(&sqlite->claim, name)) {
        snprintf(reason, 256, "%.200s has been replaced meanwhile", name);
        error = CRIER_ERR_IN_USE;
    }
    if (error == 0)
        error = crier__sqlite_mark_open(sqlite, reason);
    if (error == 0)
        error = crier__sqlite_adapt(sqlite, reason);
    if (error == 0)
        sqlite3_db_config(sqlite->writer.db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE,
                          0, NULL);
    return error;
}

void crier__sqlite_close(struct crier__sqlite *sqlite)
{
    crier__sqlite_drop_recent(sqlite);
    crier__sql_close(&sqlite->reader);
    if (sqlite->marked)
        crier__sqlite_mark_closed(sqlite);
    crier__sql_close(&sqlite->writer);
    free(sqlite->name);
    crier__sqlite_unclaim(&sqlite->claim); /* after SQLite has closed it */
}
