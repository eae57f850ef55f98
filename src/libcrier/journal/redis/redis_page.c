/*
 * Pages: what the scripts PAST, BACK and MARKS have replied.
 *
 * Each number, name and length in a reply is checked before it is used, and so is the order
 * of positions. An update that cannot be read is damage: it keeps its place, without an
 * update, and the read reports a gap there.
 */
#include <config.h>

#include "redis_page.h"

#include "base/number.h"

#include <errno.h>
#include <stdlib.h>

struct crier__redis_page *crier__redis_page_new(uint64_t after)
{
    struct crier__redis_page *page = calloc(1, sizeof *page);

    if (page != NULL) {
        page->references = 1;
        page->after = page->reached = after;
        page->bytes = sizeof *page;
    }
    return page;
}

void crier__redis_page_unref(struct crier__redis_page *page)
{
    unsigned i;
    size_t k;

    if (page == NULL || --page->references != 0)
        return;
    for (i = 0; i < page->count; i++)
        if (page->items[i].update != NULL)
            crier__update_unref(page->items[i].update);
    for (k = 0; k < page->mark_count; k++)
        free(page->marks[k].name);
    free(page->marks);
    free(page->key);
    free(page);
}

/* ---- updates ---------------------------------------------------------- */

/* Adds what ENTRY is. False: memory is short, or the page is full. */
static bool add_entry(struct crier__redis_page *page, struct crier_journal *journal,
                      const struct crier__redis_entry *entry,
                      const struct crier__redis_corrected *corrected)
{
    struct crier__redis_item *item = &page->items[page->count];
    int error;

    if (page->count == CRIER__READ_MAX)
        return false;
    item->position = entry->position;
    item->update = NULL;
    error = crier__redis_update_of(entry, journal->epoch, corrected, &item->update);
    if (error == -ENOMEM)
        return false;
    if (error != 0) {
        item->update = NULL;
        crier__journal_damage(journal, "an update in Redis cannot be read");
    } else {
        page->bytes += sizeof *item->update + item->update->frame->length +
                       entry->head_length;
    }
    page->count++;
    return true;
}

bool crier__redis_page_take(struct crier__redis_page *page, const redisReply *reply,
                            uint64_t upto, struct crier_journal *journal,
                            const struct crier__redis_corrected *corrected)
{
    const redisReply *entries;
    uint64_t reached, before = page->after;
    size_t i;

    if (!crier__redis_is_array(reply, 2) || !crier__redis_is_array(reply->element[1], 0) ||
        !crier__redis_read_number(reply->element[0], &reached) || reached <= before ||
        reached > upto)
        return false;
    entries = reply->element[1];
    for (i = 0; i < entries->elements; i++) {
        struct crier__redis_entry entry = {0};
        const redisReply *one = entries->element[i];

        if (!crier__redis_read_place(one, &entry) || entry.note != 0 ||
            entry.position <= before || entry.position > reached)
            return false;
        before = entry.position;
        if (!crier__redis_read_entry(one, &entry))
            entry.kind = '\0';
        if (!add_entry(page, journal, &entry, corrected))
            return false;
    }
    page->reached = reached;
    return true;
}

bool crier__redis_page_take_back(struct crier__redis_page *page, const redisReply *reply,
                                 uint64_t before, struct crier_journal *journal,
                                 const struct crier__redis_corrected *corrected)
{
    size_t i;

    if (!crier__redis_is_array(reply, 0))
        return false;
    for (i = 0; i < reply->elements; i++) {
        const redisReply *pair = reply->element[i];
        struct crier__redis_entry entry = {.kind = 'u', .body = "\n", .body_length = 1};

        if (!crier__redis_is_array(pair, 2) ||
            !crier__redis_read_number(pair->element[0], &entry.position) ||
            pair->element[1]->type != REDIS_REPLY_STRING || entry.position >= before ||
            entry.position == 0)
            return false;
        before = entry.position;
        entry.head = pair->element[1]->str;
        entry.head_length = pair->element[1]->len;
        if (!add_entry(page, journal, &entry, corrected))
            return false;
    }
    page->reached = before;
    return true;
}

/* ---- marks ------------------------------------------------------------ */

bool crier__redis_page_want(struct crier__redis_page *page, const char *name,
                            size_t length)
{
    struct crier__redis_mark *marks = page->marks;

    if (page->mark_count == page->mark_capacity) {
        size_t capacity = page->mark_capacity != 0 ? 2 * page->mark_capacity : 16;

        marks = realloc(marks, capacity * sizeof *marks);
        if (marks == NULL)
            return false;
        page->marks = marks;
        page->mark_capacity = capacity;
        page->bytes += capacity / 2 * sizeof *marks;
    }
    marks += page->mark_count;
    *marks = (struct crier__redis_mark){.name = strndup(name, length)};
    if (marks->name == NULL)
        return false;
    page->bytes += length + 32;
    page->mark_count++;
    return true;
}

static int compare_marks(const void *a, const void *b)
{
    return strcmp(((const struct crier__redis_mark *)a)->name,
                  ((const struct crier__redis_mark *)b)->name);
}

void crier__redis_page_sort(struct crier__redis_page *page)
{
    size_t i, kept = 0;

    if (page->mark_count == 0)
        return;
    qsort(page->marks, page->mark_count, sizeof *page->marks, compare_marks);
    for (i = 1; i < page->mark_count; i++)
        if (strcmp(page->marks[i].name, page->marks[kept].name) == 0)
            free(page->marks[i].name);
        else
            page->marks[++kept] = page->marks[i];
    page->mark_count = kept + 1;
}

bool crier__redis_read_mark(const redisReply *record, struct crier__redis_mark *mark)
{
    uint64_t numbers[5];
    const char *at;
    size_t left, digits;
    unsigned i;

    if (record->type != REDIS_REPLY_STRING)
        return false;
    mark->held = record->len != 0;
    mark->evicted = mark->newest_public = 0;
    if (!mark->held)
        return true;
    at = record->str;
    left = record->len;
    for (i = 0; i < 5; i++) {
        if (!crier__number_scan(at, left, &digits, &numbers[i]) || digits >= left ||
            at[digits] != ' ' || numbers[i] > UINT64_C(1) << 53)
            return false;
        at += digits + 1;
        left -= digits + 1;
    }
    mark->evicted = numbers[2];
    mark->newest_public = numbers[4];
    return true;
}

bool crier__redis_page_take_marks(struct crier__redis_page *page, const redisReply *reply)
{
    const redisReply *records;
    size_t i;

    if (!crier__redis_is_array(reply, 8) || !crier__redis_is_array(reply->element[7], 0) ||
        reply->element[7]->elements != page->mark_count ||
        !crier__redis_read_number(reply->element[0], &page->last) ||
        !crier__redis_read_number(reply->element[1], &page->evicted) ||
        !crier__redis_read_number(reply->element[2], &page->forgotten) ||
        !crier__redis_read_number(reply->element[3], &page->renewed))
        return false;
    records = reply->element[7];
    for (i = 0; i < page->mark_count; i++)
        if (!crier__redis_read_mark(records->element[i], &page->marks[i]))
            return false;
    return true;
}

const struct crier__redis_mark *
crier__redis_page_mark(const struct crier__redis_page *page, const char *name)
{
    struct crier__redis_mark wanted = {0};

    if (page->mark_count == 0)
        return NULL;
    wanted.name = (char *)(uintptr_t)name;
    return bsearch(&wanted, page->marks, page->mark_count, sizeof *page->marks,
                   compare_marks);
}
