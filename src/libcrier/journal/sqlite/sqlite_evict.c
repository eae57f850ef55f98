/*
 * Eviction in a file: what retention asks for, in small steps.
 *
 * An update stays as long as one of its topics holds it. A topic evicts from its oldest
 * entry on, so one number says what it has evicted: its `evicted`. Entries up to there that
 * are still in the table are orphans, which nobody reads; so a topic of a million updates
 * is forgotten by writing one row.
 *
 * Two things make work: an append, which exceeds limits of count and bytes, and time. For
 * the latter the row of a topic has the column `due`: never later than the moment when its
 * oldest entry becomes too old; 0 when there is work now (orphans, or more than its limits
 * allow); NULL when there will be none. It may be too early, since entries also go for
 * other reasons: then a look at the topic corrects it. So one index finds what is to do,
 * however many topics there are, and readers can tell from it that nothing is too old.
 * When the options have changed since the file was written, all topics are due.
 *
 * A transaction has a budget of evictions, so that no append waits for a million
 * deletions; when it is used up, the topic remains due and the writer goes on in the next
 * transaction. An append adds to the budget what it displaces in the usual case. (One
 * transaction for all was rejected for that reason; and so was DELETE with a LIMIT, which
 * cannot keep the sums.)
 *
 * Orphans are still in the sums of all until they are deleted. So as long as there may be
 * some, they go before the limits of all evict anything that is held.
 *
 * When entries or updates are lost by damage, the counts are too high from then on. They are
 * corrected when only the newest is left, which says what they must be; or else it, and
 * whatever comes after it, would be evicted for what is not there.
 *
 * A topic that holds nothing keeps its row for its `evicted`. The row can make place for a
 * new topic only when it is not due, or its orphans would be taken for the new topic's.
 */
#include <config.h>

#include "sqlite.h"

#include <stdlib.h>
#include <string.h>

/* How many times are corrected in one transaction. */
#define CORRECTIONS 500

int64_t crier__sqlite_age(struct crier__sqlite *sqlite, const char *name,
                          size_t length)
{
    uint64_t all = crier__journal_limits(&sqlite->journal).age;
    uint64_t own = crier__journal_retention(&sqlite->journal, name, length).age;
    uint64_t age = own != 0 && (all == 0 || own < all) ? own : all;

    /* Longer than there have been clocks is for ever. */
    return age < (uint64_t)1 << 48 ? (int64_t)age : 0;
}

/* ---- one update ------------------------------------------------------- */

/* What of an update matters here. */
struct held {
    uint64_t position, holds, cost;
    int64_t time;
    bool hidden;
};

static bool find_held(struct crier__sqlite *sqlite, uint64_t position,
                      struct held *held)
{
    struct crier__sql *sql = &sqlite->writer;
    sqlite3_stmt *row =
        crier__sql_begin(sql, WRITE_UPDATE_FIND, "u", position);

    memset(held, 0, sizeof *held);
    held->position = position;
    if (!crier__sql_row(sql, row))
        return false;
    held->holds = crier__sql_number(row, 0);
    held->cost = crier__sql_number(row, 1);
    held->time = sqlite3_column_int64(row, 2);
    held->hidden = sqlite3_column_int(row, 3) != 0;
    crier__sql_end(row);
    return true;
}

bool crier__sqlite_has_ended(struct crier__sqlite *sqlite, const char *name,
                             size_t length,
                             const struct crier__sqlite_topic *topic)
{
    int64_t age = crier__sqlite_age(sqlite, name, length);
    int64_t now = crier__journal_time(sqlite->totals.time);
    struct held held;

    if (topic->ended <= topic->evicted ||
        !find_held(sqlite, topic->ended, &held))
        return false;
    if (age == 0 || held.time >= now - age)
        return true;
    crier__ended_remove(&sqlite->ended, name, length); /* eviction is late */
    return false;
}

static uint64_t subtract_part(uint64_t sum, uint64_t part)
{
    return sum > part ? sum - part : 0; /* of a file that somebody edited */
}

