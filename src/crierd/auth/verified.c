/*
 * Tokens that were verified. A hit costs a keyed hash of the token, one lock and a
 * comparison of all its bytes: about a third of a microsecond for 500 bytes.
 *
 * Whoever makes a token chooses its bytes, so the hash has a secret seed: nobody can fill a
 * bucket. Only tokens with a valid signature enter, so a client without a key cannot push
 * others out.
 *
 * Each addition looks at a few older entries and drops those that have expired, so that
 * the memory does not keep what nobody asks for any more.
 *
 * Rejected: SHA-256 of the token as its key, which takes twice as long as all the rest;
 * and moving an entry to the end at each hit, which would write to the table for each
 * request.
 */
#include <config.h>

#include "verified.h"

#include "base/keyed_hash.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(entry) ((entry)->identity = NULL)
#include <uthash.h>

/* How many entries an addition looks at. */
#define SWEEP 4

struct entry {
    UT_hash_handle hh;
    struct identity *identity; /* NULL: the table had no memory for the entry */
    size_t length;
    char token[];
};

struct verified {
    pthread_mutex_t lock; /* guards all that follows but the seed */
    struct keyed_hash_seed seed;
    struct entry *entries; /* the oldest first */
    struct entry *next;    /* to be looked at; NULL: the oldest */
    size_t bytes;
    unsigned generation; /* how often it was emptied */
};

struct verified *verified_new(void)
{
    struct verified *verified = calloc(1, sizeof *verified);

    if (verified == NULL || keyed_hash_draw(&verified->seed) != 0) {
        free(verified);
        return NULL;
    }
    pthread_mutex_init(&verified->lock, NULL);
    return verified;
}

/* What ENTRY counts for in the limit. */
static size_t measure_entry(const struct entry *entry)
{
    return sizeof *entry + entry->length + sizeof *entry->identity +
           entry->identity->payload_size;
}

static void forget_entry(struct verified *verified, struct entry *entry)
{
    if (verified->next == entry)
        verified->next = entry->hh.next;
    verified->bytes -= measure_entry(entry);
    HASH_DEL(verified->entries, entry);
    identity_unref(entry->identity);
    free(entry);
}

static void forget_all(struct verified *verified)
{
    while (verified->entries != NULL)
        forget_entry(verified, verified->entries);
}

void verified_free(struct verified *verified)
{
    if (verified == NULL)
        return;
    forget_all(verified);
    pthread_mutex_destroy(&verified->lock);
    free(verified);
}

static bool has_expired(const struct entry *entry, int64_t now)
{
    return entry->identity->expires != 0 && entry->identity->expires <= now;
}

static struct entry *find_token(const struct verified *verified, const char *token,
                                size_t length, unsigned hash)
{
    struct entry *entry;

    HASH_FIND_BYHASHVALUE(hh, verified->entries, token, length, hash, entry);
    return entry;
}

struct identity *verified_find(struct verified *verified, const char *token,
                               size_t length, int64_t now, unsigned *generation)
{
    const unsigned hash = (unsigned)keyed_hash(&verified->seed, token, length);
    struct identity *identity = NULL;
    struct entry *entry;

    pthread_mutex_lock(&verified->lock);
    entry = find_token(verified, token, length, hash);
    if (entry != NULL && has_expired(entry, now))
        forget_entry(verified, entry);
    else if (entry != NULL)
        identity = identity_ref(entry->identity);
    *generation = verified->generation;
    pthread_mutex_unlock(&verified->lock);
    return identity;
}

/* Drops those of the next SWEEP entries that have expired. */
static void sweep_entries(struct verified *verified, int64_t now)
{
    struct entry *entry;
    unsigned i;

    for (i = 0; i < SWEEP; i++) {
        entry = verified->next != NULL ? verified->next : verified->entries;
        if (entry == NULL)
            return;
        verified->next = entry->hh.next;
        if (has_expired(entry, now))
            forget_entry(verified, entry);
    }
}

/* Adds ENTRY, or frees it when the table has no memory. */
static void insert_verified(struct verified *verified, struct entry *entry,
                            unsigned hash)
{
    struct identity *identity = entry->identity;

    while (verified->entries != NULL &&
           (HASH_COUNT(verified->entries) >= VERIFIED_MAX ||
            verified->bytes + measure_entry(entry) > VERIFIED_BYTES))
        forget_entry(verified, verified->entries);
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, verified->entries, entry->token, entry->length,
                                hash, entry);
    if (entry->identity != NULL) {
        verified->bytes += measure_entry(entry);
        return;
    }
    identity_unref(identity);
    free(entry);
}

void verified_add(struct verified *verified, const char *token, size_t length,
                  struct identity *identity, int64_t now, unsigned generation)
{
    const unsigned hash = (unsigned)keyed_hash(&verified->seed, token, length);
    struct entry *entry = calloc(1, sizeof *entry + length);

    if (entry == NULL)
        return;
    entry->length = length;
    memcpy(entry->token, token, length);
    pthread_mutex_lock(&verified->lock);
    sweep_entries(verified, now);
    if (generation == verified->generation &&
        find_token(verified, token, length, hash) == NULL) {
        entry->identity = identity_ref(identity);
        insert_verified(verified, entry, hash);
        entry = NULL;
    }
    pthread_mutex_unlock(&verified->lock);
    free(entry);
}

void verified_clear(struct verified *verified)
{
    pthread_mutex_lock(&verified->lock);
    forget_all(verified);
    verified->generation++;
    pthread_mutex_unlock(&verified->lock);
}

size_t verified_count(struct verified *verified)
{
    size_t count;

    pthread_mutex_lock(&verified->lock);
    count = HASH_COUNT(verified->entries);
    pthread_mutex_unlock(&verified->lock);
    return count;
}
