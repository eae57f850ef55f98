/*
 * Reads that begin before the mirror's floor.
 *
 * A question is one or more reads with the same content; what comes while it is open joins
 * it. At most OPEN_MAX questions have a script on its way; the others wait in order, and are
 * a few hundred bytes each beside the read, which is the caller's. An open question has its
 * work: CRIER__READ_MAX references of updates, a page, and one reply of about PAGE_BYTES and
 * one update. So all questions take OPEN_MAX * (PAGE_BYTES + 20 KiB), about 16 MiB, and the
 * pages that are kept KEPT_BYTES, 16 MiB.
 *
 * A question finds where it begins, and then reads page by page up to the mirror's floor. The
 * marks of its topics are read after each page: what was evicted before the page was read is
 * known from them, so a gap is never left out. They also say which topic does not hold an
 * update any more that another one holds.
 *
 * Exact selectors, and the topics that the others match if there are NAMES_MAX of these at
 * most, are read by their index. Otherwise the question walks the log. What patterns have
 * missed is then collected from the records of all topics that they match; beyond ASK_MAX
 * topics it is taken to be what the journal has evicted.
 *
 * An answer never says that it is the end, so the next read of the subscriber is the
 * mirror's. A question that begins behind the floor is answered without updates, and says
 * where it begins (`reached`): nothing that is wanted lies before, and the mirror knows all
 * that lies behind it. It reads the marks, too, so that what is no gap for this question is
 * noted as reported, and is none for the next read either. An id that lies beyond the mirror
 * may be another node's, which a client brings before the update has come here: the marks say
 * how far the journal reaches.
 *
 * Pages are kept for KEPT_TIME, so that readers who come with the same selectors share them.
 * What they say was so when they were read: readers may be given what has been evicted since.
 * A reader who is alone sees the journal as it is. A page is constant once it has its marks;
 * when a topic is forgotten, all pages are let go.
 */
#include <config.h>

#include "redis.h"
#include "redis_past.h"
#include "redis_page.h"

#include "base/clock.h"
#include "libcrier/journal/memory/memory_read.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>

#define OPEN_MAX 16
#define SCRIPT_TIME 10000
#define WALK_MAX 16 /* pages in one answer */
#define LAST_MAX 100000
#define PAGE_BYTES (1U << 20)
#define NAMES_MAX CRIER__TOPICS_MAX
#define ASK_MAX 100000
#define LIST_PAGE 500
#define POSITION_MAX (UINT64_C(1) << 53)
#define KEPT_BYTES (16U << 20)
#define KEPT_TIME 1000

/* What a question is about, and what it has asked for that. */
enum step { FIND, NAMED, BACK, UPDATES, OLDEST };
enum asked { ENTRIES, MARKS, NAMES };

struct work {
    enum step step;
    enum asked asked;
    char *key;    /* of its pages; NULL: they are not kept */
    bool walk;    /* the log is read, not the topics */
    bool others;  /* there are selectors but "*" */
    bool listed;  /* the topics are known, or `walk` is set */
    bool marked, scanned; /* of the page */
    char *names[2 * NAMES_MAX]; /* of the topics */
    unsigned name_count;
    unsigned scan; /* the selector whose topics are listed, */
    char from[CRIER__TOPIC_SIZE + 1]; /* from here on */
    size_t asks;
    uint64_t floor, at, looked, left;
    uint64_t claimed; /* the position of the id that it begins at, of which only Redis knows
                         whether it has been used; 0: it begins elsewhere */
    unsigned walked;
    int64_t now;
    size_t bytes;
    uint64_t start[CRIER__TOPICS_MAX], missed[CRIER__TOPICS_MAX];
    bool gap;
    char oldest[CRIER__ID_SIZE];
    struct crier__redis_page *page; /* a reference */
    unsigned count;
    struct crier__update *updates[CRIER__READ_MAX];
};

struct crier__redis_question {
    struct crier__redis_question *prev, *next;
    struct crier__redis *redis;
    struct crier__redis_call call;
    struct crier__read *reads; /* the first asks for all */
    struct work *work;         /* NULL: it waits */
    bool sent;
};

/* What becomes of a question. */
enum course { GO_ON, WAIT, DONE };

/* ---- answers ---------------------------------------------------------- */

static void free_work(struct work *work)
{
    unsigned i;

    for (i = 0; i < work->count; i++)
        crier__update_unref(work->updates[i]);
    for (i = 0; i < work->name_count; i++)
        free(work->names[i]);
    crier__redis_page_unref(work->page);
    free(work->key);
    free(work);
}

static void give_answer(const struct work *work, struct crier__read *read)
{
    unsigned i;

    read->gap = work->gap;
    read->reached = work->at;
    snprintf(read->oldest, sizeof read->oldest, "%s", work->oldest);
    for (i = 0; i < work->count; i++)
        read->updates[read->count++] = crier__update_ref(work->updates[i]);
    for (i = 0; i < read->selector_count; i++)
        if (work->missed[i] > read->selectors[i].gap_reported_upto)
            read->selectors[i].gap_reported_upto = work->missed[i];
}