/* Takes the update at POSITION out of LIST, one of the lists of all. */
static void leave_list(struct crier__sqlite *sqlite, bool hidden,
                       uint64_t position)
{
    struct crier__sqlite_list *list = &sqlite->totals.lists[hidden];
    struct crier__sql *sql = &sqlite->writer;
    sqlite3_stmt *row =
        crier__sql_begin(sql, WRITE_LIST_FIND, "uu", (uint64_t)hidden, position);
    uint64_t prev;

    if (!crier__sql_row(sql, row))
        return;
    prev = crier__sql_number(row, 0);
    crier__sql_end(row);
    crier__sql_run(sql, WRITE_LIST_DROP, "uu", (uint64_t)hidden, position);
    if (position == list->newest)
        list->newest = prev;
    else if (prev <= list->dropped)
        list->dropped = position;
    else
        crier__sql_run(sql, WRITE_LIST_LINK, "uuu", (uint64_t)hidden, position,
                       prev);
}

static void drop_update(struct crier__sqlite *sqlite, const struct held *held)
{
    struct crier__totals *totals = &sqlite->totals;

    leave_list(sqlite, held->hidden, held->position);
    crier__sql_run(&sqlite->writer, WRITE_UPDATE_DROP, "u", held->position);
    sqlite->oldest_changed = true;
    totals->count = subtract_part(totals->count, 1);
    totals->bytes = subtract_part(totals->bytes, held->cost);
    if (!held->hidden && held->position > totals->evicted)
        totals->evicted = held->position;
}

/* TOPIC (to be saved) does not hold HELD any more. */
static void count_evicted(struct crier__sqlite_topic *topic, const struct held *held)
{
    if (held->position <= topic->evicted)
        return; /* orphans, not counted any more */
    topic->count = subtract_part(topic->count, 1);
    topic->bytes = subtract_part(topic->bytes, held->cost);
    topic->evicted = held->position;
    if (topic->count == 0 && topic->due > 0)
        topic->due = -1;
}

/* Takes the entry POSITION out of TOPIC (to be saved). */
static void evict_entry(struct crier__sqlite *sqlite,
                        struct crier__sqlite_topic *topic, uint64_t position)
{
    struct held held;
    bool found = find_held(sqlite, position, &held);

    crier__sql_run(&sqlite->writer, WRITE_ENTRY_DROP, "iu", topic->row,
                   position);
    count_evicted(topic, &held);
    if (sqlite->budget != 0)
        sqlite->budget--;
    if (!found)
        return;
    if (held.holds > 1)
        crier__sql_run(&sqlite->writer, WRITE_UPDATE_HOLDS, "uu", position,
                       held.holds - 1);
    else
        drop_update(sqlite, &held);
}

/* ---- a topic ---------------------------------------------------------- */

/* The first entry of TOPIC after POSITION, or up to it (`left` over); 0: none.
 * */
static uint64_t first_entry(struct crier__sqlite *sqlite, int64_t topic,
                            uint64_t position, bool left)
{
    struct crier__sql *sql = &sqlite->writer;
    sqlite3_stmt *row =
        crier__sql_begin(sql, left ? WRITE_ENTRY_LEFT : WRITE_ENTRY_FIRST,
                         "iu", topic, position);
    uint64_t first;

    if (!crier__sql_row(sql, row))
        return 0;
    first = crier__sql_number(row, 0);
    crier__sql_end(row);
    return first;
}

/* Whether *COUNT is wrong, now that only the update at POSITION is left; corrects it then,
 * and *BYTES. */
static bool correct_counts(struct crier__sqlite *sqlite, uint64_t position,
                           uint64_t *count, uint64_t *bytes)
{
    struct held held;

    if (*count == 1)
        return false;
    (void)find_held(sqlite, position, &held);
    *count = 1;
    *bytes = held.cost;
    crier__journal_damage(&sqlite->journal, "updates or their entries are missing");
    return true;
}

/* Keeps TOPIC (to be saved) within the limits KEEP. False: the budget is used
 * up. */
