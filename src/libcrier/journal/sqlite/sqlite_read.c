/*
 * Reading the journal in a file: what comes after a point.
 *
 * A read is a merge: each topic that is read gives its next positions in order, no more
 * than one answer has places for and none behind the last that still fits, and then the
 * bodies of the positions that are left are fetched. So it costs what it gives, however
 * much is held and however many topics are asked for. (A join of all topics with ORDER BY
 * and LIMIT was rejected: it sorts all that there is first.)
 *
 * A prefix is a range in the index of the topics' names, and so is a template or a URL
 * pattern, of which the topics are compared one by one. Each topic in it is read like one
 * that was asked for by name; if they are too many, the read looks at the updates in their
 * order instead, at no more than SCAN_MAX of them, and gives what the prefix matches. The
 * next read goes on from there.
 *
 * What cannot be read is a gap, and never missing without a word. An update whose row is
 * not there, or not what was written (sqlite_sum.c), is a gap in its place. That no entry
 * is missing, each entry shows by the position of the one before it: those that a read
 * follows are a chain, from where it begins to the newest one, which the topic's row has
 * (or that of the journal, for the lists of all). Where the chain is broken, the read gives
 * what is before that and then, as an answer of its own, a gap up to where it is whole
 * again. Where SQLite cannot search, everything up to the present is a gap. So each answer
 * reaches further than the one before, whatever the file says.
 *
 * An entry may stand in another topic's chain by damage; so an update is given only when a
 * selector matches the names that its own row has.
 */
#include <config.h>

#include "sqlite_view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* One read has no more sources, so each selector has two at least. */
#define SOURCES_MAX (2 * CRIER__TOPICS_MAX)

/* How many updates one read looks at for a prefix with too many topics; and how many,
 * from the last one on, for CRIER_SINCE_LAST, or for the oldest of a gap. */
#define SCAN_MAX 4096
#define SCAN_LAST_MAX 100000

/* How many topics one read compares with templates and URL patterns. */
#define ASK_MAX 100000

/* How many private updates that the reader may not see CRIER_SINCE_LAST passes over. */
#define UNSEEN_MAX 20000

/* Where a read finds positions. */
struct source {
    const struct crier__selector *filter; /* NULL: the entries of one topic; else what it
                                             matches of a list of all */
    unsigned selector; /* the index of the read's selector */
    int64_t key;       /* the topic's row, or the list */
    uint64_t floor;    /* nothing up to here is held */
    uint64_t newest;   /* the last position of the chain, if it is above the floor */
};

struct reading {
    const struct crier__view *view;
    struct crier__read *read;
    uint64_t floors[CRIER__TOPICS_MAX]; /* nothing up to here is held, by selector */
    uint64_t starts[CRIER__TOPICS_MAX]; /* where the read begins */
    unsigned count;
    struct source sources[SOURCES_MAX];
    unsigned scans;   /* of updates, left to this scan */
    unsigned asks;    /* left to this read */
    uint64_t horizon; /* positions beyond are not known, for no scans were left */
    uint64_t hole;    /* nor beyond this one, behind which a chain is broken */
    uint64_t behind;  /* where the read may go on behind the hole; END: nowhere */
};

#define END INT64_MAX

/* Positions in order, rising or falling, each once: at most as many as one answer has
 * places for, and one to know that there are more. */
#define PAGE (CRIER__READ_MAX + 1)

struct page {
    unsigned count;
    uint64_t at[PAGE];
};

/* ---- positions -------------------------------------------------------- */

/* Merges the COUNT positions FRESH into PAGE. */
static void merge_positions(struct page *page, const uint64_t *fresh,
                            unsigned count, bool falling)
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

/* The statement that gives the positions of SOURCE. */
static unsigned statement_of(const struct source *source, bool falling)
{
    if (source->filter == NULL)
        return falling ? READ_BEFORE : READ_AFTER;
    return falling ? READ_LIST_BEFORE : READ_LIST_AFTER;
}

/* Whether SOURCE holds the update at POSITION, which is in its chain. */
static bool source_holds(const struct reading *reading,
                         const struct source *source, uint64_t position)
{
    if (source->filter == NULL)
        return true;
    if (source->filter->kind == CRIER__ALL)
        return !reading->view->due ||
               crier__view_shown(reading->view, NULL, position);
    return crier__view_shown(reading->view, source->filter, position);
}

