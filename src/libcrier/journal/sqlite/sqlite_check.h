#ifndef CRIER_JOURNAL_SQLITE_CHECK_H
#define CRIER_JOURNAL_SQLITE_CHECK_H

#include "sqlite.h"

/* A check of the whole file, in slices. One thread. */
struct crier__check {
    struct crier__sql sql;
    unsigned part;     /* of the check; see sqlite_check.c */
    int64_t key;       /* the topic or the list that it is at, */
    uint64_t position; /* and the position up to which it has come */
    bool whole;        /* it has come to the end */
    char damage[128];  /* the first that it has found; "" for none */
};

/* Opens the file PATH, which exists, for reading; ALONE: nobody has it open. Whether it
 * fails or not, crier__check_close() is needed. -ENOMEM, or check->sql.error. */
int crier__check_open(struct crier__check *check, const char *path, bool alone);
void crier__check_close(struct crier__check *check);

/* Goes on for about 2 ms, in one read transaction. False when the check is over: it is
 * whole, has found damage, or failed (check->sql.error). */
bool crier__check_slice(struct crier__check *check);

/* The thread that checks SQLITE's file when that is due. Start: -errno. End: soon, whether
 * or not the check is whole; nothing if it was not started. */
int crier__check_start(struct crier__sqlite *sqlite);
void crier__check_end(struct crier__sqlite *sqlite);

#endif