static bool keep_limits(struct crier__sqlite *sqlite,
                        struct crier__sqlite_topic *topic,
                        const struct crier_retention *keep)
{
    uint64_t position;

    while ((keep->count != 0 && topic->count > keep->count) ||
           (keep->bytes != 0 && topic->bytes > keep->bytes)) {
        if (sqlite->budget == 0)
            return false;
        position = first_entry(sqlite, topic->row, topic->evicted, false);
        if (position == 0)
            break;
        if (position == crier__sqlite_newest(topic) &&
            correct_counts(sqlite, position, &topic->count, &topic->bytes))
            continue;
        evict_entry(sqlite, topic, position);
    }
    return true;
}

void crier__sqlite_trim_topics(struct crier__sqlite *sqlite,
                               const struct crier__topics *topics)
{
    struct crier__sqlite_topic topic;
    struct crier_retention keep;
    const char *name;
    size_t length;

    CRIER__TOPICS_EACH (topics, name) {
        length = strlen(name);
        keep = crier__journal_retention(&sqlite->journal, name, length);
        if ((keep.count == 0 && keep.bytes == 0) ||
            !crier__sqlite_find(sqlite, name, length, &topic) ||
            ((keep.count == 0 || topic.count <= keep.count) &&
             (keep.bytes == 0 || topic.bytes <= keep.bytes)))
            continue;
        if (!keep_limits(sqlite, &topic, &keep))
            topic.due = 0;
        crier__sqlite_save_evicted(sqlite, name, length, &topic);
    }
}

/* Evicts what is older than AGE from TOPIC (to be saved), and sets when to look
 * again. False: the budget is used up. */
static bool keep_age(struct crier__sqlite *sqlite,
                     struct crier__sqlite_topic *topic, int64_t age,
                     int64_t now)
{
    struct held held;
    uint64_t position;

    topic->due = -1;
    while (age != 0 && (position = first_entry(sqlite, topic->row,
                                               topic->evicted, false)) != 0) {
        if (find_held(sqlite, position, &held) && held.time >= now - age) {
            /* It is too old when it is older than AGE. */
            topic->due = held.time + age + 1;
            break;
        }
        if (sqlite->budget == 0)
            return false;
        evict_entry(sqlite, topic, position);
    }
    return true;
}

/* Does what is due in TOPIC, whose name has LENGTH bytes. */
static void evict_from_topic(struct crier__sqlite *sqlite,
                             struct crier__sqlite_topic *topic, const char *name,
                             size_t length, int64_t now)
{
    struct crier_retention keep =
        crier__journal_retention(&sqlite->journal, name, length);
    uint64_t position;
    bool clean = true;

    while (clean && (position = first_entry(sqlite, topic->row, topic->evicted,
                                            true)) != 0) {
        clean = sqlite->budget != 0;
        if (clean)
            evict_entry(sqlite, topic, position);
    }
    clean = clean && keep_limits(sqlite, topic, &keep) &&
            keep_age(sqlite, topic,
                     crier__sqlite_age(sqlite, name, length), now);
    if (!clean)
        topic->due = 0;
    crier__sqlite_save_evicted(sqlite, name, length, topic);
}

/* ---- all -------------------------------------------------------------- */

static bool too_much(struct crier__sqlite *sqlite)
{
    struct crier_retention keep = crier__journal_limits(&sqlite->journal);

    return (keep.count != 0 && sqlite->totals.count > keep.count) ||
           (keep.bytes != 0 && sqlite->totals.bytes > keep.bytes);
}

/* Takes HELD out of the topics TOPICS. */
static void take_out(struct crier__sqlite *sqlite, const struct held *held,
                     const char *topics)
{
    struct crier__sqlite_topic topic;
    const char *name;
    size_t length;

    while ((name = crier__sqlite_next_name(&topics, &length)) != NULL) {
        if (sqlite->budget != 0)
            sqlite->budget--;
        if (!crier__sqlite_find(sqlite, name, length, &topic))
            continue;
        crier__sql_run(&sqlite->writer, WRITE_ENTRY_DROP, "iu", topic.row,
                       held->position);
        if (sqlite3_changes(sqlite->writer.db) == 0)
            continue; /* it had let go of it before */
        count_evicted(&topic, held);
        crier__sqlite_save_evicted(sqlite, name, length, &topic);
    }
}

