#ifndef CRIER_JOURNAL_H
#define CRIER_JOURNAL_H

#include "base/fork.h"
#include "libcrier/wire/topic.h"
#include "libcrier/wire/update.h"

/*
 * What a hub asks of a journal, and what every backend keeps to.
 *
 * Every question is a struct of the asker's that must stay until its `done` is
 * called: exactly once, on any thread, possibly before the call returns, with no
 * lock of the backend's held. The backend uses `next` meanwhile.
 *
 * A backend calls `yield` for every update that is in the journal from now on,
 * one at a time, in the order of their positions, after it is durable and before
 * `done` of its append; also for updates that another process appended. From the
 * moment it is yielded, and not later, a read finds it. yield never calls the
 * journal.
 *
 * Positions rise, from 1, and are never used twice in an epoch; they need not be
 * dense.
 */

/* To put an update in. */
struct crier__append {
    struct crier__append *next;
    void (*done)(struct crier__append *append);
    struct crier__update *update; /* a reference of the asker's; placed on success,
                                     and of no use after a failure */

    /* The answer. */
    int error;        /* 0, CRIER_ERR_EXISTS, CRIER_ERR_MAX_TOPICS,
                         CRIER_ERR_STORAGE, CRIER_ERR_STORAGE_FULL, -ENOMEM */
    char reason[128]; /* in words, "" where the error's text says it all */
    uint64_t position; /* with CRIER_ERR_EXISTS, that of the older one */
    size_t subscribers; /* what yield returned */
};

/* One topic that is read, or "*". */
struct crier__selector {
    const char *topic; /* NUL-terminated */
    uint64_t from;     /* nothing up to this position is meant */
    bool live;         /* `since` is not about this one */
    uint64_t told;     /* what was let go up to here is no gap (any more); each
                          answer raises it to all that has been let go of this
                          topic by then */
};

/* No read gives more than this. */
#define CRIER__READ_MAX 256

/* To read what is held after a certain point, in order, each update once. */
struct crier__read {
    struct crier__read *next;
    void (*done)(struct crier__read *read);

    /* The question. */
    struct crier__selector *selectors; /* `told` is written */
    unsigned selector_count;
    bool resolve;   /* true: selectors that are not live begin as `since` says
                       (never NOW), but with LAST and TIME not later than after
                       `after`; live ones after their `from`. False: all begin
                       after `after` or their `from`, whichever is later */
    enum crier_since since;
    uint64_t after;
    const char *id;
    uint64_t number;
    size_t max_bytes; /* of frames; at least one update is given nevertheless */

    /* The answer. */
    int error;      /* 0, CRIER_ERR_STORAGE, -ENOMEM: ask again later */
    bool gap;       /* something after the point (and after `told`; with ALL, LAST
                       and TIME also after `after`) was meant, and is not held
                       any more; or the id is not known */
    char oldest[CRIER__ID_SIZE]; /* with gap: the first id held, of what the
                                    selectors mean; "" for none */
    uint64_t reached; /* everything up to here has been given */
    bool end;         /* that is all that the journal has now; reached is then at
                         least the position of the last update yielded */
    unsigned count;
    struct crier__update *updates[CRIER__READ_MAX]; /* references of the asker's */
};

/* What is told of one topic. */
struct crier__topic_info {
    char name[CRIER__TOPIC_ROOM];
    uint64_t count;
    uint64_t bytes;
    char first[CRIER__ID_SIZE];
    char last[CRIER__ID_SIZE];
    int64_t time; /* of the last update held */
};

/* To list topics that hold something, in the order of their bytes. */
struct crier__list {
    struct crier__list *next;
    void (*done)(struct crier__list *list);

    /* The question: see crier_hub_list(). */
    const char *prefix; /* NULL: only the topic `after` */
    const char *after;
    bool hidden;    /* names with '$', too */
    unsigned limit;

    /* The answer. */
    int error;
    unsigned count;
    struct crier__topic_info *infos; /* room for `limit`, the asker's */
};

/* Whether LIST is about the topic NAME. */
bool crier__listed(const struct crier__list *list, const char *name);

/* Something that has a name and is to be listed. */
struct crier__named {
    const char *name;
    const void *of;
};

/* Puts ONE in its place among the COUNT first ones of LIST's limit. Returns how many
 * there are then. */
unsigned crier__list_in(const struct crier__list *list,
                        struct crier__named *first, unsigned count,
                        struct crier__named one);

/* To forget a topic. */
struct crier__forget {
    struct crier__forget *next;
    void (*done)(struct crier__forget *forget);
    const char *topic;
    int error; /* 0, CRIER_ERR_NO_TOPIC, CRIER_ERR_STORAGE... */
};

struct crier__journal_ops {
    const char *name;
    bool bound; /* to the process that made it, by threads or descriptors */
    void (*append)(struct crier_journal *journal,
                   struct crier__append *append);
    void (*read)(struct crier_journal *journal, struct crier__read *read);
    void (*list)(struct crier_journal *journal, struct crier__list *list);
    void (*forget)(struct crier_journal *journal,
                   struct crier__forget *forget);

    /* The trouble it is in: 0, or an error and a reason in words. */
    int (*status)(struct crier_journal *journal, char reason[128]);

    /* The position of the last update that has been in, ever. */
    uint64_t (*last)(struct crier_journal *journal);

    /* It is about to be stopped: nothing is waited for any more that may never
     * come. NULL: it never waits. */
    void (*hurry)(struct crier_journal *journal);

    /* Answers all questions asked, and ends what threads there are. Nothing but
     * free is called afterwards. */
    void (*stop)(struct crier_journal *journal);

    void (*free)(struct crier_journal *journal);
};

/* The part that all backends share; each has it as its first member. */
struct crier_journal {
    const struct crier__journal_ops *ops;
    unsigned born; /* see fork.h */

    /* Set by the hub before the first question. Returns to how many streams the
     * update goes. */
    size_t (*yield)(void *closure, struct crier__update *update);
    void *closure;

    char epoch[CRIER__EPOCH_SIZE];
    struct crier_retention retention;
    struct crier_topic_retention *topics; /* copies */
    size_t topic_count;
    size_t max_topics;
    bool ages; /* some retention has an age */

    /* For crier_hub_status(). */
    _Atomic uint64_t corrected; /* updates whose time led the clock */
    atomic_bool clock_behind;   /* it is before 2026 */
};

/* Fills in the shared part but for the epoch. The zeros of OPTIONS' retention are
 * the defaults DEFAULTS. -ENOMEM; CRIER_ERR_INVALID. */
int crier__journal_init(struct crier_journal *journal,
                        const struct crier__journal_ops *ops,
                        const struct crier_journal_options *options,
                        const struct crier_retention *defaults);

/* Whether JOURNAL belongs to the parent of this process. */
bool crier__journal_forked(const struct crier_journal *journal);

/* Frees what crier__journal_init() made. */
void crier__journal_done(struct crier_journal *journal);

/* The retention of a topic of its own; all zero when it has none. */
struct crier_retention
crier__journal_retention(const struct crier_journal *journal,
                         const char *topic, size_t length);

/* ms since 1970, never less than BEFORE. */
int64_t crier__journal_time(int64_t before);

/* Whether LAST, the time of JOURNAL's newest update, leads the clock by more than it
 * may; *NOW is the clock's time. Then the times that are beyond it are to be set to
 * it. A clock that is plainly behind is not gone by. */
bool crier__journal_ahead(struct crier_journal *journal, int64_t last,
                          int64_t *now);

#endif
