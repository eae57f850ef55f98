/*
 * Reading the journal in memory: what comes after a point, of one topic or of several,
 * and the list of topics.
 *
 * Each topic that is read has a cursor in its ring, and a read takes the entry with the
 * lowest position that any cursor stands before: a merge, so it costs what it gives,
 * however much is held. "*" reads the ring of all. A prefix becomes a cursor for each
 * topic that it matches; if these are too many, it reads the ring of all and skips what
 * it does not match, no more than SKIP_MAX entries in one read.
 *
 * A private update that the reader may not see is skipped like what a prefix does not match;
 * `newest_private` says beyond which position there is none.
 *
 * Readers do not see what is too old, whether or not it has been evicted. (Under "*" only
 * the limit of all topics counts: what is too old for its topic alone is seen there until
 * it is evicted.)
 */
#include <config.h>

#include "memory_read.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* CRIER_SINCE_LAST looks at no more entries, of all selectors together. */
#define LAST_MAX 100000

/* One read has no more cursors, so each selector has one at least. */
#define CURSORS_MAX (2 * CRIER__TOPICS_MAX)

/* How many entries one read skips in the ring of all; and how many of them a private update
 * counts for that grants, of which there may be many, do not match. */
#define SKIP_MAX 4096
#define GRANTS_PRICE 16

/* How many topics one read compares with templates and URL patterns. */
#define ASK_MAX 100000

/* The index of the first entry in RING that is not older than TIME. */
static size_t index_at(const struct crier__ring *ring, int64_t time)
{
    size_t low = 0, high = ring->length, middle, at;

    while (low < high) {
        middle = low + (high - low) / 2;
        for (at = middle; at < high; at++)
            if (crier__ring_at(ring, at)->entry != NULL)
                break;
        if (at == high ||
            crier__ring_at(ring, at)->entry->time >= time)
            high = middle;
        else
            low = at + 1;
    }
    return low;
}

/* ---- cursors ---------------------------------------------------------- */

/* Where a read stands in one ring. */
struct cursor {
    const struct crier__ring *ring;
    const struct crier__selector *filter; /* NULL: a ring of a topic. Else that of all,
                                             of which only what it matches is seen */
    unsigned selector; /* the index of the read's selector */
    size_t first;      /* the first index that is not too old */
    size_t index;
    size_t saved;
};

struct reading {
    struct crier__memory *memory;
    struct crier__read *read;
    int64_t now;
    uint64_t missed[CRIER__TOPICS_MAX]; /* the highest position evicted, by selector */
    unsigned count;
    struct cursor cursors[CURSORS_MAX];
    size_t skips;        /* left to this read */
    size_t asks;         /* likewise */
    uint64_t stopped_at; /* where it has used them up; 0: it has not */
};

static bool is_live(const struct reading *reading, const struct cursor *cursor)
{
    return reading->read->selectors[cursor->selector].live;
}

/* Whether a topic that FILTER matches holds ENTRY, and it is not too old for it. */
static bool entry_matches(const struct reading *reading,
                          const struct crier__selector *filter,
                          const struct crier__entry *entry)
{
    const struct crier__memory_topic *topic;
    unsigned i;

    if (filter->kind == CRIER__ALL)
        return !entry->update->hidden;
    for (i = 0; i < entry->held; i++) {
        topic = entry->topics[i];
        if (crier__selector_matches(filter, topic->name, topic->length) &&
            entry->time >=
                crier__memory_too_old(reading->memory, topic, reading->now))
            return true;
    }
    return false;
}

/* Whether CURSOR sees something at INDEX. */
static bool is_visible(const struct reading *reading,
                       const struct cursor *cursor, size_t index)
{
    const struct crier__slot *slot;

    if (cursor->filter == NULL)
        return true;
    slot = crier__ring_at(cursor->ring, index);
    return slot->entry != NULL &&
           entry_matches(reading, cursor->filter, slot->entry);
}

static void raise_missed(struct reading *reading, unsigned selector,
                         uint64_t position)
{
    if (position > reading->missed[selector])
        reading->missed[selector] = position;
}

static struct cursor *add_cursor(struct reading *reading, unsigned selector,
                                 const struct crier__ring *ring,
                                 const struct crier__memory_topic *topic)
{
    struct cursor *cursor = &reading->cursors[reading->count++];

    *cursor = (struct cursor){.ring = ring, .selector = selector};
    if (reading->memory->journal.policy.ages)
        cursor->first =
            index_at(ring, crier__memory_too_old(reading->memory, topic,
                                                 reading->now));
    return cursor;
}

