/*
 * The journal in a file as a question sees it, and the list of its topics.
 *
 * Each question is one read transaction, so its answer is the journal at one
 * moment, whatever is written meanwhile.
 *
 * What is too old or forgotten is not seen, whether or not the writer has
 * taken it away. Whether there is any such thing, the column `due` tells. If
 * so, a topic has a floor: the highest position that it does not hold any
 * more. Under "*" an update is seen as long as any of its topics would show
 * it; there, updates are asked one by one while something is due. What is due,
 * the writer soon takes away, so that it is never much. (To answer from what
 * has been taken away alone was rejected: when the disk is full, nothing is,
 * and what should be gone would be read on.)
 *
 * Times rise with positions, so the table of the updates itself is the index
 * by time: what is older than a moment ends at a position that is found by
 * halving.
 */
#include <config.h>

#include "sqlite_view.h"

#include <errno.h>
#include <string.h>

const char *const crier__sqlite_reads[] = {
    [READ_BEGIN] = "BEGIN",
    [READ_COMMIT] = "COMMIT",
    [READ_TOTALS] = "SELECT last, evicted, forgotten, count, bytes, topics, "
                    "time, epoch, private FROM journal",
    [READ_TOPIC] = "SELECT topic, evicted, due, name, count, bytes, private, public "
                   "FROM topics WHERE name = ?1",
    [READ_DUE] = "SELECT topic, evicted, due, name FROM topics "
                 "WHERE due <= ?1",
    [READ_AFTER] = "SELECT position FROM entries WHERE topic = ?1 "
                   "AND position > ?2 AND position < ?3 ORDER BY position",
    [READ_BEFORE] = "SELECT position FROM entries WHERE topic = ?1 AND "
                    "position > ?2 AND position < ?3 ORDER BY position DESC",
    [READ_ALL_AFTER] =
        "SELECT position FROM updates INDEXED BY updates_all "
        "WHERE hidden = 0 AND position > ?2 AND position < ?3 AND ?1 = 0 "
        "ORDER BY position",
    [READ_ALL_BEFORE] =
        "SELECT position FROM updates INDEXED BY updates_all "
        "WHERE hidden = 0 AND position > ?2 AND position < ?3 AND ?1 = 0 "
        "ORDER BY position DESC",
    [READ_UPDATES_AFTER] =
        "SELECT position, topics, time FROM updates WHERE position > ?2 "
        "AND position < ?3 AND ?1 = 0 ORDER BY position",
    [READ_UPDATES_BEFORE] =
        "SELECT position, topics, time FROM updates WHERE position > ?2 "
        "AND position < ?3 AND ?1 = 0 ORDER BY position DESC",
    [READ_OLD] = "SELECT max(position) FROM entries "
                 "WHERE topic = ?1 AND position <= ?2",
    [READ_HOLDS] = "SELECT topics.evicted FROM topics JOIN entries "
                   "ON entries.topic = topics.topic AND entries.position = ?2 "
                   "WHERE topics.name = ?1",
    [READ_TIME_FROM] = CRIER__SQLITE_TIME_FROM,
    [READ_ID] = "SELECT position FROM updates WHERE id = ?1",
    [READ_UPDATE] = "SELECT time, id, topics, body, hidden, flags FROM updates "
                    "WHERE position = ?1",
    [READ_TOPICS] = "SELECT topic, evicted, due, name, count, bytes, private, public, "
                    "ended "
                    "FROM topics WHERE name > ?1 AND name >= ?2 "
                    "ORDER BY name",
    [READ_SUM] = "SELECT count(*), sum(updates.cost) FROM entries "
                 "JOIN updates ON updates.position = entries.position "
                 "WHERE entries.topic = ?1 AND entries.position > ?2 "
                 "AND entries.position <= ?3",
};

bool crier__view_open(struct crier__sqlite *sqlite, struct crier__view *view)
{
    struct crier__sql *sql = &sqlite->reader;
    sqlite3_stmt *row;

    crier__sql_clear(sql);
    memset(view, 0, sizeof *view);
    view->sqlite = sqlite;
    view->sql = sql;
    crier__sql_run(sql, READ_BEGIN, "");
    row = crier__sql_begin(sql, READ_TOTALS, "");
    if (!crier__sql_row(sql, row))
        return false;
    view->last = crier__sql_number(row, 0);
    view->evicted = crier__sql_number(row, 1);
    view->forgotten = crier__sql_number(row, 2);
    view->count = crier__sql_number(row, 3);
    view->now = crier__journal_time(sqlite3_column_int64(row, 6));
    view->newest_private = crier__sql_number(row, 8);
    crier__sql_end(row);
    row = crier__sql_begin(sql, READ_DUE, "i", view->now);
    view->due = crier__sql_row(sql, row);
    crier__sql_end(row);
    return true;
}

