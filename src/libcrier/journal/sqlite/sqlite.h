#ifndef CRIER_JOURNAL_SQLITE_H
#define CRIER_JOURNAL_SQLITE_H

#include "libcrier/journal/ended.h"
#include "sql.h"

#include <pthread.h>
#include <sys/types.h>

/* One of the two lists of all updates: of those that "*" means, and of the hidden ones. */
struct crier__sqlite_list {
    uint64_t newest;  /* the highest position in it; up to `dropped`: it is empty */
    uint64_t dropped; /* nothing up to here is in it */
};

/* The row of the table "journal" but for what never changes. */
struct crier__totals {
    uint64_t last;      /* the highest position that has been in */
    int64_t time;       /* of the last update */
    uint64_t evicted;   /* the highest position evicted of what "*" matches */
    uint64_t forgotten; /* the highest `evicted` of topics without a row */
    uint64_t newest_private; /* the highest position of a private update, ever */
    uint64_t topics;    /* rows */
    uint64_t count, bytes;
    int64_t oldest;     /* the time of the oldest update; 0: there is none. Not in the row */
    struct crier__sqlite_list lists[2]; /* by `hidden` */
    int64_t checked; /* when the file was last found sound; 0: it is to be checked */
};

/* A forgetting in the queue. */
struct crier__forgetting {
    struct crier__forgetting *next;
    struct crier__forget *forget;
    uint64_t after; /* so many appends were asked for before it, ever */
};

/* The appends and forgettings that the writer is asked for, in order. */
struct crier__sqlite_queue {
    struct crier__append *appends, **appends_end;
    size_t count; /* of appends, in the queue of a transaction */
    struct crier__forgetting *forgets, **forgets_end;
};

/* A row of the table "topics". */
struct crier__sqlite_topic {
    int64_t row;
    const char *name; /* of `length` bytes; until the row's statement goes on */
    size_t length;
    uint64_t name_sum;
    uint64_t count, bytes, evicted;
    uint64_t newest_private; /* the highest position of a private update in it, ever */
    uint64_t newest_public;  /* likewise, of a public one; at least the `forgotten` with
                                which the row was made */
    int64_t due; /* -1: never */
    uint64_t ended; /* the position of its last update; up to `evicted`: it has not ended */
};

/* The highest position that was ever in TOPIC, or that may have been before it had this
 * row. */
static inline uint64_t
crier__sqlite_newest(const struct crier__sqlite_topic *topic)
{
    return topic->newest_private > topic->newest_public ? topic->newest_private
                                                        : topic->newest_public;
}

/* A row of the table "updates" but for its body and `holds`. The texts are the
 * statement's. */
struct crier__sqlite_head {
    uint64_t position;
    int64_t time;
    uint64_t hidden, flags, cost;
    const char *id;     /* NULL: the journal made it */
    const char *topics; /* names, one on a line */
    size_t topics_length;
};

/* The row cache: rows that the open transaction has read. */
#define CRIER__SQLITE_ROWS 64
struct crier__sqlite_rows {
    struct crier__sqlite_row {
        struct crier__sqlite_topic topic;
        bool changed; /* not written to the table yet */
        size_t length;
        char name[CRIER__TOPIC_SIZE];
    } held[CRIER__SQLITE_ROWS];
    unsigned count, next; /* the next to be replaced */
};

/* The recent cache: updates read last, by position. Many clients read the same ones. */
#define CRIER__RECENT 1024
#define CRIER__RECENT_BYTES ((size_t)16 * 1024 * 1024)

/* A file that this journal alone uses. */
struct crier__sqlite_claim {
    struct crier__sqlite_claim *prev, *next; /* among those of this process */
    bool entered; /* in that list */
    int lock_file, file; /* -1: none */
    dev_t device;
    ino_t inode;
};

/* The size of a token of the mark, its NUL included: "NUMBER-RANDOM". */
#define CRIER__SQLITE_TOKEN_SIZE 32

struct crier__sqlite {
    struct crier_journal journal;
    struct crier__sqlite_claim claim;
    char *name;

    /* The mark: see sqlite_mark.c. */
    char token[CRIER__SQLITE_TOKEN_SIZE]; /* this opening's, once it is marked */
    uint64_t openings; /* the highest number of a token before */
    bool lock_is_new;  /* PATH-lock held no tokens before */
    bool restored;     /* the file is a copy: positions may have been given out since */
    bool marked;       /* the file or its log says that it is open */
    bool crashed;      /* it was not closed in good order */

    struct crier__ended_set ended; /* changed by the writing thread, once it runs */

