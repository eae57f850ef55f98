/*
 * Reading the journal in a file: what comes after a point.
 *
 * A read is a merge: each selector gives its next positions in order, no more
 * than one answer has room for and none behind the last that still fits, and
 * the bodies of those that are left are fetched by position. So it costs what
 * it gives, however much is held and however many topics are asked for. (A
 * join of all topics with ORDER BY and LIMIT would sort all that there is
 * first.)
 */
#include <config.h>

#include "sqlite_view.h"

#include "libcrier/wire/topic.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What one selector means. */
struct source {
    bool all, live;
    int64_t row;      /* of the topic, 0: none */
    uint64_t from;
    uint64_t floor;   /* nothing up to here is held */
    uint64_t start;   /* where the read begins in it */
};

/* Positions in order, rising or falling, each once: at most as many as one
 * answer has room for, and one to know that there are more. */
#define PAGE (CRIER__READ_MAX + 1)

struct page {
    unsigned count;
    uint64_t at[PAGE];
};

/* ---- positions -------------------------------------------------------- */

/* Merges the COUNT positions FRESH into PAGE. */
static void merge(struct page *page, const uint64_t *fresh, unsigned count,
                  bool falling)
{
    struct page old = *page;
    unsigned i = 0, j = 0;
    uint64_t next;

    page->count = 0;
    while (page->count < PAGE && (i < old.count || j < count)) {
        if (j == count ||
            (i < old.count && (old.at[i] < fresh[j]) != falling))
            next = old.at[i];
        else
            next = fresh[j];
        i += i < old.count && old.at[i] == next;
        j += j < count && fresh[j] == next;
        page->at[page->count++] = next;
    }
}

/* Adds to PAGE what SOURCE holds between the positions AFTER and BEFORE. */
static void scan(const struct crier__view *view, const struct source *source,
                 uint64_t after, uint64_t before, bool falling,
                 struct page *page)
{
    unsigned which = source->all ? falling ? READ_ALL_BEFORE : READ_ALL_AFTER
                     : falling   ? READ_BEFORE
                                 : READ_AFTER;
    uint64_t fresh[PAGE], position;
    unsigned count = 0;
    sqlite3_stmt *row;

    if (!source->all && source->row == 0)
        return;
    if (!source->all && after < source->floor)
        after = source->floor;
    /* Behind a full page there is nothing to look for. */
    if (page->count == PAGE && falling)
        after = page->at[PAGE - 1] > after ? page->at[PAGE - 1] : after;
    else if (page->count == PAGE && page->at[PAGE - 1] < before)
        before = page->at[PAGE - 1];
    row = crier__sql_begin(view->sql, which, "iuu", source->row, after,
                           before);
    while (count < PAGE && crier__sql_row(view->sql, row)) {
        position = crier__sql_number(row, 0);
        if (!source->all || crier__view_shown(view, position))
            fresh[count++] = position;
    }
    crier__sql_end(row);
    merge(page, fresh, count, falling);
}

/* The position before the last NUMBER that the sources which are not live
 * hold. */
static uint64_t before_last(const struct crier__view *view,
                            const struct source *sources, unsigned count,
                            uint64_t number)
{
    uint64_t before = INT64_MAX;
    struct page page;
    unsigned i;

    if (number == 0)
        return view->last;
    if (number >= view->count)
        return 0;
    for (;;) {
        page.count = 0;
        for (i = 0; i < count; i++)
            if (!sources[i].live)
                scan(view, &sources[i], sources[i].from, before, true, &page);
        if (page.count >= number)
            return page.at[number - 1] - 1;
        if (page.count < PAGE)
            return 0;
        number -= page.count;
        before = page.at[page.count - 1];
    }
}

/* ---- where a read begins ---------------------------------------------- */

static void open_source(const struct crier__view *view,
                        const struct crier__selector *selector,
                        struct source *source)
{
    size_t length = strlen(selector->topic);
    sqlite3_stmt *row;

    memset(source, 0, sizeof *source);
    source->live = selector->live;
    source->from = selector->from;
    source->all = strcmp(selector->topic, "*") == 0;
    if (source->all) {
        source->floor = crier__view_floor_all(view);
        return;
    }
    source->floor = view->forgotten;
    row = crier__sql_begin(view->sql, READ_TOPIC, "t", selector->topic,
                           length);
    if (!crier__sql_row(view->sql, row))
        return;
    source->row = sqlite3_column_int64(row, 0);
    source->floor = crier__view_floor(view, row, selector->topic, length);
    crier__sql_end(row);
}