static void answer_question(struct crier__redis_question *question, int error)
{
    struct crier__read *read, *next;

    DL_DELETE(question->redis->past.questions, question);
    if (question->work != NULL)
        question->redis->past.open--;
    for (read = question->reads; read != NULL; read = next) {
        next = read->next;
        read->error = error;
        read->end = read->gap = false;
        read->count = 0;
        if (error == 0)
            give_answer(question->work, read);
        read->done(read);
    }
    if (question->work != NULL)
        free_work(question->work);
    free(question);
}

/* ---- pages that are kept ---------------------------------------------- */

static void let_go(struct crier__redis_past *past, struct crier__redis_page *page)
{
    DL_DELETE(past->pages, page);
    past->kept -= page->bytes;
    crier__redis_page_unref(page);
}

/* Lets go of what is kept too long by NOW, and until there is room for MORE bytes. */
static void make_room(struct crier__redis_past *past, uint64_t now, size_t more)
{
    while (past->pages != NULL &&
           (past->pages->until <= now || past->kept + more > KEPT_BYTES))
        let_go(past, past->pages);
}

static void keep_page(struct crier__redis_question *question)
{
    struct work *work = question->work;
    struct crier__redis_past *past = &question->redis->past;
    struct crier__redis_page *page = work->page;
    uint64_t now = crier_now();

    if (work->key == NULL || page->key != NULL || page->reached == page->after ||
        page->bytes > KEPT_BYTES)
        return;
    page->key = strdup(work->key);
    if (page->key == NULL)
        return;
    make_room(past, now, page->bytes);
    page->epoch = question->redis->mirror.journal.epoch;
    page->until = now + KEPT_TIME;
    page->references++;
    DL_APPEND(past->pages, page);
    past->kept += page->bytes;
    if (past->expire.place == 0)
        crier__timers_set(&question->redis->link.timers, &past->expire, page->until);
}

static struct crier__redis_page *find_kept(const struct crier__redis_question *question)
{
    const struct work *work = question->work;
    struct crier__redis_past *past = &question->redis->past;
    struct crier__redis_page *page;

    make_room(past, crier_now(), 0);
    if (work->key == NULL || past->questions->next == NULL)
        return NULL;
    DL_FOREACH (past->pages, page)
        if (page->after <= work->at && work->at < page->reached &&
            page->epoch == question->redis->mirror.journal.epoch &&
            strcmp(page->key, work->key) == 0) {
            page->references++;
            return page;
        }
    return NULL;
}

static void expire_pages(struct crier__timer *timer, uint64_t now)
{
    struct crier__redis_past *past =
        CRIER__CONTAINER_OF(timer, struct crier__redis_past, expire);
    struct crier__redis *redis = CRIER__CONTAINER_OF(past, struct crier__redis, past);

    make_room(past, now, 0);
    if (past->pages != NULL)
        crier__timers_set(&redis->link.timers, timer, past->pages->until);
}

void crier__redis_past_drop(struct crier__redis *redis)
{
    while (redis->past.pages != NULL)
        let_go(&redis->past, redis->past.pages);
}

/* What the pages of READ depend on, as a *new* text. NULL: it has none. */
static char *make_key(const struct crier__read *read)
{
    char text[CRIER__SELECTOR_SIZE], *key = NULL, *longer;
    size_t length = 0, more;
    unsigned i;

    for (i = 0; i < read->selector_count; i++) {
        if (!crier__selector_write(&read->selectors[i].selector, text) ||
            (longer = realloc(key, length + (more = strlen(text)) + 2)) == NULL) {
            free(key);
            return NULL;
        }
        key = longer;
        memcpy(key + length, text, more);
        length += more;
        memcpy(key + length, "\n", 2);
        length++;
    }
    return key;
}

/* ---- what is wanted --------------------------------------------------- */

enum verdict { UNWANTED, WANTED, TOO_OLD };

/* Whether UPDATE is too old under the limits of all topics and of the topic NAME (NULL:
 * under the first alone). */
static bool is_past_age(const struct crier__redis_question *question,
                   const struct crier__update *update, const char *name)
{
    struct crier_journal *journal = &question->redis->mirror.journal;
    int64_t now = question->work->now;
    uint64_t age, own = 0;

    if (!crier__journal_ages(journal))
        return false;
    age = crier__journal_limits(journal).age;
    if (name != NULL)
        own = crier__journal_retention(journal, name, strlen(name)).age;
    if (own != 0 && (age == 0 || own < age))
        age = own;
    return age != 0 && age < (uint64_t)now && update->time < now - (int64_t)age;
}

/* Whether the topic NAME holds UPDATE, by the marks of the page if it has some. */
static bool is_held(const struct crier__redis_question *question,
                    const struct crier__update *update, const char *name)
{
    const struct crier__redis_page *page = question->work->page;
    const struct crier__redis_mark *mark;

    if (page->mark_count == 0)
        return true;
    mark = crier__redis_page_mark(page, name);
    return mark != NULL && mark->held && update->position > mark->evicted;
}

