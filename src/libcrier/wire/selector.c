/*
 * Selectors: which topics a subscriber asks for.
 *
 * A new kind is a value of the enum, its spelling in crier__selector_init(), and its rule
 * in crier__selector_matches() and covers(); a compiled one, its functions in pattern.c.
 * What is not exact is found by asking: whoever looks topics up keeps exact names in a
 * hash, and remembers which of the others matched a name.
 *
 * A list owns its texts and a reference to each compiled pattern. Lists that were made
 * apart have patterns of their own, until the hub's index makes them share one
 * (crier__index_share()).
 */
#include <config.h>

#include "selector.h"

#include "base/utf8.h"
#include "uri_template.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- one selector ----------------------------------------------------- */

/* Whether the LENGTH bytes at TEXT may be a pattern. */
static bool is_pattern_text(const char *text, size_t length)
{
    return length != 0 && length <= CRIER__PATTERN_MAX &&
           crier_utf8_valid(text, length) && !crier__utf8_control(text, length);
}

static int init_plain(struct crier__selector *selector, const char *text,
                      size_t length, bool wild)
{
    selector->kind = !wild         ? CRIER__EXACT
                     : length == 1 ? CRIER__ALL
                                   : CRIER__PREFIX;
    selector->length = (unsigned)(length - wild);
    return selector->kind == CRIER__ALL || crier__topic_valid(text, length - wild)
               ? 0
               : CRIER_ERR_TOPIC;
}

static int init_pattern(struct crier__selector *selector,
                        const struct crier_selector *wanted, size_t length)
{
    const struct crier_selector exactly = {
        .match = selector->kind == CRIER__TEMPLATE ? CRIER_MATCH_TEMPLATE
                                                   : CRIER_MATCH_URL_PATTERN,
        .text = wanted->text,
        .base = selector->kind == CRIER__TEMPLATE ? NULL : wanted->base};

    if (!is_pattern_text(wanted->text, length) ||
        (exactly.base != NULL && strnlen(exactly.base, CRIER__PATTERN_MAX + 1) >
                                     CRIER__PATTERN_MAX))
        return CRIER_ERR_SELECTOR;
    if (selector->kind == CRIER__TEMPLATE)
        selector->length = (unsigned)crier__uri_template_beginning(wanted->text);
    return crier__pattern_new(&exactly, &selector->pattern);
}

int crier__selector_init(struct crier__selector *selector,
                         const struct crier_selector *wanted)
{
    const char *text = wanted->text;
    size_t length = strnlen(text, CRIER__PATTERN_MAX + 1);

    *selector = (struct crier__selector){.text = text};
    switch (wanted->match) {
    case CRIER_MATCH_TEXT:
        if (!is_pattern_text(text, length) ||
            !crier__uri_template_valid(text, length))
            return init_plain(selector, text, length,
                              length != 0 && text[length - 1] == '*');
        selector->kind = CRIER__TEMPLATE;
        return init_pattern(selector, wanted, length);
    case CRIER_MATCH_EXACT:
        return init_plain(selector, text, length, false);
    case CRIER_MATCH_TEMPLATE:
        selector->kind = CRIER__TEMPLATE;
        return init_pattern(selector, wanted, length);
    case CRIER_MATCH_URL_PATTERN:
        selector->kind = CRIER__URL_PATTERN;
        return init_pattern(selector, wanted, length);
    }
    return CRIER_ERR_INVALID;
}

/* ---- written down ----------------------------------------------------- */

/* What a selector that is written down begins with. */
static const char kind_marks[] = {[CRIER__EXACT] = '=',
                                  [CRIER__PREFIX] = '*',
                                  [CRIER__ALL] = '*',
                                  [CRIER__TEMPLATE] = '{',
                                  [CRIER__URL_PATTERN] = ':',
                                  [CRIER__SHARED] = '!'};

bool crier__selector_may_share(const char *text)
{
    size_t length = strnlen(text, CRIER_SHARED_MAX + 1);

    return length != 0 && length <= CRIER_SHARED_MAX &&
           crier_utf8_valid(text, length) && !crier__utf8_control(text, length);
}

bool crier__selector_write(const struct crier__selector *selector,
                           char text[CRIER__SELECTOR_SIZE])
{
    const char *base = crier__pattern_base(selector->pattern);
    size_t length = strlen(base);

    if (length > CRIER__PATTERN_MAX || !crier_utf8_valid(base, length) ||
        crier__utf8_control(base, length))
        return false;
    snprintf(text, CRIER__SELECTOR_SIZE, "%c%s%s%s", kind_marks[selector->kind],
             selector->text, length != 0 ? "\t" : "", base);
    return true;
}