/* The highest position that TOPIC does not show any more. */
static uint64_t highest_gone(const struct reading *reading,
                             const struct crier__memory_topic *topic)
{
    size_t index;

    if (!reading->memory->journal.policy.ages)
        return topic->evicted;
    index = index_at(&topic->ring, crier__memory_too_old(reading->memory, topic,
                                                         reading->now));
    return index != 0 ? crier__ring_at(&topic->ring, index - 1)->position
                      : topic->evicted;
}

/* Up to which position the reader may miss what TOPIC does not show any more. */
static uint64_t highest_missed(const struct reading *reading,
                               const struct crier__memory_topic *topic)
{
    uint64_t gone = highest_gone(reading, topic);

    return reading->read->grants == NULL && topic->newest_public < gone
               ? topic->newest_public
               : gone;
}

static void open_exact(struct reading *reading, unsigned selector,
                       const struct crier__selector *exact)
{
    struct crier__memory_topic *topic =
        crier__memory_find(reading->memory, exact->text, exact->length);

    if (topic == NULL) {
        raise_missed(reading, selector, reading->memory->forgotten);
        return;
    }
    raise_missed(reading, selector, highest_missed(reading, topic));
    (void)add_cursor(reading, selector, &topic->ring, topic);
}

static void open_all(struct reading *reading, unsigned selector,
                     const struct crier__selector *all)
{
    const struct crier__ring *ring = &reading->memory->all;
    struct cursor *cursor = add_cursor(reading, selector, ring, NULL);
    size_t index = cursor->first;

    cursor->filter = all;
    raise_missed(reading, selector, reading->memory->evicted);
    while (index > 0 && !is_visible(reading, cursor, index - 1))
        index--;
    if (index > 0)
        raise_missed(reading, selector,
                     crier__ring_at(ring, index - 1)->position);
}

/* The topics of a prefix, or of a pattern, as they are found. Those that a read has no asks
 * left for may be among them. */
struct expansion {
    struct reading *reading;
    const struct crier__selector *what;
    unsigned selector;
    unsigned max; /* of the reading's cursors */
    bool too_many;
};

static void open_matched(void *closure, struct crier__name *name)
{
    struct crier__memory_topic *topic = (struct crier__memory_topic *)name;
    struct expansion *expansion = closure;
    struct reading *reading = expansion->reading;

    if (expansion->what->pattern != NULL && reading->asks == 0) {
        raise_missed(reading, expansion->selector, reading->memory->evicted);
        expansion->too_many = true;
        return;
    }
    reading->asks -= expansion->what->pattern != NULL;
    if (expansion->what->pattern != NULL &&
        !crier__selector_matches(expansion->what, topic->name, topic->length))
        return;
    raise_missed(reading, expansion->selector, highest_missed(reading, topic));
    if (topic->ring.length == 0)
        return;
    if (reading->count < expansion->max)
        (void)add_cursor(reading, expansion->selector, &topic->ring, topic);
    else
        expansion->too_many = true;
}

static void open_prefix(struct reading *reading, unsigned selector,
                        const struct crier__selector *prefix)
{
    unsigned others = reading->read->selector_count - selector - 1;
    unsigned before = reading->count;
    struct expansion expansion = {.reading = reading,
                                  .what = prefix,
                                  .selector = selector,
                                  .max = CURSORS_MAX - others};

    /* A topic without a record may have been one of them. */
    raise_missed(reading, selector, reading->memory->forgotten);
    crier__names_each(&reading->memory->names, prefix->text, prefix->length,
                      open_matched, &expansion);
    if (!expansion.too_many)
        return;
    reading->count = before;
    add_cursor(reading, selector, &reading->memory->all, NULL)->filter = prefix;
}

static void open_selector(struct reading *reading, unsigned selector)
{
    const struct crier__selector *what =
        &reading->read->selectors[selector].selector;

    reading->missed[selector] = reading->memory->mirror.renewed;
    switch (what->kind) {
    case CRIER__EXACT:
        open_exact(reading, selector, what);
        break;
    case CRIER__PREFIX:
    case CRIER__TEMPLATE:
    case CRIER__URL_PATTERN:
        open_prefix(reading, selector, what);
        break;
    case CRIER__SHARED: /* no stream has one */
        break;
    case CRIER__ALL:
        open_all(reading, selector, what);
        break;
    }
}