static enum verdict judge_for(const struct crier__redis_question *question,
                              const struct crier__update *update,
                              const struct crier__selector *selector)
{
    enum verdict verdict = UNWANTED;
    const char *name;

    if (selector->kind == CRIER__ALL) {
        if (update->hidden)
            return UNWANTED;
        return is_past_age(question, update, NULL) ? TOO_OLD : WANTED;
    }
    CRIER__TOPICS_EACH (update->topics, name)
        if (crier__selector_matches(selector, name, strlen(name)) &&
            is_held(question, update, name)) {
            if (!is_past_age(question, update, name))
                return WANTED;
            verdict = TOO_OLD;
        }
    return verdict;
}

/* Whether the reader wants UPDATE, which lies behind START of a selector (NULL: its `from`);
 * LIVE: the selectors that are live count, too. */
static enum verdict judge_entry(const struct crier__redis_question *question,
                          const struct crier__update *update, const uint64_t *start,
                          bool live)
{
    const struct crier__read *read = question->reads;
    enum verdict verdict = UNWANTED, one;
    unsigned i;

    if (!crier__update_visible(update, read->grants))
        return UNWANTED;
    for (i = 0; i < read->selector_count; i++) {
        if (update->position <= (start != NULL ? start[i] : read->selectors[i].from) ||
            (!live && read->selectors[i].live))
            continue;
        one = judge_for(question, update, &read->selectors[i].selector);
        if (one == WANTED)
            return WANTED;
        if (one == TOO_OLD)
            verdict = TOO_OLD;
    }
    return verdict;
}

/* ---- what is missed --------------------------------------------------- */

/* What the reader has missed of the topic of MARK. */
static uint64_t missed_of(const struct crier__redis_question *question,
                          const struct crier__redis_mark *mark)
{
    return question->reads->grants == NULL && mark->newest_public < mark->evicted
               ? mark->newest_public
               : mark->evicted;
}

static void raise_mark(uint64_t *position, uint64_t to)
{
    if (to > *position)
        *position = to;
}

/* Takes what the marks of the page say. */
static void note_past_missed(struct crier__redis_question *question)
{
    struct work *work = question->work;
    const struct crier__redis_page *page = work->page;
    const struct crier__read *read = question->reads;
    unsigned i;
    size_t k;

    for (i = 0; i < read->selector_count; i++) {
        const struct crier__selector *selector = &read->selectors[i].selector;
        const struct crier__redis_mark *mark;

        raise_mark(&work->missed[i], page->renewed);
        if (selector->kind == CRIER__ALL) {
            raise_mark(&work->missed[i], page->evicted);
            continue;
        }
        if (selector->kind == CRIER__EXACT) {
            mark = crier__redis_page_mark(page, selector->text);
            raise_mark(&work->missed[i],
                  mark != NULL && mark->held ? missed_of(question, mark)
                                             : page->forgotten);
            continue;
        }
        raise_mark(&work->missed[i], page->forgotten);
        raise_mark(&work->missed[i], page->missed[i][read->grants != NULL]);
        for (k = 0; k < page->mark_count; k++)
            if (crier__selector_matches(selector, page->marks[k].name,
                                        strlen(page->marks[k].name)))
                raise_mark(&work->missed[i], missed_of(question, &page->marks[k]));
    }
}

/* Whether READ is about the past in general, so that only what is lost behind its `after` is
 * a gap. */
static bool is_past(const struct crier__read *read)
{
    return read->resolve && read->since != CRIER_SINCE_ID;
}

static void find_gap(struct crier__redis_question *question)
{
    struct work *work = question->work;
    const struct crier__read *read = question->reads;
    unsigned i;

    for (i = 0; i < read->selector_count; i++)
        if (work->missed[i] > work->start[i] &&
            work->missed[i] > read->selectors[i].gap_reported_upto &&
            !(is_past(read) && work->missed[i] <= read->after))
            work->gap = true;
}

/* The reader cannot have what was at POSITION. */
static void lose_update(struct crier__redis_question *question, uint64_t position)
{
    struct work *work = question->work;
    unsigned i;

    for (i = 0; i < question->reads->selector_count; i++)
        if (work->start[i] < position)
            raise_mark(&work->missed[i], position);
}

/* ---- where a question begins ------------------------------------------ */

static void set_starts(struct crier__redis_question *question, uint64_t after)
{
    struct work *work = question->work;
    struct crier__read *read = question->reads;
    unsigned i;

    if (is_past(read) && after > read->after)
        after = read->after;
    work->at = UINT64_MAX;
    for (i = 0; i < read->selector_count; i++) {
        uint64_t start = is_past(read) && read->selectors[i].live ? 0 : after;

        raise_mark(&start, read->selectors[i].from);
        work->start[i] = start;
        if (start < work->at)
            work->at = start;
    }
    work->walked = 0;
    work->step = UPDATES;
}

/* Whether POSITION, that of an id of this epoch, was lost by Redis. */
static bool is_lost(struct crier__memory *mirror, uint64_t position)
{
    bool lost;

    pthread_mutex_lock(&mirror->lock);
    lost = crier__memory_jumped(mirror, position);
    pthread_mutex_unlock(&mirror->lock);
    return lost;
}