/* Counts damage that the read has met. */
static void note_damage(const struct reading *reading, const char *where)
{
    crier__journal_damage(&reading->view->sqlite->journal, where);
}

/* Notes that a chain is not known behind LINK, and from BEHIND on again. */
static void note_hole(struct reading *reading, uint64_t link, uint64_t behind)
{
    note_damage(reading, "entries of updates are missing, or not what was written");
    if (link > reading->hole)
        return;
    if (link < reading->hole || behind > reading->behind)
        reading->behind = behind;
    reading->hole = link;
}

/* A place in a chain that a scan has reached. Only the entry behind one says that its own
 * position is right, since it has the same as the one before it. */
struct chain {
    uint64_t sure; /* the last position that is known to be right, or where the scan began */
    uint64_t link; /* rising: the position after that; falling: the one that must come
                      next, 0 for any */
    bool begun;
};

/* Whether POSITION, whose entry says that PREV is before it, comes next in CHAIN. */
static bool continues_chain(struct chain *chain, uint64_t position,
                            uint64_t prev, bool falling)
{
    if (prev >= position)
        return false;
    if (falling) {
        if (chain->link != 0 && position != chain->link)
            return false;
        chain->sure = position;
        chain->link = prev;
        return true;
    }
    if (position <= chain->link ||
        (chain->begun ? prev != chain->link : prev > chain->link))
        return false;
    chain->begun = true;
    chain->sure = chain->link;
    chain->link = position;
    return true;
}

/* CHAIN is broken at POSITION, whose entry says that PREV is before it. Where entries are
 * missing between the link and that, the link is right. */
static void break_chain(struct reading *reading, const struct chain *chain,
                        uint64_t position, uint64_t prev)
{
    if (position <= chain->sure || position > reading->view->totals.last)
        note_hole(reading, chain->sure, END);
    else if (prev > chain->link && prev < position)
        note_hole(reading, chain->link, prev);
    else
        note_hole(reading, chain->sure, position);
}

/* A falling scan has found that CHAIN is broken. It does not look for more; the read begins
 * there, with a gap. */
static void break_falling(struct reading *reading, const struct chain *chain)
{
    note_damage(reading, "entries of updates are missing, or not what was written");
    reading->read->gap = true;
    if (chain->sure > reading->horizon)
        reading->horizon = chain->sure;
}

/* What a scan looks for. */
struct scan {
    const struct source *source;
    uint64_t after, before;
    bool falling;
    unsigned count;
    uint64_t found[PAGE];
};

/* Takes POSITION, to which the chain of SCAN leads. False when the scan has found all that
 * it looks for. */
static bool take_position(struct reading *reading, struct scan *scan,
                          uint64_t position)
{
    const struct source *source = scan->source;
    bool counts = source->filter != NULL && source->filter->kind != CRIER__ALL;

    if (source_holds(reading, source, position))
        scan->found[scan->count++] = position;
    if (counts && --reading->scans == 0) {
        reading->horizon = position;
        return false;
    }
    return scan->count < PAGE;
}

/* Follows the chain of SCAN's source as far as it looks for positions, and one further. */
static void follow_chain(struct reading *reading, struct scan *scan)
{
    const struct source *source = scan->source;
    struct crier__sql *sql = reading->view->sql;
    bool falling = scan->falling, wanted = true;
    struct chain chain = {.sure = falling ? scan->before : scan->after,
                          .link = scan->after};
    uint64_t position, prev;
    sqlite3_stmt *row;

    if (falling)
        chain.link = source->newest < scan->before ? source->newest : 0;
    row = crier__sql_begin(sql, statement_of(source, falling), "iu", source->key,
                           chain.sure);
    while (crier__sql_row(sql, row)) {
        position = crier__sql_number(row, 0);
        prev = crier__sql_number(row, 1);
        if (position > source->newest ||
            !continues_chain(&chain, position, prev, falling)) {
            crier__sql_end(row);
            if (falling)
                break_falling(reading, &chain);
            else
                break_chain(reading, &chain, position, prev);
            return;
        }
        if (!wanted || (falling ? position <= scan->after
                                : position >= scan->before))
            break;
        wanted = take_position(reading, scan, position);
        if (falling ? prev <= scan->after || !wanted
                    : position == source->newest)
            break;
    }
    if (sqlite3_stmt_busy(row)) {
        crier__sql_end(row);
        return;
    }
    if (sql->error == 0 && falling)
        break_falling(reading, &chain);
    else if (sql->error == 0)
        note_hole(reading, chain.link, END);
}

