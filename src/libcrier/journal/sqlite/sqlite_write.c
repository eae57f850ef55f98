/*
 * Writing the journal in a file: one transaction, and what an append or a
 * forgetting does in it.
 *
 * The tables: one row of what is true of the journal as a whole; its updates; its topics,
 * and `ends`, the last updates of those that have ended; `entries`, which says which topic
 * holds which update; and `lists`, the two lists of all updates. What counts them is kept
 * in the same transaction as what it counts, in memory in `totals` until that ends; when
 * it fails, `totals` is again what was `saved`. So nothing is counted when the file is
 * opened.
 *
 * An entry has the position of the one before it in its topic (`prev`), and so has one of a
 * list: a reader that follows them sees that none is missing. A topic evicts from its
 * oldest entry on. A list loses updates from its midst as well; the one behind then gets
 * another `prev`.
 *
 * The position is the writer's own counter and not SQLite's, since the update
 * has to be placed, which can fail, before there is a row. A position that was
 * given to what then failed is not given again as long as this process lives,
 * so that an id that somebody may have seen in an error never means two
 * things. After a restart it may be: it was never in the journal.
 *
 * The row of a topic has the position of its last update (`ended`). The topic has ended as
 * long as it holds that, so eviction need not know of it. journal/ended.c has the same for
 * other threads, as of the last commit.
 *
 * An append that cannot be done for its own reasons must not undo those before it
 * in the same transaction. Most of these show before anything is written (its id is
 * there, memory is short). Only a new topic may find no place when others have been
 * written: then there is a savepoint, for which SQLite keeps a copy of each page. If
 * SQLite itself fails, the whole transaction is undone, and all that were in it get
 * that error.
 */
#include <config.h>

#include "sqlite.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How many evictions a transaction may do beyond what its appends displace. */
#define BUDGET 500

