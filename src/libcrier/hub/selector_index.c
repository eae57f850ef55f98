/*
 * An index of selectors: finds those that match a topic.
 *
 * Exact names are in a hash, and "*" is a pointer, so an update for which nobody uses
 * another kind costs one lookup for each of its topics. Prefixes, templates and URL
 * patterns are in a list. What each topic matched of that list is remembered (a memo), so
 * that publishing to the same topic again is one more lookup.
 *
 * A memo stays good as selectors come and go: a link stands for each selector that the
 * topic matched, and goes with the selector; and the list is in the order in which
 * selectors came, so a memo catches up by looking at those that are newer than it. So a
 * topic is compared once with each selector, however many streams connect and leave.
 * Memos are a cache: they are all dropped when a new one is needed, or one has to catch up,
 * while there are MEMOS_MAX, or LINKS_MAX of their links; so there are never more links
 * than that and those of one memo. When memory is short the list is walked instead.
 *
 * The hub's directory is such an index, and so are the subscriber lists of each shard.
 *
 * Rejected: a trie of prefixes, which would find them without memos, but cannot hold
 * templates.
 */
#include <config.h>

#include "selector_index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define MEMOS_MAX 10000
#define LINKS_MAX 500000

/* That a topic matches a selector. */
struct crier__index_link {
    struct crier__index_link *prev, *next;             /* of the memo */
    struct crier__index_link *entry_prev, *entry_next; /* of the entry */
    struct crier__index_entry *entry;
    struct crier__index_memo *memo;
};

/* Which selectors of the list match one topic. */
struct crier__index_memo {
    UT_hash_handle hh;
    uint64_t seen; /* it has been compared with the entries up to this number */
    struct crier__index_link *links;
    char name[];
};

void crier__index_copy(struct crier__selector *selector,
                       const struct crier__selector *other, char *text)
{
    memcpy(text, other->text, strlen(other->text) + 1);
    *selector = *other;
    selector->text = text;
}

void crier__index_share(const struct crier__index_entry *entry,
                        struct crier__selector *selector)
{
    struct crier__pattern *own = selector->pattern;

    if (own == entry->selector.pattern)
        return;
    selector->pattern = crier__pattern_ref(entry->selector.pattern);
    crier__pattern_unref(own);
}

struct crier__index_entry *crier__index_find(const struct crier__index *index,
                                             const char *text, size_t length)
{
    struct crier__index_entry *entry;

    HASH_FIND(hh, index->entries, text, length, entry);
    return entry;
}

/* The bytes by which SELECTOR is found, borrowed; writes their number to *LENGTH. */
static const char *key_of(const struct crier__selector *selector, size_t *length)
{
    if (selector->pattern != NULL)
        return crier__pattern_key(selector->pattern, length);
    *length = strlen(selector->text);
    return selector->text;
}

/* The hash that SELECTOR belongs in. */
static struct crier__index_entry **hash_of(struct crier__index *index,
                                           const struct crier__selector *selector)
{
    if (selector->pattern != NULL)
        return &index->compiled;
    return selector->kind == CRIER__SHARED ? &index->shared : &index->entries;
}

struct crier__index_entry *
crier__index_get(const struct crier__index *index,
                 const struct crier__selector *selector)
{
    struct crier__index_entry *head = *hash_of((struct crier__index *)index, selector);
    struct crier__index_entry *entry;
    size_t length;
    const char *key = key_of(selector, &length);

    HASH_FIND(hh, head, key, length, entry);
    return entry;
}

/* Puts ENTRY into its hash. -ENOMEM. */
static int hash_entry(struct crier__index *index,
                      struct crier__index_entry *entry)
{
    struct crier__index_entry **head = hash_of(index, &entry->selector);
    size_t length;
    const char *key = key_of(&entry->selector, &length);

    HASH_ADD_KEYPTR(hh, *head, key, length, entry);
    return entry->hh.tbl != NULL ? 0 : -ENOMEM;
}

int crier__index_add(struct crier__index *index,
                     struct crier__index_entry *entry)
{
    if (hash_entry(index, entry) != 0)
        return -ENOMEM;
    crier__pattern_ref(entry->selector.pattern);
    switch (entry->selector.kind) {
    case CRIER__EXACT:
    case CRIER__SHARED:
        break;
    case CRIER__ALL:
        index->all = entry;
        break;
    case CRIER__PREFIX:
    case CRIER__TEMPLATE:
    case CRIER__URL_PATTERN:
        entry->number = ++index->added;
        DL_APPEND(index->asked, entry);
        break;
    }
    return 0;
}