static void begin_at_id(struct crier__redis_question *question)
{
    struct crier__memory *mirror = &question->redis->mirror;
    uint64_t position = 0;

    if (!crier__id_read(question->reads->id, mirror->journal.epoch, &position)) {
        question->work->step = NAMED;
    } else {
        question->work->gap = is_lost(mirror, position);
        question->work->claimed = question->work->gap ? 0 : position;
        set_starts(question, question->work->claimed);
    }
}

static void begin_question(struct crier__redis_question *question)
{
    struct crier__read *read = question->reads;
    struct work *work = question->work;
    unsigned i;

    for (i = 0; i < read->selector_count; i++) {
        work->walk |= read->selectors[i].selector.kind == CRIER__ALL;
        work->others |= read->selectors[i].selector.kind != CRIER__ALL;
    }
    work->listed = work->walk;
    work->looked = POSITION_MAX;
    work->left = read->number;
    if (!read->resolve)
        set_starts(question, read->after);
    else if (read->since == CRIER_SINCE_LAST && read->number > 0)
        work->step = BACK;
    else if (read->since == CRIER_SINCE_LAST)
        set_starts(question, UINT64_MAX);
    else if (read->since == CRIER_SINCE_TIME)
        work->step = FIND;
    else if (read->since == CRIER_SINCE_ID)
        begin_at_id(question);
    else
        set_starts(question, 0);
}

static bool take_begin(struct crier__redis_question *question, const redisReply *reply)
{
    uint64_t position = 0;

    if (question->work->step == NAMED && reply->type == REDIS_REPLY_NIL)
        question->work->gap = true;
    else if (!crier__redis_read_number(reply, &position))
        return false;
    set_starts(question, position);
    return true;
}

/* ---- the topics of patterns ------------------------------------------- */

static bool is_pattern(const struct crier__selector *selector)
{
    return selector->kind != CRIER__EXACT && selector->kind != CRIER__ALL;
}

/* Goes to the next pattern at or behind the selector INDEX. False: there is none. */
static bool scan_from(struct crier__redis_question *question, unsigned index)
{
    const struct crier__read *read = question->reads;
    struct work *work = question->work;

    while (index < read->selector_count &&
           !is_pattern(&read->selectors[index].selector))
        index++;
    work->scan = index;
    if (index == read->selector_count)
        return false;
    snprintf(work->from, sizeof work->from, "%.*s",
             (int)read->selectors[index].selector.length,
             read->selectors[index].selector.text);
    return true;
}

/* Adds a topic to those that are read. False: memory is short. */
static bool add_name(struct work *work, const char *name, size_t length)
{
    unsigned i;

    for (i = 0; i < work->name_count; i++)
        if (strlen(work->names[i]) == length &&
            memcmp(work->names[i], name, length) == 0)
            return true;
    if (work->name_count == 2 * NAMES_MAX) {
        work->walk = true;
        return true;
    }
    work->names[work->name_count] = strndup(name, length);
    return work->names[work->name_count] != NULL && ++work->name_count != 0;
}

/* Takes the topic of ROW, which the pattern matches. */
static bool take_match(struct crier__redis_question *question, const redisReply *name,
                       const redisReply *record)
{
    struct work *work = question->work;
    struct crier__redis_mark mark = {0};
    uint64_t *missed;

    if (!work->listed)
        return add_name(work, name->str, name->len);
    if (!crier__redis_read_mark(record, &mark))
        return false;
    missed = work->page->missed[work->scan];
    raise_mark(&missed[1], mark.evicted);
    raise_mark(&missed[0],
          mark.newest_public < mark.evicted ? mark.newest_public : mark.evicted);
    return true;
}

static bool take_row(struct crier__redis_question *question, const redisReply *row)
{
    struct work *work = question->work;
    const redisReply *name;

    if (!crier__redis_is_array(row, 2) || row->element[0]->type != REDIS_REPLY_STRING)
        return false;
    name = row->element[0];
    if (name->len == 0 || name->len >= CRIER__TOPIC_SIZE ||
        memchr(name->str, '\0', name->len) != NULL || strcmp(name->str, work->from) < 0)
        return false;
    snprintf(work->from, sizeof work->from, "%s\1", name->str);
    work->asks++;
    return !crier__selector_matches(&question->reads->selectors[work->scan].selector,
                                    name->str, name->len) ||
           take_match(question, name, row->element[1]);
}

/* There are too many topics to look at. */
static void stop_scan(struct work *work)
{
    if (!work->listed) {
        work->listed = work->walk = true;
    } else {
        raise_mark(&work->page->missed[work->scan][0], work->page->evicted);
        raise_mark(&work->page->missed[work->scan][1], work->page->evicted);
        work->scanned = true;
    }
}

static bool take_names(struct crier__redis_question *question, const redisReply *reply)
{
    struct work *work = question->work;
    size_t i;

    if (!crier__redis_is_array(reply, 0))
        return false;
    for (i = 0; i < reply->elements; i++)
        if (!take_row(question, reply->element[i]))
            return false;
    if (work->asks >= ASK_MAX || (!work->listed && work->walk)) {
        stop_scan(work);
    } else if (reply->elements < LIST_PAGE && !scan_from(question, work->scan + 1)) {
        work->scanned = work->listed;
        work->listed = true;
    }
    return true;
}