    /* The writing thread alone, once it runs. */
    struct crier__sql writer;
    struct crier__totals totals; /* as in the open transaction */
    struct crier__totals saved;  /* as in the last transaction committed */
    uint64_t position; /* the last one used, even if the append failed then */
    unsigned budget;   /* evictions left to the open transaction */
    struct crier__sqlite_rows rows;
    bool more;         /* there was more to evict */
    bool orphans;      /* among it may be entries up to `evicted`, which nobody reads */
    uint64_t taken;    /* appends, ever */
    unsigned corrected; /* times, in the open transaction */
    bool oldest_changed; /* since totals.oldest was read */

    /* The checking thread: see sqlite_check.c. */
    pthread_t checking;
    bool checks;         /* it has been started */
    int64_t saved_check; /* saved.checked when it was */
    _Atomic int64_t found_sound; /* when it last found the file sound; 0: not yet. The
                                    writing thread notes that in the file */

    /* The reading thread alone. */
    struct crier__sql reader;
    struct crier__update *recent[CRIER__RECENT]; /* references; some NULL */
    size_t recent_bytes;
    uint64_t corrected_before; /* journal.corrected when they were read */

    pthread_mutex_t lock; /* guards what follows */
    struct crier__sqlite_queue queue;
    uint64_t asked; /* appends, ever */
    struct crier__read *reads, **reads_end;
    struct crier__list *lists, **lists_end;
    pthread_cond_t to_write, to_read, to_check;
    pthread_t writing, reading;
    bool stop_writing, stop_reading, stop_checking;
    bool retained; /* there is a new policy, which the file does not have yet */
    bool unreadable; /* the last read failed, */
    char unread[128]; /* for this reason */
    struct crier__totals held; /* the totals of the last transaction committed */
    int error;     /* the status */
    char reason[128];
};

/* ---- sqlite_file.c ---- */

/* The application id of our databases: "Crie". */
#define CRIER__SQLITE_APPLICATION 0x43726965

/* No claim yet. */
#define CRIER__SQLITE_NO_CLAIM {.lock_file = -1, .file = -1}

/* Claims the file PATH, which is made where there is none. Whether it fails or not,
 * crier__sqlite_unclaim() is needed. CRIER_ERR_IN_USE, CRIER_ERR_SEPARATED,
 * CRIER_ERR_DAMAGED (it is none of ours), -errno; REASON then says more. */
int crier__sqlite_claim(struct crier__sqlite_claim *claim, const char *path,
                        char reason[256]);

/* Whether PATH still names the claimed file. */
bool crier__sqlite_is_claimed(const struct crier__sqlite_claim *claim,
                              const char *path);

/* Returns 1 when there is a log beside PATH that is not empty, 0 when there is none, or
 * -errno; REASON then says more. */
int crier__sqlite_find_log(const char *path, char reason[256]);

/* Gives the claim up. Call it when SQLite has closed the file, and not before. */
void crier__sqlite_unclaim(struct crier__sqlite_claim *claim);

/* Writes into REASON what errno says went wrong with FILE; returns -errno. */
int crier__sqlite_fail(char reason[256], const char *file);

/* ---- sqlite_mark.c ---- */

/* Checks, before SQLite opens the claimed file PATH, that the file and its log belong
 * together. Writes to neither. REASON says more. CRIER_ERR_SEPARATED, what reading may
 * fail with. */
int crier__sqlite_check_mark(struct crier__sqlite *sqlite, const char *path,
                             char reason[256]);

/* Marks the file as open by sqlite->name, before anything else is written to it by this
 * opening. REASON says more. The errors of crier_journal_sqlite(). */
int crier__sqlite_mark_open(struct crier__sqlite *sqlite, char reason[256]);

/* Moves the log into the file and marks it as closed, as far as that is possible; the
 * reading connection has been closed. */
void crier__sqlite_mark_closed(struct crier__sqlite *sqlite);

/* ---- sqlite_open.c ---- */

/* Claims the file PATH, opens both connections, and reads what is
 * to be known beforehand. Whether it fails or not, crier__sqlite_close() is
 * needed. The errors of crier_journal_sqlite(); REASON then says more. */
int crier__sqlite_open(struct crier__sqlite *sqlite, const char *path,
                       char reason[256]);
void crier__sqlite_close(struct crier__sqlite *sqlite);

/* In the writing thread, outside a transaction: makes all topics due when the journal's
 * policy is not the one that the file has. The errors of a transaction; REASON then says
 * more. */
int crier__sqlite_adapt(struct crier__sqlite *sqlite, char reason[256]);

/* ---- sqlite_sum.c: any thread ---- */

/* The sums of rows. A topic needs its name_sum. */
uint64_t crier__sqlite_head_sum(const struct crier__sqlite_head *head);
uint64_t crier__sqlite_time_sum(uint64_t position, int64_t time);
uint64_t crier__sqlite_body_sum(uint64_t position, const void *body,
                                size_t length);
