/*
 * The sums of the rows: is a row as the journal has written it?
 *
 * A wrong byte on the disk must not become a wrong update. SQLite finds damage in the
 * structure of its pages, but not in what they hold; so each row has a sum of its own,
 * which is compared when the row is read. (A table of sums of pages, beside the file or at
 * the end of each page, was rejected: a copy made by .backup would not have it, or not the
 * right ones, and SQLite writes its log before it could be added.)
 *
 * An update has two: one of its body, and one of all the rest, so that a read that looks
 * for names need not read bodies. Its time is added to the latter by exclusive or: when the
 * clock was ahead, times are corrected without a look at the rest, and a sum that was wrong
 * before stays wrong. How many topics hold an update (`holds`) is in none of them, nor when
 * a topic is due: when these are wrong, an update stays too long, or leaves a gap.
 *
 * That all rows are there is not for the sums to tell. The entries of a topic are a chain
 * for that, and so are both lists: see sqlite_read.c.
 *
 * A sum is SipHash with a known key. It finds accidents; who can write to the file can
 * write sums, too.
 */
#include <config.h>

#include "sqlite.h"

#include "base/keyed_hash.h"

#include <endian.h>
#include <string.h>

/* What each kind of sum begins with, so that no row passes for one of another table. */
enum kind {
    KIND_BODY = 1,
    KIND_HEAD,
    KIND_TIME,
    KIND_TOPIC,
    KIND_NAME,
    KIND_ID,
    KIND_TOTALS,
    KIND_END
};

static uint64_t sum_bytes(enum kind kind, uint64_t number, const void *bytes,
                          size_t length)
{
    const struct keyed_hash_seed seed = {{kind, number}};

    return keyed_hash(&seed, bytes, length);
}

static uint64_t sum_words(enum kind kind, uint64_t *words, size_t count)
{
    size_t i;

    for (i = 0; i < count; i++)
        words[i] = htole64(words[i]);
    return sum_bytes(kind, 0, words, count * sizeof *words);
}