/* Begins to look at the topics of all patterns: collects their names, or, once `listed` is
 * set, what was evicted from them. False: memory is short. */
static bool begin_names(struct crier__redis_question *question)
{
    const struct crier__read *read = question->reads;
    struct work *work = question->work;
    unsigned i;

    work->asks = 0;
    for (i = 0; !work->listed && i < read->selector_count; i++)
        if (read->selectors[i].selector.kind == CRIER__EXACT &&
            !add_name(work, read->selectors[i].selector.text,
                      read->selectors[i].selector.length))
            return false;
    if (!scan_from(question, 0)) {
        work->scanned = work->listed;
        work->listed = true;
    }
    return true;
}

/* ---- pages ------------------------------------------------------------ */

/* Notes which marks the page needs. False: memory is short. */
static bool want_marks(struct crier__redis_question *question)
{
    const struct crier__read *read = question->reads;
    struct work *work = question->work;
    struct crier__redis_page *page = work->page;
    const char *name;
    unsigned i, k;
    bool kept = true;

    for (i = 0; kept && !work->walk && i < work->name_count; i++)
        kept = crier__redis_page_want(page, work->names[i], strlen(work->names[i]));
    for (i = 0; kept && i < read->selector_count; i++) {
        const struct crier__selector *selector = &read->selectors[i].selector;

        if (!work->walk || selector->kind == CRIER__ALL)
            continue;
        if (selector->kind == CRIER__EXACT)
            kept = crier__redis_page_want(page, selector->text, selector->length);
        for (k = 0; kept && is_pattern(selector) && k < page->count; k++) {
            if (page->items[k].update == NULL)
                continue;
            CRIER__TOPICS_EACH (page->items[k].update->topics, name)
                if (kept && crier__selector_matches(selector, name, strlen(name)))
                    kept = crier__redis_page_want(page, name, strlen(name));
        }
    }
    crier__redis_page_sort(page);
    return kept;
}

/* Takes the updates of the page. False: it has taken as many as it may. */
static bool take_updates(struct crier__redis_question *question)
{
    struct work *work = question->work;
    struct crier__redis_page *page = work->page;
    unsigned i;

    for (i = 0; i < page->count; i++) {
        const struct crier__redis_item *item = &page->items[i];
        enum verdict verdict = TOO_OLD;

        if (item->position <= work->at)
            continue;
        if (item->position > work->floor)
            break;
        if (item->update != NULL)
            verdict = judge_entry(question, item->update, work->start, true);
        if (verdict == TOO_OLD && work->count != 0) /* the gap is in the next answer */
            return false;
        work->at = item->position;
        if (verdict == TOO_OLD)
            lose_update(question, item->position);
        if (item->update == NULL)
            work->gap = true;
        if (verdict != WANTED)
            continue;
        work->bytes += item->update->frame->length;
        work->updates[work->count++] = crier__update_ref(item->update);
        if (work->count == CRIER__READ_MAX || work->bytes >= question->reads->max_bytes)
            return false;
    }
    raise_mark(&work->at, page->reached < work->floor ? page->reached : work->floor);
    return true;
}

/* Finds the oldest update in the page. False: there it is. */
static bool seek_oldest(struct crier__redis_question *question)
{
    struct work *work = question->work;
    struct crier__redis_page *page = work->page;
    unsigned i;

    for (i = 0; i < page->count; i++)
        if (page->items[i].update != NULL &&
            judge_entry(question, page->items[i].update, NULL, true) == WANTED) {
            snprintf(work->oldest, sizeof work->oldest, "%s", page->items[i].update->id);
            return false;
        }
    work->looked = page->reached;
    return work->walked < LAST_MAX / CRIER__READ_MAX;
}

/* Finds the oldest update in the mirror. */
static void find_in_mirror(struct crier__redis_question *question)
{
    struct work *work = question->work;
    struct crier__memory *mirror = &question->redis->mirror;
    size_t size = question->reads->selector_count * sizeof *question->reads->selectors;
    struct crier__read read = *question->reads;
    unsigned i;

    read.selectors = malloc(size);
    if (read.selectors == NULL)
        return;
    memcpy(read.selectors, question->reads->selectors, size);
    read.resolve = false;
    read.after = work->floor;
    read.max_bytes = 1;
    pthread_mutex_lock(&mirror->lock);
    if (!crier__memory_answer(mirror, &read))
        read.count = 0;
    pthread_mutex_unlock(&mirror->lock);
    for (i = 0; i < read.count; i++) {
        if (i == 0)
            snprintf(work->oldest, sizeof work->oldest, "%s", read.updates[i]->id);
        crier__update_unref(read.updates[i]);
    }
    free(read.selectors);
}

