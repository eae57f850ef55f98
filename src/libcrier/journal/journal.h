#ifndef CRIER_JOURNAL_H
#define CRIER_JOURNAL_H

#include "base/fork.h"
#include "base/histogram.h"
#include "libcrier/wire/selector.h"
#include "libcrier/wire/update.h"

#include <pthread.h>

/*
 * What a hub asks of a journal, and what each backend guarantees.
 *
 * Each question is a struct of the caller's that must stay valid until the backend calls
 * its `done`: exactly once, on any thread, possibly before the call returns, and without
 * a lock of the backend's. The backend uses `next` meanwhile.
 *
 * A backend calls `yield` for each update that has become part of the journal, one at a
 * time, in the order of their positions, when the update is durable and before `done` of
 * its append; also for updates that another process appended. A read finds an update as
 * soon as it has been yielded. yield never calls the journal.
 *
 * Positions rise, from 1, and are used once in an epoch; they may have holes.
 */

/* Appends an update. */
struct crier__append {
    struct crier__append *next;
    void (*done)(struct crier__append *append);
    struct crier__update *update; /* a reference of the caller's; placed on success,
                                     of no use after an error */

    /* The answer. */
    int error;        /* 0, CRIER_ERR_EXISTS, CRIER_ERR_TOPIC_ENDED,
                         CRIER_ERR_MAX_TOPICS, CRIER_ERR_STORAGE,
                         CRIER_ERR_STORAGE_FULL, -ENOMEM */
    char reason[128]; /* in words; "" where the error's text says it all */
    uint64_t position; /* with CRIER_ERR_EXISTS: of the update that has the id */
    bool same_topics;  /* likewise: whether that update has the same topics */
    size_t subscribers; /* what yield returned */

    /* Of a journal that nodes share. NULL, or a selector as crier__selector_write() writes
     * it, valid until `done`: this process now has `census_count` streams that subscribe to it, and the body of the update, which is
     * about that, has the byte CRIER__TOTAL where the total of all nodes belongs. */
    const char *census;
    size_t census_count;
};

/* So many counts are taken at a time. */
#define CRIER__COUNTS_MAX 1000

/* No body has this byte otherwise: JSON escapes it. */
#define CRIER__TOTAL '\x1a'

/* One selector of a read. */
struct crier__read_selector {
    struct crier__selector selector; /* its text is borrowed */
    uint64_t from; /* nothing up to this position is wanted */
    bool live;     /* `since` does not apply to this selector */

    /* In and out. Evictions up to this position have been reported to the client
     * already. Each read raises it to the highest evicted position of the topics that
     * the selector matches. */
    uint64_t gap_reported_upto;
};

/* A read gives no more updates than this. */
#define CRIER__READ_MAX 256

/*
 * Reads what the journal holds after a point, in order, each update once.
 *
 * A private update that the grants do not match is left out, and does not count for
 * CRIER_SINCE_LAST. It has a position like any other, so a read that begins there, or at
 * its id, begins behind it. What a read without grants says of a topic that has had
 * private updates alone is what it says of a topic that has had none: no gap. Otherwise a
 * gap says that something was evicted, public or private; the reader cannot know which.
 * `oldest` is the id of an update that the reader may see.
 */
struct crier__read {
    struct crier__read *next;
    void (*done)(struct crier__read *read);

    /* The question. */
    struct crier__read_selector *selectors; /* gap_reported_upto is written */
    unsigned selector_count;
    bool resolve;   /* true: selectors that are not live begin where `since` says
                       (never NOW), but with LAST and TIME not later than after
                       `after`; live ones begin after their `from`. False: all begin
                       after `after` or their `from`, whichever is later */
    enum crier_since since;
    uint64_t after;
    const char *id;
    uint64_t number;
    const struct crier_grants *grants; /* borrowed; NULL: none */
    size_t max_bytes; /* of frames; the first update may be larger */

