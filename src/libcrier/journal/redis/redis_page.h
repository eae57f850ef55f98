#ifndef CRIER_REDIS_PAGE_H
#define CRIER_REDIS_PAGE_H

#include "libcrier/journal/journal.h"
#include "redis_record.h"

/*
 * A page: consecutive updates as one script has read them, and the marks of topics, read
 * after them. What is taken from replies is validated here. The journal's thread alone.
 */

/* What the record of a topic says. */
struct crier__redis_mark {
    char *name;
    uint64_t evicted, newest_public;
    bool held; /* the topic has a record */
};

struct crier__redis_item {
    uint64_t position;
    struct crier__update *update; /* NULL: it is damaged */
};

struct crier__redis_page {
    struct crier__redis_page *prev, *next; /* of those that are kept */
    unsigned references;
    char *key; /* of those that are kept: the question */
    const char *epoch;
    uint64_t until; /* it is kept so long, ms of crier_now() */
    size_t bytes;   /* what it takes in memory, about */
    uint64_t after, reached;
    unsigned count;
    struct crier__redis_item items[CRIER__READ_MAX];
    struct crier__redis_mark *marks; /* in the order of their names, each once */
    size_t mark_count, mark_capacity;
    uint64_t last, evicted, forgotten, renewed; /* the journal's, by the marks */
    uint64_t missed[CRIER__TOPICS_MAX][2]; /* by selector, where it is a pattern of a walk:
                                              evicted, of what is public, and of all */
};

/* A *new* page that begins behind AFTER, or NULL. */
struct crier__redis_page *crier__redis_page_new(uint64_t after);
void crier__redis_page_unref(struct crier__redis_page *page);

/* Reads RECORD, the text of a topic's record, into MARK; "" is none. False: it is damaged. */
bool crier__redis_read_mark(const redisReply *record, struct crier__redis_mark *mark);

/* Takes REPLY, that of PAST up to UPTO. False: it is malformed. -ENOMEM is false, too. */
bool crier__redis_page_take(struct crier__redis_page *page, const redisReply *reply,
                            uint64_t upto, struct crier_journal *journal,
                            const struct crier__redis_corrected *corrected);

/* Takes REPLY, that of BACK before the position BEFORE. */
bool crier__redis_page_take_back(struct crier__redis_page *page, const redisReply *reply,
                                 uint64_t before, struct crier_journal *journal,
                                 const struct crier__redis_corrected *corrected);

/* Notes that the mark of the topic NAME is wanted. False: memory is short. */
bool crier__redis_page_want(struct crier__redis_page *page, const char *name,
                            size_t length);

/* Puts the marks in order, each once. */
void crier__redis_page_sort(struct crier__redis_page *page);

/* Takes REPLY, that of MARKS for the topics of the page's marks. */
bool crier__redis_page_take_marks(struct crier__redis_page *page, const redisReply *reply);

/* The mark of the topic NAME, or NULL. */
const struct crier__redis_mark *
crier__redis_page_mark(const struct crier__redis_page *page, const char *name);

#endif