/* Counts back from the end. */
static void count_back(struct crier__redis_question *question)
{
    struct work *work = question->work;
    struct crier__redis_page *page = work->page;
    unsigned i;

    for (i = 0; i < page->count; i++) {
        work->looked = page->items[i].position;
        if (page->items[i].update != NULL &&
            judge_entry(question, page->items[i].update, NULL, false) == WANTED &&
            --work->left == 0) {
            set_starts(question, work->looked - 1);
            return;
        }
    }
    if (page->count < CRIER__READ_MAX)
        set_starts(question, 0);
    else if (work->walked >= LAST_MAX / CRIER__READ_MAX)
        set_starts(question, work->looked - 1);
}

/* The updates are there: looks for a gap. */
static enum course end_updates(struct crier__redis_question *question)
{
    struct work *work = question->work;

    find_gap(question);
    if (!work->gap) {
        answer_question(question, 0);
        return DONE;
    }
    work->step = OLDEST;
    work->looked = work->walked = 0;
    return GO_ON;
}

static enum course end_oldest(struct crier__redis_question *question)
{
    if (question->work->oldest[0] == '\0')
        find_in_mirror(question);
    answer_question(question, 0);
    return DONE;
}

/* Begins at the beginning: no update has had the id that the question begins at. */
static void begin_anew(struct crier__redis_question *question)
{
    question->work->claimed = 0;
    question->work->gap = true;
    set_starts(question, 0);
}

/* Uses the page, which has all that it needs. */
static enum course use_past_page(struct crier__redis_question *question)
{
    struct work *work = question->work;
    enum course course = GO_ON;
    bool more;

    work->walked++;
    if (work->step == BACK) {
        count_back(question);
    } else if (work->step == OLDEST) {
        if (!seek_oldest(question))
            course = end_oldest(question);
    } else if (work->claimed > work->page->last) {
        begin_anew(question);
    } else {
        keep_page(question);
        note_past_missed(question);
        more = take_updates(question);
        if (!more || work->walked >= WALK_MAX)
            course = end_updates(question);
    }
    if (course != DONE) {
        crier__redis_page_unref(work->page);
        work->page = NULL;
    }
    return course;
}

/* ---- scripts ---------------------------------------------------------- */

/* Appends the topics of a question that does not walk; without LIVE those alone that a
 * selector which is not live matches. Returns how many. */
static unsigned add_past_topics(const struct crier__redis_question *question,
                           struct crier__redis_args *args, bool live)
{
    const struct crier__read *read = question->reads;
    const struct work *work = question->work;
    unsigned i, k, count = 0;

    for (i = 0; i < work->name_count; i++) {
        size_t length = strlen(work->names[i]);

        for (k = 0; k < read->selector_count; k++)
            if ((live || !read->selectors[k].live) &&
                crier__selector_matches(&read->selectors[k].selector, work->names[i],
                                        length))
                break;
        if (k == read->selector_count)
            continue;
        crier__redis_arg(args, work->names[i], length);
        count++;
    }
    return count;
}

static void take_reply(struct crier__redis_call *call, redisReply *reply);

/* Sends ARGS, and frees them: the command NAMED, or SCRIPT. */
static enum course send_args(struct crier__redis_question *question,
                             struct crier__redis_args *args, bool command,
                             enum crier__redis_script script)
{
    struct crier__redis *redis = question->redis;
    int error = args->failed ? -ENOMEM : 0;

    question->call.on_reply = take_reply;
    if (error == 0 && command)
        error = crier__redis_command(&redis->link, CRIER__REDIS_READER, args, SCRIPT_TIME,
                                     &question->call);
    else if (error == 0)
        error = crier__redis_run(&redis->link, CRIER__REDIS_READER, script, NULL, args,
                                 SCRIPT_TIME, &question->call);
    crier__redis_args_done(args);
    question->sent = error == 0;
    if (error != 0) {
        answer_question(question, error);
        return DONE;
    }
    atomic_fetch_add(&redis->past.reads, 1);
    return WAIT;
}

static enum course ask_named(struct crier__redis_question *question)
{
    const char *ids = question->redis->keys[CRIER__REDIS_IDS];
    struct crier__redis_args args = {0};

    crier__redis_arg(&args, "HGET", 4);
    crier__redis_arg(&args, ids, strlen(ids));
    crier__redis_arg(&args, question->reads->id, strlen(question->reads->id));
    return send_args(question, &args, true, CRIER__REDIS_SCRIPTS);
}

static enum course ask_time(struct crier__redis_question *question)
{
    struct crier__redis_args args = {0};
    uint64_t now = (uint64_t)question->work->now, age = question->reads->number;
    char text[24];

    crier__redis_begin_args(question->redis, &args);
    crier__redis_arg_number(&args, text, age < now ? now - age : 0);
    return send_args(question, &args, false, CRIER__REDIS_FIND);
}

static enum course ask_names(struct crier__redis_question *question)
{
    const struct work *work = question->work;
    const struct crier__selector *selector =
        &question->reads->selectors[work->scan].selector;
    struct crier__redis_args args = {0};
    char upto[CRIER__TOPIC_SIZE + 2], text[24];

    /* No name has a byte 0xff. */
    snprintf(upto, sizeof upto, "%.*s\xff", (int)selector->length, selector->text);
    crier__redis_begin_args(question->redis, &args);
    crier__redis_arg(&args, work->from, strlen(work->from));
    crier__redis_arg(&args, upto, strlen(upto));
    crier__redis_arg_number(&args, text, LIST_PAGE);
    crier__redis_arg(&args, "records", strlen("records"));
    return send_args(question, &args, false, CRIER__REDIS_LIST);
}