uint64_t crier__sqlite_name_sum(const char *name, size_t length);
uint64_t crier__sqlite_topic_sum(const struct crier__sqlite_topic *topic);
uint64_t crier__sqlite_totals_sum(const struct crier__totals *totals,
                                  const char *epoch);
uint64_t crier__sqlite_end_sum(int64_t topic, const struct crier__ended *ended,
                               int64_t time);

/* The sum in COLUMN of ROW. */
uint64_t crier__sqlite_sum_at(sqlite3_stmt *row, int column);

/* Reads ROW, which has the columns CRIER__SQLITE_HEAD. False when it is not what was
 * written. */
bool crier__sqlite_read_head(sqlite3_stmt *row, struct crier__sqlite_head *head);

/* Likewise CRIER__SQLITE_TOPIC, and CRIER__SQLITE_TOTALS; SQL then has the failure. */
bool crier__sqlite_read_topic(struct crier__sql *sql, sqlite3_stmt *row,
                              struct crier__sqlite_topic *topic);
bool crier__sqlite_read_totals(struct crier__sql *sql, sqlite3_stmt *row,
                               struct crier__totals *totals,
                               char epoch[CRIER__EPOCH_SIZE]);

/* ---- sqlite_write.c: in the writing thread ---- */

/* A transaction. After commit or undo, sqlite->writer.error says how it went.
 * Begin returns sqlite->writer.error. */
int crier__sqlite_begin(struct crier__sqlite *sqlite);

/* Reads the time of the oldest update into the totals, when it has changed. */
void crier__sqlite_note_oldest(struct crier__sqlite *sqlite);
void crier__sqlite_commit(struct crier__sqlite *sqlite);

/* In a transaction: does what APPEND asks, its answer included; what it says
 * holds only when the transaction is committed. */
void crier__sqlite_append(struct crier__sqlite *sqlite,
                          struct crier__append *append);

/* Likewise for FORGET. */
void crier__sqlite_forget(struct crier__sqlite *sqlite,
                          struct crier__forget *forget);

/* ---- sqlite_topics.c: in the writing thread, in a transaction ---- */

/* Finds the topic of LENGTH bytes at NAME; false when it has no row. */
bool crier__sqlite_find(struct crier__sqlite *sqlite, const char *name,
                        size_t length, struct crier__sqlite_topic *topic);

/* Saves TOPIC. */
void crier__sqlite_save(struct crier__sqlite *sqlite,
                        const struct crier__sqlite_topic *topic);

/* Saves TOPIC, the one of LENGTH bytes at NAME, after it has evicted something, which may
 * have been its last update. */
void crier__sqlite_save_evicted(struct crier__sqlite *sqlite, const char *name,
                                size_t length,
                                struct crier__sqlite_topic *topic);

/* Gives the topic of LENGTH bytes at NAME a row, if need be that of one that holds
 * nothing. CRIER_ERR_MAX_TOPICS. */
int crier__sqlite_new_topic(struct crier__sqlite *sqlite, const char *name,
                            size_t length, struct crier__sqlite_topic *topic);

/* Finds the topic that is due first, and its *NAME; false when none is at NOW. */
bool crier__sqlite_due(struct crier__sqlite *sqlite, int64_t now,
                       struct crier__sqlite_topic *topic,
                       char name[CRIER__TOPIC_SIZE], size_t *length);

/* Writes the changed rows of the cache to the table. */
void crier__sqlite_flush_rows(struct crier__sqlite *sqlite);

/* Empties the cache without writing it: the table is what it was before. */
void crier__sqlite_discard_rows(struct crier__sqlite *sqlite);

/* ---- sqlite_evict.c: in the writing thread ---- */

/* Whether there is something to evict now. */
bool crier__sqlite_needs_eviction(struct crier__sqlite *sqlite);

/* In a transaction, within its budget: evicts what exceeds the limits of TOPICS. */
void crier__sqlite_trim_topics(struct crier__sqlite *sqlite,
                               const struct crier__topics *topics);

/* Likewise what exceeds the limits of all topics together; orphans go first. */
void crier__sqlite_trim(struct crier__sqlite *sqlite);

/* In a transaction: evicts the update at POSITION if no topic shows it any more, whatever
 * the budget, so that its id is free. False when a topic holds it. */
bool crier__sqlite_free_id(struct crier__sqlite *sqlite, uint64_t position);

/* In a transaction, within its budget: corrects times that are ahead of the clock, evicts
 * what is due and what exceeds the limits of all topics together, and sets
 * sqlite->more. */
void crier__sqlite_evict_due(struct crier__sqlite *sqlite);

