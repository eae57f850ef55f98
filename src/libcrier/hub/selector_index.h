#ifndef CRIER_SELECTOR_INDEX_H
#define CRIER_SELECTOR_INDEX_H

#include "libcrier/wire/selector.h"

#include <stdint.h>

/* uthash reports a failed allocation by leaving the element's handle empty. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

/* Which entries match a topic; see selector_index.c. */
struct crier__index_memo;
struct crier__index_link;

/* A selector in an index; the first member of what belongs to the selector. */
struct crier__index_entry {
    UT_hash_handle hh;                      /* by text, or the key of the pattern */
    struct crier__index_entry *prev, *next; /* among those asked */
    struct crier__index_link *links;        /* a DL list */
    uint64_t number;                        /* of those asked; it rises */
    uint64_t mark;                          /* of the last match that found it */
    struct crier__selector selector;
};

/* All zero is an empty index. */
struct crier__index {
    struct crier__index_entry *entries;  /* a uthash: exact names, prefixes, "*" */
    struct crier__index_entry *compiled; /* a uthash: templates and URL patterns */
    struct crier__index_entry *shared;   /* a uthash: what matches no topic */
    struct crier__index_entry *all;      /* "*", or NULL */
    struct crier__index_entry *asked;    /* a DL list: what is neither exact nor "*" */
    struct crier__index_memo *memos;     /* a uthash by topic */
    uint64_t added;                      /* the number of the last one asked */
    uint64_t matches;                    /* so far, to mark entries with */
    size_t link_count;
};

/* Fills SELECTOR in as a copy of OTHER with its text at TEXT, which has
 * strlen(OTHER->text) + 1 bytes. Its pattern is borrowed. */
void crier__index_copy(struct crier__selector *selector,
                       const struct crier__selector *other, char *text);

/* Makes SELECTOR, which equals that of ENTRY, share its pattern. */
void crier__index_share(const struct crier__index_entry *entry,
                        struct crier__selector *selector);

/* The entry of SELECTOR, or NULL. */
struct crier__index_entry *
crier__index_get(const struct crier__index *index,
                 const struct crier__selector *selector);

/* The entry whose selector is written as the LENGTH bytes at TEXT, and is not compiled, or
 * NULL. */
struct crier__index_entry *crier__index_find(const struct crier__index *index,
                                             const char *text, size_t length);

/* Adds ENTRY, whose selector no other entry has. INDEX takes a reference to its pattern
 * until it is removed. -ENOMEM. */
int crier__index_add(struct crier__index *index,
                     struct crier__index_entry *entry);

/* Removes ENTRY. */
void crier__index_remove(struct crier__index *index,
                         struct crier__index_entry *entry);

/* Calls USE for each entry that matches one of TOPICS, once; HIDDEN says whether all of
 * TOPICS begin with '$'. USE must not add to INDEX or remove from it. Cannot fail. */
void crier__index_match(struct crier__index *index,
                        const struct crier__topics *topics, bool hidden,
                        void (*use)(void *closure,
                                    struct crier__index_entry *entry),
                        void *closure);

/* Frees what INDEX remembers; its entries are the caller's. */
void crier__index_done(struct crier__index *index);

#endif
