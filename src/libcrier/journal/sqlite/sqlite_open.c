/*
 * Opening the journal's file with SQLite: is it ours, and what does it hold?
 * sqlite_file.c has checked that it is free, sqlite_mark.c that its log is beside it.
 *
 * This must not take longer the more updates the file holds. So it reads what all else
 * rests on and is small, whole: the schema, the row of the table "journal" with its counts,
 * and the tables of the topics and of their ends with their indices, which grow with the
 * number of topics alone. When there is damage in these, the file is refused. The updates
 * and their entries are not looked at: each is checked when it is read (sqlite_sum.c,
 * sqlite_read.c), and all of them by sqlite_check.c meanwhile.
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

#define FORMAT 4

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)

static const char tables[] =
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
    " bytes INTEGER NOT NULL,"
    " newest INTEGER NOT NULL," /* of list 0; see struct crier__sqlite_list */
    " dropped INTEGER NOT NULL,"
    " hidden_newest INTEGER NOT NULL," /* of list 1 */
    " hidden_dropped INTEGER NOT NULL,"
    " checked INTEGER NOT NULL," /* ms since 1970; 0: it is to be checked */
    " sum INTEGER NOT NULL);"
    "CREATE TABLE updates ("
    " position INTEGER PRIMARY KEY,"
    " time INTEGER NOT NULL," /* ms since 1970; never falls */
    " hidden INTEGER NOT NULL," /* not under * */
    " flags INTEGER NOT NULL," /* CRIER__SQLITE_PRIVATE, _LAST */
    " holds INTEGER NOT NULL," /* so many topics hold it */
    " cost INTEGER NOT NULL,"
    " id TEXT," /* of the publisher; NULL: #epoch-position */
    " topics TEXT NOT NULL," /* names, one on a line */
    " sum INTEGER NOT NULL,"
    " body_sum INTEGER NOT NULL,"
    " body BLOB NOT NULL);"
    "CREATE UNIQUE INDEX updates_id ON updates (id) WHERE id IS NOT NULL;"
    "CREATE TABLE lists ("
    " list INTEGER NOT NULL," /* 0: what * means, 1: hidden */
    " position INTEGER NOT NULL,"
    " prev INTEGER NOT NULL," /* the position before it in the list */
    " PRIMARY KEY (list, position)) WITHOUT ROWID;"
    "CREATE TABLE topics ("
    " topic INTEGER PRIMARY KEY,"
    " name TEXT NOT NULL UNIQUE,"
    " count INTEGER NOT NULL,"
    " bytes INTEGER NOT NULL,"
    " evicted INTEGER NOT NULL," /* the highest position let go */
    " private INTEGER NOT NULL," /* the highest position of a private update, ever */
    " public INTEGER NOT NULL,"  /* likewise, of a public one */
    " due INTEGER," /* the time when it has something to let go */
    " ended INTEGER NOT NULL," /* the position of its last update; 0: none */
    " sum INTEGER NOT NULL);"
    "CREATE INDEX topics_due ON topics (due) WHERE due IS NOT NULL;"
    "CREATE INDEX topics_spare ON topics (evicted)"
    " WHERE count = 0 AND due IS NULL;"
    "CREATE TABLE ends ("
    " topic INTEGER PRIMARY KEY,"
    " position INTEGER NOT NULL,"
    " time INTEGER NOT NULL,"
    " id TEXT NOT NULL,"
    " sum INTEGER NOT NULL);"
    "CREATE TABLE entries ("
    " topic INTEGER NOT NULL,"
    " position INTEGER NOT NULL,"
    " prev INTEGER NOT NULL," /* the position before it in the topic */
    " PRIMARY KEY (topic, position)) WITHOUT ROWID;";

static const char application[] =
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
    struct crier__totals totals = {.checked = crier__journal_time(0)};
    struct crier__sql *sql = &sqlite->writer;
    char epoch[CRIER__RANDOM_NAME_SIZE], *row;
    int error = crier__random_name(epoch);

    if (error != 0)
        return error;
    if (asprintf(&row,
                 "INSERT INTO journal VALUES ('%s', '', 0, 0, 0, 0, 0, 0, 0, 0, "
                 "0, 0, 0, 0, %" PRId64 ", %" PRId64 "); COMMIT",
                 epoch, totals.checked,
                 (int64_t)crier__sqlite_totals_sum(&totals, epoch)) < 0)
        return -ENOMEM;
    crier__sql_script(sql, "BEGIN IMMEDIATE");
    crier__sql_script(sql, tables);
    crier__sql_script(sql, application);
    crier__sql_script(sql, row);
    free(row);
    return sql->error != 0 ? report_failure(sql, reason) : 0;
}