static enum course ask_marks(struct crier__redis_question *question)
{
    const struct crier__redis_page *page = question->work->page;
    struct crier__redis_args args = {0};
    size_t i;

    crier__redis_begin_args(question->redis, &args);
    for (i = 0; i < page->mark_count; i++)
        crier__redis_arg(&args, page->marks[i].name, strlen(page->marks[i].name));
    return send_args(question, &args, false, CRIER__REDIS_MARKS);
}

/* Has an empty page that reaches up to UPTO. */
static enum course skip_page(struct work *work, uint64_t upto)
{
    work->page->reached = upto;
    work->asked = MARKS;
    return GO_ON;
}

/* Asks for the page: `asked` is ENTRIES. It is empty where the question has no topics, and
 * where it begins behind the floor: then what is missed matters alone. */
static enum course ask_past_page(struct crier__redis_question *question)
{
    struct work *work = question->work;
    struct crier__redis_args args = {0};
    char text[4][24];
    bool back = work->step == BACK;

    work->page = crier__redis_page_new(work->step == UPDATES ? work->at : work->looked);
    if (work->page == NULL) {
        answer_question(question, -ENOMEM);
        return DONE;
    }
    if (work->step == UPDATES && work->at >= work->floor)
        return skip_page(work, work->at);
    crier__redis_begin_args(question->redis, &args);
    crier__redis_arg_number(&args, text[0], work->page->after);
    if (!back)
        crier__redis_arg_number(&args, text[1], work->floor);
    crier__redis_arg_number(&args, text[2], CRIER__READ_MAX);
    if (!back)
        crier__redis_arg_number(&args, text[3], PAGE_BYTES);
    if (!work->walk && add_past_topics(question, &args, !back) == 0) {
        crier__redis_args_done(&args);
        return skip_page(work, work->floor);
    }
    return send_args(question, &args, false, back ? CRIER__REDIS_BACK : CRIER__REDIS_PAST);
}

/* ---- the course of a question ----------------------------------------- */

static bool take_past_entries(struct crier__redis_question *question, const redisReply *reply)
{
    struct crier__redis *redis = question->redis;
    struct work *work = question->work;

    return work->step == BACK
               ? crier__redis_page_take_back(work->page, reply, work->looked,
                                             &redis->mirror.journal, &redis->corrected)
               : crier__redis_page_take(work->page, reply, work->floor,
                                        &redis->mirror.journal, &redis->corrected);
}

static bool take_past_answer(struct crier__redis_question *question, const redisReply *reply)
{
    struct work *work = question->work;

    if (work->step == FIND || work->step == NAMED)
        return take_begin(question, reply);
    if (work->asked == NAMES)
        return take_names(question, reply);
    if (work->asked == MARKS) {
        work->marked = true;
        return crier__redis_page_take_marks(work->page, reply);
    }
    work->asked = MARKS;
    return take_past_entries(question, reply);
}

static enum course begin_page(struct crier__redis_question *question)
{
    struct work *work = question->work;

    if (work->step == UPDATES && work->at >= work->floor && work->walked != 0)
        return end_updates(question);
    if (work->step == OLDEST && work->looked >= work->floor)
        return end_oldest(question);
    work->marked = work->scanned = false;
    work->asked = ENTRIES;
    if (work->step == UPDATES && (work->page = find_kept(question)) != NULL)
        return use_past_page(question);
    if (!work->listed && work->scan == UINT_MAX && !begin_names(question)) {
        answer_question(question, -ENOMEM);
        return DONE;
    }
    if (!work->listed) {
        work->asked = NAMES;
        return ask_names(question);
    }
    return ask_past_page(question);
}

static enum course take_step(struct crier__redis_question *question)
{
    struct work *work = question->work;

    if (work->step == NAMED)
        return ask_named(question);
    if (work->step == FIND)
        return ask_time(question);
    if (work->page == NULL)
        return begin_page(question);
    if (!work->marked && (work->step == UPDATES || (work->walk && work->others))) {
        if (!want_marks(question)) {
            answer_question(question, -ENOMEM);
            return DONE;
        }
        return ask_marks(question);
    }
    if (!work->scanned && work->step == UPDATES && work->walk && work->others) {
        if (work->asked != NAMES)
            (void)begin_names(question); /* it adds no names */
        work->asked = NAMES;
        if (!work->scanned)
            return ask_names(question);
    }
    return use_past_page(question);
}

static void send_waiting(struct crier__redis *redis);

static void run_question(struct crier__redis_question *question, enum course course)
{
    struct crier__redis *redis = question->redis;

    while (course == GO_ON)
        course = take_step(question);
    if (course == DONE)
        send_waiting(redis);
}

/* What REPLY makes of a question that it does not answer. */
static void refuse_reply(struct crier__redis *redis, const redisReply *reply)
{
    if (reply == NULL || redis->past.closing)
        return;
    if (reply->type != REDIS_REPLY_ERROR)
        crier__redis_refuse(redis, reply, "a read");
    else if (crier__redis_is_error(reply, "CRIER_EPOCH") &&
             redis->state == CRIER__REDIS_READY)
        crier__redis_attach(redis);
}