#define SUM_WORDS(kind, ...)                                                  \
    sum_words(kind, (uint64_t[]){__VA_ARGS__},                                \
              sizeof((uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

uint64_t crier__sqlite_body_sum(uint64_t position, const void *body,
                                size_t length)
{
    return sum_bytes(KIND_BODY, position, body, length);
}

uint64_t crier__sqlite_time_sum(uint64_t position, int64_t time)
{
    return SUM_WORDS(KIND_TIME, position, (uint64_t)time);
}

/* No id is 0, which no id has for a sum but by chance. */
static uint64_t sum_id(const char *id)
{
    return id != NULL ? sum_bytes(KIND_ID, 0, id, strlen(id)) : 0;
}

uint64_t crier__sqlite_name_sum(const char *name, size_t length)
{
    return sum_bytes(KIND_NAME, 0, name, length);
}

uint64_t crier__sqlite_head_sum(const struct crier__sqlite_head *head)
{
    return crier__sqlite_time_sum(head->position, head->time) ^
           SUM_WORDS(KIND_HEAD, head->position, head->hidden, head->flags,
                     head->cost, sum_id(head->id),
                     crier__sqlite_name_sum(head->topics, head->topics_length));
}

uint64_t crier__sqlite_topic_sum(const struct crier__sqlite_topic *topic)
{
    return SUM_WORDS(KIND_TOPIC, (uint64_t)topic->row, topic->name_sum,
                     topic->count, topic->bytes, topic->evicted,
                     topic->newest_private, topic->newest_public,
                     topic->ended);
}

uint64_t crier__sqlite_totals_sum(const struct crier__totals *totals,
                                  const char *epoch)
{
    return SUM_WORDS(KIND_TOTALS, sum_id(epoch), totals->last,
                     (uint64_t)totals->time, totals->evicted,
                     totals->forgotten, totals->newest_private, totals->topics,
                     totals->count, totals->bytes, totals->lists[0].newest,
                     totals->lists[0].dropped, totals->lists[1].newest,
                     totals->lists[1].dropped, (uint64_t)totals->checked);
}

uint64_t crier__sqlite_end_sum(int64_t topic, const struct crier__ended *ended,
                               int64_t time)
{
    return SUM_WORDS(KIND_END, (uint64_t)topic, ended->position,
                     (uint64_t)time, sum_id(ended->id));
}

/* ---- rows ------------------------------------------------------------- */

uint64_t crier__sqlite_sum_at(sqlite3_stmt *row, int column)
{
    return (uint64_t)sqlite3_column_int64(row, column);
}

bool crier__sqlite_read_head(sqlite3_stmt *row, struct crier__sqlite_head *head)
{
    head->position = crier__sql_number(row, 0);
    head->time = sqlite3_column_int64(row, 1);
    head->hidden = crier__sql_number(row, 2);
    head->flags = crier__sql_number(row, 3);
    head->cost = crier__sql_number(row, 4);
    head->id = (const char *)sqlite3_column_text(row, 5);
    head->topics = (const char *)sqlite3_column_text(row, 6);
    if (head->topics == NULL)
        return false;
    head->topics_length = (size_t)sqlite3_column_bytes(row, 6);
    return crier__sqlite_sum_at(row, 7) == crier__sqlite_head_sum(head);
}

bool crier__sqlite_read_topic(struct crier__sql *sql, sqlite3_stmt *row,
                              struct crier__sqlite_topic *topic)
{
    topic->row = sqlite3_column_int64(row, 0);
    topic->name = (const char *)sqlite3_column_text(row, 1);
    topic->length = (size_t)sqlite3_column_bytes(row, 1);
    topic->count = crier__sql_number(row, 2);
    topic->bytes = crier__sql_number(row, 3);
    topic->evicted = crier__sql_number(row, 4);
    topic->due = sqlite3_column_type(row, 5) == SQLITE_NULL
                     ? -1
                     : sqlite3_column_int64(row, 5);
    topic->newest_private = crier__sql_number(row, 6);
    topic->newest_public = crier__sql_number(row, 7);
    topic->ended = crier__sql_number(row, 8);
    if (topic->name != NULL) {
        topic->name_sum = crier__sqlite_name_sum(topic->name, topic->length);
        if (crier__sqlite_sum_at(row, 9) == crier__sqlite_topic_sum(topic) &&
            topic->length < CRIER__TOPIC_SIZE)
            return true;
    }
    crier__sql_damage(sql, "a row of the table topics is not what was written");
    return false;
}

bool crier__sqlite_read_totals(struct crier__sql *sql, sqlite3_stmt *row,
                               struct crier__totals *totals,
                               char epoch[CRIER__EPOCH_SIZE])
{
    totals->last = crier__sql_number(row, 0);
    totals->time = sqlite3_column_int64(row, 1);
    totals->evicted = crier__sql_number(row, 2);
    totals->forgotten = crier__sql_number(row, 3);
    totals->newest_private = crier__sql_number(row, 4);
    totals->topics = crier__sql_number(row, 5);
    totals->count = crier__sql_number(row, 6);
    totals->bytes = crier__sql_number(row, 7);
    totals->lists[0].newest = crier__sql_number(row, 8);
    totals->lists[0].dropped = crier__sql_number(row, 9);
    totals->lists[1].newest = crier__sql_number(row, 10);
    totals->lists[1].dropped = crier__sql_number(row, 11);
    totals->checked = sqlite3_column_int64(row, 12);
    crier__sql_text(row, 13, epoch, CRIER__EPOCH_SIZE);
    if (crier__sqlite_sum_at(row, 14) ==
        crier__sqlite_totals_sum(totals, epoch))
        return true;
    crier__sql_damage(sql, "the row of the table journal is not what was written");
    return false;
}