int crier__selector_read(struct crier__selector *selector, char *text)
{
    struct crier_selector wanted = {.text = text + 1};
    char *base;
    int error;

    switch (text[0]) {
    case '=':
        wanted.match = CRIER_MATCH_EXACT;
        break;
    case '*':
        wanted.match = CRIER_MATCH_TEXT;
        break;
    case '{':
        wanted.match = CRIER_MATCH_TEMPLATE;
        break;
    case ':':
        wanted.match = CRIER_MATCH_URL_PATTERN;
        base = strchr(text, '\t');
        if (base != NULL) {
            *base = '\0';
            wanted.base = base + 1;
        }
        break;
    case '!':
        *selector = (struct crier__selector){.kind = CRIER__SHARED, .text = text + 1};
        return crier__selector_may_share(text + 1) ? 0 : CRIER_ERR_INVALID;
    default:
        return CRIER_ERR_INVALID;
    }
    error = crier__selector_init(selector, &wanted);
    if (error != 0 || kind_marks[selector->kind] == text[0])
        return error;
    crier__selector_done(selector);
    return CRIER_ERR_INVALID;
}

/* ---- comparing -------------------------------------------------------- */

bool crier__selector_asks(const struct crier__selector *selector,
                          const char *name, size_t length)
{
    if (length < selector->length ||
        memcmp(name, selector->text, selector->length) != 0)
        return false;
    if (selector->kind == CRIER__TEMPLATE) {
        if (strncmp(name, selector->text, length) == 0 &&
            selector->text[length] == '\0')
            return true;
        /* It begins with a wildcard. */
        if (selector->length == 0 && crier__topic_hidden(name))
            return false;
    }
    return crier__pattern_matches(selector->pattern, name, length);
}

/* Whether SELECTOR is sure to match all that OTHER, a pattern, matches. */
static bool covers_pattern(const struct crier__selector *selector,
                           const struct crier__selector *other)
{
    if (crier__selector_equal(selector, other))
        return true;
    if (selector->kind == CRIER__ALL)
        return other->text[0] != '$';
    return selector->kind == CRIER__PREFIX && other->length >= selector->length &&
           memcmp(selector->text, other->text, selector->length) == 0;
}

bool crier__selector_covers(const struct crier__selector *selector,
                            const struct crier__selector *other)
{
    if (other->pattern != NULL)
        return covers_pattern(selector, other);
    if (selector->kind == CRIER__EXACT || other->kind == CRIER__ALL ||
        (other->kind == CRIER__PREFIX && selector->pattern != NULL))
        return crier__selector_equal(selector, other);
    return crier__selector_matches(selector, other->text, other->length);
}

/* ---- looking lists through -------------------------------------------- */

int crier__selectors_find(const struct crier__selectors *selectors,
                          const struct crier__selector *selector)
{
    unsigned i;

    for (i = 0; i < selectors->count; i++)
        if (crier__selector_equal(&selectors->items[i], selector))
            return (int)i;
    return -1;
}

bool crier__selectors_match(const struct crier__selectors *selectors,
                            const char *name)
{
    size_t length = strlen(name);
    unsigned i;

    for (i = 0; i < selectors->count; i++)
        if (crier__selector_matches(&selectors->items[i], name, length))
            return true;
    return false;
}

const struct crier__selector *
crier__selectors_lowest(const struct crier__selectors *selectors)
{
    const struct crier__selector *lowest = &selectors->items[0], *other;
    unsigned length, i;
    int order;

    for (i = 1; i < selectors->count; i++) {
        other = &selectors->items[i];
        length = other->length < lowest->length ? other->length
                                                : lowest->length;
        order = memcmp(other->text, lowest->text, length);
        if (order < 0 || (order == 0 && other->length < lowest->length))
            lowest = other;
    }
    return lowest;
}

bool crier__selectors_behind(const struct crier__selectors *selectors,
                             const char *name)
{
    unsigned i;

    for (i = 0; i < selectors->count; i++)
        if (strncmp(name, selectors->items[i].text,
                    selectors->items[i].length) <= 0)
            return false;
    return true;
}

/* ---- lists ------------------------------------------------------------ */

/* A list while it is made. */
struct collection {
    struct crier__selectors *list;
    unsigned max; /* of different selectors */
    char *to;     /* where the next text goes */
};

/* How many pieces TEXT may have, and the bytes that they need with their NULs. */
static size_t measure_text(const char *text, size_t *pieces)
{
    size_t length, i;

    if (text == NULL)
        return 0;
    length = strnlen(text, CRIER__TOPICS_LONGEST);
    for (i = 0; i < length; i++)
        *pieces += text[i] == ',';
    ++*pieces;
    return length + 1;
}

/* The bytes that the texts of COUNT selectors MORE need; SIZE_MAX for more than any list
 * may have. */
static size_t measure_selectors(const struct crier_selector *more, size_t count,
                                unsigned max)
{
    size_t size = 0, i;

    for (i = 0; i < count; i++) {
        size += strnlen(more[i].text, CRIER__PATTERN_MAX + 1) + 1;
        if (size > (size_t)max * CRIER__TOPIC_SIZE)
            return SIZE_MAX;
    }
    return size;
}

/* A new collection of no more than MAX selectors, for PIECES texts of SIZE bytes. False
 * when memory is short. */
static bool begin_collection(struct collection *collection, unsigned max,
                             size_t pieces, size_t size)
{
    size_t count = pieces < max ? pieces : max;
    struct crier__selectors *list;

    list = malloc(sizeof *list + count * sizeof list->items[0] + size);
    if (list == NULL)
        return false;
    list->count = 0;
    *collection = (struct collection){
        .list = list, .max = max, .to = (char *)&list->items[count]};
    return true;
}

