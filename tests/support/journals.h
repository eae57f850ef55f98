#ifndef TESTS_JOURNALS_H
#define TESTS_JOURNALS_H

#include "libcrier/journal/journal.h"
#include "runner.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * A journal under test, one at a time. One thread calls it and waits for each result. A
 * failure here fails the test.
 */

/* REDIS_PAST keeps so little of the journal in this process that most reads ask Redis.
 * VALKEY is REDIS with another server. */
enum backend { MEMORY, SQLITE, REDIS, REDIS_PAST, VALKEY };

/* How many of these a test runs with, the first ones: without VALKEY where $PATH has none,
 * and without all servers unless redis_is_wanted(). */
int journal_backends(void);

/* Whether what a journal holds is there when it is opened again; it asks Redis. */
bool journal_is_kept(int backend);
bool journal_is_redis(int backend);

/* Starts and ends the servers, once for all tests of a program. */
void journals_begin(void);
void journals_end(void);

/* The main() of a test program with these backends: as RUN_SUITE(). */
#define RUN_JOURNALS(make_suite)                                              \
    int main(void)                                                            \
    {                                                                         \
        int status;                                                           \
                                                                              \
        journals_begin();                                                     \
        status = run_suite(make_suite());                                     \
        journals_end();                                                       \
        return status;                                                        \
    }

extern struct crier_journal *journal;
extern char journal_dir[]; /* its directory, "" if it has none */
extern const char *journal_parent; /* where that is made; journal_end() makes it /tmp */

/* The results of the last call. */
extern struct crier__append appended;
extern char appended_id[CRIER__ID_SIZE];
extern struct crier__read answer; /* the first page; its updates are freed */
extern unsigned pages;            /* the number of pages */

/* Opens a new journal; the second one of a test is the first one again, if it is kept. */
void journal_start(int backend, const struct crier_journal_options *options);

/* Returns the file of an SQLite journal; makes its directory the first time. */
const char *journal_path(void);

/* Tries to open the journal that journal_start() opened, or else one of SQLite; returns
 * the error. */
int journal_open(const struct crier_journal_options *options);

/* Opens the journal in Redis that journal_start() opened, as another node, which follows it only
 * after no_hub_start(). The caller frees it. */
struct crier_journal *journal_of_other_node(void);

/* Runs SQL in FILE on a connection of its own. Returns the first column of the last
 * row. */
long journal_sql(const char *file, const char *sql);

/* Closes it. */
void journal_close(void);

/* Closes it and opens it again, if it is kept. */
void journal_reopen(const struct crier_journal_options *options);

/* Closes it and removes its directory. Fails unless it yielded, in order, exactly the
 * updates that it reported as stored. */
void journal_end(void);

/* Returns a new update with TEXT as its data. */
struct crier__update *update_of(const char *topics, const char *id,
                                const char *text);

/* What reads and lists are granted, as text; NULL: nothing. */
extern const char *granted;

/* Whether lists have only what is granted. */
extern bool granted_only;

/* The topics that the last list withheld, each with a space before it. */
extern char withheld[4096];

/* The flags of the updates that follow. */
extern bool append_private, append_last;

/* The time that they have in another journal; 0: none. */
extern int64_t append_time;

/* Appends one; returns the journal's result. */
int try_append(const char *topics, const char *id, const char *text);

/* The same; fails unless that is 0. Return the position. */
uint64_t append(const char *topics, const char *text);
uint64_t append_id(const char *topics, const char *id, const char *text);

/* Appends COUNT updates with the data FIRST, FIRST + 1 and so on. */
void append_many(const char *topics, int first, int count);

int forget(const char *topic);

/* Reads page by page (of at most page_bytes, and 4 MiB if 0) what comes after a
 * point: the texts, each with a space before it, behind "gap" if there is one. A text has
 * "~" after it when its update is private, and "!" when it is the last one.
 * Borrowed until the next call. LIVE are selectors that are read after the
 * position `live_from`, or NULL. */
extern size_t page_bytes;
extern bool may_fail; /* a read ends at an error, which `answer` has */
extern const char *live;
extern uint64_t live_from;
const char *since(enum crier_since since, const char *topics,
                  uint64_t number);
const char *since_id(const char *id, const char *topics);
const char *after(uint64_t position, const char *topics);
const char *all(const char *topics);

/* Lists the topics that SELECTORS match: "name:count" each with a space before it. The
 * infos are in `listed`. */
extern struct crier__topic_info listed[1000];
const char *list(const char *selectors, const char *behind, unsigned limit);

/* ms */
#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)

/* Sets the real-time clock of this process ahead of the machine's by MILLISECONDS.
 * Programs with journals.c are linked with --wrap=clock_gettime. */
void set_clock(int64_t milliseconds);

/* Sets it ahead if necessary, so that it is later than TIME. */
void pass(int64_t time);

#endif