static void take_reply(struct crier__redis_call *call, redisReply *reply)
{
    struct crier__redis_question *question =
        CRIER__CONTAINER_OF(call, struct crier__redis_question, call);
    struct crier__redis *redis = question->redis;

    question->sent = false;
    if (reply != NULL && reply->type != REDIS_REPLY_ERROR && !redis->past.closing &&
        take_past_answer(question, reply)) {
        run_question(question, GO_ON);
        return;
    }
    answer_question(question, CRIER_ERR_STORAGE);
    refuse_reply(redis, reply);
    send_waiting(redis);
}

/* Gives QUESTION its work. False: memory is short. */
static bool open_question(struct crier__redis_question *question)
{
    struct crier__memory *mirror = &question->redis->mirror;
    struct work *work = calloc(1, sizeof *work);

    if (work == NULL)
        return false;
    question->work = work;
    question->redis->past.open++;
    work->scan = UINT_MAX;
    work->key = make_key(question->reads);
    pthread_mutex_lock(&mirror->lock);
    work->floor = mirror->mirror.floor;
    raise_mark(&work->floor, mirror->forgotten);
    work->now = crier__memory_now(mirror);
    pthread_mutex_unlock(&mirror->lock);
    begin_question(question);
    return true;
}

/* Opens questions, in order. An answer may bring the next question, so this may be called
 * while it runs. */
static void send_waiting(struct crier__redis *redis)
{
    struct crier__redis_question *question;

    if (redis->past.busy)
        return;
    redis->past.busy = true;
    while (redis->past.open < OPEN_MAX) {
        DL_FOREACH (redis->past.questions, question)
            if (question->work == NULL)
                break;
        if (question == NULL)
            break;
        if (open_question(question))
            run_question(question, GO_ON);
        else
            answer_question(question, -ENOMEM);
    }
    redis->past.busy = false;
}

/* ---- questions -------------------------------------------------------- */

static bool is_same(const struct crier__read *a, const struct crier__read *b)
{
    unsigned i;

    if (a->selector_count != b->selector_count || a->resolve != b->resolve ||
        a->since != b->since || a->after != b->after || a->number != b->number ||
        a->grants != b->grants || a->max_bytes != b->max_bytes ||
        (a->resolve && a->since == CRIER_SINCE_ID && strcmp(a->id, b->id) != 0))
        return false;
    for (i = 0; i < a->selector_count; i++)
        if (a->selectors[i].from != b->selectors[i].from ||
            a->selectors[i].live != b->selectors[i].live ||
            a->selectors[i].gap_reported_upto != b->selectors[i].gap_reported_upto ||
            a->selectors[i].selector.kind != b->selectors[i].selector.kind ||
            !crier__selector_equal(&a->selectors[i].selector, &b->selectors[i].selector))
            return false;
    return true;
}

static void refuse_read(struct crier__read *read, int error)
{
    read->error = error;
    read->count = 0;
    read->done(read);
}

/* Answers READ from the mirror, if that holds all of the answer now. */
static bool answer_here(struct crier__redis *redis, struct crier__read *read)
{
    bool answered;

    pthread_mutex_lock(&redis->mirror.lock);
    answered = crier__memory_answer(&redis->mirror, read);
    pthread_mutex_unlock(&redis->mirror.lock);
    if (answered)
        read->done(read);
    return answered;
}

void crier__redis_past(struct crier__redis *redis, struct crier__read *read)
{
    struct crier__redis_question *question;

    if (redis->past.closing) {
        refuse_read(read, CRIER_ERR_STORAGE);
        return;
    }
    DL_FOREACH (redis->past.questions, question)
        if (is_same(question->reads, read)) {
            read->next = question->reads->next;
            question->reads->next = read;
            return;
        }
    if (answer_here(redis, read))
        return;
    question = calloc(1, sizeof *question);
    if (question == NULL) {
        refuse_read(read, -ENOMEM);
        return;
    }
    read->next = NULL;
    question->redis = redis;
    question->reads = read;
    DL_APPEND(redis->past.questions, question);
    send_waiting(redis);
}

void crier__redis_past_down(struct crier__redis *redis)
{
    struct crier__redis_question *question, *next;

    redis->past.busy = true;
    DL_FOREACH_SAFE (redis->past.questions, question, next)
        if (!question->sent)
            answer_question(question, CRIER_ERR_STORAGE);
    redis->past.busy = false;
    crier__redis_past_drop(redis);
}

void crier__redis_past_close(struct crier__redis *redis)
{
    redis->past.closing = true;
    crier__redis_past_down(redis);
}

int crier__redis_past_start(struct crier__redis *redis)
{
    atomic_init(&redis->past.reads, 0);
    redis->past.expire.fire = expire_pages;
    return crier__timers_reserve(&redis->link.timers, 1);
}

void crier__redis_past_free(struct crier__redis *redis)
{
    crier__redis_past_down(redis);
}