/* Adds WANTED, of whose text LENGTH bytes count, to COLLECTION, unless it is there
 * already. */
static int collect_one(struct collection *collection,
                       const struct crier_selector *wanted, size_t length)
{
    const struct crier_selector copied = {
        .match = wanted->match, .text = collection->to, .base = wanted->base};
    struct crier__selectors *list = collection->list;
    struct crier__selector selector;
    int error;

    memcpy(collection->to, wanted->text, length);
    collection->to[length] = '\0';
    error = crier__selector_init(&selector, &copied);
    if (error != 0)
        return error;
    if (crier__selectors_find(list, &selector) < 0) {
        if (list->count < collection->max) {
            list->items[list->count++] = selector;
            collection->to += length + 1;
            return 0;
        }
        error = CRIER_ERR_MANY_TOPICS;
    }
    crier__selector_done(&selector);
    return error;
}

/* The length of TEXT up to the first comma that is not in an expression. */
static size_t measure_piece(const char *text)
{
    const char *at = text;
    size_t expression;

    for (at += strcspn(at, ",{"); *at == '{'; at += strcspn(at, ",{")) {
        expression = crier__uri_template_expression(
            at, strnlen(at, CRIER__PATTERN_MAX));
        at += expression != 0 ? expression : 1;
    }
    return (size_t)(at - text);
}

/* Adds the pieces of TEXT, which may be NULL, to COLLECTION. */
static int collect_text(struct collection *collection, const char *text)
{
    size_t length;
    int error;

    if (text == NULL)
        return 0;
    for (;; text += length + 1) {
        length = measure_piece(text);
        error = collect_one(collection, &(struct crier_selector){.text = text},
                            length);
        if (error != 0 || text[length] == '\0')
            return error;
    }
}

static int collect_selectors(struct collection *collection,
                             const struct crier_selector *more, size_t count)
{
    int error = 0;
    size_t i;

    for (i = 0; i < count && error == 0; i++)
        error = collect_one(collection, &more[i],
                            strnlen(more[i].text, CRIER__PATTERN_MAX + 1));
    return error;
}

/* Writes the list of COLLECTION to *SELECTORS, unless there was an ERROR, which is
 * returned. */
static int end_collection(struct collection *collection, int error,
                          struct crier__selectors **selectors)
{
    if (error == 0)
        *selectors = collection->list;
    else
        crier__selectors_free(collection->list);
    return error;
}

int crier__selectors_collect(const char *text, const struct crier_selector *more,
                             size_t count, const char *last, unsigned *first,
                             struct crier__selectors **selectors)
{
    struct collection collection;
    size_t pieces = count, size;
    size_t more_size = measure_selectors(more, count, CRIER__TOPICS_MAX);
    int error;

    size = measure_text(text, &pieces);
    size += measure_text(last, &pieces);
    if (text == NULL && count == 0)
        return CRIER_ERR_TOPIC;
    if (more_size == SIZE_MAX || size + more_size > CRIER__TOPICS_LONGEST)
        return CRIER_ERR_MANY_TOPICS;
    if (!begin_collection(&collection, CRIER__TOPICS_MAX, pieces,
                          size + more_size))
        return -ENOMEM;
    error = collect_text(&collection, text);
    if (error == 0)
        error = collect_selectors(&collection, more, count);
    *first = collection.list->count;
    if (error == 0)
        error = collect_text(&collection, last);
    return end_collection(&collection, error, selectors);
}

int crier__selectors_parse(const char *text, struct crier__selectors **selectors)
{
    unsigned first;

    return crier__selectors_collect(text, NULL, 0, NULL, &first, selectors);
}

int crier__selectors_list(const struct crier_selector *more, size_t count,
                          unsigned max, struct crier__selectors **selectors)
{
    size_t size = measure_selectors(more, count, max);
    struct collection collection;

    if (size == SIZE_MAX)
        return CRIER_ERR_MANY_TOPICS;
    if (!begin_collection(&collection, max, count, size))
        return -ENOMEM;
    return end_collection(&collection,
                          collect_selectors(&collection, more, count), selectors);
}

struct crier__selectors *
crier__selectors_copy(const struct crier__selectors *selectors)
{
    const struct crier__selector *last =
        &selectors->items[selectors->count - 1];
    size_t size = (size_t)(last->text - (const char *)selectors) +
                  strlen(last->text) + 1;
    struct crier__selectors *copy = malloc(size);
    unsigned i;

    if (copy == NULL)
        return NULL;
    memcpy(copy, selectors, size);
    for (i = 0; i < copy->count; i++) {
        copy->items[i].text =
            (char *)copy + (selectors->items[i].text - (const char *)selectors);
        crier__pattern_ref(copy->items[i].pattern);
    }
    return copy;
}

void crier__selectors_free(struct crier__selectors *selectors)
{
    unsigned i;

    for (i = 0; selectors != NULL && i < selectors->count; i++)
        crier__selector_done(&selectors->items[i]);
    free(selectors);
}