static void seek_cursor(struct cursor *cursor, uint64_t after)
{
    size_t index = crier__ring_after(cursor->ring, after);

    cursor->index = index > cursor->first ? index : cursor->first;
}

/* Moves CURSOR over what it does not see. False when READING has no skips left. */
static bool skip_unseen(struct reading *reading, struct cursor *cursor)
{
    if (cursor->filter == NULL)
        return true;
    while (cursor->index < cursor->ring->length &&
           !is_visible(reading, cursor, cursor->index)) {
        if (reading->skips == 0)
            return false;
        reading->skips--;
        cursor->index++;
    }
    return true;
}

/* The entry with the lowest position that the cursors stand before; they all step over
 * it. NULL at the end, or where a cursor has to stop. */
static struct crier__entry *next_entry(struct reading *reading)
{
    struct cursor *cursor, *end = reading->cursors + reading->count;
    struct crier__slot *slot, *lowest = NULL;
    bool seen = true, lowest_seen = true;

    for (cursor = reading->cursors; cursor < end; cursor++) {
        seen = skip_unseen(reading, cursor);
        if (cursor->index == cursor->ring->length)
            continue;
        slot = crier__ring_at(cursor->ring, cursor->index);
        if (lowest == NULL || slot->position < lowest->position ||
            (slot->position == lowest->position && seen)) {
            lowest = slot;
            lowest_seen = seen;
        }
    }
    if (lowest == NULL)
        return NULL;
    if (!lowest_seen) {
        reading->stopped_at = lowest->position;
        return NULL;
    }
    for (cursor = reading->cursors; cursor < end; cursor++)
        if (cursor->index < cursor->ring->length &&
            crier__ring_at(cursor->ring, cursor->index)->position ==
                lowest->position)
            cursor->index++;
    return lowest->entry;
}

/* The next entry that the reader may see, as next_entry(). */
static struct crier__entry *next_visible(struct reading *reading)
{
    size_t price = reading->read->grants != NULL ? GRANTS_PRICE : 1;
    struct crier__entry *entry;

    while ((entry = next_entry(reading)) != NULL &&
           !crier__update_visible(entry->update, reading->read->grants)) {
        if (reading->skips < price) {
            reading->stopped_at = entry->update->position + 1;
            return NULL;
        }
        reading->skips -= price;
    }
    return entry;
}

/* ---- where a read begins ---------------------------------------------- */

/* Moves CURSOR back to what it sees before its index. False when there is nothing. */
static bool look_back(const struct reading *reading, struct cursor *cursor)
{
    while (cursor->index > cursor->first &&
           !is_visible(reading, cursor, cursor->index - 1))
        cursor->index--;
    return cursor->index > cursor->first;
}

/* Whether the reader may see what SLOT, which is no hole, holds. */
static bool may_see(const struct reading *reading, const struct crier__slot *slot)
{
    return slot->position > reading->memory->newest_private ||
           crier__update_visible(slot->entry->update, reading->read->grants);
}

/* The position before the last NUMBER that the cursors which are not live see. */
static uint64_t before_last(struct reading *reading, uint64_t number)
{
    struct cursor *cursor, *end = reading->cursors + reading->count;
    uint64_t highest = UINT64_MAX;
    const struct crier__slot *slot, *last;
    unsigned rings = reading->count, looks;

    for (cursor = reading->cursors; cursor < end; cursor++)
        cursor->index = is_live(reading, cursor) ? cursor->first
                                                 : cursor->ring->length;
    if (rings < reading->read->selector_count)
        rings = reading->read->selector_count;
    for (looks = LAST_MAX / rings; number > 0 && looks > 0; looks--) {
        last = NULL;
        for (cursor = reading->cursors; cursor < end; cursor++) {
            if (!look_back(reading, cursor))
                continue;
            slot = crier__ring_at(cursor->ring, cursor->index - 1);
            if (last == NULL || slot->position > last->position)
                last = slot;
        }
        if (last == NULL)
            return 0;
        highest = last->position;
        number -= may_see(reading, last);
        for (cursor = reading->cursors; cursor < end; cursor++)
            if (cursor->index > cursor->first &&
                crier__ring_at(cursor->ring, cursor->index - 1)->position ==
                    highest)
                cursor->index--;
    }
    return highest == UINT64_MAX ? highest : highest - 1;
}

bool crier__memory_jumped(const struct crier__memory *memory, uint64_t position)
{
    const struct crier__jump *jump = memory->mirror.jumps;
    unsigned i;

    for (i = 0; i < memory->mirror.jump_count; i++)
        if (position > jump[i].end && position < jump[i].start)
            return true;
    return false;
}

