/*
 * The directory: how many streams subscribe to each selector, and on which shards. The
 * hub's lock guards it.
 *
 * Where nodes share the journal, an entry also has what is known of the other nodes'
 * streams (census.c). It stays as long as there are such, or while the journal has not got
 * this node's last count of it.
 */
#include <config.h>

#include "directory.h"

#include "subscription.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* ---- entries ---------------------------------------------------------- */

struct crier__directory_entry *
crier__directory_find(const struct crier_hub *hub,
                      const struct crier__selector *selector)
{
    return (struct crier__directory_entry *)crier__index_get(
        &hub->directory.index, selector);
}

/* A new entry of SELECTOR, which is in no index. NULL when memory is short. */
static struct crier__directory_entry *
new_entry(const struct crier_hub *hub, const struct crier__selector *selector)
{
    struct crier__directory_entry *entry;
    size_t size = sizeof *entry + hub->shard_count * sizeof entry->active[0];
    size_t more = hub->directory.census != NULL ? sizeof *entry->census : 0;

    entry = calloc(1, size + more + strlen(selector->text) + 1);
    if (entry == NULL)
        return NULL;
    if (more != 0) {
        entry->census = (struct crier__census_entry *)((char *)entry + size);
        entry->census->entry = entry;
    }
    crier__index_copy(&entry->entry.selector, selector, (char *)entry + size + more);
    return entry;
}

struct crier__directory_entry *
crier__directory_get(struct crier_hub *hub, const struct crier__selector *selector)
{
    struct crier__directory_entry *entry = crier__directory_find(hub, selector);

    if (entry != NULL)
        return entry;
    entry = new_entry(hub, selector);
    if (entry == NULL || crier__index_add(&hub->directory.index, &entry->entry) == 0)
        return entry;
    free(entry);
    return NULL;
}

/* Whether the journal needs ENTRY, which has a census, though no stream here does; or
 * streams of other nodes do. */
static bool is_kept(struct crier__census *census, struct crier__census_entry *entry,
                    bool used)
{
    size_t length = strlen(entry->entry->entry.selector.text);
    bool kept = used || entry->changed || entry->taken, remote;

    remote = !kept && (crier__directory_elsewhere(entry->entry) != 0 ||
                       (census->reading && entry->heard == census->readings)) &&
             (entry->remote || !crier__census_is_full(census));
    census->remote += remote;
    census->remote -= entry->remote;
    census->remote_bytes += remote * length;
    census->remote_bytes -= entry->remote * length;
    entry->remote = remote;
    return kept || remote;
}

void crier__directory_settle(struct crier_hub *hub,
                             struct crier__directory_entry *entry)
{
    bool used = entry->count != 0 || entry->changing != 0;

    if (entry->census != NULL)
        used = is_kept(hub->directory.census, entry->census, used);
    if (used)
        return;
    crier__index_remove(&hub->directory.index, &entry->entry);
    free(entry);
}

void crier__directory_mark(struct crier_hub *hub,
                           struct crier__directory_entry *entry)
{
    struct crier__census *census = hub->directory.census;
    bool first = census->changed == NULL;

    if (entry->census->changed)
        return;
    entry->census->changed = true;
    DL_APPEND(census->changed, entry->census);
    if (first && !census->closed)
        hub->journal->ops->counts_changed(hub->journal);
}

/* ---- counting --------------------------------------------------------- */

/* What one subscriber counts for each of its selectors. */
struct weight {
    size_t count, staying, changing, active;
};

static struct weight weight_of(bool once, bool active)
{
    return (struct weight){.count = 1, .staying = !once, .active = active};
}

static const struct weight changing = {.changing = 1, .active = 1};

/* ENTRY has changed by WEIGHT. */
static void note_change(struct crier_hub *hub, struct crier__directory_entry *entry,
                        struct weight weight)
{
    if (entry->census != NULL && weight.staying != 0)
        crier__directory_mark(hub, entry);
    crier__directory_settle(hub, entry);
}

/* Subtracts WEIGHT from the first COUNT of SELECTORS, and frees entries that nobody
 * subscribes to. */
