/*
 * The table "topics", as the writing thread sees it: with a row cache.
 *
 * An append changes the row of each of its topics, and the appends of a transaction mostly
 * share their topics. So the rows that were read last are cached while the transaction
 * lasts, and written once: when their place in the cache is needed, before a statement
 * that searches the table by their columns, before a savepoint, and at the end. A row that
 * is not cached is as the table has it. The cache is empty when a transaction begins, so
 * one that is undone leaves nothing behind.
 */
#include <config.h>

#include "sqlite.h"

#include <string.h>

static void write_row(struct crier__sqlite *sqlite,
                      const struct crier__sqlite_topic *topic)
{
    crier__sql_run(&sqlite->writer, WRITE_TOPIC_SAVE, "iuuuiuuuu", topic->row,
                   topic->count, topic->bytes, topic->evicted, topic->due,
                   topic->newest_private, topic->newest_public, topic->ended,
                   crier__sqlite_topic_sum(topic));
}

/* ---- the row cache ---------------------------------------------------- */

static void flush_row(struct crier__sqlite *sqlite,
                      struct crier__sqlite_row *held)
{
    if (held->changed)
        write_row(sqlite, &held->topic);
    held->changed = false;
}

/* Caches TOPIC, which is as in the table. */
static void cache_row(struct crier__sqlite *sqlite, const char *name, size_t length,
                      const struct crier__sqlite_topic *topic)
{
    struct crier__sqlite_rows *rows = &sqlite->rows;
    struct crier__sqlite_row *held = &rows->held[rows->next];

    if (rows->count < CRIER__SQLITE_ROWS)
        rows->count++;
    else
        flush_row(sqlite, held);
    rows->next = (rows->next + 1) % CRIER__SQLITE_ROWS;
    held->topic = *topic;
    held->changed = false;
    held->length = length;
    memcpy(held->name, name, length);
}

void crier__sqlite_flush_rows(struct crier__sqlite *sqlite)
{
    unsigned i;

    for (i = 0; i < sqlite->rows.count; i++)
        flush_row(sqlite, &sqlite->rows.held[i]);
}

void crier__sqlite_discard_rows(struct crier__sqlite *sqlite)
{
    sqlite->rows.count = sqlite->rows.next = 0;
}

/* ---- rows ------------------------------------------------------------- */

bool crier__sqlite_find(struct crier__sqlite *sqlite, const char *name,
                        size_t length, struct crier__sqlite_topic *topic)
{
    uint64_t name_sum = crier__sqlite_name_sum(name, length);
    struct crier__sqlite_rows *rows = &sqlite->rows;
    sqlite3_stmt *row;
    unsigned i;
    bool sound;

    for (i = 0; i < rows->count; i++)
        if (rows->held[i].topic.name_sum == name_sum &&
            rows->held[i].length == length &&
            memcmp(rows->held[i].name, name, length) == 0) {
            *topic = rows->held[i].topic;
            return true;
        }
    row = crier__sql_begin(&sqlite->writer, WRITE_TOPIC_FIND, "t", name,
                           length);
    if (!crier__sql_row(&sqlite->writer, row))
        return false;
    sound = crier__sqlite_read_topic(&sqlite->writer, row, topic);
    if (sound && (topic->length != length ||
                  memcmp(topic->name, name, length) != 0)) {
        crier__sql_damage(&sqlite->writer, "the index of the topics is wrong");
        sound = false;
    }
    crier__sql_end(row);
    topic->name = NULL;
    if (sound)
        cache_row(sqlite, name, length, topic);
    return sound;
}

void crier__sqlite_save(struct crier__sqlite *sqlite,
                        const struct crier__sqlite_topic *topic)
{
    struct crier__sqlite_rows *rows = &sqlite->rows;
    unsigned i;

    for (i = 0; i < rows->count; i++)
        if (rows->held[i].topic.row == topic->row) {
            rows->held[i].topic = *topic;
            rows->held[i].changed = true;
            return;
        }
    write_row(sqlite, topic);
}

void crier__sqlite_save_evicted(struct crier__sqlite *sqlite, const char *name,
                                size_t length,
                                struct crier__sqlite_topic *topic)
{
    if (topic->ended != 0 && topic->ended <= topic->evicted) {
        topic->ended = 0;
        crier__ended_remove(&sqlite->ended, name, length);
        crier__sql_run(&sqlite->writer, WRITE_END_DROP, "i", topic->row);
    }
    crier__sqlite_save(sqlite, topic);
}

bool crier__sqlite_due(struct crier__sqlite *sqlite, int64_t now,
                       struct crier__sqlite_topic *topic,
                       char name[CRIER__TOPIC_SIZE], size_t *length)
{
    struct crier__sql *sql = &sqlite->writer;
    sqlite3_stmt *row;
    bool sound;

    crier__sqlite_flush_rows(sqlite);
    row = crier__sql_begin(sql, WRITE_TOPIC_DUE, "i", now);
    if (!crier__sql_row(sql, row))
        return false;
    sound = crier__sqlite_read_topic(sql, row, topic);
    *length = sound ? crier__sql_text(row, 1, name, CRIER__TOPIC_SIZE) : 0;
    crier__sql_end(row);
    topic->name = NULL;
    return sound;
}

/* ---- new rows --------------------------------------------------------- */

/* Drops the row of the topic that has held nothing for longest. False when there is
 * none. */
static bool recycle_row(struct crier__sqlite *sqlite)
{
    struct crier__sql *sql = &sqlite->writer;
    struct crier__totals *totals = &sqlite->totals;
    sqlite3_stmt *row;
    uint64_t evicted;
    int64_t topic;

    crier__sqlite_flush_rows(sqlite);
    row = crier__sql_begin(sql, WRITE_TOPIC_SPARE, "");
    if (!crier__sql_row(sql, row))
        return false;
    topic = sqlite3_column_int64(row, 0);
    evicted = crier__sql_number(row, 1);
    crier__sql_end(row);
    crier__sqlite_discard_rows(sqlite);
    crier__sql_run(sql, WRITE_TOPIC_DROP, "i", topic);
    if (evicted > totals->forgotten)
        totals->forgotten = evicted;
    totals->topics--;
    return true;
}

int crier__sqlite_new_topic(struct crier__sqlite *sqlite, const char *name,
                            size_t length, struct crier__sqlite_topic *topic)
{
    struct crier__totals *totals = &sqlite->totals;

    while (totals->topics >= crier__journal_max_topics(&sqlite->journal))
        if (!recycle_row(sqlite))
            return CRIER_ERR_MAX_TOPICS;
    crier__sql_run(&sqlite->writer, WRITE_TOPIC_ADD, "tu", name, length,
                   totals->forgotten);
    totals->topics++;
    memset(topic, 0, sizeof *topic);
    topic->row = sqlite3_last_insert_rowid(sqlite->writer.db);
    topic->evicted = topic->newest_public = totals->forgotten;
    topic->due = -1;
    topic->name_sum = crier__sqlite_name_sum(name, length);
    write_row(sqlite, topic);
    cache_row(sqlite, name, length, topic);
    return 0;
}
