/*
 * A table of token buckets (rate.h). A bucket that is full says nothing and needs no entry.
 * So the table has a fixed size: a key belongs to one set of WAYS entries, and where all of
 * them are in use, the one that will be full first makes room. A client with more addresses
 * than the table has entries can exceed the rate, but not make the table grow. Nothing
 * sweeps, and nothing is allocated.
 *
 * Rejected: a hash table whose entries are freed when their buckets are full: it needs a
 * limit, a rule for what is beyond the limit, and a sweep for full buckets.
 *
 * A set is guarded by one of some locks, each held for the look at one set.
 */
#include <config.h>

#include "buckets.h"

#include "rate.h"

#include <pthread.h>
#include <stdlib.h>

#define WAYS 8
#define SETS (BUCKETS_COUNT / WAYS)
#define LOCKS 64

struct entry {
    struct limit_key key;
    uint64_t full_at[2];
};

/* Each is about as large as a cache line. */
union lock {
    pthread_mutex_t mutex;
    char line[64];
};

struct buckets {
    union lock locks[LOCKS];
    struct entry sets[SETS][WAYS];
};

struct buckets *buckets_new(void)
{
    /* The kernel makes the pages when they are first written to. */
    struct buckets *buckets = calloc(1, sizeof *buckets);
    size_t i;

    if (buckets == NULL)
        return NULL;
    for (i = 0; i < LOCKS; i++)
        pthread_mutex_init(&buckets->locks[i].mutex, NULL);
    return buckets;
}

void buckets_free(struct buckets *buckets)
{
    size_t i;

    if (buckets == NULL)
        return;
    for (i = 0; i < LOCKS; i++)
        pthread_mutex_destroy(&buckets->locks[i].mutex);
    free(buckets);
}

static uint64_t larger_of(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* When both buckets of ENTRY are full. */
static uint64_t full_time(const struct entry *entry)
{
    return larger_of(entry->full_at[0], entry->full_at[1]);
}

/* The entry of KEY in SET, or the one that may become it. */
static struct entry *find_bucket(struct entry set[WAYS],
                                 const struct limit_key *key)
{
    struct entry *first = set;
    size_t i;

    for (i = 0; i < WAYS; i++) {
        if (set[i].key.words[0] == key->words[0] &&
            set[i].key.words[1] == key->words[1])
            return &set[i];
        if (full_time(&set[i]) < full_time(first))
            first = &set[i];
    }
    return first;
}

/* buckets_take(), or buckets_wait() unless TAKE. */
static uint64_t ask_buckets(struct buckets *buckets, const struct limit_key *key,
                            const uint64_t costs[2], uint64_t now, bool take)
{
    size_t number = (size_t)(key->words[0] % SETS);
    pthread_mutex_t *mutex = &buckets->locks[number % LOCKS].mutex;
    struct entry one = {.key = *key}, *entry;
    uint64_t wait;

    pthread_mutex_lock(mutex);
    entry = find_bucket(buckets->sets[number], key);
    if (entry->key.words[0] == key->words[0] &&
        entry->key.words[1] == key->words[1])
        one = *entry;
    wait = larger_of(rate_wait(one.full_at[0], costs[0], now),
                     rate_wait(one.full_at[1], costs[1], now));
    if (wait == 0 && take) {
        one.full_at[0] = rate_take(one.full_at[0], costs[0], now);
        one.full_at[1] = rate_take(one.full_at[1], costs[1], now);
        *entry = one;
    }
    pthread_mutex_unlock(mutex);
    return wait;
}

uint64_t buckets_take(struct buckets *buckets, const struct limit_key *key,
                      const uint64_t costs[2], uint64_t now)
{
    return ask_buckets(buckets, key, costs, now, true);
}

uint64_t buckets_wait(struct buckets *buckets, const struct limit_key *key,
                      const uint64_t costs[2], uint64_t now)
{
    return ask_buckets(buckets, key, costs, now, false);
}
