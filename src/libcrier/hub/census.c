/*
 * The census: how many streams of all nodes that share the journal subscribe to each
 * selector.
 *
 * A change of a count marks the entry in the directory; the journal takes the marked ones
 * when it likes, many at a time, and then says the totals of all nodes. What other nodes
 * have is the total without what the journal has of this node (`reported`), and so it is
 * right again as soon as the last total has come, whatever was on its way meanwhile.
 *
 * A count that was taken may be lost on its way. So its entry stays until it is counted, and
 * the journal asks for all counts when it does not know what has become of the last ones.
 *
 * Totals come from two sources: one by one as they change, and from a reading of all. An
 * answer of the reading may be older than a change that has come already, so `heard` says
 * which entries have a newer total, also those that are 0 by now: they stay until the
 * reading is over.
 *
 * A text that a node shares (crier_hub_share()) is counted as a selector is which matches
 * nothing. So it comes to all nodes, and goes with its own.
 *
 * The hub's lock guards all this. Rejected: `elsewhere` as a number in the entry, which is
 * wrong for good when a total comes before this node knows that its own count was part of
 * it.
 */
#include <config.h>

#include "census.h"

#include "directory.h"
#include "presence.h"

#include "base/buffer.h"

#include <errno.h>
#include <stdlib.h>
#include <utlist.h>

/* ---- this node's counts ----------------------------------------------- */

/* Calls USE for each entry, which it may free. */
static void walk_entries(struct crier_hub *hub,
                         void (*use)(struct crier_hub *hub,
                                     struct crier__directory_entry *entry))
{
    struct crier__index *index = &hub->directory.index;
    struct crier__index_entry *entry, *next;

    HASH_ITER (hh, index->entries, entry, next)
        use(hub, (struct crier__directory_entry *)entry);
    HASH_ITER (hh, index->compiled, entry, next)
        use(hub, (struct crier__directory_entry *)entry);
    HASH_ITER (hh, index->shared, entry, next)
        use(hub, (struct crier__directory_entry *)entry);
}

/* Marks ENTRY if this node has, or the journal may have of it, something to count. */
static void mark_counted(struct crier_hub *hub, struct crier__directory_entry *entry)
{
    struct crier__census_entry *census = entry->census;

    if (entry->staying != 0 || census->reported != 0 || census->taken)
        crier__directory_mark(hub, entry);
    census->taken = false;
    crier__directory_settle(hub, entry);
}

/* Has ENTRY taken; false when its selector cannot be written down, and is not counted. */
static bool take_entry(struct crier_hub *hub, struct crier__census_entry *entry,
                       void (*take)(void *context, const char *selector, size_t count),
                       void *context)
{
    struct crier__census *census = hub->directory.census;
    char text[CRIER__SELECTOR_SIZE];

    DL_DELETE(census->changed, entry);
    entry->changed = false;
    if (!crier__selector_write(&entry->entry->entry.selector, text)) {
        crier__directory_settle(hub, entry->entry);
        return false;
    }
    entry->taken = true;
    entry->told = false;
    entry->sent = entry->entry->staying;
    census->taken[census->taken_count++] = entry;
    take(context, text, entry->sent);
    return true;
}

static size_t take_counts(void *closure, bool all,
                          void (*take)(void *context, const char *selector,
                                       size_t count),
                          void *context)
{
    struct crier_hub *hub = closure;
    struct crier__census *census = hub->directory.census;
    struct crier__census_entry *entry;
    size_t count = 0;

    pthread_mutex_lock(&hub->lock);
    if (all) {
        census->taken_count = 0;
        walk_entries(hub, mark_counted);
    }
    if (census->taken_count == 0) /* otherwise the last ones are not counted yet */
        while ((entry = census->changed) != NULL && count < CRIER__COUNTS_MAX)
            count += take_entry(hub, entry, take, context);
    pthread_mutex_unlock(&hub->lock);
    return count;
}

static void count_taken(void *closure, const size_t *totals)
{
    struct crier_hub *hub = closure;
    struct crier__census *census = hub->directory.census;
    struct crier__census_entry *entry;
    size_t i;

    pthread_mutex_lock(&hub->lock);
    for (i = 0; i < census->taken_count; i++) {
        entry = census->taken[i];
        entry->taken = false;
        entry->reported = entry->sent;
        if (!entry->told)
            entry->total = totals[i];
        crier__directory_settle(hub, entry->entry);
    }
    census->taken_count = 0;
    pthread_mutex_unlock(&hub->lock);
}

/* ---- totals ----------------------------------------------------------- */

/* The entry of SELECTOR that is to have TOTAL, or NULL when that is not to be noted. */
static struct crier__directory_entry *
find_counted(struct crier_hub *hub, const struct crier__selector *selector, size_t total,
             bool read)
{
    const struct crier__census *census = hub->directory.census;
    struct crier__directory_entry *entry = crier__directory_find(hub, selector);

    if (entry != NULL)
        return read && entry->census->heard == census->readings ? NULL : entry;
    if ((total == 0 && (read || !census->reading)) ||
        crier__census_is_full(census))
        return NULL;
    return crier__directory_get(hub, selector);
}