    /* The answer. */
    int error;      /* 0, CRIER_ERR_STORAGE, -ENOMEM: ask again later */
    bool gap;       /* an update after the point (and after gap_reported_upto; with
                       ALL, LAST and TIME also after `after`) was wanted and is not
                       held any more, or the id is not known */
    char oldest[CRIER__ID_SIZE]; /* with gap: the id of the first update held that the
                                    selectors match; "" for none */
    uint64_t reached; /* all wanted updates up to here have been given */
    bool end;         /* the journal has no more now; reached is then at least the
                         position of the last update yielded. Without `end`, reached
                         is higher than before, but there may be no update */
    unsigned count;
    struct crier__update *updates[CRIER__READ_MAX]; /* references of the caller's */
};

/* What a list says of one topic. */
struct crier__topic_info {
    char name[CRIER__TOPIC_SIZE];
    uint64_t count;
    uint64_t bytes;
    char first[CRIER__ID_SIZE];
    char last[CRIER__ID_SIZE];
    int64_t first_time, time; /* of the first and of the last update held */
    bool ended;
};

/* Lists topics that hold an update, in the order of their bytes. */
struct crier__list {
    struct crier__list *next;
    void (*done)(struct crier__list *list);

    /* The question: see crier_hub_list(). */
    const struct crier__selectors *selectors;
    const char *after;
    unsigned limit;
    const struct crier_grants *grants; /* borrowed; NULL: none */
    bool granted_only;

    /* Called, before `done`, for each topic that is left out because it holds a private
     * update, in order up to the last topic listed; under the backend's lock. Or NULL. */
    void (*withheld)(struct crier__list *list, const char *name);

    /* The answer. */
    int error;
    unsigned count;
    struct crier__topic_info *infos; /* the caller's; `limit` of them */
};

/* Whether the topic NAME belongs to LIST, unless it holds a private update. */
bool crier__list_wants(const struct crier__list *list, const char *name);

/* For a topic NAME that belongs to LIST and holds a private update: whether it is listed.
 * Calls `withheld` if not. */
bool crier__list_shows_private(struct crier__list *list, const char *name);

/* Evicts all updates of a topic. */
struct crier__forget {
    struct crier__forget *next;
    void (*done)(struct crier__forget *forget);
    const char *topic;
    int error; /* 0, CRIER_ERR_NO_TOPIC, CRIER_ERR_STORAGE... */
};

/* The last update of a topic that has ended. */
struct crier__ended {
    uint64_t position;
    char id[CRIER__ID_SIZE];
};

struct crier__policy;

struct crier__journal_ops {
    const char *name;
    bool bound; /* to the process that made it, by threads or descriptors */
    bool shared; /* with other processes, which append to it, too. Only then the hub sets
                    what stands below `missed`, and a journal calls that */
    void (*append)(struct crier_journal *journal,
                   struct crier__append *append);
    void (*read)(struct crier_journal *journal, struct crier__read *read);
    void (*list)(struct crier_journal *journal, struct crier__list *list);
    void (*forget)(struct crier_journal *journal,
                   struct crier__forget *forget);

    /* Whether the topic NAME has ended: the newest update that it holds is the last one
     * of its topics, and is written to *ENDED. Any thread, which does not wait for the
     * storage. True from before that update is yielded until it is not held any more.
     * Called only when journal->ends. */
    bool (*ended)(struct crier_journal *journal, const char *name,
                  struct crier__ended *ended);

    /* Returns 0, or the error that the journal suffers from now, with a reason. */
    int (*status)(struct crier_journal *journal, char reason[128]);

    /* Writes what the journal holds to the members updates, bytes, topics and oldest of
     * STATISTICS. Does not wait for the storage. Also after close(). */
    void (*held)(struct crier_journal *journal,
                 struct crier_hub_counts *statistics);

    /* The highest position that the journal has ever held. */
    uint64_t (*last)(struct crier_journal *journal);