static void subtract_weight(struct crier_hub *hub,
                            const struct crier__selectors *selectors,
                            unsigned count, unsigned index,
                            struct weight weight)
{
    struct crier__directory_entry *entry;
    unsigned i;

    for (i = 0; i < count; i++) {
        entry = crier__directory_find(hub, &selectors->items[i]);
        entry->count -= weight.count;
        entry->staying -= weight.staying;
        entry->changing -= weight.changing;
        entry->active[index] -= weight.active;
        note_change(hub, entry, weight);
    }
}

/* Adds WEIGHT to each of SELECTORS. -ENOMEM; nothing is added then. */
static int add_weight(struct crier_hub *hub,
                      const struct crier__selectors *selectors, unsigned index,
                      struct weight weight)
{
    struct crier__directory_entry *entry;
    unsigned i;

    for (i = 0; i < selectors->count; i++) {
        entry = crier__directory_get(hub, &selectors->items[i]);
        if (entry == NULL) {
            subtract_weight(hub, selectors, i, index, weight);
            return -ENOMEM;
        }
        entry->count += weight.count;
        entry->staying += weight.staying;
        entry->changing += weight.changing;
        entry->active[index] += weight.active;
        note_change(hub, entry, weight);
    }
    return 0;
}

/* Makes SELECTORS, which all have entries, share the patterns of those. */
static void share_patterns(struct crier_hub *hub,
                           struct crier__selectors *selectors)
{
    unsigned i;

    for (i = 0; i < selectors->count; i++)
        if (selectors->items[i].pattern != NULL)
            crier__index_share(&crier__directory_find(hub, &selectors->items[i])->entry,
                               &selectors->items[i]);
}

int crier__directory_enter(struct crier_hub *hub,
                           struct crier__selectors *selectors,
                           unsigned index, bool once, uint64_t *now)
{
    int error;

    pthread_mutex_lock(&hub->lock);
    error = add_weight(hub, selectors, index, weight_of(once, true));
    if (error == 0)
        share_patterns(hub, selectors);
    *now = hub->last;
    pthread_mutex_unlock(&hub->lock);
    return error;
}

void crier__directory_leave(struct crier_hub *hub,
                            const struct crier__selectors *selectors,
                            unsigned index, bool once, bool active)
{
    pthread_mutex_lock(&hub->lock);
    subtract_weight(hub, selectors, selectors->count, index,
                    weight_of(once, active));
    pthread_mutex_unlock(&hub->lock);
}

int crier__directory_begin_change(struct crier_hub *hub,
                                  struct crier__selectors *selectors,
                                  unsigned index, struct crier__change *change,
                                  uint64_t *after)
{
    struct crier__hub_shard *shard = &hub->per_shard[index];
    bool post = false;
    int error;

    pthread_mutex_lock(&hub->lock);
    error = add_weight(hub, selectors, index, changing);
    if (error == 0) {
        share_patterns(hub, selectors);
        *after = hub->last;
        DL_APPEND(shard->changes, change);
        post = !shard->posted;
        shard->posted = true;
    }
    pthread_mutex_unlock(&hub->lock);
    if (post)
        crier__shard_post(shard->shard, &shard->deliver);
    return error;
}

void crier__directory_end_change(struct crier_hub *hub,
                                 const struct crier__selectors *selectors,
                                 const struct crier__selectors *old,
                                 unsigned index, bool once, bool active)
{
    struct weight weight = weight_of(once, active);

    pthread_mutex_lock(&hub->lock);
    if (old != NULL) { /* all entries exist, so it cannot fail */
        (void)add_weight(hub, selectors, index, weight);
        subtract_weight(hub, old, old->count, index, weight);
    }
    subtract_weight(hub, selectors, selectors->count, index, changing);
    pthread_mutex_unlock(&hub->lock);
}

static const struct weight one_active = {.active = 1};

void crier__directory_pause(struct crier_hub *hub,
                            const struct crier__selectors *selectors,
                            unsigned index)
{
    pthread_mutex_lock(&hub->lock);
    subtract_weight(hub, selectors, selectors->count, index, one_active);
    pthread_mutex_unlock(&hub->lock);
}