/* Finds the position of the update with the id ID. False when it is not known. */
static bool locate_id(struct crier__memory *memory, const char *id,
                      uint64_t *position)
{
    struct crier__entry *entry;

    if (crier__id_read(id, memory->journal.epoch, position))
        return *position <= memory->last && !crier__memory_jumped(memory, *position);
    HASH_FIND(hh, memory->ids, id, strlen(id), entry);
    if (entry != NULL)
        *position = entry->update->position;
    return entry != NULL;
}

/* Whether READ begins at an id that a mirror does not know, and the journal may: that of an
 * update before its floor, or of one that another process has appended a moment ago. */
static bool must_ask_journal(struct crier__memory *memory, const struct crier__read *read)
{
    uint64_t position;

    if (!memory->mirror.used || !read->resolve || read->since != CRIER_SINCE_ID ||
        locate_id(memory, read->id, &position))
        return false;
    return !crier__id_read(read->id, memory->journal.epoch, &position) ||
           !crier__memory_jumped(memory, position);
}

/* Finds the position after which the selectors that are not live begin. */
static uint64_t resolve_since(struct reading *reading)
{
    struct crier__memory *memory = reading->memory;
    struct crier__read *read = reading->read;
    uint64_t position = 0;
    size_t index;

    switch (read->since) {
    case CRIER_SINCE_ID:
        read->gap = !locate_id(memory, read->id, &position);
        return read->gap ? 0 : position;
    case CRIER_SINCE_LAST:
        return before_last(reading, read->number);
    case CRIER_SINCE_TIME:
        if (read->number >= (uint64_t)reading->now)
            return 0;
        index = index_at(&memory->all, reading->now - (int64_t)read->number);
        return index != 0 ? crier__ring_at(&memory->all, index - 1)->position
                          : 0;
    case CRIER_SINCE_ALL:
    case CRIER_SINCE_NOW:
        break;
    }
    return 0;
}

/* Writes the first id held of what the selectors match. */
static void find_oldest(struct reading *reading)
{
    struct cursor *cursor, *end = reading->cursors + reading->count;
    struct crier__read *read = reading->read;
    struct crier__entry *oldest;

    for (cursor = reading->cursors; cursor < end; cursor++) {
        cursor->saved = cursor->index;
        seek_cursor(cursor, read->selectors[cursor->selector].from);
    }
    reading->skips = SIZE_MAX;
    oldest = next_visible(reading);
    if (oldest != NULL)
        snprintf(read->oldest, sizeof read->oldest, "%s", oldest->update->id);
    for (cursor = reading->cursors; cursor < end; cursor++)
        cursor->index = cursor->saved;
}

/* Whether what lies behind START is in the memory: always, but for a mirror. PAST: only what
 * is gone after read->after counts as a gap. */
static bool reaches_back(const struct reading *reading, uint64_t start, bool past)
{
    const struct crier__mirror *mirror = &reading->memory->mirror;

    return !mirror->used || start >= mirror->floor ||
           (past && mirror->complete && reading->read->after >= mirror->floor);
}

/* Opens the cursors, sets them to where the read begins, and looks for gaps. False when a mirror
 * cannot answer the read. */
static bool begin_read(struct reading *reading)
{
    struct crier__read *read = reading->read;
    bool past = read->resolve && read->since != CRIER_SINCE_ID;
    uint64_t after = read->after, start[CRIER__TOPICS_MAX], missed;
    struct crier__read_selector *selector;
    struct cursor *cursor;
    unsigned i;

    if (must_ask_journal(reading->memory, read))
        return false;
    for (i = 0; i < read->selector_count; i++)
        open_selector(reading, i);
    if (read->resolve)
        after = resolve_since(reading);
    if (past && after > read->after)
        after = read->after;
    for (i = 0; i < read->selector_count; i++) {
        selector = &read->selectors[i];
        start[i] = past && selector->live ? 0 : after;
        if (selector->from > start[i])
            start[i] = selector->from;
        if (!reaches_back(reading, start[i], past))
            return false;
    }
    for (i = 0; i < read->selector_count; i++) {
        selector = &read->selectors[i];
        missed = reading->missed[i];
        if (missed > start[i] && missed > selector->gap_reported_upto &&
            !(past && missed <= read->after))
            read->gap = true;
        if (missed > selector->gap_reported_upto)
            selector->gap_reported_upto = missed;
    }
    for (cursor = reading->cursors; cursor < reading->cursors + reading->count;
         cursor++)
        seek_cursor(cursor, start[cursor->selector]);
    if (read->gap)
        find_oldest(reading);
    return true;
}