/* Finds the update with the id ID; false when it is not known. */
static bool locate(const struct crier__view *view, const char *id,
                   uint64_t *position)
{
    sqlite3_stmt *row;

    if (crier__id_read(id, view->sqlite->journal.epoch, position))
        return *position <= view->last;
    row = crier__sql_begin(view->sql, READ_ID, "t", id, strlen(id));
    if (!crier__sql_row(view->sql, row))
        return false;
    *position = crier__sql_number(row, 0);
    crier__sql_end(row);
    return crier__view_shown(view, *position);
}

/* Finds where the sources of READ that are not live begin. */
static uint64_t resolve(const struct crier__view *view, struct crier__read *read,
                        const struct source *sources)
{
    uint64_t position;

    switch (read->since) {
    case CRIER_SINCE_ID:
        if (locate(view, read->id, &position))
            return position;
        read->gap = true;
        return 0;
    case CRIER_SINCE_LAST:
        return before_last(view, sources, read->selector_count, read->number);
    case CRIER_SINCE_TIME:
        return read->number < (uint64_t)view->now
                   ? crier__view_older(view, view->now - (int64_t)read->number)
                   : 0;
    case CRIER_SINCE_ALL:
    case CRIER_SINCE_NOW:
        break;
    }
    return 0;
}

static void tell_oldest(const struct crier__view *view, struct crier__read *read,
                        const struct source *sources)
{
    struct page page = {0};
    int64_t time;
    unsigned i;

    for (i = 0; i < read->selector_count; i++)
        scan(view, &sources[i], sources[i].from,
             page.count != 0 ? page.at[0] : INT64_MAX, false, &page);
    if (page.count != 0)
        crier__view_id(view, page.at[0], read->oldest, &time);
}

static void begin(const struct crier__view *view, struct crier__read *read,
                  struct source *sources)
{
    bool past = read->resolve && read->since != CRIER_SINCE_ID;
    uint64_t after = read->after, told;
    struct source *source;
    unsigned i;

    for (i = 0; i < read->selector_count; i++)
        open_source(view, &read->selectors[i], &sources[i]);
    if (read->resolve)
        after = resolve(view, read, sources);
    if (past && after > read->after)
        after = read->after;
    for (source = sources; source < sources + i; source++) {
        /* With an id, also what has no past begins no earlier: the id may be beyond
         * all that the hub has been given yet. */
        source->start = past && source->live ? 0 : after;
        if (source->start < source->from)
            source->start = source->from;
        told = read->selectors[source - sources].told;
        if (past && told < read->after)
            told = read->after;
        if (source->floor > source->start && source->floor > told)
            read->gap = true;
    }
    if (read->gap)
        tell_oldest(view, read, sources);
}

/* ---- updates ---------------------------------------------------------- */

static bool is_line(const char *text)
{
    return strpbrk(text, "\r\n") == NULL &&
           crier_utf8_valid(text, strlen(text));
}

/* Whether BODY is the rest of a frame behind the line of its id: lines, and an empty
 * one at the end and nowhere else. */
static bool is_body(const char *body, size_t length)
{
    return length != 0 && body[length - 1] == '\n' &&
           (length == 1 ||
            (body[0] != '\n' &&
             memmem(body, length, "\n\n", 2) == body + length - 2)) &&
           memchr(body, '\r', length) == NULL &&
           crier_utf8_valid(body, length);
}

/* The update in ROW, which is at POSITION. *UPDATE is NULL where there is none
 * that could be sent to anybody. */
static int make_update(const struct crier__view *view, sqlite3_stmt *row,
                       uint64_t position, struct crier__update **update)
{
    const char *id = (const char *)sqlite3_column_text(row, 1);
    const char *topics = (const char *)sqlite3_column_text(row, 2);
    const char *body = sqlite3_column_blob(row, 3);
    size_t length = (size_t)sqlite3_column_bytes(row, 3);
    struct crier_frame *frame;
    int error = -ENOMEM;

    *update = NULL;
    if (topics == NULL || !is_line(topics) || body == NULL ||
        !is_body(body, length) ||
        (id != NULL && (id[0] == '\0' || strlen(id) >= CRIER__ID_SIZE ||
                        !is_line(id))))
        return 0; /* somebody has been at the file */
    frame = crier__frame_new(length);
    if (frame == NULL)
        return -ENOMEM;
    memcpy(frame->bytes, body, length);
    *update = crier__update_new(topics, id, frame);
    crier_frame_unref(frame);
    if (*update != NULL)
        error = crier__update_place(*update, view->sqlite->journal.epoch,
                                    position, sqlite3_column_int64(row, 0));
    if (error != 0) {
        crier__update_unref(*update);
        *update = NULL;
    }
    return error;
}