const char *const crier__sqlite_writes[] = {
    [WRITE_BEGIN] = "BEGIN IMMEDIATE",
    [WRITE_COMMIT] = "COMMIT",
    [WRITE_SAVEPOINT] = "SAVEPOINT append",
    [WRITE_RELEASE] = "RELEASE append",
    [WRITE_BACK] = "ROLLBACK TO append",
    [WRITE_TOTALS] = "UPDATE journal SET last = ?1, time = ?2, evicted = ?3, "
                     "forgotten = ?4, topics = ?5, count = ?6, bytes = ?7, "
                     "private = ?8, newest = ?9, dropped = ?10, "
                     "hidden_newest = ?11, hidden_dropped = ?12, checked = ?13, "
                     "sum = ?14",
    [WRITE_SAME] = "SELECT 1 FROM journal WHERE retention = ?1",
    [WRITE_OPTIONS] = "UPDATE journal SET retention = ?1",
    [WRITE_ALL_DUE] = "UPDATE topics SET due = 0 WHERE count > 0",
    [WRITE_ID_FIND] = "SELECT " CRIER__SQLITE_HEAD " FROM updates WHERE id = ?1",
    [WRITE_UPDATE_ADD] =
        "INSERT INTO updates (position, time, hidden, flags, holds, cost, id, "
        "topics, sum, body_sum, body) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    [WRITE_UPDATE_FIND] = "SELECT holds, cost, time, hidden FROM updates "
                          "WHERE position = ?1",
    [WRITE_UPDATE_TOPICS] = "SELECT time, topics FROM updates "
                            "WHERE position = ?1",
    [WRITE_UPDATE_FIRST] = "SELECT position, hidden, cost, topics "
                           "FROM updates ORDER BY position LIMIT 1",
    [WRITE_UPDATE_HOLDS] = "UPDATE updates SET holds = ?2 WHERE position = ?1",
    [WRITE_UPDATE_DROP] = "DELETE FROM updates WHERE position = ?1",
    [WRITE_TOPIC_FIND] = "SELECT " CRIER__SQLITE_TOPIC " FROM topics "
                         "WHERE name = ?1",
    [WRITE_TOPIC_ADD] = "INSERT INTO topics (name, count, bytes, evicted, due, "
                        "private, public, ended, sum) "
                        "VALUES (?1, 0, 0, ?2, NULL, 0, ?2, 0, 0)",
    [WRITE_TOPIC_SAVE] = "UPDATE topics SET count = ?2, bytes = ?3, "
                         "evicted = ?4, due = ?5, private = ?6, public = ?7, "
                         "ended = ?8, sum = ?9 WHERE topic = ?1",
    [WRITE_TOPIC_DUE] = "SELECT " CRIER__SQLITE_TOPIC " "
                        "FROM topics WHERE due <= ?1 ORDER BY due LIMIT 1",
    [WRITE_TOPIC_SPARE] = "SELECT topic, evicted FROM topics WHERE count = 0 "
                          "AND due IS NULL ORDER BY evicted LIMIT 1",
    [WRITE_TOPIC_DROP] = "DELETE FROM topics WHERE topic = ?1",
    [WRITE_ENTRY_ADD] = "INSERT INTO entries (topic, position, prev) "
                        "VALUES (?1, ?2, ?3)",
    [WRITE_ENTRY_FIRST] = "SELECT position FROM entries WHERE topic = ?1 "
                          "AND position > ?2 ORDER BY position LIMIT 1",
    [WRITE_ENTRY_LEFT] = "SELECT position FROM entries WHERE topic = ?1 "
                         "AND position <= ?2 ORDER BY position LIMIT 1",
    [WRITE_ENTRY_HAS] = "SELECT 1 FROM entries WHERE topic = ?1 "
                        "AND position = ?2",
    [WRITE_ENTRY_DROP] = "DELETE FROM entries WHERE topic = ?1 "
                         "AND position = ?2",
    [WRITE_LIST_ADD] = "INSERT INTO lists (list, position, prev) "
                       "VALUES (?1, ?2, ?3)",
    [WRITE_LIST_FIND] = "SELECT prev FROM lists WHERE list = ?1 "
                        "AND position = ?2",
    [WRITE_LIST_DROP] = "DELETE FROM lists WHERE list = ?1 AND position = ?2",
    [WRITE_LIST_LINK] = "UPDATE lists SET prev = ?3 WHERE list = ?1 AND "
                        "position = (SELECT position FROM lists WHERE "
                        "list = ?1 AND position > ?2 ORDER BY position LIMIT 1)",
    [WRITE_END_SET] = "INSERT OR REPLACE INTO ends (topic, position, time, id, "
                      "sum) VALUES (?1, ?2, ?3, ?4, ?5)",
    [WRITE_END_DROP] = "DELETE FROM ends WHERE topic = ?1",
    [WRITE_TIME_FROM] = CRIER__SQLITE_TIME_FROM,
    [WRITE_TIME_SET] = "UPDATE updates SET time = ?1, "
                       "sum = crier_retime(sum, position, time, ?1) WHERE position IN "
                       "(SELECT position FROM updates WHERE position > ?2 "
                       "ORDER BY position LIMIT ?3)",
};

/* ---- the transaction -------------------------------------------------- */

/* What is written to a file without a name is lost when it is closed. */
static void check_file(struct crier__sqlite *sqlite)
{
    if (!crier__sqlite_is_claimed(&sqlite->claim, sqlite->name))
        crier__sql_fail(&sqlite->writer,
                        "its file has been removed or replaced");
}

int crier__sqlite_begin(struct crier__sqlite *sqlite)
{
    crier__sql_clear(&sqlite->writer);
    crier__sqlite_discard_rows(sqlite);
    sqlite->totals = sqlite->saved;
    sqlite->budget = BUDGET;
    sqlite->corrected = 0;
    check_file(sqlite);
    return crier__sql_run(&sqlite->writer, WRITE_BEGIN, "");
}

void crier__sqlite_note_oldest(struct crier__sqlite *sqlite)
{
    struct crier__totals *totals = &sqlite->totals;
    struct crier__sql *sql = &sqlite->writer;
    sqlite3_stmt *row;

    if (!sqlite->oldest_changed && (totals->oldest != 0) == (totals->count != 0))
        return;
    totals->oldest = 0;
    row = crier__sql_begin(sql, WRITE_TIME_FROM, "u", (uint64_t)0);
    if (crier__sql_row(sql, row)) {
        totals->oldest = sqlite3_column_int64(row, 1);
        crier__sql_end(row);
    }
    sqlite->oldest_changed = sql->error != 0;
}

