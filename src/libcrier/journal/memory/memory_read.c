/*
 * Reading the journal in memory: what comes after a point, of one topic or of
 * several, and what there is.
 *
 * Each selector has a cursor in the ring of its topic, and a read takes the entry
 * with the lowest position that any of them stands before: a merge, so it costs
 * what it gives, however much is held. "*" reads the ring of all.
 *
 * What is too old is not seen, whether or not it has been taken away. (Under "*"
 * that is meant by the limit of all; what is too old for its topic alone is seen
 * there until it is taken away.)
 */
#include <config.h>

#include "memory_read.h"

#include "libcrier/wire/topic.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* No more are looked at for CRIER_SINCE_LAST, of all selectors together. */
#define LAST_MAX 100000

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

/* ---- read ------------------------------------------------------------- */

/* Where a read stands in what one selector means. */
struct cursor {
    const struct crier__ring *ring; /* NULL: nothing is held */
    size_t first;                   /* the first that is not too old */
    size_t index;
    bool all; /* ring is that of all: holes and hidden ones to be skipped */
    bool live;
    uint64_t from;
    uint64_t missed; /* the highest position that is not held any more */
    size_t begin;    /* where index was set at first */
};

/* Whether there is something to be seen at INDEX. */
static bool visible(const struct cursor *cursor, size_t index)
{
    const struct crier__slot *slot = crier__ring_at(cursor->ring, index);

    return !cursor->all ||
           (slot->entry != NULL && !slot->entry->update->hidden);
}

static void open_cursor(struct crier__memory *memory, struct cursor *cursor,
                        const struct crier__selector *selector, int64_t now)
{
    struct crier__memory_topic *topic = NULL;
    size_t index;

    memset(cursor, 0, sizeof *cursor);
    cursor->live = selector->live;
    cursor->from = selector->from;
    cursor->all = strcmp(selector->topic, "*") == 0;
    if (cursor->all) {
        cursor->ring = &memory->all;
        cursor->missed = memory->evicted;
    } else {
        topic = crier__memory_find(memory, selector->topic,
                                   strlen(selector->topic));
        cursor->missed = topic != NULL ? topic->evicted : memory->forgotten;
        cursor->ring = topic != NULL ? &topic->ring : NULL;
    }
    if (cursor->ring == NULL || !memory->journal.ages)
        return;
    cursor->first =
        index_at(cursor->ring, crier__memory_too_old(memory, topic, now));
    for (index = cursor->first; index > 0; index--)
        if (visible(cursor, index - 1))
            break;
    if (index != 0 &&
        crier__ring_at(cursor->ring, index - 1)->position > cursor->missed)
        cursor->missed = crier__ring_at(cursor->ring, index - 1)->position;
}

static void seek(struct cursor *cursor, uint64_t after)
{
    size_t index;

    if (cursor->ring == NULL)
        return;
    index = crier__ring_after(cursor->ring, after);
    cursor->index = index > cursor->first ? index : cursor->first;
}

/* The entry with the lowest position that the cursors stand before; they all step
 * over it. NULL at the end. */
static struct crier__entry *next_entry(struct cursor *cursors, unsigned count)
{
    struct crier__slot *slot, *lowest = NULL;
    struct cursor *cursor;

    for (cursor = cursors; cursor < cursors + count; cursor++) {
        if (cursor->ring == NULL)
            continue;
        while (cursor->index < cursor->ring->length &&
               !visible(cursor, cursor->index))
            cursor->index++;
        if (cursor->index == cursor->ring->length)
            continue;
        slot = crier__ring_at(cursor->ring, cursor->index);
        if (lowest == NULL || slot->position < lowest->position)
            lowest = slot;
    }
    if (lowest == NULL)
        return NULL;
    for (cursor = cursors; cursor < cursors + count; cursor++)
        if (cursor->ring != NULL && cursor->index < cursor->ring->length &&
            crier__ring_at(cursor->ring, cursor->index)->position ==
                lowest->position)
            cursor->index++;
    return lowest->entry;
}

/* The position before the last NUMBER that the cursors mean. */
static uint64_t before_last(struct cursor *cursors, unsigned count,
                            uint64_t number)
{
    uint64_t highest = UINT64_MAX, position;
    struct cursor *cursor;

    for (cursor = cursors; cursor < cursors + count; cursor++)
        cursor->index = cursor->ring != NULL ? cursor->ring->length : 0;
    if (number > LAST_MAX / count)
        number = LAST_MAX / count;
    while (number-- > 0) {
        highest = 0;
        for (cursor = cursors; cursor < cursors + count; cursor++) {
            if (cursor->live)
                continue;
            while (cursor->index > cursor->first &&
                   !visible(cursor, cursor->index - 1))
                cursor->index--;
            if (cursor->index == cursor->first)
                continue;
            position =
                crier__ring_at(cursor->ring, cursor->index - 1)->position;
            if (position > highest)
                highest = position;
        }
        if (highest == 0)
            return 0;
        for (cursor = cursors; cursor < cursors + count; cursor++)
            if (!cursor->live && cursor->index > cursor->first &&
                crier__ring_at(cursor->ring, cursor->index - 1)->position ==
                    highest)
                cursor->index--;
    }
    return highest == UINT64_MAX ? highest : highest - 1;
}