/* Evicts the oldest update, or corrects the counts. False when there is none. */
static bool evict_oldest(struct crier__sqlite *sqlite)
{
    struct crier__totals *totals = &sqlite->totals;
    struct crier__sql *sql = &sqlite->writer;
    sqlite3_stmt *row = crier__sql_begin(sql, WRITE_UPDATE_FIRST, "");
    struct held held = {0};
    const char *topics;

    if (!crier__sql_row(sql, row))
        return false;
    held.position = crier__sql_number(row, 0);
    held.hidden = sqlite3_column_int(row, 1) != 0;
    held.cost = crier__sql_number(row, 2);
    topics = (const char *)sqlite3_column_text(row, 3);
    if (held.position == totals->last &&
        correct_counts(sqlite, held.position, &totals->count, &totals->bytes)) {
        crier__sql_end(row);
        return true;
    }
    take_out(sqlite, &held, topics);
    crier__sql_end(row); /* TOPICS was its */
    drop_update(sqlite, &held);
    return sql->error == 0;
}

/* Evicts the oldest, of whatever topic, while there is more than the limits of all
 * allow. */
static void keep_limits_of_all(struct crier__sqlite *sqlite)
{
    while (too_much(sqlite)) {
        if (sqlite->budget == 0) {
            sqlite->more = true;
            return;
        }
        if (!evict_oldest(sqlite))
            return;
    }
}

void crier__sqlite_trim(struct crier__sqlite *sqlite)
{
    if (sqlite->orphans && too_much(sqlite))
        crier__sqlite_evict_due(sqlite);
    else
        keep_limits_of_all(sqlite);
}

/* ---- what is in the way ----------------------------------------------- */

static bool has_entry(struct crier__sqlite *sqlite, int64_t topic,
                      uint64_t position)
{
    struct crier__sql *sql = &sqlite->writer;
    sqlite3_stmt *row =
        crier__sql_begin(sql, WRITE_ENTRY_HAS, "iu", topic, position);
    bool has = crier__sql_row(sql, row);

    crier__sql_end(row);
    return has;
}

/* Has the topic of LENGTH bytes at NAME let go of the update at POSITION,
 * which is of TIME. False when it is not to. */
static bool clear_entry(struct crier__sqlite *sqlite, const char *name,
                        size_t length, uint64_t position, int64_t time)
{
    int64_t age = crier__sqlite_age(sqlite, name, length);
    int64_t now = crier__journal_time(sqlite->totals.time);
    struct crier__sqlite_topic topic;
    uint64_t first;

    if (!crier__sqlite_find(sqlite, name, length, &topic) ||
        !has_entry(sqlite, topic.row, position))
        return true;
    if (position > topic.evicted && (age == 0 || time >= now - age))
        return false;
    if (position <= topic.evicted) {
        evict_entry(sqlite, &topic, position);
    } else { /* nor is what is older still to be held */
        while ((first = first_entry(sqlite, topic.row, topic.evicted,
                                    false)) != 0 &&
               first <= position)
            evict_entry(sqlite, &topic, first);
    }
    crier__sqlite_save_evicted(sqlite, name, length, &topic);
    return true;
}

bool crier__sqlite_free_id(struct crier__sqlite *sqlite, uint64_t position)
{
    struct crier__sql *sql = &sqlite->writer;
    sqlite3_stmt *row =
        crier__sql_begin(sql, WRITE_UPDATE_TOPICS, "u", position);
    bool cleared = true;
    const char *name, *text;
    size_t length;
    int64_t time;
    char *topics;

    if (!crier__sql_row(sql, row))
        return true;
    time = sqlite3_column_int64(row, 0);
    text = (const char *)sqlite3_column_text(row, 1);
    topics = text != NULL ? strdup(text) : NULL;
    crier__sql_end(row);
    text = topics;
    while (cleared && (name = crier__sqlite_next_name(&text, &length)) != NULL)
        cleared = clear_entry(sqlite, name, length, position, time);
    free(topics);
    return cleared && topics != NULL;
}

