/*
 * SQLite with one failure to look at.
 *
 * A transaction of the journal is hundreds of statements, of which any may
 * fail, and the answer is always the same: roll back, and say why. So the
 * first failure stays, with SQLite's words as they were at that moment, and
 * everything after it does nothing; who runs the transaction looks once, at
 * its end. A loop over rows ends by itself then, since there is no next row.
 *
 * Statements are prepared once and kept. A text or blob is bound without a
 * copy; so it must outlive the statement's run, and each statement is reset
 * when it ends (which also ends the read transaction that it may have been).
 */
#include <config.h>

#include "sql.h"

#include "crier.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How long to wait for another program that has the file locked: a backup, or
 * somebody's shell. */
#define PATIENCE_MS 2000
#define PAUSE_MS 5

/* EFBIG: RLIMIT_FSIZE does not allow a larger file. */
static bool no_room(int code, int system_error)
{
    return code == SQLITE_FULL ||
           (code == SQLITE_IOERR &&
            (system_error == ENOSPC || system_error == EDQUOT ||
             system_error == EFBIG));
}

/* The errno with which writing to the database's file or to its log has failed. */
static int write_errno(sqlite3 *db)
{
    static const int pointers[] = {SQLITE_FCNTL_JOURNAL_POINTER,
                                   SQLITE_FCNTL_FILE_POINTER};
    sqlite3_file *file;
    int error = 0;
    size_t i;

    for (i = 0; i < 2 && error == 0; i++) {
        file = NULL;
        if (sqlite3_file_control(db, "main", pointers[i], &file) ==
                SQLITE_OK &&
            file != NULL && file->pMethods != NULL)
            (void)file->pMethods->xFileControl(
                file, SQLITE_FCNTL_LAST_ERRNO, &error);
    }
    return error;
}

/* The errno of what has just failed. sqlite3_system_errno() does not have that of a
 * write during COMMIT. */
static int system_errno(sqlite3 *db)
{
    return sqlite3_extended_errcode(db) == SQLITE_IOERR_WRITE
               ? write_errno(db)
               : sqlite3_system_errno(db);
}

/* Notes that CODE was returned, unless something failed before. */
static void note_failure(struct crier__sql *sql, int code)
{
    char text[64];
    int system_error;

    if (sql->error != 0)
        return;
    system_error = system_errno(sql->db);
    code &= 0xff;
    sql->error = no_room(code, system_error) ? CRIER_ERR_STORAGE_FULL
                                             : CRIER_ERR_STORAGE;
    /* An error in a statement, all of which are ours, means other tables. */
    sql->damaged = code == SQLITE_CORRUPT || code == SQLITE_NOTADB ||
                   code == SQLITE_ERROR;
    if ((code == SQLITE_IOERR || code == SQLITE_CANTOPEN) && system_error != 0)
        snprintf(sql->reason, sizeof sql->reason, "%s: %s",
                 sqlite3_errmsg(sql->db),
                 strerror_r(system_error, text, sizeof text));
    else
        snprintf(sql->reason, sizeof sql->reason, "%s",
                 sqlite3_errmsg(sql->db));
}

void crier__sql_fail(struct crier__sql *sql, const char *why)
{
    if (sql->error != 0)
        return;
    sql->error = CRIER_ERR_STORAGE;
    snprintf(sql->reason, sizeof sql->reason, "%s", why);
}

void crier__sql_damage(struct crier__sql *sql, const char *why)
{
    if (sql->error == 0)
        sql->damaged = true;
    crier__sql_fail(sql, why);
}

/* Whether to try once more, after so many TIMES. */
static int wait_for_lock(void *closure, int times)
{
    struct crier__sql *sql = closure;

    if (atomic_load(&sql->interrupted) || times >= PATIENCE_MS / PAUSE_MS)
        return 0;
    sqlite3_sleep(PAUSE_MS);
    return 1;
}

int crier__sql_open(struct crier__sql *sql, const char *path,
                    const char *const *texts, unsigned count)
{
    int code;

    crier__sql_clear(sql);
    sql->texts = texts;
    sql->count = count;
    sql->statements = calloc(count, sizeof *sql->statements);
    if (sql->statements == NULL)
        return -ENOMEM;
    code = sqlite3_open_v2(path, &sql->db,
                           SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
                               SQLITE_OPEN_NOMUTEX,
                           NULL);
    if (sql->db == NULL)
        return -ENOMEM;
    if (code != SQLITE_OK)
        note_failure(sql, code);
    else
        sqlite3_busy_handler(sql->db, wait_for_lock, sql);
    return sql->error;
}

/* Returns a new URI of the file PATH with PARAMETERS, or NULL. */
static char *make_uri(const char *path, const char *parameters)
{
    size_t size = 3 * strlen(path) + strlen(parameters) + sizeof "file:";
    char *uri = malloc(size);
    size_t at;

    if (uri == NULL)
        return NULL;
    at = (size_t)snprintf(uri, size, "file:");
    for (; *path != '\0'; path++)
        at += (size_t)snprintf(uri + at, size - at,
                               strchr("%?#", *path) != NULL ? "%%%02X" : "%c",
                               (unsigned char)*path);
    snprintf(uri + at, size - at, "%s", parameters);
    return uri;
}

int crier__sql_open_alone(struct crier__sql *sql, const char *path)
{
    char *uri = make_uri(path, "?immutable=1");
    int code;

    if (uri == NULL)
        return -ENOMEM;
    crier__sql_clear(sql);
    code = sqlite3_open_v2(uri, &sql->db,
                           SQLITE_OPEN_READONLY | SQLITE_OPEN_URI |
                               SQLITE_OPEN_NOMUTEX,
                           NULL);
    free(uri);
    if (sql->db == NULL)
        return -ENOMEM;
    if (code != SQLITE_OK)
        note_failure(sql, code);
    return sql->error;
}