/* Adds to PAGE what SOURCE holds between the positions AFTER and BEFORE. */
static void scan_source(struct reading *reading, const struct source *source,
                        uint64_t after, uint64_t before, bool falling,
                        struct page *page)
{
    struct scan scan;

    scan.source = source;
    scan.after = after < source->floor ? source->floor : after;
    scan.before = before;
    scan.falling = falling;
    scan.count = 0;
    /* Behind a full page there is nothing to look for. */
    if (page->count == PAGE && falling && page->at[PAGE - 1] > scan.after)
        scan.after = page->at[PAGE - 1];
    else if (page->count == PAGE && !falling && page->at[PAGE - 1] < before)
        scan.before = page->at[PAGE - 1];
    if (source->newest <= scan.after || scan.before <= scan.after)
        return;
    follow_chain(reading, &scan);
    merge_positions(page, scan.found, scan.count, falling);
}

static bool source_is_live(const struct reading *reading, const struct source *source)
{
    return reading->read->selectors[source->selector].live;
}

static uint64_t from_of(const struct reading *reading,
                        const struct source *source)
{
    return reading->read->selectors[source->selector].from;
}

/* Whether GRANTS match one of the names in TEXT, as the column "topics" has them. */
static bool match_names(const struct crier_grants *grants, const char *text)
{
    struct crier__topics *topics;
    bool match;

    if (grants == NULL || text == NULL ||
        crier__topics_split(text, strlen(text), '\n', &topics) != 0)
        return false;
    match = crier__grants_match_any(grants, topics);
    free(topics);
    return match;
}

/* Whether the reader may see the update at POSITION, which is held. */
static bool may_see_row(const struct reading *reading, uint64_t position)
{
    const struct crier__view *view = reading->view;
    struct crier__sqlite_head head;
    sqlite3_stmt *row;
    bool visible;

    if (position > view->totals.newest_private)
        return true;
    row = crier__sql_begin(view->sql, READ_HEAD, "u", position);
    if (!crier__sql_row(view->sql, row))
        return true; /* the read will report that it is missing */
    visible = !crier__sqlite_read_head(row, &head) ||
              (head.flags & CRIER__SQLITE_PRIVATE) == 0 ||
              match_names(reading->read->grants, head.topics);
    crier__sql_end(row);
    return visible;
}

/* The position before the last NUMBER that the sources which are not live hold, and that
 * the reader may see. */
static uint64_t find_before_last(struct reading *reading, uint64_t number)
{
    const struct source *source, *end = reading->sources + reading->count;
    unsigned unseen = 0, i;
    uint64_t before = INT64_MAX;
    struct page page;

    if (number == 0)
        return reading->view->totals.last;
    if (number >= reading->view->totals.count)
        return 0;
    reading->scans = SCAN_LAST_MAX;
    reading->horizon = 0;
    for (;;) {
        page.count = 0;
        for (source = reading->sources; source < end; source++)
            if (!source_is_live(reading, source) && reading->horizon == 0)
                scan_source(reading, source, from_of(reading, source), before,
                            true, &page);
        for (i = 0; i < page.count; i++) {
            if (may_see_row(reading, page.at[i]))
                number--;
            else
                unseen++;
            if (number == 0 || unseen == UNSEEN_MAX)
                return page.at[i] - 1;
        }
        if (reading->horizon != 0)
            return reading->horizon - 1;
        if (page.count < PAGE)
            return 0;
        before = page.at[page.count - 1];
    }
}

/* ---- where a read begins ---------------------------------------------- */

/* Up to which position the reader may miss what TOPIC, with FLOOR, does not hold any
 * more. */
static uint64_t find_missed_row(const struct reading *reading,
                                const struct crier__sqlite_topic *topic,
                                uint64_t floor)
{
    return reading->read->grants == NULL && topic->newest_public < floor
               ? topic->newest_public
               : floor;
}

static void raise_floor(struct reading *reading, unsigned selector,
                        uint64_t floor)
{
    if (floor > reading->floors[selector])
        reading->floors[selector] = floor;
}

static struct source *add_source(struct reading *reading, unsigned selector)
{
    struct source *source = &reading->sources[reading->count++];

    *source = (struct source){.selector = selector};
    return source;
}

