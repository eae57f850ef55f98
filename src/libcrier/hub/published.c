/*
 * How many updates were published to each topic, for those who want to see how busy topics
 * are: they read the counts twice and look at the difference.
 *
 * A count for each of a million topics would take more memory than that is worth, and a
 * look-up by name more time. So this is a table of fixed size, as the caches of a CPU are:
 * the hash of a topic chooses a set of four slots, and in it the slot with the rest of the
 * hash. A topic that finds no slot takes the one with the lowest count. So the topics that
 * have been published to most keep their counts, and where there are more topics than slots,
 * one that is rarely published to may begin again at 1. Two topics with the same 44 bits of
 * their hashes share a count: with 10,000 topics that is one chance in 300,000.
 */
#include <config.h>

#include "published.h"

#define WAYS 4
#define SETS (CRIER__PUBLISHED_SLOTS / WAYS)

/* The first slot of the set for HASH. */
static size_t find_set(uint64_t hash)
{
    return (size_t)(hash % SETS) * WAYS;
}

static uint32_t get_tag(uint64_t hash)
{
    return (uint32_t)(hash >> 32);
}

static uint64_t sum_counts(const struct crier__published_slot *slot)
{
    return (uint64_t)slot->public + slot->private;
}

/* The slot of the topic with HASH, or the one that it is to have. */
static struct crier__published_slot *find_slot(struct crier__published *published,
                                               uint64_t hash)
{
    struct crier__published_slot *set = &published->slots[find_set(hash)], *rarest = set;
    unsigned i;

    for (i = 0; i < WAYS; i++) {
        if (sum_counts(&set[i]) != 0 && set[i].tag == get_tag(hash))
            return &set[i];
        if (sum_counts(&set[i]) < sum_counts(rarest))
            rarest = &set[i];
    }
    *rarest = (struct crier__published_slot){.tag = get_tag(hash)};
    return rarest;
}

void crier__published_add(struct crier__published *published,
                          const struct crier__topics *topics, bool private)
{
    struct crier__published_slot *slot;
    const char *name;

    CRIER__TOPICS_EACH (topics, name) {
        slot = find_slot(published, crier__topic_hash(name));
        if (private)
            slot->private++;
        else
            slot->public++;
    }
}

uint64_t crier__published_get(const struct crier__published *published, const char *name,
                              bool private)
{
    uint64_t hash = crier__topic_hash(name);
    const struct crier__published_slot *set = &published->slots[find_set(hash)];
    unsigned i;

    for (i = 0; i < WAYS; i++)
        if (set[i].tag == get_tag(hash))
            return private ? sum_counts(&set[i]) : set[i].public;
    return 0;
}