    /* Replaces the journal's policy by POLICY with crier__journal_swap_policy(), and
     * evicts what it does not allow, now or soon. */
    void (*retain)(struct crier_journal *journal, struct crier__policy *policy);

    /* Called before close: the backend stops waiting for locks and retries, and fails
     * at once instead. NULL: it never waits. */
    void (*interrupt)(struct crier_journal *journal);

    /* Answers all questions and ends the backend's threads. Nothing but free and held is
     * called afterwards. */
    void (*close)(struct crier_journal *journal);

    /* Says that the counts that `take_counts` gives have changed. NULL: not shared. Any
     * thread, which may have the hub's lock. */
    void (*counts_changed)(struct crier_journal *journal);

    /* Says that the hub has set what the journal calls, and has asked for `last`: it may
     * yield from now on. NULL: not shared. */
    void (*start)(struct crier_journal *journal);

    /* Does what crier_hub_nodes() says. NULL: not shared. Any thread. */
    size_t (*nodes)(struct crier_journal *journal, struct crier_node *nodes, size_t max);

    void (*free)(struct crier_journal *journal);
};

/* The retention of the topics that a pattern matches. */
struct crier__retention_rule {
    char *pattern;
    struct crier__selector selector; /* of pattern */
    struct crier_retention retention;
};

/* What a journal keeps: its options, with the defaults filled in. */
struct crier__policy {
    struct crier_retention retention;
    struct crier__retention_rule *rules;
    size_t rule_count;
    size_t max_topics;
    bool ages; /* some retention limits the age */
};

/* What all backends share; each has it as its first member. */
struct crier_journal {
    const struct crier__journal_ops *ops;
    unsigned born; /* see fork.h */

    /* Set by the hub before the first question. Returns how many streams the update
     * goes to. */
    size_t (*yield)(void *closure, struct crier__update *update);
    void *closure;

    /* Likewise; called on the thread that yields, between two calls of it. Updates up to
     * POSITION, which is the highest one now, have not been yielded and cannot be; or what
     * has been yielded is not part of the journal any more. All streams must read again
     * from where they are, which tells their clients of a gap if there is one. */
    void (*missed)(void *closure, uint64_t position);

    /* Likewise, for the counts of streams by selector, as crier__selector_write() writes
     * it; called on the thread that yields. All are NULL where there are no streams.
     *
     * take_counts() calls TAKE, under the hub's lock, for up to CRIER__COUNTS_MAX of those
     * of this process that have changed since they were taken, or with ALL first makes all
     * of them changed, also those that were taken and not counted. Returns how many;
     * none, but with ALL, before counted() was called for the last ones. counted() says that
     * the journal has those that were taken last; TOTALS are of all processes, in the order
     * of the calls of TAKE.
     *
     * total() says how many streams of all processes subscribe to SELECTOR, which may be any
     * text from outside. begin_totals() and end_totals() stand around a reading of all
     * totals, in which total() has READ; such a one is ignored where another came since
     * the reading began. Selectors that had neither are 0 at its end.
     *
     * departed() says that a process that had streams which subscribe to SELECTOR has
     * vanished; it may call append.
     *
     * streams() returns how many streams this process has; any thread. */
    size_t (*take_counts)(void *closure, bool all,
                          void (*take)(void *context, const char *selector,
                                       size_t count),
                          void *context);
    void (*counted)(void *closure, const size_t *totals);
    void (*total)(void *closure, const char *selector, size_t total, bool read);
    void (*begin_totals)(void *closure);
    void (*end_totals)(void *closure);
    void (*departed)(void *closure, const char *selector);
    size_t (*streams)(void *closure);

    const char *_Atomic epoch; /* a text that stays valid as long as the journal. Only a
                                  shared journal changes it, before `missed` */
    char own_epoch[CRIER__EPOCH_SIZE]; /* the first one */