void crier__sqlite_commit(struct crier__sqlite *sqlite)
{
    struct crier__totals *totals = &sqlite->totals;
    struct crier__sql *sql = &sqlite->writer;

    crier__sqlite_flush_rows(sqlite);
    crier__sqlite_note_oldest(sqlite);
    crier__sql_run(sql, WRITE_TOTALS, "uiuuuuuuuuuuiu", totals->last,
                   totals->time, totals->evicted, totals->forgotten,
                   totals->topics, totals->count, totals->bytes,
                   totals->newest_private, totals->lists[0].newest,
                   totals->lists[0].dropped, totals->lists[1].newest,
                   totals->lists[1].dropped, totals->checked,
                   crier__sqlite_totals_sum(totals, sqlite->journal.epoch));
    if (crier__sql_run(sql, WRITE_COMMIT, "") == 0) {
        sqlite->saved = *totals;
        crier__ended_commit(&sqlite->ended);
        atomic_fetch_add(&sqlite->journal.corrected, sqlite->corrected);
        return;
    }
    *totals = sqlite->saved;
    sqlite->oldest_changed = true;
    crier__ended_undo(&sqlite->ended);
    /* SQLite has rolled it back itself where it had to. Its error, if any,
     * would only hide the first one. */
    if (sqlite3_get_autocommit(sql->db) == 0)
        sqlite3_exec(sql->db, "ROLLBACK", NULL, NULL, NULL);
}

/* ---- topics ----------------------------------------------------------- */

/* Notes in the file that UPDATE, which is placed, has ended TOPIC; or that TOPIC, which had
 * ended and holds that no more, goes on with it. */
static void write_end(struct crier__sqlite *sqlite,
                      const struct crier__sqlite_topic *topic,
                      const struct crier__update *update)
{
    struct crier__ended ended = {.position = update->position};

    if (!update->last) {
        if (topic->ended != 0)
            crier__sql_run(&sqlite->writer, WRITE_END_DROP, "i", topic->row);
        return;
    }
    snprintf(ended.id, sizeof ended.id, "%s", update->id);
    crier__sql_run(&sqlite->writer, WRITE_END_SET, "iuitu", topic->row,
                   ended.position, update->time, ended.id, strlen(ended.id),
                   crier__sqlite_end_sum(topic->row, &ended, update->time));
}

/* Has the topic of LENGTH bytes at NAME hold UPDATE, which is placed. */
static int hold_in_topic(struct crier__sqlite *sqlite, const char *name,
                         size_t length, const struct crier__update *update)
{
    int64_t age = crier__sqlite_age(sqlite, name, length);
    struct crier__sqlite_topic topic;
    uint64_t newest;
    int error = 0;

    if (!crier__sqlite_find(sqlite, name, length, &topic))
        error = crier__sqlite_new_topic(sqlite, name, length, &topic);
    if (error != 0)
        return error;
    newest = crier__sqlite_newest(&topic);
    topic.count++;
    topic.bytes += crier__update_cost(update);
    if (update->is_private)
        topic.newest_private = update->position;
    else
        topic.newest_public = update->position;
    write_end(sqlite, &topic, update);
    topic.ended = update->last ? update->position : 0;
    if (topic.due < 0 && age != 0)
        topic.due = update->time + age + 1;
    crier__sql_run(&sqlite->writer, WRITE_ENTRY_ADD, "iuu", topic.row,
                   update->position, newest);
    crier__sqlite_save(sqlite, &topic);
    return 0;
}

/* Has all topics of UPDATE hold it; their number goes to *HOLDS. */
static int hold_by_all(struct crier__sqlite *sqlite,
                       const struct crier__update *update, uint64_t *holds)
{
    const char *name;
    int error;

    *holds = 0;
    CRIER__TOPICS_EACH (update->topics, name) {
        error = hold_in_topic(sqlite, name, strlen(name), update);
        if (error != 0)
            return error;
        ++*holds;
    }
    return 0;
}