/* ---- times that lead the clock ---------------------------------------- */

uint64_t crier__sqlite_older(struct crier__sql *sql, unsigned statement,
                             uint64_t last, int64_t time)
{
    uint64_t low = 0, high = last, middle;
    struct crier__sqlite_head head;
    sqlite3_stmt *row;

    /* What is up to LOW is older, what is above HIGH is not. A row that is damaged is
     * taken for one that is not. */
    while (low < high) {
        middle = low + (high - low) / 2 + 1;
        row = crier__sql_begin(sql, statement, "u", middle);
        if (!crier__sql_row(sql, row)) {
            high = middle - 1;
            continue;
        }
        if (crier__sqlite_read_head(row, &head) && head.position >= middle &&
            head.time < time)
            low = head.position;
        else
            high = middle - 1;
        crier__sql_end(row);
    }
    return low;
}

/* Sets times that lead the clock to it, from the oldest on, so that times rise with
 * positions after each step as before it. When all are set, every topic is due: when
 * its oldest update becomes too old was reckoned with a wrong time. */
static void correct_file_times(struct crier__sqlite *sqlite)
{
    struct crier__sql *sql = &sqlite->writer;
    struct crier__totals *totals = &sqlite->totals;
    uint64_t right;
    int64_t now;

    if (!crier__journal_ahead(&sqlite->journal, totals->time, &now))
        return;
    right = crier__sqlite_older(sql, WRITE_TIME_FROM, totals->last, now + 1);
    if (crier__sql_run(sql, WRITE_TIME_SET, "iui", now, right,
                       (int64_t)CORRECTIONS) != 0)
        return;
    sqlite->corrected += (unsigned)sqlite3_changes(sql->db);
    sqlite->oldest_changed = true;
    if (sqlite3_changes(sql->db) == CORRECTIONS) {
        sqlite->more = true;
        return;
    }
    totals->time = now;
    crier__sqlite_flush_rows(sqlite);
    crier__sqlite_discard_rows(sqlite);
    crier__sql_run(sql, WRITE_ALL_DUE, "");
}

/* ---- what there is to do ---------------------------------------------- */

void crier__sqlite_evict_due(struct crier__sqlite *sqlite)
{
    char name[CRIER__TOPIC_SIZE];
    struct crier__sqlite_topic topic;
    size_t length;
    int64_t now;

    sqlite->more = sqlite->orphans = false;
    correct_file_times(sqlite);
    now = crier__journal_time(sqlite->totals.time);
    while (crier__sqlite_due(sqlite, now, &topic, name, &length)) {
        if (sqlite->budget == 0) {
            sqlite->more = sqlite->orphans = true;
            return;
        }
        sqlite->budget--; /* for the look alone */
        evict_from_topic(sqlite, &topic, name, length, now);
    }
    keep_limits_of_all(sqlite);
}

bool crier__sqlite_needs_eviction(struct crier__sqlite *sqlite)
{
    struct crier__sql *sql = &sqlite->writer;
    sqlite3_stmt *row;
    int64_t now;

    if (too_much(sqlite) ||
        atomic_load(&sqlite->found_sound) > sqlite->totals.checked ||
        crier__journal_ahead(&sqlite->journal, sqlite->totals.time, &now))
        return true;
    if (!crier__journal_ages(&sqlite->journal) && !sqlite->more)
        return false;
    row = crier__sql_begin(sql, WRITE_TOPIC_DUE, "i",
                           crier__journal_time(sqlite->totals.time));
    if (!crier__sql_row(sql, row))
        return false;
    crier__sql_end(row);
    return true;
}
