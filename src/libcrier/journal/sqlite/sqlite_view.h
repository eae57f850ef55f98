#ifndef CRIER_JOURNAL_SQLITE_VIEW_H
#define CRIER_JOURNAL_SQLITE_VIEW_H

#include "sqlite.h"

/* The journal at the moment of a question; in the reading thread. */
struct crier__view {
    struct crier__sqlite *sqlite;
    struct crier__sql *sql;
    int64_t now;
    struct crier__totals totals;
    bool due; /* something may be there that nobody is to see any more */
};

/* Begins a read transaction. False: view->sql says why. In both cases
 * crier__view_close() is needed. */
bool crier__view_open(struct crier__sqlite *sqlite, struct crier__view *view);
void crier__view_close(struct crier__view *view);

/* The highest position of an update older than TIME; 0: none. */
uint64_t crier__view_older(const struct crier__view *view, int64_t time);

/* The highest position that TOPIC does not hold any more; */
uint64_t crier__view_floor(const struct crier__view *view,
                           const struct crier__sqlite_topic *topic);

/* and the highest one that "*" means and that is not held any more. */
uint64_t crier__view_floor_all(const struct crier__view *view);

/* Whether a topic that SELECTOR matches (NULL: any) holds the update at POSITION, which is
 * in the file. True, too, when its row is missing or not what was written: the journal
 * must report that. */
bool crier__view_shown(const struct crier__view *view,
                       const struct crier__selector *selector,
                       uint64_t position);

/* Writes the id of the update at POSITION, and its time to *TIME; nothing when
 * there is none that is sound. */
void crier__view_id(const struct crier__view *view, uint64_t position,
                    char id[CRIER__ID_SIZE], int64_t *time);

#endif
