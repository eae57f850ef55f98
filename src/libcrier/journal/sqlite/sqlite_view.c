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
#include <stdio.h>
#include <string.h>

const char *const crier__sqlite_reads[] = {
    [READ_BEGIN] = "BEGIN",
    [READ_COMMIT] = "COMMIT",
    [READ_TOTALS] = "SELECT " CRIER__SQLITE_TOTALS " FROM journal",
    [READ_TOPIC] = "SELECT " CRIER__SQLITE_TOPIC " FROM topics "
                   "WHERE name = ?1",
    [READ_DUE] = "SELECT " CRIER__SQLITE_TOPIC " FROM topics "
                 "WHERE due <= ?1",
    [READ_AFTER] = "SELECT position, prev FROM entries WHERE topic = ?1 "
                   "AND position > ?2 ORDER BY position",
    [READ_BEFORE] = "SELECT position, prev FROM entries WHERE topic = ?1 "
                    "AND position < ?2 ORDER BY position DESC",
    [READ_LIST_AFTER] = "SELECT position, prev FROM lists WHERE list = ?1 "
                        "AND position > ?2 ORDER BY position",
    [READ_LIST_BEFORE] = "SELECT position, prev FROM lists WHERE list = ?1 "
                         "AND position < ?2 ORDER BY position DESC",
    [READ_OLD] = "SELECT max(position) FROM entries "
                 "WHERE topic = ?1 AND position <= ?2",
    [READ_TIME_FROM] = CRIER__SQLITE_TIME_FROM,
    [READ_ID] = "SELECT " CRIER__SQLITE_HEAD " FROM updates WHERE id = ?1",
    [READ_HEAD] = "SELECT " CRIER__SQLITE_HEAD " FROM updates "
                  "WHERE position = ?1",
    [READ_UPDATE] = "SELECT " CRIER__SQLITE_HEAD ", body_sum, body FROM updates "
                    "WHERE position = ?1",
    [READ_TOPICS] = "SELECT " CRIER__SQLITE_TOPIC " FROM topics "
                    "WHERE name > ?1 AND name >= ?2 ORDER BY name",
    [READ_SUM] = "SELECT count(*), sum(updates.cost) FROM entries "
                 "JOIN updates ON updates.position = entries.position "
                 "WHERE entries.topic = ?1 AND entries.position > ?2 "
                 "AND entries.position <= ?3",
};

bool crier__view_open(struct crier__sqlite *sqlite, struct crier__view *view)
{
    struct crier__sql *sql = &sqlite->reader;
    char epoch[CRIER__EPOCH_SIZE];
    sqlite3_stmt *row;

    crier__sql_clear(sql);
    memset(view, 0, sizeof *view);
    view->sqlite = sqlite;
    view->sql = sql;
    crier__sql_run(sql, READ_BEGIN, "");
    row = crier__sql_begin(sql, READ_TOTALS, "");
    if (!crier__sql_row(sql, row)) {
        crier__sql_damage(sql, "the table journal is empty");
        return false;
    }
    (void)crier__sqlite_read_totals(sql, row, &view->totals, epoch);
    crier__sql_end(row);
    view->now = crier__journal_time(view->totals.time);
    row = crier__sql_begin(sql, READ_DUE, "i", view->now);
    view->due = crier__sql_row(sql, row);
    crier__sql_end(row);
    return sql->error == 0;
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
    return crier__sqlite_older(view->sql, READ_TIME_FROM, view->totals.last,
                               time);
}

/* Whether an update of TIME is too old for a topic where AGE is the limit. */
static bool is_too_old(const struct crier__view *view, int64_t time, int64_t age)
{
    return age != 0 && time < view->now - age;
}

uint64_t crier__view_floor(const struct crier__view *view,
                           const struct crier__sqlite_topic *topic)
{
    int64_t age = crier__sqlite_age(view->sqlite, topic->name, topic->length);
    sqlite3_stmt *entry;
    uint64_t old;

    if (age == 0 || topic->due < 0 || topic->due > view->now)
        return topic->evicted;
    entry = crier__sql_begin(view->sql, READ_OLD, "iu", topic->row,
                             crier__view_older(view, view->now - age));
    if (!crier__sql_row(view->sql, entry))
        return topic->evicted;
    old = crier__sql_number(entry, 0);
    crier__sql_end(entry);
    return old > topic->evicted ? old : topic->evicted;
}

/* Whether the topic of LENGTH bytes at NAME, which is one of an update's, holds that
 * still: the one at POSITION. */
static bool topic_holds(const struct crier__view *view, const char *name,
                        size_t length, uint64_t position)
{
    sqlite3_stmt *row = crier__sql_begin(view->sql, READ_TOPIC, "t", name, length);
    struct crier__sqlite_topic topic;
    bool holds;

    if (!crier__sql_row(view->sql, row))
        return false;
    holds = crier__sqlite_read_topic(view->sql, row, &topic) &&
            topic.evicted < position;
    crier__sql_end(row);
    return holds;
}

