#ifndef CRIER_JOURNAL_SQLITE_VIEW_H
#define CRIER_JOURNAL_SQLITE_VIEW_H

#include "sqlite.h"

/* The journal at the moment of a question; in the reading thread. */
struct crier__view {
    struct crier__sqlite *sqlite;
    struct crier__sql *sql;
    int64_t now;
    uint64_t last, evicted, forgotten, count, newest_private; /* see crier__totals */
    bool due; /* something may be there that nobody is to see any more */
};

/* Begins a read transaction. False: view->sql says why. In both cases
 * crier__view_close() is needed. */
bool crier__view_open(struct crier__sqlite *sqlite, struct crier__view *view);
void crier__view_close(struct crier__view *view);

/* The highest position of an update older than TIME; 0: none. */
uint64_t crier__view_older(const struct crier__view *view, int64_t time);

/* The highest position that the topic in ROW (topic, evicted, due), whose name
 * has LENGTH bytes, does not hold any more; */
uint64_t crier__view_floor(const struct crier__view *view, sqlite3_stmt *row,
                           const char *name, size_t length);

/* and the highest one that "*" means and that is not held any more. */
uint64_t crier__view_floor_all(const struct crier__view *view);

/* Whether any topic still holds the update at POSITION, which is in the file. */
bool crier__view_shown(const struct crier__view *view, uint64_t position);

/* Whether a topic that SELECTOR matches holds the update at POSITION, of TIME and with
 * the names TOPICS, as its row has them. */
bool crier__view_matches(const struct crier__view *view,
                         const struct crier__selector *selector,
                         const char *topics, uint64_t position, int64_t time);

/* Writes the id of the update at POSITION, and its time to *TIME; nothing when
 * there is none. */
void crier__view_id(const struct crier__view *view, uint64_t position,
                    char id[CRIER__ID_SIZE], int64_t *time);

#endif
