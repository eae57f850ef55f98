#ifndef CRIER_SQL_H
#define CRIER_SQL_H

#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A connection to SQLite, its statements, and its first failure. One thread at
 * a time. */
struct crier__sql {
    sqlite3 *db;
    const char *const *texts;  /* of the statements; not copied */
    sqlite3_stmt **statements; /* prepared when first wanted */
    unsigned count;
    atomic_bool interrupted; /* set from any thread: what is locked fails at once */

    /* The first failure since crier__sql_clear(): 0, CRIER_ERR_STORAGE or
     * CRIER_ERR_STORAGE_FULL, and the reason in words. */
    int error;
    bool damaged; /* it was that the file is damaged, is no database, or has
                     other tables */
    char reason[128];
};

/* Opens the file PATH, which must not look like a URI, and is made unless
 * it exists. Even when it fails, crier__sql_close() is needed. -ENOMEM, or
 * SQL->error. */
int crier__sql_open(struct crier__sql *sql, const char *path,
                    const char *const *texts, unsigned count);

/* Opens the file PATH, which exists, for reading, as it is without its log and without
 * any lock: nobody may write to it meanwhile. SQL has no statements. Even when it fails,
 * crier__sql_close() is needed. -ENOMEM, or SQL->error. */
int crier__sql_open_alone(struct crier__sql *sql, const char *path);

void crier__sql_close(struct crier__sql *sql);

/* Sets the failure to WHY, unless there is one already. */
void crier__sql_fail(struct crier__sql *sql, const char *why);

/* The same; the failure is that the file is damaged. */
void crier__sql_damage(struct crier__sql *sql, const char *why);

/* Forgets the failure. */
void crier__sql_clear(struct crier__sql *sql);

/* While there is a failure, the functions below do nothing. */

/* Runs the statements of TEXT and drops their rows. Returns SQL->error. */
int crier__sql_script(struct crier__sql *sql, const char *text);

/* Prepares all statements, and so finds one that does not fit the tables before it is
 * used. Returns SQL->error. */
int crier__sql_prepare(struct crier__sql *sql);

/* Begins the statement WHICH. FORMAT has a letter for each of its parameters:
 * i (int64_t, negative: NULL), u (uint64_t, at most INT64_MAX), t (text: const
 * char * or NULL, size_t length), b (bytes: likewise). Texts and bytes must stay
 * until its last row or crier__sql_end(). NULL when there is a failure. */
sqlite3_stmt *crier__sql_begin(struct crier__sql *sql, unsigned which,
                               const char *format, ...);

/* Begins TEXT, which is none of the kept statements; sqlite3_finalize() ends
 * it. NULL when there is a failure. */
sqlite3_stmt *crier__sql_other(struct crier__sql *sql, const char *text);

/* Steps to the next row of STATEMENT, which may be NULL. Returns false at the end or after
 * a failure, and has then ended the statement. */
bool crier__sql_row(struct crier__sql *sql, sqlite3_stmt *statement);

/* Ends STATEMENT before its last row; NULL is allowed. */
void crier__sql_end(sqlite3_stmt *statement);

/* Begins a statement and runs it to its end. Returns SQL->error. */
int crier__sql_run(struct crier__sql *sql, unsigned which, const char *format,
                   ...);

/* The columns of a row. A number below 0 or none is 0. */
uint64_t crier__sql_number(sqlite3_stmt *statement, int column);

/* Copies a text to COPY, which has SIZE bytes, cut to fit; "" for NULL.
 * Returns its length. */
size_t crier__sql_text(sqlite3_stmt *statement, int column, char *copy,
                       size_t size);

#endif