/* Whether a topic of the update HEAD that SELECTOR matches (NULL: any) shows it. */
static bool is_shown_by(const struct crier__view *view,
                        const struct crier__selector *selector,
                        const struct crier__sqlite_head *head)
{
    const char *topics = head->topics, *name;
    size_t length;

    while ((name = crier__sqlite_next_name(&topics, &length)) != NULL)
        if ((selector == NULL ||
             crier__selector_matches(selector, name, length)) &&
            !is_too_old(view, head->time,
                        crier__sqlite_age(view->sqlite, name, length)) &&
            topic_holds(view, name, length, head->position))
            return true;
    return false;
}

bool crier__view_shown(const struct crier__view *view,
                       const struct crier__selector *selector, uint64_t position)
{
    struct crier__sqlite_head head;
    sqlite3_stmt *row;
    bool answer;

    row = crier__sql_begin(view->sql, READ_HEAD, "u", position);
    if (!crier__sql_row(view->sql, row))
        return true;
    answer = !crier__sqlite_read_head(row, &head) ||
             is_shown_by(view, selector, &head);
    crier__sql_end(row);
    return answer;
}

/* Of the updates up to FLOOR that TOPIC holds in vain: the highest one that "*"
 * means and that is not shown any more, if it is above LOWEST. */
static uint64_t find_highest_lost(const struct crier__view *view, int64_t topic,
                                  uint64_t lowest, uint64_t floor)
{
    struct crier__sql *sql = view->sql;
    sqlite3_stmt *entry = crier__sql_begin(sql, READ_BEFORE, "iu", topic,
                                           floor + 1);
    struct crier__sqlite_head head;
    sqlite3_stmt *row;
    uint64_t position;
    bool lost = false;

    while (!lost && crier__sql_row(sql, entry)) {
        position = crier__sql_number(entry, 0);
        if (position <= lowest)
            break;
        row = crier__sql_begin(sql, READ_HEAD, "u", position);
        if (!crier__sql_row(sql, row))
            continue;
        lost = crier__sqlite_read_head(row, &head) && !head.hidden &&
               !is_shown_by(view, NULL, &head);
        crier__sql_end(row);
    }
    crier__sql_end(entry);
    return lost ? position : lowest;
}

uint64_t crier__view_floor_all(const struct crier__view *view)
{
    uint64_t floor = view->totals.evicted;
    struct crier__sqlite_topic topic;
    sqlite3_stmt *row;

    if (!view->due)
        return floor;
    row = crier__sql_begin(view->sql, READ_DUE, "i", view->now);
    while (crier__sql_row(view->sql, row))
        if (crier__sqlite_read_topic(view->sql, row, &topic))
            floor = find_highest_lost(view, topic.row, floor,
                                      crier__view_floor(view, &topic));
    return floor;
}

void crier__view_id(const struct crier__view *view, uint64_t position,
                    char id[CRIER__ID_SIZE], int64_t *time)
{
    sqlite3_stmt *row = crier__sql_begin(view->sql, READ_HEAD, "u", position);
    struct crier__sqlite_head head;

    if (!crier__sql_row(view->sql, row))
        return;
    if (crier__sqlite_read_head(row, &head)) {
        *time = head.time;
        if (head.id == NULL)
            crier__id_make(id, view->sqlite->journal.epoch, position);
        else
            snprintf(id, CRIER__ID_SIZE, "%s", head.id);
    }
    crier__sql_end(row);
}

/* ---- list ------------------------------------------------------------- */

/* The first entry of TOPIC that is above FLOOR, or the last one; 0: none. */
static uint64_t find_edge_entry(const struct crier__view *view, int64_t topic,
                                uint64_t floor, bool last)
{
    sqlite3_stmt *entry =
        crier__sql_begin(view->sql, last ? READ_BEFORE : READ_AFTER, "iu", topic,
                         last ? (uint64_t)INT64_MAX : floor);
    uint64_t position;

    if (!crier__sql_row(view->sql, entry))
        return 0;
    position = crier__sql_number(entry, 0);
    crier__sql_end(entry);
    return position > floor ? position : 0;
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
    struct crier__sqlite_topic topic;
    uint64_t floor, first, last;

    if (!crier__sqlite_read_topic(view->sql, row, &topic) || topic.count == 0)
        return false;
    memcpy(info->name, topic.name, topic.length + 1);
    info->count = topic.count;
    info->bytes = topic.bytes;
    floor = crier__view_floor(view, &topic);
    *secret = topic.newest_private > floor;
    if (floor > topic.evicted)
        subtract_hidden(view, topic.row, topic.evicted, floor, info);
    first = find_edge_entry(view, topic.row, floor, false);
    last = find_edge_entry(view, topic.row, floor, true);
    info->first[0] = info->last[0] = '\0';
    info->first_time = info->time = 0;
    info->ended = topic.ended > floor;
    crier__view_id(view, first, info->first, &info->first_time);
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
        name = (const char *)sqlite3_column_text(row, 1);
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
    if (view.sql->damaged)
        crier__journal_damage(&sqlite->journal, view.sql->reason);
    list->error = view.sql->error != 0 ? CRIER_ERR_STORAGE : 0;
}