void crier__view_close(struct crier__view *view)
{
    struct crier__sql *sql = view->sql;

    crier__sql_run(sql, READ_COMMIT, "");
    if (sqlite3_get_autocommit(sql->db) == 0)
        sqlite3_exec(sql->db, "ROLLBACK", NULL, NULL, NULL);
}

/* ---- what is too old -------------------------------------------------- */

uint64_t crier__view_older(const struct crier__view *view, int64_t time)
{
    return crier__sqlite_older(view->sql, READ_TIME_FROM, view->last, time);
}

/* Whether an update of TIME is too old for a topic where AGE is the limit. */
static bool is_too_old(const struct crier__view *view, int64_t time, int64_t age)
{
    return age != 0 && time < view->now - age;
}

uint64_t crier__view_floor(const struct crier__view *view, sqlite3_stmt *row,
                           const char *name, size_t length)
{
    uint64_t evicted = crier__sql_number(row, 1), old;
    int64_t age = crier__sqlite_age(view->sqlite, name, length);
    sqlite3_stmt *entry;

    if (age == 0 || sqlite3_column_type(row, 2) == SQLITE_NULL ||
        sqlite3_column_int64(row, 2) > view->now)
        return evicted;
    entry = crier__sql_begin(view->sql, READ_OLD, "iu",
                             (int64_t)sqlite3_column_int64(row, 0),
                             crier__view_older(view, view->now - age));
    if (!crier__sql_row(view->sql, entry))
        return evicted;
    old = crier__sql_number(entry, 0);
    crier__sql_end(entry);
    return old > evicted ? old : evicted;
}

/* Whether one of TOPICS that SELECTOR matches (NULL: any) shows the update at POSITION,
 * which is of TIME. */
static bool is_shown_by(const struct crier__view *view,
                        const struct crier__selector *selector,
                        const char *topics, uint64_t position, int64_t time)
{
    sqlite3_stmt *row;
    const char *name;
    size_t length;
    bool shown = false;

    while (!shown && (name = crier__sqlite_next_name(&topics, &length)) != NULL) {
        if (selector != NULL && !crier__selector_matches(selector, name, length))
            continue;
        if (is_too_old(view, time,
                    crier__sqlite_age(view->sqlite, name, length)))
            continue;
        row = crier__sql_begin(view->sql, READ_HOLDS, "tu", name, length,
                               position);
        if (!crier__sql_row(view->sql, row))
            continue;
        shown = crier__sql_number(row, 0) < position;
        crier__sql_end(row);
    }
    return shown;
}

bool crier__view_matches(const struct crier__view *view,
                         const struct crier__selector *selector,
                         const char *topics, uint64_t position, int64_t time)
{
    return is_shown_by(view, selector, topics, position, time);
}

bool crier__view_shown(const struct crier__view *view, uint64_t position)
{
    sqlite3_stmt *row;
    bool answer;

    if (!view->due)
        return true;
    row = crier__sql_begin(view->sql, READ_UPDATE, "u", position);
    if (!crier__sql_row(view->sql, row))
        return false;
    answer = is_shown_by(view, NULL, (const char *)sqlite3_column_text(row, 2),
                         position, sqlite3_column_int64(row, 0));
    crier__sql_end(row);
    return answer;
}

/* Of the updates up to FLOOR that TOPIC holds in vain: the highest one that "*"
 * means and that is not shown any more, if it is above LOWEST. */
static uint64_t find_highest_lost(const struct crier__view *view, int64_t topic,
                                  uint64_t lowest, uint64_t floor)
{
    struct crier__sql *sql = view->sql;
    sqlite3_stmt *entry = crier__sql_begin(sql, READ_BEFORE, "iuu", topic,
                                           lowest, floor + 1);
    sqlite3_stmt *row;
    uint64_t position;
    bool lost;

    while (crier__sql_row(sql, entry)) {
        position = crier__sql_number(entry, 0);
        row = crier__sql_begin(sql, READ_UPDATE, "u", position);
        if (!crier__sql_row(sql, row))
            continue;
        lost = sqlite3_column_int(row, 4) == 0 &&
               !is_shown_by(view, NULL,
                            (const char *)sqlite3_column_text(row, 2),
                            position, sqlite3_column_int64(row, 0));
        crier__sql_end(row);
        if (lost) {
            crier__sql_end(entry);
            return position;
        }
    }
    return lowest;
}