/* Adds TOPIC, of which nothing is held up to FLOOR, for a selector. */
static void add_topic_source(struct reading *reading, unsigned selector,
                             const struct crier__sqlite_topic *topic,
                             uint64_t floor)
{
    struct source *source = add_source(reading, selector);

    source->key = topic->row;
    source->floor = floor;
    source->newest = crier__sqlite_newest(topic);
}

/* Adds what FILTER, the text of a selector, matches of one of the lists of all. */
static void add_list_source(struct reading *reading, unsigned selector,
                            const struct crier__selector *filter, int64_t list)
{
    struct source *source = add_source(reading, selector);

    source->filter = filter;
    source->key = list;
    source->floor = reading->view->totals.lists[list].dropped;
    source->newest = reading->view->totals.lists[list].newest;
}

static void open_exact_source(struct reading *reading, unsigned selector,
                              const struct crier__selector *exact)
{
    const struct crier__view *view = reading->view;
    sqlite3_stmt *row = crier__sql_begin(view->sql, READ_TOPIC, "t", exact->text,
                                         (size_t)exact->length);
    struct crier__sqlite_topic topic;
    uint64_t floor;

    if (!crier__sql_row(view->sql, row)) {
        raise_floor(reading, selector, view->totals.forgotten);
        return;
    }
    if (crier__sqlite_read_topic(view->sql, row, &topic)) {
        floor = crier__view_floor(view, &topic);
        add_topic_source(reading, selector, &topic, floor);
        raise_floor(reading, selector, find_missed_row(reading, &topic, floor));
    }
    crier__sql_end(row);
}

static void open_prefix_sources(struct reading *reading, unsigned selector,
                                const struct crier__selector *prefix)
{
    unsigned max = SOURCES_MAX -
                   2 * (reading->read->selector_count - selector - 1);
    const struct crier__view *view = reading->view;
    struct crier__sqlite_topic topic;
    unsigned before = reading->count;
    bool too_many = false;
    const char *name;
    sqlite3_stmt *row;
    uint64_t floor;

    /* A topic without a row may have been one of them. */
    raise_floor(reading, selector, view->totals.forgotten);
    row = crier__sql_begin(view->sql, READ_TOPICS, "tt", "", (size_t)0,
                           prefix->text, (size_t)prefix->length);
    while (crier__sql_row(view->sql, row)) {
        name = (const char *)sqlite3_column_text(row, 1);
        if (name == NULL || strncmp(name, prefix->text, prefix->length) != 0)
            break;
        if (prefix->pattern != NULL && reading->asks-- == 0) {
            raise_floor(reading, selector, crier__view_floor_all(view));
            reading->asks = 0;
            too_many = true;
            break;
        }
        if (prefix->pattern != NULL &&
            !crier__selector_matches(prefix, name, strlen(name)))
            continue;
        if (!crier__sqlite_read_topic(view->sql, row, &topic))
            continue;
        floor = crier__view_floor(view, &topic);
        raise_floor(reading, selector, find_missed_row(reading, &topic, floor));
        if (topic.count == 0)
            continue;
        too_many |= reading->count == max;
        if (!too_many)
            add_topic_source(reading, selector, &topic, floor);
    }
    crier__sql_end(row);
    if (!too_many)
        return;
    reading->count = before;
    add_list_source(reading, selector, prefix, 0);
    add_list_source(reading, selector, prefix, 1);
}

static void open_sources(struct reading *reading, unsigned selector)
{
    const struct crier__selector *what =
        &reading->read->selectors[selector].selector;

    reading->floors[selector] = 0;
    switch (what->kind) {
    case CRIER__EXACT:
        open_exact_source(reading, selector, what);
        break;
    case CRIER__PREFIX:
    case CRIER__TEMPLATE:
    case CRIER__URL_PATTERN:
        open_prefix_sources(reading, selector, what);
        break;
    case CRIER__SHARED: /* no stream has one */
        break;
    case CRIER__ALL:
        add_list_source(reading, selector, what, 0);
        raise_floor(reading, selector, crier__view_floor_all(reading->view));
        break;
    }
}

/* Finds the position of the update with the id ID. False when it is not known. */
static bool find_id_row(const struct crier__view *view, const char *id,
                        uint64_t *position)
{
    struct crier__sqlite_head head;
    sqlite3_stmt *row;
    bool sound;

    if (crier__id_read(id, view->sqlite->journal.epoch, position))
        return *position <= view->totals.last;
    row = crier__sql_begin(view->sql, READ_ID, "t", id, strlen(id));
    if (!crier__sql_row(view->sql, row))
        return false;
    sound = crier__sqlite_read_head(row, &head);
    *position = head.position;
    crier__sql_end(row);
    return sound && (!view->due || crier__view_shown(view, NULL, *position));
}