/* ---- lately ----------------------------------------------------------- */

void crier__sqlite_forget_lately(struct crier__sqlite *sqlite)
{
    unsigned i;

    for (i = 0; i < CRIER__LATELY; i++) {
        crier__update_unref(sqlite->lately[i]);
        sqlite->lately[i] = NULL;
    }
    sqlite->lately_bytes = 0;
}

/* Drops what was read lately if times have been corrected meanwhile. */
static void forget_if_corrected(struct crier__sqlite *sqlite)
{
    uint64_t corrected = atomic_load(&sqlite->journal.corrected);

    if (corrected != sqlite->corrected_before)
        crier__sqlite_forget_lately(sqlite);
    sqlite->corrected_before = corrected;
}

/* Keeps UPDATE. A thousand subscribers that were too slow for the same updates then
 * share them, as they would have shared what came live. */
static void keep(struct crier__sqlite *sqlite, struct crier__update *update)
{
    struct crier__update **slot =
        &sqlite->lately[update->position % CRIER__LATELY];
    size_t cost = crier__update_cost(update);

    if (*slot != NULL) {
        sqlite->lately_bytes -= crier__update_cost(*slot);
        crier__update_unref(*slot);
        *slot = NULL;
    }
    if (sqlite->lately_bytes + cost > CRIER__LATELY_BYTES)
        crier__sqlite_forget_lately(sqlite);
    if (cost > CRIER__LATELY_BYTES)
        return;
    *slot = crier__update_ref(update);
    sqlite->lately_bytes += cost;
}

static int fetch(const struct crier__view *view, uint64_t position,
                 struct crier__update **update)
{
    struct crier__update *kept =
        view->sqlite->lately[position % CRIER__LATELY];
    sqlite3_stmt *row;
    int error;

    *update = NULL;
    if (kept != NULL && kept->position == position) {
        *update = crier__update_ref(kept);
        return 0;
    }
    row = crier__sql_begin(view->sql, READ_UPDATE, "u", position);
    if (!crier__sql_row(view->sql, row))
        return view->sql->error;
    error = make_update(view, row, position, update);
    crier__sql_end(row);
    if (*update != NULL)
        keep(view->sqlite, *update);
    return error;
}

/* Gives READ the updates of PAGE, as far as they fit. */
static int give(const struct crier__view *view, struct crier__read *read,
                const struct page *page)
{
    struct crier__update *update;
    size_t bytes = 0;
    unsigned i;
    int error;

    for (i = 0; i < page->count; i++) {
        if (read->count == CRIER__READ_MAX ||
            (read->count != 0 && bytes >= read->max_bytes))
            return 0;
        error = fetch(view, page->at[i], &update);
        if (error != 0)
            return error;
        read->reached = page->at[i];
        if (update == NULL)
            continue;
        bytes += update->frame->length;
        read->updates[read->count++] = update;
    }
    read->end = page->count < PAGE;
    if (read->end)
        read->reached = view->last > read->after ? view->last : read->after;
    return 0;
}

/* The gaps are told, if READ has succeeded. */
static void note_told(struct crier__read *read, const struct source *sources)
{
    unsigned i;

    for (i = 0; i < read->selector_count && read->error == 0; i++)
        if (read->selectors[i].told < sources[i].floor)
            read->selectors[i].told = sources[i].floor;
}

static int answer(const struct crier__view *view, struct crier__read *read,
                  struct source *sources)
{
    struct page page = {0};
    unsigned i;

    begin(view, read, sources);
    for (i = 0; i < read->selector_count; i++)
        scan(view, &sources[i], sources[i].start, INT64_MAX, false, &page);
    return view->sql->error != 0 ? view->sql->error : give(view, read, &page);
}

void crier__sqlite_read(struct crier__sqlite *sqlite,
                        struct crier__read *read)
{
    struct source *sources = calloc(read->selector_count, sizeof *sources);
    struct crier__view view;

    read->gap = read->end = false;
    read->oldest[0] = '\0';
    read->count = 0;
    read->reached = read->after;
    read->error = -ENOMEM;
    if (sources == NULL)
        return;
    read->error = CRIER_ERR_STORAGE;
    forget_if_corrected(sqlite);
    if (crier__view_open(sqlite, &view))
        read->error = answer(&view, read, sources);
    crier__view_close(&view);
    if (view.sql->error != 0)
        read->error = CRIER_ERR_STORAGE;
    note_told(read, sources);
    free(sources);
    while (read->error != 0 && read->count != 0)
        crier__update_unref(read->updates[--read->count]);
}