uint64_t crier__view_floor_all(const struct crier__view *view)
{
    uint64_t floor = view->evicted;
    char name[CRIER__TOPIC_SIZE];
    sqlite3_stmt *row;
    size_t length;

    if (!view->due)
        return floor;
    row = crier__sql_begin(view->sql, READ_DUE, "i", view->now);
    while (crier__sql_row(view->sql, row)) {
        length = crier__sql_text(row, 3, name, sizeof name);
        floor = find_highest_lost(view, sqlite3_column_int64(row, 0), floor,
                             crier__view_floor(view, row, name, length));
    }
    return floor;
}

void crier__view_id(const struct crier__view *view, uint64_t position,
                    char id[CRIER__ID_SIZE], int64_t *time)
{
    sqlite3_stmt *row =
        crier__sql_begin(view->sql, READ_UPDATE, "u", position);

    if (!crier__sql_row(view->sql, row))
        return;
    *time = sqlite3_column_int64(row, 0);
    if (crier__sql_text(row, 1, id, CRIER__ID_SIZE) == 0)
        crier__id_make(id, view->sqlite->journal.epoch, position);
    crier__sql_end(row);
}

/* ---- list ------------------------------------------------------------- */

/* The first entry of TOPIC that is above FLOOR, or the last one; 0: none. */
static uint64_t find_edge_entry(const struct crier__view *view, int64_t topic,
                                uint64_t floor, bool last)
{
    sqlite3_stmt *entry =
        crier__sql_begin(view->sql, last ? READ_BEFORE : READ_AFTER, "iuu",
                         topic, floor, (uint64_t)INT64_MAX);
    uint64_t position;

    if (!crier__sql_row(view->sql, entry))
        return 0;
    position = crier__sql_number(entry, 0);
    crier__sql_end(entry);
    return position;
}

/* Takes off INFO what TOPIC has between EVICTED and FLOOR. */
static void subtract_hidden(const struct crier__view *view, int64_t topic,
                            uint64_t evicted, uint64_t floor,
                            struct crier__topic_info *info)
{
    sqlite3_stmt *sum = crier__sql_begin(view->sql, READ_SUM, "iuu", topic,
                                         evicted, floor);

    if (!crier__sql_row(view->sql, sum))
        return;
    info->count -= crier__sql_number(sum, 0);
    info->bytes -= crier__sql_number(sum, 1);
    crier__sql_end(sum);
}

/* Describes the topic in ROW, and sets *SECRET to whether it holds a private update. False
 * when it holds nothing. */
static bool describe_row(const struct crier__view *view, sqlite3_stmt *row,
                         struct crier__topic_info *info, bool *secret)
{
    size_t length = crier__sql_text(row, 3, info->name, sizeof info->name);
    int64_t topic = sqlite3_column_int64(row, 0), time;
    uint64_t evicted = crier__sql_number(row, 1), floor, first, last;

    info->count = crier__sql_number(row, 4);
    info->bytes = crier__sql_number(row, 5);
    if (info->count == 0)
        return false;
    floor = crier__view_floor(view, row, info->name, length);
    *secret = crier__sql_number(row, 6) > floor;
    if (floor > evicted)
        subtract_hidden(view, topic, evicted, floor, info);
    first = find_edge_entry(view, topic, floor, false);
    last = find_edge_entry(view, topic, floor, true);
    info->first[0] = info->last[0] = '\0';
    info->time = 0;
    info->ended = crier__sql_number(row, 8) > floor;
    crier__view_id(view, first, info->first, &time);
    crier__view_id(view, last, info->last, &info->time);
    return first != 0;
}

static void collect_topics(const struct crier__view *view,
                           struct crier__list *list)
{
    const struct crier__selector *lowest =
        crier__selectors_lowest(list->selectors);
    sqlite3_stmt *row = crier__sql_begin(
        view->sql, READ_TOPICS, "tt", list->after, strlen(list->after),
        lowest->text, (size_t)lowest->length);
    struct crier__topic_info *info;
    const char *name;
    bool secret;

    while (list->count < list->limit && crier__sql_row(view->sql, row)) {
        name = (const char *)sqlite3_column_text(row, 3);
        if (name == NULL || crier__selectors_behind(list->selectors, name))
            break;
        info = &list->infos[list->count];
        if (crier__list_wants(list, name) &&
            describe_row(view, row, info, &secret) &&
            (!secret || crier__list_shows_private(list, info->name)))
            list->count++;
    }
    crier__sql_end(row);
}

void crier__sqlite_list(struct crier__sqlite *sqlite,
                        struct crier__list *list)
{
    struct crier__view view;

    list->count = 0;
    if (crier__view_open(sqlite, &view))
        collect_topics(&view, list);
    crier__view_close(&view);
    list->error = view.sql->error != 0 ? CRIER_ERR_STORAGE : 0;
}
