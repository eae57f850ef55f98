/*
 * An index of selectors: finds those that match a topic.
 *
 * Exact names are in a hash, and "*" is a pointer, so an update for which nobody uses a
 * prefix costs one lookup for each of its topics. Prefixes are in a list. What each topic
 * matched of that list is remembered (a memo), so that publishing to the same topic again
 * is one more lookup. A memo is good for one generation of the list: a prefix that comes
 * or goes begins a new one. Memos are a cache: there are no more than MEMOS_MAX, and when
 * memory is short the list is walked instead.
 *
 * The hub's directory is such an index, and so are the subscriber lists of each shard.
 *
 * Rejected: a trie of prefixes, which would find them without memos, but cannot hold the
 * patterns of other kinds that are to come.
 */
#include <config.h>

#include "selector_index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define MEMOS_MAX 10000

/* The prefixes that match one topic. */
struct crier__index_memo {
    UT_hash_handle hh;
    uint64_t generation; /* entries are valid in this one only */
    unsigned count, capacity;
    struct crier__index_entry **entries;
    char name[];
};

void crier__index_copy(struct crier__selector *selector,
                       const struct crier__selector *other, char *text)
{
    memcpy(text, other->text, strlen(other->text) + 1);
    *selector = *other;
    selector->text = text;
}

struct crier__index_entry *crier__index_find(const struct crier__index *index,
                                             const char *text, size_t length)
{
    struct crier__index_entry *entry;

    HASH_FIND(hh, index->entries, text, length, entry);
    return entry;
}

int crier__index_add(struct crier__index *index,
                     struct crier__index_entry *entry)
{
    HASH_ADD_KEYPTR(hh, index->entries, entry->selector.text,
                    strlen(entry->selector.text), entry);
    if (entry->hh.tbl == NULL)
        return -ENOMEM;
    switch (entry->selector.kind) {
    case CRIER__EXACT:
        break;
    case CRIER__PREFIX:
        DL_APPEND(index->prefixes, entry);
        index->generation++;
        break;
    case CRIER__ALL:
        index->all = entry;
        break;
    }
    return 0;
}

void crier__index_remove(struct crier__index *index,
                         struct crier__index_entry *entry)
{
    HASH_DEL(index->entries, entry);
    if (entry->selector.kind == CRIER__ALL)
        index->all = NULL;
    if (entry->selector.kind != CRIER__PREFIX)
        return;
    DL_DELETE(index->prefixes, entry);
    index->generation++;
    if (index->prefixes == NULL)
        crier__index_done(index);
}

/* ---- memos ------------------------------------------------------------ */

static void free_memo(struct crier__index *index,
                      struct crier__index_memo *memo)
{
    HASH_DEL(index->memos, memo);
    free(memo->entries);
    free(memo);
}

void crier__index_done(struct crier__index *index)
{
    struct crier__index_memo *memo, *next;

    HASH_ITER (hh, index->memos, memo, next)
        free_memo(index, memo);
}

/* A new memo for the topic NAME, of no generation yet; NULL when memory is short. */
static struct crier__index_memo *new_memo(struct crier__index *index,
                                          const char *name, size_t length)
{
    struct crier__index_memo *memo;

    if (HASH_COUNT(index->memos) >= MEMOS_MAX)
        crier__index_done(index);
    memo = calloc(1, sizeof *memo + length + 1);
    if (memo == NULL)
        return NULL;
    memcpy(memo->name, name, length);
    HASH_ADD_KEYPTR(hh, index->memos, memo->name, length, memo);
    if (memo->hh.tbl == NULL) {
        free(memo);
        return NULL;
    }
    return memo;
}

static bool memo_add(struct crier__index_memo *memo,
                     struct crier__index_entry *entry)
{
    unsigned capacity = memo->capacity != 0 ? 2 * memo->capacity : 2;
    struct crier__index_entry **grown;

    if (memo->count == memo->capacity) {
        grown = realloc(memo->entries, capacity * sizeof *grown);
        if (grown == NULL)
            return false;
        memo->entries = grown;
        memo->capacity = capacity;
    }
    memo->entries[memo->count++] = entry;
    return true;
}

/* Which prefixes match the topic NAME. NULL when memory is short. */
static struct crier__index_memo *recall_matches(struct crier__index *index,
                                                const char *name, size_t length)
{
    struct crier__index_memo *memo;
    struct crier__index_entry *entry;

    HASH_FIND(hh, index->memos, name, length, memo);
    if (memo != NULL && memo->generation == index->generation)
        return memo;
    if (memo == NULL)
        memo = new_memo(index, name, length);
    if (memo == NULL)
        return NULL;
    memo->count = 0;
    DL_FOREACH (index->prefixes, entry)
        if (crier__selector_matches(&entry->selector, name, length) &&
            !memo_add(memo, entry)) {
            free_memo(index, memo);
            return NULL;
        }
    memo->generation = index->generation;
    return memo;
}

/* ---- matching --------------------------------------------------------- */

/* What crier__index_match() was asked for. */
struct match {
    struct crier__index *index;
    bool several; /* topics: an entry may match more than one */
    void (*use)(void *closure, struct crier__index_entry *entry);
    void *closure;
};

static void use_once(const struct match *match,
                     struct crier__index_entry *entry)
{
    if (match->several && entry->mark == match->index->matches)
        return;
    entry->mark = match->index->matches;
    match->use(match->closure, entry);
}

static void match_prefixes(const struct match *match, const char *name,
                           size_t length)
{
    struct crier__index_memo *memo =
        recall_matches(match->index, name, length);
    struct crier__index_entry *entry;
    unsigned i;

    if (memo != NULL)
        for (i = 0; i < memo->count; i++)
            use_once(match, memo->entries[i]);
    else
        DL_FOREACH (match->index->prefixes, entry)
            if (crier__selector_matches(&entry->selector, name, length))
                use_once(match, entry);
}

void crier__index_match(struct crier__index *index,
                        const struct crier__topics *topics, bool hidden,
                        void (*use)(void *closure,
                                    struct crier__index_entry *entry),
                        void *closure)
{
    const struct match match = {.index = index,
                                .several = topics->count > 1,
                                .use = use,
                                .closure = closure};
    struct crier__index_entry *entry;
    const char *name;
    size_t length;

    if (index->entries == NULL)
        return;
    index->matches++;
    CRIER__TOPICS_EACH (topics, name) {
        length = strlen(name);
        entry = crier__index_find(index, name, length);
        if (entry != NULL)
            use(closure, entry);
        if (index->prefixes != NULL)
            match_prefixes(&match, name, length);
    }
    if (!hidden && index->all != NULL)
        use(closure, index->all);
}