/* ---- append ----------------------------------------------------------- */

/* Finds the update with the id of APPEND's, and fills in what APPEND tells of it; position
 * 0 when there is none. */
static void find_older(struct crier__sqlite *sqlite, struct crier__append *append)
{
    const struct crier__update *update = append->update;
    struct crier__sql *sql = &sqlite->writer;
    struct crier__sqlite_head head;
    sqlite3_stmt *row;

    append->position = 0;
    append->same_topics = false;
    if (!update->given)
        return;
    row = crier__sql_begin(sql, WRITE_ID_FIND, "t", update->id,
                           strlen(update->id));
    if (!crier__sql_row(sql, row))
        return;
    if (crier__sqlite_read_head(row, &head)) {
        append->position = head.position;
        append->same_topics = crier__topics_are(
            update->topics, '\n', head.topics, head.topics_length);
    } else {
        crier__sql_damage(sql, "the update with this id is not what was written");
    }
    crier__sql_end(row);
}

/* Writes the row of UPDATE, which is placed; TOPICS are its names as the row has them. */
static void write_update(struct crier__sqlite *sqlite,
                         const struct crier__update *update,
                         const char *topics, uint64_t holds)
{
    const struct crier__sqlite_head head = {
        .position = update->position,
        .time = update->time,
        .hidden = update->hidden,
        .flags = (update->is_private ? CRIER__SQLITE_PRIVATE : 0U) |
                 (update->last ? CRIER__SQLITE_LAST : 0U),
        .cost = crier__update_cost(update),
        .id = update->given ? update->id : NULL,
        .topics = topics,
        .topics_length = (size_t)update->topics->size - 1,
    };
    const char *body;
    size_t length;

    body = crier__update_body(update, &length);
    crier__sql_run(&sqlite->writer, WRITE_UPDATE_ADD, "uiuuuuttuub",
                   head.position, head.time, head.hidden, head.flags, holds,
                   head.cost, head.id, head.id != NULL ? strlen(head.id) : 0,
                   head.topics, head.topics_length,
                   crier__sqlite_head_sum(&head),
                   crier__sqlite_body_sum(head.position, body, length), body,
                   length);
}

/* Enters UPDATE, which is placed, in its list of all. */
static void enter_list(struct crier__sqlite *sqlite,
                       const struct crier__update *update)
{
    struct crier__sqlite_list *list = &sqlite->totals.lists[update->hidden];

    crier__sql_run(&sqlite->writer, WRITE_LIST_ADD, "uuu",
                   (uint64_t)update->hidden, update->position, list->newest);
    list->newest = update->position;
}

/* Notes that no topic of UPDATE has ended. */
static void forget_end(struct crier__sqlite *sqlite,
                       const struct crier__update *update)
{
    const char *name;

    CRIER__TOPICS_EACH (update->topics, name)
        crier__ended_remove(&sqlite->ended, name, strlen(name));
}

/* Notes that UPDATE, which is placed, has ended its topics. -ENOMEM; nothing is noted
 * then. */
static int note_end(struct crier__sqlite *sqlite,
                    const struct crier__update *update)
{
    struct crier__ended ended = {.position = update->position};
    const char *name;
    int error = 0;

    snprintf(ended.id, sizeof ended.id, "%s", update->id);
    CRIER__TOPICS_EACH (update->topics, name)
        if (error == 0)
            error = crier__ended_add(&sqlite->ended, name, strlen(name), &ended,
                                     update->time);
    if (error != 0)
        forget_end(sqlite, update);
    else
        atomic_store(&sqlite->journal.ends, true);
    return error;
}

static int insert_update(struct crier__sqlite *sqlite,
                         struct crier__update *update)
{
    struct crier__totals *totals = &sqlite->totals;
    int64_t now = crier__journal_time(totals->time);
    int64_t time = crier__journal_time_of(update, totals->time, now);
    uint64_t position = ++sqlite->position, holds;
    char *topics = malloc(update->topics->size);
    int error = topics != NULL ? 0 : -ENOMEM;