void crier__sql_close(struct crier__sql *sql)
{
    unsigned i;

    for (i = 0; i < sql->count && sql->statements != NULL; i++)
        sqlite3_finalize(sql->statements[i]);
    free(sql->statements);
    sql->statements = NULL;
    sqlite3_close(sql->db);
    sql->db = NULL;
}

void crier__sql_clear(struct crier__sql *sql)
{
    sql->error = 0;
    sql->damaged = false;
    sql->reason[0] = '\0';
}

int crier__sql_script(struct crier__sql *sql, const char *text)
{
    int code;

    if (sql->error == 0) {
        code = sqlite3_exec(sql->db, text, NULL, NULL, NULL);
        if (code != SQLITE_OK)
            note_failure(sql, code);
    }
    return sql->error;
}

/* Binds what follows FORMAT. */
static int bind_all(sqlite3_stmt *statement, const char *format,
                    va_list arguments)
{
    int code = SQLITE_OK, i;
    const char *bytes;
    int64_t number;
    size_t length;

    for (i = 1; *format != '\0' && code == SQLITE_OK; format++, i++)
        switch (*format) {
        case 'i':
            number = va_arg(arguments, int64_t);
            code = number < 0 ? sqlite3_bind_null(statement, i)
                              : sqlite3_bind_int64(statement, i, number);
            break;
        case 'u':
            code = sqlite3_bind_int64(
                statement, i, (sqlite3_int64)va_arg(arguments, uint64_t));
            break;
        case 't':
            bytes = va_arg(arguments, const char *);
            length = va_arg(arguments, size_t);
            code = sqlite3_bind_text64(statement, i, bytes, length,
                                       SQLITE_STATIC, SQLITE_UTF8);
            break;
        case 'b':
            bytes = va_arg(arguments, const char *);
            length = va_arg(arguments, size_t);
            code = sqlite3_bind_blob64(statement, i, bytes, length,
                                       SQLITE_STATIC);
            break;
        }
    return code;
}

static int prepare_statement(struct crier__sql *sql, unsigned which)
{
    if (sql->statements[which] != NULL)
        return SQLITE_OK;
    return sqlite3_prepare_v3(sql->db, sql->texts[which], -1,
                              SQLITE_PREPARE_PERSISTENT,
                              &sql->statements[which], NULL);
}

int crier__sql_prepare(struct crier__sql *sql)
{
    unsigned i;
    int code;

    for (i = 0; i < sql->count && sql->error == 0; i++) {
        code = prepare_statement(sql, i);
        if (code != SQLITE_OK)
            note_failure(sql, code);
    }
    return sql->error;
}

static sqlite3_stmt *begin_statement(struct crier__sql *sql, unsigned which,
                                     const char *format, va_list arguments)
{
    sqlite3_stmt **statement = &sql->statements[which];
    int code;

    if (sql->error != 0)
        return NULL;
    code = prepare_statement(sql, which);
    if (code == SQLITE_OK)
        code = bind_all(*statement, format, arguments);
    if (code == SQLITE_OK)
        return *statement;
    note_failure(sql, code);
    return NULL;
}

sqlite3_stmt *crier__sql_begin(struct crier__sql *sql, unsigned which,
                               const char *format, ...)
{
    sqlite3_stmt *statement;
    va_list arguments;

    va_start(arguments, format);
    statement = begin_statement(sql, which, format, arguments);
    va_end(arguments);
    return statement;
}

sqlite3_stmt *crier__sql_other(struct crier__sql *sql, const char *text)
{
    sqlite3_stmt *statement = NULL;
    int code;

    if (sql->error != 0)
        return NULL;
    code = sqlite3_prepare_v2(sql->db, text, -1, &statement, NULL);
    if (code != SQLITE_OK)
        note_failure(sql, code);
    return statement;
}

bool crier__sql_row(struct crier__sql *sql, sqlite3_stmt *statement)
{
    int code;

    if (statement == NULL)
        return false;
    if (sql->error == 0) {
        code = sqlite3_step(statement);
        if (code == SQLITE_ROW)
            return true;
        if (code != SQLITE_DONE)
            note_failure(sql, code);
    }
    crier__sql_end(statement);
    return false;
}

void crier__sql_end(sqlite3_stmt *statement)
{
    sqlite3_reset(statement); /* whose error, if any, has been noted */
}

int crier__sql_run(struct crier__sql *sql, unsigned which, const char *format,
                   ...)
{
    sqlite3_stmt *statement;
    va_list arguments;

    va_start(arguments, format);
    statement = begin_statement(sql, which, format, arguments);
    va_end(arguments);
    while (crier__sql_row(sql, statement))
        ;
    return sql->error;
}

uint64_t crier__sql_number(sqlite3_stmt *statement, int column)
{
    int64_t number = sqlite3_column_int64(statement, column);

    return number > 0 ? (uint64_t)number : 0;
}

size_t crier__sql_text(sqlite3_stmt *statement, int column, char *copy,
                       size_t size)
{
    const unsigned char *text = sqlite3_column_text(statement, column);
    size_t length = 0;

    if (text != NULL)
        length = strnlen((const char *)text, size - 1);
    if (length != 0)
        memcpy(copy, text, length);
    copy[length] = '\0';
    return length;
}