/* Frees LINK of MEMO. */
static void free_link(struct crier__index *index, struct crier__index_link *link)
{
    DL_DELETE(link->memo->links, link);
    DL_DELETE2(link->entry->links, link, entry_prev, entry_next);
    index->link_count--;
    free(link);
}

void crier__index_remove(struct crier__index *index,
                         struct crier__index_entry *entry)
{
    struct crier__index_entry **head = hash_of(index, &entry->selector);

    HASH_DEL(*head, entry);
    if (entry->selector.kind == CRIER__ALL)
        index->all = NULL;
    else if (entry->selector.kind != CRIER__EXACT &&
             entry->selector.kind != CRIER__SHARED) {
        while (entry->links != NULL)
            free_link(index, entry->links);
        DL_DELETE(index->asked, entry);
        if (index->asked == NULL)
            crier__index_done(index);
    }
    crier__pattern_unref(entry->selector.pattern);
}

/* ---- memos ------------------------------------------------------------ */

static void free_memo(struct crier__index *index,
                      struct crier__index_memo *memo)
{
    HASH_DEL(index->memos, memo);
    while (memo->links != NULL)
        free_link(index, memo->links);
    free(memo);
}

void crier__index_done(struct crier__index *index)
{
    struct crier__index_memo *memo, *next;

    HASH_ITER (hh, index->memos, memo, next)
        free_memo(index, memo);
}

/* A new memo for the topic NAME, which has seen no entry, after all have been dropped if
 * there are too many; NULL when memory is short. */
static struct crier__index_memo *new_memo(struct crier__index *index,
                                          const char *name, size_t length)
{
    struct crier__index_memo *memo;

    if (HASH_COUNT(index->memos) >= MEMOS_MAX || index->link_count >= LINKS_MAX)
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

static bool add_link(struct crier__index *index, struct crier__index_memo *memo,
                     struct crier__index_entry *entry)
{
    struct crier__index_link *link = malloc(sizeof *link);

    if (link == NULL)
        return false;
    link->memo = memo;
    link->entry = entry;
    DL_PREPEND(memo->links, link);
    DL_PREPEND2(entry->links, link, entry_prev, entry_next);
    index->link_count++;
    return true;
}

/* Compares the topic of MEMO, of LENGTH bytes, with the entries that came after it. False
 * when memory is short. */
static bool catch_up(struct crier__index *index, struct crier__index_memo *memo,
                     size_t length)
{
    struct crier__index_entry *first = index->asked, *entry = first->prev;

    while (entry->number > memo->seen) {
        if (crier__selector_matches(&entry->selector, memo->name, length) &&
            !add_link(index, memo, entry))
            return false;
        if (entry == first)
            break;
        entry = entry->prev;
    }
    memo->seen = index->added;
    return true;
}

/* Which entries of the list match the topic NAME. NULL when memory is short. */
static struct crier__index_memo *recall_matches(struct crier__index *index,
                                                const char *name, size_t length)
{
    struct crier__index_memo *memo;

    HASH_FIND(hh, index->memos, name, length, memo);
    if (memo == NULL ||
        (memo->seen != index->added && index->link_count >= LINKS_MAX))
        memo = new_memo(index, name, length);
    if (memo != NULL && memo->seen != index->added &&
        !catch_up(index, memo, length)) {
        free_memo(index, memo);
        memo = NULL;
    }
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

static void match_asked(const struct match *match, const char *name,
                        size_t length)
{
    struct crier__index_memo *memo =
        recall_matches(match->index, name, length);
    struct crier__index_entry *entry;
    struct crier__index_link *link;

    if (memo != NULL)
        DL_FOREACH (memo->links, link)
            use_once(match, link->entry);
    else
        DL_FOREACH (match->index->asked, entry)
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

    if (index->entries == NULL && index->compiled == NULL)
        return;
    index->matches++;
    CRIER__TOPICS_EACH (topics, name) {
        length = strlen(name);
        entry = crier__index_find(index, name, length);
        if (entry != NULL)
            use(closure, entry);
        if (index->asked != NULL)
            match_asked(&match, name, length);
    }
    if (!hidden && index->all != NULL)
        use(closure, index->all);
}