/* The position of the update with the id ID; false when it is not known. */
static bool locate(struct crier__memory *memory, const char *id,
                   uint64_t *position)
{
    struct crier__entry *entry;

    if (crier__id_read(id, memory->journal.epoch, position))
        return *position <= memory->last;
    HASH_FIND(hh, memory->ids, id, strlen(id), entry);
    if (entry != NULL)
        *position = entry->update->position;
    return entry != NULL;
}

/* Writes the first id that is held of what READ means. */
static void tell_oldest(struct crier__read *read, struct cursor *cursors)
{
    unsigned count = read->selector_count, i;
    struct crier__entry *oldest;

    for (i = 0; i < count; i++) {
        cursors[i].begin = cursors[i].index;
        seek(&cursors[i], cursors[i].from);
    }
    oldest = next_entry(cursors, count);
    if (oldest != NULL)
        snprintf(read->oldest, sizeof read->oldest, "%s", oldest->update->id);
    for (i = 0; i < count; i++)
        cursors[i].index = cursors[i].begin;
}

/* Finds where READ begins. */
static uint64_t resolve(struct crier__memory *memory, struct crier__read *read,
                        struct cursor *cursors, int64_t now)
{
    uint64_t position = 0;
    size_t index;

    switch (read->since) {
    case CRIER_SINCE_ID:
        read->gap = !locate(memory, read->id, &position);
        return read->gap ? 0 : position;
    case CRIER_SINCE_LAST:
        return before_last(cursors, read->selector_count, read->number);
    case CRIER_SINCE_TIME:
        if (read->number >= (uint64_t)now)
            return 0;
        index = index_at(&memory->all, now - (int64_t)read->number);
        return index != 0 ? crier__ring_at(&memory->all, index - 1)->position
                          : 0;
    case CRIER_SINCE_ALL:
    case CRIER_SINCE_NOW:
        break;
    }
    return 0;
}

/* Sets CURSORS to where READ begins. */
static void begin(struct crier__memory *memory, struct crier__read *read,
                  struct cursor *cursors)
{
    bool past = read->resolve && read->since != CRIER_SINCE_ID;
    int64_t now = crier__memory_now(memory);
    uint64_t after = read->after, start, *told;
    struct cursor *cursor;
    unsigned i;

    for (i = 0; i < read->selector_count; i++)
        open_cursor(memory, &cursors[i], &read->selectors[i], now);
    if (read->resolve)
        after = resolve(memory, read, cursors, now);
    if (past && after > read->after)
        after = read->after;
    for (cursor = cursors; cursor < cursors + i; cursor++) {
        start = past && cursor->live ? 0 : after;
        if (cursor->from > start)
            start = cursor->from;
        told = &read->selectors[cursor - cursors].told;
        if (cursor->missed > start && cursor->missed > *told &&
            !(past && cursor->missed <= read->after))
            read->gap = true;
        if (cursor->missed > *told)
            *told = cursor->missed;
        seek(cursor, start);
    }
    if (read->gap)
        tell_oldest(read, cursors);
}

static void collect(struct crier__memory *memory, struct crier__read *read)
{
    struct cursor cursors[CRIER__TOPICS_MAX];
    struct crier__entry *entry = NULL;
    size_t bytes = 0;

    begin(memory, read, cursors);
    while (read->count < CRIER__READ_MAX &&
           (read->count == 0 || bytes < read->max_bytes) &&
           (entry = next_entry(cursors, read->selector_count)) != NULL) {
        bytes += entry->update->frame->length;
        read->reached = entry->update->position;
        read->updates[read->count++] = crier__update_ref(entry->update);
    }
    if (read->count < CRIER__READ_MAX && entry == NULL) {
        read->end = true;
        read->reached =
            memory->last > read->after ? memory->last : read->after;
    }
}

void crier__memory_read(struct crier_journal *journal,
                        struct crier__read *read)
{
    struct crier__memory *memory = (struct crier__memory *)journal;

    read->error = 0;
    read->gap = read->end = false;
    read->oldest[0] = '\0';
    read->count = 0;
    read->reached = read->after;
    pthread_mutex_lock(&memory->lock);
    collect(memory, read);
    pthread_mutex_unlock(&memory->lock);
    read->done(read);
}

/* ---- list -------------------------------------------------- */

static void describe(const struct crier__memory_topic *topic,
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
    info->time = last->time;
}

void crier__memory_list(struct crier_journal *journal,
                        struct crier__list *list)
{
    struct crier__memory *memory = (struct crier__memory *)journal;
    struct crier__named *found = calloc(list->limit, sizeof *found);
    struct crier__memory_topic *topic, *next;
    unsigned i;

    list->count = 0;
    list->error = found == NULL ? -ENOMEM : 0;
    if (found != NULL) {
        pthread_mutex_lock(&memory->lock);
        crier__memory_evict_old(memory, crier__memory_now(memory));
        HASH_ITER (hh, memory->topics, topic, next)
            if (topic->ring.length != 0 && crier__listed(list, topic->name))
                list->count =
                    crier__list_in(list, found, list->count,
                                   (struct crier__named){topic->name, topic});
        for (i = 0; i < list->count; i++)
            describe(found[i].of, &list->infos[i]);
        pthread_mutex_unlock(&memory->lock);
        free(found);
    }
    list->done(list);
}