    pthread_mutex_t policy_lock; /* below the backend's; guards policy */
    struct crier__policy policy; /* replaced under the lock of a backend that has only
                                    one, too, so that it may read it there */
    struct crier_retention defaults;
    atomic_size_t max_bytes; /* policy.retention.bytes */

    atomic_bool ends; /* an update that was the last one of its topics has been in; once
                         set it stays */

    /* For crier_hub_status(). */
    _Atomic uint64_t corrected; /* updates whose time was ahead of the clock */
    atomic_bool clock_behind;   /* the clock says a time before 2026 */
    atomic_int check;           /* enum crier_check */
    _Atomic uint64_t damaged;   /* how often damage was met */
    char damage[128];           /* the first of it; written before `damaged` is raised
                                   to 1 by the one that `damage_taken` is given to */
    atomic_flag damage_taken;

    /* For crier_hub_statistics(), which says what they are; written by the thread that
     * writes to the storage, if there is one. */
    struct crier__histogram commit_time, commit_size;
    _Atomic uint64_t failures;
};

/* Fills in the shared part but for the epoch. Where OPTIONS' retention is zero, DEFAULTS
 * apply. -ENOMEM, CRIER_ERR_INVALID, CRIER_ERR_TOPIC (a pattern), CRIER_ERR_NULL. */
int crier__journal_init(struct crier_journal *journal,
                        const struct crier__journal_ops *ops,
                        const struct crier_journal_options *options,
                        const struct crier_retention *defaults);

/* Counts damage that was met in JOURNAL's file; WHERE says which. Any thread. */
void crier__journal_damage(struct crier_journal *journal, const char *where);

/* Whether JOURNAL belongs to the parent of this process. */
bool crier__journal_forked(const struct crier_journal *journal);

/* Frees what crier__journal_init() made. */
void crier__journal_done(struct crier_journal *journal);

/* Whether the topic NAME has ended; *ENDED is then its last update. Any thread, with no
 * lock that ranks below the backend's. */
bool crier__journal_ended(struct crier_journal *journal, const char *name,
                          struct crier__ended *ended);

/* Makes CRIER_ERR_TOPIC_ENDED the answer to APPEND: its topic NAME has ended. */
void crier__append_refuse_ended(struct crier__append *append, const char *name);

/* The retention of the topic NAME of LENGTH bytes by the first rule that matches it;
 * all zero when none does. Here "*" matches the names that begin with '$', too. */
struct crier_retention crier__journal_retention(struct crier_journal *journal,
                                                const char *name,
                                                size_t length);

/* The retention of all topics together, the most topics, and whether some retention limits
 * the age. */
struct crier_retention crier__journal_limits(struct crier_journal *journal);
size_t crier__journal_max_topics(struct crier_journal *journal);
bool crier__journal_ages(struct crier_journal *journal);

/* Replaces JOURNAL's policy by what OPTIONS say. The errors of crier__journal_init(). */
int crier__journal_retain(struct crier_journal *journal,
                          const struct crier_journal_options *options);

/* Exchanges JOURNAL's policy for *POLICY. */
void crier__journal_swap_policy(struct crier_journal *journal,
                                struct crier__policy *policy);

/* The real-time clock in ms since 1970, but at least BEFORE. */
int64_t crier__journal_time(int64_t before);

/* The time of UPDATE, which is not placed yet, behind one of the time BEFORE, where NOW is
 * crier__journal_time(BEFORE). */
static inline int64_t crier__journal_time_of(const struct crier__update *update,
                                             int64_t before, int64_t now)
{
    if (update->time == 0 || update->time > now)
        return now;
    return update->time > before ? update->time : before;
}

/* Returns whether LAST, the time of JOURNAL's newest update, is ahead of the clock by
 * more than it may, and writes the clock's time to *NOW. If so, the caller must lower
 * all times beyond *NOW to it. A clock that is plainly behind corrects nothing. */
bool crier__journal_ahead(struct crier_journal *journal, int64_t last,
                          int64_t *now);

#endif