/* In a transaction: whether TOPIC, the one of LENGTH bytes at NAME, has ended. When its
 * last update is too old, it is noted that it has not any more. */
bool crier__sqlite_has_ended(struct crier__sqlite *sqlite, const char *name,
                             size_t length,
                             const struct crier__sqlite_topic *topic);

/* ---- both threads ---- */

/* How old an update in the topic of LENGTH bytes at NAME may become, in ms; 0: there is
 * no limit. */
int64_t crier__sqlite_age(struct crier__sqlite *sqlite, const char *name,
                          size_t length);

/* The highest position up to LAST whose update is older than TIME; 0: none. STATEMENT
 * is SQL's READ_TIME_FROM or WRITE_TIME_FROM. */
uint64_t crier__sqlite_older(struct crier__sql *sql, unsigned statement,
                             uint64_t last, int64_t time);

/* ---- sqlite_read.c: in the reading thread ---- */

/* Answers READ or LIST, all but `done`. */
void crier__sqlite_read(struct crier__sqlite *sqlite,
                        struct crier__read *read);
void crier__sqlite_list(struct crier__sqlite *sqlite,
                        struct crier__list *list);

/* Empties the recent cache; also after the thread has ended. */
void crier__sqlite_drop_recent(struct crier__sqlite *sqlite);

/* ---- the column "topics" of updates: names, one on a line ---- */

/* Takes the next name off *TEXT (NULL is empty): its first byte, and its *LENGTH; NULL
 * at the end. */
static inline const char *crier__sqlite_next_name(const char **text,
                                                  size_t *length)
{
    const char *name = *text;

    if (name == NULL)
        return NULL;
    *length = strcspn(name, "\n");
    *text = name[*length] != '\0' ? name + *length + 1 : NULL;
    return name;
}

/* ---- the column "flags" of updates ---- */

#define CRIER__SQLITE_PRIVATE 1
#define CRIER__SQLITE_LAST 2

/* ---- the statements ---- */

/* The columns that the functions of sqlite_sum.c read. */
#define CRIER__SQLITE_HEAD                                                    \
    "position, time, hidden, flags, cost, id, topics, sum"
#define CRIER__SQLITE_TOPIC                                                   \
    "topic, name, count, bytes, evicted, due, private, public, ended, sum"
#define CRIER__SQLITE_TOTALS                                                  \
    "last, time, evicted, forgotten, private, topics, count, bytes, newest, " \
    "dropped, hidden_newest, hidden_dropped, checked, epoch, sum"

/* The first update from a position on. */
#define CRIER__SQLITE_TIME_FROM                                               \
    "SELECT " CRIER__SQLITE_HEAD " FROM updates WHERE position >= ?1 "        \
    "ORDER BY position LIMIT 1"

extern const char *const crier__sqlite_writes[];
extern const char *const crier__sqlite_reads[];

enum crier__sqlite_write {
    WRITE_BEGIN,
    WRITE_COMMIT,
    WRITE_SAVEPOINT,
    WRITE_RELEASE,
    WRITE_BACK,
    WRITE_TOTALS,
    WRITE_SAME,
    WRITE_OPTIONS,
    WRITE_ALL_DUE,
    WRITE_ID_FIND,
    WRITE_UPDATE_ADD,
    WRITE_UPDATE_FIND,
    WRITE_UPDATE_TOPICS,
    WRITE_UPDATE_FIRST,
    WRITE_UPDATE_HOLDS,
    WRITE_UPDATE_DROP,
    WRITE_TOPIC_FIND,
    WRITE_TOPIC_ADD,
    WRITE_TOPIC_SAVE,
    WRITE_TOPIC_DUE,
    WRITE_TOPIC_SPARE,
    WRITE_TOPIC_DROP,
    WRITE_ENTRY_ADD,
    WRITE_ENTRY_FIRST,
    WRITE_ENTRY_LEFT,
    WRITE_ENTRY_HAS,
    WRITE_ENTRY_DROP,
    WRITE_LIST_ADD,
    WRITE_LIST_FIND,
    WRITE_LIST_DROP,
    WRITE_LIST_LINK,
    WRITE_END_SET,
    WRITE_END_DROP,
    WRITE_TIME_FROM,
    WRITE_TIME_SET,
    WRITE_STATEMENTS
};

enum crier__sqlite_question {
    READ_BEGIN,
    READ_COMMIT,
    READ_TOTALS,
    READ_TOPIC,
    READ_DUE,
    READ_AFTER,
    READ_BEFORE,
    READ_LIST_AFTER,
    READ_LIST_BEFORE,
    READ_OLD,
    READ_TIME_FROM,
    READ_ID,
    READ_HEAD,
    READ_UPDATE,
    READ_TOPICS,
    READ_SUM,
    READ_STATEMENTS
};

#endif