void crier__directory_resume(struct crier_hub *hub,
                             const struct crier__selectors *selectors,
                             unsigned index, uint64_t *now)
{
    pthread_mutex_lock(&hub->lock);
    (void)add_weight(hub, selectors, index, one_active); /* likewise */
    *now = hub->last;
    pthread_mutex_unlock(&hub->lock);
}

int crier__directory_share(struct crier_hub *hub, const struct crier__selector *shared)
{
    struct crier__directory_entry *entry;

    pthread_mutex_lock(&hub->lock);
    entry = crier__directory_get(hub, shared);
    if (entry != NULL) {
        entry->count++;
        entry->staying++;
        note_change(hub, entry, weight_of(false, false));
    }
    pthread_mutex_unlock(&hub->lock);
    return entry != NULL ? 0 : -ENOMEM;
}

void crier__directory_unshare(struct crier_hub *hub,
                              const struct crier__selector *shared)
{
    struct crier__directory_entry *entry;

    pthread_mutex_lock(&hub->lock);
    entry = crier__directory_find(hub, shared);
    if (entry != NULL && entry->staying != 0) {
        entry->count--;
        entry->staying--;
        note_change(hub, entry, weight_of(false, false));
    }
    pthread_mutex_unlock(&hub->lock);
}

/* ---- questions -------------------------------------------------------- */

/* The destination as its entries are found. */
struct finding {
    struct crier__destination destination;
    unsigned shard_count;
};

static void add_entry(void *closure, struct crier__index_entry *found)
{
    const struct crier__directory_entry *entry =
        (struct crier__directory_entry *)found;
    struct finding *finding = closure;
    unsigned shard;

    finding->destination.subscribers +=
        entry->count + crier__directory_elsewhere(entry);
    for (shard = 0; shard < finding->shard_count; shard++)
        if (entry->active[shard] != 0)
            finding->destination.shards |= (uint64_t)1 << shard;
}

struct crier__destination
crier__directory_match(struct crier_hub *hub,
                       const struct crier__update *update)
{
    struct finding finding = {.shard_count = hub->shard_count};

    crier__index_match(&hub->directory.index, update->topics, update->hidden,
                       add_entry, &finding);
    return finding.destination;
}

/* How many subscribers of SELECTOR stay: here, and with ALL on the other nodes, too. */
static size_t count_staying(struct crier_hub *hub,
                            const struct crier__selector *selector, bool all)
{
    const struct crier__directory_entry *entry;
    size_t count = 0;

    pthread_mutex_lock(&hub->lock);
    entry = crier__directory_find(hub, selector);
    if (entry != NULL)
        count = entry->staying + (all ? crier__directory_elsewhere(entry) : 0);
    pthread_mutex_unlock(&hub->lock);
    return count;
}

size_t crier__directory_count(struct crier_hub *hub, const char *name)
{
    const struct crier__selector exact = {.kind = CRIER__EXACT, .text = name};

    return count_staying(hub, &exact, true);
}

size_t crier__directory_count_own(struct crier_hub *hub, const char *name)
{
    const struct crier__selector exact = {.kind = CRIER__EXACT, .text = name};

    return count_staying(hub, &exact, false);
}

void crier__directory_appended(struct crier_hub *hub, const char *name, size_t count)
{
    const struct crier__selector exact = {
        .kind = CRIER__EXACT, .length = (unsigned)strlen(name), .text = name};
    struct crier__directory_entry *entry;

    pthread_mutex_lock(&hub->lock);
    entry = count != 0 ? crier__directory_get(hub, &exact)
                       : crier__directory_find(hub, &exact);
    if (entry != NULL) {
        entry->census->reported = count;
        /* A later count may have overtaken this one. */
        if (entry->staying != count)
            crier__directory_mark(hub, entry);
        crier__directory_settle(hub, entry);
    }
    pthread_mutex_unlock(&hub->lock);
}

size_t crier_hub_count(struct crier_hub *hub, const char *topic)
{
    struct crier__selector selector;
    size_t count;

    if (hub == NULL || topic == NULL || crier__forked(hub->born) ||
        crier__selector_init(&selector,
                             &(struct crier_selector){.text = topic}) != 0)
        return 0;
    count = count_staying(hub, &selector, true);
    crier__selector_done(&selector);
    return count;
}