/* ---- what is checked at each start ------------------------------------ */

/* Runs one of SQLite's checks, TEXT, whose result is "ok" where all is. */
static int check_structure(struct crier__sql *sql, const char *text,
                           char reason[256])
{
    char result[200];
    int64_t number;

    if (query_one(sql, text, &number, result, sizeof result) != 0)
        return report_failure(sql, reason);
    if (strcmp(result, "ok") == 0)
        return 0;
    for (char *end = result; (end = strchr(end, '\n')) != NULL;)
        *end = ' '; /* it says where in one line, and what in the next */
    return refuse_file(reason, result);
}

/* Whether SQL has all tables and indices that MODEL has, and made alike. */
static int compare_schemas(struct crier__sql *sql, struct crier__sql *model,
                           char reason[256])
{
    sqlite3_stmt *wanted = crier__sql_other(
        model, "SELECT type, name, ifnull(sql, '') FROM sqlite_schema");
    sqlite3_stmt *found = crier__sql_other(
        sql, "SELECT count(*) FROM sqlite_schema WHERE type = ?1 AND name = ?2 "
             "AND ifnull(sql, '') = ?3 AND (SELECT count(DISTINCT rootpage) = "
             "count(*) FROM sqlite_schema WHERE rootpage > 0)");
    int column;
    bool same = true;

    while (same && found != NULL && crier__sql_row(model, wanted)) {
        for (column = 0; column < 3; column++)
            sqlite3_bind_value(found, column + 1,
                               sqlite3_column_value(wanted, column));
        same = crier__sql_row(sql, found) && crier__sql_number(found, 0) == 1;
        crier__sql_end(found);
    }
    sqlite3_finalize(wanted);
    sqlite3_finalize(found);
    if (sql->error != 0 || model->error != 0)
        return report_failure(sql->error != 0 ? sql : model, reason);
    return same ? 0 : refuse_file(reason, "a table or an index is missing, or "
                                          "made otherwise");
}

/* Whether the schema is that of a new file. */
static int check_schema(struct crier__sql *sql, char reason[256])
{
    struct crier__sql model = {0};
    int error = crier__sql_open(&model, ":memory:", NULL, 0);

    if (error == 0 && crier__sql_script(&model, tables) != 0)
        error = report_failure(&model, reason);
    if (error == 0)
        error = compare_schemas(sql, &model, reason);
    crier__sql_close(&model);
    return error;
}

/* Whether the database is ours, and what is small in it sound; makes one of an empty
 * file. */
static int check_database(struct crier__sqlite *sqlite, char reason[256])
{
    static const char *const checks[] = {"PRAGMA integrity_check(journal)",
                                         "PRAGMA integrity_check(topics)",
                                         "PRAGMA integrity_check(ends)"};
    struct crier__sql *sql = &sqlite->writer;
    char text[200];
    int64_t number;
    size_t i;
    int error;

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
        snprintf(reason, 256, "its format is %" PRId64 " instead of %d: another "
                 "version of Crier made it", number, FORMAT);
        return CRIER_ERR_DAMAGED;
    }
    error = check_schema(sql, reason);
    for (i = 0; i < sizeof checks / sizeof checks[0] && error == 0; i++)
        error = check_structure(sql, checks[i], reason);
    return error;
}

/* The last moment of the year 9999. */
#define LAST_TIME INT64_C(253402300799999)

/* More than any number in the file; what is added to it fits in 63 bits. */
#define LAST_NUMBER ((uint64_t)1 << 62)

/* Whether the journal can have written TOTALS and EPOCH. A sum that is right says that
 * nothing is damaged; it does not say who has written it. */
static bool totals_are_possible(const struct crier__totals *totals, const char *epoch)
{
    uint64_t last = totals->last;

    return last <= LAST_NUMBER && totals->count <= LAST_NUMBER &&
           totals->bytes <= LAST_NUMBER && totals->evicted <= last &&
           totals->forgotten <= last && totals->newest_private <= last &&
           totals->lists[0].newest <= last && totals->lists[0].dropped <= last &&
           totals->lists[1].newest <= last && totals->lists[1].dropped <= last &&
           totals->time >= 0 && totals->time <= LAST_TIME && epoch[0] != '\0' &&
           epoch[strspn(epoch, "0123456789abcdefghijklmnopqrstuvwxyz")] == '\0';
}