/* Finds the position after which the selectors that are not live begin. */
static uint64_t resolve_file_since(struct reading *reading)
{
    const struct crier__view *view = reading->view;
    struct crier__read *read = reading->read;
    uint64_t position;

    switch (read->since) {
    case CRIER_SINCE_ID:
        if (find_id_row(view, read->id, &position))
            return position;
        read->gap = true;
        return 0;
    case CRIER_SINCE_LAST:
        return find_before_last(reading, read->number);
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

/* Adds to PAGE the first positions that the sources hold, of what the selectors want,
 * after AFTER. */
static void scan_all(struct reading *reading, uint64_t after, struct page *page)
{
    const struct source *source, *end = reading->sources + reading->count;
    uint64_t from;

    page->count = 0;
    for (source = reading->sources; source < end; source++) {
        from = from_of(reading, source);
        scan_source(reading, source, from > after ? from : after, INT64_MAX,
                    false, page);
    }
}

/* Writes the first id held of what the selectors match and the reader may see, if it is
 * among the first updates. */
static void find_oldest_row(struct reading *reading)
{
    unsigned pages = SCAN_MAX / PAGE, i;
    struct page page;
    uint64_t after = 0;
    int64_t time;

    reading->scans = SCAN_LAST_MAX;
    do {
        scan_all(reading, after, &page);
        for (i = 0; i < page.count; i++)
            if (may_see_row(reading, page.at[i])) {
                crier__view_id(reading->view, page.at[i], reading->read->oldest,
                               &time);
                return;
            }
        after = page.count != 0 ? page.at[page.count - 1] : 0;
    } while (page.count == PAGE && --pages > 0);
}

/* Opens the sources, finds where each selector begins, and looks for gaps. */
static void begin_file_read(struct reading *reading)
{
    struct crier__read *read = reading->read;
    bool past = read->resolve && read->since != CRIER_SINCE_ID;
    uint64_t after = read->after, reported, *start;
    const struct crier__read_selector *selector;
    unsigned i;

    for (i = 0; i < read->selector_count; i++)
        open_sources(reading, i);
    if (read->resolve)
        after = resolve_file_since(reading);
    if (past && after > read->after)
        after = read->after;
    for (i = 0; i < read->selector_count; i++) {
        selector = &read->selectors[i];
        start = &reading->starts[i];
        /* With an id, a live selector begins no earlier than the others: the id may be
         * beyond all that the hub has been given yet. */
        *start = past && selector->live ? 0 : after;
        if (*start < selector->from)
            *start = selector->from;
        reported = selector->gap_reported_upto;
        if (past && reported < read->after)
            reported = read->after;
        if (reading->floors[i] > *start && reading->floors[i] > reported)
            read->gap = true;
    }
    if (read->gap)
        find_oldest_row(reading);
}

/* ---- updates ---------------------------------------------------------- */

static bool is_line(const char *text)
{
    return strpbrk(text, "\r\n") == NULL &&
           crier_utf8_valid(text, strlen(text));
}

/* Reads ROW, of which HEAD is the head. False when its body is not what was written. */
static bool read_body(sqlite3_stmt *row, const struct crier__sqlite_head *head,
                      const char **body, size_t *length)
{
    *body = sqlite3_column_blob(row, 9);
    *length = (size_t)sqlite3_column_bytes(row, 9);
    return *body != NULL && crier__update_body_valid(*body, *length) &&
           crier__sqlite_sum_at(row, 8) ==
               crier__sqlite_body_sum(head->position, *body, *length);
}

/* The update in ROW, which is at POSITION. *UPDATE is NULL where that is not what was
 * written. */
static int update_of_row(const struct crier__view *view, sqlite3_stmt *row,
                         uint64_t position, struct crier__update **update)
{
    struct crier__sqlite_head head;
    struct crier__topics *topics;
    struct crier_frame *frame;
    const char *body;
    size_t length;
    int error;

    *update = NULL;
    if (!crier__sqlite_read_head(row, &head) || head.position != position ||
        !read_body(row, &head, &body, &length) ||
        (head.id != NULL &&
         (head.id[0] == '\0' || strlen(head.id) >= CRIER__ID_SIZE ||
          !is_line(head.id))))
        return 0;
    error = crier__topics_split(head.topics, head.topics_length, '\n', &topics);
    if (error != 0)
        return error != -ENOMEM ? 0 : error;
    frame = crier__frame_of(body, length);
    if (frame != NULL)
        *update = crier__update_new(topics, head.id, frame);
    crier_frame_unref(frame);
    free(topics);
    error = -ENOMEM;
    if (*update != NULL) {
        (*update)->is_private = (head.flags & CRIER__SQLITE_PRIVATE) != 0;
        (*update)->last = (head.flags & CRIER__SQLITE_LAST) != 0;
        error = crier__update_place(*update, view->sqlite->journal.epoch,
                                    position, head.time);
    }
    if (error != 0) {
        crier__update_unref(*update);
        *update = NULL;
    }
    return error;
}

/* ---- the recent cache ------------------------------------------------- */

void crier__sqlite_drop_recent(struct crier__sqlite *sqlite)
{
    unsigned i;

    for (i = 0; i < CRIER__RECENT; i++) {
        crier__update_unref(sqlite->recent[i]);
        sqlite->recent[i] = NULL;
    }
    sqlite->recent_bytes = 0;
}

/* Empties the recent cache if times have been corrected since. */
static void drop_corrected(struct crier__sqlite *sqlite)
{
    uint64_t corrected = atomic_load(&sqlite->journal.corrected);

    if (corrected != sqlite->corrected_before)
        crier__sqlite_drop_recent(sqlite);
    sqlite->corrected_before = corrected;
}

/* Puts UPDATE into the recent cache: a thousand subscribers that were too slow for the
 * same updates then share their frames, as live ones do. */
static void cache_update(struct crier__sqlite *sqlite, struct crier__update *update)
{
    struct crier__update **slot =
        &sqlite->recent[update->position % CRIER__RECENT];
    size_t cost = crier__update_cost(update);

    if (*slot != NULL) {
        sqlite->recent_bytes -= crier__update_cost(*slot);
        crier__update_unref(*slot);
        *slot = NULL;
    }
    if (sqlite->recent_bytes + cost > CRIER__RECENT_BYTES)
        crier__sqlite_drop_recent(sqlite);
    if (cost > CRIER__RECENT_BYTES)
        return;
    *slot = crier__update_ref(update);
    sqlite->recent_bytes += cost;
}

/* Fetches the update at POSITION; *UPDATE is NULL where it cannot be read. */
static int fetch_update(const struct crier__view *view, uint64_t position,
                        struct crier__update **update)
{
    struct crier__update *kept =
        view->sqlite->recent[position % CRIER__RECENT];
    struct crier__sql *sql = view->sql;
    sqlite3_stmt *row;
    int error = 0;

    *update = NULL;
    if (kept != NULL && kept->position == position) {
        *update = crier__update_ref(kept);
        return 0;
    }
    row = crier__sql_begin(sql, READ_UPDATE, "u", position);
    if (crier__sql_row(sql, row)) {
        error = update_of_row(view, row, position, update);
        crier__sql_end(row);
    } else if (sql->damaged) {
        crier__sql_clear(sql); /* the others may be readable */
    }
    if (*update != NULL)
        cache_update(view->sqlite, *update);
    return error != 0 ? error : sql->error;
}

/* Whether a selector of the read matches UPDATE. An entry that is in the chain of another
 * topic by damage leads to one that none does. */
static bool is_wanted(const struct reading *reading,
                      const struct crier__update *update)
{
    const struct crier__read *read = reading->read;
    const char *name;
    unsigned i;

    for (i = 0; i < read->selector_count; i++) {
        if (read->selectors[i].selector.kind == CRIER__ALL && !update->hidden)
            return true;
        CRIER__TOPICS_EACH (update->topics, name)
            if (crier__selector_matches(&read->selectors[i].selector, name,
                                        strlen(name)))
                return true;
    }
    return false;
}

/* Takes one update of a page into the answer, unless the reader may not see it. Where it
 * cannot be read (NULL), the answer has a gap in its place. False: that is to begin the
 * next answer, since a gap comes before all updates of an answer. */
static bool take_update(const struct reading *reading,
                        struct crier__update *update, size_t *bytes)
{
    struct crier__read *read = reading->read;

    if (update != NULL && !is_wanted(reading, update)) {
        crier__update_unref(update);
        update = NULL;
    }
    if (update == NULL) {
        if (read->count != 0)
            return false;
        note_damage(reading, "an update is missing, or not what was written");
        read->gap = true;
    } else if (!crier__update_visible(update, read->grants)) {
        crier__update_unref(update);
    } else {
        *bytes += update->frame->length;
        read->updates[read->count++] = update;
    }
    return true;
}

/* Says how far the answer reaches when all that is known, up to LIMIT, is in it. */
static void end_answer(const struct reading *reading, uint64_t limit)
{
    struct crier__read *read = reading->read;
    uint64_t last = reading->view->totals.last;

    if (limit == reading->hole && limit <= read->reached) {
        if (read->count != 0)
            return; /* the next answer begins with the gap */
        read->gap = true;
        limit = reading->behind;
    }
    read->end = limit == END;
    if (!read->end)
        read->reached = limit;
    else
        read->reached = last > read->after ? last : read->after;
}

/* Gives the updates of PAGE, as far as they fit, which has all up to LIMIT. */
static int give_updates(const struct reading *reading, const struct page *page,
                        uint64_t limit)
{
    struct crier__read *read = reading->read;
    struct crier__update *update;
    size_t bytes = 0;
    unsigned i;
    int error;

    for (i = 0; i < page->count; i++) {
        if (read->count == CRIER__READ_MAX ||
            (read->count != 0 && bytes >= read->max_bytes))
            return 0;
        error = fetch_update(reading->view, page->at[i], &update);
        if (error != 0)
            return error;
        if (!take_update(reading, update, &bytes))
            return 0;
        read->reached = page->at[i];
    }
    if (page->count < PAGE)
        end_answer(reading, limit);
    return 0;
}

/* Remembers that the gap is reported, if the read has succeeded. */
static void note_gap(const struct reading *reading)
{
    struct crier__read *read = reading->read;
    unsigned i;

    for (i = 0; i < read->selector_count && read->error == 0; i++)
        if (read->selectors[i].gap_reported_upto < reading->floors[i])
            read->selectors[i].gap_reported_upto = reading->floors[i];
}

static int answer_read(struct reading *reading)
{
    const struct source *source = reading->sources;
    struct page page = {0};
    uint64_t limit;

    reading->asks = ASK_MAX;
    begin_file_read(reading);
    reading->scans = SCAN_MAX;
    reading->horizon = reading->hole = END;
    for (; source < reading->sources + reading->count; source++)
        scan_source(reading, source, reading->starts[source->selector],
                    reading->horizon != END ? reading->horizon + 1 : END, false,
                    &page);
    limit = reading->horizon < reading->hole ? reading->horizon : reading->hole;
    while (page.count != 0 && page.at[page.count - 1] > limit)
        page.count--;
    return reading->view->sql->error != 0 ? reading->view->sql->error
                                          : give_updates(reading, &page, limit);
}

/* Skips all that the journal holds after the beginning of the read, with a gap: SQLite
 * cannot search it. */
static void skip_all(const struct reading *reading)
{
    const struct crier__view *view = reading->view;
    struct crier__read *read = reading->read;

    note_damage(reading, view->sql->reason);
    while (read->count != 0)
        crier__update_unref(read->updates[--read->count]);
    read->gap = read->end = true;
    read->oldest[0] = '\0';
    if (view->totals.last > read->after)
        read->reached = view->totals.last;
    read->error = 0;
}

void crier__sqlite_read(struct crier__sqlite *sqlite,
                        struct crier__read *read)
{
    struct crier__view view;
    struct reading reading = {.view = &view, .read = read};
    bool open;

    read->gap = read->end = false;
    read->oldest[0] = '\0';
    read->count = 0;
    read->reached = read->after;
    read->error = CRIER_ERR_STORAGE;
    drop_corrected(sqlite);
    open = crier__view_open(sqlite, &view);
    if (open)
        read->error = answer_read(&reading);
    if (open && view.sql->damaged) {
        skip_all(&reading);
        crier__sql_clear(view.sql);
    }
    crier__view_close(&view);
    if (view.sql->damaged)
        note_damage(&reading, view.sql->reason);
    if (view.sql->error != 0)
        read->error = CRIER_ERR_STORAGE;
    note_gap(&reading);
    while (read->error != 0 && read->count != 0)
        crier__update_unref(read->updates[--read->count]);
}