/* ---- read ------------------------------------------------------------- */

bool crier__memory_answer(struct crier__memory *memory, struct crier__read *read)
{
    struct reading reading;
    struct crier__entry *entry = NULL;
    size_t bytes = 0;

    read->error = 0;
    read->gap = read->end = false;
    read->oldest[0] = '\0';
    read->count = 0;
    read->reached = read->after;
    reading.memory = memory;
    reading.read = read;
    reading.now = crier__memory_now(memory);
    reading.count = 0;
    reading.skips = 0;
    reading.asks = ASK_MAX;
    if (!begin_read(&reading))
        return false;
    reading.skips = SKIP_MAX;
    reading.stopped_at = 0;
    while (read->count < CRIER__READ_MAX &&
           (read->count == 0 || bytes < read->max_bytes) &&
           (entry = next_visible(&reading)) != NULL) {
        bytes += entry->update->frame->length;
        read->reached = entry->update->position;
        read->updates[read->count++] = crier__update_ref(entry->update);
    }
    if (reading.stopped_at != 0) {
        read->reached = reading.stopped_at - 1;
    } else if (read->count < CRIER__READ_MAX && entry == NULL) {
        read->end = true;
        read->reached =
            memory->last > read->after ? memory->last : read->after;
    }
    return true;
}

void crier__memory_read(struct crier_journal *journal,
                        struct crier__read *read)
{
    struct crier__memory *memory = (struct crier__memory *)journal;

    pthread_mutex_lock(&memory->lock);
    (void)crier__memory_answer(memory, read);
    pthread_mutex_unlock(&memory->lock);
    read->done(read);
}

/* ---- list ------------------------------------------------------------- */

static void describe_held(const struct crier__memory_topic *topic,
                          struct crier__topic_info *info)
{
    const struct crier__ring *ring = &topic->ring;
    const struct crier__entry *first = crier__ring_at(ring, 0)->entry;
    const struct crier__entry *last =
        crier__ring_at(ring, ring->length - 1)->entry;

    memcpy(info->name, topic->name, topic->length + 1);
    info->count = ring->length;
    info->bytes = topic->bytes;
    snprintf(info->first, sizeof info->first, "%s", first->update->id);
    snprintf(info->last, sizeof info->last, "%s", last->update->id);
    info->first_time = first->time;
    info->time = last->time;
    info->ended = last->update->last;
}

/* How many topics a list looks at before others may use the journal. */
#define LIST_STEP 256

/* Lets others lock MEMORY. Returns the first name after that of NAME, which may be gone
 * then. */
static struct crier__name *pause_list(struct crier__memory *memory,
                                      const struct crier__name *name)
{
    char text[CRIER__TOPIC_SIZE];

    snprintf(text, sizeof text, "%s", name->text);
    pthread_mutex_unlock(&memory->lock);
    sched_yield();
    pthread_mutex_lock(&memory->lock);
    return crier__names_after(&memory->names, text);
}

static void fill_list(struct crier__memory *memory, struct crier__list *list)
{
    unsigned looked = 0;
    const struct crier__selector *lowest =
        crier__selectors_lowest(list->selectors);
    struct crier__name *name = crier__names_after(&memory->names, list->after);
    struct crier__memory_topic *topic;

    if (strncmp(list->after, lowest->text, lowest->length) < 0)
        name = crier__names_from(&memory->names, lowest->text, lowest->length);
    for (; name != NULL && list->count < list->limit &&
           !crier__selectors_behind(list->selectors, name->text);
         name = ++looked % LIST_STEP == 0
                    ? pause_list(memory, name)
                    : crier__names_after(&memory->names, name->text)) {
        topic = (struct crier__memory_topic *)name;
        if (topic->ring.length != 0 && crier__list_wants(list, name->text) &&
            (topic->newest_private <= topic->evicted ||
             crier__list_shows_private(list, name->text)))
            describe_held(topic, &list->infos[list->count++]);
    }
}

void crier__memory_list(struct crier_journal *journal,
                        struct crier__list *list)
{
    struct crier__memory *memory = (struct crier__memory *)journal;

    list->count = 0;
    list->error = 0;
    pthread_mutex_lock(&memory->lock);
    crier__memory_evict_old(memory, crier__memory_now(memory));
    fill_list(memory, list);
    pthread_mutex_unlock(&memory->lock);
    list->done(list);
}