static void note_total(void *closure, const char *text, size_t total, bool read)
{
    struct crier_hub *hub = closure;
    struct crier__directory_entry *entry;
    struct crier__selector selector;
    char copy[CRIER__SELECTOR_SIZE];
    size_t length = strnlen(text, sizeof copy);

    if (length == sizeof copy)
        return;
    memcpy(copy, text, length + 1);
    if (crier__selector_read(&selector, copy) != 0)
        return;
    pthread_mutex_lock(&hub->lock);
    entry = find_counted(hub, &selector, total, read);
    if (entry != NULL) {
        entry->census->total = total;
        entry->census->told = true;
        entry->census->heard = hub->directory.census->readings;
        crier__directory_settle(hub, entry);
    }
    pthread_mutex_unlock(&hub->lock);
    crier__selector_done(&selector);
}

static void begin_totals(void *closure)
{
    struct crier_hub *hub = closure;

    pthread_mutex_lock(&hub->lock);
    hub->directory.census->readings++;
    hub->directory.census->reading = true;
    pthread_mutex_unlock(&hub->lock);
}

/* Forgets the total of ENTRY if it has not been heard of since the reading began. */
static void end_reading(struct crier_hub *hub, struct crier__directory_entry *entry)
{
    if (entry->census->heard != hub->directory.census->readings)
        entry->census->total = 0;
    crier__directory_settle(hub, entry);
}

static void end_totals(void *closure)
{
    struct crier_hub *hub = closure;

    pthread_mutex_lock(&hub->lock);
    hub->directory.census->reading = false;
    walk_entries(hub, end_reading);
    pthread_mutex_unlock(&hub->lock);
}

static size_t count_streams(void *closure)
{
    return crier_shards_count(((struct crier_hub *)closure)->shards);
}

/* ---- texts ------------------------------------------------------------ */

/* Makes *SHARED the text TEXT. CRIER_ERR_NULL, CRIER_ERR_FORKED, CRIER_ERR_INVALID. */
static int init_shared(struct crier__selector *shared, const struct crier_hub *hub,
                       const char *text)
{
    if (hub == NULL || text == NULL)
        return CRIER_ERR_NULL;
    if (crier__forked(hub->born))
        return CRIER_ERR_FORKED;
    *shared = (struct crier__selector){.kind = CRIER__SHARED, .text = text};
    return crier__selector_may_share(text) ? 0 : CRIER_ERR_INVALID;
}

int crier_hub_share(struct crier_hub *hub, const char *text)
{
    struct crier__selector shared;
    int error = init_shared(&shared, hub, text);

    if (error != 0 || hub->directory.census == NULL)
        return error;
    return crier__directory_share(hub, &shared);
}

void crier_hub_unshare(struct crier_hub *hub, const char *text)
{
    struct crier__selector shared;

    if (init_shared(&shared, hub, text) == 0 && hub->directory.census != NULL)
        crier__directory_unshare(hub, &shared);
}

/* Appends the texts of other processes to TEXTS, each with its NUL. */
static int copy_shared(struct crier_hub *hub, struct crier__buffer *texts)
{
    struct crier__index_entry *entry, *next;
    int error = 0;

    pthread_mutex_lock(&hub->lock);
    HASH_ITER (hh, hub->directory.index.shared, entry, next)
        if (error == 0 &&
            crier__directory_elsewhere((struct crier__directory_entry *)entry) != 0)
            error = crier__buffer_add(texts, entry->selector.text,
                                      strlen(entry->selector.text) + 1);
    pthread_mutex_unlock(&hub->lock);
    return error;
}

int crier_hub_shared(struct crier_hub *hub, void (*use)(void *closure, const char *text),
                     void *closure)
{
    struct crier__buffer texts = {.max = 2 * CRIER__REMOTE_BYTES};
    const char *text;
    int error;

    if (hub == NULL || use == NULL)
        return CRIER_ERR_NULL;
    if (crier__forked(hub->born))
        return CRIER_ERR_FORKED;
    error = copy_shared(hub, &texts);
    for (text = texts.bytes; error == 0 && text < texts.bytes + texts.length;
         text += strlen(text) + 1)
        use(closure, text);
    crier__buffer_done(&texts);
    return error;
}

/* ---- start and end ---------------------------------------------------- */

int crier__census_init(struct crier_hub *hub)
{
    struct crier_journal *journal = hub->journal;

    if (!journal->ops->shared)
        return 0;
    hub->directory.census = calloc(1, sizeof *hub->directory.census);
    if (hub->directory.census == NULL)
        return -ENOMEM;
    journal->take_counts = take_counts;
    journal->counted = count_taken;
    journal->total = note_total;
    journal->begin_totals = begin_totals;
    journal->end_totals = end_totals;
    journal->departed = crier__presence_departed;
    journal->streams = count_streams;
    return 0;
}

void crier__census_close(struct crier_hub *hub)
{
    if (hub->directory.census == NULL)
        return;
    pthread_mutex_lock(&hub->lock);
    hub->directory.census->closed = true;
    pthread_mutex_unlock(&hub->lock);
}

static void free_entry(struct crier_hub *hub, struct crier__directory_entry *entry)
{
    crier__index_remove(&hub->directory.index, &entry->entry);
    free(entry);
}

void crier__census_done(struct crier_hub *hub)
{
    if (hub->directory.census == NULL)
        return;
    walk_entries(hub, free_entry);
    free(hub->directory.census);
}