    if (error == 0)
        error = crier__update_place(update, sqlite->journal.epoch, position,
                                    time);
    if (error == 0 && update->last)
        error = note_end(sqlite, update);
    if (error == 0) {
        error = hold_by_all(sqlite, update, &holds);
        if (error != 0 && update->last)
            forget_end(sqlite, update);
    }
    if (error == 0) {
        crier__topics_join(update->topics, '\n', topics);
        write_update(sqlite, update, topics, holds);
        enter_list(sqlite, update);
        totals->last = position;
        totals->time = time;
        if (update->is_private)
            totals->newest_private = position;
        totals->count++;
        totals->bytes += crier__update_cost(update);
        sqlite->budget += 2 * (unsigned)holds + 2;
    }
    free(topics);
    return error;
}

/* Whether all of TOPICS have a row. */
static bool have_rows(struct crier__sqlite *sqlite,
                      const struct crier__topics *topics)
{
    struct crier__sqlite_topic topic;
    const char *name;

    CRIER__TOPICS_EACH (topics, name)
        if (!crier__sqlite_find(sqlite, name, strlen(name), &topic))
            return false;
    return true;
}

/* Appends UPDATE, or undoes what it has written of it. */
static int append_or_undo(struct crier__sqlite *sqlite,
                          struct crier__update *update)
{
    struct crier__totals before = sqlite->totals;
    struct crier__sql *sql = &sqlite->writer;
    int error;

    crier__sqlite_flush_rows(sqlite);
    crier__sql_run(sql, WRITE_SAVEPOINT, "");
    error = insert_update(sqlite, update);
    if (error != 0) {
        crier__sql_run(sql, WRITE_BACK, "");
        crier__sqlite_discard_rows(sqlite);
        sqlite->totals = before;
    }
    crier__sql_run(sql, WRITE_RELEASE, "");
    return error;
}

/* Returns the name of a topic of UPDATE that has ended, or NULL. */
static const char *find_ended(struct crier__sqlite *sqlite,
                              const struct crier__update *update)
{
    struct crier__sqlite_topic topic;
    const char *name;

    CRIER__TOPICS_EACH (update->topics, name)
        if (crier__sqlite_find(sqlite, name, strlen(name), &topic) &&
            crier__sqlite_has_ended(sqlite, name, strlen(name), &topic))
            return name;
    return NULL;
}

void crier__sqlite_append(struct crier__sqlite *sqlite,
                          struct crier__append *append)
{
    const char *ended;

    append->reason[0] = '\0';
    find_older(sqlite, append);
    if (append->position != 0 &&
        !crier__sqlite_free_id(sqlite, append->position)) {
        append->error = CRIER_ERR_EXISTS;
        return;
    }
    ended = atomic_load_explicit(&sqlite->journal.ends, memory_order_relaxed)
                ? find_ended(sqlite, append->update)
                : NULL;
    if (ended != NULL) {
        crier__append_refuse_ended(append, ended);
        return;
    }
    append->error = have_rows(sqlite, append->update->topics)
                        ? insert_update(sqlite, append->update)
                        : append_or_undo(sqlite, append->update);
    if (append->error != 0)
        return;
    crier__sqlite_trim_topics(sqlite, append->update->topics);
    crier__sqlite_trim(sqlite);
}

/* ---- forget ----------------------------------------------------------- */

void crier__sqlite_forget(struct crier__sqlite *sqlite,
                          struct crier__forget *forget)
{
    struct crier__sqlite_topic topic;

    forget->error = 0;
    if (!crier__sqlite_find(sqlite, forget->topic, strlen(forget->topic),
                            &topic) ||
        topic.count == 0) {
        forget->error = CRIER_ERR_NO_TOPIC;
        return;
    }
    topic.evicted = crier__sqlite_newest(&topic);
    topic.count = topic.bytes = 0;
    topic.due = 0;
    sqlite->orphans = true;
    crier__sqlite_save_evicted(sqlite, forget->topic, strlen(forget->topic),
                               &topic);
}
