/*
 * Shared grants. An entry is found by its selectors, written one behind the other. The
 * pool holds a reference to at most POOL_MAX grants, the oldest of which leaves for a new
 * one: whoever uses them keeps them, only the next token that says the same gets new ones.
 *
 * Rejected: entries that leave with their last user. Each identity would have to find the
 * pool and its lock when it ends.
 */
#include <config.h>

#include "grants_pool.h"

#include "base/keyed_hash.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(entry) ((entry)->text = NULL)
#include <uthash.h>

#define POOL_MAX 1024

struct entry {
    UT_hash_handle hh;
    char *text; /* the selectors; NULL: the table had no memory for the entry */
    size_t length;
    struct crier_grants *grants;
};

struct grants_pool {
    pthread_mutex_t lock; /* guards the table */
    struct keyed_hash_seed seed;
    struct entry *entries; /* in the order in which they came */
};

struct grants_pool *grants_pool_new(void)
{
    struct grants_pool *pool = calloc(1, sizeof *pool);

    if (pool == NULL || keyed_hash_draw(&pool->seed) != 0) {
        free(pool);
        return NULL;
    }
    pthread_mutex_init(&pool->lock, NULL);
    return pool;
}

static void free_shared(struct entry *entry)
{
    crier_grants_unref(entry->grants);
    free(entry->text);
    free(entry);
}

static void drop_shared(struct grants_pool *pool, struct entry *entry)
{
    HASH_DEL(pool->entries, entry);
    free_shared(entry);
}

void grants_pool_free(struct grants_pool *pool)
{
    if (pool == NULL)
        return;
    while (pool->entries != NULL)
        drop_shared(pool, pool->entries);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

static const char *get_base(const struct crier_selector *selector)
{
    return selector->base != NULL ? selector->base : "";
}

/* A new text of COUNT SELECTORS and their bases, each with a NUL behind it, of *LENGTH
 * bytes. */
static char *write_selectors(const struct crier_selector *selectors, size_t count,
                             size_t *length)
{
    size_t size = 1, i, one;
    char *text, *at;

    for (i = 0; i < count; i++)
        size += 1 + strlen(selectors[i].text) + 1 + strlen(get_base(&selectors[i])) + 1;
    at = text = malloc(size);
    if (text == NULL)
        return NULL;
    for (i = 0; i < count; i++) {
        *at++ = (char)('0' + selectors[i].match);
        one = strlen(selectors[i].text) + 1;
        memcpy(at, selectors[i].text, one);
        at += one;
        one = strlen(get_base(&selectors[i])) + 1;
        memcpy(at, get_base(&selectors[i]), one);
        at += one;
    }
    *length = size - 1;
    return text;
}

static struct entry *find_shared(const struct grants_pool *pool, const char *text,
                                 size_t length, unsigned hash)
{
    struct entry *entry;

    HASH_FIND_BYHASHVALUE(hh, pool->entries, text, length, hash, entry);
    return entry;
}

/* Adds an entry of TEXT, which it takes, and GRANTS. Without memory there is none. */
static void add_shared(struct grants_pool *pool, char *text, size_t length,
                       unsigned hash, struct crier_grants *grants)
{
    struct entry *entry = calloc(1, sizeof *entry);

    if (entry == NULL) {
        free(text);
        return;
    }
    if (HASH_COUNT(pool->entries) == POOL_MAX)
        drop_shared(pool, pool->entries);
    entry->text = text;
    entry->length = length;
    entry->grants = crier_grants_ref(grants);
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, pool->entries, text, length, hash, entry);
    if (entry->text == NULL) {
        entry->text = text;
        free_shared(entry);
    }
}

int grants_pool_get(struct grants_pool *pool, const struct crier_selector *selectors,
                    size_t count, struct crier_grants **grants)
{
    size_t length = 0;
    char *text = write_selectors(selectors, count, &length);
    unsigned hash;
    struct entry *entry;
    int error = 0;

    if (text == NULL)
        return -ENOMEM;
    hash = (unsigned)keyed_hash(&pool->seed, text, length);
    pthread_mutex_lock(&pool->lock);
    entry = find_shared(pool, text, length, hash);
    if (entry != NULL) {
        *grants = crier_grants_ref(entry->grants);
    } else {
        error = crier_grants_new(selectors, count, grants);
        if (error == 0) {
            add_shared(pool, text, length, hash, *grants);
            text = NULL;
        }
    }
    pthread_mutex_unlock(&pool->lock);
    free(text);
    return error;
}