static int load_totals(struct crier__sqlite *sqlite, char reason[256])
{
    struct crier__sql *sql = &sqlite->reader;
    sqlite3_stmt *row = crier__sql_begin(sql, READ_TOTALS, "");
    struct crier__totals *totals = &sqlite->saved;

    if (!crier__sql_row(sql, row))
        return sql->error != 0 ? report_failure(sql, reason)
                               : refuse_file(reason, "the table journal is empty");
    (void)crier__sqlite_read_totals(sql, row, totals,
                                    sqlite->journal.own_epoch);
    crier__sql_end(row);
    if (sql->error != 0)
        return report_failure(sql, reason);
    if (!totals_are_possible(totals, sqlite->journal.epoch))
        return refuse_file(reason, "what the table journal says cannot be");
    if (sqlite->crashed)
        totals->checked = 0; /* written with the mark */
    sqlite->totals = *totals;
    sqlite->held = *totals;
    sqlite->position = totals->last;
    return 0;
}

/* The same for TOPIC. */
static bool topic_is_possible(const struct crier__sqlite_topic *topic, uint64_t last)
{
    return topic->count <= LAST_NUMBER && topic->bytes <= LAST_NUMBER &&
           topic->evicted <= last && topic->ended <= last &&
           crier__sqlite_newest(topic) <= last;
}

/* Checks the rows of the topics, which must be as many as the journal says. */
static int check_topics(struct crier__sqlite *sqlite, char reason[256])
{
    struct crier__sql *sql = &sqlite->reader;
    sqlite3_stmt *row =
        crier__sql_other(sql, "SELECT " CRIER__SQLITE_TOPIC " FROM topics");
    struct crier__sqlite_topic topic;
    uint64_t count = 0;

    while (crier__sql_row(sql, row)) {
        if (crier__sqlite_read_topic(sql, row, &topic) &&
            !topic_is_possible(&topic, sqlite->saved.last))
            crier__sql_damage(sql, "what the table topics says cannot be");
        count++;
    }
    sqlite3_finalize(row);
    if (count != sqlite->saved.topics)
        crier__sql_damage(sql, "rows of the table topics are missing");
    return sql->error != 0 ? report_failure(sql, reason) : 0;
}

/* Fills the set of the topics that have ended. */
static int load_ended(struct crier__sqlite *sqlite, char reason[256])
{
    struct crier__sql *sql = &sqlite->reader;
    sqlite3_stmt *row = crier__sql_other(
        sql, "SELECT name, position, time, id, ends.sum, topics.topic "
             "FROM topics LEFT JOIN ends ON ends.topic = topics.topic "
             "WHERE topics.ended > topics.evicted");
    struct crier__ended ended;
    char name[CRIER__TOPIC_SIZE];
    size_t length;
    int64_t time;
    int error = 0;

    while (error == 0 && crier__sql_row(sql, row)) {
        length = crier__sql_text(row, 0, name, sizeof name);
        ended.position = crier__sql_number(row, 1);
        time = sqlite3_column_int64(row, 2);
        crier__sql_text(row, 3, ended.id, sizeof ended.id);
        if (crier__sqlite_sum_at(row, 4) !=
            crier__sqlite_end_sum(sqlite3_column_int64(row, 5), &ended, time))
            crier__sql_damage(sql, "a row of the table ends is missing, or not "
                                   "what was written");
        else
            error = crier__ended_add(&sqlite->ended, name, length, &ended, time);
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

/* crier_retime(SUM, POSITION, OLD, NEW): the sum of an update whose time was OLD. */
static void retime_row(sqlite3_context *context, int count, sqlite3_value **values)
{
    uint64_t position = (uint64_t)sqlite3_value_int64(values[1]);
    uint64_t sum = (uint64_t)sqlite3_value_int64(values[0]);

    (void)count;
    sum ^= crier__sqlite_time_sum(position, sqlite3_value_int64(values[2])) ^
           crier__sqlite_time_sum(position, sqlite3_value_int64(values[3]));
    sqlite3_result_int64(context, (sqlite3_int64)sum);
}

static bool define_retime(struct crier__sql *sql)
{
    return sqlite3_create_function_v2(sql->db, "crier_retime", 4,
                                      SQLITE_UTF8 | SQLITE_DETERMINISTIC |
                                          SQLITE_DIRECTONLY,
                                      NULL, retime_row, NULL, NULL,
                                      NULL) == SQLITE_OK;
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
    if (error == 0 && !define_retime(sql))
        error = -ENOMEM;
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
    crier__sql_script(sql, "PRAGMA query_only = 1; PRAGMA cell_size_check = 1");
    if (crier__sql_prepare(sql) != 0)
        return report_failure(sql, reason);
    error = load_totals(sqlite, reason);
    if (error == 0)
        error = check_topics(sqlite, reason);
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
